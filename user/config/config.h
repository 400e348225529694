/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: one option table (config.def) with three faces, in rising
 * order of precedence: YAML file, environment (REDTAP_…), command-line flags.
 *
 * An option named `metrics.ttl` is the key `ttl` under `metrics` in YAML, the
 * variable REDTAP_METRICS_TTL, and the flag --metrics-ttl. Lists: a YAML
 * sequence (or one scalar), a comma-separated variable, a repeated flag.
 */
#ifndef REDTAP_CONFIG_H
#define REDTAP_CONFIG_H

#include <stddef.h>
#include <stdio.h>

#include "redtap/types.h"

struct rt_strlist {
	char **items;
	size_t n;
};

/* Services named by rule, first match wins; an unset condition is NULL or 0
 * and always holds; all set ones must hold. YAML: a list of mappings under
 * `services`; flag/env: NAME=COND:VALUE[;COND:VALUE…]. */
struct rt_service_rule {
	char *name;
	char *exe;     /* glob on the executable's path, or on its base name when it has no '/' */
	char *cmdline; /* glob on the command line, arguments joined by spaces */
	char *unit;    /* glob on the systemd unit */
	u16 port;      /* local port of the exchange */
};

enum rt_backend_choice {
	RT_BACKEND_AUTO = 0,
	RT_BACKEND_SOCK = 1,
	RT_BACKEND_FENTRY = 2,
	RT_BACKEND_SYSCALL = 3,
	RT_BACKEND_EVENT = 4,
};

struct rt_config {
	char *listen;		  /* "127.0.0.1:9733", "[::1]:9733", ":9733" = all addresses */
	struct rt_strlist netns;  /* paths or pids, as given */
	struct rt_strlist cgroup; /* paths */
	struct rt_strlist pid;	  /* decimal */
	struct rt_strlist exe;	  /* globs */
	struct rt_strlist port;	  /* "80", "8000-8100" */
	int backend;		  /* enum rt_backend_choice */
	u64 ring_size;		  /* bytes, a power of two multiple of the page size */
	char *btf;		  /* a path; "": the kernel's own */
	struct rt_strlist disable_feature; /* names of features.def, in lower case */
	int log_level;		  /* enum rt_log_level */
	int log_format;		  /* enum rt_log_format */
	u64 metrics_ttl;	  /* ns; 0: never drop */
	u64 metrics_max_series;	  /* per family */
	bool routes_infer;
	struct rt_strlist routes_patterns; /* "/users/{id}" */
	u64 routes_memory; /* bytes of kernel memory for requests counted in place */
	bool samples_log;
	u64 samples_rate; /* per service and second; 0: none */
	u64 samples_failed_rate;
	u64 samples_slow_rate;
	u64 samples_slow; /* ns; 0: the running 99th percentile */
	bool labels_pid;
	bool self_bpf_stats;
	struct rt_service_rule *services;
	size_t nr_services;

	/* Per option (index in config.def): where its value came from, for
	 * `redtap config`: "default", "FILE:LINE", "REDTAP_X", "--x". */
	char **origins;
};

/* What the command line gave, before it is applied. */
struct rt_config_flag {
	const char *name; /* "metrics-ttl", without dashes */
	const char *value;
};

/*
 * Builds the configuration: defaults, then `file` (NULL: none), then `environ`,
 * then flags. On a user's mistake returns -EINVAL and writes one sentence, no
 * newline, that names file, line and the nearest right name; on a file that
 * cannot be read returns its errno with a sentence. *ret_cfg is untouched on
 * failure. Free with rt_config__free().
 */
int rt_config__load(struct rt_config **ret_cfg, const char *file, char *const *env,
		    const struct rt_config_flag *flags, size_t nr_flags, char *errbuf,
		    size_t errlen);
void rt_config__free(struct rt_config *cfg); /* NULL-safe */

/* Reads the flags that belong to options out of argv (from argv[1] on):
 * --name VALUE, --name=VALUE, and --name / --no-name for booleans; --config
 * FILE and --help are returned apart. Unknown flags: -EINVAL with a sentence
 * naming the nearest one. Flags point into argv; free *ret_flags. `extra` is a
 * NULL-terminated list of further flags taking a value that the subcommand
 * allows ("format"). */
struct rt_cmdline {
	struct rt_config_flag *flags;
	size_t nr_flags;
	struct rt_config_flag *extra;
	size_t nr_extra;
	const char *config_file;
	bool help;
};
int rt_cmdline__parse(struct rt_cmdline *ret, int argc, char **argv, const char *const *extra,
		      char *errbuf, size_t errlen);
void rt_cmdline__free(struct rt_cmdline *c);

/* The result and the origin of each value, as YAML with comments: it can be
 * fed back with --config. */
void rt_config__print(const struct rt_config *cfg, FILE *out);
/* The option part of --help, from config.def. */
void rt_config__print_help(FILE *out);

#endif /* REDTAP_CONFIG_H */
