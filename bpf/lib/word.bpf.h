/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Eight bytes at a time. */
#ifndef REDTAP_WORD_BPF_H
#define REDTAP_WORD_BPF_H

#include "lib/maps.bpf.h"

#define BYTES(b) (0x0101010101010101ull * (b))

/* Bit 7 of each byte of w that is `byte`, exactly. */
static __always_inline u64 rt_bytes_equal(u64 w, u64 bytes)
{
	u64 x = w ^ bytes;

	return ~(((x & BYTES(0x7f)) + BYTES(0x7f)) | x | BYTES(0x7f));
}

/* Bit 7 of each byte of w that is less than n <= 128, and maybe of some behind the first
 * such: for the lowest mark, or for whether there is any. */
static __always_inline u64 rt_bytes_below(u64 w, u8 n)
{
	return (w - BYTES(n)) & ~w & BYTES(0x80);
}

/* How many bytes precede the lowest one marked in `marks`, which is not 0. */
static __always_inline u32 rt_bytes_before(u64 marks)
{
	u64 lowest = (marks & -marks) >> 7;

	return ((lowest - 1) & BYTES(1)) * BYTES(1) >> 56;
}

/* Line ends of this word that an empty line ends with: LF LF, or LF CR LF; the first ones
 * may stand in the word before, whose marks those are. */
static __always_inline u64 rt_word_blank(u64 lf, u64 cr, u64 lf_before, u64 cr_before)
{
	return (lf & (lf << 8 | lf_before >> 56)) |
	       (lf & (cr << 8 | cr_before >> 56) & (lf << 16 | lf_before >> 48));
}

/* Eight bytes of text as a word. */
#define RT_WORD(a, b, c, d, e, f, g, h)                                                            \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 |             \
	 (u64)(f) << 40 | (u64)(g) << 48 | (u64)(h) << 56)

/* "HTTP/1." and another byte, with which a request's first line ends. */
static __always_inline bool rt_word_is_http1(u64 w)
{
	return (w & ~0ull >> 8) == RT_WORD('H', 'T', 'T', 'P', '/', '1', '.', 0);
}

#endif /* REDTAP_WORD_BPF_H */
