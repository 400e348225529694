// SPDX-License-Identifier: Apache-2.0
/*
 * Shows the option table: `redtap config` prints a configuration as YAML that
 * reads back to the same one, with each value's origin as a comment, and
 * --help lists the options. Called by user/cli.
 */
#include "config/option.h"

#include <string.h>

#include "util/utf8.h"

#define COMMENT_COLUMN 40
#define HELP_COLUMN    44

/* A double-quoted YAML scalar. What a YAML reader refuses as raw text is
 * escaped: control characters, line separators, byte order marks. */
static void put_quoted(struct rt_buf *b, const char *text)
{
	const u8 *p = (const u8 *)text;
	size_t left = strlen(text);
	u32 n, cp;

	rt_buf__putc(b, '"');
	for (; left; p += n, left -= n) {
		n = rt_utf8_len(p, left);
		if (n == 0) { /* option.c lets none in */
			n = 1;
			rt_buf__puts(b, "\\uFFFD");
			continue;
		}
		cp = rt_utf8_point(p, n);
		if (cp == '"' || cp == '\\')
			rt_buf__printf(b, "\\%c", (char)cp);
		else if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 ||
			 cp == 0xfeff || (cp & 0xfffe) == 0xfffe)
			rt_buf__printf(b, "\\U%08X", cp);
		else
			rt_buf__put(b, p, n);
	}
	rt_buf__putc(b, '"');
}

static void put_origin(struct rt_buf *b, size_t line_start, const char *origin)
{
	do {
		rt_buf__putc(b, ' ');
	} while (!b->err && b->len - line_start < COMMENT_COLUMN);
	rt_buf__puts(b, "# ");
	for (; *origin; origin++) /* a file's name may hold anything, also a line break */
		rt_buf__putc(b, (u8)*origin < 0x20 || (u8)*origin >= 0x7f ? '?' : *origin);
	rt_buf__putc(b, '\n');
}

static void put_list(struct rt_buf *b, const struct rt_strlist *list, int indent,
		     const char *origin)
{
	size_t i, start;

	for (i = 0; i < list->n; i++) {
		start = b->len;
		rt_buf__printf(b, "%*s- ", indent + 2, "");
		put_quoted(b, list->items[i]);
		put_origin(b, start, origin);
	}
}

static void put_rule_line(struct rt_buf *b, const char *lead, const char *key, const char *text,
			  const char *origin)
{
	size_t start = b->len;

	if (!text)
		return;
	rt_buf__printf(b, "  %s%s: ", lead, key);
	put_quoted(b, text);
	put_origin(b, start, origin);
}

static void put_services(struct rt_buf *b, const struct rt_config *cfg, const char *origin)
{
	const struct rt_service_rule *rule;
	size_t i, start;

	for (i = 0; i < cfg->nr_services; i++) {
		rule = &cfg->services[i];
		put_rule_line(b, "- ", "name", rule->name, origin);
		put_rule_line(b, "  ", "exe", rule->exe, origin);
		put_rule_line(b, "  ", "cmdline", rule->cmdline, origin);
		put_rule_line(b, "  ", "unit", rule->unit, origin);
		if (!rule->port)
			continue;
		start = b->len;
		rt_buf__printf(b, "    port: %u", rule->port);
		put_origin(b, start, origin);
	}
}

/* What stands after "key:" on the same line. */
static void put_scalar(struct rt_buf *b, const struct rt_option *opt, const struct rt_config *cfg)
{
	const void *field = rt_option__field(opt, cfg);

	switch (opt->kind) {
	case RT_OPT_STRING:
		put_quoted(b, *(char *const *)field);
		break;
	case RT_OPT_LIST:
		if (((const struct rt_strlist *)field)->n == 0)
			rt_buf__puts(b, "[]");
		break;
	case RT_OPT_SERVICES:
		if (cfg->nr_services == 0)
			rt_buf__puts(b, "[]");
		break;
	case RT_OPT_BOOL:
		rt_buf__puts(b, *(const bool *)field ? "true" : "false");
		break;
	case RT_OPT_BYTES:
		rt_format_bytes(b, *(const u64 *)field);
		break;
	case RT_OPT_DURATION:
		rt_format_duration(b, *(const u64 *)field);
		break;
	case RT_OPT_UINT:
		rt_buf__put_u64(b, *(const u64 *)field);
		break;
	case RT_OPT_ENUM:
		rt_format_enum(b, *(const int *)field, opt->values);
		break;
	}
}

static void put_option(struct rt_buf *b, const struct rt_option *opt, const struct rt_config *cfg,
		       const char *origin)
{
	const char *dot = strchr(opt->name, '.');
	const char *key = dot ? dot + 1 : opt->name;
	int indent = dot ? 2 : 0;
	size_t start = b->len;

	rt_buf__printf(b, "%*s%s: ", indent, "", key);
	put_scalar(b, opt, cfg);
	put_origin(b, start, origin);
	if (opt->kind == RT_OPT_LIST)
		put_list(b, rt_option__field(opt, cfg), indent, origin);
	if (opt->kind == RT_OPT_SERVICES)
		put_services(b, cfg, origin);
}

void rt_config__print(const struct rt_config *cfg, FILE *out)
{
	const struct rt_option *opts = rt_options();
	struct rt_buf b = RT_BUF_INIT;
	size_t i, len, open_len = 0;
	const char *open = ""; /* the section the last option stood in */

	for (i = 0; i < rt_nr_options; i++) {
		len = strchr(opts[i].name, '.') ? strcspn(opts[i].name, ".") : 0;
		if (len && (len != open_len || memcmp(open, opts[i].name, len) != 0))
			rt_buf__printf(&b, "%.*s:\n", (int)len, opts[i].name);
		open = opts[i].name;
		open_len = len;
		put_option(&b, &opts[i], cfg, cfg->origins[i]);
	}
	if (!b.err)
		fwrite(b.data, 1, b.len, out);
	rt_buf__free(&b);
}

static void print_flag(FILE *out, const char *flag, const char *values, const char *help)
{
	int n = fprintf(out, "  --%s%s%s", flag, *values ? " " : "", values);

	fprintf(out, "%*s%s", n < HELP_COLUMN ? HELP_COLUMN - n : 1, "", help);
}

void rt_config__print_help(FILE *out)
{
	const struct rt_option *opts = rt_options();
	char flag[48];
	size_t i;

	fputs("options:\n", out);
	print_flag(out, "config", "FILE", "YAML file of options (or REDTAP_CONFIG)\n");
	for (i = 0; i < rt_nr_options; i++) {
		bool is_bool = opts[i].kind == RT_OPT_BOOL;

		snprintf(flag, sizeof(flag), "%s%s", is_bool ? "[no-]" : "", opts[i].flag);
		print_flag(out, flag, is_bool ? "" : opts[i].values, opts[i].help);
		if (rt_option__is_list(&opts[i]))
			fputs("; may be repeated\n", out);
		else if (*opts[i].def)
			fprintf(out, " (%s)\n", opts[i].def);
		else
			fputc('\n', out);
	}
	fputs("\nScope flags of one kind widen each other, different kinds narrow each other;\n"
	      "with none of them the whole host is in scope, but redtap itself.\n"
	      "An option's flag --a-b is its key a.b in the file and its variable REDTAP_A_B; "
	      "flags\n"
	      "go over variables (lists by commas), variables over the file.\n",
	      out);
}
