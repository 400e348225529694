// SPDX-License-Identifier: Apache-2.0
/*
 * Reads one direction of an HTTP/1 connection (RFC 9112, sections 2, 6, 7.1); see the
 * header. A small state machine over lines and bodies. Called by the follower of
 * pipelined connections (red/stream.c), with bytes from the network.
 */
#include "proto/http1_reader.h"

enum state {
	START,	     /* between messages; empty lines may stand there */
	HEAD,	     /* in a head */
	NO_BODY,     /* behind the head of a message that ends with it */
	BODY,	     /* in a body of `left` more bytes */
	CHUNK_SIZE,  /* in the line before a chunk */
	CHUNK,	     /* in a chunk of `left` more bytes */
	CHUNK_END,   /* in the line end behind it */
	TRAILER,     /* in the lines behind the last chunk */
	UNTIL_CLOSE, /* in a body that the end of the connection ends */
	LOST,
};

void rt_http1_reader__init(struct rt_http1_reader *r, bool response)
{
	*r = (struct rt_http1_reader){.response = response, .state = START};
}

static void begin(struct rt_http1_reader *r)
{
	r->begun = true;
	r->until_close = false;
	r->named = false;
	r->status = 0;
	r->head_len = 0;
	r->bytes = 0;
	r->minor = 1;
	r->line_cut = false;
	r->line_len = 0;
	r->fields = (struct rt_http1_head){0};
	r->state = HEAD;
}

static void keep(u8 *dst, u16 *len, u32 max, struct rt_slice s)
{
	u32 n = max - *len < s.len ? max - *len : s.len;

	if (n)
		memcpy(dst + *len, s.p, n);
	*len = (u16)(*len + n);
}

/* Takes bytes to the end of a line. True when it is whole: r->line, without its end. */
static bool take_line(struct rt_http1_reader *r, struct rt_cur *c)
{
	struct rt_slice piece;
	const u8 *from = c->p;
	bool whole = rt_cur_until(c, '\n', &piece);

	if (whole)
		c->p++;
	else
		rt_cur_take(c, rt_cur_left(c), &piece);
	r->bytes += (u64)(c->p - from);
	if (r->state == HEAD)
		keep(r->head, &r->head_len, sizeof(r->head),
		     (struct rt_slice){from, (u32)(c->p - from)});
	r->line_cut |= piece.len > sizeof(r->line) - r->line_len;
	keep(r->line, &r->line_len, sizeof(r->line), piece);
	if (whole && !r->line_cut && r->line_len && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	return whole;
}

static void next_line(struct rt_http1_reader *r)
{
	r->line_len = 0;
	r->line_cut = false;
}

/* The first line is whole, as far as it is kept. */
static bool first_line(struct rt_http1_reader *r)
{
	struct rt_slice head = {r->head, r->head_len};
	struct rt_cur c = rt_cur_init(head);
	struct rt_op op = {0};
	int status;

	if (r->response) {
		status = rt_http1_status(head);
		if (status <= 0)
			return false;
		r->status = (u16)status;
		r->minor = r->head[7] - '0';
	} else {
		if (rt_http1_request_line(&c, r->head_len == sizeof(r->head), &op) != RT_PARSE_OK)
			return false;
		r->minor = op.version_minor;
	}
	r->named = true;
	return true;
}

/* RFC 9112 6.3: how the body is framed. False: that cannot be told. */
static bool framed(struct rt_http1_reader *r)
{
	const struct rt_http1_head *h = &r->fields;

	if (r->response &&
	    (r->status < 200 || r->status == 204 || r->status == 304 || r->to_head ||
	     (r->to_connect && r->status / 100 == 2))) {
		r->state = NO_BODY;
		return true;
	}
	if (h->invalid)
		return false;
	if (h->has_te && h->chunked) {
		r->state = CHUNK_SIZE;
		/* 6.1: chunked in HTTP/1.0 is a fault; servers and clients disagree about it. */
		return r->minor != 0;
	}
	if (h->has_te && !r->response)
		return false;
	if (!h->has_te && (h->has_cl || !r->response)) {
		r->left = h->length;
		r->state = r->left ? BODY : NO_BODY;
		return true;
	}
	r->until_close = true;
	r->state = UNTIL_CLOSE;
	return true;
}

/* Whether this much of a first line can become one. */
static bool plausible(const struct rt_http1_reader *r)
{
	struct rt_slice head = {r->head, r->head_len};
	struct rt_cur c = rt_cur_init(head);
	struct rt_op op = {0};

	if (r->response)
		return rt_http1_status(head) >= 0;
	return rt_http1_request_line(&c, r->head_len == sizeof(r->head), &op) != RT_PARSE_BAD;
}

/* A line of the head is whole. */
static enum rt_read head_line(struct rt_http1_reader *r)
{
	struct rt_slice line = {r->line, r->line_len};

	if (!r->named) {
		if (!first_line(r))
			return RT_READ_LOST;
	} else if (!line.len) {
		return framed(r) ? RT_READ_HEAD : RT_READ_LOST;
	} else {
		rt_http1_field(&r->fields, line);
		/* The end of it could say something else. */
		r->fields.invalid |= r->line_cut && r->fields.framing;
	}
	next_line(r);
	return RT_READ_MORE;
}

static enum rt_read end(struct rt_http1_reader *r)
{
	r->state = START;
	r->begun = false;
	return RT_READ_END;
}

static enum rt_read chunk_line(struct rt_http1_reader *r)
{
	struct rt_slice line = {r->line, r->line_len};
	enum rt_read told = RT_READ_MORE;

	if (r->state == CHUNK_SIZE) {
		if (!rt_http1_chunk_size(line, &r->left))
			told = RT_READ_LOST;
		r->state = r->left ? CHUNK : TRAILER;
	} else if (r->state == CHUNK_END) {
		if (line.len)
			told = RT_READ_LOST;
		r->state = CHUNK_SIZE;
	} else if (!line.len) {
		told = end(r);
	}
	next_line(r);
	return told;
}

static void take_body(struct rt_http1_reader *r, struct rt_cur *c)
{
	u64 n = rt_cur_left(c);

	if (n > r->left)
		n = r->left;
	c->p += n;
	r->bytes += n;
	r->left -= n;
}

/* One step. RT_READ_MORE: the next one may have something to tell, while bytes are left. */
static enum rt_read step(struct rt_http1_reader *r, struct rt_cur *c)
{
	switch ((enum state)r->state) {
	case START:
		if (*c->p == '\r' || *c->p == '\n')
			c->p++;
		else
			begin(r);
		return RT_READ_MORE;
	case HEAD:
		if (take_line(r, c))
			return head_line(r);
		return r->named || plausible(r) ? RT_READ_MORE : RT_READ_LOST;
	case NO_BODY:
		return end(r);
	case BODY:
		take_body(r, c);
		return r->left ? RT_READ_MORE : end(r);
	case CHUNK:
		take_body(r, c);
		if (!r->left) {
			next_line(r);
			r->state = CHUNK_END;
		}
		return RT_READ_MORE;
	case CHUNK_SIZE:
	case CHUNK_END:
	case TRAILER:
		return take_line(r, c) ? chunk_line(r) : RT_READ_MORE;
	case UNTIL_CLOSE:
		r->left = ~0ull;
		take_body(r, c);
		return RT_READ_MORE;
	case LOST:
		break;
	}
	return RT_READ_LOST;
}

u32 rt_http1_reader__feed(struct rt_http1_reader *r, struct rt_slice in, enum rt_read *ret)
{
	struct rt_cur c = rt_cur_init(in);

	*ret = RT_READ_MORE;
	while (*ret == RT_READ_MORE && (rt_cur_left(&c) || r->state == NO_BODY))
		*ret = step(r, &c);
	if (*ret == RT_READ_HEAD)
		next_line(r);
	if (*ret == RT_READ_LOST)
		r->state = LOST;
	return in.len - rt_cur_left(&c);
}

enum rt_read rt_http1_reader__skip(struct rt_http1_reader *r, u64 n)
{
	if (r->state == UNTIL_CLOSE) {
		r->bytes += n;
		return RT_READ_MORE;
	}
	if ((r->state != BODY && r->state != CHUNK) || n > r->left) {
		r->state = LOST;
		return RT_READ_LOST;
	}
	r->left -= n;
	r->bytes += n;
	if (r->left)
		return RT_READ_MORE;
	if (r->state == BODY)
		return end(r);
	next_line(r);
	r->state = CHUNK_END;
	return RT_READ_MORE;
}
