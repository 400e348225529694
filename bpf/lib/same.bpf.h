/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Whether a request is the one before it on the connection once more. For turn.bpf.c alone. */
#ifndef REDTAP_SAME_BPF_H
#define REDTAP_SAME_BPF_H

#include "lib/maps.bpf.h"

static __always_inline bool rt_same_all(const struct rt_conn *c, u32 len)
{
	u64 differ;
	u32 at;

	if (len != c->x.req_len)
		return false;
	for (u32 i = 0; i < RT_REQ_HEAD_MAX / 8; i++) {
		if (i >= len / 8)
			break;
		if (c->probe[i] != *(const u64 *)(c->x.heads + i * 8))
			return false;
	}
	/* Read back: to the verifier, all lengths are one then. */
	len = *(const volatile u32 *)&c->fresh;
	if (!(len & 7))
		return true;
	at = len & (RT_REQ_HEAD_MAX - 8);
	differ = *(const u64 *)((const u8 *)c->probe + at) ^ *(const u64 *)(c->x.heads + at);
	return !(differ << (64 - 8 * (len & 7)));
}

static __always_inline bool rt_same_word(const struct rt_conn *c, u32 here, u32 there)
{
	barrier_var(here);
	barrier_var(there);
	if (here > RT_REQ_HEAD_MAX - 8 || there > RT_REQ_HEAD_MAX - 8)
		return false;
	return *(const u64 *)((const u8 *)c->probe + here) == *(const u64 *)(c->x.heads + there);
}

/* The last word overlaps with the one before it. */
static __always_inline bool rt_same_tail(const struct rt_conn *c, u32 len)
{
	u32 old = c->line_end, tail = c->head_len - old, new = len - tail, last = tail - 8;

	if (c->head != RT_HEAD_PLAIN || c->x.role != RT_ROLE_SERVER || tail < 8 || tail >= len)
		return false;
	if (c->head_len != c->x.req_len || c->req_whole != c->head_len)
		return false;
	for (u32 i = 0; i < RT_REQ_HEAD_MAX; i += 8) {
		if (i >= last)
			break;
		if (!rt_same_word(c, new + i, old + i))
			return false;
	}
	return rt_same_word(c, new + last, old + last);
}

/* Compares the request that begins, fresh in the probe, with the one before it, which stands
 * in the heads: enum rt_same. */
int RT_FN_HOT(rt_turn_same)(struct rt_conn *c)
{
	u32 len;

	if (!c)
		return 0;
	len = c->fresh;
	if (!len)
		return RT_SAME_NONE;
	if (rt_same_all(c, len))
		return RT_SAME_ALL;
	return rt_same_tail(c, len) ? RT_SAME_TAIL : RT_SAME_NONE;
}

#endif /* REDTAP_SAME_BPF_H */
