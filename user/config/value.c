// SPDX-License-Identifier: Apache-2.0
/*
 * Texts of single values: reading them, checking them, writing them back.
 * Pure functions without memory of their own; called by option.c, services.c
 * and print.c. Whether a path or a process exists is not asked here: the
 * module that opens it says so.
 */
#include "config/option.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/suggest.h"
#include "util/utf8.h"

#define PID_LIMIT      4194304ull /* the kernel's PID_MAX_LIMIT */
#define RING_SIZE_MAX  (1ull << 30)
/* Of all families together, with labels of usual lengths, a page stays below RT_BUF_MAX_DEFAULT. */
#define MAX_SERIES_MAX 10000ull
#define RATE_MAX       1000000ull

struct unit {
	const char *suffix;
	u64 factor;
};

/* From the largest down: writing picks the first that divides. */
static const struct unit byte_units[] = {
	{"G", 1ull << 30}, {"M", 1 << 20}, {"K", 1 << 10}, {"", 1}};
static const struct unit time_units[] = {
	{"h", 3600000000000ull}, {"m", 60000000000ull}, {"s", 1000000000ull},
	{"ms", 1000000ull},	 {"us", 1000ull},	{"ns", 1ull},
};

/* Digits only, at least one; *ret_end is what follows them. */
static bool parse_digits(const char *text, u64 *ret, const char **ret_end)
{
	const char *p = text;
	u64 v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (u64)(*p - '0'), &v))
			return false;
	if (p == text)
		return false;
	*ret = v;
	*ret_end = p;
	return true;
}

static bool parse_scaled(const char *text, const struct unit *units, size_t n, u64 *ret)
{
	const char *suffix;
	size_t i;
	u64 v;

	if (!parse_digits(text, &v, &suffix))
		return false;
	for (i = 0; i < n; i++)
		if (strcmp(suffix, units[i].suffix) == 0)
			return !__builtin_mul_overflow(v, units[i].factor, ret);
	return false;
}

bool rt_parse_uint(const char *text, u64 *ret)
{
	const char *end;
	u64 v;

	if (!parse_digits(text, &v, &end) || *end)
		return false;
	*ret = v;
	return true;
}

bool rt_parse_bytes(const char *text, u64 *ret)
{
	return parse_scaled(text, byte_units, RT_ARRAY_SIZE(byte_units), ret);
}

bool rt_parse_duration(const char *text, u64 *ret_ns)
{
	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return true;
	}
	return parse_scaled(text, time_units, RT_ARRAY_SIZE(time_units), ret_ns);
}

bool rt_parse_bool(const char *text, bool *ret)
{
	static const char *const yes[] = {"true", "yes", "on", "1"};
	static const char *const no[] = {"false", "no", "off", "0"};
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(yes); i++) {
		/* YAML has True and TRUE too, and so have those that write it. */
		if (strcasecmp(text, yes[i]) != 0 && strcasecmp(text, no[i]) != 0)
			continue;
		*ret = strcasecmp(text, yes[i]) == 0;
		return true;
	}
	return false;
}

int rt_parse_enum(const char *text, const char *names)
{
	size_t len = strlen(text), n;
	int i;

	for (i = 0;; i++) {
		n = strcspn(names, "|");
		if (n == len && memcmp(text, names, n) == 0)
			return i;
		if (!names[n])
			return -1;
		names += n + 1;
	}
}

static void format_scaled(struct rt_buf *b, u64 v, const struct unit *units)
{
	while (v % units->factor)
		units++;
	rt_buf__put_u64(b, v / units->factor);
	rt_buf__puts(b, units->suffix);
}

void rt_format_bytes(struct rt_buf *b, u64 v)
{
	if (v == 0)
		rt_buf__puts(b, "0");
	else
		format_scaled(b, v, byte_units);
}

void rt_format_duration(struct rt_buf *b, u64 ns)
{
	if (ns == 0)
		rt_buf__puts(b, "0");
	else
		format_scaled(b, ns, time_units);
}

void rt_format_enum(struct rt_buf *b, int v, const char *names)
{
	while (v-- > 0)
		names += strcspn(names, "|") + 1;
	rt_buf__put(b, names, strcspn(names, "|"));
}

const char *rt_check_text(const char *text)
{
	const u8 *p = (const u8 *)text;
	size_t left = strlen(text);
	u32 n;

	if (left == 0)
		return "is empty";
	for (; left; p += n, left -= n) {
		n = rt_utf8_len(p, left);
		if (n == 0)
			return "is not UTF-8";
		if (*p < 0x20 || *p == 0x7f)
			return "holds a control character";
	}
	return NULL;
}

static bool is_port(const char *text, u64 *ret, u64 least)
{
	return rt_parse_uint(text, ret) && *ret >= least && *ret <= UINT16_MAX;
}

const char *rt_check_listen(const char *text)
{
	static const char wrong[] =
		"is not an address and a port, like 127.0.0.1:9733, [::1]:9733 or :9733";
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE + 2];
	struct in6_addr addr;
	size_t len;
	u64 port;

	if (!colon || !is_port(colon + 1, &port, 0)) /* 0: the kernel picks one */
		return wrong;
	len = (size_t)(colon - text);
	if (len == 0)
		return NULL;
	if (len >= sizeof(host))
		return wrong;
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		/* Behind %, the interface of a link-local one. */
		host[1 + strcspn(host + 1, "%")] = '\0';
		return inet_pton(AF_INET6, host + 1, &addr) == 1 ? NULL : wrong;
	}
	if (strcmp(host, "localhost") == 0)
		return NULL;
	return inet_pton(AF_INET, host, &addr) == 1 ? NULL : wrong;
}

const char *rt_check_pid(const char *text)
{
	u64 pid;

	return rt_parse_uint(text, &pid) && pid >= 1 && pid <= PID_LIMIT ? NULL : "is not a pid";
}

const char *rt_check_port(const char *text)
{
	static const char wrong[] = "is not a port, like 80, nor a range of ports, like 8000-8100";
	const char *dash = strchr(text, '-');
	char first[8];
	u64 lo, hi;

	if (!dash)
		return is_port(text, &lo, 1) ? NULL : wrong;
	if ((size_t)(dash - text) >= sizeof(first))
		return wrong;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (!is_port(first, &lo, 1) || !is_port(dash + 1, &hi, 1))
		return wrong;
	return lo <= hi ? NULL : "is a range of ports that ends before it starts";
}

const char *rt_check_ring_size(const char *text)
{
	u64 page = (u64)sysconf(_SC_PAGESIZE);
	u64 v;

	if (!rt_parse_bytes(text, &v))
		return NULL; /* not ours to tell */
	if ((v & (v - 1)) != 0)
		return "is not a power of two";
	if (v < page)
		return "is less than a page of memory, mostly 4K";
	return v <= RING_SIZE_MAX ? NULL : "is more than 1G";
}

const char *rt_check_feature(const char *text)
{
	/* As the option takes them: the ids in lower case. */
	static __thread char names[][16] = {
#define FEATURE(id, text, need) #id,
#include "redtap/features.def"
#undef FEATURE
	};
	static __thread char wrong[96];
	struct rt_suggest near = rt_suggest_init(text);

	for (size_t i = 0; i < RT_ARRAY_SIZE(names); i++) {
		for (char *p = names[i]; *p; p++)
			*p = (char)tolower(*p);
		if (strcmp(text, names[i]) == 0)
			return NULL;
		rt_suggest__offer(&near, names[i]);
	}
	if (!near.best)
		return "is not a feature; `redtap doctor` lists those there are";
	snprintf(wrong, sizeof(wrong), "is not a feature; did you mean \"%s\"?", near.best);
	return wrong;
}

const char *rt_check_max_series(const char *text)
{
	u64 v;

	if (!rt_parse_uint(text, &v))
		return NULL;
	return v >= 1 && v <= MAX_SERIES_MAX ? NULL : "is not from 1 to 10000";
}

const char *rt_check_rate(const char *text)
{
	u64 v;

	if (!rt_parse_uint(text, &v))
		return NULL;
	return v <= RATE_MAX ? NULL : "is not from 0 to 1000000";
}

const char *rt_check_route(const char *text)
{
	const char *p;
	bool open = false, variable = false;

	if (text[0] != '/')
		return "does not start with /";
	for (p = text; *p; p++) {
		if (*p == '?' || *p == '#')
			return "has a query, which is no part of a route";
		if (*p == '{' ? open : *p == '}' ? !open : *p == '/' && open)
			return "has braces that do not match within a segment";
		/* As a glob has it: it would be taken for a path's own sign, and never match. */
		if (*p == '*' && (p[-1] != '/' || (p[1] && p[1] != '/')))
			return "has a * that is not a whole segment; a part of one is {name}";
		if (*p == '{' && variable)
			return "has two variables in one segment";
		if (*p == '{' || *p == '}')
			open = *p == '{';
		variable = *p != '/' && (variable || open);
	}
	return open ? "has braces that do not match within a segment" : NULL;
}
