// SPDX-License-Identifier: Apache-2.0
/* `redtap version`: what a bug report needs to name. Takes no options. */
#include "cli/cli.h"

#include <string.h>
#include <sys/utsname.h>

#include <bpf/libbpf.h>

#include "util/log.h"

int rt_cmd_version(int argc, char **argv)
{
	const char *libbpf = libbpf_version_string(); /* "v1.1" */
	struct utsname host;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		puts("usage: redtap version\n"
		     "\n"
		     "Prints the versions of redtap and of its libbpf, and the machine's type.");
		return rt_cli__finish();
	}
	if (argc > 1) {
		rt_error("redtap version takes no arguments");
		return RT_EXIT_USAGE;
	}
	printf("redtap %s (libbpf %s, %s)\n", REDTAP_VERSION, libbpf + (*libbpf == 'v'),
	       uname(&host) == 0 ? host.machine : "unknown machine");
	return rt_cli__finish();
}
