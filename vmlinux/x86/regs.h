/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* x86-64: syscall arguments in pt_regs (arch/x86/entry/calling.h) and the
 * numbers of the calls that move socket data (arch/x86/entry/syscalls/syscall_64.tbl). */
#ifndef REDTAP_REGS_H
#define REDTAP_REGS_H

struct pt_regs {
	unsigned long r10;
	unsigned long r9;
	unsigned long r8;
	unsigned long dx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
	unsigned short cs;
} __attribute__((preserve_access_index));

/* RT_TASK_READ: lib/task.bpf.h */
#define RT_REGS_NR(r) ((int)RT_TASK_READ(r, orig_ax))
#define RT_REGS_ARG1(r) RT_TASK_READ(r, di)
#define RT_REGS_ARG2(r) RT_TASK_READ(r, si)
#define RT_REGS_ARG3(r) RT_TASK_READ(r, dx)
#define RT_REGS_ARG4(r) RT_TASK_READ(r, r10)
/* __USER_CS: a 32-bit task has another selector, and other call numbers. */
#define RT_REGS_NATIVE(r) (RT_TASK_READ(r, cs) == 0x33)
/* Bytes above the registers, of kernels with CONFIG_X86_FRED (TOP_OF_KERNEL_STACK_PADDING). */
#define RT_REGS_PAD 16

enum {
	RT_NR_read = 0,
	RT_NR_write = 1,
	RT_NR_readv = 19,
	RT_NR_writev = 20,
	RT_NR_sendfile = 40,
	RT_NR_sendto = 44,
	RT_NR_recvfrom = 45,
	RT_NR_sendmsg = 46,
	RT_NR_recvmsg = 47,
	RT_NR_shutdown = 48,
	RT_NR_splice = 275,
	RT_NR_recvmmsg = 299,
	RT_NR_sendmmsg = 307,
	RT_NR_preadv2 = 327,
	RT_NR_pwritev2 = 328,
};

#endif /* REDTAP_REGS_H */
