// SPDX-License-Identifier: Apache-2.0
/* The request metrics, read back from the page a scraper gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "config/config.h"
#include "export/prometheus.h"
#include "red/red.h"

#define MS     1000000ULL
#define SECOND 1000000000ULL
#define SHOP   "service_name=\"shop\",process_executable_name=\"python3\""
#define SERVED "http_server_request_duration_seconds_count"
#define MADE   "http_client_request_duration_seconds_count"

static const struct rt_process shop = {.pid = 7,
				       .start_ns = 1,
				       .executable = "python3",
				       .exe_path = "",
				       .cmdline = "",
				       .container_id = "",
				       .unit = "",
				       .service = "shop",
				       .service_namespace = "",
				       .resource_id = 77,
				       .target_id = 177};

struct fixture {
	struct rt_config cfg;
	struct rt_registry *registry;
	struct rt_red *red;
	struct rt_exchange x;
	struct rt_op op;
	struct rt_finished f;
	struct rt_buf page;
};

static int setup(void **state)
{
	struct rt_registry_opts opts = {.max_series = 2000, .ttl_ns = 10 * SECOND};
	struct fixture *t = calloc(1, sizeof(*t));

	t->cfg.routes_infer = true;
	t->registry = rt_registry__new(&opts);
	t->red = rt_red__new(t->registry, &t->cfg);
	*state = t;
	return t->red ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *t = *state;

	rt_buf__free(&t->page);
	rt_red__free(t->red);
	rt_registry__free(t->registry);
	free(t);
	return 0;
}

/* A served GET of /users/5 with 200, 20 ms, first byte after 8 ms. */
static struct rt_finished *request(struct fixture *t, const char *method, const char *path,
				   u16 status)
{
	memset(&t->x, 0, offsetof(struct rt_exchange, heads));
	memset(&t->op, 0, sizeof(t->op));
	t->x.role = RT_ROLE_SERVER;
	t->x.family = RT_FAMILY_INET;
	t->x.req_bytes = 100;
	t->x.peer_port = 8080;
	inet_pton(AF_INET, "192.0.2.7", t->x.peer_addr);
	t->op.method = rt_slice_str(method);
	t->op.path = t->op.target = rt_slice_str(path);
	t->op.status = status;
	t->f = (struct rt_finished){.x = &t->x,
				    .op = &t->op,
				    .process = &shop,
				    .duration_ns = 20 * MS,
				    .ttfb_ns = 8 * MS,
				    .response_bytes = 5000};
	return &t->f;
}

static const char *record(struct fixture *t, u64 now)
{
	const char *route;

	rt_registry__lock(t->registry);
	rt_red__record(t->red, &t->f, now, &route);
	rt_registry__unlock(t->registry);
	return route;
}

static void render(struct fixture *t)
{
	rt_buf__reset(&t->page);
	rt_buf__puts(&t->page, "\n");
	assert_int_equal(rt_expo__render(t->registry, RT_EXPO_TEXT_0_0_4, &t->page), 0);
}

/* The value of a series, by its whole label body; -1 when it is not there. */
static double value(struct fixture *t, const char *name, const char *labels)
{
	char line[1024];
	const char *at;

	snprintf(line, sizeof(line), "\n%s{%s} ", name, labels);
	render(t);
	at = strstr(t->page.data, line);
	return at ? strtod(at + strlen(line), NULL) : -1;
}

#define assert_value(t, name, labels, v) assert_true(value(t, name, labels) == (v))

static void test_server(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/users/{id}\","
					  "http_response_status_code=\"200\"";
	struct fixture *t = *state;
	char le[512];

	request(t, "GET", "/users/5", 200);
	assert_string_equal(record(t, 1), "/users/{id}");
	t->f.duration_ns = 600 * MS;
	record(t, 2);
	assert_value(t, SERVED, labels, 2);
	assert_value(t, "http_server_request_duration_seconds_sum", labels, 0.62);
	snprintf(le, sizeof(le), "%s,le=\"0.01\"", labels);
	assert_value(t, "http_server_request_duration_seconds_bucket", le, 0);
	assert_value(t, "redtap_http_server_time_to_first_byte_seconds_bucket", le, 2);
	snprintf(le, sizeof(le), "%s,le=\"0.025\"", labels);
	assert_value(t, "http_server_request_duration_seconds_bucket", le, 1);
	assert_value(t, "redtap_http_server_time_to_first_byte_seconds_sum", labels, 0.016);
	assert_value(t, "http_server_request_size_bytes_sum", labels, 200);
	assert_value(t, "http_server_response_size_bytes_sum", labels, 10000);
	snprintf(le, sizeof(le), "%s,le=\"4096.0\"", labels);
	assert_value(t, "http_server_response_size_bytes_bucket", le, 0);
	snprintf(le, sizeof(le), "%s,le=\"16384.0\"", labels);
	assert_value(t, "http_server_response_size_bytes_bucket", le, 2);
	render(t);
	assert_null(strstr(t->page.data, "http_client_request_duration_seconds_count"));
}

/* No response: a duration and a request size, nothing else. */
static void test_no_response(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"POST\",http_route=\"/buy\","
					  "error_type=\"connection_closed\"";
	struct fixture *t = *state;

	request(t, "POST", "/buy", 0);
	t->f.error = RT_ERROR_CONNECTION_CLOSED;
	t->f.ttfb_ns = 0;
	t->f.response_bytes = 0;
	record(t, 1);
	assert_value(t, SERVED, labels, 1);
	assert_value(t, "http_server_request_size_bytes_count", labels, 1);
	assert_value(t, "redtap_http_server_time_to_first_byte_seconds_count", labels, -1);
	assert_value(t, "http_server_response_size_bytes_count", labels, -1);
	/* Part of a response next time: the same series get the rest. */
	t->f.ttfb_ns = MS;
	t->f.response_bytes = 10;
	record(t, 2);
	assert_value(t, SERVED, labels, 2);
	assert_value(t, "redtap_http_server_time_to_first_byte_seconds_count", labels, 1);
	assert_value(t, "http_server_response_size_bytes_count", labels, 1);
}

static void test_methods(void **state)
{
	static const char *const sent[] = {"GET",     "HEAD",	 "POST",  "PUT",     "DELETE",
					   "CONNECT", "OPTIONS", "TRACE", "PATCH",   "get",
					   "GETS",    "BREW",	 "",	  "PROPFIND"};
	struct fixture *t = *state;
	char labels[256];

	for (u32 i = 0; i < RT_ARRAY_SIZE(sent); i++) {
		request(t, sent[i], "/", 200);
		record(t, 1);
	}
	for (u32 i = 0; i < 9; i++) {
		snprintf(labels, sizeof(labels),
			 SHOP ",http_request_method=\"%s\",http_route=\"/\","
			      "http_response_status_code=\"200\"",
			 sent[i]);
		assert_value(t, SERVED, labels, 1);
	}
	assert_value(t, SERVED,
		     SHOP ",http_request_method=\"_OTHER\",http_route=\"/\","
			  "http_response_status_code=\"200\"",
		     5);
}

static void test_error_type(void **state)
{
	static const struct {
		u8 role;
		enum rt_error error;
		u16 status;
		const char *type;
	} rows[] = {
		{RT_ROLE_SERVER, RT_ERROR_NONE, 0, ""},
		{RT_ROLE_SERVER, RT_ERROR_NONE, 200, ""},
		{RT_ROLE_SERVER, RT_ERROR_NONE, 404, ""},
		{RT_ROLE_SERVER, RT_ERROR_NONE, 499, ""},
		{RT_ROLE_SERVER, RT_ERROR_NONE, 500, "500"},
		{RT_ROLE_SERVER, RT_ERROR_NONE, 599, "599"},
		{RT_ROLE_CLIENT, RT_ERROR_NONE, 399, ""},
		{RT_ROLE_CLIENT, RT_ERROR_NONE, 400, "400"},
		{RT_ROLE_CLIENT, RT_ERROR_NONE, 503, "503"},
		{RT_ROLE_SERVER, RT_ERROR_CONNECTION_RESET, 0, "connection_reset"},
		{RT_ROLE_SERVER, RT_ERROR_CONNECTION_RESET, 200, "connection_reset"},
		{RT_ROLE_CLIENT, RT_ERROR_CONNECTION_CLOSED, 500, "connection_closed"},
		{RT_ROLE_CLIENT, RT_ERROR_TIMEOUT, 0, "timeout"},
	};
	struct fixture *t = *state;
	char buf[8];

	for (u32 i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		request(t, "GET", "/", rows[i].status);
		t->x.role = rows[i].role;
		t->f.error = rows[i].error;
		assert_string_equal(rt_error_type(&t->f, buf), rows[i].type);
	}
}

static const struct {
	const char *authority, *address, *port;
	u8 family;
	const char *peer;
	u16 default_port;
} targets[] = {
	{"api.example.com", "api.example.com", "8080", RT_FAMILY_INET, "192.0.2.7", 0},
	{"API.Example.com:9000", "api.example.com", "9000", RT_FAMILY_INET, "192.0.2.7", 0},
	{"[2001:db8::1]:81", "2001:db8::1", "81", RT_FAMILY_INET6, "2001:db8::1", 0},
	{"[2001:db8::2]", "2001:db8::2", "8080", RT_FAMILY_INET6, "2001:db8::2", 0},
	{"2001:db8::3", "2001:db8::3", "8080", RT_FAMILY_INET6, "2001:db8::3", 0},
	{"host:", "host", "8080", RT_FAMILY_INET, "192.0.2.7", 0},
	{"bad:port", "bad", "8080", RT_FAMILY_INET, "192.0.2.7", 0},
	{"long:123456", "long", "8080", RT_FAMILY_INET, "192.0.2.7", 0},
	{"large:65536", "large", "8080", RT_FAMILY_INET, "192.0.2.7", 0},
	{"large:65535", "large", "65535", RT_FAMILY_INET, "192.0.2.7", 0},
	/* by way of a proxy: its port is not the server's */
	{"origin", "origin", "80", RT_FAMILY_INET, "192.0.2.7", 80},
	{"origin:81", "origin", "81", RT_FAMILY_INET, "192.0.2.7", 80},
	{"", "192.0.2.7", "8080", RT_FAMILY_INET, "192.0.2.7", 0},
	{"", "2001:db8::9", "8080", RT_FAMILY_INET6, "2001:db8::9", 0},
	{"", "192.0.2.8", "8080", RT_FAMILY_INET6, "::ffff:192.0.2.8", 0},
	{"sock", "sock", "", RT_FAMILY_UNIX, NULL, 0},
	{"sock:90", "sock", "90", RT_FAMILY_UNIX, NULL, 0},
	{"origin", "origin", "443", RT_FAMILY_UNIX, NULL, 443},
	{"", "", "", RT_FAMILY_UNIX, NULL, 0},
	/* beyond what the cache holds: 90 bytes */
	{"a12345678.a12345678.a12345678.a12345678.a12345678.a12345678.a12345678.a12345678."
	 "a12345678",
	 "a12345678.a12345678.a12345678.a12345678.a12345678.a12345678.a12345678.a12345678."
	 "a12345678",
	 "8080", RT_FAMILY_INET, "192.0.2.7", 0},
};

static void test_client(void **state)
{
	struct fixture *t = *state;
	char labels[512];

	/* The route tells the rows apart; twice, the second time from the cache. */
	for (u32 i = 0; i < 2 * RT_ARRAY_SIZE(targets); i++) {
		u32 k = i % RT_ARRAY_SIZE(targets);

		request(t, "GET", "/", (u16)(200 + k));
		t->x.role = RT_ROLE_CLIENT;
		t->x.family = targets[k].family;
		t->op.authority = rt_slice_str(targets[k].authority);
		t->op.default_port = targets[k].default_port;
		memset(t->x.peer_addr, 0, sizeof(t->x.peer_addr));
		if (targets[k].peer)
			inet_pton(t->x.family == RT_FAMILY_INET ? AF_INET : AF_INET6,
				  targets[k].peer, t->x.peer_addr);
		else
			t->x.peer_port = 0;
		record(t, 1);
	}
	for (u32 k = 0; k < RT_ARRAY_SIZE(targets); k++) {
		int n = snprintf(labels, sizeof(labels),
				 SHOP ",http_request_method=\"GET\",http_route=\"/\","
				      "http_response_status_code=\"%u\"",
				 200 + k);

		if (targets[k].address[0])
			n += snprintf(labels + n, sizeof(labels) - (size_t)n,
				      ",server_address=\"%s\"", targets[k].address);
		if (targets[k].port[0])
			snprintf(labels + n, sizeof(labels) - (size_t)n, ",server_port=\"%s\"",
				 targets[k].port);
		assert_value(t, MADE, labels, 2);
	}
	assert_null(strstr(t->page.data, "http_server_request_duration_seconds_count"));
	assert_null(strstr(t->page.data, "time_to_first_byte_seconds_count"));
	assert_null(strstr(t->page.data, "size_bytes_count"));
}

static void ask_host(struct fixture *t, const struct rt_process *p, const char *host, u64 now)
{
	request(t, "GET", "/", 200);
	t->x.role = RT_ROLE_CLIENT;
	t->f.process = p;
	t->op.authority = rt_slice_str(host);
	record(t, now);
}

static double asked(struct fixture *t, const char *service, const char *address)
{
	char labels[512];

	snprintf(labels, sizeof(labels),
		 "service_name=\"%s\",process_executable_name=\"python3\","
		 "http_request_method=\"GET\",http_route=\"/\",http_response_status_code=\"200\","
		 "server_address=\"%s\",server_port=\"8080\"",
		 service, address);
	return value(t, MADE, labels);
}

/* Where Host is what others chose, a service does not fill the page: beyond a hundred names it is
 * the peer who was asked, until some were not asked for during the time that series live. */
static void test_many_hosts(void **state)
{
	struct fixture *t = *state;
	struct rt_process other = shop;
	char host[32];

	other.service = "other";
	other.resource_id = 78;
	other.target_id = 178;
	t->cfg.metrics_ttl = 10 * SECOND;
	rt_red__reload(t->red, &t->cfg);
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < 300; i++) {
			snprintf(host, sizeof(host), "host%u.example", i);
			ask_host(t, &shop, host, SECOND);
		}
	}
	ask_host(t, &other, "host299.example", SECOND);
	assert_true(asked(t, "shop", "host0.example") == 2);
	assert_true(asked(t, "shop", "host99.example") == 2);
	assert_true(asked(t, "shop", "host100.example") == -1);
	assert_true(asked(t, "shop", "192.0.2.7") == 2 * 200);
	assert_true(asked(t, "other", "host299.example") == 1);
	/* Those that are asked for keep their place, also where a record is older than the last. */
	ask_host(t, &shop, "host7.example", 9 * SECOND);
	ask_host(t, &shop, "host8.example", 9 * SECOND - 1);
	ask_host(t, &shop, "host203.example", SECOND - 1);
	assert_true(asked(t, "shop", "host203.example") == -1);
	ask_host(t, &shop, "host200.example", 11 * SECOND);
	assert_true(asked(t, "shop", "192.0.2.7") == 2 * 200 + 2);
	ask_host(t, &shop, "host201.example", 12 * SECOND);
	assert_true(asked(t, "shop", "host201.example") == 1);
	for (u32 i = 300; i < 500; i++) {
		snprintf(host, sizeof(host), "host%u.example", i);
		ask_host(t, &shop, host, 12 * SECOND);
	}
	assert_true(asked(t, "shop", "host396.example") == 1);
	assert_true(asked(t, "shop", "host397.example") == -1);
	ask_host(t, &shop, "host7.example", 12 * SECOND);
	assert_true(asked(t, "shop", "host7.example") == 4);
}

/* A port alone names nobody: whoever was asked by it is told by address. */
static void test_port_without_a_host(void **state)
{
	struct fixture *t = *state;

	for (u32 i = 0; i < 6; i++) {
		request(t, "GET", "/", 200);
		t->x.role = RT_ROLE_CLIENT;
		t->x.family = RT_FAMILY_INET;
		t->op.authority = rt_slice_str(":8080");
		inet_pton(AF_INET, i % 3 ? "192.0.2.8" : "192.0.2.7", t->x.peer_addr);
		record(t, SECOND);
	}
	assert_true(asked(t, "shop", "192.0.2.7") == 2);
	assert_true(asked(t, "shop", "192.0.2.8") == 4);
}

static void ask_peer(struct fixture *t, const struct rt_process *p, u32 nr, u16 port, u64 now)
{
	u8 addr[4] = {10, 0, (u8)(nr >> 8), (u8)nr};

	request(t, "GET", "/", 200);
	t->x.role = RT_ROLE_CLIENT;
	t->x.peer_port = port;
	memcpy(t->x.peer_addr, addr, sizeof(addr));
	t->f.process = p;
	record(t, now);
}

/* Nor does a service that asks thousands of addresses, or ports of one: beyond a hundred it is not
 * told who was asked, and others keep their room. */
static void test_many_peers(void **state)
{
	static const char nowhere[] =
		SHOP ",http_request_method=\"GET\",http_route=\"/\","
		     "http_response_status_code=\"200\"";
	struct fixture *t = *state;
	struct rt_process other = shop;

	other.service = "other";
	other.resource_id = 78;
	other.target_id = 178;
	t->cfg.metrics_ttl = 10 * SECOND;
	rt_red__reload(t->red, &t->cfg);
	for (u32 round = 0; round < 2; round++)
		for (u32 i = 0; i < 3000; i++)
			ask_peer(t, &shop, i, 8080, SECOND);
	assert_true(asked(t, "shop", "10.0.0.0") == 2);
	assert_true(asked(t, "shop", "10.0.0.99") == 2);
	assert_true(asked(t, "shop", "10.0.0.100") == -1);
	assert_value(t, MADE, nowhere, 2 * 2900);
	ask_peer(t, &shop, 0, 8081, SECOND);
	assert_value(t, MADE, nowhere, 2 * 2900 + 1);
	ask_peer(t, &other, 2999, 8080, SECOND);
	assert_true(asked(t, "other", "10.0.11.183") == 1);
	/* One that is not asked for that long makes room; one that is, stays. */
	ask_peer(t, &shop, 7, 8080, 9 * SECOND);
	ask_peer(t, &shop, 500, 8080, 12 * SECOND);
	assert_true(asked(t, "shop", "10.0.1.244") == 1);
	ask_peer(t, &shop, 7, 8080, 12 * SECOND);
	assert_true(asked(t, "shop", "10.0.0.7") == 4);
}

/* What a process calls does not use up the routes that it serves. */
static void test_roles_have_their_own_routes(void **state)
{
	struct fixture *t = *state;
	char path[32];

	for (u32 i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/called%ux", i);
		request(t, "GET", path, 200);
		t->x.role = RT_ROLE_CLIENT;
		record(t, 1);
	}
	request(t, "GET", "/served", 200);
	assert_string_equal(record(t, 1), "/served");
}

static void test_pid_label_and_reload(void **state)
{
	static const char plain[] = SHOP ",http_request_method=\"GET\",http_route=\"/a\","
					 "http_response_status_code=\"200\"";
	static const char with_pid[] = SHOP ",http_request_method=\"GET\",http_route=\"/a\","
					    "http_response_status_code=\"200\",process_pid=\"7\"";
	struct fixture *t = *state;

	request(t, "GET", "/a", 200);
	record(t, 1);
	t->cfg.labels_pid = true;
	rt_red__reload(t->red, &t->cfg);
	record(t, 2);
	record(t, 2);
	assert_value(t, SERVED, plain, 1);
	assert_value(t, SERVED, with_pid, 2);
	t->cfg.routes_infer = false;
	t->cfg.labels_pid = false;
	rt_red__reload(t->red, &t->cfg);
	assert_string_equal(record(t, 3), "");
	assert_value(t, SERVED,
		     SHOP ",http_request_method=\"GET\",http_response_status_code=\"200\"", 1);
}

/* Dropped series are found anew, not written through old pointers. */
static void test_expire(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/a\","
					  "http_response_status_code=\"200\"";
	struct fixture *t = *state;

	request(t, "GET", "/a", 200);
	record(t, SECOND);
	record(t, SECOND);
	assert_true(rt_registry__expire(t->registry, 12 * SECOND) > 0);
	assert_value(t, SERVED, labels, -1);
	record(t, 13 * SECOND);
	assert_value(t, SERVED, labels, 1);
	render(t);
	assert_non_null(strstr(t->page.data, "\ntarget_info{"
					     "service_name=\"shop\""));
}

static void test_target_info(void **state)
{
	struct fixture *t = *state;
	struct rt_process other = shop;
	const char *at;

	request(t, "GET", "/a", 200);
	record(t, 1);
	other.pid = 8;
	other.container_id = "c0ffee";
	other.service_namespace = "eu";
	t->f.process = &other;
	record(t, 1);
	render(t);
	at = strstr(t->page.data, "\ntarget_info{service_name=\"shop\",process_executable_name="
				  "\"python3\",host_name=");
	assert_non_null(at);
	at = strstr(
		t->page.data,
		"\ntarget_info{service_name=\"shop\",service_namespace=\"eu\",process_executable_"
		"name=\"python3\",container_id=\"c0ffee\",host_name=");
	assert_non_null(at);
}

static void round_of(struct fixture *t, const struct rt_process *p, u32 n, u64 now)
{
	rt_registry__lock(t->registry);
	rt_red__active_begin(t->red);
	while (n--)
		rt_red__active_add(t->red, p, RT_ROLE_SERVER, RT_PROTO_http1);
	rt_red__active_add(t->red, p, RT_ROLE_CLIENT, RT_PROTO_http1);
	rt_red__active_end(t->red, now);
	rt_registry__unlock(t->registry);
}

static void test_active(void **state)
{
	struct fixture *t = *state;
	struct rt_process other = shop;

	other.service = "other";
	other.resource_id = 78;
	other.target_id = 178;
	assert_value(t, "http_server_active_requests", SHOP, -1);
	request(t, "GET", "/a", 200);
	record(t, SECOND);
	round_of(t, &other, 0, SECOND);
	assert_value(t, "http_server_active_requests", SHOP, 0);
	round_of(t, &shop, 3, SECOND);
	assert_value(t, "http_server_active_requests", SHOP, 3);
	round_of(t, &other, 2, SECOND);
	assert_value(t, "http_server_active_requests", SHOP, 0);
	assert_value(t, "http_server_active_requests",
		     "service_name=\"other\",process_executable_name=\"python3\"", 2);
	/* Silent for long: it stands at 0, then the registry may drop it. */
	for (u64 s = 2; s < 100; s++)
		round_of(t, &other, 1, s * SECOND);
	assert_value(t, "http_server_active_requests", SHOP, 0);
	rt_registry__expire(t->registry, 100 * SECOND);
	assert_value(t, "http_server_active_requests", SHOP, -1);
	assert_value(t, "http_server_active_requests",
		     "service_name=\"other\",process_executable_name=\"python3\"", 1);
	/* Traffic keeps the gauge, even if no sweep ever meets a request. */
	for (u64 s = 100; s < 300; s++) {
		request(t, "GET", "/a", 200);
		record(t, s * SECOND);
		round_of(t, &other, 1, s * SECOND);
	}
	rt_registry__expire(t->registry, 300 * SECOND);
	assert_value(t, "http_server_active_requests", SHOP, 0);
}

/* Beyond the cap of series, services share one, which is their sum. */
static void test_active_beyond_the_cap(void **state)
{
	static const char *const names[] = {"a", "b", "c"};
	struct fixture *t = *state;
	struct rt_registry_opts opts = {.max_series = 1, .ttl_ns = 10 * SECOND};

	rt_registry__set_opts(t->registry, &opts);
	for (int round = 0; round < 2; round++) {
		rt_registry__lock(t->registry);
		rt_red__active_begin(t->red);
		for (u32 i = 0; i < RT_ARRAY_SIZE(names); i++) {
			struct rt_process p = shop;

			p.service = names[i];
			p.resource_id = 100 + i;
			for (u32 n = 0; n <= i; n++)
				rt_red__active_add(t->red, &p, RT_ROLE_SERVER, RT_PROTO_http1);
		}
		rt_red__active_end(t->red, SECOND);
		rt_registry__unlock(t->registry);
		assert_value(t, "http_server_active_requests",
			     "service_name=\"a\",process_executable_name=\"python3\"", 1);
		assert_value(t, "http_server_active_requests", "redtap_overflow=\"true\"", 2 + 3);
	}
}

static void test_targets(void **state)
{
	struct fixture *t = *state;

	request(t, "GET", "", 200);
	t->op.target = rt_slice_str("http://example.com");
	assert_string_equal(record(t, 1), "/");
	request(t, "CONNECT", "example.com:443", 200);
	assert_string_equal(record(t, 1), "");
	request(t, "OPTIONS", "*", 200);
	assert_string_equal(record(t, 1), "*");
	request(t, "GET", "/a/bbb", 200);
	t->op.path_cut = true;
	assert_string_equal(record(t, 1), "/a/{var}");
}

/* Cached pointers and the keys they hang on agree, whatever comes in what order. */
static void test_cache_is_exact(void **state)
{
	static const u16 statuses[] = {200, 404, 500};
	static const char *const verbs[] = {"GET", "POST", "PUT"};
	static u32 counts[3][3][8];
	struct fixture *t = *state;
	u32 x = 3;

	for (u32 i = 0; i < 20000; i++) {
		char path[16];
		u32 s, v, p;

		x = x * 1664525 + 1013904223;
		s = (x >> 10) % 3, v = (x >> 14) % 3, p = (x >> 20) % 8;
		snprintf(path, sizeof(path), "/p%ux", p);
		request(t, verbs[v], path, statuses[s]);
		record(t, 1);
		counts[s][v][p]++;
	}
	for (u32 i = 0; i < 72; i++) {
		u32 s = i % 3, v = i / 3 % 3, p = i / 9;
		char labels[256];

		snprintf(labels, sizeof(labels),
			 SHOP ",http_request_method=\"%s\",http_route=\"/p%ux\","
			      "http_response_status_code=\"%u\"%s",
			 verbs[v], p, statuses[s], statuses[s] == 500 ? ",error_type=\"500\"" : "");
		assert_value(t, SERVED, labels, counts[s][v][p]);
	}
}

#define UNIT(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UNIT(test_server),
		UNIT(test_no_response),
		UNIT(test_methods),
		UNIT(test_error_type),
		UNIT(test_client),
		UNIT(test_many_hosts),
		UNIT(test_port_without_a_host),
		UNIT(test_many_peers),
		UNIT(test_roles_have_their_own_routes),
		UNIT(test_pid_label_and_reload),
		UNIT(test_expire),
		UNIT(test_target_info),
		UNIT(test_active),
		UNIT(test_active_beyond_the_cap),
		UNIT(test_targets),
		UNIT(test_cache_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
