// SPDX-License-Identifier: Apache-2.0
/*
 * redtap's own health: the BPF programs' counters (stats.def), what the
 * finisher made of the exchanges, and the programs' cost. Run at each scrape.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/capture.h"
#include "collect/collect.h"
#include "red/finish.h"

#define RT_PROGS_MAX 32

static const struct {
	const char *metric;
	const char *labels; /* name="value", or "" */
	const char *help;
} stats[RT_NR_STATS] = {
#define STAT(id, m, l, h) [RT_STAT_##id] = {m, l, h},
#include "redtap/stats.def"
#undef STAT
};

/* Of the rows of stats[]. The registry keeps pointers to them, also where init() fails. */
static struct rt_family_desc stat_descs[RT_NR_STATS];
static char label_names[RT_NR_STATS][32];

struct state {
	const struct rt_collect_ctx *ctx;
	struct rt_series *series[RT_NR_STATS];
	struct rt_series *in_flight;
	struct rt_metric *runs, *run_seconds, *skips;
	/* what read() found */
	u64 values[RT_NR_STATS];
	u64 flying;
	struct rt_prog_info progs[RT_PROGS_MAX];
	size_t nr_progs;
};

static const struct rt_family_desc in_flight_desc = {
	.name = "redtap_exchanges_in_flight",
	.help = "Exchanges begun and not over, at the last sweep (twice a second).",
	.type = RT_GAUGE,
};
static const struct rt_family_desc runs_desc = {
	.name = "redtap_program_runs",
	.help = "Runs of each BPF program, while the kernel's BPF statistics are on.",
	.labels = {"program"},
	.uncapped = true,
};
static const struct rt_family_desc run_seconds_desc = {
	.name = "redtap_program_run_seconds",
	.help = "Time spent in each BPF program, while the kernel's BPF statistics are on.",
	.unit = "seconds",
	.labels = {"program"},
	.uncapped = true,
};
static const struct rt_family_desc skips_desc = {
	.name = "redtap_program_skips",
	.help = "Runs of each BPF program that the kernel left out, as it was running on that CPU already: what they would have seen is missing.",
	.labels = {"program"},
	.uncapped = true,
};
static const struct rt_family_desc build_desc = {
	.name = "redtap_build_info",
	.help = "What this redtap is and how it captures.",
	.type = RT_INFO,
	.labels = {"version", "backend"},
};

static struct rt_series *series(struct rt_registry *r, struct rt_metric *m,
				const struct rt_slice *values)
{
	struct rt_series *s;

	if (!m)
		return NULL;
	rt_registry__lock(r);
	s = rt_metric__series(m, values);
	rt_registry__unlock(r);
	return s;
}

/* One family per metric name; its rows follow each other in stats.def. */
static int init_stats(struct state *st, struct rt_registry *r)
{
	struct rt_metric *family = NULL;

	for (u32 i = 0; i < RT_NR_STATS; i++) {
		const char *eq = strchr(stats[i].labels, '=');
		struct rt_family_desc *d = &stat_descs[i];
		struct rt_slice value = {0};

		if (!i || strcmp(stats[i].metric, stats[i - 1].metric) != 0) {
			d->name = stats[i].metric;
			d->help = stats[i].help;
			d->type = RT_COUNTER;
			d->unit = strstr(d->name, "_bytes") ? "bytes" : NULL;
			d->uncapped = true;
			if (eq) {
				snprintf(label_names[i], sizeof(label_names[i]), "%.*s",
					 (int)(eq - stats[i].labels), stats[i].labels);
				d->labels[0] = label_names[i];
			}
			family = rt_registry__add(r, d);
		}
		if (eq) {
			value.p = (const u8 *)eq + 2;
			value.len = (u32)strlen(eq + 2) - 1;
		}
		st->series[i] = series(r, family, &value);
		if (!st->series[i])
			return -ENOMEM;
	}
	return 0;
}

static int self_init(struct rt_registry *r, const struct rt_collect_ctx *ctx, void **ret_state)
{
	struct state *st = calloc(1, sizeof(*st));
	struct rt_slice none = {0};
	struct rt_slice build[] = {
		rt_slice_str(REDTAP_VERSION),
		rt_slice_str(ctx->bpf ? rt_bpf__backend(ctx->bpf)->name : ""),
	};
	struct rt_series *info;
	int err;

	if (!st)
		return -ENOMEM;
	st->ctx = ctx;
	info = series(r, rt_registry__add(r, &build_desc), build);
	err = init_stats(st, r);
	st->in_flight = series(r, rt_registry__add(r, &in_flight_desc), &none);
	st->runs = rt_registry__add(r, &runs_desc);
	st->run_seconds = rt_registry__add(r, &run_seconds_desc);
	st->skips = rt_registry__add(r, &skips_desc);
	if (err || !info || !st->in_flight || !st->runs || !st->run_seconds || !st->skips) {
		free(st);
		return -ENOMEM;
	}
	rt_registry__lock(r);
	rt_series__set(info, 1, 0);
	rt_registry__unlock(r);
	*ret_state = st;
	return 0;
}

static int self_read(void *state)
{
	struct state *st = state;
	struct rt_finish_counts c = {0};

	memset(st->values, 0, sizeof(st->values));
	if (st->ctx->bpf) {
		rt_bpf__stats(st->ctx->bpf, st->values);
		st->nr_progs = rt_bpf__programs(st->ctx->bpf, st->progs, RT_PROGS_MAX);
	}
	if (st->ctx->finisher)
		rt_finisher__counts(st->ctx->finisher, &c);
	st->values[RT_STAT_EXCHANGES_STARTED] += c.started;
	st->values[RT_STAT_EXCHANGES_FINISHED] = c.finished;
	st->values[RT_STAT_EXCHANGES_ABORTED] = c.aborted;
	st->values[RT_STAT_EXCHANGES_REJECTED] = c.rejected;
	st->values[RT_STAT_EXCHANGES_ENDLESS] = c.endless;
	/* The kernel counts those of which user space heard nothing. */
	st->values[RT_STAT_EXCHANGES_EVICTED] += c.evicted;
	st->values[RT_STAT_EXCHANGES_UNFRAMED] = c.unframed;
	st->values[RT_STAT_EXCHANGES_PIPELINED] = c.pipelined;
	st->values[RT_STAT_EXCHANGES_STREAMED] = c.streamed;
	st->values[RT_STAT_STREAMS_TORN] = c.torn;
	st->values[RT_STAT_RECORDS_MALFORMED] = c.bad;
	/* And those of the samples that it took itself. */
	for (u32 i = 0; st->ctx->samples_taken && i < RT_NR_SAMPLES; i++)
		st->values[RT_STAT_SAMPLES_ANY + i] +=
			__atomic_load_n(&st->ctx->samples_taken[i], __ATOMIC_RELAXED);
	if (st->ctx->samples_unread)
		st->values[RT_STAT_SAMPLES_UNREAD] =
			__atomic_load_n(st->ctx->samples_unread, __ATOMIC_RELAXED);
	st->flying = c.in_flight;
	return 0;
}

static void self_write(void *state, u64 now)
{
	struct state *st = state;

	for (u32 i = 0; i < RT_NR_STATS; i++)
		rt_series__set(st->series[i], (double)st->values[i], now);
	rt_series__set(st->in_flight, (double)st->flying, now);
	for (size_t i = 0; i < st->nr_progs; i++) {
		struct rt_slice name = rt_slice_str(st->progs[i].name);

		rt_series__set(rt_metric__series(st->runs, &name), (double)st->progs[i].runs, now);
		rt_series__set(rt_metric__series(st->skips, &name), (double)st->progs[i].skips,
			       now);
		rt_series__set(rt_metric__series(st->run_seconds, &name),
			       (double)st->progs[i].run_ns / 1e9, now);
	}
}

static void self_fini(void *state)
{
	free(state);
}

const struct rt_collector rt_collector_self = {
	.name = "self",
	.init = self_init,
	.read = self_read,
	.write = self_write,
	.fini = self_fini,
};
