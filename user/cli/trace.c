// SPDX-License-Identifier: Apache-2.0
/*
 * `redtap trace`: one line per finished exchange, as it finishes.
 */
#include "cli/cli.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "cli/line.h"
#include "red/red.h"
#include "red/route.h"
#include "util/buf.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/utf8.h"

/* A reader that does not read holds the end up for so long. */
#define PATIENCE_NS 300000000ull
#define FULL_US	    10000

static const char usage[] =
	"usage: redtap trace [--format text|json] [options]\n"
	"\n"
	"Prints one line per finished request: start, service, pid, role, protocol, method,\n"
	"path, route, status, error type, time to first byte, duration, bytes, peer.\n"
	"Options of metrics and samples do nothing here.\n"
	"\n"
	"  --format text|json   json: one object per line, times in nanoseconds\n";

struct trace {
	struct rt_config *cfg;
	struct rt_cmdline cmd;
	struct rt_agent *agent;
	struct rt_routes *routes;
	struct rt_buf out;
	bool json;
	u64 give_up;   /* CLOCK_MONOTONIC; 0: nobody asked for the end yet */
	bool closed;   /* nothing more can be written */
	int write_err; /* why, unless the reader just went away */
};

/* A terminal must not be driven by what came from the network, by the control
 * characters above 0x7f neither; and blanks stand between the fields. */
static void put_plain(struct rt_buf *b, struct rt_slice s)
{
	u32 n;

	for (u32 i = 0; i < s.len; i += n) {
		u32 len = rt_utf8_plain(s.p + i, s.len - i);

		n = len ? len : 1;
		if (len && s.p[i] != ' ')
			rt_buf__put(b, s.p + i, n);
		else
			rt_buf__printf(b, "\\x%02x", s.p[i]);
	}
}

static void put_text(struct rt_buf *b, const struct rt_finished *f, const char *route)
{
	const struct rt_exchange *x = f->x;
	char peer[RT_PEER_LEN], start[RT_RFC3339_LEN], buf[8];
	const char *error = rt_error_type(f, buf);

	rt_line__peer(x, peer);
	rt_clock__rfc3339(start, rt_clock__wall_of(x->req_start));
	rt_buf__printf(b, "%s ", start);
	put_plain(b, rt_slice_str(f->process->service));
	rt_buf__printf(b, "[%u] %s %s ", x->pid, rt_line__role(x), rt_proto__get(x->proto)->name);
	put_plain(b, f->op->method);
	rt_buf__putc(b, ' ');
	put_plain(b, f->op->path);
	rt_buf__puts(b, " route=");
	put_plain(b, rt_slice_str(*route ? route : "-"));
	rt_buf__printf(b, " status=%u error=%s ttfb=%.3fms duration=%.3fms in=%llu out=%llu ",
		       f->op->status, *error ? error : "-", (double)f->ttfb_ns / 1e6,
		       (double)f->duration_ns / 1e6, (unsigned long long)x->req_bytes,
		       (unsigned long long)f->response_bytes);
	if (strchr(peer, ':'))
		rt_buf__printf(b, "peer=[%s]:%u\n", peer, x->peer_port);
	else if (*peer)
		rt_buf__printf(b, "peer=%s:%u\n", peer, x->peer_port);
	else
		rt_buf__puts(b, "peer=unix\n");
}

static void on_finished(void *ctx, const struct rt_finished *f)
{
	struct trace *t = ctx;
	const char *route = rt_red__route_of(t->routes, f);

	if (t->json)
		rt_line__json(&t->out, f, route);
	else
		put_text(&t->out, f, route);
}

/* Waits until stdout takes a piece. Signals come by a descriptor, so none would
 * interrupt a write that waits for the reader. False: the end was asked for, and
 * the reader had its time. */
static bool wait_for_reader(struct trace *t)
{
	struct pollfd fds[] = {
		{.fd = rt_line__stdout(), .events = POLLOUT},
		{.fd = rt_agent__signal_fd(t->agent), .events = POLLIN},
	};

	for (;;) {
		u64 now = rt_clock__mono();
		int timeout = -1;

		if (!t->give_up && rt_agent__stopping(t->agent))
			t->give_up = now + PATIENCE_NS;
		if (t->give_up && now >= t->give_up)
			return false;
		if (t->give_up)
			timeout = (int)((t->give_up - now) / 1000000) + 1;
		if (poll(fds, t->give_up ? 1 : 2, timeout) < 0 && errno != EINTR)
			return true; /* the write says what is wrong */
		if (!t->give_up && fds[1].revents)
			rt_agent__stop(t->agent);
		if (fds[0].revents)
			return true;
	}
}

static void write_out(struct trace *t)
{
	const char *p = t->out.data;
	size_t left = t->out.len;

	while (left) {
		ssize_t n;

		if (!wait_for_reader(t)) {
			t->closed = true;
			return;
		}
		n = write(rt_line__stdout(), p, rt_line__piece(p, left));
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			/* A terminal may be writable, and have no room for a line's end. */
			if (errno == EAGAIN)
				usleep(FULL_US);
			continue;
		}
		if (n < 0) {
			t->closed = true;
			t->write_err = errno == EPIPE ? 0 : errno;
			rt_agent__stop(t->agent);
			return;
		}
		p += n;
		left -= (size_t)n;
	}
}

/* Once per batch. While nobody reads, records are lost, which the kernel counts. */
static void on_batch(void *ctx, bool begin)
{
	struct trace *t = ctx;

	if (begin)
		return;
	if (!t->closed)
		write_out(t);
	rt_buf__reset(&t->out);
}

static const struct rt_agent_ops ops = {
	.finished = on_finished,
	.batch = on_batch,
};

/* Of a file or the environment, which serve `run` as well, nothing is said. */
static void warn_of_idle_flags(const struct rt_cmdline *cmd)
{
	static const char *const idle[] = {"listen",   "metrics-",   "routes-memory",
					   "samples-", "labels-pid", "self-bpf-stats"};

	for (size_t i = 0; i < cmd->nr_flags; i++)
		for (size_t j = 0; j < RT_ARRAY_SIZE(idle); j++)
			if (strncmp(cmd->flags[i].name, idle[j], strlen(idle[j])) == 0)
				rt_warn("--%s does nothing in a trace", cmd->flags[i].name);
}

static int trace(struct trace *t)
{
	char sentence[768];
	int err;

	err = rt_cli__check_features(t->cfg);
	if (err == RT_CLI_GO_ON)
		err = rt_cli__check_pids(t->cfg);
	if (err != RT_CLI_GO_ON)
		return err;
	/* Each request is a line, so each has to come as a record. */
	t->cfg->routes_memory = 0;
	t->cfg->samples_log = false;
	/* They would slow every BPF program of the host, and nothing here tells them. */
	t->cfg->self_bpf_stats = false;
	t->routes = rt_routes__new(t->cfg);
	if (!t->routes) {
		rt_error("out of memory");
		return RT_EXIT_FAILED;
	}
	err = rt_agent__new(&t->agent, t->cfg, &ops, t, sentence, sizeof(sentence));
	if (err) {
		rt_error("%s", sentence);
		return err == -EINVAL ? RT_EXIT_USAGE : RT_EXIT_FAILED;
	}
	warn_of_idle_flags(&t->cmd);
	rt_info("capturing with backend %s", rt_bpf__backend(rt_agent__bpf(t->agent))->name);
	rt_cli__started();
	err = rt_agent__loop(t->agent);
	if (err)
		rt_error("capturing ended: %s", strerror(-err));
	if (t->write_err)
		rt_error("cannot write to stdout: %s", strerror(t->write_err));
	return err || t->write_err ? RT_EXIT_FAILED : 0;
}

int rt_cmd_trace(int argc, char **argv)
{
	static const char *const extra[] = {"format", NULL};
	struct trace t = {0};
	const char *format;
	int status;

	status = rt_cli__load(&t.cfg, &t.cmd, argc, argv, extra, usage);
	if (status != RT_CLI_GO_ON)
		return status;
	format = rt_cli__extra(&t.cmd, "format");
	if (format && strcmp(format, "json") != 0 && strcmp(format, "text") != 0) {
		rt_error("--format %s: give text or json", format);
		status = RT_EXIT_USAGE;
	} else {
		t.json = format && strcmp(format, "json") == 0;
		status = trace(&t);
	}
	rt_agent__free(t.agent);
	rt_routes__free(t.routes);
	rt_buf__free(&t.out);
	rt_config__free(t.cfg);
	rt_cmdline__free(&t.cmd);
	return status;
}
