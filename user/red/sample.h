/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Samples: which requests are told of one by one, beside being counted. Per service and
 * role, each kind at a rate of its own (enum rt_sample). Of requests that the kernel
 * counts in place it takes them itself, by the samplers that are kept here; of those
 * that came as records anyway rt_sampling__wanted() does, out of the same rates.
 *
 * Slow is what takes longer than samples.slow, or than the service's running 99th
 * percentile: a threshold that is moved until one request in a hundred is above it.
 * From the consumer's thread.
 */
#ifndef REDTAP_SAMPLE_H
#define REDTAP_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>

#include "bpf/capture.h"

struct rt_finished;
struct rt_sampling;

/* slow_ns: samples.slow, 0: the percentile. What `where` points to outlives the result.
 * NULL with errno. */
struct rt_sampling *rt_sampling__new(u64 slow_ns, const struct rt_samplers *where);
void rt_sampling__free(struct rt_sampling *s); /* NULL-safe */

/* The slot counts requests of this service from now on; NULL: of none. */
void rt_sampling__place(struct rt_sampling *s, u32 slot, const char *service, u8 role, u64 now);
/* The kernel counted n requests of this service, which took `ns` together. */
void rt_sampling__counted(struct rt_sampling *s, const char *service, u8 role, u64 n, u64 ns,
			  u64 now);
/* Moves the thresholds; after each fold. */
void rt_sampling__adapt(struct rt_sampling *s);
/* Which sample (enum rt_sample) a request that came as a record is, plus one; 0: none. To be
 * asked of each, as its duration has a part in the percentile. */
u32 rt_sampling__wanted(struct rt_sampling *s, const struct rt_finished *f, u64 now);

#endif /* REDTAP_SAMPLE_H */
