// SPDX-License-Identifier: Apache-2.0
/*
 * The HTTP server, over real sockets on loopback: routes, encodings, listen
 * addresses and their errors, and clients that mean no good.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "http/gzip.h"
#include "http/server.h"
#include "util/clock.h"

#define SEC	 1000000000ULL
#define BIG_BODY (20u << 20)

/* --- routes ----------------------------------------------------------------- */

struct seen {
	char accept[128];
	char encoding[128];
	bool signals_open; /* a handler ran in a thread that takes SIGTERM */
	bool slow_started;
	bool slow_done;
};

static int handle_small(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	struct seen *seen = ctx;
	sigset_t mask;

	snprintf(seen->accept, sizeof(seen->accept), "%s", req->accept ? req->accept : "(none)");
	snprintf(seen->encoding, sizeof(seen->encoding), "%s",
		 req->accept_encoding ? req->accept_encoding : "(none)");
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	seen->signals_open = !sigismember(&mask, SIGTERM);
	ret->content_type = "text/plain; charset=utf-8";
	rt_buf__puts(&ret->body, "small\n");
	return 0;
}

static int handle_large(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	int i;

	ret->content_type = "text/plain";
	for (i = 0; i < 10000; i++)
		rt_buf__printf(&ret->body, "line %d\n", i);
	return 0;
}

static int handle_big(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	static char zeros[4096];
	u32 i;

	ret->content_type = "application/octet-stream";
	for (i = 0; i < BIG_BODY; i += sizeof(zeros))
		rt_buf__put(&ret->body, zeros, sizeof(zeros));
	return 0;
}

static int handle_failing(void *ctx, const struct rt_http_request *req,
			  struct rt_http_response *ret)
{
	rt_buf__puts(&ret->body, "half a page");
	return -ENOMEM;
}

static int handle_empty(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	ret->status = 503;
	return 0;
}

static int handle_slow(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	struct seen *seen = ctx;

	__atomic_store_n(&seen->slow_started, true, __ATOMIC_RELEASE);
	usleep(300000);
	__atomic_store_n(&seen->slow_done, true, __ATOMIC_RELEASE);
	rt_buf__puts(&ret->body, "slow\n");
	return 0;
}

static const struct rt_http_route routes[] = {
	{"/small", "a <small> & \"quoted\" page", handle_small},
	{"/large", "a large page", handle_large},
	{"/big", NULL, handle_big},
	{"/failing", NULL, handle_failing},
	{"/empty", NULL, handle_empty},
	{"/slow", NULL, handle_slow},
	{0},
};

static struct seen seen;

static struct rt_http_server *start(const char *listen_on)
{
	struct rt_http_server *s = NULL;
	char err[256] = "";

	memset(&seen, 0, sizeof(seen));
	if (rt_http_server__new(&s, listen_on, routes, &seen, err, sizeof(err)))
		fail_msg("%s", err);
	return s;
}

/* --- a client --------------------------------------------------------------- */

static int dial(const char *host, unsigned short port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool six = strchr(host, ':') != NULL;
	int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	assert_true(fd >= 0);
	if (six) {
		assert_int_equal(inet_pton(AF_INET6, host, &in6.sin6_addr), 1);
		rc = connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	} else {
		assert_int_equal(inet_pton(AF_INET, host, &in.sin_addr), 1);
		rc = connect(fd, (struct sockaddr *)&in, sizeof(in));
	}
	if (rc < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static void send_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = send(fd, p, n, MSG_NOSIGNAL);

		if (k <= 0)
			return; /* the server hung up; what it said is still to be read */
		p += k;
		n -= (size_t)k;
	}
}

static void send_text(int fd, const char *text)
{
	send_all(fd, text, strlen(text));
}

/* All until the end of the stream, or until `ms` of silence. NUL-terminated. */
static struct rt_buf receive_all(int fd, int ms)
{
	struct rt_buf b = RT_BUF_INIT;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char chunk[65536];
	ssize_t n;

	rt_buf__puts(&b, "");
	while (poll(&p, 1, ms) == 1 && (n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		rt_buf__put(&b, chunk, (size_t)n);
	return b;
}

struct reply {
	struct rt_buf raw;
	int status;
	const char *body;
	size_t body_len;
};

static struct reply parse_reply(struct rt_buf raw)
{
	struct reply r = {.raw = raw};
	char *end = raw.data ? strstr(raw.data, "\r\n\r\n") : NULL;

	if (!end || sscanf(raw.data, "HTTP/1.1 %d ", &r.status) != 1)
		fail_msg("no reply: %s", raw.data ? raw.data : "");
	r.body = end + 4;
	r.body_len = raw.len - (size_t)(r.body - raw.data);
	end[2] = '\0'; /* raw.data is the head now, each line with its CR LF */
	return r;
}

static struct reply ask(struct rt_http_server *s, const char *method, const char *path,
			const char *headers)
{
	int fd = dial("127.0.0.1", rt_http_server__port(s));
	char head[2048];
	struct reply r;

	assert_true(fd >= 0);
	snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
		 method, path, headers);
	send_all(fd, head, strlen(head));
	r = parse_reply(receive_all(fd, 5000));
	close(fd);
	return r;
}

static void assert_header(const struct reply *r, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\r\n%s\r\n", line);
	if (!strcasestr(r->raw.data, wanted))
		fail_msg("no \"%s\" in:\n%s", line, r->raw.data);
}

static void assert_no_header(const struct reply *r, const char *name)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\r\n%s:", name);
	assert_null(strcasestr(r->raw.data, wanted));
}

static void reply__free(struct reply *r)
{
	rt_buf__free(&r->raw);
}

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* --- answers ---------------------------------------------------------------- */

static void test_get_and_head(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	struct reply r = ask(s, "GET", "/small?x=1", "Accept: a/b\r\n");

	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "small\n");
	assert_header(&r, "Content-Type: text/plain; charset=utf-8");
	assert_header(&r, "Content-Length: 6");
	assert_header(&r, "Vary: Accept, Accept-Encoding");
	assert_no_header(&r, "Content-Encoding");
	assert_string_equal(seen.accept, "a/b");
	assert_string_equal(seen.encoding, "(none)");
	assert_false(seen.signals_open);
	reply__free(&r);

	r = ask(s, "HEAD", "/small", "Accept-Encoding: br\r\n");
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body_len, 0);
	assert_header(&r, "Content-Length: 6");
	assert_string_equal(seen.accept, "(none)");
	assert_string_equal(seen.encoding, "br");
	reply__free(&r);

	/* A body that came along is read over. */
	r = ask(s, "GET", "/small", "Content-Length: 5\r\n\r\nhello");
	assert_int_equal(r.status, 200);
	assert_string_equal(r.body, "small\n");
	reply__free(&r);
	rt_http_server__free(s);
}

static void test_keep_alive(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	int fd = dial("127.0.0.1", rt_http_server__port(s)), i;

	for (i = 0; i < 3; i++) {
		struct reply r;

		send_text(fd, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n");
		r = parse_reply(receive_all(fd, 200));
		assert_int_equal(r.status, 200);
		assert_string_equal(r.body, "small\n");
		reply__free(&r);
	}
	close(fd);
	rt_http_server__free(s);
}

static void wait_for_slow(void)
{
	for (int i = 0; i < 5000 && !__atomic_load_n(&seen.slow_started, __ATOMIC_ACQUIRE); i++)
		usleep(1000);
	assert_true(__atomic_load_n(&seen.slow_started, __ATOMIC_ACQUIRE));
}

/* A client that ends its side behind its last request has all answers, and then the end, at once:
 * the silence after which a client is dropped is longer than this waits. */
static void test_half_closed(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	int fd = dial("127.0.0.1", rt_http_server__port(s));
	struct pollfd end = {.fd = fd, .events = POLLIN};
	struct rt_buf b;
	char byte;

	send_text(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for_slow();
	/* By the time that it looks again, both are there. */
	send_text(fd, "GET /large HTTP/1.1\r\nHost: x\r\n\r\n"
		      "GET /small HTTP/1.1\r\nHost: x\r\n\r\n");
	shutdown(fd, SHUT_WR);
	b = receive_all(fd, 3000);
	assert_int_equal(poll(&end, 1, 0), 1);
	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
	assert_non_null(strstr(b.data, "\r\n\r\nslow\nHTTP/1.1 200 "));
	assert_non_null(strstr(b.data, "line 9999\nHTTP/1.1 200 "));
	assert_memory_equal(b.data + b.len - 10, "\r\n\r\nsmall\n", 10);
	rt_buf__free(&b);
	close(fd);
	rt_http_server__free(s);
}

/* A target as a proxy gets it (RFC 9112, 3.2.2). */
static void test_absolute_form(void **state)
{
	static const struct {
		const char *target;
		int status;
	} rows[] = {
		{"http://x:9/small", 200}, {"HTTP://x/small", 200}, {"https://[::1]:9/small", 200},
		{"http://x/nothing", 404}, {"http://x", 200},	    {"/http://x/small", 404},
	};
	struct rt_http_server *s = start("127.0.0.1:0");

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		int fd = dial("127.0.0.1", rt_http_server__port(s));
		char text[128];
		struct reply r;

		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", rows[i].target);
		send_text(fd, text);
		r = parse_reply(receive_all(fd, 200));
		assert_int_equal(r.status, rows[i].status);
		reply__free(&r);
		close(fd);
	}
	rt_http_server__free(s);
}

static void test_errors(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	struct reply r = ask(s, "GET", "/nothing", "");

	assert_int_equal(r.status, 404);
	assert_header(&r, "Content-Type: text/plain; charset=utf-8");
	assert_string_equal(r.body, "not found; this server has:\n/\n/small\n/large\n/big\n"
				    "/failing\n/empty\n/slow\n");
	reply__free(&r);

	r = ask(s, "POST", "/small", "Content-Length: 3\r\n\r\nabc");
	assert_int_equal(r.status, 405);
	assert_header(&r, "Allow: GET, HEAD");
	reply__free(&r);
	r = ask(s, "BREW", "/nothing", "");
	assert_int_equal(r.status, 405);
	reply__free(&r);

	r = ask(s, "GET", "/failing", "");
	assert_int_equal(r.status, 500);
	assert_string_equal(r.body, "this page could not be made: Cannot allocate memory\n");
	reply__free(&r);

	r = ask(s, "GET", "/empty", "");
	assert_int_equal(r.status, 503);
	assert_int_equal(r.body_len, 0);
	assert_header(&r, "Content-Length: 0");
	assert_no_header(&r, "Content-Type");
	reply__free(&r);
	rt_http_server__free(s);
}

static void test_links_page(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	struct reply r = ask(s, "GET", "/", "");

	assert_int_equal(r.status, 200);
	assert_header(&r, "Content-Type: text/html; charset=utf-8");
	assert_non_null(strstr(r.body, "redtap " REDTAP_VERSION));
	assert_non_null(strstr(r.body, "<a href=\"/small\">/small</a>: "
				       "a &lt;small&gt; &amp; &quot;quoted&quot; page</li>"));
	assert_null(strstr(r.body, "/failing"));
	reply__free(&r);
	rt_http_server__free(s);
}

/* --- gzip ------------------------------------------------------------------- */

static void test_gzip_negotiation(void **state)
{
	static const struct {
		const char *accept;
		bool want;
	} cases[] = {
		{NULL, false},
		{"", false},
		{"gzip", true},
		{"GZIP", true},
		{"x-gzip", true},
		{"deflate, br", false},
		{"deflate, gzip;q=1.0, *;q=0.5", true},
		{"gzip;q=0", false},
		{"gzip;q=0.000", false},
		{"gzip;q=0.001", true},
		{"*", true},
		{"*;q=0", false},
		{"gzip;q=0, *", false},
		{"identity", false},
		{"gzip;q=0.5, identity", false},
		{"gzip, identity;q=0.5", true},
		{"gzipped", false},
	};
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(cases); i++)
		if (rt_gzip__accepted(cases[i].accept) != cases[i].want)
			fail_msg("Accept-Encoding: %s", cases[i].accept);
}

static void test_gzip(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	struct reply plain = ask(s, "GET", "/large", "Accept-Encoding: gzip;q=0\r\n");
	struct reply r = ask(s, "GET", "/large", "Accept-Encoding: gzip\r\n");
	char *text = malloc(plain.body_len + 1);
	z_stream z = {0};

	assert_no_header(&plain, "Content-Encoding");
	assert_memory_equal(plain.body, "line 0\nline 1\n", 14);
	/* 10 lines of 7, 90 of 8, 900 of 9, 9000 of 10 bytes */
	assert_int_equal(plain.body_len, 70 + 720 + 8100 + 90000);

	assert_header(&r, "Content-Encoding: gzip");
	assert_true(r.body_len < plain.body_len / 2);
	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	z.next_in = (u8 *)(uintptr_t)r.body;
	z.avail_in = (u32)r.body_len;
	z.next_out = (u8 *)text;
	z.avail_out = (u32)plain.body_len + 1;
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.total_out, plain.body_len);
	assert_int_equal(z.avail_in, 0);
	assert_memory_equal(text, plain.body, plain.body_len);
	inflateEnd(&z);
	free(text);
	reply__free(&plain);
	reply__free(&r);

	/* Two lines are one list. */
	r = ask(s, "GET", "/large", "Accept-Encoding: identity;q=0.5\r\naccept-encoding: gzip\r\n");
	assert_header(&r, "Content-Encoding: gzip");
	reply__free(&r);

	r = ask(s, "GET", "/small", "Accept-Encoding: gzip\r\n");
	assert_no_header(&r, "Content-Encoding"); /* not worth it */
	reply__free(&r);
	rt_http_server__free(s);
}

/* --- listening -------------------------------------------------------------- */

static void assert_reachable(struct rt_http_server *s, const char *host)
{
	int fd = dial(host, rt_http_server__port(s));
	struct reply r;

	if (fd < 0)
		fail_msg("cannot connect to %s", host);
	send_text(fd, "GET /small HTTP/1.0\r\n\r\n");
	r = parse_reply(receive_all(fd, 5000));
	assert_int_equal(r.status, 200);
	reply__free(&r);
	close(fd);
}

static void assert_unreachable(struct rt_http_server *s, const char *host)
{
	int fd = dial(host, rt_http_server__port(s));

	if (fd >= 0) {
		close(fd);
		fail_msg("can connect to %s", host);
	}
}

static void test_listen_addresses(void **state)
{
	struct rt_http_server *s;

	s = start("127.0.0.1:0");
	assert_true(rt_http_server__port(s) > 0);
	assert_reachable(s, "127.0.0.1");
	assert_unreachable(s, "127.0.0.2");
	rt_http_server__free(s);
	s = start("localhost:0");
	assert_reachable(s, "127.0.0.1");
	rt_http_server__free(s);
	s = start(":0");
	assert_reachable(s, "127.0.0.1");
	assert_reachable(s, "127.0.0.2");
	if (access("/proc/net/if_inet6", R_OK) == 0)
		assert_reachable(s, "::1");
	rt_http_server__free(s);
	if (access("/proc/net/if_inet6", R_OK) != 0) {
		print_message("no IPv6 here: [::1] not tried\n");
		return;
	}
	s = start("[::1]:0");
	assert_reachable(s, "::1");
	assert_unreachable(s, "127.0.0.1");
	rt_http_server__free(s);
}

static void test_listen_errors(void **state)
{
	static const char *const malformed[] = {
		"",	    "foo",	  "127.0.0.1",	 "127.0.0.1:",	"127.0.0.1:65536",
		"127.1:80", "1.2.3.4:x",  "1.2.3.4:-1",	 "::1:9733",	"[::1]",
		"[::1:80",  "[]:80",	  "1.2.3.4:+80", "1.2.3.4: 80", "[1.2.3.4]:80",
		"host:80",  ":000000080", "[::1%]:80",	 "[x%nope]:80",
	};
	int fds = count_fds();
	struct rt_http_server *s = start("127.0.0.1:0"), *other = NULL;
	char err[256], listen_on[64], want[256];
	size_t i;

	snprintf(listen_on, sizeof(listen_on), "127.0.0.1:%u", rt_http_server__port(s));
	assert_int_equal(rt_http_server__new(&other, listen_on, routes, NULL, err, sizeof(err)),
			 -EADDRINUSE);
	snprintf(want, sizeof(want),
		 "cannot listen on %s: port %u is in use by another program; choose another with "
		 "--listen ADDR:PORT",
		 listen_on, rt_http_server__port(s));
	assert_string_equal(err, want);
	rt_http_server__free(s);

	/* 192.0.2.0/24 is for documentation: no host has it (RFC 5737). */
	assert_int_equal(
		rt_http_server__new(&other, "192.0.2.7:9733", routes, NULL, err, sizeof(err)),
		-EADDRNOTAVAIL);
	assert_string_equal(
		err, "cannot listen on 192.0.2.7:9733: 192.0.2.7 is not an address of this host");
	assert_int_equal(
		rt_http_server__new(&other, "[fe80::1%nope]:80", routes, NULL, err, sizeof(err)),
		-ENODEV);
	assert_string_equal(err, "cannot listen on [fe80::1%nope]:80: there is no interface nope");

	for (i = 0; i < RT_ARRAY_SIZE(malformed); i++) {
		if (rt_http_server__new(&other, malformed[i], routes, NULL, err, sizeof(err)) !=
		    -EINVAL)
			fail_msg("accepted: %s", malformed[i]);
		snprintf(want, sizeof(want),
			 "cannot listen on \"%s\": expected ADDR:PORT, such as 127.0.0.1:9733, "
			 "[::1]:9733 or :9733",
			 malformed[i]);
		assert_string_equal(err, want);
	}
	assert_null(other);
	assert_int_equal(count_fds(), fds); /* nothing left behind */
	rt_http_server__free(NULL);
}

static void test_descriptors_close_on_exec(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	int fd = dial("127.0.0.1", rt_http_server__port(s)), i;
	struct reply r;

	send_text(fd, "GET /small HTTP/1.1\r\nHost: x\r\n\r\n");
	r = parse_reply(receive_all(fd, 200));
	reply__free(&r);
	for (i = 3; i < 64; i++) {
		char link[64], target[256];
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", i);
		n = readlink(link, target, sizeof(target) - 1);
		if (n < 0)
			continue;
		target[n] = '\0';
		if (strncmp(target, "socket:", 7) == 0 || strncmp(target, "anon_inode:", 11) == 0)
			assert_int_equal(fcntl(i, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	}
	close(fd);
	rt_http_server__free(s);
}

/* --- shutting down ---------------------------------------------------------- */

static void test_free_waits_for_handlers(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	int fd = dial("127.0.0.1", rt_http_server__port(s));

	send_text(fd, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n");
	wait_for_slow();
	rt_http_server__free(s);
	assert_true(__atomic_load_n(&seen.slow_done, __ATOMIC_ACQUIRE));
	close(fd);
}

/* --- clients that mean no good ---------------------------------------------- */

static void assert_quick(struct rt_http_server *s)
{
	u64 start_ns = rt_clock__mono();
	struct reply r = ask(s, "GET", "/large", "");

	assert_int_equal(r.status, 200);
	reply__free(&r);
	assert_true(rt_clock__mono() - start_ns < 2 * SEC);
}

static bool hung_up(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&p, 1, 0) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

static void test_thousands_of_slow_clients(void **state)
{
	enum { CLIENTS = 2000 };
	struct rlimit limit;
	struct rt_http_server *s;
	static int fds[CLIENTS];
	int i, ended = 0;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max < 2 * CLIENTS + 100 ? limit.rlim_max : 2 * CLIENTS + 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < 2 * CLIENTS + 100)
		skip();

	s = start("127.0.0.1:0");
	for (i = 0; i < CLIENTS; i++) {
		fds[i] = dial("127.0.0.1", rt_http_server__port(s));
		assert_true(fds[i] >= 0);
		send_text(fds[i], "GET /large HT"); /* and no more */
		if (i == 1200) {
			assert_quick(s);
			assert_false(hung_up(fds[0])); /* 1,200 are no crowd */
		}
	}
	assert_quick(s);
	/* The oldest had to go; the newest are still waited for. */
	for (i = 0; i < 1000 && !hung_up(fds[0]); i++)
		usleep(5000);
	assert_true(hung_up(fds[0]));
	assert_false(hung_up(fds[CLIENTS - 1]));
	for (i = 0; i < CLIENTS; i++) {
		ended += hung_up(fds[i]);
		close(fds[i]);
	}
	assert_in_range(ended, CLIENTS - 1536, CLIENTS - 1000);
	rt_http_server__free(s);
}

static void test_garbage(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	static char junk[300000];
	unsigned int seed = 7;
	struct rt_buf b;
	size_t i;
	int fd, round;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < sizeof(junk); i++) {
			seed = seed * 1103515245 + 12345;
			junk[i] = (char)(seed >> 16);
		}
		fd = dial("127.0.0.1", rt_http_server__port(s));
		send_all(fd, junk, sizeof(junk));
		shutdown(fd, SHUT_WR);
		b = receive_all(fd, 5000);
		if (b.len)
			assert_memory_equal(b.data, "HTTP/1.1 4", 10);
		rt_buf__free(&b);
		close(fd);
	}
	/* A head without an end is refused, and not stored. */
	memset(junk, 'a', sizeof(junk));
	memcpy(junk, "GET /small HTTP/1.1\r\nX: ", 24);
	fd = dial("127.0.0.1", rt_http_server__port(s));
	send_all(fd, junk, sizeof(junk));
	b = receive_all(fd, 5000);
	if (b.len) /* the rest of the head may have met a reset, and taken the answer along */
		assert_memory_equal(b.data, "HTTP/1.1 4", 10);
	rt_buf__free(&b);
	close(fd);
	assert_quick(s);
	rt_http_server__free(s);
}

/* Readers that do not read hold 64 MB at most, small pages still work, and who asks again is
 * answered at the expense of who has kept a page for longest. */
static void test_answers_nobody_reads(void **state)
{
	enum { CLIENTS = 4 };
	struct rt_http_server *s = start("127.0.0.1:0");
	int fds[CLIENTS], i, full = 0, refused = 0;
	struct rt_buf b;
	const int small = 4096;
	struct reply r;

	for (i = 0; i < CLIENTS; i++) {
		struct pollfd p = {.events = POLLIN};
		char head[13] = "";

		fds[i] = p.fd = dial("127.0.0.1", rt_http_server__port(s));
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		send_text(fds[i], "GET /big HTTP/1.1\r\nHost: x\r\n\r\n");
		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_int_equal(recv(fds[i], head, 12, MSG_WAITALL), 12);
		full += strcmp(head, "HTTP/1.1 200") == 0;
		refused += strcmp(head, "HTTP/1.1 503") == 0;
	}
	assert_int_equal(full, 3); /* of 20 MB each */
	assert_int_equal(refused, CLIENTS - 3);
	r = ask(s, "GET", "/small", "");
	assert_int_equal(r.status, 200);
	reply__free(&r);
	b = receive_all(fds[0], 5000);
	assert_true(b.len < BIG_BODY);
	rt_buf__free(&b);
	/* Its place is free once its thread saw the end. */
	for (i = 0; i < 100; i++) {
		r = ask(s, "GET", "/big", "");
		if (r.status == 200)
			break;
		reply__free(&r);
		usleep(20000);
	}
	assert_int_equal(r.status, 200);
	assert_int_equal(r.body_len, BIG_BODY);
	reply__free(&r);
	for (i = 0; i < CLIENTS; i++)
		close(fds[i]);
	rt_http_server__free(s);
}

static void test_silent_client_is_dropped(void **state)
{
	struct rt_http_server *s = start("127.0.0.1:0");
	int silent = dial("127.0.0.1", rt_http_server__port(s));
	int partial = dial("127.0.0.1", rt_http_server__port(s));
	u64 start_ns = rt_clock__mono();
	struct rt_buf b;

	send_text(partial, "GET / HTTP/1.1\r\n");
	b = receive_all(silent, 15000);
	rt_buf__free(&b);
	b = receive_all(partial, 2000);
	rt_buf__free(&b);
	assert_true(hung_up(silent));
	assert_true(hung_up(partial));
	assert_in_range(rt_clock__mono() - start_ns, 8 * SEC, 14 * SEC);
	close(silent);
	close(partial);
	rt_http_server__free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_and_head),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_half_closed),
		cmocka_unit_test(test_absolute_form),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_links_page),
		cmocka_unit_test(test_gzip_negotiation),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_listen_addresses),
		cmocka_unit_test(test_listen_errors),
		cmocka_unit_test(test_descriptors_close_on_exec),
		cmocka_unit_test(test_free_waits_for_handlers),
		cmocka_unit_test(test_thousands_of_slow_clients),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_answers_nobody_reads),
		cmocka_unit_test(test_silent_client_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
