// SPDX-License-Identifier: Apache-2.0
/*
 * The service name of a process, in order of how much its operator meant it:
 * OTEL_SERVICE_NAME, service.name in OTEL_RESOURCE_ATTRIBUTES (or the system
 * properties of a JVM that stand for either), the script or jar of an interpreter (interp.c; a
 * generic one names less than the unit), the systemd unit, the executable. Called by meta.c once
 * per process.
 *
 * Resource attributes: opentelemetry.io/docs/specs/otel/resource/sdk/
 * ("key1=value1,key2=value2", percent-encoded; any error voids the whole
 * variable).
 */
#include "meta/service.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A value that is no text would only make trouble downstream. */
static bool put_name(char *out, struct rt_slice s)
{
	while (s.len && isspace(s.p[0]))
		s.p++, s.len--;
	while (s.len && isspace(s.p[s.len - 1]))
		s.len--;
	if (s.len >= RT_SERVICE_MAX)
		s.len = RT_SERVICE_MAX - 1;
	for (u32 i = 0; i < s.len; i++)
		out[i] = iscntrl(s.p[i]) ? '?' : (char)s.p[i];
	out[s.len] = '\0';
	return s.len > 0;
}

/* The value of NAME in an environ block. A last string without its NUL was cut
 * when it was copied, so it does not count. */
static bool env_find(struct rt_slice env, const char *name, struct rt_slice *ret)
{
	size_t n = strlen(name);

	while (env.len) {
		const u8 *nul = memchr(env.p, '\0', env.len);
		u32 len;

		if (!nul)
			return false;
		len = (u32)(nul - env.p);
		if (len > n && env.p[n] == '=' && memcmp(env.p, name, n) == 0) {
			*ret = (struct rt_slice){env.p + n + 1, len - (u32)n - 1};
			return true;
		}
		env.p += len + 1;
		env.len -= len + 1;
	}
	return false;
}

bool rt_service__from_env(struct rt_slice env, const char *variable, char *out)
{
	struct rt_slice value;

	out[0] = '\0';
	return env_find(env, variable, &value) && put_name(out, value);
}

static int hex_digit(u8 c)
{
	if (isdigit(c))
		return c - '0';
	return isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* Into a buffer of RT_SERVICE_MAX; longer values are cut. False: bad encoding. */
static bool percent_decode(struct rt_slice s, u8 *out, u32 *ret_len)
{
	u32 n = 0;

	for (u32 i = 0; i < s.len; i++) {
		u8 c = s.p[i];

		if (c == '%') {
			int hi = i + 2 < s.len ? hex_digit(s.p[i + 1]) : -1;
			int lo = i + 2 < s.len ? hex_digit(s.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return false;
			c = (u8)(hi * 16 + lo);
			i += 2;
		}
		if (n < RT_SERVICE_MAX)
			out[n++] = c;
	}
	*ret_len = n;
	return true;
}

static struct rt_slice trim(struct rt_slice s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s.p++, s.len--;
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* One key of "key1=value1,key2=value2". */
static bool attribute_of(struct rt_slice list, const char *key, char *out)
{
	char found[RT_SERVICE_MAX] = "";

	out[0] = '\0';
	while (list.len) {
		const u8 *comma = memchr(list.p, ',', list.len);
		u32 len = comma ? (u32)(comma - list.p) : list.len;
		struct rt_slice pair = trim((struct rt_slice){list.p, len});
		const u8 *eq = pair.len ? memchr(pair.p, '=', pair.len) : NULL;
		u8 text[RT_SERVICE_MAX];
		u32 n;

		list.p += comma ? len + 1 : len;
		list.len -= comma ? len + 1 : len;
		if (!pair.len)
			continue; /* a comma too many is a common slip */
		if (!eq)
			return false;
		if (!percent_decode(trim((struct rt_slice){pair.p, (u32)(eq - pair.p)}), text, &n))
			return false;
		bool wanted = n == strlen(key) && memcmp(text, key, n) == 0;

		if (!percent_decode(
			    trim((struct rt_slice){eq + 1, (u32)(pair.p + pair.len - eq - 1)}),
			    text, &n))
			return false;
		if (wanted)
			put_name(found, (struct rt_slice){text, n});
	}
	memcpy(out, found, sizeof(found));
	return out[0] != '\0';
}

bool rt_service__resource_attribute(struct rt_slice env, const char *key, char *out)
{
	struct rt_slice list;

	out[0] = '\0';
	return env_find(env, "OTEL_RESOURCE_ATTRIBUTES", &list) && attribute_of(list, key, out);
}

/* "-Dname=value" among a JVM's options; the last counts. */
static struct rt_slice property(struct rt_slice options, const char *name)
{
	struct rt_slice value = {0};

	while (env_find(options, name, &value)) {
		const u8 *end = value.p + value.len + 1;

		options.len -= (u32)(end - options.p);
		options.p = end;
	}
	return value;
}

void rt_service__name(const struct rt_service_facts *facts, struct rt_service_name *ret)
{
	struct rt_slice java = rt_service__java_options(facts);
	struct rt_slice attributes = property(java, "-Dotel.resource.attributes");

	*ret = (struct rt_service_name){0};
	if (!attribute_of(attributes, "service.namespace", ret->service_namespace))
		rt_service__resource_attribute(facts->env, "service.namespace",
					       ret->service_namespace);
	if (put_name(ret->name, property(java, "-Dotel.service.name")) ||
	    rt_service__from_env(facts->env, "OTEL_SERVICE_NAME", ret->name) ||
	    attribute_of(attributes, "service.name", ret->name) ||
	    rt_service__resource_attribute(facts->env, "service.name", ret->name) ||
	    rt_service__from_args(facts, ret->name) ||
	    put_name(ret->name, rt_slice_str(facts->unit)) ||
	    put_name(ret->name, rt_slice_str(facts->executable)))
		return;
	snprintf(ret->name, sizeof(ret->name), "unknown");
}
