// SPDX-License-Identifier: Apache-2.0
/*
 * Opens the server's listening socket: reads ADDR:PORT strictly (a mistyped
 * address must not become another one), binds, and turns what the kernel says
 * into a sentence. Called by server.c, once at start.
 */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 512

/* Accepted sockets inherit it: what the kernel holds for clients that do not
 * read stays within connections times this. */
#define SEND_BUFFER (256 * 1024)

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
	bool any; /* no address was given: all of them, of both families */
	char host[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
	unsigned short port;
};

static bool parse_port(const char *s, unsigned short *ret)
{
	unsigned int port = 0;
	size_t i;

	for (i = 0; s[i]; i++) {
		if (s[i] < '0' || s[i] > '9' || i == 5)
			return false;
		port = port * 10 + (unsigned int)(s[i] - '0');
	}
	if (!i || port > 65535)
		return false;
	*ret = (unsigned short)port;
	return true;
}

static void set_in(struct address *a, struct in_addr addr)
{
	a->in = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(a->port), .sin_addr = addr};
	a->len = sizeof(a->in);
}

static void set_in6(struct address *a, struct in6_addr addr, unsigned int scope)
{
	a->in6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
				       .sin6_port = htons(a->port),
				       .sin6_addr = addr,
				       .sin6_scope_id = scope};
	a->len = sizeof(a->in6);
}

static int parse_in6(struct address *a)
{
	char text[sizeof(a->host)];
	unsigned int scope = 0;
	struct in6_addr addr;
	char *percent;

	memcpy(text, a->host, sizeof(text));
	percent = strchr(text, '%');
	if (percent)
		*percent = '\0';
	if (inet_pton(AF_INET6, text, &addr) != 1 || (percent && !percent[1]))
		return -EINVAL;
	if (percent) {
		scope = if_nametoindex(percent + 1);
		if (!scope)
			return -errno;
	}
	set_in6(a, addr, scope);
	return 0;
}

/* 0; -EINVAL: the words are wrong; else what the kernel said of the interface. */
static int parse_address(struct address *a, const char *s)
{
	const char *colon = strrchr(s, ':');
	struct in_addr addr;
	bool brackets;
	size_t n;

	memset(a, 0, sizeof(*a));
	if (!colon || !parse_port(colon + 1, &a->port))
		return -EINVAL;
	n = (size_t)(colon - s);
	brackets = n >= 2 && s[0] == '[' && s[n - 1] == ']';
	if (brackets) {
		s++;
		n -= 2;
	}
	if (n >= sizeof(a->host))
		return -EINVAL;
	memcpy(a->host, s, n);
	if (brackets)
		return parse_in6(a);
	if (!n) {
		a->any = true;
		set_in6(a, in6addr_any, 0);
		return 0;
	}
	if (strcmp(a->host, "localhost") == 0)
		addr.s_addr = htonl(INADDR_LOOPBACK);
	else if (inet_pton(AF_INET, a->host, &addr) != 1)
		return -EINVAL;
	set_in(a, addr);
	return 0;
}

static int open_socket(const struct address *a)
{
	const int one = 1, only6 = !a->any, sndbuf = SEND_BUFFER;
	int fd, err;

	fd = socket(a->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* None of these failing is worth not starting. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &sndbuf, sizeof(sndbuf));
	if (a->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only6, sizeof(only6));
	if (bind(fd, &a->sa, a->len) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void explain(const char *listen_on, const struct address *a, int err, char *buf, size_t len)
{
	const char *percent = strchr(a->host, '%');

	switch (-err) {
	case EADDRINUSE:
		snprintf(buf, len,
			 "cannot listen on %s: port %u is in use by another program; choose "
			 "another with --listen ADDR:PORT",
			 listen_on, a->port);
		return;
	case EADDRNOTAVAIL:
		snprintf(buf, len, "cannot listen on %s: %s is not an address of this host",
			 listen_on, a->host);
		return;
	case ENODEV:
		snprintf(buf, len, "cannot listen on %s: there is no interface %s", listen_on,
			 percent ? percent + 1 : "");
		return;
	case EACCES:
		snprintf(buf, len,
			 "cannot listen on %s: ports below 1024 need root or CAP_NET_BIND_SERVICE",
			 listen_on);
		return;
	case EINVAL:
		snprintf(buf, len,
			 "cannot listen on %s: a link-local address needs its interface, as in "
			 "[fe80::1%%eth0]:PORT, and an IPv4 one its own form",
			 listen_on);
		return;
	case EAFNOSUPPORT:
		snprintf(buf, len, "cannot listen on %s: this kernel has no IPv6", listen_on);
		return;
	default:
		snprintf(buf, len, "cannot listen on %s: %s", listen_on, strerror(-err));
	}
}

int rt_listen(const char *listen_on, unsigned short *ret_port, char *errbuf, size_t errlen)
{
	struct address a, bound;
	int fd, err;

	err = parse_address(&a, listen_on);
	if (err == -EINVAL) {
		snprintf(errbuf, errlen,
			 "cannot listen on \"%s\": expected ADDR:PORT, such as 127.0.0.1:9733, "
			 "[::1]:9733 or :9733",
			 listen_on);
		return err;
	}
	if (err) {
		explain(listen_on, &a, err, errbuf, errlen);
		return err;
	}
	fd = open_socket(&a);
	if (a.any && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) {
		/* No IPv6 here: all addresses are the IPv4 ones. */
		set_in(&a, (struct in_addr){htonl(INADDR_ANY)});
		fd = open_socket(&a);
	}
	if (fd < 0) {
		explain(listen_on, &a, fd, errbuf, errlen);
		return fd;
	}
	bound.len = sizeof(bound.in6);
	if (getsockname(fd, &bound.sa, &bound.len) < 0) {
		err = -errno;
		explain(listen_on, &a, err, errbuf, errlen);
		close(fd);
		return err;
	}
	*ret_port = ntohs(bound.sa.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);
	return fd;
}
