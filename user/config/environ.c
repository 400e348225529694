// SPDX-License-Identifier: Apache-2.0
/*
 * The environment face: REDTAP_ variables. A variable that no option has is
 * the user's mistake, except those that an orchestrator sets by itself for a
 * service that happens to be called redtap: failing on them would keep redtap
 * from starting because of a name nobody typed.
 */
#include "config/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/suggest.h"

#define PREFIX	    "REDTAP_"
#define CONFIG_FILE "REDTAP_CONFIG" /* names the file; read by whoever calls rt_config__load() */

static bool ends_with(const char *s, const char *end)
{
	size_t a = strlen(s), b = strlen(end);

	return a >= b && strcmp(s + a - b, end) == 0;
}

/*
 * Kubernetes gives every container, for each service NAME of its namespace,
 * NAME_SERVICE_HOST, NAME_SERVICE_PORT[_PORTNAME], NAME_PORT with an URL, and
 * NAME_PORT_80_TCP[_ADDR|_PORT|_PROTO].
 */
static bool is_service_link(const char *name, const char *value)
{
	const char *p;

	if (ends_with(name, "_SERVICE_HOST") || ends_with(name, "_SERVICE_PORT") ||
	    strstr(name, "_SERVICE_PORT_"))
		return true;
	if (ends_with(name, "_PORT") && strstr(value, "://"))
		return true;
	p = strstr(name, "_PORT_");
	if (!p)
		return false;
	p += strlen("_PORT_");
	if (!*p || strspn(p, "0123456789") == 0)
		return false;
	p += strspn(p, "0123456789");
	return strncmp(p, "_TCP", 4) == 0 || strncmp(p, "_UDP", 4) == 0 ||
	       strncmp(p, "_SCTP", 5) == 0;
}

static int unknown(const char *name, struct rt_mistake *m)
{
	struct rt_suggest near = rt_suggest_init(name + strlen(PREFIX));
	const struct rt_option *opts = rt_options();
	const struct rt_source nowhere = {0};
	struct rt_shown shown;
	size_t i;

	/* The common prefix would make short names look near. */
	for (i = 0; i < rt_nr_options; i++)
		rt_suggest__offer(&near, opts[i].env + strlen(PREFIX));
	rt_suggest__offer(&near, &CONFIG_FILE[strlen(PREFIX)]);
	rt_show(&shown, name);
	if (near.best)
		return rt_mistake__tell(m, &nowhere,
					"unknown variable %s; did you mean " PREFIX "%s?",
					shown.text, near.best);
	return rt_mistake__tell(m, &nowhere,
				"unknown variable %s; \"redtap run --help\" lists the options",
				shown.text);
}

/* Items between commas, blanks around them dropped; an empty variable is an empty list. */
static int set_list(const struct rt_option *opt, struct rt_config *cfg, const char *value,
		    const struct rt_source *src, struct rt_mistake *m)
{
	char *copy, *item, *rest, *end;
	int err = 0;

	if (value[strspn(value, " ")] == '\0')
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	rest = copy;
	while (!err && (item = strsep(&rest, ","))) {
		item += strspn(item, " ");
		for (end = item + strlen(item); end > item && end[-1] == ' ';)
			*--end = '\0';
		err = rt_option__set(opt, cfg, item, src, m);
	}
	free(copy);
	return err;
}

static int apply_one(struct rt_config *cfg, const char *name, const char *value,
		     struct rt_mistake *m)
{
	const struct rt_option *opts = rt_options();
	const struct rt_source src = {.name = name};
	size_t i;
	int err;

	if (strcmp(name, CONFIG_FILE) == 0 || is_service_link(name, value))
		return 0;
	for (i = 0; i < rt_nr_options; i++)
		if (strcmp(name, opts[i].env) == 0)
			break;
	if (i == rt_nr_options)
		return unknown(name, m);

	err = rt_option__begin(&opts[i], cfg, &src);
	if (err)
		return err;
	if (rt_option__is_list(&opts[i]))
		return set_list(&opts[i], cfg, value, &src, m);
	return rt_option__set(&opts[i], cfg, value, &src, m);
}

int rt_config_env__apply(struct rt_config *cfg, char *const *env, struct rt_mistake *m)
{
	const char *eq;
	char *name;
	int err = 0;

	for (; env && *env && !err; env++) {
		eq = strchr(*env, '=');
		if (!eq || strncmp(*env, PREFIX, strlen(PREFIX)) != 0)
			continue;
		name = strndup(*env, (size_t)(eq - *env));
		if (!name)
			return -ENOMEM;
		err = apply_one(cfg, name, eq + 1, m);
		free(name);
	}
	return err;
}
