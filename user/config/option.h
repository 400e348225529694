/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside user/config/ only: the option table made from config.def, and how one
 * value gets from text into struct rt_config. The faces (yaml.c, environ.c,
 * cmdline.c) find the text; nothing below here knows which face it came from.
 */
#ifndef REDTAP_OPTION_H
#define REDTAP_OPTION_H

#include "config/config.h"
#include "util/buf.h"

enum rt_option_kind {
	RT_OPT_STRING,	 /* char * */
	RT_OPT_LIST,	 /* struct rt_strlist */
	RT_OPT_BOOL,	 /* bool */
	RT_OPT_BYTES,	 /* u64: 4096, 256K, 8M, 1G */
	RT_OPT_DURATION, /* u64 ns: 500ms, 30s, 1h, 0 */
	RT_OPT_UINT,	 /* u64 */
	RT_OPT_ENUM,	 /* int: index into `values` */
	RT_OPT_SERVICES, /* services and nr_services */
};

/* What is wrong with a value, as the end of a sentence ("is not a pid"); NULL: nothing. */
typedef const char *(*rt_check)(const char *text);
#define RT_ANY ((rt_check)NULL)

struct rt_option {
	const char *name; /* "metrics.max_series" */
	enum rt_option_kind kind;
	size_t offset; /* in struct rt_config */
	rt_check check;
	const char *def; /* "" of a STRING: it may be empty */
	const char *values;
	const char *help;
	char flag[32]; /* "metrics-max-series" */
	char env[40];  /* "REDTAP_METRICS_MAX_SERIES" */
};

extern const size_t rt_nr_options;
/* The table, rt_nr_options rows in the order of config.def. */
const struct rt_option *rt_options(void);

/* Where a value was found: a file's line, or a variable or flag by name. */
struct rt_source {
	const char *file; /* NULL: not in a file */
	u32 line;
	const char *name; /* "metrics.ttl", "REDTAP_METRICS_TTL", "--metrics-ttl", "default" */
};

/* The user's mistake, told in one sentence; the first one told is kept. */
struct rt_mistake {
	char *buf;
	size_t len;
};

/* Writes "FILE:LINE: NAME: ..." or "NAME: ..." (no name: leaves it out). Always -EINVAL. */
int rt_mistake__tell(struct rt_mistake *m, const struct rt_source *src, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Makes outside bytes printable and short, for a sentence: the result is static per `slot`. */
struct rt_shown {
	char text[72];
};
const char *rt_show(struct rt_shown *out, const char *text);

/* Reads the text as the option's kind, checks it, and stores it; lists grow by
 * one. Returns 0, -ENOMEM, or -EINVAL with the mistake told. */
int rt_option__set(const struct rt_option *opt, struct rt_config *cfg, const char *text,
		   const struct rt_source *src, struct rt_mistake *m);
/* Notes the origin; empties lists first, so that a face replaces what a lower one gave. */
int rt_option__begin(const struct rt_option *opt, struct rt_config *cfg,
		     const struct rt_source *src);
/* Frees the value and leaves nothing. */
void rt_option__clear(const struct rt_option *opt, struct rt_config *cfg);
bool rt_option__is_list(const struct rt_option *opt);
static inline void *rt_option__field(const struct rt_option *opt, const struct rt_config *cfg)
{
	return (char *)cfg + opt->offset;
}

/* value.c: texts. The parsers return false and store nothing on a bad text. */
bool rt_parse_bool(const char *text, bool *ret);
bool rt_parse_uint(const char *text, u64 *ret);
bool rt_parse_bytes(const char *text, u64 *ret);
bool rt_parse_duration(const char *text, u64 *ret_ns);
/* The index of text among the names of "a|b|c", -1 if it is none of them. */
int rt_parse_enum(const char *text, const char *names);
/* The shortest text that reads back as the same value. */
void rt_format_bytes(struct rt_buf *b, u64 v);
void rt_format_duration(struct rt_buf *b, u64 ns);
void rt_format_enum(struct rt_buf *b, int v, const char *names);

const char *rt_check_text(const char *text); /* well-formed, printable, not empty */
const char *rt_check_listen(const char *text);
const char *rt_check_pid(const char *text);
const char *rt_check_port(const char *text);
const char *rt_check_ring_size(const char *text);
const char *rt_check_feature(const char *text);
const char *rt_check_max_series(const char *text);
const char *rt_check_rate(const char *text);
const char *rt_check_route(const char *text);

/* services.c: rules that name services. */
int rt_service_rule__set(struct rt_service_rule *rule, const char *key, const char *text,
			 const struct rt_source *src, struct rt_mistake *m);
/* Takes over the rule's strings on success. */
int rt_services__append(struct rt_config *cfg, struct rt_service_rule *rule,
			const struct rt_source *src, struct rt_mistake *m);
int rt_services__append_text(struct rt_config *cfg, const char *text, const struct rt_source *src,
			     struct rt_mistake *m);
void rt_service_rule__clear(struct rt_service_rule *rule);

/* The two lower faces. `text` need not end in NUL. */
int rt_config_yaml__apply(struct rt_config *cfg, const char *file, const char *text, size_t len,
			  struct rt_mistake *m);
int rt_config_yaml__read(struct rt_config *cfg, const char *file, struct rt_mistake *m);
int rt_config_env__apply(struct rt_config *cfg, char *const *env, struct rt_mistake *m);

#endif /* REDTAP_OPTION_H */
