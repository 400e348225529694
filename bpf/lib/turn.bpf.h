/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What others share with the state machine. */
#ifndef REDTAP_TURN_BPF_H
#define REDTAP_TURN_BPF_H

#include "lib/maps.bpf.h"
#include "lib/stat.bpf.h"
#include "lib/whole.bpf.h"

/* The record's length; bounded anew, for the verifier. */
static __always_inline u32 rt_exchange_size(struct rt_exchange *x)
{
	u32 req_len = x->req_len, resp_len = x->resp_len, size;

	if (req_len > RT_REQ_HEAD_MAX)
		req_len = RT_REQ_HEAD_MAX;
	if (resp_len > RT_RESP_HEAD_MAX)
		resp_len = RT_RESP_HEAD_MAX;
	size = __builtin_offsetof(struct rt_exchange, heads) + req_len + resp_len;
	x->size = size;
	return size;
}

/* No wakeup per record: the consumer comes by time. It is woken when the fill
 * level passes a mark (a window, as one record may step over a line). */
#define RT_WAKE_WINDOW 2048

static __always_inline u64 rt_ring_fill(void)
{
	return bpf_ringbuf_query(&rt_ring, BPF_RB_AVAIL_DATA);
}

static __always_inline u64 rt_ring_flags(void)
{
	u64 over = rt_ring_fill() - rt_cfg.ring_wake;

	return over < RT_WAKE_WINDOW ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

/* Bytes of an exchange in progress that may wait to be counted. */
#define RT_UNCOUNTED_MAX 65536

static __always_inline void rt_turn_count(struct rt_conn *c)
{
	if (c->uncounted)
		rt_stat_add(RT_STAT_BYTES_PARSED, c->uncounted);
	c->uncounted = 0;
}

/* The exchange is over: its record goes up, or it is counted in place. */
int rt_turn_finish(struct rt_conn *c, u64 now);

/* The connection ends the exchange. Not where rt_on_gone() finds that out, rarely: calls
 * cannot go deeper than from here on. */
static __always_inline void rt_turn_close(struct rt_conn *c, u64 now)
{
	if (!rt_closed_count(c))
		rt_turn_finish(c, now);
}

/* A close of `sk` that came while somebody had the lock, who sees to it then. Unless the state
 * went meanwhile, and its memory is another socket's. */
static __always_inline void rt_turn_closing(struct rt_conn *c, u64 sk)
{
	if (c->sk == sk)
		c->closing = 1;
}

#endif /* REDTAP_TURN_BPF_H */
