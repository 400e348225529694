/* SPDX-License-Identifier: Apache-2.0 */
/* What the finisher (finish.c) shares with the follower of pipelined connections
 * (stream.c), which tells its requests through it. */
#ifndef REDTAP_FINISH_IMPL_H
#define REDTAP_FINISH_IMPL_H

#include "red/finish.h"

struct silent;
struct rt_streams;

struct rt_finisher {
	rt_finished_fn fn;
	rt_active_fn active;
	void *ctx;
	struct silent *silent;
	struct silent *waiting; /* of those, what is not told yet */
	struct rt_streams *streams;
	u32 round;
	u64 seen_in_flight; /* during a sweep */
	struct rt_finish_counts counts;
};

static inline void rt_finisher__count(u64 *c)
{
	__atomic_fetch_add(c, 1, __ATOMIC_RELAXED);
}

enum rt_answer {
	RT_ANSWER_WHOLE,
	RT_ANSWER_UNTIL_CLOSE, /* whole if the connection was ended by who sent it */
	RT_ANSWER_PART,	       /* owed, or a part of it, or none */
};

/* Tells a request and its response, made into a record of `len` bytes; the flags say
 * how the connection ended, if it did. */
void rt_finisher__tell(struct rt_finisher *f, struct rt_meta *meta, const struct rt_exchange *x,
		       u32 len, enum rt_answer answer);

/* Pipelined connections: NULL with errno. */
struct rt_streams *rt_streams__new(struct rt_finisher *f);
void rt_streams__free(struct rt_streams *all); /* NULL-safe */
/* A record with RT_X_STREAM, found to be in order. */
void rt_streams__exchange(struct rt_streams *all, struct rt_meta *meta,
			  const struct rt_exchange *x);
/* One RT_EV_CHUNK record, of `data_len` bytes of data. */
void rt_streams__chunk(struct rt_streams *all, struct rt_meta *meta, const struct rt_chunk *c,
		       u32 data_len);
/* The sweep: a connection that is open, and those that no sweep has seen for long. */
void rt_streams__active(struct rt_streams *all, const struct rt_active *a);
void rt_streams__sweep_end(struct rt_streams *all);
void rt_streams__sweep_failed(struct rt_streams *all);

#endif /* REDTAP_FINISH_IMPL_H */
