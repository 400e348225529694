/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel side as one object: opened, configured, loaded and attached by the
 * first backend that this kernel really takes; read through the ring and the
 * sweep. Owned by the consumer's thread, but for the read-only calls marked so.
 */
#ifndef REDTAP_CAPTURE_H
#define REDTAP_CAPTURE_H

#include <stddef.h>

#include "config/config.h"
#include "redtap/bpfcfg.h"
#include "redtap/event.h"

struct rt_bpf;

/* What governs samples of requests that are counted in place (redtap/cells.h). */
struct rt_samplers {
	struct rt_sampler *all; /* RT_SAMPLERS_MAX */
	volatile u64 *of_slot;	/* a slot's index in `all`; 0: none */
	u64 every_ns[RT_NR_SAMPLES]; /* between two of a kind and service; 0: none */
};

/* What the consumer is told; `data` is one record, `len` bytes of it are there. */
typedef void (*rt_record_fn)(void *ctx, const void *data, u32 len);

/* See backends.c. */
struct rt_backend {
	const char *name;
	enum rt_backend_choice id;
	const char *text; /* for doctor */
	/* NULL-terminated names of the programs to load; all are attached. */
	const char *const *programs;
	/* Whether it can use sockets' own storage beside the hash map, which serves
	 * all sockets where the kernel has none. */
	bool storage;
	/* A reason why this kernel or these privileges cannot carry it, or NULL. */
	const char *(*missing)(void);
	/* Why this kernel may skip runs of its programs, or NULL. Then any other is preferred. */
	const char *(*doubt)(void);
};
extern const struct rt_backend rt_backends[];
extern const size_t rt_nr_backends;

/* The backends in order of preference on this kernel; NULL past the last. */
const struct rt_backend *rt_backend__by_rank(size_t rank);

/*
 * Loads and attaches. On failure returns -errno and one sentence in errbuf:
 * -EINVAL: a mistake in the configuration (a scope path that does not exist);
 * anything else: this system refuses. `sigs`: signature rows (sigmatch.h).
 */
int rt_bpf__new(struct rt_bpf **ret, const struct rt_config *cfg, const struct rt_sig *sigs,
		u32 nr_sigs, char *errbuf, size_t errlen);
void rt_bpf__free(struct rt_bpf *b); /* NULL-safe */

const struct rt_backend *rt_bpf__backend(const struct rt_bpf *b);

/* Readable when the ring is above its fill level or a record asked for attention. */
int rt_bpf__wait_fd(const struct rt_bpf *b);
/* Consumes up to `budget` waiting records. Returns how many, or -errno. */
int rt_bpf__drain(struct rt_bpf *b, rt_record_fn fn, void *ctx, u32 budget);
/* Whether records wait, be it that they are still being written. */
bool rt_bpf__has_records(const struct rt_bpf *b);
/* Around a batch of records. */
typedef void (*rt_batch_fn)(void *ctx, bool begin);
/* Takes all that waits in the ring. */
typedef void (*rt_catch_up_fn)(void *ctx);
/* Runs the sweep once; its records go to fn, in batches as the kernel hands them out: in
 * between, all that it reported was told. What the ring has of the same connections may be
 * older or newer than that. It is newer if it matters to an exchange that goes on, and so not
 * to be taken first; and older, so catch_up is called, before those are told of that the sweep
 * itself ends (RT_X_CLOSED): their socket is gone. Returns 0 or -errno. */
int rt_bpf__sweep(struct rt_bpf *b, rt_record_fn fn, rt_batch_fn batch, rt_catch_up_fn catch_up,
		  void *ctx);
/* Answers RT_EV_EXE: is this executable in scope by --exe? */
void rt_bpf__judge_exe(struct rt_bpf *b, const struct rt_exe_event *ev);

/* Sums of the counters of all CPUs. Any thread. */
void rt_bpf__stats(const struct rt_bpf *b, u64 ret_stats[RT_NR_STATS]);

/* Requests counted in place (redtap/cells.h). Consumer's thread. 0: none are. */
u32 rt_bpf__nr_slots(const struct rt_bpf *b);
/* Return 0 or -errno; -E2BIG: no room for a further rule, -ENOENT: no such rule,
 * -EEXIST: `fresh`, but it is there. */
int rt_bpf__rule_put(const struct rt_bpf *b, const struct rt_rule *rule, bool fresh);
/* A slot for the kernel to give away by itself. -E2BIG: it has enough of them. */
int rt_bpf__spare(const struct rt_bpf *b, u32 slot);
/* The key of the rule that the kernel made for a slot so given; 0: it did not yet. */
u64 rt_bpf__spare_key(const struct rt_bpf *b, u32 slot);
int rt_bpf__rule_get(const struct rt_bpf *b, u64 key, struct rt_rule *ret);
int rt_bpf__rule_delete(const struct rt_bpf *b, u64 key);
/* Sockets remember their last rule until this is called: after rules were deleted,
 * or written to learn whether they are used. */
void rt_bpf__rules_moved(const struct rt_bpf *b);
/* Sums over a slot's stripes; what is in the sums is in the histogram read later. */
void rt_bpf__slot_sums(const struct rt_bpf *b, u32 slot, struct rt_cell *ret);
int rt_bpf__slot_hist(struct rt_bpf *b, u32 slot, struct rt_hist *ret);

/* For red/sample.h; NULL: none are taken. */
const struct rt_samplers *rt_bpf__samplers(const struct rt_bpf *b);

struct rt_prog_info {
	const char *name;
	u64 runs;
	u64 run_ns;
	u64 skips; /* runs that the kernel left out: the program was running on that CPU already */
};
/* Any thread. Fills up to `max` rows, returns how many. Runs and their time are
 * zero while the kernel's BPF statistics are off; skips are always counted (Linux 5.12). */
size_t rt_bpf__programs(const struct rt_bpf *b, struct rt_prog_info *ret, size_t max);

#endif /* REDTAP_CAPTURE_H */
