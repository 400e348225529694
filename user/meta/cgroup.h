/* SPDX-License-Identifier: Apache-2.0 */
/* Container id and systemd unit out of /proc/PID/cgroup. Inside user/meta only. */
#ifndef REDTAP_META_CGROUP_H
#define REDTAP_META_CGROUP_H

#include "redtap/types.h"

#define RT_CONTAINER_ID_LEN 64
#define RT_UNIT_MAX	    256

struct rt_cgroup {
	char container_id[RT_CONTAINER_ID_LEN + 1]; /* "" none */
	char unit[RT_UNIT_MAX];			    /* without ".service"; "" none */
};

/* One path, "/system.slice/nginx.service". */
void rt_cgroup__parse_path(const char *path, struct rt_cgroup *ret);

/* The text of /proc/PID/cgroup, v1, v2 or both: lines "ID:controllers:PATH".
 * The first line that names a container decides, and units of lines without
 * one no longer count then; else the first line that names a unit. Returns whether the line of
 * the unified hierarchy (v2) says all of that alone, and something. */
bool rt_cgroup__parse(const char *text, struct rt_cgroup *ret);

/* What of rt_cgroup's unit names a service: an instance is left out that is one connection's, and
 * a unit whose name was made up or that runs others' programs is none (""). */
void rt_cgroup__naming_unit(const char *unit, char ret[RT_UNIT_MAX]);

#endif /* REDTAP_META_CGROUP_H */
