/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hold NS ROUNDS WHAT
 *
 * Each round keeps the lock of a socket's state for NS nanoseconds on one CPU, while
 * it is wanted on another (hold.bpf.c). Prints a line per round in which it was kept
 * as the other began: how long it really was kept, how long the other waited (ns, 0: the state was
 * gone), whether in vain, whether another state got the memory of the one that was locked, the word
 * of that state's lock at the end. WHAT the holder ends with, and what the other wants:
 *
 *   held      lets go                                   the lock
 *   idle      lets go                                   to delete the state
 *   begun     lets go, having begun an exchange         to delete the state
 *   gone      deletes the state                         the lock
 *   other     puts another in its place                 the lock
 *   replaced  puts another in its place                 to delete the state
 *
 * Or one line for "self": how long one waited on the holder's own CPU, and whether in vain. Or for
 * "swept" a line for each thing that the sweep may find, without and with somebody who wants the
 * lock in between: what it was to leave (enum rt_swept_flag), whether there was somebody, who had
 * it, whether it was left, and phase, stage of silence, RT_X_AFTER_IDLE and uncounted bytes of the
 * state as the next one to have the lock finds it. Last, "left": how many locks the legacy object
 * then has. What does not work at all ends it with status 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "redtap/bpfcfg.h"

#include "hold.skel.h"

static struct hold_bpf *skel;
static pthread_barrier_t both;
static int cpus[2], rounds;

static void die(const char *what, int err)
{
	fprintf(stderr, "hold: %s: %s\n", what, strerror(abs(err)));
	exit(1);
}

static void run(const struct bpf_program *p)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err = bpf_prog_test_run_opts(bpf_program__fd(p), &opts);

	if (err || opts.retval)
		die(bpf_program__name(p), err ? err : EBUSY);
}

static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity", errno);
}

static void load(u64 ns)
{
	u64 key = 1;
	struct bpf_map *map;
	void *state;
	int err;

	skel = hold_bpf__open();
	if (!skel)
		die("open", errno);
	/* Of the program's maps, those that its lock needs. */
	bpf_object__for_each_map (map, skel->obj) {
		const char *name = bpf_map__name(map);

		if (!strchr(name, '.') && strcmp(name, "rt_conns") && strcmp(name, "rt_locks") &&
		    strcmp(name, "rt_zero"))
			bpf_map__set_autocreate(map, false);
	}
	skel->rodata->hold_ns = ns;
	err = hold_bpf__load(skel);
	if (err)
		die("load", err);
	state = calloc(1, bpf_map__value_size(skel->maps.rt_conns));
	if (!state)
		die("state", ENOMEM);
	err = bpf_map_update_elem(bpf_map__fd(skel->maps.rt_conns), &key, state, BPF_NOEXIST);
	free(state);
	if (err)
		die("rt_conns", err);
}

static void *holder(void *arg)
{
	(void)arg;
	stay_on(cpus[0]);
	for (int i = 0; i < rounds; i++) {
		pthread_barrier_wait(&both);
		run(skel->progs.hold);
		pthread_barrier_wait(&both);
	}
	return NULL;
}

static void round_of(void)
{
	bool met = false;

	skel->bss->over = 0;
	pthread_barrier_wait(&both);
	while (!met && !skel->bss->over)
		met = skel->bss->held;
	if (met)
		run(skel->progs.want);
	pthread_barrier_wait(&both);
	run(skel->progs.restore);
	if (met)
		printf("%llu %llu %u %u %u\n", (unsigned long long)skel->bss->held_ns,
		       (unsigned long long)skel->bss->waited_ns, skel->bss->in_vain,
		       skel->bss->reused, skel->bss->successor);
}

enum { LETS_GO, BEGINS, DELETES, REPLACES };

static const struct what {
	const char *name;
	u32 ends, drops;
} whats[] = {
	{"held", LETS_GO, 0}, {"idle", LETS_GO, 1},   {"begun", BEGINS, 1},
	{"gone", DELETES, 0}, {"other", REPLACES, 0}, {"replaced", REPLACES, 1},
};

static void rounds_of(const struct what *what)
{
	pthread_t thread;

	skel->bss->ends = what->ends;
	skel->bss->drops = what->drops;
	if (pthread_barrier_init(&both, NULL, 2) || pthread_create(&thread, NULL, holder, NULL))
		die("a thread", errno);
	for (int i = 0; i < rounds; i++)
		round_of();
	pthread_join(thread, NULL);
}

static void sweep(u32 leave, bool between)
{
	skel->bss->leave = leave;
	skel->bss->between = between;
	run(skel->progs.sweep);
	printf("%u %d %u %u %u %u %u %llu\n", leave, between, skel->bss->had,
	       skel->bss->left, skel->bss->phase, skel->bss->stage, skel->bss->after_idle, (unsigned long long)skel->bss->uncounted);
}

/* Two CPUs that this process may use. */
static void choose_cpus(void)
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		die("sched_getaffinity", errno);
	for (int cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[n++] = cpu;
	if (n < 2)
		die("two CPUs are needed", ENODEV);
}

static void do_what(const char *name)
{
	for (size_t i = 0; i < sizeof(whats) / sizeof(*whats); i++)
		if (!strcmp(name, whats[i].name)) {
			rounds_of(&whats[i]);
			return;
		}
	if (!strcmp(name, "self")) {
		run(skel->progs.hold_and_want);
		printf("%llu %u\n", (unsigned long long)skel->bss->waited_ns,
		       skel->bss->in_vain);
	} else if (!strcmp(name, "swept")) {
		for (u32 i = 0; i < 2 * 16; i++)
			sweep(i / 2 << 1, i & 1);
	} else {
		die(name, EINVAL);
	}
}

static int locks_left(void)
{
	struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, "rt_locks");
	u64 key, *last = NULL;
	int n = 0;

	if (!map)
		return 0;
	while (!bpf_map_get_next_key(bpf_map__fd(map), last, &key)) {
		last = &key;
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: hold NS ROUNDS WHAT", EINVAL);
	rounds = (int)strtoul(argv[2], NULL, 10);
	choose_cpus();
	load(strtoull(argv[1], NULL, 10));
	stay_on(cpus[1]);
	do_what(argv[3]);
	printf("left %d\n", locks_left());
	hold_bpf__destroy(skel);
	return 0;
}
