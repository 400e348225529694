// SPDX-License-Identifier: Apache-2.0
/*
 * Requests counted in a kernel made of arrays, read back from the page a scraper gets: it is
 * the page of an agent to which the same requests came one by one.
 */
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
#include "kernel_helper.h"
#include "red/red.h"

#define SECOND 1000000000ull
/* An odd number of nanoseconds, and seconds without rounding: 1/512. */
#define STEP   1953125ull
#define SHOP   "service_name=\"shop\",process_executable_name=\"python3\""
#define SERVED "http_server_request_duration_seconds_count"
#define MADE   "http_client_request_duration_seconds_count"

static struct rt_process shop = {.pid = 7,
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
static struct rt_process bakery = {.pid = 8,
				   .start_ns = 2,
				   .executable = "node",
				   .exe_path = "",
				   .cmdline = "",
				   .container_id = "c0ffee",
				   .unit = "bakery",
				   .service = "bakery",
				   .service_namespace = "eu",
				   .resource_id = 78,
				   .target_id = 178};

struct agent {
	struct rt_config cfg;
	struct rt_registry *registry;
	struct rt_red *red;
	struct rt_buf page;
	u64 now;
};

struct fixture {
	struct kernel k;
	struct agent counted;	 /* by k, what k can */
	struct agent one_by_one; /* the same requests, as records */
	u64 in_kernel, folded;
};

static void agent_start(struct agent *a)
{
	struct rt_registry_opts opts = {.max_series = 2000, .ttl_ns = 10 * SECOND};

	a->cfg.routes_infer = true;
	a->now = 1000 * SECOND;
	a->registry = rt_registry__new(&opts);
	assert_non_null(a->registry);
	a->red = rt_red__new(a->registry, &a->cfg);
	assert_non_null(a->red);
}

static void agent_end(struct agent *a)
{
	rt_buf__free(&a->page);
	rt_red__free(a->red);
	rt_registry__free(a->registry);
}

static int setup(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	agent_start(&t->counted);
	agent_start(&t->one_by_one);
	assert_int_equal(rt_red__count_in_kernel(t->counted.red, &k_ops, &t->k, 300), 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *t = *state;

	agent_end(&t->counted);
	assert_int_equal(t->k.nr_rules, 0);
	agent_end(&t->one_by_one);
	free(t);
	return 0;
}

struct ask {
	u64 key;   /* of the rule, 0: the kernel can count none such */
	u64 other; /* of the one without the path, for when the record is lost */
	u8 role;
	const char *method, *path, *host;
	u16 status;
	u16 port;
	u16 default_port; /* of a target with a scheme */
	bool on_unix;	  /* over a Unix socket */
	const struct rt_process *process;
	struct k_request q;
};

static void record(struct agent *a, const struct ask *ask)
{
	static struct rt_exchange x;
	struct rt_op op = {
		.method = rt_slice_str(ask->method),
		.path = rt_slice_str(ask->path),
		.target = rt_slice_str(ask->path),
		.authority = rt_slice_str(ask->host),
		.default_port = ask->default_port,
		.status = ask->status,
	};
	struct rt_finished f = {.x = &x,
				.op = &op,
				.process = ask->process,
				.duration_ns = ask->q.duration,
				.ttfb_ns = ask->q.ttfb,
				.response_bytes = ask->q.response};

	memset(&x, 0, offsetof(struct rt_exchange, heads));
	x.role = ask->role;
	x.family = ask->on_unix ? RT_FAMILY_UNIX : RT_FAMILY_INET;
	x.req_bytes = ask->q.request;
	x.peer_port = ask->port;
	inet_pton(AF_INET, "192.0.2.7", x.peer_addr);
	x.rule = ask->key;
	x.other = ask->other;
	rt_registry__lock(a->registry);
	rt_red__record(a->red, &f, a->now, NULL);
	rt_registry__unlock(a->registry);
}

/* One request, seen by both. */
static bool request(struct fixture *t, const struct ask *ask)
{
	bool counted =
		ask->key && k_count(&t->k, ask->key % K_CONNS, ask->key, ask->status, &ask->q);

	record(&t->one_by_one, ask);
	if (counted)
		t->in_kernel++;
	else
		record(&t->counted, ask);
	return counted;
}

static void fold(struct fixture *t, u64 ns)
{
	u64 nameless;

	t->counted.now += ns;
	t->one_by_one.now += ns;
	rt_registry__lock(t->counted.registry);
	t->folded += rt_red__fold(t->counted.red, t->counted.now, &nameless);
	assert_int_equal(nameless, 0);
	rt_registry__unlock(t->counted.registry);
	/* Has none. */
	assert_int_equal(rt_red__fold(t->one_by_one.red, t->one_by_one.now, &nameless), 0);
}

static void render(struct agent *a)
{
	rt_buf__reset(&a->page);
	rt_buf__puts(&a->page, "\n");
	assert_int_equal(rt_expo__render(a->registry, RT_EXPO_TEXT_0_0_4, &a->page), 0);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The order of series is the order of their first request or fold, and says nothing. */
static u32 sorted_lines(char *text, char *lines[], u32 max)
{
	char *save = NULL;
	u32 n = 0;

	for (char *at = strtok_r(text, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
		assert_true(n < max);
		lines[n++] = at;
	}
	qsort(lines, n, sizeof(*lines), by_text);
	return n;
}

static void check_pages(struct fixture *t)
{
	static char *a[100000], *b[100000];
	u32 na, nb;

	render(&t->counted);
	render(&t->one_by_one);
	na = sorted_lines(t->counted.page.data, a, RT_ARRAY_SIZE(a));
	nb = sorted_lines(t->one_by_one.page.data, b, RT_ARRAY_SIZE(b));
	for (u32 i = 0; i < na && i < nb; i++)
		assert_string_equal(a[i], b[i]);
	assert_int_equal(na, nb);
	assert_true(na > 20);
}

static double value(struct fixture *t, const char *name, const char *labels)
{
	char line[1024];
	const char *at;

	snprintf(line, sizeof(line), "\n%s{%s} ", name, labels);
	render(&t->counted);
	at = strstr(t->counted.page.data, line);
	return at ? strtod(at + strlen(line), NULL) : -1;
}

#define assert_value(t, name, labels, v) assert_true(value(t, name, labels) == (v))

static struct ask served(u64 key, const char *path, u16 status)
{
	return (struct ask){.key = key,
			    .role = RT_ROLE_SERVER,
			    .method = "GET",
			    .path = path,
			    .host = "",
			    .status = status,
			    .process = &shop,
			    .q = {3 * STEP, STEP, 100, 5000}};
}

static struct ask made(u64 key, const char *host, u16 port)
{
	struct ask a = served(key, "/x", 200);

	a.role = RT_ROLE_CLIENT;
	a.host = host;
	a.port = port;
	return a;
}

static void test_server(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/users/{id}\","
					  "http_response_status_code=\"200\"";
	struct fixture *t = *state;
	struct ask a = served(1, "/users/5", 200);
	char le[512];

	assert_false(request(t, &a));
	assert_false(request(t, &a));
	assert_true(request(t, &a));
	a.q = (struct k_request){301 * STEP, 5 * STEP, 65, 70000};
	assert_true(request(t, &a));
	assert_value(t, SERVED, labels, 2);
	fold(t, SECOND);
	assert_value(t, SERVED, labels, 4);
	assert_int_equal(t->folded, 2);
	assert_value(t, "http_server_request_duration_seconds_sum", labels, (9 + 301) / 512.0);
	snprintf(le, sizeof(le), "%s,le=\"0.01\"", labels);
	assert_value(t, "http_server_request_duration_seconds_bucket", le, 3);
	assert_value(t, "redtap_http_server_time_to_first_byte_seconds_bucket", le, 4);
	snprintf(le, sizeof(le), "%s,le=\"0.005\"", labels);
	assert_value(t, "http_server_request_duration_seconds_bucket", le, 0);
	assert_value(t, "redtap_http_server_time_to_first_byte_seconds_bucket", le, 3);
	assert_value(t, "redtap_http_server_time_to_first_byte_seconds_sum", labels, 8 / 512.0);
	assert_value(t, "http_server_request_size_bytes_sum", labels, 365);
	assert_value(t, "http_server_response_size_bytes_sum", labels, 85000);
	snprintf(le, sizeof(le), "%s,le=\"65536.0\"", labels);
	assert_value(t, "http_server_response_size_bytes_bucket", le, 3);
	check_pages(t);
}

static void test_client(void **state)
{
	static const struct {
		const char *host, *address;
		u16 peer;
		u16 port;
	} rows[] = {
		{"api.example.com", "api.example.com", 8080, 8080},
		{"API.Example.com:9000", "api.example.com", 8080, 9000},
		{"[2001:db8::1]:81", "2001:db8::1", 8080, 81},
		{"other:8080", "other", 8081, 8080},
	};
	struct fixture *t = *state;
	char labels[512];

	for (u32 i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		struct ask a = made(10 + i, rows[i].host, rows[i].peer);

		a.status = i % 2 ? 404 : 200;
		for (u32 n = 0; n < 5 + i; n++)
			assert_int_equal(request(t, &a), n > 1);
	}
	fold(t, SECOND);
	for (u32 i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		snprintf(labels, sizeof(labels),
			 SHOP ",http_request_method=\"GET\",http_route=\"/x\","
			      "http_response_status_code=\"%s,server_address=\"%s\","
			      "server_port=\"%u\"",
			 i % 2 ? "404\",error_type=\"404\"" : "200\"", rows[i].address,
			 rows[i].port);
		assert_value(t, MADE, labels, 5 + i);
	}
	check_pages(t);
}

/* Without a host in the request it is the peer that is asked, which no rule tells apart. */
static void test_client_without_a_host(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/x\","
					  "http_response_status_code=\"200\","
					  "server_address=\"192.0.2.7\",server_port=\"80\"";
	static const char *const hosts[] = {"", ":80", ":81", "[]:80"};
	struct fixture *t = *state;

	for (u32 i = 0; i < RT_ARRAY_SIZE(hosts); i++) {
		struct ask a = made(1 + i, hosts[i], 80);

		for (u32 n = 0; n < 5; n++)
			assert_false(request(t, &a));
	}
	fold(t, SECOND);
	assert_value(t, MADE, labels, 4 * 5);
	check_pages(t);
}

/* Failed ones are no reason to count in the kernel, nor those that no rule fits. */
static void test_not_learned(void **state)
{
	struct fixture *t = *state;
	struct ask a = served(0, "/a", 200);
	struct ask none = served(5, "/b", 0);

	for (u32 i = 0; i < 4; i++) {
		assert_false(request(t, &a));
		assert_false(request(t, &none));
	}
	assert_int_equal(t->k.puts, 0);
	check_pages(t);
}

static void test_expiry_between_folds(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/a\","
					  "http_response_status_code=\"200\"";
	struct fixture *t = *state;
	struct ask a = served(1, "/a", 200);

	for (u32 i = 0; i < 6; i++)
		request(t, &a);
	fold(t, SECOND);
	assert_value(t, SERVED, labels, 6);
	fold(t, 20 * SECOND);
	assert_true(rt_registry__expire(t->counted.registry, t->counted.now) > 0);
	assert_true(rt_registry__expire(t->one_by_one.registry, t->one_by_one.now) > 0);
	assert_value(t, SERVED, labels, -1);
	/* The series begins anew; the kernel's counters, and its rule, went on. */
	for (u32 i = 0; i < 3; i++)
		assert_true(request(t, &a));
	fold(t, SECOND);
	assert_value(t, SERVED, labels, 3);
	check_pages(t);
}

/* One that is busy in the kernel alone does not expire. */
static void test_busy_series_stay(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/a\","
					  "http_response_status_code=\"200\"";
	struct fixture *t = *state;
	struct ask a = served(1, "/a", 200);

	for (u32 i = 0; i < 100; i++) {
		request(t, &a);
		fold(t, SECOND);
		assert_int_equal(rt_registry__expire(t->counted.registry, t->counted.now), 0);
	}
	assert_value(t, SERVED, labels, 100);
	render(&t->counted);
	assert_non_null(strstr(t->counted.page.data, "\ntarget_info{service_name=\"shop\""));
	assert_true(t->in_kernel == 98);
}

static bool on_page(struct fixture *t, const char *text)
{
	render(&t->counted);
	return strstr(t->counted.page.data, text);
}

/* Two replicas of a service ask for the same: their series are one, their target_info is not,
 * and lives for as long as its own container serves. */
static void test_replicas(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/a\","
					  "http_response_status_code=\"200\"";
	static const char first[] = ",container_id=\"c0ffee\"",
			  second[] = ",container_id=\"decaf\"";
	struct rt_process twin = shop;
	struct fixture *t = *state;
	struct ask a = served(1, "/a", 200), b = served(2, "/a", 200);

	shop.container_id = "c0ffee";
	twin.container_id = "decaf";
	twin.pid = 9;
	twin.target_id++;
	b.process = &twin;
	for (u32 i = 0; i < 40; i++) {
		if (i < 20)
			request(t, &a);
		request(t, &b);
		fold(t, SECOND);
		rt_registry__expire(t->counted.registry, t->counted.now);
		rt_registry__expire(t->one_by_one.registry, t->one_by_one.now);
		assert_int_equal(on_page(t, first), i < 30);
		assert_true(on_page(t, second));
		/* A record is of the time when it came, a count of the fold a second later. */
		if (i != 29)
			check_pages(t);
	}
	shop.container_id = "";
	assert_value(t, SERVED, labels, 60);
	assert_true(t->in_kernel == 56);
}

static void reload(struct fixture *t)
{
	rt_registry__lock(t->counted.registry);
	rt_red__reload(t->counted.red, &t->counted.cfg);
	rt_registry__unlock(t->counted.registry);
	rt_registry__lock(t->one_by_one.registry);
	rt_red__reload(t->one_by_one.red, &t->one_by_one.cfg);
	rt_registry__unlock(t->one_by_one.registry);
}

/* A whole URL over a Unix socket, as to a proxy: its port is the URL's, of a series that begins
 * anew with what the kernel counted, too. */
static void test_url_over_a_unix_socket(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/x\","
					  "http_response_status_code=\"200\","
					  "server_address=\"api.example.com\",server_port=\"80\"";
	struct fixture *t = *state;
	struct ask a = made(1, "api.example.com", 0);

	a.on_unix = true;
	a.default_port = 80;
	for (u32 i = 0; i < 6; i++)
		assert_int_equal(request(t, &a), i > 1);
	fold(t, SECOND);
	assert_value(t, MADE, labels, 6);
	fold(t, 20 * SECOND);
	assert_true(rt_registry__expire(t->counted.registry, t->counted.now) > 0);
	assert_true(rt_registry__expire(t->one_by_one.registry, t->one_by_one.now) > 0);
	for (u32 i = 0; i < 3; i++)
		assert_true(request(t, &a));
	fold(t, SECOND);
	assert_value(t, MADE, labels, 3);
	check_pages(t);
}

/* A host that is asked for in the kernel alone is asked for. */
static void test_hosts(void **state)
{
	struct fixture *t = *state;
	struct ask a = made(1, "api.example.com", 8080), odd = made(0, "api.example.com", 8080);
	char host[32];

	t->counted.cfg.metrics_ttl = t->one_by_one.cfg.metrics_ttl = 10 * SECOND;
	reload(t);
	for (u32 i = 0; i < 20; i++) {
		assert_int_equal(request(t, &a), i > 1);
		fold(t, SECOND);
	}
	for (u32 i = 0; i < 150; i++) {
		struct ask other = made(0, host, 8080);

		snprintf(host, sizeof(host), "host%u.example", i);
		request(t, &other);
	}
	odd.status = 404;
	request(t, &odd);
	assert_true(on_page(t, "status_code=\"404\",error_type=\"404\","
			       "server_address=\"api.example.com\""));
	check_pages(t);
}

static void test_reload(void **state)
{
	static const char before[] = SHOP ",http_request_method=\"GET\",http_route=\"/a/b\","
					  "http_response_status_code=\"200\"";
	static const char after[] = SHOP ",http_request_method=\"GET\",http_route=\"/a/{x}\","
					 "http_response_status_code=\"200\"";
	char pattern[] = "/a/{x}", *patterns[] = {pattern};
	struct fixture *t = *state;
	struct ask a = served(1, "/a/b", 200);

	for (u32 i = 0; i < 10; i++)
		request(t, &a);
	fold(t, SECOND);
	for (u32 i = 0; i < 7; i++)
		assert_true(request(t, &a));
	t->counted.cfg.routes_patterns = (struct rt_strlist){.items = patterns, .n = 1};
	t->one_by_one.cfg.routes_patterns = t->counted.cfg.routes_patterns;
	reload(t);
	assert_int_equal(t->k.nr_rules, 0);
	assert_false(request(t, &a));
	assert_false(request(t, &a));
	assert_true(request(t, &a));
	assert_value(t, SERVED, before, 10);
	assert_value(t, SERVED, after, 2);
	/* What was counted before goes where it belonged. */
	fold(t, SECOND);
	assert_value(t, SERVED, before, 17);
	assert_value(t, SERVED, after, 3);
	fold(t, SECOND);
	assert_true(request(t, &a));
	fold(t, SECOND);
	assert_value(t, SERVED, before, 17);
	assert_value(t, SERVED, after, 4);
	check_pages(t);
}

static void test_label_pid(void **state)
{
	static const char labels[] = SHOP ",http_request_method=\"GET\",http_route=\"/a\","
					  "http_response_status_code=\"200\",process_pid=\"%u\"";
	struct rt_process twin = shop;
	struct fixture *t = *state;
	struct ask a = served(1, "/a", 200), b = served(2, "/a", 200);
	char text[512];

	twin.pid = 9;
	b.process = &twin;
	t->counted.cfg.labels_pid = t->one_by_one.cfg.labels_pid = true;
	reload(t);
	for (u32 i = 0; i < 4; i++) {
		request(t, &a);
		request(t, &b);
		request(t, &b);
	}
	fold(t, SECOND);
	assert_true(t->in_kernel == 8);
	snprintf(text, sizeof(text), labels, 7);
	assert_value(t, SERVED, text, 4);
	snprintf(text, sizeof(text), labels, 9);
	assert_value(t, SERVED, text, 8);
	check_pages(t);
	t->counted.cfg.labels_pid = t->one_by_one.cfg.labels_pid = false;
	reload(t);
	for (u32 i = 0; i < 4; i++) {
		request(t, &a);
		request(t, &b);
	}
	fold(t, SECOND);
	check_pages(t);
}

/* Names that change by themselves: the eleventh word makes all of them {var}. Requests in the
 * kernel go by the new name once it is known, though nothing is learned at that moment. */
static void test_collapse(void **state)
{
	struct fixture *t = *state;
	struct ask first = served(1, "/p/word", 200);
	char path[32];

	for (u32 i = 0; i < 5; i++)
		request(t, &first);
	assert_int_equal(t->k.nr_rules, 1);
	for (u32 i = 0; i < 12; i++) {
		struct ask a = served(0, path, 200);

		snprintf(path, sizeof(path), "/p/%c%cx", 'k' + (char)i, 'k' + (char)i);
		request(t, &a);
	}
	fold(t, SECOND);
	assert_int_equal(t->k.nr_rules, 0);
	for (u32 i = 0; i < 5; i++)
		request(t, &first);
	fold(t, SECOND);
	check_pages(t);
}

/* A scanner in front of a login spoils no route, and what it found is named as soon as it shows:
 * each of its words answers for once, in turn. */
static void test_scanned(void **state)
{
	static const char route[] = SHOP ",http_request_method=\"GET\",http_route=\"/users/{id}\","
					 "http_response_status_code=\"200\"";
	struct fixture *t = *state;
	struct ask users = served(1, "/users/7", 200);
	char path[32];

	for (u32 i = 0; i < 14 * 8; i++) {
		struct ask scan = served(2 + i % 14, path, i / 14 % 2 ? 401 : 302);

		snprintf(path, sizeof(path), "/scan%ux", i % 14);
		request(t, &scan);
		request(t, &users);
	}
	fold(t, SECOND);
	assert_value(t, SERVED, route, 14 * 8);
	check_pages(t);
	for (u32 i = 14; i-- > 5;) {
		struct ask found = served(2 + i, path, 200);

		snprintf(path, sizeof(path), "/scan%ux", i);
		for (u32 n = 0; n < 12; n++) {
			found.status = n % 4 ? 401 : 200;
			request(t, &found);
			request(t, &users);
		}
	}
	fold(t, SECOND);
	assert_value(t, SERVED, route, 14 * 8 + 9 * 12);
	check_pages(t);
	/* The scanner's own names made room for these. */
	assert_true(on_page(t, "http_route=\"/scan13x\""));
	assert_true(t->in_kernel > 14 * 8);
}

/* A lost record's request goes to no route, from the first record of its kind on, and for as
 * long as such records come; and for ten minutes more. */
static void test_lost_records(void **state)
{
	static const char none[] = SHOP ",http_request_method=\"GET\","
					"http_response_status_code=\"200\"";
	static const char once[] = SHOP ",http_request_method=\"GET\",http_route=\"/once\","
					"http_response_status_code=\"200\"";
	struct fixture *t = *state;
	struct ask a = served(1, "/once", 200), never = served(0, "/{id}", 200);
	u64 last;

	a.other = 1000;
	assert_false(request(t, &a));
	assert_int_equal(t->k.rules[1].key, 0);
	for (u32 i = 0; i < 5; i++)
		assert_true(k_count(&t->k, 0, 1000, 200, &a.q));
	/* Not of another status. */
	assert_false(k_count(&t->k, 0, 1000, 500, &a.q));
	fold(t, SECOND);
	assert_value(t, SERVED, once, 1);
	assert_value(t, SERVED, none, 5);
	assert_true(t->folded == 5);
	/* Paths that never repeat. */
	for (u32 i = 0; i < 300; i++) {
		never.key = 2000 + i;
		never.other = 1000;
		assert_false(request(t, &never));
		fold(t, SECOND);
		assert_int_equal(t->k.rules[1000].key, 1000);
		assert_int_equal(t->k.nr_rules, 1);
	}
	for (last = t->counted.now; t->k.nr_rules; fold(t, SECOND))
		assert_true(t->counted.now < last + 722 * SECOND);
	assert_true(t->counted.now > last + 600 * SECOND);
	assert_false(request(t, &a));
	assert_int_equal(t->k.rules[1000].key, 1000);
	/* It goes when names change, and comes back. */
	reload(t);
	assert_int_equal(t->k.nr_rules, 0);
	assert_false(request(t, &a));
	assert_true(k_count(&t->k, 0, 1000, 200, &a.q));
	fold(t, SECOND);
	assert_value(t, SERVED, none, 6);
	assert_value(t, SERVED, once, 3);
}

static u64 random_below(u64 *state, u64 n)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state % n;
}

/* Words and values, with any status: names move all the time. */
static void test_any_scan(void **state)
{
	static const u16 statuses[] = {301, 302, 401, 404, 429, 200, 204, 304, 500};
	static const char *const before[] = {"", "", "/a"}, *const behind[] = {"", "/7", "/7"};
	struct fixture *t = *state;
	u64 seed = 0x5eed0004;

	for (u32 i = 0; i < 20000; i++) {
		u32 word = (u32)random_below(&seed, 1 + i / 500);
		u32 shape = (u32)random_below(&seed, 3);
		/* Half of the words exist, which shows now and then. */
		bool shown = random_below(&seed, 50) == 0 && word % 2;
		char path[32];
		struct ask a = served(1 + word + 40 * shape, path, 0);

		a.status = statuses[random_below(&seed, shown ? RT_ARRAY_SIZE(statuses) : 5)];
		snprintf(path, sizeof(path), "%s/w%ux%s", before[shape], word, behind[shape]);
		request(t, &a);
		if (random_below(&seed, 200) == 0)
			fold(t, SECOND / 2);
	}
	fold(t, SECOND / 2);
	fold(t, SECOND / 2);
	assert_true(t->folded == t->in_kernel);
	assert_true(t->in_kernel > 5000);
	check_pages(t);
}

/* Both roles, two services, few and many slots' worth of names, folds, reloads, time. */
static void test_any_requests(void **state)
{
	static const char *const paths[] = {"/",      "/a",	"/b/7",	 "/b/8",
					    "/c/x/y", "/d.png", "/e/f/", "/g/0123456789abcdef"};
	static const char *const hosts[] = {"api", "api:81", "API", "web.example.com"};
	static const char *const methods[] = {"GET", "POST", "BREW"};
	static const u16 statuses[] = {200, 404, 500, 302, 503};
	char item[] = "/b/{item}", rest[] = "/c/*", *patterns[] = {item, rest};
	struct fixture *t = *state;
	u64 seed = 0x5eed0003;

	for (u32 i = 0; i < 40000; i++) {
		u32 path = (u32)random_below(&seed, 8), host = (u32)random_below(&seed, 4);
		u32 method = (u32)random_below(&seed, 3), way = (u32)random_below(&seed, 5);
		u32 who = (u32)random_below(&seed, 2), role = (u32)random_below(&seed, 2);
		u64 key = 1 + path + 8 * (method + 3 * (who + 2 * (role ? 1 + host : 0)));
		struct ask a = {
			.key = random_below(&seed, 20) ? key : 0,
			.role = role ? RT_ROLE_CLIENT : RT_ROLE_SERVER,
			.method = methods[method],
			.path = paths[path],
			.host = role ? hosts[host] : "",
			.status = statuses[way],
			.port = role ? 8080 : 40000,
			.process = who ? &shop : &bakery,
		};

		a.q.ttfb = (1 + 2 * random_below(&seed, 3)) * STEP;
		a.q.duration = a.q.ttfb + 2 * STEP * random_below(&seed, 300);
		a.q.request = 1 + random_below(&seed, 5000);
		a.q.response = 1 + random_below(&seed, 100000);
		request(t, &a);
		if (random_below(&seed, 200) == 0)
			fold(t, SECOND / 2);
		if (random_below(&seed, 10000) == 0) {
			u32 n = t->counted.cfg.routes_patterns.n ? 0 : 2;

			t->counted.cfg.routes_patterns = (struct rt_strlist){patterns, n};
			t->one_by_one.cfg.routes_patterns = (struct rt_strlist){patterns, n};
			reload(t);
		}
	}
	fold(t, SECOND / 2);
	fold(t, SECOND / 2);
	assert_true(t->folded == t->in_kernel);
	assert_true(t->in_kernel > 5000);
	check_pages(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_server, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_client_without_a_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_learned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_expiry_between_folds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_series_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replicas, setup, teardown),
		cmocka_unit_test_setup_teardown(test_url_over_a_unix_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
		cmocka_unit_test_setup_teardown(test_label_pid, setup, teardown),
		cmocka_unit_test_setup_teardown(test_collapse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_scanned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lost_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_scan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_requests, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
