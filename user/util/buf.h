/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing, NUL-terminated string with a hard cap and a sticky error: append
 * freely, check once at the end.
 *
 * Invariants: data is NULL only while cap is 0; data[len] is NUL otherwise.
 */
#ifndef REDTAP_BUF_H
#define REDTAP_BUF_H

#include <stddef.h>

#include "util/slice.h"

struct rt_buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max; /* hard cap in bytes; 0: RT_BUF_MAX_DEFAULT */
	int err;    /* 0, -ENOMEM or -E2BIG; once set, appends do nothing */
};

#define RT_BUF_MAX_DEFAULT ((size_t)256 << 20)
#define RT_BUF_INIT                                                                                \
	{                                                                                          \
		0                                                                                  \
	}

void rt_buf__put(struct rt_buf *b, const void *p, size_t n);
void rt_buf__puts(struct rt_buf *b, const char *s);
void rt_buf__putc(struct rt_buf *b, char c);
void rt_buf__printf(struct rt_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Appends a JSON string literal with its quotes; invalid UTF-8 becomes U+FFFD. */
void rt_buf__put_json(struct rt_buf *b, struct rt_slice s);
void rt_buf__put_u64(struct rt_buf *b, u64 v);
/* Forgets the content and the error, keeps the memory. */
void rt_buf__reset(struct rt_buf *b);
/* NULL-safe; leaves an empty buffer that may be used again. */
void rt_buf__free(struct rt_buf *b);

#endif /* REDTAP_BUF_H */
