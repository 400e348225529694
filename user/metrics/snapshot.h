/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A registry's values at one instant, for exporters. Taking one holds the
 * registry's lock while blocks of plain numbers are copied; label texts are
 * immutable and shared, and stay until the last snapshot is freed.
 */
#ifndef REDTAP_SNAPSHOT_H
#define REDTAP_SNAPSHOT_H

#include "metrics/registry.h"

/* Ready text of one label set; see rt_labels__body(). */
struct rt_labels_text {
	const char *body;
	u32 len;
};

/* Series live in blocks of equal slots, so that a snapshot is a few memcpy;
 * readers see copies of the slots. */
struct rt_series {
	struct rt_metric *metric;
	const struct rt_labels_text *labels; /* NULL: free slot, skip it */
	u64 last_write;			     /* CLOCK_MONOTONIC ns; 0: never */
	double value;			     /* histogram: the sum */
	u64 counts[];			     /* histogram: nr_bounds + 1, not cumulative */
};

struct rt_family_snapshot {
	const struct rt_family_desc *desc;
	const char *slots;
	u32 nr_slots;
	u32 stride;    /* bytes from slot to slot */
	u32 nr_series; /* slots in use */
};

struct rt_snapshot {
	struct rt_registry *registry;
	u64 lock_ns; /* how long the lock was held */
	u32 nr_families;
	struct rt_family_snapshot *families; /* in the order of output */
	char *data;
};

/* The registry must outlive its snapshots. 0 or -errno; *ret is untouched on failure. */
int rt_registry__snapshot(struct rt_registry *r, struct rt_snapshot **ret);
void rt_snapshot__free(struct rt_snapshot *s); /* NULL-safe */

static inline const struct rt_series *rt_family_snapshot__slot(const struct rt_family_snapshot *f,
							       u32 i)
{
	return (const struct rt_series *)(const void *)(f->slots + (size_t)i * f->stride);
}

#endif /* REDTAP_SNAPSHOT_H */
