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

	if (newline < 12)
		return false;
	barrier_var(newline);
	if (newline >= RT_REQ_HEAD_MAX)
		return false;
	at = c->x.heads + newline;
	return at[-1] == '\r' && at[-2] != '\n' && rt_word_is_http1(*(const u64 *)(at - 9));
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

/* Bit 7 of each byte of w that is a digit, exactly. */
static __always_inline u64 rt_bytes_digit(u64 w)
{
	u64 x = w ^ BYTES('0');

	return ~(((x & BYTES(0x7f)) + BYTES(0x80 - 10)) | x) & BYTES(0x80);
}

/* What ends a path: '?', the blank, and all that is no part of one. The lowest mark is right. */
static __always_inline u64 rt_path_ends(u64 w)
{
	return rt_bytes_below(w, 0x21) | rt_bytes_below(w ^ BYTES('?'), 1);
}

/*
 * The method and the path, up to what ends it. Leaves their hash in head_hash, that of
 * the method in other_hash, and in path_to up to where it came. Bytes behind what was
 * captured are looked at too, but for nothing.
 */
int RT_FN(rt_walk_path)(struct rt_conn *c)
{
	u64 hash = rt_cfg.route_seed, w, ends, lowest, digits = 0;
	u32 len, at = 0;
	u8 byte;

	if (!c)
		return 0;
	w = *(const u64 *)c->x.heads;
	len = c->x.req_len;
	c->path_to = 0;
	c->walk |= RT_WALK_ODD;
	/* The method, up to seven letters. */
	ends = rt_bytes_below(w, 0x21);
	if (!ends)
		return 0;
	lowest = ends & -ends;
	c->other_hash = rt_mix(~hash, w & ((lowest >> 7) - 1));
	c->path_at = rt_bytes_before(ends) + 1;
	ends = rt_path_ends(w | lowest | (lowest - 1));
	for (u32 i = 0; i < RT_REQ_HEAD_MAX / 8; i++) {
		at = i * 8;
		if (at >= len)
			break;
		*(volatile u16 *)&c->path_to = at;
		if (i) {
			w = *(const u64 *)(c->x.heads + at);
			ends = rt_path_ends(w);
		}
		if (ends)
			break;
		digits |= rt_bytes_digit(w);
		hash = rt_mix(hash, w);
	}
	if (!ends) {
		c->path_to = len;
		return 0;
	}
	/* Read back: to the verifier, all places where a path may end are one then. */
	at = *(volatile u16 *)&c->path_to;
	lowest = ends & -ends;
	c->head_hash = rt_mix(rt_mix(hash, w & ((lowest >> 7) - 1)), lowest + (at >> 3));
	if (digits | (rt_bytes_digit(w) & ((lowest >> 7) - 1)))
		c->walk |= RT_WALK_DIGITS;
	at = (at + rt_bytes_before(ends)) & (RT_REQ_HEAD_MAX - 1);
	c->path_to = at;
	byte = c->x.heads[at];
	if (byte == '?' || byte == ' ')
		c->walk &= ~RT_WALK_ODD;
	c->path_end = byte == ' ' ? at : 0;
	return 0;
}

/* Names of fields as words, in lower case (also the signs: '-' and ':' keep bit 5). */
#define RT_WORD_CONTENT	  RT_WORD('c', 'o', 'n', 't', 'e', 'n', 't', '-')
#define RT_WORD_LENGTH	  RT_WORD('l', 'e', 'n', 'g', 't', 'h', ':', 0)
#define RT_WORD_TRANSFER  RT_WORD('t', 'r', 'a', 'n', 's', 'f', 'e', 'r')
#define RT_WORD_ENCODING  RT_WORD('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n')
#define RT_WORD_CHUNKED	  RT_WORD('g', ':', ' ', 'c', 'h', 'u', 'n', 'k')
/* 19 digits and the end of the line: no more fit into 64 bits. */
#define RT_LENGTH_DIGITS  20

/* Whether a line may tell where the body ends. It begins within the heads. */
static __always_inline bool rt_line_tells_body(const struct rt_conn *c, u32 line)
{
	u64 w = *(const u64 *)(c->x.heads + line) | BYTES(0x20);

	return w == RT_WORD_CONTENT || w == RT_WORD_TRANSFER;
}

/* "Transfer-Encoding: chunked" of an answer, with no other such field before it. */
static __always_inline bool rt_line_is_chunked(const struct rt_conn *c, const u8 *at)
{
	if (!(c->walk & RT_WALK_ANSWER) || c->req_whole == RT_LENGTH_UNKNOWN ||
	    c->req_whole == RT_LENGTH_CHUNKS)
		return false;
	return (*(const u64 *)(at + 8) | BYTES(0x20)) == RT_WORD_ENCODING &&
	       (*(const u64 *)(at + 16) | BYTES(0x20)) == RT_WORD_CHUNKED &&
	       (at[24] | 0x20) == 'e' && (at[25] | 0x20) == 'd' && at[26] == '\r';
}

/* What it tells of that goes to req_whole (RFC 9112, section 6). Not inlined, and its
 * numbers in the state, for the verifier. */
int RT_FN(rt_walk_body)(struct rt_conn *c, u32 line)
{
	const u8 *at;

	if (!c || line >= sizeof(c->x.heads))
		return 0;
	at = c->x.heads + line;
	if ((at[0] | 0x20) == 't') {
		c->req_whole = rt_line_is_chunked(c, at) ? RT_LENGTH_CHUNKS : RT_LENGTH_UNKNOWN;
		return 0;
	}
	if (((*(const u64 *)(at + 8) | BYTES(0x20)) & ~0ull >> 8) != RT_WORD_LENGTH)
		return 0;
	if (c->req_whole == RT_LENGTH_UNKNOWN || c->req_whole == RT_LENGTH_CHUNKS)
		return 0;
	c->req_whole = 0;
	c->walk |= RT_WALK_LENGTH;
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

/* The first line ends. Returns -1 when it is not that of a plain request. */
static __always_inline int rt_walk_first(struct rt_conn *c, u32 newline)
{
	if (!rt_line_is_http1(c, newline))
		return -1;
	/* Of a target with blanks in it the hash holds a part. */
	if (c->path_end && c->path_end + sizeof("HTTP/1.x\r\n") - 1 != newline)
		return -1;
	c->walk &= ~RT_WALK_FIRST;
	c->line_end = newline;
	return 0;
}

/* A line of a head begins at `line`. Returns 1 when it is the empty one,
 * which ends the head: at io_pos. A function of its own, with what it finds in the
 * state: the verifier looks at it once, not once per line and way through it. */
int RT_FN(rt_walk_line)(struct rt_conn *c, u32 line)
{
	const u8 *at;
	u32 end = line + 1;

	if (!c || line >= sizeof(c->x.heads))
		return 1;
	if ((c->walk & RT_WALK_FIRST) && rt_walk_first(c, line - 1))
		c->walk = RT_WALK_ODD;
	at = c->x.heads + line;
	if (at[0] == '\n' || (at[0] == '\r' && at[1] == '\n')) {
		end += at[0] == '\r';
		c->io_pos = end;
		return 1;
	}
	if (rt_line_tells_body(c, line))
		rt_walk_body(c, line);
	if ((c->walk & RT_WALK_HOST) && rt_line_is_host(c, line)) {
		c->io_left = line + 5;
		c->walk &= ~RT_WALK_HOST;
	}
	return 0;
}

/* Bits of the bytes, modulo 64, that a line may begin with of which more has to be known:
 * CR, LF, Content-Length, Transfer-Encoding, for clients Host. Lower case, as bit 5 is
 * set; what shares a bit with one of them is looked at in vain. */
#define RT_LINE_BIT(byte) (1ull << (((byte) | 0x20) & 63))
#define RT_LINE_BITS	  (RT_LINE_BIT('\r') | RT_LINE_BIT('\n') | RT_LINE_BIT('c') | RT_LINE_BIT('t'))

/* Of so many words and lines a head may consist: rounds of steps, in two functions for the
 * reason of lock.bpf.c. */
#define RT_WALK_STEPS  8
#define RT_WALK_ROUNDS (RT_RESP_HEAD_MAX / 4 / RT_WALK_STEPS)

/* What a round leads to. */
#define RT_WALK_ON    0
#define RT_WALK_ENDS  1 /* the end of the head is at io_pos */
#define RT_WALK_STOPS 2 /* what there is of it ends */

/* Where it stands is kept in the state: see rt_conn.io_pos. */
int RT_FN(rt_walk_round)(struct rt_conn *c, u32 to)
{
	if (!c)
		return RT_WALK_STOPS;
	for (u32 i = 0; i < RT_WALK_STEPS; i++) {
		u64 at = *(volatile u64 *)&c->io_pos, w, ends = 0;
		u64 bits = RT_LINE_BITS;

		if (at >= to || at >= sizeof(c->x.heads))
			return RT_WALK_STOPS;
		w = *(const u64 *)(c->x.heads + at);
		/* Most words are of letters and signs, which have bit 5 or bit 6. */
		if (((w | w << 1) & BYTES(0x40)) != BYTES(0x40))
			ends = rt_bytes_below(w ^ BYTES('\n'), 1);
		if (!ends) {
			c->io_pos = at + 8;
			continue;
		}
		at += rt_bytes_before(ends) + 1;
		c->io_pos = at;
		if (at >= to || at >= sizeof(c->x.heads))
			return RT_WALK_STOPS;
		if (c->walk & RT_WALK_HOST)
			bits |= RT_LINE_BIT('h');
		if (((c->walk & RT_WALK_FIRST) ||
		     bits >> ((c->x.heads[at] | 0x20) & 63) & 1) &&
		    rt_walk_line(c, at))
			return c->io_pos <= to ? RT_WALK_ENDS : RT_WALK_STOPS;
	}
	return RT_WALK_ON;
}

int RT_FN(rt_walk_lines)(struct rt_conn *c, u32 to)
{
	if (!c)
		return 0;
	for (u32 i = 0; i < RT_WALK_ROUNDS; i++) {
		int what = rt_walk_round(c, to);

		if (what != RT_WALK_ON)
			return what == RT_WALK_ENDS;
	}
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
	u32 tail = c->head_len - c->line_end;

	c->walk = RT_WALK_FIRST;
	if (c->x.role == RT_ROLE_CLIENT)
		c->walk |= RT_WALK_HOST;
	c->req_whole = 0;
	c->io_left = 0;
	rt_walk_path(c);
	/* The first line is all that is new, and no LF is in it but at its end. */
	if (c->same == RT_SAME_TAIL && !(c->walk & RT_WALK_ODD) && c->path_end &&
	    !rt_walk_first(c, c->x.req_len - tail)) {
		c->head_len = c->x.req_len;
		return 0;
	}
	c->io_pos = c->path_to;
	c->head_len = rt_walk_lines(c, c->x.req_len) ? c->io_pos : 0;
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

/* One more byte of such a path. A function of its own for rt_walk_line()'s reason. */
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

RT_SCALAR __noinline u32 rt_sizes_of(u64 request, u64 response)
{
	return rt_size_bucket(request) * (RT_NR_SIZE_BOUNDS + 1) + rt_size_bucket(response);
}

/* `atomic` is known when it is compiled or verified: one of the two is left. */
#define RT_ADD(counter, n, atomic)                                                                 \
	do {                                                                                       \
		if (atomic)                                                                        \
			__sync_fetch_and_add(&(counter), n);                                       \
		else                                                                               \
			(counter) += (n);                                                          \
	} while (0)

/* Plain adds are not for two at a time: an interrupt may end a connection, and so count, while
 * this CPU counts for the same slot. False: that is so; its record tells of it then. Between
 * atomic ones plain ones may begin and end: they set no mark. */
static __always_inline bool rt_cell_take(struct rt_cell *cell, bool atomic)
{
	if (rt_cfg.shared_cells)
		return true;
	if (*(volatile u32 *)&cell->busy)
		return false;
	if (!atomic)
		*(volatile u32 *)&cell->busy = 1;
	barrier();
	return true;
}

static __always_inline void rt_cell_give(struct rt_cell *cell, bool atomic)
{
	if (atomic)
		return;
	barrier();
	*(volatile u32 *)&cell->busy = 0;
}

static __always_inline void rt_hist_add(u32 *bins, u32 *over, u32 bin, u64 ns, bool atomic)
{
	u32 bound;

	barrier_var(bin);
	if (bin >= RT_HIST_BINS)
		return;
	RT_ADD(bins[bin], 1, atomic);
	bound = rt_cfg.bound_of_bin[bin];
	if (!bound--)
		return;
	barrier_var(bound);
	if (bound < RT_NR_DURATION_BOUNDS && ns > rt_cfg.duration_bounds[bound])
		RT_ADD(over[bound], 1, atomic);
}

/* Atomic for programs that others on this CPU may preempt: the sweep's, and by rt_cfg.shared_cells
 * the backend's. */
static __always_inline int rt_cells_add(struct rt_conn *c, u32 slot, bool atomic)
{
	u32 at = slot << rt_cfg.stripe_bits |
		 (bpf_get_smp_processor_id() & ((1u << rt_cfg.stripe_bits) - 1));
	struct rt_cell *cell = bpf_map_lookup_elem(&rt_cells, &at);
	struct rt_hist *hist = bpf_map_lookup_elem(&rt_hists, &at);
	u64 duration, ttfb;
	u32 sizes, bin;

	if (!cell || !hist || !rt_cell_take(cell, atomic))
		return 0;
	duration = c->x.resp_end - c->x.req_start;
	ttfb = c->x.resp_start - c->x.req_start;
	if (c->sized_req != c->x.req_bytes || c->sized_resp != c->x.resp_bytes) {
		c->sized_req = c->x.req_bytes;
		c->sized_resp = c->x.resp_bytes;
		c->sizes = rt_sizes_of(c->sized_req, c->sized_resp);
	}
	bin = rt_hist_bin(duration);
	rt_hist_add(hist->duration, hist->duration_over, bin, duration, atomic);
	if (ttfb != duration)
		bin = rt_hist_bin(ttfb);
	rt_hist_add(hist->ttfb, hist->ttfb_over, bin, ttfb, atomic);
	sizes = c->sizes;
	barrier_var(sizes);
	if (sizes < RT_ARRAY_SIZE(hist->sizes))
		RT_ADD(hist->sizes[sizes], 1, atomic);
	RT_ADD(cell->ttfb_ns, ttfb, atomic);
	RT_ADD(cell->request_bytes, c->x.req_bytes, atomic);
	RT_ADD(cell->response_bytes, c->x.resp_bytes, atomic);
	/* Last, and never 0: user space looks at this one to know that there is news. */
	barrier();
	RT_ADD(cell->duration_ns, duration | 1, atomic);
	rt_cell_give(cell, atomic);
	return 1;
}

/* POST, PUT, PATCH: what tells no length of a body in what is kept tells it further on. */
static __always_inline bool rt_route_has_body(const struct rt_conn *c)
{
	const u8 *at = c->x.heads;

	return at[0] == 'P' && (at[1] == 'O' || at[1] == 'U' || at[1] == 'A');
}

/* Fills head (RT_HEAD_NEW while more of it can come), req_whole, and for
 * RT_HEAD_PLAIN the hashes and head_len. */
int RT_FN(rt_route_head)(struct rt_conn *c)
{
	u64 w;
	int odd;

	if (!c)
		return 0;
	odd = rt_route_walk(c);
	c->far = 0;
	if (!c->head_len) {
		/* Of lines of a few bytes there may be too many for the walk. */
		c->far = c->req_whole != RT_LENGTH_UNKNOWN && c->x.req_len == RT_REQ_HEAD_MAX &&
			 c->io_pos >= RT_REQ_HEAD_MAX &&
			 ((c->walk & RT_WALK_LENGTH) || !rt_route_has_body(c));
		c->far_pos = RT_REQ_HEAD_MAX;
		c->far_body = c->req_whole;
		c->req_whole = ~0ull;
		w = *(const u64 *)(c->x.heads + RT_REQ_HEAD_MAX - 8);
		c->lf_before = rt_bytes_equal(w, BYTES('\n'));
		c->cr_before = rt_bytes_equal(w, BYTES('\r'));
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
RT_SCALAR __noinline u32 rt_rule_slot(u64 key, u32 status)
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
static __always_inline u32 rt_route_find(struct rt_conn *c, u64 key, u32 status)
{
	u32 rules = rt_rules_moved, slot;

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

/* What neither bends a plain request nor its timing. The ends of a connection do not: who calls
 * this has looked at them (whole.bpf.c), or the next request came all the same. */
#define RT_ROUTE_FLAGS                                                                             \
	(RT_X_REQ_CUT | RT_X_RESP_CUT | RT_X_RESP_BLIND | RT_X_CLOSED | RT_X_LOCAL_FIN |           \
	 RT_X_PEER_FIN | RT_X_UNACKED | RT_X_TAKEN)

/* The status of an exchange that a rule can stand for; 0: it is for user space to tell. */
static __always_inline u32 rt_route_plain(const struct rt_conn *c)
{
	const struct rt_exchange *x = &c->x;

	if (!rt_cfg.route_seed || c->resp_kind != RT_SIG_RESPONSE || (x->flags & ~RT_ROUTE_FLAGS) ||
	    x->resp_len < 13)
		return 0;
	if (c->head != RT_HEAD_PLAIN)
		return 0;
	/* A body of unknown length, or more behind it: for user space to tell. */
	if (c->head_len ? c->req_whole != x->req_bytes : !(x->flags & RT_X_REQ_CUT))
		return 0;
	return rt_route_status(c);
}

/* Rules of services can go by port; a client's peer is a label. */
static __always_inline u64 rt_route_whose(const struct rt_conn *c)
{
	const struct rt_exchange *x = &c->x;

	return c->process ^
	       (x->role == RT_ROLE_SERVER ? x->local_port : x->peer_port | 1u << 16);
}

/* For the record: the rule that would have counted the exchange. Returns 0. */
static __noinline int rt_route_name(struct rt_conn *c, u32 status)
{
	u64 whose = rt_route_whose(c);

	c->x.rule = rt_mix(c->head_hash, whose);
	c->x.other = rt_mix(c->other_hash, whose ^ (u64)status << 32);
	return 0;
}

int RT_FN(rt_route_count)(struct rt_conn *c)
{
	u32 slot, status;

	if (!c)
		return 0;
	status = rt_route_plain(c);
	if (!status)
		return 0;
	slot = rt_route_find(c, rt_mix(c->head_hash, rt_route_whose(c)), status);
	if (slot && rt_cells_add(c, slot - 1, rt_cfg.shared_cells)) {
		if (rt_cfg.samples)
			rt_sample(c, slot - 1, status);
		return 1;
	}
	return rt_route_name(c, status);
}

int RT_FN(rt_route_slot)(struct rt_conn *c)
{
	u32 slot, status;

	if (!c)
		return 0;
	status = rt_route_plain(c);
	if (!status)
		return 0;
	slot = rt_route_find(c, rt_mix(c->head_hash, rt_route_whose(c)), status);
	return slot ? slot : rt_route_name(c, status);
}

int RT_FN(rt_route_add)(struct rt_conn *c, u32 slot)
{
	u32 status;

	if (!c)
		return 0;
	status = rt_route_status(c);
	if (!rt_cells_add(c, slot - 1, true))
		return rt_route_name(c, status);
	if (rt_cfg.samples)
		rt_sample(c, slot - 1, status);
	return 1;
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
	return slot ? rt_cells_add(c, slot - 1, true) : 0;
}

#ifdef RT_LEGACY
RT_LEGACY_ROUTE(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
