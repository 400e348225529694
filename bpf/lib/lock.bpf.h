/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The lock of a socket's state. Two threads may send and receive on one socket at
 * once. Its holder is a program on another CPU, done within a microsecond unless an
 * interrupt or the machine below keeps it from that; what a waiter gives up is lost,
 * so it waits for as long as such things take. Or the holder was interrupted on this
 * very CPU: then waiting would be for ever.
 *
 * The legacy object (RT_LEGACY, README.md) has no atomic instruction with a result.
 * Its locks are elements of a map, by the socket's address: of those who insert the
 * same key, one is first.
 */
#ifndef REDTAP_LOCK_BPF_H
#define REDTAP_LOCK_BPF_H

#include "lib/maps.bpf.h"

#ifdef RT_LEGACY

static __always_inline bool rt_conn_trylock(struct rt_conn *c)
{
	u64 key = c->sk;
	u32 me = bpf_get_smp_processor_id() + 1;

	return !bpf_map_update_elem(&rt_locks, &key, &me, BPF_NOEXIST);
}

static __always_inline void rt_conn_unlock(struct rt_conn *c)
{
	u64 key = c->sk;

	bpf_map_delete_elem(&rt_locks, &key);
}

int rt_lock_wait(u64 key);

static __always_inline bool rt_conn_lock_or_wait(struct rt_conn *c)
{
	return rt_conn_trylock(c) || rt_lock_wait(c->sk);
}

#else

static __always_inline bool rt_conn_trylock(struct rt_conn *c)
{
	return __sync_val_compare_and_swap(&c->lock, 0, bpf_get_smp_processor_id() + 1) == 0;
}

static __always_inline void rt_conn_unlock(struct rt_conn *c)
{
#ifdef __TARGET_ARCH_x86
	/* Stores are not reordered with earlier ones on x86: no locked operation. */
	barrier();
	*(volatile u32 *)&c->lock = 0;
#else
	__sync_lock_test_and_set(&c->lock, 0);
#endif
}

int rt_lock_wait(struct rt_conn *c);

static __always_inline bool rt_conn_lock_or_wait(struct rt_conn *c)
{
	return rt_conn_trylock(c) || rt_lock_wait(c);
}

#endif /* RT_LEGACY */

/* Read first: all CPUs share its line. */
static __always_inline void rt_note_moved(void)
{
	if (!rt_moved)
		rt_moved = 1;
}

/* For those that change the state: the sweep has something to look at. */
static __always_inline bool rt_conn_lock(struct rt_conn *c)
{
	bool locked = rt_conn_lock_or_wait(c);

	rt_note_moved();
	return locked;
}

/* Deletes a state from the hash, by who holds its lock: a deleted element is another socket's
 * at once, and who deletes by the key alone may find a successor's there. It stays locked:
 * who waits for it must not have it. */
static __always_inline void rt_conn_delete(const u64 *key)
{
	bpf_map_delete_elem(&rt_conns, key);
#ifdef RT_LEGACY
	bpf_map_delete_elem(&rt_locks, key);
#endif
}

/* False: someone is at work on it, and the sweep deletes it. */
static __always_inline bool rt_conn_drop(struct rt_conn *c, const u64 *key)
{
	if (!rt_conn_lock(c))
		return false;
	rt_conn_delete(key);
	return true;
}

#endif /* REDTAP_LOCK_BPF_H */
