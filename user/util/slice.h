/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes: not NUL-terminated, never freed through the slice. */
#ifndef REDTAP_SLICE_H
#define REDTAP_SLICE_H

#include <string.h>

#include "redtap/types.h"

struct rt_slice {
	const u8 *p; /* may be NULL when len is 0 */
	u32 len;
};

static inline struct rt_slice rt_slice_str(const char *s)
{
	return (struct rt_slice){(const u8 *)s, s ? (u32)strlen(s) : 0};
}

static inline bool rt_slice_eq(struct rt_slice a, struct rt_slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool rt_slice_is(struct rt_slice a, const char *s)
{
	return rt_slice_eq(a, rt_slice_str(s));
}

#endif /* REDTAP_SLICE_H */
