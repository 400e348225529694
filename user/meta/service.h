/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names a service from what a process shows of itself. Pure functions; the
 * configuration's rules, which go before all this, are applied in meta.c.
 */
#ifndef REDTAP_META_SERVICE_H
#define REDTAP_META_SERVICE_H

#include "util/slice.h"

#define RT_SERVICE_MAX 256
/* Of a command line what is looked at: classpaths are long. */
#define RT_ARGS_MAX    65536

struct rt_service_facts {
	const char *executable; /* base name, "python3.11" */
	struct rt_slice args;	/* NUL-separated, as in /proc/PID/cmdline */
	struct rt_slice env;	/* NUL-separated, as in /proc/PID/environ */
	const char *unit;	/* that names it (rt_cgroup__naming_unit()); "" none */
	const char *cwd;	/* "" unknown */
};

struct rt_service_name {
	char name[RT_SERVICE_MAX];		/* never "" */
	char service_namespace[RT_SERVICE_MAX]; /* "" none */
};

/* environ, properties of a JVM, script or jar, unit, executable: the first that gives a name. */
void rt_service__name(const struct rt_service_facts *facts, struct rt_service_name *ret);

/* The steps by themselves; false and "" when they give no name. Outputs hold
 * RT_SERVICE_MAX bytes. */
bool rt_service__from_env(struct rt_slice env, const char *variable, char *out);
/* One key of OTEL_RESOURCE_ATTRIBUTES. */
bool rt_service__resource_attribute(struct rt_slice env, const char *key, char *out);
/* A worker that Python's multiprocessing started: its command line names the
 * machinery, its parent's the program. */
bool rt_service__is_spawned(struct rt_slice args);
/* Of a JVM's command line what is before the program: the JVM's own options. Else empty. */
struct rt_slice rt_service__java_options(const struct rt_service_facts *facts);
/* What an interpreter runs; the unit or a directory where that has a name such as "main". */
bool rt_service__from_args(const struct rt_service_facts *facts, char *out);

#endif /* REDTAP_META_SERVICE_H */
