// SPDX-License-Identifier: Apache-2.0
/*
 * The expositions, byte for byte by their specifications, and as two judges of
 * others see them: `promtool check metrics` for text, the Python client's
 * strict parser for OpenMetrics. Both must be installed.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "export/number.h"
#include "export/prometheus.h"
#include "metrics/snapshot.h"

static const double bounds[] = {0.005, 1, 2.5};
static const struct rt_family_desc duration_desc = {.name = "http_server_request_duration_seconds",
						    .help = "Duration of requests.",
						    .type = RT_HISTOGRAM,
						    .unit = "seconds",
						    .labels = {"service_name", "error_type"},
						    .bounds = bounds,
						    .nr_bounds = 3};
static const struct rt_family_desc records_desc = {
	.name = "redtap_records", .help = "Records \\ \"lines\"\nof them.", .type = RT_COUNTER};
static const struct rt_family_desc sent_desc = {.name = "redtap_sent_bytes",
						.help = "Sent.",
						.type = RT_COUNTER,
						.unit = "bytes",
						.labels = {"class"}};
static const struct rt_family_desc in_flight_desc = {
	.name = "redtap_in_flight", .help = "In flight.", .type = RT_GAUGE, .unit = "requests"};
static const struct rt_family_desc build_desc = {.name = "redtap_build_info",
						 .help = "Build.",
						 .type = RT_INFO,
						 .labels = {"version", "commit"}};
static const struct rt_family_desc unused_desc = {
	.name = "unused", .help = "Never written.", .type = RT_GAUGE, .labels = {"a"}};

static struct rt_registry *new_registry(void)
{
	struct rt_registry_opts opts = {.max_series = 100};
	struct rt_registry *r = rt_registry__new(&opts);

	assert_non_null(r);
	return r;
}

static struct rt_series *series(struct rt_metric *m, const char *a, const char *b)
{
	struct rt_slice values[] = {rt_slice_str(a), rt_slice_str(b)};

	return rt_metric__series(m, values);
}

/* One family of each type. */
static struct rt_registry *sample_registry(void)
{
	struct rt_registry *r = new_registry();
	struct rt_metric *build = rt_registry__add(r, &build_desc);
	struct rt_metric *duration = rt_registry__add(r, &duration_desc);
	struct rt_metric *records = rt_registry__add(r, &records_desc);
	struct rt_metric *sent = rt_registry__add(r, &sent_desc);
	struct rt_metric *in_flight = rt_registry__add(r, &in_flight_desc);
	struct rt_series *s;

	assert_non_null(rt_registry__add(r, &unused_desc));
	rt_registry__lock(r);
	series(build, "0.1.0", "");
	s = series(duration, "shop", "");
	rt_series__observe(s, 0.004, 1);
	rt_series__observe(s, 0.5, 1);
	rt_series__observe(s, 0.75, 1);
	rt_series__observe(s, 3, 1);
	rt_series__observe(series(duration, "a\"b\\c\nd", "500"), 1, 1);
	rt_series__add(rt_metric__series(records, NULL), 12345678901.0, 1);
	rt_series__add(series(sent, "parsed", NULL), 0.5, 1);
	rt_series__set(rt_metric__series(in_flight, NULL), -3, 1);
	rt_registry__unlock(r);
	return r;
}

static char *render(struct rt_registry *r, enum rt_exposition format)
{
	struct rt_buf out = RT_BUF_INIT;

	assert_int_equal(rt_expo__render(r, format, &out), 0);
	return out.data;
}

#define NASTY "service_name=\"a\\\"b\\\\c\\nd\",error_type=\"500\""

#define HISTOGRAM_SAMPLES                                                                          \
	"http_server_request_duration_seconds_bucket{service_name=\"shop\",le=\"0.005\"} 1\n"      \
	"http_server_request_duration_seconds_bucket{service_name=\"shop\",le=\"1.0\"} 3\n"        \
	"http_server_request_duration_seconds_bucket{service_name=\"shop\",le=\"2.5\"} 3\n"        \
	"http_server_request_duration_seconds_bucket{service_name=\"shop\",le=\"+Inf\"} 4\n"       \
	"http_server_request_duration_seconds_sum{service_name=\"shop\"} 4.254\n"                  \
	"http_server_request_duration_seconds_count{service_name=\"shop\"} 4\n"                    \
	"http_server_request_duration_seconds_bucket{" NASTY ",le=\"0.005\"} 0\n"                  \
	"http_server_request_duration_seconds_bucket{" NASTY ",le=\"1.0\"} 1\n"                    \
	"http_server_request_duration_seconds_bucket{" NASTY ",le=\"2.5\"} 1\n"                    \
	"http_server_request_duration_seconds_bucket{" NASTY ",le=\"+Inf\"} 1\n"                   \
	"http_server_request_duration_seconds_sum{" NASTY "} 1\n"                                  \
	"http_server_request_duration_seconds_count{" NASTY "} 1\n"

#define OVERFLOW_HELP                                                                              \
	"Lookups of a new label set that found its metric family full and were sent to the "       \
	"family's overflow series.\n"

#define OVERFLOW_SAMPLES                                                                           \
	"redtap_series_overflow_total{family=\"redtap_build_info\"} 0\n"                           \
	"redtap_series_overflow_total{family=\"http_server_request_duration_seconds\"} 0\n"        \
	"redtap_series_overflow_total{family=\"redtap_sent_bytes\"} 0\n"                           \
	"redtap_series_overflow_total{family=\"unused\"} 0\n"

static void test_text(void **state)
{
	struct rt_registry *r = sample_registry();
	char *page = render(r, RT_EXPO_TEXT_0_0_4);

	assert_string_equal(page,
			    "# HELP redtap_build_info Build.\n"
			    "# TYPE redtap_build_info gauge\n"
			    "redtap_build_info{version=\"0.1.0\"} 1\n"
			    "# HELP http_server_request_duration_seconds Duration of requests.\n"
			    "# TYPE http_server_request_duration_seconds histogram\n" //
			    HISTOGRAM_SAMPLES
			    "# HELP redtap_records_total Records \\\\ \"lines\"\\nof them.\n"
			    "# TYPE redtap_records_total counter\n"
			    "redtap_records_total 12345678901\n"
			    "# HELP redtap_sent_bytes_total Sent.\n"
			    "# TYPE redtap_sent_bytes_total counter\n"
			    "redtap_sent_bytes_total{class=\"parsed\"} 0.5\n"
			    "# HELP redtap_in_flight In flight.\n"
			    "# TYPE redtap_in_flight gauge\n"
			    "redtap_in_flight -3\n"
			    "# HELP redtap_series_overflow_total " OVERFLOW_HELP
			    "# TYPE redtap_series_overflow_total counter\n" //
			    OVERFLOW_SAMPLES);
	free(page);
	rt_registry__free(r);
}

static void test_openmetrics(void **state)
{
	struct rt_registry *r = sample_registry();
	char *page = render(r, RT_EXPO_OPENMETRICS_1_0);

	assert_string_equal(page,
			    "# HELP redtap_build Build.\n"
			    "# TYPE redtap_build info\n"
			    "redtap_build_info{version=\"0.1.0\"} 1\n"
			    "# HELP http_server_request_duration_seconds Duration of requests.\n"
			    "# TYPE http_server_request_duration_seconds histogram\n"
			    "# UNIT http_server_request_duration_seconds seconds\n" //
			    HISTOGRAM_SAMPLES
			    "# HELP redtap_records Records \\\\ \\\"lines\\\"\\nof them.\n"
			    "# TYPE redtap_records counter\n"
			    "redtap_records_total 12345678901\n"
			    "# HELP redtap_sent_bytes Sent.\n"
			    "# TYPE redtap_sent_bytes counter\n"
			    "# UNIT redtap_sent_bytes bytes\n"
			    "redtap_sent_bytes_total{class=\"parsed\"} 0.5\n"
			    "# HELP redtap_in_flight In flight.\n"
			    "# TYPE redtap_in_flight gauge\n"
			    "redtap_in_flight -3\n"
			    "# HELP redtap_series_overflow " OVERFLOW_HELP
			    "# TYPE redtap_series_overflow counter\n" //
			    OVERFLOW_SAMPLES "# EOF\n");
	free(page);
	rt_registry__free(r);
}

static void test_empty(void **state)
{
	struct rt_registry *r = new_registry();
	char *page = render(r, RT_EXPO_OPENMETRICS_1_0);

	assert_string_equal(page, "# EOF\n");
	free(page);
	rt_registry__free(r);
}

static void test_cap_of_the_page(void **state)
{
	struct rt_registry *r = sample_registry();
	struct rt_buf out = {.max = 100};

	assert_int_equal(rt_expo__render(r, RT_EXPO_TEXT_0_0_4, &out), -E2BIG);
	rt_buf__free(&out);
	rt_registry__free(r);
}

/* --- numbers ---------------------------------------------------------------- */

static void test_values(void **state)
{
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0"},
		{-0.0, "0"},
		{1, "1"},
		{-17, "-17"},
		{0.1, "0.1"},
		{0.1 + 0.2, "0.30000000000000004"},
		{1e15, "1000000000000000"},
		{9007199254740991.0, "9007199254740991"},
		{9007199254740992.0, "9007199254740992"},
		{1e300, "1e+300"},
		{1.5e-9, "1.5e-09"},
		{NAN, "NaN"},
		{INFINITY, "+Inf"},
		{-INFINITY, "-Inf"},
	};
	char text[RT_NUMBER_MAX];
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(cases); i++) {
		size_t n = rt_number__value(text, cases[i].v);

		assert_int_equal(n, strlen(cases[i].text));
		assert_memory_equal(text, cases[i].text, n);
	}
	assert_int_equal(rt_number__u64(text, UINT64_MAX), 20);
	assert_memory_equal(text, "18446744073709551615", 20);
}

static void test_bounds(void **state)
{
	/* OpenMetrics 1.0, "Considerations: Canonical Numbers". */
	static const struct {
		double v;
		const char *text;
	} cases[] = {
		{0, "0.0"},	      {0.001, "0.001"},	  {0.002, "0.002"},
		{0.01, "0.01"},	      {0.075, "0.075"},	  {0.1, "0.1"},
		{0.9, "0.9"},	      {0.95, "0.95"},	  {0.999, "0.999"},
		{1, "1.0"},	      {1.7, "1.7"},	  {7.5, "7.5"},
		{10, "10.0"},	      {128, "128.0"},	  {1e-10, "1e-10"},
		{1e-9, "1e-09"},      {1e-5, "1e-05"},	  {1e-4, "0.0001"},
		{100000, "100000.0"}, {1e6, "1e+06"},	  {1e10, "1e+10"},
		{-2.5, "-2.5"},	      {INFINITY, "+Inf"}, {1048576, "1.048576e+06"},
		{524288, "524288.0"},
	};
	char text[RT_NUMBER_MAX];
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(cases); i++) {
		size_t n = rt_number__bound(text, cases[i].v);

		assert_int_equal(n, strlen(cases[i].text));
		assert_memory_equal(text, cases[i].text, n);
	}
}

/* --- negotiation ------------------------------------------------------------ */

static void test_negotiation(void **state)
{
#define OM   RT_EXPO_OPENMETRICS_1_0
#define TEXT RT_EXPO_TEXT_0_0_4
	static const struct {
		const char *accept;
		enum rt_exposition want;
	} cases[] = {
		{NULL, TEXT},
		{"", TEXT},
		{"*/*", TEXT},
		{"text/plain", TEXT},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT},
		{"application/json", TEXT},
		{"application/openmetrics-text", OM},
		{"Application/OpenMetrics-Text; Version=1.0.0", OM},
		{"application/openmetrics-text; version=\"1.0.0\"", OM},
		{"application/openmetrics-text; version=0.0.1", TEXT},
		{"application/openmetrics-text;q=0", TEXT},
		{"application/openmetrics-text;q=0.4,text/plain;q=0.5", TEXT},
		{"text/plain;q=0.4 , application/openmetrics-text ; q=0.5", OM},
		{"text/plain,application/openmetrics-text", TEXT},
		{"application/openmetrics-text,text/plain", OM},
		{"*/*,application/openmetrics-text", OM},
		{"*/*;q=0.9,application/openmetrics-text;q=0.1", TEXT},
		{"application/openmetrics-text;q=0,*/*", TEXT},
		{"application/*", OM},
		{"application/openmetrics-text;x=\"a,text/plain;q=1\";q=0.3", OM},
		{"application/openmetrics-text;q=abc", OM},
		{",,;;,=,\"", TEXT},
		{"\"\\", TEXT},
		/* Prometheus 2.42 */
		{"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		 "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 OM},
		/* Prometheus 3 */
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		 "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
		 "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		 OM},
		/* the same, with protobuf first, and with text preferred */
		{"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
		 "encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;"
		 "escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		 OM},
		{"text/plain;version=0.0.4;q=0.6,application/openmetrics-text;version=1.0.0;"
		 "q=0.5,*/*;q=0.2",
		 TEXT},
	};
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(cases); i++)
		if (rt_expo__negotiate(cases[i].accept) != cases[i].want)
			fail_msg("Accept: %s", cases[i].accept);
	assert_string_equal(rt_expo_content_type[TEXT], "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(rt_expo_content_type[OM],
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

/* --- other people's parsers ------------------------------------------------- */

/* Runs a program with `input` on its stdin. Returns its exit status; *ret_output
 * is what it printed on stdout and stderr. */
static int run_tool(const char *const *argv, const char *input, char **ret_output)
{
	int in = memfd_create("input", MFD_CLOEXEC), out = memfd_create("output", MFD_CLOEXEC);
	char *output;
	off_t len;
	pid_t pid;
	int status;

	assert_true(in >= 0 && out >= 0);
	assert_int_equal(write(in, input, strlen(input)), (int)strlen(input));
	assert_int_equal(lseek(in, 0, SEEK_SET), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(in, 0);
		dup2(out, 1);
		dup2(out, 2);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		dprintf(2, "cannot run %s; it must be installed for this test\n", argv[0]);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	len = lseek(out, 0, SEEK_END);
	output = calloc(1, (size_t)len + 1);
	assert_int_equal(pread(out, output, (size_t)len, 0), len);
	close(in);
	close(out);
	*ret_output = output;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void assert_promtool_likes(const char *page)
{
	static const char *const argv[] = {"promtool", "check", "metrics", NULL};
	char *output;
	int status = run_tool(argv, page, &output);

	if (status != 0 || *output)
		fail_msg("promtool check metrics: status %d: %s", status, output);
	free(output);
}

/* Prints what was understood, one sample per line, as Python writes it. */
#define PARSE_OPENMETRICS                                                                          \
	"import sys\n"                                                                             \
	"from prometheus_client.openmetrics.parser import text_string_to_metric_families as p\n"   \
	"for f in p(sys.stdin.buffer.read().decode('utf-8')):\n"                                   \
	"  print('family', f.name, f.type, f.unit or '-')\n"                                       \
	"  for s in f.samples:\n"                                                                  \
	"    print(s.name, sorted(s.labels.items()), float(s.value))\n"

static char *parse_openmetrics(const char *page)
{
	static const char *const argv[] = {"/usr/bin/python3", "-X", "utf8", "-c",
					   PARSE_OPENMETRICS,  NULL};
	char *output;
	int status = run_tool(argv, page, &output);

	if (status != 0)
		fail_msg("python3-prometheus-client: status %d: %s", status, output);
	return output;
}

static void assert_has_line(const char *text, const char *line)
{
	size_t n = strlen(line);
	const char *p = text;

	for (; (p = strstr(p, line)); p += n)
		if ((p == text || p[-1] == '\n') && p[n] == '\n')
			return;
	fail_msg("no line \"%s\" in:\n%s", line, text);
}

static void test_promtool(void **state)
{
	struct rt_registry *r = sample_registry();
	char *page = render(r, RT_EXPO_TEXT_0_0_4);

	assert_promtool_likes(page);
	free(page);
	rt_registry__free(r);
}

static void test_openmetrics_parser(void **state)
{
	struct rt_registry *r = sample_registry();
	char *page = render(r, RT_EXPO_OPENMETRICS_1_0);
	char *seen = parse_openmetrics(page);

	assert_has_line(seen, "family redtap_build info -");
	assert_has_line(seen, "redtap_build_info [('version', '0.1.0')] 1.0");
	assert_has_line(seen, "family http_server_request_duration_seconds histogram seconds");
	assert_has_line(seen, "http_server_request_duration_seconds_bucket [('le', '+Inf'), "
			      "('service_name', 'shop')] 4.0");
	assert_has_line(seen, "http_server_request_duration_seconds_count [('error_type', '500'), "
			      "('service_name', 'a\"b\\\\c\\nd')] 1.0");
	assert_has_line(seen, "family redtap_records counter -");
	assert_has_line(seen, "redtap_records_total [] 12345678901.0");
	assert_has_line(seen, "family redtap_sent_bytes counter bytes");
	assert_has_line(seen, "family redtap_in_flight gauge -");
	free(seen);
	free(page);
	rt_registry__free(r);
}

/* Every byte there is, alone and beside others, in label values. */
static void test_hostile_label_values(void **state)
{
	struct rt_registry_opts opts = {.max_series = 2000};
	struct rt_registry *r = rt_registry__new(&opts);
	struct rt_metric *m = rt_registry__add(r, &duration_desc);
	char value[64], *page, *seen;
	unsigned int seed = 1, i, k;

	rt_registry__lock(r);
	for (i = 0; i < 256; i++) {
		struct rt_slice values[2] = {{(const u8 *)value, 1}, rt_slice_str("")};

		value[0] = (char)i;
		rt_series__observe(rt_metric__series(m, values), 0.1, 1);
	}
	for (i = 0; i < 500; i++) {
		struct rt_slice values[2] = {{(const u8 *)value, 64}, rt_slice_str("x")};

		for (k = 0; k < sizeof(value); k++) {
			seed = seed * 1103515245 + 12345;
			value[k] = (char)(seed >> 16);
		}
		rt_series__observe(rt_metric__series(m, values), 0.1, 1);
	}
	rt_registry__unlock(r);
	page = render(r, RT_EXPO_TEXT_0_0_4);
	assert_promtool_likes(page);
	free(page);
	page = render(r, RT_EXPO_OPENMETRICS_1_0);
	seen = parse_openmetrics(page);
	/* 0 and 128 to 255 became one series. */
	assert_has_line(seen, "http_server_request_duration_seconds_count [('service_name', "
			      "'\xef\xbf\xbd')] 129.0");
	free(seen);
	free(page);
	rt_registry__free(r);
}

/* Longer than the renderer's scratch area in a line, and in all. */
static void test_long_lines(void **state)
{
	static const struct rt_family_desc desc = {
		.name = "wide",
		.help = "Wide.",
		.type = RT_GAUGE,
		.labels = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"}};
	struct rt_registry *r = new_registry();
	struct rt_metric *m = rt_registry__add(r, &desc);
	struct rt_slice values[RT_LABELS_MAX];
	char text[RT_LABEL_VALUE_MAX], *page, *seen;
	size_t i, lines = 0;

	memset(text, '"', sizeof(text)); /* escaped, twice as long */
	for (i = 0; i < RT_LABELS_MAX; i++)
		values[i] = (struct rt_slice){(const u8 *)text, sizeof(text)};
	rt_registry__lock(r);
	for (i = 0; i < 100; i++) {
		text[0] = (char)('!' + i % 90);
		text[1] = (char)('!' + i / 90);
		rt_series__set(rt_metric__series(m, values), (double)i, 1);
	}
	rt_registry__unlock(r);
	page = render(r, RT_EXPO_OPENMETRICS_1_0);
	seen = parse_openmetrics(page);
	for (i = 0; seen[i]; i++)
		lines += seen[i] == '\n';
	/* two families, 100 samples, and one of redtap_series_overflow */
	assert_int_equal(lines, 103);
	free(seen);
	free(page);
	rt_registry__free(r);
}

/* --- time ------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
#define SLOWER 10
#else
#define SLOWER 1
#endif

static u64 cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static void fill_big(struct rt_metric *m)
{
	char route[32];

	for (u32 i = 0; i < 10000; i++) {
		struct rt_series *s;

		snprintf(route, sizeof(route), "/api/v1/things/%u", i);
		s = series(m, route, "500");
		for (u32 k = 0; k < 20; k++)
			rt_series__observe(s, 0.0013 * (i % 997 + 7 * k), 1);
	}
}

/* 10,000 histograms of 14 bounds, which Prometheus calls 170,000 series: less than 50 ms of this
 * thread's own time, in whatever company; and the writers are kept out for a tenth of it. The
 * best of some, as a first one meets cold memory. */
static void test_a_big_page_in_time(void **state)
{
	static const double many[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
				      0.5,   0.75, 1,	  2.5,	5,     7.5, 10};
	struct rt_family_desc desc = duration_desc;
	struct rt_registry_opts opts = {.max_series = 10000};
	struct rt_registry *r = rt_registry__new(&opts);
	u64 best = UINT64_MAX, held = UINT64_MAX;
	struct rt_metric *m;

	desc.bounds = many;
	desc.nr_bounds = RT_ARRAY_SIZE(many);
	assert_non_null(r);
	m = rt_registry__add(r, &desc);
	assert_non_null(m);
	fill_big(m);
	for (u32 i = 0; i < 7 || (i < 50 && best >= SLOWER * 50000000ull); i++) {
		struct rt_buf out = RT_BUF_INIT;
		struct rt_snapshot *s;
		u64 start = cpu_ns(), took;

		assert_int_equal(rt_expo__render(r, RT_EXPO_TEXT_0_0_4, &out), 0);
		took = cpu_ns() - start;
		best = took < best ? took : best;
		assert_true(out.len > 170000 * 40);
		rt_buf__free(&out);
		assert_int_equal(rt_registry__snapshot(r, &s), 0);
		held = s->lock_ns < held ? s->lock_ns : held;
		rt_snapshot__free(s);
	}
	print_message("10,000 histograms: %.1f ms, lock held for %.2f ms\n", (double)best / 1e6,
		      (double)held / 1e6);
	assert_true(best < SLOWER * 50000000ull);
	assert_true(held < SLOWER * 5000000ull);
	rt_registry__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_cap_of_the_page),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_negotiation),
		cmocka_unit_test(test_promtool),
		cmocka_unit_test(test_openmetrics_parser),
		cmocka_unit_test(test_hostile_label_values),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_a_big_page_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
