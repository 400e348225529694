/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of requests that are counted in place, as bpf/route.bpf.c does it: rules,
 * cells and histograms in arrays, and connections that remember where they counted last. Keys
 * are small numbers here; one stripe.
 */
#ifndef TEST_KERNEL_HELPER_H
#define TEST_KERNEL_HELPER_H

#include <errno.h>
#include <string.h>

#include "red/learn.h"

#define K_KEYS	32768
#define K_SLOTS 512
#define K_CONNS 4

static const u64 k_bounds[] = {
#define B(ns) ns,
	RT_DURATION_BOUNDS(B)
#undef B
};

static const u64 k_sizes[] = {
#define B(n) n,
	RT_SIZE_BOUNDS(B)
#undef B
};

struct k_conn {
	u64 key;
	u32 moved;
	u16 status;
	u16 slot;
};

struct k_request {
	u64 duration, ttfb, request, response;
};

struct kernel {
	struct rt_rule rules[K_KEYS];
	struct rt_cell cells[K_SLOTS];
	struct rt_hist hists[K_SLOTS];
	struct k_conn conns[K_CONNS];
	u32 moved, nr_rules, puts, dels;
	bool fail_put, fail_hist;
	/* Called while a histogram is read, its bins copied, what lies behind them not yet. */
	void (*meanwhile)(struct kernel *k);
};

static int k_put(void *ctx, const struct rt_rule *rule, bool fresh)
{
	struct kernel *k = ctx;
	struct rt_rule *r = &k->rules[rule->key];

	if (k->fail_put)
		return -ENOMEM;
	if (fresh && r->key)
		return -EEXIST;
	k->nr_rules += !r->key;
	k->puts++;
	*r = *rule;
	return 0;
}

static int k_get(void *ctx, u64 key, struct rt_rule *ret)
{
	struct kernel *k = ctx;

	*ret = k->rules[key];
	return ret->key ? 0 : -ENOENT;
}

static int k_del(void *ctx, u64 key)
{
	struct kernel *k = ctx;

	if (!k->rules[key].key)
		return -ENOENT;
	k->nr_rules--;
	k->dels++;
	k->rules[key].key = 0;
	return 0;
}

static void k_rules_moved(void *ctx)
{
	((struct kernel *)ctx)->moved++;
}

static void k_sums(void *ctx, u32 slot, struct rt_cell *ret)
{
	*ret = ((struct kernel *)ctx)->cells[slot];
}

static int k_hist(void *ctx, u32 slot, struct rt_hist *ret)
{
	struct kernel *k = ctx;
	void (*meanwhile)(struct kernel *) = k->meanwhile;

	if (k->fail_hist)
		return -EIO;
	*ret = k->hists[slot];
	if (meanwhile) {
		size_t at = offsetof(struct rt_hist, duration_over);

		k->meanwhile = NULL;
		meanwhile(k);
		memcpy((char *)ret + at, (char *)&k->hists[slot] + at, sizeof(*ret) - at);
	}
	return 0;
}

static const struct rt_learn_ops k_ops = {
	.put = k_put,
	.get = k_get,
	.del = k_del,
	.moved = k_rules_moved,
	.sums = k_sums,
	.hist = k_hist,
};

/* The slot plus one; 0: the request goes up as a record. */
static inline u32 k_find(struct kernel *k, u32 conn, u64 key, u16 status)
{
	struct k_conn *c = &k->conns[conn];
	struct rt_rule *r = &k->rules[key];

	if (c->key == key && c->status == status && c->moved == k->moved)
		return c->slot + 1u;
	if (!r->key)
		return 0;
	for (u32 i = 0; i < RT_RULE_WAYS; i++) {
		if (r->status[i] != status)
			continue;
		r->used = 1;
		*c = (struct k_conn){key, k->moved, status, r->slot[i]};
		return r->slot[i] + 1u;
	}
	return 0;
}

static inline void k_observe(u32 *bins, u32 *over, u64 ns)
{
	u32 bin = rt_hist_bin(ns);

	bins[bin]++;
	for (u32 i = 0; i < RT_NR_DURATION_BOUNDS; i++)
		if (rt_hist_bin(k_bounds[i]) == bin && ns > k_bounds[i])
			over[i]++;
}

static inline void k_add(struct kernel *k, u32 slot, const struct k_request *q)
{
	struct rt_hist *h = &k->hists[slot];
	struct rt_cell *c = &k->cells[slot];

	k_observe(h->duration, h->duration_over, q->duration);
	k_observe(h->ttfb, h->ttfb_over, q->ttfb);
	h->sizes[rt_size_bucket(q->request) * (RT_NR_SIZE_BOUNDS + 1) +
		 rt_size_bucket(q->response)]++;
	c->ttfb_ns += q->ttfb;
	c->request_bytes += q->request;
	c->response_bytes += q->response;
	c->duration_ns += q->duration | 1;
}

/* False: it goes up as a record. */
static inline bool k_count(struct kernel *k, u32 conn, u64 key, u16 status,
			   const struct k_request *q)
{
	u32 slot = k_find(k, conn, key, status);

	if (slot)
		k_add(k, slot - 1, q);
	return slot;
}

/* The bucket of a value, the plain way. */
static inline u32 k_bucket(const u64 *bounds, u32 n, u64 v)
{
	u32 i = 0;

	while (i < n && v > bounds[i])
		i++;
	return i;
}

#endif /* TEST_KERNEL_HELPER_H */
