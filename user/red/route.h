/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names the route of a path: configured patterns first, else inferred, else "".
 * Inference per service: numbers, UUIDs, hex of 8 or more, base64-like or
 * over-long (> 32) segments that do not read as words fold to {id}, {uuid},
 * {hex}, {token}; a position with more than 10 distinct values becomes {var};
 * past 100 routes {other}.
 */
#ifndef REDTAP_ROUTE_H
#define REDTAP_ROUTE_H

#include "config/config.h"
#include "util/slice.h"

struct rt_routes;

struct rt_routes *rt_routes__new(const struct rt_config *cfg); /* NULL with errno */
void rt_routes__free(struct rt_routes *r);
void rt_routes__reload(struct rt_routes *r, const struct rt_config *cfg);

/* `path` is without query, percent-encoding as sent; `status` of the response, 0:
 * there was none: many say nothing of whether there is such a path. Returns a string
 * good until reload or free (interned, at most 100 + patterns per service). */
const char *rt_routes__name(struct rt_routes *r, u64 resource_id, struct rt_slice path,
			    bool path_cut, u32 status);

/* Whether a path with another value (number, UUID, hex of 8 or more) in the place of one
 * of this one's may have another name, by a pattern that has a value in it. */
bool rt_routes__tells_values(const struct rt_routes *r, struct rt_slice path);

/* Moves when a path that was named before may have another name now. */
u32 rt_routes__generation(const struct rt_routes *r);

#endif /* REDTAP_ROUTE_H */
