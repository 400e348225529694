// SPDX-License-Identifier: Apache-2.0
/*
 * The finisher: what one record is told as. Rows give a role, the kernel's
 * flags and a response; what must come of it follows from HTTP's framing
 * (RFC 9112 6.3) and from who ended the connection. Sequences of records are
 * in test_finish_once.c.
 */
#include "finish_helper.h"

/* --- one record -------------------------------------------------------------- */

struct row {
	const char *name;
	u8 role;
	u32 flags;
	const char *resp;
	u64 more;
	enum outcome outcome;
	u16 status;
	enum rt_error error;
};

static const struct row rows[] = {
	/* silent: only the response's own framing can say that it is over */
	{"silent, complete", S, RT_X_IDLE, FULL, 0, FINISHED, 200, NONE},
	{"silent, complete, client", C, RT_X_IDLE, FULL, 0, FINISHED, 200, NONE},
	{"silent, bytes owed", S, RT_X_IDLE, PARTIAL, 0, NOTHING, 0, NONE},
	{"silent, the owed bytes came uncaptured", S, RT_X_IDLE, PARTIAL, 7, FINISHED, 200, NONE},
	{"silent, one byte is owed", S, RT_X_IDLE, PARTIAL, 6, NOTHING, 0, NONE},
	{"silent, chunks go on", S, RT_X_IDLE, CHUNKS, 0, NOTHING, 0, NONE},
	{"silent, last chunk", S, RT_X_IDLE, CHUNKS "0\r\n\r\n", 0, FINISHED, 200, NONE},
	{"silent, until close", S, RT_X_IDLE, TO_EOF, 0, NOTHING, 0, NONE},
	{"silent, server shut down its side", S, RT_X_IDLE | RT_X_LOCAL_FIN, TO_EOF, 0, FINISHED,
	 200, NONE},
	{"silent, its client did", S, RT_X_IDLE | RT_X_PEER_FIN, TO_EOF, 0, NOTHING, 0, NONE},
	{"silent, the end waits to be read", C, RT_X_IDLE | RT_X_PEER_FIN, TO_EOF, 0, NOTHING, 0,
	 NONE},
	{"silent, client shut down its side", C, RT_X_IDLE | RT_X_LOCAL_FIN, TO_EOF, 0, NOTHING, 0,
	 NONE},
	{"silent, nobody knows its end", S, RT_X_IDLE, INVALID, 0, NOTHING, 0, NONE},
	{"silent for long, nobody knows its end", S, RT_X_IDLE | RT_X_LONG_IDLE, INVALID, 0,
	 FINISHED, 200, NONE},
	{"silent for long, bytes owed", S, RT_X_IDLE | RT_X_LONG_IDLE, PARTIAL, 0, NOTHING, 0,
	 NONE},
	{"silent, long head, enough", S, RT_X_IDLE, LONG_HEAD, 150, NOTHING, 0, NONE},
	{"silent for long, long head, enough", S, RT_X_IDLE | RT_X_LONG_IDLE, LONG_HEAD, 150,
	 FINISHED, 200, NONE},
	{"silent for long, long head, bytes owed", S, RT_X_IDLE | RT_X_LONG_IDLE, LONG_HEAD, 99,
	 NOTHING, 0, NONE},
	{"silent, no status yet", S, RT_X_IDLE, STUB, 0, NOTHING, 0, NONE},
	{"silent, interim only", S, RT_X_IDLE, INTERIM, 0, NOTHING, 0, NONE},
	{"silent, foreign answer", S, RT_X_IDLE, FOREIGN, 0, NOTHING, 0, NONE},

	/* over, as the next request began: whatever is there was enough for the client */
	{"next, complete", S, 0, FULL, 0, FINISHED, 200, NONE},
	{"next, complete, client", C, 0, FULL, 0, FINISHED, 200, NONE},
	{"next, bytes owed", S, 0, PARTIAL, 0, FINISHED, 200, NONE},
	{"next, until close", C, 0, TO_EOF, 0, FINISHED, 200, NONE},
	{"next, end unknown", S, 0, INVALID, 0, FINISHED, 200, NONE},
	{"next, after silence that told nothing", S, RT_X_AFTER_IDLE, FULL, 0, FINISHED, 200, NONE},
	{"next, unreadable answer", S, RT_X_RESP_BLIND, "", 300, FINISHED, 0, NONE},
	{"next, interim ones fill the capture", C, 0, INTERIM, 600, FINISHED, 0, NONE},
	{"next, foreign answer", S, 0, FOREIGN, 0, REJECTED, 0, NONE},
	{"upgraded", S, RT_X_UPGRADED, "HTTP/1.1 101 Switching\r\n\r\n", 0, FINISHED, 101, NONE},

	/* closed; server: the response is whole */
	{"server closed, complete", S, CLOSED | RT_X_LOCAL_FIN, FULL, 0, FINISHED, 200, NONE},
	{"server closed, until close", S, CLOSED | RT_X_LOCAL_FIN, TO_EOF, 0, FINISHED, 200, NONE},
	{"server closed, end unknown", S, CLOSED | RT_X_LOCAL_FIN, INVALID, 0, FINISHED, 200, NONE},
	{"server closed, unreadable", S, CLOSED | RT_X_LOCAL_FIN | RT_X_RESP_BLIND, "", 300,
	 FINISHED, 0, NONE},
	{"client left first, complete", S, CLOSED | RT_X_PEER_FIN | RT_X_LOCAL_FIN, FULL, 0,
	 FINISHED, 200, NONE},
	{"reset, but all was acknowledged", S, RST, FULL, 0, FINISHED, 200, NONE},
	{"reset, not acknowledged", S, RST | RT_X_UNACKED, FULL, 0, ABORTED, 200, RESET},
	{"long head, enough, reset behind it", S, RST, LONG_HEAD, 150, FINISHED, 200, NONE},
	{"long head, enough, not acknowledged", S, RST | RT_X_UNACKED, LONG_HEAD, 150, ABORTED, 200,
	 RESET},
	{"unacknowledged at an orderly close", S, CLOSED | RT_X_LOCAL_FIN | RT_X_UNACKED, FULL, 0,
	 FINISHED, 200, NONE},
	{"given up, not acknowledged", S, BROKEN | RT_X_UNACKED, FULL, 0, ABORTED, 200, LATE},
	{"server reset after a whole response", S, CLOSED | RT_X_LOCAL_RESET, FULL, 0, FINISHED,
	 200, NONE},
	{"until close, reset behind the end", S, RST | RT_X_LOCAL_FIN, TO_EOF, 0, FINISHED, 200,
	 NONE},
	{"until close, reset before it was taken", S, RST | RT_X_LOCAL_FIN | RT_X_UNACKED, TO_EOF,
	 0, ABORTED, 200, RESET},

	/* closed; server: it is not */
	{"no answer", S, CLOSED | RT_X_LOCAL_FIN, "", 0, ABORTED, 0, EOS},
	{"no answer, client left first", S, CLOSED | RT_X_PEER_FIN | RT_X_LOCAL_FIN, "", 0, ABORTED,
	 0, EOS},
	{"no answer, server reset", S, CLOSED | RT_X_LOCAL_RESET, "", 0, ABORTED, 0, EOS},
	{"no answer, reset by the client", S, RST, "", 0, ABORTED, 0, RESET},
	{"part of a status line", S, CLOSED | RT_X_LOCAL_FIN, STUB, 0, ABORTED, 0, EOS},
	{"interim only", S, CLOSED | RT_X_LOCAL_FIN, INTERIM, 0, ABORTED, 0, EOS},
	{"server closed in mid-body", S, CLOSED | RT_X_LOCAL_FIN, PARTIAL, 0, ABORTED, 200, EOS},
	{"server closed between chunks", S, CLOSED | RT_X_LOCAL_FIN, CHUNKS, 0, ABORTED, 200, EOS},
	{"client reset in mid-body", S, RST | RT_X_UNACKED, PARTIAL, 0, ABORTED, 200, RESET},
	{"client reset, all so far was taken", S, RST, PARTIAL, 0, ABORTED, 200, RESET},
	{"given up in mid-body", S, BROKEN, PARTIAL, 0, ABORTED, 200, LATE},
	{"long head, client reset in mid-body", S, RST, LONG_HEAD, 99, ABORTED, 200, RESET},
	{"until close, client reset", S, RST, TO_EOF, 0, ABORTED, 200, RESET},
	{"until close, server reset", S, CLOSED | RT_X_LOCAL_RESET, TO_EOF, 0, ABORTED, 200, EOS},
	{"end unknown, reset", S, RST, INVALID, 0, ABORTED, 200, RESET},
	{"unreadable, reset", S, RST | RT_X_RESP_BLIND, "", 300, ABORTED, 0, RESET},
	{"foreign answer, reset", S, RST, FOREIGN, 0, REJECTED, 0, NONE},

	/* closed; client: the response is whole */
	{"client closed, complete", C, CLOSED | RT_X_LOCAL_FIN, FULL, 0, FINISHED, 200, NONE},
	{"client reset, complete", C, CLOSED | RT_X_LOCAL_RESET, FULL, 0, FINISHED, 200, NONE},
	{"complete, then reset by the server", C, RST | RT_X_UNACKED, FULL, 0, FINISHED, 200, NONE},
	{"long head, enough, then reset by the server", C, RST | RT_X_UNACKED, LONG_HEAD, 150,
	 FINISHED, 200, NONE},
	{"until close, end read", C, CLOSED | RT_X_PEER_FIN | RT_X_LOCAL_FIN, TO_EOF, 0, FINISHED,
	 200, NONE},

	/* closed; client: it is not */
	{"until close, the rest thrown away", C, CLOSED | RT_X_PEER_FIN | RT_X_LOCAL_RESET, TO_EOF,
	 0, ABORTED, 200, EOS},
	{"server hung up", C, CLOSED | RT_X_PEER_FIN | RT_X_LOCAL_FIN, "", 0, ABORTED, 0, EOS},
	{"server hung up in mid-body", C, CLOSED | RT_X_PEER_FIN, PARTIAL, 0, ABORTED, 200, EOS},
	{"server reset", C, RST, "", 0, ABORTED, 0, RESET},
	{"server reset in mid-body", C, RST, PARTIAL, 0, ABORTED, 200, RESET},
	{"server reset in mid-body, long head", C, RST, LONG_HEAD, 99, ABORTED, 200, RESET},
	{"until close, server reset", C, RST | RT_X_PEER_FIN, TO_EOF, 0, ABORTED, 200, RESET},
	{"the kernel gave up", C, BROKEN, "", 0, ABORTED, 0, LATE},
	{"gave up waiting", C, CLOSED | RT_X_LOCAL_FIN, "", 0, ABORTED, 0, LATE},
	{"gave up waiting, by a reset", C, CLOSED | RT_X_LOCAL_RESET, "", 0, ABORTED, 0, LATE},
	{"gave up in mid-body", C, CLOSED | RT_X_LOCAL_FIN, PARTIAL, 0, ABORTED, 200, LATE},
	{"broke off in mid-body", C, CLOSED | RT_X_LOCAL_RESET, PARTIAL, 0, ABORTED, 200, RESET},
	{"until close, broke off", C, CLOSED | RT_X_LOCAL_RESET, TO_EOF, 0, ABORTED, 200, RESET},
	{"until close, left before the end", C, CLOSED | RT_X_LOCAL_FIN, TO_EOF, 0, ABORTED, 200,
	 LATE},
	{"left with unread data after the end came", C, CLOSED | RT_X_PEER_FIN | RT_X_LOCAL_RESET,
	 PARTIAL, 0, ABORTED, 200, EOS},

	/* the sweep found the socket gone */
	{"gone, reported as silent", S, RT_X_IDLE | CLOSED | RT_X_LOCAL_FIN, PARTIAL, 0, ABORTED,
	 200, EOS},
	{"gone, reported as silent, complete", C, RT_X_IDLE | CLOSED, FULL, 0, FINISHED, 200, NONE},
};

/* Each row with a finisher of its own; all wrong ones are named. */
static void test_rows(void **state)
{
	int wrong = 0;

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];
		u64 duration = r->outcome == ABORTED && !(r->flags & RT_X_IDLE)
				       ? END - REQ_START
				       : RESP_END - REQ_START;
		u64 answered;
		struct fixture *t;
		enum outcome got;

		assert_int_equal(setup((void **)&t), 0);
		record(t, r->role, r->flags, GET, r->resp, r->more);
		got = feed(t);
		if (got != r->outcome || t->status != r->status || t->last.error != r->error) {
			print_error("%s: outcome %d status %u error %d\n", r->name, got, t->status,
				    t->last.error);
			wrong++;
		} else if (t->told) {
			assert_string_equal(t->path, "/a");
			assert_int_equal(t->last.duration_ns, duration);
			/* interim responses are none of it */
			answered = strcmp(r->resp, INTERIM) ? t->x.resp_bytes : r->more;
			assert_int_equal(t->last.ttfb_ns, answered ? RESP_START - REQ_START : 0);
			assert_int_equal(t->last.response_bytes, answered);
		}
		teardown((void **)&t);
	}
	assert_int_equal(wrong, 0);
}

/* What looked like a request and is none, or whose protocol nobody knows. */
static void test_no_request(void **state)
{
	static const char *const requests[] = {"GET /a HTTP/1.1", "GET /a FTP/1.1\r\n\r\n",
					       "GET\001/a HTTP/1.1\r\n\r\n"};
	struct fixture *t = *state;

	for (size_t i = 0; i < RT_ARRAY_SIZE(requests); i++) {
		record(t, S, RT_X_IDLE, requests[i], FULL, 0);
		t->x.seq = (u32)i;
		assert_int_equal(feed(t), NOTHING);
		record(t, S, CLOSED | RT_X_AFTER_IDLE, requests[i], FULL, 0);
		t->x.seq = (u32)i;
		assert_int_equal(feed(t), REJECTED);
	}
	record(t, S, 0, GET, FULL, 0);
	t->x.proto = 255;
	assert_int_equal(feed(t), REJECTED);
	assert_int_equal(t->told, 0);
	assert_int_equal(counts(t).rejected, 4);
}

/* Finished by silence, without anything that vouches for it: counted, once. */
static void test_unframed(void **state)
{
	struct fixture *t = *state;

	record(t, S, RT_X_IDLE, GET, INVALID, 0);
	assert_int_equal(feed(t), NOTHING);
	record(t, S, RT_X_IDLE | RT_X_AFTER_IDLE | RT_X_LONG_IDLE, GET, INVALID, 0);
	assert_int_equal(feed(t), FINISHED);
	record(t, S, RT_X_IDLE | RT_X_AFTER_IDLE, GET, INVALID, 50);
	assert_int_equal(feed(t), NOTHING);
	assert_int_equal(counts(t).unframed, 1);
	record(t, S, 0, GET, INVALID, 0);
	t->x.seq = 2;
	assert_int_equal(feed(t), FINISHED);
	record(t, S, RT_X_IDLE, GET, FULL, 0);
	t->x.seq = 3;
	assert_int_equal(feed(t), FINISHED);
	assert_int_equal(counts(t).unframed, 1);
}

/* The client closed, and had acknowledged so much of the answer. What the server sent behind that
 * was refused. */
static void test_taken(void **state)
{
	const u32 flags = RST | RT_X_PEER_FIN | RT_X_UNACKED | RT_X_TAKEN;
	static const struct {
		const char *resp;
		u32 flags, more, interim;
		u64 taken, rule;
		enum outcome outcome;
	} cases[] = {
		{FULL, 0, 0, 0, sizeof(FULL) - 1, 0, FINISHED},
		{FULL, 0, 47, 0, sizeof(FULL) - 1, 0, FINISHED},
		{FULL, 0, 47, 0, sizeof(FULL) - 2, 0, ABORTED},
		{FULL, 0, 47, 0, 0, 0, ABORTED},
		{FULL, 0, 47, 0, ~0ull, 5, ABORTED}, /* of a rule: no number of bytes */
		{FULL, 0, 25, 25, sizeof(FULL) - 1, 0, ABORTED},
		{FULL, 0, 25, 25, sizeof(FULL) - 1 + 25, 0, FINISHED},
		{PARTIAL, 0, 0, 0, sizeof(PARTIAL) - 1, 0, ABORTED},
		{TO_EOF, RT_X_LOCAL_FIN, 9, 0, sizeof(TO_EOF) - 1 + 9, 0, FINISHED},
		{TO_EOF, RT_X_LOCAL_FIN, 9, 0, sizeof(TO_EOF) - 1, 0, ABORTED},
	};
	struct fixture *t = *state;

	for (u32 i = 0; i < RT_ARRAY_SIZE(cases); i++) {
		record(t, S, flags | cases[i].flags, GET, cases[i].resp, cases[i].more);
		t->x.interim_bytes = cases[i].interim;
		t->x.other = cases[i].taken;
		t->x.rule = cases[i].rule;
		assert_int_equal(feed(t), cases[i].outcome);
		assert_int_equal(t->status, 200);
	}
}

/* The answer came early, and of the request a part: that may go on for long. */
static void test_early_answer(void **state)
{
	struct fixture *t = *state;
	static const char upload[] = "POST /a HTTP/1.1\r\nContent-Length: 9\r\n\r\nbody";

	record(t, S, RT_X_IDLE, upload, FULL, 0);
	assert_int_equal(feed(t), NOTHING);
	record(t, S, RT_X_IDLE | RT_X_AFTER_IDLE | RT_X_LONG_IDLE, upload, FULL, 0);
	assert_int_equal(feed(t), FINISHED);
	record(t, S, RT_X_IDLE, upload, FULL, 0);
	t->x.seq = 2;
	t->x.req_bytes += 5;
	assert_int_equal(feed(t), FINISHED);
}

static void test_pipelined(void **state)
{
	struct fixture *t = *state;

	record(t, S, 0, GET GET, FULL, 0);
	assert_int_equal(feed(t), FINISHED);
	assert_int_equal(counts(t).pipelined, 1);
	record(t, S, 0, GET, FULL, 0);
	assert_int_equal(feed(t), FINISHED);
	assert_int_equal(counts(t).pipelined, 1);
}

/* --- times and sizes --------------------------------------------------------- */

static void test_times(void **state)
{
	struct fixture *t = *state;

	/* an answer in the same instant: 1, as 0 says that there was none */
	record(t, S, 0, GET, FULL, 0);
	t->x.resp_start = REQ_START;
	feed(t);
	assert_int_equal(t->last.ttfb_ns, 1);
	/* the last byte, however late the record is made */
	record(t, S, 0, GET, FULL, 0);
	t->x.end = 1000000;
	feed(t);
	assert_int_equal(t->last.duration_ns, RESP_END - REQ_START);
	/* a failure ends when it was noticed, or with the last byte after that */
	record(t, S, RST, GET, PARTIAL, 0);
	t->x.end = RESP_END - 100;
	feed(t);
	assert_int_equal(t->last.duration_ns, RESP_END - REQ_START);
	record(t, C, CLOSED | RT_X_LOCAL_FIN, GET, "", 0);
	t->x.end = 0;
	feed(t);
	assert_int_equal(t->last.duration_ns, REQ_END - REQ_START);
	/* clocks of two CPUs: never below 0 */
	record(t, S, 0, GET, FULL, 0);
	t->x.req_start = RESP_END + 5;
	feed(t);
	assert_int_equal(t->last.duration_ns, 0);
	assert_int_equal(t->last.ttfb_ns, 1);
}

/* 100 Continue came in a turn of its own: the kernel starts the response anew
 * behind it, and only counts its bytes. */
static void test_interim_turn(void **state)
{
	const u32 interim = sizeof(INTERIM) - 1;
	struct fixture *t = *state;

	record(t, S, RT_X_INTERIM, GET, FULL, interim);
	t->x.interim_bytes = interim;
	assert_int_equal(feed(t), FINISHED);
	assert_int_equal(t->status, 200);
	assert_int_equal(t->last.response_bytes, sizeof(FULL) - 1);
	/* in the same turn as the final one, found by the parser */
	record(t, S, 0, GET, INTERIM INTERIM FULL, 0);
	assert_int_equal(feed(t), FINISHED);
	assert_int_equal(t->status, 200);
	assert_int_equal(t->last.response_bytes, sizeof(FULL) - 1);
	/* and they do not make up for bytes that are owed: 25 of them, 7 owed */
	record(t, S, RT_X_INTERIM | CLOSED | RT_X_LOCAL_FIN, GET, PARTIAL, interim);
	t->x.interim_bytes = interim;
	assert_int_equal(feed(t), ABORTED);
	assert_int_equal(t->last.response_bytes, sizeof(PARTIAL) - 1);
}

/* An interim response alone is no answer: the upload that it asked for was given up. */
static void test_interim_alone(void **state)
{
	struct fixture *t = *state;

	record(t, S, CLOSED | RT_X_PEER_FIN, GET, INTERIM, 0);
	assert_int_equal(feed(t), ABORTED);
	assert_int_equal(t->status, 0);
	assert_int_equal(t->last.response_bytes, 0);
	assert_int_equal(t->last.ttfb_ns, 0);
}

/* --- records that lie -------------------------------------------------------- */

static void test_lies(void **state)
{
	struct fixture *t = *state;

	for (int lie = 0; lie < 9; lie++) {
		struct rt_exchange *x = &t->x;

		record(t, S, 0, GET, FULL, 0);
		switch (lie) {
		case 0:
			x->type = RT_EV_ACTIVE;
			break;
		case 1:
			x->req_len = RT_REQ_HEAD_MAX + 1;
			break;
		case 2:
			x->resp_len = RT_RESP_HEAD_MAX + 1;
			break;
		case 3:
			x->tail_len = RT_TAIL_MAX + 1;
			break;
		case 4:
			x->size--;
			break;
		case 5:
			x->req_bytes = x->req_len - 1u;
			break;
		case 6:
			x->resp_bytes = x->resp_len - 1u;
			break;
		case 7:
			x->interim_bytes = (u32)x->resp_bytes + 1;
			break;
		case 8:
			x->size = sizeof(*x) + 8;
			break;
		}
		assert_int_equal(feed(t), BAD);
		/* and a lie says nothing of an exchange: the true record still counts */
		record(t, S, 0, GET, FULL, 0);
		assert_int_equal(feed(t), FINISHED);
	}
	record(t, S, 0, GET, FULL, 0);
	rt_finisher__exchange(t->f, t->meta, &t->x, t->x.size - 1u);
	rt_finisher__exchange(t->f, t->meta, &t->x, FIXED - 1);
	assert_int_equal(counts(t).bad, 11);
	assert_int_equal(t->told, 9);
}

/* A record ends where its bytes end: nothing behind it is read (ASan watches). */
static void test_exact_memory(void **state)
{
	struct fixture *t = *state;
	void *tight;

	record(t, S, 0, GET, TO_EOF, 0);
	t->fed = tight = malloc(t->x.size);
	assert_non_null(tight);
	memcpy(tight, &t->x, t->x.size);
	rt_finisher__exchange(t->f, t->meta, tight, t->x.size);
	assert_int_equal(t->told, 1);
	free(tight);
}

/* Told, and not counted: the kernel has. */
static void test_sample(void **state)
{
	struct fixture *t = *state;
	const char *const answers[] = {FULL, PARTIAL, FOREIGN};

	for (size_t i = 0; i < RT_ARRAY_SIZE(answers); i++) {
		record(t, S, RT_X_SAMPLE, GET, answers[i], 0);
		t->fed = &t->x;
		rt_finisher__exchange(t->f, t->meta, &t->x, t->x.size);
	}
	assert_int_equal(t->told, 2);
	assert_int_equal(t->last.duration_ns, RESP_END - REQ_START);
	assert_int_equal(counts(t).finished + counts(t).aborted + counts(t).rejected, 0);
}

static void test_free_null(void **state)
{
	rt_finisher__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		TEST(test_no_request),
		TEST(test_unframed),
		TEST(test_taken),
		TEST(test_early_answer),
		TEST(test_pipelined),
		TEST(test_times),
		TEST(test_interim_alone),
		TEST(test_interim_turn),
		TEST(test_lies),
		TEST(test_exact_memory),
		TEST(test_sample),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
