// SPDX-License-Identifier: Apache-2.0
/* The clocks: the fake, the monotonic-to-wall mapping, RFC 3339. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "util/clock.h"

#define SEC 1000000000ull

static void test_real_clocks_run(void **state)
{
	u64 a = rt_clock__mono(), wall = rt_clock__wall();
	u64 b = rt_clock__mono();

	assert_true(b >= a);
	assert_true(wall / SEC - (u64)time(NULL) + 1 <= 2);
}

static void test_wall_of_now_is_now(void **state)
{
	u64 before = rt_clock__wall();
	u64 mapped = rt_clock__wall_of(rt_clock__mono());
	u64 after = rt_clock__wall();

	/* Both readings lie in [before, after]; the offset may be off by half a
	 * quiet reading, and the wall clock may be slewed meanwhile. */
	assert_true(mapped + 1000000 >= before);
	assert_true(mapped <= after + 1000000);
}

static void test_fake_stands_still(void **state)
{
	rt_clock__fake(5 * SEC, 1000 * SEC);
	assert_int_equal(rt_clock__mono(), 5 * SEC);
	assert_int_equal(rt_clock__wall(), 1000 * SEC);
	assert_int_equal(rt_clock__wall_of(3 * SEC), 998 * SEC);
	assert_int_equal(rt_clock__wall_of(6 * SEC), 1001 * SEC);

	rt_clock__fake(0, 0);
	assert_true(rt_clock__wall() > 1700000000ull * SEC);
}

static void test_rfc3339(void **state)
{
	char out[RT_RFC3339_LEN];

	rt_clock__rfc3339(out, 0);
	assert_string_equal(out, "1970-01-01T00:00:00.000000000Z");
	rt_clock__rfc3339(out, 1709251199ull * SEC + 1);
	assert_string_equal(out, "2024-02-29T23:59:59.000000001Z");
	rt_clock__rfc3339(out, UINT64_MAX); /* 2^64-1 ns after 1970 */
	assert_string_equal(out, "2554-07-21T23:34:33.709551615Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_real_clocks_run),
		cmocka_unit_test(test_wall_of_now_is_now),
		cmocka_unit_test(test_fake_stands_still),
		cmocka_unit_test(test_rfc3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
