// SPDX-License-Identifier: Apache-2.0
/*
 * What the programs count (stats.def), and what the kernel counts of the programs. Called by
 * the agent's loop and at scrape.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "bpf/loader.h"

#define POSSIBLE "/sys/devices/system/cpu/possible"

/* One more than the last id that a CPU may have: of "0-3" or "0,2-5" it is the last number. */
static u32 nr_cpu_ids(void)
{
	u32 last = 0, n;
	FILE *f = fopen(POSSIBLE, "re");

	if (f) {
		while (fscanf(f, "%u%*[-,\n]", &n) == 1)
			last = n;
		fclose(f);
		return last + 1;
	}
	return (u32)libbpf_num_possible_cpus();
}

int rt_stats__size_map(struct rt_bpf *b)
{
	b->nr_cpus = nr_cpu_ids();
	return bpf_map__set_max_entries(b->skel->maps.rt_stats, b->nr_cpus);
}

int rt_stats__open(struct rt_bpf *b)
{
	b->stats = rt_object__map(b->skel->maps.rt_stats, PROT_READ);
	return b->stats ? 0 : -errno;
}

void rt_stats__close(struct rt_bpf *b)
{
	rt_object__unmap(b->stats, b->skel->maps.rt_stats);
	b->stats = NULL;
}

void rt_bpf__stats(const struct rt_bpf *b, u64 ret_stats[RT_NR_STATS])
{
	for (u32 id = 0; id < RT_NR_STATS; id++) {
		ret_stats[id] = 0;
		for (u32 cpu = 0; cpu < b->nr_cpus; cpu++)
			ret_stats[id] += b->stats[cpu].v[id];
	}
}

size_t rt_bpf__programs(const struct rt_bpf *b, struct rt_prog_info *ret, size_t max)
{
	struct bpf_program *prog;
	size_t n = 0;

	bpf_object__for_each_program (prog, b->skel->obj) {
		struct bpf_prog_info info = {0};
		u32 len = sizeof(info);
		int fd = bpf_program__fd(prog);

		if (fd < 0 || n >= max)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			continue;
		ret[n++] = (struct rt_prog_info){bpf_program__name(prog), info.run_cnt,
						 info.run_time_ns, info.recursion_misses};
	}
	return n;
}
