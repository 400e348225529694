// SPDX-License-Identifier: Apache-2.0
/*
 * Rules that name services: a name and the conditions under which it holds.
 * One rule comes key by key from YAML, or whole as the text
 * NAME=COND:VALUE[;COND:VALUE...] from a flag or a variable. A rule without a
 * condition would name everything, so it is a mistake.
 */
#include "config/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/suggest.h"

static const struct {
	const char *key;
	size_t offset; /* of a char * */
} text_keys[] = {
	{"name", offsetof(struct rt_service_rule, name)},
	{"exe", offsetof(struct rt_service_rule, exe)},
	{"cmdline", offsetof(struct rt_service_rule, cmdline)},
	{"unit", offsetof(struct rt_service_rule, unit)},
};

void rt_service_rule__clear(struct rt_service_rule *rule)
{
	free(rule->name);
	free(rule->exe);
	free(rule->cmdline);
	free(rule->unit);
	*rule = (struct rt_service_rule){0};
}

static int unknown_key(const char *key, const struct rt_source *src, struct rt_mistake *m)
{
	struct rt_suggest near = rt_suggest_init(key);
	struct rt_shown shown;
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(text_keys); i++)
		rt_suggest__offer(&near, text_keys[i].key);
	rt_suggest__offer(&near, "port");
	rt_show(&shown, key);
	if (near.best)
		return rt_mistake__tell(m, src,
					"unknown key \"%s\" in a rule; did you mean \"%s\"?",
					shown.text, near.best);
	return rt_mistake__tell(m, src,
				"unknown key \"%s\" in a rule; there are name, exe, cmdline, unit "
				"and port",
				shown.text);
}

int rt_service_rule__set(struct rt_service_rule *rule, const char *key, const char *text,
			 const struct rt_source *src, struct rt_mistake *m)
{
	const char *wrong = rt_check_text(text);
	struct rt_shown shown;
	char **field = NULL;
	size_t i;
	u64 port;

	for (i = 0; i < RT_ARRAY_SIZE(text_keys); i++)
		if (strcmp(key, text_keys[i].key) == 0)
			field = (char **)((char *)rule + text_keys[i].offset);
	if (!field && strcmp(key, "port") != 0)
		return unknown_key(key, src, m);
	if (field ? *field != NULL : rule->port != 0)
		return rt_mistake__tell(m, src, "a rule gives %s twice", key);
	if (!wrong && !field && (!rt_parse_uint(text, &port) || port < 1 || port > UINT16_MAX))
		wrong = "is not a port from 1 to 65535";
	if (wrong)
		return rt_mistake__tell(m, src, "%s \"%s\" %s", key, rt_show(&shown, text), wrong);

	if (!field) {
		rule->port = (u16)port;
		return 0;
	}
	*field = strdup(text);
	return *field ? 0 : -ENOMEM;
}

int rt_services__append(struct rt_config *cfg, struct rt_service_rule *rule,
			const struct rt_source *src, struct rt_mistake *m)
{
	struct rt_service_rule *rules;
	struct rt_shown shown;

	if (!rule->name)
		return rt_mistake__tell(m, src, "a rule has no name");
	if (!rule->exe && !rule->cmdline && !rule->unit && !rule->port)
		return rt_mistake__tell(m, src,
					"the rule \"%s\" has no condition; give exe, cmdline, unit "
					"or port",
					rt_show(&shown, rule->name));
	rules = realloc(cfg->services, (cfg->nr_services + 1) * sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	cfg->services = rules;
	rules[cfg->nr_services++] = *rule;
	*rule = (struct rt_service_rule){0};
	return 0;
}

int rt_services__append_text(struct rt_config *cfg, const char *text, const struct rt_source *src,
			     struct rt_mistake *m)
{
	struct rt_service_rule rule = {0};
	char *copy = strdup(text);
	char *cond, *value, *save = NULL;
	struct rt_shown shown;
	int err;

	if (!copy)
		return -ENOMEM;
	value = strchr(copy, '=');
	if (!value) {
		err = rt_mistake__tell(m, src, "\"%s\" is not NAME=COND:VALUE, like shop=port:8080",
				       rt_show(&shown, text));
		goto out;
	}
	*value++ = '\0';
	err = rt_service_rule__set(&rule, "name", copy, src, m);
	for (cond = strtok_r(value, ";", &save); cond && !err; cond = strtok_r(NULL, ";", &save)) {
		value = strchr(cond, ':');
		if (!value) {
			err = rt_mistake__tell(m, src, "\"%s\" is not COND:VALUE, like port:8080",
					       rt_show(&shown, cond));
			break;
		}
		*value++ = '\0';
		err = rt_service_rule__set(&rule, cond, value, src, m);
	}
	if (!err)
		err = rt_services__append(cfg, &rule, src, m);
out:
	rt_service_rule__clear(&rule);
	free(copy);
	return err;
}
