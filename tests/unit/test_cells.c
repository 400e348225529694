// SPDX-License-Identifier: Apache-2.0
/* The arithmetic that the kernel and user space share: bins of durations, buckets of sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "redtap/cells.h"

#define US     1000ull
#define SECOND 1000000000ull
/* From here on all share the last bin: 32 ns times 2^32. */
#define BEYOND (1ull << 37)

/* Where a bin begins and ends, from the description of the format alone: 32 bins of 32 ns,
 * then 32 bins per power of two. */
static u64 bin_begin(u32 bin)
{
	u64 octave = bin / 32;

	if (octave == 0)
		return bin * 32ull;
	return (1024ull << (octave - 1)) / 32 * (32 + bin % 32);
}

static void test_bins_follow_one_another(void **state)
{
	assert_int_equal(rt_hist_bin(0), 0);
	for (u32 bin = 0; bin < RT_HIST_BINS; bin++) {
		u64 begin = bin_begin(bin), end = bin_begin(bin + 1);

		assert_true(begin < end);
		assert_int_equal(rt_hist_bin(begin), bin);
		assert_int_equal(rt_hist_bin(begin + (end - begin) / 2), bin);
		assert_int_equal(rt_hist_bin(end - 1), bin);
		if (begin)
			assert_int_equal(rt_hist_bin(begin - 1), bin - 1);
	}
}

static void test_last_bin(void **state)
{
	assert_true(bin_begin(RT_HIST_BINS) == BEYOND);
	assert_in_range(BEYOND, 137 * SECOND, 138 * SECOND);
	for (u64 ns = BEYOND - 1; ns; ns = ns << 1 | 1) {
		assert_int_equal(rt_hist_bin(ns), RT_HIST_BINS - 1);
		if (ns == UINT64_MAX)
			break;
	}
	assert_int_equal(rt_hist_bin(BEYOND), RT_HIST_BINS - 1);
	assert_int_equal(rt_hist_bin(BEYOND - bin_begin(RT_HIST_BINS - 1) / 63 - 1),
			 RT_HIST_BINS - 2);
}

static void check_error(u64 ns)
{
	u32 bin = rt_hist_bin(ns);
	u64 begin = bin_begin(bin), middle = begin + (bin_begin(bin + 1) - begin) / 2;
	u64 off = middle > ns ? middle - ns : ns - middle;

	assert_true(off * 1000 <= ns * 16);
}

/* Every nanosecond up to 2 ms, every value of 100 ppm steps beyond; it never falls. */
static void test_relative_error(void **state)
{
	u32 before = 0;

	for (u64 ns = 0; ns < BEYOND; ns += ns < 2000 * US ? 1 : ns / 10000) {
		u32 bin = rt_hist_bin(ns);

		assert_true(bin >= before && bin <= before + 1);
		before = bin;
		if (ns >= US)
			check_error(ns);
	}
	assert_int_equal(before, RT_HIST_BINS - 1);
}

/* No two exported bounds share a bin: the counters above a bound rely on it. */
static void test_bounds_have_bins_of_their_own(void **state)
{
	static const u64 bounds[] = {
#define B(ns) ns,
		RT_DURATION_BOUNDS(B)
#undef B
	};

	assert_int_equal(sizeof(bounds) / sizeof(bounds[0]), RT_NR_DURATION_BOUNDS);
	for (u32 i = 1; i < RT_NR_DURATION_BOUNDS; i++)
		assert_true(rt_hist_bin(bounds[i - 1]) < rt_hist_bin(bounds[i]));
	assert_true(rt_hist_bin(bounds[RT_NR_DURATION_BOUNDS - 1]) < RT_HIST_BINS - 1);
}

static const u64 size_bounds[] = {
#define B(n) n,
	RT_SIZE_BOUNDS(B)
#undef B
};

static u32 plain_bucket(u64 bytes)
{
	u32 i = 0;

	while (i < RT_NR_SIZE_BOUNDS && bytes > size_bounds[i])
		i++;
	return i;
}

static void test_size_buckets(void **state)
{
	assert_int_equal(sizeof(size_bounds) / sizeof(size_bounds[0]), RT_NR_SIZE_BOUNDS);
	for (u32 i = 0; i < RT_NR_SIZE_BOUNDS; i++) {
		assert_int_equal(rt_size_bucket(size_bounds[i] - 1), i);
		assert_int_equal(rt_size_bucket(size_bounds[i]), i);
		assert_int_equal(rt_size_bucket(size_bounds[i] + 1), i + 1);
	}
	assert_int_equal(rt_size_bucket(0), 0);
	assert_int_equal(rt_size_bucket(1), 0);
	assert_int_equal(rt_size_bucket(UINT64_MAX), RT_NR_SIZE_BOUNDS);
	for (u32 bit = 0; bit < 64; bit++)
		for (int d = -1; d <= 1; d++) {
			u64 bytes = (1ull << bit) + (u64)(s64)d;

			assert_int_equal(rt_size_bucket(bytes), plain_bucket(bytes));
		}
	for (u64 bytes = 0; bytes < 300000; bytes++)
		if (rt_size_bucket(bytes) != plain_bucket(bytes))
			fail_msg("%llu bytes", (unsigned long long)bytes);
}

static void test_log2(void **state)
{
	u64 rest = 0x0123456789abcdefull;

	for (u32 bit = 0; bit < 64; bit++) {
		u64 low = 1ull << bit;

		assert_int_equal(rt_log2(low), bit);
		assert_int_equal(rt_log2(low | (low - 1)), bit);
		assert_int_equal(rt_log2(low | (rest & (low - 1))), bit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bins_follow_one_another),
		cmocka_unit_test(test_last_bin),
		cmocka_unit_test(test_relative_error),
		cmocka_unit_test(test_bounds_have_bins_of_their_own),
		cmocka_unit_test(test_size_buckets),
		cmocka_unit_test(test_log2),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
