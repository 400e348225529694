// SPDX-License-Identifier: Apache-2.0
/*
 * The follower of pipelined connections: pieces as the kernel sends them in, requests told
 * one by one out. What must be told follows from the bytes and times that each test writes.
 */
#include "finish_helper.h"

#define SEQ 5
#define R1  "GET /1 HTTP/1.1\r\nHost: h\r\n\r\n"
#define R2  "POST /2 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
#define R3  "HEAD /3 HTTP/1.1\r\n\r\n"
#define R4  "GET /4 HTTP/1.1\r\n\r\n"
#define A1  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define A2  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
#define A3  "HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n"
#define A4  "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"

/* All that was told, "path status error request+response duration;" each. */
static char lines[1 << 16];
static u64 req_pos, resp_pos, now;

static void on_told(void *ctx, const struct rt_finished *f)
{
	static const char *const errors[] = {"-", "reset", "closed", "timeout"};
	size_t n = strlen(lines);

	assert_non_null(f->process);
	snprintf(lines + n, sizeof(lines) - n, "%.*s %u %s %llu+%llu %llu;", (int)f->op->path.len,
		 f->op->path.p, f->op->status, errors[f->error],
		 (unsigned long long)f->x->req_bytes, (unsigned long long)f->response_bytes,
		 (unsigned long long)f->duration_ns);
}

static int begin(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));

	t->meta = rt_meta__new(&t->cfg);
	t->f = rt_finisher__new(on_told, on_active, t);
	*state = t;
	lines[0] = '\0';
	return t->meta && t->f ? 0 : -1;
}

/* The connection is found to be pipelined, by bytes behind `first` at time `at`. */
static void open_stream(struct fixture *t, u8 role, const char *first, u64 at)
{
	record(t, role, RT_X_STREAM, first, "", 0);
	t->x.seq = SEQ;
	t->x.end = 0;
	t->x.req_start = t->x.req_end = at;
	req_pos = strlen(first);
	resp_pos = 0;
	rt_finisher__exchange(t->f, t->meta, &t->x, t->x.size);
}

/* One record: `len` bytes of an operation, of which `gap` more were not captured. */
static void piece(struct fixture *t, u32 flags, const void *bytes, size_t len, u64 gap)
{
	struct rt_chunk *c = calloc(1, sizeof(*c));
	u64 *pos = flags & RT_CHUNK_RESPONSE ? &resp_pos : &req_pos;
	u32 size = (u32)(offsetof(struct rt_chunk, data) + len);
	u8 *exact;

	assert_in_range(len, 0, sizeof(c->data));
	c->type = RT_EV_CHUNK;
	c->size = (u16)size;
	c->seq = SEQ;
	c->conn_id = 77;
	c->pid = (u32)getpid();
	c->time = now;
	c->flags = flags;
	c->pos = *pos;
	c->upto = *pos = *pos + len + gap;
	memcpy(c->data, bytes, len);
	exact = malloc(size);
	memcpy(exact, c, size);
	rt_finisher__chunk(t->f, t->meta, (void *)exact, size);
	free(exact);
	free(c);
}

static void asks(struct fixture *t, u64 at, const char *bytes)
{
	now = at;
	piece(t, RT_CHUNK_FIRST, bytes, strlen(bytes), 0);
}

static void answers(struct fixture *t, u64 at, const char *bytes)
{
	now = at;
	piece(t, RT_CHUNK_FIRST | RT_CHUNK_RESPONSE, bytes, strlen(bytes), 0);
}

static void closes(struct fixture *t, u8 role, u32 flags, u64 at)
{
	record(t, role, RT_X_STREAM | RT_X_CLOSED | flags, GET, "", 0);
	t->x.seq = SEQ;
	t->x.end = at;
	t->x.req_len = 0;
	t->x.size = FIXED;
	t->x.req_bytes = req_pos;
	t->x.resp_bytes = resp_pos;
	rt_finisher__exchange(t->f, t->meta, &t->x, t->x.size);
}

/* `kernel`: exchanges that the kernel counted as started: one per stream. */
static void assert_conserved(struct fixture *t, u64 kernel)
{
	struct rt_finish_counts c;

	rt_finisher__sweep_begin(t->f);
	rt_finisher__sweep_end(t->f);
	c = counts(t);
	assert_int_equal(kernel + c.started, c.finished + c.aborted + c.rejected + c.evicted +
						     c.endless);
	assert_int_equal(c.bad, 0);
}

static const char *const all = R2 R3 R4;
static const char *const all_answers = A1 A2 A3 A4;

/* 44 = the length of R2, and so on; durations are from 1000, 2000 to 5000. */
static void expect_four(u64 d1, u64 d2, u64 d3, u64 d4)
{
	char want[256];

	snprintf(want, sizeof(want),
		 "/1 200 - %zu+%zu %llu;/2 404 - %zu+%zu %llu;/3 200 - %zu+%zu %llu;"
		 "/4 503 - %zu+%zu %llu;",
		 strlen(R1), strlen(A1), (unsigned long long)d1, strlen(R2), strlen(A2) - 25,
		 (unsigned long long)d2, strlen(R3), strlen(A3), (unsigned long long)d3,
		 strlen(R4), strlen(A4), (unsigned long long)d4);
	assert_string_equal(lines, want);
}

static void test_in_order(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, all);
	assert_string_equal(lines, "");
	answers(t, 5000, all_answers);
	expect_four(4000, 4000, 4000, 4000);
	assert_int_equal(counts(t).started, 3);
	assert_int_equal(counts(t).streamed, 4);
	closes(t, S, RT_X_LOCAL_FIN, 6000);
	assert_conserved(t, 1);
	assert_int_equal(counts(t).finished, 4);
}

/* The times of a message are those of the operations with its first and last byte. */
static void test_times(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1500, "POST /2 HTTP/1.1\r\nContent-Length: 4\r\n\r\nbo");
	asks(t, 1600, "dy" R3 "G");
	asks(t, 1700, "ET /4 HTTP/1.1\r\n\r\n");
	answers(t, 2000, A1);
	answers(t, 3000, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\n");
	answers(t, 4000, "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" A3 A4);
	expect_four(2000 - 1000, 4000 - 1500, 4000 - 1600, 4000 - 1600);
	closes(t, S, 0, 6000);
	assert_conserved(t, 1);
}

static void test_cut_at_every_byte(void **state)
{
	struct fixture *t = *state;
	size_t asked = strlen(all), answered = strlen(all_answers);
	char bytes[512];

	for (size_t cut = 0; cut <= asked || cut <= answered; cut++) {
		size_t a = cut < asked ? cut : asked, b = cut < answered ? cut : answered;

		lines[0] = '\0';
		open_stream(t, S, R1, 1000);
		memcpy(bytes, all, a);
		bytes[a] = '\0';
		asks(t, 1000, bytes);
		asks(t, 1000, all + a);
		memcpy(bytes, all_answers, b);
		bytes[b] = '\0';
		answers(t, 5000, bytes);
		answers(t, 5000, all_answers + b);
		expect_four(4000, 4000, 4000, 4000);
		closes(t, S, RT_X_LOCAL_FIN, 6000);
	}
	lines[0] = '\0';
	open_stream(t, S, R1, 1000);
	for (const char *p = all; *p; p++)
		asks(t, 1000, (char[]){*p, '\0'});
	for (const char *p = all_answers; *p; p++)
		answers(t, 5000, (char[]){*p, '\0'});
	expect_four(4000, 4000, 4000, 4000);
	closes(t, S, RT_X_LOCAL_FIN, 6000);
	assert_conserved(t, answered > asked ? answered + 2 : asked + 2);
}

/* Unanswered, or half answered, at the end: aborted, each for the reason it has alone. */
static void test_end(void **state)
{
	static const struct {
		u8 role;
		u32 flags;
		const char *answers;
		const char *want;
	} rows[] = {
		{S, RT_X_LOCAL_FIN, A1, "/1 200 - 28+40 4000;/4 0 closed 19+0 6000;"},
		{S, RT_X_RESET, A1, "/1 200 - 28+40 4000;/4 0 reset 19+0 6000;"},
		{C, RT_X_PEER_FIN, A1, "/1 200 - 28+40 4000;/4 0 closed 19+0 6000;"},
		{C, RT_X_LOCAL_FIN, A1, "/1 200 - 28+40 4000;/4 0 timeout 19+0 6000;"},
		{C, RT_X_TIMED_OUT, "", "/1 0 timeout 28+0 6000;/4 0 timeout 19+0 6000;"},
		{S, RT_X_LOCAL_FIN, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nx",
		 "/1 200 closed 28+39 6000;/4 0 closed 19+0 6000;"},
		{S, RT_X_LOCAL_FIN, A1 "HTTP/1.1 2",
		 "/1 200 - 28+40 4000;/4 0 closed 19+10 6000;"},
		{S, RT_X_LOCAL_FIN, A1 "HTTP/1.1 200 OK\r\n\r\nto the end",
		 "/1 200 - 28+40 4000;/4 200 - 19+29 4000;"},
		{C, RT_X_PEER_FIN, A1 "HTTP/1.1 200 OK\r\n\r\nto the end",
		 "/1 200 - 28+40 4000;/4 200 - 19+29 4000;"},
		{C, RT_X_RESET, A1 "HTTP/1.1 200 OK\r\n\r\nto the end",
		 "/1 200 - 28+40 4000;/4 200 reset 19+29 6000;"},
		{S, RT_X_LOCAL_FIN, A1 "HTTP/1.1 100 Continue\r\n",
		 "/1 200 - 28+40 4000;/4 0 closed 19+0 6000;"},
	};
	struct fixture *t = *state;

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		lines[0] = '\0';
		open_stream(t, rows[i].role, R1, 1000);
		asks(t, 1000, R4);
		answers(t, 5000, rows[i].answers);
		closes(t, rows[i].role, rows[i].flags, 7000);
		assert_string_equal(lines, rows[i].want);
	}
	assert_conserved(t, RT_ARRAY_SIZE(rows));
}

/* A server that refuses half a request; one that came to nothing. */
static void test_half_a_request(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, "GET /half HTTP/1.1\r\nHost");
	answers(t, 2000, A1 "HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n");
	assert_string_equal(lines, "/1 200 - 28+40 1000;/half 408 - 24+40 1000;");
	closes(t, S, RT_X_LOCAL_FIN, 3000);

	lines[0] = '\0';
	open_stream(t, S, R1, 1000);
	asks(t, 1000, "GET /half HTTP/1.1\r\nHost");
	answers(t, 2000, A1);
	closes(t, S, RT_X_LOCAL_FIN, 3000);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/half 0 closed 24+0 2000;");

	lines[0] = '\0';
	open_stream(t, S, R1, 1000);
	asks(t, 1000, "GET /ha");
	answers(t, 2000, A1);
	closes(t, S, RT_X_LOCAL_FIN, 3000);
	assert_string_equal(lines, "/1 200 - 28+40 1000;");
	assert_conserved(t, 3);
}

/* What is not captured of a body does not matter. */
static void test_gaps_in_bodies(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, "PUT /big HTTP/1.1\r\nContent-Length: 100000\r\n\r\n01234");
	now = 1100;
	piece(t, RT_CHUNK_FIRST, "56789", 5, 90000);
	req_pos += 9990; /* this record was lost */
	asks(t, 1200, R4);
	answers(t, 2000, A1);
	now = 2100;
	piece(t, RT_CHUNK_FIRST | RT_CHUNK_RESPONSE, "HTTP/1.1 201 New\r\nContent-Length: 300000\r\n\r\n",
	      44, 99999);
	now = 2200;
	piece(t, RT_CHUNK_FIRST | RT_CHUNK_RESPONSE, "", 0, 200001);
	answers(t, 2300, A4);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/big 201 - 100045+300044 1200;"
				 "/4 503 - 19+40 1100;");
	assert_int_equal(counts(t).torn, 0);
	closes(t, S, RT_X_LOCAL_FIN, 3000);
	assert_conserved(t, 1);
}

/* Elsewhere it does: what is in flight is evicted, and what follows told from the next
 * sure beginning on. */
static void test_lost_answers(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4 R4);
	answers(t, 2000, A1);
	resp_pos += 20;
	answers(t, 2100, A4);
	assert_string_equal(lines, "/1 200 - 28+40 1000;");
	assert_int_equal(counts(t).evicted, 2);
	assert_int_equal(counts(t).torn, 1);
	lines[0] = '\0';
	asks(t, 3000, R1 R4);
	answers(t, 4000, A1 A4);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/4 503 - 19+40 1000;");
	closes(t, S, RT_X_LOCAL_FIN, 5000);
	assert_conserved(t, 1);
}

/* In an answer's head, or at a chunk's length: how it ended is not known, nor when. */
static void test_lost_within_answers(void **state)
{
	static const char *const begun[] = {
		"HTTP/1.1 200 OK\r\nContent-Le",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	};

	for (size_t i = 0; i < 2 * RT_ARRAY_SIZE(begun); i++) {
		struct fixture *t = *state;
		u32 evicted = (u32)counts(t).evicted, torn = (u32)counts(t).torn;

		lines[0] = '\0';
		open_stream(t, S, R1, 1000);
		asks(t, 1000, R4);
		answers(t, 1200, begun[i / 2]);
		resp_pos += 20;
		if (i % 2)
			answers(t, 9999000, A4);
		closes(t, S, RT_X_RESET, 9999500);
		assert_string_equal(lines, "");
		assert_int_equal(counts(t).evicted, evicted + 2);
		assert_int_equal(counts(t).torn, torn + 1);
		assert_conserved(t, i + 1);
	}
}

/* `Expect: 100-continue`, and no: the client keeps the body, or sends it all the same. */
static void test_refused_by_the_head(void **state)
{
	static const char put[] = "PUT /4 HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4);
	answers(t, 2000, A1 A4);
	lines[0] = '\0';
	for (int i = 0; i < 2; i++) {
		asks(t, 3000, put);
		answers(t, 3500, A4);
		if (i)
			asks(t, 3600, "body body");
		asks(t, 4000, R1);
		answers(t, 4500, A1);
	}
	assert_string_equal(lines, "/4 503 - 38+40 500;/1 200 - 28+40 500;"
				   "/4 503 - 38+40 500;/1 200 - 28+40 500;");
	closes(t, S, RT_X_LOCAL_FIN, 5000);
	assert_conserved(t, 1);
}

/* Answers to HEAD have no body, also where an empty line precedes the first request. */
static void test_empty_line_before_head(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, "\r\nHEAD /1 HTTP/1.1\r\nHost: h\r\n\r\n", 1000);
	asks(t, 1000, R4);
	answers(t, 2000, "HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n" A4);
	assert_string_equal(lines, "/1 200 - 31+40 1000;/4 503 - 19+40 1000;");
	closes(t, S, RT_X_LOCAL_FIN, 5000);
	assert_conserved(t, 1);
}

static void test_lost_requests(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4 "GET /lost");
	req_pos += 30;
	asks(t, 1000, R4);
	/* those before the loss have their answers in order, the others have nobody's */
	answers(t, 2000, A1 A4);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/4 503 - 19+40 1000;");
	answers(t, 2000, A4 A4);
	asks(t, 3000, R1);
	answers(t, 3500, A1);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/4 503 - 19+40 1000;/1 200 - 28+40 500;");
	closes(t, S, RT_X_LOCAL_FIN, 5000);
	assert_conserved(t, 1);
}

/* A client that sends on while answers are owed: whose the next one is, only silence says. */
static void test_lost_in_a_window(void **state)
{
	struct fixture *t = *state;
	const u64 s = 1000000000;

	open_stream(t, C, R1, 1000);
	asks(t, 1000, R4 R4);
	answers(t, 2000, A1);
	asks(t, 2100, R4);
	resp_pos += 20;
	answers(t, 2200, A4);
	lines[0] = '\0';
	asks(t, 2300, R1);
	answers(t, 2400, A4);
	asks(t, 2500, R1);
	answers(t, 2600, A1);
	assert_string_equal(lines, "");
	asks(t, 2600 + s, R1);
	answers(t, 3000 + s, A1);
	assert_string_equal(lines, "/1 200 - 28+40 400;");
	closes(t, C, RT_X_PEER_FIN, 5 * s);
	assert_conserved(t, 1);
}

/* The last pieces before the end are lost: whether they held the answer is not known. */
static void test_lost_end(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4);
	answers(t, 2000, A1);
	resp_pos += strlen(A4);
	closes(t, S, RT_X_LOCAL_FIN, 3000);
	assert_string_equal(lines, "/1 200 - 28+40 1000;");
	assert_int_equal(counts(t).evicted, 1);

	/* The record of the end is lost itself: the sweep does not see it any more. */
	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4 R4);
	answers(t, 2000, A1);
	for (int i = 0; i < 10; i++) {
		rt_finisher__sweep_begin(t->f);
		rt_finisher__sweep_end(t->f);
	}
	assert_int_equal(counts(t).evicted, 3);
	assert_conserved(t, 2);
}

/* Refused by the head alone: what comes of the body after it is no request, nor is the close in
 * its midst another one. */
static void test_answered_within_the_body(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, "POST /5 HTTP/1.1\r\nContent-Length: 1000\r\n\r\npart");
	answers(t, 2000, A1 "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n");
	asks(t, 2500, "more");
	answers(t, 2600, "HTTP/1.1 408 Late\r\nContent-Length: 0\r\n\r\n");
	closes(t, S, 0, 3000);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/5 413 - 46+41 1000;");
	assert_int_equal(counts(t).started, 1);
	assert_conserved(t, 1);
}

/* A body whose length is nonsense: the request is one all the same, and refused. */
static void test_nonsense_of_the_body(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1500, "POST /6 HTTP/1.1\r\nContent-Length: abc\r\n\r\n");
	answers(t, 2000, A1 "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
	closes(t, S, 0, 3000);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/6 400 - 41+39 500;");
	assert_conserved(t, 1);
}

static void test_sweep(void **state)
{
	struct rt_active a = {.type = RT_EV_ACTIVE, .size = sizeof(a), .conn_id = 77, .seq = SEQ,
			      .role = S, .stream = 1};
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4 R4);
	for (int i = 0; i < 20; i++) {
		rt_finisher__sweep_begin(t->f);
		rt_finisher__active(t->f, &a);
		rt_finisher__sweep_end(t->f);
		assert_int_equal(counts(t).in_flight, 3);
	}
	assert_int_equal(t->flying, 60);
	answers(t, 2000, A1 A4);
	rt_finisher__sweep_begin(t->f);
	rt_finisher__active(t->f, &a);
	rt_finisher__sweep_end(t->f);
	assert_int_equal(counts(t).in_flight, 1);
	answers(t, 2000, A4);
	closes(t, S, 0, 3000);
	assert_conserved(t, 1);
}

/* 101 and CONNECT: the protocol ends there. */
static void test_left(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	asks(t, 1000, "GET /ws HTTP/1.1\r\nUpgrade: x\r\n\r\n");
	answers(t, 2000, A1 "HTTP/1.1 101 Go\r\n\r\n");
	answers(t, 2100, A4);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/ws 101 - 32+19 1000;");
	closes(t, S, 0, 3000);
	assert_conserved(t, 1);
}

/* More in flight than is kept: evicted, and no memory for them. */
static void test_bounds(void **state)
{
	struct fixture *t = *state;

	open_stream(t, S, R1, 1000);
	for (int i = 0; i < 10000; i++)
		asks(t, 1000, R4);
	assert_in_range(counts(t).evicted, 4096, 10000);
	closes(t, S, 0, 3000);
	assert_conserved(t, 1);
}

/* More connections than are followed: of each of the others it is told that it is missing. */
static void test_many_connections(void **state)
{
	struct fixture *t = *state;

	for (u64 i = 0; i < 8192 + 10; i++) {
		record(t, S, RT_X_STREAM, R1, "", 0);
		t->x.seq = SEQ;
		t->x.conn_id = 1000 + i;
		rt_finisher__exchange(t->f, t->meta, &t->x, t->x.size);
	}
	assert_int_equal(counts(t).evicted, 10);
	assert_int_equal(counts(t).torn, 10);
	/* There is room again as soon as one ends. */
	record(t, S, RT_X_STREAM | RT_X_CLOSED, GET, "", 0);
	t->x.seq = SEQ;
	t->x.conn_id = 1000;
	rt_finisher__exchange(t->f, t->meta, &t->x, t->x.size);
	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4);
	answers(t, 2000, A1 A4);
	assert_int_equal(counts(t).finished, 2);
	assert_int_equal(counts(t).torn, 10);
}

/* Records that contradict themselves change nothing. */
static void test_bad_records(void **state)
{
	struct fixture *t = *state;
	struct rt_chunk c = {.type = RT_EV_CHUNK, .size = sizeof(c), .conn_id = 77, .seq = SEQ};

	open_stream(t, S, R1, 1000);
	asks(t, 1000, R4);
	rt_finisher__chunk(t->f, t->meta, &c, sizeof(c) - 1);
	rt_finisher__chunk(t->f, t->meta, &c, 10);
	c.size = 10;
	rt_finisher__chunk(t->f, t->meta, &c, sizeof(c));
	c.size = sizeof(c);
	c.upto = 5; /* before the end of its data */
	rt_finisher__chunk(t->f, t->meta, &c, sizeof(c));
	c.upto = sizeof(c.data); /* before what came already */
	rt_finisher__chunk(t->f, t->meta, &c, sizeof(c));
	assert_int_equal(counts(t).bad, 5);
	/* of a connection that nobody knows */
	c.seq++;
	rt_finisher__chunk(t->f, t->meta, &c, sizeof(c));
	assert_int_equal(counts(t).bad, 5);
	answers(t, 2000, A1 A4);
	assert_string_equal(lines, "/1 200 - 28+40 1000;/4 503 - 19+40 1000;");
}

#undef TEST
#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_order),
		TEST(test_times),
		TEST(test_cut_at_every_byte),
		TEST(test_end),
		TEST(test_half_a_request),
		TEST(test_gaps_in_bodies),
		TEST(test_lost_answers),
		TEST(test_lost_within_answers),
		TEST(test_empty_line_before_head),
		TEST(test_refused_by_the_head),
		TEST(test_lost_requests),
		TEST(test_lost_in_a_window),
		TEST(test_lost_end),
		TEST(test_answered_within_the_body),
		TEST(test_nonsense_of_the_body),
		TEST(test_sweep),
		TEST(test_left),
		TEST(test_bounds),
		TEST(test_many_connections),
		TEST(test_bad_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
