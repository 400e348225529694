// SPDX-License-Identifier: Apache-2.0
/*
 * `redtap doctor`: what this kernel and these privileges allow, one line per
 * item, and which backend `redtap run` would use with the same options. Exit
 * status 0 when there is one, else 1.
 */
#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bpf/capture.h"
#include "bpf/features.h"
#include "bpf/scope.h"
#include "proto/proto.h"

static const char usage[] =
	"usage: redtap doctor [options]\n"
	"\n"
	"Tells what this kernel and these privileges allow, and which backend would be used.\n"
	"Loads each backend for a moment. Exit status 0 when `redtap run` with the same options\n"
	"has a backend, else 1.\n";

static void print_features(void)
{
	for (int i = 0; i < RT_NR_FEATURES; i++) {
		bool has = rt_features__has((enum rt_feature)i);
		const char *detail = rt_features__detail((enum rt_feature)i);

		printf("%-4s %s (", has ? "ok" : "no", rt_features__text((enum rt_feature)i));
		for (const char *id = rt_features__id((enum rt_feature)i); *id; id++)
			putchar(tolower(*id));
		printf("%s%s)", *detail ? "; " : "", detail);
		if (rt_features__is_disabled((enum rt_feature)i))
			printf(": disabled by --disable-feature");
		else if (!has)
			printf(": needs %s", rt_features__need((enum rt_feature)i));
		putchar('\n');
	}
}

static void print_capabilities(void)
{
	static const struct {
		const char *name;
		enum rt_cap cap;
		const char *use;
	} caps[] = {
		{"CAP_BPF", RT_CAP_BPF, "load BPF programs"},
		{"CAP_PERFMON", RT_CAP_PERFMON, "trace with them"},
		{"CAP_SYS_ADMIN", RT_CAP_SYS_ADMIN,
		 "stands for both; mounts tracefs, turns on BPF statistics"},
		{"CAP_SYS_PTRACE", RT_CAP_SYS_PTRACE,
		 "other users' executables, for --exe, and working directories, for services' "
		 "names; --netns PID"},
		{"CAP_DAC_READ_SEARCH", RT_CAP_DAC_READ_SEARCH,
		 "read tracefs, for the backends event and syscall, unless root"},
		{"CAP_SYS_RESOURCE", RT_CAP_SYS_RESOURCE,
		 "only before Linux 5.11, unless the limit of locked memory is lifted"},
		{"CAP_NET_ADMIN", RT_CAP_NET_ADMIN, "not needed"},
	};

	for (size_t i = 0; i < RT_ARRAY_SIZE(caps); i++)
		printf("%-4s %s: %s\n", rt_features__has_cap(caps[i].cap) ? "ok" : "--", caps[i].name,
		       caps[i].use);
}

/* The pids of the scope, for which the attempt to load has its own. */
static bool pids_are_wrong(const struct rt_config *cfg, char *why, size_t len)
{
	struct rt_scope scope;

	if (!cfg->pid.n)
		return false;
	if (!rt_features__has(RT_FEATURE_PID_NS)) {
		snprintf(why, len, "--pid %s: refused in a pid namespace of its own",
			 cfg->pid.items[0]);
		return true;
	}
	if (rt_scope__resolve(&scope, cfg, why, len))
		return true;
	rt_scope__close(&scope);
	return false;
}

/* Loads and attaches for real, in a scope that holds nobody: redtap's own pid. */
static bool try_backend(const struct rt_config *cfg, const struct rt_backend *be)
{
	const char *missing = be->missing();
	struct rt_config one = *cfg;
	struct rt_sig sigs[RT_SIG_MAX];
	char self[16], why[768];
	char *pids[] = {self};
	struct rt_bpf *bpf;

	if (missing) {
		printf("no   backend %s (%s): needs %s\n", be->name, be->text, missing);
		return false;
	}
	snprintf(self, sizeof(self), "%d", (int)getpid());
	one.pid = (struct rt_strlist){pids, 1};
	one.backend = (int)be->id;
	one.self_bpf_stats = false;
	if (pids_are_wrong(cfg, why, sizeof(why)) ||
	    rt_bpf__new(&bpf, &one, sigs, rt_proto__signatures(sigs, RT_SIG_MAX), why,
			sizeof(why))) {
		printf("no   backend %s (%s): %s\n", be->name, be->text, why);
		return false;
	}
	rt_bpf__free(bpf);
	if (be->doubt())
		printf("ok   backend %s (%s): %s\n", be->name, be->text, be->doubt());
	else
		printf("ok   backend %s (%s)\n", be->name, be->text);
	return true;
}

int rt_cmd_doctor(int argc, char **argv)
{
	const struct rt_backend *be, *works = NULL, *chosen = NULL;
	const char *wanted = "";
	struct rt_config *cfg;
	struct utsname u;
	int status;

	status = rt_cli__load(&cfg, NULL, argc, argv, NULL, usage);
	if (status != RT_CLI_GO_ON)
		return status;
	status = rt_cli__check_features(cfg);
	if (status != RT_CLI_GO_ON) {
		rt_config__free(cfg);
		return status;
	}
	if (!uname(&u))
		printf("     Linux %s %s\n", u.release, u.machine);
	print_features();
	if (*cfg->btf)
		printf("ok   BTF of --btf (%s): in the place of the kernel's own\n", cfg->btf);
	print_capabilities();
	for (size_t i = 0; (be = rt_backend__by_rank(i)); i++) {
		if (cfg->backend == (int)be->id)
			wanted = be->name;
		if (!try_backend(cfg, be))
			continue;
		if (!works)
			works = be;
		if (!chosen && (cfg->backend == RT_BACKEND_AUTO || cfg->backend == (int)be->id))
			chosen = be;
	}
	if (chosen)
		printf("redtap will use the backend %s\n", chosen->name);
	else if (works)
		printf("the backend %s does not work here; without --backend redtap will use %s\n",
		       wanted, works->name);
	else
		printf("no backend works here: see the lines above that say what is missing\n");
	rt_config__free(cfg);
	status = rt_cli__finish();
	return status ? status : chosen ? 0 : RT_EXIT_FAILED;
}
