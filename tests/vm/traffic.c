// SPDX-License-Identifier: Apache-2.0
/*
 * A server and a client that need nothing but libc: 2,000 requests on 16 open
 * connections over IPv4, IPv6 and a Unix socket, by every call that reads and
 * writes, each end keeping its own account of times. Some of the connections are
 * closed by the server after each answer, and made anew. Called by exact.c.
 */
#include "traffic.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_FD 256
#define CLOSE  "Connection: close\r\n"

const struct kind_row kinds[NR_KINDS] = {
	[OK] = {"/ok", 200, 0},
	[MISSING] = {"/missing", 404, 0},
	[FAIL] = {"/fail", 500, 0},
	[SLEEP5] = {"/sleep5", 200, 5},
	[SLEEP50] = {"/sleep50", 200, 50},
};

/* One state per descriptor, for either end. */
static struct conn {
	bool used;
	bool once; /* for one request: the server closes it */
	bool over; /* that was answered */
	enum kind kind;
	unsigned int way;  /* which calls move the bytes */
	unsigned int next; /* client: its next request's number */
	uint64_t in, out;  /* the first operation's entry (outer) and return (inner) */
	uint64_t due;	   /* server: when to answer; 0: nothing to answer */
	size_t have;
	char buf[512];
} conns[MAX_FD];

enum kind traffic__kind(unsigned int i)
{
	if (i < NR_REQUESTS && i % 40 == 3)
		return SLEEP50;
	if (i < NR_REQUESTS && i % 20 == 7)
		return SLEEP5;
	if (i % 10 == 5)
		return MISSING;
	return i % 10 == 9 ? FAIL : OK;
}

static ssize_t put(int fd, unsigned int way, const char *data, size_t len)
{
	struct iovec iov[2] = {{(void *)data, len / 3}, {(void *)(data + len / 3), len - len / 3}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	switch (way % 4) {
	case 0:
		return write(fd, data, len);
	case 1:
		return send(fd, data, len, 0);
	case 2:
		return writev(fd, iov, 2);
	default:
		return sendmsg(fd, &msg, 0);
	}
}

static ssize_t get(int fd, unsigned int way, char *data, size_t len)
{
	struct iovec iov[2] = {{data, 20}, {data + 20, len - 20}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};

	switch (way % 4) {
	case 0:
		return read(fd, data, len);
	case 1:
		return recv(fd, data, len, 0);
	case 2:
		return readv(fd, iov, 2);
	default:
		return recvmsg(fd, &msg, 0);
	}
}

static socklen_t address(unsigned int which, struct sockaddr_storage *ss)
{
	struct sockaddr_in *in = (void *)ss;
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_un *un = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	if (which == 0) {
		in->sin_family = AF_INET;
		in->sin_port = htons(PORT);
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*in);
	}
	if (which == 1) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(PORT);
		in6->sin6_addr = in6addr_loopback;
		return sizeof(*in6);
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path + 1, "traffic", 7);
	return offsetof(struct sockaddr_un, sun_path) + 8;
}

int traffic__listen(int ret_fds[NR_LISTENERS])
{
	struct sockaddr_storage ss;
	int one = 1;

	for (unsigned int i = 0; i < NR_LISTENERS; i++) {
		socklen_t len = address(i, &ss);
		int fd = socket(ss.ss_family, SOCK_STREAM, 0);

		if (fd < 0)
			return -errno;
		if (i < 2)
			setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (void *)&ss, len) || listen(fd, 64))
			return -errno;
		ret_fds[i] = fd;
	}
	return 0;
}

static void add(struct account *a, const struct conn *c, uint64_t in, uint64_t out)
{
	a->count[c->kind]++;
	if (in < c->out + (uint64_t)kinds[c->kind].sleep_ms * 1000000)
		a->brief[c->kind]++;
	a->inner_ns[c->kind] += in - c->out;
	a->outer_ns[c->kind] += out - c->in;
}

static void answer(int fd, struct account *a)
{
	struct conn *c = &conns[fd];
	const struct kind_row *k = &kinds[c->kind];
	char text[256];
	uint64_t in, out;
	int n;

	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 %d Whatever\r\nContent-Type: text/plain\r\n"
		     "Content-Length: 6\r\n\r\nhello\n",
		     k->status);
	c->due = 0;
	in = now_ns();
	if (put(fd, c->way, text, (size_t)n) != n)
		return;
	out = now_ns();
	add(a, c, in, out);
	if (c->once) {
		close(fd);
		c->used = false;
	}
}

/* Whether a whole head has come; the times kept are those of its first read. */
static bool take(int fd, uint64_t *ret_in, uint64_t *ret_out)
{
	struct conn *c = &conns[fd];
	ssize_t n;

	*ret_in = now_ns();
	n = get(fd, c->way, c->buf + c->have, sizeof(c->buf) - 1 - c->have);
	*ret_out = now_ns();
	if (n <= 0) {
		close(fd);
		c->used = false;
		return false;
	}
	c->have += (size_t)n;
	c->buf[c->have] = 0;
	return strstr(c->buf, "\r\n\r\n") != NULL;
}

static void served(int fd, struct account *a)
{
	struct conn *c = &conns[fd];
	uint64_t in, out;
	bool first = c->have == 0, whole = take(fd, &in, &out);

	if (first) {
		c->in = in;
		c->out = out;
	}
	if (!whole)
		return;
	c->have = 0;
	c->once = strstr(c->buf, CLOSE) != NULL;
	for (int k = 0; k < NR_KINDS; k++) {
		size_t len = strlen(kinds[k].path);

		if (memcmp(c->buf + 4, kinds[k].path, len) == 0 && c->buf[4 + len] == ' ')
			c->kind = (enum kind)k;
	}
	c->due = out + (uint64_t)kinds[c->kind].sleep_ms * 1000000;
	if (!kinds[c->kind].sleep_ms)
		answer(fd, a);
}

static int watch(int ep, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

/* Answers what is due; returns the milliseconds until the next one, or -1. */
static int answer_due(struct account *a)
{
	uint64_t now = now_ns(), next = UINT64_MAX;

	for (int fd = 0; fd < MAX_FD; fd++) {
		struct conn *c = &conns[fd];

		if (!c->used || !c->due)
			continue;
		if (c->due <= now)
			answer(fd, a);
		else if (c->due < next)
			next = c->due;
	}
	return next == UINT64_MAX ? -1 : (int)((next - now) / 1000000 + 1);
}

void traffic__serve(const int listeners[NR_LISTENERS], struct account *a)
{
	struct epoll_event ev[32];
	unsigned int way = 0;
	int ep = epoll_create1(0), n;

	for (int i = 0; i < NR_LISTENERS; i++)
		watch(ep, listeners[i]);
	while ((n = epoll_wait(ep, ev, 32, answer_due(a))) >= 0 || errno == EINTR) {
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;

			if (conns[fd].used) {
				served(fd, a);
				continue;
			}
			fd = accept(fd, NULL, NULL);
			if (fd < 0 || fd >= MAX_FD)
				continue;
			memset(&conns[fd], 0, sizeof(conns[fd]));
			conns[fd].used = true;
			/* Not in step with the client's order of calls. */
			conns[fd].way = way + way / 4;
			way++;
			watch(ep, fd);
		}
	}
}

static int ask(int fd)
{
	struct conn *c = &conns[fd];
	char text[256];
	int n;

	c->kind = traffic__kind(c->next);
	c->next += NR_CONNS;
	c->have = 0;
	n = snprintf(text, sizeof(text),
		     "GET %s HTTP/1.1\r\nHost: guest.example\r\nUser-Agent: traffic\r\n%s\r\n",
		     kinds[c->kind].path, c->once ? CLOSE : "");
	c->in = now_ns();
	if (put(fd, c->way, text, (size_t)n) != n)
		return -EIO;
	c->out = now_ns();
	return 0;
}

static int connect_one(unsigned int i)
{
	static const unsigned char families[8] = {0, 0, 0, 0, 0, 1, 1, 2};
	struct sockaddr_storage ss;
	socklen_t len = address(families[i % 8], &ss);
	int fd = socket(ss.ss_family, SOCK_STREAM, 0), one = 1;

	if (fd < 0 || fd >= MAX_FD || connect(fd, (void *)&ss, len))
		return -errno;
	if (ss.ss_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	memset(&conns[fd], 0, sizeof(conns[fd]));
	conns[fd].used = true;
	conns[fd].way = conns[fd].next = i;
	conns[fd].once = i % 4 == 3 || i % 8 == 6; /* of each family */
	return fd;
}

/* The server closed it. Returns the descriptor of the one that takes its place. */
static int connect_anew(unsigned int next)
{
	int fd = connect_one(next % NR_CONNS);

	if (fd >= 0)
		conns[fd].next = next;
	return fd;
}

int traffic__request(struct account *a, unsigned int requests)
{
	struct epoll_event ev[NR_CONNS];
	unsigned int done = 0;
	int ep = epoll_create1(0);

	for (unsigned int i = 0; i < NR_CONNS; i++) {
		int fd = connect_one(i);

		if (fd < 0)
			return fd;
		watch(ep, fd);
		if (ask(fd))
			return -EIO;
	}
	while (done < requests) {
		int n = epoll_wait(ep, ev, NR_CONNS, 20000);

		if (n <= 0)
			return -ETIMEDOUT;
		for (int i = 0; i < n; i++) {
			int fd = ev[i].data.fd;
			uint64_t in, out;

			if (!take(fd, &in, &out)) {
				if (conns[fd].used)
					continue;
				if (!conns[fd].over)
					return -ECONNRESET;
				if (conns[fd].next >= requests)
					continue;
				fd = connect_anew(conns[fd].next);
				if (fd < 0)
					return fd;
				watch(ep, fd);
				if (ask(fd))
					return -EIO;
				continue;
			}
			add(a, &conns[fd], in, out);
			done++;
			conns[fd].over = conns[fd].once;
			if (!conns[fd].once && conns[fd].next < requests && ask(fd))
				return -EIO;
		}
	}
	return 0;
}
