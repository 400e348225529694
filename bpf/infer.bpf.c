// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* Which protocol a turn opens with: the rows that the loader wrote, in order. A
 * global function: the verifier walks the rows once, not once per caller. */
#include "lib/maps.bpf.h"

#include "lib/infer.bpf.h"

/* `resp`: rows for the response's direction. Leaves the row plus one in c->row; 0: none. */
int RT_FN(rt_infer_rows)(struct rt_conn *c, u64 d0, u64 d1, u32 have, u32 resp)
{
	u32 nr = resp ? rt_cfg.nr_resp_sigs : rt_cfg.nr_req_sigs;
	u64 data[2] = {d0, d1};

	if (!c)
		return 0;
	c->row = 0;
	for (u32 i = 0; i < RT_SIG_MAX; i++) {
		const struct rt_sig *sig;

		if (i >= nr)
			break;
		sig = (const struct rt_sig *)(resp ? &rt_cfg.resp_sigs[i] : &rt_cfg.req_sigs[i]);
		if (rt_sig_match(sig, data, have)) {
			c->row = i + 1;
			break;
		}
	}
	return 0;
}

#ifdef RT_LEGACY
RT_LEGACY_INFER(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
