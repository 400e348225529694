// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * Backend `fentry`: trampolines around the functions that move a TCP or Unix
 * stream's bytes. At the entry the user buffer is noted from the iterator that
 * the kernel was handed, which the call uses up; at the exit the true byte
 * count is there. Right for io_uring as well: it hands over the same iterators.
 */
#include "lib/maps.bpf.h"

#include "lib/op.bpf.h"
#include "lib/turn.bpf.h"

struct page;

/* One entry per task inside a call, by pid_tgid; a task is in one at a time.
 * Deleted at the exit. Full: that operation is blind. Here and not in
 * maps.bpf.c, as no other backend has a use for it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, u64);
	__type(value, struct rt_uio);
} rt_calls RT_VISIBLE SEC(".maps");

static __always_inline const struct iovec *rt_iter_iov(const struct iov_iter *iter)
{
	const struct iov_iter___6_3 *old = (const void *)iter;

	if (bpf_core_field_exists(iter->__iov)) /* Linux 6.4, commit de4f5fed3f23 */
		return BPF_CORE_READ(iter, __iov);
	return BPF_CORE_READ(old, iov);
}

/* What of an iterator is user memory; kernel memory and pages stay unread. */
static __always_inline void rt_uio_from_iter(struct rt_uio *u, const struct iov_iter *iter)
{
	u8 type = BPF_CORE_READ(iter, iter_type);
	u64 offset = BPF_CORE_READ(iter, iov_offset);
	struct iovec v;
	u64 nr;

	/* Linux 6.0, commit fcb14cb1bdac */
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) &&
	    type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		u->base = (u64)BPF_CORE_READ(iter, ubuf) + offset;
		return;
	}
	if (type != bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		return;
	u->base = (u64)rt_iter_iov(iter);
	nr = BPF_CORE_READ(iter, nr_segs);
	if (nr > 1 && !offset) {
		u->nr = nr > 0xffff ? 0xffff : nr;
		u->copied = 1;
		return;
	}
	/* One piece; or several of which the first was begun, and it alone is not all. */
	if (nr != 1 || bpf_probe_read_kernel(&v, sizeof(v), (void *)u->base))
		u->base = 0;
	else
		u->base = (u64)v.iov_base + offset;
}

static __always_inline int rt_fe_enter(const struct msghdr *msg)
{
	struct task_struct *task = rt_task();
	u64 id = rt_task_id(task);
	struct rt_uio u = {.pid_tgid = id};

	if (rt_scope_task_out(task, id >> 32))
		return 0;
	rt_uio_from_iter(&u, &msg->msg_iter);
	bpf_map_update_elem(&rt_calls, &id, &u, BPF_ANY);
	return 0;
}

/* The buffer that was noted at the entry; none when the call began before the
 * programs were attached. */
static __always_inline void rt_fe_leave(struct rt_uio *u, u64 id)
{
	struct rt_uio *noted = bpf_map_lookup_elem(&rt_calls, &id);

	if (!noted)
		return;
	u->base = noted->base;
	u->nr = noted->nr;
	u->copied = noted->copied;
	bpf_map_delete_elem(&rt_calls, &id);
}

static __always_inline int rt_fe_exit(struct sock *sk, bool hashed, u8 dir, int ret, u32 flags)
{
	struct task_struct *task = rt_task();
	const struct file *file;
	struct rt_conn *c;
	struct rt_uio u;

	rt_uio_init(&u, task);
	rt_fe_leave(&u, u.pid_tgid);
	if (rt_scope_out(u.process, u.pid_tgid >> 32))
		return 0;
	if (ret == -RT_EAGAIN || (dir == RT_RECV && (flags & RT_MSG_ASIDE)))
		return 0;
	c = rt_op_conn(sk, hashed, &u, dir, ret, &file);
	if (!c)
		return 0;
	if (dir == RT_RECV && !hashed && (flags & RT_MSG_TRUNC)) {
		u.base = 0;
		u.dropped = 1;
	}
	rt_on_data(c, &u, ret, dir);
	return 0;
}

SEC("?fentry/tcp_sendmsg")
int BPF_PROG(rt_fe_send, struct sock *sk, struct msghdr *msg)
{
	return rt_fe_enter(msg);
}

SEC("?fexit/tcp_sendmsg")
int BPF_PROG(rt_fx_send, struct sock *sk, struct msghdr *msg, unsigned long size, int ret)
{
	return rt_fe_exit(sk, false, RT_SEND, ret, 0);
}

SEC("?fentry/tcp_recvmsg")
int BPF_PROG(rt_fe_recv, struct sock *sk, struct msghdr *msg)
{
	return rt_fe_enter(msg);
}

/* Its arguments were fewer over the versions: six with `nonblock` until Linux
 * 5.18 (commit ec095263a965), then flags are the fourth. */
SEC("?fexit/tcp_recvmsg")
int BPF_PROG(rt_fx_recv, struct sock *sk, struct msghdr *msg)
{
	u64 flags = 0, ret = 0;

	bpf_get_func_arg(ctx, bpf_get_func_arg_cnt(ctx) > 5 ? 4 : 3, &flags);
	bpf_get_func_ret(ctx, &ret);
	return rt_fe_exit(sk, false, RT_RECV, (int)ret, (u32)flags);
}

SEC("?fentry/unix_stream_sendmsg")
int BPF_PROG(rt_fe_unix_send, struct socket *sock, struct msghdr *msg)
{
	return rt_fe_enter(msg);
}

SEC("?fexit/unix_stream_sendmsg")
int BPF_PROG(rt_fx_unix_send, struct socket *sock, struct msghdr *msg, unsigned long len, int ret)
{
	return rt_fe_exit(sock->sk, true, RT_SEND, ret, 0);
}

SEC("?fentry/unix_stream_recvmsg")
int BPF_PROG(rt_fe_unix_recv, struct socket *sock, struct msghdr *msg)
{
	return rt_fe_enter(msg);
}

SEC("?fexit/unix_stream_recvmsg")
int BPF_PROG(rt_fx_unix_recv, struct socket *sock, struct msghdr *msg, unsigned long size,
	     int flags, int ret)
{
	return rt_fe_exit(sock->sk, true, RT_RECV, ret, flags);
}

/* sendfile and splice into a socket: calls of their own until Linux 6.5 (commit
 * dc97391e6610), and pages, whose bytes are counted. The loader leaves these two
 * out where the kernel has no such functions. */
SEC("?fexit/tcp_sendpage")
int BPF_PROG(rt_fx_page, struct sock *sk, struct page *page, int offset, unsigned long size,
	     int flags, int ret)
{
	return rt_fe_exit(sk, false, RT_SEND, ret, 0);
}

SEC("?fexit/unix_stream_sendpage")
int BPF_PROG(rt_fx_unix_page, struct socket *sock, struct page *page, int offset,
	     unsigned long size, int flags, int ret)
{
	return rt_fe_exit(sock->sk, true, RT_SEND, ret, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
