// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * The sweep, twice a second: iterators over both state maps, run by user space
 * reading them. Where the kernel has none over maps, or refuses them, one over the
 * open files of all processes finds the sockets; and user space walks over the hash
 * map and calls a program for each key. A silent exchange is counted in place (whole.bpf.c),
 * or reported with RT_X_IDLE, so that user space can count it when its own framing
 * says it is complete; exchanges in flight are tallied, those that rest every few
 * seconds only; states of sockets that are gone are finished.
 *
 * Records go through the iterator's own buffer, or that of the call (`box`, else
 * NULL), so none of them is ever lost.
 * When a write does not fit, the kernel drops all that was written for the
 * element and calls again for it: nothing may be changed before the last write
 * has succeeded.
 */
#include "lib/maps.bpf.h"

#include "lib/capture.bpf.h"
#include "lib/turn.bpf.h"
#include "lib/whole.bpf.h"

/* What the last call of rt_sweep_call had to tell; only the caller reads it. Mapped:
 * while the kernel copies an element out by a system call, it skips the programs of
 * perf's events for whoever preempts it there. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_swept);
} rt_swept RT_VISIBLE SEC(".maps");

static __always_inline int rt_sweep_active(struct seq_file *seq, struct rt_swept *box,
					   const struct rt_conn *c)
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
		.stream = c->phase == RT_PHASE_STREAM,
	};

	if (!box)
		return bpf_seq_write(seq, &a, sizeof(a));
	box->active = a;
	return 0;
}

static __always_inline int rt_sweep_exchange(struct seq_file *seq, struct rt_swept *box,
					     struct rt_conn *c, u32 flags)
{
	u32 size = rt_exchange_size(&c->x), before = c->x.flags;
	int err;

	if (size > sizeof(c->x))
		return 0;
	c->x.flags = before | flags;
	if (box)
		err = bpf_probe_read_kernel(&box->exchange, sizeof(c->x), &c->x);
	else
		err = bpf_seq_write(seq, &c->x, size);
	c->x.flags = before;
	return err;
}

/* Set by user space for one sweep: tell of every exchange. */
volatile u32 rt_sweep_all = 0;

/* It was reported as silent for long, and not a byte came since: user space knows
 * it. Most connections are like that. Looked at without the lock: a turn that
 * begins meanwhile is met by the next sweep. */
static __always_inline bool rt_sweep_rests(const struct rt_conn *c)
{
	return c->phase == RT_PHASE_RESP && c->idle_stage == 2 &&
	       c->idle_bytes == c->x.resp_bytes && !c->uncounted;
}

/* 1: call again for this element. */
static __always_inline int rt_sweep_locked(struct seq_file *seq, struct rt_swept *box,
					   struct rt_conn *c, u64 now)
{
	s64 silent = now - c->x.resp_end;
	u32 report = 0;
	bool failed;
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
	if (report && rt_silent_count(c))
		return 0;
	failed = (report && rt_sweep_exchange(seq, box, c, report)) || rt_sweep_active(seq, box, c);
	/* For this record alone, which settles who counts the request. */
	if (report)
		c->x.rule = 0;
	if (failed)
		return 1;
	if (report) {
		c->idle_bytes = c->x.resp_bytes;
		c->idle_stage = report & RT_X_LONG_IDLE ? 2 : 1;
		c->x.flags |= RT_X_AFTER_IDLE;
	}
	return 0;
}

/* The close may have come in an interrupt, while this CPU held the lock. */
static __always_inline void rt_sweep_unlock(struct rt_conn *c)
{
	rt_conn_unlock(c);
	if (c->closing)
		rt_on_gone(c);
}

/* Number of the sweep, never 0; set by user space. */
volatile u32 rt_sweep_nr = 0;

/* One state of socket storage. 1: call again for it. */
static __always_inline int rt_sweep_stored(struct seq_file *seq, struct rt_conn *c)
{
	int again;

	if (rt_sweep_rests(c)) {
		if (!rt_sweep_all)
			return 0;
	} else if (rt_turn_busy(c)) {
		rt_note_moved();
	}
	if (!rt_conn_trylock(c)) {
		rt_note_moved();
		return 0;
	}
	again = rt_sweep_locked(seq, NULL, c, bpf_ktime_get_ns());
	if (!again)
		c->swept = rt_sweep_nr;
	rt_sweep_unlock(c);
	return again;
}

SEC("?iter/bpf_sk_storage_map")
int rt_sweep_socks(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	struct rt_conn *c = ctx->value;

	return c ? rt_sweep_stored(ctx->meta->seq, c) : 0;
}

/* A socket may be open in several processes: each sweep tells of it once. */
SEC("?iter/task_file")
int rt_sweep_files(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct socket *socket;
	struct rt_conn *c;
	struct sock *sk;

	socket = file ? bpf_sock_from_file(file) : NULL;
	sk = socket ? socket->sk : NULL;
	c = sk ? bpf_sk_storage_get(&rt_socks, sk, 0, 0) : NULL;
	return c && c->swept != (u8)rt_sweep_nr ? rt_sweep_stored(ctx->meta->seq, c) : 0;
}

/* One state of the hash map. 1: call again for it. */
static __always_inline int rt_sweep_hashed(struct seq_file *seq, struct rt_swept *box,
					   struct rt_conn *c, u64 sk)
{
	u64 now = bpf_ktime_get_ns();
	int again;

	if (!rt_conn_trylock(c))
		return 0;
	if (rt_conn_alive(c)) {
		again = !rt_sweep_all && rt_sweep_rests(c) ? 0 : rt_sweep_locked(seq, box, c, now);
		rt_sweep_unlock(c);
		return again;
	}
	/* The socket is gone. Nothing told of it (Unix), or the close was missed. The state goes
	 * with the next sweep: until then a successor at this address can, which must not find
	 * it locked. */
	if (rt_turn_busy(c)) {
		if (!c->x.end)
			c->x.end = now;
		again = !!rt_sweep_exchange(seq, box, c, RT_X_CLOSED | RT_X_LOCAL_FIN);
		if (!again)
			c->phase = RT_PHASE_LEFT;
		rt_conn_unlock(c);
		return again;
	}
	rt_conn_delete(&sk);
	return 0;
}

/* Whether this sweep met any state in the hash map; cleared by user space. */
volatile u32 rt_conns_seen = 0;

SEC("?iter/bpf_map_elem")
int rt_sweep_conns(struct bpf_iter__bpf_map_elem *ctx)
{
	struct rt_conn *c = ctx->value;
	u64 *key = ctx->key;

	if (c)
		rt_conns_seen = 1;
	return c && key ? rt_sweep_hashed(ctx->meta->seq, NULL, c, *key) : 0;
}

/* Never attached: user space runs it (BPF_PROG_TEST_RUN), the key its argument. */
SEC("?raw_tp")
int BPF_PROG(rt_sweep_call, u64 sk)
{
	struct rt_conn *c = bpf_map_lookup_elem(&rt_conns, &sk);
	struct rt_swept *box;
	u32 none = 0;

	box = bpf_map_lookup_elem(&rt_swept, &none);
	if (!box)
		return 0;
	box->exchange.size = 0;
	box->active.size = 0;
	if (c)
		rt_sweep_hashed(NULL, box, c, sk);
	return box->exchange.size || box->active.size;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
