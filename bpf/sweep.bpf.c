// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The sweep, twice a second: iterators over both state maps, run by user space
 * reading them. A silent exchange is reported with RT_X_IDLE, so that user
 * space can count it when its own framing says it is complete; every exchange
 * in flight is tallied; states of sockets that are gone are finished.
 *
 * Records go through the iterator's own buffer, so none of them is ever lost.
 * When a write does not fit, the kernel drops all that was written for the
 * element and calls again for it: nothing may be changed before the last write
 * has succeeded.
 */
#include "lib/maps.bpf.h"

#include "lib/capture.bpf.h"
#include "lib/turn.bpf.h"

static __always_inline int rt_sweep_active(struct seq_file *seq, const struct rt_conn *c)
{
	struct rt_active a = {
		.type = RT_EV_ACTIVE,
		.size = sizeof(a),
		.pid = c->x.pid,
		.conn_id = c->x.conn_id,
		.seq = c->x.seq,
		.proto = c->x.proto,
		.role = c->x.role,
		.phase = c->phase,
	};

	return bpf_seq_write(seq, &a, sizeof(a));
}

static __always_inline int rt_sweep_exchange(struct seq_file *seq, struct rt_conn *c, u32 flags)
{
	u32 size = rt_exchange_size(&c->x), before = c->x.flags;
	int err;

	if (size > sizeof(c->x))
		return 0;
	c->x.flags = before | flags;
	err = bpf_seq_write(seq, &c->x, size);
	c->x.flags = before;
	return err;
}

/* 1: call again for this element. */
static __always_inline int rt_sweep_locked(struct seq_file *seq, struct rt_conn *c, u64 now)
{
	s64 silent = now - c->x.resp_end;
	u32 report = 0;
	u8 stage;

	if (!rt_turn_busy(c))
		return 0;
	rt_turn_count(c);
	/* Twice: when it has gone silent, and when it stayed so for long. */
	stage = c->idle_bytes == c->x.resp_bytes ? c->idle_stage : 0;
	if (c->phase == RT_PHASE_RESP && stage < 2 && silent >= (s64)rt_cfg.long_idle_ns)
		report = RT_X_IDLE | RT_X_LONG_IDLE;
	else if (c->phase == RT_PHASE_RESP && stage < 1 && silent >= (s64)rt_cfg.idle_ns)
		report = RT_X_IDLE;
	if ((report && rt_sweep_exchange(seq, c, report)) || rt_sweep_active(seq, c))
		return 1;
	if (report) {
		c->idle_bytes = c->x.resp_bytes;
		c->idle_stage = report & RT_X_LONG_IDLE ? 2 : 1;
		c->x.flags |= RT_X_AFTER_IDLE;
	}
	return 0;
}

SEC("?iter/bpf_sk_storage_map")
int rt_sweep_socks(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct rt_conn *c = ctx->value;
	int again;

	if (!c || !rt_conn_trylock(c))
		return 0;
	again = rt_sweep_locked(seq, c, bpf_ktime_get_ns());
	rt_conn_unlock(c);
	return again;
}

SEC("?iter/bpf_map_elem")
int rt_sweep_conns(struct bpf_iter__bpf_map_elem *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct rt_conn *c = ctx->value;
	u64 *key = ctx->key;
	u64 now = bpf_ktime_get_ns();
	int again = 0;
	u64 sk;

	if (!c || !key || !rt_conn_trylock(c))
		return 0;
	if (rt_conn_alive(c)) {
		again = rt_sweep_locked(seq, c, now);
		rt_conn_unlock(c);
		return again;
	}
	/* The socket is gone. Nothing told of it (Unix), or the close was missed. */
	if (rt_turn_busy(c)) {
		if (!c->x.end)
			c->x.end = now;
		if (rt_sweep_exchange(seq, c, RT_X_CLOSED | RT_X_LOCAL_FIN)) {
			rt_conn_unlock(c);
			return 1;
		}
		c->phase = RT_PHASE_LEFT;
	}
	rt_conn_unlock(c);
	sk = *key;
	bpf_map_delete_elem(&rt_conns, &sk);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
