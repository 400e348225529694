// SPDX-License-Identifier: Apache-2.0
/*
 * The registry: families, their series, the cap per family with its overflow
 * series, and expiry. The consumer's thread finds or creates series and keeps
 * the pointers, so a write is a few instructions; collectors write at scrape
 * time; exporters read through snapshot.c.
 *
 * Series lie in blocks of equal slots that never move. Slot 0 of a family with
 * labels is its overflow series, allocated with the first block so that being
 * out of memory or at the cap always has a place to go.
 */
#include "metrics/registry_impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "metrics/labels.h"

/* A failed insert leaves hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define BLOCK_SLOTS 16

struct rt_labels {
	struct rt_labels_text text;
	UT_hash_handle hh;
	struct rt_series *series;
	struct rt_labels *next_dead;
	u32 key_len;
	char data[]; /* the key, then the body */
};

static const struct rt_labels_text no_labels = {"", 0};
static const struct rt_labels_text overflow_labels = {"redtap_overflow=\"true\"", 22};

static const struct rt_family_desc overflow_desc = {
	.name = "redtap_series_overflow",
	.help = "Lookups of a new label set that found its metric family full and were sent to the "
		"family's overflow series.",
	.type = RT_COUNTER,
	.labels = {"family"},
	.uncapped = true,
};

static struct rt_series *slot_at(const struct rt_metric *m, u32 i)
{
	char *block = m->blocks[i / m->block_slots];

	return (struct rt_series *)(void *)(block + (size_t)(i % m->block_slots) * m->stride);
}

static u32 nr_slots(const struct rt_metric *m)
{
	return m->nr_blocks * m->block_slots;
}

/* --- families --------------------------------------------------------------- */

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);

	return n >= k && strcmp(s + n - k, suffix) == 0;
}

static void check_desc(const struct rt_registry *r, const struct rt_family_desc *desc)
{
	const char *wrong = NULL;
	u32 i;

	for (i = 0; i < r->nr_metrics; i++)
		if (strcmp(r->metrics[i]->desc->name, desc->name) == 0)
			wrong = "is registered twice";
	if (r->overflow && strcmp(desc->name, overflow_desc.name) == 0)
		wrong = "is the registry's own";
	if (desc->type == RT_COUNTER && ends_with(desc->name, "_total"))
		wrong = "must be given without _total";
	if (desc->type == RT_INFO && !ends_with(desc->name, "_info"))
		wrong = "is an info metric and must end with _info";
	for (i = 1; i < desc->nr_bounds; i++)
		if (!(desc->bounds[i - 1] < desc->bounds[i]))
			wrong = "has bounds that do not ascend";
	if (!wrong)
		return;
	fprintf(stderr, "redtap: metric family %s %s\n", desc->name, wrong);
	abort();
}

static struct rt_metric *metric__new(struct rt_registry *r, const struct rt_family_desc *desc)
{
	struct rt_metric *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->desc = desc;
	m->registry = r;
	while (m->nr_labels < RT_LABELS_MAX && desc->labels[m->nr_labels])
		m->nr_labels++;
	m->nr_counts = desc->type == RT_HISTOGRAM ? desc->nr_bounds + 1 : 0;
	m->stride = (u32)(sizeof(struct rt_series) + m->nr_counts * sizeof(u64));
	m->block_slots = m->nr_labels ? BLOCK_SLOTS : 1;
	return m;
}

static void metric__free(struct rt_metric *m)
{
	struct rt_labels *l, *tmp;
	u32 i;

	if (!m)
		return;
	HASH_ITER(hh, m->index, l, tmp)
	{
		HASH_DEL(m->index, l);
		free(l);
	}
	for (i = 0; i < m->nr_blocks; i++)
		free(m->blocks[i]);
	free(m->blocks);
	free(m);
}

struct rt_metric *rt_registry__add(struct rt_registry *r, const struct rt_family_desc *desc)
{
	bool first = strcmp(desc->name, "target_info") == 0;
	struct rt_metric **grown, *m;
	struct rt_slice name = rt_slice_str(desc->name);

	check_desc(r, desc);
	m = metric__new(r, desc);
	if (!m)
		return NULL;
	rt_registry__lock(r);
	grown = realloc(r->metrics, (r->nr_metrics + 1) * sizeof(*grown));
	if (!grown) {
		rt_registry__unlock(r);
		metric__free(m);
		errno = ENOMEM;
		return NULL;
	}
	r->metrics = grown;
	if (first)
		memmove(grown + 1, grown, r->nr_metrics * sizeof(*grown));
	grown[first ? 0 : r->nr_metrics] = m;
	r->nr_metrics++;
	/* Shown from the start, so that its first increase is a rate, not a birth. */
	if (m->nr_labels)
		m->overflow_counter = rt_metric__series(r->overflow, &name);
	rt_registry__unlock(r);
	return m;
}

struct rt_registry *rt_registry__new(const struct rt_registry_opts *opts)
{
	struct rt_registry *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	pthread_mutex_init(&r->gate, NULL);
	pthread_mutex_init(&r->mutex, NULL);
	r->opts = *opts;
	r->overflow = metric__new(r, &overflow_desc);
	if (!r->overflow) {
		rt_registry__free(r);
		errno = ENOMEM;
		return NULL;
	}
	return r;
}

void rt_registry__free(struct rt_registry *r)
{
	u32 i;

	if (!r)
		return;
	for (i = 0; i < r->nr_metrics; i++)
		metric__free(r->metrics[i]);
	metric__free(r->overflow);
	free(r->metrics);
	rt_registry__bury(r);
	pthread_mutex_destroy(&r->mutex);
	pthread_mutex_destroy(&r->gate);
	free(r);
}

void rt_registry__set_opts(struct rt_registry *r, const struct rt_registry_opts *opts)
{
	rt_registry__lock(r);
	if (r->opts.max_series != opts->max_series)
		__atomic_add_fetch(&r->generation, 1, __ATOMIC_RELAXED);
	r->opts = *opts;
	rt_registry__unlock(r);
}

/* --- lock ------------------------------------------------------------------- */

void rt_registry__lock(struct rt_registry *r)
{
	if (__atomic_load_n(&r->reader_waiting, __ATOMIC_RELAXED)) {
		pthread_mutex_lock(&r->gate);
		pthread_mutex_unlock(&r->gate);
	}
	pthread_mutex_lock(&r->mutex);
}

void rt_registry__unlock(struct rt_registry *r)
{
	pthread_mutex_unlock(&r->mutex);
}

void rt_registry__lock_reader(struct rt_registry *r)
{
	pthread_mutex_lock(&r->gate);
	__atomic_store_n(&r->reader_waiting, true, __ATOMIC_RELAXED);
	pthread_mutex_lock(&r->mutex);
	__atomic_store_n(&r->reader_waiting, false, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&r->gate);
}

/* --- series ----------------------------------------------------------------- */

static bool add_block(struct rt_metric *m)
{
	char **grown = realloc(m->blocks, (m->nr_blocks + 1) * sizeof(*grown));
	u32 i, first;

	if (!grown)
		return false;
	m->blocks = grown;
	grown[m->nr_blocks] = calloc(m->block_slots, m->stride);
	if (!grown[m->nr_blocks])
		return false;
	first = nr_slots(m);
	m->nr_blocks++;
	for (i = first; i < nr_slots(m); i++)
		slot_at(m, i)->metric = m;
	m->registry->slot_bytes += (size_t)m->block_slots * m->stride;
	if (m->nr_labels && m->hint == 0)
		m->hint = 1; /* slot 0 is the overflow series */
	return true;
}

/* NULL: out of memory. */
static struct rt_series *free_slot(struct rt_metric *m)
{
	for (; m->hint < nr_slots(m); m->hint++)
		if (!slot_at(m, m->hint)->labels)
			return slot_at(m, m->hint);
	return add_block(m) ? slot_at(m, m->hint) : NULL;
}

static struct rt_series *overflow_series(struct rt_metric *m)
{
	struct rt_series *s;

	if (!m->nr_blocks && !add_block(m))
		return NULL;
	s = slot_at(m, 0);
	s->labels = &overflow_labels;
	rt_series__add(m->overflow_counter, 1, 0);
	return s;
}

static bool at_cap(const struct rt_metric *m)
{
	u32 max = m->registry->opts.max_series;

	return !m->desc->uncapped && m->nr_series >= (max ? max : RT_SERIES_MAX_DEFAULT);
}

static struct rt_labels *labels__new(const struct rt_metric *m, const u8 *key, u32 key_len)
{
	u32 len = rt_labels__body(m->desc->labels, key, key_len, NULL);
	struct rt_labels *l = malloc(sizeof(*l) + key_len + len);

	if (!l)
		return NULL;
	memcpy(l->data, key, key_len);
	rt_labels__body(m->desc->labels, key, key_len, l->data + key_len);
	l->key_len = key_len;
	l->text = (struct rt_labels_text){l->data + key_len, len};
	l->next_dead = NULL;
	return l;
}

static struct rt_series *create_series(struct rt_metric *m, const u8 *key, u32 key_len,
				       unsigned int hash)
{
	struct rt_labels *l = NULL;
	struct rt_series *s;

	if (at_cap(m))
		return overflow_series(m);
	s = free_slot(m);
	if (s)
		l = labels__new(m, key, key_len);
	if (!l)
		return overflow_series(m);
	l->series = s;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->index, l->data, key_len, hash, l);
	if (!l->hh.tbl) {
		free(l);
		return overflow_series(m);
	}
	s->labels = &l->text;
	m->nr_series++;
	return s;
}

struct rt_series *rt_metric__series(struct rt_metric *m, const struct rt_slice *values)
{
	u8 key[RT_LABEL_KEY_MAX];
	struct rt_labels *l;
	unsigned int hash;
	u32 key_len;

	if (!m->nr_labels) {
		if (!m->nr_blocks && !add_block(m))
			return NULL;
		slot_at(m, 0)->labels = &no_labels;
		return slot_at(m, 0);
	}
	key_len = rt_labels__key(values, m->nr_labels, key);
	HASH_VALUE(key, key_len, hash);
	HASH_FIND_BYHASHVALUE(hh, m->index, key, key_len, hash, l);
	return l ? l->series : create_series(m, key, key_len, hash);
}

/* --- writes ----------------------------------------------------------------- */

void rt_series__add(struct rt_series *s, double v, u64 now)
{
	if (!s || (s->metric->desc->type == RT_COUNTER && !(v >= 0)))
		return;
	s->value += v;
	s->last_write = now;
}

void rt_series__set(struct rt_series *s, double v, u64 now)
{
	if (!s)
		return;
	s->value = v;
	s->last_write = now;
}

void rt_series__observe(struct rt_series *s, double v, u64 now)
{
	const struct rt_family_desc *desc;
	u32 i = 0;

	if (!s || isnan(v))
		return;
	desc = s->metric->desc;
	while (i < desc->nr_bounds && v > desc->bounds[i])
		i++;
	s->counts[i]++;
	s->value += v;
	s->last_write = now;
}

void rt_series__set_histogram(struct rt_series *s, const u64 *counts, double sum, u64 now)
{
	if (!s)
		return;
	memcpy(s->counts, counts, s->metric->nr_counts * sizeof(*counts));
	s->value = sum;
	s->last_write = now;
}

void rt_series__add_histogram(struct rt_series *s, const u32 *counts, double sum, u64 now)
{
	if (!s)
		return;
	for (u32 i = 0; i < s->metric->nr_counts; i++)
		s->counts[i] += counts[i];
	s->value += sum;
	s->last_write = now;
}

/* --- expiry ----------------------------------------------------------------- */

static struct rt_labels *labels_of(const struct rt_series *s)
{
	return (struct rt_labels *)(void *)((char *)(uintptr_t)s->labels -
					    offsetof(struct rt_labels, text));
}

static void drop_series(struct rt_metric *m, struct rt_series *s)
{
	struct rt_labels *l = labels_of(s);

	HASH_DEL(m->index, l);
	l->next_dead = m->registry->dead;
	m->registry->dead = l;
	memset(s, 0, m->stride);
	s->metric = m;
	m->nr_series--;
}

static u32 expire_metric(struct rt_metric *m, u64 now)
{
	u64 ttl = m->registry->opts.ttl_ns;
	u32 i, dropped = 0;

	for (i = 1; i < nr_slots(m); i++) {
		struct rt_series *s = slot_at(m, i);

		if (!s->labels)
			continue;
		if (!s->last_write)
			s->last_write = now;
		if (now < s->last_write || now - s->last_write <= ttl)
			continue;
		drop_series(m, s);
		dropped++;
	}
	if (dropped)
		m->hint = 1;
	return dropped;
}

u32 rt_registry__expire(struct rt_registry *r, u64 now)
{
	u32 i, dropped = 0;

	rt_registry__lock(r);
	for (i = 0; r->opts.ttl_ns && i < r->nr_metrics; i++)
		if (r->metrics[i]->desc->expires && r->metrics[i]->nr_labels)
			dropped += expire_metric(r->metrics[i], now);
	if (dropped)
		__atomic_add_fetch(&r->generation, 1, __ATOMIC_RELAXED);
	if (!r->nr_snapshots)
		rt_registry__bury(r);
	rt_registry__unlock(r);
	return dropped;
}

void rt_registry__bury(struct rt_registry *r)
{
	while (r->dead) {
		struct rt_labels *l = r->dead;

		r->dead = l->next_dead;
		free(l);
	}
}

u64 rt_registry__generation(const struct rt_registry *r)
{
	return __atomic_load_n(&r->generation, __ATOMIC_RELAXED);
}
