/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands. Each handler gets its own argv (argv[0] is the subcommand)
 * and returns the exit status: 0, RT_EXIT_FAILED, or RT_EXIT_USAGE.
 */
#ifndef REDTAP_CLI_H
#define REDTAP_CLI_H

#include "config/config.h"

#define RT_EXIT_FAILED 1 /* the world's fault: no privileges, a port in use */
#define RT_EXIT_USAGE  2 /* the user's mistake: flags, variables, the file */
#define RT_CLI_GO_ON   (-1)

int rt_cmd_run(int argc, char **argv);
int rt_cmd_trace(int argc, char **argv);
int rt_cmd_doctor(int argc, char **argv);
int rt_cmd_config(int argc, char **argv);
int rt_cmd_version(int argc, char **argv);

/*
 * What every subcommand starts with: reads the flags (`extra` as in
 * rt_cmdline__parse()), builds the configuration from --config or
 * REDTAP_CONFIG, the environment and the flags, and sets up the log.
 *
 * Returns RT_CLI_GO_ON with *ret_cfg and, unless NULL, *ret_cmd for the caller
 * to free; its config_file is the file that was really read, for a reload.
 * Otherwise everything is said and freed, and the exit status is returned: 0
 * after --help (`usage`, then the options, on stdout), RT_EXIT_USAGE after one
 * sentence on stderr. `usage` ends in a newline.
 */
int rt_cli__load(struct rt_config **ret_cfg, struct rt_cmdline *ret_cmd, int argc, char **argv,
		 const char *const *extra, const char *usage);

/* `run`, `trace` and `doctor`, before they ask the kernel for anything: takes in
 * what the configuration says of features. RT_CLI_GO_ON, or RT_EXIT_USAGE with
 * a sentence on stderr. */
int rt_cli__check_features(const struct rt_config *cfg);

/* `run` and `trace`, before they start: RT_CLI_GO_ON, or RT_EXIT_USAGE with a
 * sentence on stderr when pids mean nothing here. */
int rt_cli__check_pids(const struct rt_config *cfg);

/* `run` and `trace`, once they capture: warns of what will be missing, and gives
 * back the memory that only the start needed. */
void rt_cli__started(void);

/* The value of an extra flag, NULL if it was not given; of repeated ones the last. */
const char *rt_cli__extra(const struct rt_cmdline *cmd, const char *name);

/* Flushes stdout: 0, or RT_EXIT_FAILED with a sentence when what was printed
 * did not arrive. The last line of a handler that prints a result. */
int rt_cli__finish(void);

#endif /* REDTAP_CLI_H */
