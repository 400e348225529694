// SPDX-License-Identifier: Apache-2.0
/*
 * Reads of /proc/PID for meta.c: small files, links and the start time. Every
 * read may fail at any moment, as the process may end; callers treat each
 * answer as optional and compare the start time last.
 * Formats: proc(5).
 */
#include "meta/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

#define PROC_PATH_MAX 512

static int proc_path(char buf[PROC_PATH_MAX], const char *root, u32 pid, const char *name)
{
	int n = snprintf(buf, PROC_PATH_MAX, "%s/%u/%s", root, pid, name);

	return n < 0 || n >= PROC_PATH_MAX ? -ENAMETOOLONG : 0;
}

int rt_proc__read(const char *root, u32 pid, const char *name, char *buf, size_t size,
		  size_t *ret_len)
{
	__cleanup_fd int fd = -1;
	char path[PROC_PATH_MAX];
	size_t len = 0;
	int err;

	err = proc_path(path, root, pid, name);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	*ret_len = len;
	return 0;
}

int rt_proc__link(const char *root, u32 pid, const char *name, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	const size_t cut = sizeof(deleted) - 1;
	char path[PROC_PATH_MAX];
	ssize_t n;
	int err;

	buf[0] = '\0';
	err = proc_path(path, root, pid, name);
	if (err)
		return err;
	n = readlink(path, buf, size - 1);
	if (n < 0) {
		buf[0] = '\0';
		return -errno;
	}
	buf[n] = '\0';
	if ((size_t)n > cut && strcmp(buf + n - cut, deleted) == 0)
		buf[(size_t)n - cut] = '\0';
	return 0;
}

static int stat_field(const char *root, u32 pid, int nr, u64 *ret)
{
	char buf[1024];
	size_t len;
	char *p;
	int err;

	err = rt_proc__read(root, pid, "stat", buf, sizeof(buf), &len);
	if (err)
		return err;
	/* The name in field 2 may hold spaces and parentheses: count from the last ')'. */
	p = strrchr(buf, ')');
	for (int field = 2; p && field < nr; field++)
		p = strchr(p + 1, ' ');
	if (!p || p[1] < '0' || p[1] > '9')
		return -EBADMSG;
	*ret = strtoull(p + 1, NULL, 10);
	return 0;
}

int rt_proc__start_ticks(const char *root, u32 pid, u64 *ret_ticks)
{
	return stat_field(root, pid, 22, ret_ticks);
}

int rt_proc__parent(const char *root, u32 pid, u32 *ret_parent)
{
	u64 parent;
	int err = stat_field(root, pid, 4, &parent);

	if (!err)
		*ret_parent = (u32)parent;
	return err;
}

static u64 tick_ns(void)
{
	long hz = sysconf(_SC_CLK_TCK);

	return 1000000000ULL / (u64)(hz > 0 ? hz : 100);
}

u64 rt_proc__ticks_to_ns(u64 ticks)
{
	return ticks * tick_ns();
}

bool rt_proc__same_start(u64 ticks, u64 start_ns)
{
	u64 other = start_ns / tick_ns();

	return ticks > other ? ticks - other <= 1 : other - ticks <= 1;
}
