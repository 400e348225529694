// SPDX-License-Identifier: Apache-2.0
/*
 * The option table, made from config.def, and the one way a value enters
 * struct rt_config: read as its kind, checked, stored. All three faces and the
 * defaults come through here, so a mistake reads the same whatever its face.
 */
#include "config/option.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "util/suggest.h"
#include "util/utf8.h"

/* A row whose field is not of its kind's C type does not compile. */
#define C_STRING   char *
#define C_LIST	   struct rt_strlist
#define C_BOOL	   bool
#define C_BYTES	   u64
#define C_DURATION u64
#define C_UINT	   u64
#define C_ENUM	   int
#define C_SERVICES struct rt_service_rule *
#define OPT(field_, name_, kind_, check_, def_, values_, help_)                                    \
	_Static_assert(__builtin_types_compatible_p(__typeof__(((struct rt_config *)0)->field_),   \
						    C_##kind_),                                    \
		       "type of option " name_);
#include "config/config.def"
#undef OPT

static struct rt_option table[] = {
#define OPT(field_, name_, kind_, check_, def_, values_, help_)                                    \
	{.name = name_,                                                                            \
	 .kind = RT_OPT_##kind_,                                                                   \
	 .offset = offsetof(struct rt_config, field_),                                             \
	 .check = check_,                                                                          \
	 .def = def_,                                                                              \
	 .values = values_,                                                                        \
	 .help = help_},
#include "config/config.def"
#undef OPT
};
const size_t rt_nr_options = RT_ARRAY_SIZE(table);
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void derive_names(void)
{
	size_t i, j;

	for (i = 0; i < rt_nr_options; i++) {
		struct rt_option *opt = &table[i];

		snprintf(opt->flag, sizeof(opt->flag), "%s", opt->name);
		snprintf(opt->env, sizeof(opt->env), "REDTAP_%s", opt->name);
		for (j = 0; opt->flag[j]; j++)
			if (opt->flag[j] == '.' || opt->flag[j] == '_')
				opt->flag[j] = '-';
		for (j = 0; opt->env[j]; j++)
			opt->env[j] = opt->env[j] == '.' ? '_' : (char)toupper(opt->env[j]);
	}
}

const struct rt_option *rt_options(void)
{
	pthread_once(&table_once, derive_names);
	return table;
}

const char *rt_show(struct rt_shown *out, const char *text)
{
	static const char more[] = "...";
	size_t at = 0, left = strlen(text);
	const u8 *p = (const u8 *)text;
	u32 n;

	for (; left; p += n, left -= n) {
		n = rt_utf8_plain(p, left);
		if (at + (n ? n : 1) + sizeof(more) > sizeof(out->text)) {
			memcpy(out->text + at, more, sizeof(more));
			return out->text;
		}
		if (n == 0) {
			out->text[at++] = '?';
			n = 1;
		} else {
			memcpy(out->text + at, p, n);
			at += n;
		}
	}
	out->text[at] = '\0';
	return out->text;
}

int rt_mistake__tell(struct rt_mistake *m, const struct rt_source *src, const char *fmt, ...)
{
	struct rt_buf b = RT_BUF_INIT;
	char text[512];
	va_list ap;

	if (m->len == 0 || m->buf[0])
		return -EINVAL;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (src->file)
		rt_buf__printf(&b, "%s:", src->file);
	if (src->file && src->line)
		rt_buf__printf(&b, "%u:", src->line);
	if (src->file)
		rt_buf__putc(&b, ' ');
	if (src->name)
		rt_buf__printf(&b, "%s: ", src->name);
	rt_buf__puts(&b, text);
	snprintf(m->buf, m->len, "%s", b.err ? text : b.data);
	rt_buf__free(&b);

	/* A file's name may hold anything. */
	rt_utf8_make_plain(m->buf);
	return -EINVAL;
}

bool rt_option__is_list(const struct rt_option *opt)
{
	return opt->kind == RT_OPT_LIST || opt->kind == RT_OPT_SERVICES;
}

static int append(struct rt_strlist *list, const char *text)
{
	char **items = realloc(list->items, (list->n + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->n] = strdup(text);
	if (!items[list->n])
		return -ENOMEM;
	list->n++;
	return 0;
}

static int set_string(char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*field);
	*field = copy;
	return 0;
}

static int set_enum(const struct rt_option *opt, int *field, const char *text,
		    const struct rt_source *src, struct rt_mistake *m)
{
	struct rt_suggest near = rt_suggest_init(text);
	char names[128], *name, *save = NULL;
	struct rt_shown shown;
	int v = rt_parse_enum(text, opt->values);

	if (v >= 0) {
		*field = v;
		return 0;
	}
	snprintf(names, sizeof(names), "%s", opt->values);
	for (name = strtok_r(names, "|", &save); name; name = strtok_r(NULL, "|", &save))
		rt_suggest__offer(&near, name);
	return rt_mistake__tell(m, src, "\"%s\" is not one of %s%s%s%s", rt_show(&shown, text),
				opt->values, near.best ? "; did you mean \"" : "",
				near.best ? near.best : "", near.best ? "\"?" : "");
}

int rt_option__set(const struct rt_option *opt, struct rt_config *cfg, const char *text,
		   const struct rt_source *src, struct rt_mistake *m)
{
	void *field = rt_option__field(opt, cfg);
	bool may_be_empty = opt->kind == RT_OPT_STRING && !*opt->def;
	const char *wrong = NULL;
	struct rt_shown shown;

	if (may_be_empty && !*text)
		return set_string(field, text);
	if (opt->kind == RT_OPT_STRING || opt->kind == RT_OPT_LIST)
		wrong = rt_check_text(text);
	if (!wrong && opt->check)
		wrong = opt->check(text);
	if (wrong)
		return rt_mistake__tell(m, src, "\"%s\" %s", rt_show(&shown, text), wrong);

	switch (opt->kind) {
	case RT_OPT_STRING:
		return set_string(field, text);
	case RT_OPT_LIST:
		return append(field, text);
	case RT_OPT_ENUM:
		return set_enum(opt, field, text, src, m);
	case RT_OPT_SERVICES:
		return rt_services__append_text(cfg, text, src, m);
	case RT_OPT_BOOL:
		if (rt_parse_bool(text, field))
			return 0;
		wrong = "is neither true nor false";
		break;
	case RT_OPT_BYTES:
		if (rt_parse_bytes(text, field))
			return 0;
		wrong = "is not a number of bytes, like 65536, 256K, 8M or 1G";
		break;
	case RT_OPT_DURATION:
		if (rt_parse_duration(text, field))
			return 0;
		wrong = "is not a duration, like 500ms, 30s, 1h or 0";
		break;
	case RT_OPT_UINT:
		if (rt_parse_uint(text, field))
			return 0;
		wrong = "is not a whole number";
		break;
	}
	return rt_mistake__tell(m, src, "\"%s\" %s", rt_show(&shown, text), wrong);
}

void rt_option__clear(const struct rt_option *opt, struct rt_config *cfg)
{
	void *field = rt_option__field(opt, cfg);
	struct rt_strlist *list = field;

	switch (opt->kind) {
	case RT_OPT_STRING:
		free(*(char **)field);
		*(char **)field = NULL;
		return;
	case RT_OPT_LIST:
		while (list->n)
			free(list->items[--list->n]);
		free(list->items);
		list->items = NULL;
		return;
	case RT_OPT_SERVICES:
		while (cfg->nr_services)
			rt_service_rule__clear(&cfg->services[--cfg->nr_services]);
		free(cfg->services);
		cfg->services = NULL;
		return;
	default:
		return; /* plain values hold no memory */
	}
}

int rt_option__begin(const struct rt_option *opt, struct rt_config *cfg,
		     const struct rt_source *src)
{
	char **origin = &cfg->origins[opt - table];
	char *text;
	int n;

	n = src->file ? asprintf(&text, "%s:%u", src->file, src->line)
		      : asprintf(&text, "%s", src->name);
	if (n < 0)
		return -ENOMEM;
	free(*origin);
	*origin = text;
	if (rt_option__is_list(opt))
		rt_option__clear(opt, cfg);
	return 0;
}
