// SPDX-License-Identifier: Apache-2.0
/*
 * Many small servers and clients with many connections, of nothing but libc. Run
 * by scale.py, churn.py and tests/vm/icount.py.
 *
 *   swarm serve PORT    answers each request with 200; says "ready"
 *   swarm ask ADDR PORT NR_PORTS NR_CONNECTIONS REQUESTS
 *                       opens connections from ADDR to NR_PORTS servers from PORT
 *                       on; says "ready", obeys lines from stdin until its end:
 *     same N            N requests, all alike
 *     routes N          N requests, of ROUTES paths in turn
 *     paths N           N requests, each with a path that was never there before
 *     items N           the same, but all paths have one route
 *
 * and answers each with the number of responses and their CLOCK_MONOTONIC ns. After
 * REQUESTS requests a connection is closed and opened anew; 0: never. All messages
 * are short and written by one call, so they are read by one; anything else ends
 * the program with a sentence and status 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROUTES	  10 /* as many words as one place of a path may have, for a route each */
#define EVENTS	  256
#define REPLY	  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
#define BACKLOG	  4096
#define WAIT_MS	  20000
#define SERVER_IP "127.0.0.1"

enum paths { SAME, ROUTE, NEW, ITEM };

struct conn {
	int fd;
	unsigned int asked; /* since it was opened */
	bool waits;	    /* for a response */
};

struct client {
	struct in_addr from;
	unsigned int port, nr_ports, nr_conns, max_asked;
	unsigned long long told; /* number of the next path that is new */
	struct conn *conns;
	int ep;
};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *fmt, ...)
{
	int err = errno;
	va_list args;

	fputs("swarm: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, " (%s)\n", strerror(err));
	exit(1);
}

static unsigned int number(const char *s)
{
	char *end;
	unsigned long v = strtoul(s, &end, 10);

	if (!*s || *end || v > UINT32_MAX)
		fail("%s is no number", s);
	return (unsigned int)v;
}

static void say(const char *line)
{
	puts(line);
	fflush(stdout);
}

static struct sockaddr_in address(struct in_addr ip, unsigned int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = ip,
	};
}

static void watch(int ep, int fd, uint32_t data)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = data};

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev))
		fail("epoll_ctl");
}

static void set_nodelay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

/* --- server ----------------------------------------------------------------- */

static int listen_at(unsigned int port)
{
	struct in_addr any = {htonl(INADDR_ANY)};
	struct sockaddr_in to = address(any, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (void *)&to, sizeof(to)) || listen(fd, BACKLOG))
		fail("cannot listen at port %u", port);
	return fd;
}

static void accept_all(int ep, int listener)
{
	int fd;

	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		set_nodelay(fd);
		watch(ep, fd, (uint32_t)fd);
	}
	if (errno != EAGAIN && errno != ECONNABORTED)
		fail("accept");
}

static void serve_one(int fd)
{
	char buf[4096];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n <= 0) {
		close(fd);
		return;
	}
	if (n < 4 || memcmp(buf + n - 4, "\r\n\r\n", 4) != 0)
		fail("a request came in pieces");
	/* The peer may be gone meanwhile. */
	if (write(fd, REPLY, strlen(REPLY)) != (ssize_t)strlen(REPLY))
		close(fd);
}

static void serve(unsigned int port)
{
	int listener = listen_at(port), ep = epoll_create1(EPOLL_CLOEXEC), n;
	struct epoll_event ev[EVENTS];

	watch(ep, listener, (uint32_t)listener);
	say("ready");
	while ((n = epoll_wait(ep, ev, EVENTS, -1)) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			if (ev[i].data.u32 == (uint32_t)listener)
				accept_all(ep, listener);
			else
				serve_one((int)ev[i].data.u32);
		}
	}
	fail("epoll_wait");
}

/* --- client ----------------------------------------------------------------- */

static void open_conn(struct client *c, unsigned int i)
{
	struct sockaddr_in from = address(c->from, 0), to = {0};
	struct conn *conn = &c->conns[i];
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	inet_aton(SERVER_IP, &to.sin_addr);
	to = address(to.sin_addr, c->port + i % c->nr_ports);
	/* The port is chosen at connect(), so that it need be free for this peer only. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	if (fd < 0 || bind(fd, (void *)&from, sizeof(from)) || connect(fd, (void *)&to, sizeof(to)))
		fail("cannot open connection %u", i);
	set_nodelay(fd);
	watch(c->ep, fd, i);
	*conn = (struct conn){.fd = fd};
}

static void ask(struct client *c, unsigned int i, enum paths paths)
{
	struct conn *conn = &c->conns[i];
	char path[64], text[256];
	int n;

	if (c->max_asked && conn->asked == c->max_asked) {
		close(conn->fd);
		open_conn(c, i);
	}
	/* Every server is asked for each route. */
	if (paths == SAME)
		snprintf(path, sizeof(path), "/");
	else if (paths == ROUTE)
		snprintf(path, sizeof(path), "/things/route-%c",
			 (int)('a' + (i / c->nr_ports + conn->asked) % ROUTES));
	else if (paths == ITEM || (c->told & 1))
		snprintf(path, sizeof(path), "/items/%llu/parts", c->told);
	else
		snprintf(path, sizeof(path), "/words/w-%llu-x", c->told);
	conn->asked++;
	c->told += paths >= NEW;
	n = snprintf(text, sizeof(text),
		     "GET %s HTTP/1.1\r\nHost: swarm.example\r\nUser-Agent: swarm\r\n\r\n", path);
	if (write(conn->fd, text, (size_t)n) != n)
		fail("cannot ask on connection %u", i);
	conn->waits = true;
}

/* The body's length by Content-Length; it is there with its head. */
static void take(struct client *c, unsigned int i)
{
	static const char field[] = "Content-Length: ";
	char buf[4096], *end, *length;
	ssize_t n = read(c->conns[i].fd, buf, sizeof(buf) - 1);

	if (n <= 0)
		fail("connection %u ended", i);
	c->conns[i].waits = false;
	buf[n] = '\0';
	end = strstr(buf, "\r\n\r\n");
	length = strstr(buf, field);
	if (!end || !length || length > end ||
	    (size_t)(buf + n - end - 4) != strtoul(length + strlen(field), NULL, 10))
		fail("a response came in pieces, or is none: %s", buf);
}

/* What the kernel has to say of the first connection that waits. */
__attribute__((noreturn)) static void fail_silent(const struct client *c)
{
	unsigned int waiting = 0, first = 0;
	struct tcp_info info = {0};
	struct sockaddr_in at = {0};
	socklen_t len = sizeof(info), at_len = sizeof(at);

	for (unsigned int i = 0; i < c->nr_conns; i++)
		if (c->conns[i].waits && !waiting++)
			first = i;
	getsockopt(c->conns[first].fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	getsockname(c->conns[first].fd, (void *)&at, &at_len);
	errno = 0;
	fail("no response for %d s on %u connections; the first: request %u, from port %u to %u, "
	     "TCP state %u, %u segments not acknowledged, %u retransmitted",
	     WAIT_MS / 1000, waiting, c->conns[first].asked, ntohs(at.sin_port),
	     c->port + first % c->nr_ports, info.tcpi_state, info.tcpi_unacked,
	     info.tcpi_total_retrans);
}

/* One request at a time on each connection, the connections in turn. */
static void round_of(struct client *c, unsigned int requests, enum paths paths)
{
	struct epoll_event ev[EVENTS];
	unsigned int asked, done = 0;

	for (asked = 0; asked < requests && asked < c->nr_conns; asked++)
		ask(c, asked, paths);
	while (done < requests) {
		int n = epoll_wait(c->ep, ev, EVENTS, WAIT_MS);

		if (n <= 0)
			fail_silent(c);
		for (int k = 0; k < n; k++) {
			take(c, ev[k].data.u32);
			done++;
			if (asked < requests) {
				ask(c, ev[k].data.u32, paths);
				asked++;
			}
		}
	}
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void obey(struct client *c)
{
	static const char *const names[] = {
		[SAME] = "same", [ROUTE] = "routes", [NEW] = "paths", [ITEM] = "items"};
	char line[128], what[16];
	unsigned int n, paths;

	while (fgets(line, sizeof(line), stdin)) {
		uint64_t start = now_ns();

		if (sscanf(line, "%15s %u", what, &n) != 2)
			fail("not understood: %s", line);
		for (paths = SAME; paths <= ITEM && strcmp(what, names[paths]) != 0; paths++)
			;
		if (paths > ITEM)
			fail("not understood: %s", line);
		round_of(c, n, paths);
		printf("%u %llu\n", n, (unsigned long long)(now_ns() - start));
		fflush(stdout);
	}
}

static void client(char **argv)
{
	struct client c = {
		.port = number(argv[1]),
		.nr_ports = number(argv[2]),
		.nr_conns = number(argv[3]),
		.max_asked = number(argv[4]),
		.ep = epoll_create1(EPOLL_CLOEXEC),
	};

	if (!inet_aton(argv[0], &c.from))
		fail("%s is no address", argv[0]);
	/* Two clients never ask for the same new path. */
	c.told = (unsigned long long)getpid() << 32;
	c.conns = calloc(c.nr_conns, sizeof(*c.conns));
	if (!c.conns || !c.nr_conns || !c.nr_ports)
		fail("no connections");
	for (unsigned int i = 0; i < c.nr_conns; i++)
		open_conn(&c, i);
	say("ready");
	obey(&c);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0) {
		serve(number(argv[2]));
	} else if (argc == 7 && strcmp(argv[1], "ask") == 0) {
		client(argv + 2);
	} else {
		fputs("usage: swarm serve PORT | ask ADDR PORT NR_PORTS NR_CONNECTIONS REQUESTS\n",
		      stderr);
		return 2;
	}
	return 0;
}
