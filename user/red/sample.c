// SPDX-License-Identifier: Apache-2.0
/*
 * The samplers of services, shared with the kernel (redtap/cells.h): it reads the
 * thresholds and counts what is above them, here they are moved. See the header.
 * Called by red.c and counted.c.
 */
#include "red/sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "red/red.h"

/* Requests after which a threshold is moved: three of them should be above it. */
#define ADAPT_MIN 300
/* Above it should be one in so many. */
#define ONE_IN 100
/* A step is a fifth of what the share above is off, and no wider than this. */
#define STEP	 0.2
#define SHARE_MAX 11.0
/* A first guess, in means. */
#define GUESS 4

struct service {
	char *key; /* role, then name */
	u32 index;
	u64 used;     /* when it was last asked for */
	u64 requests; /* answered, in place or by a record */
	u64 ns;	      /* what they took together */
	u64 seen_requests, seen_slow; /* at the last move */
	UT_hash_handle hh;
};

struct rt_sampling {
	struct rt_samplers where;
	u64 slow_ns; /* 0: the percentile */
	struct service *services;
	struct service *by_index[RT_SAMPLERS_MAX]; /* 0 is none */
};

struct rt_sampling *rt_sampling__new(u64 slow_ns, const struct rt_samplers *where)
{
	struct rt_sampling *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->where = *where;
	s->slow_ns = slow_ns;
	return s;
}

static void drop(struct rt_sampling *s, struct service *v)
{
	s->by_index[v->index] = NULL;
	HASH_DEL(s->services, v);
	free(v->key);
	free(v);
}

void rt_sampling__free(struct rt_sampling *s)
{
	struct service *v, *tmp;

	if (!s)
		return;
	HASH_ITER(hh, s->services, v, tmp)
	{
		drop(s, v);
	}
	free(s);
}

/* A free index, or that of the service which was not asked for for the longest. Slots of
 * its then go by another's rates, until they are placed anew. */
static u32 take_index(struct rt_sampling *s)
{
	u32 oldest = 1;

	for (u32 i = 1; i < RT_SAMPLERS_MAX; i++) {
		if (!s->by_index[i])
			return i;
		if (s->by_index[i]->used < s->by_index[oldest]->used)
			oldest = i;
	}
	drop(s, s->by_index[oldest]);
	return oldest;
}

/* NULL: out of memory. */
static struct service *service_of(struct rt_sampling *s, const char *name, u8 role, u64 now)
{
	char key[256];
	struct service *v;

	snprintf(key, sizeof(key), "%u %s", role, name);
	HASH_FIND_STR(s->services, key, v);
	if (v) {
		v->used = now;
		return v;
	}
	v = calloc(1, sizeof(*v));
	if (!v)
		return NULL;
	v->key = strdup(key);
	if (!v->key) {
		free(v);
		return NULL;
	}
	v->index = take_index(s);
	v->used = now;
	s->by_index[v->index] = v;
	s->where.all[v->index] = (struct rt_sampler){.slow_ns = s->slow_ns ? s->slow_ns : ~0ull};
	HASH_ADD_KEYPTR(hh, s->services, v->key, strlen(v->key), v);
	return v;
}

void rt_sampling__place(struct rt_sampling *s, u32 slot, const char *service, u8 role, u64 now)
{
	struct service *v = service ? service_of(s, service, role, now) : NULL;

	s->where.of_slot[slot] = v ? v->index : 0;
}

void rt_sampling__counted(struct rt_sampling *s, const char *service, u8 role, u64 n, u64 ns,
			  u64 now)
{
	struct service *v = service_of(s, service, role, now);

	if (!v)
		return;
	v->requests += n;
	v->ns += ns;
}

static void move(struct service *v, struct rt_sampler *sampler)
{
	u64 n = v->requests - v->seen_requests;
	u64 slow = *(volatile u64 *)&sampler->slow;
	double share, ns = (double)sampler->slow_ns;

	if (n < ADAPT_MIN)
		return;
	share = (double)(slow - v->seen_slow) * ONE_IN / (double)n;
	v->seen_requests = v->requests;
	v->seen_slow = slow;
	if (sampler->slow_ns == ~0ull)
		ns = (double)v->ns / (double)v->requests * GUESS;
	else
		ns *= 1 + STEP * ((share < SHARE_MAX ? share : SHARE_MAX) - 1);
	*(volatile u64 *)&sampler->slow_ns = ns < 1 ? 1 : ns > 1e15 ? (u64)1e15 : (u64)ns;
}

void rt_sampling__adapt(struct rt_sampling *s)
{
	struct service *v, *tmp;

	if (s->slow_ns)
		return;
	HASH_ITER(hh, s->services, v, tmp)
	{
		move(v, &s->where.all[v->index]);
	}
}

/* One that the kernel did not count has its part in the percentile all the same; and there are
 * services of which it counts none, as no path comes twice. */
static void add_record(struct service *v, struct rt_sampler *sampler, u64 ns)
{
	v->requests++;
	v->ns += ns;
	if (ns > sampler->slow_ns)
		__atomic_fetch_add(&sampler->slow, 1, __ATOMIC_RELAXED);
}

u32 rt_sampling__wanted(struct rt_sampling *s, const struct rt_finished *f, u64 now)
{
	struct service *v = service_of(s, f->process->service, f->x->role, now);
	enum rt_sample why = RT_SAMPLE_ANY;
	struct rt_sampler *sampler;
	char buf[8];

	if (!v)
		return 0;
	sampler = &s->where.all[v->index];
	if (f->error == RT_ERROR_NONE)
		add_record(v, sampler, f->duration_ns);
	if (*rt_error_type(f, buf))
		why = RT_SAMPLE_FAILED;
	else if (f->duration_ns > sampler->slow_ns)
		why = RT_SAMPLE_SLOW;
	return rt_sample_take(sampler, why, s->where.every_ns, now);
}
