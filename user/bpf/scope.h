/* SPDX-License-Identifier: Apache-2.0 */
/* Scope flags, resolved to what the kernel compares. */
#ifndef REDTAP_SCOPE_H
#define REDTAP_SCOPE_H

#include <stddef.h>

#include "config/config.h"
#include "redtap/bpfcfg.h"

/* What a path stands for. */
struct rt_scope_place {
	u64 ino;
	s64 since_ns; /* of a namespace's name: when it was made; 0: unknown */
	bool gone;    /* that was said */
};

/* As many of each kind, and in that order, as there are flags. */
struct rt_scope {
	u32 netns[RT_SCOPE_NETNS_MAX];
	struct rt_scope_place netns_places[RT_SCOPE_NETNS_MAX];
	u32 nr_netns;
	int cgroups[RT_SCOPE_CGROUP_MAX]; /* owned directory descriptors */
	struct rt_scope_place cgroup_places[RT_SCOPE_CGROUP_MAX];
	u32 nr_cgroups;
	u32 pids[RT_SCOPE_PID_MAX];
	int pidfds[RT_SCOPE_PID_MAX]; /* owned; -1: it has ended, and that was said */
	u32 nr_pids;
	struct rt_port_range ports[RT_SCOPE_PORT_MAX];
	u32 nr_ports;
};

/* 0, or one sentence that names the flag's value, with -EINVAL where that is wrong in itself,
 * else with the kernel's answer. */
int rt_scope__resolve(struct rt_scope *ret, const struct rt_config *cfg, char *errbuf,
		      size_t errlen);
void rt_scope__close(struct rt_scope *s);

/* An owned descriptor, or -errno; -ENOTTY: a directory, and no cgroup v2. */
int rt_scope__open_cgroup(const char *path, struct rt_scope_place *ret);
/* `value`: a path or a pid. 0, or -errno; -ENOTTY: no network namespace. */
int rt_scope__find_netns(const char *value, struct rt_scope_place *ret);

/* Whether an executable's path is meant by the --exe globs: a glob without '/'
 * is held against the base name. */
bool rt_scope__exe_matches(const struct rt_strlist *globs, const char *path);

#endif /* REDTAP_SCOPE_H */
