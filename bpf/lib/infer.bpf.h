/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Which protocol a turn opens with; infer.bpf.c does the work. */
#ifndef REDTAP_INFER_BPF_H
#define REDTAP_INFER_BPF_H

#include "lib/maps.bpf.h"

int rt_infer_rows(struct rt_conn *c, u64 d0, u64 d1, u32 have, u32 resp);

/* `resp`: rows for the response's direction. Returns the row plus one; 0: none. */
static __always_inline u32 rt_infer(struct rt_conn *c, const u64 *data, u32 have, bool resp)
{
	rt_infer_rows(c, data[0], data[1], have, resp);
	return *(volatile u8 *)&c->row;
}

/* Of a row plus one, never 0, the row. The barrier keeps the mask: clang sees that
 * it is not needed, Linux 6.1's verifier does not. */
static __always_inline u32 rt_row_index(u32 row)
{
	u32 index = row - 1;

	barrier_var(index);
	return index & (RT_SIG_MAX - 1);
}

static __always_inline bool rt_infer_again(const u64 *data, u32 have, u32 row)
{
	if (!row)
		return false;
	return rt_sig_match((const struct rt_sig *)&rt_cfg.req_sigs[rt_row_index(row)], data,
			    have);
}

#endif /* REDTAP_INFER_BPF_H */
