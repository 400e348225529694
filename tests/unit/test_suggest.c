// SPDX-License-Identifier: Apache-2.0
/* "did you mean": near names are found, far ones are not made up. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "redtap/types.h"
#include "util/suggest.h"

static const char *const names[] = {"run",	   "trace",	"doctor",    "config", "version",
				    "metrics.ttl", "ring_size", "log.level", "listen"};

static void test_nearest(void **state)
{
	static const struct {
		const char *typed, *best;
	} rows[] = {
		{"trcae", "trace"}, /* a swap */
		{"rnu", "run"},
		{"confg", "config"},	    /* a letter lost */
		{"doctorr", "doctor"},	    /* one too many */
		{"VERSION", "version"},	    /* case */
		{"ring-size", "ring_size"}, /* a face's spelling */
		{"metrics-ttl", "metrics.ttl"},
		{"ttl", "metrics.ttl"}, /* right name, wrong place */
		{"level", "log.level"},
		{"kubernetes", NULL},
		{"x", NULL},
		{"", NULL},
		{"serve", NULL},
	};
	size_t i, j;

	for (i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		struct rt_suggest s = rt_suggest_init(rows[i].typed);

		for (j = 0; j < RT_ARRAY_SIZE(names); j++)
			rt_suggest__offer(&s, names[j]);
		if (rows[i].best)
			assert_string_equal(s.best ? s.best : "(none)", rows[i].best);
		else
			assert_null(s.best);
	}
}

static void test_a_swap_is_one_edit(void **state)
{
	struct rt_suggest s = rt_suggest_init("trcae");

	rt_suggest__offer(&s, "trace");
	assert_int_equal(s.distance, 1);
	s = rt_suggest_init("trcea");
	rt_suggest__offer(&s, "trace");
	assert_int_equal(s.distance, 2);
}

static void test_lengths_at_the_limit(void **state)
{
	char longest[65], longer[66];
	struct rt_suggest s;

	memset(longest, 'a', sizeof(longest));
	longest[64] = '\0';
	memset(longer, 'a', sizeof(longer));
	longer[65] = '\0';
	s = rt_suggest_init(longest);
	rt_suggest__offer(&s, longer); /* too long to compare: no overflow, no answer */
	assert_null(s.best);
	rt_suggest__offer(&s, longest);
	assert_ptr_equal(s.best, longest);
	s = rt_suggest_init(longer);
	rt_suggest__offer(&s, longest);
	assert_null(s.best);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_a_swap_is_one_edit),
		cmocka_unit_test(test_lengths_at_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
