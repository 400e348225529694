// SPDX-License-Identifier: Apache-2.0
/*
 * Rules and slots of requests that the kernel counts in place. Used by red.c.
 *
 * A slot without rules drains: programs that found a rule just before it was
 * deleted may still add to it, for microseconds, or until their task runs again where
 * they can be preempted. It is free at a fold half a second after the first one from
 * then. The kernel's counts are never reset: what was read last time is kept here and
 * subtracted.
 */
#include "red/learn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

/* Keys seen lately, by their low bits. */
#define RECENT_SLOTS 4096
#define KNOWN_SLOTS  1024
/* How often rules are looked at for use, and how long a slot may be without. */
#define AGE_NS	    (60 * 1000000000ull)
#define DRAIN_NS    500000000ull
#define NAMELESS_NS (5 * 1000000000ull)
#define AGE_SOON_NS (5 * 1000000000ull) /* when there is no room */
/* Rules without a path are for what nobody foresees, a ring that overflows: they stay for
 * longer, and a quarter of the slots is theirs. Without one, requests would be missing. */
#define OTHER_NS       (600 * 1000000000ull)
#define OTHER_SHARE(n) ((n) / 4)
/* Requests that may be counted while a histogram is read. */
#define TORN_MAX 65536

struct rule {
	struct rt_rule kernel;
	bool wanted; /* asked for since the last look for use */
	bool other;  /* without a path */
	u64 used;    /* when it was last found so; 0: never yet */
	UT_hash_handle hh;
};

enum state { FREE, USED, DRAINING, SPARE };

/* Counts of all stripes at the last look, in exported buckets; they wrap. */
struct seen {
	u32 duration[RT_NR_DURATION_BOUNDS + 1];
	u32 ttfb[RT_NR_DURATION_BOUNDS + 1];
	u32 request_size[RT_NR_SIZE_BOUNDS + 1];
	u32 response_size[RT_NR_SIZE_BOUNDS + 1];
};

struct slot {
	u8 id[RT_LEARN_ID_MAX];
	void *what;
	u32 rules; /* ways that lead here */
	enum state state;
	u64 since;  /* while DRAINING: the first fold; SPARE: the first that saw it given away; 0: none */
	bool again; /* counters that belong together may become visible one by one */
	bool by_id; /* found by its id; not one that the kernel gave away */
	bool route; /* made for a rule with a path */
	struct rt_cell sums;
	struct seen seen;
	UT_hash_handle hh; /* while USED */
};

struct rt_learn {
	const struct rt_learn_ops *ops;
	void *ctx;
	rt_release_fn release;
	rt_placed_fn placed; /* or NULL */
	void *placed_ctx;
	u32 nr_slots;
	u32 hint;	    /* no slot below is free */
	u32 high;	    /* no slot from here on was ever used */
	u32 nr_routes;	    /* slots of rules with a path */
	u32 nr_spares;	    /* slots that are the kernel's to give away, or were */
	struct slot *slots; /* grows as they are used */
	struct slot *by_id;
	struct rule *rules;
	u64 aged;
	bool full;    /* slots or rules were short since the last look for use */
	bool crowded; /* rules were */
	u64 recent[RECENT_SLOTS];
	u64 known[KNOWN_SLOTS]; /* key and status, since the last look for use */
};

struct rt_learn *rt_learn__new(const struct rt_learn_ops *ops, void *ops_ctx, u32 nr_slots,
			       rt_release_fn release)
{
	struct rt_learn *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ops = ops;
	l->ctx = ops_ctx;
	l->nr_slots = nr_slots;
	l->release = release;
	/* Untouched pages of it cost nothing. */
	l->slots = calloc(nr_slots ? nr_slots : 1, sizeof(*l->slots));
	if (!l->slots) {
		free(l);
		return NULL;
	}
	return l;
}

void rt_learn__watch(struct rt_learn *l, rt_placed_fn fn, void *ctx)
{
	l->placed = fn;
	l->placed_ctx = ctx;
}

bool rt_learn__repeats(struct rt_learn *l, u64 key)
{
	u64 *recent = &l->recent[key % RECENT_SLOTS];

	if (*recent == key)
		return true;
	*recent = key;
	return false;
}

bool rt_learn__forgot(struct rt_learn *l, u64 key, u16 status)
{
	u64 *known = &l->known[(key ^ status) % KNOWN_SLOTS];

	if (*known == (key ^ status))
		return false;
	*known = key ^ status;
	return true;
}

/* --- slots -------------------------------------------------------------- */

static struct slot *slot_find(struct rt_learn *l, const u8 id[RT_LEARN_ID_MAX])
{
	struct slot *s;

	HASH_FIND(hh, l->by_id, id, RT_LEARN_ID_MAX, s);
	return s;
}

static void place(struct rt_learn *l, struct slot *s, void *what)
{
	s->what = what;
	if (l->placed)
		l->placed(l->placed_ctx, (u32)(s - l->slots), what);
}

static bool slots_left(struct rt_learn *l, bool other)
{
	if (!other && l->nr_routes >= l->nr_slots - OTHER_SHARE(l->nr_slots))
		return false;
	while (l->hint < l->nr_slots && l->slots[l->hint].state != FREE)
		l->hint++;
	return l->hint < l->nr_slots;
}

/* There is one left. */
static struct slot *slot_new(struct rt_learn *l, const u8 id[RT_LEARN_ID_MAX], bool other,
			     void *what)
{
	struct slot *s = &l->slots[l->hint];

	if (l->high <= l->hint)
		l->high = l->hint + 1;
	memcpy(s->id, id, sizeof(s->id));
	place(l, s, what);
	s->rules = 0;
	s->state = USED;
	s->route = !other;
	l->nr_routes += s->route;
	s->by_id = true;
	HASH_ADD(hh, l->by_id, id, sizeof(s->id), s);
	return s;
}

static void slot_unref(struct rt_learn *l, struct slot *s)
{
	if (--s->rules)
		return;
	if (s->by_id)
		HASH_DEL(l->by_id, s);
	s->by_id = false;
	s->state = DRAINING;
	s->since = 0;
}

static void slot_free(struct rt_learn *l, struct slot *s)
{
	if (s->what)
		l->release(s->what);
	place(l, s, NULL);
	s->state = FREE;
	l->nr_routes -= s->route;
	s->route = false;
	if ((u32)(s - l->slots) < l->hint)
		l->hint = (u32)(s - l->slots);
}

/* --- rules -------------------------------------------------------------- */

static void rule_drop(struct rt_learn *l, struct rule *r)
{
	l->ops->del(l->ctx, r->kernel.key);
	for (u32 i = 0; i < RT_RULE_WAYS; i++)
		if (r->kernel.status[i])
			slot_unref(l, &l->slots[r->kernel.slot[i]]);
	HASH_DEL(l->rules, r);
	free(r);
}

void rt_learn__forget(struct rt_learn *l)
{
	struct rule *r, *tmp;

	HASH_ITER(hh, l->rules, r, tmp)
	{
		rule_drop(l, r);
	}
	l->ops->moved(l->ctx);
	memset(l->recent, 0, sizeof(l->recent));
	memset(l->known, 0, sizeof(l->known));
}

void rt_learn__free(struct rt_learn *l)
{
	if (!l)
		return;
	rt_learn__forget(l);
	for (u32 i = 0; i < l->high; i++)
		if (l->slots[i].state != FREE)
			slot_free(l, &l->slots[i]);
	free(l->slots);
	free(l);
}

static struct rule *rule_get(struct rt_learn *l, u64 key)
{
	struct rule *r;

	HASH_FIND(hh, l->rules, &key, sizeof(key), r);
	if (r)
		return r;
	if (HASH_COUNT(l->rules) >= RT_RULES_MAX) {
		l->full = l->crowded = true;
		return NULL;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->kernel.key = key;
	HASH_ADD(hh, l->rules, kernel.key, sizeof(key), r);
	return r;
}

/* The way for `status`, or a free one; -1: neither. */
static int way_of(const struct rt_rule *r, u16 status)
{
	for (int i = 0; i < RT_RULE_WAYS; i++)
		if (!r->status[i] || r->status[i] == status)
			return i;
	return -1;
}

/* False: the kernel did not take it. */
static bool write_rule(struct rt_learn *l, u64 key, bool other, u16 status, const void *id,
		       size_t n, void *(*make)(void *ctx), void *make_ctx)
{
	u8 padded[RT_LEARN_ID_MAX] = {0};
	struct slot *s;
	struct rule *r;
	bool taken = true;
	void *what;
	int way;

	if (!status || n > sizeof(padded))
		return true;
	r = rule_get(l, key);
	if (!r)
		return true;
	r->wanted = true;
	r->other = other;
	way = way_of(&r->kernel, status);
	/* A record that was on its way when the rule was written. */
	if (way < 0 || r->kernel.status[way] == status)
		return true;
	memcpy(padded, id, n);
	s = slot_find(l, padded);
	if (!s && slots_left(l, other)) {
		what = make(make_ctx);
		s = what ? slot_new(l, padded, other, what) : NULL;
	} else if (!s) {
		l->full = true;
	}
	if (s) {
		r->kernel.status[way] = status;
		r->kernel.slot[way] = (u16)(s - l->slots);
		r->kernel.used = 1;
		s->rules++;
		if (l->ops->put(l->ctx, &r->kernel, way == 0)) {
			r->kernel.status[way] = 0;
			slot_unref(l, s);
			taken = false;
		}
	}
	/* A rule without a way stands for nothing. */
	if (!r->kernel.status[0]) {
		HASH_DEL(l->rules, r);
		free(r);
	}
	return taken;
}

void rt_learn__rule(struct rt_learn *l, u64 key, u16 status, const void *id, size_t n,
		    void *(*make)(void *ctx), void *make_ctx, u64 now)
{
	write_rule(l, key, false, status, id, n, make, make_ctx);
}

/* The rule is the kernel's own: what it counted is known to be `what` from now on. */
static void adopt(struct rt_learn *l, const struct rt_rule *kernel, void *what)
{
	struct slot *s = &l->slots[kernel->slot[0]];
	struct rule *r = what ? rule_get(l, kernel->key) : NULL;

	if (!r) {
		if (what)
			l->release(what);
		return;
	}
	place(l, s, what);
	r->kernel = *kernel;
	r->wanted = true;
	r->other = true;
	s->rules = 1;
	l->nr_spares--;
	s->state = USED;
}

void rt_learn__other(struct rt_learn *l, u64 key, u16 status, const void *id, size_t n,
		     void *(*make)(void *ctx), void *make_ctx, u64 now)
{
	struct rt_rule kernel;
	struct rule *r;

	/* Twice, as the kernel may make its own between the look and the write. */
	for (int i = 0; i < 2; i++) {
		HASH_FIND(hh, l->rules, &key, sizeof(key), r);
		if (!r && !l->ops->get(l->ctx, key, &kernel) && kernel.slot[0] < l->nr_slots &&
		    l->slots[kernel.slot[0]].state == SPARE) {
			adopt(l, &kernel, make(make_ctx));
			return;
		}
		if (write_rule(l, key, true, status, id, n, make, make_ctx))
			return;
	}
}

/* Keeps the kernel in slots that it may give away. At each fold: many services may need
 * one when a ring overflows, and who finds none is counted nowhere. */
static void give_spares(struct rt_learn *l)
{
	u32 spares = OTHER_SHARE(l->nr_slots) ? OTHER_SHARE(l->nr_slots) : 1;

	if (!l->ops->spare)
		return;
	while (l->nr_spares < spares && slots_left(l, true)) {
		struct slot *s = &l->slots[l->hint];

		if (l->ops->spare(l->ctx, l->hint))
			return;
		if (l->high <= l->hint)
			l->high = l->hint + 1;
		l->nr_spares++;
		s->state = SPARE;
		s->since = 0;
		s->what = NULL;
		s->rules = 0;
	}
}

/* Whether it is to go, by whether it was used since the last look. */
static bool is_old(const struct rt_learn *l, struct rule *r, bool used, u64 now)
{
	if (used || !r->used)
		r->used = now;
	return !used && (!r->other || l->crowded || now - r->used > OTHER_NS);
}

/* Drops the rules that were not used since the last look. */
static void age(struct rt_learn *l, u64 now)
{
	struct rule *r, *tmp;
	struct rt_rule kernel;

	if (now - l->aged < (l->full ? AGE_SOON_NS : AGE_NS))
		return;
	l->aged = now;
	memset(l->known, 0, sizeof(l->known));
	HASH_ITER(hh, l->rules, r, tmp)
	{
		if (l->ops->get(l->ctx, r->kernel.key, &kernel) ||
		    is_old(l, r, kernel.used || r->wanted, now)) {
			rule_drop(l, r);
			continue;
		}
		r->wanted = false;
		r->kernel.used = 0;
		l->ops->put(l->ctx, &r->kernel, false);
	}
	l->full = l->crowded = false;
	l->ops->moved(l->ctx);
}

/* --- what was counted --------------------------------------------------- */

/* Exported buckets from the kernel's bins: a bound lies in one bin, of which
 * over[i] are above it. */
static void buckets(const u32 bins[RT_HIST_BINS], const u32 *over, u32 *ret)
{
	static const u64 bounds[] = {
#define B(ns) ns,
		RT_DURATION_BOUNDS(B)
#undef B
	};
	u32 bin = 0, carried = 0;

	for (u32 i = 0; i < RT_NR_DURATION_BOUNDS; i++) {
		u32 last = rt_hist_bin(bounds[i]), n = carried;

		for (; bin <= last; bin++)
			n += bins[bin];
		ret[i] = n - over[i];
		carried = over[i];
	}
	for (; bin < RT_HIST_BINS; bin++)
		carried += bins[bin];
	ret[RT_NR_DURATION_BOUNDS] = carried;
}

static void summarise(const struct rt_hist *h, struct seen *ret)
{
	const u32 n = RT_NR_SIZE_BOUNDS + 1;

	memset(ret, 0, sizeof(*ret));
	buckets(h->duration, h->duration_over, ret->duration);
	buckets(h->ttfb, h->ttfb_over, ret->ttfb);
	for (u32 i = 0; i < n * n; i++) {
		ret->request_size[i / n] += h->sizes[i];
		ret->response_size[i % n] += h->sizes[i];
	}
}

/*
 * What came since `before`, which becomes `now`. A request that was counted while
 * its histogram was read may be missing from its bin, and yet be above the bound:
 * then the bucket below has one less than before. It waits until it caught up.
 */
static void advance(u32 *before, const u32 *now, u32 n, u32 *ret)
{
	for (u32 i = 0; i < n; i++) {
		ret[i] = now[i] - before[i];
		if (ret[i] > UINT32_MAX - TORN_MAX)
			ret[i] = 0;
		else
			before[i] = now[i];
	}
}

static bool same_sums(const struct rt_cell *a, const struct rt_cell *b)
{
	return a->duration_ns == b->duration_ns;
}

/* False: it could not be read. */
static bool fold_slot(struct rt_learn *l, struct slot *s, rt_counted_fn fn, void *ctx, u64 now)
{
	u32 index = (u32)(s - l->slots);
	struct rt_counted c = {0};
	struct rt_cell sums;
	struct rt_hist hist;
	struct seen seen;
	bool news;

	l->ops->sums(l->ctx, index, &sums);
	news = !same_sums(&sums, &s->sums);
	if (!news && !s->again)
		return true;
	if (l->ops->hist(l->ctx, index, &hist))
		return false;
	s->again = news;
	summarise(&hist, &seen);
	advance(s->seen.duration, seen.duration, RT_NR_DURATION_BOUNDS + 1, c.duration);
	advance(s->seen.ttfb, seen.ttfb, RT_NR_DURATION_BOUNDS + 1, c.ttfb);
	advance(s->seen.request_size, seen.request_size, RT_NR_SIZE_BOUNDS + 1, c.request_size);
	advance(s->seen.response_size, seen.response_size, RT_NR_SIZE_BOUNDS + 1, c.response_size);
	for (u32 i = 0; i <= RT_NR_DURATION_BOUNDS; i++)
		c.requests += c.duration[i];
	c.sums.duration_ns = sums.duration_ns - s->sums.duration_ns;
	c.sums.ttfb_ns = sums.ttfb_ns - s->sums.ttfb_ns;
	c.sums.request_bytes = sums.request_bytes - s->sums.request_bytes;
	c.sums.response_bytes = sums.response_bytes - s->sums.response_bytes;
	s->sums = sums;
	if (c.requests || news)
		fn(ctx, s->what, &c, now);
	return true;
}

/* The kernel gave it away. A record that tells for what is on its way, or its process ended
 * before one got through: then its requests are nobody's. */
static void watch_spare(struct rt_learn *l, struct slot *s, u64 now)
{
	u64 key = l->ops->spare_key(l->ctx, (u32)(s - l->slots));

	if (!key)
		return;
	if (!s->since) {
		s->since = now;
		return;
	}
	if (now - s->since < NAMELESS_NS)
		return;
	l->ops->del(l->ctx, key);
	l->ops->moved(l->ctx);
	l->nr_spares--;
	s->state = DRAINING;
	s->since = 0;
}

void rt_learn__fold(struct rt_learn *l, rt_counted_fn fn, void *ctx, u64 now)
{
	for (u32 i = 0; i < l->high; i++) {
		struct slot *s = &l->slots[i];

		if (s->state == SPARE)
			watch_spare(l, s, now);
		if (s->state == FREE || s->state == SPARE)
			continue;
		if (!fold_slot(l, s, fn, ctx, now))
			continue;
		if (s->state != DRAINING)
			continue;
		if (!s->since)
			s->since = now;
		else if (now - s->since >= DRAIN_NS)
			slot_free(l, s);
	}
	give_spares(l);
	if (!l->aged)
		l->aged = now;
	age(l, now);
}
