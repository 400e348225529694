/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What all backends call: a chunk of data was taken from or given to a socket,
 * an operation moved nothing, a socket changed its state. The backend looks the
 * state up; turn.bpf.c does the rest.
 */
#ifndef REDTAP_CAPTURE_BPF_H
#define REDTAP_CAPTURE_BPF_H

#include "lib/lock.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/sock.bpf.h"
#include "lib/stat.bpf.h"
#include "lib/uio.bpf.h"

#define RT_ECONNRESET 104
#define RT_EPIPE 32
#define RT_ETIMEDOUT 110
#define RT_ENETUNREACH 101
#define RT_EHOSTUNREACH 113
#define RT_EAGAIN 11

/* The kernel gave up on the connection: nothing came back for long, or a router or the own host
 * said meanwhile that there is no way to the peer (tcp_write_err(): sk_err_soft, else ETIMEDOUT). */
static __always_inline bool rt_err_timed_out(int err)
{
	return err == RT_ETIMEDOUT || err == RT_EHOSTUNREACH || err == RT_ENETUNREACH;
}

#define RT_MSG_OOB 0x1
#define RT_MSG_PEEK 0x2
#define RT_MSG_TRUNC 0x20 /* of TCP: bytes are dropped unread, and the buffer is not theirs */
#define RT_MSG_ERRQUEUE 0x2000
/* Receives that take nothing out of the stream. */
#define RT_MSG_ASIDE (RT_MSG_OOB | RT_MSG_PEEK | RT_MSG_ERRQUEUE)

/* n > 0 bytes moved on the socket. dir: enum rt_dir. */
int rt_on_data(struct rt_conn *c, const struct rt_uio *u, u64 n, u32 dir);
/* An operation that moved nothing: end of stream (ret 0 on receive) or an error. */
int rt_on_nothing(struct rt_conn *c, u32 dir, int ret);
/* A TCP socket changed its state to `new`; may run in softirq. sk_err and
 * `buffers` (enum rt_buffers) are read by the caller. Returns 1 when the state
 * is needed on after a close: what was received before a reset can still be read, or someone
 * is at work on it, and ends the exchange. */
int rt_on_state(struct rt_conn *c, int old, int new, int sk_err, u32 buffers);
/* The socket is gone: finishes what was in progress. */
int rt_on_gone(struct rt_conn *c);
/* The state that was found for the socket `was` is of an earlier socket, unless its inode number is `ino`:
 * finishes what was in progress. Returns 1 when it is, with its lock, for who deletes it. */
int rt_on_earlier(struct rt_conn *c, u64 was, u32 ino);
/* As rt_on_gone(), when the kernel destroys a TCP socket, whose end may not have been seen. */
int rt_on_destroy(struct rt_conn *c, int sk_err, u32 buffers);

enum rt_buffers {
	RT_BUF_UNACKED = 1 << 0,     /* bytes that were handed over are not acknowledged */
	RT_BUF_UNREAD = 1 << 1,	     /* received bytes were not taken yet */
	RT_BUF_UNACKED_FIN = 1 << 2, /* with RT_BUF_UNACKED: a FIN could be all that is */
	RT_BUF_SHUT = 1 << 3,	     /* both halves are shut: closed, not shut down for sending */
	RT_BUF_UNACKED_FEW = 1 << 4, /* with RT_BUF_UNACKED: the peer may have all that is */
};

static __always_inline u32 rt_sock_buffers(const struct sock *sk)
{
	bool shut = rt_sock_shutdown(sk) == RT_SHUTDOWN_MASK, unread = rt_sock_unread(sk);
	u32 unacked = rt_sock_unacked(sk);

	/* A close throws them away: TCP's does so first, MPTCP's last, and tells of it no more. */
	if (shut && unread && BPF_CORE_READ(sk, sk_protocol) == RT_IPPROTO_MPTCP)
		unread = false;
	return (shut ? RT_BUF_SHUT : 0) | (unacked ? RT_BUF_UNACKED : 0) |
	       (unacked == 1 ? RT_BUF_UNACKED_FIN : 0) |
	       (unacked && rt_sock_ack_delayed(sk, unacked) ? RT_BUF_UNACKED_FEW : 0) |
	       (unread ? RT_BUF_UNREAD : 0);
}

#endif /* REDTAP_CAPTURE_BPF_H */
