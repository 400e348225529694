// SPDX-License-Identifier: Apache-2.0
/*
 * Edit distance, for the "did you mean" of configuration keys, flags,
 * variables and subcommands. Case is ignored, a swap of neighbours is one
 * edit, and '-', '_' and '.' are the same letter, since the three faces of an
 * option differ in just these.
 */
#include "util/suggest.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 64

static char fold(char c)
{
	return c == '_' || c == '.' ? '-' : (char)tolower((unsigned char)c);
}

static unsigned int min2(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Optimal string alignment distance; both are at most NAME_MAX_LEN long. */
static unsigned int distance(const char *a, size_t alen, const char *b, size_t blen)
{
	unsigned int rows[3][NAME_MAX_LEN + 1];
	unsigned int *before = rows[0], *prev = rows[1], *cur = rows[2], *spare;
	unsigned int cost;
	size_t i, j;

	for (j = 0; j <= blen; j++)
		prev[j] = (unsigned int)j;
	memcpy(before, prev, sizeof(rows[0]));
	for (i = 1; i <= alen; i++) {
		cur[0] = (unsigned int)i;
		for (j = 1; j <= blen; j++) {
			cost = fold(a[i - 1]) != fold(b[j - 1]);
			cur[j] = min2(min2(prev[j], cur[j - 1]) + 1, prev[j - 1] + cost);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				cur[j] = min2(cur[j], before[j - 2] + 1);
		}
		spare = before;
		before = prev;
		prev = cur;
		cur = spare;
	}
	return prev[blen];
}

void rt_suggest__offer(struct rt_suggest *s, const char *name)
{
	size_t typed_len = strlen(s->typed), name_len = strlen(name);
	const char *leaf = strrchr(name, '.');
	unsigned int d, leaf_d, limit;

	if (typed_len == 0 || typed_len > NAME_MAX_LEN || name_len > NAME_MAX_LEN)
		return;
	/* A third of the letters wrong is a typo, more is another word. */
	limit = typed_len < 6 ? (typed_len < 3 ? 1 : 2) : (unsigned int)typed_len / 3;
	d = distance(s->typed, typed_len, name, name_len);

	/* "ttl" for "metrics.ttl": right name, wrong place. */
	if (leaf && !strchr(s->typed, '.')) {
		leaf_d = distance(s->typed, typed_len, leaf + 1, strlen(leaf + 1)) + 1;
		d = min2(d, leaf_d);
	}
	if (d <= limit && (!s->best || d < s->distance)) {
		s->best = name;
		s->distance = d;
	}
}
