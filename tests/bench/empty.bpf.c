/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Two programs for each hook of the capture backends. One does nothing: what the
 * kernel's BPF statistics say about it is the cost of the measuring itself (and
 * of the dispatch), which the bench takes off redtap's own figure. The other,
 * count_*, counts the hook's hits, those of one process apart.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

const volatile u32 watched_pid = 0;
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
