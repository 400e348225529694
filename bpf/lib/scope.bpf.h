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

/* Never 0. process: rt_task_identity(). */
static __always_inline u64 rt_out_mark(u64 process, u32 pid)
{
	return ((process ^ pid) * 0x9e3779b97f4a7c15ull) | 1;
}

static __always_inline bool rt_scope_out(u64 process, u32 pid)
{
	return rt_outs_kept() &&
	       rt_outs[pid & (RT_SCOPE_OUTS_MAX - 1)] == rt_out_mark(process, pid);
}

/* The same of a task that nothing was read of yet. */
static __always_inline bool rt_scope_task_out(const struct task_struct *task, u32 pid)
{
	return rt_outs_kept() && rt_scope_out(rt_task_identity(task), pid);
}

/* For whom a socket's scope was decided, never 0: exec makes another of a process. Where a task is
 * read by calls, it is the pid alone. */
static __always_inline u32 rt_scope_mark(u64 process, u32 pid)
{
	return rt_cfg.stack_size ? pid : (u32)(rt_out_mark(process, pid) >> 32) | 1;
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

/* scope.bpf.c. Scalars alone, so that they are verified once, and not on each way to them:
 * on these ways a process is looked at anew, which is rare. */

/* Whether the current process is in scope, as far as it goes by processes. */
int rt_scope_process(u32 pid);
/* Whether its executable is; user space is asked about a new one, which is out of scope until
 * it answers; and once more when a program `begins`, as files are renamed and inode numbers used
 * again. */
int rt_scope_exe(u32 pid, u32 begins);

/* `typed`: the verifier knows what sk is, so that it is read without a call. */
#define RT_SCOPE_READ(sk, typed, field) ((typed) ? (sk)->field : BPF_CORE_READ(sk, field))

/* Whether it is the one that is meant; the first is. */
static __always_inline bool rt_scope_bound(u64 *to, u64 which)
{
	if (!*to)
		*to = which;
	return *to == which;
}

static __always_inline bool rt_scope_netns(const struct sock *sk, bool typed)
{
	u32 inum = typed ? sk->__sk_common.skc_net.net->ns.inum
			 : BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	u64 *bound = bpf_map_lookup_elem(&rt_netns, &inum);

	if (!bound)
		return false;
	/* Linux 5.12, commit 3d368ab87cf6 "net: initialize net->net_cookie at netns setup" */
	if (!bpf_core_field_exists(sk->__sk_common.skc_net.net->net_cookie))
		return true;
	return rt_scope_bound(bound, typed ? sk->__sk_common.skc_net.net->net_cookie
					   : BPF_CORE_READ(sk, __sk_common.skc_net.net, net_cookie));
}

static __always_inline bool rt_scope_socket(const struct sock *sk, bool typed)
{
	if (rt_cfg.nr_netns && !rt_scope_netns(sk, typed))
		return false;
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
