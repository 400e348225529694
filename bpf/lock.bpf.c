// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Waiting for the lock of lib/lock.bpf.h: rounds of rounds of tries, two milliseconds
 * or so. In three global functions, as the verifier looks at each once: the steps of
 * the one are added to those of the others, not multiplied.
 */
#include "lib/maps.bpf.h"

#include "lib/lock.bpf.h"

/* What a round of tries leads to. */
#define RT_LOCK_BUSY  0
#define RT_LOCK_TAKEN 1
#define RT_LOCK_NEVER 2

#ifdef RT_LEGACY

/* Each is a map's call. */
#define RT_LOCK_TRIES 64

RT_SCALAR int rt_lock_round(u64 key)
{
	u32 me = bpf_get_smp_processor_id() + 1;

	for (u32 i = 0; i < RT_LOCK_TRIES; i++) {
		u32 *holder = bpf_map_lookup_elem(&rt_locks, &key);

		if (holder && *holder == me)
			return RT_LOCK_NEVER;
		if (!bpf_map_update_elem(&rt_locks, &key, &me, BPF_NOEXIST))
			return RT_LOCK_TAKEN;
	}
	return RT_LOCK_BUSY;
}

#define RT_LOCK_ROUNDS 32

/* Whose lock it is. */
#define RT_LOCK_OF u64

static __always_inline u64 rt_lock_whose(u64 key)
{
	return key;
}

static __always_inline bool rt_lock_swept(u64 key)
{
	return false;
}

static __always_inline bool rt_lock_kept(u64 key, u64 sk)
{
	return true;
}

/* Its lock is deleted behind the state, and was waited for. */
static __always_inline bool rt_lock_goes(u64 key)
{
	return false;
}

#else

#define RT_LOCK_TRIES  64

/* Nobody holds it, and the sweep was there. */
__noinline int rt_lock_swept(struct rt_conn *c)
{
	u32 word;

	if (!c)
		return 0;
	word = *(volatile u32 *)&c->lock;
	if (!(word & RT_LOCK_SWEPT) ||
	    __sync_val_compare_and_swap(&c->lock, word, bpf_get_smp_processor_id() + 1) != word)
		return 0;
	rt_conn_settle(c, word);
	return 1;
}

__noinline int rt_lock_round(struct rt_conn *c)
{
	u32 me = bpf_get_smp_processor_id() + 1;

	if (!c)
		return RT_LOCK_NEVER;
	for (u32 i = 0; i < RT_LOCK_TRIES; i++) {
		u32 holder = __sync_val_compare_and_swap(&c->lock, 0, me);

		if (!holder)
			return RT_LOCK_TAKEN;
		if (holder & RT_LOCK_SWEPT)
			return rt_lock_swept(c) ? RT_LOCK_TAKEN : RT_LOCK_BUSY;
		if (holder == me || (holder & (RT_LOCK_GONE | RT_LOCK_NEW)))
			return RT_LOCK_NEVER;
	}
	return RT_LOCK_BUSY;
}

#define RT_LOCK_ROUNDS 64
#define RT_LOCK_OF     struct rt_conn *

static __always_inline u64 rt_lock_whose(const struct rt_conn *c)
{
	return *(const volatile u64 *)&c->sk;
}

/* Not where the state went meanwhile, and its memory is another socket's. */
static __always_inline bool rt_lock_kept(struct rt_conn *c, u64 sk)
{
	if (rt_lock_whose(c) == sk)
		return true;
	rt_conn_unlock(c);
	return false;
}

/* Whether another CPU is about to delete the state. */
static __always_inline bool rt_lock_goes(u64 key)
{
	const struct rt_conn *c = bpf_map_lookup_elem(&rt_conns, &key);

	return c && *(const volatile u32 *)&c->lock == RT_LOCK_GONE;
}

#endif /* RT_LEGACY */

/* A look-up takes longer than a try. */
#define RT_GONE_ROUNDS 16

__noinline RT_SCALAR int rt_lock_rounds(RT_LOCK_OF whose)
{
	if (!whose)
		return RT_LOCK_NEVER;
	for (u32 i = 0; i < RT_LOCK_ROUNDS; i++) {
		int got = rt_lock_round(whose);

		if (got != RT_LOCK_BUSY)
			return got;
	}
	return RT_LOCK_BUSY;
}

RT_SCALAR int rt_lock_wait(RT_LOCK_OF whose)
{
	u64 sk;

	if (!whose)
		return 0;
	sk = rt_lock_whose(whose);
	if (rt_lock_swept(whose))
		return rt_lock_kept(whose, sk);
	for (u32 i = 0; i < RT_LOCK_ROUNDS; i++) {
		int got = rt_lock_rounds(whose);

		if (got != RT_LOCK_BUSY)
			return got == RT_LOCK_TAKEN && rt_lock_kept(whose, sk);
	}
	return 0;
}

/* Rounds as above. */
__noinline RT_SCALAR int rt_lock_going(u64 key)
{
	for (u32 i = 0; i < RT_LOCK_TRIES; i++)
		if (!rt_lock_goes(key))
			return 0;
	return 1;
}

__noinline RT_SCALAR int rt_lock_going_on(u64 key)
{
	for (u32 i = 0; i < RT_LOCK_ROUNDS; i++)
		if (!rt_lock_going(key))
			return 0;
	return 1;
}

RT_SCALAR int rt_lock_gone(u64 key)
{
	for (u32 i = 0; i < RT_GONE_ROUNDS; i++)
		if (!rt_lock_going_on(key))
			return 1;
	return 0;
}
