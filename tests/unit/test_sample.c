// SPDX-License-Identifier: Apache-2.0
/*
 * Samples: rates hold over any time, kinds and services do not take from each other, and
 * one request in a hundred is above the threshold, wherever the durations lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "red/red.h"
#include "red/sample.h"

#define MS    1000000ull
#define SEC   1000000000ull
#define SLOTS 64

struct fixture {
	struct rt_sampler all[RT_SAMPLERS_MAX];
	u64 of_slot[SLOTS];
	struct rt_samplers where;
	struct rt_sampling *s;
	u64 random;
};

static int open_with(void **state, u64 slow_ns)
{
	struct fixture *t = calloc(1, sizeof(*t));

	if (!t)
		return -1;
	t->where = (struct rt_samplers){
		.all = t->all,
		.of_slot = t->of_slot,
		.every_ns = {[RT_SAMPLE_ANY] = SEC, [RT_SAMPLE_SLOW] = SEC / 5},
	};
	t->s = rt_sampling__new(slow_ns, &t->where);
	t->random = 1;
	*state = t;
	return t->s ? 0 : -1;
}

static int setup(void **state)
{
	return open_with(state, 0);
}

static int setup_20ms(void **state)
{
	return open_with(state, 20 * MS);
}

static int teardown(void **state)
{
	struct fixture *t = *state;

	rt_sampling__free(t->s);
	free(t);
	return 0;
}

/* Evenly from 0 to 1 (Knuth's MMIX generator). */
static double even(struct fixture *t)
{
	t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(t->random >> 11) / (double)(1ull << 53);
}

/* A server: most take around a `unit`, some several, few twenty. */
static u64 duration(struct fixture *t, u64 unit)
{
	double kind = even(t), some = even(t);

	if (kind < 0.004)
		return (u64)((double)unit * 20 * (1 + some));
	if (kind < 0.05)
		return (u64)((double)unit * (1 + 5 * some));
	return (u64)((double)unit * (0.5 + some));
}

static struct rt_sampler *sampler(struct fixture *t, u32 slot)
{
	assert_in_range(t->of_slot[slot], 1, RT_SAMPLERS_MAX - 1);
	return &t->all[t->of_slot[slot]];
}

/* n requests as the kernel counts them: in the slot, and those above the threshold. */
static u64 serve(struct fixture *t, u32 slot, const char *service, u32 n, u64 unit, u64 now)
{
	u64 sum = 0, slow = 0, ns;

	for (u32 i = 0; i < n; i++) {
		ns = duration(t, unit);
		sum += ns;
		slow += ns > sampler(t, slot)->slow_ns;
	}
	sampler(t, slot)->slow += slow;
	rt_sampling__counted(t->s, service, RT_ROLE_SERVER, n, sum, now);
	rt_sampling__adapt(t->s);
	return slow;
}

static void assert_one_in_a_hundred(struct fixture *t, u32 slot, u64 unit)
{
	u32 above = 0;

	for (u32 i = 0; i < 100000; i++)
		above += duration(t, unit) > sampler(t, slot)->slow_ns;
	assert_in_range(above, 400, 2500);
}

/* Two services at once, one a thousand times as slow; then one becomes ten times slower, and
 * as fast again. */
static void test_follows_the_99th_percentile(void **state)
{
	struct fixture *t = *state;
	u64 now = SEC;

	rt_sampling__place(t->s, 3, "quick", RT_ROLE_SERVER, now);
	rt_sampling__place(t->s, 4, "slow", RT_ROLE_SERVER, now);
	for (u32 i = 0; i < 60; i++, now += SEC / 2) {
		serve(t, 3, "quick", 2000, 100000, now);
		serve(t, 4, "slow", 400, 100 * MS, now);
	}
	assert_one_in_a_hundred(t, 3, 100000);
	assert_one_in_a_hundred(t, 4, 100 * MS);
	for (u32 i = 0; i < 20; i++, now += SEC / 2)
		serve(t, 3, "quick", 2000, 1 * MS, now);
	assert_one_in_a_hundred(t, 3, 1 * MS);
	for (u32 i = 0; i < 40; i++, now += SEC / 2)
		serve(t, 3, "quick", 2000, 100000, now);
	assert_one_in_a_hundred(t, 3, 100000);
}

/* Of few requests nothing is slow yet, rather than all. */
static void test_nothing_is_slow_at_first(void **state)
{
	struct fixture *t = *state;

	rt_sampling__place(t->s, 1, "new", RT_ROLE_SERVER, SEC);
	assert_int_equal(serve(t, 1, "new", 100, MS, SEC), 0);
	assert_int_equal(serve(t, 1, "new", 100, MS, SEC), 0);
	assert_true(sampler(t, 1)->slow_ns > SEC);
}

static u32 ask_of(struct fixture *t, const char *service, u16 status, enum rt_error error, u64 ns,
		  u64 now)
{
	struct rt_exchange x = {.role = RT_ROLE_SERVER};
	struct rt_op op = {.status = status};
	struct rt_process p = {.service = service};
	struct rt_finished f = {
		.x = &x,
		.op = &op,
		.process = &p,
		.error = error,
		.duration_ns = ns,
	};

	return rt_sampling__wanted(t->s, &f, now);
}

static u32 ask(struct fixture *t, const char *service, u16 status, u64 ns, u64 now)
{
	return ask_of(t, service, status, RT_ERROR_NONE, ns, now);
}

/* A service whose requests all come as records, and beside each five that get no answer, after
 * any time. */
static void test_records_have_a_percentile(void **state)
{
	struct fixture *t = *state;
	u64 now = 100 * SEC;
	u32 slow = 0;

	rt_sampling__place(t->s, 5, "records", RT_ROLE_SERVER, now);
	for (u32 i = 0; i < 60; i++, now += SEC / 2) {
		for (u32 k = 0; k < 1000; k++)
			ask(t, "records", 200, duration(t, MS), now);
		for (u32 k = 0; k < 5000; k++)
			ask_of(t, "records", 0, RT_ERROR_TIMEOUT, 1000 * SEC, now);
		rt_sampling__adapt(t->s);
	}
	assert_one_in_a_hundred(t, 5, MS);
	now += 10 * SEC;
	for (u32 k = 0; k < 3; k++)
		slow += ask(t, "records", 200, SEC, now) == RT_SAMPLE_SLOW + 1;
	assert_int_equal(slow, 3);
}

/* One a second of all, five more of slow ones, of failed ones none more; a second's worth at
 * once. What is failed or slow is one of all. */
static void test_rates(void **state)
{
	struct fixture *t = *state;
	u32 any = 0, failed = 0, slow = 0, other = 0, mixed = 0;

	for (u64 now = 100 * SEC; now < 110 * SEC; now += MS) {
		any += ask(t, "a", 200, MS, now) != 0;
		failed += ask(t, "b", 500, 21 * MS, now) != 0;
		slow += ask(t, "c", 200, 21 * MS, now) != 0;
		other += ask(t, "d", 200, 20 * MS, now) != 0;
		mixed += ask(t, "e", 200, MS, now) != 0;
		mixed += ask(t, "e", 200, 21 * MS, now) != 0;
		mixed += ask(t, "e", 500, MS, now) != 0;
	}
	assert_in_range(any, 10, 11);
	assert_in_range(failed, 10, 11);
	assert_in_range(slow, 50 + 10, 55 + 11);
	assert_in_range(other, 10, 11);
	assert_in_range(mixed, 50 + 10, 55 + 11);
	/* Silence saves no more than a second's. */
	slow = 0;
	for (u32 i = 0; i < 100; i++)
		slow += ask(t, "c", 200, 21 * MS, 1000 * SEC) != 0;
	assert_in_range(slow, 5 + 1, 6 + 2);
}

/* By which rate: its own first, then that of all. */
static void test_tells_the_rate(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(ask(t, "a", 200, 21 * MS, 100 * SEC), RT_SAMPLE_SLOW + 1);
	assert_int_equal(ask(t, "a", 500, 21 * MS, 100 * SEC), RT_SAMPLE_ANY + 1);
	assert_int_equal(ask(t, "b", 200, MS, 100 * SEC), RT_SAMPLE_ANY + 1);
	for (u32 i = 0; i < 2; i++)
		ask(t, "b", 200, MS, 100 * SEC);
	assert_int_equal(ask(t, "b", 200, MS, 100 * SEC), 0);
}

/* As the kernel does it: the same turn is not taken twice. */
static void test_shares_its_rates_with_the_kernel(void **state)
{
	struct fixture *t = *state;
	u32 taken = 0;

	rt_sampling__place(t->s, 7, "a", RT_ROLE_SERVER, SEC);
	for (u64 now = 100 * SEC; now < 110 * SEC; now += MS) {
		taken += (u32)rt_sample_due(sampler(t, 7), RT_SAMPLE_ANY, SEC, now);
		taken += ask(t, "a", 200, MS, now) != 0;
	}
	assert_in_range(taken, 10, 11);
	rt_sampling__place(t->s, 7, NULL, 0, 110 * SEC);
	assert_int_equal(t->of_slot[7], 0);
}

/* More services than samplers: those that were not heard of for longest give way. */
static void test_many_services(void **state)
{
	struct fixture *t = *state;
	char name[16];
	u64 kept;

	rt_sampling__place(t->s, 0, "kept", RT_ROLE_SERVER, SEC);
	kept = t->of_slot[0];
	for (u32 i = 0; i < 3 * RT_SAMPLERS_MAX; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		rt_sampling__place(t->s, 1 + i % (SLOTS - 1), name, RT_ROLE_SERVER, SEC + i);
		assert_in_range(t->of_slot[1 + i % (SLOTS - 1)], 1, RT_SAMPLERS_MAX - 1);
		assert_int_not_equal(t->of_slot[1 + i % (SLOTS - 1)], kept);
		rt_sampling__place(t->s, 0, "kept", RT_ROLE_SERVER, SEC + i);
		assert_int_equal(t->of_slot[0], kept);
	}
	assert_true(ask(t, "kept", 200, MS, 100 * SEC));
	assert_true(ask(t, "s0", 200, MS, 100 * SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_follows_the_99th_percentile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_slow_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_records_have_a_percentile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rates, setup_20ms, teardown),
		cmocka_unit_test_setup_teardown(test_tells_the_rate, setup_20ms, teardown),
		cmocka_unit_test_setup_teardown(test_shares_its_rates_with_the_kernel, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_many_services, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
