// SPDX-License-Identifier: Apache-2.0
/*
 * Which exposition format an Accept header asks for. Prometheus lists formats
 * it prefers, ours among others that we do not speak; people's tools send
 * nothing or a star, and get text. Called by the handler of /metrics.
 * https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1
 */
#include "export/prometheus.h"
#include "util/qlist.h"

const char *const rt_expo_content_type[] = {
	[RT_EXPO_TEXT_0_0_4] = "text/plain; version=0.0.4; charset=utf-8",
	[RT_EXPO_OPENMETRICS_1_0] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

struct format {
	const char *type;
	const char *group;
	const char *version;
};

static const struct format formats[] = {
	[RT_EXPO_TEXT_0_0_4] = {"text/plain", "text/*", "0.0.4"},
	[RT_EXPO_OPENMETRICS_1_0] = {"application/openmetrics-text", "application/*", "1.0.0"},
};

/* The best range of the header for one format: a precise one rules over a
 * star, whatever their weights. */
struct match {
	u32 precision; /* 0: none, 1: *, 2: group, 3: type */
	u32 q;
	u32 place; /* in the list */
};

static u32 precision_of(const struct rt_qitem *item, const struct format *f)
{
	struct rt_slice version;

	if (rt_qitem__name_is(item, f->type))
		return !rt_qitem__param(item, "version", &version) ||
				       rt_slice_is(version, f->version)
			       ? 3
			       : 0;
	if (rt_qitem__name_is(item, f->group))
		return 2;
	return rt_qitem__name_is(item, "*/*") ? 1 : 0;
}

enum rt_exposition rt_expo__negotiate(const char *accept)
{
	struct match m[RT_ARRAY_SIZE(formats)] = {0};
	const struct match *text = &m[RT_EXPO_TEXT_0_0_4], *om = &m[RT_EXPO_OPENMETRICS_1_0];
	struct rt_slice rest = rt_slice_str(accept);
	struct rt_qitem item;
	u32 place = 0, i;

	while (rt_qlist__next(&rest, &item)) {
		place++;
		for (i = 0; i < RT_ARRAY_SIZE(formats); i++) {
			u32 precision = precision_of(&item, &formats[i]);

			if (precision > m[i].precision ||
			    (precision && precision == m[i].precision && item.q > m[i].q))
				m[i] = (struct match){precision, item.q, place};
		}
	}
	if (!om->q || om->q < text->q)
		return RT_EXPO_TEXT_0_0_4;
	if (om->q > text->q)
		return RT_EXPO_OPENMETRICS_1_0;
	/* Equal weights: what was named goes before what a star allows, then the order given. */
	if (om->precision != text->precision)
		return om->precision > text->precision ? RT_EXPO_OPENMETRICS_1_0
						       : RT_EXPO_TEXT_0_0_4;
	return om->place < text->place ? RT_EXPO_OPENMETRICS_1_0 : RT_EXPO_TEXT_0_0_4;
}
