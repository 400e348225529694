/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collector brings values that are kept elsewhere (kernel maps, /proc) into
 * the registry, at scrape time. One file per source, one row in collectors.def.
 * The scrape's time per collector and its success are exported.
 */
#ifndef REDTAP_COLLECT_H
#define REDTAP_COLLECT_H

#include "metrics/registry.h"

struct rt_config;
struct rt_bpf;
struct rt_finisher;

/* What the agent supplies to all collectors; outlives them. Any may be NULL in tests. */
struct rt_collect_ctx {
	const struct rt_config *cfg;
	struct rt_bpf *bpf;
	struct rt_finisher *finisher;
	const u64 *samples_taken;  /* of what came as records, by enum rt_sample */
	const u64 *samples_unread; /* lines of the log of samples that nobody took */
};

struct rt_collector {
	const char *name;
	/* Registers families. 0 or -errno: then the collector is off, and its success is 0. */
	int (*init)(struct rt_registry *r, const struct rt_collect_ctx *ctx, void **ret_state);
	/* Reads the source; the registry's lock is not held, so that a slow
	 * source delays nobody. 0 or -errno: then nothing is written. */
	int (*read)(void *state);
	/* Writes what was read; the registry's lock is held. */
	void (*write)(void *state, u64 now);
	void (*fini)(void *state); /* NULL-safe; may itself be NULL */
};

struct rt_collect;

/* All collectors of collectors.def. NULL with errno. */
struct rt_collect *rt_collect__new(struct rt_registry *r, const struct rt_collect_ctx *ctx);
/* The same with a table of one's own, of n rows, which outlives the result. */
struct rt_collect *rt_collect__new_table(struct rt_registry *r, const struct rt_collect_ctx *ctx,
					 const struct rt_collector *const *table, size_t n);
/* Runs them all; before each scrape, from any thread, the registry's lock not held. */
void rt_collect__run(struct rt_collect *c);
void rt_collect__free(struct rt_collect *c); /* NULL-safe; the registry is still there */

#endif /* REDTAP_COLLECT_H */
