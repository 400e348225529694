// SPDX-License-Identifier: Apache-2.0
/*
 * redtap's own process, by the names that Prometheus' client libraries agreed
 * on, so that existing dashboards show it. Registered in collectors.def.
 *
 * https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics
 * /proc/self/stat: proc(5)
 */
#include "collect/collect.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"

enum {
	CPU,
	RSS,
	VIRTUAL,
	OPEN_FDS,
	MAX_FDS,
	START_TIME,
	THREADS,
	NR_VALUES,
};

static const struct rt_family_desc descs[NR_VALUES] = {
	[CPU] = {.name = "process_cpu_seconds",
		 .help = "User and system CPU time spent.",
		 .type = RT_COUNTER,
		 .unit = "seconds"},
	[RSS] = {.name = "process_resident_memory_bytes",
		 .help = "Resident memory size.",
		 .type = RT_GAUGE,
		 .unit = "bytes"},
	[VIRTUAL] = {.name = "process_virtual_memory_bytes",
		     .help = "Virtual memory size.",
		     .type = RT_GAUGE,
		     .unit = "bytes"},
	[OPEN_FDS] = {.name = "process_open_fds",
		      .help = "Open file descriptors.",
		      .type = RT_GAUGE},
	[MAX_FDS] = {.name = "process_max_fds",
		     .help = "Most file descriptors that may be open.",
		     .type = RT_GAUGE},
	[START_TIME] = {.name = "process_start_time_seconds",
			.help = "Start of the process, seconds since the Unix epoch.",
			.type = RT_GAUGE,
			.unit = "seconds"},
	[THREADS] = {.name = "process_threads", .help = "Threads.", .type = RT_GAUGE},
};

struct process {
	struct rt_metric *metrics[NR_VALUES];
	double values[NR_VALUES];
};

/* The fields of proc(5)'s list that are wanted, by their number there. */
struct stat_fields {
	u64 num_threads; /* 20 */
	u64 starttime;	 /* 22, clock ticks since boot */
	u64 vsize;	 /* 23, bytes */
	u64 rss;	 /* 24, pages */
};

static int read_stat(struct stat_fields *ret)
{
	int fd __cleanup_fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	char text[1024], *p;
	u64 field[25];
	ssize_t n;
	int i;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* Field 2, the name, may hold anything, parentheses and blanks too. */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || !p[2])
		return -EPROTO;
	p += 3; /* behind field 3, a letter */
	for (i = 4; i <= 24; i++) {
		char *end;

		field[i] = (u64)strtoll(p, &end, 10);
		if (end == p)
			return -EPROTO;
		p = end;
	}
	ret->num_threads = field[20];
	ret->starttime = field[22];
	ret->vsize = field[23];
	ret->rss = field[24];
	return 0;
}

static double seconds(struct timespec t)
{
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Once: later, a stepped clock would seem to move the start. */
static double start_time(u64 starttime)
{
	struct timespec wall, boot;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return seconds(wall) - seconds(boot) + (double)starttime / (double)sysconf(_SC_CLK_TCK);
}

static int count_fds(double *ret)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	u32 n = 0;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	closedir(dir);
	*ret = n - 1; /* not the one for counting */
	return 0;
}

static int process_read(void *state)
{
	struct process *p = state;
	struct stat_fields stat;
	struct rusage usage;
	struct rlimit limit;
	int err;

	err = read_stat(&stat);
	if (!err)
		err = count_fds(&p->values[OPEN_FDS]);
	if (err)
		return err;
	if (getrusage(RUSAGE_SELF, &usage) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	p->values[CPU] = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
			 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	p->values[MAX_FDS] = (double)limit.rlim_cur;
	p->values[THREADS] = (double)stat.num_threads;
	p->values[VIRTUAL] = (double)stat.vsize;
	p->values[RSS] = (double)stat.rss * (double)sysconf(_SC_PAGESIZE);
	return 0;
}

static void process_write(void *state, u64 now)
{
	struct process *p = state;
	u32 i;

	for (i = 0; i < NR_VALUES; i++)
		rt_series__set(rt_metric__series(p->metrics[i], NULL), p->values[i], now);
}

static int process_init(struct rt_registry *r, const struct rt_collect_ctx *ctx, void **ret_state)
{
	struct process *p = calloc(1, sizeof(*p));
	struct stat_fields stat;
	int err = -ENOMEM;
	u32 i;

	if (!p)
		return -ENOMEM;
	for (i = 0; i < NR_VALUES; i++) {
		p->metrics[i] = rt_registry__add(r, &descs[i]);
		if (!p->metrics[i])
			goto fail;
	}
	err = read_stat(&stat);
	if (err)
		goto fail;
	p->values[START_TIME] = start_time(stat.starttime);
	*ret_state = p;
	return 0;
fail:
	free(p);
	return err;
}

const struct rt_collector rt_collector_process = {
	.name = "process",
	.init = process_init,
	.read = process_read,
	.write = process_write,
	.fini = free,
};
