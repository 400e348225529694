// SPDX-License-Identifier: Apache-2.0
/*
 * Hosts by service: a table of hashes each, open addressing. Used by red.c and counted.c.
 */
#include "red/hosts.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "util/hash.h"

#define SLOTS	     256 /* a power of two, so that probes are short */
#define SERVICES_MAX 1024
/* How often those that nobody asks for are looked for, where there is no room. */
#define LOOK_NS 1000000000ull

struct host {
	u64 hash; /* 0: free */
	u64 used;
};

struct service {
	u64 resource_id;
	u64 looked;
	u32 n;
	struct host hosts[SLOTS];
	UT_hash_handle hh;
};

struct rt_hosts {
	u64 ttl_ns;
	u64 seed;
	u64 now; /* never goes back: records come out of their order */
	u64 looked;
	struct service *services;
};

struct rt_hosts *rt_hosts__new(u64 ttl_ns)
{
	struct rt_hosts *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->ttl_ns = ttl_ns;
	h->seed = rt_hash__random_seed();
	return h;
}

static void service_drop(struct rt_hosts *h, struct service *s)
{
	HASH_DEL(h->services, s);
	free(s);
}

void rt_hosts__free(struct rt_hosts *h)
{
	struct service *s, *tmp;

	if (!h)
		return;
	HASH_ITER(hh, h->services, s, tmp)
	{
		service_drop(h, s);
	}
	free(h);
}

void rt_hosts__set_ttl(struct rt_hosts *h, u64 ttl_ns)
{
	h->ttl_ns = ttl_ns;
}

/* Where the hash is, or would be. */
static struct host *place_of(struct service *s, u64 hash)
{
	u32 i = hash % SLOTS;

	while (s->hosts[i].hash && s->hosts[i].hash != hash)
		i = (i + 1) % SLOTS;
	return &s->hosts[i];
}

/* Forgets the hosts that nobody asked for, lately. */
static void forget_old(const struct rt_hosts *h, struct service *s, u64 now)
{
	struct host old[SLOTS];

	if (!h->ttl_ns)
		return;
	memcpy(old, s->hosts, sizeof(old));
	memset(s->hosts, 0, sizeof(s->hosts));
	s->n = 0;
	for (u32 i = 0; i < SLOTS; i++) {
		if (!old[i].hash || now - old[i].used > h->ttl_ns)
			continue;
		*place_of(s, old[i].hash) = old[i];
		s->n++;
	}
}

static void forget_old_services(struct rt_hosts *h, u64 now)
{
	struct service *s, *tmp;

	if (now - h->looked < LOOK_NS)
		return;
	h->looked = now;
	HASH_ITER(hh, h->services, s, tmp)
	{
		forget_old(h, s, now);
		if (!s->n)
			service_drop(h, s);
	}
}

static struct service *service_get(struct rt_hosts *h, u64 resource_id, u64 now)
{
	struct service *s;

	HASH_FIND(hh, h->services, &resource_id, sizeof(resource_id), s);
	if (s)
		return s;
	if (HASH_COUNT(h->services) >= SERVICES_MAX)
		forget_old_services(h, now);
	if (HASH_COUNT(h->services) >= SERVICES_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->resource_id = resource_id;
	HASH_ADD(hh, h->services, resource_id, sizeof(resource_id), s);
	return s;
}

bool rt_hosts__take(struct rt_hosts *h, u64 resource_id, struct rt_slice host, u64 now)
{
	u64 hash = rt_hash__bytes(host.p, host.len, h->seed) | 1;
	struct service *s;
	struct host *place;

	if (now < h->now)
		now = h->now;
	h->now = now;
	s = service_get(h, resource_id, now);
	if (!s)
		return false;
	place = place_of(s, hash);
	if (!place->hash && s->n >= RT_HOSTS_MAX && now - s->looked >= LOOK_NS) {
		s->looked = now;
		forget_old(h, s, now);
		place = place_of(s, hash);
	}
	if (!place->hash) {
		if (s->n >= RT_HOSTS_MAX)
			return false;
		s->n++;
	}
	*place = (struct host){hash, now};
	return true;
}
