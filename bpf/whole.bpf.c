// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Exchanges that no next request ends, counted in place where their response is whole by its
 * own head (RFC 9112, section 6.3): those that have gone silent, which the sweep asks of, and
 * those that the end of the connection ends. All others are for user space to tell; what is
 * said here to be whole, user/red/finish.c must judge the same.
 */
#include "lib/maps.bpf.h"

#include "lib/route.bpf.h"
#include "lib/turn.bpf.h"
#include "lib/whole.bpf.h"

/* No field tells of a body. */
#define RT_BODY_UNSAID (RT_LENGTH_UNKNOWN - 1)

static __always_inline bool rt_asked_for_head(const struct rt_conn *c)
{
	const u8 *at = c->x.heads;

	return at[0] == 'H' && at[1] == 'E' && at[2] == 'A' && at[3] == 'D' && at[4] == ' ';
}

/* Returns how long the response's head is; 0: its end was not captured. In *body what it
 * says of the length of what follows: RT_BODY_UNSAID, RT_LENGTH_CHUNKS, RT_LENGTH_UNKNOWN. */
static __always_inline u32 rt_answer_head(struct rt_conn *c, u64 *body)
{
	u64 request = c->req_whole;
	u32 from = c->x.req_len, status;
	bool ends;

	c->req_whole = RT_BODY_UNSAID;
	c->walk = from < RT_REQ_HEAD_MAX && c->x.heads[from + 7] != '0' ? RT_WALK_ANSWER : 0;
	c->io_pos = from;
	ends = rt_walk_lines(c, from + c->x.resp_len);
	*body = c->req_whole;
	c->req_whole = request;
	status = rt_route_status(c);
	if (status == 204 || status == 304 || rt_asked_for_head(c))
		*body = 0;
	return ends ? c->io_pos - from : 0;
}

/* Whether it may be counted at all; what rt_route_count() asks is not asked here. */
static __always_inline bool rt_answered(const struct rt_conn *c)
{
	/* Bytes that wait for more of their kind may be a late part of the body. */
	if (!rt_cfg.route_seed || c->phase != RT_PHASE_RESP || c->turn != RT_TURN_NONE)
		return false;
	return c->resp_kind == RT_SIG_RESPONSE && c->head == RT_HEAD_PLAIN;
}

/* The end of a body in chunks, behind the last one's data. */
#define RT_CHUNKS_END	  "\r\n0\r\n\r\n"
#define RT_CHUNKS_END_LEN (sizeof(RT_CHUNKS_END) - 1)
/* A body of more chunks than that is for user space to tell. */
#define RT_CHUNKS_MAX	32
#define RT_CHUNK_DIGITS 3

/* What one chunk leads to. */
#define RT_CHUNK_ODD  0
#define RT_CHUNK_NEXT 1
#define RT_CHUNK_LAST 2

static __always_inline bool rt_line_ends(const struct rt_conn *c, u64 at)
{
	return at < sizeof(c->x.heads) - 1 && c->x.heads[at] == '\r' && c->x.heads[at + 1] == '\n';
}

/* The chunk at io_pos of a body that is captured up to `to`: its size, a line end, the data
 * and another; nothing more (RFC 9112, section 7.1). Goes on to the next one. A function of
 * its own, with its numbers in the state, for the verifier. */
int RT_FN(rt_chunk)(struct rt_conn *c, u32 to)
{
	u64 at, first;

	if (!c)
		return RT_CHUNK_ODD;
	first = c->io_pos;
	c->io_left = 0;
	for (u32 i = 0; i < RT_CHUNK_DIGITS; i++) {
		u8 digit;

		at = *(volatile u64 *)&c->io_pos;
		if (at >= sizeof(c->x.heads))
			return RT_CHUNK_ODD;
		digit = c->x.heads[at] - '0';
		if (digit > 9) {
			digit = (c->x.heads[at] | 0x20) - 'a';
			if (digit > 5)
				break;
			digit += 10;
		}
		c->io_left = *(volatile u64 *)&c->io_left << 4 | digit;
		c->io_pos = at + 1;
	}
	at = *(volatile u64 *)&c->io_pos;
	if (at == first || !rt_line_ends(c, at))
		return RT_CHUNK_ODD;
	at += 2 + *(volatile u64 *)&c->io_left;
	if (at + 2 > to || !rt_line_ends(c, at))
		return RT_CHUNK_ODD;
	c->io_pos = at + 2;
	if (c->io_left)
		return RT_CHUNK_NEXT;
	return at + 2 == to ? RT_CHUNK_LAST : RT_CHUNK_ODD;
}

static __always_inline bool rt_chunks_walk(struct rt_conn *c, u32 to)
{
	for (u32 i = 0; i < RT_CHUNKS_MAX; i++) {
		int what = rt_chunk(c, to);

		if (what != RT_CHUNK_NEXT)
			return what == RT_CHUNK_LAST;
	}
	return false;
}

/* Whether all of a body in chunks came, which begins at io_pos. */
static __always_inline bool rt_chunks_whole(struct rt_conn *c)
{
	const struct rt_exchange *x = &c->x;
	const u8 *end = x->tail + RT_TAIL_MAX - RT_CHUNKS_END_LEN;

	if (!(x->flags & RT_X_RESP_CUT))
		return rt_chunks_walk(c, (u32)x->req_len + x->resp_len);
	if ((x->flags & RT_X_RESP_BLIND) || x->tail_len != RT_TAIL_MAX)
		return false;
	for (u32 i = 0; i < RT_CHUNKS_END_LEN; i++)
		if (end[i] != RT_CHUNKS_END[i])
			return false;
	return true;
}

int RT_FN(rt_silent_slot)(struct rt_conn *c)
{
	bool whole;
	u64 body;
	u32 head;

	if (!c || !rt_answered(c) || !c->head_len)
		return 0;
	head = rt_answer_head(c, &body);
	if (!head)
		return 0;
	if (body == RT_LENGTH_CHUNKS)
		whole = rt_chunks_whole(c);
	else
		whole = body < RT_LENGTH_CHUNKS && head + body == c->x.resp_bytes;
	return whole ? rt_route_slot(c) : 0;
}

static __always_inline bool rt_closed_by_sender(const struct rt_exchange *x)
{
	return x->flags & (x->role == RT_ROLE_SERVER ? RT_X_LOCAL_FIN : RT_X_PEER_FIN);
}

int RT_FN(rt_closed_count)(struct rt_conn *c)
{
	const u32 broken = RT_X_RESET | RT_X_LOCAL_RESET | RT_X_TIMED_OUT;
	struct rt_exchange *x;
	bool whole;
	u64 body;
	u32 head;

	if (!c || !rt_answered(c) || (c->x.flags & broken))
		return 0;
	x = &c->x;
	head = rt_answer_head(c, &body);
	if (body < RT_LENGTH_CHUNKS)
		whole = (head ? head : x->resp_len) + body <= x->resp_bytes;
	else if (body == RT_LENGTH_CHUNKS)
		whole = rt_chunks_whole(c);
	else /* where the head goes on behind it, nothing that is kept speaks against that */
		whole = body == RT_BODY_UNSAID && (!head || rt_closed_by_sender(x));
	if (!head && !(x->flags & RT_X_RESP_CUT))
		return 0;
	if (!whole || !rt_route_count(c))
		return 0;
	rt_turn_count(c);
	c->phase = RT_PHASE_IDLE;
	return 1;
}

#ifdef RT_LEGACY
RT_LEGACY_WHOLE(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
