// SPDX-License-Identifier: Apache-2.0
/* Collectors: run, timed, failing ones set apart; and redtap's own process. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "collect/collect.h"
#include "export/prometheus.h"
#include "util/clock.h"
#include "util/log.h"

extern const struct rt_collector rt_collector_process;

static struct rt_registry *new_registry(void)
{
	struct rt_registry_opts opts = {.max_series = 100};
	struct rt_registry *r = rt_registry__new(&opts);

	assert_non_null(r);
	return r;
}

/* The value of a sample, by its name with labels as printed; NaN when absent. */
static double sample(struct rt_registry *r, const char *name)
{
	struct rt_buf page = RT_BUF_INIT;
	size_t n = strlen(name);
	double v = NAN;
	char *p;

	assert_int_equal(rt_expo__render(r, RT_EXPO_TEXT_0_0_4, &page), 0);
	for (p = page.data; p && *p; p = strchr(p, '\n') + 1)
		if (strncmp(p, name, n) == 0 && p[n] == ' ')
			v = strtod(p + n, NULL);
	rt_buf__free(&page);
	return v;
}

/* --- the runner ------------------------------------------------------------- */

struct fake {
	struct rt_registry *r;
	struct rt_metric *metric;
	double value;
	int read_error;
	int freed;
	const struct rt_collect_ctx *ctx;
};

static struct fake fake;

static const struct rt_family_desc fake_desc = {
	.name = "fake_value", .help = "A value.", .type = RT_GAUGE};

static int fake_init(struct rt_registry *r, const struct rt_collect_ctx *ctx, void **ret_state)
{
	fake.r = r;
	fake.ctx = ctx;
	fake.metric = rt_registry__add(r, &fake_desc);
	*ret_state = &fake;
	return fake.metric ? 0 : -ENOMEM;
}

static int fake_read(void *state)
{
	struct fake *f = state;

	/* The lock is free: taking it here would hang otherwise. */
	rt_registry__lock(f->r);
	rt_registry__unlock(f->r);
	rt_clock__fake(rt_clock__mono() + 250000000, 1);
	if (f->read_error)
		return f->read_error;
	f->value++;
	return 0;
}

static void fake_write(void *state, u64 now)
{
	struct fake *f = state;

	rt_series__set(rt_metric__series(f->metric, NULL), f->value, now);
}

static void fake_fini(void *state)
{
	if (state)
		((struct fake *)state)->freed++;
}

static int broken_init(struct rt_registry *r, const struct rt_collect_ctx *ctx, void **ret_state)
{
	return -ENOSYS;
}

static int broken_read(void *state)
{
	fail_msg("a collector that did not start was run");
	return 0;
}

static const struct rt_collector fake_collector = {.name = "fake",
						   .init = fake_init,
						   .read = fake_read,
						   .write = fake_write,
						   .fini = fake_fini};
static const struct rt_collector broken_collector = {.name = "broken",
						     .init = broken_init,
						     .read = broken_read,
						     .write = fake_write,
						     .fini = fake_fini};

#define DURATION "redtap_scrape_collector_duration_seconds{collector="
#define SUCCESS	 "redtap_scrape_collector_success{collector="

static void test_runner(void **state)
{
	static const struct rt_collector *const table[] = {&broken_collector, &fake_collector};
	struct rt_registry *r = new_registry();
	struct rt_collect_ctx ctx = {0};
	struct rt_collect *c;

	memset(&fake, 0, sizeof(fake));
	rt_clock__fake(1000000000, 1);
	c = rt_collect__new_table(r, &ctx, table, 2);
	assert_non_null(c);
	assert_ptr_equal(fake.ctx, &ctx);

	rt_collect__run(c);
	assert_true(sample(r, "fake_value") == 1);
	assert_true(sample(r, SUCCESS "\"fake\"}") == 1);
	assert_true(sample(r, DURATION "\"fake\"}") == 0.25);
	assert_true(sample(r, SUCCESS "\"broken\"}") == 0);
	assert_true(sample(r, DURATION "\"broken\"}") == 0);

	fake.read_error = -EIO;
	rt_collect__run(c);
	assert_true(sample(r, "fake_value") == 1);
	assert_true(sample(r, SUCCESS "\"fake\"}") == 0);
	assert_true(sample(r, DURATION "\"fake\"}") == 0.25);

	fake.read_error = 0;
	rt_collect__run(c);
	assert_true(sample(r, "fake_value") == 2);
	assert_true(sample(r, SUCCESS "\"fake\"}") == 1);

	rt_collect__free(c);
	assert_int_equal(fake.freed, 1);
	rt_collect__free(NULL);
	rt_clock__fake(0, 0);
	rt_registry__free(r);
}

static void *run_often(void *arg)
{
	int i;

	for (i = 0; i < 50; i++)
		rt_collect__run(arg);
	return NULL;
}

static void test_concurrent_scrapes(void **state)
{
	static const struct rt_collector *const table[] = {&rt_collector_process};
	struct rt_registry *r = new_registry();
	struct rt_collect_ctx ctx = {0};
	struct rt_collect *c = rt_collect__new_table(r, &ctx, table, 1);
	pthread_t threads[3];
	int i;

	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_often, c), 0);
	for (i = 0; i < 20; i++)
		sample(r, "x");
	for (i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(sample(r, SUCCESS "\"process\"}") == 1);
	rt_collect__free(c);
	rt_registry__free(r);
}

/* --- process_* -------------------------------------------------------------- */

static double began; /* wall clock at the top of main() */

static double now_wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *wait_for_end(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	return NULL;
}

static void test_process(void **state)
{
	static const struct rt_collector *const table[] = {&rt_collector_process};
	struct rt_registry *r = new_registry();
	struct rt_collect_ctx ctx = {0};
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	struct rt_collect *c = rt_collect__new_table(r, &ctx, table, 1);
	double fds, threads, rss, cpu, before, start;
	struct rlimit limit;
	const size_t more = 32 << 20;
	pthread_t thread;
	int extra[5], i;
	char *memory;

	rt_collect__run(c);
	assert_true(sample(r, SUCCESS "\"process\"}") == 1);
	fds = sample(r, "process_open_fds");
	threads = sample(r, "process_threads");
	rss = sample(r, "process_resident_memory_bytes");
	assert_true(fds >= 3);
	assert_true(threads >= 1);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_true(sample(r, "process_max_fds") == (double)limit.rlim_cur);
	assert_true(sample(r, "process_virtual_memory_bytes") > rss);
	/* This test began within the last minutes, and after the kernel's ticks of 10 ms. */
	start = sample(r, "process_start_time_seconds");
	assert_true(start < began + 0.02 && start > began - 300);

	for (i = 0; i < 5; i++)
		extra[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pthread_mutex_lock(&gate);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &gate), 0);
	memory = mmap(NULL, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED);
	memset(memory, 1, more);
	before = cpu_now();
	while (cpu_now() - before < 0.2)
		;
	before = cpu_now();
	rt_collect__run(c);
	cpu = sample(r, "process_cpu_seconds_total");
	assert_true(sample(r, "process_open_fds") == fds + 5);
	assert_true(sample(r, "process_threads") == threads + 1);
	assert_true(memory[more / 2] == 1);
	assert_true(sample(r, "process_resident_memory_bytes") >= rss + (double)more * 0.9);
	/* Two clocks of the kernel for the same thing. */
	assert_true(cpu > before - 0.05 && cpu < cpu_now() + 0.05);
	munmap(memory, more);
	pthread_mutex_unlock(&gate);
	pthread_join(thread, NULL);
	for (i = 0; i < 5; i++)
		close(extra[i]);
	rt_collect__free(c);
	rt_registry__free(r);
}

static int quiet(void **state)
{
	rt_log__setup(RT_LOG_ERROR, RT_LOG_TEXT); /* failing collectors warn */
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runner),
		cmocka_unit_test(test_concurrent_scrapes),
		cmocka_unit_test(test_process),
	};

	began = now_wall();
	return cmocka_run_group_tests(tests, quiet, NULL);
}
