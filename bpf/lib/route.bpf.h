/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counting a finished exchange in place, without a record; route.bpf.c does the work. */
#ifndef REDTAP_ROUTE_BPF_H
#define REDTAP_ROUTE_BPF_H

#include "lib/maps.bpf.h"
#include "lib/task.bpf.h"

/* Of a body. */
#define RT_LENGTH_UNKNOWN (~0ull)
#define RT_LENGTH_CHUNKS  (~0ull - 2) /* of an answer, in chunks and nothing else */

/* What a walk over a head still looks for, and what it has found (rt_conn.walk). */
enum rt_walk {
	RT_WALK_FIRST = 1 << 0,	 /* the end of a request's first line */
	RT_WALK_HOST = 1 << 1,	 /* the field Host */
	RT_WALK_ODD = 1 << 2,	 /* no plain request: only where it ends is wanted */
	RT_WALK_DIGITS = 1 << 3, /* there are digits in the path */
	RT_WALK_ANSWER = 1 << 4, /* the head is an answer's */
	RT_WALK_LENGTH = 1 << 5, /* a line told the length of the body, if it is 0 */
};

/* Walks over the lines of a head, from io_pos up to `to`, both counted from the beginning
 * of the heads. Returns 1 when it came to the end of the head, which is then in io_pos;
 * in req_whole stands what a line says of the body's length. */
int rt_walk_lines(struct rt_conn *c, u32 to);

/* Looks at the captured head once it is whole: where it and its body end, and what
 * the rules need to know of it. */
int rt_route_head(struct rt_conn *c);

/* The exchange ended with a full response, as the next request began. Returns 1
 * when it is counted; 0: a record must tell of it. */
int rt_route_count(struct rt_conn *c);

/* The same in two steps: where it is counted, a slot plus one, or 0; and the counting there. */
int rt_route_slot(struct rt_conn *c);
int rt_route_add(struct rt_conn *c, u32 slot);

/* The record of such an exchange was lost. Returns 1 when it is counted all the
 * same, without its route. */
int rt_route_lost(struct rt_conn *c);

/* 0: it is none, for user space to tell. */
static __always_inline u32 rt_route_status(const struct rt_conn *c)
{
	u32 at = c->x.req_len, hundreds, tens, ones;
	const u8 *p;

	if (at > RT_REQ_HEAD_MAX)
		return 0;
	/* Old verifiers forget that, where it stood on the stack meanwhile. */
	barrier_var(at);
	at &= 2 * RT_REQ_HEAD_MAX - 1;
	p = c->x.heads + at + 9;
	hundreds = p[0] - '0';
	tens = p[1] - '0';
	ones = p[2] - '0';
	if (hundreds - 1 > 8 || tens > 9 || ones > 9)
		return 0;
	if (p[3] != ' ' && p[3] != '\r' && p[3] != '\n')
		return 0;
	return hundreds * 100 + tens * 10 + ones;
}

#endif /* REDTAP_ROUTE_BPF_H */
