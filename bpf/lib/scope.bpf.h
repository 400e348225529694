/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Which sockets and processes are looked at. Decided before any user byte is
 * read. Flags of one kind widen the scope, different kinds narrow each other.
 */
#ifndef REDTAP_SCOPE_BPF_H
#define REDTAP_SCOPE_BPF_H

#include "lib/maps.bpf.h"
#include <bpf/bpf_endian.h>

#include "lib/stat.bpf.h"
#include "lib/task.bpf.h"

/*
 * Most processes of a host are out of a scope that is set, for what they are: by pid or by
 * executable, and so until they exec. They pay for each of their operations, so such a verdict
 * is remembered where it is found at a glance. Not where a task is read by calls.
 */
static __always_inline bool rt_outs_kept(void)
{
	return !rt_cfg.stack_size && (rt_cfg.nr_pids || rt_cfg.nr_exes);
}

/* Never 0. */
static __always_inline u64 rt_out_mark(const struct task_struct *task, u32 pid)
{
	return ((rt_task_identity(task) ^ pid) * 0x9e3779b97f4a7c15ull) | 1;
}

static __always_inline bool rt_scope_out(const struct task_struct *task, u32 pid)
{
	return rt_outs_kept() &&
	       rt_outs[pid & (RT_SCOPE_OUTS_MAX - 1)] == rt_out_mark(task, pid);
}

static __always_inline void rt_scope_put_out(u32 pid)
{
	if (rt_outs_kept())
		rt_outs[pid & (RT_SCOPE_OUTS_MAX - 1)] = rt_out_mark(rt_task(), pid);
}

static __always_inline bool rt_scope_port(u16 port)
{
	for (u32 i = 0; i < RT_SCOPE_PORT_MAX; i++) {
		if (i >= rt_cfg.nr_ports)
			return false;
		if (port >= rt_cfg.ports[i].lo && port <= rt_cfg.ports[i].hi)
			return true;
	}
	return false;
}

/* A new executable: ask user space once, and wake it. Out of scope until it answers. */
static __always_inline bool rt_scope_exe(u32 pid)
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
		return false;
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
	return false;
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

static __always_inline bool rt_scope_process(u32 pid)
{
	if (rt_scope_self(pid))
		return false;
	if (rt_cfg.nr_pids && !bpf_map_lookup_elem(&rt_pids, &pid)) {
		rt_scope_put_out(pid);
		return false;
	}
	if (rt_cfg.nr_cgroups) {
		bool in = false;

		for (u32 i = 0; i < RT_SCOPE_CGROUP_MAX && i < rt_cfg.nr_cgroups; i++) {
			if (bpf_current_task_under_cgroup(&rt_cgroups, i) == 1) {
				in = true;
				break;
			}
		}
		if (!in)
			return false;
	}
	if (rt_cfg.nr_exes && !rt_scope_exe(pid))
		return false;
	return true;
}

/* `typed`: the verifier knows what sk is, so that it is read without a call. */
#define RT_SCOPE_READ(sk, typed, field) ((typed) ? (sk)->field : BPF_CORE_READ(sk, field))

static __always_inline bool rt_scope_socket(const struct sock *sk, bool typed)
{
	if (rt_cfg.nr_netns) {
		u32 inum = typed ? sk->__sk_common.skc_net.net->ns.inum
				 : BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);

		if (!bpf_map_lookup_elem(&rt_netns, &inum))
			return false;
	}
	if (rt_cfg.nr_ports) {
		u16 family = RT_SCOPE_READ(sk, typed, __sk_common.skc_family);
		u16 port = RT_SCOPE_READ(sk, typed, __sk_common.skc_num);
		u16 peer = RT_SCOPE_READ(sk, typed, __sk_common.skc_dport);

		if (family == RT_FAMILY_UNIX)
			return false;
		if (!rt_scope_port(port) && !rt_scope_port(bpf_ntohs(peer)))
			return false;
	}
	return true;
}

static __always_inline bool rt_in_scope(const struct sock *sk, bool typed, u32 pid)
{
	return rt_scope_socket(sk, typed) && rt_scope_process(pid);
}

#endif /* REDTAP_SCOPE_BPF_H */
