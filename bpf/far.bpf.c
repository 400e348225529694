// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Heads of requests that are longer than what is kept of them: looks for their end in what
 * the operations bring, so that a request behind it is seen. Called by the state machine,
 * after the walk over the kept part (route.bpf.c) found no end there.
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

int RT_FN(rt_far_scan)(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	u64 before, skip;

	if (!c || !u)
		return 0;
	before = c->x.req_bytes - n;
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

#ifdef RT_LEGACY
RT_LEGACY_FAR(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
