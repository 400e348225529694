// SPDX-License-Identifier: Apache-2.0
/*
 * --exe: verdicts on executables. The kernel compares {device, inode}; user
 * space knows the paths. Executables that run at start are judged at once, new
 * ones when the kernel asks.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/loader.h"
#include "util/log.h"

static void judge(struct rt_bpf *b, const struct rt_exe_key *key, const char *path)
{
	u8 verdict = rt_scope__exe_matches(&b->cfg->exe, path) ? RT_VERDICT_IN : RT_VERDICT_OUT;

	if (bpf_map__update_elem(b->skel->maps.rt_exes, key, sizeof(*key), &verdict,
				 sizeof(verdict), BPF_ANY))
		rt_warn("no room for the verdict on %s, its traffic is not looked at", path);
}

static bool exe_path(const char *pid, char *ret, size_t len)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%.20s/exe", pid);
	n = readlink(link, ret, len - 1);
	if (n <= 0)
		return false;
	ret[n] = 0;
	return true;
}

int rt_exes__prefill(struct rt_bpf *b)
{
	struct dirent *e;
	DIR *proc;

	if (!b->cfg->exe.n)
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return 0;
	while ((e = readdir(proc))) {
		char path[4096], link[64];
		struct rt_exe_key key;
		struct stat st;

		if (!isdigit((unsigned char)e->d_name[0]) ||
		    !exe_path(e->d_name, path, sizeof(path)))
			continue;
		snprintf(link, sizeof(link), "/proc/%.20s/exe", e->d_name);
		if (stat(link, &st))
			continue;
		/* the kernel's own encoding of a device: 12 bits major, 20 minor */
		key.dev = (u64)major(st.st_dev) << 20 | minor(st.st_dev);
		key.ino = st.st_ino;
		judge(b, &key, path);
	}
	closedir(proc);
	return 0;
}

void rt_bpf__judge_exe(struct rt_bpf *b, const struct rt_exe_event *ev)
{
	struct rt_exe_key key = {.dev = ev->dev, .ino = ev->ino};
	char pid[16], path[4096];

	snprintf(pid, sizeof(pid), "%u", ev->pid);
	if (exe_path(pid, path, sizeof(path))) {
		judge(b, &key, path);
		return;
	}
	/* Gone already: let the next process of this executable ask again. */
	bpf_map__delete_elem(b->skel->maps.rt_exes, &key, sizeof(key), 0);
}
