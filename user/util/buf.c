// SPDX-License-Identifier: Apache-2.0
/*
 * The growing string that everything printed is built in: expositions, JSON,
 * log lines. Memory doubles up to the buffer's cap. An append that does not
 * fit sets the sticky error and adds nothing, not even a part of itself, so
 * the content is always a run of whole appends. Not for sharing between
 * threads.
 */
#include "util/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/huge.h"
#include "util/utf8.h"

#define FIRST_CAP 64

/* Makes room for `extra` more bytes and the NUL. */
static bool reserve(struct rt_buf *b, size_t extra)
{
	size_t max = b->max ? b->max : RT_BUF_MAX_DEFAULT;
	size_t cap;
	char *data;

	if (b->err)
		return false;
	if (b->len > max || extra > max - b->len) {
		b->err = -E2BIG;
		return false;
	}
	if (b->len + extra < b->cap)
		return true;

	cap = b->cap ? b->cap : FIRST_CAP;
	while (cap <= b->len + extra)
		cap *= 2;
	if (cap > max + 1)
		cap = max + 1;
	data = realloc(b->data, cap);
	if (!data) {
		b->err = -ENOMEM;
		return false;
	}
	rt_huge__advise(data, cap);
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return true;
}

void rt_buf__put(struct rt_buf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void rt_buf__puts(struct rt_buf *b, const char *s)
{
	rt_buf__put(b, s, strlen(s));
}

void rt_buf__putc(struct rt_buf *b, char c)
{
	rt_buf__put(b, &c, 1);
}

void rt_buf__printf(struct rt_buf *b, const char *fmt, ...)
{
	size_t room;
	va_list ap;
	int n;

	if (!reserve(b, 0))
		return;
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	va_end(ap);

	if (n >= 0 && (size_t)n >= room) {
		b->data[b->len] = '\0';
		if (!reserve(b, (size_t)n))
			return;
		va_start(ap, fmt);
		n = vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	if (n < 0) {
		b->data[b->len] = '\0';
		b->err = -ENOMEM;
		return;
	}
	b->len += (size_t)n;
}

void rt_buf__put_u64(struct rt_buf *b, u64 v)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	rt_buf__put(b, digits + at, sizeof(digits) - at);
}

/* The letter after the backslash for the bytes that have a short escape, else 0. */
static char short_escape(u8 c)
{
	switch (c) {
	case '"':
	case '\\':
		return (char)c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

void rt_buf__put_json(struct rt_buf *b, struct rt_slice s)
{
	size_t start = b->len;
	u32 i = 0, run = 0; /* [run, i): plain bytes not yet copied */
	char escape;
	u32 n;

	rt_buf__putc(b, '"');
	while (i < s.len) {
		n = rt_utf8_len(s.p + i, s.len - i);
		if (n > 1 || (n == 1 && s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\')) {
			i += n;
			continue;
		}
		rt_buf__put(b, s.p + run, i - run);
		escape = short_escape(s.p[i]);
		if (n == 0)
			rt_buf__puts(b, "\xef\xbf\xbd");
		else if (escape)
			rt_buf__put(b, (char[]){'\\', escape}, 2);
		else
			rt_buf__printf(b, "\\u%04x", s.p[i]);
		run = ++i;
	}
	if (i > run)
		rt_buf__put(b, s.p + run, i - run);
	rt_buf__putc(b, '"');

	if (b->err && b->data && b->len > start) {
		b->len = start;
		b->data[start] = '\0';
	}
}

void rt_buf__reset(struct rt_buf *b)
{
	b->len = 0;
	b->err = 0;
	if (b->data)
		b->data[0] = '\0';
}

void rt_buf__free(struct rt_buf *b)
{
	if (!b)
		return;
	free(b->data);
	*b = (struct rt_buf){.max = b->max};
}
