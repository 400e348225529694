// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Pipelined connections: requests that follow each other before an answer. Turns
 * cannot tell them apart, so from the second request on all that the socket moves
 * goes up to user space, which knows where a message ends (user/red/stream.c).
 * Called by the state machine, with the state locked.
 *
 * A record is made in the state itself, in place of the heads that such a
 * connection has no use for: of a shared buffer a program could be preempted.
 */
#include "lib/maps.bpf.h"

#include "lib/copy.bpf.h"
#include "lib/infer.bpf.h"
#include "lib/stream.bpf.h"
#include "lib/turn.bpf.h"

/* Half of a record's data: a copy of as much always fits what is not yet half full. */
#define RT_PIECE_MAX (RT_CHUNK_MAX / 2)

/* Copies that one operation takes: full pieces, and the ends of each entry of its iovec. */
#define RT_STREAM_COPIES (RT_STREAM_OP_MAX / RT_PIECE_MAX + 2 + RT_STREAM_IOV_MAX)

/* Sends the record that was filled so far. */
int RT_FN(rt_stream_flush)(struct rt_conn *c)
{
	struct rt_chunk *chunk;
	u32 fill, size;

	if (!c)
		return 0;
	chunk = (struct rt_chunk *)c->x.heads;
	fill = c->piece_fill;
	if (fill > RT_CHUNK_MAX)
		return 0;
	size = __builtin_offsetof(struct rt_chunk, data) + fill;
	chunk->size = size;
	if (chunk->upto < chunk->pos + fill)
		chunk->upto = chunk->pos + fill;
	/* The last part of the ring is for ends, and for what does not come in floods. */
	if (rt_ring_fill() > rt_cfg.ring_keep ||
	    bpf_ringbuf_output(&rt_ring, chunk, size, rt_ring_flags())) {
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
		/* The rest would miss its beginning. */
		c->io_left = 0;
	} else {
		rt_stat_inc(RT_STAT_RECORDS);
	}
	chunk->pos += fill;
	chunk->flags &= ~RT_CHUNK_FIRST;
	c->piece_fill = 0;
	return 0;
}

/* One more copy. Returns 0 when there is nothing more to copy. */
int RT_FN(rt_stream_copy)(struct rt_conn *c, const struct rt_uio *u)
{
	struct rt_chunk *chunk;
	u64 len;
	u32 fill;

	if (!c || !u)
		return 0;
	chunk = (struct rt_chunk *)c->x.heads;
	if (c->piece_fill > RT_PIECE_MAX)
		rt_stream_flush(c);
	if (!c->io_left || (!c->piece_left && !rt_pieces_next(c, u)))
		return 0;
	len = c->piece_left < c->io_left ? c->piece_left : c->io_left;
	if (len > RT_PIECE_MAX)
		len = RT_PIECE_MAX;
	fill = c->piece_fill;
	/* Or the compiler bounds another register than the one that is used. */
	barrier_var(len);
	barrier_var(fill);
	if (len > RT_PIECE_MAX || fill > RT_PIECE_MAX)
		return 0;
	if (bpf_probe_read_user(chunk->data + fill, len, (void *)c->piece_at)) {
		rt_stat_inc(RT_STAT_READ_FAULTS);
		return 0;
	}
	c->piece_at += len;
	c->piece_left -= len;
	c->io_left -= len;
	c->piece_fill = fill + len;
	return 1;
}

/* All of an operation. By itself: Linux 6.1's verifier follows what stands behind a loop
 * with calls once for each of its rounds. */
int RT_FN_APART(rt_stream_pieces)(struct rt_conn *c, const struct rt_uio *u)
{
	if (!c || !u)
		return 0;
	for (u32 i = 0; i < RT_STREAM_COPIES; i++) {
		if (!rt_stream_copy(c, u))
			return 0;
	}
	return 0;
}

/* Sends the operation's n bytes but for the first `skip`. */
int RT_FN(rt_stream_op)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 skip, u64 now)
{
	struct rt_chunk *chunk;
	u64 upto;
	bool response;

	if (!c || !u)
		return 0;
	chunk = (struct rt_chunk *)c->x.heads;
	response = c->piece_response;
	chunk->type = RT_EV_CHUNK;
	chunk->seq = c->x.seq;
	chunk->conn_id = c->x.conn_id;
	chunk->pid = c->x.pid;
	chunk->tid = c->x.tid;
	chunk->time = now;
	chunk->pos = response ? c->x.resp_bytes : c->x.req_bytes;
	chunk->upto = 0;
	chunk->flags = RT_CHUNK_FIRST | (response ? RT_CHUNK_RESPONSE : 0);
	chunk->pad = 0;
	upto = chunk->pos + (n - skip);

	c->piece_fill = 0;
	rt_pieces_begin(c, u, n, skip);
	if (c->io_left > RT_STREAM_OP_MAX)
		c->io_left = RT_STREAM_OP_MAX;
	rt_stream_pieces(c, u);
	chunk->upto = upto;
	rt_stream_flush(c);
	if (response) {
		if (!c->x.resp_start)
			c->x.resp_start = now;
		c->x.resp_bytes = upto;
		c->x.resp_end = now;
	} else {
		c->x.req_bytes = upto;
		c->x.req_end = now;
	}
	return 0;
}

/* Whether a row fits as many of the 16 bytes as there are. Not inlined, or the verifier
 * follows each row with what is in it. 0: it does not; 1: and is a request; 2: of another protocol; 3: or as little
 * as this says nothing yet. `doubt`: a few letters are not enough, as they may be a body. */
RT_SCALAR __noinline int rt_stream_row(u64 d0, u64 d1, u32 have, u32 row, u32 doubt)
{
	const struct rt_sig *sig;
	u64 differ, m0 = ~0ull, m1 = ~0ull;

	if (row >= RT_SIG_MAX)
		return 0;
	sig = (const struct rt_sig *)&rt_cfg.req_sigs[row];
	if (have < 8)
		m1 = 0;
	if (have < 8)
		m0 = (1ull << (8 * (have & 7))) - 1;
	else if (have < RT_SIG_LEN)
		m1 = (1ull << (8 * (have & 7))) - 1;
	differ = (d0 ^ *(const u64 *)sig->value) & *(const u64 *)sig->mask & m0;
	differ |= (d1 ^ *(const u64 *)(sig->value + 8)) & *(const u64 *)(sig->mask + 8) & m1;
	if (differ)
		return 0;
	if (doubt && (sig->flags & RT_SIG_VAGUE) && have < sig->len)
		return 3;
	if (sig->kind == RT_SIG_REQUEST && !(sig->flags & RT_SIG_LEAVE))
		return 1;
	return have >= sig->len ? 2 : 3;
}

/* Whether `have` bytes are the beginning of a request, or of one's first bytes. */
RT_SCALAR int rt_stream_begins(u64 d0, u64 d1, u32 have, u32 doubt)
{
	for (u32 i = 0; i < RT_SIG_MAX; i++) {
		int fits;

		if (i >= rt_cfg.nr_req_sigs)
			return 0;
		fits = rt_stream_row(d0, d1, have, i, doubt);
		if (fits == 1 || fits == 2)
			return fits == 1;
	}
	return 0;
}

int RT_FN_APART(rt_stream_piece)(struct rt_conn *c, const struct rt_uio *u)
{
	if (!c || !u)
		return 0;
	for (u32 i = 0; i < RT_IOV_MAX; i++) {
		if (c->piece_left)
			return 1;
		if (!rt_pieces_next(c, u))
			return 0;
	}
	return 0;
}

/* The first bytes behind the request that the turn began with, to the probe, which is free
 * in a request turn. Returns how many; 0: they cannot be read. `skip` of the operation's
 * bytes precede them. */
int RT_FN(rt_stream_peek)(struct rt_conn *c, const struct rt_uio *u, u64 skip, u64 excess)
{
	u64 have = excess < RT_SIG_LEN ? excess : RT_SIG_LEN, left, whole;

	if (!c || !u)
		return 0;
	whole = c->req_whole;
	c->probe[0] = c->probe[1] = 0;
	barrier_var(have);
	barrier_var(whole);
	if (have > RT_SIG_LEN)
		return 0;
	if (whole < RT_REQ_HEAD_MAX && whole + have <= c->x.req_len)
		return bpf_probe_read_kernel(c->probe, have, c->x.heads + whole) ? 0 : have;
	rt_pieces_begin(c, u, skip + have, skip);
	if (!rt_stream_piece(c, u))
		return 0;
	/* Of pieces, the first says enough. */
	left = *(volatile u64 *)&c->piece_left;
	if (have > left)
		have = left;
	barrier_var(have);
	if (!have || have > RT_SIG_LEN)
		return 0;
	return bpf_probe_read_user(c->probe, have, (void *)c->piece_at) ? 0 : have;
}

int RT_FN(rt_stream_enter)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now)
{
	u64 whole, bytes, excess, skip, first;
	struct rt_exchange *x;
	u32 have, size, flags, len;

	if (!c || !u)
		return 0;
	x = &c->x;
	whole = c->req_whole;
	bytes = x->req_bytes;
	excess = bytes - whole;
	skip = n - excess;
	/* Only of this operation the bytes can be read. And where the kernel skips programs,
	 * an answer before it may have gone unseen. */
	if (!u->base || c->tunnel || excess > n || (rt_cfg.skips && excess == n))
		goto none;
	have = rt_stream_peek(c, u, skip, excess);
	first = c->probe[0];
	/* An empty line that does not belong there (RFC 9112, section 2.2), or half of it. */
	if ((have == 2 && first == 0x0a0d) || (have == 1 && (first == '\r' || first == '\n'))) {
		c->req_whole = bytes;
		return 0;
	}
	/* Of a long head, the field that tells of a body may not have been seen. */
	if (!have || !rt_stream_begins(first, c->probe[1], have, !c->head_len))
		goto none;

	flags = x->flags;
	len = x->req_len;
	x->flags |= RT_X_STREAM;
	x->req_bytes = whole;
	if (whole <= len) {
		x->req_len = whole;
		x->flags &= ~RT_X_REQ_CUT;
	}
	size = rt_exchange_size(x);
	if (size > sizeof(*x))
		return 0;
	if (bpf_ringbuf_output(&rt_ring, x, size, rt_ring_flags())) {
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
		x->flags = flags;
		x->req_bytes = bytes;
		x->req_len = len;
		return 0;
	}
	rt_stat_inc(RT_STAT_RECORDS);
	c->phase = RT_PHASE_STREAM;
	x->req_len = 0;
	x->flags |= RT_X_REQ_CUT;
	c->piece_response = 0;
	rt_stream_op(c, u, n, skip, now);
	return 0;
none:
	c->req_whole = ~0ull;
	return 0;
}

int RT_FN(rt_stream_data)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now, u32 response)
{
	u64 data[2] = {};
	u32 row;

	if (!c || !u)
		return 0;
	c->piece_response = response;
	rt_stream_op(c, u, n, 0, now);
	if (!response || n < RT_SIG_LEN || rt_uio_peek(data, u))
		return 0;
	row = rt_infer(c, data, RT_SIG_LEN, true);
	return row && (rt_cfg.resp_sigs[rt_row_index(row)].flags & RT_SIG_UPGRADE);
}

#ifdef RT_LEGACY
RT_LEGACY_STREAM(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
