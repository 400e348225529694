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
#include "lib/word.bpf.h"

/* No field tells of a body. */
#define RT_BODY_UNSAID (RT_LENGTH_UNKNOWN - 1)

/* One word of the response's head. Returns 1 at its end, which is then in io_pos. By
 * itself, with what it carries in the state: see rt_walk_word(). */
int RT_FN(rt_answer_word)(struct rt_conn *c, u32 i)
{
	u64 w, lf, cr, blank;
	u32 from, len, line;

	if (!c || i >= RT_RESP_HEAD_MAX / 8)
		return 1;
	from = c->x.req_len;
	len = c->x.resp_len;
	if (i * 8 >= len || from > RT_REQ_HEAD_MAX)
		return 1;
	w = *(const u64 *)(c->x.heads + from + i * 8);
	if (len - i * 8 < 8)
		w &= (1ull << (8 * (len & 7))) - 1;
	lf = rt_bytes_equal(w, BYTES('\n'));
	if (!lf) {
		c->lf_before = 0;
		return 0;
	}
	line = from + i * 8 + rt_bytes_before(lf) + 1;
	if (line < sizeof(c->x.heads) && rt_line_tells_body(c, line))
		rt_walk_body(c, line);
	cr = rt_bytes_equal(w, BYTES('\r'));
	blank = rt_word_blank(lf, cr, c->lf_before, c->cr_before);
	if (blank) {
		c->io_pos = i * 8 + rt_bytes_before(blank) + 1;
		return 1;
	}
	c->lf_before = lf;
	c->cr_before = cr;
	return 0;
}

static __always_inline bool rt_asked_for_head(const struct rt_conn *c)
{
	const u8 *at = c->x.heads;

	return at[0] == 'H' && at[1] == 'E' && at[2] == 'A' && at[3] == 'D' && at[4] == ' ';
}

/* How long the response is by its own head; RT_LENGTH_UNKNOWN: it does not tell. */
static __always_inline u64 rt_answer_length(struct rt_conn *c)
{
	u64 request = c->req_whole, body;
	u32 status;

	c->req_whole = RT_BODY_UNSAID;
	c->io_pos = 0;
	c->lf_before = 0;
	for (u32 i = 0; i < RT_RESP_HEAD_MAX / 8; i++) {
		if (rt_answer_word(c, i))
			break;
	}
	body = c->req_whole;
	c->req_whole = request;
	if (!c->io_pos)
		return RT_LENGTH_UNKNOWN;
	status = rt_route_status(c);
	if (status == 204 || status == 304 || rt_asked_for_head(c))
		return c->io_pos;
	return body < RT_BODY_UNSAID ? c->io_pos + body : RT_LENGTH_UNKNOWN;
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
