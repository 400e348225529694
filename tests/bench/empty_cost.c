/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaches the programs of one backend in empty.bpf.c until its standard input
 * is closed. Started by bench.py.
 *
 *   empty_cost OBJECT BACKEND        the empty ones, with the kernel's BPF statistics
 *                                    on; prints at the end how often they ran and for
 *                                    how many nanoseconds
 *   empty_cost OBJECT BACKEND PID    the counting ones; prints the hits of PID and all
 *   empty_cost OBJECT BACKEND PID STEP   the same with those that look at PID's bytes, up
 *                                    to a step: hook, state, clock, request, response
 *
 * Says "ready" once they are attached.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "redtap/types.h"

#define MAX_PROGRAMS 32

/* In the order of least() in empty.bpf.c. */
static const char *const steps[] = {"hook", "state", "clock", "request", "response"};

static int step_of(const char *name)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (!strcmp(name, steps[i]))
			return (int)i;
	return -1;
}

static bool is_of(const struct bpf_program *p, const char *prefix)
{
	size_t n = strlen(prefix);
	const char *name = bpf_program__name(p);

	return !strncmp(name, prefix, n) && name[n] == '_';
}

/* Returns how many programs are attached, or -errno. */
static int attach(struct bpf_object *obj, const char *prefix, struct bpf_link *links[MAX_PROGRAMS])
{
	struct bpf_program *p;
	int n = 0;

	bpf_object__for_each_program (p, obj) {
		if (!is_of(p, prefix))
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

/* The two counters that are the object's .bss. */
static int print_hits(struct bpf_object *obj)
{
	struct bpf_map *bss = bpf_object__find_map_by_name(obj, ".bss");
	u64 hits[2]; /* all, watched: in the order of empty.bpf.c */
	u32 zero = 0;

	if (!bss || bpf_map__value_size(bss) != sizeof(hits))
		return -EINVAL;
	if (bpf_map_lookup_elem(bpf_map__fd(bss), &zero, hits))
		return -errno;
	printf("%llu %llu\n", (unsigned long long)hits[1], (unsigned long long)hits[0]);
	return 0;
}

static int print_totals(struct bpf_object *obj, const char *prefix)
{
	struct bpf_program *p;
	u64 runs = 0, ns = 0;

	bpf_object__for_each_program (p, obj) {
		struct bpf_prog_info info = {0};
		u32 len = sizeof(info);

		if (!is_of(p, prefix))
			continue;
		if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			return -errno;
		runs += info.run_cnt;
		ns += info.run_time_ns;
	}
	printf("%llu %llu\n", (unsigned long long)runs, (unsigned long long)ns);
	return 0;
}

static int set_watched(struct bpf_object *obj, u32 pid, int step)
{
	struct bpf_map *map = bpf_object__find_map_by_name(obj, ".rodata");
	u32 rodata[2] = {pid, (u32)step}; /* in the order of empty.bpf.c */

	return map ? bpf_map__set_initial_value(map, rodata, sizeof(rodata)) : -ENOENT;
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
	char prefix[32];
	u32 pid = 0;
	int stats = -1, step = 0, err;

	if (argc == 5)
		step = step_of(argv[4]);
	if (argc < 3 || argc > 5 || step < 0) {
		fprintf(stderr, "usage: empty_cost OBJECT sock|syscall [PID [STEP]]\n");
		return 2;
	}
	if (argc > 3)
		pid = (u32)strtoul(argv[3], NULL, 10);
	snprintf(prefix, sizeof(prefix), "%s%s", argc == 5 ? "least_" : pid ? "count_" : "",
		 argv[2]);
	obj = bpf_object__open_file(argv[1], NULL);
	if (!obj) {
		err = -errno;
		goto out;
	}
	bpf_object__for_each_program (p, obj)
		bpf_program__set_autoload(p, is_of(p, prefix));
	err = set_watched(obj, pid, step);
	if (err)
		goto out;
	err = bpf_object__load(obj);
	if (err)
		goto out;
	if (!pid) {
		stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (stats < 0) {
			err = stats;
			goto out;
		}
	}
	err = attach(obj, prefix, links);
	if (err < 0)
		goto out;
	puts("ready");
	fflush(stdout);
	wait_for_end_of_input();
	err = pid ? print_hits(obj) : print_totals(obj, prefix);
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
