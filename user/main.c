// SPDX-License-Identifier: Apache-2.0
/*
 * The program's entry: one table of subcommands, from which help is printed.
 * Everything else is in user/cli/.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "util/log.h"
#include "util/suggest.h"

static int cmd_help(int argc, char **argv);

static const struct command {
	const char *name;
	const char *help;
	int (*fn)(int argc, char **argv);
} commands[] = {
	{"run", "watch HTTP traffic and serve its metrics at /metrics", rt_cmd_run},
	{"trace", "print a line per finished request", rt_cmd_trace},
	{"doctor", "tell what this kernel and these privileges allow", rt_cmd_doctor},
	{"config", "print the configuration and where each value came from", rt_cmd_config},
	{"version", "print the version", rt_cmd_version},
	{"help", "print this, or the help of one command", cmd_help},
};

static void print_help(FILE *out)
{
	size_t i;

	fputs("usage: redtap COMMAND [options]\n\n"
	      "Rate, errors and duration of HTTP requests of unmodified processes.\n\n",
	      out);
	for (i = 0; i < RT_ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-10s%s\n", commands[i].name, commands[i].help);
	fputs("\n`redtap COMMAND --help` lists the options of a command.\n", out);
}

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(commands); i++)
		if (strcmp(name, commands[i].name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	struct rt_suggest near = rt_suggest_init(name);
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(commands); i++)
		rt_suggest__offer(&near, commands[i].name);
	if (near.best)
		rt_error("unknown command \"%s\"; did you mean \"%s\"?", name, near.best);
	else
		rt_error("unknown command \"%s\"; \"redtap help\" lists those there are", name);
	return RT_EXIT_USAGE;
}

static int cmd_help(int argc, char **argv)
{
	const struct command *cmd = argc > 1 ? find_command(argv[1]) : NULL;

	if (argc > 1 && argv[1][0] != '-' && !cmd)
		return unknown_command(argv[1]);
	if (cmd && cmd->fn != cmd_help)
		return cmd->fn(2, (char *[]){argv[1], (char[]){"--help"}, NULL});
	print_help(stdout);
	return rt_cli__finish();
}

/* Where one of the first three descriptors is closed, the next file to be opened would stand in
 * its place, and be written to. Read only: a write fails, as it should. */
static void fill_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

int main(int argc, char **argv)
{
	const struct command *cmd;
	const char *name;

	fill_descriptors();
	/* A page of metrics, or what a start needs, is given back when it is freed. Left
	 * to itself the limit grows with the first of them, and the heap keeps the rest. */
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	if (argc < 2) {
		print_help(stderr);
		return RT_EXIT_USAGE;
	}
	name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	cmd = find_command(name);
	return cmd ? cmd->fn(argc - 1, argv + 1) : unknown_command(name);
}
