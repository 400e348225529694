// SPDX-License-Identifier: Apache-2.0
/*
 * The follower of pipelined connections. The kernel sends all that they move, in
 * pieces with their positions and times; here the requests are queued as their heads
 * end, answers are read in the same order (RFC 9112, section 9.3.2), and each pair is
 * told through the finisher as if it had come alone. Owned by the consumer's thread.
 *
 * A piece that is missing does not matter inside a body whose length is known. Else
 * what is in flight is evicted, and nothing is told until a sure beginning: a request
 * behind an answer, on a connection that was not seen to send one before the last
 * was answered, or after a second of silence.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <uthash.h>

#include "proto/http1_impl.h"
#include "proto/http1_reader.h"
#include "red/finish_impl.h"
#include "util/hash.h"

/* Connections that are followed, requests in flight on one of them and on all. */
#define STREAMS_MAX	8192
#define PENDING_MAX	4096
#define PENDING_ALL_MAX 65536
#define SILENCE_NS	1000000000ull
/* Sweeps that one may be missing from before its end counts as lost. */
#define RT_STREAM_ROUNDS 5

struct request {
	struct request *next;
	u64 start;
	u64 end;
	u64 bytes;
	bool head;    /* its method is HEAD */
	bool connect; /* or CONNECT */
	u16 len;
	u8 data[]; /* first bytes of its head */
};

struct side {
	struct rt_http1_reader reader;
	u64 pos;   /* of what comes next */
	u64 start; /* when the message at hand began */
	u64 last;  /* when bytes came last */
	bool anywhere; /* the position is not known: that of the next operation is right */
};

struct key {
	u64 conn_id;
	u64 seq; /* as wide as that: no padding is hashed */
};

struct stream {
	struct key key;
	UT_hash_handle hh;
	u32 round;   /* sweep that last saw it */
	u32 pending; /* length of the queue */
	struct request *first, **last;
	struct request *reading; /* the last one, while its body comes; NULL: answered, or whole */
	struct side req, resp;
	bool req_lost;	/* where requests begin is not known any more */
	bool resp_lost; /* and whose the answers are neither */
	bool dead;	/* nothing more is told of it */
	bool overlaps;	/* its client sends on while answers are owed */
	bool answered;	/* the last operation was in the response's direction */
	bool refused;	/* by its head alone: its body may not come */
	u64 heard;	/* time of the last operation */
	/* The fixed part of its records, from the kernel. */
	u64 fixed[offsetof(struct rt_exchange, heads) / 8];
};

_Static_assert(offsetof(struct rt_exchange, heads) % 8 == 0, "the fixed part is whole words");

struct rt_streams {
	struct rt_finisher *f;
	struct rt_meta *meta; /* during a call */
	struct stream *table;
	u32 pending;
	struct rt_exchange x; /* the record that is told */
};

struct rt_streams *rt_streams__new(struct rt_finisher *f)
{
	struct rt_streams *all = calloc(1, sizeof(*all));

	if (all)
		all->f = f;
	return all;
}

/* --- the queue ------------------------------------------------------------- */

static void push(struct rt_streams *all, struct stream *s, struct request *q)
{
	q->next = NULL;
	*s->last = q;
	s->last = &q->next;
	s->pending++;
	all->pending++;
}

static void pop(struct rt_streams *all, struct stream *s)
{
	struct request *q = s->first;

	s->first = q->next;
	if (!s->first)
		s->last = &s->first;
	if (s->reading == q)
		s->reading = NULL;
	s->pending--;
	all->pending--;
	free(q);
}

static void evict_all(struct rt_streams *all, struct stream *s)
{
	while (s->first) {
		rt_finisher__count(&all->f->counts.evicted);
		pop(all, s);
	}
}

/* What was lost makes it unknown whose the next answers are. */
static void tear(struct rt_streams *all, struct stream *s)
{
	if (!s->resp_lost)
		rt_finisher__count(&all->f->counts.torn);
	s->req_lost = s->resp_lost = true;
	evict_all(all, s);
}

/* A request's head is at hand. NULL: no room, and it is told of as evicted. */
static struct request *request_new(struct rt_streams *all, struct stream *s, struct rt_slice head)
{
	struct rt_slice line = head;
	struct request *q = NULL;

	/* An empty line before a request is none of it (RFC 9112, 2.2). */
	while (line.len && (line.p[0] == '\r' || line.p[0] == '\n'))
		line = rt_slice_skip(line, 1);
	if (s->pending < PENDING_MAX && all->pending < PENDING_ALL_MAX &&
	    head.len <= RT_REQ_HEAD_MAX)
		q = malloc(sizeof(*q) + head.len);
	if (!q) {
		rt_finisher__count(&all->f->counts.evicted);
		tear(all, s);
		return NULL;
	}
	*q = (struct request){
		.len = (u16)head.len,
		.head = line.len > 5 && memcmp(line.p, "HEAD ", 5) == 0,
		.connect = line.len > 8 && memcmp(line.p, "CONNECT ", 8) == 0,
	};
	if (head.len)
		memcpy(q->data, head.p, head.len);
	push(all, s, q);
	return q;
}

/* --- telling --------------------------------------------------------------- */

/* Tells the first request of the queue, with what the response's reader holds if
 * `answered`. `end`: how the connection ended, or NULL. */
static void tell(struct rt_streams *all, struct stream *s, enum rt_answer answer, bool answered,
		 const struct rt_exchange *end)
{
	const struct rt_http1_reader *r = &s->resp.reader;
	struct request *q = s->first;
	struct rt_exchange *x = &all->x;

	memcpy(x, s->fixed, sizeof(s->fixed));
	x->flags = end ? end->flags & ~(u32)RT_X_STREAM : 0;
	x->end = end ? end->end : 0;
	x->req_start = q->start;
	x->req_end = q->end;
	x->req_bytes = q->bytes;
	x->req_len = q->len;
	memcpy(x->heads, q->data, q->len);
	x->resp_start = answered ? s->resp.start : 0;
	x->resp_end = answered ? s->resp.last : 0;
	x->resp_bytes = answered ? r->bytes : 0;
	x->resp_len = answered ? r->head_len : 0;
	memcpy(x->heads + q->len, r->head, x->resp_len);
	x->interim_bytes = 0;
	x->tail_len = 0;
	x->rule = x->other = 0;
	if (x->req_bytes > x->req_len)
		x->flags |= RT_X_REQ_CUT;
	if (x->resp_bytes > x->resp_len)
		x->flags |= RT_X_RESP_CUT;
	x->size = (u16)(offsetof(struct rt_exchange, heads) + x->req_len + x->resp_len);
	pop(all, s);
	rt_finisher__tell(all->f, all->meta, x, x->size, answer);
}

/* --- requests --------------------------------------------------------------- */

/* A request was begun, and its first line is there. */
static struct request *take_request(struct rt_streams *all, struct stream *s)
{
	struct rt_http1_reader *r = &s->req.reader;
	struct request *q = request_new(all, s, (struct rt_slice){r->head, r->head_len});

	rt_finisher__count(&all->f->counts.started);
	if (q) {
		q->start = s->req.start;
		q->end = s->req.last;
		q->bytes = r->bytes;
	}
	return q;
}

static void lose_requests(struct stream *s)
{
	s->req_lost = true;
	s->reading = NULL;
}

static void request_read(struct rt_streams *all, struct stream *s, enum rt_read what)
{
	switch (what) {
	case RT_READ_HEAD:
		s->reading = take_request(all, s);
		/* What is read on is its body: no request that still has to be taken. */
		s->req.reader.named = false;
		break;
	case RT_READ_LOST:
		/* Its head came, and says nonsense of its body: it can be refused all the same. */
		if (s->req.reader.begun && s->req.reader.named)
			take_request(all, s);
		lose_requests(s);
		break;
	default:
		break;
	}
	if (s->reading) {
		s->reading->bytes = s->req.reader.bytes;
		s->reading->end = s->req.last;
	}
	if (what == RT_READ_END)
		s->reading = NULL;
}

static void request_bytes(struct rt_streams *all, struct stream *s, struct rt_slice in, bool behind)
{
	struct rt_http1_reader *r = &s->req.reader;
	enum rt_read what;

	do {
		bool begun = r->begun;
		u32 n = rt_http1_reader__feed(r, in, &what);

		in = rt_slice_skip(in, n);
		if (!begun && (r->begun || what == RT_READ_HEAD)) {
			s->req.start = s->req.last;
			s->overlaps |= behind && s->first;
		}
		request_read(all, s, what);
	} while (what != RT_READ_MORE && !s->req_lost && !s->dead);
}

/* --- responses -------------------------------------------------------------- */

/* Whether the first request is answered by a failure before anything of its body came: the client
 * may keep that (RFC 9110, 10.1.1). */
static bool is_refused(const struct stream *s)
{
	const struct rt_http1_reader *r = &s->req.reader;

	return s->first == s->reading && s->resp.reader.status >= 300 && r->begun &&
	       r->fields.has_cl && !r->fields.chunked && r->left == r->fields.length;
}

/* As the kernel tells requests by their first bytes; by a name, not by a shape alone. */
static bool begins_request(struct rt_slice in)
{
	u64 data[RT_SIG_LEN / 8] = {0};
	u32 len = in.len < RT_SIG_LEN ? in.len : RT_SIG_LEN;

	memcpy(data, in.p, len);
	for (u32 i = 0; i < rt_proto_http1.nr_sigs; i++) {
		const struct rt_sig *sig = &rt_proto_http1.sigs[i];

		if (rt_sig_match(sig, data, len))
			return sig->kind == RT_SIG_REQUEST &&
			       !(sig->flags & (RT_SIG_VAGUE | RT_SIG_LEAVE));
	}
	return false;
}

static void response_read(struct rt_streams *all, struct stream *s, enum rt_read what)
{
	const struct rt_http1_reader *r = &s->resp.reader;
	bool tunnel;

	if (what == RT_READ_LOST && r->begun && r->status >= 200 && s->first) {
		/* Its end is anyone's guess, as its framing is invalid; it was answered. */
		rt_finisher__count(&all->f->counts.unframed);
		tell(all, s, RT_ANSWER_WHOLE, true, NULL);
	}
	if (what == RT_READ_LOST)
		tear(all, s);
	if (what != RT_READ_END || !s->first || (r->status < 200 && r->status != 101))
		return;
	tunnel = r->status == 101 || (s->first->connect && r->status / 100 == 2);
	s->refused = is_refused(s);
	tell(all, s, RT_ANSWER_WHOLE, true, NULL);
	if (tunnel) {
		evict_all(all, s);
		s->dead = true;
	}
}

/* An answer begins. False: to nothing that was asked here. */
static bool response_expected(struct rt_streams *all, struct stream *s)
{
	struct rt_http1_reader *r = &s->resp.reader;

	/* To half a request: it came too slowly, or what there is of it is refused. */
	if (!s->first && !s->req_lost && s->req.reader.begun && s->req.reader.named) {
		take_request(all, s);
		lose_requests(s);
	}
	if (!s->first)
		return false;
	r->to_head = s->first->head;
	r->to_connect = s->first->connect;
	return true;
}

static void response_bytes(struct rt_streams *all, struct stream *s, struct rt_slice in)
{
	struct rt_http1_reader *r = &s->resp.reader;
	enum rt_read what;

	do {
		bool begun = r->begun;
		u32 n;

		while (!begun && in.len && (in.p[0] == '\r' || in.p[0] == '\n'))
			in = rt_slice_skip(in, 1);
		if (!begun && !in.len)
			return;
		if (!begun && !response_expected(all, s)) {
			tear(all, s);
			return;
		}
		n = rt_http1_reader__feed(r, in, &what);
		in = rt_slice_skip(in, n);
		if (!begun)
			s->resp.start = s->resp.last;
		response_read(all, s, what);
	} while (what != RT_READ_MORE && !s->resp_lost && !s->dead);
}

/* --- pieces ------------------------------------------------------------------ */

/* n bytes that were not captured, or lost. */
static void gap(struct rt_streams *all, struct stream *s, bool response, u64 n)
{
	enum rt_read what;

	if (response && !s->resp_lost) {
		what = rt_http1_reader__skip(&s->resp.reader, n);
		/* In a head or at a chunk's length: what becomes of this answer is not known. */
		if (what == RT_READ_LOST)
			tear(all, s);
		else
			response_read(all, s, what);
	} else if (!response && !s->req_lost) {
		what = rt_http1_reader__skip(&s->req.reader, n);
		request_read(all, s, what);
	}
}

/* Whether this operation is a sure beginning for a connection that was lost. */
static bool resync(const struct rt_streams *all, struct stream *s, const struct rt_chunk *c)
{
	if ((c->flags & RT_CHUNK_RESPONSE) || !(c->flags & RT_CHUNK_FIRST) || s->first)
		return false;
	if (c->time - s->heard >= SILENCE_NS)
		return true;
	return s->answered && !s->overlaps;
}

static void begin_anew(struct stream *s)
{
	rt_http1_reader__init(&s->req.reader, false);
	s->req.anywhere = true;
	s->req_lost = false;
	s->reading = NULL;
	if (!s->resp_lost)
		return;
	rt_http1_reader__init(&s->resp.reader, true);
	s->resp.anywhere = true;
	s->resp_lost = false;
}

static struct stream *find(struct rt_streams *all, u64 conn_id, u32 seq)
{
	struct key key = {conn_id, seq};
	struct stream *s;

	HASH_FIND(hh, all->table, &key, sizeof(key), s);
	return s;
}

/* Of one operation; `behind`: it is the first since an answer. */
static void request_op(struct rt_streams *all, struct stream *s, struct rt_slice in, bool behind)
{
	if (s->refused && behind && begins_request(in))
		rt_http1_reader__init(&s->req.reader, false);
	s->refused = false;
	request_bytes(all, s, in, behind);
}

void rt_streams__chunk(struct rt_streams *all, struct rt_meta *meta, const struct rt_chunk *c,
		       u32 data_len)
{
	struct stream *s = find(all, c->conn_id, c->seq);
	bool response = c->flags & RT_CHUNK_RESPONSE, behind;
	struct rt_exchange *x;
	struct side *side;
	u64 end;

	if (!s || s->dead)
		return;
	all->meta = meta;
	x = (struct rt_exchange *)s->fixed;
	if (x->pid != c->pid)
		memset(x->comm, 0, sizeof(x->comm));
	x->pid = c->pid;
	x->tid = c->tid;

	side = response ? &s->resp : &s->req;
	if (s->req_lost && resync(all, s, c))
		begin_anew(s);
	behind = s->answered && (c->flags & RT_CHUNK_FIRST);
	s->answered = response;
	s->heard = c->time;
	if (side->anywhere && (c->flags & RT_CHUNK_FIRST))
		side->pos = c->pos;
	else if (side->anywhere)
		tear(all, s);
	side->anywhere = false;
	side->last = c->time;
	/* What came twice, or before: by a bug only. */
	if (c->pos < side->pos) {
		rt_finisher__count(&all->f->counts.bad);
		return;
	}
	if (c->pos > side->pos)
		gap(all, s, response, c->pos - side->pos);
	end = c->pos + data_len;
	if (data_len && response && !s->resp_lost && !s->dead)
		response_bytes(all, s, (struct rt_slice){c->data, data_len});
	else if (data_len && !response && !s->req_lost && !s->dead)
		request_op(all, s, (struct rt_slice){c->data, data_len}, behind);
	if (c->upto > end)
		gap(all, s, response, c->upto - end);
	side->pos = c->upto;
}

/* --- a connection's beginning and end ------------------------------------------ */

static void drop(struct rt_streams *all, struct stream *s)
{
	evict_all(all, s);
	HASH_DEL(all->table, s);
	free(s);
}

void rt_streams__free(struct rt_streams *all)
{
	struct stream *s, *tmp;

	if (!all)
		return;
	HASH_ITER(hh, all->table, s, tmp)
	drop(all, s);
	free(all);
}

static bool is_request(struct rt_slice head)
{
	struct rt_cur c;
	struct rt_op op = {0};

	while (head.len && (head.p[0] == '\r' || head.p[0] == '\n'))
		head = rt_slice_skip(head, 1);
	c = rt_cur_init(head);
	return rt_http1_request_line(&c, head.len >= RT_REQ_HEAD_MAX - 4, &op) != RT_PARSE_BAD;
}

/* The first request, as the kernel found where it ends, opens the stream. */
static void open_stream(struct rt_streams *all, const struct rt_exchange *x)
{
	struct stream *s = find(all, x->conn_id, x->seq);
	struct request *q;

	if (s) /* an earlier socket's, by the same number */
		drop(all, s);
	s = HASH_COUNT(all->table) < STREAMS_MAX ? calloc(1, sizeof(*s)) : NULL;
	/* What else comes on it is missing, too, and nobody can say how many requests that is. */
	if (!s) {
		rt_finisher__count(&all->f->counts.evicted);
		rt_finisher__count(&all->f->counts.torn);
		return;
	}
	s->key = (struct key){x->conn_id, x->seq};
	s->round = all->f->round;
	s->last = &s->first;
	memcpy(s->fixed, x, sizeof(s->fixed));
	rt_http1_reader__init(&s->req.reader, false);
	rt_http1_reader__init(&s->resp.reader, true);
	s->req.pos = x->req_bytes;
	s->req.last = s->heard = x->req_end;
	HASH_ADD(hh, all->table, key, sizeof(s->key), s);

	/* No request after all: nothing will answer it. */
	if (!is_request((struct rt_slice){x->heads, x->req_len})) {
		rt_finisher__count(&all->f->counts.rejected);
		return;
	}
	q = request_new(all, s, (struct rt_slice){x->heads, x->req_len});
	if (!q)
		return;
	q->start = x->req_start;
	q->end = x->req_end;
	q->bytes = x->req_bytes;
}

/* The connection is over: what is in flight was not answered, or not wholly. */
static void close_stream(struct rt_streams *all, struct stream *s, const struct rt_exchange *x)
{
	const struct rt_http1_reader *r = &s->resp.reader;
	bool answered;

	/* The last pieces may be lost. */
	if (!s->dead && x->req_bytes > s->req.pos)
		gap(all, s, false, x->req_bytes - s->req.pos);
	if (!s->dead && x->resp_bytes > s->resp.pos)
		gap(all, s, true, x->resp_bytes - s->resp.pos);
	if (!s->dead && !s->req_lost && !s->reading && s->req.reader.begun && s->req.reader.named)
		take_request(all, s);
	while (s->first && !s->resp_lost) {
		answered = r->begun && (r->status / 100 != 1 || r->status == 101);
		tell(all, s, answered && r->until_close ? RT_ANSWER_UNTIL_CLOSE : RT_ANSWER_PART,
		     answered, x);
		rt_http1_reader__init(&s->resp.reader, true);
	}
	drop(all, s);
}

void rt_streams__exchange(struct rt_streams *all, struct rt_meta *meta, const struct rt_exchange *x)
{
	struct stream *s;

	all->meta = meta;
	if (!(x->flags & (RT_X_CLOSED | RT_X_UPGRADED))) {
		open_stream(all, x);
		return;
	}
	s = find(all, x->conn_id, x->seq);
	if (s)
		close_stream(all, s, x);
}

/* --- the sweep ------------------------------------------------------------------ */

void rt_streams__active(struct rt_streams *all, const struct rt_active *a)
{
	struct stream *s = find(all, a->conn_id, a->seq);

	if (!s)
		return;
	s->round = all->f->round;
	all->f->seen_in_flight += s->pending;
	for (u32 i = 0; i < s->pending && all->f->active; i++)
		all->f->active(all->f->ctx, a);
}

void rt_streams__sweep_failed(struct rt_streams *all)
{
	struct stream *s, *tmp;

	HASH_ITER(hh, all->table, s, tmp)
	{
		s->round = all->f->round;
	}
}

void rt_streams__sweep_end(struct rt_streams *all)
{
	struct stream *s, *tmp;

	HASH_ITER(hh, all->table, s, tmp)
	{
		if (all->f->round - s->round > RT_STREAM_ROUNDS)
			drop(all, s);
	}
}
