// SPDX-License-Identifier: Apache-2.0
/*
 * Feeds every parser of the protocol table, the signature matcher, and the
 * check of exchange records. Input: a protocol byte, an options byte, a byte of
 * how much was not captured, then the request, a form feed, and the response.
 * Whatever the bytes: slices lie inside the input, what is not OK is zeroed, the
 * same input gives the same answer, and no prefix of a good request is bad.
 * Protocol byte 'x': the rest is a record as it comes from the ring buffer.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER 3

enum {
	OPT_REQ_CUT = 1 << 0,
	OPT_RESP_CUT = 1 << 1,
	OPT_BLIND = 1 << 2,
	OPT_INTERIM = 1 << 3,
	OPT_NO_TAIL = 1 << 4,
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* A copy of exactly these bytes on the heap: one byte further is a report. */
static struct rt_slice exact(const u8 *p, size_t n)
{
	u8 *copy = malloc(n ? n : 1);

	check(copy);
	memcpy(copy, p, n);
	return (struct rt_slice){copy, (u32)n};
}

static void drop(struct rt_slice s)
{
	free((void *)(uintptr_t)s.p);
}

static void check_inside(struct rt_slice s, struct rt_slice in)
{
	check(s.len == 0 || (s.p >= in.p && s.len <= in.len && s.p - in.p <= in.len - s.len));
}

static enum rt_parse parse(const struct rt_proto *proto, const struct rt_view *v,
			   struct rt_op *ret_op)
{
	static const struct rt_op zero;
	struct rt_op again;
	enum rt_parse r;

	memset(ret_op, 0xa5, sizeof(*ret_op));
	memset(&again, 0x5a, sizeof(again));
	r = proto->parse(v, ret_op);
	check(proto->parse(v, &again) == r && memcmp(&again, ret_op, sizeof(again)) == 0);
	if (r != RT_PARSE_OK) {
		check(r == RT_PARSE_BAD || r == RT_PARSE_MORE);
		check(memcmp(ret_op, &zero, sizeof(zero)) == 0);
		return r;
	}
	check(ret_op->method.len > 0);
	check_inside(ret_op->method, v->req);
	check_inside(ret_op->target, v->req);
	check_inside(ret_op->path, v->req);
	check_inside(ret_op->authority, v->req);
	check(ret_op->status < 1000);
	check(ret_op->req_framing <= RT_FRAMING_UNTIL_CLOSE);
	check(ret_op->resp_framing <= RT_FRAMING_UNTIL_CLOSE);
	check(!ret_op->resp_enough || ret_op->resp_framing == RT_FRAMING_UNKNOWN);
	return r;
}

/* As the bytes come: MORE, then OK for the same operation. */
static void check_prefix(const struct rt_proto *proto, struct rt_slice req, u32 n)
{
	struct rt_slice prefix = exact(req.p, n);
	struct rt_view whole = {.req = req, .req_bytes = req.len};
	struct rt_view part = {.req = prefix, .req_bytes = n};
	enum rt_parse r_whole, r_part;
	struct rt_op a, b;

	r_whole = parse(proto, &whole, &a);
	r_part = parse(proto, &part, &b);
	if (r_whole != RT_PARSE_BAD)
		check(r_part != RT_PARSE_BAD);
	if (r_part == RT_PARSE_OK) {
		check(r_whole == RT_PARSE_OK);
		check(rt_slice_eq(a.method, b.method));
		check(rt_slice_eq(a.target, b.target));
		check(rt_slice_eq(a.path, b.path));
	}
	drop(prefix);
}

static void check_signatures(struct rt_slice bytes)
{
	static struct rt_sig sigs[RT_SIG_MAX];
	static u32 nr;
	u64 *data = calloc(RT_SIG_LEN / 8, 8);

	if (!nr)
		nr = rt_proto__signatures(sigs, RT_SIG_MAX);
	check(data && nr && nr <= RT_SIG_MAX);
	memcpy(data, bytes.p, bytes.len < RT_SIG_LEN ? bytes.len : RT_SIG_LEN);
	for (u32 i = 0; i < nr; i++) {
		/* what matches with these bytes matches with more bytes behind them */
		if (rt_sig_match(&sigs[i], data, bytes.len))
			check(rt_sig_match(&sigs[i], data, RT_SIG_LEN));
	}
	free(data);
}

/* The first byte says which fields are put right, so that the others get their turn. */
static void fuzz_record(const u8 *data, size_t size)
{
	enum { FIX_TYPE = 1, FIX_SIZE = 2, FIX_LENGTHS = 4, FIX_BYTES = 8 };
	u8 fix = size ? data[0] : 0;
	struct rt_slice rec = exact(data, size);
	struct rt_exchange *x = (struct rt_exchange *)(uintptr_t)rec.p;
	struct rt_view v = {0};
	struct rt_op op;

	if (size >= offsetof(struct rt_exchange, heads)) {
		if (fix & FIX_TYPE)
			x->type = RT_EV_EXCHANGE;
		if (fix & FIX_SIZE)
			x->size = (u16)size;
		if (fix & FIX_LENGTHS) {
			x->req_len %= RT_REQ_HEAD_MAX + 2;
			x->resp_len %= RT_RESP_HEAD_MAX + 2;
			x->tail_len %= RT_TAIL_MAX + 2;
		}
		if (fix & FIX_BYTES) {
			x->req_bytes |= x->req_len;
			x->resp_bytes |= 1u << 20;
			x->interim_bytes &= 0xfffff;
		}
	}
	if (rt_view__from_exchange(&v, x, rec.len) == 0) {
		check_inside(v.req, rec);
		check_inside(v.resp, rec);
		check_inside(v.tail, rec);
		for (u32 id = 0; id < 256; id++) {
			if (rt_proto__get((u8)id))
				parse(rt_proto__get((u8)id), &v, &op);
		}
	}
	drop(rec);
}

/* The protocols in turn, so that '1' is the first in whatever table. */
static const struct rt_proto *pick(u8 byte)
{
	const struct rt_proto *all[256];
	u32 n = 0;

	for (u32 id = 0; id < 256; id++) {
		if (rt_proto__get((u8)id))
			all[n++] = rt_proto__get((u8)id);
	}
	check(n > 0);
	return all[(u8)(byte - '1') % n];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const u8 *body = data + HEADER, *split;
	struct rt_slice req, resp, tail;
	struct rt_op op;
	u64 unseen;
	u8 options;

	if (size >= 1 && data[0] == 'x') {
		fuzz_record(data + 1, size - 1);
		return 0;
	}
	if (size < HEADER || size > 4096)
		return 0;
	size -= HEADER;
	options = data[1] & 0x1f;
	unseen = (u64)data[2] << (data[2] % 24);
	split = memchr(body, '\f', size);
	req = exact(body, split ? (size_t)(split - body) : size);
	resp = split ? exact(split + 1, size - req.len - 1) : exact(body, 0);
	tail = resp.len > RT_TAIL_MAX ? exact(resp.p + resp.len - RT_TAIL_MAX, RT_TAIL_MAX)
				      : exact(resp.p, resp.len);

	struct rt_view v = {
		.req = req,
		.resp = resp,
		.tail = {tail.p, options & OPT_NO_TAIL ? 0 : tail.len},
		.req_bytes = req.len + (options & OPT_REQ_CUT ? unseen : 0),
		.resp_bytes = resp.len + (options & (OPT_RESP_CUT | OPT_INTERIM) ? unseen : 0),
		.interim_bytes = options & OPT_INTERIM ? unseen / 2 : 0,
		.resp_blind = options & OPT_BLIND,
	};

	parse(pick(data[0]), &v, &op);
	if (req.len)
		check_prefix(pick(data[0]), req, (data[2] * 257u + data[1]) % req.len);
	check_signatures(req);
	check_signatures(resp);
	drop(req);
	drop(resp);
	drop(tail);
	return 0;
}
