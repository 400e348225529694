/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists with weights, as in Accept and Accept-Encoding: `a;v=1;q=0.5, b`.
 * https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2
 */
#ifndef REDTAP_QLIST_H
#define REDTAP_QLIST_H

#include "util/slice.h"

struct rt_qitem {
	struct rt_slice name;	/* "text/plain", "gzip", "*" */
	struct rt_slice params; /* what follows the name; see rt_qitem__param() */
	u32 q;			/* thousandths; 1000 where there is none or it cannot be read */
};

/* Takes the next item off `rest`; empty ones are skipped. False at the end. */
bool rt_qlist__next(struct rt_slice *rest, struct rt_qitem *ret);

/* A parameter's value, without quotes; names compare without case. */
bool rt_qitem__param(const struct rt_qitem *item, const char *name, struct rt_slice *ret);

/* Equal without regard to ASCII case. */
bool rt_qitem__name_is(const struct rt_qitem *item, const char *name);

#endif /* REDTAP_QLIST_H */
