/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The user buffer of one socket operation: a single range, an iovec, or nothing
 * readable (sendfile, splice, io_uring: bytes counted without content).
 */
#ifndef REDTAP_UIO_BPF_H
#define REDTAP_UIO_BPF_H

#include "lib/maps.bpf.h"
#include "lib/stat.bpf.h"
#include "lib/task.bpf.h"

#define RT_PF_IO_WORKER 0x00000010

/* Nothing yet of what `task` moves. */
static __always_inline void rt_uio_init(struct rt_uio *u, const struct task_struct *task)
{
	u->base = 0;
	u->nr = 0;
	u->copied = u->dropped = 0;
	u->pid_tgid = rt_task_id(task);
	u->process = rt_cfg.stack_size ? 0 : rt_task_identity(task);
}

static __always_inline u64 rt_uio_process(const struct rt_uio *u)
{
	return rt_cfg.stack_size ? rt_task_identity(rt_task()) : u->process;
}

static __always_inline long rt_uio_entry(struct iovec *v, const struct rt_uio *u, u32 i)
{
	const struct iovec *at = (const struct iovec *)u->base + i;

	if (u->copied)
		return bpf_probe_read_kernel(v, sizeof(*v), at);
	return bpf_probe_read_user(v, sizeof(*v), at);
}

/* One piece is the usual case: then it is a plain range, and nobody walks. */
static __always_inline void rt_uio_flatten(struct rt_uio *u)
{
	struct iovec v;

	if (u->nr != 1)
		return;
	u->nr = 0;
	if (bpf_probe_read_user(&v, sizeof(v), (void *)u->base))
		u->base = rt_stat_note(RT_STAT_READ_FAULTS);
	else
		u->base = (u64)v.iov_base;
}

static RT_INLINE void rt_uio_msghdr(struct rt_uio *u, u64 addr)
{
	struct user_msghdr hdr;

	if (bpf_probe_read_user(&hdr, sizeof(hdr), (void *)addr)) {
		rt_stat_inc(RT_STAT_READ_FAULTS);
		return;
	}
	u->base = (u64)hdr.msg_iov;
	u->nr = hdr.msg_iovlen > 0xffff ? 0xffff : hdr.msg_iovlen;
	if (!u->nr)
		u->base = 0;
	rt_uio_flatten(u);
}

/*
 * sendmmsg and recvmmsg move several messages in one call. The kernel writes a
 * message's msg_len before it goes on to the next, so a hit that finds the
 * previous message's length in place is the next one of the same call.
 */
static RT_INLINE u64 rt_mmsg_entry(struct rt_conn *c, u64 vec, u32 vlen, u32 tid, u32 ret)
{
	struct mmsghdr *entry = (void *)vec;
	struct user_msghdr hdr;
	struct iovec v;
	u32 idx = 0, len = 0;

	if (c->mm_vec == vec && c->mm_tid == tid && c->mm_idx + 1 < vlen) {
		bpf_probe_read_user(&len, sizeof(len), &entry[c->mm_idx].msg_len);
		/* An old msg_len may stand there: the message must fit as well. */
		if (len == c->mm_ret &&
		    !bpf_probe_read_user(&hdr, sizeof(hdr), &entry[c->mm_idx + 1].msg_hdr) &&
		    !bpf_probe_read_user(&v, sizeof(v), hdr.msg_iov) &&
		    (hdr.msg_iovlen > 1 || v.iov_len == ret))
			idx = c->mm_idx + 1;
	}
	c->mm_vec = vec;
	c->mm_tid = tid;
	c->mm_idx = idx;
	c->mm_ret = ret;
	return (u64)&entry[idx];
}

/* The file behind a descriptor; NULL: none. */
static __always_inline struct file *rt_file_of_fd(const struct files_struct *files, u32 fd)
{
	struct fdtable *fdt = RT_TASK_READ(files, fdt);
	struct file *file = NULL;

	if (fd >= RT_TASK_READ(fdt, max_fds))
		return NULL;
	if (bpf_probe_read_kernel(&file, sizeof(file), RT_TASK_READ(fdt, fd) + fd))
		return NULL;
	return file;
}

/* Of the calls that take messages. */
static __noinline int rt_uio_from_msg(struct rt_uio *u, const struct pt_regs *regs,
				      struct rt_conn *c, u32 ret)
{
	switch (RT_REGS_NR(regs)) {
	case RT_NR_sendmsg:
	case RT_NR_recvmsg:
		rt_uio_msghdr(u, RT_REGS_ARG2(regs));
		break;
	case RT_NR_sendmmsg:
	case RT_NR_recvmmsg:
		rt_uio_msghdr(u, rt_mmsg_entry(c, RT_REGS_ARG2(regs), RT_REGS_ARG3(regs),
					       (u32)u->pid_tgid, ret));
		break;
	}
	return 0;
}

/* The buffer of the socket call that the current task is in, by its registers.
 * All calls below name their descriptor first. The caller has made sure that it
 * is this socket's: io_uring and file systems over the network move socket data
 * while the task is in another call, whose buffer is none of ours. */
static __always_inline void rt_uio_from_regs(struct rt_uio *u, const struct task_struct *task,
					     const struct pt_regs *regs, struct rt_conn *c, u32 ret)
{
	u->base = 0;
	u->nr = 0;
	/* A worker's registers are not those of the call it works for. */
	if (!RT_REGS_NATIVE(regs) || (RT_TASK_READ(task, flags) & RT_PF_IO_WORKER))
		return;

	switch (RT_REGS_NR(regs)) {
	case RT_NR_read:
	case RT_NR_write:
	case RT_NR_sendto:
	case RT_NR_recvfrom:
		u->base = RT_REGS_ARG2(regs);
		break;
	case RT_NR_readv:
	case RT_NR_writev:
	case RT_NR_preadv2:
	case RT_NR_pwritev2: {
		u64 nr = RT_REGS_ARG3(regs);

		u->base = RT_REGS_ARG2(regs);
		u->nr = nr > 0xffff ? 0xffff : nr;
		rt_uio_flatten(u);
		break;
	}
	default:
		rt_uio_from_msg(u, regs, c, ret);
	}
}

#endif /* REDTAP_UIO_BPF_H */
