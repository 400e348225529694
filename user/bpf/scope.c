// SPDX-License-Identifier: Apache-2.0
/*
 * Turns scope flags (paths, pids, ranges) into the numbers that the BPF
 * programs compare. Called by the loader, before anything is loaded, so that a
 * mistake leaves nothing behind.
 */
#include "bpf/scope.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

#define fail(...) (snprintf(errbuf, errlen, __VA_ARGS__), -EINVAL)

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

static int resolve_netns(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	char path[64];
	const char *p = value;
	struct statfs fs;
	struct stat st;

	if (s->nr_netns >= RT_SCOPE_NETNS_MAX)
		return fail("more than %d network namespaces in the scope", RT_SCOPE_NETNS_MAX);
	if (is_number(value)) {
		snprintf(path, sizeof(path), "/proc/%.20s/ns/net", value);
		p = path;
	}
	if (stat(p, &st) || statfs(p, &fs)) {
		if (p == path && errno == ENOENT)
			return fail("--netns %s: there is no process %s", value, value);
		return fail("--netns %s: %s", value, strerror(errno));
	}
	if (fs.f_type != NSFS_MAGIC)
		return fail("--netns %s: not a network namespace; give a path like "
			    "/run/netns/NAME, or a pid",
			    value);
	s->netns[s->nr_netns++] = (u32)st.st_ino;
	return 0;
}

static int resolve_cgroup(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	struct statfs fs;
	int fd;

	if (s->nr_cgroups >= RT_SCOPE_CGROUP_MAX)
		return fail("more than %d cgroups in the scope", RT_SCOPE_CGROUP_MAX);
	fd = open(value, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail("--cgroup %s: %s", value, strerror(errno));
	if (fstatfs(fd, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC) {
		close(fd);
		return fail("--cgroup %s: not a cgroup v2 directory", value);
	}
	s->cgroups[s->nr_cgroups++] = fd;
	return 0;
}

static int resolve_pid(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	char path[64];

	if (s->nr_pids >= RT_SCOPE_PID_MAX)
		return fail("more than %d processes in the scope", RT_SCOPE_PID_MAX);
	snprintf(path, sizeof(path), "/proc/%.20s", value);
	if (!is_number(value) || access(path, F_OK))
		return fail("--pid %s: there is no process %s", value, value);
	s->pids[s->nr_pids++] = (u32)strtoul(value, NULL, 10);
	return 0;
}

static int resolve_port(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	unsigned int lo, hi;
	char *end;

	if (s->nr_ports >= RT_SCOPE_PORT_MAX)
		return fail("more than %d port ranges in the scope", RT_SCOPE_PORT_MAX);
	lo = hi = (unsigned int)strtoul(value, &end, 10);
	if (*end == '-')
		hi = (unsigned int)strtoul(end + 1, &end, 10);
	if (*end || !lo || lo > hi || hi > 65535)
		return fail("--port %s: give a port or a range, like 80 or 8000-8100", value);
	s->ports[s->nr_ports++] = (struct rt_port_range){(u16)lo, (u16)hi};
	return 0;
}

static int each(struct rt_scope *s, const struct rt_strlist *list,
		int (*one)(struct rt_scope *, const char *, char *, size_t), char *errbuf,
		size_t errlen)
{
	for (size_t i = 0; i < list->n; i++) {
		int err = one(s, list->items[i], errbuf, errlen);

		if (err)
			return err;
	}
	return 0;
}

int rt_scope__resolve(struct rt_scope *ret, const struct rt_config *cfg, char *errbuf,
		      size_t errlen)
{
	struct rt_scope s = {0};
	int err;

	err = each(&s, &cfg->netns, resolve_netns, errbuf, errlen);
	if (!err)
		err = each(&s, &cfg->cgroup, resolve_cgroup, errbuf, errlen);
	if (!err)
		err = each(&s, &cfg->pid, resolve_pid, errbuf, errlen);
	if (!err)
		err = each(&s, &cfg->port, resolve_port, errbuf, errlen);
	if (err) {
		rt_scope__close(&s);
		return err;
	}
	*ret = s;
	return 0;
}

void rt_scope__close(struct rt_scope *s)
{
	for (u32 i = 0; i < s->nr_cgroups; i++)
		close(s->cgroups[i]);
	s->nr_cgroups = 0;
}

bool rt_scope__exe_matches(const struct rt_strlist *globs, const char *path)
{
	const char *base = strrchr(path, '/');

	base = base ? base + 1 : path;
	for (size_t i = 0; i < globs->n; i++) {
		const char *g = globs->items[i];

		if (fnmatch(g, strchr(g, '/') ? path : base, 0) == 0)
			return true;
	}
	return false;
}
