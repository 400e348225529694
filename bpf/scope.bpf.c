// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Which processes are looked at. */
#include "lib/maps.bpf.h"

#include "lib/scope.bpf.h"

static __always_inline void rt_scope_put_out(u32 pid)
{
	if (rt_outs_kept())
		rt_outs[pid & (RT_SCOPE_OUTS_MAX - 1)] = rt_out_mark(rt_task_identity(rt_task()), pid);
}

/* A new executable: ask user space once, and wake it. Out of scope until it answers. */
RT_SCALAR int rt_scope_exe(u32 pid)
{
	const struct mm_struct *mm = RT_TASK_READ(rt_task(), mm);
	u8 asked = RT_VERDICT_ASKED;
	struct rt_exe_key key = {};
	struct rt_exe_event *ev;
	const struct inode *inode;
	const struct super_block *sb;
	const struct file *file;
	u8 *verdict;

	file = RT_TASK_READ(mm, exe_file);
	inode = RT_TASK_READ(file, f_inode);
	sb = RT_TASK_READ(inode, i_sb);
	key.ino = RT_TASK_READ(inode, i_ino);
	key.dev = RT_TASK_READ(sb, s_dev);
	verdict = bpf_map_lookup_elem(&rt_exes, &key);
	if (verdict) {
		if (*verdict == RT_VERDICT_OUT)
			rt_scope_put_out(pid);
		return *verdict == RT_VERDICT_IN;
	}

	ev = bpf_ringbuf_reserve(&rt_ring, sizeof(*ev), 0);
	if (!ev) {
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
		return 0;
	}
	bpf_map_update_elem(&rt_exes, &key, &asked, BPF_NOEXIST);
	*ev = (struct rt_exe_event){
		.type = RT_EV_EXE,
		.size = sizeof(*ev),
		.pid = pid,
		.dev = key.dev,
		.ino = key.ino,
	};
	rt_stat_inc(RT_STAT_RECORDS);
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* By its number in redtap's own pid namespace, which may not be the initial one. */
static __always_inline bool rt_scope_self(u32 pid)
{
	struct bpf_pidns_info ns = {};

	if (!rt_cfg.self_ns_ino)
		return pid == rt_cfg.self_tgid;
	return !bpf_get_ns_current_pid_tgid(rt_cfg.self_ns_dev, rt_cfg.self_ns_ino, &ns,
					    sizeof(ns)) &&
	       ns.tgid == rt_cfg.self_tgid;
}

static __always_inline bool rt_scope_cgroup(void)
{
	for (u32 i = 0; i < RT_SCOPE_CGROUP_MAX && i < rt_cfg.nr_cgroups; i++) {
		if (bpf_current_task_under_cgroup(&rt_cgroups, i) == 1)
			return true;
	}
	return false;
}

RT_SCALAR int rt_scope_process(u32 pid)
{
	if (rt_scope_self(pid))
		return 0;
	if (rt_cfg.nr_pids && !bpf_map_lookup_elem(&rt_pids, &pid)) {
		rt_scope_put_out(pid);
		return 0;
	}
	if (rt_cfg.nr_cgroups && !rt_scope_cgroup())
		return 0;
	return !rt_cfg.nr_exes || rt_scope_exe(pid);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
