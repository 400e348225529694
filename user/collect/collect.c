// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the collectors of collectors.def before each scrape, times each, and
 * exports that with whether it worked. Called by the handler of /metrics, in
 * the HTTP server's threads: one run at a time.
 */
#include "collect/collect.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/log.h"

#define COLLECTOR(name) extern const struct rt_collector rt_collector_##name;
#include "collect/collectors.def"
#undef COLLECTOR

static const struct rt_collector *const collectors[] = {
#define COLLECTOR(name) &rt_collector_##name,
#include "collect/collectors.def"
#undef COLLECTOR
};

static const struct rt_family_desc duration_desc = {
	.name = "redtap_scrape_collector_duration_seconds",
	.help = "Time the collector took at this scrape.",
	.type = RT_GAUGE,
	.unit = "seconds",
	.labels = {"collector"},
};

static const struct rt_family_desc success_desc = {
	.name = "redtap_scrape_collector_success",
	.help = "1 when the collector worked at this scrape, else 0.",
	.type = RT_GAUGE,
	.labels = {"collector"},
};

struct slot {
	const struct rt_collector *ops;
	void *state;
	bool on;      /* its init worked */
	bool failing; /* said so in the log */
	struct rt_series *duration;
	struct rt_series *success;
};

struct rt_collect {
	struct rt_registry *registry;
	pthread_mutex_t mutex; /* of the states */
	size_t n;
	struct slot slots[];
};

static void init_slot(struct rt_collect *c, struct slot *slot, const struct rt_collector *ops,
		      const struct rt_collect_ctx *ctx)
{
	int err = ops->init(c->registry, ctx, &slot->state);

	slot->ops = ops;
	slot->on = !err;
	if (err)
		rt_warn("collector %s cannot start, its metrics are missing: %s", ops->name,
			strerror(-err));
}

struct rt_collect *rt_collect__new_table(struct rt_registry *r, const struct rt_collect_ctx *ctx,
					 const struct rt_collector *const *table, size_t n)
{
	struct rt_collect *c = calloc(1, sizeof(*c) + n * sizeof(c->slots[0]));
	struct rt_metric *duration, *success;
	size_t i;

	if (!c)
		return NULL;
	pthread_mutex_init(&c->mutex, NULL);
	c->registry = r;
	c->n = n;
	for (i = 0; i < n; i++)
		init_slot(c, &c->slots[i], table[i], ctx);
	duration = rt_registry__add(r, &duration_desc);
	success = rt_registry__add(r, &success_desc);
	if (!duration || !success) {
		rt_collect__free(c);
		errno = ENOMEM;
		return NULL;
	}
	rt_registry__lock(r);
	for (i = 0; i < n; i++) {
		struct rt_slice name = rt_slice_str(table[i]->name);

		c->slots[i].duration = rt_metric__series(duration, &name);
		c->slots[i].success = rt_metric__series(success, &name);
	}
	rt_registry__unlock(r);
	return c;
}

struct rt_collect *rt_collect__new(struct rt_registry *r, const struct rt_collect_ctx *ctx)
{
	return rt_collect__new_table(r, ctx, collectors, RT_ARRAY_SIZE(collectors));
}

/* Says it when a collector begins to fail or works again, not at every scrape. */
static void note_result(struct slot *slot, int err)
{
	if (err && !slot->failing)
		rt_warn("collector %s failed, its metrics stand still: %s", slot->ops->name,
			strerror(-err));
	else if (!err && slot->failing)
		rt_info("collector %s works again", slot->ops->name);
	slot->failing = err != 0;
}

static void run_slot(struct rt_registry *r, struct slot *slot)
{
	u64 start = rt_clock__mono(), now;
	int err = 0;

	if (slot->on) {
		err = slot->ops->read(slot->state);
		note_result(slot, err);
	}
	rt_registry__lock(r);
	now = rt_clock__mono();
	if (slot->on && !err)
		slot->ops->write(slot->state, now);
	rt_series__set(slot->success, slot->on && !err, now);
	rt_series__set(slot->duration, (double)(rt_clock__mono() - start) / 1e9, now);
	rt_registry__unlock(r);
}

void rt_collect__run(struct rt_collect *c)
{
	size_t i;

	pthread_mutex_lock(&c->mutex);
	for (i = 0; i < c->n; i++)
		run_slot(c->registry, &c->slots[i]);
	pthread_mutex_unlock(&c->mutex);
}

void rt_collect__free(struct rt_collect *c)
{
	size_t i;

	if (!c)
		return;
	for (i = 0; i < c->n; i++)
		if (c->slots[i].ops && c->slots[i].ops->fini)
			c->slots[i].ops->fini(c->slots[i].state);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}
