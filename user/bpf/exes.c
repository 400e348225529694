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

/* Verdicts are made anew after so long. */
#define RENEW_NS 60000000000ull

/* An executable that could not be read asks again after so long. */
#define FORGET_UNREAD_NS 1000000000ull

/* `known`: the kernel has a verdict. */
static void judge(struct rt_bpf *b, const struct rt_exe_key *key, const char *path, bool known)
{
	u8 verdict = rt_scope__exe_matches(&b->cfg->exe, path) ? RT_VERDICT_IN : RT_VERDICT_OUT;
	const struct bpf_map *exes = b->skel->maps.rt_exes;
	struct rt_judged *last = &b->judged[(key->ino ^ key->dev) % RT_JUDGED_MAX];
	u8 before = RT_VERDICT_ASKED;

	/* The usual case takes no call on a map, as programs that begin are many. */
	if (known && last->verdict == verdict && memcmp(&last->key, key, sizeof(*key)) == 0)
		return;
	*last = (struct rt_judged){*key, verdict};
	if (!bpf_map__lookup_elem(exes, key, sizeof(*key), &before, sizeof(before), 0) &&
	    before == verdict)
		return;
	if (bpf_map__update_elem(exes, key, sizeof(*key), &verdict, sizeof(verdict), BPF_ANY))
		rt_warn("no room for the verdict on %s, its traffic is not looked at", path);
	/* Processes are marked that were out of scope by the verdict before. */
	if (before == RT_VERDICT_OUT)
		memset((void *)b->skel->bss->rt_outs, 0, sizeof(b->skel->bss->rt_outs));
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
		judge(b, &key, path, false);
	}
	closedir(proc);
	return 0;
}

/* Its process is gone already, or may not be looked at: the next one of this
 * executable shall ask again. Not at once, though: a process whose link stays
 * unreadable would ask, and wake us, with each of its operations. */
static void forget_later(struct rt_bpf *b, const struct rt_exe_key *key)
{
	if (b->nr_unread < RT_ARRAY_SIZE(b->unread))
		b->unread[b->nr_unread++] = *key;
	else
		rt_warn("more than %zu executables in a second that cannot be read: the traffic "
			"of one is not looked at",
			RT_ARRAY_SIZE(b->unread));
}

/* Whether it is the path of what is asked for, and not of what the process runs by now. The
 * kernel's name may be cut, and a path may have " (deleted)" behind it. */
static bool is_asked(const char *path, const struct rt_exe_event *ev)
{
	const char *base = strrchr(path, '/');

	return base && strncmp(base + 1, ev->exe, strnlen(ev->exe, sizeof(ev->exe))) == 0;
}

void rt_bpf__judge_exe(struct rt_bpf *b, const struct rt_exe_event *ev)
{
	struct rt_exe_key key = {.dev = ev->dev, .ino = ev->ino};
	char pid[16], path[4096];

	snprintf(pid, sizeof(pid), "%u", ev->pid);
	if (exe_path(pid, path, sizeof(path)) && is_asked(path, ev)) {
		judge(b, &key, path, ev->known);
		return;
	}
	if (!ev->known)
		forget_later(b, &key);
}

void rt_exes__renew(struct rt_bpf *b, u64 now)
{
	if (!b->cfg->exe.n || now < b->renew_exes_at)
		return;
	if (b->renew_exes_at)
		rt_exes__prefill(b);
	b->renew_exes_at = now + RENEW_NS;
}

void rt_exes__forget_unread(struct rt_bpf *b, u64 now)
{
	if (!b->nr_unread || now < b->forget_unread_at)
		return;
	while (b->nr_unread)
		bpf_map__delete_elem(b->skel->maps.rt_exes, &b->unread[--b->nr_unread],
				     sizeof(b->unread[0]), 0);
	b->forget_unread_at = now + FORGET_UNREAD_NS;
}
