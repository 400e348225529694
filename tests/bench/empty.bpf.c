/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Programs that do nothing, on the hooks of the capture backends: what the
 * kernel's BPF statistics say about them is the cost of the measuring itself
 * (and of the dispatch), which the bench takes off redtap's own figure.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define EMPTY(name, section)                                                                       \
	SEC("?" section)                                                                           \
	int name(void *ctx)                                                                        \
	{                                                                                          \
		return 0;                                                                          \
	}

/* Names begin with the backend they stand for; empty_cost.c goes by that. */
EMPTY(sock_send, "tp_btf/sock_send_length")
EMPTY(sock_recv, "tp_btf/sock_recv_length")

EMPTY(syscall_read, "tp/syscalls/sys_exit_read")
EMPTY(syscall_write, "tp/syscalls/sys_exit_write")
EMPTY(syscall_readv, "tp/syscalls/sys_exit_readv")
EMPTY(syscall_writev, "tp/syscalls/sys_exit_writev")
EMPTY(syscall_recvfrom, "tp/syscalls/sys_exit_recvfrom")
EMPTY(syscall_sendto, "tp/syscalls/sys_exit_sendto")
EMPTY(syscall_recvmsg, "tp/syscalls/sys_exit_recvmsg")
EMPTY(syscall_sendmsg, "tp/syscalls/sys_exit_sendmsg")

char LICENSE[] SEC("license") = "Dual BSD/GPL";
