// SPDX-License-Identifier: Apache-2.0
/*
 * redtap's own HTTP endpoints, over libmicrohttpd: its two threads accept and
 * serve, look up the route and run the handler. Started and stopped by the
 * agent; shares nothing with the consumer but what the handlers touch.
 *
 * Anyone may connect, so everything a client can make grow has a bound: places,
 * the time one may be silent, bytes of a request's head, and bytes of answers
 * that wait for their readers.
 */
#include "http/server.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "http/conns.h"
#include "http/gzip.h"
#include "http/listen.h"

enum http_limits {
	HTTP_THREADS = 2,
	HTTP_CONNECTIONS_MAX = 1536,
	HTTP_CROWDED_PART = 6,		 /* of them, the last sixth: see conns.h */
	HTTP_REQUEST_MAX = 16 * 1024,	 /* bytes of a request's head, with the answer's */
	HTTP_SILENCE_MAX = 10,		 /* seconds */
	HTTP_GZIP_MIN = 1024,		 /* bytes of a body worth compressing */
	HTTP_SMALL_BODY = 8 * 1024,	 /* always answered */
	HTTP_PENDING_MAX = 64 << 20,	 /* bytes of bodies not yet taken by their readers */
	HTTP_OTHER_FILES = 512,		 /* descriptors left to the rest of the program */
};

struct rt_http_server {
	struct MHD_Daemon *daemon;
	const struct rt_http_route *routes;
	void *ctx;
	struct rt_conns conns;
	unsigned short port;
	size_t pending; /* bytes; atomic */
};

/* A body on its way to a client. */
struct body {
	struct rt_http_server *server;
	struct rt_buf buf;
};

static void body__free(void *p)
{
	struct body *b = p;

	__atomic_sub_fetch(&b->server->pending, b->buf.len, __ATOMIC_RELAXED);
	rt_buf__free(&b->buf);
	free(b);
}

/* Takes over the buffer, also on failure. */
static struct MHD_Response *make_response(struct rt_http_server *s, struct rt_buf *buf)
{
	struct body *b = malloc(sizeof(*b));
	struct MHD_Response *r;

	if (!b) {
		rt_buf__free(buf);
		return NULL;
	}
	b->server = s;
	b->buf = *buf;
	*buf = (struct rt_buf)RT_BUF_INIT;
	rt_buf__puts(&b->buf, ""); /* an empty body has memory too */
	__atomic_add_fetch(&s->pending, b->buf.len, __ATOMIC_RELAXED);
	r = MHD_create_response_from_buffer_with_free_callback_cls(b->buf.len, b->buf.data,
								   body__free, b);
	if (!r)
		body__free(b);
	return r;
}

static void set_text(struct rt_http_response *resp, unsigned int status, const char *text)
{
	rt_buf__reset(&resp->body);
	resp->status = status;
	resp->content_type = "text/plain; charset=utf-8";
	rt_buf__puts(&resp->body, text);
	rt_buf__putc(&resp->body, '\n');
}

static void set_not_found(struct rt_http_response *resp, const struct rt_http_route *routes)
{
	set_text(resp, MHD_HTTP_NOT_FOUND, "not found; this server has:\n/");
	for (; routes->path; routes++) {
		if (strcmp(routes->path, "/") == 0)
			continue;
		rt_buf__puts(&resp->body, routes->path);
		rt_buf__putc(&resp->body, '\n');
	}
}

static void set_error(struct rt_http_response *resp, int err)
{
	char text[128];

	snprintf(text, sizeof(text), "this page could not be made: %s",
		 err == -E2BIG ? "it is too large" : strerror(-err));
	set_text(resp, MHD_HTTP_INTERNAL_SERVER_ERROR, text);
}

/* The path of a target: a server has to take "http://host/metrics" as well (RFC 9112, 3.2.2). */
static const char *path_of(const char *target)
{
	const char *path;

	if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
		return target;
	path = strchr(strstr(target, "//") + 2, '/');
	return path ? path : "/";
}

static void run_route(struct rt_http_server *s, const struct rt_http_request *req,
		      struct rt_http_response *resp)
{
	const struct rt_http_route *route = s->routes;
	int err;

	while (route->path && strcmp(route->path, req->path) != 0)
		route++;
	if (route->path) {
		err = route->handle(s->ctx, req, resp);
	} else if (strcmp(req->path, "/") == 0) {
		err = rt_http__links_page(s->routes, resp);
	} else {
		set_not_found(resp, s->routes);
		err = 0;
	}
	if (!err)
		err = resp->body.err;
	if (err)
		set_error(resp, err);
}

static enum MHD_Result send_response(struct rt_http_server *s, struct MHD_Connection *connection,
				     const struct rt_http_request *req,
				     struct rt_http_response *resp)
{
	bool gzip = resp->body.len > HTTP_GZIP_MIN && rt_gzip__accepted(req->accept_encoding) &&
		    rt_gzip__body(&resp->body) == 0;
	size_t pending = __atomic_load_n(&s->pending, __ATOMIC_RELAXED);
	struct MHD_Response *r;
	enum MHD_Result rc;

	if (resp->body.len > HTTP_SMALL_BODY && pending &&
	    pending + resp->body.len > HTTP_PENDING_MAX) {
		rt_buf__free(&resp->body);
		/* One who reads just enough to stay would keep the others out for long. */
		rt_conns__end_oldest(&s->conns);
		set_text(resp, MHD_HTTP_SERVICE_UNAVAILABLE,
			 "too many answers wait for clients that do not read them; try again");
		gzip = false;
	}
	r = make_response(s, &resp->body);
	if (!r)
		return MHD_NO;
	if (resp->content_type)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, resp->content_type);
	if (gzip)
		MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
	if (resp->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding");
	MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	rc = MHD_queue_response(connection, resp->status, r);
	MHD_destroy_response(r);
	return rc;
}

struct list {
	const char *name;
	struct rt_buf text;
};

static enum MHD_Result join(void *cls, enum MHD_ValueKind kind, const char *name,
			    const char *value)
{
	struct list *l = cls;

	if (!value || strcasecmp(name, l->name) != 0)
		return MHD_YES;
	if (l->text.len)
		rt_buf__puts(&l->text, ", ");
	rt_buf__puts(&l->text, value);
	return MHD_YES;
}

/* Several lines of one name are one list (RFC 9110, 5.3). Returns NULL where there is none. */
static const char *header(struct MHD_Connection *connection, struct list *l)
{
	MHD_get_connection_values(connection, MHD_HEADER_KIND, join, l);
	return l->text.err || !l->text.len ? NULL : l->text.data;
}

/* A client may end its side right behind its request, as `nc -N` does. The library reads what is
 * there and then waits for an event, which came already if both did at once: so that this one's
 * connection would stay until it is found silent. Ending our reading side as well is one more. */
static void note_half_close(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	char byte;

	if (info && !recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT))
		shutdown(info->connect_fd, SHUT_RD);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **request_ctx)
{
	static char head_seen;
	struct rt_http_server *s = cls;
	struct rt_http_response resp = {.status = MHD_HTTP_OK};
	struct rt_http_request req = {.method = method, .path = path_of(url)};
	struct list accept = {.name = MHD_HTTP_HEADER_ACCEPT};
	struct list encoding = {.name = MHD_HTTP_HEADER_ACCEPT_ENCODING};
	const union MHD_ConnectionInfo *info;
	enum MHD_Result rc;

	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		/* At the head, so that no body is waited for. */
		set_text(&resp, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are answered here");
		return send_response(s, connection, &req, &resp);
	}
	if (!*request_ctx) {
		*request_ctx = &head_seen;
		return MHD_YES;
	}
	if (*upload_size) {
		*upload_size = 0; /* a body that nobody asked for */
		return MHD_YES;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	if (info)
		rt_conns__touch(&s->conns, info->socket_context);
	note_half_close(connection);
	req.accept = header(connection, &accept);
	req.accept_encoding = header(connection, &encoding);
	run_route(s, &req, &resp);
	rc = send_response(s, connection, &req, &resp);
	rt_buf__free(&accept.text);
	rt_buf__free(&encoding.text);
	return rc;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct rt_http_server *s = cls;
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		rt_conns__remove(&s->conns, *socket_context);
		*socket_context = NULL;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info)
		*socket_context = rt_conns__add(&s->conns, info->connect_fd);
}

/* A soft limit of 1,024 is common, and would let the server's clients take the
 * descriptors that the rest of the program needs. `used`: those that it has by now. */
static void raise_file_limit(rlim_t used)
{
	const rlim_t want = used + HTTP_CONNECTIONS_MAX + HTTP_OTHER_FILES;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= want)
		return;
	limit.rlim_cur = want < limit.rlim_max ? want : limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Where the hard limit of descriptors is low, the rest of the program still has its part. */
static unsigned int connections_max(rlim_t used)
{
	const rlim_t others = HTTP_OTHER_FILES;
	struct rlimit limit;
	rlim_t left, n;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return HTTP_CONNECTIONS_MAX;
	left = limit.rlim_cur > used ? limit.rlim_cur - used : 0;
	n = left > 2 * others ? left - others : left / 2;
	if (n > HTTP_CONNECTIONS_MAX)
		return HTTP_CONNECTIONS_MAX;
	return n > HTTP_THREADS ? (unsigned int)n : HTTP_THREADS;
}

/* Signals are for the main thread: those made here inherit a full mask. */
static struct MHD_Daemon *start_daemon(struct rt_http_server *s, int fd, unsigned int connections)
{
	struct MHD_Daemon *daemon;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL,
				  on_request, s, MHD_OPTION_LISTEN_SOCKET, fd,
				  MHD_OPTION_THREAD_POOL_SIZE, (unsigned int)HTTP_THREADS,
				  MHD_OPTION_CONNECTION_LIMIT, connections,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_REQUEST_MAX,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_SILENCE_MAX,
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return daemon;
}

int rt_http_server__new(struct rt_http_server **ret, const char *listen,
			const struct rt_http_route *routes, void *ctx, char *errbuf, size_t errlen)
{
	struct rt_http_server *s = calloc(1, sizeof(*s));
	unsigned int connections;
	int fd;

	if (!s) {
		snprintf(errbuf, errlen, "cannot listen on %s: out of memory", listen);
		return -ENOMEM;
	}
	fd = rt_listen(listen, &s->port, errbuf, errlen);
	if (fd < 0) {
		free(s);
		return fd;
	}
	s->routes = routes;
	s->ctx = ctx;
	/* As the lowest number is always taken, a new one tells how many there are. */
	raise_file_limit((rlim_t)fd);
	connections = connections_max((rlim_t)fd);
	rt_conns__init(&s->conns, connections - (connections - 1) / HTTP_CROWDED_PART - 1);
	s->daemon = start_daemon(s, fd, connections);
	if (!s->daemon) {
		snprintf(errbuf, errlen, "cannot listen on %s: the HTTP server did not start",
			 listen);
		/* The socket is left: whether the library closed it depends on where it
		 * failed, and the program ends over this. */
		rt_conns__fini(&s->conns);
		free(s);
		return -EIO;
	}
	*ret = s;
	return 0;
}

void rt_http_server__free(struct rt_http_server *s)
{
	if (!s)
		return;
	MHD_stop_daemon(s->daemon); /* closes the listening socket too */
	rt_conns__fini(&s->conns);
	free(s);
}

unsigned short rt_http_server__port(const struct rt_http_server *s)
{
	return s->port;
}
