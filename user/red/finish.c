// SPDX-License-Identifier: Apache-2.0
/*
 * The finisher: one kernel record in, at most one finished request out.
 *
 * The kernel knows turns, not framing. It sends an exchange when it is over
 * (the next request began, or the socket closed), and once a second reports
 * those that have gone silent (RT_X_IDLE). A silent one is finished here when
 * its own framing says that every byte is there; it is then remembered, so that
 * the kernel's later record of its end (RT_X_AFTER_IDLE) is not counted again.
 */
#include "red/finish.h"

#include <errno.h>
#include <stdlib.h>

#include <uthash.h>

#include "util/hash.h"

/* Exchanges told early and not yet ended: at most one per open connection. */
#define RT_TOLD_MAX (1u << 20)
/* Sweeps that a told exchange may be missing from before it is forgotten: its
 * end was lost with a full ring. */
#define RT_TOLD_ROUNDS 5

struct told {
	u64 conn_id;
	u32 seq;
	u32 round; /* sweep that last saw it */
	UT_hash_handle hh;
};

struct rt_finisher {
	rt_finished_fn fn;
	rt_active_fn active;
	void *ctx;
	struct told *told;
	u32 round;
	u64 seen_in_flight; /* during a sweep */
	struct rt_finish_counts counts;
};

static void count(u64 *c)
{
	__atomic_fetch_add(c, 1, __ATOMIC_RELAXED);
}

struct rt_finisher *rt_finisher__new(rt_finished_fn fn, rt_active_fn active, void *ctx)
{
	struct rt_finisher *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->fn = fn;
	f->active = active;
	f->ctx = ctx;
	return f;
}

static void forget(struct rt_finisher *f, struct told *t)
{
	HASH_DEL(f->told, t);
	free(t);
}

void rt_finisher__free(struct rt_finisher *f)
{
	struct told *t, *tmp;

	if (!f)
		return;
	HASH_ITER(hh, f->told, t, tmp)
	forget(f, t);
	free(f);
}

static struct told *find_told(struct rt_finisher *f, u64 conn_id)
{
	struct told *t;

	HASH_FIND(hh, f->told, &conn_id, sizeof(conn_id), t);
	return t;
}

static void remember(struct rt_finisher *f, const struct rt_exchange *x)
{
	struct told *t = find_told(f, x->conn_id);

	if (!t) {
		if (HASH_COUNT(f->told) >= RT_TOLD_MAX)
			return;
		t = calloc(1, sizeof(*t));
		if (!t)
			return;
		t->conn_id = x->conn_id;
		HASH_ADD(hh, f->told, conn_id, sizeof(t->conn_id), t);
	}
	t->seq = x->seq;
	t->round = f->round;
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

/* Whether the end of the connection is what ends the response, and came. */
static bool closed_by_sender(const struct rt_exchange *x)
{
	u32 fin = x->role == RT_ROLE_SERVER ? RT_X_LOCAL_FIN : RT_X_PEER_FIN;

	return (x->flags & fin) && !(x->flags & (RT_X_RESET | RT_X_TIMED_OUT));
}

enum verdict {
	VERDICT_WAIT,	  /* not over yet */
	VERDICT_FINISHED, /* a full response */
	VERDICT_ABORTED,  /* over, without one */
	VERDICT_REJECTED, /* not a request after all */
};

static enum verdict judge_silent(struct rt_finisher *f, const struct rt_exchange *x,
				 const struct rt_op *op)
{
	switch (op->resp_framing) {
	case RT_FRAMING_COMPLETE:
		return VERDICT_FINISHED;
	case RT_FRAMING_UNTIL_CLOSE:
		return closed_by_sender(x) ? VERDICT_FINISHED : VERDICT_WAIT;
	case RT_FRAMING_UNKNOWN:
		if (!op->status)
			return VERDICT_WAIT;
		count(&f->counts.unframed);
		return VERDICT_FINISHED;
	default:
		return VERDICT_WAIT;
	}
}

static enum verdict judge_over(const struct rt_exchange *x, const struct rt_op *op)
{
	bool broken = x->flags & (RT_X_RESET | RT_X_TIMED_OUT | RT_X_LOCAL_RESET);

	if (!op->status) {
		/* A response that is none: what was asked was not of this protocol. */
		return op->resp_bad ? VERDICT_REJECTED : VERDICT_ABORTED;
	}
	/* Over because the next request began: the client was content. */
	if (!(x->flags & RT_X_CLOSED))
		return VERDICT_FINISHED;
	switch (op->resp_framing) {
	case RT_FRAMING_COMPLETE:
		/* All was handed over, but the peer was gone before it had it. */
		if (x->role == RT_ROLE_SERVER && (x->flags & RT_X_RESET) &&
		    (x->flags & RT_X_UNACKED))
			return VERDICT_ABORTED;
		return VERDICT_FINISHED;
	case RT_FRAMING_UNTIL_CLOSE:
		return closed_by_sender(x) ? VERDICT_FINISHED : VERDICT_ABORTED;
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
		.response_bytes = x->resp_bytes - x->interim_bytes,
	};
	u64 end = x->resp_end;

	if (aborted)
		end = later(later(x->end, x->resp_end), x->req_end);
	done.duration_ns = end > x->req_start ? end - x->req_start : 0;
	/* At least 1: 0 says that no response byte came. */
	if (x->resp_start)
		done.ttfb_ns = x->resp_start > x->req_start ? x->resp_start - x->req_start : 1;
	/* A client's own port means nothing to rules by port. */
	done.process = rt_meta__lookup(meta, x->pid, x->comm,
				       x->role == RT_ROLE_SERVER ? x->local_port : 0);
	count(aborted ? &f->counts.aborted : &f->counts.finished);
	if (op->req_excess)
		count(&f->counts.pipelined);
	f->fn(f->ctx, &done);
}

void rt_finisher__exchange(struct rt_finisher *f, struct rt_meta *meta,
			   const struct rt_exchange *x, u32 len)
{
	const struct rt_proto *proto;
	struct rt_view view;
	enum verdict verdict;
	struct rt_op op;
	struct told *t;

	if (rt_view__from_exchange(&view, x, len)) {
		count(&f->counts.bad);
		return;
	}
	t = x->flags & RT_X_AFTER_IDLE ? find_told(f, x->conn_id) : NULL;
	if (t && t->seq == x->seq) {
		if (!(x->flags & RT_X_IDLE))
			forget(f, t);
		return;
	}
	proto = rt_proto__get(x->proto);
	if (!proto || proto->parse(&view, &op) != RT_PARSE_OK)
		verdict = x->flags & RT_X_IDLE ? VERDICT_WAIT : VERDICT_REJECTED;
	else if (x->flags & RT_X_IDLE && !(x->flags & RT_X_CLOSED))
		verdict = judge_silent(f, x, &op);
	else
		verdict = judge_over(x, &op);

	switch (verdict) {
	case VERDICT_WAIT:
		return;
	case VERDICT_REJECTED:
		count(&f->counts.rejected);
		return;
	case VERDICT_FINISHED:
	case VERDICT_ABORTED:
		/* Remembered before it is told: a report by silence is not the end. */
		if (x->flags & RT_X_IDLE && !(x->flags & RT_X_CLOSED))
			remember(f, x);
		tell(f, meta, x, &op, verdict == VERDICT_ABORTED);
		return;
	}
}

void rt_finisher__sweep_begin(struct rt_finisher *f)
{
	f->round++;
	f->seen_in_flight = 0;
}

void rt_finisher__active(struct rt_finisher *f, const struct rt_active *a)
{
	struct told *t = find_told(f, a->conn_id);

	if (t && t->seq == a->seq) {
		t->round = f->round;
		return;
	}
	f->seen_in_flight++;
	if (f->active)
		f->active(f->ctx, a);
}

void rt_finisher__sweep_end(struct rt_finisher *f)
{
	struct told *t, *tmp;

	HASH_ITER(hh, f->told, t, tmp)
	{
		if (f->round - t->round > RT_TOLD_ROUNDS)
			forget(f, t);
	}
	__atomic_store_n(&f->counts.in_flight, f->seen_in_flight, __ATOMIC_RELAXED);
}

void rt_finisher__counts(const struct rt_finisher *f, struct rt_finish_counts *ret)
{
	const u64 *from = (const u64 *)&f->counts;
	u64 *to = (u64 *)ret;

	for (size_t i = 0; i < sizeof(*ret) / sizeof(u64); i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
