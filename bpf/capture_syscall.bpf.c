// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Backend `syscall`: the exit tracepoints of the calls that move socket data.
 * Works since Linux 5.10, needs tracefs; sees neither io_uring nor the kernel's
 * own calls. The socket is found through the descriptor: fd -> file -> socket.
 */
#include "lib/maps.bpf.h"

#include "lib/op.bpf.h"

#define RT_S_IFMT   0170000
#define RT_S_IFSOCK 0140000

/* The descriptor's socket; NULL for other files. Only sockfs has sockets that
 * can be read and written: one in a file system cannot be opened. */
static __always_inline struct socket *rt_socket_of_fd(const struct task_struct *task, u32 fd)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **slot, *file = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	slot = BPF_CORE_READ(fdt, fd) + fd;
	if (bpf_probe_read_kernel(&file, sizeof(file), slot) || !file)
		return NULL;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & RT_S_IFMT) != RT_S_IFSOCK)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

/* Messages of one sendmmsg or recvmmsg that are looked at one by one. */
#define RT_MMSG_MAX 64

/* Not inlined: what it needs of the stack is free again when the bytes are looked at. */
static __noinline struct rt_conn *rt_syscall_conn(const struct task_struct *task, u32 fd, u64 process,
						  u32 pid, bool create)
{
	struct socket *socket;
	struct sock *sk;

	if (rt_scope_task_out(task, pid))
		return NULL;
	socket = rt_socket_of_fd(task, fd);
	if (!socket)
		return NULL;
	sk = BPF_CORE_READ(socket, sk);
	if (!sk || !rt_sock_is_stream(BPF_CORE_READ(sk, __sk_common.skc_family),
				      BPF_CORE_READ(sk, sk_type), BPF_CORE_READ(sk, sk_protocol)))
		return NULL;
	return rt_hash_conn(sk, socket, pid, rt_scope_mark(process, pid), create);
}

static __always_inline int rt_syscall_op(const struct task_struct *task, const struct pt_regs *regs,
					 u32 fd, u8 dir, long ret, bool blind, u64 flags)
{
	struct rt_conn *c;
	struct rt_uio u;

	rt_uio_init(&u, task);
	c = rt_syscall_conn(task, fd, u.process, u.pid_tgid >> 32, ret > 0);
	if (!c || !rt_op_moved(c, (void *)c->sk, dir, ret))
		return 0;
	/* A Unix socket knows no MSG_TRUNC: its bytes are in the buffer. */
	if (dir == RT_RECV && (flags & RT_MSG_TRUNC) && c->x.family != RT_FAMILY_UNIX)
		blind = true;
	u.dropped = blind;
	if (!blind)
		rt_uio_from_regs(&u, task, regs, c, ret);
	rt_on_data(c, &u, ret, dir);
	return 0;
}

/* The result is a number of messages; each one's bytes stand in its msg_len. */
static __always_inline int rt_syscall_mmsg(const struct task_struct *task,
					   const struct pt_regs *regs, u32 fd, u8 dir, long ret)
{
	const struct mmsghdr *vec = (void *)RT_REGS_ARG2(regs);
	struct rt_conn *c;
	struct rt_uio u;

	rt_uio_init(&u, task);
	c = rt_syscall_conn(task, fd, u.process, u.pid_tgid >> 32, ret > 0);
	if (!c)
		return 0;
	if (ret <= 0) {
		if (ret)
			rt_on_nothing(c, dir, ret);
		return 0;
	}
	if (ret > RT_MMSG_MAX)
		rt_stat_inc(RT_STAT_BLIND_OPS);
	for (u32 i = 0; i < RT_MMSG_MAX && i < ret; i++) {
		u32 len = 0;

		u.base = u.nr = 0;
		bpf_probe_read_user(&len, sizeof(len), &vec[i].msg_len);
		if (!len)
			continue;
		rt_uio_msghdr(&u, (u64)&vec[i]);
		rt_on_data(c, &u, len, dir);
	}
	return 0;
}

/* sys_exit_{write,writev,sendto,sendmsg,sendmmsg,sendfile64,pwritev2} */
SEC("?tp")
int rt_sys_send(struct syscall_exit_ctx *ctx)
{
	struct task_struct *task = rt_task();
	const struct pt_regs *regs = rt_task_regs(task);

	if (ctx->ret == -RT_EAGAIN)
		return 0;
	if (ctx->nr == RT_NR_sendmmsg)
		return rt_syscall_mmsg(task, regs, RT_REGS_ARG1(regs), RT_SEND, ctx->ret);
	return rt_syscall_op(task, regs, RT_REGS_ARG1(regs), RT_SEND, ctx->ret, false, 0);
}

/* sys_exit_{read,readv,recvfrom,recvmsg,recvmmsg,preadv2} */
SEC("?tp")
int rt_sys_recv(struct syscall_exit_ctx *ctx)
{
	struct task_struct *task = rt_task();
	const struct pt_regs *regs = rt_task_regs(task);
	u64 flags = 0;

	if (ctx->ret == -RT_EAGAIN)
		return 0;
	if (ctx->nr == RT_NR_recvfrom || ctx->nr == RT_NR_recvmmsg)
		flags = RT_REGS_ARG4(regs);
	else if (ctx->nr == RT_NR_recvmsg)
		flags = RT_REGS_ARG3(regs);
	if (flags & RT_MSG_ASIDE)
		return 0;
	if (ctx->nr == RT_NR_recvmmsg)
		return rt_syscall_mmsg(task, regs, RT_REGS_ARG1(regs), RT_RECV, ctx->ret);
	return rt_syscall_op(task, regs, RT_REGS_ARG1(regs), RT_RECV, ctx->ret, false, flags);
}

/* sys_exit_splice: bytes without content, out of a socket or into one */
SEC("?tp")
int rt_sys_splice(struct syscall_exit_ctx *ctx)
{
	struct task_struct *task = rt_task();
	const struct pt_regs *regs = rt_task_regs(task);
	/* Read once: the compiler would keep its address, and the verifier wants the
	 * context's own. */
	long ret = ctx->ret;

	if (ret <= 0)
		return 0;
	rt_syscall_op(task, regs, RT_REGS_ARG1(regs), RT_RECV, ret, true, 0);
	return rt_syscall_op(task, regs, RT_REGS_ARG3(regs), RT_SEND, ret, true, 0);
}

SEC("?raw_tp/inet_sock_set_state")
int BPF_PROG(rt_sys_state, struct sock *sk, int old, int new)
{
	return rt_hash_state(sk, old, new);
}

SEC("?raw_tp/tcp_destroy_sock")
int BPF_PROG(rt_sys_destroy, struct sock *sk)
{
	return rt_hash_destroy(sk);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
