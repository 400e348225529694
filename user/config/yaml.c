// SPDX-License-Identifier: Apache-2.0
/*
 * The YAML face: reads the file's events one by one against the option table.
 * Each event knows its line, so each mistake can name it. Sections nest only
 * where an option's name has a dot, which bounds the recursion; aliases are
 * refused, which bounds the work to the file's length.
 */
#include "config/option.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "util/cleanup.h"
#include "util/suggest.h"

#define FILE_MAX ((size_t)1 << 20)
#define NAME_LEN 128

struct reader {
	yaml_parser_t parser;
	yaml_event_t ev; /* the current event; its memory goes with the next */
	struct rt_config *cfg;
	struct rt_mistake *m;
	const char *file;
	const char *text;
	size_t len;
	u32 *option_line;  /* per option: where it was given, 0: not yet */
	u32 *section_line; /* the same for the section an option stands in, at its first option */
};

static struct rt_source here(const struct reader *r, const char *name)
{
	return (struct rt_source){r->file, (u32)r->ev.start_mark.line + 1, name};
}

#define tell_here(r, name, ...)                                                                    \
	rt_mistake__tell((r)->m,                                                                   \
			 &(struct rt_source){(r)->file, (u32)(r)->ev.start_mark.line + 1, (name)}, \
			 __VA_ARGS__)

/* Globs and route patterns are what most files hold, and have YAML's own signs in them. */
static const char *hint(const yaml_parser_t *p)
{
	const char *where = p->context ? p->context : "";

	if (strstr(where, "an alias"))
		return "; a glob that begins with * stands in quotes";
	if (strstr(where, "a flow sequence"))
		return "; within [ ] a text with { } stands in quotes";
	return "";
}

/* Why libyaml stopped. Its reader knows a byte offset only, its other layers a mark. */
static int tell_broken(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	struct rt_source src = {r->file, (u32)p->problem_mark.line + 1, NULL};
	const char *nl = r->text, *end;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR) {
		end = r->text + (p->problem_offset < r->len ? p->problem_offset : r->len);
		for (src.line = 1; (nl = memchr(nl, '\n', (size_t)(end - nl))); nl++)
			src.line++;
	}
	return rt_mistake__tell(r->m, &src, "not valid YAML: %s%s", p->problem ? p->problem : "?",
				hint(p));
}

/* Steps to the next event. What no option can use is refused here, once. */
static int next(struct reader *r)
{
	const yaml_char_t *tag = NULL;
	struct rt_shown shown;

	yaml_event_delete(&r->ev);
	if (!yaml_parser_parse(&r->parser, &r->ev))
		return tell_broken(r);
	if (r->ev.type == YAML_ALIAS_EVENT)
		return tell_here(
			r, NULL,
			"aliases, like *%s, are not read here; write it out, or if it is a "
			"glob, in quotes",
			rt_show(&shown, (const char *)r->ev.data.alias.anchor));
	if (r->ev.type == YAML_SCALAR_EVENT)
		tag = r->ev.data.scalar.tag;
	else if (r->ev.type == YAML_SEQUENCE_START_EVENT)
		tag = r->ev.data.sequence_start.tag;
	else if (r->ev.type == YAML_MAPPING_START_EVENT)
		tag = r->ev.data.mapping_start.tag;
	if (tag && strncmp((const char *)tag, "tag:yaml.org,2002:", 18) != 0)
		return tell_here(r, NULL, "the tag %s is not known",
				 rt_show(&shown, (const char *)tag));
	if (r->ev.type == YAML_SCALAR_EVENT &&
	    memchr(r->ev.data.scalar.value, '\0', r->ev.data.scalar.length))
		return tell_here(r, NULL, "a text holds a NUL byte");
	return 0;
}

static bool is_scalar(const struct reader *r)
{
	return r->ev.type == YAML_SCALAR_EVENT;
}

static const char *scalar(const struct reader *r)
{
	return (const char *)r->ev.data.scalar.value;
}

/* "key:", "key: ~" and "key: null": a key without a value, as left behind by commenting out. */
static bool is_null(const struct reader *r)
{
	return is_scalar(r) && r->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*scalar(r) || strcmp(scalar(r), "~") == 0 || strcmp(scalar(r), "null") == 0);
}

static const char *kind_of(const struct reader *r)
{
	switch (r->ev.type) {
	case YAML_SEQUENCE_START_EVENT:
		return "a list";
	case YAML_MAPPING_START_EVENT:
		return "a mapping";
	default:
		return "a single value";
	}
}

/* One `- name: ...` mapping of `services`; the current event opens it. */
static int read_rule(struct reader *r, const char *name)
{
	struct rt_service_rule rule = {0};
	struct rt_source start = here(r, name);
	char key[NAME_LEN];
	struct rt_source src;
	int err;

	if (r->ev.type != YAML_MAPPING_START_EVENT)
		return tell_here(r, name,
				 "%s where a rule was expected, like \"- name: shop\" with "
				 "\"port: 8080\" below it",
				 kind_of(r));
	for (;;) {
		err = next(r);
		if (err)
			break;
		if (r->ev.type == YAML_MAPPING_END_EVENT) {
			err = rt_services__append(r->cfg, &rule, &start, r->m);
			break;
		}
		if (!is_scalar(r)) {
			err = tell_here(r, name, "%s where a key was expected", kind_of(r));
			break;
		}
		snprintf(key, sizeof(key), "%s", scalar(r));
		src = here(r, name);
		err = next(r);
		if (err)
			break;
		if (!is_scalar(r)) {
			err = tell_here(r, name, "%s where the value of \"%s\" was expected",
					kind_of(r), key);
			break;
		}
		err = rt_service_rule__set(&rule, key, is_null(r) ? "" : scalar(r), &src, r->m);
		if (err)
			break;
	}
	rt_service_rule__clear(&rule);
	return err;
}

static int read_list(struct reader *r, const struct rt_option *opt)
{
	struct rt_source src;
	int err;

	for (;;) {
		err = next(r);
		if (err)
			return err;
		if (r->ev.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		if (opt->kind == RT_OPT_SERVICES) {
			err = read_rule(r, opt->name);
		} else if (!is_scalar(r)) {
			err = tell_here(r, opt->name, "%s inside the list; its items are texts",
					kind_of(r));
		} else if (is_null(r)) {
			/* Read as a text, it would be a scope that holds nobody. */
			err = tell_here(r, opt->name, "an item of the list has no value");
		} else {
			src = here(r, opt->name);
			err = rt_option__set(opt, r->cfg, scalar(r), &src, r->m);
		}
		if (err)
			return err;
	}
}

/* The current event is the option's key; reads its value. */
static int read_option(struct reader *r, const struct rt_option *opt)
{
	struct rt_source src = here(r, opt->name);
	u32 *line = &r->option_line[opt - rt_options()];
	int err;

	if (*line)
		return tell_here(r, NULL, "\"%s\" is given twice, first on line %u", opt->name,
				 *line);
	*line = src.line;
	err = rt_option__begin(opt, r->cfg, &src);
	if (!err)
		err = next(r);
	if (err)
		return err;

	if (rt_option__is_list(opt)) {
		if (is_null(r))
			return 0;
		if (r->ev.type == YAML_SEQUENCE_START_EVENT)
			return read_list(r, opt);
		if (opt->kind == RT_OPT_SERVICES)
			return tell_here(r, opt->name, "%s where a list of rules was expected",
					 kind_of(r));
	}
	if (!is_scalar(r))
		return tell_here(r, opt->name, "%s where a single value was expected", kind_of(r));
	if (is_null(r))
		return tell_here(r, opt->name, "has no value");
	src.line = (u32)r->ev.start_mark.line + 1;
	return rt_option__set(opt, r->cfg, scalar(r), &src, r->m);
}

/* The first option of the section, NULL if no option's name starts with "section.". */
static const struct rt_option *find_section(const char *name)
{
	const struct rt_option *opts = rt_options();
	size_t i, len = strlen(name);

	for (i = 0; i < rt_nr_options; i++)
		if (strncmp(opts[i].name, name, len) == 0 && opts[i].name[len] == '.')
			return &opts[i];
	return NULL;
}

static const struct rt_option *find_option(const char *name)
{
	const struct rt_option *opts = rt_options();
	size_t i;

	for (i = 0; i < rt_nr_options; i++)
		if (strcmp(opts[i].name, name) == 0)
			return &opts[i];
	return NULL;
}

static int unknown_key(struct reader *r, const char *name)
{
	char sections[32][32] = {{0}};
	struct rt_suggest near = rt_suggest_init(name);
	const struct rt_option *opts = rt_options();
	struct rt_shown shown;
	size_t i;

	for (i = 0; i < rt_nr_options && i < RT_ARRAY_SIZE(sections); i++) {
		rt_suggest__offer(&near, opts[i].name);
		snprintf(sections[i], sizeof(sections[i]), "%.*s", (int)strcspn(opts[i].name, "."),
			 opts[i].name);
		rt_suggest__offer(&near, sections[i]);
	}
	rt_show(&shown, name);
	if (near.best)
		return tell_here(r, NULL, "unknown key \"%s\"; did you mean \"%s\"?", shown.text,
				 near.best);
	return tell_here(r, NULL, "unknown key \"%s\"; \"redtap config\" prints those there are",
			 shown.text);
}

/* The keys of one mapping, up to its end; `section` is "" at the top. */
static int read_mapping(struct reader *r, const char *section)
{
	const struct rt_option *opt;
	char name[NAME_LEN];
	u32 *line;
	int err;

	for (;;) {
		err = next(r);
		if (err || r->ev.type == YAML_MAPPING_END_EVENT)
			return err;
		if (!is_scalar(r))
			return tell_here(r, NULL, "%s where a key was expected", kind_of(r));
		snprintf(name, sizeof(name), "%s%s%s", section, *section ? "." : "", scalar(r));

		opt = find_option(name);
		if (opt) {
			err = read_option(r, opt);
			if (err)
				return err;
			continue;
		}
		opt = find_section(name);
		if (!opt)
			return unknown_key(r, name);
		line = &r->section_line[opt - rt_options()];
		if (*line)
			return tell_here(r, NULL, "\"%s\" is given twice, first on line %u", name,
					 *line);
		*line = (u32)r->ev.start_mark.line + 1;
		err = next(r);
		if (err)
			return err;
		if (is_null(r))
			continue;
		if (r->ev.type != YAML_MAPPING_START_EVENT)
			return tell_here(r, name,
					 "%s where a mapping was expected, like \"%s: ...\"",
					 kind_of(r), opt->name + strlen(name) + 1);
		err = read_mapping(r, name);
		if (err)
			return err;
	}
}

static int read_stream(struct reader *r)
{
	int err = next(r); /* the start of the stream */

	if (!err)
		err = next(r);
	if (err || r->ev.type == YAML_STREAM_END_EVENT)
		return err;

	err = next(r);
	if (err)
		return err;
	if (r->ev.type == YAML_MAPPING_START_EVENT)
		err = read_mapping(r, "");
	else if (!is_null(r))
		err = tell_here(r, NULL, "%s where keys were expected, like \"listen: :9733\"",
				kind_of(r));
	if (!err)
		err = next(r); /* the end of the document */
	if (!err)
		err = next(r);
	if (err || r->ev.type == YAML_STREAM_END_EVENT)
		return err;
	return tell_here(r, NULL, "a second document; one is read");
}

int rt_config_yaml__apply(struct rt_config *cfg, const char *file, const char *text, size_t len,
			  struct rt_mistake *m)
{
	struct reader r = {.cfg = cfg, .m = m, .file = file, .text = text, .len = len};
	int err;

	r.option_line = calloc(rt_nr_options * 2, sizeof(u32));
	if (!r.option_line)
		return -ENOMEM;
	r.section_line = r.option_line + rt_nr_options;
	if (!yaml_parser_initialize(&r.parser)) {
		free(r.option_line);
		return -ENOMEM;
	}
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	err = read_stream(&r);
	yaml_event_delete(&r.ev);
	yaml_parser_delete(&r.parser);
	free(r.option_line);
	return err;
}

/* Up to FILE_MAX bytes and one, which tells a file that is too large. */
static int slurp(int fd, char *text, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < FILE_MAX + 1) {
		n = read(fd, text + len, FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return len > FILE_MAX ? -EFBIG : 0;
}

/* A named pipe whose writer comes later reads as an empty file would, and that is a valid
 * configuration, with the whole host in its scope. */
static bool unwritten_pipe(int fd, size_t len)
{
	struct stat st;

	return !len && !fstat(fd, &st) && S_ISFIFO(st.st_mode);
}

int rt_config_yaml__read(struct rt_config *cfg, const char *file, struct rt_mistake *m)
{
	const struct rt_source src = {.name = file};
	__cleanup_free char *text = malloc(FILE_MAX + 1);
	__cleanup_fd int fd = -1;
	size_t len = 0;
	int err = 0;

	if (!text)
		return -ENOMEM;
	/* Without O_NONBLOCK, opening a pipe that nobody writes would wait forever. */
	fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fcntl(fd, F_SETFL, 0) < 0)
		err = -errno;
	if (!err)
		err = slurp(fd, text, &len);
	if (!err && unwritten_pipe(fd, len)) {
		rt_mistake__tell(m, &src, "a pipe that nobody wrote to; start its writer first");
		return -EINVAL;
	}

	if (err == -EFBIG)
		rt_mistake__tell(m, &src, "larger than %zu bytes, not read", FILE_MAX);
	else if (err)
		rt_mistake__tell(m, &src, "cannot be read: %s", strerror(-err));
	return err ? err : rt_config_yaml__apply(cfg, file, text, len, m);
}
