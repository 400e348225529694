// SPDX-License-Identifier: Apache-2.0
/*
 * In the guest: gives each BPF program to this kernel's verifier by itself, and
 * prints what became of it, one line each, tab-separated: name, "ok" or the
 * error, instructions verified, milliseconds. A refusal is followed by the end
 * of the verifier's log, each line behind a tab. Run by tests/vm/matrix.py.
 *
 *   verify [PROGRAM...]
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/libbpf.h>

#include "bpf/loader.h"
#include "proto/proto.h"
#include "redtap/bpfcfg.h"

#define LOG_SIZE	(16 << 20)
#define LOG_LEVEL_ALL	1
#define LOG_LEVEL_STATS 4
#define TAIL_LINES	30

static char first_warning[512];

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_WARN && !first_warning[0])
		vsnprintf(first_warning, sizeof(first_warning), fmt, args);
	return 0;
}

/* Every kind of scope at once, so that no branch is dropped before the verifier
 * sees it: as tests/bpf does, which keeps the numbers in the same file. */
static void configure(struct rt_bpf_cfg *c)
{
	struct rt_config cfg = {.samples_log = true, .samples_rate = 1};
	struct rt_bpf b = {.cfg = &cfg, .nr_slots = 1};
	struct rt_sig sigs[RT_SIG_MAX];
	u32 n = rt_proto__signatures(sigs, RT_SIG_MAX);

	c->ring_wake = 1 << 20;
	c->idle_ns = 400 * 1000000ull;
	c->self_tgid = 1;
	c->nr_netns = c->nr_pids = c->nr_cgroups = c->nr_exes = c->nr_ports = 1;
	c->ports[0] = (struct rt_port_range){1, 65535};
	rt_rules__fill_config(c, &b);
	c->stack_size = rt_object__stack_size();
	for (u32 i = 0; i < n && i < RT_SIG_MAX; i++)
		if (sigs[i].kind == RT_SIG_RESPONSE || sigs[i].kind == RT_SIG_INTERIM)
			c->resp_sigs[c->nr_resp_sigs++] = sigs[i];
		else
			c->req_sigs[c->nr_req_sigs++] = sigs[i];
}

static void print_tail(const char *log)
{
	const char *p = log + strlen(log);
	int lines = 0;

	while (p > log && lines <= TAIL_LINES)
		if (*--p == '\n')
			lines++;
	for (p += p > log; *p;) {
		size_t n = strcspn(p, "\n");

		printf("\t%.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static double ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - start->tv_nsec) / 1e6;
}

/* Loads that one program. Returns 0 or -errno. */
static int load(const char *name, int log_level, char *log)
{
	struct redtap_bpf *s = rt_object__open(rt_object__is_legacy(), NULL);
	struct bpf_program *prog;
	int err;

	if (!s)
		return -errno;
	configure((struct rt_bpf_cfg *)&s->rodata->rt_cfg);
	bpf_object__for_each_program (prog, s->obj) {
		bool on = strcmp(bpf_program__name(prog), name) == 0;

		bpf_program__set_autoload(prog, on);
		if (!on)
			continue;
		bpf_program__set_log_level(prog, (u32)log_level);
		bpf_program__set_log_buf(prog, log, LOG_SIZE);
	}
	log[0] = 0;
	first_warning[0] = 0;
	err = redtap_bpf__load(s);
	redtap_bpf__destroy(s);
	return err;
}

static int verify(const char *name, char *log)
{
	struct timespec start;
	const char *count;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &start);
	err = load(name, LOG_LEVEL_STATS, log);
	/* "processed N insns" is in the log of every kernel since 5.2. */
	count = strstr(log, "processed ");
	printf("%s\t%s\t%ld\t%.1f\n", name, err ? strerror(-err) : "ok",
	       count ? strtol(count + 10, NULL, 10) : 0, ms_since(&start));
	if (err && first_warning[0])
		printf("\tlibbpf: %.*s\n", (int)strcspn(first_warning, "\n"), first_warning);
	if (err) {
		/* Statistics do not tell why: once more, with the whole log. */
		load(name, LOG_LEVEL_ALL, log);
		print_tail(log);
	}
	fflush(stdout);
	return err;
}

/* Of the legacy object only what its kernels run: the rest is for newer ones. */
static bool used(const char *name)
{
	if (!rt_object__is_legacy() || strcmp(name, "rt_sweep_conns") == 0 ||
	    strcmp(name, "rt_sweep_call") == 0)
		return true;
	for (size_t i = 0; i < rt_nr_backends; i++)
		for (const char *const *p = rt_backends[i].programs; *p; p++)
			if (strcmp(*p, name) == 0 && !rt_backends[i].missing())
				return true;
	return false;
}

static bool wanted(const char *name, int argc, char **argv)
{
	if (!used(name))
		return false;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc == 1;
}

int main(int argc, char **argv)
{
	struct redtap_bpf *s;
	struct bpf_program *prog;
	char *log = malloc(LOG_SIZE);
	int failed = 0;

	libbpf_set_print(quiet);
	s = rt_object__open(rt_object__is_legacy(), NULL);
	if (!s || !log)
		return 2;
	bpf_object__for_each_program (prog, s->obj) {
		const char *name = bpf_program__name(prog);

		if (wanted(name, argc, argv) && verify(name, log))
			failed++;
	}
	redtap_bpf__destroy(s);
	free(log);
	return failed ? 1 : 0;
}
