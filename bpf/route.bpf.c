// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The learned routes: requests whose path user space has named before are
 * counted here, and no record leaves the kernel. Called when an exchange ended
 * because the next request began: then the client had a full response.
 *
 * This file knows the outside of an HTTP/1 head and no more: where its first
 * line's path ends, that it ends with an empty line, and the status' three digits
 * (RFC 9112, sections 2.1, 3, 4). Whatever is not plainly one request goes up as
 * a record, as if this file did not exist.
 */
#include "lib/maps.bpf.h"

#include "lib/route.bpf.h"
#include "lib/sample.bpf.h"
#include "lib/word.bpf.h"
#include "redtap/cells.h"

/* Bytes of a Host header that a rule can stand for; a multiple of 8. */
#define RT_HOST_MAX 64

static __always_inline u64 rt_mix(u64 h, u64 w)
{
	h = (h ^ w) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 32;
}

/* "HTTP/1." begins 9 bytes before the end of the request line, which is CR LF. */
static __always_inline bool rt_line_is_http1(const struct rt_conn *c, u32 newline)
{
	const u8 *at;

	if (newline < 12 || newline >= RT_REQ_HEAD_MAX)
		return false;
	at = c->x.heads + newline;
	return at[-1] == '\r' && at[-9] == 'H' && at[-8] == 'T' && at[-7] == 'T' && at[-6] == 'P' &&
	       at[-5] == '/' && at[-4] == '1' && at[-3] == '.';
}

static __always_inline bool rt_line_is_host(const struct rt_conn *c, u32 start)
{
	const u8 *at;

	if (start >= RT_REQ_HEAD_MAX)
		return false;
	at = c->x.heads + start;
	return (at[0] | 0x20) == 'h' && (at[1] | 0x20) == 'o' && (at[2] | 0x20) == 's' &&
	       (at[3] | 0x20) == 't' && at[4] == ':';
}

/* Where the walk over a head stands, beside what it has found. */
enum rt_walk {
	RT_WALK_PATH = 1 << 0,	 /* the path goes on */
	RT_WALK_FIRST = 1 << 1,	 /* still in the first line */
	RT_WALK_HOST = 1 << 2,	 /* Host is wanted, and was not seen yet */
	RT_WALK_ODD = 1 << 3,	 /* no plain request: only where it ends is wanted */
	RT_WALK_DIGITS = 1 << 4, /* there are digits in the path */
};

/* The i-th word of the head; bytes behind its end are 0. */
static __always_inline u64 rt_head_word(const struct rt_conn *c, u32 i, u32 len)
{
	u64 w = *(const u64 *)(c->x.heads + i * 8);

	if (len - i * 8 < 8)
		w &= (1ull << (8 * (len & 7))) - 1;
	return w;
}

/* Bit 7 of each byte of w that is a digit, exactly. */
static __always_inline u64 rt_bytes_digit(u64 w)
{
	u64 x = w ^ BYTES('0');

	return ~(((x & BYTES(0x7f)) + BYTES(0x80 - 10)) | x) & BYTES(0x80);
}

/* One more word of method and path. Returns 0, or -1 when there is no method. */
static __always_inline int rt_walk_path(struct rt_conn *c, u32 i, u64 w)
{
	u64 blanks = rt_bytes_equal(w, BYTES(' ')), ends = blanks, lowest;
	u64 digits = rt_bytes_digit(w);

	if (i == 0) {
		/* The method, up to seven letters. */
		if (!ends)
			return -1;
		c->other_hash = rt_mix(c->other_hash, w & (((ends & -ends) >> 7) - 1));
		c->path_at = rt_bytes_before(ends) + 1;
		ends &= ends - 1;
	}
	ends |= rt_bytes_equal(w, BYTES('?'));
	if (ends) {
		lowest = ends & -ends;
		c->head_hash = rt_mix(rt_mix(c->head_hash, w & ((lowest >> 7) - 1)), lowest + i);
		c->walk &= ~RT_WALK_PATH;
		digits &= lowest - 1;
		c->path_to = i * 8 + rt_bytes_before(lowest);
		c->path_end = blanks & lowest ? i * 8 + rt_bytes_before(lowest) : 0;
	} else {
		c->head_hash = rt_mix(c->head_hash, w);
	}
	if (digits)
		c->walk |= RT_WALK_DIGITS;
	return 0;
}

/* Not inlined, and its numbers in the state, for the verifier. */
int RT_FN(rt_walk_body)(struct rt_conn *c, u32 line)
{
	const u8 *at;

	if (!c || line >= sizeof(c->x.heads))
		return 0;
	at = c->x.heads + line;
	if ((at[0] | 0x20) == 't')
		c->req_whole = RT_LENGTH_UNKNOWN;
	else if (((*(const u64 *)(at + 8) | BYTES(0x20)) & ~0ull >> 8) != RT_WORD_LENGTH)
		return 0;
	if (c->req_whole == RT_LENGTH_UNKNOWN)
		return 0;
	c->req_whole = 0;
	for (u32 i = 0; i < RT_LENGTH_DIGITS; i++) {
		u8 byte = at[15 + i];

		if (byte == '\r' || byte == '\n')
			return 0;
		if (byte == ' ' || byte == '\t')
			continue;
		if (byte < '0' || byte > '9')
			break;
		c->req_whole = *(volatile u64 *)&c->req_whole * 10 + (byte - '0');
	}
	c->req_whole = RT_LENGTH_UNKNOWN;
	return 0;
}

/* A line of the head begins at `line`. */
static __always_inline void rt_walk_line(struct rt_conn *c, u32 line)
{
	if (line >= RT_REQ_HEAD_MAX)
		return;
	if (rt_line_tells_body(c, line))
		rt_walk_body(c, line);
	if ((c->walk & RT_WALK_HOST) && rt_line_is_host(c, line)) {
		c->io_left = line + 5;
		c->walk &= ~RT_WALK_HOST;
	}
}

/* The first line ends. Returns -1 when it is not that of a plain request. */
static __always_inline int rt_walk_first(struct rt_conn *c, u32 newline)
{
	if ((c->walk & RT_WALK_PATH) || !rt_line_is_http1(c, newline))
		return -1;
	/* Of a target with blanks in it the hash holds a part. */
	if (c->path_end && c->path_end + sizeof("HTTP/1.x\r\n") - 1 != newline)
		return -1;
	c->walk &= ~RT_WALK_FIRST;
	return 0;
}

/*
 * One word of the walk. Returns 0 to go on, 1 at the end of the head. A function of
 * its own, with what it carries in the state: the verifier looks at it once, not
 * once per word and way through it.
 */
int RT_FN(rt_walk_word)(struct rt_conn *c, u32 i)
{
	u64 w, lf, cr, blank;
	u32 len, newline;

	if (!c || i >= RT_REQ_HEAD_MAX / 8)
		return 1;
	len = c->x.req_len;
	if (i * 8 >= len)
		return 1;
	w = rt_head_word(c, i, len);
	if ((c->walk & RT_WALK_PATH) && rt_walk_path(c, i, w))
		c->walk = RT_WALK_ODD;
	lf = rt_bytes_equal(w, BYTES('\n'));
	if (!lf) {
		c->lf_before = 0;
		return 0;
	}
	newline = i * 8 + rt_bytes_before(lf);
	if ((c->walk & RT_WALK_FIRST) && rt_walk_first(c, newline))
		c->walk = RT_WALK_ODD;
	rt_walk_line(c, newline + 1);
	cr = rt_bytes_equal(w, BYTES('\r'));
	blank = rt_word_blank(lf, cr, c->lf_before, c->cr_before);
	if (blank) {
		c->head_len = i * 8 + rt_bytes_before(blank) + 1;
		return 1;
	}
	c->lf_before = lf;
	c->cr_before = cr;
	return 0;
}

/*
 * Walks the request's head by words. Leaves in head_hash a hash of method and path
 * (up to '?' or the blank), in head_len the length of the head (0 when it is longer
 * than what was captured), in req_whole that of the body, and of a client's in io_left
 * where Host's value begins (0: it was not found). Returns 0, or -1 when this is no
 * plain request.
 */
static __always_inline int rt_route_walk(struct rt_conn *c)
{
	c->walk = RT_WALK_PATH | RT_WALK_FIRST;
	if (c->x.role == RT_ROLE_CLIENT)
		c->walk |= RT_WALK_HOST;
	c->head_hash = rt_cfg.route_seed;
	c->other_hash = ~rt_cfg.route_seed;
	c->head_len = 0;
	c->req_whole = 0;
	c->io_left = 0;
	c->lf_before = 0;
	for (u32 i = 0; i < RT_REQ_HEAD_MAX / 8; i++) {
		if (rt_walk_word(c, i))
			break;
	}
	return c->walk & (RT_WALK_FIRST | RT_WALK_ODD) ? -1 : 0;
}

/* The value of Host, mixed into `hash`; 0: it is too long, or cut. */
u64 rt_route_host(struct rt_conn *c, u64 hash)
{
	u64 from;

	if (!c)
		return 0;
	from = c->io_left;
	if (!from || from > RT_REQ_HEAD_MAX)
		return 0;
	for (u32 i = 0; i < RT_HOST_MAX / 8; i++) {
		u64 w = *(const u64 *)(c->x.heads + from + i * 8);
		u64 cr = rt_bytes_equal(w, BYTES('\r'));

		if (from + i * 8 >= c->x.req_len)
			return 0;
		if (cr) {
			w &= ((cr & -cr) >> 7) - 1;
			return rt_mix(rt_mix(hash, w), i);
		}
		hash = rt_mix(hash, w);
	}
	return 0;
}

/* What all bytes of a segment were so far. */
enum rt_form {
	RT_FORM_ID = 1 << 0,
	RT_FORM_HEX = 1 << 1,
	RT_FORM_UUID = 1 << 2,
	RT_FORM_ANY = RT_FORM_ID | RT_FORM_HEX | RT_FORM_UUID,
};

#define RT_HEX_MIN  8
#define RT_UUID_LEN 36
/* Positions of the dashes in a UUID: 8, 13, 18 and 23. */
#define RT_UUID_DASHES (1ull << 8 | 1ull << 13 | 1ull << 18 | 1ull << 23)
/* Bytes of a path that may have such segments; a longer one stands for itself. */
#define RT_FORM_PATH_MAX 256

static __always_inline u32 rt_form_of(u8 byte, u32 at)
{
	bool dash = at < RT_UUID_LEN && (RT_UUID_DASHES >> at & 1);

	if ((u8)(byte - '0') < 10)
		return dash ? RT_FORM_ID | RT_FORM_HEX : RT_FORM_ANY;
	if ((u8)((byte | 0x20) - 'a') < 6)
		return dash ? RT_FORM_HEX : RT_FORM_HEX | RT_FORM_UUID;
	return byte == '-' && dash ? RT_FORM_UUID : 0;
}

/* `hash` with the segment, `before` without it: one that is a value by its form
 * counts by its form alone. The forms are those that route.c folds whole. */
static __always_inline u64 rt_form_segment(u64 hash, u64 before, u32 forms, u32 len)
{
	if (!len)
		return hash;
	if (forms & RT_FORM_ID)
		return rt_mix(before, 1ull << 32 | RT_FORM_ID);
	if ((forms & RT_FORM_UUID) && len == RT_UUID_LEN)
		return rt_mix(before, 1ull << 32 | RT_FORM_UUID);
	if ((forms & RT_FORM_HEX) && len >= RT_HEX_MIN)
		return rt_mix(before, 1ull << 32 | RT_FORM_HEX);
	return hash;
}

/* One more byte of such a path. A function of its own for rt_walk_word()'s reason. */
int RT_FN(rt_form_byte)(struct rt_conn *c, u32 at)
{
	u8 byte;

	if (!c || at >= RT_REQ_HEAD_MAX)
		return 0;
	byte = c->x.heads[at];
	if (byte == '/') {
		c->form_hash = rt_mix(
			rt_form_segment(c->form_hash, c->form_before, c->forms, c->form_len), byte);
		c->form_before = c->form_hash;
		c->forms = RT_FORM_ANY;
		c->form_len = 0;
		return 0;
	}
	c->form_hash = rt_mix(c->form_hash, byte);
	c->forms &= rt_form_of(byte, c->form_len);
	c->form_len++;
	return 0;
}

/*
 * The head's hash anew, where the path may have values in it: paths that differ in
 * nothing else have one route, so one rule does for all of them. Byte by byte, for
 * values have no length of their own.
 */
static __always_inline void rt_route_form(struct rt_conn *c)
{
	u32 from = c->path_at, n = c->path_to - from;

	if (from > 8 || n > RT_FORM_PATH_MAX || c->x.heads[from] != '/')
		return;
	c->form_hash = c->form_before = ~c->other_hash;
	c->forms = RT_FORM_ANY;
	c->form_len = 0;
	for (u32 i = 0; i < RT_FORM_PATH_MAX; i++) {
		if (i >= n)
			break;
		rt_form_byte(c, from + i);
	}
	c->head_hash = rt_form_segment(c->form_hash, c->form_before, c->forms, c->form_len);
}

/* Not inlined: the verifier would follow each way through their comparisons. */
RT_SCALAR u32 rt_bin_of(u64 ns)
{
	return rt_hist_bin(ns);
}

RT_SCALAR u32 rt_sizes_of(u64 request, u64 response)
{
	return rt_size_bucket(request) * (RT_NR_SIZE_BOUNDS + 1) + rt_size_bucket(response);
}

/* Atomic only where CPUs share a stripe or a program can be preempted by another. */
#define RT_ADD(counter, n)                                                                         \
	do {                                                                                       \
		if (rt_cfg.shared_cells)                                                           \
			__sync_fetch_and_add(&(counter), n);                                       \
		else                                                                               \
			(counter) += (n);                                                          \
	} while (0)

static __always_inline void rt_hist_add(u32 *bins, u32 *over, u32 bin, u64 ns)
{
	u32 bound;

	barrier_var(bin);
	if (bin >= RT_HIST_BINS)
		return;
	RT_ADD(bins[bin], 1);
	bound = rt_cfg.bound_of_bin[bin];
	if (!bound--)
		return;
	barrier_var(bound);
	if (bound < RT_NR_DURATION_BOUNDS && ns > rt_cfg.duration_bounds[bound])
		RT_ADD(over[bound], 1);
}

int RT_FN(rt_route_add)(struct rt_conn *c, u32 slot)
{
	u32 at = slot << rt_cfg.stripe_bits |
		 (bpf_get_smp_processor_id() & ((1u << rt_cfg.stripe_bits) - 1));
	struct rt_cell *cell = bpf_map_lookup_elem(&rt_cells, &at);
	struct rt_hist *hist = bpf_map_lookup_elem(&rt_hists, &at);
	u64 duration, ttfb;
	u32 sizes, bin;

	if (!c || !cell || !hist)
		return 0;
	duration = c->x.resp_end - c->x.req_start;
	ttfb = c->x.resp_start - c->x.req_start;
	if (c->sized_req != c->x.req_bytes || c->sized_resp != c->x.resp_bytes) {
		c->sized_req = c->x.req_bytes;
		c->sized_resp = c->x.resp_bytes;
		c->sizes = rt_sizes_of(c->sized_req, c->sized_resp);
	}
	sizes = c->sizes;
	barrier_var(sizes);
	if (sizes >= RT_ARRAY_SIZE(hist->sizes))
		return 0;
	bin = rt_bin_of(duration);
	rt_hist_add(hist->duration, hist->duration_over, bin, duration);
	if (ttfb != duration)
		bin = rt_bin_of(ttfb);
	rt_hist_add(hist->ttfb, hist->ttfb_over, bin, ttfb);
	RT_ADD(hist->sizes[sizes], 1);
	RT_ADD(cell->ttfb_ns, ttfb);
	RT_ADD(cell->request_bytes, c->x.req_bytes);
	RT_ADD(cell->response_bytes, c->x.resp_bytes);
	/* Last, and never 0: user space looks at this one to know that there is news. */
	barrier();
	RT_ADD(cell->duration_ns, duration | 1);
	return 1;
}

/* Fills head (RT_HEAD_NEW while more of it can come), req_whole, and for
 * RT_HEAD_PLAIN the hashes and head_len. */
int RT_FN(rt_route_head)(struct rt_conn *c)
{
	int odd;

	if (!c)
		return 0;
	odd = rt_route_walk(c);
	c->far = 0;
	if (!c->head_len) {
		c->far = c->req_whole != RT_LENGTH_UNKNOWN && c->x.req_len == RT_REQ_HEAD_MAX;
		c->far_pos = RT_REQ_HEAD_MAX;
		c->far_body = c->req_whole;
		c->req_whole = ~0ull;
	} else if (c->req_whole != RT_LENGTH_UNKNOWN) {
		c->req_whole += c->head_len;
	}
	if (!c->head_len && c->x.req_len < RT_REQ_HEAD_MAX)
		return 0;
	c->head = RT_HEAD_ODD;
	if (odd)
		return 0;
	if (c->walk & RT_WALK_DIGITS)
		rt_route_form(c);
	if (c->x.role == RT_ROLE_CLIENT) {
		/* Whom it asks is a label of its own. */
		u64 host = rt_route_host(c, rt_cfg.route_seed);

		if (!host)
			return 0;
		c->head_hash = rt_mix(c->head_hash, host);
		c->other_hash = rt_mix(c->other_hash, host);
	}
	c->head = RT_HEAD_PLAIN;
	return 0;
}

/* Marks the rule as used, and returns its key as it stands after `slot` was read: the
 * element may have been deleted and made into another key's meanwhile. */
static __always_inline u64 rt_rule_use(struct rt_rule *rule, u64 slot)
{
#ifdef RT_LEGACY
	/* Processors keep to the order where an address depends on what was read. */
	asm volatile("%0 &= 0" : "+r"(slot));
	*(volatile u32 *)&rule->used = 1;
	return *(volatile u64 *)((u8 *)&rule->key + slot);
#else
	/* Also the barrier between the two reads. */
	__sync_lock_test_and_set(&rule->used, 1);
	return *(volatile u64 *)&rule->key;
#endif
}

/* The slot of the rule for this key and status, plus one; 0: there is none. */
RT_SCALAR u32 rt_rule_slot(u64 key, u32 status)
{
	struct rt_rule *rule = bpf_map_lookup_elem(&rt_rules, &key);

	if (!rule)
		return 0;
	for (u32 i = 0; i < RT_RULE_WAYS; i++) {
		u32 slot = rule->slot[i];

		if (rule->status[i] != status)
			continue;
		return rt_rule_use(rule, slot) == key ? slot + 1 : 0;
	}
	return 0;
}

/* A rule of the kernel's own, for requests whose records are lost before user space
 * saw one of their kind: to a slot that it keeps for that. User space finds the
 * rule when a record gets through, and then knows what was counted there. */
static RT_INLINE u32 rt_rule_make(u64 key, u32 status)
{
	struct rt_rule rule = {.key = key, .used = 1};
	u64 *given_to;
	u32 slot;

	if (bpf_map_pop_elem(&rt_spares, &slot))
		return 0;
	rule.status[0] = status;
	rule.slot[0] = slot;
	if (!bpf_map_update_elem(&rt_rules, &key, &rule, BPF_NOEXIST)) {
		given_to = bpf_map_lookup_elem(&rt_spare_keys, &slot);
		if (given_to)
			*given_to = key;
		return slot + 1;
	}
	/* Another CPU was first. Where user space filled the gap meanwhile, the slot goes back
	 * to it, as one whose rule nobody asks for. */
	if (bpf_map_push_elem(&rt_spares, &slot, BPF_ANY)) {
		given_to = bpf_map_lookup_elem(&rt_spare_keys, &slot);
		if (given_to)
			*given_to = RT_SPARE_KEY_NONE;
	}
	return rt_rule_slot(key, status);
}

/* The slot of a rule, remembered by the connection. */
int rt_route_find(struct rt_conn *c, u64 key, u32 status)
{
	u32 rules = rt_rules_moved, slot;

	if (!c)
		return 0;
	if (c->hit_key == key && c->hit_rules == rules && c->hit_status == status)
		return c->hit_slot + 1;
	slot = rt_rule_slot(key, status);
	if (slot) {
		c->hit_key = key;
		c->hit_rules = rules;
		c->hit_status = status;
		c->hit_slot = slot - 1;
	}
	return slot;
}

/* What neither bends a plain request nor its timing. */
#define RT_ROUTE_FLAGS (RT_X_REQ_CUT | RT_X_RESP_CUT | RT_X_RESP_BLIND)

int RT_FN(rt_route_count)(struct rt_conn *c)
{
	struct rt_exchange *x;
	u32 slot, port, status;
	u64 whose, key;

	if (!c || !rt_cfg.route_seed)
		return 0;
	x = &c->x;
	if (c->resp_kind != RT_SIG_RESPONSE || (x->flags & ~RT_ROUTE_FLAGS) || x->resp_len < 13)
		return 0;
	if (c->head != RT_HEAD_PLAIN)
		return 0;
	/* A body of unknown length, or more behind it: for user space to tell. */
	if (c->head_len ? c->req_whole != x->req_bytes : !(x->flags & RT_X_REQ_CUT))
		return 0;
	/* Rules of services can go by port; a client's peer is a label. */
	port = x->role == RT_ROLE_SERVER ? x->local_port : x->peer_port | 1u << 16;
	whose = c->process ^ port;
	key = rt_mix(c->head_hash, whose);
	status = rt_route_status(c);
	if (!status)
		return 0;
	slot = rt_route_find(c, key, status);
	if (slot) {
		if (!rt_route_add(c, slot - 1))
			return 0;
		if (rt_cfg.samples)
			rt_sample(c, slot - 1, status);
		return 1;
	}
	x->rule = key;
	x->other = rt_mix(c->other_hash, whose ^ (u64)status << 32);
	return 0;
}

int rt_route_lost(struct rt_conn *c)
{
	u32 slot, status;
	u64 key;

	if (!c || !c->x.rule)
		return 0;
	key = c->x.other;
	status = rt_route_status(c);
	slot = rt_rule_slot(key, status);
	if (!slot)
		slot = rt_rule_make(key, status);
	return slot ? rt_route_add(c, slot - 1) : 0;
}

/* Whether the fresh request in the probe has the very head of the one before it. */
int RT_FN(rt_route_same)(struct rt_conn *c)
{
	u64 differ;
	u32 len, i;

	if (!c)
		return 0;
	len = c->fresh;
	if (!len || len != c->x.req_len)
		return 0;
	for (i = 0; i < RT_REQ_HEAD_MAX / 8; i++) {
		if (i >= len / 8)
			break;
		if (c->probe[i] != *(const u64 *)(c->x.heads + i * 8))
			return 0;
	}
	if (!(len & 7) || i >= RT_REQ_HEAD_MAX / 8)
		return 1;
	differ = c->probe[i] ^ *(const u64 *)(c->x.heads + i * 8);
	return !(differ << (64 - 8 * (len & 7)));
}

#ifdef RT_LEGACY
RT_LEGACY_ROUTE(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
