// SPDX-License-Identifier: Apache-2.0
/* Numbers of the expositions, against what the C library prints and reads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "export/number.h"

static const char *text_of(size_t (*put)(char *, double), double v)
{
	static char text[RT_NUMBER_MAX + 1];
	size_t n = put(text, v);

	assert_in_range(n, 1, RT_NUMBER_MAX);
	text[n] = '\0';
	return text;
}

static void test_values(void **state)
{
	assert_string_equal(text_of(rt_number__value, 0), "0");
	assert_string_equal(text_of(rt_number__value, -3), "-3");
	assert_string_equal(text_of(rt_number__value, 0.25), "0.25");
	/* Not 0.3, which is another double. */
	assert_string_equal(text_of(rt_number__value, 0.1 + 0.2), "0.30000000000000004");
	assert_string_equal(text_of(rt_number__value, 9007199254740992.0), "9007199254740992");
	assert_string_equal(text_of(rt_number__value, INFINITY), "+Inf");
	assert_string_equal(text_of(rt_number__value, -INFINITY), "-Inf");
	assert_string_equal(text_of(rt_number__value, NAN), "NaN");
}

static void test_seconds(void **state)
{
	double sum = 0;
	int i;

	assert_string_equal(text_of(rt_number__seconds, 0), "0");
	assert_string_equal(text_of(rt_number__seconds, 1), "1");
	assert_string_equal(text_of(rt_number__seconds, 1e-9), "0.000000001");
	assert_string_equal(text_of(rt_number__seconds, 0.1 + 0.2), "0.3");
	assert_string_equal(text_of(rt_number__seconds, 59.999999999), "59.999999999");
	assert_string_equal(text_of(rt_number__seconds, 100), "100");
	assert_string_equal(text_of(rt_number__seconds, 0.999999999999), "1");
	for (i = 0; i < 100000; i++)
		sum += 0.001;
	assert_true(sum != 100);
	assert_string_equal(text_of(rt_number__seconds, sum), "100");
	/* What it does not stand for goes as any value. */
	assert_string_equal(text_of(rt_number__seconds, -0.5), "-0.5");
	assert_string_equal(text_of(rt_number__seconds, 4194304.25), "4194304.25");
	assert_string_equal(text_of(rt_number__seconds, 1e15), "1000000000000000");
	assert_string_equal(text_of(rt_number__seconds, INFINITY), "+Inf");
	assert_string_equal(text_of(rt_number__seconds, NAN), "NaN");
}

/* Every whole number of nanoseconds that a double of seconds can tell is printed as that. */
static void test_any_nanosecond(void **state)
{
	uint64_t ns = 1;
	int i;

	for (i = 0; i < 200000; i++) {
		uint64_t n;
		char want[RT_NUMBER_MAX + 1];
		size_t len;

		ns = ns * 6364136223846793005ull + 1442695040888963407ull;
		n = (ns >> i % 64) % (4194304ull * 1000000000);
		len = (size_t)snprintf(want, sizeof(want), "%llu.%09llu",
				       (unsigned long long)(n / 1000000000),
				       (unsigned long long)(n % 1000000000));
		while (want[len - 1] == '0')
			len--;
		if (want[len - 1] == '.')
			len--;
		want[len] = '\0';
		assert_string_equal(text_of(rt_number__seconds, (double)n / 1e9), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_any_nanosecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
