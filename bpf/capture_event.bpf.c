// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Backend `event`: the tracepoints of backend `sock`, taken as perf's events,
 * whose programs run with preemption off on every kernel. Those of `sock` may be
 * preempted since Linux 7.0 (commit a46023d5616e "tracing: Guard
 * __DECLARE_TRACE() use of __DO_TRACE_CALL() with SRCU-fast"), and the kernel
 * skips a program that a task was preempted in for other tasks on that CPU.
 * Such programs cannot have socket storage: all sockets are in the hash.
 */
#include "lib/maps.bpf.h"

#include "lib/op.bpf.h"

static __always_inline int rt_event_op(const struct trace_event_raw_sock_msg_length *e, u8 dir,
				       bool blind)
{
	const struct sock *sk = e->sk;
	struct socket *socket;
	struct rt_conn *c;
	struct file *file;
	struct rt_op op;
	int ret = e->ret;
	u32 pid;

	if (ret == -RT_EAGAIN)
		return 0;
	rt_op_init(&op, rt_task());
	pid = op.u.pid_tgid >> 32;
	if (rt_scope_out(op.u.process, pid) ||
	    !rt_sock_is_stream(e->family, BPF_CORE_READ(sk, sk_type), e->protocol))
		return 0;
	/* The kernel's own sockets have no file; the caller's buffer is not theirs. */
	socket = BPF_CORE_READ(sk, sk_socket);
	file = socket ? BPF_CORE_READ(socket, file) : NULL;
	if (!file)
		return 0;
	c = rt_hash_conn(sk, socket, pid, rt_scope_mark(op.u.process, pid), ret > 0);
	if (c && rt_op_moved(c, sk, dir, ret))
		rt_op_data(c, &op, file, dir, ret, blind && e->family != RT_AF_UNIX);
	return 0;
}

/* sock/sock_send_length */
SEC("?tp")
int rt_event_send(struct trace_event_raw_sock_msg_length *e)
{
	return rt_event_op(e, RT_SEND, false);
}

/* sock/sock_recv_length */
SEC("?tp")
int rt_event_recv(struct trace_event_raw_sock_msg_length *e)
{
	if (e->flags & RT_MSG_ASIDE)
		return 0;
	return rt_event_op(e, RT_RECV, e->flags & RT_MSG_TRUNC);
}

/* sock/inet_sock_set_state */
SEC("?tp")
int rt_event_state(struct trace_event_raw_inet_sock_set_state *e)
{
	return rt_hash_state(e->skaddr, e->oldstate, e->newstate);
}

/* tcp/tcp_destroy_sock */
SEC("?tp")
int rt_event_gone(struct trace_event_raw_tcp_event_sk *e)
{
	return rt_hash_destroy(e->skaddr);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
