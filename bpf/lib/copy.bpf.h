/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Copies out of a user buffer into a socket's state: heads, probe, tail. */
#ifndef REDTAP_COPY_BPF_H
#define REDTAP_COPY_BPF_H

#include "lib/maps.bpf.h"
#include "lib/stat.bpf.h"
#include "lib/uio.bpf.h"

/* Largest offset at which a copy into the heads may begin. */
#define RT_HEADS_MAX (RT_REQ_HEAD_MAX + RT_RESP_HEAD_MAX - 1)

/* copy.bpf.c */
int rt_uio_gather(struct rt_conn *c, const struct rt_uio *u, u32 to_probe);
int rt_uio_tail_iov(struct rt_conn *c, const struct rt_uio *u, u64 n);

/*
 * Copies at most `room` (up to `cap`) of the operation's `n` bytes to heads or probe + off.
 * Returns how many bytes were copied. The verifier sees off <= RT_HEADS_MAX and
 * room <= cap apart: the state has slack behind its heads.
 */
static __always_inline u32 rt_uio_copy(struct rt_conn *c, bool to_probe, u32 off, u32 room,
				       const u32 cap, const struct rt_uio *u, u64 n)
{
	u8 *dst = to_probe ? (u8 *)c->probe : c->x.heads;
	u64 len = room < n ? room : n;

	/* Or the compiler bounds another register than the one that is used. */
	barrier_var(len);
	if (len > cap || off > RT_HEADS_MAX || !u->base)
		return 0;
	if (u->nr) {
		c->io_pos = off;
		c->io_left = len;
		rt_uio_gather(c, u, to_probe);
		return len - c->io_left;
	}
	if (bpf_probe_read_user(dst + off, len, (void *)u->base))
		return rt_stat_note(RT_STAT_READ_FAULTS);
	return len;
}

/* The first bytes of a turn, for a signature: RT_SIG_LEN of them, of which `had`
 * are in the probe already. When the turn begins here, the probe takes as much
 * as a head keeps, so that a request is read once. Returns how many of the
 * RT_SIG_LEN were added. */
static __always_inline u32 rt_uio_probe(struct rt_conn *c, u32 had, const struct rt_uio *u, u64 n)
{
	if (had >= RT_SIG_LEN)
		return 0;
	if (had || u->nr) {
		c->fresh = 0;
		return rt_uio_copy(c, true, had, RT_SIG_LEN - had, RT_SIG_LEN, u, n);
	}
	c->fresh = rt_uio_copy(c, true, 0, RT_REQ_HEAD_MAX, RT_REQ_HEAD_MAX, u, n);
	return c->fresh < RT_SIG_LEN ? c->fresh : RT_SIG_LEN;
}

/* The first RT_SIG_LEN bytes without a state to keep them in; from one piece only. */
static __always_inline int rt_uio_peek(u64 data[RT_SIG_LEN / 8], const struct rt_uio *u)
{
	u64 from = u->base;

	if (!u->base)
		return -1;
	if (u->nr) {
		struct iovec v;

		if (rt_uio_entry(&v, u, 0) || v.iov_len < RT_SIG_LEN)
			return -1;
		from = (u64)v.iov_base;
	}
	return bpf_probe_read_user(data, RT_SIG_LEN, (void *)from);
}

/* Reads the last RT_TAIL_MAX of n bytes, which may lie in several pieces, into
 * the exchange's tail. n >= RT_TAIL_MAX. Returns 0, or -1 when they cannot be read. */
static __always_inline int rt_uio_tail(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	if (!u->base)
		return -1;
	if (!u->nr)
		return bpf_probe_read_user(c->x.tail, RT_TAIL_MAX,
					   (void *)(u->base + n - RT_TAIL_MAX));
	if (rt_uio_tail_iov(c, u, n))
		return -1;
	__builtin_memcpy(c->x.tail, &c->io_tail, RT_TAIL_MAX);
	return 0;
}

/* The operation's n bytes but for the first `skip`, to be taken piece by piece: from
 * piece_at, where piece_left bytes follow each other, while io_left are left in all. */
static __always_inline void rt_pieces_begin(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 skip)
{
	c->piece_next = 0;
	c->io_pos = skip;
	c->io_left = u->base ? n - skip : 0;
	c->piece_at = u->base + skip;
	c->piece_left = u->nr ? 0 : n - skip;
}

/* Goes on to the next entry of the iovec, past bytes that are not wanted. 0: there is none. */
static __always_inline int rt_pieces_next(struct rt_conn *c, const struct rt_uio *u)
{
	u32 next = c->piece_next;
	struct iovec v;
	u64 skip;

	if (next >= u->nr || next >= RT_STREAM_IOV_MAX || rt_uio_entry(&v, u, next))
		return 0;
	skip = c->io_pos < v.iov_len ? c->io_pos : v.iov_len;
	c->io_pos -= skip;
	c->piece_next = next + 1;
	c->piece_at = (u64)v.iov_base + skip;
	c->piece_left = v.iov_len - skip;
	return 1;
}

/* Whether what was captured of a response ends as a head does. */
static __always_inline bool rt_at_empty_line(const struct rt_exchange *x)
{
	u32 end = (u32)x->req_len + x->resp_len, last;

	if ((x->flags & RT_X_RESP_CUT) || x->resp_len < sizeof(last) || end < sizeof(last) ||
	    end > RT_HEADS_MAX)
		return false;
	__builtin_memcpy(&last, &x->heads[end - sizeof(last)], sizeof(last));
	return last == ('\r' | '\n' << 8 | '\r' << 16 | '\n' << 24);
}

#endif /* REDTAP_COPY_BPF_H */
