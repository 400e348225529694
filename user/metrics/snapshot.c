// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots: the registry's slots copied block by block under the lock, into
 * memory that was allocated and touched before, so that the consumer waits for
 * a memcpy at most. Called by exporters, from any thread.
 */
#include "metrics/snapshot.h"

#include <errno.h>
#include <stdlib.h>

#include "metrics/registry_impl.h"
#include "util/clock.h"
#include "util/huge.h"

/* Room for what is added between sizing and copying. */
#define SLACK_BYTES    65536
#define SLACK_FAMILIES 8

static char *copy_metric(const struct rt_metric *m, struct rt_family_snapshot *f, char *dst)
{
	size_t block = (size_t)m->block_slots * m->stride;
	u32 i;

	f->desc = m->desc;
	f->slots = dst;
	f->nr_slots = m->nr_blocks * m->block_slots;
	f->stride = m->stride;
	for (i = 0; i < m->nr_blocks; i++, dst += block)
		memcpy(dst, m->blocks[i], block);
	return dst;
}

static void count_series(struct rt_snapshot *s)
{
	u32 i, k;

	for (i = 0; i < s->nr_families; i++) {
		struct rt_family_snapshot *f = &s->families[i];

		for (k = 0; k < f->nr_slots; k++)
			f->nr_series += rt_family_snapshot__slot(f, k)->labels != NULL;
	}
}

/* -EAGAIN: the registry outgrew the room. */
static int try_snapshot(struct rt_registry *r, struct rt_snapshot *s)
{
	u32 max_families, i;
	size_t max_bytes;
	char *dst;
	u64 start;

	rt_registry__lock_reader(r);
	max_families = r->nr_metrics + 1 + SLACK_FAMILIES;
	max_bytes = r->slot_bytes + SLACK_BYTES;
	rt_registry__unlock(r);

	s->families = calloc(max_families, sizeof(*s->families));
	s->data = malloc(max_bytes);
	if (!s->families || !s->data)
		return -ENOMEM;
	rt_huge__advise(s->data, max_bytes);
	memset(s->data, 0, max_bytes); /* page faults now, not under the lock */

	rt_registry__lock_reader(r);
	start = rt_clock__mono();
	if (r->nr_metrics + 1 > max_families || r->slot_bytes > max_bytes) {
		rt_registry__unlock(r);
		return -EAGAIN;
	}
	dst = s->data;
	for (i = 0; i < r->nr_metrics; i++)
		dst = copy_metric(r->metrics[i], &s->families[i], dst);
	copy_metric(r->overflow, &s->families[i], dst);
	s->nr_families = r->nr_metrics + 1;
	s->registry = r;
	r->nr_snapshots++;
	s->lock_ns = rt_clock__mono() - start;
	rt_registry__unlock(r);
	return 0;
}

int rt_registry__snapshot(struct rt_registry *r, struct rt_snapshot **ret)
{
	int err;

	do {
		struct rt_snapshot *s = calloc(1, sizeof(*s));

		if (!s)
			return -ENOMEM;
		err = try_snapshot(r, s);
		if (!err) {
			count_series(s);
			*ret = s;
			return 0;
		}
		rt_snapshot__free(s);
	} while (err == -EAGAIN);
	return err;
}

void rt_snapshot__free(struct rt_snapshot *s)
{
	struct rt_registry *r;

	if (!s)
		return;
	r = s->registry;
	if (r) {
		rt_registry__lock_reader(r);
		if (--r->nr_snapshots == 0)
			rt_registry__bury(r);
		rt_registry__unlock(r);
	}
	free(s->families);
	free(s->data);
	free(s);
}
