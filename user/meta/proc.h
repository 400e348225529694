/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading /proc/PID. Inside user/meta only; the root is a parameter so that
 * tests bring their own tree.
 */
#ifndef REDTAP_META_PROC_H
#define REDTAP_META_PROC_H

#include <stddef.h>

#include "redtap/types.h"

struct rt_meta;

/* Tests: where /proc is. `root` outlives the meta. */
void rt_meta__set_proc_root(struct rt_meta *m, const char *root);

/* Whole small file into buf, NUL-terminated, cut at size - 1 bytes. Returns 0
 * or -errno; *ret_len is the number of bytes kept. */
int rt_proc__read(const char *root, u32 pid, const char *name, char *buf, size_t size,
		  size_t *ret_len);

/* Target of a link (exe, cwd), NUL-terminated, without the kernel's " (deleted)".
 * Returns 0 or -errno; buf is "" on failure. */
int rt_proc__link(const char *root, u32 pid, const char *name, char *buf, size_t size);

/* Field 22 of stat: start of the process in clock ticks since boot. */
int rt_proc__start_ticks(const char *root, u32 pid, u64 *ret_ticks);

/* Field 4 of stat. */
int rt_proc__parent(const char *root, u32 pid, u32 *ret_parent);

/* Same moment, one in clock ticks and one in ns (CLOCK_BOOTTIME)? The kernel
 * cuts to whole ticks; one tick more is allowed on either side. */
bool rt_proc__same_start(u64 ticks, u64 start_ns);
u64 rt_proc__ticks_to_ns(u64 ticks);

#endif /* REDTAP_META_PROC_H */
