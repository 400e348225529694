/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* What the sweep shares with the state machine. */
#ifndef REDTAP_TURN_BPF_H
#define REDTAP_TURN_BPF_H

#include "lib/maps.bpf.h"
#include "lib/stat.bpf.h"

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

#endif /* REDTAP_TURN_BPF_H */
