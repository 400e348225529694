/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the finisher share: records as the kernel makes them, and what was told. */
#ifndef TEST_FINISH_HELPER_H
#define TEST_FINISH_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "red/finish.h"

#define FIXED ((u32)offsetof(struct rt_exchange, heads))

/* Nanoseconds of the four times of every record here, and of its end. */
enum {
	REQ_START = 1000,
	REQ_END = 1100,
	RESP_START = 1400,
	RESP_END = 1900,
	END = 2500,
};

#define GET "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"

#define FULL	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
#define PARTIAL "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi"
#define TO_EOF	"HTTP/1.1 200 OK\r\n\r\nhi"
#define CHUNKS	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"
#define INVALID "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi"
#define LONG_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nX-Goes-On: behind" /* the capture */
#define INTERIM "HTTP/1.1 100 Continue\r\n\r\n"
#define FOREIGN "220 mail.example ESMTP ready\r\n"
#define STUB	"HTTP/1.1 2"

enum outcome {
	NOTHING,
	FINISHED,
	ABORTED,
	REJECTED,
	BAD,
};

struct fixture {
	struct rt_config cfg;
	struct rt_meta *meta;
	struct rt_finisher *f;
	struct rt_exchange x;
	const struct rt_exchange *fed;
	/* what was told */
	u32 told;
	u32 flying;
	struct rt_finished last;
	u16 status;
	char path[16];
};

static inline void on_finished(void *ctx, const struct rt_finished *f)
{
	struct fixture *t = ctx;

	t->told++;
	t->last = *f;
	t->status = f->op->status;
	assert_ptr_equal(f->x, t->fed);
	assert_non_null(f->process);
	assert_in_range(f->op->path.len, 1, sizeof(t->path) - 1);
	memcpy(t->path, f->op->path.p, f->op->path.len);
	t->path[f->op->path.len] = '\0';
}

static inline void on_active(void *ctx, const struct rt_active *a)
{
	((struct fixture *)ctx)->flying++;
}

static inline int setup(void **state)
{
	struct fixture *t = calloc(1, sizeof(*t));

	t->meta = rt_meta__new(&t->cfg);
	t->f = rt_finisher__new(on_finished, on_active, t);
	*state = t;
	return t->meta && t->f ? 0 : -1;
}

static inline int teardown(void **state)
{
	struct fixture *t = *state;

	rt_finisher__free(t->f);
	rt_meta__free(t->meta);
	free(t);
	return 0;
}

/* A record as the kernel makes it: `more` response bytes lie beyond the capture. */
static inline void record(struct fixture *t, u8 role, u32 flags, const char *req, const char *resp,
			  u64 more)
{
	size_t req_len = strlen(req), resp_len = strlen(resp);
	struct rt_exchange *x = &t->x;

	assert_in_range(req_len + resp_len, 1, sizeof(x->heads));
	memset(x, 0, sizeof(*x));
	x->type = RT_EV_EXCHANGE;
	x->flags = flags | (more ? RT_X_RESP_CUT : 0);
	x->conn_id = 77;
	x->seq = 1;
	x->pid = (u32)getpid();
	memcpy(x->comm, "test", 4);
	x->proto = RT_PROTO_http1;
	x->role = role;
	x->family = RT_FAMILY_INET;
	x->req_start = REQ_START;
	x->req_end = REQ_END;
	if (resp_len + more) {
		x->resp_start = RESP_START;
		x->resp_end = RESP_END;
	}
	x->end = flags & RT_X_IDLE ? 0 : END;
	x->req_len = (u16)req_len;
	x->req_bytes = req_len;
	x->resp_len = (u16)resp_len;
	x->resp_bytes = resp_len + more;
	memcpy(x->heads, req, req_len);
	memcpy(x->heads + req_len, resp, resp_len);
	x->size = (u16)(FIXED + req_len + resp_len);
}

static inline struct rt_finish_counts counts(const struct fixture *t)
{
	struct rt_finish_counts c;

	rt_finisher__counts(t->f, &c);
	return c;
}

/* Feeds the record and says what it was taken for. */
static inline enum outcome feed(struct fixture *t)
{
	struct rt_finish_counts a = counts(t), b;
	u32 told = t->told;

	t->fed = &t->x;
	rt_finisher__exchange(t->f, t->meta, &t->x, t->x.size);
	b = counts(t);
	/* One outcome at most, and each exchange that is counted is told. */
	assert_in_range((b.finished - a.finished) + (b.aborted - a.aborted) +
				(b.rejected - a.rejected) + (b.bad - a.bad),
			0, 1);
	assert_int_equal(t->told - told, (b.finished - a.finished) + (b.aborted - a.aborted));
	if (b.finished != a.finished)
		return FINISHED;
	if (b.aborted != a.aborted)
		return ABORTED;
	if (b.rejected != a.rejected)
		return REJECTED;
	return b.bad != a.bad ? BAD : NOTHING;
}

#define S      RT_ROLE_SERVER
#define C      RT_ROLE_CLIENT
#define CLOSED RT_X_CLOSED
#define RST    (RT_X_CLOSED | RT_X_RESET)
#define BROKEN (RT_X_CLOSED | RT_X_TIMED_OUT)
#define NONE   RT_ERROR_NONE
#define RESET  RT_ERROR_CONNECTION_RESET
#define EOS    RT_ERROR_CONNECTION_CLOSED
#define LATE   RT_ERROR_TIMEOUT

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* TEST_FINISH_HELPER_H */
