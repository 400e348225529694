// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The exchange state machine. A socket's bytes alternate: a request turn, then
 * a response turn. An exchange ends when the next request begins, when the
 * socket closes, or when user space finds it complete in a report of the sweep.
 * There is no protocol code here: signatures say what may open a turn.
 *
 * Functions that are not static are global to the verifier: each is looked at
 * once, with its arguments unknown, and not once per caller and path.
 */
#include "lib/maps.bpf.h"

#include "lib/capture.bpf.h"
#include "lib/copy.bpf.h"
#include "lib/infer.bpf.h"
#include "lib/proc.bpf.h"
#include "lib/proxy.bpf.h"
#include "lib/route.bpf.h"
#include "lib/same.bpf.h"
#include "lib/seq.bpf.h"
#include "lib/stream.bpf.h"
#include "lib/turn.bpf.h"
#include "lib/whole.bpf.h"
#include "lib/word.bpf.h"

/* First bytes of a response that a record carries when nothing is in doubt. */
#define RT_STATUS_LEN 16

/* Turns without any known signature after which a socket is given up. */
#define RT_MISSES_MAX 32

/* The exchange is over: one record, and the state is free for the next. */
int RT_FN(rt_turn_finish)(struct rt_conn *c, u64 now)
{
	struct rt_exchange *x;
	bool countable;
	u32 size;

	if (!c)
		return 0;
	x = &c->x;
	rt_turn_count(c);
	if (!x->end)
		x->end = now;
	size = rt_exchange_size(x);
	if (size > sizeof(*x))
		return 0;
	/* The last part of the ring is for those that nothing else tells of. */
	countable = x->rule;
	if (countable && rt_ring_fill() > rt_cfg.ring_keep && rt_route_lost(c)) {
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
	} else if (bpf_ringbuf_output(&rt_ring, x, size, rt_ring_flags())) {
		rt_stat_inc(RT_STAT_LOST_RING_FULL);
		/* One that the sweep reported may have been counted already: user
		 * space remembers those, and the requests of a stream, and counts the
		 * others that vanish. */
		if (!(countable && rt_route_lost(c)) &&
		    !(x->flags & (RT_X_AFTER_IDLE | RT_X_STREAM)))
			rt_stat_inc(RT_STAT_EXCHANGES_EVICTED);
	} else {
		rt_stat_inc(RT_STAT_RECORDS);
	}
	c->phase = RT_PHASE_IDLE;
	return 0;
}

/* Not inlined, like all that is rare behind what each request takes: see rt_storage_decide(). */
static __noinline int rt_turn_new_owner(struct rt_conn *c, u32 pid)
{
	c->x.pid = pid;
	bpf_get_current_comm(c->x.comm, sizeof(c->x.comm));
	if (c->noted_pid != pid) {
		c->noted_pid = pid;
		rt_proc_note(pid, c->x.netns);
	}
	return 0;
}

static __always_inline void rt_turn_owner(struct rt_conn *c, u64 pid_tgid)
{
	u32 pid = pid_tgid >> 32;

	c->x.tid = (u32)pid_tgid;
	if (c->x.pid != pid)
		rt_turn_new_owner(c, pid);
}

/* Another process than last time, perhaps by exec: it has to be announced anew. */
static __always_inline void rt_turn_answers(struct rt_conn *c, const struct rt_uio *u)
{
	u64 process = rt_uio_process(u);

	if (c->process == process)
		return;
	if (c->process)
		c->x.pid = c->noted_pid = 0;
	c->process = process;
}

/* The first bytes of a request, from the probe to the heads. By words, as the helper that
 * copies costs more; volatile, or the compiler makes a call of this loop. */
static __always_inline void rt_turn_take(struct rt_conn *c, u32 len)
{
	for (u32 i = 0; i < RT_REQ_HEAD_MAX; i += 8) {
		if (i >= len)
			break;
		*(volatile u64 *)(c->x.heads + i) = *(volatile u64 *)((u8 *)c->probe + i);
	}
}

/* A request was recognised in the unclaimed turn; its first bytes are in probe. */
static __always_inline void rt_turn_begin(struct rt_conn *c, u32 row, u32 probed, u64 pid_tgid)
{
	const struct rt_sig *sig = &rt_cfg.req_sigs[rt_row_index(row)];
	struct rt_exchange *x = &c->x;

	rt_stat_inc_task(RT_STAT_EXCHANGES_STARTED);
	c->phase = RT_PHASE_REQ;
	c->req_row = row;
	c->resp_kind = RT_SIG_NONE;
	c->tunnel = !!(sig->flags & RT_SIG_TUNNEL);
	c->misses = 0;
	c->idle_bytes = 0;

	x->flags = 0;
	x->rule = 0;
	x->seq++;
	x->proto = sig->proto;
	x->role = c->turn_dir == RT_RECV ? RT_ROLE_SERVER : RT_ROLE_CLIENT;
	x->tail_len = 0;
	x->req_start = c->turn_start;
	x->resp_start = 0;
	x->resp_end = 0;
	x->end = 0;
	x->req_bytes = c->turn_bytes;
	x->resp_bytes = 0;
	x->resp_len = 0;
	x->interim_bytes = 0;
	if (probed) {
		/* Bytes of earlier operations; those of this one are copied by the caller. */
		x->req_len = probed;
		__builtin_memcpy(x->heads, c->probe, RT_SIG_LEN);
	} else {
		u32 len = *(volatile u32 *)&c->fresh;

		if (len > RT_REQ_HEAD_MAX)
			len = RT_REQ_HEAD_MAX;
		if (c->same != RT_SAME_ALL)
			rt_turn_take(c, len);
		x->req_len = len;
	}
	if (c->same != RT_SAME_ALL)
		c->head = RT_HEAD_NEW;
	c->far = 0;
	rt_turn_owner(c, pid_tgid);
}

int RT_FN(rt_turn_request_bytes)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now)
{
	struct rt_exchange *x;
	u32 len, fresh;

	if (!c || !u)
		return 0;
	x = &c->x;
	len = x->req_len;
	fresh = c->fresh;
	if (!u->base)
		x->flags |= RT_X_REQ_BLIND;
	/* The head grows only while it is whole, and while no response follows it.
	 * An operation that began the turn was read already. */
	if (c->fresh)
		c->fresh = 0;
	else if (!x->resp_bytes && !x->interim_bytes && len < RT_REQ_HEAD_MAX &&
		 len == x->req_bytes)
		x->req_len = len + rt_uio_copy(c, false, len, RT_REQ_HEAD_MAX - len,
					       RT_REQ_HEAD_MAX, u, n);
	x->req_bytes += n;
	x->req_end = now;
	if (x->req_bytes > x->req_len)
		x->flags |= RT_X_REQ_CUT;
	/* The head is that of the request before, as far as it is kept: not so what follows it, nor
	 * what was found of that. */
	if (fresh && c->same == RT_SAME_ALL && (!c->head_len || n != c->req_whole))
		c->head = RT_HEAD_NEW;
	if (c->head == RT_HEAD_NEW)
		rt_route_head(c);
	if (c->far)
		rt_far_scan(c, u, n, x->req_bytes - n);
	if (x->req_bytes > c->req_whole)
		rt_stream_enter(c, u, n, now);
	return 0;
}

/* Keeps the last bytes of a response that outgrows its captured head. */
int rt_turn_tail(struct rt_conn *c, const struct rt_uio *u, u64 n, u32 had)
{
	u64 *tail, old = 0, piece = 0;
	struct rt_exchange *x;
	u32 end;

	if (!c || !u)
		return 0;
	x = &c->x;
	tail = (u64 *)x->tail;
	end = (u32)x->req_len + had;
	if (n >= RT_TAIL_MAX) {
		x->tail_len = rt_uio_tail(c, u, n) ? 0 : RT_TAIL_MAX;
		return 0;
	}
	if (x->tail_len == RT_TAIL_MAX) {
		old = *tail;
	} else if (had + n == x->resp_bytes - x->interim_bytes && had >= RT_TAIL_MAX &&
		   end >= RT_TAIL_MAX && end <= RT_HEADS_MAX) {
		/* All before this operation lies in the head. */
		__builtin_memcpy(&old, &x->heads[end - RT_TAIL_MAX], sizeof(old));
	} else {
		x->tail_len = 0;
		return 0;
	}
	x->tail_len = 0;
	/* Rare: the end in a small write of its own. In pieces it is not worth the walk. */
	if (!u->base || u->nr || bpf_probe_read_user(&piece, n & 7, (void *)u->base))
		return 0;
	*tail = old >> (8 * n) | piece << (64 - 8 * n);
	x->tail_len = RT_TAIL_MAX;
	return 0;
}

/* An interim response came in a turn of its own, and now comes the final one, another
 * interim one, or more of this one. */
static __noinline int rt_turn_behind_interim(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	struct rt_exchange *x = &c->x;
	u64 data[2] = {};

	/* It is a head alone: what follows its end is another, however little comes at first. */
	if (!rt_at_empty_line(x) &&
	    (n < RT_SIG_LEN || rt_uio_peek(data, u) || !rt_infer(c, data, RT_SIG_LEN, true)))
		return 0;
	x->flags |= RT_X_INTERIM;
	x->flags &= ~RT_X_RESP_CUT;
	x->interim_bytes = x->resp_bytes;
	x->resp_len = 0;
	x->resp_start = 0;
	x->tail_len = 0;
	c->resp_kind = RT_SIG_NONE;
	return 0;
}

/*
 * Whether something follows an interim response in the captured head: then the
 * final one has begun, by the same operation or by one too small to tell. An
 * interim response is a head alone, so it ends with an empty line.
 */
static __noinline bool rt_turn_mixed(struct rt_conn *c)
{
	u32 from = c->x.req_len, to = from + c->x.resp_len;
	u64 whole = c->req_whole;
	bool ends;

	if (from > RT_REQ_HEAD_MAX)
		return false;
	c->walk = 0;
	c->io_pos = from;
	ends = rt_walk_lines(c, to);
	c->req_whole = whole;
	return ends && (c->io_pos < to || (c->x.flags & RT_X_RESP_CUT));
}

/* The row that fits a response's first bytes, plus one; 0: none. */
static __noinline u32 rt_turn_resp_row(struct rt_conn *c, u64 d0, u64 d1, u32 have)
{
	u64 data[2] = {d0, d1};
	u32 row = rt_infer(c, data, have, true);

	if (row)
		c->resp_row = rt_cfg.resp_sigs[rt_row_index(row)].flags & RT_SIG_SUCCESS ? row : 0;
	return row;
}

/* What follows an interim response, from io_pos of the heads on: the flags of its row. */
static __noinline u8 rt_turn_mixed_flags(struct rt_conn *c)
{
	u32 from = c->io_pos, have = c->x.req_len + c->x.resp_len - from, row;

	barrier_var(from);
	if (from > RT_HEADS_MAX - RT_SIG_LEN)
		return 0;
	row = rt_turn_resp_row(c, *(u64 *)(c->x.heads + from), *(u64 *)(c->x.heads + from + 8),
			       have);
	return row ? rt_cfg.resp_sigs[rt_row_index(row)].flags : 0;
}

/* It is interim, and more than is kept: what follows it in this operation may be out of sight.
 * `mixed`: something does, from io_pos of the heads on. Returns 0, or when the response began
 * anew RT_ANEW and the flags of its row. */
#define RT_ANEW 0x100

int RT_FN_APART(rt_turn_far_interim)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now,
				     u32 mixed)
{
	struct rt_exchange *x;
	u32 row, off;
	u64 end = 0;

	if (!c || !u)
		return 0;
	x = &c->x;
	off = x->req_len;
	if (mixed)
		end = x->interim_bytes + c->io_pos - off;
	if (!rt_far_interim(c, u, n, now, end) || off > RT_REQ_HEAD_MAX)
		return 0;
	row = rt_turn_resp_row(c, *(u64 *)(x->heads + off), *(u64 *)(x->heads + off + 8), x->resp_len);
	if (!row) {
		c->resp_kind = RT_SIG_NONE;
		return RT_ANEW;
	}
	c->resp_kind = rt_cfg.resp_sigs[rt_row_index(row)].kind;
	return RT_ANEW | rt_cfg.resp_sigs[rt_row_index(row)].flags;
}

/* Decides what the response turn is, from its captured head. Returns the row's flags. */
static __always_inline u8 rt_turn_classify(struct rt_conn *c, const u64 *data, u32 have)
{
	u32 row = c->resp_row;

	/* Most responses are like the last one. Only a success row is remembered:
	 * no row before it in the table could have matched as well. */
	if (!row ||
	    !rt_sig_match((const struct rt_sig *)&rt_cfg.resp_sigs[rt_row_index(row)], data,
			  have)) {
		row = rt_turn_resp_row(c, data[0], data[1], have);
		if (!row)
			return 0;
	}
	c->resp_kind = rt_cfg.resp_sigs[rt_row_index(row)].kind;
	return rt_cfg.resp_sigs[rt_row_index(row)].flags;
}

int RT_FN_HOT(rt_turn_response_bytes)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now)
{
	struct rt_exchange *x;
	u8 flags = 0;
	u32 len, off;
	u64 data[2];

	if (!c || !u)
		return 0;
	x = &c->x;

	if (c->resp_kind == RT_SIG_INTERIM)
		rt_turn_behind_interim(c, u, n);
	if (c->phase == RT_PHASE_REQ) {
		c->phase = RT_PHASE_RESP;
		rt_turn_answers(c, u);
		rt_turn_owner(c, u->pid_tgid);
	}
	if (!x->resp_start)
		x->resp_start = now;
	if (!u->base) {
		x->flags |= RT_X_RESP_BLIND;
		x->tail_len = 0;
	} else {
		x->flags &= ~RT_X_RESP_BLIND;
	}

	len = x->resp_len;
	off = (u32)x->req_len + len;
	if (len < RT_RESP_HEAD_MAX && len == x->resp_bytes - x->interim_bytes)
		x->resp_len = len + rt_uio_copy(c, false, off, RT_RESP_HEAD_MAX - len,
						RT_RESP_HEAD_MAX, u, n);
	x->resp_bytes += n;
	x->resp_end = now;
	if (x->resp_bytes - x->interim_bytes > x->resp_len) {
		x->flags |= RT_X_RESP_CUT;
		if (u->base)
			rt_turn_tail(c, u, n, len);
	}

	if (c->resp_kind == RT_SIG_NONE) {
		off = x->req_len;
		if (off > RT_REQ_HEAD_MAX)
			return 0;
		/* By words, wherever they stand: both processors read them so. */
		data[0] = *(u64 *)(x->heads + off);
		data[1] = *(u64 *)(x->heads + off + 8);
		flags = rt_turn_classify(c, data, x->resp_len);
	}
	if (c->resp_kind == RT_SIG_INTERIM) {
		bool mixed = rt_turn_mixed(c);
		u32 anew = 0;

		if (mixed)
			c->resp_kind = RT_RESP_MIXED;
		if (x->flags & RT_X_RESP_CUT)
			anew = rt_turn_far_interim(c, u, n, now, mixed);
		else if (mixed)
			flags = rt_turn_mixed_flags(c);
		if (anew)
			flags = anew;
		/* Asked here and not in there: calls cannot go deeper on Linux 5.10. */
		if (anew && c->resp_kind == RT_SIG_INTERIM && rt_turn_mixed(c))
			c->resp_kind = RT_RESP_MIXED;
	}
	if ((flags & RT_SIG_UPGRADE) || (c->tunnel && (flags & RT_SIG_SUCCESS))) {
		x->flags |= RT_X_UPGRADED;
		rt_turn_finish(c, now);
		c->phase = RT_PHASE_LEFT;
	}
	return 0;
}

/* A request that has begun with this operation: mostly it is the one before once more, and
 * whole. */
static __always_inline void rt_turn_begun(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now)
{
	if (c->same != RT_SAME_ALL || c->head != RT_HEAD_PLAIN || n != c->fresh ||
	    c->x.req_bytes + n != c->req_whole) {
		rt_turn_request_bytes(c, u, n, now);
		return;
	}
	c->fresh = 0;
	c->x.req_bytes += n;
	c->x.req_end = now;
}

static __always_inline void rt_count_bytes(struct rt_conn *c, u64 n)
{
	/* Of exchanges in progress by the exchange, not by the operation. */
	if (rt_turn_busy(c)) {
		c->uncounted += n;
		if (c->uncounted >= RT_UNCOUNTED_MAX)
			rt_turn_count(c);
	} else {
		rt_stat_add(c->opaque ? RT_STAT_BYTES_OPAQUE : RT_STAT_BYTES_UNKNOWN, n);
	}
}

/* The unclaimed turn's bytes turned out to belong to the exchange in progress. Unless that has
 * its whole request: then they begin the next one, of which more has to come. */
static __always_inline void rt_turn_fold(struct rt_conn *c)
{
	if (c->turn == RT_TURN_OPEN && c->phase == RT_PHASE_RESP && c->x.req_bytes == c->req_whole)
		return;
	if (c->turn == RT_TURN_OPEN && c->phase == RT_PHASE_RESP)
		c->x.req_bytes += c->turn_bytes;
	c->turn = RT_TURN_NONE;
	c->probe_len = 0;
}

static __always_inline bool rt_row_vague(u32 row)
{
	return rt_cfg.req_sigs[rt_row_index(row)].flags & RT_SIG_VAGUE;
}

/* An empty line begins what there is of the turn. */
static __always_inline bool rt_turn_blank(const struct rt_conn *c)
{
	u8 first = c->probe[0];

	return first == '\r' || first == '\n';
}

#define RT_ROW_ANEW 0x100

/*
 * The bytes before this operation may be a late part of the body (the response
 * came by the head alone), and this one the next request; or both are pieces of
 * the next request (Go reads its first byte apart). `row` is what they are
 * together, plus one. Returns what to take them for, with RT_ROW_ANEW when the
 * request begins with this operation.
 */
static __noinline u32 rt_turn_anew(struct rt_conn *c, const struct rt_uio *u, u64 n, u32 row)
{
	u64 first = c->probe[0], second = c->probe[1];
	u32 len = c->probe_len, own;

	/* An empty line before a request does not belong to it: it may have come long before. */
	if (row && !rt_row_vague(row) && !rt_turn_blank(c))
		return row;
	c->probe[0] = c->probe[1] = 0;
	c->probe_len = rt_uio_probe(c, 0, u, n);
	own = rt_infer(c, c->probe, c->probe_len, false);
	if (own && (!row || !rt_row_vague(own))) {
		c->x.req_bytes += c->turn_bytes;
		c->turn_bytes = 0;
		return own | RT_ROW_ANEW;
	}
	c->probe[0] = first;
	c->probe[1] = second;
	c->probe_len = len;
	c->fresh = 0;
	return row;
}

/* It spoke before, and answers, or was silent since (whole.bpf.c), or not even that. */
static __always_inline bool rt_turn_known(const struct rt_conn *c)
{
	return c->phase == RT_PHASE_RESP || c->x.seq;
}

/* Behind a response: whether so few bytes may be the first ones of a request. Not of a few letters
 * where the body was owed, and is whole with them. */
static __always_inline bool rt_turn_may_begin(const struct rt_conn *c)
{
	bool owed = c->req_whole != ~0ull && c->x.req_bytes + c->turn_bytes == c->req_whole;

	return rt_stream_begins(c->probe[0], c->probe[1], c->probe_len, owed);
}

/* The bytes that are there so far are none: too few of them, or no request, whatever row they
 * match; 0: none. */
static __noinline int rt_turn_no_request(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now,
					 u32 row)
{
	bool busy = c->phase == RT_PHASE_RESP;
	u8 kind = row ? rt_cfg.req_sigs[rt_row_index(row)].kind : RT_SIG_NONE;

	if (kind == RT_SIG_PROXY && !rt_turn_known(c)) {
		rt_proxy_enter(c, row);
		return 0;
	}
	/* Encrypted from the start, or another protocol by its preface. */
	if (kind != RT_SIG_NONE && kind != RT_SIG_PROXY && !busy) {
		c->phase = RT_PHASE_LEFT;
		c->opaque = kind == RT_SIG_OPAQUE;
		return 0;
	}
	c->turn_bytes += n;
	c->fresh = 0;
	if (c->probe_len < RT_SIG_LEN && u->base && (!busy || rt_turn_may_begin(c)))
		return 0;

	/* Enough bytes, and no request. */
	c->turn = RT_TURN_UNKNOWN;
	if (busy) {
		c->x.req_bytes += c->turn_bytes;
		c->x.req_end = now;
		return 0;
	}
	if (rt_turn_known(c))
		return 0;
	if (rt_infer(c, c->probe, c->probe_len, true))
		rt_stat_inc(RT_STAT_EXCHANGES_MIDSTREAM);
	else if (++c->misses >= RT_MISSES_MAX)
		c->phase = RT_PHASE_LEFT;
	return 0;
}

/* Where the first line ends of an operation that begins a turn; 0: behind what is in the probe.
 * The loop alone, and a place behind that may be taken for it: for the verifier. */
int RT_FN_APART(rt_turn_line)(struct rt_conn *c)
{
	if (!c)
		return 0;
	for (u32 i = 0; i < RT_REQ_HEAD_MAX; i += 8) {
		u64 ends = rt_bytes_equal(c->probe[i / 8], BYTES('\n'));

		/* An empty line may precede it (RFC 9112, 2.2). */
		if (!i)
			ends &= ~0xffffull;
		if (ends)
			return i + rt_bytes_before(ends);
	}
	return 0;
}

/* What that line is. */
#define RT_LINE_UNKNOWN 0
#define RT_LINE_REQUEST 1 /* it ends in HTTP/1.x */
#define RT_LINE_OTHER	2

static __always_inline u32 rt_turn_line_kind(struct rt_conn *c)
{
	u32 at = rt_turn_line(c);
	const u8 *end;

	if (!at || at >= c->fresh)
		return RT_LINE_UNKNOWN;
	if (at < sizeof("HTTP/1.x\r") - 1)
		return RT_LINE_OTHER;
	/* Old verifiers do not see it. */
	barrier_var(at);
	end = (const u8 *)c->probe + (at & (RT_REQ_HEAD_MAX - 1));
	if (end[-1] == '\r')
		end--;
	return rt_word_is_http1(*(const u64 *)(end - 8)) ? RT_LINE_REQUEST : RT_LINE_OTHER;
}

/* Something is owed of the body, or how long that is is not known, and these bytes, which a row
 * fits, may be what comes of it. Their first line tells more than the row does; what is no longer
 * than that body, and no more than a shape, is taken for it. */
static __noinline bool rt_turn_is_body(struct rt_conn *c, u64 n, u32 row)
{
	u64 owed = c->req_whole - c->x.req_bytes - c->turn_bytes;
	u32 line = rt_turn_line_kind(c);

	if (line == RT_LINE_OTHER)
		return true;
	if (c->req_whole == ~0ull || !rt_row_vague(row))
		return false;
	return n == owed || (n < owed && line != RT_LINE_REQUEST);
}

/*
 * Bytes that open a turn, or carry on one that is not decided yet. Returns 1
 * when they were a request and the exchange has begun.
 */
int RT_FN(rt_turn_open)(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now, u32 dir)
{
	u32 had, row;

	if (!c || !u)
		return 0;
	had = c->probe_len;
	/* After a response, what was no request was a late part of the body. */
	if (c->turn == RT_TURN_NONE || c->turn_dir != dir ||
	    (rt_turn_known(c) && c->turn == RT_TURN_UNKNOWN)) {
		c->turn = RT_TURN_OPEN;
		c->turn_dir = dir;
		c->turn_start = now;
		c->turn_bytes = 0;
		c->probe_len = had = 0;
		c->probe[0] = c->probe[1] = 0;
	}
	if (c->turn == RT_TURN_UNKNOWN || had >= RT_SIG_LEN) {
		c->turn_bytes += n;
		return 0;
	}
	c->probe_len = had + rt_uio_probe(c, had, u, n);

	/* Clients mostly ask the same again. */
	c->same = c->phase == RT_PHASE_RESP && !had ? rt_turn_same(c) : RT_SAME_NONE;
	if (c->same == RT_SAME_ALL || rt_infer_again(c->probe, c->probe_len, c->req_row))
		row = c->req_row;
	else
		row = rt_infer(c, c->probe, c->probe_len, false);
	if (had && (rt_turn_known(c) || rt_turn_blank(c))) {
		row = rt_turn_anew(c, u, n, row);
		if (row & RT_ROW_ANEW) {
			row &= ~RT_ROW_ANEW;
			c->turn_start = now;
			had = 0;
		}
	}
	/* What is the request before once more, if only behind its first line, is no body. */
	if (row && c->same == RT_SAME_NONE && c->phase == RT_PHASE_RESP &&
	    c->x.req_bytes < c->req_whole && rt_turn_is_body(c, n, row))
		row = 0;
	if (row) {
		const struct rt_sig *sig = &rt_cfg.req_sigs[rt_row_index(row)];

		if (sig->kind == RT_SIG_REQUEST && !(sig->flags & RT_SIG_LEAVE)) {
			if (c->phase == RT_PHASE_RESP) {
				/* The client was content, so how the response was
				 * framed does not matter: its status line will do. */
				if (c->resp_kind == RT_SIG_RESPONSE &&
				    c->x.resp_len > RT_STATUS_LEN)
					c->x.resp_len = RT_STATUS_LEN;
				if (!rt_route_count(c))
					rt_turn_finish(c, now);
			}
			rt_turn_begin(c, row, had, u->pid_tgid);
			c->turn = RT_TURN_NONE;
			c->probe_len = 0;
			return 1;
		}
	}
	return rt_turn_no_request(c, u, n, now, row);
}

/* One piece of an operation, behind a response. */
static __always_inline void rt_turn_piece(struct rt_conn *c, const struct rt_uio *u, u64 n,
					  u64 now, u32 dir)
{
	if (c->phase == RT_PHASE_REQ || rt_turn_open(c, u, n, now, dir))
		rt_turn_request_bytes(c, u, n, now);
}

/* The answer came before the body was read, and by the body's length these bytes are what was left
 * of it, whatever they look like. But a client whose head alone was refused may keep the body
 * (RFC 9110, 10.1.1): then it is asked what they look like. */
static __always_inline bool rt_turn_owed(const struct rt_conn *c)
{
	u64 head;

	if (c->req_whole == ~0ull || c->x.req_bytes >= c->req_whole || c->turn == RT_TURN_OPEN)
		return false;
	/* One that goes on behind what is kept ends where far.bpf.c found it. */
	head = c->head_len ? c->head_len : c->req_whole - c->far_body;
	return c->x.req_bytes > head ||
	       (c->resp_kind == RT_SIG_RESPONSE && c->resp_row);
}

/* A head alone was refused, and its client sends the body all the same, with the next request
 * behind it in one operation: what the body's first bytes look like together with those of that,
 * as "nullGET /", says less than that a request begins where the body ends. */
static __noinline bool rt_turn_owed_and_next(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	u64 owed = c->req_whole - c->x.req_bytes, data[2] = {};
	u32 row;

	if (!u->base || n < owed + RT_SIG_LEN || c->turn != RT_TURN_NONE)
		return false;
	if (!rt_uio_peek(data, u)) {
		row = rt_infer(c, data, RT_SIG_LEN, false);
		if (row && !rt_row_vague(row))
			return false;
	}
	rt_pieces_begin(c, u, n, owed);
	if (!rt_stream_piece(c, u) || c->piece_left < RT_SIG_LEN ||
	    bpf_probe_read_user(data, sizeof(data), (void *)c->piece_at))
		return false;
	row = rt_infer(c, data, RT_SIG_LEN, false);
	return row && !rt_row_vague(row);
}

/*
 * The answer came before the body was read, and this operation holds what was left of the
 * body and, behind it, the next request: the place is known where the body's length is. This
 * exchange takes what is its own. Returns how many bytes are left, from piece_at; 0: none.
 */
int RT_FN(rt_turn_split)(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	u64 excess;

	if (!c || !u || !u->base || c->turn == RT_TURN_OPEN || c->req_whole == ~0ull)
		return 0;
	excess = c->x.req_bytes - c->req_whole;
	if (!excess || excess >= n)
		return 0;
	rt_pieces_begin(c, u, n, n - excess);
	if (!rt_stream_piece(c, u))
		return 0;
	c->x.req_bytes = c->req_whole;
	c->turn = RT_TURN_NONE;
	return excess;
}

/* After rt_turn_split() or rt_proxy_skip(). Not a function of its own: calls cannot go deeper on
 * Linux 5.10. */
static __always_inline void rt_turn_behind(struct rt_conn *c, const struct rt_uio *u, u64 excess,
					   u64 now, u32 dir)
{
	struct rt_uio next = {.base = c->piece_at, .pid_tgid = u->pid_tgid,
			      .process = u->process};
	u64 len = c->piece_left < excess ? c->piece_left : excess;
	/* Read before the first piece is handed on: in the legacy object that is where u stands. */
	u32 used = c->piece_next, nr = u->nr > used ? u->nr - used : 0;
	u64 base = nr ? u->base + used * sizeof(struct iovec) : 0;

	nr |= (u32)u->copied << 16;
	rt_turn_piece(c, &next, len, now, dir);
	excess -= len;
	if (!excess)
		return;
	next.base = base;
	next.nr = nr & 0xffff;
	next.copied = nr >> 16;
	/* The first piece may have shown that the connection is pipelined. */
	if (c->phase == RT_PHASE_STREAM)
		rt_stream_data(c, &next, excess, now, 0);
	else
		rt_turn_piece(c, &next, excess, now, dir);
}

/* Before the first request. Returns how many bytes behind a PROXY header there are. */
static __always_inline u32 rt_turn_first(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now,
					 u32 dir)
{
	/* The other side does not wait for the rest of it. */
	if (c->phase == RT_PHASE_PROXY && c->turn_dir != dir)
		c->phase = RT_PHASE_IDLE;
	if (c->phase == RT_PHASE_IDLE && rt_turn_open(c, u, n, now, dir)) {
		rt_turn_request_bytes(c, u, n, now);
		return 0;
	}
	return c->phase == RT_PHASE_PROXY ? rt_proxy_skip(c, u, n) : 0;
}

/* Between the first request and the end. Returns how many bytes are the next request's, behind
 * this one's body. */
static __always_inline u32 rt_turn_go_on(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now,
					 u32 dir)
{
	bool request = (c->x.role == RT_ROLE_SERVER) == (dir == RT_RECV);

	if (c->phase == RT_PHASE_STREAM) {
		if (!request) {
			rt_turn_answers(c, u);
			rt_turn_owner(c, u->pid_tgid);
		}
		if (rt_stream_data(c, u, n, now, !request)) {
			c->x.flags |= RT_X_UPGRADED;
			rt_turn_finish(c, now);
			c->phase = RT_PHASE_LEFT;
		}
		return 0;
	}
	if (!request) {
		rt_turn_fold(c);
		rt_turn_response_bytes(c, u, n, now);
		return 0;
	}
	rt_seq_add_unseen(c, n);
	if (c->phase == RT_PHASE_REQ) {
		rt_turn_request_bytes(c, u, n, now);
		return 0;
	}
	/* After response bytes: the next request, or a late part of this one's
	 * body. After an interim response alone only the body can come; unless it is so long that
	 * the final one may stand behind it, unseen, and nothing is left of the body. */
	if (c->resp_kind == RT_SIG_INTERIM &&
	    !((c->x.flags & RT_X_RESP_CUT) && c->x.req_bytes == c->req_whole)) {
		c->x.req_bytes += n;
		c->x.req_end = now;
		return 0;
	}
	if (rt_turn_owed(c) ||
	    (c->x.req_bytes < c->req_whole && c->req_whole != ~0ull &&
	     rt_turn_owed_and_next(c, u, n))) {
		c->x.req_bytes += n;
		c->x.req_end = now;
	} else if (rt_turn_open(c, u, n, now, dir)) {
		rt_turn_begun(c, u, n, now);
		return 0;
	}
	return rt_turn_split(c, u, n);
}

static __always_inline void rt_on_data_locked(struct rt_conn *c, const struct rt_uio *u, u64 n,
					      u32 dir)
{
	u64 now = bpf_ktime_get_ns();
	u32 excess;

	if (c->phase == RT_PHASE_IDLE || c->phase == RT_PHASE_PROXY)
		excess = rt_turn_first(c, u, n, now, dir);
	else
		excess = rt_turn_go_on(c, u, n, now, dir);
	if (excess)
		rt_turn_behind(c, u, excess, now, dir);
	if (dir == RT_RECV)
		rt_seq_remember(c);
	/* A second header behind the first in one operation is dropped; the next operation is looked
	 * at afresh. */
	if (excess && c->phase == RT_PHASE_PROXY) {
		c->phase = RT_PHASE_IDLE;
		c->turn = RT_TURN_NONE;
	}
}

/* The close came in an interrupt while this CPU held the lock, or the sweep did. */
int RT_FN_APART(rt_on_gone)(struct rt_conn *c)
{
	u64 sk;

	if (!c || !rt_turn_busy(c))
		return 0;
	sk = c->sk;
	if (!rt_conn_lock(c)) {
		rt_turn_closing(c, sk);
		return 0;
	}
	c->closing = 0;
	if (rt_turn_busy(c)) {
		c->x.flags |= RT_X_CLOSED;
		rt_turn_finish(c, bpf_ktime_get_ns());
	}
	rt_conn_unlock(c);
	return 0;
}

int RT_FN_APART(rt_on_earlier)(struct rt_conn *c, u64 was, u32 ino)
{
	if (!c || !rt_conn_lock_of(c, was))
		return 0;
	if (c->ino == ino) {
		rt_conn_unlock(c);
		return 0;
	}
	if (rt_turn_busy(c)) {
		c->x.flags |= RT_X_LOCAL_FIN | RT_X_CLOSED;
		rt_turn_finish(c, bpf_ktime_get_ns());
	}
	return 1;
}

/* Whether the task moves bytes for io_uring: as one of its workers, or on the way
 * out of whatever call it is in. Calls without a user buffer of their own aside. */
static __always_inline bool rt_task_in_ring(void)
{
	struct task_struct *task = rt_task();
	int nr;

	if (RT_TASK_READ(task, flags) & RT_PF_IO_WORKER)
		return true;
	if (!bpf_core_field_exists(task->io_uring) || !RT_TASK_READ(task, io_uring))
		return false;
	nr = RT_REGS_NR(rt_task_regs(task));
	return nr != RT_NR_sendfile && nr != RT_NR_splice;
}

/* An operation whose bytes cannot be read. */
RT_SCALAR int rt_on_blind(u32 dropped)
{
	rt_stat_inc(!dropped && rt_task_in_ring() ? RT_STAT_BLIND_RING : RT_STAT_BLIND_OPS);
	return 0;
}

int RT_FN(rt_on_data)(struct rt_conn *c, const struct rt_uio *u, u64 n, u32 dir)
{
	if (!c || !u)
		return 0;
	if (!u->base)
		rt_on_blind(u->dropped);
	if (c->phase == RT_PHASE_LEFT) {
		rt_count_bytes(c, n);
		return 0;
	}
	if (!rt_conn_lock(c))
		return rt_stat_note(RT_STAT_LOST_CONTENDED);
	rt_on_data_locked(c, u, n, dir);
	rt_count_bytes(c, n);
	rt_conn_unlock(c);
	if (c->closing)
		rt_on_gone(c);
	return 0;
}

int RT_FN(rt_on_nothing)(struct rt_conn *c, u32 dir, int ret)
{
	bool over;
	u32 flag = 0;

	if (!c || !rt_turn_busy(c))
		return 0;
	if (dir == RT_RECV && ret == 0)
		flag = RT_X_PEER_FIN;
	else if (ret == -RT_ECONNRESET || ret == -RT_EPIPE)
		flag = RT_X_RESET;
	else if (rt_err_timed_out(-ret))
		flag = RT_X_TIMED_OUT;
	if (!flag || !rt_conn_lock(c))
		return 0;
	if (rt_turn_busy(c)) {
		/* A client that read the end of the stream has all it will ever get,
		 * though it may keep its own half open. To a server it means nothing
		 * yet: the client may only have closed its sending half. */
		over = flag == RT_X_PEER_FIN && c->x.role == RT_ROLE_CLIENT;
		c->x.flags |= flag;
		if (!c->x.end && (over || flag != RT_X_PEER_FIN))
			c->x.end = bpf_ktime_get_ns();
		if (over) {
			c->x.flags |= RT_X_CLOSED;
			rt_turn_close(c, c->x.end);
		}
	}
	rt_conn_unlock(c);
	if (c->closing)
		rt_on_gone(c);
	return 0;
}

#ifdef RT_LEGACY
RT_LEGACY_TURN(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
