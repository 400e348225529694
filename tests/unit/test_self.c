// SPDX-License-Identifier: Apache-2.0
/*
 * redtap's own health as a scraper sees it, without a kernel side: every row of
 * stats.def has its sample, and the finisher's counts arrive in the right ones.
 */
#include <stdio.h>

#include "finish_helper.h"

#include "collect/collect.h"
#include "export/prometheus.h"
#include "redtap/bpfcfg.h"

extern const struct rt_collector rt_collector_self;

static const struct {
	const char *metric;
	const char *labels;
	const char *help;
} stats[] = {
#define STAT(id, m, l, h) {m, l, h},
#include "redtap/stats.def"
#undef STAT
};

struct scene {
	struct fixture *t;
	struct rt_registry *registry;
	struct rt_collect_ctx ctx;
	struct rt_collect *collect;
	struct rt_buf page;
};

static int scene_setup(void **state)
{
	static const struct rt_collector *const table[] = {&rt_collector_self};
	struct rt_registry_opts opts = {.max_series = 1} /* not for these */;
	struct scene *s = calloc(1, sizeof(*s));

	*state = s;
	s->registry = rt_registry__new(&opts);
	if (setup((void **)&s->t))
		return -1;
	s->ctx.cfg = &s->t->cfg;
	s->ctx.finisher = s->t->f;
	s->collect = rt_collect__new_table(s->registry, &s->ctx, table, 1);
	return s->collect ? 0 : -1;
}

static int scene_teardown(void **state)
{
	struct scene *s = *state;

	rt_collect__free(s->collect);
	teardown((void **)&s->t);
	rt_registry__free(s->registry);
	rt_buf__free(&s->page);
	free(s);
	return 0;
}

static void scrape(struct scene *s, enum rt_exposition format)
{
	rt_collect__run(s->collect);
	rt_buf__reset(&s->page);
	rt_buf__puts(&s->page, "\n");
	assert_int_equal(rt_expo__render(s->registry, format, &s->page), 0);
}

/* How often a text stands in the page. */
static int times(const struct scene *s, const char *text)
{
	int n = 0;

	for (const char *p = s->page.data; (p = strstr(p, text)); p++)
		n++;
	return n;
}

/* The value behind a sample's name and labels; fails when it is not there once. */
static double value(const struct scene *s, const char *sample)
{
	char line[256];

	snprintf(line, sizeof(line), "\n%s ", sample);
	if (times(s, line) != 1)
		fail_msg("%d samples %s in %s", times(s, line), sample, s->page.data);
	return strtod(strstr(s->page.data, line) + strlen(line), NULL);
}

static void sample_name(char *ret, size_t len, const char *metric, const char *labels)
{
	snprintf(ret, len, *labels ? "%s_total{%s}" : "%s_total%s", metric, labels);
}

static void test_all_rows(void **state)
{
	struct scene *s = *state;
	char name[256];

	scrape(s, RT_EXPO_TEXT_0_0_4);
	for (size_t i = 0; i < RT_ARRAY_SIZE(stats); i++) {
		sample_name(name, sizeof(name), stats[i].metric, stats[i].labels);
		assert_true(value(s, name) == 0);
		/* one family, however many rows it has: one type, one help, a counter */
		snprintf(name, sizeof(name), "\n# TYPE %s_total counter\n", stats[i].metric);
		assert_int_equal(times(s, name), 1);
		snprintf(name, sizeof(name), "\n# HELP %s_total ", stats[i].metric);
		assert_int_equal(times(s, name), 1);
	}
	assert_true(value(s, "redtap_exchanges_in_flight") == 0);
	assert_int_equal(times(s, "\n# TYPE redtap_exchanges_in_flight gauge\n"), 1);
}

/* The families that the first row of each must explain, and the names that the
 * promises are made under. */
static void test_names(void **state)
{
	static const char *const promised[] = {
		"redtap_exchanges_started", "redtap_exchanges_finished",
		"redtap_exchanges_aborted", "redtap_exchanges_evicted",
		"redtap_records",	    "redtap_records_lost",
		"redtap_socket_bytes",
	};

	for (size_t i = 0; i < RT_ARRAY_SIZE(promised); i++) {
		bool found = false;

		for (size_t j = 0; j < RT_ARRAY_SIZE(stats); j++)
			found |= !strcmp(stats[j].metric, promised[i]);
		if (!found)
			fail_msg("%s is not in stats.def", promised[i]);
	}
	for (size_t i = 0; i < RT_ARRAY_SIZE(stats); i++) {
		bool first = !i || strcmp(stats[i].metric, stats[i - 1].metric) != 0;

		if (first)
			assert_true(strlen(stats[i].help) > 20);
		/* rows of a family follow each other: its name does not come again */
		for (size_t j = 0; first && j < i; j++)
			assert_string_not_equal(stats[i].metric, stats[j].metric);
	}
}

static void test_labels(void **state)
{
	struct scene *s = *state;

	scrape(s, RT_EXPO_TEXT_0_0_4);
	assert_true(value(s, "redtap_socket_bytes_total{class=\"parsed\"}") == 0);
	assert_true(value(s, "redtap_socket_bytes_total{class=\"unknown\"}") == 0);
	assert_true(value(s, "redtap_socket_bytes_total{class=\"opaque\"}") == 0);
	assert_true(value(s, "redtap_records_lost_total{reason=\"ring_full\"}") == 0);
	/* OpenMetrics has the unit apart, and the family without _total */
	scrape(s, RT_EXPO_OPENMETRICS_1_0);
	assert_int_equal(times(s, "\n# UNIT redtap_socket_bytes bytes\n"), 1);
	assert_int_equal(times(s, "\n# TYPE redtap_exchanges_finished counter\n"), 1);
}

static void test_build_info(void **state)
{
	struct scene *s = *state;

	scrape(s, RT_EXPO_TEXT_0_0_4);
	/* no kernel side: no backend, and the empty label is left out */
	assert_true(value(s, "redtap_build_info{version=\"" REDTAP_VERSION "\"}") == 1);
	assert_int_equal(times(s, "\nredtap_program_runs_total{"), 0);
	assert_true(value(s, "redtap_scrape_collector_success{collector=\"self\"}") == 1);
}

/* One record, or several, of exchange `seq`. */
static enum outcome one(struct fixture *t, u32 seq, u32 flags, const char *req, const char *resp)
{
	record(t, S, flags, req, resp, 0);
	t->x.seq = seq;
	return feed(t);
}

static void test_counts_arrive(void **state)
{
	struct scene *s = *state;
	struct rt_active a = {.type = RT_EV_ACTIVE, .size = sizeof(a), .role = S};
	struct fixture *t = s->t;

	/* 7 finished, of these 2 by silence without a frame and 1 pipelined; 3
	 * aborted; 2 rejected; 1 malformed; 1 without an end; 4 in flight */
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(one(t, i, 0, GET, FULL), FINISHED);
	assert_int_equal(one(t, 10, 0, GET GET, FULL), FINISHED);
	for (u32 i = 20; i < 22; i++)
		assert_int_equal(one(t, i, RT_X_IDLE | RT_X_LONG_IDLE, GET, INVALID), FINISHED);
	for (u32 i = 30; i < 33; i++)
		assert_int_equal(one(t, i, RST, GET, ""), ABORTED);
	for (u32 i = 40; i < 42; i++)
		assert_int_equal(one(t, i, CLOSED, GET, FOREIGN), REJECTED);
	assert_int_equal(one(t, 50, RT_X_IDLE, GET, PARTIAL), NOTHING);
	record(t, S, 0, GET, FULL, 0);
	t->x.size = 8;
	assert_int_equal(feed(t), BAD);
	for (int i = 0; i < 3 * RT_SWEEP_ALL_EVERY; i++) {
		rt_finisher__sweep_begin(t->f);
		for (a.conn_id = 100; a.conn_id < 104; a.conn_id++)
			rt_finisher__active(t->f, &a);
		rt_finisher__sweep_end(t->f);
	}

	/* twice: what is set anew at each scrape must not add up */
	for (int i = 0; i < 2; i++) {
		scrape(s, RT_EXPO_TEXT_0_0_4);
		assert_true(value(s, "redtap_exchanges_finished_total") == 7);
		assert_true(value(s, "redtap_exchanges_unframed_total") == 2);
		assert_true(value(s, "redtap_exchanges_pipelined_total") == 1);
		assert_true(value(s, "redtap_exchanges_aborted_total") == 3);
		assert_true(value(s, "redtap_exchanges_evicted_total{reason=\"not_a_request\"}") ==
			    2);
		assert_true(value(s, "redtap_exchanges_evicted_total{reason=\"end_missing\"}") ==
			    1);
		assert_true(value(s, "redtap_exchanges_evicted_total{reason=\"ring_full\"}") == 0);
		assert_true(value(s, "redtap_records_malformed_total") == 1);
		assert_true(value(s, "redtap_exchanges_in_flight") == 4);
	}
}

/* Those of the kernel, here none, and those among the records. */
static void test_samples(void **state)
{
	static const u64 taken[RT_NR_SAMPLES] = {
		[RT_SAMPLE_ANY] = 3, [RT_SAMPLE_SLOW] = 4, [RT_SAMPLE_FAILED] = 5};
	static const u64 unread = 2;
	struct scene *s = *state;

	s->ctx.samples_taken = taken;
	s->ctx.samples_unread = &unread;
	for (int i = 0; i < 2; i++) {
		scrape(s, RT_EXPO_TEXT_0_0_4);
		assert_true(value(s, "redtap_samples_total{reason=\"rate\"}") == 3);
		assert_true(value(s, "redtap_samples_total{reason=\"slow\"}") == 4);
		assert_true(value(s, "redtap_samples_total{reason=\"failed\"}") == 5);
		assert_true(value(s, "redtap_samples_thinned_total{by=\"slow_reader\"}") == 2);
	}
}

/* Neither a kernel side nor a finisher: all zero, and nothing breaks. */
static void test_alone(void **state)
{
	struct scene *s = *state;

	s->ctx.finisher = NULL;
	one(s->t, 1, 0, GET, FULL);
	scrape(s, RT_EXPO_TEXT_0_0_4);
	assert_true(value(s, "redtap_exchanges_finished_total") == 0);
}

#define SCENE(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(test_all_rows),	cmocka_unit_test(test_names), SCENE(test_labels),
		SCENE(test_build_info), SCENE(test_counts_arrive),    SCENE(test_samples),
		SCENE(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
