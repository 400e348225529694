/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounds-checked reader: the only way parsers touch network bytes. A read
 * past the end fails and leaves the cursor where it was.
 */
#ifndef REDTAP_CUR_H
#define REDTAP_CUR_H

#include "util/slice.h"

struct rt_cur {
	const u8 *p;
	const u8 *end;
};

static inline struct rt_cur rt_cur_init(struct rt_slice s)
{
	return (struct rt_cur){s.p, s.len ? s.p + s.len : s.p};
}

static inline u32 rt_cur_left(const struct rt_cur *c)
{
	return (u32)(c->end - c->p);
}

/* The next byte without taking it; -1 at the end. */
static inline int rt_cur_peek(const struct rt_cur *c)
{
	return c->p < c->end ? *c->p : -1;
}

static inline int rt_cur_byte(struct rt_cur *c)
{
	return c->p < c->end ? *c->p++ : -1;
}

/* Takes n bytes as a slice. Returns false and takes nothing when fewer are left. */
static inline bool rt_cur_take(struct rt_cur *c, u32 n, struct rt_slice *ret)
{
	if (rt_cur_left(c) < n)
		return false;
	*ret = (struct rt_slice){c->p, n};
	c->p += n;
	return true;
}

/* Takes the bytes up to, not including, the first `stop`; the stop byte itself
 * is left. Returns false and takes nothing when there is no stop byte. */
static inline bool rt_cur_until(struct rt_cur *c, u8 stop, struct rt_slice *ret)
{
	const u8 *q = rt_cur_left(c) ? memchr(c->p, stop, rt_cur_left(c)) : NULL;

	if (!q)
		return false;
	*ret = (struct rt_slice){c->p, (u32)(q - c->p)};
	c->p = q;
	return true;
}

/* Takes a line and its LF; gives it without LF and without the CR before it.
 * Returns false and takes nothing when there is no LF. */
static inline bool rt_cur_line(struct rt_cur *c, struct rt_slice *ret)
{
	if (!rt_cur_until(c, '\n', ret))
		return false;
	c->p++;
	if (ret->len && ret->p[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

#endif /* REDTAP_CUR_H */
