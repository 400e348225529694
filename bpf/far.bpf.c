// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Heads that are longer than what is kept of them: looks for their end in what the operations
 * bring, so that a request behind a request's is seen, and the final response behind an
 * interim one's. Called by the state machine, where there is no end in the kept part.
 */
#include "lib/maps.bpf.h"

#include "lib/copy.bpf.h"
#include "lib/stream.bpf.h"
#include "lib/word.bpf.h"

/* Bytes of one operation that are looked through: 8 KB, as long as most servers allow. */
#define RT_FAR_PIECES 17

/* One word of a piece of `len` bytes in the probe. Returns 1 at the end of the head. By
 * itself, with what it carries in the state: see rt_walk_line(). */
int RT_FN(rt_far_word)(struct rt_conn *c, u32 i, u32 len)
{
	u64 w, lf, cr, blank;
	u32 n;

	if (!c || i >= RT_REQ_HEAD_MAX / 8 || i * 8 >= len)
		return 1;
	n = len - i * 8;
	w = c->probe[i];
	if (n < 8)
		w &= (1ull << (8 * (n & 7))) - 1;
	lf = rt_bytes_equal(w, BYTES('\n'));
	cr = rt_bytes_equal(w, BYTES('\r'));
	blank = rt_word_blank(lf, cr, c->lf_before, c->cr_before);
	if (blank) {
		c->req_whole = c->far_pos + i * 8 + rt_bytes_before(blank) + 1 + c->far_body;
		c->far = 0;
		return 1;
	}
	if (n < 8) {
		/* The next byte follows the last that is there. */
		n &= 7;
		lf = lf << (64 - 8 * n) | c->lf_before >> (8 * n);
		cr = cr << (64 - 8 * n) | c->cr_before >> (8 * n);
	}
	c->lf_before = lf;
	c->cr_before = cr;
	return 0;
}

/* One more piece. Returns 1 when the search is over, for this operation or at all. */
int RT_FN(rt_far_piece)(struct rt_conn *c, const struct rt_uio *u)
{
	u64 len;

	if (!c || !u || !c->io_left)
		return 1;
	if (!c->piece_left && !rt_pieces_next(c, u)) {
		c->far = 0;
		return 1;
	}
	len = c->piece_left < c->io_left ? c->piece_left : c->io_left;
	if (len > RT_REQ_HEAD_MAX)
		len = RT_REQ_HEAD_MAX;
	barrier_var(len);
	if (len > RT_REQ_HEAD_MAX)
		return 1;
	if (bpf_probe_read_user(c->probe, len, (void *)c->piece_at)) {
		rt_stat_inc(RT_STAT_READ_FAULTS);
		c->far = 0;
		return 1;
	}
	for (u32 i = 0; i < RT_REQ_HEAD_MAX / 8; i++) {
		if (rt_far_word(c, i, len))
			break;
	}
	c->far_pos += len;
	c->piece_at += len;
	c->piece_left -= len;
	c->io_left -= len;
	return !c->far;
}

int RT_FN(rt_far_scan)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 before)
{
	u64 skip;

	if (!c || !u)
		return 0;
	skip = c->far_pos - before;
	if (skip > n || !u->base) {
		c->far = 0;
		return 0;
	}
	rt_pieces_begin(c, u, n, skip);
	for (u32 i = 0; i < RT_FAR_PIECES; i++) {
		if (rt_far_piece(c, u))
			return 0;
	}
	c->far = 0;
	return 0;
}

/* Begins the response anew with the operation's bytes from `end` on, those of one piece. `few`:
 * not with fewer than a head may have. */
static __always_inline int rt_far_begin(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 end,
					u64 now, bool few)
{
	struct rt_exchange *x = &c->x;
	u64 left = x->resp_bytes - end;
	struct rt_uio next = {};

	rt_pieces_begin(c, u, n, n - left);
	if (!rt_stream_piece(c, u))
		return 0;
	if (few && c->piece_left < left && c->piece_left < RT_RESP_HEAD_MAX)
		return 0;
	next.base = c->piece_at;
	if (left > c->piece_left)
		left = c->piece_left;
	x->flags |= RT_X_INTERIM;
	x->interim_bytes = end;
	x->resp_start = now;
	x->resp_len = rt_uio_copy(c, false, x->req_len, RT_RESP_HEAD_MAX, RT_RESP_HEAD_MAX, &next,
				  left);
	if (x->resp_bytes - end <= x->resp_len)
		x->flags &= ~RT_X_RESP_CUT;
	return 1;
}

/* Behind what is kept of an interim response: where it ends; ~0: not in this operation. */
static __always_inline u64 rt_far_interim_end(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	u64 whole = c->req_whole, body = c->far_body, before = c->x.resp_bytes - n, end, w;
	u32 at = c->x.req_len + c->x.resp_len - 8;

	if (c->x.resp_len != RT_RESP_HEAD_MAX || at > RT_REQ_HEAD_MAX + RT_RESP_HEAD_MAX - 8)
		return ~0ull;
	/* As of a request's head, whose end is told in req_whole. Goes on where the operation before
	 * ended, if that was looked through to its end. */
	if (before <= c->x.interim_bytes + RT_RESP_HEAD_MAX) {
		w = *(const u64 *)(c->x.heads + at);
		c->lf_before = rt_bytes_equal(w, BYTES('\n'));
		c->cr_before = rt_bytes_equal(w, BYTES('\r'));
		c->far_pos = c->x.interim_bytes + RT_RESP_HEAD_MAX;
	} else if (!c->far || c->far_pos != before) {
		c->lf_before = c->cr_before = 0;
		c->far_pos = before;
	}
	c->far = 1;
	c->far_body = 0;
	c->req_whole = ~0ull;
	rt_far_scan(c, u, n, before);
	end = c->req_whole;
	c->req_whole = whole;
	c->far_body = body;
	return end;
}

int RT_FN(rt_far_interim)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now, u64 end)
{
	bool known = end;

	if (!c || !u || !u->base)
		return 0;
	if (!known)
		end = rt_far_interim_end(c, u, n);
	if (end >= c->x.resp_bytes || end < c->x.resp_bytes - n)
		return 0;
	/* Where its end is known, what is kept shows something of the next one already. */
	return rt_far_begin(c, u, n, end, now, known);
}

#ifdef RT_LEGACY
RT_LEGACY_FAR(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
