/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus text 0.0.4 and OpenMetrics 1.0 from a registry.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 * https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
#ifndef REDTAP_PROMETHEUS_H
#define REDTAP_PROMETHEUS_H

#include "metrics/registry.h"
#include "util/buf.h"

enum rt_exposition { RT_EXPO_TEXT_0_0_4 = 0, RT_EXPO_OPENMETRICS_1_0 = 1 };

/* Content-Type of each. */
extern const char *const rt_expo_content_type[];

/* Chooses by an Accept header (NULL: text), by q values; unknown types: text. */
enum rt_exposition rt_expo__negotiate(const char *accept);

/* Appends the whole page. Takes the registry's lock itself, for the copy only.
 * Returns 0 or -errno (then *out is not a page). */
int rt_expo__render(struct rt_registry *r, enum rt_exposition format, struct rt_buf *out);

#endif /* REDTAP_PROMETHEUS_H */
