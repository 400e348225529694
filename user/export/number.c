// SPDX-License-Identifier: Apache-2.0
/*
 * Numbers in expositions. Most values are whole or seconds, so those take a short way;
 * bounds are made once per family and page. Called by prometheus.c.
 *
 * Canonical bounds: OpenMetrics 1.0, "Considerations: Canonical Numbers".
 */
#include "export/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to here every whole number is a double of its own. */
#define EXACT_MAX 9007199254740992.0 /* 2^53 */

/* Up to here doubles are less than half a nanosecond apart, in seconds. */
#define NS_EXACT_MAX 4194304.0 /* 2^22 */

#define NS_PER_S  1000000000ull
#define NS_DIGITS 9

static size_t put_special(char *dst, double v)
{
	const char *s = isnan(v) ? "NaN" : v > 0 ? "+Inf" : "-Inf";
	size_t n = strlen(s);

	memcpy(dst, s, n);
	return n;
}

size_t rt_number__u64(char *dst, u64 v)
{
	char tmp[20];
	size_t at = sizeof(tmp);

	do {
		tmp[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	memcpy(dst, tmp + at, sizeof(tmp) - at);
	return sizeof(tmp) - at;
}

size_t rt_number__value(char dst[RT_NUMBER_MAX], double v)
{
	int n;

	if (!isfinite(v))
		return put_special(dst, v);
	if (v == floor(v) && fabs(v) <= EXACT_MAX) {
		if (v >= 0)
			return rt_number__u64(dst, (u64)v);
		dst[0] = '-';
		return 1 + rt_number__u64(dst + 1, (u64)-v);
	}
	n = snprintf(dst, RT_NUMBER_MAX, "%.15g", v);
	if (strtod(dst, NULL) != v)
		n = snprintf(dst, RT_NUMBER_MAX, "%.17g", v);
	return (size_t)n;
}

size_t rt_number__seconds(char dst[RT_NUMBER_MAX], double v)
{
	u64 ns, rest;
	size_t n;
	int i;

	if (!(v >= 0 && v <= NS_EXACT_MAX))
		return rt_number__value(dst, v);
	ns = (u64)(v * NS_PER_S + 0.5);
	n = rt_number__u64(dst, ns / NS_PER_S);
	rest = ns % NS_PER_S;
	if (!rest)
		return n;
	dst[n++] = '.';
	for (i = NS_DIGITS - 1; i >= 0; i--, rest /= 10)
		dst[n + (size_t)i] = (char)('0' + rest % 10);
	n += NS_DIGITS;
	while (dst[n - 1] == '0')
		n--;
	return n;
}

size_t rt_number__bound(char dst[RT_NUMBER_MAX], double v)
{
	const char *e;
	int digits, exponent, n;

	if (!isfinite(v))
		return put_special(dst, v);
	for (digits = 0; digits < 16; digits++) {
		snprintf(dst, RT_NUMBER_MAX, "%.*e", digits, v);
		if (strtod(dst, NULL) == v)
			break;
	}
	n = snprintf(dst, RT_NUMBER_MAX, "%.*e", digits, v);
	e = strchr(dst, 'e');
	exponent = e ? (int)strtol(e + 1, NULL, 10) : 0;
	if (exponent < -4 || exponent >= 6)
		return (size_t)n;
	/* Positional, with a point always: digits after it are what is left of the mantissa. */
	n = digits > exponent ? digits - exponent : 1;
	return (size_t)snprintf(dst, RT_NUMBER_MAX, "%.*f", n, v);
}
