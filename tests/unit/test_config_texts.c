// SPDX-License-Identifier: Apache-2.0
/* The command line, and the texts of single values. */
#include "config_helper.h"

static void test_cmdline(void **state)
{
	static const char *const extra[] = {"format", NULL};
	const char *argv[] = {"trace",
			      "--port",
			      "80",
			      "--port=90-95",
			      "--config",
			      "a",
			      "--config",
			      "b",
			      "--labels-pid",
			      "--no-routes-infer",
			      "--log-level",
			      "warn",
			      "--format=json",
			      "--self-bpf-stats=false"};
	char got[256];
	struct rt_cmdline c;

	assert_int_equal(
		rt_cmdline__parse(&c, RT_ARRAY_SIZE(argv), (char **)argv, extra, got, sizeof(got)),
		0);
	assert_string_equal(c.config_file, "b");
	assert_false(c.help);
	assert_int_equal(c.nr_flags, 6);
	assert_string_equal(c.flags[0].name, "port");
	assert_string_equal(c.flags[0].value, "80");
	assert_string_equal(c.flags[1].value, "90-95");
	assert_string_equal(c.flags[2].name, "labels-pid");
	assert_string_equal(c.flags[2].value, "true");
	assert_string_equal(c.flags[3].name, "routes-infer");
	assert_string_equal(c.flags[3].value, "false");
	assert_string_equal(c.flags[4].name, "log-level");
	assert_string_equal(c.flags[5].value, "false");
	assert_int_equal(c.nr_extra, 1);
	assert_string_equal(c.extra[0].name, "format");
	assert_string_equal(c.extra[0].value, "json");
	rt_cmdline__free(&c);
	rt_cmdline__free(&c);
	rt_cmdline__free(NULL);

	assert_int_equal(rt_cmdline__parse(&c, 2, ARGV("run", "-h"), NULL, got, sizeof(got)), 0);
	assert_true(c.help);
	rt_cmdline__free(&c);
	assert_int_equal(rt_cmdline__parse(&c, 1, ARGV("run"), NULL, got, sizeof(got)), 0);
	assert_int_equal(c.nr_flags, 0);
	assert_null(c.config_file);
	rt_cmdline__free(&c);
}

static void test_cmdline_mistakes(void **state)
{
	static const struct {
		const char *word, *next;
		const char *sentence;
	} rows[] = {
		{"--prot", "80", "unknown flag --prot; did you mean --port?"},
		{"--metrics.ttl=1h", NULL,
		 "unknown flag --metrics.ttl; did you mean --metrics-ttl?"},
		{"-listen", ":1", "unknown flag -listen; did you mean --listen?"},
		{"--no-routes-infre", NULL,
		 "unknown flag --no-routes-infre; did you mean --no-routes-infer?"},
		{"--no-listen", NULL, "unknown flag --no-listen; --help lists those there are"},
		{"--frmat=json", NULL, "unknown flag --frmat; did you mean --format?"},
		{"--confg", "x", "unknown flag --confg; did you mean --config?"},
		{"--", NULL, "unknown flag --; --help lists those there are"},
		{"-", NULL, "unexpected argument \"-\""},
		{"", NULL, "unexpected argument \"\""},
		{"nginx", NULL, "unexpected argument \"nginx\""},
		{"--listen", NULL, "--listen needs a value"},
		{"--listen", "--port", "--listen needs a value"},
		{"--config", NULL, "--config needs a value"},
		{"--config", "", "--config needs the name of a file, not \"\""},
		{"--config=", NULL, "--config needs the name of a file, not \"\""},
		{"--format", NULL, "--format needs a value"},
		{"--no-labels-pid=true", NULL, "--no-labels-pid takes no value"},
		{"--labels-pid", "true", "unexpected argument \"true\""},
		{"--help=x", NULL, "--help takes no value"},
	};
	static const char *const extra[] = {"format", NULL};
	struct rt_cmdline c;
	char got[256];
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		assert_int_equal(rt_cmdline__parse(&c, rows[i].next ? 3 : 2,
						   ARGV("run", rows[i].word, rows[i].next, NULL),
						   extra, got, sizeof(got)),
				 -EINVAL);
		assert_string_equal(got, rows[i].sentence);
	}
}

static void test_numbers_there_and_back(void **state)
{
	static const struct {
		const char *text;
		u64 value;
		bool duration;
		const char *printed;
	} rows[] = {
		{"0", 0, true, "0"},
		{"0s", 0, true, "0"},
		{"500ms", 500000000, true, "500ms"},
		{"1000ms", SEC, true, "1s"},
		{"90m", 5400 * SEC, true, "90m"},
		{"120m", 7200 * SEC, true, "2h"},
		{"1us", 1000, true, "1us"},
		{"18446744073709551615ns", UINT64_MAX, true, "18446744073709551615ns"},
		{"0", 0, false, "0"},
		{"1023", 1023, false, "1023"},
		{"1024", 1024, false, "1K"},
		{"1536K", 1572864, false, "1536K"},
		{"8192K", 8388608, false, "8M"},
		{"16G", 17179869184, false, "16G"},
	};
	struct rt_buf b = RT_BUF_INIT;
	size_t i;
	u64 v;

	for (i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		rt_buf__reset(&b);
		v = 99;
		if (rows[i].duration) {
			assert_true(rt_parse_duration(rows[i].text, &v));
			rt_format_duration(&b, v);
		} else {
			assert_true(rt_parse_bytes(rows[i].text, &v));
			rt_format_bytes(&b, v);
		}
		assert_int_equal(v, rows[i].value);
		assert_string_equal(b.data, rows[i].printed);
	}
	rt_buf__free(&b);
	assert_null(rt_check_port("80-80"));
	assert_null(rt_check_port("1-65535"));
	assert_null(rt_check_ring_size("1G"));
	assert_null(rt_check_listen("0.0.0.0:0"));
	assert_false(rt_parse_uint("", &v));
	assert_false(rt_parse_uint("+1", &v));
	assert_false(rt_parse_uint(" 1", &v));
	assert_false(rt_parse_uint("18446744073709551616", &v));
	assert_true(rt_parse_uint("18446744073709551615", &v));
	assert_true(v == UINT64_MAX);
}

static void test_booleans(void **state)
{
	static const char *const yes[] = {"true", "True", "TRUE", "yes", "Yes", "on", "ON", "1"};
	static const char *const no[] = {"false", "False", "FALSE", "no", "NO", "off", "Off", "0"};
	static const char *const neither[] = {"", "y", "n", "tru", "truer", "2", "-1", " true"};
	size_t i;
	bool v;

	for (i = 0; i < RT_ARRAY_SIZE(yes); i++) {
		v = false;
		assert_true(rt_parse_bool(yes[i], &v) && v);
		v = true;
		assert_true(rt_parse_bool(no[i], &v) && !v);
		assert_false(rt_parse_bool(neither[i], &v));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cmdline),
		cmocka_unit_test(test_cmdline_mistakes),
		cmocka_unit_test(test_numbers_there_and_back),
		cmocka_unit_test(test_booleans),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
