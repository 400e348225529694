// SPDX-License-Identifier: Apache-2.0
/*
 * `redtap run`: the agent with its metrics at an HTTP endpoint, until SIGTERM.
 * Wires the registry, RED, the collectors and the HTTP server to the agent.
 */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "cli/line.h"
#include "collect/collect.h"
#include "export/prometheus.h"
#include "http/server.h"
#include "red/learn.h"
#include "red/red.h"
#include "util/clock.h"
#include "util/log.h"

static const char usage[] =
	"usage: redtap run [options]\n"
	"\n"
	"Watches the sockets in scope and serves RED metrics at http://ADDR:PORT/metrics\n"
	"until SIGTERM or SIGINT. SIGHUP reads the configuration again. With --samples-log\n"
	"some requests are lines of JSON on stdout: failed ones, slow ones, a few of all.\n";

/* Bytes of lines that wait for their reader. */
#define LINES_MAX (1u << 20)

struct run {
	struct rt_config *cfg;	   /* in force */
	struct rt_config *initial; /* what the kernel side was loaded with */
	struct rt_cmdline cmd;
	struct rt_registry *registry;
	struct rt_red *red;
	struct rt_agent *agent;
	struct rt_bpf *bpf; /* the agent's */
	struct rt_collect_ctx collect_ctx;
	struct rt_collect *collect;
	struct rt_http_server *server;
	struct rt_buf lines; /* of the log of samples */
	/* Samples among the records, by enum rt_sample, and lines that stdout did not take; other
	 * threads read them. */
	u64 taken[RT_NR_SAMPLES], unread;
	bool mute;	     /* nobody reads stdout any more */
	bool ready;
	bool page_failed; /* and it was told; by the HTTP server's threads */
	u64 now;
};

static struct rt_registry_opts registry_opts(const struct rt_config *cfg)
{
	return (struct rt_registry_opts){
		.max_series = (u32)cfg->metrics_max_series,
		.ttl_ns = cfg->metrics_ttl,
	};
}

/* --- the loop's side ------------------------------------------------------ */

static void add_line(struct run *run, const struct rt_finished *f, const char *route)
{
	if (!run->mute && run->lines.len < LINES_MAX)
		rt_line__json(&run->lines, f, route);
	else
		__atomic_fetch_add(&run->unread, 1, __ATOMIC_RELAXED);
}

static void write_lines(struct run *run)
{
	int err = run->lines.len ? rt_line__offer(&run->lines) : 0;

	if (!err)
		return;
	run->mute = true;
	for (size_t i = 0; i < run->lines.len; i++)
		if (run->lines.data[i] == '\n')
			__atomic_fetch_add(&run->unread, 1, __ATOMIC_RELAXED);
	rt_buf__free(&run->lines);
	rt_warn("the log of samples ends here, stdout cannot be written to: %s", strerror(-err));
}

static void on_batch(void *ctx, bool begin)
{
	struct run *run = ctx;

	if (begin) {
		rt_registry__lock(run->registry);
		return;
	}
	rt_registry__unlock(run->registry);
	write_lines(run);
}

static void on_finished(void *ctx, const struct rt_finished *f)
{
	struct run *run = ctx;
	u64 now = f->x->end ? f->x->end : f->x->resp_end;
	const char *route;
	u32 sample;

	if (f->x->flags & RT_X_SAMPLE) {
		add_line(run, f, rt_red__route(run->red, f));
		return;
	}
	rt_red__record(run->red, f, now, &route);
	sample = rt_red__sampled(run->red, f, now);
	if (!sample)
		return;
	__atomic_fetch_add(&run->taken[sample - 1], 1, __ATOMIC_RELAXED);
	add_line(run, f, route);
}

static void on_sweep(void *ctx, bool begin)
{
	struct run *run = ctx;

	if (begin) {
		rt_red__active_begin(run->red);
		return;
	}
	rt_red__active_end(run->red, run->now);
}

static void on_fold(void *ctx)
{
	struct run *run = ctx;
	u64 nameless, named = rt_red__fold(run->red, rt_clock__mono(), &nameless);

	rt_finisher__add_counted(rt_agent__finisher(run->agent), named, nameless);
}

static void on_active(void *ctx, const struct rt_active *a)
{
	struct run *run = ctx;
	/* As with the finished ones: a client's own port means nothing to rules by port. */
	u16 port = a->role == RT_ROLE_SERVER ? a->local_port : 0;
	const struct rt_process *p =
		rt_meta__lookup(rt_agent__meta(run->agent), a->pid, NULL, port);

	rt_red__active_add(run->red, p, a->role, a->proto);
}

static void on_tick(void *ctx, u64 now)
{
	struct run *run = ctx;

	run->now = now;
	rt_registry__expire(run->registry, now);
}

/* --- requests counted in the kernel --------------------------------------- */

static int put_rule(void *ctx, const struct rt_rule *rule, bool fresh)
{
	return rt_bpf__rule_put(ctx, rule, fresh);
}

static int spare_slot(void *ctx, u32 slot)
{
	return rt_bpf__spare(ctx, slot);
}

static u64 spare_key(void *ctx, u32 slot)
{
	return rt_bpf__spare_key(ctx, slot);
}

static int get_rule(void *ctx, u64 key, struct rt_rule *ret)
{
	return rt_bpf__rule_get(ctx, key, ret);
}

static int del_rule(void *ctx, u64 key)
{
	return rt_bpf__rule_delete(ctx, key);
}

static void rules_moved(void *ctx)
{
	rt_bpf__rules_moved(ctx);
}

static void get_sums(void *ctx, u32 slot, struct rt_cell *ret)
{
	rt_bpf__slot_sums(ctx, slot, ret);
}

static int get_hist(void *ctx, u32 slot, struct rt_hist *ret)
{
	return rt_bpf__slot_hist(ctx, slot, ret);
}

static const struct rt_learn_ops learn_ops = {
	.put = put_rule,
	.spare = spare_slot,
	.spare_key = spare_key,
	.get = get_rule,
	.del = del_rule,
	.moved = rules_moved,
	.sums = get_sums,
	.hist = get_hist,
};

/* --- reload --------------------------------------------------------------- */

static bool same_list(const struct rt_strlist *a, const struct rt_strlist *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

static bool needs_restart(const struct rt_config *a, const struct rt_config *b)
{
	return strcmp(a->listen, b->listen) != 0 || a->backend != b->backend ||
	       a->ring_size != b->ring_size || a->routes_memory != b->routes_memory ||
	       a->samples_log != b->samples_log || a->samples_rate != b->samples_rate ||
	       a->samples_failed_rate != b->samples_failed_rate ||
	       a->samples_slow_rate != b->samples_slow_rate || a->samples_slow != b->samples_slow ||
	       a->self_bpf_stats != b->self_bpf_stats ||
	       !same_list(&a->netns, &b->netns) || !same_list(&a->cgroup, &b->cgroup) ||
	       !same_list(&a->pid, &b->pid) || !same_list(&a->exe, &b->exe) ||
	       !same_list(&a->port, &b->port) || strcmp(a->btf, b->btf) != 0 ||
	       !same_list(&a->disable_feature, &b->disable_feature);
}

static const struct rt_config *on_reload(void *ctx)
{
	struct run *run = ctx;
	struct rt_registry_opts opts;
	struct rt_config *cfg, *old = run->cfg;
	char sentence[512];
	struct stat st;

	/* What a pipe had to say was read at the start; one that goes on would be waited for. */
	if (run->cmd.config_file && !stat(run->cmd.config_file, &st) && !S_ISREG(st.st_mode)) {
		rt_error("the configuration is not reloaded: %s is not a regular file, and was read "
			 "at the start",
			 run->cmd.config_file);
		return NULL;
	}
	if (rt_config__load(&cfg, run->cmd.config_file, environ, run->cmd.flags, run->cmd.nr_flags,
			    sentence, sizeof(sentence))) {
		rt_error("the configuration is not reloaded: %s", sentence);
		return NULL;
	}
	if (needs_restart(run->initial, cfg))
		rt_warn("the scope, listen, backend, ring_size, btf, disable_feature, "
			"routes.memory, samples and self.bpf_stats change only with a restart; "
			"the rest is reloaded");
	rt_log__setup((enum rt_log_level)cfg->log_level, (enum rt_log_format)cfg->log_format);
	opts = registry_opts(cfg);
	rt_registry__set_opts(run->registry, &opts);
	rt_registry__lock(run->registry);
	rt_red__reload(run->red, cfg);
	rt_registry__unlock(run->registry);
	/* The agent's modules take theirs when this returns, and use the old one no more. The first
	 * is kept to the end. */
	if (old != run->initial)
		rt_config__free(old);
	run->cfg = cfg;
	rt_info("configuration reloaded");
	return cfg;
}

static const struct rt_agent_ops ops = {
	.finished = on_finished,
	.active = on_active,
	.batch = on_batch,
	.sweep = on_sweep,
	.fold = on_fold,
	.tick = on_tick,
	.reload = on_reload,
};

/* --- the HTTP server's side ----------------------------------------------- */

static int get_metrics(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	struct run *run = ctx;
	enum rt_exposition format = rt_expo__negotiate(req->accept);
	int err;

	/* Counts as old as the last sweep would bend the rates of those who scrape often. */
	rt_agent__refresh(run->agent);
	rt_collect__run(run->collect);
	ret->content_type = rt_expo_content_type[format];
	err = rt_expo__render(run->registry, format, &ret->body);
	if (!err)
		err = ret->body.err;
	if (!__atomic_exchange_n(&run->page_failed, err, __ATOMIC_RELAXED) && err)
		rt_error("the page of metrics cannot be made: %s",
			 err == -E2BIG ? "it is larger than 256 MB, metrics.max_series has to be lower"
				       : strerror(-err));
	return err;
}

static int get_healthz(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	ret->content_type = "text/plain; charset=utf-8";
	rt_buf__puts(&ret->body, "ok\n");
	return 0;
}

static int get_readyz(void *ctx, const struct rt_http_request *req, struct rt_http_response *ret)
{
	struct run *run = ctx;
	bool ready = __atomic_load_n(&run->ready, __ATOMIC_ACQUIRE);

	ret->content_type = "text/plain; charset=utf-8";
	ret->status = ready ? 200 : 503;
	rt_buf__puts(&ret->body, ready ? "ready\n" : "not ready\n");
	return 0;
}

static const struct rt_http_route routes[] = {
	{"/metrics", "Metrics, for Prometheus", get_metrics},
	{"/healthz", "Whether redtap runs", get_healthz},
	{"/readyz", "Whether redtap captures", get_readyz},
	{0},
};

/* --- life ------------------------------------------------------------------ */

static int start(struct run *run, char *errbuf, size_t errlen)
{
	struct rt_registry_opts opts = registry_opts(run->cfg);
	int err;

	snprintf(errbuf, errlen, "out of memory");
	run->registry = rt_registry__new(&opts);
	run->red = run->registry ? rt_red__new(run->registry, run->cfg) : NULL;
	if (!run->red)
		return -ENOMEM;
	err = rt_agent__new(&run->agent, run->cfg, &ops, run, errbuf, errlen);
	if (err)
		return err;
	run->bpf = rt_agent__bpf(run->agent);
	if (rt_bpf__nr_slots(run->bpf) &&
	    rt_red__count_in_kernel(run->red, &learn_ops, run->bpf, rt_bpf__nr_slots(run->bpf)))
		return -ENOMEM;
	if (rt_bpf__samplers(run->bpf) &&
	    rt_red__sample(run->red, run->initial->samples_slow, rt_bpf__samplers(run->bpf)))
		return -ENOMEM;
	run->collect_ctx = (struct rt_collect_ctx){
		.cfg = run->initial,
		.bpf = rt_agent__bpf(run->agent),
		.finisher = rt_agent__finisher(run->agent),
		.samples_taken = run->taken,
		.samples_unread = &run->unread,
	};
	run->collect = rt_collect__new(run->registry, &run->collect_ctx);
	if (!run->collect)
		return -ENOMEM;
	err = rt_http_server__new(&run->server, run->cfg->listen, routes, run, errbuf, errlen);
	/* A port in use is the world's fault, not a mistake in the words. */
	return err == -EINVAL ? -EADDRNOTAVAIL : err;
}

static void finish(struct run *run)
{
	rt_http_server__free(run->server);
	rt_collect__free(run->collect);
	/* It deletes its rules. */
	rt_red__free(run->red);
	rt_agent__free(run->agent);
	rt_registry__free(run->registry);
	rt_buf__free(&run->lines);
	if (run->cfg != run->initial)
		rt_config__free(run->cfg);
	rt_config__free(run->initial);
	rt_cmdline__free(&run->cmd);
}

/* A file may hold rates for the day when the log is turned on; who types one wants it now. */
static void warn_of_idle_flags(const struct run *run)
{
	for (size_t i = 0; i < run->cmd.nr_flags && !run->cfg->samples_log; i++)
		if (strncmp(run->cmd.flags[i].name, "samples-", 8) == 0 &&
		    strcmp(run->cmd.flags[i].name, "samples-log") != 0)
			rt_warn("--%s does nothing without --samples-log", run->cmd.flags[i].name);
}

int rt_cmd_run(int argc, char **argv)
{
	struct run run = {0};
	char sentence[768];
	int status, err;
	sigset_t hup;

	/* A reload that comes while redtap starts is one when it has, not its end. */
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	sigprocmask(SIG_BLOCK, &hup, NULL);
	status = rt_cli__load(&run.cfg, &run.cmd, argc, argv, NULL, usage);
	if (status != RT_CLI_GO_ON)
		return status;
	run.initial = run.cfg;
	status = rt_cli__check_features(run.cfg);
	if (status == RT_CLI_GO_ON)
		status = rt_cli__check_pids(run.cfg);
	if (status != RT_CLI_GO_ON) {
		finish(&run);
		return status;
	}
	err = start(&run, sentence, sizeof(sentence));
	if (err) {
		rt_error("%s", sentence);
		finish(&run);
		return err == -EINVAL ? RT_EXIT_USAGE : RT_EXIT_FAILED;
	}
	warn_of_idle_flags(&run);
	/* A number that lacks its unit, most likely. */
	if (run.cfg->routes_memory && !rt_bpf__nr_slots(run.bpf))
		rt_warn("routes.memory of %llu bytes is too little for one route: every request is "
			"a record, as with 0",
			(unsigned long long)run.cfg->routes_memory);
	rt_info("capturing with backend %s, metrics at port %u",
		rt_bpf__backend(rt_agent__bpf(run.agent))->name, rt_http_server__port(run.server));
	rt_cli__started();
	__atomic_store_n(&run.ready, true, __ATOMIC_RELEASE);
	err = rt_agent__loop(run.agent);
	if (err)
		rt_error("capturing ended: %s", strerror(-err));
	else
		rt_info("stopped");
	finish(&run);
	return err ? RT_EXIT_FAILED : 0;
}
