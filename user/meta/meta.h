/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who a pid is: executable, command line, container, service name. One lookup
 * for everyone else. Learns from the kernel's announcements (rt_proc_event),
 * which come while the process lives, and from /proc.
 *
 * Not thread-safe: owned by the consumer's thread.
 */
#ifndef REDTAP_META_H
#define REDTAP_META_H

#include "redtap/event.h"

struct rt_config;

struct rt_process {
	u32 pid;
	u64 start_ns;		/* CLOCK_BOOTTIME; 0 unknown */
	const char *executable; /* base name, "nginx"; never NULL, "unknown" at worst */
	const char *exe_path;	/* full path; "" unknown */
	const char *cmdline;	/* arguments joined by spaces; "" unknown */
	const char *container_id; /* 64 hex digits; "" none */
	const char *unit;	  /* systemd unit without ".service"; "" none */
	const char *service;	  /* service.name; never NULL */
	const char *service_namespace; /* by its resource attributes; "" none */
	/* Numbers for caches: equal strings, equal number. */
	u64 resource_id; /* of {service, executable} */
	u64 target_id;	 /* of those, and the namespace and the container: of one target_info */
};

struct rt_meta;

/* `cfg` supplies the service rules and outlives the meta. Returns NULL with errno. */
struct rt_meta *rt_meta__new(const struct rt_config *cfg);
void rt_meta__free(struct rt_meta *m);

/* The kernel announced a process, or said that one ended (kept for a short
 * while, as its last records may still come: they are ordered before the exit). */
void rt_meta__on_proc(struct rt_meta *m, const struct rt_proc_event *ev);
void rt_meta__on_exit(struct rt_meta *m, u32 pid);

/* Never NULL; reads /proc for a pid not seen before; falls back to `comm`
 * (may be NULL, at most RT_COMM_LEN bytes) when nothing else is known. The
 * pointer is good until the next call into this module. `local_port` feeds
 * service rules by port (0: none). */
const struct rt_process *rt_meta__lookup(struct rt_meta *m, u32 pid, const u8 *comm, u16 local_port);

/* New rules (SIGHUP): names are worked out anew for all known processes. The rules before may
 * be gone by then. */
void rt_meta__reload(struct rt_meta *m, const struct rt_config *cfg);

/* Drops processes that ended longer ago than `ttl_ns`. Call about once a second. */
void rt_meta__expire(struct rt_meta *m, u64 now_mono, u64 ttl_ns);

#endif /* REDTAP_META_H */
