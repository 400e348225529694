/* SPDX-License-Identifier: Apache-2.0 */
/* Time in nanoseconds, with a fake for tests. */
#ifndef REDTAP_CLOCK_H
#define REDTAP_CLOCK_H

#include "redtap/types.h"

u64 rt_clock__mono(void); /* CLOCK_MONOTONIC */
u64 rt_clock__wall(void); /* CLOCK_REALTIME, since 1970 */
/* The wall-clock time of a CLOCK_MONOTONIC stamp, by today's offset of the two. */
u64 rt_clock__wall_of(u64 mono_ns);
/* Tests: from now on both clocks stand at these values; 0, 0 goes back to real time. */
void rt_clock__fake(u64 mono_ns, u64 wall_ns);

/* "2024-02-29T23:59:59.000000001Z" and its NUL. */
#define RT_RFC3339_LEN 31
/* Writes a wall-clock time as RFC 3339 in UTC, with all nine digits of the second. */
void rt_clock__rfc3339(char out[RT_RFC3339_LEN], u64 wall_ns);

#endif /* REDTAP_CLOCK_H */
