/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Teaches the kernel which requests it may count in place, and collects what it
 * counted (redtap/cells.h). A request that came as a record and whose rule's key
 * is seen for the second time gets a rule: paths that never repeat cost nothing
 * but a look. All from the consumer's thread.
 *
 * A rule that nobody used for a minute or two is forgotten; so is a slot without
 * rules, once it is read for the last time.
 */
#ifndef REDTAP_LEARN_H
#define REDTAP_LEARN_H

#include <stddef.h>

#include "redtap/cells.h"

/* The kernel's side; tests bring their own. */
struct rt_learn_ops {
	int (*put)(void *ctx, const struct rt_rule *rule, bool fresh);
	int (*spare)(void *ctx, u32 slot); /* NULL: the kernel gives none away */
	u64 (*spare_key)(void *ctx, u32 slot); /* of the rule it made for one; 0: none yet */
	int (*get)(void *ctx, u64 key, struct rt_rule *ret);
	int (*del)(void *ctx, u64 key);
	void (*moved)(void *ctx); /* after del, or put of what was there: look rules up anew */
	void (*sums)(void *ctx, u32 slot, struct rt_cell *ret);
	int (*hist)(void *ctx, u32 slot, struct rt_hist *ret);
};

/* What one slot counted since the last look, in the buckets that are exported;
 * counts are not cumulative. */
struct rt_counted {
	u64 requests;
	u32 duration[RT_NR_DURATION_BOUNDS + 1];
	u32 ttfb[RT_NR_DURATION_BOUNDS + 1];
	u32 request_size[RT_NR_SIZE_BOUNDS + 1];
	u32 response_size[RT_NR_SIZE_BOUNDS + 1];
	struct rt_cell sums;
};

/* `what` is the caller's, as given to rt_learn__rule(); NULL: the kernel gave the slot away by
 * itself, and nobody said for what within some seconds. */
typedef void (*rt_counted_fn)(void *ctx, void *what, const struct rt_counted *c, u64 now);
typedef void (*rt_release_fn)(void *what);

/* From now on the slot counts `what`; NULL: nothing. */
typedef void (*rt_placed_fn)(void *ctx, u32 slot, void *what);

struct rt_learn;

/* `release` is called for each `what` that is not needed any more. NULL with errno. */
struct rt_learn *rt_learn__new(const struct rt_learn_ops *ops, void *ops_ctx, u32 nr_slots,
			       rt_release_fn release);
void rt_learn__free(struct rt_learn *l); /* NULL-safe */

/* `fn` is told of each slot before the kernel may use it for something else (but for those
 * that the kernel gives away by itself: as soon as that is known). Before any rule. */
void rt_learn__watch(struct rt_learn *l, rt_placed_fn fn, void *ctx);

/* Whether a record's key was there before, lately: then a rule is worth it. */
bool rt_learn__repeats(struct rt_learn *l, u64 key);

/* Whether rt_learn__rule() was not called for this key and status lately. A rule
 * whose records still come is not forgotten, though the kernel may not use it. */
bool rt_learn__forgot(struct rt_learn *l, u64 key, u16 status);

/* Requests with this key and status go to the slot that `id` (n bytes, at most
 * RT_LEARN_ID_MAX) names. When there is none yet, `make` is called for its `what`;
 * NULL: leave it. */
#define RT_LEARN_ID_MAX 112
void rt_learn__rule(struct rt_learn *l, u64 key, u16 status, const void *id, size_t n,
		    void *(*make)(void *ctx), void *make_ctx, u64 now);

/* The same for a key whose rule the kernel may have made by itself, to a spare slot:
 * what was counted there is then known to be `what`. */
void rt_learn__other(struct rt_learn *l, u64 key, u16 status, const void *id, size_t n,
		     void *(*make)(void *ctx), void *make_ctx, u64 now);

/* Reads what was counted since the last call; call it often (twice a second). */
void rt_learn__fold(struct rt_learn *l, rt_counted_fn fn, void *ctx, u64 now);

/* Names have changed: every rule goes; what was counted until then is still folded. */
void rt_learn__forget(struct rt_learn *l);

#endif /* REDTAP_LEARN_H */
