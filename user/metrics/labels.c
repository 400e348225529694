// SPDX-License-Identifier: Apache-2.0
/*
 * Label values: sanitising, the key that identifies a label set, and the text
 * printed for it. Values come from the network, so nothing about their bytes
 * may be believed. Called by registry.c only.
 *
 * UTF-8: Unicode 15, table 3-7; ill-formed input is replaced by "maximal
 * subparts" (section 3.9), as web browsers and Go's decoders nearly do.
 */
#include "metrics/labels.h"

#define KEY_SEP 0xff

/* Length of the well-formed sequence at p, or minus the length of the maximal
 * ill-formed subpart there. */
static int utf8_sequence(const u8 *p, const u8 *end)
{
	u8 lo = 0x80, hi = 0xbf;
	int need, i;

	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		need = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		need = 3;
		if (p[0] == 0xe0)
			lo = 0xa0; /* overlong */
		if (p[0] == 0xed)
			hi = 0x9f; /* surrogates */
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		need = 4;
		if (p[0] == 0xf0)
			lo = 0x90; /* overlong */
		if (p[0] == 0xf4)
			hi = 0x8f; /* beyond U+10FFFF */
	} else {
		return p[0] && p[0] < 0x80 ? 1 : -1;
	}
	for (i = 1; i < need; i++) {
		if (p + i >= end || p[i] < lo || p[i] > hi)
			return -i;
		lo = 0x80;
		hi = 0xbf;
	}
	return need;
}

u32 rt_labels__sanitise(struct rt_slice value, u8 *dst)
{
	const u8 *p = value.p, *end;
	u32 n = 0;

	if (!value.len)
		return 0;
	end = p + value.len;
	while (p < end) {
		const u8 *src = p;
		int len;

		if (*p && *p < 0x80) {
			if (n == RT_LABEL_VALUE_MAX)
				break;
			dst[n++] = *p++;
			continue;
		}
		len = utf8_sequence(p, end);
		if (len > 0) {
			p += len;
		} else {
			p += -len;
			src = (const u8 *)"\xef\xbf\xbd";
			len = 3;
		}
		if (n + (u32)len > RT_LABEL_VALUE_MAX)
			break;
		memcpy(dst + n, src, (size_t)len);
		n += (u32)len;
	}
	return n;
}

u32 rt_labels__key(const struct rt_slice *values, u32 n, u8 *dst)
{
	u32 len = 0, i;

	for (i = 0; i < n; i++) {
		len += rt_labels__sanitise(values[i], dst + len);
		dst[len++] = KEY_SEP;
	}
	return len;
}

static u32 put(char *dst, u32 at, const char *s, u32 n)
{
	if (dst)
		memcpy(dst + at, s, n);
	return at + n;
}

u32 rt_labels__body(const char *const *names, const u8 *key, u32 key_len, char *dst)
{
	const u8 *p = key, *end = key + key_len;
	u32 n = 0;

	for (; p < end; names++, p++) {
		if (*p == KEY_SEP)
			continue;
		if (n)
			n = put(dst, n, ",", 1);
		n = put(dst, n, *names, (u32)strlen(*names));
		n = put(dst, n, "=\"", 2);
		for (; *p != KEY_SEP; p++) {
			if (*p == '\\')
				n = put(dst, n, "\\\\", 2);
			else if (*p == '"')
				n = put(dst, n, "\\\"", 2);
			else if (*p == '\n')
				n = put(dst, n, "\\n", 2);
			else
				n = put(dst, n, (const char *)p, 1);
		}
		n = put(dst, n, "\"", 1);
	}
	return n;
}
