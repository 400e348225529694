// SPDX-License-Identifier: Apache-2.0
/* Records from the ring buffer to views: where the slices lie, and every lie a record can tell. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/proto.h"

#define FIXED ((u32)offsetof(struct rt_exchange, heads))

/* A true record: 3 bytes of request, 5 of response, a tail of 2, an interim turn of 4. */
static struct rt_exchange record(void)
{
	return (struct rt_exchange){
		.type = RT_EV_EXCHANGE,
		.size = FIXED + 8,
		.req_len = 3,
		.resp_len = 5,
		.req_bytes = 3,
		.resp_bytes = 9,
		.interim_bytes = 4,
		.tail = "lo",
		.tail_len = 2,
		.heads = "abchello",
	};
}

static void test_slices(void **state)
{
	struct rt_exchange x = record();
	struct rt_view v;

	assert_int_equal(rt_view__from_exchange(&v, &x, x.size), 0);
	assert_true(rt_slice_is(v.req, "abc"));
	assert_ptr_equal(v.req.p, x.heads);
	assert_true(rt_slice_is(v.resp, "hello"));
	assert_true(rt_slice_is(v.tail, "lo"));
	assert_int_equal(v.req_bytes, 3);
	assert_int_equal(v.resp_bytes, 9);
	assert_int_equal(v.interim_bytes, 4);
	assert_false(v.resp_blind);

	x.flags = RT_X_RESP_BLIND | RT_X_RESP_CUT;
	assert_int_equal(rt_view__from_exchange(&v, &x, x.size), 0);
	assert_true(v.resp_blind);
	x.flags = RT_X_REQ_BLIND;
	assert_int_equal(rt_view__from_exchange(&v, &x, x.size), 0);
	assert_false(v.resp_blind);
}

static void test_full(void **state)
{
	static struct rt_exchange x;
	struct rt_view v;

	x = record();
	x.req_len = RT_REQ_HEAD_MAX;
	x.resp_len = RT_RESP_HEAD_MAX;
	x.tail_len = RT_TAIL_MAX;
	x.req_bytes = x.resp_bytes = 1 << 20;
	x.size = FIXED + RT_REQ_HEAD_MAX + RT_RESP_HEAD_MAX;
	assert_int_equal(rt_view__from_exchange(&v, &x, x.size), 0);
	assert_int_equal(v.req.len, RT_REQ_HEAD_MAX);
	assert_ptr_equal(v.resp.p, x.heads + RT_REQ_HEAD_MAX);
	/* the ring may hand over more than the record */
	assert_int_equal(rt_view__from_exchange(&v, &x, x.size + 8u), 0);
}

static void test_empty(void **state)
{
	struct rt_exchange x = {.type = RT_EV_EXCHANGE, .size = FIXED};
	struct rt_view v;

	assert_int_equal(rt_view__from_exchange(&v, &x, FIXED), 0);
	assert_int_equal(v.req.len, 0);
	assert_int_equal(v.resp.len, 0);
}

/* The true record passes, the changed one does not and leaves the view untouched. */
#define LIE(change)                                                                                \
	do {                                                                                       \
		struct rt_exchange x = record();                                                   \
		struct rt_view v, untouched;                                                       \
		u32 len = x.size;                                                                  \
                                                                                                   \
		assert_int_equal(rt_view__from_exchange(&v, &x, len), 0);                          \
		memset(&v, 0x5a, sizeof(v));                                                       \
		memcpy(&untouched, &v, sizeof(v));                                                 \
		change;                                                                            \
		assert_int_equal(rt_view__from_exchange(&v, &x, len), -EBADMSG);                   \
		assert_memory_equal(&v, &untouched, sizeof(v));                                    \
	} while (0)

static void test_lies(void **state)
{
	LIE(x.type = RT_EV_PROC);
	LIE(len = FIXED - 1);
	LIE(len = 0);
	LIE(len--);
	LIE(x.size--);
	LIE(x.size = 0);
	LIE((x.size = sizeof(x) + 1, len = sizeof(x) + 8));
	LIE(x.req_len++);
	LIE(x.resp_len++);
	LIE((x.req_len = RT_REQ_HEAD_MAX + 1, x.req_bytes = 9999, x.size = len = sizeof(x)));
	LIE((x.resp_len = RT_RESP_HEAD_MAX + 1, x.resp_bytes = 9999, x.size = len = sizeof(x)));
	LIE(x.req_len = 0xffff);
	LIE((x.req_len = x.resp_len = 0xffff, x.req_bytes = x.resp_bytes = ~0ull));
	LIE((x.tail_len = RT_TAIL_MAX + 1, x.resp_bytes = 99));
	LIE(x.req_bytes = 2);
	LIE(x.resp_bytes = 4);
	LIE(x.interim_bytes = 10);
	LIE((x.resp_len = 0, x.resp_bytes = 1, x.interim_bytes = 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
