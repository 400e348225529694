// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Every shared map once, and the configuration in rodata. */
#include "lib/maps.bpf.h"

/* What the loader set; frozen at load. */
const struct rt_bpf_cfg rt_cfg = {
	.ring_wake = 1 << 20,
	.ring_keep = 3 << 19,
	.idle_ns = 400000000,
	.long_idle_ns = 1200000000,
	.route_seed = 1,
};

volatile u32 rt_rules_moved = 0;
volatile u32 rt_conns_made = 0;
volatile u32 rt_moved = 0;
volatile u64 rt_outs[RT_SCOPE_OUTS_MAX] = {};

/* Records for user space. Written by every hook, read by the ring consumer.
 * Size: --ring-size. */
struct rt_ring_map rt_ring SEC(".maps");

/* State of TCP sockets. Written by the hooks and the sweep; the kernel deletes
 * an entry with its socket. About 2 KB per socket that moved data in scope. */
struct rt_socks_map rt_socks SEC(".maps");

/* State of sockets that cannot have storage: Unix sockets (nothing tells of
 * their end) and every socket of the syscall backend (its programs may not use
 * socket storage). Key: the socket's address; the inode number in the value
 * tells a reused address. Written by the hooks; deleted at TCP close and by the
 * sweep when the socket is gone. At most RT_CONN_HASH_MAX, on demand. */
struct rt_conns_map rt_conns SEC(".maps");

#ifdef RT_LEGACY
/* The locks of the states that are locked: a socket's address -> CPU of the holder,
 * plus one (lib/lock.bpf.h). */
struct rt_locks_map rt_locks SEC(".maps");

/* The buffer of the operation that is looked at (lib/legacy.bpf.h). */
struct rt_uios_map rt_uios SEC(".maps");
#endif

/* One zeroed state, to insert new entries from. Never written. */
struct rt_zero_map rt_zero SEC(".maps");

/* Counters by enum rt_stat, of each CPU. Written by every program, read at scrape. The loader
 * makes as many as there may be CPUs. Mapped: while a map's system call copies a value out, the
 * kernel skips the programs of perf's events for whoever preempts it there. */
struct rt_stats_map rt_stats SEC(".maps");

/* Processes announced to user space: thread group id -> start time. Written by
 * the hooks, deleted at exec and exit. */
struct rt_procs_map rt_procs SEC(".maps");

/* Scope, written by the loader: network namespace inodes, thread group ids,
 * cgroup v2 directories; and verdicts on executables, asked for by the hooks
 * and given by user space. */
struct rt_netns_map rt_netns SEC(".maps");
struct rt_pids_map rt_pids SEC(".maps");
struct rt_cgroups_map rt_cgroups SEC(".maps");
struct rt_exes_map rt_exes SEC(".maps");

/* What is counted in place, and where (redtap/cells.h). Rules: written, aged and
 * deleted by user space, which learns them (and written by the hooks, with a slot of
 * the spares that user space gave, when records are lost; the slot's key says which); cells and histograms: added to by
 * the hooks, read by user space. The loader sizes them by routes.memory. */
struct rt_rules_map rt_rules SEC(".maps");
struct rt_spares_map rt_spares SEC(".maps");
struct rt_spare_keys_map rt_spare_keys SEC(".maps");
struct rt_cells_map rt_cells SEC(".maps");
struct rt_hists_map rt_hists SEC(".maps");

/* Samples of what is counted in place, with --samples-log only: by service, and a slot's
 * service. Written by user space, but for what the hooks count in a sampler. */
struct rt_samplers_map rt_samplers SEC(".maps");
struct rt_sampler_of_map rt_sampler_of SEC(".maps");

char LICENSE[] SEC("license") = "Dual BSD/GPL";
