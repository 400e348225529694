/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the kernel's exchange records to finished requests: parses the heads,
 * decides whether an exchange is over and how it ended, and sees to it that
 * each is told once. Owned by the consumer's thread; the counts may be read by
 * any thread.
 */
#ifndef REDTAP_FINISH_H
#define REDTAP_FINISH_H

#include "meta/meta.h"
#include "red/red.h"

/* Told once per exchange that was found to be a request. `x`, `op` and
 * `process` are good until the call returns. */
typedef void (*rt_finished_fn)(void *ctx, const struct rt_finished *f);
/* Told per sweep for every exchange in flight. */
typedef void (*rt_active_fn)(void *ctx, const struct rt_active *a);

/* started here and in the kernel = finished + aborted + rejected + endless + evicted
 * here and in the kernel + in flight */
struct rt_finish_counts {
	u64 started;   /* on pipelined connections, but for the first there */
	u64 finished;  /* a full response came */
	u64 aborted;   /* it ended without one */
	u64 rejected;  /* it looked like a request and was none */
	u64 evicted;   /* pipelined, and a piece was lost; or counted, and what tells whose it was */
	u64 endless;   /* reported by silence, not told, and its socket went without its end: that
			* record was lost, or the kernel skipped the program */
	u64 in_flight; /* at the last sweep */
	u64 bad;       /* records that contradict themselves; always 0 unless there is a bug */
	u64 pipelined; /* of those told: their request turn held more than one request */
	u64 streamed;  /* of those told: they came on pipelined connections */
	u64 torn;      /* pipelined connections of which a piece was missing that mattered */
	u64 unframed;  /* finished by silence, as their end could not be told from their head */
};

struct rt_finisher;

/* NULL with errno. */
struct rt_finisher *rt_finisher__new(rt_finished_fn fn, rt_active_fn active, void *ctx);
void rt_finisher__free(struct rt_finisher *f); /* NULL-safe */

/* One RT_EV_EXCHANGE record of `len` bytes. `meta` names its process. */
void rt_finisher__exchange(struct rt_finisher *f, struct rt_meta *meta, const struct rt_exchange *x,
			   u32 len);

/* One RT_EV_CHUNK record of `len` bytes. */
void rt_finisher__chunk(struct rt_finisher *f, struct rt_meta *meta, const struct rt_chunk *c,
			u32 len);

/* Brackets one sweep. */
void rt_finisher__sweep_begin(struct rt_finisher *f);
void rt_finisher__active(struct rt_finisher *f, const struct rt_active *a);
/* The kernel counted so many more exchanges in place: with a full response, of which all
 * is known, or nobody knows whose. */
void rt_finisher__add_counted(struct rt_finisher *f, u64 named, u64 nameless);
void rt_finisher__sweep_end(struct rt_finisher *f);
/* Instead: the sweep met not all there are, so whom it did not meet is not gone for that. */
void rt_finisher__sweep_failed(struct rt_finisher *f);

void rt_finisher__counts(const struct rt_finisher *f, struct rt_finish_counts *ret);

#endif /* REDTAP_FINISH_H */
