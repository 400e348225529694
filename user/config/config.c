// SPDX-License-Identifier: Apache-2.0
/*
 * Builds a configuration: defaults, then the file, the environment and the
 * flags, each face over the one before. A new configuration is built whole or
 * not at all, so a reload with a mistake leaves the running one alone. Called
 * by user/cli at the start and by the agent on SIGHUP.
 */
#include "config/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int apply_defaults(struct rt_config *cfg, struct rt_mistake *m)
{
	const struct rt_source src = {.name = "default"};
	const struct rt_option *opts = rt_options();
	size_t i;
	int err;

	for (i = 0; i < rt_nr_options; i++) {
		err = rt_option__begin(&opts[i], cfg, &src);
		if (!err && !rt_option__is_list(&opts[i]))
			err = rt_option__set(&opts[i], cfg, opts[i].def, &src, m);
		if (err)
			return err;
	}
	return 0;
}

static int apply_flags(struct rt_config *cfg, const struct rt_config_flag *flags, size_t n,
		       struct rt_mistake *m)
{
	const struct rt_option *opts = rt_options();
	char name[48];
	const struct rt_source src = {.name = name};
	size_t i, j;
	bool again;
	int err = 0;

	for (i = 0; i < n && !err; i++) {
		snprintf(name, sizeof(name), "--%s", flags[i].name);
		for (j = 0; j < rt_nr_options && strcmp(opts[j].flag, flags[i].name) != 0;)
			j++;
		if (j == rt_nr_options)
			return rt_mistake__tell(m, &(struct rt_source){0}, "unknown flag %s", name);

		again = cfg->origins[j] && strcmp(cfg->origins[j], name) == 0;
		if (!again || !rt_option__is_list(&opts[j]))
			err = rt_option__begin(&opts[j], cfg, &src);
		if (!err)
			err = rt_option__set(&opts[j], cfg, flags[i].value, &src, m);
	}
	return err;
}

int rt_config__load(struct rt_config **ret_cfg, const char *file, char *const *env,
		    const struct rt_config_flag *flags, size_t nr_flags, char *errbuf,
		    size_t errlen)
{
	struct rt_mistake m = {errbuf, errlen};
	struct rt_config *cfg;
	int err = -ENOMEM;

	if (errlen)
		errbuf[0] = '\0';
	cfg = calloc(1, sizeof(*cfg));
	if (!cfg)
		goto out;
	cfg->origins = calloc(rt_nr_options, sizeof(*cfg->origins));
	if (!cfg->origins)
		goto out;

	err = apply_defaults(cfg, &m);
	if (!err && file)
		err = rt_config_yaml__read(cfg, file, &m);
	if (!err)
		err = rt_config_env__apply(cfg, env, &m);
	if (!err)
		err = apply_flags(cfg, flags, nr_flags, &m);
	if (!err) {
		*ret_cfg = cfg;
		return 0;
	}
out:
	if (err == -ENOMEM)
		rt_mistake__tell(&m, &(struct rt_source){0}, "out of memory");
	rt_config__free(cfg);
	return err;
}

void rt_config__free(struct rt_config *cfg)
{
	const struct rt_option *opts = rt_options();
	size_t i;

	if (!cfg)
		return;
	for (i = 0; i < rt_nr_options; i++) {
		rt_option__clear(&opts[i], cfg);
		if (cfg->origins)
			free(cfg->origins[i]);
	}
	free(cfg->origins);
	free(cfg);
}
