// SPDX-License-Identifier: Apache-2.0
/*
 * The finisher over time: reports by silence, sweeps, lost ends, reused
 * numbers. Each exchange is told once and accounted for once.
 */
#include "finish_helper.h"

/* A report, or the end, of exchange `seq` of connection `conn`. */
static enum outcome next(struct fixture *t, u64 conn, u32 seq, u32 flags, const char *resp)
{
	record(t, S, flags, GET, resp, 0);
	t->x.conn_id = conn;
	t->x.seq = seq;
	return feed(t);
}

/* Sweeps after which a lost end must have been noticed: three in which all are told of. */
#define LONG (3 * RT_SWEEP_ALL_EVERY)

/* One sweep that meets exchange `seq` of connection `conn` (0: none), and
 * whether it was tallied as in flight. */
static bool sweep(struct fixture *t, u64 conn, u32 seq)
{
	struct rt_active a = {
		.type = RT_EV_ACTIVE, .size = sizeof(a), .conn_id = conn, .seq = seq, .role = S};
	u32 before = t->flying;

	rt_finisher__sweep_begin(t->f);
	if (conn)
		rt_finisher__active(t->f, &a);
	rt_finisher__sweep_end(t->f);
	assert_int_equal(counts(t).in_flight, t->flying - before);
	return t->flying != before;
}

static void test_told_by_silence(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 7, 1, RT_X_IDLE | RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(next(t, 7, 1, RT_X_AFTER_IDLE, FULL), NOTHING);
	/* the next one of the same connection is another one, silent or not */
	assert_int_equal(next(t, 7, 2, 0, FULL), FINISHED);
	assert_int_equal(next(t, 7, 3, RT_X_IDLE, FULL), FINISHED);
	/* however it ends: a reset after the full response changes nothing */
	assert_int_equal(next(t, 7, 3, RST | RT_X_UNACKED | RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(t->told, 3);
	assert_int_equal(counts(t).endless, 0);
}

/* However many sweeps fail, none of those that they did not meet is forgotten. */
static void test_sweeps_that_fail(void **state)
{
	for (u32 before = 0; before < 2 * RT_SWEEP_ALL_EVERY; before++) {
		struct fixture *t;

		assert_int_equal(setup(state), 0);
		t = *state;
		for (u32 i = 0; i < before; i++)
			sweep(t, 0, 0);
		assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
		for (u32 i = 0; i < LONG; i++) {
			rt_finisher__sweep_begin(t->f);
			rt_finisher__sweep_failed(t->f);
		}
		for (u32 i = 0; i < RT_SWEEP_ALL_EVERY; i++)
			sweep(t, 0, 0);
		assert_int_equal(next(t, 7, 1, CLOSED | RT_X_LOCAL_FIN | RT_X_AFTER_IDLE, FULL),
				 NOTHING);
		assert_int_equal(t->told, 1);
		teardown(state);
	}
}

static void test_told_by_its_end(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, PARTIAL), NOTHING);
	assert_int_equal(next(t, 7, 1, RT_X_IDLE | RT_X_AFTER_IDLE, PARTIAL), NOTHING);
	assert_int_equal(next(t, 7, 1, CLOSED | RT_X_LOCAL_FIN | RT_X_AFTER_IDLE, PARTIAL),
			 ABORTED);
	/* the missing bytes came: told by the second silence, not by the end */
	assert_int_equal(next(t, 7, 2, RT_X_IDLE, PARTIAL), NOTHING);
	assert_int_equal(next(t, 7, 2, RT_X_IDLE | RT_X_AFTER_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 7, 2, RT_X_AFTER_IDLE, FULL), NOTHING);
	/* a report that never reached user space */
	assert_int_equal(next(t, 7, 3, RT_X_AFTER_IDLE, FULL), FINISHED);
	assert_int_equal(t->told, 3);
}

/* The sweep runs ahead of the ring: the end of the one before comes later. */
static void test_out_of_order(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 7, 2, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 7, 1, RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(next(t, 7, 2, RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(t->told, 2);
}

/* The ring had no room for an end. The kernel leaves those that were reported
 * by silence to user space: one that was told is done, one that was not is counted. */
static void test_lost_end(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 8, 1, RT_X_IDLE, PARTIAL), NOTHING);
	assert_true(sweep(t, 8, 1));
	/* both are over, and no record comes; others go on */
	for (int i = 0; i < LONG; i++)
		assert_true(sweep(t, 9, 1));
	assert_int_equal(counts(t).finished, 1);
	assert_int_equal(counts(t).endless, 1);
	assert_int_equal(t->told, 1);
}

/* No sweep over open files meets a socket that its process closed, and the kernel may keep it for
 * minutes: an end that comes after all does not count anything twice. */
static void test_late_end(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 8, 1, RT_X_IDLE, PARTIAL), NOTHING);
	for (int i = 0; i < 200; i++)
		assert_true(sweep(t, 9, 1));
	assert_int_equal(counts(t).endless, 1);
	assert_int_equal(next(t, 7, 1, CLOSED | RT_X_TIMED_OUT | RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(next(t, 8, 1, CLOSED | RT_X_TIMED_OUT | RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(t->told, 1);
	assert_int_equal(counts(t).aborted, 0);
	assert_int_equal(counts(t).endless, 1);
}

/* While the sweep still meets it, however often, it is not forgotten. */
static void test_long_silence(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
	for (int i = 0; i < 100; i++)
		assert_false(sweep(t, 7, 1));
	/* some sweeps may find its state locked */
	for (int i = 0; i < 3; i++)
		sweep(t, 0, 0);
	assert_int_equal(next(t, 7, 1, CLOSED | RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(t->told, 1);
	assert_int_equal(counts(t).endless, 0);
}

/* Most sweeps leave out what rests: that is in flight all the same, until it is told. */
static void test_resting(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, PARTIAL), NOTHING);
	for (int i = 0; i < 10 * RT_SWEEP_ALL_EVERY; i++)
		assert_true(sweep(t, i % RT_SWEEP_ALL_EVERY ? 0 : 7, 1));
	assert_int_equal(next(t, 7, 1, RT_X_IDLE | RT_X_AFTER_IDLE, FULL), FINISHED);
	for (int i = 0; i < 10 * RT_SWEEP_ALL_EVERY; i++)
		assert_false(sweep(t, i % RT_SWEEP_ALL_EVERY ? 0 : 7, 1));
	assert_int_equal(next(t, 7, 1, RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(t->told, 1);
	assert_int_equal(counts(t).endless, 0);
}

/* The number of a socket that is gone comes again, and with it the first seq. */
static void test_conn_id_again(void **state)
{
	struct fixture *t = *state;

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 7, 1, RT_X_IDLE, PARTIAL), NOTHING);
	assert_int_equal(next(t, 7, 1, CLOSED | RT_X_AFTER_IDLE, PARTIAL), ABORTED);

	assert_int_equal(next(t, 7, 1, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 7, 1, 0, FULL), FINISHED);
	assert_int_equal(t->told, 4);

	/* the older one was waiting: its end was lost */
	assert_int_equal(next(t, 8, 1, RT_X_IDLE, PARTIAL), NOTHING);
	assert_int_equal(next(t, 8, 1, RT_X_IDLE, FULL), FINISHED);
	assert_int_equal(next(t, 8, 1, CLOSED | RT_X_AFTER_IDLE, FULL), NOTHING);
	assert_int_equal(counts(t).endless, 1);
}

static void test_in_flight(void **state)
{
	struct fixture *t = *state;

	assert_true(sweep(t, 7, 1));
	assert_int_equal(next(t, 7, 1, RT_X_IDLE, PARTIAL), NOTHING);
	assert_true(sweep(t, 7, 1));
	assert_int_equal(next(t, 7, 1, RT_X_IDLE | RT_X_AFTER_IDLE, FULL), FINISHED);
	assert_false(sweep(t, 7, 1));
	assert_true(sweep(t, 7, 2));
	assert_true(sweep(t, 8, 1));
	assert_false(sweep(t, 0, 0));
}

/* Thousands of exchanges with every fate: each is accounted for exactly once. */
static void test_conservation(void **state)
{
	struct fixture *t = *state;
	struct rt_finish_counts c;
	u64 started = 0, waiting = 0;
	u32 seed = 1;

	for (u32 i = 0; i < 20000; i++) {
		bool silent, lost;
		u64 conn = i % 97;
		u32 seq = i / 97;

		seed = seed * 1664525 + 1013904223;
		silent = seed >> 16 & 1;
		lost = silent && (seed >> 17 & 7) == 0;
		started++;
		if (silent)
			next(t, conn, seq, RT_X_IDLE, seed >> 20 & 1 ? FULL : PARTIAL);
		if (lost && !(seed >> 20 & 1))
			waiting++;
		if (!lost)
			next(t, conn, seq, silent ? RST | RT_X_AFTER_IDLE : CLOSED,
			     (const char *const[]){FULL, PARTIAL, "", FOREIGN}[seed >> 22 & 3]);
	}
	c = counts(t);
	assert_int_equal(c.endless, 0);
	assert_int_equal(c.finished + c.aborted + c.rejected + waiting, started);
	for (int i = 0; i < LONG; i++)
		sweep(t, 0, 0);
	c = counts(t);
	assert_int_equal(c.endless, waiting);
	assert_int_equal(t->told, c.finished + c.aborted);
	assert_true(c.finished && c.aborted && c.rejected && c.endless);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_told_by_silence), TEST(test_told_by_its_end), TEST(test_out_of_order),
		cmocka_unit_test(test_sweeps_that_fail),
		TEST(test_lost_end),	    TEST(test_late_end),
		TEST(test_long_silence),    TEST(test_resting),
		TEST(test_conn_id_again),   TEST(test_in_flight),	TEST(test_conservation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
