// SPDX-License-Identifier: Apache-2.0
/* What every subcommand starts with: exit statuses, where the file's name comes from, extra flags.
 */
#include "config_helper.h"

#include "cli/cli.h"

#define LOAD(cfg, cmd, ...)                                                                        \
	rt_cli__load(cfg, cmd, RT_ARRAY_SIZE(((const char *[]){__VA_ARGS__})), ARGV(__VA_ARGS__),  \
		     extra, "usage: redtap x\n")

static const char *const extra[] = {"format", NULL};

static void test_exit_statuses(void **state)
{
	struct rt_config *cfg;

	assert_int_equal(LOAD(&cfg, NULL, "x", "--prot", "80"), RT_EXIT_USAGE);
	assert_int_equal(LOAD(&cfg, NULL, "x", "--port", "http"), RT_EXIT_USAGE);
	assert_int_equal(LOAD(&cfg, NULL, "x", "--config", "/nowhere"), RT_EXIT_USAGE);
	assert_int_equal(LOAD(&cfg, NULL, "x", "--port", "http", "--help"), 0);
	assert_int_equal(LOAD(&cfg, NULL, "x"), RT_CLI_GO_ON);
	rt_config__free(cfg);
	setenv("REDTAP_LISTN", ":1", 1);
	assert_int_equal(LOAD(&cfg, NULL, "x"), RT_EXIT_USAGE);
	unsetenv("REDTAP_LISTN");
}

static void test_which_file(void **state)
{
	struct rt_cmdline cmd;
	struct rt_config *cfg;

	write_file("listen: :7\n", 11);
	setenv("REDTAP_CONFIG", yaml_path, 1);
	assert_int_equal(LOAD(&cfg, &cmd, "x"), RT_CLI_GO_ON);
	assert_string_equal(cfg->listen, ":7");
	assert_string_equal(cmd.config_file, yaml_path); /* for a reload */
	rt_config__free(cfg);
	rt_cmdline__free(&cmd);

	assert_int_equal(LOAD(&cfg, &cmd, "x", "--config=/dev/null"), RT_CLI_GO_ON);
	assert_string_equal(cfg->listen, "127.0.0.1:9733");
	assert_string_equal(cmd.config_file, "/dev/null");
	rt_config__free(cfg);
	rt_cmdline__free(&cmd);

	setenv("REDTAP_CONFIG", "/nowhere", 1);
	assert_int_equal(LOAD(&cfg, NULL, "x"), RT_EXIT_USAGE);
	setenv("REDTAP_CONFIG", "", 1); /* empty is as good as unset */
	assert_int_equal(LOAD(&cfg, NULL, "x"), RT_CLI_GO_ON);
	rt_config__free(cfg);
	unsetenv("REDTAP_CONFIG");
}

static void test_extra_and_log(void **state)
{
	struct rt_cmdline cmd;
	struct rt_config *cfg;

	assert_int_equal(
		LOAD(&cfg, &cmd, "x", "--format", "text", "--format=json", "--log-level", "error"),
		RT_CLI_GO_ON);
	assert_string_equal(rt_cli__extra(&cmd, "format"), "json");
	assert_null(rt_cli__extra(&cmd, "other"));
	assert_int_equal(rt_log__level(), RT_LOG_ERROR);
	rt_config__free(cfg);
	rt_cmdline__free(&cmd);
	rt_log__setup(RT_LOG_INFO, RT_LOG_TEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_statuses),
		cmocka_unit_test(test_which_file),
		cmocka_unit_test(test_extra_and_log),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
