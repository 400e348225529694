// SPDX-License-Identifier: Apache-2.0
/*
 * Requests that the kernel counts in place: which ones it may (asked by red.c for
 * each record that has a rule's key), and their counts into the series. What a
 * slot of the kernel stands for keeps its own texts: routes and processes may be
 * gone when it is folded.
 */
#include "red/red_impl.h"

#include <stdlib.h>
#include <string.h>

#include "util/clock.h"

struct counted {
	struct slot slot; /* its key's route is ours */
	struct rt_process process;
	char *texts[6]; /* owned; what the two point to */
};

static void counted_free(void *what)
{
	struct counted *c = what;

	for (size_t i = 0; i < RT_ARRAY_SIZE(c->texts); i++)
		free(c->texts[i]);
	free(c);
}

struct make {
	const struct rt_process *process;
	const struct slot *slot;
};

static void *counted_new(void *ctx)
{
	const struct make *m = ctx;
	struct counted *c = calloc(1, sizeof(*c));
	const char **fields[] = {
		&c->slot.key.route,
		&c->process.executable,
		&c->process.exe_path,
		&c->process.container_id,
		&c->process.service,
		&c->process.service_namespace,
	};

	_Static_assert(RT_ARRAY_SIZE(fields) == RT_ARRAY_SIZE(c->texts), "one text per field");
	if (!c)
		return NULL;
	c->slot = *m->slot;
	c->process = *m->process;
	c->process.cmdline = c->process.unit = "";
	for (size_t i = 0; i < RT_ARRAY_SIZE(fields); i++) {
		c->texts[i] = strdup(*fields[i]);
		if (!c->texts[i]) {
			counted_free(c);
			return NULL;
		}
		*fields[i] = c->texts[i];
	}
	return c;
}

/* Rules stand for names that may not be those of their paths any more. */
static void follow_names(struct rt_red *red)
{
	u32 generation = rt_routes__generation(red->routes);

	if (red->routes_generation == generation)
		return;
	rt_learn__forget(red->learn);
	red->routes_generation = generation;
}

/* Where the requests go whose records are lost: to no route, at the first sight. */
static void learn_other(struct rt_red *red, const struct rt_finished *f, const struct slot *s,
			size_t id_len, u64 now)
{
	struct slot other = {.key = s->key};
	struct make make = {f->process, &other};

	if (!f->x->other || !rt_learn__forgot(red->learn, f->x->other, f->op->status))
		return;
	other.key.route = "";
	rt_learn__other(red->learn, f->x->other, f->op->status, &other.key, id_len, counted_new,
			&make, now);
}

void rt_red__learn(struct rt_red *red, const struct rt_finished *f, const struct slot *s, u64 now)
{
	struct make make = {f->process, s};
	size_t n = offsetof(struct key, host) + s->key.host_len;

	if (!s->generation)
		return; /* too long for the cache, so for a rule */
	if (s->key.host_kind != HOST_HEADER)
		return; /* the peer's address is a label, and in no rule's key */
	follow_names(red);
	learn_other(red, f, s, n, now);
	if (rt_routes__tells_values(red->routes, f->op->path))
		return; /* a rule's key does not */
	if (rt_learn__repeats(red->learn, f->x->rule))
		rt_learn__rule(red->learn, f->x->rule, f->op->status, &s->key, n, counted_new,
			       &make, now);
}

static void on_counted(void *ctx, void *what, const struct rt_counted *n, u64 now)
{
	struct rt_red *red = ctx;
	struct counted *c = what;
	struct slot *s = &c->slot;
	bool client;
	u64 generation = rt_registry__generation(red->registry) + 1;

	if (!c) {
		red->nameless += n->requests;
		return;
	}
	client = s->key.role == RT_ROLE_CLIENT;
	if (s->generation != generation) {
		s->duration = s->ttfb = s->request_size = s->response_size = NULL;
		s->generation = generation;
	}
	if (!s->duration || (!client && (!s->ttfb || !s->response_size))) {
		struct rt_exchange x = {
			.role = s->key.role,
			.peer_port = s->key.port,
			.family = s->key.port ? RT_FAMILY_INET : RT_FAMILY_UNIX,
		};
		struct rt_op op = {
			.status = s->key.status,
			.authority = {s->key.host, s->key.host_len},
		};
		struct rt_finished f = {
			.x = &x,
			.op = &op,
			.process = &c->process,
			.ttfb_ns = 1,
			.response_bytes = 1,
		};

		rt_red__find_series(red, &f, s);
	}
	red->counted += n->requests;
	if (red->sampling)
		rt_sampling__counted(red->sampling, c->process.service, s->key.role, n->requests,
				     n->sums.duration_ns, now);
	rt_red__touch(red, &c->process, !client, now);
	if (client)
		rt_hosts__take(red->hosts, c->process.resource_id,
			       (struct rt_slice){s->key.host, s->key.host_len}, now);
	rt_series__add_histogram(s->duration, n->duration, (double)n->sums.duration_ns / 1e9, now);
	if (client)
		return;
	rt_series__add_histogram(s->ttfb, n->ttfb, (double)n->sums.ttfb_ns / 1e9, now);
	rt_series__add_histogram(s->request_size, n->request_size, (double)n->sums.request_bytes,
				 now);
	rt_series__add_histogram(s->response_size, n->response_size, (double)n->sums.response_bytes,
				 now);
}

int rt_red__count_in_kernel(struct rt_red *red, const struct rt_learn_ops *ops, void *ctx,
			    u32 nr_slots)
{
	red->learn = rt_learn__new(ops, ctx, nr_slots, counted_free);
	return red->learn ? 0 : -1;
}

static void on_placed(void *ctx, u32 slot, void *what)
{
	struct rt_red *red = ctx;
	const struct counted *c = what;

	rt_sampling__place(red->sampling, slot, c ? c->process.service : NULL,
			   c ? c->slot.key.role : 0, rt_clock__mono());
}

int rt_red__sample(struct rt_red *red, u64 slow_ns, const struct rt_samplers *where)
{
	red->sampling = rt_sampling__new(slow_ns, where);
	if (!red->sampling)
		return -1;
	if (red->learn)
		rt_learn__watch(red->learn, on_placed, red);
	return 0;
}

u32 rt_red__sampled(struct rt_red *red, const struct rt_finished *f, u64 now)
{
	return red->sampling ? rt_sampling__wanted(red->sampling, f, now) : 0;
}

u64 rt_red__fold(struct rt_red *red, u64 now, u64 *ret_nameless)
{
	red->counted = red->nameless = *ret_nameless = 0;
	if (red->learn)
		rt_learn__fold(red->learn, on_counted, red, now);
	if (red->sampling)
		rt_sampling__adapt(red->sampling);
	if (!red->learn)
		return 0;
	/* Records that no rule is made for change names, too. */
	follow_names(red);
	*ret_nameless = red->nameless;
	return red->counted;
}
