// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP/1.0 and HTTP/1.1. Called by the ring consumer through the protocol
 * table. Specification: https://www.rfc-editor.org/rfc/rfc9112 (messages),
 * https://www.rfc-editor.org/rfc/rfc9110 (methods, status codes, fields).
 *
 *   request-line = method SP request-target SP "HTTP/1." DIGIT CRLF
 *   status-line  = "HTTP/1." DIGIT SP 3DIGIT SP [ reason ] CRLF
 *   head         = start-line *( name ":" OWS value OWS CRLF ) CRLF
 *   chunked      = *( size CRLF data CRLF ) 1*"0" CRLF *( trailer CRLF ) CRLF
 *
 * As tolerant as servers are (RFC 9112 2.2): LF alone ends a line, empty lines
 * may precede a request. What a server would answer with 400 is still a request
 * as long as its line ends in "HTTP/1.x".
 */
#include "proto/http1_impl.h"

/* --- signatures ------------------------------------------------------------ */

/* n bytes compared whole; n bytes of which only "is it a letter" is compared:
 * (b & 0xc0) == 0x40 holds for both cases and a few signs that parse() rejects. */
#define F1  "\xff"
#define F2  F1 F1
#define F3  F2 F1
#define F4  F2 F2
#define F5  F4 F1
#define F6  F4 F2
#define F7  F4 F3
#define F8  F4 F4
#define F16 F8 F8
#define C3  "\xc0\xc0\xc0"
#define C4  C3 "\xc0"
#define C5  C4 "\xc0"
#define C6  C3 C3
#define C7  C6 "\xc0"
#define C8  C4 C4
#define C9  C6 C3
#define C10 C6 C4
#define C11 C6 C5
#define C12 C6 C6
#define C13 C10 C3
#define C14 C10 C4
/* "HTTP/1.", any digit, a space, three digits: (b & 0xf0) == 0x30. All rows of
 * responses want the twelve bytes, so that none decides before the status is there. */
#define VER "HTTP/1.0 "
#define VM  F7 "\xf0" F1

#define SIG(k, fl, text, bits)                                                                     \
	{                                                                                          \
		.value = text, .mask = bits, .len = sizeof(text) - 1, .proto = RT_PROTO_http1,     \
		.kind = k, .flags = fl,                                                            \
	}
#define REQ(text, bits)	     SIG(RT_SIG_REQUEST, 0, text, bits)
#define ANY(text, bits)	     SIG(RT_SIG_REQUEST, RT_SIG_VAGUE, text, bits)
#define RESP(fl, text, bits) SIG(RT_SIG_RESPONSE, fl, text, bits)
/* Behind the digits one more byte is wanted, whatever it is: a status is known
 * to be whole only then. */
#define AFTER "\0"

static const struct rt_sig http1_sigs[] = {
	/* HTTP/2 with prior knowledge (RFC 9113 3.4) */
	SIG(RT_SIG_REQUEST, RT_SIG_LEAVE, "PRI * HTTP/2.0\r\n", F16),
	/* responses */
	RESP(RT_SIG_UPGRADE, VER "101" AFTER, VM F3),
	SIG(RT_SIG_INTERIM, 0, VER "100" AFTER, VM F1 "\xf0\xf0"),
	RESP(RT_SIG_SUCCESS, VER "200" AFTER, VM F1 "\xf0\xf0"),
	RESP(0, VER "000" AFTER, VM "\xf0\xf0\xf0"),
	/* the methods of RFC 9110 9.3 and RFC 5789 */
	REQ("GET ", F4),
	REQ("POST ", F5),
	REQ("HEAD ", F5),
	REQ("PUT ", F4),
	REQ("DELETE ", F7),
	REQ("OPTIONS ", F8),
	REQ("PATCH ", F6),
	REQ("TRACE ", F6),
	SIG(RT_SIG_REQUEST, RT_SIG_TUNNEL, "CONNECT ", F8),
	REQ("M-SEARCH ", F8 F1),
	REQ("VERSION-CONTROL ", F16),
	REQ("BASELINE-CONTROL", F16),
	REQ("UPDATEREDIRECTRE", F16),
	/* any other method of 3 to 14 letters, origin-form */
	ANY("@@@ /", C3 F2),
	ANY("@@@@ /", C4 F2),
	ANY("@@@@@ /", C5 F2),
	ANY("@@@@@@ /", C6 F2),
	ANY("@@@@@@@ /", C7 F2),
	ANY("@@@@@@@@ /", C8 F2),
	ANY("@@@@@@@@@ /", C9 F2),
	ANY("@@@@@@@@@@ /", C10 F2),
	ANY("@@@@@@@@@@@ /", C11 F2),
	ANY("@@@@@@@@@@@@ /", C12 F2),
	ANY("@@@@@@@@@@@@@ /", C13 F2),
	ANY("@@@@@@@@@@@@@@ /", C14 F2),
	/* and absolute-form */
	ANY("@@@ http", C3 F5),
	ANY("@@@@ http", C4 F5),
	ANY("@@@@@ http", C5 F5),
	ANY("@@@@@@ http", C6 F5),
	ANY("@@@@@@@ http", C7 F5),
	ANY("@@@@@@@@ http", C8 F5),
	ANY("@@@@@@@@@ http", C9 F5),
	/* an empty line left over from the request before (RFC 9112 2.2) */
	REQ("\r\nGET ", F6),
	REQ("\r\nPOST ", F7),
	REQ("\r\nHEAD ", F7),
	REQ("\r\nPUT ", F6),
	REQ("\r\nDELETE ", F8 F1),
	REQ("\r\nPATCH ", F8),
	REQ("\r\nOPTIONS ", F8 F2),
	REQ("\r\nTRACE ", F8),
};

/* --- lines and fields ------------------------------------------------------ */

#define METHOD_MAX 32 /* longest of the IANA registry: UPDATEREDIRECTREF, 17 */
#define SCHEME_MAX 16

/* tchar, RFC 9110 5.6.2 */
static const bool tchar[256] = {
	['!'] = true,	      ['#'] = true,	    ['$'] = true, ['%'] = true,
	['&'] = true,	      ['\''] = true,	    ['*'] = true, ['+'] = true,
	['-'] = true,	      ['.'] = true,	    ['^'] = true, ['_'] = true,
	['`'] = true,	      ['|'] = true,	    ['~'] = true, ['0' ... '9'] = true,
	['A' ... 'Z'] = true, ['a' ... 'z'] = true,
};

static void skip_empty_lines(struct rt_cur *c)
{
	for (;;) {
		if (rt_cur_left(c) >= 2 && c->p[0] == '\r' && c->p[1] == '\n')
			c->p += 2;
		else if (rt_cur_peek(c) == '\n')
			c->p++;
		else
			return;
	}
}

static bool is_space(u8 b)
{
	return b == ' ' || b == '\t';
}

static bool is_digit(u8 b)
{
	return b >= '0' && b <= '9';
}

/* Is this line the field `name`? Gives its value. */
static bool field_is(struct rt_slice line, const char *name, u32 n, struct rt_slice *ret)
{
	if (line.len <= n || line.p[n] != ':' || strncasecmp((const char *)line.p, name, n) != 0)
		return false;
	*ret = rt_slice_trim(rt_slice_skip(line, n + 1));
	return true;
}
#define FIELD_IS(line, name, ret) field_is(line, name, sizeof(name) - 1, ret)

/* host[:port] of an authority that may begin with userinfo (RFC 3986 3.2). */
static struct rt_slice without_userinfo(struct rt_slice s)
{
	return rt_slice_after_last(s, '@');
}

static bool number(struct rt_slice s, u64 *ret)
{
	u64 v = 0;

	if (!s.len)
		return false;
	for (u32 i = 0; i < s.len; i++) {
		if (!is_digit(s.p[i]) || __builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (u64)(s.p[i] - '0'), &v))
			return false;
	}
	*ret = v;
	return true;
}

/* RFC 9112 6.3 rule 5: several lines or a list are fine while all say the same. */
static void head_content_length(struct rt_http1_head *h, struct rt_slice value)
{
	for (;;) {
		u32 n = rt_slice_find(value, ',');
		u64 v = 0;

		if (!number(rt_slice_trim((struct rt_slice){value.p, n}), &v) ||
		    (h->has_cl && v != h->length)) {
			h->invalid = true;
			return;
		}
		h->has_cl = true;
		h->length = v;
		if (n == value.len)
			return;
		value = rt_slice_skip(value, n + 1);
	}
}

/* RFC 9112 6.1: only the last coding of the last line decides. Empty elements of a list are none
 * (RFC 9110 5.6.1.2); nor is "identity", which was one that changes nothing (RFC 2616 3.6). */
static void head_transfer_encoding(struct rt_http1_head *h, struct rt_slice value)
{
	struct rt_slice last;

	value = rt_slice_trim(value);
	while (value.len && value.p[value.len - 1] == ',') {
		value.len--;
		value = rt_slice_trim(value);
	}
	if (!value.len || rt_slice_is_nocase(value, "identity"))
		return;
	last = rt_slice_trim(rt_slice_after_last(value, ','));
	last.len = rt_slice_find(last, ';');
	last = rt_slice_trim(last);
	h->has_te = true;
	h->chunked = rt_slice_is_nocase(last, "chunked");
}

void rt_http1_field(struct rt_http1_head *h, struct rt_slice line)
{
	struct rt_slice value;
	bool framing = h->framing;

	h->framing = false;
	/* obs-fold (RFC 9112 5.2) could hide a length */
	if (is_space(line.p[0])) {
		h->invalid |= framing;
		h->framing = framing;
		return;
	}
	switch (line.p[0] | 0x20) {
	case 'c':
		if (FIELD_IS(line, "content-length", &value)) {
			head_content_length(h, value);
			h->framing = true;
		}
		break;
	case 'h':
		if (!h->host.len && FIELD_IS(line, "host", &value))
			h->host = without_userinfo(value);
		break;
	case 't':
		if (FIELD_IS(line, "transfer-encoding", &value)) {
			head_transfer_encoding(h, value);
			h->framing = true;
		} else if (FIELD_IS(line, "trailer", &value)) {
			h->trailer = true;
		}
		break;
	}
}

/* Reads the fields behind the start line; incomplete lines are not looked at. */
static void head_scan(struct rt_http1_head *h, struct rt_cur *c)
{
	struct rt_slice line;

	while (rt_cur_line(c, &line)) {
		if (!line.len) {
			h->done = true;
			return;
		}
		rt_http1_field(h, line);
	}
}

/* --- chunked bodies, RFC 9112 7.1 ------------------------------------------ */

bool rt_http1_chunk_size(struct rt_slice line, u64 *ret)
{
	u64 v = 0;
	u32 i = 0;

	for (; i < line.len; i++) {
		u8 b = line.p[i], low = b | 0x20;

		if (!is_digit(b) && !(low >= 'a' && low <= 'f'))
			break;
		if (v >> 60)
			return false;
		v = v << 4 | (is_digit(b) ? b - '0' : low - 'a' + 10);
	}
	if (i == 0 || (i < line.len && line.p[i] != ';' && !is_space(line.p[i])))
		return false;
	*ret = v;
	return true;
}

/* COMPLETE: the body ends in these bytes. PARTIAL: they are a prefix of a body.
 * UNKNOWN: they are no chunks. */
static enum rt_framing chunks_walk(struct rt_cur c)
{
	struct rt_slice line;
	u64 size;

	for (;;) {
		if (!rt_cur_line(&c, &line))
			return RT_FRAMING_PARTIAL;
		if (!rt_http1_chunk_size(line, &size))
			return RT_FRAMING_UNKNOWN;
		if (size == 0)
			break;
		if (size > rt_cur_left(&c))
			return RT_FRAMING_PARTIAL;
		c.p += size;
		if (!rt_cur_left(&c) || (rt_cur_left(&c) == 1 && *c.p == '\r'))
			return RT_FRAMING_PARTIAL;
		if (!rt_cur_line(&c, &line) || line.len)
			return RT_FRAMING_UNKNOWN;
	}
	while (rt_cur_line(&c, &line)) {
		if (!line.len)
			return RT_FRAMING_COMPLETE;
	}
	return RT_FRAMING_PARTIAL;
}

/*
 * The last chunk as the last bytes show it: CRLF 1*"0" CRLF CRLF. Up to three
 * zeros leave the LF before them in sight. UNKNOWN when the tail would fit but
 * is too short to show that: the bytes before it were not seen.
 */
static enum rt_framing tail_framing(struct rt_slice tail)
{
	static const char last[] = "\r\n0\r\n\r\n";
	u32 i, n = sizeof(last) - 1;

	if (tail.len < n && memcmp(last + n - tail.len, tail.p, tail.len) == 0)
		return RT_FRAMING_UNKNOWN;
	if (!rt_slice_ends(tail, "0\r\n\r\n"))
		return RT_FRAMING_PARTIAL;
	i = tail.len - 5;
	while (i && tail.p[i - 1] == '0')
		i--;
	if (i == 0)
		return RT_FRAMING_UNKNOWN;
	if (tail.p[i - 1] != '\n' || (i > 1 && tail.p[i - 2] != '\r'))
		return RT_FRAMING_PARTIAL;
	return RT_FRAMING_COMPLETE;
}

/* --- request --------------------------------------------------------------- */

/* Where a URI without a port leads to (RFC 9110 4.2, RFC 6455 3); 0: unknown. */
static u16 scheme_port(struct rt_slice scheme)
{
	if (rt_slice_is_nocase(scheme, "http") || rt_slice_is_nocase(scheme, "ws"))
		return 80;
	return rt_slice_is_nocase(scheme, "https") || rt_slice_is_nocase(scheme, "wss") ? 443 : 0;
}

/* Length of "scheme:" + "//" that begins s; 0 when none does. `ret_maybe`: s is
 * a prefix of one. */
static u32 scheme_len(struct rt_slice s, bool *ret_maybe)
{
	u32 n = 0;

	while (n < s.len && n < SCHEME_MAX && tchar[s.p[n]])
		n++;
	*ret_maybe =
		n && n < SCHEME_MAX && s.len <= n + 2 && memcmp(s.p + n, "://", s.len - n) == 0;
	if (!n || s.len < n + 3 || memcmp(s.p + n, "://", 3) != 0)
		return 0;
	return n + 3;
}

/* The forms of RFC 9112 3.2. `cut`: the target goes on beyond the capture;
 * then no version vouches for it and it must at least look like one of them. */
static bool target_split(struct rt_op *op, bool cut)
{
	struct rt_slice t = op->target;
	u32 n, query = rt_slice_find(t, '?');
	bool maybe;

	op->path = (struct rt_slice){t.p, query};
	op->path_cut = cut && query == t.len;
	if (rt_slice_is(op->method, "CONNECT")) {
		op->path = t;
		op->path_cut = cut;
		if (!cut)
			op->authority = without_userinfo(t);
		return true;
	}
	if (t.p[0] == '/')
		return true;
	n = scheme_len(t, &maybe);
	if (!n && cut && maybe) { /* "http:/" */
		op->path.len = 0;
		return true;
	}
	if (!n)
		return !cut || t.p[0] == '*';
	op->default_port = scheme_port((struct rt_slice){t.p, n - 3});
	op->authority = rt_slice_skip(t, n);
	for (u32 i = 0; i < op->authority.len; i++) {
		u8 b = op->authority.p[i];

		if (b == '/' || b == '?' || b == '#') {
			op->authority.len = i;
			break;
		}
	}
	n += op->authority.len;
	if (cut && n == t.len) { /* where the host ends is not known */
		op->path = op->authority = (struct rt_slice){0};
		op->default_port = 0;
		return true;
	}
	op->authority = without_userinfo(op->authority);
	if (n < t.len && t.p[n] == '/')
		op->path = (struct rt_slice){t.p + n, query - n};
	else /* an empty path means "/" (RFC 9110 4.2.3): lend it the second slash of "://" */
		op->path = (struct rt_slice){t.p + scheme_len(t, &maybe) - 1, 1};
	return true;
}

/* "HTTP/1.x", or a prefix of it. */
static bool version_prefix(struct rt_slice s, struct rt_op *op)
{
	u32 n = s.len < 7 ? s.len : 7;

	if (s.len > 8 || memcmp(s.p, "HTTP/1.", n) != 0 || (s.len == 8 && !is_digit(s.p[7])))
		return false;
	op->version_minor = s.len == 8 ? s.p[7] - '0' : 1;
	return true;
}

/* Splits "target SP version"; false when the last word is no version of at least
 * `min` bytes. */
static bool version_take(struct rt_slice s, u32 min, struct rt_op *op)
{
	struct rt_slice version = rt_slice_after_last(s, ' ');

	if (version.len == s.len || version.len < min || !version_prefix(version, op))
		return false;
	op->target = rt_slice_trim((struct rt_slice){s.p, s.len - version.len});
	return true;
}

enum rt_parse rt_http1_request_line(struct rt_cur *c, bool cut, struct rt_op *op)
{
	struct rt_slice line, rest;
	bool whole = rt_cur_line(c, &line);
	u32 n = 0;

	if (!whole) {
		rt_cur_take(c, rt_cur_left(c), &line);
		if (line.len && line.p[line.len - 1] == '\r')
			line.len--;
	}
	while (n < line.len && n <= METHOD_MAX && tchar[line.p[n]])
		n++;
	if (n == line.len && n <= METHOD_MAX)
		return whole ? RT_PARSE_BAD : RT_PARSE_MORE;
	if (n == 0 || n > METHOD_MAX || line.p[n] != ' ')
		return RT_PARSE_BAD;
	op->method = (struct rt_slice){line.p, n};

	rest = rt_slice_skip(line, n);
	for (u32 i = 0; i < rest.len; i++) {
		if (rest.p[i] < 0x20 || rest.p[i] == 0x7f)
			return RT_PARSE_BAD;
	}
	while (rest.len && rest.p[0] == ' ')
		rest = rt_slice_skip(rest, 1);
	if (!whole && (!cut || !rest.len))
		return RT_PARSE_MORE;

	/* The version is the last word; spaces before it belong to a bad target. */
	if (version_take(rt_slice_trim(rest), 8, op)) {
		cut = false;
	} else if (whole) {
		return RT_PARSE_BAD;
	} else if (version_take(rest, 0, op)) { /* the capture ends in the version */
		cut = false;
	} else {
		op->target = rest;
		op->version_minor = 1;
	}
	return target_split(op, cut) ? RT_PARSE_OK : RT_PARSE_BAD;
}

/*
 * RFC 9112 6.3 for a request: Transfer-Encoding, else Content-Length, else no
 * body. There is no tail of requests, so the end of a chunked body is known only
 * when it lies in the captured head.
 */
static enum rt_framing request_framing(const struct rt_view *v, struct rt_op *op,
				       const struct rt_http1_head *h, struct rt_cur body)
{
	bool cut = v->req.len < v->req_bytes;
	u64 head_len = (u64)(body.p - v->req.p);
	enum rt_framing walked;

	if (h->invalid)
		return RT_FRAMING_UNKNOWN;
	if (!h->done) {
		bool owed = h->has_cl && !h->has_te && v->req_bytes < h->length;

		return cut && !owed ? RT_FRAMING_UNKNOWN : RT_FRAMING_PARTIAL;
	}
	if (h->has_te) {
		if (!h->chunked || op->version_minor == 0)
			return RT_FRAMING_UNKNOWN;
		walked = chunks_walk(body);
		return walked == RT_FRAMING_PARTIAL && cut ? RT_FRAMING_UNKNOWN : walked;
	}
	if (h->has_cl && v->req_bytes - head_len < h->length)
		return RT_FRAMING_PARTIAL;
	if (!rt_slice_is(op->method, "CONNECT"))
		op->req_excess = v->req_bytes - head_len - (h->has_cl ? h->length : 0);
	return RT_FRAMING_COMPLETE;
}

static enum rt_parse parse_request(const struct rt_view *v, struct rt_op *op)
{
	struct rt_cur c = rt_cur_init(v->req);
	struct rt_http1_head h = {0};
	enum rt_parse r;

	skip_empty_lines(&c);
	r = rt_http1_request_line(&c, v->req.len < v->req_bytes, op);
	if (r != RT_PARSE_OK)
		return r;
	head_scan(&h, &c);
	if (!op->authority.len)
		op->authority = h.host;
	op->req_framing = request_framing(v, op, &h, c);
	return RT_PARSE_OK;
}

/* --- response -------------------------------------------------------------- */

int rt_http1_status(struct rt_slice s)
{
	struct rt_op ignore;
	u32 n = s.len < 8 ? s.len : 8;
	int code = 0;

	if (!version_prefix((struct rt_slice){s.p, n}, &ignore) || (s.len > 8 && s.p[8] != ' '))
		return -1;
	for (u32 i = 9; i < 12 && i < s.len; i++) {
		if (!is_digit(s.p[i]))
			return -1;
		code = code * 10 + (s.p[i] - '0');
	}
	if (s.len < 13)
		return 0;
	if (code < 100 || (s.p[12] != ' ' && s.p[12] != '\r' && s.p[12] != '\n'))
		return -1;
	return code;
}

/* Behind it the connection is another protocol's (RFC 9110 15.2.2, 9.3.6). */
static bool leaves_http(const struct rt_op *op)
{
	return op->status == 101 ||
	       (op->status / 100 == 2 && rt_slice_is(op->method, "CONNECT"));
}

/* RFC 9112 6.3 rules 1 and 2: responses that end with their head. */
static bool has_no_body(const struct rt_op *op)
{
	return leaves_http(op) || op->status == 204 || op->status == 304 ||
	       rt_slice_is(op->method, "HEAD");
}

/* A chunked body, by the last bytes that came. They cannot prove the end of trailers: those
 * may as well be data that ends in CRLF, so they are unknown where the head announced them, and
 * owed where it did not. */
static enum rt_framing tail_chunked(const struct rt_view *v, const struct rt_http1_head *h)
{
	enum rt_framing framing;

	if (v->resp_blind || !v->tail.len)
		return RT_FRAMING_UNKNOWN;
	framing = tail_framing(v->tail);
	if (framing == RT_FRAMING_PARTIAL && h->trailer && rt_slice_ends(v->tail, "\r\n\r\n"))
		return RT_FRAMING_UNKNOWN;
	return framing;
}

/* A chunked body of which `cut` says whether bytes were not captured. Beyond
 * the capture only the tail can show the end. */
static enum rt_framing chunked_framing(const struct rt_view *v, const struct rt_http1_head *h,
				       struct rt_cur body, bool cut)
{
	enum rt_framing walked = chunks_walk(body);

	if (walked != RT_FRAMING_PARTIAL || !cut)
		return walked;
	return tail_chunked(v, h);
}

/* Whether the last bytes are the end of a head and `length` bytes of body: the first empty line
 * ends the head, and behind it no more are due. */
static bool ends_behind_head(const struct rt_view *v, u64 length)
{
	static const char empty[] = "\r\n\r\n";
	const u32 n = sizeof(empty) - 1;

	if (v->resp_blind || v->tail.len < n || length > v->tail.len - n)
		return false;
	return memcmp(v->tail.p + v->tail.len - length - n, empty, n) == 0;
}

/* A response whose head is longer than what is kept of it: what the fields that are kept say,
 * and the tail. Fields behind may say otherwise. */
static enum rt_framing long_head_framing(const struct rt_view *v, struct rt_op *op,
					 const struct rt_http1_head *h, u8 minor, u64 turn)
{
	if (has_no_body(op))
		return ends_behind_head(v, 0) ? RT_FRAMING_COMPLETE : RT_FRAMING_UNKNOWN;
	if (h->invalid)
		return RT_FRAMING_UNKNOWN;
	if (h->has_te)
		return h->chunked && minor ? tail_chunked(v, h) : RT_FRAMING_UNKNOWN;
	if (!h->has_cl)
		return RT_FRAMING_UNKNOWN;
	if (turn - v->resp.len < h->length)
		return RT_FRAMING_PARTIAL;
	if (ends_behind_head(v, h->length))
		return RT_FRAMING_COMPLETE;
	op->resp_enough = true;
	return RT_FRAMING_UNKNOWN;
}

/*
 * RFC 9112 6.3 for a response, in its order: no body by method or status (1, 2);
 * Transfer-Encoding (3, 4); an invalid Content-Length (5); Content-Length (6);
 * the close of the connection (8). `body` stands behind the head of the final
 * response, `before` bytes into the turn of `turn` bytes.
 */
static enum rt_framing response_framing(const struct rt_view *v, struct rt_op *op,
					const struct rt_http1_head *h, struct rt_cur body, u8 minor,
					u64 turn)
{
	bool cut = v->resp.len < turn;
	u64 before = (u64)(body.p - v->resp.p);

	if (!h->done)
		return cut ? long_head_framing(v, op, h, minor, turn) : RT_FRAMING_PARTIAL;
	if (leaves_http(op))
		op->resp_excess = turn - before;
	if (has_no_body(op)) {
		op->resp_whole = before;
		return RT_FRAMING_COMPLETE;
	}
	if (h->invalid)
		return RT_FRAMING_UNKNOWN;
	if (h->has_te) {
		if (!h->chunked)
			return RT_FRAMING_UNTIL_CLOSE;
		/* 6.1: chunked in HTTP/1.0 is a fault; clients disagree about it */
		return minor ? chunked_framing(v, h, body, cut) : RT_FRAMING_UNKNOWN;
	}
	if (!h->has_cl)
		return RT_FRAMING_UNTIL_CLOSE;
	if (turn - before < h->length)
		return RT_FRAMING_PARTIAL;
	op->resp_whole = before + h->length;
	return RT_FRAMING_COMPLETE;
}

/* Looks for the final response behind the interim ones (RFC 9110 15.2) that
 * came in the same turn. An answer that is not HTTP leaves status 0, unknown. */
static void parse_response(const struct rt_view *v, struct rt_op *op)
{
	struct rt_cur c = rt_cur_init(v->resp);
	u64 turn = v->resp_bytes > v->interim_bytes ? v->resp_bytes - v->interim_bytes : 0;
	struct rt_slice line;
	struct rt_http1_head h = {0};
	u8 minor = 0;
	int code = 0;

	if (turn < v->resp.len)
		turn = v->resp.len;
	op->resp_whole = turn;
	op->resp_framing = v->resp.len < turn ? RT_FRAMING_UNKNOWN : RT_FRAMING_PARTIAL;
	while (rt_cur_left(&c)) {
		skip_empty_lines(&c);
		if (rt_cur_left(&c) == 1 && *c.p == '\r')
			return;
		op->interim_bytes = (u32)(c.p - v->resp.p);
		code = rt_http1_status((struct rt_slice){c.p, rt_cur_left(&c)});
		if (code < 0) {
			op->resp_framing = RT_FRAMING_UNKNOWN;
			op->resp_bad = true;
		}
		if (code <= 0)
			return;
		minor = c.p[7] - '0';
		h = (struct rt_http1_head){0};
		if (rt_cur_line(&c, &line))
			head_scan(&h, &c);
		if (code >= 200 || code == 101)
			break;
		if (!h.done)
			return;
		op->interim_bytes = (u32)(c.p - v->resp.p);
		code = 0;
	}
	if (!code)
		return;
	op->status = (u16)code;
	op->resp_framing = response_framing(v, op, &h, c, minor, turn);
}

static enum rt_parse http1_parse(const struct rt_view *view, struct rt_op *ret_op)
{
	struct rt_op op = {0};
	enum rt_parse r = parse_request(view, &op);

	if (r == RT_PARSE_OK)
		parse_response(view, &op);
	else
		op = (struct rt_op){0};
	*ret_op = op;
	return r;
}

const struct rt_proto rt_proto_http1 = {
	.id = RT_PROTO_http1,
	.name = "http",
	.sigs = http1_sigs,
	.nr_sigs = RT_ARRAY_SIZE(http1_sigs),
	.parse = http1_parse,
};
