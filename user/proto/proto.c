// SPDX-License-Identifier: Apache-2.0
/*
 * The protocol table, made from protocols.def, and what is asked of all
 * protocols alike: the list of signatures that the loader writes into the BPF
 * object, and the cutting of an exchange record into a parser's view. Called
 * by the loader once and by the ring consumer for every exchange.
 */
#include "proto/proto.h"

#include <errno.h>
#include <stddef.h>

static const struct rt_proto *const protos[] = {
#define PROTO(id, symbol, title, flags) [id] = &rt_proto_##symbol,
#include "redtap/protocols.def"
#undef PROTO
};

/*
 * The PROXY protocol's header (doc/proxy-protocol.txt of HAProxy, 2.1 and 2.2): "PROXY " and the rest
 * of a line; or twelve bytes, the version 2 with the command LOCAL or PROXY, the family, and 16 bits
 * of length.
 */
static const struct rt_sig proxy_sigs[] = {
	{.value = "PROXY ", .mask = "\xff\xff\xff\xff\xff\xff", .len = 6, .kind = RT_SIG_PROXY,
	 .flags = RT_SIG_LINE},
	{.value = "\r\n\r\n\0\r\nQUIT\n\x20",
	 .mask = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", .len = RT_SIG_LEN,
	 .kind = RT_SIG_PROXY},
};

/*
 * Traffic that stays closed to a reader of sockets. TLS record header (RFC 8446
 * 5.1): content type 20..23, legacy version 3.0..3.4, then a length of at most
 * 2^14 + 2048, so its top bit is 0. SSH (RFC 4253 4.2): "SSH-2.0-", "SSH-1.99-".
 */
static const struct rt_sig opaque_sigs[] = {
	{.value = "\x14\x03\x00", .mask = "\xfc\xff\xfc\x80", .len = 4, .kind = RT_SIG_OPAQUE},
	{.value = "\x14\x03\x04", .mask = "\xfc\xff\xff\x80", .len = 4, .kind = RT_SIG_OPAQUE},
	{.value = "SSH-", .mask = "\xff\xff\xff\xff", .len = 4, .kind = RT_SIG_OPAQUE},
};

const struct rt_proto *rt_proto__get(u8 id)
{
	return id < RT_ARRAY_SIZE(protos) ? protos[id] : NULL;
}

static u32 append(struct rt_sig *out, u32 max, u32 n, const struct rt_sig *sigs, u32 nr)
{
	for (u32 i = 0; i < nr; i++, n++) {
		if (n < max)
			out[n] = sigs[i];
	}
	return n;
}

u32 rt_proto__signatures(struct rt_sig *ret_sigs, u32 max)
{
	u32 n = 0;

	for (u32 id = 0; id < RT_ARRAY_SIZE(protos); id++) {
		if (protos[id])
			n = append(ret_sigs, max, n, protos[id]->sigs, protos[id]->nr_sigs);
	}
	n = append(ret_sigs, max, n, proxy_sigs, RT_ARRAY_SIZE(proxy_sigs));
	return append(ret_sigs, max, n, opaque_sigs, RT_ARRAY_SIZE(opaque_sigs));
}

int rt_view__from_exchange(struct rt_view *ret_view, const struct rt_exchange *x, u32 len)
{
	const u32 fixed = offsetof(struct rt_exchange, heads);

	if (len < fixed || x->type != RT_EV_EXCHANGE || x->size > len || x->size > sizeof(*x))
		return -EBADMSG;
	if (x->req_len > RT_REQ_HEAD_MAX || x->resp_len > RT_RESP_HEAD_MAX ||
	    x->tail_len > RT_TAIL_MAX || x->size < fixed + x->req_len + x->resp_len)
		return -EBADMSG;
	/* More captured than counted: the two were not kept in step. */
	if (x->req_len > x->req_bytes || x->resp_len > x->resp_bytes ||
	    x->tail_len > x->resp_bytes || x->interim_bytes > x->resp_bytes)
		return -EBADMSG;

	*ret_view = (struct rt_view){
		.req = {x->heads, x->req_len},
		.resp = {x->heads + x->req_len, x->resp_len},
		.tail = {x->tail, x->tail_len},
		.req_bytes = x->req_bytes,
		.resp_bytes = x->resp_bytes,
		.interim_bytes = x->interim_bytes,
		.resp_blind = x->flags & RT_X_RESP_BLIND,
	};
	return 0;
}
