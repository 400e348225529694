// SPDX-License-Identifier: Apache-2.0
/*
 * The HTTP/1 parser where a transcript cannot say it: views whose parts do not
 * fit together, where slices point, and tails. Whole messages are in
 * tests/proto/http1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/proto.h"

#define GET "GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"

static struct rt_view view(const char *req, const char *resp)
{
	u32 n = (u32)strlen(resp), tail = n < RT_TAIL_MAX ? n : RT_TAIL_MAX;

	return (struct rt_view){
		.req = rt_slice_str(req),
		.resp = rt_slice_str(resp),
		.tail = {(const u8 *)resp + n - tail, tail},
		.req_bytes = strlen(req),
		.resp_bytes = n,
	};
}

static enum rt_parse parse(const struct rt_view *v, struct rt_op *op)
{
	return rt_proto_http1.parse(v, op);
}

static void test_empty_view(void **state)
{
	struct rt_view v = {0};
	struct rt_op op, zero = {0};

	memset(&op, 1, sizeof(op));
	assert_int_equal(parse(&v, &op), RT_PARSE_MORE);
	assert_memory_equal(&op, &zero, sizeof(op));
	/* request bytes that nobody could read */
	v.req_bytes = 100;
	assert_int_equal(parse(&v, &op), RT_PARSE_MORE);
}

static void test_slices_point_into_the_view(void **state)
{
	struct rt_view v = view(GET, "");
	struct rt_op op;

	assert_int_equal(parse(&v, &op), RT_PARSE_OK);
	assert_ptr_equal(op.method.p, v.req.p);
	assert_ptr_equal(op.target.p, v.req.p + 4);
	assert_int_equal(op.target.len, 4);
	assert_ptr_equal(op.path.p, v.req.p + 4);
	assert_int_equal(op.path.len, 2);
	assert_ptr_equal(op.authority.p, v.req.p + strlen("GET /a?b HTTP/1.1\r\nHost: "));

	/* RFC 9110 4.2.3: "/" for an empty path, though no such byte follows the authority */
	v = view("GET http://h HTTP/1.1\r\n\r\n", "");
	assert_int_equal(parse(&v, &op), RT_PARSE_OK);
	assert_true(rt_slice_is(op.path, "/"));
	assert_true(op.path.p > v.req.p && op.path.p < v.req.p + v.req.len);
}

/* More interim bytes than response bytes, and fewer bytes than captured: the
 * view check refuses such records, but parse() must survive them. */
static void test_counts_that_disagree(void **state)
{
	struct rt_view v = view(GET, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	struct rt_op op;

	v.interim_bytes = 1000;
	assert_int_equal(parse(&v, &op), RT_PARSE_OK);
	assert_int_equal(op.resp_framing, RT_FRAMING_COMPLETE);
	v.interim_bytes = 0;
	v.resp_bytes = 0;
	v.req_bytes = 0;
	assert_int_equal(parse(&v, &op), RT_PARSE_OK);
	assert_int_equal(op.status, 200);
	assert_int_equal(op.req_framing, RT_FRAMING_COMPLETE);
}

/* An unfinished chunked body of 10,000 bytes whose last bytes are `tail`. */
static u8 framing_with_tail(const char *tail, bool blind)
{
	struct rt_view v =
		view(GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2710\r\nxx");
	struct rt_op op;

	v.resp_bytes = 10000;
	v.tail = rt_slice_str(tail);
	v.resp_blind = blind;
	assert_int_equal(parse(&v, &op), RT_PARSE_OK);
	assert_int_equal(op.status, 200);
	return op.resp_framing;
}

static void test_tails(void **state)
{
	assert_int_equal(framing_with_tail("x\r\n0\r\n\r\n", false), RT_FRAMING_COMPLETE);
	assert_int_equal(framing_with_tail("\r\n0\r\n\r\n", false), RT_FRAMING_COMPLETE);
	assert_int_equal(framing_with_tail("\r\n00\r\n\r\n", false), RT_FRAMING_COMPLETE);
	assert_int_equal(framing_with_tail("\n000\r\n\r\n", false), RT_FRAMING_COMPLETE);
	/* no CRLF before the size, another size, or no end at all */
	assert_int_equal(framing_with_tail("xx\n0\r\n\r\n", false), RT_FRAMING_PARTIAL);
	assert_int_equal(framing_with_tail("\r\n10\r\n\r\n", false), RT_FRAMING_PARTIAL);
	assert_int_equal(framing_with_tail("x0\r\n\r\n", false), RT_FRAMING_PARTIAL);
	assert_int_equal(framing_with_tail("x\r\n0\r\n\r", false), RT_FRAMING_PARTIAL);
	assert_int_equal(framing_with_tail("xxxx\r\n0\r", false), RT_FRAMING_PARTIAL);
	assert_int_equal(framing_with_tail("\r", false), RT_FRAMING_PARTIAL);
	/* what stands before is out of sight: after blind bytes tails are short */
	assert_int_equal(framing_with_tail("0000\r\n\r\n", false), RT_FRAMING_UNKNOWN);
	assert_int_equal(framing_with_tail("00\r\n\r\n", false), RT_FRAMING_UNKNOWN);
	assert_int_equal(framing_with_tail("0\r\n\r\n", false), RT_FRAMING_UNKNOWN);
	assert_int_equal(framing_with_tail("\n", false), RT_FRAMING_UNKNOWN);
	/* no tail, or a stale one */
	assert_int_equal(framing_with_tail("", false), RT_FRAMING_UNKNOWN);
	assert_int_equal(framing_with_tail("x\r\n0\r\n\r\n", true), RT_FRAMING_UNKNOWN);
}

/* A head that is cut behind its Content-Length. At least all bytes that were not captured are the
 * body's but for what is left of the head; a byte fewer than the length, and some are due. */
static void test_enough(void **state)
{
	static const struct {
		const char *resp, *tail;
		u64 more;
		u8 framing;
		bool enough;
	} rows[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: y", "xxxxxxxx", 9, RT_FRAMING_UNKNOWN,
		 true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX: y", "xxxxxxxx", 8, RT_FRAMING_PARTIAL,
		 false},
		/* the head's end in sight, and not: it is further back than the tail, or blind */
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: y", "\r\n\r\nbody", 9,
		 RT_FRAMING_COMPLETE, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: y", "n\r\n\r\nbod", 9,
		 RT_FRAMING_UNKNOWN, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX: y", "", 9, RT_FRAMING_UNKNOWN, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: y", "\r\n\r\n", 9, RT_FRAMING_COMPLETE,
		 false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: y", "\r\n\r", 9, RT_FRAMING_UNKNOWN,
		 true},
		{"HTTP/1.1 304 Not Modified\r\nX: y", "\r\n\r\n", 9, RT_FRAMING_COMPLETE, false},
		/* nothing that is kept says how long the body is */
		{"HTTP/1.1 200 OK\r\nX: y", "d: x\r\n\r\n", 9, RT_FRAMING_UNKNOWN, false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4", "\r\n\r\nbody", 9, RT_FRAMING_UNKNOWN,
		 false},
		{"HTTP/1.1 200 OK\r\nContent-Length: x\r\nX: y", "d: x\r\n\r\n", 9,
		 RT_FRAMING_UNKNOWN, false},
	};
	struct rt_view v;
	struct rt_op op;

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		v = view(GET, rows[i].resp);
		v.resp_bytes += rows[i].more;
		v.tail = rt_slice_str(rows[i].tail);
		assert_int_equal(parse(&v, &op), RT_PARSE_OK);
		assert_int_equal(op.resp_framing, rows[i].framing);
		assert_int_equal(op.resp_enough, rows[i].enough);
		v.resp_blind = true;
		assert_int_equal(parse(&v, &op), RT_PARSE_OK);
		assert_int_not_equal(op.resp_framing, RT_FRAMING_COMPLETE);
	}
}

/* A response that is cut, but whose chunks end inside the capture, needs no tail:
 * what follows belongs to the next response of a pipeline. */
static void test_end_inside_the_capture(void **state)
{
	struct rt_view v = view(
		GET, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200");
	struct rt_op op;

	v.resp_bytes = 10000;
	v.tail = rt_slice_str("xxxxxxxx");
	assert_int_equal(parse(&v, &op), RT_PARSE_OK);
	assert_int_equal(op.resp_framing, RT_FRAMING_COMPLETE);
}

static void test_no_body_by_method(void **state)
{
	static const struct {
		const char *req, *status;
		u8 framing;
	} rows[] = {
		{"HEAD / HTTP/1.1\r\n\r\n", "200", RT_FRAMING_COMPLETE},
		{"HEAD / HTTP/1.1\r\n\r\n", "404", RT_FRAMING_COMPLETE},
		{"head / HTTP/1.1\r\n\r\n", "200", RT_FRAMING_PARTIAL}, /* another method */
		{"HEADS / HTTP/1.1\r\n\r\n", "200", RT_FRAMING_PARTIAL},
		{"CONNECT h:1 HTTP/1.1\r\n\r\n", "200", RT_FRAMING_COMPLETE},
		{"CONNECT h:1 HTTP/1.1\r\n\r\n", "299", RT_FRAMING_COMPLETE},
		{"CONNECT h:1 HTTP/1.1\r\n\r\n", "300", RT_FRAMING_PARTIAL},
		{"GET / HTTP/1.1\r\n\r\n", "204", RT_FRAMING_COMPLETE},
		{"GET / HTTP/1.1\r\n\r\n", "205", RT_FRAMING_PARTIAL},
		{"GET / HTTP/1.1\r\n\r\n", "304", RT_FRAMING_COMPLETE},
		{"GET / HTTP/1.1\r\n\r\n", "101", RT_FRAMING_COMPLETE},
	};
	char resp[64];

	for (u32 i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		struct rt_view v;
		struct rt_op op;

		snprintf(resp, sizeof(resp), "HTTP/1.1 %s X\r\nContent-Length: 9\r\n\r\n",
			 rows[i].status);
		v = view(rows[i].req, resp);
		assert_int_equal(parse(&v, &op), RT_PARSE_OK);
		if (op.resp_framing != rows[i].framing)
			fail_msg("%s%s: framing %u", rows[i].req, resp, op.resp_framing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_view),
		cmocka_unit_test(test_slices_point_into_the_view),
		cmocka_unit_test(test_counts_that_disagree),
		cmocka_unit_test(test_tails),
		cmocka_unit_test(test_enough),
		cmocka_unit_test(test_end_inside_the_capture),
		cmocka_unit_test(test_no_body_by_method),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
