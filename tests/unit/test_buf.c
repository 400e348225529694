// SPDX-License-Identifier: Apache-2.0
/* The growing buffer: growth, cap, sticky error, JSON string literals. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "util/buf.h"

static void test_appends(void **state)
{
	struct rt_buf b = RT_BUF_INIT;
	int i;

	rt_buf__puts(&b, "a");
	rt_buf__putc(&b, 'b');
	rt_buf__put(&b, "cd", 1);
	rt_buf__put(&b, NULL, 0);
	rt_buf__printf(&b, "-%d-%s", 42, "x");
	rt_buf__put_u64(&b, 0);
	rt_buf__put_u64(&b, UINT64_MAX);
	assert_int_equal(b.err, 0);
	assert_string_equal(b.data, "abc-42-x018446744073709551615");
	assert_int_equal(b.len, strlen(b.data));

	rt_buf__reset(&b);
	assert_string_equal(b.data, "");
	for (i = 0; i < 10000; i++)
		rt_buf__printf(&b, "%d,", i % 10);
	assert_int_equal(b.len, 20000);
	assert_memory_equal(b.data + 19990, "5,6,7,8,9,", 11);
	rt_buf__free(&b);
	assert_null(b.data);
	rt_buf__puts(&b, "again");
	assert_string_equal(b.data, "again");
	rt_buf__free(&b);
	rt_buf__free(&b);
	rt_buf__free(NULL);
}

static void test_printf_longer_than_room(void **state)
{
	struct rt_buf b = RT_BUF_INIT;

	rt_buf__puts(&b, "x");
	rt_buf__printf(&b, "%0500d", 7);
	assert_int_equal(b.len, 501);
	assert_int_equal(b.data[500], '7');
	rt_buf__free(&b);
}

static void test_cap_is_exact_and_sticky(void **state)
{
	struct rt_buf b = {.max = 10};

	rt_buf__puts(&b, "0123456789");
	assert_int_equal(b.err, 0);
	rt_buf__put(&b, "", 0);
	assert_int_equal(b.err, 0);
	rt_buf__putc(&b, 'x');
	assert_int_equal(b.err, -E2BIG);
	assert_string_equal(b.data, "0123456789");

	rt_buf__reset(&b);
	assert_int_equal(b.err, 0);
	rt_buf__puts(&b, "01234");
	rt_buf__printf(&b, "%s", "567890");
	assert_int_equal(b.err, -E2BIG);
	assert_string_equal(b.data, "01234"); /* no part of what did not fit */
	rt_buf__putc(&b, 'y');
	assert_string_equal(b.data, "01234");
	rt_buf__free(&b);

	rt_buf__puts(&b, "12345678901"); /* the cap outlives the free */
	assert_int_equal(b.err, -E2BIG);
	assert_int_equal(b.len, 0);
	rt_buf__free(&b);
}

static void test_json_strings(void **state)
{
	static const struct {
		const char *in;
		u32 len;
		const char *out;
	} rows[] = {
		{"", 0, "\"\""},
		{"plain", 5, "\"plain\""},
		{"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
		{"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
		{"\0x\x1f\x7f", 4, "\"\\u0000x\\u001f\x7f\""},
		/* U+00E9, U+20AC, U+1F600 are well formed. */
		{"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9,
		 "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"a\xff"
		 "b",
		 3,
		 "\"a\xef\xbf\xbd"
		 "b\""},
		{"\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},		 /* overlong */
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* surrogate */
		{"\xf4\x90\x80\x80", 4,
		 "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* U+110000 */
		{"\xe2\x82", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""},	  /* cut off */
	};
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		struct rt_buf b = RT_BUF_INIT;
		u8 *copy = malloc(rows[i].len + 1);

		/* A copy of the exact size, so that reading past it is seen. */
		assert_non_null(copy);
		copy = realloc(copy, rows[i].len ? rows[i].len : 1);
		assert_non_null(copy);
		memcpy(copy, rows[i].in, rows[i].len);
		rt_buf__put_json(&b, (struct rt_slice){copy, rows[i].len});
		assert_int_equal(b.err, 0);
		assert_string_equal(b.data, rows[i].out);
		rt_buf__free(&b);
		free(copy);
	}
}

static void test_json_is_whole_or_nothing(void **state)
{
	struct rt_buf b = {.max = 8};

	rt_buf__puts(&b, "k:");
	rt_buf__put_json(&b, rt_slice_str("abc\ndef"));
	assert_int_equal(b.err, -E2BIG);
	assert_string_equal(b.data, "k:");
	rt_buf__free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_printf_longer_than_room),
		cmocka_unit_test(test_cap_is_exact_and_sticky),
		cmocka_unit_test(test_json_strings),
		cmocka_unit_test(test_json_is_whole_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
