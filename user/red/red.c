// SPDX-License-Identifier: Apache-2.0
/*
 * The request metrics: one call per finished exchange from the consumer's
 * thread, registry lock held. Names and buckets follow the HTTP semantic
 * conventions (semconv.c has the label values). Requests that the kernel counts
 * in place come by counted.c.
 *
 * An exchange without a response counts in the durations, not in the time to
 * first byte, nor in the response sizes.
 *
 * Cost: a small cache from what tells series apart to their pointers. It is
 * keyed by cheap numbers, so that the usual record formats no text.
 */
#include "red/red_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <uthash.h>

#include "config/config.h"
#include "util/hash.h"

#define TOUCH_NS	   1000000000ULL
#define ACTIVE_MAX	   4096
#define ACTIVE_IDLE_ROUNDS 60

#define SECONDS(ns) ns / 1e9,
static const double duration_bounds[] = {RT_DURATION_BOUNDS(SECONDS)};
#define BYTES(n) n,
static const double size_bounds[] = {RT_SIZE_BOUNDS(BYTES)};
_Static_assert(RT_ARRAY_SIZE(duration_bounds) == RT_NR_DURATION_BOUNDS, "bounds are counted");
_Static_assert(RT_ARRAY_SIZE(size_bounds) == RT_NR_SIZE_BOUNDS, "bounds are counted");

#define COMMON_LABELS                                                                              \
	"service_name", "process_executable_name", "http_request_method", "http_route",            \
		"http_response_status_code", "error_type", "process_pid"

static const struct rt_family_desc server_duration_desc = {
	.name = "http_server_request_duration_seconds",
	.help = "Duration of HTTP requests served, first request byte to last response byte.",
	.type = RT_HISTOGRAM,
	.unit = "seconds",
	.labels = {COMMON_LABELS},
	.bounds = duration_bounds,
	.nr_bounds = RT_ARRAY_SIZE(duration_bounds),
	.expires = true,
};

static const struct rt_family_desc client_duration_desc = {
	.name = "http_client_request_duration_seconds",
	.help = "Duration of HTTP requests made, first request byte to last response byte.",
	.type = RT_HISTOGRAM,
	.unit = "seconds",
	.labels = {COMMON_LABELS, "server_address", "server_port"},
	.bounds = duration_bounds,
	.nr_bounds = RT_ARRAY_SIZE(duration_bounds),
	.expires = true,
};

static const struct rt_family_desc ttfb_desc = {
	.name = "redtap_http_server_time_to_first_byte_seconds",
	.help = "Time from the first request byte to the first response byte of HTTP requests "
		"served.",
	.type = RT_HISTOGRAM,
	.unit = "seconds",
	.labels = {COMMON_LABELS},
	.bounds = duration_bounds,
	.nr_bounds = RT_ARRAY_SIZE(duration_bounds),
	.expires = true,
};

static const struct rt_family_desc request_size_desc = {
	.name = "http_server_request_size_bytes",
	.help = "Size of HTTP requests served, head and body as on the wire.",
	.type = RT_HISTOGRAM,
	.unit = "bytes",
	.labels = {COMMON_LABELS},
	.bounds = size_bounds,
	.nr_bounds = RT_ARRAY_SIZE(size_bounds),
	.expires = true,
};

static const struct rt_family_desc response_size_desc = {
	.name = "http_server_response_size_bytes",
	.help = "Size of HTTP responses sent, head and body as on the wire.",
	.type = RT_HISTOGRAM,
	.unit = "bytes",
	.labels = {COMMON_LABELS},
	.bounds = size_bounds,
	.nr_bounds = RT_ARRAY_SIZE(size_bounds),
	.expires = true,
};

static const struct rt_family_desc active_desc = {
	.name = "http_server_active_requests",
	.help = "HTTP requests that are being served, as of the last sweep.",
	.type = RT_GAUGE,
	.labels = {"service_name", "process_executable_name"},
	.expires = true,
};

static const struct rt_family_desc info_desc = {
	.name = "target_info",
	.help = "Resources whose requests are measured.",
	.type = RT_INFO,
	.labels = {"service_name", "service_namespace", "process_executable_name", "container_id",
		   "host_name"},
	.expires = true,
};

struct active {
	u64 resource_id;
	char *service;
	char *executable;
	u32 count;
	u32 idle_rounds;
	struct rt_series *series; /* while a round ends */
	UT_hash_handle hh;
};

static void apply_config(struct rt_red *red, const struct rt_config *cfg)
{
	red->label_pid = cfg->labels_pid;
}

struct rt_red *rt_red__new(struct rt_registry *r, const struct rt_config *cfg)
{
	struct rt_red *red = calloc(1, sizeof(*red));

	if (!red)
		return NULL;
	red->registry = r;
	red->seed = rt_hash__random_seed();
	apply_config(red, cfg);
	if (gethostname(red->host_name, sizeof(red->host_name) - 1))
		red->host_name[0] = '\0';
	red->routes = rt_routes__new(cfg);
	red->hosts = rt_hosts__new(cfg->metrics_ttl);
	red->peers = rt_hosts__new(cfg->metrics_ttl);
	red->info = rt_registry__add(r, &info_desc);
	red->server_duration = rt_registry__add(r, &server_duration_desc);
	red->client_duration = rt_registry__add(r, &client_duration_desc);
	red->ttfb = rt_registry__add(r, &ttfb_desc);
	red->request_size = rt_registry__add(r, &request_size_desc);
	red->response_size = rt_registry__add(r, &response_size_desc);
	red->active_requests = rt_registry__add(r, &active_desc);
	if (!red->routes || !red->hosts || !red->peers || !red->info || !red->server_duration ||
	    !red->client_duration || !red->ttfb || !red->request_size || !red->response_size ||
	    !red->active_requests) {
		rt_red__free(red);
		errno = ENOMEM;
		return NULL;
	}
	return red;
}

static void active_drop(struct rt_red *red, struct active *a)
{
	HASH_DEL(red->active, a);
	free(a->service);
	free(a->executable);
	free(a);
}

void rt_red__free(struct rt_red *red)
{
	struct active *a, *tmp;

	if (!red)
		return;
	HASH_ITER(hh, red->active, a, tmp)
	{
		active_drop(red, a);
	}
	/* It tells of its slots' end. */
	rt_learn__free(red->learn);
	rt_sampling__free(red->sampling);
	rt_routes__free(red->routes);
	rt_hosts__free(red->hosts);
	rt_hosts__free(red->peers);
	free(red);
}

void rt_red__reload(struct rt_red *red, const struct rt_config *cfg)
{
	apply_config(red, cfg);
	if (red->learn)
		rt_learn__forget(red->learn);
	rt_routes__reload(red->routes, cfg);
	rt_hosts__set_ttl(red->hosts, cfg->metrics_ttl);
	rt_hosts__set_ttl(red->peers, cfg->metrics_ttl);
	/* Keys hold pointers to routes, which are gone. */
	memset(red->cache, 0, sizeof(red->cache));
}

/* --- the cache ---------------------------------------------------------- */

/* A service that asks thousands of addresses would fill the page as one that asks thousands of
 * hosts. */
static bool is_known_peer(struct rt_red *red, const struct rt_finished *f, u16 port, u64 now)
{
	u32 len = f->x->family == RT_FAMILY_INET ? 4 : 16;
	u8 peer[16 + sizeof(port)];

	memcpy(peer, f->x->peer_addr, len);
	memcpy(peer + len, &port, sizeof(port));
	return rt_hosts__take(red->peers, f->process->resource_id,
			      (struct rt_slice){peer, len + (u32)sizeof(port)}, now);
}

/* False: too long for the cache. */
static bool make_key(struct rt_red *red, const struct rt_finished *f, const char *route, u64 now,
		     struct key *k)
{
	memset(k, 0, sizeof(*k));
	k->target_id = f->process->target_id;
	k->route = route;
	k->pid = red->label_pid ? f->process->pid : 0;
	k->status = f->op->status;
	k->method = rt_red__method(f->op->method);
	k->role = f->x->role;
	k->error = (u8)f->error;
	if (k->role != RT_ROLE_CLIENT)
		return true;
	k->port = rt_red__server_port(f);
	if (f->op->authority.len > AUTHORITY_MAX)
		return false;
	if (f->op->authority.len) {
		k->host_len = f->op->authority.len;
		memcpy(k->host, f->op->authority.p, k->host_len);
	} else if (f->x->family != RT_FAMILY_UNIX && is_known_peer(red, f, k->port, now)) {
		k->host_kind = HOST_ADDRESS;
		k->host_len = f->x->family == RT_FAMILY_INET ? 4 : 16;
		memcpy(k->host, f->x->peer_addr, k->host_len);
	} else {
		k->host_kind = HOST_NONE;
		k->port = 0;
	}
	return true;
}

static struct slot *slot_of(struct rt_red *red, const struct key *k)
{
	size_t len = offsetof(struct key, host) + k->host_len;
	u64 generation = rt_registry__generation(red->registry) + 1;
	struct slot *s = &red->cache[rt_hash__bytes(k, len, red->seed) % CACHE_SLOTS];

	if (s->generation == generation && memcmp(&s->key, k, len) == 0)
		return s;
	memset(s, 0, sizeof(*s));
	s->key = *k;
	s->generation = generation;
	return s;
}

void rt_red__find_series(struct rt_red *red, const struct rt_finished *f, struct slot *s)
{
	struct rt_slice values[NR_LABELS];
	struct texts texts;

	rt_red__labels(f, &s->key, &texts, values);
	if (s->key.role == RT_ROLE_CLIENT) {
		s->duration = rt_metric__series(red->client_duration, values);
		return;
	}
	if (!s->duration) {
		s->duration = rt_metric__series(red->server_duration, values);
		s->request_size = rt_metric__series(red->request_size, values);
	}
	if (f->ttfb_ns && !s->ttfb)
		s->ttfb = rt_metric__series(red->ttfb, values);
	if (f->response_bytes && !s->response_size)
		s->response_size = rt_metric__series(red->response_size, values);
}

/* --- records ------------------------------------------------------------ */

static struct active *active_get(struct rt_red *red, const struct rt_process *p)
{
	struct active *a;

	HASH_FIND(hh, red->active, &p->resource_id, sizeof(p->resource_id), a);
	if (a || HASH_COUNT(red->active) >= ACTIVE_MAX)
		return a;
	a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	a->resource_id = p->resource_id;
	a->service = strdup(p->service);
	a->executable = strdup(p->executable);
	if (!a->service || !a->executable) {
		free(a->service);
		free(a->executable);
		free(a);
		return NULL;
	}
	HASH_ADD(hh, red->active, resource_id, sizeof(a->resource_id), a);
	return a;
}

static bool touched(const struct rt_red *red, const struct rt_process *p, bool server, u64 now)
{
	const struct touch_slot *s = &red->touches[(p->pid ^ p->resource_id) % TOUCH_SLOTS];

	return s->written && now - s->written < TOUCH_NS && s->pid == p->pid &&
	       s->resource_id == p->resource_id && s->start_ns == p->start_ns &&
	       (s->server || !server);
}

void rt_red__touch(struct rt_red *red, const struct rt_process *p, bool server, u64 now)
{
	struct touch_slot *s = &red->touches[(p->pid ^ p->resource_id) % TOUCH_SLOTS];
	struct rt_slice values[] = {
		rt_slice_str(p->service),     rt_slice_str(p->service_namespace),
		rt_slice_str(p->executable),  rt_slice_str(p->container_id),
		rt_slice_str(red->host_name),
	};
	struct active *a;

	if (touched(red, p, server, now))
		return;
	a = server ? active_get(red, p) : NULL;
	s->resource_id = p->resource_id;
	s->start_ns = p->start_ns;
	s->pid = p->pid;
	s->written = now;
	s->server = server;
	if (a)
		a->idle_rounds = 0;
	rt_series__set(rt_metric__series(red->info, values), 1, now);
}

static struct rt_slice path_of(const struct rt_op *op)
{
	/* "http://host" asks for "/" (RFC 9112, 3.2.2). */
	if (!op->path.len && op->target.len && memmem(op->target.p, op->target.len, "://", 3))
		return rt_slice_str("/");
	return op->path;
}

const char *rt_red__route_of(struct rt_routes *routes, const struct rt_finished *f)
{
	/* What a process serves and what it calls are two sets of routes. */
	u64 which = f->x->role == RT_ROLE_CLIENT ? 0x9e3779b97f4a7c15ULL : 0;

	return rt_routes__name(routes, f->process->resource_id ^ which, path_of(f->op),
			       f->op->path_cut, f->op->status);
}

const char *rt_red__route(struct rt_red *red, const struct rt_finished *f)
{
	return rt_red__route_of(red->routes, f);
}

static void record(struct rt_red *red, const struct rt_finished *f, u64 now, const char **ret_route)
{
	bool client = f->x->role == RT_ROLE_CLIENT;
	const char *route = rt_red__route(red, f);
	struct slot uncached = {0};
	struct slot *s = &uncached;
	struct key key;

	if (ret_route)
		*ret_route = route;
	if (make_key(red, f, route, now, &key))
		s = slot_of(red, &key);
	else
		uncached.key = key;
	if (!s->duration ||
	    (!client && ((f->ttfb_ns && !s->ttfb) || (f->response_bytes && !s->response_size))))
		rt_red__find_series(red, f, s);
	rt_red__touch(red, f->process, !client, now);
	if (f->x->rule && red->learn && f->error == RT_ERROR_NONE)
		rt_red__learn(red, f, s, now);

	rt_series__observe(s->duration, (double)f->duration_ns / 1e9, now);
	if (client)
		return;
	rt_series__observe(s->request_size, (double)f->x->req_bytes, now);
	if (f->ttfb_ns)
		rt_series__observe(s->ttfb, (double)f->ttfb_ns / 1e9, now);
	if (f->response_bytes)
		rt_series__observe(s->response_size, (double)f->response_bytes, now);
}

/* Where no host is named, and beyond a number of names, it is the peer who was asked. */
static bool is_unnamed(struct rt_red *red, const struct rt_finished *f, u64 now)
{
	struct rt_slice authority = f->op->authority;

	if (f->x->role != RT_ROLE_CLIENT || !authority.len)
		return false;
	return !rt_red__names_host(authority) ||
	       !rt_hosts__take(red->hosts, f->process->resource_id, authority, now);
}

void rt_red__record(struct rt_red *red, const struct rt_finished *f, u64 now,
		    const char **ret_route)
{
	struct rt_finished of_peer;
	struct rt_op op;

	if (is_unnamed(red, f, now)) {
		op = *f->op;
		op.authority = (struct rt_slice){0};
		of_peer = *f;
		of_peer.op = &op;
		f = &of_peer;
	}
	record(red, f, now, ret_route);
}

/* --- exchanges in flight ------------------------------------------------ */

void rt_red__active_begin(struct rt_red *red)
{
	struct active *a, *tmp;

	HASH_ITER(hh, red->active, a, tmp)
	{
		a->count = 0;
	}
}

void rt_red__active_add(struct rt_red *red, const struct rt_process *p, u8 role, u8 proto)
{
	struct active *a;

	if (role != RT_ROLE_SERVER || proto != RT_PROTO_http1)
		return;
	a = active_get(red, p);
	if (a)
		a->count++;
}

static struct rt_series *active_series(struct rt_red *red, const struct active *a)
{
	struct rt_slice values[] = {rt_slice_str(a->service), rt_slice_str(a->executable)};

	return rt_metric__series(red->active_requests, values);
}

void rt_red__active_end(struct rt_red *red, u64 now)
{
	struct active *a, *tmp;

	/* First none, then all: services beyond the cap of series share one. */
	HASH_ITER(hh, red->active, a, tmp)
	{
		a->series = active_series(red, a);
		rt_series__set(a->series, 0, now);
	}
	HASH_ITER(hh, red->active, a, tmp)
	{
		rt_series__add(a->series, a->count, now);
		a->idle_rounds = a->count ? 0 : a->idle_rounds + 1;
		/* It stands at 0 from here on, until the registry drops it. */
		if (a->idle_rounds >= ACTIVE_IDLE_ROUNDS)
			active_drop(red, a);
	}
}
