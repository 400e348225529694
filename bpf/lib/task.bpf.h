/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The current task and the registers of the call that it is in: by helpers that
 * need the kernel's own BTF and Linux 5.15 (commit dd6e10fbd9fb), read directly;
 * or, when the loader gave the size of a stack, from the memory they stand in.
 */
#ifndef REDTAP_TASK_BPF_H
#define REDTAP_TASK_BPF_H

#include "lib/maps.bpf.h"

/* Of what rt_task() and rt_task_regs() lead to. Of the two ways the verifier
 * sees only the one that this run takes. */
#define RT_TASK_READ(p, field) (rt_cfg.stack_size ? BPF_CORE_READ(p, field) : (p)->field)

static __always_inline struct task_struct *rt_task(void)
{
	if (rt_cfg.stack_size)
		return (void *)bpf_get_current_task();
	return bpf_get_current_task_btf();
}

/* As bpf_get_current_pid_tgid() tells it; a call less where the task can be read. */
static __always_inline u64 rt_task_id(const struct task_struct *task)
{
	if (rt_cfg.stack_size)
		return bpf_get_current_pid_tgid();
	return (u64)task->tgid << 32 | (u32)task->pid;
}

/* Tells processes apart that have the same pid one after another, or that have
 * become another program by exec. */
static __always_inline u64 rt_task_identity(const struct task_struct *task)
{
	const struct task_struct *leader = RT_TASK_READ(task, group_leader);

	return RT_TASK_READ(leader, start_boottime) ^ RT_TASK_READ(task, self_exec_id) << 56;
}

/* They stand at the top of the task's stack, below what RT_REGS_PAD names. */
static __always_inline const struct pt_regs *rt_task_regs(struct task_struct *task)
{
	const struct pt_regs *regs;
	u64 top;

	if (!rt_cfg.stack_size)
		return (void *)bpf_task_pt_regs(task);
	top = (u64)BPF_CORE_READ(task, stack) + rt_cfg.stack_size;
	regs = (void *)(top - bpf_core_type_size(struct pt_regs));
	if (!RT_REGS_NATIVE(regs))
		regs = (void *)regs - RT_REGS_PAD;
	return regs;
}

#endif /* REDTAP_TASK_BPF_H */
