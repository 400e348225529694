/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Counting a finished exchange in place, without a record; route.bpf.c does the work. */
#ifndef REDTAP_ROUTE_BPF_H
#define REDTAP_ROUTE_BPF_H

#include "lib/maps.bpf.h"
#include "lib/task.bpf.h"
#include "lib/word.bpf.h"

/* Names of fields as words, in lower case (also the signs: '-' and ':' keep bit 5). */
#define RT_WORD(a, b, c, d, e, f, g, h)                                                            \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 |             \
	 (u64)(f) << 40 | (u64)(g) << 48 | (u64)(h) << 56)
#define RT_WORD_CONTENT	  RT_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-')
#define RT_WORD_LENGTH	  RT_WORD('l', 'e', 'n', 'g', 't', 'h', ':', 0)
#define RT_WORD_TRANSFER  RT_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r')
#define RT_LENGTH_DIGITS  24
#define RT_LENGTH_UNKNOWN (~0ull)

/* Looks at the captured head once it is whole: where it and its body end, and what
 * the rules need to know of it. */
int rt_route_head(struct rt_conn *c);

/* The exchange ended with a full response, as the next request began. Returns 1
 * when it is counted; 0: a record must tell of it. */
int rt_route_count(struct rt_conn *c);

/* The record of such an exchange was lost. Returns 1 when it is counted all the
 * same, without its route. */
int rt_route_lost(struct rt_conn *c);

/* Whether the request that begins, fresh in the probe, has the head of the one before it. */
int rt_route_same(struct rt_conn *c);

/* A line of a head at `line` tells where the body ends (RFC 9112, section 6): what it says
 * goes to req_whole. */
int rt_walk_body(struct rt_conn *c, u32 line);

/* Whether it may be such a line. It begins within the heads. */
static __always_inline bool rt_line_tells_body(const struct rt_conn *c, u32 line)
{
	u64 w = *(const u64 *)(c->x.heads + line) | BYTES(0x20);

	return w == RT_WORD_CONTENT || w == RT_WORD_TRANSFER;
}

/* 0: it is none, for user space to tell. */
static __always_inline u32 rt_route_status(const struct rt_conn *c)
{
	u32 at = c->x.req_len, hundreds, tens, ones;
	const u8 *p;

	if (at > RT_REQ_HEAD_MAX)
		return 0;
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

/* Tells processes apart that have the same pid one after another, or that have
 * become another program by exec. */
static __always_inline u64 rt_task_identity(void)
{
	struct task_struct *task = rt_task();
	struct task_struct *leader = RT_TASK_READ(task, group_leader);

	return RT_TASK_READ(leader, start_boottime) ^ RT_TASK_READ(task, self_exec_id) << 56;
}

#endif /* REDTAP_ROUTE_BPF_H */
