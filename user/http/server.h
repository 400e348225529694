/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redtap's own HTTP endpoints: a thin wrapper over libmicrohttpd with a table
 * of routes. Runs in threads of its own; nothing here touches the consumer.
 */
#ifndef REDTAP_SERVER_H
#define REDTAP_SERVER_H

#include "util/buf.h"

struct rt_http_request {
	const char *method;
	const char *path;
	const char *accept;	     /* NULL: no such header */
	const char *accept_encoding; /* NULL: no such header */
};

struct rt_http_response {
	unsigned int status;
	const char *content_type; /* static */
	struct rt_buf body;	  /* owned by the response */
};

struct rt_http_route {
	const char *path;
	const char *title; /* for the page of links; NULL: not listed */
	/* Runs in the server's thread. Returns 0, or -errno for a 500. */
	int (*handle)(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret);
};

struct rt_http_server;

/* `listen` as in rt_config; port 0 lets the kernel choose. On failure returns -errno and one
 * sentence in errbuf (port in use, address not of this host, bad form). `routes` ends with a row
 * whose path is NULL, and outlives the server. gzip by Accept-Encoding is done here. Only GET and
 * HEAD are answered (405 otherwise). "/" is the page of links unless a route claims it. The threads
 * made here have all signals blocked; the soft limit of open files is raised to fit the
 * connections. */
int rt_http_server__new(struct rt_http_server **ret, const char *listen,
			const struct rt_http_route *routes, void *ctx, char *errbuf, size_t errlen);
void rt_http_server__free(struct rt_http_server *s); /* NULL-safe; waits for running handlers */
unsigned short rt_http_server__port(const struct rt_http_server *s); /* for ":0" */

/* The page of links: every route with a title. 0 or -errno. */
int rt_http__links_page(const struct rt_http_route *routes, struct rt_http_response *ret);

#endif /* REDTAP_SERVER_H */
