/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A collector brings values that are kept elsewhere (kernel maps, /proc) into
 * the registry, at scrape time. One file per source, one row in collectors.def.
 * The scrape's time per collector and its success are exported.
 */
#ifndef REDTAP_COLLECT_H
#define REDTAP_COLLECT_H

#include "metrics/registry.h"

struct rt_collector {
	const char *name;
	/* Registers families; `ctx` is what the agent supplies to all collectors. 0 or -errno. */
	int (*init)(struct rt_registry *r, void *ctx, void **ret_state);
	/* Writes values; the registry's lock is held. 0 or -errno. */
	int (*collect)(void *state, u64 now);
	void (*fini)(void *state); /* NULL-safe */
};

#endif /* REDTAP_COLLECT_H */
