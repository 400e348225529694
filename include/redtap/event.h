/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 OR BSD-2-Clause */
/*
 * Every struct that crosses from the kernel to user space, by the ring buffer
 * or by a read of the sweep iterator. Enum values are fixed and append-only;
 * sizes and offsets are asserted below.
 *
 * All times are CLOCK_MONOTONIC nanoseconds (bpf_ktime_get_ns). Ports are in
 * host byte order, addresses in network byte order.
 */
#ifndef REDTAP_EVENT_H
#define REDTAP_EVENT_H

#include "limits.h"
#include "types.h"

enum rt_event_type {
	RT_EV_EXCHANGE = 1, /* struct rt_exchange */
	RT_EV_PROC = 2,	    /* struct rt_proc_event: a process was first seen in scope */
	RT_EV_EXIT = 3,	    /* struct rt_exit_event: an announced process ended or exec'd */
	RT_EV_EXE = 4,	    /* struct rt_exe_event: an executable to judge by --exe */
	RT_EV_ACTIVE = 5,   /* struct rt_active: an exchange in flight (sweep only) */
	RT_EV_CHUNK = 6,    /* struct rt_chunk: bytes of a pipelined connection */
	RT_EV_GONE = 7,	    /* struct rt_gone: a state whose socket is gone (sweep only) */
};

enum rt_role {
	RT_ROLE_NONE = 0,
	RT_ROLE_SERVER = 1, /* the request was received on this socket */
	RT_ROLE_CLIENT = 2, /* the request was sent on this socket */
};

enum rt_family {
	RT_FAMILY_UNIX = 1,
	RT_FAMILY_INET = 2,
	RT_FAMILY_INET6 = 10,
};

/* rt_exchange.flags */
enum rt_xflag {
	RT_X_IDLE = 1 << 0,	  /* sweep's report of a silent socket; the exchange may go on */
	RT_X_AFTER_IDLE = 1 << 1, /* the end of an exchange that was reported with RT_X_IDLE before */
	RT_X_CLOSED = 1 << 2,	  /* the socket is closed: no byte can follow */
	RT_X_LOCAL_FIN = 1 << 3,  /* this side closed or shut down its sending half */
	RT_X_PEER_FIN = 1 << 4,	  /* the peer's end of stream was seen */
	RT_X_RESET = 1 << 5,	  /* the peer reset the connection */
	RT_X_LOCAL_RESET = 1 << 6,/* this side closed with a reset (unread data, or SO_LINGER 0) */
	RT_X_UNACKED = 1 << 7,	  /* at the reset, bytes handed over were not acknowledged: more than
				   * a peer may keep back, or those that its own close met */
	RT_X_REQ_CUT = 1 << 8,	  /* the request turn is longer than its captured head */
	RT_X_RESP_CUT = 1 << 9,	  /* the response turn is longer than its captured head */
	RT_X_UPGRADED = 1 << 10,  /* the socket left this protocol (101, CONNECT); nothing follows */
	RT_X_INTERIM = 1 << 11,	  /* interim (1xx) responses came before what is kept */
	RT_X_REQ_BLIND = 1 << 12, /* some request bytes had no readable buffer (sendfile, io_uring) */
	RT_X_RESP_BLIND = 1 << 13,/* the same for the response: the tail may be stale */
	RT_X_LONG_IDLE = 1 << 15, /* with RT_X_IDLE: silent for long, for the second report */
	RT_X_TIMED_OUT = 1 << 14, /* the kernel gave up on the connection (ETIMEDOUT) */
	/* More requests followed before an answer. Without RT_X_CLOSED and
	 * RT_X_UPGRADED: the first request, whole; what comes behind it, and all answers,
	 * come as chunks. With one of them: how the connection ended. */
	RT_X_STREAM = 1 << 16,
	RT_X_SAMPLE = 1 << 17, /* counted in place already: only told of */
	/* When the peer's end of stream came, it had acknowledged all that was handed over by then:
	 * `other` bytes of the response's turn, unless there is a `rule`. */
	RT_X_TAKEN = 1 << 18,
};

/*
 * One request and its response as seen by one socket. The captured heads stand
 * behind the fixed part, packed: req_len bytes of the request, then resp_len
 * bytes of the response; `size` is the length of the whole record.
 */
struct rt_exchange {
	u16 type; /* RT_EV_EXCHANGE */
	u16 size;
	u32 flags; /* enum rt_xflag */

	u64 conn_id; /* socket inode number in the low 32 bits, socket address hash above: unique per host */
	u32 seq;     /* counts the exchanges of one socket */
	u32 netns;   /* inode number of the socket's network namespace */

	u32 pid; /* thread group id, initial pid namespace */
	u32 tid;
	u8 comm[RT_COMM_LEN];

	u8 proto;  /* enum rt_proto_id */
	u8 role;   /* enum rt_role */
	u8 family; /* enum rt_family */
	u8 tail_len;
	u16 local_port;
	u16 peer_port;
	u8 peer_addr[16]; /* IPv4 in the first four bytes */

	u64 req_start; /* first byte of the request */
	u64 req_end;
	u64 resp_start; /* 0: no response byte was seen */
	u64 resp_end;
	u64 end; /* when the exchange was found finished */

	u64 req_bytes;
	u64 resp_bytes; /* with interim responses */

	u8 tail[RT_TAIL_MAX]; /* last bytes of the response turn, tail_len of them */

	u64 rule; /* key of the rule that would have counted it in the kernel; 0: none can */
	/* If rule: of the one that counts it without its path when its record is lost. Else see
	 * RT_X_TAKEN. */
	u64 other;

	u16 req_len;
	u16 resp_len;
	u32 interim_bytes; /* bytes of interim responses before what is kept */

	u8 heads[RT_REQ_HEAD_MAX + RT_RESP_HEAD_MAX];
};

enum rt_chunk_flag {
	RT_CHUNK_RESPONSE = 1 << 0, /* in the response's direction */
	RT_CHUNK_FIRST = 1 << 1,    /* its first byte is the first of an operation */
};

/*
 * A piece of what one operation moved on a pipelined connection. Positions count
 * the bytes of a direction from the first request's first byte, and from the first
 * response byte. What lies between two pieces was not captured, or is lost.
 */
struct rt_chunk {
	u16 type; /* RT_EV_CHUNK */
	u16 size;
	u32 seq; /* of the exchange that the stream began as */
	u64 conn_id;
	u32 pid;
	u32 tid;
	u64 time; /* of the operation */
	u64 pos;  /* of data[0] */
	u64 upto; /* where the operation stands after this piece: behind the data, or further */
	u32 flags; /* enum rt_chunk_flag */
	u32 pad;
	u8 data[RT_CHUNK_MAX];
};

/* A process in scope did its first request or response. Sent before the
 * exchange, so that user space can look at /proc while the process lives; the
 * copies of args and environ serve when it is already gone. */
struct rt_proc_event {
	u16 type; /* RT_EV_PROC */
	u16 size;
	u32 pid;
	u64 start_ns;  /* task start, CLOCK_BOOTTIME */
	u64 cgroup_id; /* cgroup v2 id */
	u16 args_len;
	u16 env_len;
	u32 netns;
	u8 comm[RT_COMM_LEN];
	char exe[RT_PROC_EXE_MAX];   /* base name of the executable, NUL-terminated */
	u8 args[RT_PROC_ARGS_MAX];   /* NUL-separated, as in /proc/PID/cmdline */
	u8 environ[RT_PROC_ENV_MAX]; /* NUL-separated, as in /proc/PID/environ, maybe cut */
};

struct rt_exit_event {
	u16 type; /* RT_EV_EXIT */
	u16 size;
	u32 pid;
};

struct rt_exe_event {
	u16 type; /* RT_EV_EXE */
	u16 size;
	u32 pid;
	u64 dev; /* kernel encoding of the device, s_dev */
	u64 ino;
	u32 begins; /* asked as it began, and not by one of its operations */
	u32 known;  /* there is a verdict: a program that begins may have another path by now */
	char exe[RT_PROC_EXE_MAX]; /* its base name: the process may run another by when it is judged */
};

struct rt_active {
	u16 type; /* RT_EV_ACTIVE */
	u16 size;
	u32 pid;
	u64 conn_id;
	u32 seq;
	u16 local_port;
	u8 proto;
	u8 role;
	u8 stream; /* a pipelined connection: any number of exchanges */
	u8 pad[7];
};

/* For the loader, not for those that it hands records to. */
struct rt_gone {
	u16 type; /* RT_EV_GONE */
	u16 size;
	u32 pad;
	u64 sk; /* the socket's address, key in rt_conns */
};

/* What the sweep had to tell of one socket, where it has no iterator's buffer;
 * size 0: nothing. */
struct rt_swept {
	struct rt_exchange exchange;
	struct rt_active active;
};

_Static_assert(__builtin_offsetof(struct rt_exchange, conn_id) == 8, "rt_exchange layout");
_Static_assert(__builtin_offsetof(struct rt_exchange, req_start) == 72, "rt_exchange layout");
_Static_assert(__builtin_offsetof(struct rt_exchange, heads) == 160, "rt_exchange layout");
_Static_assert(sizeof(struct rt_exchange) % 8 == 0, "rt_exchange ends aligned");
_Static_assert(__builtin_offsetof(struct rt_chunk, data) == 56, "rt_chunk layout");
_Static_assert(sizeof(struct rt_active) == 32, "rt_active layout");
_Static_assert(sizeof(struct rt_gone) == 16, "rt_gone layout");

#endif /* REDTAP_EVENT_H */
