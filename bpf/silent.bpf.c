// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Exchanges that have gone silent, counted in place: most connections rest between two
 * requests, and what ended is not known to have until the next one begins. Called by the
 * sweep, so this is not paid for per request. Where the head of the response tells its
 * length and every byte is there, nothing can follow; all others are reported, for user
 * space to tell (RFC 9112, section 6.3).
 */
#include "lib/maps.bpf.h"

#include "lib/route.bpf.h"
#include "lib/silent.bpf.h"
#include "lib/turn.bpf.h"

/* No field tells of a body. */
#define RT_BODY_UNSAID (RT_LENGTH_UNKNOWN - 1)

static __always_inline bool rt_asked_for_head(const struct rt_conn *c)
{
	const u8 *at = c->x.heads;

	return at[0] == 'H' && at[1] == 'E' && at[2] == 'A' && at[3] == 'D' && at[4] == ' ';
}

/* How long the response is by its own head; RT_LENGTH_UNKNOWN: it does not tell. */
static __always_inline u64 rt_answer_length(struct rt_conn *c)
{
	u64 request = c->req_whole, length, body;
	u32 from = c->x.req_len, status;
	bool whole;

	c->req_whole = RT_BODY_UNSAID;
	c->walk = 0;
	c->io_pos = from;
	whole = rt_walk_lines(c, from + c->x.resp_len);
	body = c->req_whole;
	c->req_whole = request;
	if (!whole)
		return RT_LENGTH_UNKNOWN;
	length = c->io_pos - from;
	status = rt_route_status(c);
	if (status == 204 || status == 304 || rt_asked_for_head(c))
		return length;
	return body < RT_BODY_UNSAID ? length + body : RT_LENGTH_UNKNOWN;
}

int RT_FN(rt_silent_count)(struct rt_conn *c)
{
	/* Bytes that wait for more of their kind may be a late part of the body. */
	if (!c || !rt_cfg.route_seed || c->phase != RT_PHASE_RESP || c->turn != RT_TURN_NONE)
		return 0;
	if (c->resp_kind != RT_SIG_RESPONSE || c->head != RT_HEAD_PLAIN || !c->head_len)
		return 0;
	if (rt_answer_length(c) != c->x.resp_bytes || !rt_route_count(c))
		return 0;
	c->phase = RT_PHASE_IDLE;
	return 1;
}

#ifdef RT_LEGACY
RT_LEGACY_SILENT(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
