// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The header of the PROXY protocol, which a proxy or load balancer sends before a connection's
 * own bytes to tell whose they are (doc/proxy-protocol.txt of HAProxy): it is nobody's request, and
 * skipped, however it is cut. Version 1 is a line; version 2 tells its length.
 * Called by the state machine, with the state locked.
 */
#include "lib/maps.bpf.h"

#include "lib/copy.bpf.h"
#include "lib/proxy.bpf.h"
#include "lib/stat.bpf.h"
#include "lib/stream.bpf.h"
#include "lib/word.bpf.h"

/* Entries of an iovec that a line may lie in. */
#define RT_PROXY_PIECES 8

/* How many of the probe's first `len` bytes are the line's. Where it ends is known then. */
static __noinline u32 rt_proxy_line(struct rt_conn *c, u32 len)
{
	for (u32 i = 0; i < RT_PROXY_LINE_MAX; i += 8) {
		u64 lf = rt_bytes_equal(c->probe[i / 8], BYTES('\n'));
		u32 upto;

		if (!lf)
			continue;
		upto = i + rt_bytes_before(lf) + 1;
		if (upto > len)
			break;
		c->proxy_line = 0;
		c->proxy_left = upto;
		return upto;
	}
	return len;
}

/* The line's part of one piece of the operation. Returns 0 when there is no more of either. */
int RT_FN(rt_proxy_piece)(struct rt_conn *c, const struct rt_uio *u)
{
	u64 len;

	if (!c || !u || (!c->piece_left && !rt_pieces_next(c, u)))
		return 0;
	len = c->piece_left < c->io_left ? c->piece_left : c->io_left;
	if (len > c->proxy_left)
		len = c->proxy_left;
	/* Or the compiler bounds another register than the one that is used. */
	barrier_var(len);
	if (len > RT_PROXY_LINE_MAX)
		return 0;
	if (bpf_probe_read_user(c->probe, len, (void *)c->piece_at)) {
		rt_stat_inc(RT_STAT_READ_FAULTS);
		return 0;
	}
	len = rt_proxy_line(c, len);
	c->piece_at += len;
	c->piece_left -= len;
	c->io_left -= len;
	c->proxy_left -= len;
	return c->proxy_left && c->io_left;
}

int RT_FN(rt_proxy_skip)(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	u64 own;

	if (!c || !u)
		return 0;
	if (c->proxy_line) {
		rt_pieces_begin(c, u, n, 0);
		for (u32 i = 0; i < RT_PROXY_PIECES && rt_proxy_piece(c, u); i++)
			;
		if (c->proxy_line && c->proxy_left && u->base && !c->io_left)
			return 0;
	} else {
		own = n < c->proxy_left ? n : c->proxy_left;
		c->proxy_left -= own;
		if (c->proxy_left)
			return 0;
		rt_pieces_begin(c, u, n, own);
	}
	/* A line without an end is no header. */
	c->phase = RT_PHASE_IDLE;
	c->turn = c->proxy_line ? RT_TURN_UNKNOWN : RT_TURN_NONE;
	return !c->proxy_line && rt_stream_piece(c, u) ? c->io_left : 0;
}

#ifdef RT_LEGACY
RT_LEGACY_PROXY(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
