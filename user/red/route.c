// SPDX-License-Identifier: Apache-2.0
/*
 * Names routes: configured patterns first, then a tree learned per service.
 * Called by red.c once per exchange, from the consumer's thread. Paths are
 * hostile: whatever comes, a service has at most ROUTES_MAX inferred names, GUESTS_MAX
 * more of paths that nobody has, and about DEPTH_MAX nodes for each.
 *
 * Patterns, the first in the configured order that matches wins:
 *   /users/{id}        a {name} stands for one segment, or for a part of one
 *   /files/{name}.pdf  ("v{n}", "{name}.pdf"), never for nothing
 *   /static/ *         (without the blank) the rest of the path, "/static/" too
 * A trailing slash is ignored in patterns; inferred "/a" and "/a/" are two. A
 * segment's ";parameters" are dropped, but where the pattern has such itself.
 *
 * Inference folds a segment when its form says that it is a value:
 *   digits only {id}; 8-4-4-4-12 hex digits {uuid}; 8 or more hex digits {hex}
 *   (of English words only "fabaceae" has that form, so letters alone count
 *   too); over 32 bytes, or 16 and more of the base64url alphabet with upper,
 *   lower and digit in it {token}, if it does not read as words, up to 64 bytes.
 *   "1234.png" folds to "{id}.png". Other words are learned, 10 per position; the
 *   11th turns the position to {var} for good, and what was learned below the ten
 *   becomes one subtree.
 *
 * Words that no answer has shown to exist are guests, as a scanner brings hundreds
 * of them: they make room for an 11th word that exists, and as an 11th they are
 * {var} by themselves. Their names are counted apart, so that they use up no others.
 */
#include "red/route.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "util/hash.h"

#define ROUTES_MAX     100   /* inferred names per service before {other} */
#define GUESTS_MAX     50    /* more of them, of paths that no answer has shown to exist */
#define FANOUT_MAX     10    /* words per position before {var} */
#define DEPTH_MAX      12    /* segments; the rest of a longer path is one {var} */
#define WORD_MAX       32    /* bytes of a segment that can be any word */
#define TEXT_WORD_MAX  64    /* bytes of one that reads as words */
#define VERSION_MAX    9     /* bytes of "v1p1beta1" */
#define SERVICES_MAX   1024  /* the one unused for longest is forgotten */
#define STRINGS_MAX    16384 /* names in all; beyond: {other} */
#define CACHE_SLOTS    4096
#define CACHE_PATH_MAX 90
#define LABEL_MAX      TEXT_WORD_MAX
#define ROUTE_TEXT_MAX (DEPTH_MAX * (LABEL_MAX + 1))

static const char other[] = "{other}";
static const char var[] = "{var}";

struct node {
	struct node *parent, *child, *next;
	const char *route; /* NULL: no path ended here yet */
	u8 nr_words;	   /* children that count for FANOUT_MAX */
	bool collapsed;	   /* words go to the child "{var}" */
	bool is_word;
	bool guest; /* no answer has shown that it exists */
	u8 len;
	char label[];
};

struct service {
	u64 resource_id;
	u64 last_use;
	u32 nr_routes; /* names ever made; they live on as series */
	u32 nr_guests; /* beside these, made for guests */
	struct node *root;
	UT_hash_handle hh;
};

struct text {
	UT_hash_handle hh;
	char s[];
};

struct slot {
	u64 resource_id;
	const char *route; /* NULL: empty */
	struct service *service; /* that it is a name of, while the generation stands; or NULL */
	u32 generation;
	u16 len;
	bool guest; /* one that shows that it exists still has to be learned from */
	u8 path[CACHE_PATH_MAX];
};

struct rt_routes {
	bool infer;
	char **patterns;
	size_t nr_patterns;
	bool tells_values; /* a pattern has one value of many in it, as "/api/2/{x}" */
	struct service *services;
	struct text *texts;
	u64 seed;
	u64 uses;	/* clock of last_use */
	u32 generation; /* names of paths seen before may be others now */
	bool guest;	/* the answer does not show that the path being named exists */
	struct slot cache[CACHE_SLOTS];
};

/* --- segments ----------------------------------------------------------- */

static bool all_digits(const u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < '0' || p[i] > '9')
			return false;
	return n > 0;
}

static bool all_hex(const u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isxdigit(p[i]))
			return false;
	return n > 0;
}

static bool is_uuid(const u8 *p, size_t n)
{
	return n == 36 && p[8] == '-' && p[13] == '-' && p[18] == '-' && p[23] == '-' &&
	       all_hex(p, 8) && all_hex(p + 9, 4) && all_hex(p + 14, 4) && all_hex(p + 19, 4) &&
	       all_hex(p + 24, 12);
}

static bool is_base64(const u8 *p, size_t n)
{
	bool upper = false, lower = false, digit = false;

	if (n < 16)
		return false;
	for (size_t i = 0; i < n; i++) {
		upper |= p[i] >= 'A' && p[i] <= 'Z';
		lower |= p[i] >= 'a' && p[i] <= 'z';
		digit |= p[i] >= '0' && p[i] <= '9';
		if (!isalnum(p[i]) && p[i] != '-' && p[i] != '_' && p[i] != '=')
			return false;
	}
	return upper && lower && digit;
}

/* Digits in a group of letters and digits but those of a version: "v2", "v1beta1", and one or
 * two at the end, as in "OrdersV12". */
static size_t odd_digits(const u8 *p, size_t n)
{
	size_t end = n, digits = 0;

	if (n > 1 && n <= VERSION_MAX && (p[0] | 0x20) == 'v' && isdigit(p[1]))
		return 0;
	while (end && n - end < 2 && isdigit(p[end - 1]))
		end--;
	if (!end)
		end = n; /* a number by itself is no version */
	for (size_t i = 0; i < end; i++)
		digits += isdigit(p[i]) != 0;
	return digits;
}

static bool is_vowel(u8 byte)
{
	return byte && strchr("aeiouy", byte);
}

/*
 * Whether somebody wrote this, as "OrderServiceV2" or "acme.billing.v1.InvoiceService": half of it
 * is in parts of words, which are three and more lower-case letters with a vowel, and there is no
 * digit besides versions; in what is short there may be one ("createS3BucketPolicy").
 */
static bool reads_as_words(const u8 *p, size_t n)
{
	size_t group = 0, run = 0, in_words = 0, digits = 0;
	bool vowel = false;

	for (size_t i = 0; i <= n; i++) {
		u8 byte = i < n ? p[i] : '.';

		if (islower(byte)) {
			vowel |= is_vowel(byte);
			run++;
			continue;
		}
		if (run >= 3 && vowel)
			in_words += run;
		run = 0;
		vowel = false;
		if (byte == '.' || byte == '-' || byte == '_') {
			digits += odd_digits(p + group, i - group);
			group = i + 1;
		} else if (!isalnum(byte)) {
			return false;
		}
	}
	return digits <= (n > WORD_MAX ? 0 : 1) && in_words * 2 >= n;
}

static bool is_token(const u8 *p, size_t n)
{
	if (n <= WORD_MAX && !is_base64(p, n))
		return false;
	return n > TEXT_WORD_MAX || !reads_as_words(p, n);
}

static const char *fold_exact(const u8 *p, size_t n)
{
	if (all_digits(p, n))
		return "{id}";
	if (is_uuid(p, n))
		return "{uuid}";
	return n >= 8 && all_hex(p, n) ? "{hex}" : NULL;
}

/* "png" of "1234.png": short, with a letter, so that "12.5" is none. */
static bool is_extension(const u8 *p, size_t n)
{
	bool letter = false;

	for (size_t i = 0; i < n; i++) {
		if (!isalnum(p[i]))
			return false;
		letter |= isalpha(p[i]) != 0;
	}
	return letter && n <= 5;
}

static bool has_parameters(struct rt_slice seg)
{
	return seg.len && memchr(seg.p, ';', seg.len);
}

static struct rt_slice without_parameters(struct rt_slice seg)
{
	if (has_parameters(seg))
		seg.len = (u32)((const u8 *)memchr(seg.p, ';', seg.len) - seg.p);
	return seg;
}

/* The label of a segment; *ret_word when it counts as one of a position's words. */
static size_t label_of(struct rt_slice seg, char out[LABEL_MAX], bool *ret_word)
{
	const u8 *dot;
	const char *fold;
	size_t n = 0;

	seg = without_parameters(seg);
	*ret_word = false;
	if (!seg.len)
		return 0;
	fold = fold_exact(seg.p, seg.len);
	if (!fold && is_token(seg.p, seg.len))
		fold = "{token}";
	dot = fold ? NULL : memrchr(seg.p, '.', seg.len);
	if (dot && is_extension(dot + 1, (size_t)(seg.p + seg.len - dot - 1)))
		fold = fold_exact(seg.p, (size_t)(dot - seg.p));
	else
		dot = NULL;
	if (fold) {
		n = strlen(fold);
		memcpy(out, fold, n);
		if (!dot)
			return n;
		seg.len -= (u32)(dot - seg.p);
		seg.p = dot;
	}
	*ret_word = true;
	for (u32 i = 0; i < seg.len; i++)
		out[n++] = iscntrl(seg.p[i]) ? '?' : (char)seg.p[i];
	return n;
}

/* --- the tree ----------------------------------------------------------- */

static struct node *node_find(const struct node *parent, const char *label, size_t len)
{
	for (struct node *c = parent->child; c; c = c->next)
		if (c->len == len && memcmp(c->label, label, len) == 0)
			return c;
	return NULL;
}

static struct node *node_new(struct node *parent, const char *label, size_t len, bool is_word)
{
	struct node *n = calloc(1, sizeof(*n) + len);

	if (!n)
		return NULL;
	n->len = (u8)len;
	memcpy(n->label, label, len);
	n->is_word = is_word;
	n->parent = parent;
	if (parent) {
		n->next = parent->child;
		parent->child = n;
		parent->nr_words += is_word;
	}
	return n;
}

static void node_free(struct node *n)
{
	while (n && n->child) {
		struct node *c = n->child;

		n->child = c->next;
		node_free(c);
	}
	free(n);
}

/* Below a moved node the names are others. */
static void forget_names(struct node *n)
{
	n->route = NULL;
	for (struct node *c = n->child; c; c = c->next)
		forget_names(c);
}

static bool collapse(struct node *n);

/* Room for one more word. */
static bool evict_guest(struct node *n)
{
	for (struct node **at = &n->child; *at; at = &(*at)->next) {
		struct node *c = *at;

		if (!c->guest)
			continue;
		*at = c->next;
		n->nr_words--;
		node_free(c);
		return true;
	}
	return false;
}

/* Moves what stands below `from` below `to`; `from` is left without children. */
static void merge(struct node *to, struct node *from)
{
	struct node *c, *same;

	if (from->collapsed && !to->collapsed && !collapse(to))
		return;
	while ((c = from->child)) {
		from->child = c->next;
		from->nr_words -= c->is_word;
		same = node_find(to, c->label, c->len);
		if (same)
			same->guest &= c->guest;
		else if (c->is_word && to->nr_words == FANOUT_MAX && !evict_guest(to) && c->guest) {
			node_free(c);
			continue;
		}
		if (!same && c->is_word && (to->collapsed || to->nr_words == FANOUT_MAX))
			same = to->collapsed || collapse(to) ? node_find(to, var, sizeof(var) - 1)
							     : to;
		if (same) {
			if (same != to)
				merge(same, c);
			node_free(c);
			continue;
		}
		c->parent = to;
		c->next = to->child;
		to->child = c;
		to->nr_words += c->is_word;
		forget_names(c);
	}
}

/* All words below n become one child "{var}". False: out of memory, nothing done. */
static bool collapse(struct node *n)
{
	struct node *v = node_find(n, var, sizeof(var) - 1);
	struct node **at = &n->child;

	if (!v)
		v = node_new(n, var, sizeof(var) - 1, false);
	if (!v)
		return false;
	if (v->is_word) {
		v->is_word = v->guest = false;
		n->nr_words--;
	}
	n->collapsed = true;
	while (*at) {
		struct node *c = *at;

		if (!c->is_word) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		n->nr_words--;
		merge(v, c);
		node_free(c);
	}
	return true;
}

/* Not for guests either when all others are given: who found no room is to have no name later. */
static bool names_left(const struct rt_routes *r, const struct service *svc)
{
	return svc->nr_routes < ROUTES_MAX && (!r->guest || svc->nr_guests < GUESTS_MAX);
}

/* The child for a segment. NULL: the service has all the names it may have. */
static struct node *step(struct rt_routes *r, struct service *svc, struct node *n,
			 const char *label, size_t len, bool is_word)
{
	struct node *c;
	bool full;

	if (is_word && n->collapsed) {
		label = var;
		len = sizeof(var) - 1;
		is_word = false;
	}
	c = node_find(n, label, len);
	if (c)
		c->guest &= r->guest;
	full = !c && is_word && n->nr_words == FANOUT_MAX;
	/* An 11th word that changes nothing. It goes by the same name when all names are given. */
	if (full && (r->guest || svc->nr_routes >= ROUTES_MAX)) {
		label = var;
		len = sizeof(var) - 1;
		full = is_word = false;
		c = node_find(n, label, len);
	}
	if (c || !names_left(r, svc))
		return c;
	if (full) {
		r->generation++;
		if (!evict_guest(n))
			return collapse(n) ? node_find(n, var, sizeof(var) - 1) : NULL;
	}
	c = node_new(n, label, len, is_word);
	if (c)
		c->guest = is_word && r->guest;
	return c;
}

/* --- names -------------------------------------------------------------- */

static const char *intern(struct rt_routes *r, const char *s, size_t len)
{
	struct text *t;

	HASH_FIND(hh, r->texts, s, len, t);
	if (t)
		return t->s;
	if (HASH_COUNT(r->texts) >= STRINGS_MAX)
		return other;
	t = malloc(sizeof(*t) + len + 1);
	if (!t)
		return other;
	memcpy(t->s, s, len);
	t->s[len] = '\0';
	HASH_ADD_KEYPTR(hh, r->texts, t->s, len, t);
	return t->s;
}

static const char *name_node(struct rt_routes *r, struct service *svc, struct node *end)
{
	char text[ROUTE_TEXT_MAX];
	size_t at = sizeof(text);

	if (end->route)
		return end->route;
	if (!names_left(r, svc))
		return other;
	for (struct node *n = end; n->parent; n = n->parent) {
		at -= n->len + 1u;
		text[at] = '/';
		memcpy(text + at + 1, n->label, n->len);
	}
	/* Guests that were here before got no name, and may have this one now. */
	if (svc->nr_guests >= GUESTS_MAX)
		r->generation++;
	end->route = intern(r, text + at, sizeof(text) - at);
	if (r->guest)
		svc->nr_guests++;
	else
		svc->nr_routes++;
	return end->route;
}

static void service_free(struct rt_routes *r, struct service *svc)
{
	HASH_DEL(r->services, svc);
	node_free(svc->root);
	free(svc);
}

static struct service *service_get(struct rt_routes *r, u64 resource_id)
{
	struct service *svc, *oldest = NULL, *tmp;

	HASH_FIND(hh, r->services, &resource_id, sizeof(resource_id), svc);
	if (svc) {
		svc->last_use = ++r->uses;
		return svc;
	}
	if (HASH_COUNT(r->services) >= SERVICES_MAX) {
		HASH_ITER(hh, r->services, svc, tmp)
		{
			if (!oldest || svc->last_use < oldest->last_use)
				oldest = svc;
		}
		service_free(r, oldest);
		r->generation++;
	}
	svc = calloc(1, sizeof(*svc));
	if (!svc)
		return NULL;
	svc->root = node_new(NULL, "", 0, false);
	if (!svc->root) {
		free(svc);
		return NULL;
	}
	svc->resource_id = resource_id;
	svc->last_use = ++r->uses;
	HASH_ADD(hh, r->services, resource_id, sizeof(resource_id), svc);
	return svc;
}

/* The next segment of a path that starts with '/'; *rest starts with '/' or is empty. */
static struct rt_slice next_segment(struct rt_slice *rest)
{
	struct rt_slice seg = {rest->p + 1, rest->len - 1};
	const u8 *slash = seg.len ? memchr(seg.p, '/', seg.len) : NULL;

	if (slash)
		seg.len = (u32)(slash - seg.p);
	rest->p += seg.len + 1;
	rest->len -= seg.len + 1;
	return seg;
}

static const char *infer(struct rt_routes *r, u64 resource_id, struct rt_slice path, bool cut)
{
	struct service *svc = service_get(r, resource_id);
	struct node *n = svc ? svc->root : NULL;

	for (int depth = 1; n && path.len; depth++) {
		struct rt_slice seg = next_segment(&path);
		char label[LABEL_MAX];
		bool is_word;
		size_t len;

		if ((cut && !path.len) || (depth == DEPTH_MAX && path.len)) {
			n = step(r, svc, n, var, sizeof(var) - 1, false);
			break;
		}
		len = label_of(seg, label, &is_word);
		n = step(r, svc, n, label, len, is_word);
	}
	return n ? name_node(r, svc, n) : other;
}

/* --- patterns ----------------------------------------------------------- */

static bool segment_matches(struct rt_slice pat, struct rt_slice seg)
{
	const u8 *open = pat.len ? memchr(pat.p, '{', pat.len) : NULL;
	const u8 *close = open ? memchr(open, '}', (size_t)(pat.p + pat.len - open)) : NULL;
	u32 before, after;

	if (!has_parameters(pat))
		seg = without_parameters(seg);
	if (rt_slice_is(pat, "*"))
		return seg.len > 0;
	if (!close)
		return rt_slice_eq(pat, seg);
	before = (u32)(open - pat.p);
	after = pat.len - (u32)(close + 1 - pat.p);
	return seg.len > before + after && memcmp(seg.p, pat.p, before) == 0 &&
	       memcmp(seg.p + seg.len - after, close + 1, after) == 0;
}

/* Nothing, or a lone slash. */
static bool at_end(struct rt_slice rest)
{
	return rest.len == 0 || (!without_parameters(next_segment(&rest)).len && rest.len == 0);
}

static bool pattern_matches(struct rt_slice pat, struct rt_slice path, bool cut)
{
	if (!pat.len || pat.p[0] != '/')
		return rt_slice_eq(pat, path);
	/* What is no path, as a CONNECT's target or "*", fits no pattern of paths. */
	if (!path.len || path.p[0] != '/')
		return false;
	if (pat.len > 1 && pat.p[pat.len - 1] == '/')
		pat.len--;
	while (pat.len && path.len) {
		struct rt_slice p = next_segment(&pat), s = next_segment(&path);

		if (rt_slice_is(p, "*") && !pat.len)
			return true;
		if (cut && !path.len)
			return false; /* how the segment goes on is not known */
		if (!segment_matches(p, s))
			return false;
	}
	return !pat.len && at_end(path);
}

static bool all_value_bytes(const u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isxdigit(p[i]) && p[i] != '-')
			return false;
	return true;
}

/* Whether this segment of a pattern may match one value and not another of its form. */
static bool tells_values(struct rt_slice pat)
{
	const u8 *open = pat.len ? memchr(pat.p, '{', pat.len) : NULL;
	const u8 *end = pat.p + pat.len;
	const u8 *close = open ? memchr(open, '}', (size_t)(end - open)) : NULL;

	if (!close)
		return fold_exact(pat.p, pat.len) != NULL;
	return pat.len > close + 1 - open && all_value_bytes(pat.p, (size_t)(open - pat.p)) &&
	       all_value_bytes(close + 1, (size_t)(end - close - 1));
}

static bool any_segment(struct rt_slice path, bool (*is)(struct rt_slice seg))
{
	if (!path.len || path.p[0] != '/')
		return false;
	while (path.len)
		if (is(next_segment(&path)))
			return true;
	return false;
}

static bool is_value(struct rt_slice seg)
{
	return fold_exact(seg.p, seg.len) != NULL;
}

bool rt_routes__tells_values(const struct rt_routes *r, struct rt_slice path)
{
	return r->tells_values && any_segment(path, is_value);
}

static void patterns_free(struct rt_routes *r)
{
	for (size_t i = 0; i < r->nr_patterns; i++)
		free(r->patterns[i]);
	free(r->patterns);
	r->patterns = NULL;
	r->nr_patterns = 0;
	r->tells_values = false;
}

static bool patterns_copy(struct rt_routes *r, const struct rt_strlist *list)
{
	r->patterns = calloc(list->n ? list->n : 1, sizeof(*r->patterns));
	if (!r->patterns)
		return false;
	for (size_t i = 0; i < list->n; i++) {
		r->patterns[i] = strdup(list->items[i]);
		if (!r->patterns[i])
			return false;
		r->nr_patterns++;
		r->tells_values |= any_segment(rt_slice_str(r->patterns[i]), tells_values);
	}
	return true;
}

/* --- the module --------------------------------------------------------- */

struct rt_routes *rt_routes__new(const struct rt_config *cfg)
{
	struct rt_routes *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->infer = cfg->routes_infer;
	r->seed = rt_hash__random_seed();
	if (!patterns_copy(r, &cfg->routes_patterns)) {
		rt_routes__free(r);
		return NULL;
	}
	return r;
}

static void forget_all(struct rt_routes *r)
{
	struct service *svc, *svc_tmp;
	struct text *t, *t_tmp;

	HASH_ITER(hh, r->services, svc, svc_tmp)
	{
		service_free(r, svc);
	}
	HASH_ITER(hh, r->texts, t, t_tmp)
	{
		HASH_DEL(r->texts, t);
		free(t);
	}
	patterns_free(r);
	r->generation++;
}

void rt_routes__free(struct rt_routes *r)
{
	if (!r)
		return;
	forget_all(r);
	free(r);
}

void rt_routes__reload(struct rt_routes *r, const struct rt_config *cfg)
{
	forget_all(r);
	r->infer = cfg->routes_infer;
	patterns_copy(r, &cfg->routes_patterns); /* out of memory: those that fitted */
}

u32 rt_routes__generation(const struct rt_routes *r)
{
	return r->generation;
}

static const char *name_path(struct rt_routes *r, u64 resource_id, struct rt_slice path, bool cut)
{
	for (size_t i = 0; i < r->nr_patterns; i++)
		if (pattern_matches(rt_slice_str(r->patterns[i]), path, cut))
			return r->patterns[i];
	if (!r->infer)
		return "";
	if (rt_slice_is(path, "*"))
		return "*";
	/* The authority of a CONNECT is no path. */
	return path.len && path.p[0] == '/' ? infer(r, resource_id, path, cut) : "";
}

/*
 * Whether an answer shows that its path exists. What servers, proxies and filters say before
 * anybody looked the path up does not: nothing at all (nginx's 444), to go elsewhere (to https,
 * to a login), that this client, this method or so many requests are not wanted. Of such
 * statuses only those count that come from what is there. To take a route for a guest costs
 * little, as one success is enough; to take a guest for a route may cost the names of all others.
 */
static bool shows_path(u32 status)
{
	switch (status) {
	case 304: /* not modified */
	case 402: /* payment required */
	case 409: /* conflict */
	case 412: /* precondition failed */
	case 415: /* unsupported media type */
	case 416: /* range not satisfiable */
	case 422: /* unprocessable content */
	case 423: /* locked */
	case 424: /* failed dependency */
	case 428: /* precondition required */
		return true;
	default:
		return status && status / 100 != 3 && status / 100 != 4;
	}
}

const char *rt_routes__name(struct rt_routes *r, u64 resource_id, struct rt_slice path,
			    bool path_cut, u32 status)
{
	struct slot *s;
	u64 h;

	r->guest = !shows_path(status);
	if (path_cut || path.len > CACHE_PATH_MAX)
		return name_path(r, resource_id, path, path_cut);
	h = rt_hash__bytes(path.p, path.len, r->seed ^ resource_id);
	s = &r->cache[h % CACHE_SLOTS];
	if (s->route && (r->guest || !s->guest) && s->generation == r->generation &&
	    s->resource_id == resource_id && s->len == path.len &&
	    (!path.len || memcmp(s->path, path.p, path.len) == 0)) {
		if (s->service)
			s->service->last_use = ++r->uses;
		return s->route;
	}
	s->route = name_path(r, resource_id, path, false);
	HASH_FIND(hh, r->services, &resource_id, sizeof(resource_id), s->service);
	s->guest = r->guest;
	s->generation = r->generation;
	s->resource_id = resource_id;
	s->len = (u16)path.len;
	if (path.len)
		memcpy(s->path, path.p, path.len);
	return s->route;
}
