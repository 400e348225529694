/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Programs for each hook of the capture backends. One does nothing: what the
 * kernel's BPF statistics say about it is the cost of the measuring itself (and
 * of the dispatch), which the bench takes off redtap's own figure. The second,
 * count_*, counts the hook's hits, those of one process apart. The third, least_*,
 * does what no tool that tells of a request's status and duration can do without,
 * or the first steps of that.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* Of what the registers' names stand for: their type is in the kernel's own BTF. */
#define RT_TASK_READ(p, field) ((p)->field)

const volatile u32 watched_pid = 0;
/* How many of the steps of least() are taken; empty_cost.c names them. */
const volatile u32 steps = 0;
u64 hits_all;
u64 hits_watched;

static int count(void)
{
	__sync_fetch_and_add(&hits_all, 1);
	if (bpf_get_current_pid_tgid() >> 32 == watched_pid)
		__sync_fetch_and_add(&hits_watched, 1);
	return 0;
}

#define HOOK(name, section)                                                                        \
	SEC("?" section)                                                                           \
	int name(void *ctx)                                                                        \
	{                                                                                          \
		return 0;                                                                          \
	}                                                                                          \
	SEC("?" section)                                                                           \
	int count_##name(void *ctx)                                                                \
	{                                                                                          \
		return count();                                                                    \
	}

/* The bytes that are looked at: of a request, and of a status line. */
#define REQUEST_BYTES  64
#define RESPONSE_BYTES 16

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, u64[REQUEST_BYTES / 8 + 1]);
} socks SEC(".maps");

/* The socket's state, the time, and the bytes: nginx receives into a plain buffer, and
 * sends by writev. Steps that are not taken, the verifier leaves out. */
static __always_inline int least(struct sock *sk, int ret, bool send)
{
	struct pt_regs *regs;
	struct iovec iov = {};
	u64 *state;

	if (bpf_get_current_pid_tgid() >> 32 != watched_pid || ret <= 0)
		return 0;
	/* Of one process, which is tied to one processor: no add that others wait for. */
	hits_watched++;
	if (steps < 1)
		return 0;
	state = bpf_sk_storage_get(&socks, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!state)
		return 0;
	state[1]++;
	if (steps >= 2)
		state[0] = bpf_ktime_get_ns();
	if (steps < (send ? 4 : 3))
		return 0;
	regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	iov.iov_base = (void *)RT_REGS_ARG2(regs);
	if (send)
		bpf_probe_read_user(&iov, sizeof(iov), iov.iov_base);
	bpf_probe_read_user(state + 1, send ? RESPONSE_BYTES : REQUEST_BYTES, iov.iov_base);
	return 0;
}

#define LEAST(name, section, send)                                                                 \
	SEC("?" section)                                                                           \
	int BPF_PROG(least_##name, struct sock *sk, int ret)                                       \
	{                                                                                          \
		return least(sk, ret, send);                                                       \
	}

LEAST(sock_send, "tp_btf/sock_send_length", true)
LEAST(sock_recv, "tp_btf/sock_recv_length", false)

/* Names begin with the backend they stand for; empty_cost.c goes by that. */
HOOK(sock_send, "tp_btf/sock_send_length")
HOOK(sock_recv, "tp_btf/sock_recv_length")

HOOK(syscall_read, "tp/syscalls/sys_exit_read")
HOOK(syscall_write, "tp/syscalls/sys_exit_write")
HOOK(syscall_readv, "tp/syscalls/sys_exit_readv")
HOOK(syscall_writev, "tp/syscalls/sys_exit_writev")
HOOK(syscall_recvfrom, "tp/syscalls/sys_exit_recvfrom")
HOOK(syscall_sendto, "tp/syscalls/sys_exit_sendto")
HOOK(syscall_recvmsg, "tp/syscalls/sys_exit_recvmsg")
HOOK(syscall_sendmsg, "tp/syscalls/sys_exit_sendmsg")

char LICENSE[] SEC("license") = "Dual BSD/GPL";
