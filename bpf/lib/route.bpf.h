/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counting a finished exchange in place, without a record; route.bpf.c does the work. */
#ifndef REDTAP_ROUTE_BPF_H
#define REDTAP_ROUTE_BPF_H

#include "lib/maps.bpf.h"
#include "lib/task.bpf.h"

/* Looks at the captured head once it is whole: where it and its body end, and what
 * the rules need to know of it. */
int rt_route_head(struct rt_conn *c);

/* The exchange ended with a full response, as the next request began. Returns 1
 * when it is counted; 0: a record must tell of it. */
int rt_route_count(struct rt_conn *c);

/* The record of such an exchange was lost. Returns 1 when it is counted all the
 * same, without its route. */
int rt_route_lost(struct rt_conn *c);

/* Whether the request that begins, fresh in the probe, has the head of the one before it. */
int rt_route_same(struct rt_conn *c);

/* Tells processes apart that have the same pid one after another, or that have
 * become another program by exec. */
static __always_inline u64 rt_task_identity(void)
{
	struct task_struct *task = rt_task();
	struct task_struct *leader = RT_TASK_READ(task, group_leader);

	return RT_TASK_READ(leader, start_boottime) ^ RT_TASK_READ(task, self_exec_id) << 56;
}

#endif /* REDTAP_ROUTE_BPF_H */
