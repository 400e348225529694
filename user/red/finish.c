// SPDX-License-Identifier: Apache-2.0
/*
 * The finisher: one kernel record in, at most one finished request out.
 *
 * The kernel knows turns, not framing. It sends an exchange when it is over
 * (the next request began, or the socket closed), and twice a second reports
 * those that have gone silent (RT_X_IDLE). A silent one is finished here when
 * its own framing says that every byte is there. Every report by silence is
 * remembered until the kernel's later record of the end (RT_X_AFTER_IDLE): so
 * that one already told is not counted again, and one that waits is counted as
 * one without an end when its socket is gone and that record did not come.
 */
#include "red/finish_impl.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <uthash.h>
#include <utlist.h>

#include "util/hash.h"

/* Exchanges reported by silence and not yet ended: at most one per open connection. */
#define RT_SILENT_MAX (1u << 20)
/* Sweeps that such an exchange may be missing from before its end counts as lost:
 * the kernel leaves out those that rest, but for one sweep of so many. */
#define RT_SILENT_ROUNDS (2 * RT_SWEEP_ALL_EVERY)
/* Sweeps that one may be missing from that is accounted for. Where the sweep goes over open
 * files, it does not meet a socket that its process closed, and the record of its end may come
 * as late as the kernel gives such a socket up (tcp_orphan_retries: 100 s and more). */
#define RT_TOLD_ROUNDS (5 * 60 * 2)

struct silent_key {
	u64 conn_id;
	u64 seq; /* as wide as that: no padding is hashed */
};

struct silent {
	struct silent_key key;
	u32 round; /* sweep that last saw it */
	u32 pid;
	u16 local_port;
	u8 proto;
	u8 role;
	bool told; /* accounted for: its end is no news */
	struct silent *prev, *next; /* finisher->waiting, until it is told */
	UT_hash_handle hh;
};

struct rt_finisher *rt_finisher__new(rt_finished_fn fn, rt_active_fn active, void *ctx)
{
	struct rt_finisher *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fn = fn;
	f->active = active;
	f->ctx = ctx;
	f->streams = rt_streams__new(f);
	if (!f->streams) {
		free(f);
		return NULL;
	}
	return f;
}

static void account(struct rt_finisher *f, struct silent *s)
{
	if (!s->told)
		DL_DELETE(f->waiting, s);
	s->told = true;
}

/* Its end did not come, and the kernel left it to us to say so. */
static void give_up(struct rt_finisher *f, struct silent *s)
{
	if (!s->told)
		rt_finisher__count(&f->counts.endless);
	account(f, s);
}

static void forget(struct rt_finisher *f, struct silent *s)
{
	account(f, s);
	HASH_DEL(f->silent, s);
	free(s);
}

void rt_finisher__free(struct rt_finisher *f)
{
	struct silent *s, *tmp;

	if (!f)
		return;
	HASH_ITER(hh, f->silent, s, tmp)
	forget(f, s);
	rt_streams__free(f->streams);
	free(f);
}

static struct silent *find_silent(struct rt_finisher *f, u64 conn_id, u32 seq)
{
	struct silent_key key = {conn_id, seq};
	struct silent *s;

	HASH_FIND(hh, f->silent, &key, sizeof(key), s);
	return s;
}

/* NULL: no room. It is then told by its end, as if it had never been silent. */
static struct silent *remember(struct rt_finisher *f, const struct rt_exchange *x)
{
	struct silent *s;

	if (HASH_COUNT(f->silent) >= RT_SILENT_MAX)
		return NULL;
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->key = (struct silent_key){x->conn_id, x->seq};
	s->round = f->round;
	s->pid = x->pid;
	s->local_port = x->local_port;
	s->proto = x->proto;
	s->role = x->role;
	DL_APPEND(f->waiting, s);
	HASH_ADD(hh, f->silent, key, sizeof(s->key), s);
	return s;
}

/* Why an exchange without a full response ended, seen from this socket's role. */
static enum rt_error why_ended(const struct rt_exchange *x)
{
	if (x->flags & RT_X_RESET)
		return RT_ERROR_CONNECTION_RESET;
	if (x->flags & RT_X_TIMED_OUT)
		return RT_ERROR_TIMEOUT;
	if (x->role == RT_ROLE_SERVER)
		return RT_ERROR_CONNECTION_CLOSED;
	if (x->flags & RT_X_PEER_FIN)
		return RT_ERROR_CONNECTION_CLOSED;
	/* The client ended it itself: it gave up waiting, or broke off. */
	if ((x->flags & RT_X_LOCAL_RESET) && x->resp_bytes)
		return RT_ERROR_CONNECTION_RESET;
	return RT_ERROR_TIMEOUT;
}

/* It had been acknowledged when the client closed. What was refused then is something else: a
 * server may answer the end of a body that it refused, too (Node does). */
static bool taken(const struct rt_exchange *x, const struct rt_op *op)
{
	return (x->flags & RT_X_TAKEN) && !x->rule && x->other >= x->interim_bytes + op->resp_whole;
}

/* The connection broke before the peer acknowledged the response that this side had sent. */
static bool undelivered(const struct rt_exchange *x, const struct rt_op *op)
{
	return (x->flags & (RT_X_RESET | RT_X_TIMED_OUT)) && (x->flags & RT_X_UNACKED) &&
	       !taken(x, op);
}

/* Whether the end of the connection is what ends the response, and came. What
 * befalls the connection behind an acknowledged end does not matter to a server. */
static bool closed_by_sender(const struct rt_exchange *x, const struct rt_op *op)
{
	if (x->role == RT_ROLE_SERVER)
		return (x->flags & RT_X_LOCAL_FIN) && !undelivered(x, op);
	/* With a reset of its own it threw away what it had not read. */
	return (x->flags & RT_X_PEER_FIN) &&
	       !(x->flags & (RT_X_RESET | RT_X_TIMED_OUT | RT_X_LOCAL_RESET));
}

enum verdict {
	VERDICT_WAIT,	  /* not over yet */
	VERDICT_FINISHED, /* a full response */
	VERDICT_ABORTED,  /* over, without one */
	VERDICT_REJECTED, /* not a request after all */
};

/* What of this bpf/whole.bpf.c finds by itself, it counts in place: by the same rules. */
static enum verdict judge_silent(struct rt_finisher *f, const struct rt_exchange *x,
				 const struct rt_op *op)
{
	switch (op->resp_framing) {
	case RT_FRAMING_COMPLETE:
		/* A body that goes on behind its answer may be taken yet. */
		if (op->req_framing == RT_FRAMING_PARTIAL && !(x->flags & RT_X_LONG_IDLE))
			return VERDICT_WAIT;
		return VERDICT_FINISHED;
	case RT_FRAMING_UNTIL_CLOSE:
		/* A client's is over when it reads the end of the stream, which is not
		 * silence; what arrived may still wait in the socket. */
		return x->role == RT_ROLE_SERVER && closed_by_sender(x, op) ? VERDICT_FINISHED
									    : VERDICT_WAIT;
	case RT_FRAMING_UNKNOWN:
		/* By silence alone, so by a long one. */
		if (!op->status || !(x->flags & RT_X_LONG_IDLE))
			return VERDICT_WAIT;
		rt_finisher__count(&f->counts.unframed);
		return VERDICT_FINISHED;
	default:
		return VERDICT_WAIT;
	}
}

static enum verdict judge_over(const struct rt_exchange *x, const struct rt_op *op)
{
	bool broken = x->flags & (RT_X_RESET | RT_X_TIMED_OUT | RT_X_LOCAL_RESET);

	/* A response that is none: what was asked was not of this protocol. */
	if (op->resp_bad)
		return VERDICT_REJECTED;
	/* Without a status, but with a response that could not be read (it came
	 * blind, or its head lies behind the capture), it was answered all the same. */
	if (!op->status && op->resp_framing != RT_FRAMING_UNKNOWN)
		return VERDICT_ABORTED;
	/* Over because the next request began: the client was content. */
	if (!(x->flags & RT_X_CLOSED))
		return VERDICT_FINISHED;
	/* Where the connection ends, enough is taken for all: answers are cut off in their last few
	 * bytes more seldom than clients reset a connection that has served. */
	switch (op->resp_enough ? RT_FRAMING_COMPLETE : op->resp_framing) {
	case RT_FRAMING_COMPLETE:
		/* All was handed over, but the peer was gone before it had it. */
		return x->role == RT_ROLE_SERVER && undelivered(x, op) ? VERDICT_ABORTED
								       : VERDICT_FINISHED;
	case RT_FRAMING_UNTIL_CLOSE:
		return closed_by_sender(x, op) ? VERDICT_FINISHED : VERDICT_ABORTED;
	case RT_FRAMING_UNKNOWN:
		return broken ? VERDICT_ABORTED : VERDICT_FINISHED;
	default:
		return VERDICT_ABORTED;
	}
}

static u64 later(u64 a, u64 b)
{
	return a > b ? a : b;
}

static void tell(struct rt_finisher *f, struct rt_meta *meta, const struct rt_exchange *x,
		 const struct rt_op *op, bool aborted)
{
	struct rt_finished done = {
		.x = x,
		.op = op,
		.error = aborted ? why_ended(x) : RT_ERROR_NONE,
	};
	/* What of the response's turn is not the response. */
	u64 other = (u64)x->interim_bytes + op->interim_bytes + op->resp_excess;
	u64 end = x->resp_end;

	done.response_bytes = x->resp_bytes > other ? x->resp_bytes - other : 0;
	if (aborted)
		end = later(later(x->end, x->resp_end), x->req_end);
	done.duration_ns = end > x->req_start ? end - x->req_start : 0;
	/* At least 1: 0 says that no response byte came. */
	if (x->resp_start && done.response_bytes)
		done.ttfb_ns = x->resp_start > x->req_start ? x->resp_start - x->req_start : 1;
	/* A client's own port means nothing to rules by port. */
	done.process = rt_meta__lookup(meta, x->pid, x->comm,
				       x->role == RT_ROLE_SERVER ? x->local_port : 0);
	/* A sample was counted already, as finished. */
	if (!(x->flags & RT_X_SAMPLE))
		rt_finisher__count(aborted ? &f->counts.aborted : &f->counts.finished);
	if (op->req_excess)
		rt_finisher__count(&f->counts.pipelined);
	f->fn(f->ctx, &done);
}

void rt_finisher__tell(struct rt_finisher *f, struct rt_meta *meta, const struct rt_exchange *x,
		       u32 len, enum rt_answer answer)
{
	const struct rt_proto *proto = rt_proto__get(x->proto);
	struct rt_view view;
	struct rt_op op;

	if (rt_view__from_exchange(&view, x, len)) {
		rt_finisher__count(&f->counts.bad);
		return;
	}
	if (!proto || proto->parse(&view, &op) != RT_PARSE_OK) {
		rt_finisher__count(&f->counts.rejected);
		return;
	}
	if (answer == RT_ANSWER_UNTIL_CLOSE)
		answer = closed_by_sender(x, &op) ? RT_ANSWER_WHOLE : RT_ANSWER_PART;
	rt_finisher__count(&f->counts.streamed);
	tell(f, meta, x, &op, answer == RT_ANSWER_PART);
}

static enum verdict judge(struct rt_finisher *f, const struct rt_exchange *x,
			  const struct rt_view *view, struct rt_op *ret_op, bool over)
{
	const struct rt_proto *proto = rt_proto__get(x->proto);

	if (!proto || proto->parse(view, ret_op) != RT_PARSE_OK)
		return over ? VERDICT_REJECTED : VERDICT_WAIT;
	return over ? judge_over(x, ret_op) : judge_silent(f, x, ret_op);
}

void rt_finisher__exchange(struct rt_finisher *f, struct rt_meta *meta, const struct rt_exchange *x,
			   u32 len)
{
	bool over = !(x->flags & RT_X_IDLE) || (x->flags & RT_X_CLOSED);
	struct silent *s = NULL;
	struct rt_view view;
	struct rt_op op;

	if (rt_view__from_exchange(&view, x, len)) {
		rt_finisher__count(&f->counts.bad);
		return;
	}
	if (x->flags & RT_X_STREAM) {
		rt_streams__exchange(f->streams, meta, x);
		return;
	}
	if (x->flags & RT_X_SAMPLE) {
		if (judge(f, x, &view, &op, true) == VERDICT_FINISHED)
			tell(f, meta, x, &op, false);
		return;
	}
	/* The first record of an exchange has no past: no look-up for most. */
	if (x->flags & (RT_X_IDLE | RT_X_AFTER_IDLE))
		s = find_silent(f, x->conn_id, x->seq);
	if (s && !(x->flags & RT_X_AFTER_IDLE)) {
		/* an earlier socket's, by the same number */
		give_up(f, s);
		forget(f, s);
		s = NULL;
	}
	if (s && s->told) {
		if (over)
			forget(f, s);
		return;
	}
	if (over && s)
		forget(f, s);
	if (!over && !s) {
		s = remember(f, x);
		if (!s)
			return;
	}
	switch (judge(f, x, &view, &op, over)) {
	case VERDICT_WAIT:
		return;
	case VERDICT_REJECTED:
		rt_finisher__count(&f->counts.rejected);
		return;
	case VERDICT_FINISHED:
		if (!over)
			account(f, s);
		tell(f, meta, x, &op, false);
		return;
	case VERDICT_ABORTED:
		tell(f, meta, x, &op, true);
		return;
	}
}

void rt_finisher__chunk(struct rt_finisher *f, struct rt_meta *meta, const struct rt_chunk *c,
			u32 len)
{
	const u32 fixed = offsetof(struct rt_chunk, data);

	if (len < fixed || c->size < fixed || c->size > len || c->size > sizeof(*c) ||
	    c->upto < c->pos || c->upto - c->pos < c->size - fixed) {
		rt_finisher__count(&f->counts.bad);
		return;
	}
	rt_streams__chunk(f->streams, meta, c, c->size - fixed);
}

void rt_finisher__sweep_begin(struct rt_finisher *f)
{
	f->round++;
	f->seen_in_flight = 0;
}

void rt_finisher__active(struct rt_finisher *f, const struct rt_active *a)
{
	struct silent *s;

	if (a->stream) {
		rt_streams__active(f->streams, a);
		return;
	}
	s = find_silent(f, a->conn_id, a->seq);
	if (s) {
		s->round = f->round;
		if (s->told)
			return;
	}
	f->seen_in_flight++;
	if (f->active)
		f->active(f->ctx, a);
}

/* The sweep left them out, as nothing happened to them. */
static void tally_resting(struct rt_finisher *f)
{
	struct silent *s;

	DL_FOREACH(f->waiting, s)
	{
		struct rt_active a = {
			.pid = s->pid,
			.conn_id = s->key.conn_id,
			.seq = (u32)s->key.seq,
			.local_port = s->local_port,
			.proto = s->proto,
			.role = s->role,
		};

		if (s->round == f->round)
			continue;
		f->seen_in_flight++;
		if (f->active)
			f->active(f->ctx, &a);
	}
}

void rt_finisher__sweep_failed(struct rt_finisher *f)
{
	struct silent *s, *tmp;

	HASH_ITER(hh, f->silent, s, tmp)
	{
		s->round = f->round;
	}
	rt_streams__sweep_failed(f->streams);
}

void rt_finisher__sweep_end(struct rt_finisher *f)
{
	struct silent *s, *tmp;

	/* Half a million of them may be there. */
	if (f->round % RT_SWEEP_ALL_EVERY == 0) {
		HASH_ITER(hh, f->silent, s, tmp)
		{
			if (f->round - s->round > RT_TOLD_ROUNDS)
				forget(f, s);
			else if (f->round - s->round > RT_SILENT_ROUNDS)
				give_up(f, s);
		}
	}
	rt_streams__sweep_end(f->streams);
	tally_resting(f);
	__atomic_store_n(&f->counts.in_flight, f->seen_in_flight, __ATOMIC_RELAXED);
}

void rt_finisher__add_counted(struct rt_finisher *f, u64 named, u64 nameless)
{
	__atomic_fetch_add(&f->counts.finished, named, __ATOMIC_RELAXED);
	__atomic_fetch_add(&f->counts.evicted, nameless, __ATOMIC_RELAXED);
}

void rt_finisher__counts(const struct rt_finisher *f, struct rt_finish_counts *ret)
{
	const u64 *from = (const u64 *)&f->counts;
	u64 *to = (u64 *)ret;

	for (size_t i = 0; i < sizeof(*ret) / sizeof(u64); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
