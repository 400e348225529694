// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Which processes are looked at. */
#include "lib/maps.bpf.h"

#include "lib/scope.bpf.h"

static __always_inline void rt_scope_put_out(u32 pid)
{
	if (rt_outs_kept())
		rt_outs[pid & (RT_SCOPE_OUTS_MAX - 1)] = rt_out_mark(rt_task_identity(rt_task()), pid);
}

static __always_inline bool rt_scope_ask(u32 pid, const struct file *file,
					 const struct rt_exe_key *key, bool begins, bool known)
{
	struct rt_exe_event *ev = bpf_ringbuf_reserve(&rt_ring, sizeof(*ev), 0);

	if (!ev) {
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
		return false;
	}
	*ev = (struct rt_exe_event){
		.type = RT_EV_EXE,
		.size = sizeof(*ev),
		.pid = pid,
		.dev = key->dev,
		.ino = key->ino,
		.begins = begins,
		.known = known,
	};
	bpf_probe_read_kernel_str(ev->exe, sizeof(ev->exe),
				  BPF_CORE_READ(file, f_path.dentry, d_name.name));
	rt_stat_inc(RT_STAT_RECORDS);
	bpf_ringbuf_submit(ev, known ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
	return true;
}

RT_SCALAR int rt_scope_exe(u32 pid, u32 begins)
{
	const struct mm_struct *mm = RT_TASK_READ(rt_task(), mm);
	u8 asked = RT_VERDICT_ASKED;
	struct rt_exe_key key = {};
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
		if (begins && *verdict != RT_VERDICT_ASKED)
			rt_scope_ask(pid, file, &key, true, true);
		return *verdict == RT_VERDICT_IN;
	}
	if (rt_scope_ask(pid, file, &key, begins, false))
		bpf_map_update_elem(&rt_exes, &key, &asked, BPF_NOEXIST);
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

static __always_inline bool rt_scope_pid(u32 pid)
{
	const struct task_struct *leader = RT_TASK_READ(rt_task(), group_leader);
	u64 *bound = bpf_map_lookup_elem(&rt_pids, &pid);

	return bound && rt_scope_bound(bound, RT_TASK_READ(leader, start_boottime));
}

RT_SCALAR int rt_scope_process(u32 pid)
{
	if (rt_scope_self(pid))
		return 0;
	if (rt_cfg.nr_pids && !rt_scope_pid(pid)) {
		rt_scope_put_out(pid);
		return 0;
	}
	if (rt_cfg.nr_cgroups && !rt_scope_cgroup())
		return 0;
	return !rt_cfg.nr_exes || rt_scope_exe(pid, false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
