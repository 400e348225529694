/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 OR BSD-2-Clause */
/*
 * What the loader writes into the BPF object's rodata before it is loaded and
 * frozen: the verifier then drops every branch that this run does not need.
 */
#ifndef REDTAP_BPFCFG_H
#define REDTAP_BPFCFG_H

#include "cells.h"
#include "limits.h"
#include "sigmatch.h"
#include "types.h"

struct rt_port_range {
	u16 lo;
	u16 hi;
};

struct rt_bpf_cfg {
	u64 ring_keep;	 /* bytes from which on it takes only records of what is counted nowhere else */
	u64 ring_wake;	 /* bytes waiting in the ring from which on the consumer is woken */
	u64 idle_ns;	 /* silence after which the sweep reports an exchange */
	u64 long_idle_ns; /* and reports it once more */
	u64 self_ns_dev; /* redtap's own pid namespace; ino 0: the initial one */
	u64 self_ns_ino;
	u32 self_tgid;	 /* redtap itself is never in scope */
	u32 nr_netns;	 /* each 0: this kind does not narrow the scope */
	u32 nr_cgroups;
	u32 nr_pids;
	u32 nr_exes;
	u32 nr_ports;
	u32 hash_only;	 /* no socket storage: the hash map holds the state of all sockets */
	u32 stack_size;	 /* of a task in the kernel, to find its registers there; 0: helpers do */
	u32 skips;	 /* the kernel may leave out runs of this backend's programs */
	u32 late;	 /* the operations of a call are told when all are over */
	struct rt_port_range ports[RT_SCOPE_PORT_MAX];
	u32 nr_req_sigs;
	u32 nr_resp_sigs;
	u64 route_seed;	 /* of the rules' keys; secret, as paths are hostile */
	u32 stripe_bits; /* a slot's stripes, as a power of two; a CPU's is its low bits */
	u32 shared_cells; /* counters of a stripe are added to by more than one at a time */
	u64 sample_every_ns[RT_NR_SAMPLES]; /* per service; 0: none */
	u32 samples;	 /* whether any are taken */
	u32 pad2;
	u64 duration_bounds[RT_NR_DURATION_BOUNDS]; /* ns */
	u8 bound_of_bin[RT_HIST_BINS]; /* bound that lies in this bin, plus one; 0: none */
	/* rows for what may open a turn in the request's direction, and in the response's */
	struct rt_sig req_sigs[RT_SIG_MAX];
	struct rt_sig resp_sigs[RT_SIG_MAX];
};

/* What the programs of ctl.bpf.c that deal with rules are handed. */
struct rt_ctl_arg {
	struct rt_rule rule;
	u64 flags; /* of the map's update */
};

/* Key of the executables' verdicts. */
struct rt_exe_key {
	u64 dev;
	u64 ino;
};

enum rt_verdict {
	RT_VERDICT_ASKED = 0, /* user space has been asked; out of scope until it answers */
	RT_VERDICT_IN = 1,
	RT_VERDICT_OUT = 2,
};

enum rt_stat {
#define STAT(id, metric, labels, help) RT_STAT_##id,
#include "stats.def"
#undef STAT
	RT_NR_STATS
};

/* Those of one CPU, in whole lines of its cache. */
#define RT_STATS_LINE 8
struct rt_cpu_stats {
	u64 v[(RT_NR_STATS + RT_STATS_LINE - 1) / RT_STATS_LINE * RT_STATS_LINE];
};

#endif /* REDTAP_BPFCFG_H */
