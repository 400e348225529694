// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/* The parts of lib/copy.bpf.h that walk an iovec. Global functions: the verifier
 * looks at each once, not once per caller and path. */
#include "lib/maps.bpf.h"

#include "lib/copy.bpf.h"

/* The walk of rt_uio_copy() over an iovec: io_left bytes to io_pos of the heads or the probe. */
int RT_FN(rt_uio_gather)(struct rt_conn *c, const struct rt_uio *u, u32 to_probe)
{
	if (!c || !u)
		return 0;
	for (u32 i = 0; i < RT_IOV_MAX && i < u->nr; i++) {
		u64 pos = *(volatile u64 *)&c->io_pos;
		u64 len = *(volatile u64 *)&c->io_left;
		struct iovec v;
		long err;

		if (!len || pos > RT_HEADS_MAX)
			break;
		if (rt_uio_entry(&v, u, i))
			break;
		if (len > v.iov_len)
			len = v.iov_len;
		if (len > RT_RESP_HEAD_MAX)
			break;
		if (!len)
			continue;
		if (to_probe) {
			/* Of pieces, the probe takes what a signature needs. */
			if (pos >= RT_SIG_LEN || len > RT_SIG_LEN)
				break;
			err = bpf_probe_read_user((u8 *)c->probe + pos, len, v.iov_base);
		} else {
			err = bpf_probe_read_user(c->x.heads + pos, len, v.iov_base);
		}
		if (err) {
			rt_stat_inc(RT_STAT_READ_FAULTS);
			break;
		}
		c->io_pos += len;
		c->io_left -= len;
	}
	return 0;
}

/* What of an iovec's last bytes lies in this entry, which begins at io_pos: into io_tail.
 * Returns 1 when that was the last of n bytes, 0 to go on, -1 when they cannot be read. */
int RT_FN_APART(rt_uio_tail_entry)(struct rt_conn *c, const struct rt_uio *u, u64 n, u32 i)
{
	u64 first = n - RT_TAIL_MAX, begin, end, from, len, piece = 0;
	struct iovec v;

	if (!c || !u || rt_uio_entry(&v, u, i))
		return -1;
	begin = c->io_pos;
	end = begin + v.iov_len;
	c->io_pos = end;
	if (end <= first)
		return 0;
	if (end > n)
		end = n;
	from = begin < first ? first : begin;
	len = end - from;
	if (len > RT_TAIL_MAX)
		return -1;
	if (len && bpf_probe_read_user(&piece, len, (u8 *)v.iov_base + (from - begin)))
		return -1;
	c->io_tail |= piece << (8 * ((from - first) & 7));
	return end == n;
}

/* The last bytes of an iovec's n, RT_TAIL_MAX of them, in io_tail. */
int RT_FN(rt_uio_tail_iov)(struct rt_conn *c, const struct rt_uio *u, u64 n)
{
	if (!c || !u)
		return -1;
	c->io_pos = 0;
	c->io_tail = 0;
	for (u32 i = 0; i < RT_STREAM_IOV_MAX && i < u->nr; i++) {
		int what = rt_uio_tail_entry(c, u, n, i);

		if (what)
			return what < 0 ? -1 : 0;
	}
	return -1;
}

#ifdef RT_LEGACY
RT_LEGACY_COPY(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
