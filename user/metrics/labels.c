// SPDX-License-Identifier: Apache-2.0
/*
 * Label values: sanitising, the key that identifies a label set, and the text
 * printed for it. Values come from the network, so nothing about their bytes
 * may be believed. Called by registry.c only.
 */
#include "metrics/labels.h"

#include "util/utf8.h"

#define KEY_SEP 0xff

u32 rt_labels__sanitise(struct rt_slice value, u8 *dst)
{
	const u8 *p = value.p, *end;
	u32 n = 0, len;

	if (!value.len)
		return 0;
	end = p + value.len;
	while (p < end) {
		const u8 *src = p;

		if (*p && *p < 0x80) {
			if (n == RT_LABEL_VALUE_MAX)
				break;
			dst[n++] = *p++;
			continue;
		}
		len = *p ? rt_utf8_len(p, (size_t)(end - p)) : 0;
		p += len ? len : 1;
		if (!len) {
			src = (const u8 *)"\xef\xbf\xbd";
			len = 3;
		}
		if (n + len > RT_LABEL_VALUE_MAX)
			break;
		memcpy(dst + n, src, len);
		n += len;
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
