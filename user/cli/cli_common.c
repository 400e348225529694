// SPDX-License-Identifier: Apache-2.0
/*
 * What the subcommands share: from argv to a configuration, with the user's
 * mistakes told in one sentence and the right exit status.
 */
#include "cli/cli.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/features.h"
#include "util/log.h"

int rt_cli__load(struct rt_config **ret_cfg, struct rt_cmdline *ret_cmd, int argc, char **argv,
		 const char *const *extra, const char *usage)
{
	struct rt_config *cfg = NULL;
	struct rt_cmdline cmd = {0};
	char sentence[512];
	int err;

	err = rt_cmdline__parse(&cmd, argc, argv, extra, sentence, sizeof(sentence));
	if (!err && cmd.help) {
		rt_cmdline__free(&cmd);
		fputs(usage, stdout);
		fputc('\n', stdout);
		rt_config__print_help(stdout);
		return rt_cli__finish();
	}
	if (!err && !cmd.config_file) {
		const char *file = getenv("REDTAP_CONFIG");

		cmd.config_file = file && *file ? file : NULL;
	}
	if (!err)
		err = rt_config__load(&cfg, cmd.config_file, environ, cmd.flags, cmd.nr_flags,
				      sentence, sizeof(sentence));
	if (err) {
		rt_error("%s", sentence);
		rt_cmdline__free(&cmd);
		return err == -ENOMEM ? RT_EXIT_FAILED : RT_EXIT_USAGE;
	}

	rt_log__setup((enum rt_log_level)cfg->log_level, (enum rt_log_format)cfg->log_format);
	*ret_cfg = cfg;
	if (ret_cmd)
		*ret_cmd = cmd;
	else
		rt_cmdline__free(&cmd);
	return RT_CLI_GO_ON;
}

int rt_cli__check_features(const struct rt_config *cfg)
{
	char sentence[512];

	if (!rt_features__setup(cfg, sentence, sizeof(sentence)))
		return RT_CLI_GO_ON;
	rt_error("%s", sentence);
	return RT_EXIT_USAGE;
}

int rt_cli__check_pids(const struct rt_config *cfg)
{
	if (!cfg->pid.n || rt_features__has(RT_FEATURE_PID_NS))
		return RT_CLI_GO_ON;
	rt_error("--pid %s: redtap runs in a pid namespace of its own, where pids are not the "
		 "host's; run it in the host's (hostPID: true)",
		 cfg->pid.items[0]);
	return RT_EXIT_USAGE;
}

void rt_cli__started(void)
{
	if (!rt_features__has(RT_FEATURE_PID_NS))
		rt_warn("redtap runs in a pid namespace of its own: processes outside it have no "
			"names; run it in the host's (hostPID: true)");
	if (!rt_features__has_cap(RT_CAP_SYS_PTRACE))
		rt_warn("without CAP_SYS_PTRACE other users' executables and working directories "
			"are not seen: --exe does not match them, services are named without");
	rt_features__trim();
	malloc_trim(0);
}

const char *rt_cli__extra(const struct rt_cmdline *cmd, const char *name)
{
	size_t i = cmd->nr_extra;

	while (i-- > 0)
		if (strcmp(cmd->extra[i].name, name) == 0)
			return cmd->extra[i].value;
	return NULL;
}

int rt_cli__finish(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	rt_error("cannot write to stdout: %s", strerror(errno));
	return RT_EXIT_FAILED;
}
