/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RED metrics of finished exchanges: one call per exchange, from the
 * consumer's thread, with the registry's lock held by the caller.
 *
 * Semantic conventions: HTTP metrics (docs/http/http-metrics.md); method,
 * route, status and error.type rules are in red.c.
 */
#ifndef REDTAP_RED_H
#define REDTAP_RED_H

#include "meta/meta.h"
#include "metrics/registry.h"
#include "proto/proto.h"

struct rt_config;
struct rt_learn_ops;
struct rt_routes;
struct rt_samplers;
struct rt_red;

/* How an exchange ended, worked out by the finisher (red/finish.c). */
enum rt_error {
	RT_ERROR_NONE = 0,
	RT_ERROR_CONNECTION_RESET = 1,
	RT_ERROR_CONNECTION_CLOSED = 2,
	RT_ERROR_TIMEOUT = 3,
};

struct rt_finished {
	const struct rt_exchange *x;
	const struct rt_op *op;
	const struct rt_process *process;
	enum rt_error error;
	u64 duration_ns;    /* first request byte to last response byte, or to the failure */
	u64 ttfb_ns;	    /* 0: no response byte */
	u64 response_bytes; /* of the final response, interim ones left out */
};

struct rt_red *rt_red__new(struct rt_registry *r, const struct rt_config *cfg);
void rt_red__free(struct rt_red *red);
/* Registry lock held. Works out method and route names, updates all families.
 * *ret_route (may be NULL) is the route, good until the next call. */
void rt_red__record(struct rt_red *red, const struct rt_finished *f, u64 now,
		    const char **ret_route);
/* The sweep's tally of exchanges in flight: begin, one call per exchange, end
 * (series not seen in this round become 0). Registry lock held. */
void rt_red__active_begin(struct rt_red *red);
void rt_red__active_add(struct rt_red *red, const struct rt_process *p, u8 role, u8 proto);
void rt_red__active_end(struct rt_red *red, u64 now);
void rt_red__reload(struct rt_red *red, const struct rt_config *cfg);

/* Lets the kernel count requests that repeat: rules by `ops`, of nr_slots slots.
 * Nothing may call `ops` after rt_red__free(). 0, or -1 with errno. */
int rt_red__count_in_kernel(struct rt_red *red, const struct rt_learn_ops *ops, void *ctx,
			    u32 nr_slots);
/* After rt_red__count_in_kernel(): some requests are told of by themselves (red/sample.h),
 * the kernel's among them by samplers at `where`. 0, or -1 with errno. */
int rt_red__sample(struct rt_red *red, u64 slow_ns, const struct rt_samplers *where);
/* Registry lock held. Whether this one, behind its rt_red__record(), is to be told of: by which
 * rate (enum rt_sample), plus one; 0: not. */
u32 rt_red__sampled(struct rt_red *red, const struct rt_finished *f, u64 now);
/* The route of a finished exchange: what a process serves and what it calls have names of
 * their own. */
const char *rt_red__route_of(struct rt_routes *routes, const struct rt_finished *f);
/* Registry lock held. The route of one that the kernel has counted and sampled. */
const char *rt_red__route(struct rt_red *red, const struct rt_finished *f);
/* Registry lock held. Adds what the kernel counted since the last call to the
 * series; call it about twice a second. Returns how many requests that were;
 * *ret_nameless more are in no series, as all that told of their process was lost. */
u64 rt_red__fold(struct rt_red *red, u64 now, u64 *ret_nameless);

/* error.type of a finished exchange by the conventions: the failure's name, or
 * the status for 5xx (server) and 4xx/5xx (client); "" when there is none.
 * `buf` holds the status text. */
const char *rt_error_type(const struct rt_finished *f, char buf[8]);

#endif /* REDTAP_RED_H */
