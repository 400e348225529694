// SPDX-License-Identifier: Apache-2.0
/*
 * The exposition: a snapshot of the registry as Prometheus text 0.0.4 or
 * OpenMetrics 1.0. Called by the handler of /metrics, in the HTTP server's
 * thread. A big page is tens of megabytes of lines that differ in little, so
 * what a family's lines share is made once, and lines are put together in a
 * scratch area that stays in the cache.
 *
 * Buckets' bounds are printed alike in both formats ("1.0"), so that a series
 * keeps its identity when a scraper changes formats.
 */
#include "export/prometheus.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "export/number.h"
#include "metrics/snapshot.h"

#define SCRATCH_SIZE 32768

/* `le="0.005"} ` */
struct tail {
	u32 len;
	char text[8 + RT_NUMBER_MAX];
};

struct page {
	struct rt_buf *out;
	enum rt_exposition format;
	struct tail *tails; /* of the family at hand */
	u32 max_tails;
	size_t used;
	char scratch[SCRATCH_SIZE];
};

static void flush(struct page *p)
{
	rt_buf__put(p->out, p->scratch, p->used);
	p->used = 0;
}

static inline void put(struct page *p, const char *s, size_t n)
{
	if (n > SCRATCH_SIZE - p->used) {
		flush(p);
		if (n > SCRATCH_SIZE) {
			rt_buf__put(p->out, s, n);
			return;
		}
	}
	memcpy(p->scratch + p->used, s, n);
	p->used += n;
}

static void puts_(struct page *p, const char *s)
{
	put(p, s, strlen(s));
}

static void put_number_line(struct page *p, double v, bool seconds)
{
	char text[RT_NUMBER_MAX + 1];
	size_t n = seconds ? rt_number__seconds(text, v) : rt_number__value(text, v);

	text[n++] = '\n';
	put(p, text, n);
}

static void put_count_line(struct page *p, u64 v)
{
	char text[RT_NUMBER_MAX + 1];
	size_t n = rt_number__u64(text, v);

	text[n++] = '\n';
	put(p, text, n);
}

/* --- family heads ----------------------------------------------------------- */

/* The family's own name: without `_info` in OpenMetrics, with `_total` in text. */
static void put_family_name(struct page *p, const struct rt_family_desc *desc)
{
	size_t n = strlen(desc->name);

	if (p->format == RT_EXPO_OPENMETRICS_1_0 && desc->type == RT_INFO)
		n -= strlen("_info");
	put(p, desc->name, n);
	if (p->format == RT_EXPO_TEXT_0_0_4 && desc->type == RT_COUNTER)
		puts_(p, "_total");
}

static void put_help(struct page *p, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\')
			put(p, "\\\\", 2);
		else if (*help == '\n')
			put(p, "\\n", 2);
		else if (*help == '"' && p->format == RT_EXPO_OPENMETRICS_1_0)
			put(p, "\\\"", 2);
		else
			put(p, help, 1);
	}
}

static bool has_unit(const struct rt_family_desc *desc)
{
	size_t n = strlen(desc->name), k = desc->unit ? strlen(desc->unit) : 0;

	return k && desc->type != RT_INFO && n > k && desc->name[n - k - 1] == '_' &&
	       strcmp(desc->name + n - k, desc->unit) == 0;
}

static void put_head(struct page *p, const struct rt_family_desc *desc)
{
	static const char *const types[] = {
		[RT_COUNTER] = " counter\n",
		[RT_GAUGE] = " gauge\n",
		[RT_HISTOGRAM] = " histogram\n",
		[RT_INFO] = " info\n",
	};
	bool om = p->format == RT_EXPO_OPENMETRICS_1_0;

	puts_(p, "# HELP ");
	put_family_name(p, desc);
	put(p, " ", 1);
	put_help(p, desc->help);
	puts_(p, "\n# TYPE ");
	put_family_name(p, desc);
	puts_(p, types[desc->type == RT_INFO && !om ? RT_GAUGE : desc->type]);
	if (om && has_unit(desc)) {
		puts_(p, "# UNIT ");
		put_family_name(p, desc);
		put(p, " ", 1);
		puts_(p, desc->unit);
		put(p, "\n", 1);
	}
}

/* --- samples ---------------------------------------------------------------- */

/* `name_suffix{labels} `, or `name_suffix ` */
static void put_sample_name(struct page *p, const struct rt_family_desc *desc, const char *suffix,
			    const struct rt_labels_text *labels)
{
	puts_(p, desc->name);
	puts_(p, suffix);
	if (labels->len) {
		put(p, "{", 1);
		put(p, labels->body, labels->len);
		put(p, "} ", 2);
	} else {
		put(p, " ", 1);
	}
}

static int prepare_tails(struct page *p, const struct rt_family_desc *desc)
{
	u32 n = desc->nr_bounds + 1, i;

	if (n > p->max_tails) {
		struct tail *grown = realloc(p->tails, n * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		p->tails = grown;
		p->max_tails = n;
	}
	for (i = 0; i < n; i++) {
		struct tail *t = &p->tails[i];

		memcpy(t->text, "le=\"", 4);
		t->len = 4;
		t->len += (u32)rt_number__bound(t->text + 4,
						i < desc->nr_bounds ? desc->bounds[i] : INFINITY);
		memcpy(t->text + t->len, "\"} ", 3);
		t->len += 3;
	}
	return 0;
}

static void put_histogram(struct page *p, const struct rt_family_desc *desc,
			  const struct rt_series *s)
{
	bool seconds = desc->unit && strcmp(desc->unit, "seconds") == 0;
	size_t name_len = strlen(desc->name);
	u64 total = 0;
	u32 i;

	for (i = 0; i <= desc->nr_bounds; i++) {
		total += s->counts[i];
		put(p, desc->name, name_len);
		put(p, "_bucket{", 8);
		if (s->labels->len) {
			put(p, s->labels->body, s->labels->len);
			put(p, ",", 1);
		}
		put(p, p->tails[i].text, p->tails[i].len);
		put_count_line(p, total);
	}
	put_sample_name(p, desc, "_sum", s->labels);
	put_number_line(p, s->value, seconds);
	put_sample_name(p, desc, "_count", s->labels);
	put_count_line(p, total);
}

static int put_family(struct page *p, const struct rt_family_snapshot *f)
{
	const struct rt_family_desc *desc = f->desc;
	u32 i;

	put_head(p, desc);
	if (desc->type == RT_HISTOGRAM && prepare_tails(p, desc) < 0)
		return -ENOMEM;
	for (i = 0; i < f->nr_slots; i++) {
		const struct rt_series *s = rt_family_snapshot__slot(f, i);

		if (!s->labels)
			continue;
		if (desc->type == RT_HISTOGRAM) {
			put_histogram(p, desc, s);
			continue;
		}
		put_sample_name(p, desc, desc->type == RT_COUNTER ? "_total" : "", s->labels);
		put_number_line(p, desc->type == RT_INFO ? 1 : s->value, false);
	}
	return 0;
}

int rt_expo__render(struct rt_registry *r, enum rt_exposition format, struct rt_buf *out)
{
	struct rt_snapshot *snapshot = NULL;
	struct page *p = malloc(sizeof(*p));
	int err;
	u32 i;

	if (!p)
		return -ENOMEM;
	p->out = out;
	p->format = format;
	p->tails = NULL;
	p->max_tails = 0;
	p->used = 0;
	err = rt_registry__snapshot(r, &snapshot);
	if (err)
		goto out;
	for (i = 0; i < snapshot->nr_families && !err; i++)
		if (snapshot->families[i].nr_series)
			err = put_family(p, &snapshot->families[i]);
	if (format == RT_EXPO_OPENMETRICS_1_0)
		puts_(p, "# EOF\n");
	flush(p);
	if (!err)
		err = out->err;
out:
	rt_snapshot__free(snapshot);
	free(p->tails);
	free(p);
	return err;
}
