// SPDX-License-Identifier: Apache-2.0
/*
 * The two clocks everything is timed by, and the one way to print a time.
 * The kernel side stamps with CLOCK_MONOTONIC; whatever is shown to people
 * goes through rt_clock__wall_of(). Tests put both clocks still with
 * rt_clock__fake(). Called from any thread.
 */
#include "util/clock.h"

#include <stdio.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ull
/* Two readings further apart than this had something else run in between. */
#define QUIET_NS 10000ull

static u64 fake_mono;
static u64 fake_wall;

static u64 read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (u64)ts.tv_sec * NSEC_PER_SEC + (u64)ts.tv_nsec;
}

static bool is_fake(void)
{
	return __atomic_load_n(&fake_mono, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&fake_wall, __ATOMIC_RELAXED);
}

u64 rt_clock__mono(void)
{
	return is_fake() ? __atomic_load_n(&fake_mono, __ATOMIC_RELAXED)
			 : read_clock(CLOCK_MONOTONIC);
}

u64 rt_clock__wall(void)
{
	return is_fake() ? __atomic_load_n(&fake_wall, __ATOMIC_RELAXED)
			 : read_clock(CLOCK_REALTIME);
}

u64 rt_clock__wall_of(u64 mono_ns)
{
	u64 before, after, wall;
	int tries = 3;

	if (is_fake())
		return rt_clock__wall() - rt_clock__mono() + mono_ns;

	/* A preemption between the readings would move the result by as much. */
	do {
		before = read_clock(CLOCK_MONOTONIC);
		wall = read_clock(CLOCK_REALTIME);
		after = read_clock(CLOCK_MONOTONIC);
	} while (after - before > QUIET_NS && --tries > 0);

	return wall - (before + (after - before) / 2) + mono_ns;
}

void rt_clock__fake(u64 mono_ns, u64 wall_ns)
{
	__atomic_store_n(&fake_mono, mono_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&fake_wall, wall_ns, __ATOMIC_RELAXED);
}

void rt_clock__rfc3339(char out[RT_RFC3339_LEN], u64 wall_ns)
{
	time_t sec = (time_t)(wall_ns / NSEC_PER_SEC);
	char text[80];
	struct tm tm;

	gmtime_r(&sec, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%09uZ", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		 (unsigned int)(wall_ns % NSEC_PER_SEC));
	snprintf(out, RT_RFC3339_LEN, "%.*s", RT_RFC3339_LEN - 1, text);
}
