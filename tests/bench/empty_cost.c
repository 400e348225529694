/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches the empty programs of one backend (empty.bpf.c) with the kernel's
 * BPF statistics on, until its standard input is closed; then prints how often
 * they ran and how many nanoseconds that took. Started by bench.py.
 *
 *   empty_cost OBJECT BACKEND      prints "ready", and at the end "RUNS NS"
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "redtap/types.h"

#define MAX_PROGRAMS 32

static bool is_of(const struct bpf_program *p, const char *backend)
{
	size_t n = strlen(backend);
	const char *name = bpf_program__name(p);

	return !strncmp(name, backend, n) && name[n] == '_';
}

/* Returns how many programs are attached, or -errno. */
static int attach(struct bpf_object *obj, const char *backend, struct bpf_link *links[MAX_PROGRAMS])
{
	struct bpf_program *p;
	int n = 0;

	bpf_object__for_each_program(p, obj)
	{
		if (!is_of(p, backend))
			continue;
		if (n == MAX_PROGRAMS)
			return -E2BIG;
		links[n] = bpf_program__attach(p);
		if (!links[n])
			return -errno;
		n++;
	}
	return n ? n : -ENOENT;
}

static int print_totals(struct bpf_object *obj, const char *backend)
{
	struct bpf_program *p;
	u64 runs = 0, ns = 0;

	bpf_object__for_each_program(p, obj)
	{
		struct bpf_prog_info info = {0};
		u32 len = sizeof(info);

		if (!is_of(p, backend))
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			return -errno;
		runs += info.run_cnt;
		ns += info.run_time_ns;
	}
	printf("%llu %llu\n", (unsigned long long)runs, (unsigned long long)ns);
	return 0;
}

static void wait_for_end_of_input(void)
{
	char c;

	while (read(STDIN_FILENO, &c, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	struct bpf_link *links[MAX_PROGRAMS] = {0};
	struct bpf_object *obj = NULL;
	struct bpf_program *p;
	int stats = -1, err;

	if (argc != 3) {
		fprintf(stderr, "usage: empty_cost OBJECT sock|syscall\n");
		return 2;
	}
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj) {
		err = -errno;
		goto out;
	}
	bpf_object__for_each_program(p, obj) bpf_program__set_autoload(p, is_of(p, argv[2]));
	err = bpf_object__load(obj);
	if (err)
		goto out;
	stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (stats < 0) {
		err = stats;
		goto out;
	}
	err = attach(obj, argv[2], links);
	if (err < 0)
		goto out;
	puts("ready");
	fflush(stdout);
	wait_for_end_of_input();
	err = print_totals(obj, argv[2]);
out:
	if (err < 0)
		fprintf(stderr, "empty_cost: %s\n", strerror(-err));
	for (int i = 0; i < MAX_PROGRAMS; i++)
		bpf_link__destroy(links[i]);
	bpf_object__close(obj);
	if (stats >= 0)
		close(stats);
	return err < 0;
}
