/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* State of TCP sockets that are kept in socket storage: freed with the socket. */
#ifndef REDTAP_STORAGE_BPF_H
#define REDTAP_STORAGE_BPF_H

#include "lib/capture.bpf.h"
#include "lib/scope.bpf.h"
#include "lib/stat.bpf.h"

/* The socket has no state yet, or that of another process. Not inlined: it is rare, and would
 * stand in the way, and the compiler in want of registers, at each operation. */
static __noinline struct rt_conn *rt_storage_decide(struct sock *sk, struct rt_conn *c, u32 pid,
						    u32 mark, bool create)
{
	if (!rt_in_scope(sk, true, pid))
		return NULL;
	if (!c) {
		if (!create)
			return NULL;
		c = bpf_sk_storage_get(&rt_socks, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (!c) /* another CPU was first */
			c = bpf_sk_storage_get(&rt_socks, sk, 0, 0);
		if (!c) {
			rt_stat_inc(RT_STAT_LOST_STORAGE);
			return NULL;
		}
	}
	/* By a call, as it is rare: see rt_op_init(). */
	rt_conn_admit(c, sk, BPF_CORE_READ(sk, sk_socket), mark);
	return c;
}

/* The socket's state; made when it is in scope and `create` is set. */
static __always_inline struct rt_conn *rt_storage_conn(struct sock *sk, u64 process, u32 pid,
						       bool create)
{
	struct rt_conn *c = bpf_sk_storage_get(&rt_socks, sk, 0, 0);
	u32 mark = rt_scope_mark(process, pid);

	return c && c->scope_of == mark ? c : rt_storage_decide(sk, c, pid, mark, create);
}

#endif /* REDTAP_STORAGE_BPF_H */
