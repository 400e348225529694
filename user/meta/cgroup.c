// SPDX-License-Identifier: Apache-2.0
/*
 * Tells from a cgroup path in which container and which systemd unit a process
 * is. Called by meta.c once per process. Pure functions over text.
 *
 * Paths as the runtimes make them (cgroupfs driver, then systemd driver):
 *   docker      /docker/ID                      /system.slice/docker-ID.scope
 *   containerd  /kubepods/burstable/podUID/ID   …-podUID.slice/cri-containerd-ID.scope
 *   (nested)    /system.slice/containerd.service/kubepods-podUID.slice:cri-containerd:ID
 *   CRI-O       /kubepods/podUID/crio-ID        …-podUID.slice/crio-ID.scope
 *   podman      /libpod_parent/libpod-ID        /machine.slice/libpod-ID.scope/container
 *   (Quadlet)   /system.slice/NAME.service/libpod-payload-ID: the unit is the container's own
 * ID is 64 hex digits in all of them. The innermost wins.
 */
#include "meta/cgroup.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "util/slice.h"

static bool has_suffix(struct rt_slice s, const char *suffix)
{
	size_t n = strlen(suffix);

	return s.len > n && memcmp(s.p + s.len - n, suffix, n) == 0;
}

static bool has_prefix(struct rt_slice s, const char *prefix)
{
	size_t n = strlen(prefix);

	return s.len > n && memcmp(s.p, prefix, n) == 0;
}

static bool is_container_id(struct rt_slice s)
{
	if (s.len != RT_CONTAINER_ID_LEN)
		return false;
	for (u32 i = 0; i < s.len; i++)
		if (!isxdigit(s.p[i]))
			return false;
	return true;
}

/* "docker-ID.scope", "x.slice:cri-containerd:ID", "ID" -> ID. */
static bool container_of(struct rt_slice part, struct rt_slice *ret_id)
{
	struct rt_slice id = part;

	if (has_suffix(id, ".scope"))
		id.len -= 6;
	if (id.len < RT_CONTAINER_ID_LEN)
		return false;
	id.p += id.len - RT_CONTAINER_ID_LEN;
	id.len = RT_CONTAINER_ID_LEN;
	if (!is_container_id(id))
		return false;
	if (id.p != part.p) {
		struct rt_slice prefix = {part.p, (u32)(id.p - part.p)};

		/* The runtime's monitor bears its container's id, but lives outside. */
		if (has_suffix(prefix, "-conmon-") || rt_slice_is(prefix, "conmon-"))
			return false;
		if (id.p[-1] != '-' && id.p[-1] != ':')
			return false;
	}
	*ret_id = id;
	return true;
}

static int hex_value(int c)
{
	if (isdigit(c))
		return c - '0';
	return isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* systemd writes bytes that a unit name cannot hold as \xHH (systemd-escape(1)). */
static void unescape_unit(struct rt_slice s, char *out, size_t size)
{
	size_t n = 0;

	for (u32 i = 0; i < s.len && n + 1 < size; i++) {
		if (s.p[i] == '\\' && i + 3 < s.len && s.p[i + 1] == 'x' && isxdigit(s.p[i + 2]) &&
		    isxdigit(s.p[i + 3])) {
			out[n++] = (char)(hex_value(s.p[i + 2]) * 16 + hex_value(s.p[i + 3]));
			i += 3;
		} else {
			out[n++] = (char)s.p[i];
		}
	}
	out[n] = '\0';
}

/* "1234-0", "77-1234_99-0" of a Unix socket's peer: its pid and user, the former with a cookie.
 * Few pids are below 100, but many a part of a name that somebody gave, as "shard@0-1-2". */
static bool is_peer(const char *text)
{
	u32 a, b, c;
	int end = 0;

	if (sscanf(text, "%u-%u%n", &a, &b, &end) == 2 && !text[end])
		return a >= 100;
	end = 0;
	return sscanf(text, "%u-%u_%u-%u%n", &a, &b, &c, &b, &end) == 4 && !text[end];
}

/* The instance of a unit that serves one connection of a socket with Accept=yes: its number, then
 * addresses and ports of both sides, or a Unix socket's peer: "4-127.0.0.1:80-127.0.0.1:5012",
 * "4-1234-0", "4-77-1234_99-0" (258 and later: with the socket's cookie), "4-unknown". Not
 * "15-main", "1-2". */
static bool is_connection(const char *instance)
{
	static const char digits[] = "0123456789";
	const char *rest = instance + strspn(instance, digits);
	const char *other, *port;

	if (rest == instance || *rest++ != '-')
		return false;
	other = rest + strspn(rest, "0123456789-_");
	if (!*other)
		return is_peer(rest);
	port = strrchr(rest, ':');
	if (!port || !port[1] || port[1 + strspn(port + 1, digits)])
		return strcmp(other, "unknown") == 0;
	return strchr(rest, '-') && !rest[strspn(rest, "0123456789abcdef.:-")];
}

/* What systemd-run calls a unit that nobody named: "run-u17", "run-r" and 128 bits in hex,
 * "run-p1234-i5678". */
static bool is_made_up(const char *unit)
{
	static const char digits[] = "0123456789", hex[] = "0123456789abcdef";
	const char *rest = unit + 5;

	if (strncmp(unit, "run-", 4) != 0 || !unit[4] || !strchr("urp", unit[4]) || !*rest)
		return false;
	if (unit[4] == 'r')
		return strspn(rest, hex) == 32 && !rest[32];
	rest += strspn(rest, digits);
	if (unit[4] == 'p' && rest > unit + 5 && strncmp(rest, "-i", 2) == 0)
		rest += 2 + strspn(rest + 2, hex);
	return rest > unit + 5 && *rest == '\0';
}

/* Units that run others' programs: supervisors, logins, what runs at a time, container engines. */
static bool is_host(const char *unit, size_t len)
{
	static const char *const hosts[] = {
		"supervisor", "supervisord", "runit",	   "runsvdir",	    "gitlab-runsvdir",
		"svscan",     "circus",	     "circusd",	   "monit",	    "cron",
		"crond",      "anacron",     "atd",	   "ssh",	    "sshd",
		"dropbear",   "docker",	     "containerd", "podman",	    "crio",
		"lxc",	      "lxd",	     "incus",	   "systemd-nspawn"};

	/* One for each user. */
	if (strncmp(unit, "pm2-", 4) == 0)
		return true;
	for (size_t i = 0; i < RT_ARRAY_SIZE(hosts); i++)
		if (strlen(hosts[i]) == len && memcmp(hosts[i], unit, len) == 0)
			return true;
	return false;
}

void rt_cgroup__naming_unit(const char *unit, char ret[RT_UNIT_MAX])
{
	const char *at = strchr(unit, '@');
	size_t template = at ? (size_t)(at - unit) : strlen(unit);
	size_t len = at && is_connection(at + 1) ? template : strlen(unit);

	if (is_made_up(unit) || is_host(unit, template))
		len = 0;
	memcpy(ret, unit, len);
	ret[len] = '\0';
}

void rt_cgroup__parse_path(const char *path, struct rt_cgroup *ret)
{
	const char *p = path;

	*ret = (struct rt_cgroup){0};
	while (*p) {
		struct rt_slice part = {(const u8 *)p, (u32)strcspn(p, "/")};
		struct rt_slice id;

		p += part.len;
		if (*p == '/')
			p++;
		if (container_of(part, &id)) {
			memcpy(ret->container_id, id.p, id.len);
			/* Others above a container are the runtime's, not the process's. */
			if (!has_prefix(part, "libpod-payload-"))
				ret->unit[0] = '\0';
		} else if (has_suffix(part, ".service")) {
			part.len -= 8;
			/* user@1000.service is the whole of a user's session manager. */
			if (has_prefix(part, "user@"))
				ret->unit[0] = '\0';
			else
				unescape_unit(part, ret->unit, sizeof(ret->unit));
		} else if (has_suffix(part, ".scope")) {
			/* A scope holds what was started from outside systemd: a session. */
			ret->unit[0] = '\0';
		}
	}
}

bool rt_cgroup__parse(const char *text, struct rt_cgroup *ret)
{
	struct rt_cgroup unified = {0};

	*ret = (struct rt_cgroup){0};
	while (*text) {
		size_t len = strcspn(text, "\n");
		const char *colon = memchr(text, ':', len);
		const char *path =
			colon ? memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) : NULL;
		struct rt_cgroup one;
		char line[4096];

		if (path && len < sizeof(line)) {
			size_t n = len - (size_t)(path + 1 - text);

			memcpy(line, path + 1, n);
			line[n] = '\0';
			rt_cgroup__parse_path(line, &one);
			if (strncmp(text, "0::", 3) == 0)
				unified = one;
			if (!ret->container_id[0] && one.container_id[0])
				*ret = one;
			else if (!ret->container_id[0] == !one.container_id[0] && !ret->unit[0])
				memcpy(ret->unit, one.unit, sizeof(ret->unit));
		}
		text += len;
		if (*text == '\n')
			text++;
	}
	return (unified.container_id[0] || unified.unit[0]) &&
	       strcmp(unified.container_id, ret->container_id) == 0 &&
	       strcmp(unified.unit, ret->unit) == 0;
}
