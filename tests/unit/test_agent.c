// SPDX-License-Identifier: Apache-2.0
/*
 * The agent's loop over a ring that fills as fast as it is emptied, without a kernel side: signals,
 * sweeps and what was counted in place have their turn all the same.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent.h"
#include "util/clock.h"

/* The Makefile has these stand in for those of user/bpf. */
int __wrap_rt_bpf__new(struct rt_bpf **ret, const struct rt_config *cfg, const struct rt_sig *sigs,
		       u32 nr_sigs, char *errbuf, size_t errlen);
void __wrap_rt_bpf__free(struct rt_bpf *b);
int __wrap_rt_bpf__wait_fd(const struct rt_bpf *b);
int __wrap_rt_bpf__drain(struct rt_bpf *b, rt_record_fn fn, void *ctx, u32 budget);
bool __wrap_rt_bpf__has_records(const struct rt_bpf *b);
int __wrap_rt_bpf__sweep(struct rt_bpf *b, rt_record_fn fn, rt_batch_fn batch,
			 rt_catch_up_fn catch_up, void *ctx);

#define SECOND 1000000000ull
/* From the signal to the end; a batch takes a millisecond. */
#define PATIENCE (SECOND / 2)

static struct {
	int fd;
	u64 begin;
	u64 asked; /* when SIGTERM was sent; 0: not yet */
	u32 sweeps, folds, drains;
} ring;

int __wrap_rt_bpf__new(struct rt_bpf **ret, const struct rt_config *cfg, const struct rt_sig *sigs,
		       u32 nr_sigs, char *errbuf, size_t errlen)
{
	*ret = (struct rt_bpf *)&ring;
	return 0;
}

void __wrap_rt_bpf__free(struct rt_bpf *b)
{
}

int __wrap_rt_bpf__wait_fd(const struct rt_bpf *b)
{
	return ring.fd;
}

int __wrap_rt_bpf__drain(struct rt_bpf *b, rt_record_fn fn, void *ctx, u32 budget)
{
	u64 now = rt_clock__mono();

	ring.drains++;
	usleep(1000);
	if (!ring.asked && now - ring.begin > 2 * SECOND) {
		ring.asked = now;
		kill(getpid(), SIGTERM);
	}
	/* Or the test would be for ever. */
	if (ring.asked && now - ring.asked > 4 * PATIENCE)
		return 0;
	return (int)budget;
}

bool __wrap_rt_bpf__has_records(const struct rt_bpf *b)
{
	return true;
}

int __wrap_rt_bpf__sweep(struct rt_bpf *b, rt_record_fn fn, rt_batch_fn batch,
			 rt_catch_up_fn catch_up, void *ctx)
{
	ring.sweeps++;
	return 0;
}

static void on_finished(void *ctx, const struct rt_finished *f)
{
}

static void on_fold(void *ctx)
{
	ring.folds++;
}

static void test_overload(void **state)
{
	const struct rt_agent_ops ops = {.finished = on_finished, .fold = on_fold};
	struct rt_config cfg = {0};
	struct rt_agent *a;
	char err[256];

	ring.fd = eventfd(1, 0);
	ring.begin = rt_clock__mono();
	assert_int_equal(rt_agent__new(&a, &cfg, &ops, NULL, err, sizeof(err)), 0);
	assert_int_equal(rt_agent__loop(a), 0);
	assert_true(rt_clock__mono() - ring.asked < PATIENCE);
	/* Two seconds, two sweeps in each. */
	assert_in_range(ring.sweeps, 3, 6);
	assert_true(ring.folds >= ring.sweeps);
	/* It goes on at once: little of the time is not spent on the ring. */
	assert_true(ring.drains > 500);
	rt_agent__free(a);
	close(ring.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
