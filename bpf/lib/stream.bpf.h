/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* Pipelined connections: all their bytes go up; stream.bpf.c does the work. */
#ifndef REDTAP_STREAM_BPF_H
#define REDTAP_STREAM_BPF_H

#include "lib/maps.bpf.h"
#include "lib/uio.bpf.h"

/* The request turn holds more than its request, since this operation of `n` bytes: if
 * that may be another request, the connection is pipelined from here on. */
int rt_stream_enter(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now);

/* n bytes moved on a pipelined connection. Returns 1 when it left the protocol. */
int rt_stream_data(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now, u32 response);

/* Whether `have` bytes are the beginning of a request, or of one's first bytes. */
int rt_stream_begins(u64 d0, u64 d1, u32 have, u32 doubt);

/* After rt_pieces_begin(): goes to the first piece that is not empty. 0: there is none. */
int rt_stream_piece(struct rt_conn *c, const struct rt_uio *u);

/* The request's head goes on behind what is kept of it: looks for its end in this
 * operation, before which there were `before` bytes, and puts what is found into req_whole.
 * far.bpf.c. */
int rt_far_scan(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 before);

/* The same of an interim response; `end`: where it ends, if that is known, else 0. Returns 1 when
 * another one follows in this operation: the response begins anew with it. */
int rt_far_interim(struct rt_conn *c, const struct rt_uio *u, u64 n, u64 now, u64 end);

#endif /* REDTAP_STREAM_BPF_H */
