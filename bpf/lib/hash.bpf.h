/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* State of sockets that are kept in the hash map, by address. */
#ifndef REDTAP_HASH_BPF_H
#define REDTAP_HASH_BPF_H

#include "lib/capture.bpf.h"
#include "lib/scope.bpf.h"
#include "lib/turn.bpf.h"

static __always_inline struct rt_conn *rt_hash_new(const u64 *key)
{
	u32 none = 0;
	struct rt_conn *zero = bpf_map_lookup_elem(&rt_zero, &none), *c;

	if (!zero)
		return NULL;
	rt_conn_begin(zero);
	/* Another CPU may have been first: then this one's is there as well. */
	bpf_map_update_elem(&rt_conns, key, zero, BPF_NOEXIST);
	__sync_fetch_and_add(&rt_conns_made, 1);
	c = bpf_map_lookup_elem(&rt_conns, key);
	if (!c)
		rt_stat_inc(RT_STAT_LOST_CONN_MAP);
	return c;
}

/* Whether it is the state of an earlier socket at this address. */
static __always_inline bool rt_hash_earlier(const struct rt_conn *c, const struct socket *socket)
{
	return c && c->scope_of && c->ino != rt_socket_ino(socket);
}

/* Finishes and deletes such a state. What stands in its place then: nothing, or what another CPU
 * made for the same socket. */
static __always_inline struct rt_conn *rt_hash_end(struct rt_conn *c, const struct socket *socket,
						   const u64 *key)
{
	/* The key, but to the verifier no pointer. */
	u64 sk = c->sk;

	if (rt_on_earlier(c, sk, rt_socket_ino(socket)))
		rt_conn_delete(c, key);
	else
		rt_lock_gone(sk);
	return bpf_map_lookup_elem(&rt_conns, key);
}

/* The socket's state; made when it is in scope and `create` is set. A state left
 * by an earlier socket at this address is finished first. */
static __always_inline struct rt_conn *rt_hash_conn(const struct sock *sk,
						    const struct socket *socket, u32 pid,
						    u32 mark, bool create)
{
	u64 key = (u64)sk;
	struct rt_conn *c = bpf_map_lookup_elem(&rt_conns, &key);

	if (rt_hash_earlier(c, socket)) {
		c = rt_hash_end(c, socket, &key);
		if (rt_hash_earlier(c, socket)) {
			rt_stat_note(RT_STAT_LOST_CONTENDED);
			return NULL;
		}
	}
	if (c && c->scope_of == mark)
		return c;
	if (!rt_in_scope(sk, false, pid))
		return NULL;
	if (!c && create)
		c = rt_hash_new(&key);
	if (c)
		rt_conn_admit(c, sk, socket, mark);
	return c;
}

/* A TCP socket changed its state. */
static __always_inline int rt_hash_state(const struct sock *sk, int old, int new)
{
	u64 key = (u64)sk;
	struct rt_conn *c;

	if (new == RT_TCP_ESTABLISHED)
		return 0;
	c = bpf_map_lookup_elem(&rt_conns, &key);
	if (!c)
		return 0;
	/* The process connects a socket anew that was connected before. */
	if (new == RT_TCP_SYN_SENT) {
		rt_on_gone(c);
		rt_conn_drop(c, &key);
		return 0;
	}
	if (!rt_on_state(c, old, new, BPF_CORE_READ(sk, sk_err), rt_sock_buffers(sk)) &&
	    new == RT_TCP_CLOSE)
		rt_conn_drop(c, &key);
	return 0;
}

/* A TCP socket is destroyed. */
static __always_inline int rt_hash_destroy(const struct sock *sk)
{
	u64 key = (u64)sk;
	struct rt_conn *c = bpf_map_lookup_elem(&rt_conns, &key);

	if (!c)
		return 0;
	rt_on_destroy(c, BPF_CORE_READ(sk, sk_err), rt_sock_buffers(sk));
	/* Who is at work on it ends the exchange, and the sweep deletes it. */
	if (!rt_turn_busy(c))
		rt_conn_drop(c, &key);
	return 0;
}

#endif /* REDTAP_HASH_BPF_H */
