/* SPDX-License-Identifier: Apache-2.0 */
/* What registry.c and snapshot.c share; no one else includes this. */
#ifndef REDTAP_REGISTRY_IMPL_H
#define REDTAP_REGISTRY_IMPL_H

#include <pthread.h>

#include "metrics/snapshot.h"

struct rt_labels;

struct rt_metric {
	const struct rt_family_desc *desc;
	struct rt_registry *registry;
	u32 nr_labels;
	u32 nr_counts;	 /* of a histogram; else 0 */
	u32 stride;	 /* bytes of a slot */
	u32 block_slots; /* slots of a block */
	char **blocks; /* never move and never shrink: series pointers stay good */
	u32 nr_blocks;
	u32 nr_series; /* without the overflow series */
	u32 hint;      /* no slot below is free */
	struct rt_labels *index;
	struct rt_series *overflow_counter; /* in redtap_series_overflow; NULL: none */
};

struct rt_registry {
	/* Readers come rarely and writers often: a waiting reader closes the
	 * gate, or an unfair mutex would let the writer win again and again. */
	pthread_mutex_t gate;
	bool reader_waiting;

	pthread_mutex_t mutex; /* of all below */
	struct rt_registry_opts opts;
	struct rt_metric **metrics;
	u32 nr_metrics;
	struct rt_metric *overflow; /* redtap_series_overflow, last in the output */
	u64 generation;
	size_t slot_bytes; /* of all blocks */

	/* Label texts of dropped series live on while a snapshot may show them. */
	u32 nr_snapshots;
	struct rt_labels *dead;
};

/* Like rt_registry__lock(), ahead of writers that come in a loop. */
void rt_registry__lock_reader(struct rt_registry *r);
/* Lock held, no snapshot left. */
void rt_registry__bury(struct rt_registry *r);

#endif /* REDTAP_REGISTRY_IMPL_H */
