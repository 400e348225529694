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

/* What a process runs. */
struct exe {
	char path[4096];
	struct rt_exe_key key; /* as stat(2) tells it; zeros: it does not */
	bool linked;	       /* the file has other names, too */
};

static bool exe_of(const char *pid, struct exe *ret)
{
	char link[64];
	struct stat st;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%.20s/exe", pid);
	n = readlink(link, ret->path, sizeof(ret->path) - 1);
	if (n <= 0)
		return false;
	ret->path[n] = 0;
	ret->key = (struct rt_exe_key){0};
	ret->linked = false;
	if (stat(link, &st))
		return true;
	/* the kernel's own encoding of a device: 12 bits major, 20 minor */
	ret->key.dev = (u64)major(st.st_dev) << 20 | minor(st.st_dev);
	ret->key.ino = st.st_ino;
	ret->linked = st.st_nlink > 1;
	return true;
}

static bool same_key(const struct rt_exe_key *a, const struct rt_exe_key *b)
{
	return a->dev == b->dev && a->ino == b->ino;
}

static struct rt_judged *judged_of(struct rt_bpf *b, const struct rt_exe_key *key)
{
	return &b->judged[(key->ino ^ key->dev) % RT_JUDGED_MAX];
}

static u8 verdict_of(const struct rt_bpf *b, const struct exe *exe)
{
	return rt_scope__exe_matches(&b->cfg->exe, exe->path) ? RT_VERDICT_IN : RT_VERDICT_OUT;
}

/* `known`: the kernel has a verdict. */
static void judge(struct rt_bpf *b, const struct rt_exe_key *key, const struct exe *exe, bool known)
{
	const struct bpf_map *exes = b->skel->maps.rt_exes;
	u8 verdict = verdict_of(b, exe), before = RT_VERDICT_ASKED;
	struct rt_judged *last = judged_of(b, key);

	/* The usual case takes no call on a map, as programs that begin are many. */
	if (known && last->verdict == verdict && same_key(&last->key, key))
		return;
	bpf_map__lookup_elem(exes, key, sizeof(*key), &before, sizeof(before), 0);
	/* A file of several names, and one that is in scope may run: see rt_exes__prefill(). */
	if (known && exe->linked && before == RT_VERDICT_IN)
		return;
	*last = (struct rt_judged){*key, b->exe_rounds, verdict};
	if (before == verdict)
		return;
	if (bpf_map__update_elem(exes, key, sizeof(*key), &verdict, sizeof(verdict), BPF_ANY))
		rt_warn("no room for the verdict on %s, its traffic is not looked at", exe->path);
	/* Processes are marked that were out of scope by the verdict before. */
	if (before == RT_VERDICT_OUT)
		memset((void *)b->skel->bss->rt_outs, 0, sizeof(b->skel->bss->rt_outs));
}

/* Whether another process runs it by a name that is in scope. */
static bool is_in_by_another(struct rt_bpf *b, const struct exe *exe)
{
	const struct rt_judged *last = judged_of(b, &exe->key);

	return last->round == b->exe_rounds && last->verdict == RT_VERDICT_IN &&
	       same_key(&last->key, &exe->key);
}

int rt_exes__prefill(struct rt_bpf *b)
{
	struct dirent *e;
	struct exe exe;
	DIR *proc;

	if (!b->cfg->exe.n)
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return 0;
	b->exe_rounds++;
	while ((e = readdir(proc))) {
		if (!isdigit((unsigned char)e->d_name[0]) || !exe_of(e->d_name, &exe) ||
		    !exe.key.ino)
			continue;
		if (!is_in_by_another(b, &exe))
			judge(b, &exe.key, &exe, false);
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

/* Whether it is what was asked for, and not what the process runs by now: by its numbers, or, where
 * stat(2) tells others than the kernel has, by its name, of which the kernel's may be cut. */
static bool is_asked(const struct exe *exe, const struct rt_exe_event *ev)
{
	const struct rt_exe_key key = {.dev = ev->dev, .ino = ev->ino};
	static const char deleted[] = " (deleted)";
	const char *base = strrchr(exe->path, '/');
	size_t len = strnlen(ev->exe, sizeof(ev->exe));

	if (same_key(&exe->key, &key))
		return true;
	if (!base || strncmp(base + 1, ev->exe, len) != 0)
		return false;
	base += 1 + len;
	return !*base || strcmp(base, deleted) == 0 || len == sizeof(ev->exe) - 1;
}

void rt_bpf__judge_exe(struct rt_bpf *b, const struct rt_exe_event *ev)
{
	struct rt_exe_key key = {.dev = ev->dev, .ino = ev->ino};
	struct exe exe;
	char pid[16];

	snprintf(pid, sizeof(pid), "%u", ev->pid);
	/* Programs that begin are many, and told of late; who does something is looked at at once. */
	if (exe_of(pid, &exe) && (!ev->begins || is_asked(&exe, ev))) {
		judge(b, &key, &exe, ev->known);
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
