/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as the expositions want them. Private to user/export. */
#ifndef REDTAP_NUMBER_H
#define REDTAP_NUMBER_H

#include <stddef.h>

#include "redtap/types.h"

/* Longest text a function writes, without a NUL. */
#define RT_NUMBER_MAX 32

/* A sample's value: whole numbers without a fraction, else the shortest of 15
 * or 17 digits that reads back the same; +Inf, -Inf, NaN. Returns the length. */
size_t rt_number__value(char dst[RT_NUMBER_MAX], double v);
/* A sum of measured durations, in seconds: to the nanosecond, as whole ones were added up, and what
 * a double adds to them is left out. */
size_t rt_number__seconds(char dst[RT_NUMBER_MAX], double v);
size_t rt_number__u64(char *dst, u64 v); /* at most 20 bytes */
/* A bucket's bound in OpenMetrics' canonical form: 0.005, 1.0, 1e+06, +Inf. */
size_t rt_number__bound(char dst[RT_NUMBER_MAX], double v);

#endif /* REDTAP_NUMBER_H */
