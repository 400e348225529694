// SPDX-License-Identifier: Apache-2.0
/*
 * Weighted lists of HTTP headers. Lenient, as the input is anyone's: what is
 * malformed is skipped or counts as absent. Called by the content negotiation
 * of exporters and of the HTTP server.
 */
#include "util/qlist.h"

#include <strings.h>

static struct rt_slice trim(struct rt_slice s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* Cuts `rest` at the first `stop` outside of quotes; the stop itself is dropped. */
static struct rt_slice take_until(struct rt_slice *rest, u8 stop)
{
	struct rt_slice head = {rest->p, 0};
	bool quoted = false;
	u32 i;

	for (i = 0; i < rest->len; i++) {
		u8 c = rest->p[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (c == stop && !quoted)
			break;
	}
	if (i > rest->len)
		i = rest->len; /* a backslash was the last byte */
	head.len = i;
	rest->p += i;
	rest->len -= i;
	if (rest->len) {
		rest->p++;
		rest->len--;
	}
	return trim(head);
}

static bool is_name(struct rt_slice s, const char *name)
{
	return s.len == strlen(name) && strncasecmp((const char *)s.p, name, s.len) == 0;
}

static bool is_digit(u8 c)
{
	return c >= '0' && c <= '9';
}

/* qvalue = ( "0" [ "." 0*3DIGIT ] ) / ( "1" [ "." 0*3("0") ] ) */
static u32 parse_q(struct rt_slice s)
{
	u32 q, i, unit = 100;

	if (!s.len || !is_digit(s.p[0]) || (s.len > 1 && s.p[1] != '.'))
		return 1000;
	q = (u32)(s.p[0] - '0') * 1000;
	for (i = 2; i < s.len; i++, unit /= 10) {
		if (!is_digit(s.p[i]))
			return 1000;
		q += (u32)(s.p[i] - '0') * unit;
	}
	return q > 1000 ? 1000 : q;
}

bool rt_qlist__next(struct rt_slice *rest, struct rt_qitem *ret)
{
	struct rt_slice q;

	while (rest->len) {
		struct rt_slice item = take_until(rest, ',');

		if (!item.len)
			continue;
		ret->name = take_until(&item, ';');
		ret->params = item;
		ret->q = rt_qitem__param(ret, "q", &q) ? parse_q(q) : 1000;
		return true;
	}
	return false;
}

bool rt_qitem__param(const struct rt_qitem *item, const char *name, struct rt_slice *ret)
{
	struct rt_slice rest = item->params;

	while (rest.len) {
		struct rt_slice value = take_until(&rest, ';');
		struct rt_slice key = take_until(&value, '=');

		if (!is_name(key, name))
			continue;
		value = trim(value);
		if (value.len >= 2 && value.p[0] == '"' && value.p[value.len - 1] == '"') {
			value.p++;
			value.len -= 2;
		}
		*ret = value;
		return true;
	}
	return false;
}

bool rt_qitem__name_is(const struct rt_qitem *item, const char *name)
{
	return is_name(item->name, name);
}
