// SPDX-License-Identifier: Apache-2.0
/*
 * Scopes that come and go while redtap runs: a service manager makes a unit's cgroup anew at each
 * start, a network namespace's name comes to stand for another, a process ends.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/loader.h"
#include "util/log.h"

#define FOLLOW_NS 1000000000ull

static void say_gone(struct rt_scope_place *place, const char *flag, const char *path)
{
	if (!place->gone)
		rt_warn("%s %s is gone, and looked for once a second", flag, path);
	place->gone = true;
}

/* Whether the path stands for something else than before, or did not for a while. */
static bool is_new(const struct rt_scope_place *place, const struct rt_scope_place *now)
{
	return place->gone || place->ino != now->ino || place->since_ns != now->since_ns;
}

static void take(struct rt_scope_place *place, const struct rt_scope_place *now, const char *flag,
		 const char *path)
{
	*place = *now;
	rt_info("%s %s was made anew, and is looked at", flag, path);
}

/* Not when it may only not be looked at. */
static bool is_gone(int err)
{
	return err == -ENOENT || err == -ESRCH || err == -ENOTDIR || err == -ENOTTY;
}

static void follow_cgroup(struct rt_bpf *b, u32 i)
{
	struct rt_scope_place *place = &b->scope.cgroup_places[i], now;
	const char *path = b->cfg->cgroup.items[i];
	int fd = rt_scope__open_cgroup(path, &now);

	if (fd < 0) {
		if (is_gone(fd))
			say_gone(place, "--cgroup", path);
		return;
	}
	if (!is_new(place, &now) || bpf_map__update_elem(b->skel->maps.rt_cgroups, &i, sizeof(i),
							 &fd, sizeof(fd), BPF_ANY)) {
		close(fd);
		return;
	}
	close(b->scope.cgroups[i]);
	b->scope.cgroups[i] = fd;
	take(place, &now, "--cgroup", path);
}

/* A namespace may have several names. */
static void drop_netns(struct rt_bpf *b, u32 i)
{
	u32 inum = b->scope.netns[i];

	b->scope.netns[i] = 0;
	for (u32 k = 0; k < b->scope.nr_netns; k++)
		if (b->scope.netns[k] == inum)
			return;
	bpf_map__delete_elem(b->skel->maps.rt_netns, &inum, sizeof(inum), 0);
}

/* Who has its number next would be taken for it, as long as nobody came by. */
static bool nobody_came(const struct rt_bpf *b, u32 i)
{
	u64 cookie = 0;

	return !bpf_map__lookup_elem(b->skel->maps.rt_netns, &b->scope.netns[i], sizeof(u32),
				     &cookie, sizeof(cookie), 0) &&
	       !cookie;
}

/* One that is gone by name lives for as long as processes are in it: it is looked at until the
 * name stands for another. */
static void follow_netns(struct rt_bpf *b, u32 i)
{
	struct rt_scope_place *place = &b->scope.netns_places[i], now;
	const char *path = b->cfg->netns.items[i];
	int err = rt_scope__find_netns(path, &now);
	u64 nobody = 0;

	if (err ? !is_gone(err) : !is_new(place, &now))
		return;
	if (!place->gone && nobody_came(b, i))
		drop_netns(b, i);
	/* A process's is that which it was in at the start: its pid may be anybody's by now. */
	if (!place->since_ns) {
		place->gone = true;
		return;
	}
	if (err) {
		say_gone(place, "--netns", path);
		return;
	}
	drop_netns(b, i);
	b->scope.netns[i] = (u32)now.ino;
	if (!bpf_map__update_elem(b->skel->maps.rt_netns, &b->scope.netns[i], sizeof(u32), &nobody,
				  sizeof(nobody), BPF_ANY))
		take(place, &now, "--netns", path);
}

static void follow_pid(struct rt_bpf *b, u32 i)
{
	struct pollfd ended = {.fd = b->scope.pidfds[i], .events = POLLIN};
	u32 pid = b->scope.pids[i];

	if (ended.fd < 0 || poll(&ended, 1, 0) <= 0)
		return;
	bpf_map__delete_elem(b->skel->maps.rt_pids, &pid, sizeof(pid), 0);
	rt_warn("--pid %u: the process has ended", pid);
	close(ended.fd);
	b->scope.pidfds[i] = -1;
}

void rt_bpf__follow_scope(struct rt_bpf *b, u64 now)
{
	if (now < b->follow_at)
		return;
	b->follow_at = now + FOLLOW_NS;
	for (u32 i = 0; i < b->scope.nr_cgroups; i++)
		follow_cgroup(b, i);
	for (u32 i = 0; i < b->scope.nr_netns; i++)
		follow_netns(b, i);
	for (u32 i = 0; i < b->scope.nr_pids; i++)
		follow_pid(b, i);
}
