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
 * Iterators are preempted, and who runs then may move bytes on the socket that is looked
 * at. So they hold no lock (lib/lock.bpf.h), and leave states whose sockets are gone
 * to that program, which is not preempted.
 *
 * Records go through the iterator's own buffer, or that of the call (`box`, else
 * NULL), so none of them is ever lost: where it may not have the room for all that is
 * told of one state, the kernel is made to call again for it.
 */
#include "lib/maps.bpf.h"

#include "lib/capture.bpf.h"
#include "lib/route.bpf.h"
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

/* The copy of a state that is at work on. One sweep runs at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_conn);
} rt_copy RT_VISIBLE SEC(".maps");

/* What is told of one state at most. */
#define RT_SWEEP_ROOM (sizeof(struct rt_exchange) + sizeof(struct rt_active))

/* A full buffer counts as one that was too small. */
static __always_inline bool rt_sweep_has_room(const struct seq_file *seq)
{
	return seq->count + RT_SWEEP_ROOM < seq->size;
}

static __always_inline void rt_sweep_active(struct seq_file *seq, struct rt_swept *box,
					    struct rt_active *a)
{
	if (box)
		box->active = *a;
	else
		bpf_seq_write(seq, a, sizeof(*a));
}

/* The record has these flags; those of the exchange stay. */
static __always_inline void rt_sweep_exchange(struct seq_file *seq, struct rt_swept *box,
					      struct rt_conn *c, u32 flags)
{
	u32 size = rt_exchange_size(&c->x), own = c->x.flags;

	if (size > sizeof(c->x))
		return;
	c->x.flags = flags;
	if (box)
		bpf_probe_read_kernel(&box->exchange, sizeof(c->x), &c->x);
	else
		bpf_seq_write(seq, &c->x, size);
	c->x.flags = own;
}

/* Set by user space for one sweep: tell of every exchange. */
volatile u32 rt_sweep_all = 0;

/* The next four: a state as it will be to who has its lock next (rt_conn_settle()). */

static __always_inline bool rt_sweep_busy(const struct rt_conn *c, u32 word)
{
	return rt_turn_busy(c) && !(word & RT_SWEPT_OVER);
}

static __always_inline u64 rt_sweep_uncounted(const struct rt_conn *c, u32 word)
{
	return word & RT_SWEPT_BYTES ? 0 : c->uncounted;
}

/* How often it was told that no byte came since the response's last one. */
static __always_inline u32 rt_sweep_stage(const struct rt_conn *c, u32 word)
{
	if (word & RT_SWEPT_RESTING)
		return 2;
	if (word & RT_SWEPT_SILENT)
		return 1;
	return c->idle_bytes == c->x.resp_bytes ? c->idle_stage : 0;
}

/* It was reported as silent for long, and not a byte came since: user space knows
 * it. Most connections are like that. */
static __always_inline bool rt_sweep_rests(const struct rt_conn *c, u32 word)
{
	return c->phase == RT_PHASE_RESP && rt_sweep_stage(c, word) == 2 &&
	       !rt_sweep_uncounted(c, word);
}

/* What there is to report: twice, when it has gone silent, and when it stayed so for long. */
static __always_inline u32 rt_sweep_due(const struct rt_conn *c, u32 word, u64 now)
{
	/* A body that goes on behind its answer may be taken yet. */
	u64 last = c->x.req_end > c->x.resp_end ? c->x.req_end : c->x.resp_end;
	s64 silent = now - last;
	u32 stage = rt_sweep_stage(c, word);

	if (c->phase != RT_PHASE_RESP)
		return 0;
	if (stage < 2 && silent >= (s64)rt_cfg.long_idle_ns)
		return RT_X_IDLE | RT_X_LONG_IDLE;
	return stage < 1 && silent >= (s64)rt_cfg.idle_ns ? RT_X_IDLE : 0;
}

/* What is looked at closely. Whether it is one state, and not the middle of a change,
 * rt_conn_leave() tells. NULL: it cannot be read. */
static __always_inline struct rt_conn *rt_sweep_copy(struct rt_conn *c)
{
#ifdef RT_LEGACY
	/* Its functions know no state but those of the map. */
	return c;
#else
	u32 none = 0;
	struct rt_conn *copy = bpf_map_lookup_elem(&rt_copy, &none);

	return copy && !bpf_probe_read_kernel(copy, sizeof(*copy), c) ? copy : NULL;
#endif
}

/* Nothing is told or counted before what was read is known to be one state: false, if not. */
static __always_inline bool rt_sweep_tell(struct seq_file *seq, struct rt_swept *box,
					    struct rt_conn *c, u32 word)
{
	u32 report = rt_sweep_due(c, word, bpf_ktime_get_ns()), slot = 0, flags = 0;
	u32 left = word;
	u64 bytes = rt_sweep_uncounted(c, word);
	struct rt_conn *copy = NULL;
	struct rt_active a = {
		.type = RT_EV_ACTIVE,
		.size = sizeof(a),
		.pid = c->x.pid,
		.conn_id = c->x.conn_id,
		.seq = c->x.seq,
		.local_port = c->x.local_port,
		.proto = c->x.proto,
		.role = c->x.role,
		.stream = c->phase == RT_PHASE_STREAM,
	};

	if (!rt_sweep_busy(c, word))
		return rt_conn_leave(c, word, word);
	if (report) {
		copy = rt_sweep_copy(c);
		if (!copy)
			return false;
		rt_conn_settle(copy, word);
		flags = copy->x.flags;
		slot = rt_silent_slot(copy);
		if (slot)
			left |= RT_SWEPT_OVER;
		else
			left |= report & RT_X_LONG_IDLE ? RT_SWEPT_RESTING : RT_SWEPT_SILENT;
	}
	if (bytes)
		left |= RT_SWEPT_BYTES;
	if (!rt_conn_leave(c, word, left))
		return false;
	if (bytes)
		rt_stat_add(RT_STAT_BYTES_PARSED, bytes);
	if (copy && slot && rt_route_add(copy, slot))
		return true;
	if (copy) {
		rt_sweep_exchange(seq, box, copy, flags | report);
		/* For this record alone, which settles who counts the request. */
		copy->x.rule = 0;
	}
	rt_sweep_active(seq, box, &a);
	return true;
}

/* Number of the sweep, never 0; set by user space. */
volatile u32 rt_sweep_nr = 0;

/* One state. 1: call again for it. */
static __always_inline int rt_sweep_state(struct seq_file *seq, struct rt_swept *box,
					  struct rt_conn *c)
{
	u32 word = rt_conn_swept(c);
	bool seen;

	if (!rt_sweep_busy(c, word))
		return 0;
	if (!rt_sweep_rests(c, word))
		rt_note_moved();
	else if (!rt_sweep_all)
		return 0;
	if (!box && !rt_sweep_has_room(seq))
		return 1;
	seen = rt_conn_look(c, &word);
	if (seen) {
		seen = rt_sweep_tell(seq, box, c, word);
		rt_conn_looked(c);
	}
	/* The next sweep has to look again. */
	if (!seen)
		rt_note_moved();
	return 0;
}

/* The close came while somebody had the lock for long. */
static __always_inline bool rt_sweep_closes(const struct rt_conn *c)
{
	return c->closing && rt_turn_busy(c);
}

/* One state of socket storage. 1: call again for it. */
static __always_inline int rt_sweep_stored(struct seq_file *seq, struct rt_conn *c)
{
	if (rt_sweep_closes(c))
		rt_on_gone(c);
	if (rt_sweep_state(seq, NULL, c))
		return 1;
	c->swept = rt_sweep_nr;
	return 0;
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

/* The socket of a state in the hash map is gone. Nothing told of it (Unix), or the close was
 * missed. The state goes with the next sweep: until then a successor at this address can, which
 * must not find it locked. */
static __always_inline void rt_sweep_dead(struct rt_swept *box, struct rt_conn *c, u64 sk)
{
	if (!rt_conn_lock_of(c, sk))
		return;
	/* What was read may have been of two moments, or of a state that went meanwhile; this is
	 * its successor then. */
	if (rt_conn_alive(c)) {
		rt_conn_unlock(c);
		return;
	}
	if (!rt_turn_busy(c)) {
		rt_conn_delete(c, &sk);
		return;
	}
	if (!c->x.end)
		c->x.end = bpf_ktime_get_ns();
	rt_turn_count(c);
	rt_sweep_exchange(NULL, box, c, c->x.flags | RT_X_CLOSED | RT_X_LOCAL_FIN);
	c->phase = RT_PHASE_LEFT;
	rt_conn_unlock(c);
}

/* Whether this sweep met any state in the hash map; cleared by user space. */
volatile u32 rt_conns_seen = 0;

SEC("?iter/bpf_map_elem")
int rt_sweep_conns(struct bpf_iter__bpf_map_elem *ctx)
{
	struct rt_gone gone = {.type = RT_EV_GONE, .size = sizeof(gone)};
	struct seq_file *seq = ctx->meta->seq;
	struct rt_conn *c = ctx->value;
	u64 *key = ctx->key;

	if (!c || !key)
		return 0;
	rt_conns_seen = 1;
	if (rt_conn_alive(c) && !rt_sweep_closes(c))
		return rt_sweep_state(seq, NULL, c);
	gone.sk = *key;
	if (!rt_sweep_has_room(seq))
		return 1;
	bpf_seq_write(seq, &gone, sizeof(gone));
	return 0;
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
	/* One that is still being made does not tell whose it is. */
	if (!c || !c->scope_of)
		return 0;
	if (rt_sweep_closes(c))
		rt_on_gone(c);
	if (rt_conn_alive(c))
		rt_sweep_state(NULL, box, c);
	else
		rt_sweep_dead(box, c, sk);
	return box->exchange.size || box->active.size;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
