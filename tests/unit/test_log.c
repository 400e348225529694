// SPDX-License-Identifier: Apache-2.0
/* The log: both formats, levels, hostile bytes, one write per line. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"

static int saved_stderr = -1;
static FILE *capture;

static void start_capture(void)
{
	capture = tmpfile();
	assert_non_null(capture);
	/* Append mode: threads share the file as they would share a pipe. */
	assert_int_equal(fcntl(fileno(capture), F_SETFL, O_APPEND), 0);
	saved_stderr = dup(STDERR_FILENO);
	assert_true(dup2(fileno(capture), STDERR_FILENO) >= 0);
}

/* What was logged since start_capture(); the caller frees it. */
static char *end_capture(void)
{
	char *text = calloc(1, 1 << 20);
	size_t n;

	assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
	close(saved_stderr);
	assert_non_null(text);
	rewind(capture);
	n = fread(text, 1, (1 << 20) - 1, capture);
	text[n] = '\0';
	fclose(capture);
	return text;
}

static void test_text_and_levels(void **state)
{
	char *text;

	rt_log__setup(RT_LOG_DEBUG, RT_LOG_TEXT);
	assert_int_equal(rt_log__level(), RT_LOG_DEBUG);
	start_capture();
	rt_error("no %s", "luck");
	rt_warn("careful\n");
	rt_info("listening on %d", 9733);
	rt_debug("detail");
	rt_log__setup(RT_LOG_WARN, RT_LOG_TEXT);
	rt_info("not shown");
	rt_debug("not shown");
	rt_warn("shown");
	rt_log__setup(RT_LOG_ERROR, RT_LOG_TEXT);
	rt_warn("not shown");
	text = end_capture();
	assert_string_equal(text, "redtap: error: no luck\n"
				  "redtap: warning: careful\n"
				  "redtap: listening on 9733\n"
				  "redtap: debug: detail\n"
				  "redtap: warning: shown\n");
	free(text);
}

static void test_json(void **state)
{
	char *text;

	rt_log__setup(RT_LOG_INFO, RT_LOG_JSON);
	rt_clock__fake(1, 1709251199000000001ull);
	start_capture();
	rt_warn("a \"b\"\nc\xff");
	text = end_capture();
	rt_clock__fake(0, 0);
	assert_string_equal(text, "{\"time\":\"2024-02-29T23:59:59.000000001Z\","
				  "\"level\":\"warning\","
				  "\"message\":\"a \\\"b\\\"\\nc\xef\xbf\xbd\"}\n");
	free(text);
}

static void test_outside_bytes_forge_nothing(void **state)
{
	char *text;

	rt_log__setup(RT_LOG_INFO, RT_LOG_TEXT);
	start_capture();
	rt_info("path %s", "/x\nredtap: error: forged\x1b[2J\x7f");
	text = end_capture();
	assert_string_equal(text, "redtap: path /x?redtap: error: forged?[2J?\n");
	free(text);
	/* U+009B begins a sequence like ESC [ does; U+00A0 and others are letters. */
	start_capture();
	rt_info("path %s", "/\xc2\x9b\x32J\x9b\xc3_\xc2\x80\xc2\x9f\xc2\xa0\xc3\xa9\xed\xa0\x80");
	text = end_capture();
	assert_string_equal(text, "redtap: path /??2J??_????\xc2\xa0\xc3\xa9???\n");
	free(text);
}

static void test_long_line_is_cut_and_says_so(void **state)
{
	char *text;

	rt_log__setup(RT_LOG_INFO, RT_LOG_TEXT);
	start_capture();
	rt_info("%010000d", 0);
	text = end_capture();
	assert_true(strlen(text) < 5000);
	assert_true(strlen(text) > 1000);
	assert_string_equal(text + strlen(text) - 5, "0...\n");
	free(text);
}

static void test_errno_survives(void **state)
{
	rt_log__setup(RT_LOG_INFO, RT_LOG_TEXT);
	start_capture();
	close(STDERR_FILENO); /* every write fails with EBADF */
	errno = ENOENT;
	rt_info("x");
	assert_int_equal(errno, ENOENT);
	free(end_capture());
}

#define THREADS 4
#define LINES	500

static void *chatter(void *arg)
{
	int i;

	for (i = 0; i < LINES; i++)
		rt_info("%0100d", *(int *)arg);
	return NULL;
}

static void test_threads_never_mix_lines(void **state)
{
	int ids[THREADS], counts[THREADS] = {0}, i;
	pthread_t threads[THREADS];
	char *text, *line, *save = NULL;
	char expected[128];

	rt_log__setup(RT_LOG_INFO, RT_LOG_TEXT);
	start_capture();
	for (i = 0; i < THREADS; i++) {
		ids[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, chatter, &ids[i]), 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	text = end_capture();
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		i = line[strlen(line) - 1] - '0';
		assert_in_range(i, 0, THREADS - 1);
		snprintf(expected, sizeof(expected), "redtap: %0100d", i);
		assert_string_equal(line, expected);
		counts[i]++;
	}
	for (i = 0; i < THREADS; i++)
		assert_int_equal(counts[i], LINES);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_levels),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_outside_bytes_forge_nothing),
		cmocka_unit_test(test_long_line_is_cut_and_says_so),
		cmocka_unit_test(test_errno_survives),
		cmocka_unit_test(test_threads_never_mix_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
