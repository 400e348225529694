/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* arm64: syscall arguments in pt_regs (arch/arm64/include/asm/ptrace.h) and the
 * numbers of the calls that move socket data (include/uapi/asm-generic/unistd.h). */
#ifndef REDTAP_REGS_H
#define REDTAP_REGS_H

struct pt_regs {
	u64 regs[31];
	u64 pstate;
	u64 orig_x0;
	s32 syscallno;
} __attribute__((preserve_access_index));

/* RT_TASK_READ: lib/task.bpf.h */
#define RT_REGS_NR(r) ((int)RT_TASK_READ(r, syscallno))
/* regs[0] holds the return value at syscall exit; orig_x0 keeps the argument. */
#define RT_REGS_ARG1(r) RT_TASK_READ(r, orig_x0)
#define RT_REGS_ARG2(r) RT_TASK_READ(r, regs[1])
#define RT_REGS_ARG3(r) RT_TASK_READ(r, regs[2])
#define RT_REGS_ARG4(r) RT_TASK_READ(r, regs[3])
/* PSR_MODE32_BIT: a 32-bit task has other call numbers. */
#define RT_REGS_NATIVE(r) (!(RT_TASK_READ(r, pstate) & 0x10))
/* Bytes above the registers. */
#define RT_REGS_PAD 0

enum {
	RT_NR_read = 63,
	RT_NR_write = 64,
	RT_NR_readv = 65,
	RT_NR_writev = 66,
	RT_NR_sendfile = 71,
	RT_NR_splice = 76,
	RT_NR_sendto = 206,
	RT_NR_recvfrom = 207,
	RT_NR_shutdown = 210,
	RT_NR_sendmsg = 211,
	RT_NR_recvmsg = 212,
	RT_NR_recvmmsg = 243,
	RT_NR_sendmmsg = 269,
	RT_NR_preadv2 = 286,
	RT_NR_pwritev2 = 287,
};

#endif /* REDTAP_REGS_H */
