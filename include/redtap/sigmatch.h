/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 OR BSD-2-Clause */
/*
 * Signatures: how the kernel tells protocols apart without protocol code.
 * Each parser declares rows of masked 16-byte compares; the loader writes them
 * into frozen rodata; rt_sig_match() runs them in BPF and in unit tests alike.
 * A match says "maybe": user space confirms before anything is reported.
 */
#ifndef REDTAP_SIGMATCH_H
#define REDTAP_SIGMATCH_H

#include "limits.h"
#include "types.h"

enum rt_sig_kind {
	RT_SIG_NONE = 0,
	RT_SIG_REQUEST = 1,
	RT_SIG_RESPONSE = 2, /* final response */
	RT_SIG_INTERIM = 3,  /* response before the final one (HTTP 1xx) */
	RT_SIG_OPAQUE = 4,   /* encrypted: leave the socket alone, count its bytes as opaque */
	RT_SIG_PROXY = 5,    /* header of the PROXY protocol: skipped, the connection begins behind it */
};

enum rt_sig_flag {
	RT_SIG_UPGRADE = 1 << 0, /* response: the socket leaves the protocol (HTTP 101) */
	RT_SIG_TUNNEL = 1 << 1,	 /* request: a response with RT_SIG_SUCCESS opens a tunnel (CONNECT) */
	RT_SIG_SUCCESS = 1 << 2, /* response: success (HTTP 2xx) */
	RT_SIG_LEAVE = 1 << 3,	 /* request: not ours (HTTP/2 preface): leave the socket alone, unknown */
	RT_SIG_VAGUE = 1 << 4,	 /* request: a shape, not a name; behind other bytes it is less likely */
	RT_SIG_LINE = 1 << 5,	 /* PROXY header: ends with its line (version 1), else tells its length */
};

/* Matches when `len` bytes are at hand and (bytes & mask) == value on all of
 * the RT_SIG_LEN bytes; mask bytes from `len` on must be 0. The first matching
 * row wins, so order is from special to general. */
struct rt_sig {
	u8 value[RT_SIG_LEN];
	u8 mask[RT_SIG_LEN];
	u8 len;	  /* bytes needed */
	u8 proto; /* enum rt_proto_id; 0 for opaque and for PROXY headers */
	u8 kind;  /* enum rt_sig_kind */
	u8 flags; /* enum rt_sig_flag */
	u8 pad[4];
} __attribute__((aligned(8))); /* compared as words */
_Static_assert(sizeof(struct rt_sig) == 40, "rt_sig layout");

/* Two words at a time: the table is compared on every request turn. `data`
 * holds RT_SIG_LEN readable bytes of which `have` are meant. */
static inline __attribute__((always_inline)) bool
rt_sig_match(const struct rt_sig *sig, const u64 data[RT_SIG_LEN / 8], u32 have)
{
	const u64 *value = (const u64 *)sig->value;
	const u64 *mask = (const u64 *)sig->mask;

	return have >= sig->len && (data[0] & mask[0]) == value[0] &&
	       (data[1] & mask[1]) == value[1];
}

#endif /* REDTAP_SIGMATCH_H */
