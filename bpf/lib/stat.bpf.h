/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Per-CPU counters: no atomics needed, programs do not migrate while they run;
 * an interrupt between load and store on one CPU can cost a count of one, which
 * the atomic add on the CPU's own line avoids at no measurable price. */
#ifndef REDTAP_STAT_BPF_H
#define REDTAP_STAT_BPF_H

#include "lib/maps.bpf.h"

static __always_inline u64 *rt_stat_of(u32 id)
{
	u32 cpu = bpf_get_smp_processor_id();
	struct rt_cpu_stats *own = bpf_map_lookup_elem(&rt_stats, &cpu);

	return own ? &own->v[id] : NULL;
}

static __always_inline void rt_stat_add(u32 id, u64 n)
{
	u64 *v = rt_stat_of(id);

	if (v)
		__sync_fetch_and_add(v, n);
}

static __always_inline void rt_stat_inc(u32 id)
{
	rt_stat_add(id, 1);
}

/* For what is rare, beside what is not: the rest is shorter then. Returns 0. */
static __noinline int rt_stat_note(u32 id)
{
	rt_stat_inc(id);
	return 0;
}

/* For what no interrupt counts. */
static __always_inline void rt_stat_inc_task(u32 id)
{
	u64 *v = rt_stat_of(id);

	if (!v)
		return;
	if (rt_cfg.shared_cells)
		__sync_fetch_and_add(v, 1);
	else
		(*v)++;
}

#endif /* REDTAP_STAT_BPF_H */
