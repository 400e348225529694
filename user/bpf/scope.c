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
#include <limits.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "util/cleanup.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

/* For words that are wrong in themselves; and where the kernel's answer is the reason, which
 * may be another one later. */
#define fail(...)	    (snprintf(errbuf, errlen, __VA_ARGS__), -EINVAL)
#define fail_with(err, ...) (snprintf(errbuf, errlen, __VA_ARGS__), (err))

static bool is_number(const char *s)
{
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* A path that leads through a file is as wrong as one to a file of another kind. */
static int path_error(int err)
{
	return err == -ENOTDIR || err == -ENAMETOOLONG ? -EINVAL : err;
}

/* All kinds of namespaces lie on nsfs. 0, -ENOTTY for another thing, or why it cannot be told. */
static int check_netns(const char *path, const struct statfs *fs)
{
	__cleanup_fd int fd = -1;

	if (fs->f_type != NSFS_MAGIC)
		return -ENOTTY;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET ? 0 : -ENOTTY;
}

int rt_scope__find_netns(const char *value, struct rt_scope_place *ret)
{
	const char *path = value;
	char of_pid[64];
	struct statfs fs;
	struct statx st;
	int err;

	if (is_number(value)) {
		snprintf(of_pid, sizeof(of_pid), "/proc/%.20s/ns/net", value);
		path = of_pid;
	}
	if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_CTIME, &st) || statfs(path, &fs))
		return -errno;
	err = check_netns(path, &fs);
	if (err)
		return err;
	*ret = (struct rt_scope_place){.ino = st.stx_ino};
	/* A name is a mount, which keeps the inode: its time is then the name's. */
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		ret->since_ns = st.stx_ctime.tv_sec * 1000000000ll + st.stx_ctime.tv_nsec;
	return 0;
}

int rt_scope__open_cgroup(const char *path, struct rt_scope_place *ret)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstatfs(fd, &fs) || fstat(fd, &st)) {
		err = -errno;
		close(fd);
		return err;
	}
	if (fs.f_type != CGROUP2_SUPER_MAGIC) {
		close(fd);
		return -ENOTTY;
	}
	*ret = (struct rt_scope_place){.ino = st.st_ino};
	return fd;
}

static int resolve_netns(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	int err;

	if (s->nr_netns >= RT_SCOPE_NETNS_MAX)
		return fail("more than %d network namespaces in the scope", RT_SCOPE_NETNS_MAX);
	err = rt_scope__find_netns(value, &s->netns_places[s->nr_netns]);
	if (err == -ENOTTY)
		return fail("--netns %s: not a network namespace; give a path like "
			    "/run/netns/NAME, or a pid",
			    value);
	if (err) {
		if (is_number(value) && err == -ENOENT)
			return fail_with(-ESRCH, "--netns %s: there is no process %s", value,
					 value);
		if (is_number(value) && err == -EACCES)
			return fail_with(err,
					 "--netns %s: another user's process, which takes "
					 "CAP_SYS_PTRACE to look at",
					 value);
		/* A bare name is what `ip netns` takes. */
		return fail_with(
			path_error(err), "--netns %s: %s%s", value, strerror(-err),
			strchr(value, '/') ? "" : "; give a path like /run/netns/NAME, or a pid");
	}
	s->netns[s->nr_netns] = (u32)s->netns_places[s->nr_netns].ino;
	s->nr_netns++;
	return 0;
}

static int resolve_cgroup(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	int fd;

	if (s->nr_cgroups >= RT_SCOPE_CGROUP_MAX)
		return fail("more than %d cgroups in the scope", RT_SCOPE_CGROUP_MAX);
	fd = rt_scope__open_cgroup(value, &s->cgroup_places[s->nr_cgroups]);
	if (fd == -ENOTTY)
		return fail("--cgroup %s: not a cgroup v2 directory", value);
	if (fd < 0)
		/* One as /proc/PID/cgroup has it, or as systemd-cgls does. */
		return fail_with(path_error(fd), "--cgroup %s: %s%s", value, strerror(-fd),
				 strncmp(value, "/sys/", 5) == 0
					 ? ""
					 : "; give a path like /sys/fs/cgroup/system.slice");
	s->cgroups[s->nr_cgroups++] = fd;
	return 0;
}

/* The kernel compares processes, and a thread's id has a place in /proc as well. 0 or -errno. */
static int process_of(const char *id, u32 *ret)
{
	char path[64], line[256];
	__cleanup_file FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%.20s/status", id);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %u", ret) == 1)
			return 0;
	return -ESRCH; /* it ended while it was looked at */
}

static int resolve_pid(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	u32 *pid = &s->pids[s->nr_pids];
	int err, fd = -1;

	if (s->nr_pids >= RT_SCOPE_PID_MAX)
		return fail("more than %d processes in the scope", RT_SCOPE_PID_MAX);
	if (!is_number(value))
		return fail("--pid %s: there is no process %s", value, value);
	err = process_of(value, pid);
	if (!err) {
		fd = (int)syscall(SYS_pidfd_open, *pid, 0);
		err = fd < 0 ? -errno : 0;
	}
	if (err == -ESRCH)
		return fail_with(err, "--pid %s: there is no process %s", value, value);
	if (err)
		return fail_with(err, "--pid %s: %s", value, strerror(-err));
	s->pidfds[s->nr_pids++] = fd;
	return 0;
}

/* Digits only, 1 to 65535; *s is moved behind them. */
static bool take_port(const char **s, u16 *ret)
{
	u32 v = 0;

	for (; **s >= '0' && **s <= '9' && v <= 65535; (*s)++)
		v = v * 10 + (u32)(**s - '0');
	*ret = (u16)v;
	return v && v <= 65535;
}

static int resolve_port(struct rt_scope *s, const char *value, char *errbuf, size_t errlen)
{
	struct rt_port_range r;
	const char *p = value;
	bool good;

	if (s->nr_ports >= RT_SCOPE_PORT_MAX)
		return fail("more than %d port ranges in the scope", RT_SCOPE_PORT_MAX);
	good = take_port(&p, &r.lo);
	r.hi = r.lo;
	if (good && *p == '-') {
		p++;
		good = take_port(&p, &r.hi);
	}
	if (!good || *p || r.lo > r.hi)
		return fail("--port %s: give a port or a range, like 80 or 8000-8100", value);
	s->ports[s->nr_ports++] = r;
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
	for (u32 i = 0; i < s->nr_pids; i++)
		if (s->pidfds[i] >= 0)
			close(s->pidfds[i]);
	s->nr_cgroups = s->nr_pids = 0;
}

bool rt_scope__exe_matches(const struct rt_strlist *globs, const char *path)
{
	static const char deleted[] = " (deleted)";
	size_t len = strlen(path), cut = sizeof(deleted) - 1;
	char whole[PATH_MAX];
	const char *base;

	/* Replaced while it runs, as by an upgrade: the kernel says so behind its path. */
	if (len > cut && len - cut < sizeof(whole) && strcmp(path + len - cut, deleted) == 0) {
		memcpy(whole, path, len - cut);
		whole[len - cut] = '\0';
		path = whole;
	}
	base = strrchr(path, '/');
	base = base ? base + 1 : path;
	for (size_t i = 0; i < globs->n; i++) {
		const char *g = globs->items[i];

		if (fnmatch(g, strchr(g, '/') ? path : base, 0) == 0)
			return true;
	}
	return false;
}
