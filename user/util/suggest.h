/* SPDX-License-Identifier: Apache-2.0 */
/* "did you mean": the nearest right name to a mistyped one. */
#ifndef REDTAP_SUGGEST_H
#define REDTAP_SUGGEST_H

#include <stddef.h>

struct rt_suggest {
	const char *typed;
	const char *best; /* NULL: nothing is near enough to be worth naming */
	unsigned int distance;
};

static inline struct rt_suggest rt_suggest_init(const char *typed)
{
	return (struct rt_suggest){typed, NULL, 0};
}

/* Offers one right name. It is kept by reference while it is the nearest; of
 * equally near ones the first. */
void rt_suggest__offer(struct rt_suggest *s, const char *name);

#endif /* REDTAP_SUGGEST_H */
