// SPDX-License-Identifier: Apache-2.0
/* The registry: label sets, caps, expiry, snapshots, and writers beside readers. */
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/labels.h"
#include "metrics/snapshot.h"
#include "util/clock.h"

#define SEC 1000000000ULL

static const double bounds[] = {0.1, 1, 10};
static const struct rt_family_desc counter_desc = {.name = "requests",
						   .help = "Requests.",
						   .type = RT_COUNTER,
						   .labels = {"service", "route"},
						   .expires = true};
static const struct rt_family_desc histogram_desc = {.name = "latency_seconds",
						     .help = "Latency.",
						     .type = RT_HISTOGRAM,
						     .unit = "seconds",
						     .labels = {"service", "route"},
						     .bounds = bounds,
						     .nr_bounds = 3,
						     .expires = true};
static const struct rt_family_desc lasting_desc = {
	.name = "lasting", .help = "Does not expire.", .type = RT_GAUGE, .labels = {"service"}};
static const struct rt_family_desc plain_desc = {
	.name = "plain", .help = "No labels.", .type = RT_COUNTER, .expires = true};

static struct rt_registry *new_registry(u32 max_series, u64 ttl_ns)
{
	struct rt_registry_opts opts = {.max_series = max_series, .ttl_ns = ttl_ns};
	struct rt_registry *r = rt_registry__new(&opts);

	assert_non_null(r);
	return r;
}

static struct rt_slice slice(const char *p, size_t len)
{
	return (struct rt_slice){(const u8 *)p, (u32)len};
}

static struct rt_series *series2(struct rt_metric *m, const char *a, const char *b)
{
	struct rt_slice values[] = {rt_slice_str(a), rt_slice_str(b)};

	return rt_metric__series(m, values);
}

/* The series of a family whose body is `body`, in a fresh snapshot's copy; fails when absent. */
static bool find_value(struct rt_registry *r, const char *family, const char *body, double *ret)
{
	struct rt_snapshot *s;
	bool found = false;
	u32 i, k;

	assert_int_equal(rt_registry__snapshot(r, &s), 0);
	for (i = 0; i < s->nr_families; i++) {
		if (strcmp(s->families[i].desc->name, family) != 0)
			continue;
		for (k = 0; k < s->families[i].nr_slots; k++) {
			const struct rt_series *series =
				rt_family_snapshot__slot(&s->families[i], k);

			if (!series->labels || series->labels->len != strlen(body) ||
			    memcmp(series->labels->body, body, strlen(body)) != 0)
				continue;
			assert_false(found); /* never twice */
			found = true;
			*ret = series->value;
		}
	}
	rt_snapshot__free(s);
	return found;
}

static double value_of(struct rt_registry *r, const char *family, const char *body)
{
	double v = NAN;

	assert_true(find_value(r, family, body, &v));
	return v;
}

static bool has_series(struct rt_registry *r, const char *family, const char *body)
{
	double v;

	return find_value(r, family, body, &v);
}

/* --- label values ----------------------------------------------------------- */

#define FFFD "\xef\xbf\xbd"

static void test_sanitise(void **state)
{
	/* Unicode 15, table 3-7; one replacement per byte that begins no character. */
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} cases[] = {
		{"", 0, ""},
		{"GET", 3, "GET"},
		{"caf\xc3\xa9", 5, "caf\xc3\xa9"},
		{"\xe2\x82\xac", 3, "\xe2\x82\xac"},
		{"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80"},
		{"\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf"},
		{"a\xff"
		 "b",
		 3, "a" FFFD "b"},
		{"\x80", 1, FFFD},
		{"\xc0\xaf", 2, FFFD FFFD},
		{"\xe0\x80\xaf", 3, FFFD FFFD FFFD},
		{"\xed\xa0\x80", 3, FFFD FFFD FFFD},
		{"\xf4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD},
		{"\xf5", 1, FFFD},
		{"\xe2\x82", 2, FFFD FFFD},
		{"\xe2\x28\xa1", 3, FFFD "(" FFFD},
		{"\xf0\x9f\x98", 3, FFFD FFFD FFFD},
		{"\xf0\x9f\x98x", 4, FFFD FFFD FFFD "x"},
		{"a\0b", 3, "a" FFFD "b"},
		{"a\nb\t\x7f", 5, "a\nb\t\x7f"},
	};
	u8 out[RT_LABEL_VALUE_MAX];
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(cases); i++) {
		/* A copy without a byte to spare: reading past the end is seen by ASan. */
		char *in = malloc(cases[i].len ? cases[i].len : 1);
		u32 n;

		memcpy(in, cases[i].in, cases[i].len);
		n = rt_labels__sanitise(slice(in, cases[i].len), out);
		free(in);
		assert_int_equal(n, strlen(cases[i].out));
		assert_memory_equal(out, cases[i].out, n);
	}
}

static void test_sanitise_cuts_whole_characters(void **state)
{
	char in[600];
	u8 out[RT_LABEL_VALUE_MAX];

	memset(in, 'a', sizeof(in));
	assert_int_equal(rt_labels__sanitise(slice(in, 256), out), 256);
	assert_int_equal(rt_labels__sanitise(slice(in, 257), out), 256);
	memcpy(in + 255, "\xc3\xa9", 2);
	assert_int_equal(rt_labels__sanitise(slice(in, 600), out), 255);
	memcpy(in + 254, "\xc3\xa9", 2);
	assert_int_equal(rt_labels__sanitise(slice(in, 600), out), 256);
	/* Each bad byte becomes three: 85 of them fit into 256. */
	memset(in, 0xff, sizeof(in));
	assert_int_equal(rt_labels__sanitise(slice(in, 600), out), 255);
}

static void test_body(void **state)
{
	static const char *const names[] = {"a", "b", "c"};
	struct rt_slice values[] = {slice("x\\y", 3), slice("", 0), slice("say \"hi\"\n", 9)};
	const char *want = "a=\"x\\\\y\",c=\"say \\\"hi\\\"\\n\"";
	u8 key[RT_LABEL_KEY_MAX];
	char body[128];
	u32 n = rt_labels__key(values, 3, key);

	assert_int_equal(rt_labels__body(names, key, n, NULL), strlen(want));
	assert_int_equal(rt_labels__body(names, key, n, body), strlen(want));
	assert_memory_equal(body, want, strlen(want));

	values[0] = values[2] = slice(NULL, 0);
	n = rt_labels__key(values, 3, key);
	assert_int_equal(rt_labels__body(names, key, n, NULL), 0);
}

static void test_series_identity(void **state)
{
	struct rt_registry *r = new_registry(100, 0);
	struct rt_metric *m = rt_registry__add(r, &counter_desc);
	char long_a[400], long_b[400];

	memset(long_a, 'x', sizeof(long_a));
	memcpy(long_b, long_a, sizeof(long_b));
	long_a[399] = long_b[399] = '\0';
	long_b[300] = 'y';

	rt_registry__lock(r);
	assert_ptr_equal(series2(m, "shop", "/a"), series2(m, "shop", "/a"));
	assert_ptr_not_equal(series2(m, "shop", "/a"), series2(m, "shop", "/b"));
	assert_ptr_not_equal(series2(m, "a", "bc"), series2(m, "ab", "c"));
	assert_ptr_not_equal(series2(m, "a", ""), series2(m, "", "a"));
	/* Different before sanitising, one series after. */
	assert_ptr_equal(series2(m, "\xfe", "/"), series2(m, "\xff", "/"));
	assert_ptr_equal(series2(m, "\xff", "/"), series2(m, FFFD, "/"));
	assert_ptr_equal(series2(m, long_a, "/"), series2(m, long_b, "/"));
	rt_registry__unlock(r);
	rt_registry__free(r);
}

static void test_many_series_stay_put(void **state)
{
	struct rt_registry *r = new_registry(5000, 0);
	struct rt_metric *m = rt_registry__add(r, &histogram_desc);
	static struct rt_series *seen[5000];
	char route[16];
	int i;

	rt_registry__lock(r);
	for (i = 0; i < 5000; i++) {
		snprintf(route, sizeof(route), "/%d", i);
		seen[i] = series2(m, "s", route);
		rt_series__observe(seen[i], i, 1);
	}
	for (i = 0; i < 5000; i++) {
		snprintf(route, sizeof(route), "/%d", i);
		assert_ptr_equal(series2(m, "s", route), seen[i]);
	}
	rt_registry__unlock(r);
	assert_true(value_of(r, "latency_seconds", "service=\"s\",route=\"/4321\"") == 4321);
	assert_false(has_series(r, "latency_seconds", "redtap_overflow=\"true\""));
	rt_registry__free(r);
}

/* --- values ----------------------------------------------------------------- */

static void test_values(void **state)
{
	struct rt_registry *r = new_registry(100, 0);
	struct rt_metric *counter = rt_registry__add(r, &plain_desc);
	struct rt_metric *gauge = rt_registry__add(r, &lasting_desc);
	struct rt_slice name = rt_slice_str("s");
	struct rt_series *c, *g;

	rt_registry__lock(r);
	c = rt_metric__series(counter, NULL);
	g = rt_metric__series(gauge, &name);
	rt_series__add(c, 9007199254740991.0, 1); /* 2^53 - 1 */
	rt_series__add(c, 1, 1);
	rt_series__add(c, -5, 1);
	rt_series__add(c, NAN, 1);
	rt_series__add(g, 3, 1);
	rt_series__add(g, -5, 1);
	rt_series__add(NULL, 1, 1);
	rt_series__set(NULL, 1, 1);
	rt_series__observe(NULL, 1, 1);
	rt_series__set_histogram(NULL, NULL, 1, 1);
	rt_registry__unlock(r);
	assert_true(value_of(r, "plain", "") == 9007199254740992.0);
	assert_true(value_of(r, "lasting", "service=\"s\"") == -2);
	rt_registry__lock(r);
	rt_series__set(g, 7.5, 1);
	rt_registry__unlock(r);
	assert_true(value_of(r, "lasting", "service=\"s\"") == 7.5);
	rt_registry__free(r);
}

static void test_histogram_buckets(void **state)
{
	static const u64 given[] = {5, 6, 7, 8};
	struct rt_registry *r = new_registry(100, 0);
	struct rt_metric *m = rt_registry__add(r, &histogram_desc);
	struct rt_series *s;

	rt_registry__lock(r);
	s = series2(m, "s", "/");
	rt_series__observe(s, 0, 1);
	rt_series__observe(s, 0.1, 1); /* a bound belongs to its bucket */
	rt_series__observe(s, 0.1000001, 1);
	rt_series__observe(s, 10, 1);
	rt_series__observe(s, 10.5, 1);
	rt_series__observe(s, INFINITY, 1);
	rt_series__observe(s, NAN, 1);
	assert_int_equal(s->counts[0], 2);
	assert_int_equal(s->counts[1], 1);
	assert_int_equal(s->counts[2], 1);
	assert_int_equal(s->counts[3], 2);
	rt_series__set_histogram(s, given, 12.5, 1);
	assert_memory_equal(s->counts, given, sizeof(given));
	assert_true(s->value == 12.5);
	rt_registry__unlock(r);
	rt_registry__free(r);
}

/* --- caps ------------------------------------------------------------------- */

static void test_overflow(void **state)
{
	const char *overflow = "redtap_overflow=\"true\"";
	struct rt_registry *r = new_registry(3, 10 * SEC);
	struct rt_metric *m = rt_registry__add(r, &counter_desc);
	struct rt_registry_opts wider = {.max_series = 4, .ttl_ns = 10 * SEC};
	struct rt_series *o;
	u64 generation = rt_registry__generation(r);

	/* Shown at zero before anything happens, so that rate() sees the first increase. */
	assert_true(value_of(r, "redtap_series_overflow", "family=\"requests\"") == 0);
	rt_registry__lock(r);
	rt_series__add(series2(m, "s", "/1"), 1, SEC);
	rt_series__add(series2(m, "s", "/2"), 1, SEC);
	rt_series__add(series2(m, "s", "/3"), 1, SEC);
	o = series2(m, "s", "/4");
	rt_series__add(o, 10, SEC);
	assert_ptr_equal(series2(m, "s", "/5"), o);
	rt_series__add(series2(m, "s", "/6"), 100, SEC);
	rt_series__add(series2(m, "s", "/1"), 1, SEC); /* known ones go on */
	rt_registry__unlock(r);

	assert_true(value_of(r, "requests", overflow) == 110);
	assert_true(value_of(r, "requests", "service=\"s\",route=\"/1\"") == 2);
	assert_false(has_series(r, "requests", "service=\"s\",route=\"/4\""));
	assert_true(value_of(r, "redtap_series_overflow", "family=\"requests\"") == 3);

	rt_registry__set_opts(r, &wider);
	assert_true(rt_registry__generation(r) != generation);
	rt_registry__lock(r);
	assert_ptr_not_equal(series2(m, "s", "/4"), o);
	assert_ptr_equal(series2(m, "s", "/5"), o);
	rt_registry__unlock(r);
	/* All dropped but the overflow series; there is room again. */
	assert_int_equal(rt_registry__expire(r, 5 * SEC), 0);
	assert_int_equal(rt_registry__expire(r, 12 * SEC), 3);
	assert_true(value_of(r, "requests", overflow) == 110);
	rt_registry__lock(r);
	assert_ptr_not_equal(series2(m, "s", "/5"), o);
	rt_registry__unlock(r);
	rt_registry__free(r);
}

static void test_default_cap(void **state)
{
	struct rt_registry *r = new_registry(0, 0);
	struct rt_metric *m = rt_registry__add(r, &counter_desc);
	struct rt_series *last = NULL;
	char route[16];
	int i;

	rt_registry__lock(r);
	for (i = 0; i < 2001; i++) {
		snprintf(route, sizeof(route), "/%d", i);
		last = series2(m, "s", route);
		if (i < 2000)
			assert_int_equal(last->labels->body[0], 's');
	}
	assert_memory_equal(last->labels->body, "redtap_overflow", 15);
	rt_registry__unlock(r);
	rt_registry__free(r);
}

/* --- expiry ----------------------------------------------------------------- */

static void test_expiry(void **state)
{
	const char *a = "service=\"s\",route=\"/a\"", *b = "service=\"s\",route=\"/b\"";
	struct rt_registry *r = new_registry(100, 60 * SEC);
	struct rt_metric *m = rt_registry__add(r, &histogram_desc);
	struct rt_metric *lasting = rt_registry__add(r, &lasting_desc);
	struct rt_metric *plain = rt_registry__add(r, &plain_desc);
	struct rt_slice name = rt_slice_str("s");
	u64 generation = rt_registry__generation(r);
	struct rt_series *s;

	rt_registry__lock(r);
	rt_series__observe(series2(m, "s", "/a"), 5, 100 * SEC);
	rt_series__observe(series2(m, "s", "/b"), 5, 130 * SEC);
	rt_series__set(rt_metric__series(lasting, &name), 1, 100 * SEC);
	rt_series__add(rt_metric__series(plain, NULL), 1, 100 * SEC);
	rt_registry__unlock(r);

	assert_int_equal(rt_registry__expire(r, 90 * SEC), 0); /* an older clock reading */
	assert_int_equal(rt_registry__expire(r, 160 * SEC), 0);
	assert_true(rt_registry__generation(r) == generation);
	assert_int_equal(rt_registry__expire(r, 160 * SEC + 1), 1);
	assert_true(rt_registry__generation(r) != generation);
	assert_false(has_series(r, "latency_seconds", a));
	assert_true(has_series(r, "latency_seconds", b));
	assert_true(has_series(r, "lasting", "service=\"s\""));
	assert_true(has_series(r, "plain", ""));

	/* It comes back from zero, and the one that stayed is the same. */
	rt_registry__lock(r);
	s = series2(m, "s", "/a");
	assert_true(s->value == 0);
	assert_int_equal(s->counts[0] + s->counts[1] + s->counts[2] + s->counts[3], 0);
	assert_int_equal(series2(m, "s", "/b")->counts[2], 1);
	rt_registry__unlock(r);

	/* Never written: the ttl runs from the first call that met it. */
	assert_int_equal(rt_registry__expire(r, 1000 * SEC), 1); /* /b */
	assert_true(has_series(r, "latency_seconds", a));
	assert_int_equal(rt_registry__expire(r, 1060 * SEC), 0);
	assert_int_equal(rt_registry__expire(r, 1061 * SEC), 1);
	assert_false(has_series(r, "latency_seconds", a));
	rt_registry__free(r);
}

static void test_ttl_zero_keeps_all(void **state)
{
	struct rt_registry *r = new_registry(100, 0);
	struct rt_metric *m = rt_registry__add(r, &counter_desc);

	rt_registry__lock(r);
	rt_series__add(series2(m, "s", "/"), 1, 1);
	rt_registry__unlock(r);
	assert_int_equal(rt_registry__expire(r, UINT64_MAX), 0);
	assert_true(has_series(r, "requests", "service=\"s\",route=\"/\""));
	rt_registry__free(r);
}

static void test_snapshot_outlives_expiry(void **state)
{
	struct rt_registry *r = new_registry(100, SEC);
	struct rt_metric *m = rt_registry__add(r, &counter_desc);
	const struct rt_series *copy;
	struct rt_snapshot *s;

	rt_registry__lock(r);
	rt_series__add(series2(m, "s", "/"), 3, SEC);
	rt_registry__unlock(r);
	assert_int_equal(rt_registry__snapshot(r, &s), 0);
	assert_int_equal(rt_registry__expire(r, 10 * SEC), 1);
	rt_registry__lock(r);
	rt_series__add(series2(m, "t", "/new"), 9, 10 * SEC); /* takes the slot */
	rt_registry__unlock(r);

	assert_int_equal(s->families[0].nr_series, 1);
	copy = rt_family_snapshot__slot(&s->families[0], 1);
	assert_int_equal(copy->labels->len, strlen("service=\"s\",route=\"/\""));
	assert_memory_equal(copy->labels->body, "service=\"s\",route=\"/\"", copy->labels->len);
	assert_true(copy->value == 3);
	rt_snapshot__free(s);
	rt_registry__free(r);
}

/* --- families --------------------------------------------------------------- */

static void test_family_order(void **state)
{
	static const struct rt_family_desc target_desc = {
		.name = "target_info", .help = "Target.", .type = RT_INFO, .labels = {"host"}};
	struct rt_registry *r = new_registry(100, 0);
	struct rt_snapshot *s;

	assert_non_null(rt_registry__add(r, &plain_desc));
	assert_non_null(rt_registry__add(r, &counter_desc));
	assert_non_null(rt_registry__add(r, &target_desc));
	assert_int_equal(rt_registry__snapshot(r, &s), 0);
	assert_int_equal(s->nr_families, 4);
	assert_string_equal(s->families[0].desc->name, "target_info");
	assert_string_equal(s->families[1].desc->name, "plain");
	assert_string_equal(s->families[2].desc->name, "requests");
	assert_string_equal(s->families[3].desc->name, "redtap_series_overflow");
	rt_snapshot__free(s);
	rt_registry__free(r);
}

static void assert_add_aborts(const struct rt_family_desc *first, const struct rt_family_desc *desc)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct rlimit no_core = {0, 0};
		struct rt_registry *r = new_registry(1, 0);

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		if (!freopen("/dev/null", "w", stderr))
			_exit(1);
		if (first)
			rt_registry__add(r, first);
		rt_registry__add(r, desc);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void test_wrong_families_abort(void **state)
{
	static const struct rt_family_desc total = {
		.name = "x_total", .help = "X.", .type = RT_COUNTER};
	static const struct rt_family_desc info = {.name = "x", .help = "X.", .type = RT_INFO};
	static const struct rt_family_desc own = {
		.name = "redtap_series_overflow", .help = "X.", .type = RT_COUNTER};
	static const double falling[] = {2, 1};
	static const struct rt_family_desc histogram = {
		.name = "x", .help = "X.", .type = RT_HISTOGRAM, .bounds = falling, .nr_bounds = 2};

	assert_add_aborts(&plain_desc, &plain_desc);
	assert_add_aborts(NULL, &total);
	assert_add_aborts(NULL, &info);
	assert_add_aborts(NULL, &own);
	assert_add_aborts(NULL, &histogram);
}

/* --- threads ---------------------------------------------------------------- */

struct load {
	struct rt_registry *r;
	struct rt_metric *counter;
	struct rt_metric *histogram;
	bool stop;
	u64 writes;
};

/* Counts each thing twice under one lock: a snapshot in between would show it.
 * Old routes expire while new ones come. */
static void *write_load(void *arg)
{
	struct load *l = arg;
	char route[16];
	u64 now = 1;

	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		u64 generation = rt_registry__generation(l->r);
		struct rt_series *c, *h;
		int i;

		snprintf(route, sizeof(route), "/%u", (unsigned int)(now / 50 % 100));
		rt_registry__lock(l->r);
		c = series2(l->counter, "s", route);
		h = series2(l->histogram, "s", route);
		for (i = 0; i < 4; i++) {
			rt_series__add(c, 1, now);
			rt_series__observe(h, 0.5, now);
		}
		rt_registry__unlock(l->r);
		__atomic_add_fetch(&l->writes, 1, __ATOMIC_RELAXED);
		now++;
		if (now % 64 == 0)
			rt_registry__expire(l->r, now);
		if (rt_registry__generation(l->r) < generation)
			abort();
	}
	return NULL;
}

static void check_same_totals(const struct rt_snapshot *s)
{
	u64 adds = 0, observed = 0;
	u32 k;

	assert_int_equal(s->families[0].nr_series, s->families[1].nr_series);
	for (k = 0; k < s->families[0].nr_slots; k++) {
		const struct rt_series *c = rt_family_snapshot__slot(&s->families[0], k);

		if (c->labels) {
			adds += (u64)c->value;
			assert_int_equal(c->labels->body[0], 's');
		}
	}
	for (k = 0; k < s->families[1].nr_slots; k++) {
		const struct rt_series *h = rt_family_snapshot__slot(&s->families[1], k);

		if (h->labels)
			observed += h->counts[0] + h->counts[1] + h->counts[2] + h->counts[3];
	}
	assert_int_equal(adds, observed);
}

static void test_writers_and_readers(void **state)
{
	struct load l = {.r = new_registry(1000, 2000)};
	u64 start, longest = 0;
	pthread_t writer;
	int i;

	l.counter = rt_registry__add(l.r, &counter_desc);
	l.histogram = rt_registry__add(l.r, &histogram_desc);
	assert_int_equal(pthread_create(&writer, NULL, write_load, &l), 0);
	for (i = 0; i < 300 || __atomic_load_n(&l.writes, __ATOMIC_RELAXED) < 20000; i++) {
		struct rt_snapshot *s;
		u64 took;

		start = rt_clock__mono();
		assert_int_equal(rt_registry__snapshot(l.r, &s), 0);
		took = rt_clock__mono() - start;
		if (took > longest)
			longest = took;
		check_same_totals(s);
		rt_snapshot__free(s);
	}
	__atomic_store_n(&l.stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(writer, NULL), 0);
	/* A writer in a loop does not starve a reader. */
	assert_true(longest < 2 * SEC);
	rt_registry__free(l.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sanitise),
		cmocka_unit_test(test_sanitise_cuts_whole_characters),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_series_identity),
		cmocka_unit_test(test_many_series_stay_put),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_histogram_buckets),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_default_cap),
		cmocka_unit_test(test_expiry),
		cmocka_unit_test(test_ttl_zero_keeps_all),
		cmocka_unit_test(test_snapshot_outlives_expiry),
		cmocka_unit_test(test_family_order),
		cmocka_unit_test(test_wrong_families_abort),
		cmocka_unit_test(test_writers_and_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
