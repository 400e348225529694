/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of a protocol parser. A parser is a pure function over the
 * captured heads of one exchange: bytes in, slices out. No allocation, no
 * state, no logging; every read goes through a bounds-checked cursor
 * (util/cur.h). Bytes are hostile.
 *
 * Adding a protocol: one file that ends with `const struct rt_proto
 * rt_proto_<symbol>`, and one row in include/redtap/protocols.def.
 */
#ifndef REDTAP_PROTO_H
#define REDTAP_PROTO_H

#include "redtap/event.h"
#include "redtap/sigmatch.h"
#include "util/slice.h"

enum rt_proto_id {
#define PROTO(id, symbol, title, flags) RT_PROTO_##symbol = id,
#include "redtap/protocols.def"
#undef PROTO
};

/* What the response's own framing says about its end. */
enum rt_framing {
	RT_FRAMING_UNKNOWN = 0,	 /* cannot be told: the head was cut, or its framing is invalid */
	RT_FRAMING_PARTIAL = 1,	 /* bytes are still owed */
	RT_FRAMING_COMPLETE = 2, /* every byte is there */
	RT_FRAMING_UNTIL_CLOSE = 3, /* the end of the connection ends it */
};

/* Input: one exchange. Slices point into the record. */
struct rt_view {
	struct rt_slice req;  /* first bytes of the request turn */
	struct rt_slice resp; /* first bytes of the response turn, may be empty */
	struct rt_slice tail; /* last bytes of the response turn (up to RT_TAIL_MAX) */
	u64 req_bytes;	      /* whole length of the request turn */
	u64 resp_bytes;	      /* whole length of the response turn, interim turns included */
	u64 interim_bytes;    /* of these, bytes of interim responses before `resp` */
	bool resp_blind;      /* bytes came after the tail that nobody could read */
};

/* Output. Slices point into the view. Untouched fields are zero. */
struct rt_op {
	struct rt_slice method; /* as sent, "GET" */
	struct rt_slice target; /* as sent: "/a?b=1", "http://h/a", "*", "h:443" */
	struct rt_slice path;	/* its path, no query; "*" and authority-form as sent */
	/* of the target, else the Host header; no userinfo; may be empty */
	struct rt_slice authority;
	u16 default_port; /* of a target with a scheme, 80 or 443; else 0 */
	u32 interim_bytes; /* of interim responses that precede the final one in its turn */
	/* in its turn behind a response after which another protocol is spoken: of that */
	u64 resp_excess;
	u16 status;	  /* final status; 0: no complete status line */
	u64 req_excess;	  /* bytes in the request turn behind this request's end: pipelining */
	/* Of the response's turn, up to where a response of known length ends; else all of it. */
	u64 resp_whole;
	u8 version_minor; /* HTTP/1.x */
	bool path_cut;	  /* the path goes on beyond the captured head */
	bool resp_bad;	  /* the answer is not of this protocol; status 0, framing unknown */
	u8 req_framing;	  /* enum rt_framing */
	u8 resp_framing;  /* enum rt_framing */
	/* With RT_FRAMING_UNKNOWN: the head is cut, but as many bytes came behind what is kept
	 * of it as the body has; so at most the head's own excess is missing. */
	bool resp_enough;
};

enum rt_parse {
	RT_PARSE_BAD = -1, /* not this protocol */
	RT_PARSE_MORE = 0, /* a prefix of this protocol, too short to name the operation */
	RT_PARSE_OK = 1,
};

struct rt_proto {
	u8 id;
	const char *name; /* value of the `protocol` key in records: "http" */
	const struct rt_sig *sigs;
	u32 nr_sigs;
	/* Fills *ret_op on RT_PARSE_OK; leaves it zeroed otherwise. */
	enum rt_parse (*parse)(const struct rt_view *view, struct rt_op *ret_op);
};

#define PROTO(id, symbol, title, flags) extern const struct rt_proto rt_proto_##symbol;
#include "redtap/protocols.def"
#undef PROTO

/* The table made from protocols.def. Returns NULL for an unknown id. */
const struct rt_proto *rt_proto__get(u8 id);

/* All parsers' signatures, those of PROXY headers and of opaque traffic (TLS), in matching order.
 * Writes at most `max` rows, returns how many there are in all. */
u32 rt_proto__signatures(struct rt_sig *ret_sigs, u32 max);

/* The slices of a record; checks req_len, resp_len, tail_len and size against
 * `len` bytes at hand. Returns 0, or -EBADMSG for a record that lies. */
int rt_view__from_exchange(struct rt_view *ret_view, const struct rt_exchange *x, u32 len);

#endif /* REDTAP_PROTO_H */
