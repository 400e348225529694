// SPDX-License-Identifier: Apache-2.0
/*
 * What the tests in this folder ask libbpf and the kernel. Compiled by them.
 *
 *   inspect names FILE              "prog NAME AUTOLOAD" and "map NAME" of an object file
 *   inspect progs ID...             "NAME VERIFIED_INSNS" of loaded programs
 *   inspect alive prog|map|link ID...   those ids that the kernel still has
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

static int names(const char *file)
{
	struct bpf_object *obj = bpf_object__open_file(file, NULL);
	struct bpf_program *prog;
	struct bpf_map *map;

	if (!obj)
		return 1;
	bpf_object__for_each_program(prog, obj)
		printf("prog %s %d\n", bpf_program__name(prog), bpf_program__autoload(prog));
	bpf_object__for_each_map(map, obj)
		printf("map %s\n", bpf_map__name(map));
	bpf_object__close(obj);
	return 0;
}

static int program(__u32 id)
{
	int fd = bpf_prog_get_fd_by_id(id);
	struct bpf_prog_info info;
	__u32 len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 1;
	printf("%s %u\n", info.name, info.verified_insns);
	close(fd);
	return 0;
}

static int alive(const char *kind, __u32 id)
{
	int fd = kind[0] == 'p' ? bpf_prog_get_fd_by_id(id) :
		 kind[0] == 'm' ? bpf_map_get_fd_by_id(id) :
				  bpf_link_get_fd_by_id(id);

	if (fd < 0)
		return errno == ENOENT ? 0 : 1;
	printf("%u\n", id);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	int err = 0;

	if (argc == 3 && strcmp(argv[1], "names") == 0)
		return names(argv[2]);
	if (argc > 2 && strcmp(argv[1], "progs") == 0) {
		for (int i = 2; i < argc && !err; i++)
			err = program((__u32)strtoul(argv[i], NULL, 10));
		return err;
	}
	if (argc > 3 && strcmp(argv[1], "alive") == 0) {
		for (int i = 3; i < argc && !err; i++)
			err = alive(argv[2], (__u32)strtoul(argv[i], NULL, 10));
		return err;
	}
	fprintf(stderr, "usage: inspect names FILE | progs ID... | alive prog|map|link ID...\n");
	return 2;
}
