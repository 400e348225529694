/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One program that keeps the lock of a socket's state, and one that wants it: hold.c
 * runs them on two CPUs. */
#include "lib/maps.bpf.h"

#include "lib/lock.bpf.h"

#define LOOKS 1000 /* at the clock; as often again */

const volatile u64 hold_ns = 0;
/* While the lock is kept; once it was. */
volatile u32 held = 0;
volatile u32 over = 0;
/* How long it was kept; how long the other waited, and whether in vain. */
volatile u64 held_ns = 0;
volatile u64 waited_ns = 0;
volatile u32 in_vain = 0;

/* How the holder ends: it lets go, at once or once it has begun an exchange; or deletes the state,
 * and puts another in its place. hold.c has the same. */
enum { LETS_GO, BEGINS, DELETES, REPLACES };
volatile u32 ends = 0;
/* What wants the lock wants to delete the state. */
volatile u32 drops = 0;
/* Whether that other state got the same memory, and the word of its lock once all was over. */
volatile u32 reused = 0;
volatile u32 successor = 0;

#define KEY   1
#define OTHER 2 /* key of that state */

/* As rt_hash_new() and rt_conn_admit() make one. */
static __always_inline struct rt_conn *conn_of(u64 key)
{
	struct rt_conn *c = bpf_map_lookup_elem(&rt_conns, &key);

	if (c && !c->scope_of) {
		c->sk = key;
		rt_conn_open(c);
		c->scope_of = 1;
	}
	return c;
}

static __always_inline struct rt_conn *the_conn(void)
{
	return conn_of(KEY);
}

static __always_inline struct rt_conn *new_conn(u64 key)
{
	u32 none = 0;
	struct rt_conn *zero = bpf_map_lookup_elem(&rt_zero, &none);

	if (!zero)
		return NULL;
	rt_conn_begin(zero);
	bpf_map_update_elem(&rt_conns, &key, zero, BPF_NOEXIST);
	return conn_of(key);
}

/* In: what the sweep is to leave in the lock's word, and whether somebody wants the lock between its
 * look and that. Out: whether that one had it, and it could leave it; the state of who had the lock
 * next. */
volatile u32 leave = 0;
volatile u32 between = 0;
volatile u32 had = 0;
volatile u32 left = 0;
volatile u32 phase = 0;
volatile u32 stage = 0;
volatile u32 after_idle = 0;
volatile u64 uncounted = 0;

/* Global, so that the verifier follows it once. */
RT_SCALAR __noinline int look_until(u64 end)
{
	for (u32 i = 0; i < LOOKS; i++)
		if (bpf_ktime_get_ns() >= end)
			return 1;
	return 0;
}

SEC("raw_tp")
int hold(void *ctx)
{
	struct rt_conn *c = the_conn();
	u64 start = bpf_ktime_get_ns(), key = KEY;

	if (!c || !rt_conn_trylock(c))
		return 1;
	held = 1;
	for (u32 i = 0; i < LOOKS && !look_until(start + hold_ns); i++)
		;
	held = 0;
	if (ends == BEGINS)
		c->phase = RT_PHASE_REQ;
	if (ends <= BEGINS)
		rt_conn_unlock(c);
	else if (!rt_conn_delete(c, &key))
		return 2;
	reused = ends == REPLACES && new_conn(OTHER) == c;
	held_ns = bpf_ktime_get_ns() - start;
	over = 1;
	return 0;
}

/* Behind a round. */
SEC("raw_tp")
int restore(void *ctx)
{
	u64 other = OTHER;
	struct rt_conn *c;

	c = bpf_map_lookup_elem(&rt_conns, &other);
	successor = c ? c->lock : 0;
	if (c)
		bpf_map_delete_elem(&rt_conns, &other);
	c = new_conn(KEY);
	if (!c)
		return 1;
	c->phase = RT_PHASE_IDLE;
	return 0;
}

SEC("raw_tp")
int want(void *ctx)
{
	struct rt_conn *c = the_conn();
	u64 start = bpf_ktime_get_ns(), key = KEY;

	waited_ns = 0;
	/* It went before. */
	if (!c)
		return ends <= BEGINS;
	in_vain = drops ? !rt_conn_drop(c, &key) : !rt_conn_lock(c);
	waited_ns = bpf_ktime_get_ns() - start;
	if (!in_vain && !drops)
		rt_conn_unlock(c);
	return 0;
}

/* The holder on the same CPU: nothing to wait for. */
SEC("raw_tp")
int hold_and_want(void *ctx)
{
	struct rt_conn *c = the_conn();
	u64 start = bpf_ktime_get_ns();

	if (!c || !rt_conn_trylock(c))
		return 1;
	in_vain = !rt_conn_lock(c);
	waited_ns = bpf_ktime_get_ns() - start;
	rt_conn_unlock(c);
	return 0;
}

#define BYTES 7 /* bytes that no counter has yet */

/* The sweep looks at a state, and somebody has its lock after it. */
SEC("raw_tp")
int sweep(void *ctx)
{
	struct rt_conn *c = the_conn();
	u32 word;

	if (!c)
		return 1;
	c->phase = RT_PHASE_RESP;
	c->uncounted = BYTES;
	c->idle_bytes = 0;
	c->x.resp_bytes = BYTES;
	c->idle_stage = 0;
	c->x.flags = 0;
	if (!rt_conn_look(c, &word))
		return 2;
	had = between && rt_conn_lock(c);
	if (had)
		rt_conn_unlock(c);
	left = rt_conn_leave(c, word, leave);
	rt_conn_looked(c);
	if (!rt_conn_lock(c))
		return 3;
	phase = c->phase;
	stage = c->idle_bytes == c->x.resp_bytes ? c->idle_stage : 0;
	after_idle = !!(c->x.flags & RT_X_AFTER_IDLE);
	uncounted = c->uncounted;
	rt_conn_unlock(c);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
