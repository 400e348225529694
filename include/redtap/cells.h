/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 OR BSD-2-Clause */
/*
 * Requests that the kernel counts in place: rules (what is counted where) that
 * user space writes, and cells that the BPF programs add to and user space reads.
 *
 * A rule says for one path of one process, and for each status, which slot its
 * requests go to: one combination of target, route, method and status. A slot
 * has a cell and a histogram per stripe; a CPU always writes to the same stripe.
 *
 * Durations are log-linear: RT_HIST_SUB bins per power of two, so a bin is at
 * most 1/32 of its value wide and its middle at most 1.6 % off, from RT_HIST_UNIT_NS
 * * RT_HIST_SUB (1 us) up; below, bins are RT_HIST_UNIT_NS wide. From 137 s on all
 * share the last bin; sums are exact. A bound of the exported buckets that lies
 * inside a bin has a counter of its own for those above it: buckets are exact.
 */
#ifndef REDTAP_CELLS_H
#define REDTAP_CELLS_H

#include "types.h"

/* Upper bounds of the exported duration buckets, nanoseconds: those of the HTTP
 * semantic conventions (opentelemetry.io/docs/specs/semconv/http/http-metrics/). */
#define RT_DURATION_BOUNDS(B)                                                                      \
	B(5000000)                                                                                 \
	B(10000000) B(25000000) B(50000000) B(75000000) B(100000000) B(250000000) B(500000000)     \
		B(750000000) B(1000000000) B(2500000000) B(5000000000) B(7500000000)               \
			B(10000000000)
#define RT_NR_DURATION_BOUNDS 14

/* Of the exported size buckets, bytes: powers of 4 from 64, a bare status line, to 16 MiB. */
#define RT_SIZE_BOUNDS(B)                                                                          \
	B(64) B(256) B(1024) B(4096) B(16384) B(65536) B(262144) B(1048576) B(4194304) B(16777216)
#define RT_NR_SIZE_BOUNDS 10

#define RT_HIST_UNIT_SHIFT 5
#define RT_HIST_UNIT_NS	   (1 << RT_HIST_UNIT_SHIFT)
#define RT_HIST_SUB_BITS   5
#define RT_HIST_SUB	   (1 << RT_HIST_SUB_BITS)
#define RT_HIST_BINS	   (RT_HIST_SUB * 28)

/* Statuses that one rule can tell apart; further ones go up as records. */
#define RT_RULE_WAYS 4
/* Paths of processes that are counted in place. */
#define RT_RULES_MAX   16384
#define RT_SLOTS_MAX   4096
/* Slots that the kernel may give away by itself while records are lost. */
#define RT_SPARES_MAX	128
/* In rt_spare_keys, of a slot that was taken and not given away: no rule has that key. */
#define RT_SPARE_KEY_NONE 1
#define RT_STRIPES_MAX 16

/* Why a request that is counted in place is told of all the same, by a record. */
enum rt_sample {
	RT_SAMPLE_ANY = 0,
	RT_SAMPLE_SLOW = 1,
	RT_SAMPLE_FAILED = 2, /* by its status */
	RT_NR_SAMPLES
};
/* Services that are sampled; 0 is none. */
#define RT_SAMPLERS_MAX 1024
/* What was not sampled for so long may follow at once. */
#define RT_SAMPLE_BURST_NS 1000000000ull

/* Of one service. Two processors may take the same turn: rates hold but for that. */
struct rt_sampler {
	u64 slow_ns; /* what takes longer is slow; user space writes it */
	u64 slow;    /* requests that were; both count */
	u64 next_ns[RT_NR_SAMPLES]; /* CLOCK_MONOTONIC; both write it */
};

struct rt_rule {
	u64 key;  /* the map's key once more: an element may be reused while it is read */
	u32 used; /* set by the kernel, cleared by user space */
	u16 status[RT_RULE_WAYS]; /* 0: unused */
	u16 slot[RT_RULE_WAYS];
	u32 pad;
};

/* Sums, in a map of their own that user space has mapped: whether a slot was
 * used since the last look costs no system call. */
struct rt_cell {
	u64 duration_ns; /* first request byte to last response byte */
	u64 ttfb_ns;	 /* to first response byte */
	u64 request_bytes;
	u64 response_bytes;
	u32 busy; /* a program on this stripe's CPU is at plain adds; the kernel's own */
	u32 pad[7]; /* CPUs share no cache line */
};

/* Counts wrap; user space looks more often than that. */
struct rt_hist {
	u32 duration[RT_HIST_BINS];
	u32 ttfb[RT_HIST_BINS];
	/* of the bin that bound i lies in, those above the bound */
	u32 duration_over[RT_NR_DURATION_BOUNDS];
	u32 ttfb_over[RT_NR_DURATION_BOUNDS];
	/* request's bucket, then the response's */
	u32 sizes[(RT_NR_SIZE_BOUNDS + 1) * (RT_NR_SIZE_BOUNDS + 1)];
	u32 pad;
};

_Static_assert(sizeof(struct rt_rule) == 32, "rt_rule layout");
_Static_assert(sizeof(struct rt_cell) == 64, "rt_cell layout");
_Static_assert(sizeof(struct rt_hist) % 8 == 0, "rt_hist layout");

/* Whether the service's sample of this kind is due at `now`, one per `every` ns (0: none).
 * The same in the kernel and in user space. */
static inline __attribute__((always_inline)) int rt_sample_due(struct rt_sampler *s, u32 why,
							       u64 every, u64 now)
{
	u64 next;

	if (why >= RT_NR_SAMPLES || !every)
		return 0;
	next = *(volatile u64 *)&s->next_ns[why];
	if (next > now)
		return 0;
	if (now - next > RT_SAMPLE_BURST_NS)
		next = now - RT_SAMPLE_BURST_NS;
	*(volatile u64 *)&s->next_ns[why] = next + every;
	return 1;
}

/* Which sample the request is, whose kind `why` is, plus one; 0: none. Failed and slow ones
 * are some of all: where their own rate is used up, they take their turn among those. */
static inline __attribute__((always_inline)) u32 rt_sample_take(struct rt_sampler *s, u32 why,
								const volatile u64 *every, u64 now)
{
	if (why < RT_NR_SAMPLES && rt_sample_due(s, why, every[why], now))
		return why + 1;
	if (why != RT_SAMPLE_ANY && rt_sample_due(s, RT_SAMPLE_ANY, every[RT_SAMPLE_ANY], now))
		return RT_SAMPLE_ANY + 1;
	return 0;
}

/* `bits`, a power of two, if v has any bit at or above that place; else 0. Without a branch:
 * the verifier would follow each combination of them. */
static inline __attribute__((always_inline)) u32 rt_log2_step(u64 v, u32 bits, u32 log2_bits)
{
	u64 above = -(v >> bits);

	/* Or the compiler makes the branch. */
	__asm__("" : "+r"(above));
	return (u32)(above >> 63) << log2_bits;
}

/* Position of the highest bit of v, which is not 0. BPF has no instruction for it. */
static inline __attribute__((always_inline)) u32 rt_log2(u64 v)
{
	u32 e = 0;

	for (u32 i = 6; i-- > 0;) {
		u32 step = rt_log2_step(v, 1u << i, i);

		v >>= step;
		e += step;
	}
	return e;
}

static inline __attribute__((always_inline)) u32 rt_hist_bin(u64 ns)
{
	u64 v = ns >> RT_HIST_UNIT_SHIFT;
	u32 e;

	if (v < RT_HIST_SUB)
		return v;
	if (v >> 32)
		return RT_HIST_BINS - 1;
	e = rt_log2(v) - RT_HIST_SUB_BITS;
	return ((e + 1) << RT_HIST_SUB_BITS) + ((u32)(v >> e) & (RT_HIST_SUB - 1));
}

/* The bucket of a size: the first whose bound is not below it. */
static inline __attribute__((always_inline)) u32 rt_size_bucket(u64 bytes)
{
	u64 v = bytes ? (bytes - 1) >> 6 : 0;
	u32 b = v ? rt_log2(v) / 2 + 1 : 0;

	return b < RT_NR_SIZE_BOUNDS ? b : RT_NR_SIZE_BOUNDS;
}

#endif /* REDTAP_CELLS_H */
