/* SPDX-License-Identifier: Apache-2.0 */
/* Private to user/bpf: the object behind struct rt_bpf. */
#ifndef REDTAP_LOADER_H
#define REDTAP_LOADER_H

#include <bpf/libbpf.h>

#include "bpf/capture.h"
#include "bpf/scope.h"
#include "redtap.skel.h"

#define RT_LINKS_MAX 32
/* Executables without a verdict, as they could not be read. */
#define RT_UNREAD_MAX 1024
#define RT_JUDGED_MAX 256

/* The last verdict on an executable. */
struct rt_judged {
	struct rt_exe_key key;
	u32 round;  /* of looks at all processes */
	u8 verdict; /* enum rt_verdict; 0: none */
};

struct rt_bpf {
	const struct rt_config *cfg; /* borrowed */
	const struct rt_backend *backend;
	bool iter;    /* the sweep is made of iterators over maps, not of a walk over the hash
		       * map and, for what is in storage, of one over files */
	bool storage; /* TCP sockets' state is in their storage, not in the hash map */
	struct redtap_bpf *skel;
	struct rt_scope scope;
	struct bpf_link *links[RT_LINKS_MAX];
	size_t nr_links;
	u32 sweeps;	 /* so far */
	u32 still;	 /* sweeps in a row since which nothing moved in socket storage */
	u32 conns_empty; /* rt_conns_made before a sweep that found rt_conns empty, plus 1 */
	struct bpf_link *sweep_socks; /* over storage, or over files */
	struct bpf_link *sweep_conns;
	u64 *keys; /* states of the hash map that a program is to look at: up to RT_CONN_HASH_MAX */
	size_t nr_keys;
	struct ring_buffer *ring;
	u32 nr_slots; /* of requests counted in the kernel; 0: it is off */
	u32 stripe_bits;
	const volatile struct rt_cell *cells; /* mapped */
	volatile u64 *spare_keys;	      /* mapped */
	struct {
		char *at;
		size_t from; /* in the map */
		size_t len;
	} hists; /* the part of it that is mapped */
	struct rt_samplers samplers;	      /* mapped; NULLs: none are taken */
	const volatile struct rt_cpu_stats *stats; /* mapped: one per CPU */
	u32 nr_cpus;
	int stats_fd;
	struct rt_judged judged[RT_JUDGED_MAX]; /* by the low bits */
	struct rt_exe_key unread[RT_UNREAD_MAX];
	u32 nr_unread;
	u64 forget_unread_at;
	u64 renew_exes_at;
	u32 exe_rounds;
	u64 follow_at;

	/* while a drain or a sweep runs */
	rt_record_fn fn;
	rt_batch_fn batch; /* a sweep only, as is the next */
	rt_catch_up_fn catch_up;
	void *fn_ctx;
	u32 drained;
	u32 budget;
};

/* object.c: whether this kernel takes the legacy object only; an object, opened. NULL
 * and errno when it cannot be. */
bool rt_object__is_legacy(void);
struct redtap_bpf *rt_object__open(bool legacy, const struct bpf_object_open_opts *opts);
/* Maps with BPF_F_MMAPABLE, after the load: how many bytes they take. */
size_t rt_object__map_length(const struct bpf_map *map);
/* All of a map, with the rights `prot` of mmap(2). NULL with errno. */
void *rt_object__map(const struct bpf_map *map, int prot);
void rt_object__unmap(const volatile void *at, const struct bpf_map *map); /* NULL-safe */
/* Of rt_bpf_cfg.stack_size. */
u32 rt_object__stack_size(void);

/* walk.c: looks at the states of the keys; at all, which is the sweep without iterators. */
int rt_walk__states(struct rt_bpf *b);
int rt_walk__sweep(struct rt_bpf *b);

int rt_ring__open(struct rt_bpf *b);
/* Tells a batch of the sweep's records, which stand one behind another. Returns how many of
 * the bytes were whole records. */
size_t rt_ring__tell(struct rt_bpf *b, const char *buf, size_t len);

/* The programs' counters, stats.c. */
int rt_stats__size_map(struct rt_bpf *b); /* before the load */
int rt_stats__open(struct rt_bpf *b);	  /* after it */
void rt_stats__close(struct rt_bpf *b);

/* What the kernel counts in place, rules.c. */
u32 rt_rules__stripe_bits(void);
/* How many slots fit into `memory` bytes of the kernel's. */
u32 rt_rules__slots(u64 memory, u32 stripe_bits);
void rt_rules__fill_config(struct rt_bpf_cfg *c, const struct rt_bpf *b);
int rt_rules__size_maps(struct rt_bpf *b); /* before the load */
int rt_rules__open(struct rt_bpf *b);	   /* after it */
void rt_rules__close(struct rt_bpf *b);

/* Verdicts on the executables of the processes that run now. */
int rt_exes__prefill(struct rt_bpf *b);
/* Lets executables that could not be read ask again, once a second. */
void rt_exes__forget_unread(struct rt_bpf *b, u64 now);
/* Once a minute, those of the processes that run are judged again: the inode number of one that
 * was removed may be another's by now. */
void rt_exes__renew(struct rt_bpf *b, u64 now);

/* follow.c: scopes that were made anew, or are gone; about once a second. */
void rt_bpf__follow_scope(struct rt_bpf *b, u64 now);

#endif /* REDTAP_LOADER_H */
