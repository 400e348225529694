// SPDX-License-Identifier: Apache-2.0
/*
 * How long the page of metrics takes: 10,000 histogram series in five families,
 * rendered in both formats; how long the registry's lock is held for it; and
 * what one write costs, by a cached series and by a lookup. Prints one line per
 * figure, the median of the rounds (the lock: the longest).
 */
#include <stdio.h>
#include <stdlib.h>

#include "export/prometheus.h"
#include "metrics/snapshot.h"
#include "util/clock.h"

#define FAMILIES 5
#define SERIES	 2000
#define ROUNDS	 15
#define WRITES	 1000000

static const double seconds_bounds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
					0.5,   0.75, 1,	    2.5,  5,	 7.5, 10};
static const double bytes_bounds[] = {128,    512,    2048,    8192,	32768,
				      131072, 524288, 2097152, 8388608, 33554432};

#define LABELS                                                                                     \
	{                                                                                          \
		"service_name", "process_executable_name", "http_request_method", "http_route",    \
			"http_response_status_code", "error_type"                                  \
	}

static const struct rt_family_desc descs[FAMILIES] = {
	{.name = "http_server_request_duration_seconds",
	 .help = "Duration of requests served.",
	 .type = RT_HISTOGRAM,
	 .unit = "seconds",
	 .labels = LABELS,
	 .bounds = seconds_bounds,
	 .nr_bounds = RT_ARRAY_SIZE(seconds_bounds)},
	{.name = "http_client_request_duration_seconds",
	 .help = "Duration of requests made.",
	 .type = RT_HISTOGRAM,
	 .unit = "seconds",
	 .labels = LABELS,
	 .bounds = seconds_bounds,
	 .nr_bounds = RT_ARRAY_SIZE(seconds_bounds)},
	{.name = "redtap_http_server_time_to_first_byte_seconds",
	 .help = "Time to the first byte of the response.",
	 .type = RT_HISTOGRAM,
	 .unit = "seconds",
	 .labels = LABELS,
	 .bounds = seconds_bounds,
	 .nr_bounds = RT_ARRAY_SIZE(seconds_bounds)},
	{.name = "http_server_request_size_bytes",
	 .help = "Size of requests served.",
	 .type = RT_HISTOGRAM,
	 .unit = "bytes",
	 .labels = LABELS,
	 .bounds = bytes_bounds,
	 .nr_bounds = RT_ARRAY_SIZE(bytes_bounds)},
	{.name = "http_server_response_size_bytes",
	 .help = "Size of responses served.",
	 .type = RT_HISTOGRAM,
	 .unit = "bytes",
	 .labels = LABELS,
	 .bounds = bytes_bounds,
	 .nr_bounds = RT_ARRAY_SIZE(bytes_bounds)},
};

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static double median_ms(u64 *ns)
{
	qsort(ns, ROUNDS, sizeof(*ns), by_value);
	return (double)ns[ROUNDS / 2] / 1e6;
}

static struct rt_series *series_of(struct rt_metric *m, u32 i)
{
	char route[32];
	int n = snprintf(route, sizeof(route), "/api/v1/things/%u", i);
	struct rt_slice values[] = {rt_slice_str("checkout"), rt_slice_str("nginx"),
				    rt_slice_str("GET"),      {(const u8 *)route, (u32)n},
				    rt_slice_str("200"),      rt_slice_str("")};

	return rt_metric__series(m, values);
}

static void fill(struct rt_registry *r)
{
	u32 f, i, k;

	for (f = 0; f < FAMILIES; f++) {
		struct rt_metric *m = rt_registry__add(r, &descs[f]);

		if (!m)
			exit(1);
		for (i = 0; i < SERIES; i++)
			for (k = 0; k < 20; k++)
				rt_series__observe(series_of(m, i), 0.0013 * (i % 997 + 7 * k), 1);
	}
}

static void bench_render(struct rt_registry *r, enum rt_exposition format, const char *title)
{
	u64 ns[ROUNDS];
	size_t len = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct rt_buf out = RT_BUF_INIT;
		u64 start = rt_clock__mono();

		if (rt_expo__render(r, format, &out))
			exit(1);
		ns[i] = rt_clock__mono() - start;
		len = out.len;
		rt_buf__free(&out);
	}
	printf("render %u series, %s: %.1f ms (%.1f MB)\n", FAMILIES * SERIES, title, median_ms(ns),
	       (double)len / 1e6);
}

static void bench_lock(struct rt_registry *r)
{
	u64 longest = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		struct rt_snapshot *s;

		if (rt_registry__snapshot(r, &s))
			exit(1);
		if (s->lock_ns > longest)
			longest = s->lock_ns;
		rt_snapshot__free(s);
	}
	printf("registry lock held for a snapshot, longest: %.3f ms\n", (double)longest / 1e6);
}

static void bench_writes(struct rt_registry *r)
{
	static const struct rt_family_desc desc = {.name = "bench_seconds",
						   .help = "Writes.",
						   .type = RT_HISTOGRAM,
						   .labels = LABELS,
						   .bounds = seconds_bounds,
						   .nr_bounds = RT_ARRAY_SIZE(seconds_bounds)};
	struct rt_metric *m = rt_registry__add(r, &desc);
	struct rt_series *s;
	u64 start;
	u32 i;

	if (!m)
		exit(1);
	rt_registry__lock(r);
	s = series_of(m, 0);
	start = rt_clock__mono();
	for (i = 0; i < WRITES; i++)
		rt_series__observe(s, 0.001 * (i & 1023), i);
	printf("observe, cached series: %.1f ns\n", (double)(rt_clock__mono() - start) / WRITES);
	start = rt_clock__mono();
	for (i = 0; i < WRITES; i++)
		rt_series__observe(series_of(m, i & 1023), 0.001, i);
	printf("observe, with lookup: %.1f ns\n", (double)(rt_clock__mono() - start) / WRITES);
	rt_registry__unlock(r);
}

int main(void)
{
	struct rt_registry_opts opts = {.max_series = SERIES};
	struct rt_registry *r = rt_registry__new(&opts);

	if (!r)
		return 1;
	fill(r);
	bench_render(r, RT_EXPO_TEXT_0_0_4, "text 0.0.4");
	bench_render(r, RT_EXPO_OPENMETRICS_1_0, "OpenMetrics 1.0");
	bench_lock(r);
	bench_writes(r);
	rt_registry__free(r);
	return 0;
}
