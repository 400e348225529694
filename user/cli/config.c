// SPDX-License-Identifier: Apache-2.0
/*
 * `redtap config`: prints the configuration that `redtap run` would use with
 * the same file, environment and flags, and where each value came from. The
 * output is itself a configuration file.
 */
#include "cli/cli.h"

static const char usage[] =
	"usage: redtap config [options]\n"
	"\n"
	"Prints the configuration that `redtap run` would use, as YAML that --config reads\n"
	"back, and beside each value where it came from. Exit status 2 if it has a mistake.\n";

int rt_cmd_config(int argc, char **argv)
{
	struct rt_config *cfg;
	int status;

	status = rt_cli__load(&cfg, NULL, argc, argv, NULL, usage);
	if (status != RT_CLI_GO_ON)
		return status;
	rt_config__print(cfg, stdout);
	rt_config__free(cfg);
	return rt_cli__finish();
}
