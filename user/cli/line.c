// SPDX-License-Identifier: Apache-2.0
/*
 * A finished request as a line of JSON: what `redtap trace --format json` prints, and
 * `redtap run --samples-log`. Called by the consumer's thread.
 */
#include "cli/line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "util/clock.h"

void rt_line__peer(const struct rt_exchange *x, char ret[RT_PEER_LEN])
{
	static const u8 mapped[12] = {[10] = 0xff, [11] = 0xff};

	ret[0] = 0;
	if (x->family == RT_FAMILY_INET)
		inet_ntop(AF_INET, x->peer_addr, ret, RT_PEER_LEN);
	else if (x->family == RT_FAMILY_INET6 && !memcmp(x->peer_addr, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, x->peer_addr + sizeof(mapped), ret, RT_PEER_LEN);
	else if (x->family == RT_FAMILY_INET6)
		inet_ntop(AF_INET6, x->peer_addr, ret, RT_PEER_LEN);
}

const char *rt_line__role(const struct rt_exchange *x)
{
	return x->role == RT_ROLE_SERVER ? "server" : "client";
}

static void put_key(struct rt_buf *b, const char *key, struct rt_slice value)
{
	rt_buf__printf(b, "%s\"%s\":", b->len && b->data[b->len - 1] != '{' ? "," : "", key);
	rt_buf__put_json(b, value);
}

static void put_number(struct rt_buf *b, const char *key, u64 value)
{
	rt_buf__printf(b, ",\"%s\":", key);
	rt_buf__put_u64(b, value);
}

void rt_line__json(struct rt_buf *b, const struct rt_finished *f, const char *route)
{
	const struct rt_exchange *x = f->x;
	char peer[RT_PEER_LEN], start[RT_RFC3339_LEN], buf[8];
	const char *error = rt_error_type(f, buf);

	rt_line__peer(x, peer);
	rt_clock__rfc3339(start, rt_clock__wall_of(x->req_start));
	rt_buf__putc(b, '{');
	put_key(b, "time", rt_slice_str(start));
	put_key(b, "service", rt_slice_str(f->process->service));
	put_number(b, "pid", x->pid);
	put_key(b, "executable", rt_slice_str(f->process->executable));
	put_key(b, "role", rt_slice_str(rt_line__role(x)));
	put_key(b, "protocol", rt_slice_str(rt_proto__get(x->proto)->name));
	put_key(b, "method", f->op->method);
	put_key(b, "path", f->op->path);
	put_key(b, "route", rt_slice_str(route));
	put_number(b, "status", f->op->status);
	put_key(b, "error", rt_slice_str(error));
	put_number(b, "ttfb_ns", f->ttfb_ns);
	put_number(b, "duration_ns", f->duration_ns);
	put_number(b, "request_bytes", x->req_bytes);
	put_number(b, "response_bytes", f->response_bytes);
	put_number(b, "local_port", x->local_port);
	put_key(b, "peer_address", rt_slice_str(peer));
	put_number(b, "peer_port", x->peer_port);
	rt_buf__puts(b, "}\n");
}

size_t rt_line__piece(const char *p, size_t len)
{
	const char *end = len > PIPE_BUF ? memrchr(p, '\n', PIPE_BUF) : p + len - 1;

	return end ? (size_t)(end + 1 - p) : PIPE_BUF;
}

int rt_line__stdout(void)
{
	static int fd = -1;

	if (fd >= 0)
		return fd;
	/* A terminal that has room for one byte is writable, and then waited for. Opened anew, the
	 * flag is this program's alone. */
	if (isatty(STDOUT_FILENO))
		fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		fd = STDOUT_FILENO;
	return fd;
}

int rt_line__offer(struct rt_buf *b)
{
	struct pollfd out = {.fd = rt_line__stdout(), .events = POLLOUT};
	size_t done = 0;

	while (done < b->len && poll(&out, 1, 0) == 1) {
		size_t left = b->len - done;
		ssize_t n = write(out.fd, b->data + done, rt_line__piece(b->data + done, left));

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	if (done == b->len) {
		rt_buf__reset(b);
	} else if (done) {
		b->len -= done;
		memmove(b->data, b->data + done, b->len + 1);
	}
	return 0;
}
