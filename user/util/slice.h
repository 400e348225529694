/* SPDX-License-Identifier: Apache-2.0 */
/* A borrowed run of bytes: not NUL-terminated, never freed through the slice. */
#ifndef REDTAP_SLICE_H
#define REDTAP_SLICE_H

#include <string.h>
#include <strings.h>

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

/* The same, ASCII case ignored. */
static inline bool rt_slice_is_nocase(struct rt_slice a, const char *s)
{
	return a.len == strlen(s) && strncasecmp((const char *)a.p, s, a.len) == 0;
}

/* s without its first n bytes; n is at most s.len. */
static inline struct rt_slice rt_slice_skip(struct rt_slice s, u32 n)
{
	return (struct rt_slice){s.p + n, s.len - n};
}

/* Without spaces and tabs at both ends. */
static inline struct rt_slice rt_slice_trim(struct rt_slice s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = rt_slice_skip(s, 1);
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Index of the first byte `b`; s.len when there is none. */
static inline u32 rt_slice_find(struct rt_slice s, u8 b)
{
	const u8 *q = s.len ? memchr(s.p, b, s.len) : NULL;

	return q ? (u32)(q - s.p) : s.len;
}

/* What follows the last byte `b`; all of s when there is none. */
static inline struct rt_slice rt_slice_after_last(struct rt_slice s, u8 b)
{
	const u8 *q = s.len ? memrchr(s.p, b, s.len) : NULL;

	return q ? rt_slice_skip(s, (u32)(q - s.p) + 1) : s;
}

static inline bool rt_slice_ends(struct rt_slice s, const char *end)
{
	u32 n = (u32)strlen(end);

	return s.len >= n && memcmp(s.p + s.len - n, end, n) == 0;
}

#endif /* REDTAP_SLICE_H */
