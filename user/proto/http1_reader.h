/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of an HTTP/1 connection, message by message: where a head ends, and
 * where its body does (RFC 9112, section 6). Fed with the bytes as they come, in
 * pieces of any size; keeps a fixed amount of them and allocates nothing.
 */
#ifndef REDTAP_HTTP1_READER_H
#define REDTAP_HTTP1_READER_H

#include "proto/http1_impl.h"

/* Longest line whose content matters: of the framing fields, and before a chunk. */
#define RT_HTTP1_LINE_MAX 128

enum rt_read {
	RT_READ_MORE, /* all bytes were taken, and the message goes on (or none began) */
	RT_READ_HEAD, /* a head has ended; `head` and `status` are those of this message */
	RT_READ_END,  /* the message has ended */
	RT_READ_LOST, /* this is no message, or its end cannot be told: nothing more is read */
};

struct rt_http1_reader {
	bool response;
	/* Of the request that the response belongs to; to be set before its head ends. */
	bool to_head;	 /* it was a HEAD */
	bool to_connect; /* it was a CONNECT */

	/* The message that was read last; good until the next begins. */
	bool begun;	 /* its first byte was read, and its last was not */
	bool until_close;/* the end of the connection ends it */
	bool named;	 /* its first line was read */
	u16 status;	 /* of a response whose first line was read */
	u16 head_len;	 /* of what is kept of its head */
	u64 bytes;	 /* read so far */
	u8 head[RT_REQ_HEAD_MAX];

	u8 state;
	u8 minor;
	bool line_cut;
	u16 line_len;
	u8 line[RT_HTTP1_LINE_MAX];
	u64 left; /* of a body of known length, or of a chunk */
	struct rt_http1_head fields;
};

void rt_http1_reader__init(struct rt_http1_reader *r, bool response);

/* Takes bytes up to the next thing to tell, *ret. Returns how many were taken. To be
 * called again with what is left until that is RT_READ_MORE (or _LOST). */
u32 rt_http1_reader__feed(struct rt_http1_reader *r, struct rt_slice in, enum rt_read *ret);

/* n bytes came that cannot be read. Only inside a body that is no loss: then
 * RT_READ_MORE, or RT_READ_END when they were the last of it; else RT_READ_LOST. */
enum rt_read rt_http1_reader__skip(struct rt_http1_reader *r, u64 n);

#endif /* REDTAP_HTTP1_READER_H */
