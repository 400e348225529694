// SPDX-License-Identifier: Apache-2.0
/* The cursor and slices: a read past the end fails and moves nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "util/cur.h"

static void test_slices(void **state)
{
	struct rt_slice empty = {NULL, 0};

	assert_true(rt_slice_is(rt_slice_str("GET"), "GET"));
	assert_false(rt_slice_is(rt_slice_str("GET"), "GE"));
	assert_false(rt_slice_is(rt_slice_str("GET"), "PUT"));
	assert_true(rt_slice_eq(empty, rt_slice_str("")));
	assert_int_equal(rt_slice_str(NULL).len, 0);
}

static void test_bytes(void **state)
{
	struct rt_cur c = rt_cur_init(rt_slice_str("a\xff"));

	assert_int_equal(rt_cur_left(&c), 2);
	assert_int_equal(rt_cur_peek(&c), 'a');
	assert_int_equal(rt_cur_left(&c), 2);
	assert_int_equal(rt_cur_byte(&c), 'a');
	assert_int_equal(rt_cur_byte(&c), 0xff); /* not confused with the end */
	assert_int_equal(rt_cur_byte(&c), -1);
	assert_int_equal(rt_cur_peek(&c), -1);
	assert_int_equal(rt_cur_left(&c), 0);
}

static void test_take(void **state)
{
	struct rt_cur c = rt_cur_init(rt_slice_str("hello"));
	struct rt_slice s = {NULL, 99};

	assert_false(rt_cur_take(&c, 6, &s));
	assert_int_equal(s.len, 99);
	assert_false(rt_cur_take(&c, UINT32_MAX, &s));
	assert_int_equal(rt_cur_left(&c), 5);
	assert_true(rt_cur_take(&c, 2, &s));
	assert_true(rt_slice_is(s, "he"));
	assert_true(rt_cur_take(&c, 3, &s));
	assert_true(rt_slice_is(s, "llo"));
	assert_true(rt_cur_take(&c, 0, &s));
	assert_int_equal(s.len, 0);
	assert_false(rt_cur_take(&c, 1, &s));
}

static void test_until(void **state)
{
	struct rt_cur c = rt_cur_init(rt_slice_str("key: value"));
	struct rt_slice s = {NULL, 99};

	assert_false(rt_cur_until(&c, '\n', &s));
	assert_int_equal(s.len, 99);
	assert_int_equal(rt_cur_left(&c), 10);
	assert_true(rt_cur_until(&c, ':', &s));
	assert_true(rt_slice_is(s, "key"));
	assert_int_equal(rt_cur_peek(&c), ':');
	assert_true(rt_cur_until(&c, ':', &s)); /* the stop byte was left */
	assert_int_equal(s.len, 0);

	c = rt_cur_init((struct rt_slice){NULL, 0});
	assert_false(rt_cur_until(&c, ':', &s));
	assert_int_equal(rt_cur_byte(&c), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_until),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
