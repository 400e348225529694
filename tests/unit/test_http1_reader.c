// SPDX-License-Identifier: Apache-2.0
/*
 * The reader of one direction of an HTTP/1 connection: where each message begins and
 * ends (RFC 9112, sections 2, 6, 7.1), whole, byte by byte, and cut in two at every byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/http1_reader.h"

#define A "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
#define B "POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"
#define C "PUT /c HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"                            \
	  "5;x=y\r\nGET /\r\n00a\r\n0123456789\r\n000\r\nTrailer: t\r\n\r\n"
#define OK     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define CHUNKS "HTTP/1.1 206 Some\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
#define EARLY  "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
#define NONE   "HTTP/1.1 204 No Content\r\n\r\n"
#define NOTMOD "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"

#define LINE128 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define LINE512 LINE128 LINE128 LINE128 LINE128
#define LONG_TARGET "GET /" LINE512 " HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
#define LONG_HEAD   "GET /l HTTP/1.1\r\nX: " LINE512 "\r\nContent-Length: 3\r\n\r\nabc"

/* What is read of the whole stream: "length.status" of each message; then "+n" for one
 * that has not ended after n bytes, "!" where it is lost. */
static const struct {
	const char *name;
	bool response, to_head, to_connect;
	const char *bytes;
	const char *want;
} rows[] = {
	{"three requests", false, false, false, A B C, "28.0 44.0 103.0 "},
	{"empty lines before one", false, false, false, A "\r\n\n" A, "28.0 28.0 "},
	{"bare line feeds", false, false, false, "GET / HTTP/1.0\nA: b\n\n" A, "21.0 28.0 "},
	{"a line longer than is kept", false, false, false, LONG_HEAD A, "558.0 28.0 "},
	{"a target longer than is kept", false, false, false, LONG_TARGET A, "552.0 28.0 "},
	{"half a head", false, false, false, A "GET /b HTTP/1.1\r\nHo", "28.0 +19"},
	{"half a body", false, false, false, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n123",
	 "+41"},
	{"no request", false, false, false, A "hello world\r\n\r\n", "28.0 !"},
	{"letters without an end", false, false, false, A LINE128, "28.0 !"},
	{"a letter too many in the version", true, false, false, "HTTP/1.1x", "!"},
	{"two lengths", false, false, false,
	 "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "!"},
	{"twice the same length", false, false, false,
	 "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab" A, "59.0 28.0 "},
	{"a length behind a coding", false, false, false,
	 "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 900\r\n\r\n0\r\n\r\n" A,
	 "73.0 28.0 "},
	{"not chunked last", false, false, false,
	 "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "!"},
	{"no chunk", false, false, false,
	 "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "!"},
	{"a chunk too long", false, false, false,
	 "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n", "!"},

	{"four answers", true, false, false, OK CHUNKS NONE NOTMOD OK, "40.200 61.206 27.204 49.304 40.200 "},
	{"an interim one", true, false, false, EARLY OK, "37.103 40.200 "},
	{"to HEAD", true, true, false, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n" NONE,
	 "38.200 27.204 "},
	{"to HEAD, chunked", true, true, false,
	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" NONE, "47.200 27.204 "},
	{"to CONNECT", true, false, true, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "38.200 "},
	{"to CONNECT, refused", true, false, true, "HTTP/1.1 407 No\r\nContent-Length: 1\r\n\r\nx",
	 "39.407 "},
	{"to the end", true, false, false, "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 No\r\n\r\n", "+38"},
	{"coded, to the end", true, false, false,
	 "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", "+47"},
	{"chunked by 1.0", true, false, false,
	 "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!"},
	{"a length that is none", true, false, false, "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
	 "!"},
	{"no answer", true, false, false, OK "220 mail\r\n", "40.200 !"},
	{"an empty body", true, false, false, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" OK,
	 "38.200 40.200 "},
	{"an empty line in a folded field", true, false, false,
	 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 3\r\n\r\n", "!"},
};

#define OUT_MAX 256

static void put(char *out, const char *before, u64 n, int status)
{
	size_t len = strlen(out);

	if (status < 0)
		snprintf(out + len, OUT_MAX - len, "%s%llu", before, (unsigned long long)n);
	else
		snprintf(out + len, OUT_MAX - len, "%s%llu.%d ", before, (unsigned long long)n,
			 status);
}

static void feed(struct rt_http1_reader *r, const char *p, size_t n, char *out)
{
	/* Of its own, so that one byte further is a report of the sanitizer. */
	u8 *copy = malloc(n ? n : 1);
	struct rt_slice in = {copy, (u32)n};
	enum rt_read what;

	assert_non_null(copy);
	memcpy(copy, p, n);
	do {
		u32 used = rt_http1_reader__feed(r, in, &what);

		assert_true(used <= in.len);
		in = rt_slice_skip(in, used);
		if (what == RT_READ_END)
			put(out, "", r->bytes, r->status);
		else if (what == RT_READ_LOST && !strchr(out, '!'))
			out[strlen(out)] = '!';
	} while (what == RT_READ_HEAD || what == RT_READ_END);
	assert_true(what == RT_READ_LOST || in.len == 0);
	free(copy);
}

static void init(struct rt_http1_reader *r, size_t row)
{
	rt_http1_reader__init(r, rows[row].response);
	r->to_head = rows[row].to_head;
	r->to_connect = rows[row].to_connect;
}

static void finish(const struct rt_http1_reader *r, char *out, size_t row, size_t cut)
{
	if (r->begun && !strchr(out, '!'))
		put(out, "+", r->bytes, -1);
	if (strcmp(out, rows[row].want) != 0)
		fail_msg("%s, cut at %zu: %s, not %s", rows[row].name, cut, out, rows[row].want);
}

static void test_messages(void **state)
{
	for (size_t row = 0; row < RT_ARRAY_SIZE(rows); row++) {
		const char *bytes = rows[row].bytes;
		size_t len = strlen(bytes);
		struct rt_http1_reader r;
		char out[OUT_MAX];

		for (size_t cut = 0; cut <= len; cut++) {
			memset(out, 0, sizeof(out));
			init(&r, row);
			feed(&r, bytes, cut, out);
			feed(&r, bytes + cut, len - cut, out);
			finish(&r, out, row, cut);
		}
		memset(out, 0, sizeof(out));
		init(&r, row);
		for (size_t i = 0; i < len; i++)
			feed(&r, bytes + i, 1, out);
		finish(&r, out, row, len + 1);
	}
}

static void test_what_is_kept(void **state)
{
	struct rt_http1_reader r;
	char out[OUT_MAX] = "";

	rt_http1_reader__init(&r, false);
	feed(&r, LONG_HEAD, strlen(LONG_HEAD), out);
	assert_int_equal(r.head_len, RT_REQ_HEAD_MAX);
	assert_memory_equal(r.head, LONG_HEAD, RT_REQ_HEAD_MAX);
	feed(&r, "\r\n" B, 2 + strlen(B), out);
	/* the head alone, without what stands before it */
	assert_int_equal(r.head_len, strlen(B) - 5);
	assert_memory_equal(r.head, B, r.head_len);
	assert_false(r.begun);
}

static void test_skip(void **state)
{
	struct rt_http1_reader r;
	char out[OUT_MAX] = "";

	/* in a body of known length: no loss, and its end is known */
	rt_http1_reader__init(&r, true);
	feed(&r, OK, strlen(OK) - 2, out);
	assert_int_equal(rt_http1_reader__skip(&r, 1), RT_READ_MORE);
	assert_int_equal(rt_http1_reader__skip(&r, 1), RT_READ_END);
	feed(&r, NONE, strlen(NONE), out);
	assert_string_equal(out, "27.204 ");
	/* beyond its end, between messages, and in a head: nobody knows */
	rt_http1_reader__init(&r, true);
	feed(&r, OK, strlen(OK) - 2, out);
	assert_int_equal(rt_http1_reader__skip(&r, 3), RT_READ_LOST);
	rt_http1_reader__init(&r, true);
	assert_int_equal(rt_http1_reader__skip(&r, 1), RT_READ_LOST);
	feed(&r, OK, strlen(OK), out);
	assert_string_equal(out, "27.204 !");
	rt_http1_reader__init(&r, false);
	feed(&r, A, 5, out);
	assert_int_equal(rt_http1_reader__skip(&r, 1), RT_READ_LOST);
	/* in a chunk, and at its end, but not further */
	memset(out, 0, sizeof(out));
	rt_http1_reader__init(&r, true);
	feed(&r, CHUNKS, strlen(CHUNKS) - 9, out);
	assert_int_equal(rt_http1_reader__skip(&r, 2), RT_READ_MORE);
	feed(&r, "\r\n0\r\n\r\n", 7, out);
	assert_string_equal(out, "61.206 ");
	feed(&r, CHUNKS, strlen(CHUNKS) - 9, out);
	assert_int_equal(rt_http1_reader__skip(&r, 3), RT_READ_LOST);
	/* in what the end of the connection ends: as much as there is */
	rt_http1_reader__init(&r, true);
	feed(&r, "HTTP/1.1 200 OK\r\n\r\n", 19, out);
	assert_int_equal(rt_http1_reader__skip(&r, 1ull << 40), RT_READ_MORE);
	assert_true(r.until_close && r.bytes == (1ull << 40) + 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
