/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 OR BSD-2-Clause */
/*
 * Every maximum that both sides share, named once. Reaching one is a counted
 * event (stats.def), never an abort and never silence.
 */
#ifndef REDTAP_LIMITS_H
#define REDTAP_LIMITS_H

/* First bytes of a request and of a response turn that are kept, in bytes.
 * Request: method, path, Host and the usual trace headers. Response: status
 * line and the framing headers. The rest of a turn is counted, not read. */
#define RT_REQ_HEAD_MAX 512
#define RT_RESP_HEAD_MAX 512

/* Last bytes of the response turn: enough to see the end of a chunked body. */
#define RT_TAIL_MAX 8

/* Bytes a signature compares (sigmatch.h). */
#define RT_SIG_LEN 16
/* Rows of the signature table that is written into the BPF object's rodata. */
#define RT_SIG_MAX 64

/* Of one operation on a pipelined connection, bytes that go up to user space; and
 * of one record of them. What is left out is a gap that the positions show. */
#define RT_STREAM_OP_MAX 262144
#define RT_CHUNK_MAX 1440
/* Pieces of user memory that make up such an operation; and those walked to find the last bytes
 * of any. */
#define RT_STREAM_IOV_MAX 128

/* iovec entries walked to find the heads of one operation. */
#define RT_IOV_MAX 16

/* Sockets whose state lives in the hash map: Unix sockets, and all sockets of
 * the syscall backend. Allocated on demand. */
#define RT_CONN_HASH_MAX 65536
/* The same of the legacy object (bpf/README.md), all allocated at once; and how many
 * of them can be locked at a time. */
#define RT_LEGACY_CONN_MAX 16384
#define RT_LEGACY_LOCKS_MAX 4096

/* Each sweep looks at every socket, and tells of those that have something new; each
 * so many it tells of all, so that user space finds out whose end it missed. */
#define RT_SWEEP_ALL_EVERY 8

/* Scope (scope.bpf.h): entries of each kind. */
#define RT_SCOPE_NETNS_MAX 64
#define RT_SCOPE_PID_MAX 1024
#define RT_SCOPE_PORT_MAX 64
#define RT_SCOPE_CGROUP_MAX 64
#define RT_SCOPE_EXE_MAX 16384
/* Processes out of scope that are known as such at a glance; a power of two. */
#define RT_SCOPE_OUTS_MAX 1024

/* Processes known to have been announced to user space. */
#define RT_PROC_MAX 16384
/* Bytes of a process's command line and environment in its announcement. */
#define RT_PROC_ARGS_MAX 512
#define RT_PROC_ENV_MAX 3072
#define RT_PROC_EXE_MAX 64
#define RT_COMM_LEN 16

#endif /* REDTAP_LIMITS_H */
