// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Processes: announced at their first request or response, forgotten at exec
 * (another program of the same pid) and exit (the pid may come again). */
#include "lib/maps.bpf.h"

#include "lib/proc.bpf.h"
#include "lib/scope.bpf.h"
#include "lib/stat.bpf.h"

static __always_inline u32 rt_proc_area(u8 *dst, const u32 max, unsigned long from,
					unsigned long to)
{
	u64 len = to > from ? to - from : 0;

	if (len > max)
		len = max;
	if (!len || bpf_probe_read_user(dst, len, (void *)from))
		return 0;
	return len;
}

RT_SCALAR int rt_proc_note(u32 pid, u32 netns)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 start = BPF_CORE_READ(task, group_leader, start_boottime);
	u64 *known = bpf_map_lookup_elem(&rt_procs, &pid);
	struct rt_proc_event *ev;
	struct mm_struct *mm;
	const unsigned char *name;

	if (known && *known == start)
		return 0;
	ev = bpf_ringbuf_reserve(&rt_ring, sizeof(*ev), 0);
	if (!ev) {
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
		return 0;
	}
	bpf_map_update_elem(&rt_procs, &pid, &start, BPF_ANY);
	mm = BPF_CORE_READ(task, mm);
	ev->type = RT_EV_PROC;
	ev->size = sizeof(*ev);
	ev->pid = pid;
	ev->start_ns = start;
	ev->cgroup_id = bpf_get_current_cgroup_id();
	ev->netns = netns;
	bpf_get_current_comm(ev->comm, sizeof(ev->comm));
	ev->exe[0] = 0;
	name = BPF_CORE_READ(mm, exe_file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(ev->exe, sizeof(ev->exe), name);
	ev->args_len = rt_proc_area(ev->args, sizeof(ev->args), BPF_CORE_READ(mm, arg_start),
				    BPF_CORE_READ(mm, arg_end));
	ev->env_len = rt_proc_area(ev->environ, sizeof(ev->environ), BPF_CORE_READ(mm, env_start),
				   BPF_CORE_READ(mm, env_end));
	rt_stat_inc(RT_STAT_RECORDS);
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
	return 0;
}

static __always_inline int rt_proc_forget(u32 pid)
{
	struct rt_exit_event ev = {.type = RT_EV_EXIT, .size = sizeof(ev), .pid = pid};

	if (bpf_map_delete_elem(&rt_procs, &pid))
		return 0;
	if (bpf_ringbuf_output(&rt_ring, &ev, sizeof(ev), BPF_RB_NO_WAKEUP))
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
	else
		rt_stat_inc(RT_STAT_RECORDS);
	return 0;
}

SEC("?raw_tp/sched_process_exec")
int BPF_PROG(rt_proc_exec, struct task_struct *task)
{
	/* Asked at once, so that the answer is there at the first operation. */
	if (rt_cfg.nr_exes)
		rt_scope_exe(bpf_get_current_pid_tgid() >> 32, true);
	return rt_proc_forget(bpf_get_current_pid_tgid() >> 32);
}

SEC("?raw_tp/sched_process_exit")
int BPF_PROG(rt_proc_exit, struct task_struct *task)
{
	/* The process ends with its last thread, which need not be its leader. */
	if (BPF_CORE_READ(task, signal, live.counter))
		return 0;
	return rt_proc_forget(bpf_get_current_pid_tgid() >> 32);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
