// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What user space has done in its stead, by BPF_PROG_TEST_RUN: rules and spare slots
 * while a backend on perf's events captures (`event`, `syscall`). The kernel skips all such
 * programs on a CPU while a task there is in a map's own system call, be it preempted in it.
 */
#include "lib/maps.bpf.h"

#define RT_ENOENT 2

SEC("?syscall")
int rt_ctl_put(struct rt_ctl_arg *arg)
{
	struct rt_rule rule = arg->rule;

	return bpf_map_update_elem(&rt_rules, &rule.key, &rule, arg->flags);
}

SEC("?syscall")
int rt_ctl_get(struct rt_ctl_arg *arg)
{
	u64 key = arg->rule.key;
	struct rt_rule *rule = bpf_map_lookup_elem(&rt_rules, &key);

	if (!rule)
		return -RT_ENOENT;
	arg->rule = *rule;
	return 0;
}

/* Not of the others' type: before Linux 6.2 that has no queues. */
SEC("?raw_tp")
int BPF_PROG(rt_ctl_spare, u64 slot)
{
	u32 spare = slot;

	return bpf_map_push_elem(&rt_spares, &spare, BPF_ANY);
}

SEC("?syscall")
int rt_ctl_delete(struct rt_ctl_arg *arg)
{
	u64 key = arg->rule.key;

	return bpf_map_delete_elem(&rt_rules, &key);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
