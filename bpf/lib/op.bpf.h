/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* One operation on a socket, as the hooks at the socket layer tell it: what the
 * backends do with it once they know the socket. */
#ifndef REDTAP_OP_BPF_H
#define REDTAP_OP_BPF_H

#include "lib/capture.bpf.h"
#include "lib/hash.bpf.h"
#include "lib/storage.bpf.h"

/* Whether bytes moved. If not, all there is to tell is told: an end or an error. */
static __always_inline bool rt_op_moved(struct rt_conn *c, const struct sock *sk, u8 dir, int ret)
{
	if (ret > 0)
		return true;
	if (ret || rt_sock_at_end(sk))
		rt_on_nothing(c, dir, ret);
	return false;
}

/* Apart from what TCP sockets take. */
static __noinline struct rt_conn *rt_op_hash_conn(const struct sock *sk,
						  const struct socket *socket, u32 pid,
						  u32 mark, bool create)
{
	return rt_hash_conn(sk, socket, pid, mark, create);
}

/* The state of a socket that bytes were moved on, and its file; NULL: nothing more to do.
 * For programs that may read a socket's own storage. */
static __always_inline struct rt_conn *rt_op_conn(struct sock *sk, bool hashed,
						  const struct rt_uio *u, u8 dir, int ret,
						  const struct file **file)
{
	struct socket *socket = sk->sk_socket;
	u32 pid = u->pid_tgid >> 32;
	struct rt_conn *c;

	/* The kernel's own sockets have no file; the caller's buffer is not theirs. */
	if (!socket)
		return NULL;
	*file = socket->file;
	if (!*file)
		return NULL;
	if (hashed || rt_cfg.hash_only)
		c = rt_op_hash_conn(sk, socket, pid, rt_scope_mark(u->process, pid), ret > 0);
	else
		c = rt_storage_conn(sk, u->process, pid, ret > 0);
	return c && rt_op_moved(c, sk, dir, ret) ? c : NULL;
}

/* Who moves the bytes. */
struct rt_op {
	struct task_struct *task;
	const struct files_struct *files; /* NULL: not read yet, as that takes a call */
	struct rt_uio u;
};

/* All that is behind a pointer in the task, read at one place: for each such pointer the
 * verifier searches the names of all types of the kernel, on each way to it (2 ms). */
static __always_inline void rt_op_init(struct rt_op *op, struct task_struct *task)
{
	op->task = task;
	op->files = rt_cfg.stack_size ? NULL : task->files;
	rt_uio_init(&op->u, task);
}

static __noinline bool rt_op_find_fd(struct rt_conn *c, const struct files_struct *files,
				     const struct file *file, u32 fd)
{
	if (rt_file_of_fd(files, fd) != file)
		return false;
	c->fd = fd;
	c->files = (u64)files;
	return true;
}

/* Whether the call that the task is in names this socket. Once found, a descriptor
 * is believed: that its number comes to name another file matters only where the
 * kernel by itself moves bytes on a user's socket, in a call on that other file. */
static __always_inline bool rt_op_by_fd(struct rt_conn *c, const struct rt_op *op,
					const struct file *file, u32 fd)
{
	const struct files_struct *files = op->files;
	const struct task_struct *task = op->task;

	if (rt_cfg.stack_size)
		files = BPF_CORE_READ(task, files);
	return (c->fd == fd && c->files == (u64)files) || rt_op_find_fd(c, files, file, fd);
}

/* The bytes themselves, found by the registers of the call that the task is in. */
static __always_inline void rt_op_data(struct rt_conn *c, struct rt_op *op, const struct file *file,
				       u8 dir, int ret, bool blind)
{
	const struct pt_regs *regs = rt_task_regs(op->task);

	op->u.dropped = blind;
	if (!blind && rt_op_by_fd(c, op, file, RT_REGS_ARG1(regs)))
		rt_uio_from_regs(&op->u, op->task, regs, c, ret);
	rt_on_data(c, &op->u, ret, dir);
}

#endif /* REDTAP_OP_BPF_H */
