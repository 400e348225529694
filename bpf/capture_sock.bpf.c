// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Backend `sock`: one tracepoint per operation at the socket layer, after the
 * kernel took or gave the data (Linux 6.3, commit 6e6eda44b939 "sock: add
 * tracepoint for send recv length"). The user buffer comes from the registers
 * of the call that the task is in.
 */
#include "lib/maps.bpf.h"

#include "lib/op.bpf.h"
#include "lib/turn.bpf.h"

static __always_inline int rt_sock_op(struct sock *sk, u8 dir, int ret, bool blind)
{
	u16 family = sk->__sk_common.skc_family;
	const struct file *file;
	struct rt_conn *c;
	struct rt_op op;

	if (ret == -RT_EAGAIN || !rt_sock_is_stream(family, sk->sk_type, sk->sk_protocol))
		return 0;
	rt_op_init(&op, rt_task());
	if (rt_scope_out(op.u.process, op.u.pid_tgid >> 32))
		return 0;
	c = rt_op_conn(sk, family == RT_AF_UNIX, &op.u, dir, ret, &file);
	if (c)
		rt_op_data(c, &op, file, dir, ret, blind && family != RT_AF_UNIX);
	return 0;
}

SEC("?tp_btf/sock_send_length")
int BPF_PROG(rt_sock_send, struct sock *sk, int ret, int flags)
{
	return rt_sock_op(sk, RT_SEND, ret, false);
}

SEC("?tp_btf/sock_recv_length")
int BPF_PROG(rt_sock_recv, struct sock *sk, int ret, int flags)
{
	if (flags & RT_MSG_ASIDE)
		return 0;
	return rt_sock_op(sk, RT_RECV, ret, flags & RT_MSG_TRUNC);
}

/* The process connects a socket that was connected before (connect(2) to AF_UNSPEC came between),
 * to another peer perhaps: what is known of it is of the connection before. */
static __noinline int rt_sock_anew(struct rt_conn *c)
{
	rt_on_gone(c);
	c->phase = RT_PHASE_IDLE;
	c->turn = RT_TURN_NONE;
	c->probe_len = 0;
	c->scope_of = 0;
	return 0;
}

SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(rt_sock_state, struct sock *sk, int old, int new)
{
	struct rt_conn *c;

	if (new == RT_TCP_ESTABLISHED)
		return 0;
	c = bpf_sk_storage_get(&rt_socks, sk, 0, 0);
	if (c && new == RT_TCP_SYN_SENT)
		rt_sock_anew(c);
	else if (c)
		rt_on_state(c, old, new, BPF_CORE_READ(sk, sk_err), rt_sock_buffers(sk));
	return 0;
}

SEC("?tp_btf/tcp_destroy_sock")
int BPF_PROG(rt_sock_destroy, struct sock *sk)
{
	struct rt_conn *c = bpf_sk_storage_get(&rt_socks, sk, 0, 0);

	if (c && rt_turn_busy(c))
		rt_on_destroy(c, BPF_CORE_READ(sk, sk_err), rt_sock_buffers(sk));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
