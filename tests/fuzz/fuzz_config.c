// SPDX-License-Identifier: Apache-2.0
/*
 * Feeds the YAML face of the configuration. Whatever the bytes: no crash, a
 * sentence if and only if there is a mistake, and what is accepted prints as
 * YAML that is accepted again and prints the same.
 */
#include <stdlib.h>
#include <string.h>

#include "config/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct rt_config *apply(const char *text, size_t len)
{
	struct rt_config *cfg = NULL;
	char sentence[256];
	struct rt_mistake m = {sentence, sizeof(sentence)};
	int err;

	if (rt_config__load(&cfg, NULL, NULL, NULL, 0, sentence, sizeof(sentence)))
		abort();
	err = rt_config_yaml__apply(cfg, "f", text, len, &m);
	if ((err != 0) != (sentence[0] != '\0'))
		abort();
	if (err) {
		rt_config__free(cfg);
		return NULL;
	}
	return cfg;
}

/* Without the comments, which hold line numbers. */
static char *print(const struct rt_config *cfg, size_t *ret_len)
{
	struct rt_config plain = *cfg;
	char *origins[64], empty[] = "";
	char *text = NULL;
	FILE *f = open_memstream(&text, ret_len);
	size_t i;

	if (!f || rt_nr_options > RT_ARRAY_SIZE(origins))
		abort();
	for (i = 0; i < rt_nr_options; i++)
		origins[i] = empty;
	plain.origins = origins;
	rt_config__print(&plain, f);
	fclose(f);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rt_config *first = apply((const char *)data, size), *second;
	size_t len, again_len;
	char *text, *again;

	if (!first)
		return 0;
	text = print(first, &len);
	second = apply(text, len);
	if (!second)
		abort();
	again = print(second, &again_len);
	if (len != again_len || memcmp(text, again, len) != 0)
		abort();
	free(text);
	free(again);
	rt_config__free(first);
	rt_config__free(second);
	return 0;
}
