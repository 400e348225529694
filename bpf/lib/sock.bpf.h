/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What a socket is: family, ports, namespace, identity. Reads go through CO-RE
 * probe reads, so that trusted, untrusted and stale pointers all do. */
#ifndef REDTAP_SOCK_BPF_H
#define REDTAP_SOCK_BPF_H

#include "lib/lock.bpf.h"
#include "lib/maps.bpf.h"
#include <bpf/bpf_endian.h>

#define RT_AF_UNIX 1
#define RT_AF_INET 2
#define RT_AF_INET6 10
#define RT_SOCK_STREAM 1
#define RT_IPPROTO_TCP 6
#define RT_IPPROTO_MPTCP 262

#define RT_TCP_ESTABLISHED 1
#define RT_TCP_SYN_SENT 2
#define RT_TCP_FIN_WAIT1 4
#define RT_TCP_FIN_WAIT2 5
#define RT_TCP_CLOSE 7
#define RT_TCP_CLOSE_WAIT 8
#define RT_TCP_LAST_ACK 9
#define RT_TCP_CLOSING 11

static __always_inline bool rt_sock_is_stream(u16 family, u16 type, u16 protocol)
{
	if (type != RT_SOCK_STREAM)
		return false;
	if (family == RT_AF_INET || family == RT_AF_INET6)
		return protocol == RT_IPPROTO_TCP || protocol == RT_IPPROTO_MPTCP;
	return family == RT_AF_UNIX;
}

static __always_inline u32 rt_socket_ino(const struct socket *socket)
{
	const struct socket_alloc *sa = (const void *)socket;

	return (u32)BPF_CORE_READ(sa, vfs_inode.i_ino);
}

/* How many bytes that were handed over are not yet acknowledged by the peer; a
 * FIN that was sent counts as one. */
static __always_inline u32 rt_sock_unacked(const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;

	/* An MPTCP socket is no tcp_sock. */
	if (BPF_CORE_READ(sk, sk_protocol) != RT_IPPROTO_TCP)
		return 0;
	return BPF_CORE_READ(tp, write_seq) - BPF_CORE_READ(tp, snd_una);
}

/* Whether so few bytes, all of them sent, may be unacknowledged though the peer has them: it
 * should acknowledge every second segment, but one it may keep back (RFC 9293, 3.8.6.3). Of a
 * TCP socket. */
static __always_inline bool rt_sock_ack_delayed(const struct sock *sk, u32 unacked)
{
	const struct tcp_sock *tp = (const void *)sk;

	return BPF_CORE_READ(tp, snd_nxt) == BPF_CORE_READ(tp, write_seq) &&
	       unacked <= 2 * BPF_CORE_READ(tp, mss_cache);
}

/* How far the process has read. Of a TCP socket. */
static __always_inline u32 rt_sock_read_to(const struct sock *sk)
{
	const struct tcp_sock *tp = (const void *)sk;

	return BPF_CORE_READ(tp, copied_seq);
}

/* Whether something stands between TCP and the process that has other numbers of bytes: the
 * kernel's TLS, a map of sockets. Of a TCP socket. */
static __always_inline bool rt_sock_has_layer(const struct sock *sk)
{
	const struct inet_connection_sock *icsk = (const void *)sk;

	return BPF_CORE_READ(icsk, icsk_ulp_ops) || BPF_CORE_READ(sk, sk_user_data);
}

/* Whether bytes lie there that the process has not taken: it still can, even after a reset. */
static __always_inline bool rt_sock_unread(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_receive_queue.qlen) > 0;
}

#define RT_RCV_SHUTDOWN 1
#define RT_SHUTDOWN_MASK 3

static __always_inline u8 rt_sock_shutdown(const struct sock *sk)
{
	return BPF_CORE_READ_BITFIELD_PROBED(sk, sk_shutdown);
}

/* Whether the end of the stream that is read is the peer's: after a shutdown(2) of its own a
 * process reads one, too, and TCP's state tells that the peer's did not come. */
static __always_inline bool rt_sock_peer_ended(const struct sock *sk)
{
	u8 state;

	if (BPF_CORE_READ(sk, __sk_common.skc_family) == RT_AF_UNIX)
		return true;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	return state != RT_TCP_ESTABLISHED && state != RT_TCP_FIN_WAIT1 &&
	       state != RT_TCP_FIN_WAIT2;
}

/* Whether a receive of nothing was the end of the peer's stream, and not one that asked for
 * nothing. */
static __always_inline bool rt_sock_at_end(const struct sock *sk)
{
	return (rt_sock_shutdown(sk) & RT_RCV_SHUTDOWN) && !rt_sock_unread(sk) &&
	       rt_sock_peer_ended(sk);
}

/* Fills what stays the same for a socket's life. */
static __always_inline void rt_conn_identify(struct rt_conn *c, const struct sock *sk,
					     const struct socket *socket)
{
	struct rt_exchange *x = &c->x;

	c->sk = (u64)sk;
	c->socket = (u64)socket;
	c->ino = rt_socket_ino(socket);

	x->type = RT_EV_EXCHANGE;
	/* Address bits above the alignment tell apart what the 32-bit number may not.
	 * Read back, as the verifier allows no arithmetic of this kind on a pointer. */
	x->conn_id = (u64)c->ino | *(volatile u64 *)&c->sk >> 6 << 32;
	x->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	x->family = (u8)BPF_CORE_READ(sk, __sk_common.skc_family);
	if (x->family == RT_AF_UNIX)
		return;
	x->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
	x->peer_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (x->family == RT_AF_INET)
		bpf_core_read(x->peer_addr, 4, &sk->__sk_common.skc_daddr);
	else
		bpf_core_read(x->peer_addr, 16, &sk->__sk_common.skc_v6_daddr);
}

/* A state is in scope for this process, of which `mark` is rt_scope_mark(). Behind all that
 * identifies it, as of a state without one nobody believes that. Two CPUs may come here with a new one at once. */
static __always_inline void rt_conn_admit(struct rt_conn *c, const struct sock *sk,
					  const struct socket *socket, u32 mark)
{
	if (!c->scope_of) {
		rt_conn_identify(c, sk, socket);
		rt_conn_open(c);
	}
#ifdef RT_LEGACY
	barrier();
	*(volatile u32 *)&c->scope_of = mark;
#else
	__sync_lock_test_and_set(&c->scope_of, mark);
#endif
}

/* Whether the socket that `c` belongs to still lives and is not a successor at
 * the same address. Closing clears sk_socket before the memory is freed. */
static __always_inline bool rt_conn_alive(const struct rt_conn *c)
{
	const struct sock *sk = (const void *)c->sk;
	struct socket *socket = BPF_CORE_READ(sk, sk_socket);

	return (u64)socket == c->socket && rt_socket_ino(socket) == c->ino;
}

#endif /* REDTAP_SOCK_BPF_H */
