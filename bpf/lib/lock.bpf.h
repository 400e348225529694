/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The lock of a socket's state. Two threads may send and receive on one socket at
 * once. Its holder is a program on another CPU, done within a microsecond unless an
 * interrupt or the machine below keeps it from that; what a waiter gives up is lost,
 * so it waits for as long as such things take. Or the holder was interrupted on this
 * very CPU: then waiting would be for ever.
 *
 * The sweep does not hold it while the socket is open: its iterators are preempted, also by
 * those who then move bytes on that socket. It looks at a state, or at a copy, and leaves
 * what it found in the lock's word, if nobody had the lock meanwhile; whoever is next to
 * have it brings the state up to that.
 *
 * The legacy object (RT_LEGACY, README.md) has no atomic instruction with a result.
 * Its locks are elements of a map, by the socket's address: of those who insert the
 * same key, one is first.
 */
#ifndef REDTAP_LOCK_BPF_H
#define REDTAP_LOCK_BPF_H

#include "lib/maps.bpf.h"

#define RT_ENOENT 2

/* An exchange is in progress: the state is not at rest. */
static __always_inline bool rt_turn_busy(const struct rt_conn *c)
{
	const u32 busy = 1 << RT_PHASE_REQ | 1 << RT_PHASE_RESP | 1 << RT_PHASE_STREAM;

	return busy >> (c->phase & 7) & 1;
}

/* The word of a state that nobody holds, where the sweep was since somebody did. */
#define RT_LOCK_SWEPT (1u << 31)

/* With it: what the sweep found. */
enum rt_swept_flag {
	RT_SWEPT_LOOKS = 1 << 0,   /* it is at it */
	RT_SWEPT_BYTES = 1 << 1,   /* rt_conn.uncounted is counted */
	RT_SWEPT_OVER = 1 << 2,	   /* the exchange is counted, and over */
	RT_SWEPT_SILENT = 1 << 3,  /* it was reported as silent */
	RT_SWEPT_RESTING = 1 << 4, /* and once more */
};

/* The word of a state that was deleted from the hash map, and of one that is being made: nobody
 * has it. Who waits for a state that is deleted meanwhile finds them one after the other, as the
 * memory is another socket's at once; when the word is free again, it is known whose. */
#define RT_LOCK_GONE (1u << 30)
#define RT_LOCK_NEW  (1u << 29)

static __always_inline void rt_conn_settle(struct rt_conn *c, u32 word)
{
	if (word & RT_SWEPT_BYTES)
		c->uncounted = 0;
	if (word & RT_SWEPT_OVER)
		c->phase = RT_PHASE_IDLE;
	if (word & (RT_SWEPT_SILENT | RT_SWEPT_RESTING)) {
		c->idle_bytes = c->x.resp_bytes;
		c->idle_stage = word & RT_SWEPT_RESTING ? 2 : 1;
		c->x.flags |= RT_X_AFTER_IDLE;
	}
}

/* Read first: all CPUs share its line. */
static __always_inline void rt_note_moved(void)
{
	if (!rt_moved)
		rt_moved = 1;
}

#ifdef RT_LEGACY

static __always_inline bool rt_key_trylock(u64 key)
{
	u32 me = bpf_get_smp_processor_id() + 1;

	return !bpf_map_update_elem(&rt_locks, &key, &me, BPF_NOEXIST);
}

static __always_inline bool rt_conn_trylock(struct rt_conn *c)
{
	return rt_key_trylock(c->sk);
}

static __always_inline void rt_conn_unlock(struct rt_conn *c)
{
	u64 key = c->sk;

	bpf_map_delete_elem(&rt_locks, &key);
}

static __always_inline void rt_conn_begin(struct rt_conn *zero)
{
}

static __always_inline void rt_conn_open(struct rt_conn *c)
{
}

/* As below. Kernels that take this object are not preempted in the kernel, as a rule: here the
 * sweep has the lock. */
static __always_inline u32 rt_conn_swept(const struct rt_conn *c)
{
	return 0;
}

static __always_inline bool rt_conn_look(struct rt_conn *c, u32 *word)
{
	*word = 0;
	return rt_conn_trylock(c);
}

static __always_inline bool rt_conn_leave(struct rt_conn *c, u32 word, u32 left)
{
	rt_conn_settle(c, left);
	return true;
}

static __always_inline void rt_conn_looked(struct rt_conn *c)
{
	rt_conn_unlock(c);
}

int rt_lock_wait(u64 key);

static __always_inline bool rt_key_lock(u64 key)
{
	return rt_key_trylock(key) || rt_lock_wait(key);
}

static __always_inline bool rt_conn_lock_or_wait(struct rt_conn *c)
{
	return rt_key_lock(*(volatile u64 *)&c->sk);
}

static __always_inline bool rt_conn_lock_of(struct rt_conn *c, u64 key)
{
	u64 sk = *(volatile u64 *)&c->sk;

	if (!rt_key_lock(sk))
		return false;
	rt_note_moved();
	if (sk == key && c->sk == key && c->scope_of)
		return true;
	bpf_map_delete_elem(&rt_locks, &sk);
	return false;
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

/* What new states are copied from. */
static __always_inline void rt_conn_begin(struct rt_conn *zero)
{
	if (zero->lock != RT_LOCK_NEW)
		zero->lock = RT_LOCK_NEW;
}

/* Behind all that identifies a state; by each who makes it. */
static __always_inline void rt_conn_open(struct rt_conn *c)
{
	__sync_val_compare_and_swap(&c->lock, RT_LOCK_NEW, 0);
}

/* What the sweep found since somebody last had the lock (enum rt_swept_flag). */
static __always_inline u32 rt_conn_swept(const struct rt_conn *c)
{
	u32 word = *(const volatile u32 *)&c->lock;

	return word & RT_LOCK_SWEPT ? word & ~(RT_LOCK_SWEPT | RT_SWEPT_LOOKS) : 0;
}

/* For the sweep. False: somebody has the lock; else `word` is what it found before. */
static __always_inline bool rt_conn_look(struct rt_conn *c, u32 *word)
{
	u32 was = *(volatile u32 *)&c->lock;

	*word = was & ~(RT_LOCK_SWEPT | RT_SWEPT_LOOKS);
	return (!was || (was & RT_LOCK_SWEPT)) &&
	       __sync_val_compare_and_swap(&c->lock, was,
					   *word | RT_LOCK_SWEPT | RT_SWEPT_LOOKS) == was;
}

/* What it found is left in the word. False: somebody had the lock since rt_conn_look(), and what
 * was read since may be of two states. */
static __always_inline bool rt_conn_leave(struct rt_conn *c, u32 word, u32 left)
{
	u32 looks = word | RT_LOCK_SWEPT | RT_SWEPT_LOOKS;

	return __sync_val_compare_and_swap(&c->lock, looks, left ? left | RT_LOCK_SWEPT : 0) ==
	       looks;
}

/* Behind all that is made of what was read. */
static __always_inline void rt_conn_looked(struct rt_conn *c)
{
}

int rt_lock_wait(struct rt_conn *c);

static __always_inline bool rt_conn_lock_or_wait(struct rt_conn *c)
{
	return rt_conn_trylock(c) || rt_lock_wait(c);
}

/* For those who delete: the state is that of the socket `key` then. Else it went before the lock
 * was had, and this is another's in its memory, or one that is being made. */
static __always_inline bool rt_conn_lock_of(struct rt_conn *c, u64 key)
{
	if (!rt_conn_lock_or_wait(c))
		return false;
	rt_note_moved();
	if (c->sk == key && c->scope_of)
		return true;
	rt_conn_unlock(c);
	return false;
}

#endif /* RT_LEGACY */

/* For those that change the state: the sweep has something to look at. */
static __always_inline bool rt_conn_lock(struct rt_conn *c)
{
	bool locked = rt_conn_lock_or_wait(c);

	rt_note_moved();
	return locked;
}

/* Deletes a state from the hash, by who holds its lock: who deletes by the key alone may find a
 * successor's there. False: the map was busy. */
static __always_inline bool rt_conn_delete(struct rt_conn *c, const u64 *key)
{
#ifdef RT_LEGACY
	bpf_map_delete_elem(&rt_conns, key);
	bpf_map_delete_elem(&rt_locks, key);
	return true;
#else
	int err;

	__sync_lock_test_and_set(&c->lock, RT_LOCK_GONE);
	err = bpf_map_delete_elem(&rt_conns, key);
	if (!err)
		return true;
	/* The map was busy. Or the state is not there, so that this was another's, still open. */
	rt_conn_unlock(c);
	return err == -RT_ENOENT;
#endif
}

/* Waits until a state that another CPU deletes is no longer found. */
int rt_lock_gone(u64 key);

/* Of a state at rest. False: someone is at work on it, or has begun an exchange, and the sweep
 * deletes it; or it is no more. */
static __always_inline bool rt_conn_drop(struct rt_conn *c, const u64 *key)
{
	if (!rt_conn_lock_of(c, (u64)*key))
		return false;
	if (rt_turn_busy(c)) {
		rt_conn_unlock(c);
		return false;
	}
	return rt_conn_delete(c, key);
}

#endif /* REDTAP_LOCK_BPF_H */
