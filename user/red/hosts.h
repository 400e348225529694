/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hosts that a service asks for by name, a bounded number: what stands in Host may be anybody's
 * choice, as where a proxy hands on what its clients say. From the consumer's thread.
 */
#ifndef REDTAP_HOSTS_H
#define REDTAP_HOSTS_H

#include "util/slice.h"

/* Of one service. */
#define RT_HOSTS_MAX 100

struct rt_hosts;

/* A host that was not asked for during `ttl_ns` makes room for another; 0: none does. NULL with
 * errno. */
struct rt_hosts *rt_hosts__new(u64 ttl_ns);
void rt_hosts__free(struct rt_hosts *h); /* NULL-safe */
void rt_hosts__set_ttl(struct rt_hosts *h, u64 ttl_ns);

/* Whether `host` is one of the service's, and notes that it is asked for now; false: there are as
 * many others. `resource_id`: see struct rt_process. now: CLOCK_MONOTONIC. */
bool rt_hosts__take(struct rt_hosts *h, u64 resource_id, struct rt_slice host, u64 now);

#endif /* REDTAP_HOSTS_H */
