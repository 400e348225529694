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

/* How the holder ends. */
enum { LETS_GO, DELETES, REPLACES };
volatile u32 ends = 0;
/* The lock's word of the state that was put in the deleted one's place, once the other has waited. */
volatile u32 successor = 0;

#define KEY   1
#define OTHER 2 /* key of that state */

static __always_inline struct rt_conn *conn_of(u64 key)
{
	struct rt_conn *c = bpf_map_lookup_elem(&rt_conns, &key);

	if (c)
		c->sk = key;
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

	if (zero)
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
	if (ends == LETS_GO)
		rt_conn_unlock(c);
	else if (!rt_conn_delete(c, &key) || (ends == REPLACES && new_conn(OTHER) != c))
		return 2;
	held_ns = bpf_ktime_get_ns() - start;
	over = 1;
	return 0;
}

/* Behind a round in which the state was deleted. */
SEC("raw_tp")
int restore(void *ctx)
{
	u64 other = OTHER;
	struct rt_conn *c;

	if (ends == LETS_GO)
		return 0;
	c = conn_of(OTHER);
	successor = c ? c->lock : 0;
	bpf_map_delete_elem(&rt_conns, &other);
	return !new_conn(KEY);
}

SEC("raw_tp")
int want(void *ctx)
{
	struct rt_conn *c = the_conn();
	u64 start = bpf_ktime_get_ns();

	waited_ns = 0;
	/* It went before. */
	if (!c)
		return ends == LETS_GO;
	in_vain = !rt_conn_lock(c);
	waited_ns = bpf_ktime_get_ns() - start;
	if (!in_vain)
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
