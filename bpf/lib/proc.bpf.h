/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
#ifndef REDTAP_PROC_BPF_H
#define REDTAP_PROC_BPF_H

#include "lib/maps.bpf.h"

/* Announces the current process to user space, once, while it lives:
 * short-lived clients are gone before the timed drain. */
int rt_proc_note(u32 pid, u32 netns);

#endif /* REDTAP_PROC_BPF_H */
