// SPDX-License-Identifier: Apache-2.0
/*
 * Feeds the follower of pipelined connections: what the network sent, in pieces, with gaps,
 * and an end. Input: operations of two bytes and their data: a byte of flags, a byte of
 * length. Whatever comes: each request that was started is accounted for once, when the
 * connection is over; the slices told lie inside the record; nothing leaks.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "red/finish.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	RESPONSE = 1 << 0,
	LATER = 1 << 1,	  /* a second passes before it */
	LOST = 1 << 2,	  /* the record does not arrive */
	GAP = 1 << 3,	  /* further bytes of the operation were not captured */
	NOT_FIRST = 1 << 4, /* a further piece of the operation before */
	SWEEP = 1 << 5,
	END = 1 << 6,	  /* the connection ends; `length` is how */
	SHORT = 1 << 7,	  /* the record is cut, or its positions contradict each other */
};

static u64 told;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void on_told(void *ctx, const struct rt_finished *f)
{
	const u8 *from = f->x->heads, *to = from + f->x->req_len;

	told++;
	check(f->op->path.len == 0 || (f->op->path.p >= from && f->op->path.p + f->op->path.len <= to));
	check(f->x->req_len <= f->x->req_bytes && f->x->resp_len <= f->x->resp_bytes);
	check(f->op->status == 0 || f->op->status >= 100);
}

static struct rt_exchange exchange(u32 flags)
{
	return (struct rt_exchange){
		.type = RT_EV_EXCHANGE,
		.size = offsetof(struct rt_exchange, heads),
		.flags = flags | RT_X_STREAM,
		.conn_id = 1,
		.seq = 1,
		.proto = RT_PROTO_http1,
		.role = flags & RT_X_PEER_FIN ? RT_ROLE_CLIENT : RT_ROLE_SERVER,
		.req_start = 1,
		.req_end = 2,
	};
}

static void open_stream(struct rt_finisher *f, struct rt_meta *meta, u64 pos[2])
{
	static const char first[] = "GET / HTTP/1.1\r\n\r\n";
	struct rt_exchange x = exchange(0);

	x.req_len = sizeof(first) - 1;
	x.req_bytes = x.req_len;
	x.size = (u16)(x.size + x.req_len);
	memcpy(x.heads, first, x.req_len);
	rt_finisher__exchange(f, meta, &x, x.size);
	pos[0] = x.req_bytes;
	pos[1] = 0;
}

static void close_stream(struct rt_finisher *f, struct rt_meta *meta, const u64 pos[2], u32 flags)
{
	struct rt_exchange x = exchange((flags & (RT_X_PEER_FIN | RT_X_LOCAL_FIN | RT_X_RESET)) |
					RT_X_CLOSED);

	x.req_bytes = pos[0];
	x.resp_bytes = pos[1];
	rt_finisher__exchange(f, meta, &x, x.size);
}

static void piece(struct rt_finisher *f, struct rt_meta *meta, u64 *pos, u8 flags, u64 now,
		  const u8 *bytes, u32 len)
{
	const u32 fixed = offsetof(struct rt_chunk, data);
	struct rt_chunk *c = calloc(1, fixed + len); /* exactly: one byte further is a report */
	u64 gap = flags & GAP ? len * 7u : 0;

	check(c);
	c->type = RT_EV_CHUNK;
	c->size = (u16)(fixed + len);
	c->conn_id = c->seq = 1;
	c->time = now;
	c->pos = *pos;
	c->upto = *pos + len + gap;
	c->flags = (flags & RESPONSE ? RT_CHUNK_RESPONSE : 0) |
		   (flags & NOT_FIRST ? 0 : RT_CHUNK_FIRST);
	memcpy(c->data, bytes, len);
	*pos = c->upto;
	if (flags & SHORT) {
		c->upto -= gap + 1;
		rt_finisher__chunk(f, meta, c, len ? fixed + len - 1 : fixed);
	} else if (!(flags & LOST)) {
		rt_finisher__chunk(f, meta, c, fixed + len);
	}
	free(c);
}

static void sweep(struct rt_finisher *f)
{
	struct rt_active a = {.type = RT_EV_ACTIVE, .conn_id = 1, .seq = 1, .stream = 1};

	rt_finisher__sweep_begin(f);
	rt_finisher__active(f, &a);
	rt_finisher__sweep_end(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rt_config cfg;
	struct rt_meta *meta = rt_meta__new(&cfg);
	struct rt_finisher *f = rt_finisher__new(on_told, NULL, NULL);
	struct rt_finish_counts n;
	u64 pos[2], now = 3, streams = 1;

	check(meta && f);
	told = 0;
	open_stream(f, meta, pos);
	while (size >= 2) {
		u8 flags = data[0];
		u32 len = data[1];

		data += 2;
		size -= 2;
		now += flags & LATER ? 1000000000 : 1;
		if (flags & END) {
			close_stream(f, meta, pos, len);
			open_stream(f, meta, pos);
			streams++;
			continue;
		}
		if (flags & SWEEP)
			sweep(f);
		if (len > size)
			len = (u32)size;
		piece(f, meta, &pos[flags & RESPONSE], flags, now, data, len);
		data += len;
		size -= len;
	}
	close_stream(f, meta, pos, RT_X_LOCAL_FIN);
	rt_finisher__counts(f, &n);
	check(streams + n.started == n.finished + n.aborted + n.rejected + n.evicted +
				     n.endless);
	check(told == n.finished + n.aborted && told == n.streamed);
	rt_finisher__free(f);
	rt_meta__free(meta);
	return 0;
}
