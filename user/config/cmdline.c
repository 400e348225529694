// SPDX-License-Identifier: Apache-2.0
/*
 * The command-line face: tells which words of argv belong to which option.
 * Only the shape is judged here (known, value there or not); what the values
 * mean is for rt_config__load(). Called once per subcommand.
 */
#include "config/option.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/suggest.h"

/* What one --name turned out to be. */
struct match {
	const struct rt_option *opt; /* NULL: not an option's */
	const char *extra;	     /* of the subcommand; NULL: none */
	bool config;
	bool help;
	bool negated; /* --no-name */
};

static bool is_named(const char *flag, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(flag, name, len) == 0;
}

/* `flag` is without its dashes, `len` bytes up to the '=' or the end. */
static bool find(const char *flag, size_t len, const char *const *extra, struct match *ret)
{
	const struct rt_option *opts = rt_options();
	bool negated = len > 3 && memcmp(flag, "no-", 3) == 0;
	size_t i;

	*ret = (struct match){0};
	ret->config = is_named(flag, len, "config");
	ret->help = is_named(flag, len, "help");
	if (ret->config || ret->help)
		return true;
	for (i = 0; i < rt_nr_options; i++) {
		ret->opt = &opts[i];
		if (is_named(flag, len, opts[i].flag))
			return true;
		ret->negated = negated && opts[i].kind == RT_OPT_BOOL &&
			       is_named(flag + 3, len - 3, opts[i].flag);
		if (ret->negated)
			return true;
	}
	ret->opt = NULL;
	for (; extra && *extra; extra++) {
		ret->extra = *extra;
		if (is_named(flag, len, *extra))
			return true;
	}
	ret->extra = NULL;
	return false;
}

static int unknown(const char *word, size_t len, const char *const *extra, struct rt_mistake *m)
{
	const struct rt_option *opts = rt_options();
	const struct rt_source nowhere = {0};
	char *name = strndup(word, len);
	struct rt_suggest near;
	struct rt_shown shown;
	char no[40];
	size_t i;

	if (!name)
		return -ENOMEM;
	near = rt_suggest_init(name + strspn(name, "-"));
	/* --no-routes-infre: look the rest up, and give the "no-" back. */
	snprintf(no, sizeof(no), "%s", strncmp(near.typed, "no-", 3) == 0 ? "no-" : "");
	near.typed += strlen(no);
	for (i = 0; i < rt_nr_options; i++)
		if (!*no || opts[i].kind == RT_OPT_BOOL)
			rt_suggest__offer(&near, opts[i].flag);
	for (; !*no && extra && *extra; extra++)
		rt_suggest__offer(&near, *extra);
	if (!*no) {
		rt_suggest__offer(&near, "config");
		rt_suggest__offer(&near, "help");
	}
	rt_show(&shown, name);
	if (near.best)
		rt_mistake__tell(m, &nowhere, "unknown flag %s; did you mean --%s%s?", shown.text,
				 no, near.best);
	else
		rt_mistake__tell(m, &nowhere, "unknown flag %s; --help lists those there are",
				 shown.text);
	free(name);
	return -EINVAL;
}

static int parse_word(struct rt_cmdline *c, char **argv, int *at, const char *const *extra,
		      struct rt_mistake *m)
{
	const char *word = argv[*at];
	struct rt_source src = {0};
	const char *flag = word + 2, *value;
	struct match found;
	size_t len = strcspn(word, "=");
	struct rt_shown shown;

	if (strcmp(word, "-h") == 0) {
		c->help = true;
		return 0;
	}
	if (word[0] != '-' || !word[1])
		return rt_mistake__tell(m, &src, "unexpected argument \"%s\"",
					rt_show(&shown, word));
	if (word[1] != '-' || !find(flag, len - 2, extra, &found))
		return unknown(word, len, extra, m);

	value = word[len] ? word + len + 1 : NULL;
	if (found.help || found.negated || (found.opt && found.opt->kind == RT_OPT_BOOL)) {
		if (value && (found.help || found.negated))
			return rt_mistake__tell(m, &src, "%.*s takes no value", (int)len, word);
		c->help |= found.help;
		if (!found.help)
			c->flags[c->nr_flags++] =
				(struct rt_config_flag){found.opt->flag, found.negated ? "false"
									 : value       ? value
										       : "true"};
		return 0;
	}

	if (!value) {
		value = argv[*at + 1];
		/* "--listen --port 80": the value was forgotten, not meant to be "--port". */
		if (!value || strncmp(value, "--", 2) == 0)
			return rt_mistake__tell(m, &src, "%s needs a value", word);
		(*at)++;
	}
	/* --config "$FILE" without a FILE: not the file of REDTAP_CONFIG, nor none. */
	if (found.config && !*value)
		return rt_mistake__tell(m, &src, "--config needs the name of a file, not \"\"");
	if (found.config)
		c->config_file = value;
	else if (found.extra)
		c->extra[c->nr_extra++] = (struct rt_config_flag){found.extra, value};
	else
		c->flags[c->nr_flags++] = (struct rt_config_flag){found.opt->flag, value};
	return 0;
}

int rt_cmdline__parse(struct rt_cmdline *ret, int argc, char **argv, const char *const *extra,
		      char *errbuf, size_t errlen)
{
	struct rt_mistake m = {errbuf, errlen};
	struct rt_cmdline c = {0};
	size_t words = argc > 0 ? (size_t)argc : 1;
	int err = 0, i;

	if (errlen)
		errbuf[0] = '\0';
	c.flags = calloc(words, sizeof(*c.flags));
	c.extra = calloc(words, sizeof(*c.extra));
	if (!c.flags || !c.extra)
		err = -ENOMEM;
	for (i = 1; i < argc && !err; i++)
		err = parse_word(&c, argv, &i, extra, &m);
	if (err) {
		rt_cmdline__free(&c);
		if (err == -ENOMEM)
			rt_mistake__tell(&m, &(struct rt_source){0}, "out of memory");
		return err;
	}
	*ret = c;
	return 0;
}

void rt_cmdline__free(struct rt_cmdline *c)
{
	if (!c)
		return;
	free(c->flags);
	free(c->extra);
	*c = (struct rt_cmdline){0};
}
