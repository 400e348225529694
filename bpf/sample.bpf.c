// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Samples: of the requests that are counted in place (route.bpf.c), some are told of by a
 * record as well: failed ones, slow ones, and of all a few, each at a rate per service.
 * They are the first that a ring gives up that fills: half of it is for the others.
 */
#include "lib/maps.bpf.h"

#include "lib/sample.bpf.h"
#include "lib/turn.bpf.h"

static __always_inline u32 rt_sample_why(const struct rt_conn *c, struct rt_sampler *s, u32 status)
{
	bool slow = c->x.resp_end - c->x.req_start > s->slow_ns;

	if (slow)
		__sync_fetch_and_add(&s->slow, 1);
	if (status >= (c->x.role == RT_ROLE_SERVER ? 500 : 400))
		return RT_SAMPLE_FAILED;
	return slow ? RT_SAMPLE_SLOW : RT_SAMPLE_ANY;
}

int RT_FN(rt_sample)(struct rt_conn *c, u32 slot, u32 status)
{
	struct rt_sampler *s;
	u32 why, taken, index, size;
	u64 *of;

	if (!c)
		return 0;
	of = bpf_map_lookup_elem(&rt_sampler_of, &slot);
	if (!of || !*of)
		return 0;
	index = *of;
	s = bpf_map_lookup_elem(&rt_samplers, &index);
	if (!s)
		return 0;
	why = rt_sample_why(c, s, status);
	barrier_var(why);
	taken = rt_sample_take(s, why, rt_cfg.sample_every_ns, c->x.resp_end);
	if (!taken)
		return 0;
	c->x.flags |= RT_X_SAMPLE;
	size = rt_exchange_size(&c->x);
	if (size > sizeof(c->x))
		return 0;
	/* So far that the consumer is woken. */
	if (rt_ring_fill() > rt_cfg.ring_wake + RT_WAKE_WINDOW ||
	    bpf_ringbuf_output(&rt_ring, &c->x, size, rt_ring_flags())) {
		rt_stat_inc(RT_STAT_SAMPLES_THINNED);
		return 0;
	}
	rt_stat_inc(RT_STAT_RECORDS);
	rt_stat_inc(RT_STAT_SAMPLES_ANY + taken - 1);
	return 0;
}

#ifdef RT_LEGACY
RT_LEGACY_SAMPLE(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
