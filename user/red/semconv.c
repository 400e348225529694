// SPDX-License-Identifier: Apache-2.0
/*
 * Label values of the request metrics by the HTTP semantic conventions:
 * opentelemetry.io/docs/specs/semconv/http/http-metrics/. Used by red.c.
 *
 *   http_request_method        one of the nine known, else _OTHER
 *   http_response_status_code  left out when there was no status line
 *   error_type                 how the exchange failed; else the status when it
 *                              is an error: 5xx for servers, 4xx and 5xx for clients
 *   server_address, _port      clients only: Host's parts, else the peer's, or left out
 */
#include "red/red_impl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { M_OTHER, M_GET, M_HEAD, M_POST, M_PUT, M_DELETE, M_CONNECT, M_OPTIONS, M_TRACE, M_PATCH };

static const char *const methods[] = {
	[M_OTHER] = "_OTHER",	 [M_GET] = "GET",	  [M_HEAD] = "HEAD",
	[M_POST] = "POST",	 [M_PUT] = "PUT",	  [M_DELETE] = "DELETE",
	[M_CONNECT] = "CONNECT", [M_OPTIONS] = "OPTIONS", [M_TRACE] = "TRACE",
	[M_PATCH] = "PATCH",
};

u8 rt_red__method(struct rt_slice s)
{
	for (u8 i = M_GET; i < RT_ARRAY_SIZE(methods); i++)
		if (s.len && s.p[0] == (u8)methods[i][0] && rt_slice_is(s, methods[i]))
			return i;
	return M_OTHER;
}

static const char *const errors[] = {
	[RT_ERROR_NONE] = "",
	[RT_ERROR_CONNECTION_RESET] = "connection_reset",
	[RT_ERROR_CONNECTION_CLOSED] = "connection_closed",
	[RT_ERROR_TIMEOUT] = "timeout",
};

const char *rt_error_type(const struct rt_finished *f, char buf[8])
{
	u16 first_error = f->x->role == RT_ROLE_CLIENT ? 400 : 500;

	if (f->error != RT_ERROR_NONE)
		return errors[f->error];
	if (f->op->status < first_error)
		return "";
	snprintf(buf, 8, "%u", f->op->status);
	return buf;
}

/* "h", "h:80", "[::1]:80", "::1". *ret_port is empty when there is none, or no number. */
static void split_authority(struct rt_slice a, struct rt_slice *ret_host, struct rt_slice *ret_port)
{
	const u8 *colon = a.len ? memrchr(a.p, ':', a.len) : NULL;
	const u8 *close = a.len && a.p[0] == '[' ? memchr(a.p, ']', a.len) : NULL;
	struct rt_slice port = {NULL, 0};
	u32 nr = 0;

	*ret_host = a;
	if (colon && (close ? colon > close : memchr(a.p, ':', a.len) == colon)) {
		port = (struct rt_slice){colon + 1, (u32)(a.p + a.len - colon - 1)};
		ret_host->len = (u32)(colon - a.p);
	}
	if (close) {
		ret_host->p = a.p + 1;
		ret_host->len = (u32)(close - a.p - 1);
	}
	for (u32 i = 0; i < port.len; i++) {
		if (!isdigit(port.p[i]) || port.len > 5)
			port.len = 0;
		else
			nr = nr * 10 + port.p[i] - '0';
	}
	if (nr > 65535)
		port.len = 0;
	*ret_port = port;
}

bool rt_red__names_host(struct rt_slice authority)
{
	struct rt_slice host, port;

	split_authority(authority, &host, &port);
	return host.len;
}

static void peer_text(const struct rt_exchange *x, char *out, size_t size)
{
	static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	out[0] = '\0';
	if (x->family == RT_FAMILY_INET)
		inet_ntop(AF_INET, x->peer_addr, out, (socklen_t)size);
	else if (x->family == RT_FAMILY_INET6 && memcmp(x->peer_addr, mapped, 12) == 0)
		inet_ntop(AF_INET, x->peer_addr + 12, out, (socklen_t)size);
	else if (x->family == RT_FAMILY_INET6)
		inet_ntop(AF_INET6, x->peer_addr, out, (socklen_t)size);
}

u16 rt_red__server_port(const struct rt_finished *f)
{
	return f->op->default_port ? f->op->default_port : f->x->peer_port;
}

static void server_labels(const struct rt_finished *f, struct texts *t, struct rt_slice *values)
{
	struct rt_slice host, port;
	u32 n = 0;

	split_authority(f->op->authority, &host, &port);
	if (host.len) {
		/* Host names know no case. */
		for (; n < host.len && n < sizeof(t->address) - 1; n++)
			t->address[n] = (char)tolower(host.p[n]);
		t->address[n] = '\0';
	} else {
		peer_text(f->x, t->address, sizeof(t->address));
	}
	values[L_ADDRESS] = rt_slice_str(t->address);
	/* A Unix socket has none, but the URL that is asked for on it may. */
	if (!port.len && rt_red__server_port(f)) {
		snprintf(t->port, sizeof(t->port), "%u", rt_red__server_port(f));
		port = rt_slice_str(t->port);
	}
	values[L_PORT] = port;
}

void rt_red__labels(const struct rt_finished *f, const struct key *k, struct texts *t,
		    struct rt_slice *values)
{
	values[L_SERVICE] = rt_slice_str(f->process->service);
	values[L_EXECUTABLE] = rt_slice_str(f->process->executable);
	values[L_METHOD] = rt_slice_str(methods[k->method]);
	values[L_ROUTE] = rt_slice_str(k->route);
	t->status[0] = '\0';
	if (k->status)
		snprintf(t->status, sizeof(t->status), "%u", k->status);
	values[L_STATUS] = rt_slice_str(t->status);
	values[L_ERROR] = rt_slice_str(rt_error_type(f, t->error));
	t->pid[0] = '\0';
	if (k->pid)
		snprintf(t->pid, sizeof(t->pid), "%u", k->pid);
	values[L_PID] = rt_slice_str(t->pid);
	if (k->role != RT_ROLE_CLIENT)
		return;
	if (k->host_kind == HOST_NONE)
		values[L_ADDRESS] = values[L_PORT] = (struct rt_slice){0};
	else
		server_labels(f, t, values);
}
