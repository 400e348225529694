/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* A header of the PROXY protocol before the first request; proxy.bpf.c does the work. */
#ifndef REDTAP_PROXY_BPF_H
#define REDTAP_PROXY_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_endian.h>

#include "lib/infer.bpf.h"
#include "lib/maps.bpf.h"
#include "lib/uio.bpf.h"

/* The longest line, with its end ("PROXY protocol", 2.1: 107 characters). */
#define RT_PROXY_LINE_MAX 107

/* A turn opened with a header, of the row `row` minus one, whose first bytes are in probe;
 * turn_bytes of them came with earlier operations. */
static __noinline int rt_proxy_enter(struct rt_conn *c, u32 row)
{
	bool line = rt_cfg.req_sigs[rt_row_index(row)].flags & RT_SIG_LINE;
	u32 len = RT_SIG_LEN + bpf_ntohs(*(u16 *)((u8 *)c->probe + 14));

	c->phase = RT_PHASE_PROXY;
	c->proxy_line = line;
	c->proxy_left = (line ? RT_PROXY_LINE_MAX : len) - (u32)c->turn_bytes;
	return 0;
}

/* Takes of the operation's n bytes what is the header's. Returns how many are behind it, from
 * piece_at; 0: none. */
int rt_proxy_skip(struct rt_conn *c, const struct rt_uio *u, u64 n);

#endif /* REDTAP_PROXY_BPF_H */
