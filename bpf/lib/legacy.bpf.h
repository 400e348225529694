/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The legacy object (RT_LEGACY, README.md) is for verifiers that allow a global
 * function no pointers. There a function of the tables below is three:
 *
 *	f(c, ...)	what callers call: hands on the key of c
 *	f_key(sk, ...)	the global function: looks the state up again
 *	f_body(c, ...)	what the source holds, its name marked by RT_FN()
 *
 * Functions that take pointers and stand in no table are static there: the verifier
 * follows them once per caller and path. The buffer of an operation is handed on in
 * a map: programs that have one do not interrupt each other.
 */
#ifndef REDTAP_LEGACY_BPF_H
#define REDTAP_LEGACY_BPF_H

#ifndef RT_LEGACY

#define RT_FN(f) f
/* One that the compiler would put into its callers, to be verified with each. */
#define RT_FN_APART(f) __noinline f
/* One that most requests come by, and that stands in one place: the call, and code elsewhere,
 * cost more than what it does. */
#define RT_FN_HOT(f) static __always_inline f

#else

#define RT_FN(f)       static __always_inline f##_body
#define RT_FN_APART(f) RT_FN(f)
#define RT_FN_HOT(f)   RT_FN(f)

/* One table per file that holds the bodies. FN: of the state alone; UIO: of the
 * operation's buffer, too. (f, further parameters, the same as arguments) */
/* clang-format off */
#define RT_LEGACY_TURN(FN, UIO)                                                         \
	FN(rt_turn_finish, (, u64 now), (, now))                                        \
	UIO(rt_turn_request_bytes, (, u64 n, u64 now), (, n, now))                      \
	UIO(rt_turn_response_bytes, (, u64 n, u64 now), (, n, now))                     \
	UIO(rt_turn_open, (, u64 n, u64 now, u32 dir), (, n, now, dir))                 \
	UIO(rt_turn_far_interim, (, u64 n, u64 now, u32 mixed), (, n, now, mixed))      \
	FN(rt_turn_line, (), ())                                                        \
	FN(rt_turn_same, (), ())                                                        \
	UIO(rt_turn_split, (, u64 n), (, n))                                            \
	UIO(rt_on_data, (, u64 n, u32 dir), (, n, dir))                                 \
	FN(rt_on_gone, (), ())                                                          \
	FN(rt_on_earlier, (, u64 was, u32 ino), (, was, ino))                           \
	FN(rt_on_nothing, (, u32 dir, int ret), (, dir, ret))

#define RT_LEGACY_STATE(FN, UIO)                                                        \
	FN(rt_on_state, (, int old, int new, int sk_err, u32 buffers),                  \
	   (, old, new, sk_err, buffers))

#define RT_LEGACY_STREAM(FN, UIO)                                                       \
	FN(rt_stream_flush, (), ())                                                     \
	UIO(rt_stream_copy, (), ())                                                     \
	UIO(rt_stream_pieces, (), ())                                                   \
	UIO(rt_stream_op, (, u64 n, u64 skip, u64 now), (, n, skip, now))               \
	UIO(rt_stream_piece, (), ())                                                    \
	UIO(rt_stream_peek, (, u64 skip, u64 excess), (, skip, excess))                 \
	UIO(rt_stream_enter, (, u64 n, u64 now), (, n, now))                            \
	UIO(rt_stream_data, (, u64 n, u64 now, u32 response), (, n, now, response))

#define RT_LEGACY_PROXY(FN, UIO)                                                        \
	UIO(rt_proxy_piece, (), ())                                                     \
	UIO(rt_proxy_skip, (, u64 n), (, n))

#define RT_LEGACY_FAR(FN, UIO)                                                          \
	FN(rt_far_word, (, u32 i, u32 len), (, i, len))                                 \
	UIO(rt_far_piece, (), ())                                                       \
	UIO(rt_far_scan, (, u64 n, u64 before), (, n, before))                          \
	UIO(rt_far_interim, (, u64 n, u64 now, u64 end), (, n, now, end))

#define RT_LEGACY_ROUTE(FN, UIO)                                                        \
	FN(rt_walk_path, (), ())                                                        \
	FN(rt_walk_body, (, u32 line), (, line))                                        \
	FN(rt_walk_line, (, u32 line), (, line))                                        \
	FN(rt_walk_round, (, u32 to), (, to))                                           \
	FN(rt_walk_lines, (, u32 to), (, to))                                           \
	FN(rt_form_byte, (, u32 at), (, at))                                            \
	FN(rt_route_head, (), ())                                                       \
	FN(rt_route_count, (), ())                                                      \
	FN(rt_route_slot, (), ())                                                       \
	FN(rt_route_add, (, u32 slot), (, slot))

#define RT_LEGACY_WHOLE(FN, UIO)                                                        \
	FN(rt_silent_slot, (), ())                                                      \
	FN(rt_chunk, (, u32 to), (, to))                                                \
	FN(rt_closed_count, (), ())

#define RT_LEGACY_SAMPLE(FN, UIO)                                                       \
	FN(rt_sample, (, u32 slot, u32 status), (, slot, status))

#define RT_LEGACY_COPY(FN, UIO)                                                         \
	UIO(rt_uio_gather, (, u32 to_probe), (, to_probe))                              \
	UIO(rt_uio_tail_entry, (, u64 n, u32 i), (, n, i))                              \
	UIO(rt_uio_tail_iov, (, u64 n), (, n))

#define RT_LEGACY_INFER(FN, UIO)                                                        \
	FN(rt_infer_rows, (, u64 d0, u64 d1, u32 have, u32 resp), (, d0, d1, have, resp))
/* clang-format on */

#define RT_OPEN(...) __VA_ARGS__

static __always_inline struct rt_conn *rt_conn_of(u64 sk)
{
	return bpf_map_lookup_elem(&rt_conns, &sk);
}

static RT_INLINE struct rt_uio *rt_uio_now(void)
{
	u32 none = 0;

	return bpf_map_lookup_elem(&rt_uios, &none);
}

/* Prototypes that follow leave them static (C11 6.2.2, 5). */
#define RT_LEGACY_STUB(f, params, args)                                                            \
	int f##_key(u64 sk RT_OPEN params);                                                        \
	static __always_inline int f(struct rt_conn *c RT_OPEN params)                             \
	{                                                                                          \
		return f##_key(c->sk RT_OPEN args);                                                \
	}

#define RT_LEGACY_STUB_UIO(f, params, args)                                                        \
	int f##_key(u64 sk RT_OPEN params);                                                        \
	static __always_inline int f(struct rt_conn *c, const struct rt_uio *u RT_OPEN params)     \
	{                                                                                          \
		struct rt_uio *handed = rt_uio_now();                                              \
                                                                                                   \
		if (!handed)                                                                       \
			return 0;                                                                  \
		*handed = *u;                                                                      \
		return f##_key(c->sk RT_OPEN args);                                                \
	}

RT_LEGACY_TURN(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_STATE(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_STREAM(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_PROXY(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_FAR(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_ROUTE(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_WHOLE(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_SAMPLE(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_COPY(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)
RT_LEGACY_INFER(RT_LEGACY_STUB, RT_LEGACY_STUB_UIO)

/* Behind the bodies. A state that is gone meanwhile is none of ours. */
#define RT_LEGACY_KEYED(f, params, args)                                                           \
	RT_SCALAR int f##_key(u64 sk RT_OPEN params)                                               \
	{                                                                                          \
		struct rt_conn *c = rt_conn_of(sk);                                                \
                                                                                                   \
		return c ? f##_body(c RT_OPEN args) : 0;                                           \
	}

#define RT_LEGACY_KEYED_UIO(f, params, args)                                                       \
	RT_SCALAR int f##_key(u64 sk RT_OPEN params)                                               \
	{                                                                                          \
		const struct rt_uio *u = rt_uio_now();                                             \
		struct rt_conn *c = rt_conn_of(sk);                                                \
                                                                                                   \
		return c && u ? f##_body(c, u RT_OPEN args) : 0;                                   \
	}

#endif /* RT_LEGACY */

#endif /* REDTAP_LEGACY_BPF_H */
