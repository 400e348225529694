/* SPDX-License-Identifier: Apache-2.0 */
/* Well-formed UTF-8, by Unicode's table 3-7: no overlong form, no surrogate, nothing past U+10FFFF.
 */
#ifndef REDTAP_UTF8_H
#define REDTAP_UTF8_H

#include <string.h>

#include "redtap/types.h"

/* Bytes of the well-formed sequence at p, of `left` > 0 bytes; 0: there is none. */
static inline u32 rt_utf8_len(const u8 *p, size_t left)
{
	u8 lo = 0x80, hi = 0xbf;
	u32 n, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > left)
		return 0;

	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (i = 2; i < n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return n;
}

/* The code point of the `n` bytes that rt_utf8_len() approved of. */
static inline u32 rt_utf8_point(const u8 *p, u32 n)
{
	u32 cp = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	u32 i;

	for (i = 1; i < n; i++)
		cp = cp << 6 | (p[i] & 0x3f);
	return cp;
}

/* Bytes of what is at p that a terminal may be shown; 0: no UTF-8, or a control character, of
 * which there are some above 0x7f. */
static inline u32 rt_utf8_plain(const u8 *p, size_t left)
{
	u32 n = rt_utf8_len(p, left);
	u32 point = n ? rt_utf8_point(p, n) : 0;

	return point < 0x20 || (point >= 0x7f && point < 0xa0) ? 0 : n;
}

/* Replaces each byte that is not plain. */
static inline void rt_utf8_make_plain(char *text)
{
	size_t left = strlen(text);
	u32 n;

	for (u8 *p = (u8 *)text; left; p += n, left -= n) {
		n = rt_utf8_plain(p, left);
		if (n)
			continue;
		*p = '?';
		n = 1;
	}
}

#endif /* REDTAP_UTF8_H */
