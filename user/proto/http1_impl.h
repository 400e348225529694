/* SPDX-License-Identifier: Apache-2.0 */
/* What the parser of one exchange (http1.c) shares with the reader of a whole
 * connection (http1_reader.c): lines and fields, by RFC 9112. */
#ifndef REDTAP_HTTP1_IMPL_H
#define REDTAP_HTTP1_IMPL_H

#include "proto/proto.h"
#include "util/cur.h"

/* What the fields of one head say about its body and its target. */
struct rt_http1_head {
	bool done;    /* the empty line was seen */
	bool has_cl;  /* Content-Length */
	bool has_te;  /* Transfer-Encoding */
	bool chunked; /* and its last coding is chunked */
	bool trailer; /* Trailer: fields after the last chunk are announced */
	bool invalid; /* framing fields that contradict each other or are junk */
	bool framing; /* the last line was one of the framing fields */
	u64 length;   /* value of Content-Length */
	struct rt_slice host;
};

/* One line behind the start line, not empty, without its line end. */
void rt_http1_field(struct rt_http1_head *h, struct rt_slice line);

/* The line before a chunk; false when it is none. */
bool rt_http1_chunk_size(struct rt_slice line, u64 *ret);

/* The status code once the byte behind its three digits is there; 0 before; -1
 * when this is no status line of HTTP/1. */
int rt_http1_status(struct rt_slice s);

/* Takes the request line. `cut`: what follows these bytes was not captured. */
enum rt_parse rt_http1_request_line(struct rt_cur *c, bool cut, struct rt_op *op);

#endif /* REDTAP_HTTP1_IMPL_H */
