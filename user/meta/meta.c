// SPDX-License-Identifier: Apache-2.0
/*
 * The cache of processes by pid, owned by the consumer's thread. An entry is
 * made when the kernel announces a process or at the first lookup of a pid,
 * from the announcement's copies where they are whole, else from /proc while
 * the process lives, else from the thread's name. It outlives the process for a while, as records
 * may still come, and is replaced when the pid is announced anew.
 *
 * Cost: a lookup is one hash lookup, none for the pid of the call before.
 */
#include "meta/meta.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>
#include <utlist.h>

#include "config/config.h"
#include "meta/cgroup.h"
#include "meta/proc.h"
#include "meta/service.h"
#include "util/clock.h"
#include "util/hash.h"

#define META_MAX 65536
/* Live entries compared with /proc per rt_meta__expire(), in turn. */
#define META_CHECKS 32
/* Entries looked at for an ended one before the oldest goes. */
#define META_EVICT_SCAN	 64
/* Of a command line, what is kept: of a long one only where rules ask for it. */
#define META_CMDLINE_MAX  4096
#define META_CMDLINE_LONG 32768
/* Cgroups remembered, for processes that are gone before /proc can be asked. */
#define META_CGROUPS 256
/* Parents asked for the name of a worker. */
#define META_PARENTS   3
#define META_PORTS_MAX 64

struct entry {
	struct rt_process p;	     /* the answer without a port; strings in `text` */
	u64 ended;		     /* CLOCK_MONOTONIC; 0: alive as far as known */
	bool from_proc;		     /* /proc/PID was there: its absence means the end */
	const char *own_service;     /* by what the process shows of itself, without rules */
	struct rt_process **by_port; /* one per port named in the rules; NULL: not asked yet */
	char *text;
	struct entry *prev, *next; /* meta->list, oldest check first */
	UT_hash_handle hh;
};

struct rt_meta {
	const struct rt_config *cfg;
	u32 cmdline_max; /* by its rules: at a reload it is gone */
	const char *root;
	u64 seed;
	struct entry *by_pid;
	struct entry *list;
	struct entry *last; /* of the last lookup, for runs of one pid */
	size_t nr_ended;
	struct {
		u64 id; /* of the unified hierarchy; 0: none */
		struct rt_cgroup cgroup;
	} cgroups[META_CGROUPS]; /* by the id's low bits */
	u16 *ports; /* local ports that rules name */
	u32 nr_ports;
	/* Scratch of learn(). */
	char args[RT_ARGS_MAX];
	char parent_args[RT_ARGS_MAX];
	char env[65536];
	char cgroup[8192];
	char exe[1024];
	char cwd[1024];
};

/* What learn() found out, before it becomes an entry. */
struct facts {
	u32 pid;
	u64 start_ns;
	u64 cgroup_id; /* 0: unknown */
	bool from_proc;
	const char *executable;
	const char *exe_path;
	const char *cwd;
	struct rt_slice args;
	struct rt_slice name_args; /* a parent's, where those tell more; else empty */
	struct rt_slice env;
	bool args_whole, env_whole; /* the announcement's copies, uncut */
	struct rt_cgroup cgroup;
};

static u32 cmdline_max(const struct rt_config *cfg)
{
	for (size_t i = 0; i < cfg->nr_services; i++)
		if (cfg->services[i].cmdline)
			return META_CMDLINE_LONG;
	return META_CMDLINE_MAX;
}

static int find_ports(struct rt_meta *m)
{
	size_t n = m->cfg->nr_services;

	free(m->ports);
	m->nr_ports = 0;
	m->ports = calloc(n ? n : 1, sizeof(*m->ports));
	if (!m->ports)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		u16 port = m->cfg->services[i].port;
		bool known = !port;

		for (u32 k = 0; k < m->nr_ports; k++)
			known |= m->ports[k] == port;
		if (!known)
			m->ports[m->nr_ports++] = port;
	}
	return 0;
}

struct rt_meta *rt_meta__new(const struct rt_config *cfg)
{
	struct rt_meta *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->cfg = cfg;
	m->cmdline_max = cmdline_max(cfg);
	m->root = "/proc";
	m->seed = rt_hash__random_seed();
	if (find_ports(m)) {
		free(m);
		return NULL;
	}
	return m;
}

void rt_meta__set_proc_root(struct rt_meta *m, const char *root)
{
	m->root = root;
}

static void forget_ports(struct rt_meta *m, struct entry *e)
{
	for (u32 i = 0; e->by_port && i < m->nr_ports; i++)
		free(e->by_port[i]);
	free(e->by_port);
	e->by_port = NULL;
}

static void drop(struct rt_meta *m, struct entry *e)
{
	if (e->ended)
		m->nr_ended--;
	if (m->last == e)
		m->last = NULL;
	HASH_DEL(m->by_pid, e);
	DL_DELETE(m->list, e);
	forget_ports(m, e);
	free(e->text);
	free(e);
}

void rt_meta__free(struct rt_meta *m)
{
	struct entry *e, *tmp;

	if (!m)
		return;
	DL_FOREACH_SAFE(m->list, e, tmp)
	{
		drop(m, e);
	}
	free(m->ports);
	free(m);
}

static struct entry *find(struct rt_meta *m, u32 pid)
{
	struct entry *e;

	HASH_FIND(hh, m->by_pid, &pid, sizeof(pid), e);
	return e;
}

/* --- names -------------------------------------------------------------- */

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* People write "nginx" and "nginx.service". */
static bool unit_matches(const char *glob, const char *unit)
{
	char whole[RT_UNIT_MAX + sizeof(".service")];

	if (!unit[0])
		return false;
	snprintf(whole, sizeof(whole), "%s.service", unit);
	return fnmatch(glob, unit, 0) == 0 || fnmatch(glob, whole, 0) == 0;
}

static bool rule_holds(const struct rt_service_rule *rule, const struct rt_process *p, u16 port)
{
	if (rule->port && rule->port != port)
		return false;
	if (rule->exe) {
		/* Without a path at hand the base name is all there is. */
		bool whole = strchr(rule->exe, '/');

		if (fnmatch(rule->exe, whole ? p->exe_path : p->executable, 0) != 0)
			return false;
	}
	if (rule->cmdline && fnmatch(rule->cmdline, p->cmdline, 0) != 0)
		return false;
	return !rule->unit || unit_matches(rule->unit, p->unit);
}

static void name_process(struct rt_meta *m, const struct entry *e, struct rt_process *p, u16 port)
{
	u64 h;

	p->service = e->own_service;
	for (size_t i = 0; i < m->cfg->nr_services; i++) {
		const struct rt_service_rule *rule = &m->cfg->services[i];

		if (rule->name && rule_holds(rule, p, port)) {
			p->service = rule->name;
			break;
		}
	}
	h = rt_hash__bytes(p->service, strlen(p->service) + 1, m->seed);
	p->resource_id = rt_hash__bytes(p->executable, strlen(p->executable), h);
	h = rt_hash__bytes(p->service_namespace, strlen(p->service_namespace) + 1, p->resource_id);
	p->target_id = rt_hash__bytes(p->container_id, strlen(p->container_id), h);
}

/* Command lines were cut for want of a rule that looks at them: such processes are looked at
 * anew when they are asked for, but those that are gone. */
static void forget_cut(struct rt_meta *m, u32 max)
{
	struct entry *e, *next;

	DL_FOREACH_SAFE(m->list, e, next)
	{
		if (!e->ended && strlen(e->p.cmdline) >= max)
			drop(m, e);
	}
}

void rt_meta__reload(struct rt_meta *m, const struct rt_config *cfg)
{
	u32 max = m->cmdline_max;
	struct entry *e;

	DL_FOREACH(m->list, e)
	{
		forget_ports(m, e); /* counts by the old ports */
	}
	m->cfg = cfg;
	m->cmdline_max = cmdline_max(cfg);
	if (m->cmdline_max > max)
		forget_cut(m, max);
	find_ports(m); /* out of memory: rules by port rest until the next reload */
	DL_FOREACH(m->list, e)
	{
		name_process(m, e, &e->p, 0);
	}
}

/* --- learning ----------------------------------------------------------- */

static const char *keep(char **at, const char *s)
{
	size_t n = strlen(s) + 1;
	char *p = *at;

	memcpy(p, s, n);
	*at += n;
	return p;
}

/* Arguments joined by spaces; trailing NULs, left by a rewritten title, are dropped. */
static const char *keep_cmdline(char **at, struct rt_slice args, u32 max)
{
	char *p = *at;

	while (args.len && !args.p[args.len - 1])
		args.len--;
	if (args.len > max)
		args.len = max;
	for (u32 i = 0; i < args.len; i++)
		p[i] = args.p[i] ? (char)args.p[i] : ' ';
	p[args.len] = '\0';
	*at += args.len + 1;
	return p;
}

static void make_room(struct rt_meta *m)
{
	struct entry *e, *pick = m->list;
	int n = 0;

	if (HASH_COUNT(m->by_pid) < META_MAX)
		return;
	DL_FOREACH(m->list, e)
	{
		if (e->ended) {
			pick = e;
			break;
		}
		if (++n == META_EVICT_SCAN)
			break;
	}
	drop(m, pick);
}

/* Replaces what was known of the pid. NULL when out of memory: then the pid is
 * unknown, and the next lookup tries again. */
static struct entry *add(struct rt_meta *m, const struct facts *f)
{
	char unit[RT_UNIT_MAX];
	struct rt_service_facts sf = {.executable = f->executable,
				      .args = f->name_args.len ? f->name_args : f->args,
				      .env = f->env,
				      .unit = unit,
				      .cwd = f->cwd};
	struct entry *e = find(m, f->pid);
	struct rt_service_name name;
	u32 max = m->cmdline_max, args = f->args.len < max ? f->args.len : max;
	char *at;

	if (e)
		drop(m, e);
	make_room(m);
	rt_cgroup__naming_unit(f->cgroup.unit, unit);
	rt_service__name(&sf, &name);
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->text = malloc(strlen(f->executable) + strlen(f->exe_path) + args +
			 strlen(f->cgroup.container_id) + strlen(f->cgroup.unit) +
			 strlen(name.name) + strlen(name.service_namespace) + 7);
	if (!e->text) {
		free(e);
		return NULL;
	}
	at = e->text;
	e->from_proc = f->from_proc;
	e->p.pid = f->pid;
	e->p.start_ns = f->start_ns;
	e->p.executable = keep(&at, f->executable);
	e->p.exe_path = keep(&at, f->exe_path);
	e->p.cmdline = keep_cmdline(&at, f->args, max);
	e->p.container_id = keep(&at, f->cgroup.container_id);
	e->p.unit = keep(&at, f->cgroup.unit);
	e->p.service_namespace = keep(&at, name.service_namespace);
	e->own_service = keep(&at, name.name);
	name_process(m, e, &e->p, 0);
	HASH_ADD(hh, m->by_pid, p.pid, sizeof(u32), e);
	DL_APPEND(m->list, e);
	return e;
}

/* A copy that was cut ends in the middle of an argument, which would make a wrong name. */
static size_t whole_args(const void *args, size_t len)
{
	const u8 *nul = memrchr(args, '\0', len);

	return nul ? (size_t)(nul + 1 - (const u8 *)args) : 0;
}

static void read_parents(struct rt_meta *m, struct facts *f)
{
	struct rt_slice args = f->args;
	u32 pid = f->pid;

	for (int i = 0; i < META_PARENTS && rt_service__is_spawned(args); i++) {
		size_t len;

		if (rt_proc__parent(m->root, pid, &pid) || pid <= 1 ||
		    rt_proc__read(m->root, pid, "cmdline", m->parent_args, sizeof(m->parent_args),
				  &len))
			return;
		if (len == sizeof(m->parent_args) - 1)
			len = whole_args(m->parent_args, len);
		args = (struct rt_slice){(const u8 *)m->parent_args, (u32)len};
		if (!rt_service__is_spawned(args))
			f->name_args = args;
	}
}

/* One that forks for each connection has children that are gone when they are asked for, all in its
 * cgroup. */
static void remember_cgroup(struct rt_meta *m, u64 id, const struct rt_cgroup *cgroup)
{
	if (!id)
		return;
	m->cgroups[id % META_CGROUPS].id = id;
	m->cgroups[id % META_CGROUPS].cgroup = *cgroup;
}

static void recall_cgroup(const struct rt_meta *m, struct facts *f)
{
	if (f->cgroup_id && m->cgroups[f->cgroup_id % META_CGROUPS].id == f->cgroup_id)
		f->cgroup = m->cgroups[f->cgroup_id % META_CGROUPS].cgroup;
}

/* The command line and the environment lie in the process's own memory: reading
 * them from /proc waits while it holds its mmap_lock, and the registry's lock is
 * held meanwhile. So they are read only where `f` does not have them whole.
 */
static void read_memory(struct rt_meta *m, const struct facts *f, size_t *ret_args, size_t *ret_env)
{
	if (f->args_whole ||
	    rt_proc__read(m->root, f->pid, "cmdline", m->args, sizeof(m->args), ret_args))
		*ret_args = 0;
	if (f->env_whole ||
	    rt_proc__read(m->root, f->pid, "environ", m->env, sizeof(m->env), ret_env))
		*ret_env = 0;
}

/* Fills f from /proc/PID; what cannot be read keeps its value. `start_ns` of f,
 * when not 0, says which process is meant. False: not there, or another one. */
static bool read_proc(struct rt_meta *m, struct facts *f)
{
	struct rt_cgroup cgroup = {0};
	size_t args = 0, env = 0, len;
	bool unified = false;
	u64 ticks;

	/* A process of an earlier life of this pid must be gone by now, so the
	 * one compare at the end vouches for all reads before it. */
	rt_proc__link(m->root, f->pid, "exe", m->exe, sizeof(m->exe));
	rt_proc__link(m->root, f->pid, "cwd", m->cwd, sizeof(m->cwd));
	read_memory(m, f, &args, &env);
	if (rt_proc__read(m->root, f->pid, "cgroup", m->cgroup, sizeof(m->cgroup), &len) == 0)
		unified = rt_cgroup__parse(m->cgroup, &cgroup);
	if (rt_proc__start_ticks(m->root, f->pid, &ticks))
		return false;
	if (f->start_ns && !rt_proc__same_start(ticks, f->start_ns))
		return false;
	f->from_proc = true;
	if (!f->start_ns)
		f->start_ns = rt_proc__ticks_to_ns(ticks);
	f->cgroup = cgroup;
	if (unified)
		remember_cgroup(m, f->cgroup_id, &cgroup);
	f->cwd = m->cwd;
	if (m->exe[0]) {
		f->exe_path = m->exe;
		f->executable = base_name(m->exe);
	}
	if (args == sizeof(m->args) - 1)
		args = whole_args(m->args, args);
	/* Nothing there: a zombie, or another user's process. */
	if (args)
		f->args = (struct rt_slice){(const u8 *)m->args, (u32)args};
	read_parents(m, f);
	if (env)
		f->env = (struct rt_slice){(const u8 *)m->env, (u32)env};
	return true;
}

/* A name out of a fixed field that need not end with NUL. */
static void copy_field(char *out, size_t size, const void *field, size_t len)
{
	const u8 *nul = memchr(field, '\0', len);
	size_t n = nul ? (size_t)(nul - (const u8 *)field) : len;

	if (n >= size)
		n = size - 1;
	memcpy(out, field, n);
	out[n] = '\0';
}

static bool known_better(const struct entry *e, const struct rt_proc_event *ev)
{
	u64 diff;

	if (!e || !e->from_proc || e->ended || !ev->start_ns)
		return false;
	diff = e->p.start_ns > ev->start_ns ? e->p.start_ns - ev->start_ns
					    : ev->start_ns - e->p.start_ns;
	return diff <= 2 * rt_proc__ticks_to_ns(1);
}

void rt_meta__on_proc(struct rt_meta *m, const struct rt_proc_event *ev)
{
	struct facts f = {.pid = ev->pid,
			  .start_ns = ev->start_ns,
			  .cgroup_id = ev->cgroup_id,
			  .exe_path = "",
			  .cwd = ""};
	u32 args_len = ev->args_len < RT_PROC_ARGS_MAX ? ev->args_len : RT_PROC_ARGS_MAX;
	u32 env_len = ev->env_len < RT_PROC_ENV_MAX ? ev->env_len : RT_PROC_ENV_MAX;
	char exe[RT_PROC_EXE_MAX];

	/* Without a NUL at its end the area was overwritten by a longer title: where
	 * that ends, /proc knows. */
	f.args_whole = args_len && args_len < RT_PROC_ARGS_MAX && !ev->args[args_len - 1];
	f.env_whole = env_len && env_len < RT_PROC_ENV_MAX;
	/* What stands behind the last NUL is left over from before the title: mostly blanks. */
	if (args_len == RT_PROC_ARGS_MAX || whole_args(ev->args, args_len))
		args_len = (u32)whole_args(ev->args, args_len);
	copy_field(exe, sizeof(exe), ev->exe, sizeof(ev->exe));
	if (!exe[0])
		copy_field(exe, sizeof(exe), ev->comm, sizeof(ev->comm));
	f.executable = exe[0] ? exe : "unknown";
	f.args = (struct rt_slice){ev->args, args_len};
	f.env = (struct rt_slice){ev->environ, env_len};
	/* The process is gone already: what /proc told of it before is better. */
	if (!read_proc(m, &f)) {
		if (known_better(find(m, ev->pid), ev))
			return;
		recall_cgroup(m, &f);
	}
	add(m, &f);
}

static void mark_ended(struct rt_meta *m, struct entry *e, u64 now)
{
	if (e->ended)
		return;
	e->ended = now ? now : 1;
	m->nr_ended++;
}

void rt_meta__on_exit(struct rt_meta *m, u32 pid)
{
	struct entry *e = find(m, pid);

	if (e)
		mark_ended(m, e, rt_clock__mono());
}

/* --- lookup ------------------------------------------------------------- */

static struct entry *learn_unannounced(struct rt_meta *m, u32 pid, const u8 *comm)
{
	struct facts f = {.pid = pid, .exe_path = "", .cwd = ""};
	char name[RT_COMM_LEN + 1] = "";
	struct entry *e;
	bool there;

	if (comm)
		copy_field(name, sizeof(name), comm, RT_COMM_LEN);
	f.executable = name[0] ? name : "unknown";
	there = read_proc(m, &f);
	e = add(m, &f);
	/* So little is known that it is better asked again in a while. */
	if (e && !there)
		mark_ended(m, e, rt_clock__mono());
	return e;
}

static const struct rt_process *for_port(struct rt_meta *m, struct entry *e, u32 index)
{
	struct rt_process *p;

	if (!e->by_port)
		e->by_port = calloc(m->nr_ports, sizeof(*e->by_port));
	if (!e->by_port)
		return &e->p;
	p = e->by_port[index];
	if (!p) {
		p = malloc(sizeof(*p));
		if (!p)
			return &e->p;
		*p = e->p;
		name_process(m, e, p, m->ports[index]);
		e->by_port[index] = p;
	}
	return p;
}

const struct rt_process *rt_meta__lookup(struct rt_meta *m, u32 pid, const u8 *comm, u16 local_port)
{
	static const struct rt_process nobody = {.executable = "unknown",
						 .exe_path = "",
						 .cmdline = "",
						 .container_id = "",
						 .unit = "",
						 .service = "unknown",
						 .service_namespace = ""};
	struct entry *e = m->last;

	if (!e || e->p.pid != pid) {
		e = find(m, pid);
		if (!e)
			e = learn_unannounced(m, pid, comm);
		if (!e)
			return &nobody;
		m->last = e;
	}
	for (u32 i = 0; local_port && i < m->nr_ports; i++)
		if (m->ports[i] == local_port)
			return for_port(m, e, i);
	return &e->p;
}

/* An exit can go unheard (a lost record): live entries are compared with /proc,
 * a few at a time, so that a pid used anew is not taken for its last owner. */
static void check_some(struct rt_meta *m, u64 now)
{
	u32 left = HASH_COUNT(m->by_pid);

	if (left > META_CHECKS)
		left = META_CHECKS;
	while (left--) {
		struct entry *e = m->list;
		u64 ticks;
		int err;

		DL_DELETE(m->list, e);
		DL_APPEND(m->list, e);
		if (e->ended || !e->from_proc)
			continue;
		err = rt_proc__start_ticks(m->root, e->p.pid, &ticks);
		if (err == -ENOENT || err == -ESRCH)
			mark_ended(m, e, now);
		else if (!err && !rt_proc__same_start(ticks, e->p.start_ns))
			drop(m, e);
	}
}

void rt_meta__expire(struct rt_meta *m, u64 now_mono, u64 ttl_ns)
{
	struct entry *e, *tmp;

	check_some(m, now_mono);
	if (!m->nr_ended)
		return;
	DL_FOREACH_SAFE(m->list, e, tmp)
	{
		if (e->ended && now_mono > e->ended && now_mono - e->ended > ttl_ns)
			drop(m, e);
	}
}
