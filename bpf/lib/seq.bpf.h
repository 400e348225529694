/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Bytes of a request that no program saw, by TCP's own numbers. For turn.bpf.c. */
#ifndef REDTAP_SEQ_BPF_H
#define REDTAP_SEQ_BPF_H

#include "lib/capture.bpf.h"

/* Of a request that is not whole, TCP tells how far the process has read: also what no program
 * saw (splice, a skipped run), which else would be taken out of the requests behind it. Told of
 * late, it is too far. */
static __always_inline bool rt_seq_has_place(const struct rt_conn *c)
{
	return !rt_cfg.late && c->x.req_bytes < c->req_whole && c->x.role == RT_ROLE_SERVER &&
	       (c->phase == RT_PHASE_REQ || c->phase == RT_PHASE_RESP) &&
	       c->x.family != RT_FAMILY_UNIX;
}

/* How many bytes were taken unseen before the n of this operation. */
static __noinline u32 rt_seq_unseen(const struct rt_conn *c, u32 n)
{
	const struct sock *sk = (const void *)c->sk;
	u32 unseen;

	/* An MPTCP socket is no tcp_sock. */
	if (BPF_CORE_READ(sk, sk_protocol) != RT_IPPROTO_TCP)
		return 0;
	unseen = rt_sock_read_to(sk) - n - c->seq_at;
	if (!unseen || rt_sock_has_layer(sk))
		return 0;
	/* The end of the stream that was read with these bytes counts as one. */
	if (rt_sock_at_end(sk))
		unseen--;
	return unseen >> 31 ? 0 : unseen;
}

static __always_inline void rt_seq_add_unseen(struct rt_conn *c, u64 n)
{
	u32 unseen = rt_seq_has_place(c) ? rt_seq_unseen(c, n) : 0;

	if (!unseen)
		return;
	c->x.req_bytes += unseen;
	c->x.flags |= RT_X_REQ_BLIND | RT_X_REQ_CUT;
}

/* Behind an operation of the receiving side. */
static __always_inline void rt_seq_remember(struct rt_conn *c)
{
	if (rt_seq_has_place(c))
		c->seq_at = rt_sock_read_to((const void *)c->sk);
}

#endif /* REDTAP_SEQ_BPF_H */
