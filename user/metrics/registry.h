/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metric families, label sets and their caps. The consumer's thread writes;
 * any thread may take a snapshot. A snapshot holds the registry's lock only
 * while values are copied, never while text is made.
 *
 * Names are given without Prometheus' `_total`, `_bucket`… suffixes; units
 * are the base units (seconds, bytes) and stand at the end of the name.
 */
#ifndef REDTAP_REGISTRY_H
#define REDTAP_REGISTRY_H

#include <stddef.h>

#include "util/slice.h"

#define RT_LABELS_MAX 12

/* Reaching one is never silent: a cut value ends in no half character, and
 * series beyond a cap are counted in redtap_series_overflow_total. */
enum rt_registry_limits {
	RT_LABEL_VALUE_MAX = 256,     /* bytes of one label value, after sanitising */
	RT_SERIES_MAX_DEFAULT = 2000, /* per family */
};

enum rt_metric_type {
	RT_COUNTER = 0,
	RT_GAUGE = 1,
	RT_HISTOGRAM = 2,
	RT_INFO = 3, /* gauge that is always 1; `_info` is part of the name given */
};

/* Static description; must outlive the registry. */
struct rt_family_desc {
	const char *name; /* "http_server_request_duration_seconds", "redtap_records" */
	const char *help;
	enum rt_metric_type type;
	const char *unit;		       /* "seconds", "bytes" or NULL */
	const char *labels[RT_LABELS_MAX + 1]; /* NULL-terminated */
	const double *bounds; /* histogram: upper bounds, ascending, without +Inf */
	u32 nr_bounds;
	bool expires;  /* series without a write for ttl are dropped whole */
	bool uncapped; /* for few series, of redtap's own: max_series is not for them */
};

struct rt_registry;
struct rt_metric; /* one family */
struct rt_series;

struct rt_registry_opts {
	/* per family; beyond it, writes go to one overflow series; 0: RT_SERIES_MAX_DEFAULT */
	u32 max_series;
	u64 ttl_ns; /* 0: never */
};

struct rt_registry *rt_registry__new(const struct rt_registry_opts *opts); /* NULL with errno */
void rt_registry__free(struct rt_registry *r);
/* Lock not held. Series beyond a lowered cap stay until they expire; a changed
 * cap changes the generation, so that cached overflow series are looked up anew. */
void rt_registry__set_opts(struct rt_registry *r, const struct rt_registry_opts *opts);

/* Registers a family, lock not held; order of registration is order of output,
 * save that `target_info` goes first (OpenMetrics) and the registry's own
 * `redtap_series_overflow` last. Aborts on a duplicate or misformed name
 * (programmer's error). NULL with errno when out of memory. */
struct rt_metric *rt_registry__add(struct rt_registry *r, const struct rt_family_desc *desc);

/* Writers bracket their work; rt_series pointers are good until expire(). */
void rt_registry__lock(struct rt_registry *r);
void rt_registry__unlock(struct rt_registry *r);

/* Find or create, lock held. `values` has one slice per label of the family;
 * invalid UTF-8 (and NUL, at which Prometheus' lexer stops) becomes U+FFFD,
 * values are cut to RT_LABEL_VALUE_MAX, empty ones stay and are left out of the
 * output. At the cap: the family's overflow series (redtap_overflow="true") and
 * the family's overflow counter goes up, once per lookup. Never NULL once the
 * family has one series; NULL only when out of memory. A family without labels
 * takes NULL for `values`. */
struct rt_series *rt_metric__series(struct rt_metric *m, const struct rt_slice *values);

/* Lock held. `now` is CLOCK_MONOTONIC ns, for the ttl. NULL series: no-op. So
 * is adding a negative number to a counter, and observing NaN. */
void rt_series__add(struct rt_series *s, double v, u64 now);
void rt_series__set(struct rt_series *s, double v, u64 now);
void rt_series__observe(struct rt_series *s, double v, u64 now);
/* Histogram: replaces counts (nr_bounds + 1 of them, not cumulative) and sum:
 * for values that are kept elsewhere. */
void rt_series__set_histogram(struct rt_series *s, const u64 *counts, double sum, u64 now);

/* Histogram: adds counts (nr_bounds + 1 of them, not cumulative) and sum of
 * values that were observed elsewhere. */
void rt_series__add_histogram(struct rt_series *s, const u32 *counts, double sum, u64 now);

/* Drops idle series of families that expire, whole. Lock not held. Returns how
 * many; when > 0 every cached rt_series pointer must be forgotten (generation
 * changes). A series that was never written counts as written at the first
 * call that meets it. The overflow series stays. */
u32 rt_registry__expire(struct rt_registry *r, u64 now);
u64 rt_registry__generation(const struct rt_registry *r);

#endif /* REDTAP_REGISTRY_H */
