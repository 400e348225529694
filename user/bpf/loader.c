// SPDX-License-Identifier: Apache-2.0
/*
 * Opens the BPF object, writes its configuration, and loads and attaches the
 * first backend that this kernel takes. Owns the skeleton and all links; when
 * the process ends, by whatever way, the kernel drops them with its descriptors.
 */
#include "bpf/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/features.h"
#include "util/cleanup.h"
#include "util/log.h"

/* PROC_PID_INIT_INO (include/linux/proc_ns.h) */
#define RT_PID_NS_INITIAL 0xEFFFFFFCu

/* The tracepoints that programs of type tracepoint are for. */
static const struct {
	const char *program;
	const char *event;
	bool optional; /* newer or architecture-specific calls */
} events[] = {
	{"rt_sys_send", "syscalls/sys_exit_write", false},
	{"rt_sys_send", "syscalls/sys_exit_writev", false},
	{"rt_sys_send", "syscalls/sys_exit_sendto", false},
	{"rt_sys_send", "syscalls/sys_exit_sendmsg", false},
	{"rt_sys_send", "syscalls/sys_exit_sendmmsg", false},
	{"rt_sys_send", "syscalls/sys_exit_sendfile64", false},
	{"rt_sys_send", "syscalls/sys_exit_pwritev2", true},
	{"rt_sys_recv", "syscalls/sys_exit_read", false},
	{"rt_sys_recv", "syscalls/sys_exit_readv", false},
	{"rt_sys_recv", "syscalls/sys_exit_recvfrom", false},
	{"rt_sys_recv", "syscalls/sys_exit_recvmsg", false},
	{"rt_sys_recv", "syscalls/sys_exit_recvmmsg", false},
	{"rt_sys_recv", "syscalls/sys_exit_preadv2", true},
	{"rt_sys_splice", "syscalls/sys_exit_splice", false},
	{"rt_event_send", "sock/sock_send_length", false},
	{"rt_event_recv", "sock/sock_recv_length", false},
	{"rt_event_state", "sock/inet_sock_set_state", false},
	{"rt_event_gone", "tcp/tcp_destroy_sock", false},
};

/* libbpf's log sits one level below ours; the first warning of an attempt is
 * kept, as the reason when the attempt fails. */
static char libbpf_reason[256];

__attribute__((format(printf, 2, 0))) static int libbpf_log(enum libbpf_print_level level,
							    const char *fmt, va_list args)
{
	char line[512];

	vsnprintf(line, sizeof(line), fmt, args);
	line[strcspn(line, "\n")] = 0;
	if (level == LIBBPF_WARN && !libbpf_reason[0])
		snprintf(libbpf_reason, sizeof(libbpf_reason), "%.255s", line);
	if (level != LIBBPF_DEBUG)
		rt_debug("%s", line);
	return 0;
}

static bool is_listed(const char *const *programs, const char *name)
{
	for (; *programs; programs++)
		if (strcmp(*programs, name) == 0)
			return true;
	return false;
}

/* Whether this run needs the program; those of the sweep are not asked for here.
 * Without socket storage, the hash map's programs take the place of its own; those
 * around functions that newer kernels do not have are left out there. */
static bool is_on(const struct rt_bpf *b, const struct bpf_program *prog)
{
	static const char *const twins[][2] = {{"rt_sock_state", "rt_sys_state"},
					       {"rt_sock_destroy", "rt_sys_destroy"}};
	static const char *const older[][2] = {{"rt_fx_page", "tcp_sendpage"},
					       {"rt_fx_unix_page", "unix_stream_sendpage"}};
	const char *name = bpf_program__name(prog);

	for (size_t i = 0; b->backend->storage && !b->storage && i < RT_ARRAY_SIZE(twins); i++) {
		if (strcmp(name, twins[i][0]) == 0)
			return false;
		if (strcmp(name, twins[i][1]) == 0)
			name = twins[i][0];
	}
	for (size_t i = 0; i < RT_ARRAY_SIZE(older); i++)
		if (strcmp(name, older[i][0]) == 0 && !rt_features__function(older[i][1]))
			return false;
	if (!is_listed(b->backend->programs, name))
		return false;
	/* Linux 5.14; before it, map calls do. */
	return bpf_program__type(prog) != BPF_PROG_TYPE_SYSCALL ||
	       libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SYSCALL, NULL) == 1;
}

/* User space runs it itself. */
static bool is_called(const struct bpf_program *prog)
{
	return strncmp(bpf_program__name(prog), "rt_ctl_", strlen("rt_ctl_")) == 0;
}

static bool is_resp_row(const struct rt_sig *sig)
{
	return sig->kind == RT_SIG_RESPONSE || sig->kind == RT_SIG_INTERIM;
}

/* Of the ring, what is kept for records of what is counted nowhere else: at most so much. */
#define RT_RING_KEPT (256u << 10)

static int fill_config(struct rt_bpf_cfg *c, const struct rt_bpf *b, const struct rt_config *cfg,
		       const struct rt_sig *sigs, u32 nr_sigs)
{
	u64 kept = cfg->ring_size / 4;
	struct stat ns;

	/* The consumer comes by time; a burst that it does not foresee wakes it. */
	c->ring_wake = cfg->ring_size / 2;
	c->ring_keep = cfg->ring_size - (kept < RT_RING_KEPT ? kept : RT_RING_KEPT);
	c->skips = b->backend->doubt() != NULL;
	c->idle_ns = 400 * 1000000ull;
	/* Two sweeps a second: still within two seconds of the last byte. */
	c->long_idle_ns = 1200 * 1000000ull;
	if (!stat("/proc/self/ns/pid", &ns) && ns.st_ino != RT_PID_NS_INITIAL) {
		c->self_ns_dev = ns.st_dev;
		c->self_ns_ino = ns.st_ino;
	}
	c->self_tgid = (u32)getpid();
	c->nr_netns = b->scope.nr_netns;
	c->nr_cgroups = b->scope.nr_cgroups;
	c->nr_pids = b->scope.nr_pids;
	c->nr_exes = (u32)cfg->exe.n;
	c->nr_ports = b->scope.nr_ports;
	c->hash_only = !b->storage;
	c->late = b->backend->id == RT_BACKEND_SYSCALL;
	c->stack_size = rt_object__stack_size();
	memcpy(c->ports, b->scope.ports, sizeof(c->ports));
	rt_rules__fill_config(c, b);
	c->nr_req_sigs = c->nr_resp_sigs = 0;
	for (u32 i = 0; i < nr_sigs; i++) {
		bool resp = is_resp_row(&sigs[i]);
		u32 *nr = resp ? &c->nr_resp_sigs : &c->nr_req_sigs;

		if (*nr >= RT_SIG_MAX)
			return -E2BIG;
		(resp ? c->resp_sigs : c->req_sigs)[(*nr)++] = sigs[i];
	}
	return 0;
}

static int fill_maps(struct rt_bpf *b)
{
	struct redtap_bpf *s = b->skel;
	u64 unbound = 0;

	for (u32 i = 0; i < b->scope.nr_netns; i++)
		if (bpf_map__update_elem(s->maps.rt_netns, &b->scope.netns[i], sizeof(u32),
					 &unbound, sizeof(unbound), BPF_ANY))
			return -errno;
	for (u32 i = 0; i < b->scope.nr_pids; i++)
		if (bpf_map__update_elem(s->maps.rt_pids, &b->scope.pids[i], sizeof(u32), &unbound,
					 sizeof(unbound), BPF_ANY))
			return -errno;
	for (u32 i = 0; i < b->scope.nr_cgroups; i++)
		if (bpf_map__update_elem(s->maps.rt_cgroups, &i, sizeof(i), &b->scope.cgroups[i],
					 sizeof(u32), BPF_ANY))
			return -errno;
	return 0;
}

static int keep(struct rt_bpf *b, struct bpf_link *link)
{
	if (!link)
		return -errno;
	if (b->nr_links >= RT_ARRAY_SIZE(b->links)) {
		bpf_link__destroy(link);
		return -E2BIG;
	}
	b->links[b->nr_links++] = link;
	return 0;
}

static int event_id(int tracefs, const char *event)
{
	char path[96], text[16] = "";
	__cleanup_fd int fd = -1;

	snprintf(path, sizeof(path), "events/%s/id", event);
	fd = openat(tracefs, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (read(fd, text, sizeof(text) - 1) <= 0)
		return -EIO;
	return (int)strtol(text, NULL, 10);
}

/* By the event's id, read through our own descriptor of tracefs: libbpf wants it
 * mounted at a fixed place. */
static int attach_event(struct rt_bpf *b, struct bpf_program *prog, int tracefs, const char *event)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr)};
	int id = event_id(tracefs, event), pfd, err;

	if (id < 0)
		return id;
	attr.config = (u64)id;
	pfd = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (pfd < 0)
		return -errno;
	err = keep(b, bpf_program__attach_perf_event(prog, pfd));
	if (err)
		close(pfd);
	return err;
}

static int attach_events(struct rt_bpf *b)
{
	__cleanup_fd int tracefs = rt_tracefs__open();

	if (tracefs < 0)
		return tracefs;
	for (size_t i = 0; i < RT_ARRAY_SIZE(events); i++) {
		struct bpf_program *prog;
		int err;

		if (!is_listed(b->backend->programs, events[i].program))
			continue;
		prog = bpf_object__find_program_by_name(b->skel->obj, events[i].program);
		err = attach_event(b, prog, tracefs, events[i].event);
		if (err && !(events[i].optional && err == -ENOENT)) {
			snprintf(libbpf_reason, sizeof(libbpf_reason), "tracepoint %s: %s%s",
				 events[i].event, strerror(-err),
				 err == -EACCES && !rt_features__has_cap(RT_CAP_SYS_ADMIN)
					 ? "; where kernel.perf_event_paranoid is 3, it takes "
					   "CAP_SYS_ADMIN"
					 : "");
			return err;
		}
	}
	return 0;
}

/* map: what the iterator walks over; NULL: nothing of ours. */
static int attach_iter(struct bpf_program *prog, const struct bpf_map *map, struct bpf_link **ret)
{
	union bpf_iter_link_info info = {.map.map_fd = map ? (u32)bpf_map__fd(map) : 0};
	struct bpf_iter_attach_opts opts;

	/* Not LIBBPF_OPTS: libbpf refuses set bytes in the struct's tail padding,
	 * which an initialiser may leave. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	*ret = bpf_program__attach_iter(prog, &opts);
	return *ret ? 0 : -errno;
}

static int attach(struct rt_bpf *b)
{
	struct redtap_bpf *s = b->skel;
	struct bpf_program *prog;
	bool has_events = false;
	int err;

	bpf_object__for_each_program (prog, s->obj) {
		if (is_called(prog) || !is_on(b, prog))
			continue;
		if (bpf_program__type(prog) == BPF_PROG_TYPE_TRACEPOINT) {
			has_events = true;
			continue;
		}
		err = keep(b, bpf_program__attach(prog));
		if (err)
			return err;
	}
	if (has_events) {
		err = attach_events(b);
		if (err)
			return err;
	}
	if (b->iter)
		err = attach_iter(s->progs.rt_sweep_conns, s->maps.rt_conns, &b->sweep_conns);
	if (err || !b->storage)
		return err;
	if (b->iter)
		return attach_iter(s->progs.rt_sweep_socks, s->maps.rt_socks, &b->sweep_socks);
	return attach_iter(s->progs.rt_sweep_files, NULL, &b->sweep_socks);
}

static void unload(struct rt_bpf *b)
{
	if (!b->skel)
		return;
	ring_buffer__free(b->ring);
	b->ring = NULL;
	rt_rules__close(b);
	rt_stats__close(b);
	free(b->keys);
	b->keys = NULL;
	bpf_link__destroy(b->sweep_conns);
	bpf_link__destroy(b->sweep_socks);
	b->sweep_conns = b->sweep_socks = NULL;
	while (b->nr_links)
		bpf_link__destroy(b->links[--b->nr_links]);
	redtap_bpf__destroy(b->skel);
	b->skel = NULL;
}

/* Kernels that need the legacy object may be so old (before 5.11) that maps count as
 * locked memory, whose limit libbpf lifts if it may. */
static int load(struct rt_bpf *b, bool legacy)
{
	int err = redtap_bpf__load(b->skel);

	if (err == -EPERM && legacy && !rt_features__has_cap(RT_CAP_SYS_RESOURCE))
		snprintf(libbpf_reason, sizeof(libbpf_reason),
			 "maps cannot be made (%s); before Linux 5.11 that takes CAP_SYS_RESOURCE, "
			 "or a limit of locked memory that is lifted (ulimit -l unlimited)",
			 strerror(-err));
	return err;
}

/* What is in socket storage cannot be walked over otherwise. Of files, an iterator shows
 * those of its own pid namespace. */
static bool can_sweep_storage(void)
{
	return rt_features__has(RT_FEATURE_ITER) ||
	       (rt_features__has(RT_FEATURE_ITER_FILES) && rt_features__has(RT_FEATURE_PID_NS));
}

static int try_backend(struct rt_bpf *b, const struct rt_backend *be, const struct rt_config *cfg,
		       const struct rt_sig *sigs, u32 nr_sigs)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = *cfg->btf ? cfg->btf : NULL);
	bool legacy = rt_object__is_legacy();
	struct bpf_program *prog;
	struct redtap_bpf *s;
	int err;

	libbpf_reason[0] = 0;
	b->backend = be;
	b->iter = rt_features__has(RT_FEATURE_ITER);
	b->storage = be->storage && rt_features__has(RT_FEATURE_SK_STORAGE) && can_sweep_storage();
	b->skel = s = rt_object__open(legacy, &opts);
	if (!s)
		return -errno;
	err = fill_config((struct rt_bpf_cfg *)&s->rodata->rt_cfg, b, cfg, sigs, nr_sigs);
	if (err)
		goto fail;
	bpf_object__for_each_program (prog, s->obj)
		bpf_program__set_autoload(prog, is_on(b, prog));
	bpf_program__set_autoload(s->progs.rt_sweep_conns, b->iter);
	bpf_program__set_autoload(s->progs.rt_sweep_call, true);
	bpf_program__set_autoload(s->progs.rt_sweep_socks, b->storage && b->iter);
	bpf_program__set_autoload(s->progs.rt_sweep_files, b->storage && !b->iter);
	bpf_map__set_max_entries(s->maps.rt_ring, (u32)cfg->ring_size);
	bpf_map__set_autocreate(s->maps.rt_socks, b->storage);
	bpf_map__set_autocreate(s->maps.rt_calls, be->id == RT_BACKEND_FENTRY);
	if (!b->scope.nr_cgroups)
		bpf_map__set_max_entries(s->maps.rt_cgroups, 1);
	if (!cfg->exe.n)
		bpf_map__set_max_entries(s->maps.rt_exes, 1);
	err = rt_stats__size_map(b);
	if (!err)
		err = rt_rules__size_maps(b);
	if (!err)
		err = load(b, legacy);
	if (!err)
		err = fill_maps(b);
	if (!err)
		err = rt_stats__open(b);
	if (!err)
		err = rt_rules__open(b);
	if (!err)
		err = rt_ring__open(b);
	if (!err)
		err = rt_exes__prefill(b);
	if (!err)
		err = attach(b);
	if (!err)
		return 0;
fail:
	unload(b);
	return err;
}

/* What every backend needs; says why not in one sentence. */
static int check_basics(const struct rt_config *cfg, char *errbuf, size_t errlen)
{
	/* BTF last: a file can be in its place. */
	static const enum rt_feature basics[] = {RT_FEATURE_PRIVILEGE, RT_FEATURE_LOCKDOWN,
						 RT_FEATURE_RINGBUF, RT_FEATURE_BTF};
	size_t n = RT_ARRAY_SIZE(basics) - (*cfg->btf ? 1 : 0);

	for (size_t i = 0; i < n; i++)
		if (rt_features__is_disabled(basics[i])) {
			snprintf(errbuf, errlen, "redtap needs %s", rt_features__need(basics[i]));
			return -ENOTSUP;
		}
	if (!rt_features__has(RT_FEATURE_PRIVILEGE)) {
		const char *why = rt_features__detail(RT_FEATURE_PRIVILEGE);

		snprintf(errbuf, errlen, "loading BPF programs is not permitted: %s",
			 *why ? why
			      : "run as root, or with the capabilities CAP_BPF and CAP_PERFMON");
		return -EPERM;
	}
	if (!rt_features__has(RT_FEATURE_LOCKDOWN)) {
		snprintf(errbuf, errlen,
			 "the kernel is locked down (confidentiality): no BPF program may read its "
			 "memory; redtap needs lockdown=integrity or none");
		return -EPERM;
	}
	if (!rt_features__has(RT_FEATURE_BTF) && !*cfg->btf) {
		snprintf(errbuf, errlen,
			 "this kernel has no BTF (/sys/kernel/btf/vmlinux): redtap needs %s, or "
			 "its types in a file (--btf)",
			 rt_features__need(RT_FEATURE_BTF));
		return -ENOTSUP;
	}
	if (!rt_features__has(RT_FEATURE_RINGBUF)) {
		snprintf(errbuf, errlen, "this kernel has no BPF ring buffer: redtap needs %s",
			 rt_features__need(RT_FEATURE_RINGBUF));
		return -ENOTSUP;
	}
	return 0;
}

static int choose_backend(struct rt_bpf *b, const struct rt_config *cfg, const struct rt_sig *sigs,
			  u32 nr_sigs, char *errbuf, size_t errlen)
{
	const struct rt_backend *be;
	char why[400] = "";
	int err = -ENOTSUP;

	for (size_t i = 0; (be = rt_backend__by_rank(i)); i++) {
		const char *missing;
		size_t n = strlen(why);

		if (cfg->backend != RT_BACKEND_AUTO && cfg->backend != (int)be->id)
			continue;
		missing = be->missing();
		if (missing) {
			snprintf(why + n, sizeof(why) - n, "%s%s needs %s", n ? "; " : "", be->name,
				 missing);
			continue;
		}
		err = try_backend(b, be, cfg, sigs, nr_sigs);
		if (!err)
			return 0;
		snprintf(why + n, sizeof(why) - n, "%s%s: %s", n ? "; " : "", be->name,
			 libbpf_reason[0] ? libbpf_reason : strerror(-err));
		rt_debug("backend %s does not load: %s", be->name, strerror(-err));
	}
	snprintf(errbuf, errlen,
		 "no capture backend works here%s%s (%s); `redtap doctor` tells more",
		 *cfg->btf ? " with the types of --btf " : "", cfg->btf, why);
	/* The verifier's -EINVAL is no mistake of the user's. */
	return err == -EINVAL ? -ENOTSUP : err;
}

int rt_bpf__new(struct rt_bpf **ret, const struct rt_config *cfg, const struct rt_sig *sigs,
		u32 nr_sigs, char *errbuf, size_t errlen)
{
	struct rt_bpf *b;
	int err;

	libbpf_set_print(libbpf_log);
	b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->cfg = cfg;
	b->stats_fd = -1;
	b->stripe_bits = rt_rules__stripe_bits();
	b->nr_slots = rt_rules__slots(cfg->routes_memory, b->stripe_bits);
	err = rt_scope__resolve(&b->scope, cfg, errbuf, errlen);
	if (!err)
		err = check_basics(cfg, errbuf, errlen);
	if (!err)
		err = choose_backend(b, cfg, sigs, nr_sigs, errbuf, errlen);
	if (err) {
		rt_bpf__free(b);
		return err;
	}
	if (cfg->self_bpf_stats) {
		b->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
		if (b->stats_fd < 0)
			rt_warn("the kernel's BPF statistics cannot be turned on (%s; it takes "
				"CAP_SYS_ADMIN): redtap_program_run_seconds stays 0",
				strerror(errno));
	}
	*ret = b;
	return 0;
}

void rt_bpf__free(struct rt_bpf *b)
{
	if (!b)
		return;
	unload(b);
	rt_scope__close(&b->scope);
	if (b->stats_fd >= 0)
		close(b->stats_fd);
	free(b);
}

const struct rt_backend *rt_bpf__backend(const struct rt_bpf *b)
{
	return b->backend;
}
