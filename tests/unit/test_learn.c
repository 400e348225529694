// SPDX-License-Identifier: Apache-2.0
/*
 * Rules and slots against a kernel made of arrays: whatever happens, what each slot stood for
 * gets exactly the requests that were counted for it, in the buckets of their raw values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel_helper.h"

#define SECOND 1000000000ull
#define WHATS  20000

/* What a slot stands for, with what it must get and what it got. */
struct what {
	u32 id;
	u32 released;
	struct rt_counted want, got;
};

struct fixture {
	struct kernel k;
	struct rt_learn *l;
	u64 now;
	u32 folds; /* calls of on_counted */
	u32 made;
	u64 nameless; /* requests of nothing */
	struct what whats[WHATS];
	struct what *current[512]; /* by id */
	struct what *placed[K_SLOTS]; /* by slot, as it was told of */
};

static struct fixture *fixture; /* what `meanwhile` has no argument for */

static void release(void *what)
{
	struct what *w = what;

	assert_int_equal(w->released, 0);
	w->released++;
}

static void on_placed(void *ctx, u32 slot, void *what)
{
	struct fixture *t = ctx;

	assert_in_range(slot, 0, K_SLOTS - 1);
	t->placed[slot] = what;
}

static struct fixture *start(u32 nr_slots)
{
	struct fixture *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->now = 1000 * SECOND;
	t->l = rt_learn__new(&k_ops, &t->k, nr_slots, release);
	assert_non_null(t->l);
	rt_learn__watch(t->l, on_placed, t);
	fixture = t;
	return t;
}

static void add_counts(struct rt_counted *to, const struct rt_counted *c)
{
	to->requests += c->requests;
	for (u32 i = 0; i <= RT_NR_DURATION_BOUNDS; i++) {
		to->duration[i] += c->duration[i];
		to->ttfb[i] += c->ttfb[i];
	}
	for (u32 i = 0; i <= RT_NR_SIZE_BOUNDS; i++) {
		to->request_size[i] += c->request_size[i];
		to->response_size[i] += c->response_size[i];
	}
	to->sums.duration_ns += c->sums.duration_ns;
	to->sums.ttfb_ns += c->sums.ttfb_ns;
	to->sums.request_bytes += c->sums.request_bytes;
	to->sums.response_bytes += c->sums.response_bytes;
}

static void on_counted(void *ctx, void *what, const struct rt_counted *c, u64 now)
{
	struct fixture *t = ctx;
	struct what *w = what;

	assert_true(now == t->now);
	if (!w) {
		t->nameless += c->requests;
		return;
	}
	assert_true(w >= t->whats && w < t->whats + t->made);
	assert_int_equal(w->released, 0);
	t->folds++;
	add_counts(&w->got, c);
}

static void fold(struct fixture *t)
{
	t->now += SECOND / 2;
	rt_learn__fold(t->l, on_counted, t, t->now);
}

static void expect(struct what *w, const struct k_request *q)
{
	struct rt_counted one = {.requests = 1};

	one.duration[k_bucket(k_bounds, RT_NR_DURATION_BOUNDS, q->duration)] = 1;
	one.ttfb[k_bucket(k_bounds, RT_NR_DURATION_BOUNDS, q->ttfb)] = 1;
	one.request_size[k_bucket(k_sizes, RT_NR_SIZE_BOUNDS, q->request)] = 1;
	one.response_size[k_bucket(k_sizes, RT_NR_SIZE_BOUNDS, q->response)] = 1;
	one.sums = (struct rt_cell){
		.duration_ns = q->duration | 1,
		.ttfb_ns = q->ttfb,
		.request_bytes = q->request,
		.response_bytes = q->response,
	};
	add_counts(&w->want, &one);
}

static void check(const struct what *w)
{
	assert_true(w->got.requests == w->want.requests);
	assert_memory_equal(&w->got, &w->want, sizeof(w->got));
}

struct making {
	struct fixture *t;
	u32 id;
};

static void *make(void *ctx)
{
	struct making *m = ctx;
	struct what *w = &m->t->whats[m->t->made];

	assert_true(m->t->made++ < WHATS);
	w->id = m->id;
	m->t->current[m->id] = w;
	return w;
}

static void *make_nothing(void *ctx)
{
	return NULL;
}

static void learn(struct fixture *t, u64 key, u16 status, u32 id)
{
	struct making m = {t, id};

	rt_learn__rule(t->l, key, status, &id, sizeof(id), make, &m, t->now);
}

static void learn_other(struct fixture *t, u64 key, u16 status, u32 id)
{
	struct making m = {t, id};

	rt_learn__other(t->l, key, status, &id, sizeof(id), make, &m, t->now);
}

static const struct k_request quick = {
	.duration = 2000, .ttfb = 1000, .request = 70, .response = 9};

/* A request of the key for `id`; true when the kernel counted it. */
static bool request(struct fixture *t, u64 key, u16 status, u32 id)
{
	if (!k_count(&t->k, 0, key, status, &quick))
		return false;
	assert_ptr_equal(t->placed[t->k.conns[0].slot], t->current[id]);
	expect(t->current[id], &quick);
	return true;
}

/* Ends the agent: everything made is released, no rule is left. */
static void finish(struct fixture *t)
{
	rt_learn__free(t->l);
	for (u32 i = 0; i < t->made; i++)
		assert_int_equal(t->whats[i].released, 1);
	assert_int_equal(t->k.nr_rules, 0);
	for (u32 i = 0; i < K_SLOTS; i++)
		assert_null(t->placed[i]);
	free(t);
}

static void test_second_sight(void **state)
{
	struct fixture *t = start(4);

	assert_false(rt_learn__repeats(t->l, 77));
	assert_true(rt_learn__repeats(t->l, 77));
	assert_false(rt_learn__repeats(t->l, 78));
	assert_true(rt_learn__repeats(t->l, 78));
	assert_true(rt_learn__repeats(t->l, 77));
	rt_learn__forget(t->l);
	assert_false(rt_learn__repeats(t->l, 77));
	finish(t);
}

static void test_rule_and_count(void **state)
{
	struct fixture *t = start(4);

	assert_false(k_count(&t->k, 0, 5, 200, &quick));
	learn(t, 5, 200, 1);
	assert_int_equal(t->k.nr_rules, 1);
	assert_true(request(t, 5, 200, 1));
	assert_false(request(t, 5, 404, 1));
	assert_false(request(t, 6, 200, 1));
	fold(t);
	check(&t->whats[0]);
	assert_int_equal(t->whats[0].got.requests, 1);
	/* Nothing new, nothing told. */
	fold(t);
	assert_int_equal(t->folds, 1);
	/* A second record that was on its way changes nothing. */
	learn(t, 5, 200, 1);
	assert_int_equal(t->made, 1);
	assert_int_equal(t->k.puts, 1);
	/* Two keys of one name share the slot. */
	learn(t, 6, 200, 1);
	assert_int_equal(t->made, 1);
	assert_true(request(t, 6, 200, 1));
	assert_true(request(t, 5, 200, 1));
	fold(t);
	check(&t->whats[0]);
	assert_int_equal(t->folds, 2);
	finish(t);
}

static void test_no_status_no_room_no_rule(void **state)
{
	struct fixture *t = start(4);
	u8 id[RT_LEARN_ID_MAX + 1] = {0};
	struct making m = {t, 1};

	learn(t, 5, 0, 1);
	rt_learn__rule(t->l, 5, 200, id, sizeof(id), make, &m, t->now);
	rt_learn__rule(t->l, 5, 200, id, 4, make_nothing, NULL, t->now);
	assert_int_equal(t->k.nr_rules + t->made, 0);
	rt_learn__rule(t->l, 5, 200, id, RT_LEARN_ID_MAX, make, &m, t->now);
	assert_int_equal(t->k.nr_rules, 1);
	finish(t);
	t = start(0);
	learn(t, 5, 200, 1);
	assert_int_equal(t->k.nr_rules, 0);
	fold(t);
	finish(t);
}

/* On, just below and just above each bound, and the ends of the bin that it lies in. */
static void test_at_the_bounds(void **state)
{
	struct fixture *t = start(4);

	learn(t, 5, 200, 1);
	for (u32 i = 0; i < RT_NR_DURATION_BOUNDS; i++) {
		u64 b = k_bounds[i];
		u64 values[5] = {b - 1, b, b + 1, b, b};

		while (rt_hist_bin(values[3] - 1) == rt_hist_bin(b))
			values[3] -= 1;
		while (rt_hist_bin(values[4] + 1) == rt_hist_bin(b))
			values[4] += 1;
		for (u32 n = 0; n < 5; n++) {
			struct k_request q = {values[n], values[(n + 2) % 5], 64, 65};

			assert_true(k_count(&t->k, 0, 5, 200, &q));
			expect(&t->whats[0], &q);
			fold(t);
			check(&t->whats[0]);
		}
	}
	finish(t);
}

static u64 random_u64(u64 *state)
{
	/* xorshift64 */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static u64 random_below(u64 *state, u64 n)
{
	return random_u64(state) % n;
}

/* Any power of two alike, and now and then around a bound. */
static u64 random_duration(u64 *state)
{
	if (random_below(state, 4))
		return random_u64(state) >> (26 + random_below(state, 36));
	return k_bounds[random_below(state, RT_NR_DURATION_BOUNDS)] - 3 + random_below(state, 7);
}

static struct k_request random_request(u64 *state)
{
	struct k_request q = {
		.duration = random_duration(state),
		.ttfb = random_duration(state),
		.request = random_u64(state) >> random_below(state, 64),
		.response = random_u64(state) >> random_below(state, 64),
	};

	/* What a second of traffic can have. */
	q.request >>= 32;
	q.response >>= 32;
	return q;
}

static void test_random_values(void **state)
{
	struct fixture *t = start(12);
	u64 seed = 0x5eed0001;

	for (u32 id = 1; id <= 8; id++)
		learn(t, 100 + id, 200, id);
	for (u32 i = 0; i < 200000; i++) {
		struct k_request q = random_request(&seed);
		u32 id = 1 + (u32)random_below(&seed, 8);

		assert_true(k_count(&t->k, i % K_CONNS, 100 + id, 200, &q));
		expect(t->current[id], &q);
		if (random_below(&seed, 5000) == 0) {
			/* Not by time: rules are not to age here. */
			rt_learn__fold(t->l, on_counted, t, t->now);
			for (u32 w = 0; w < 8; w++)
				check(&t->whats[w]);
		}
	}
	fold(t);
	for (u32 w = 0; w < 8; w++)
		check(&t->whats[w]);
	finish(t);
}

/* The kernel's counters have 32 bits, and go round. */
static void test_counters_wrap(void **state)
{
	const struct k_request below = {25000000, 1, 64, 64}, above = {25000001, 1, 64, 64};
	struct fixture *t = start(4);
	u32 bin = rt_hist_bin(25000000), start_at = UINT32_MAX - 9;
	struct rt_hist *h = &t->k.hists[0];

	assert_int_equal(rt_hist_bin(25000001), bin);
	learn(t, 5, 200, 1);
	/* In two steps, each of which is as much as two looks can be apart. */
	for (u32 at = start_at / 2; at; at = at == start_at ? 0 : start_at) {
		h->duration[bin] = at;
		h->duration_over[2] = at - 5;
		h->ttfb[0] = at;
		h->sizes[0] = at;
		t->k.cells[0].duration_ns++;
		fold(t);
	}
	assert_true(t->whats[0].got.requests == start_at);
	assert_int_equal(t->whats[0].got.duration[2], 5);
	assert_int_equal(t->whats[0].got.duration[3], start_at - 5);
	memset(&t->whats[0].got, 0, sizeof(t->whats[0].got));
	for (u32 i = 0; i < 30; i++) {
		const struct k_request *q = i % 3 ? &above : &below;

		assert_true(k_count(&t->k, 0, 5, 200, q));
		expect(&t->whats[0], q);
		if (i % 7 == 0) {
			fold(t);
			check(&t->whats[0]);
		}
	}
	fold(t);
	check(&t->whats[0]);
	assert_true(h->duration[bin] < start_at && h->duration_over[2] < start_at - 5);
	finish(t);
}

static void test_statuses(void **state)
{
	static const u16 statuses[] = {200, 404, 500, 302, 503, 201};
	struct fixture *t = start(8);

	for (u32 i = 0; i < 6; i++)
		learn(t, 5, statuses[i], 1 + i);
	assert_int_equal(t->k.nr_rules, 1);
	assert_int_equal(t->made, RT_RULE_WAYS);
	for (u32 i = 0; i < 6; i++)
		for (u32 n = 0; n <= i; n++)
			assert_int_equal(request(t, 5, statuses[i], 1 + i), i < RT_RULE_WAYS);
	fold(t);
	for (u32 i = 0; i < RT_RULE_WAYS; i++) {
		check(&t->whats[i]);
		assert_int_equal(t->whats[i].got.requests, i + 1);
	}
	finish(t);
}

static void test_slots_run_out(void **state)
{
	struct fixture *t = start(2);

	fold(t);
	learn(t, 5, 200, 1);
	learn(t, 6, 200, 2);
	learn(t, 7, 200, 3);
	learn(t, 5, 404, 4);
	assert_int_equal(t->k.nr_rules, 2);
	/* Nothing is made in vain: that would be once per record. */
	assert_int_equal(t->made, 2);
	assert_false(request(t, 7, 200, 3));
	assert_false(request(t, 5, 404, 4));
	/* As there is no room, what is not used goes within seconds; what is used stays. */
	for (u32 i = 0; i < 24; i++) {
		assert_true(request(t, 5, 200, 1));
		learn(t, 7, 200, 3);
		if (t->current[3])
			break;
		fold(t);
	}
	assert_true(t->now <= 1012 * SECOND);
	assert_int_equal(t->whats[0].released, 0);
	assert_int_equal(t->whats[1].released, 1);
	assert_true(request(t, 7, 200, 3));
	fold(t);
	check(&t->whats[0]);
	check(t->current[3]);
	finish(t);
}

/* Rules without a path have slots that no other takes, and are not dropped to make room:
 * what they stand for, an overflowing ring, comes without notice. */
static void test_room_without_a_path(void **state)
{
	struct fixture *t = start(8);

	for (u32 i = 1; i <= 8; i++)
		learn(t, i, 200, i);
	assert_int_equal(t->k.nr_rules, 6);
	learn_other(t, 100, 200, 100);
	learn_other(t, 101, 200, 101);
	learn_other(t, 102, 200, 102);
	assert_int_equal(t->k.nr_rules, 8);
	/* Unused for a while, and slots are short all the time. */
	while (t->now < 1300 * SECOND) {
		learn(t, 7, 200, 7);
		fold(t);
	}
	assert_false(request(t, 1, 200, 1));
	assert_true(request(t, 100, 200, 100));
	assert_true(request(t, 101, 200, 101));
	fold(t);
	for (u32 w = 0; w < t->made; w++)
		check(&t->whats[w]);
	finish(t);
}

/* Of processes that came and went: when it is the rules that are short, they go like any. */
static void test_crowd_without_a_path(void **state)
{
	struct fixture *t = start(4);

	fold(t);
	for (u64 key = 1; key <= RT_RULES_MAX; key++)
		learn_other(t, key, 200, 1);
	while (t->now < 1012 * SECOND)
		fold(t);
	assert_int_equal(t->k.nr_rules, RT_RULES_MAX);
	for (u32 i = 0; i < 300; i++) {
		learn(t, RT_RULES_MAX + 1, 200, 2);
		fold(t);
	}
	assert_int_equal(t->k.nr_rules, 1);
	finish(t);
}

static void test_rules_run_out(void **state)
{
	struct fixture *t = start(4);

	for (u64 key = 1; key <= RT_RULES_MAX + 1; key++)
		learn(t, key, 200, 1);
	assert_int_equal(t->k.nr_rules, RT_RULES_MAX);
	assert_false(request(t, RT_RULES_MAX + 1, 200, 1));
	assert_true(request(t, RT_RULES_MAX, 200, 1));
	fold(t);
	check(&t->whats[0]);
	finish(t);
}

static void test_aging(void **state)
{
	struct fixture *t = start(4);
	u64 last, gone = 0;
	u32 moved;

	fold(t);
	learn(t, 5, 200, 1);
	learn(t, 6, 200, 2);
	/* Over the same connection all the time, which does not look the rule up again. */
	while (t->now < 1300 * SECOND) {
		assert_true(request(t, 5, 200, 1));
		fold(t);
	}
	assert_int_equal(t->whats[0].released, 0);
	assert_int_equal(t->whats[1].released, 1);
	assert_int_equal(t->k.nr_rules, 1);
	learn(t, 6, 200, 2);
	assert_true(request(t, 6, 200, 2));
	last = t->now;
	moved = t->k.moved;
	while (!gone) {
		fold(t);
		if (t->k.rules[6].key != 6)
			gone = t->now;
		assert_true(t->now < last + 200 * SECOND);
	}
	assert_in_range(gone - last, 60 * SECOND, 121 * SECOND);
	/* A connection that knew where to count asks again. */
	assert_true(t->k.moved > moved);
	assert_false(request(t, 6, 200, 2));
	for (u32 w = 0; w < t->made; w++)
		check(&t->whats[w]);
	finish(t);
}

/* Programs that found the rule before it went still add to its slot. */
static void test_forget_while_counts_arrive(void **state)
{
	struct fixture *t = start(1);
	u32 slot;

	learn(t, 5, 200, 1);
	assert_true(request(t, 5, 200, 1));
	slot = k_find(&t->k, 0, 5, 200);
	assert_int_equal(slot, 1);
	rt_learn__forget(t->l);
	assert_false(request(t, 5, 200, 1));
	/* Its slot is not given away before that. */
	learn(t, 5, 200, 2);
	assert_int_equal(t->k.nr_rules, 0);
	k_add(&t->k, slot - 1, &quick);
	expect(&t->whats[0], &quick);
	fold(t);
	check(&t->whats[0]);
	assert_int_equal(t->whats[0].got.requests, 2);
	k_add(&t->k, slot - 1, &quick);
	expect(&t->whats[0], &quick);
	fold(t);
	check(&t->whats[0]);
	assert_int_equal(t->whats[0].released, 1);
	learn(t, 5, 200, 2);
	assert_true(request(t, 5, 200, 2));
	fold(t);
	check(&t->whats[0]);
	check(t->current[2]);
	assert_int_equal(t->current[2]->got.requests, 1);
	finish(t);
}

static void test_put_fails(void **state)
{
	struct fixture *t = start(1);

	t->k.fail_put = true;
	learn(t, 5, 200, 1);
	t->k.fail_put = false;
	assert_int_equal(t->k.nr_rules, 0);
	fold(t);
	fold(t);
	assert_int_equal(t->whats[0].released, 1);
	learn(t, 5, 200, 1);
	assert_true(request(t, 5, 200, 1));
	/* The second way fails; the first stays. */
	t->k.fail_put = true;
	learn(t, 5, 404, 1);
	t->k.fail_put = false;
	assert_false(request(t, 5, 404, 1));
	assert_true(request(t, 5, 200, 1));
	learn(t, 5, 404, 1);
	assert_true(request(t, 5, 404, 1));
	fold(t);
	check(t->current[1]);
	finish(t);
}

/* What could not be read is read the next time, and by no other name. */
static void test_histogram_cannot_be_read(void **state)
{
	struct fixture *t = start(1);

	learn(t, 5, 200, 1);
	assert_true(request(t, 5, 200, 1));
	t->k.fail_hist = true;
	fold(t);
	assert_int_equal(t->folds, 0);
	rt_learn__forget(t->l);
	for (u32 i = 0; i < 4; i++)
		fold(t);
	t->k.fail_hist = false;
	fold(t);
	fold(t);
	check(&t->whats[0]);
	learn(t, 5, 200, 2);
	assert_true(request(t, 5, 200, 2));
	fold(t);
	check(t->current[2]);
	finish(t);
}

static void one_above_a_bound(struct kernel *k)
{
	const struct k_request q = {25000001, 5000001, 64, 65};

	assert_true(k_count(k, 0, 5, 200, &q));
	expect(&fixture->whats[0], &q);
}

/* A request is counted while its histogram is read: a part of it is there, the rest not yet. */
static void test_counted_while_read(void **state)
{
	struct fixture *t = start(1);
	u64 before = 0;

	learn(t, 5, 200, 1);
	for (u32 i = 0; i < 100; i++) {
		assert_true(request(t, 5, 200, 1));
		t->k.meanwhile = one_above_a_bound;
		fold(t);
		assert_null(t->k.meanwhile);
		for (u32 n = 0; n <= RT_NR_DURATION_BOUNDS; n++) {
			assert_true(t->whats[0].got.duration[n] <= t->whats[0].want.duration[n]);
			assert_true(t->whats[0].got.ttfb[n] <= t->whats[0].want.ttfb[n]);
		}
		assert_true(t->whats[0].got.requests >= before);
		assert_true(t->whats[0].got.requests <= t->whats[0].want.requests);
		before = t->whats[0].got.requests;
	}
	fold(t);
	check(&t->whats[0]);
	finish(t);
}

/* Everything at once, thousands of times: learning, counting over connections that remember,
 * adding late, names that change, time, a kernel out of memory, too few slots. */
static void test_anything(void **state)
{
	static const u16 statuses[] = {200, 404, 500, 302, 503};
	u64 seed = 0x5eed0002;
	struct fixture *t = start(40);
	u32 counted = 0;

	for (u32 i = 0; i < 100000; i++) {
		u64 key = 1 + random_below(&seed, 40);
		u32 way = (u32)random_below(&seed, 5), conn = (u32)random_below(&seed, K_CONNS);
		u32 id = (u32)(key / 3 * 5) + way; /* three keys per name */
		struct k_request q = random_request(&seed);
		u32 slot = k_find(&t->k, conn, key, statuses[way]);
		u64 dice = random_below(&seed, 1000);

		if (!slot) {
			t->k.fail_put = random_below(&seed, 50) == 0;
			if (rt_learn__repeats(t->l, key))
				learn(t, key, statuses[way], id);
			t->k.fail_put = false;
		}
		if (dice == 0)
			rt_learn__forget(t->l);
		if (slot) {
			struct what *w = t->current[id];

			assert_int_equal(w->released, 0);
			k_add(&t->k, slot - 1, &q);
			expect(w, &q);
			counted++;
		}
		if (dice > 0 && dice < 20)
			fold(t);
		if (dice == 20)
			t->now += 30 * SECOND;
	}
	rt_learn__forget(t->l);
	fold(t);
	fold(t);
	for (u32 w = 0; w < t->made; w++) {
		check(&t->whats[w]);
		assert_int_equal(t->whats[w].released, 1);
	}
	/* It did count, and learn anew many times. */
	assert_true(counted > 20000 && t->made > 500);
	finish(t);
}

/* As many as user/bpf/rules.c makes room for. */
#define K_SPARES (K_SLOTS / 8)

static u32 given[K_SPARES];
static u32 nr_given;
static u64 spare_keys[K_SLOTS];

static int give_slot(void *ctx, u32 slot)
{
	if (nr_given == K_SPARES)
		return -E2BIG;
	spare_keys[slot] = 0;
	given[nr_given++] = slot;
	return 0;
}

static u64 spare_key(void *ctx, u32 slot)
{
	return spare_keys[slot];
}

/* What the kernel does when a record is lost. */
static void make_by_kernel(struct kernel *k, u64 key, u16 status)
{
	struct rt_rule own = {.key = key, .used = 1, .status = {status}};

	assert_true(nr_given > 0);
	own.slot[0] = (u16)given[--nr_given];
	assert_int_equal(k_put(k, &own, true), 0);
	spare_keys[own.slot[0]] = key;
}

/* The kernel loses a record just then, and makes the rule itself. */
static int put_too_late(void *ctx, const struct rt_rule *rule, bool fresh)
{
	struct kernel *k = ctx;

	if (fresh && !k->rules[rule->key].key) {
		make_by_kernel(k, rule->key, rule->status[0]);
		assert_true(k_count(k, 0, rule->key, rule->status[0], &quick));
	}
	return k_put(ctx, rule, fresh);
}

/* With a kernel that gives slots away. `ops` is the test's for as long. */
static struct fixture *start_with_spares(struct rt_learn_ops *ops)
{
	struct fixture *t = start(K_SLOTS);

	ops->spare = give_slot;
	ops->spare_key = spare_key;
	rt_learn__free(t->l);
	t->l = rt_learn__new(ops, &t->k, K_SLOTS, release);
	assert_non_null(t->l);
	rt_learn__watch(t->l, on_placed, t);
	nr_given = 0;
	fold(t);
	assert_true(nr_given > 0 && nr_given < K_SLOTS);
	return t;
}

static void test_kernel_was_first(void **state)
{
	struct rt_learn_ops ops = k_ops;
	struct fixture *t;

	ops.put = put_too_late;
	t = start_with_spares(&ops);
	learn_other(t, 9, 200, 3);
	/* What was counted before anyone knew what it is, and what came since. */
	expect(t->current[3], &quick);
	assert_true(request(t, 9, 200, 3));
	fold(t);
	fold(t);
	for (u32 w = 0; w < t->made; w++)
		check(&t->whats[w]);
	finish(t);
}

/* What the kernel gave away it gets back at once, for the services that come next. */
static void test_spares_come_back(void **state)
{
	struct rt_learn_ops ops = k_ops;
	struct fixture *t = start_with_spares(&ops);
	u32 given_before = nr_given;

	for (u32 i = 1; i <= 3; i++) {
		make_by_kernel(&t->k, i, 200);
		fold(t);
		assert_int_equal(nr_given, given_before);
		learn_other(t, i, 200, i);
	}
	finish(t);
}

/* A rule of the kernel's own that no record tells of: after five seconds its requests are
 * told as nobody's, those too that still come; then the key may be learned as any. */
static void test_nobody_says_whose(void **state)
{
	struct rt_learn_ops ops = k_ops;
	struct fixture *t = start_with_spares(&ops);
	u32 given_before = nr_given;

	make_by_kernel(&t->k, 9, 200);
	for (u32 i = 0; i < 7; i++)
		assert_true(k_count(&t->k, 0, 9, 200, &quick));
	for (u32 i = 0; i < 10; i++)
		fold(t);
	assert_int_equal(t->nameless, 0);
	assert_int_equal(t->k.nr_rules, 1);
	fold(t);
	fold(t);
	assert_int_equal(t->nameless, 7);
	assert_int_equal(t->k.nr_rules, 0);
	assert_false(k_count(&t->k, 1, 9, 200, &quick));
	fold(t);
	fold(t);

	learn_other(t, 9, 200, 3);
	assert_true(request(t, 9, 200, 3));
	/* The slot is as good as new. */
	for (u32 i = 0; i < 20; i++)
		fold(t);
	assert_int_equal(nr_given, given_before);
	assert_int_equal(t->nameless, 7);
	check(t->current[3]);
	finish(t);
}

/* A record that comes within that time names all of it. */
static void test_somebody_says_whose(void **state)
{
	struct rt_learn_ops ops = k_ops;
	struct fixture *t = start_with_spares(&ops);

	make_by_kernel(&t->k, 9, 200);
	assert_true(k_count(&t->k, 0, 9, 200, &quick));
	for (u32 i = 0; i < 8; i++)
		fold(t);
	learn_other(t, 9, 200, 3);
	expect(t->current[3], &quick);
	for (u32 i = 0; i < 20; i++) {
		assert_true(request(t, 9, 200, 3));
		fold(t);
	}
	assert_int_equal(t->nameless, 0);
	check(t->current[3]);
	finish(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_second_sight),
		cmocka_unit_test(test_rule_and_count),
		cmocka_unit_test(test_no_status_no_room_no_rule),
		cmocka_unit_test(test_at_the_bounds),
		cmocka_unit_test(test_random_values),
		cmocka_unit_test(test_counters_wrap),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_slots_run_out),
		cmocka_unit_test(test_room_without_a_path),
		cmocka_unit_test(test_crowd_without_a_path),
		cmocka_unit_test(test_rules_run_out),
		cmocka_unit_test(test_aging),
		cmocka_unit_test(test_forget_while_counts_arrive),
		cmocka_unit_test(test_put_fails),
		cmocka_unit_test(test_histogram_cannot_be_read),
		cmocka_unit_test(test_counted_while_read),
		cmocka_unit_test(test_anything),
		cmocka_unit_test(test_kernel_was_first),
		cmocka_unit_test(test_spares_come_back),
		cmocka_unit_test(test_nobody_says_whose),
		cmocka_unit_test(test_somebody_says_whose),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
