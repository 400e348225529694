/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Declarations of the shared maps; maps.bpf.c defines them and says who owns what. */
#ifndef REDTAP_MAPS_BPF_H
#define REDTAP_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "redtap/bpfcfg.h"
#include "redtap/event.h"

#include "lib/conn.bpf.h"

/* In the legacy object all is hidden but what is marked here: libbpf makes hidden
 * functions static, and takes no hidden maps. Functions without pointers stay global
 * to the verifier in both. */
#define RT_VISIBLE __attribute__((visibility("default")))
#ifdef RT_LEGACY
#define RT_SCALAR RT_VISIBLE __noinline
/* What a chain of calls may have of stack is short there: not inlined. */
#define RT_INLINE __noinline
#else
#define RT_SCALAR
#define RT_INLINE __always_inline
#endif

struct rt_ring_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
};

struct rt_socks_map {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct rt_conn);
};

struct rt_conns_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RT_CONN_HASH_MAX);
	__type(key, u64);
	__type(value, struct rt_conn);
};

#ifdef RT_LEGACY
struct rt_locks_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RT_LEGACY_LOCKS_MAX);
	__type(key, u64);
	__type(value, u32);
};

struct rt_uios_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_uio);
};
#endif

struct rt_zero_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_conn);
};

struct rt_stats_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_cpu_stats);
};

struct rt_procs_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RT_PROC_MAX);
	__type(key, u32);
	__type(value, u64);
};

/* The kernel gives inode numbers and pids away again. So the first one that comes by it is who
 * is meant, by the value that no other has; 0: none came yet. */
struct rt_netns_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RT_SCOPE_NETNS_MAX);
	__type(key, u32); /* inode number */
	__type(value, u64); /* the namespace's cookie */
};

struct rt_pids_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RT_SCOPE_PID_MAX);
	__type(key, u32);
	__type(value, u64); /* when the process began */
};

struct rt_cgroups_map {
	__uint(type, BPF_MAP_TYPE_CGROUP_ARRAY);
	__uint(max_entries, RT_SCOPE_CGROUP_MAX);
	__type(key, u32);
	__type(value, u32);
};

struct rt_exes_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, RT_SCOPE_EXE_MAX);
	__type(key, struct rt_exe_key);
	__type(value, u8);
};

struct rt_rules_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RT_RULES_MAX);
	__type(key, u64);
	__type(value, struct rt_rule);
};

struct rt_spares_map {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, RT_SPARES_MAX);
	__type(value, u32);
};

struct rt_spare_keys_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};

struct rt_cells_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_cell);
};

struct rt_hists_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_hist);
};

struct rt_samplers_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct rt_sampler);
};

struct rt_sampler_of_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
};

#pragma GCC visibility push(default)
#ifdef RT_LEGACY
extern struct rt_locks_map rt_locks SEC(".maps");
extern struct rt_uios_map rt_uios SEC(".maps");
#endif
extern struct rt_ring_map rt_ring SEC(".maps");
extern struct rt_socks_map rt_socks SEC(".maps");
extern struct rt_conns_map rt_conns SEC(".maps");
extern struct rt_zero_map rt_zero SEC(".maps");
extern struct rt_stats_map rt_stats SEC(".maps");
extern struct rt_procs_map rt_procs SEC(".maps");
extern struct rt_netns_map rt_netns SEC(".maps");
extern struct rt_pids_map rt_pids SEC(".maps");
extern struct rt_cgroups_map rt_cgroups SEC(".maps");
extern struct rt_exes_map rt_exes SEC(".maps");
extern struct rt_rules_map rt_rules SEC(".maps");
extern struct rt_spares_map rt_spares SEC(".maps");
extern struct rt_spare_keys_map rt_spare_keys SEC(".maps");
extern struct rt_cells_map rt_cells SEC(".maps");
extern struct rt_hists_map rt_hists SEC(".maps");
extern struct rt_samplers_map rt_samplers SEC(".maps");
extern struct rt_sampler_of_map rt_sampler_of SEC(".maps");

extern const struct rt_bpf_cfg rt_cfg;
/* Moves whenever a rule is deleted or must be looked up anew; user space writes it. */
extern volatile u32 rt_rules_moved;
/* States that were put into rt_conns. While it stands still, an empty map stays so. */
extern volatile u32 rt_conns_made;
/* Set when a state was locked to change it, and by a sweep that met one which does not rest;
 * cleared by user space before a sweep. */
extern volatile u32 rt_moved;
/* Marks of processes that are out of scope (scope.bpf.h), by the low bits of their pid. */
extern volatile u64 rt_outs[RT_SCOPE_OUTS_MAX];
#pragma GCC visibility pop

#include "lib/legacy.bpf.h"

#endif /* REDTAP_MAPS_BPF_H */
