// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What user space has done in its stead, by BPF_PROG_TEST_RUN: changes to rt_rules
 * while a backend on perf's events captures. The kernel skips all such programs
 * on a CPU while a task there is in a map's own system call, be it preempted in it.
 */
#include "lib/maps.bpf.h"

SEC("?syscall")
int rt_ctl_put(struct rt_ctl_arg *arg)
{
	struct rt_rule rule = arg->rule;

	return bpf_map_update_elem(&rt_rules, &rule.key, &rule, arg->flags);
}

SEC("?syscall")
int rt_ctl_delete(struct rt_ctl_arg *arg)
{
	u64 key = arg->rule.key;

	return bpf_map_delete_elem(&rt_rules, &key);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
