/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The state that hangs on a socket. */
#ifndef REDTAP_CONN_BPF_H
#define REDTAP_CONN_BPF_H

#include "vmlinux.h"

#include "redtap/event.h"

enum rt_phase {
	RT_PHASE_IDLE = 0, /* no request seen yet */
	RT_PHASE_REQ = 1,  /* in the request turn */
	RT_PHASE_RESP = 2, /* in the response turn */
	RT_PHASE_LEFT = 3, /* not ours, or upgraded: bytes are only counted */
	RT_PHASE_STREAM = 4, /* pipelined: all bytes go up, user space tells the requests apart */
	RT_PHASE_PROXY = 5,  /* in a header of the PROXY protocol, before the first request */
};

enum rt_dir {
	RT_SEND = 0,
	RT_RECV = 1,
};

/* Where the bytes of one operation stand. */
struct rt_uio {
	u64 base;   /* address of the bytes, or of the iovec when nr > 0; 0: not readable */
	u32 nr;	    /* iovec entries; 0: base is a plain range, as is made of one */
	u16 copied; /* the iovec is the kernel's own copy, not the user's */
	u16 dropped; /* the call throws the bytes away: there is nothing to read */
	u64 pid_tgid; /* of the task that moves them */
	u64 process;  /* rt_task_identity() of it, where reading that takes no call */
};

/* A response turn that opened with an interim response and holds the final one,
 * too; beside enum rt_sig_kind in rt_conn.resp_kind. */
#define RT_RESP_MIXED 0x80

/* What the bytes of an unclaimed turn were last found to be. */
enum rt_turn {
	RT_TURN_NONE = 0,    /* no turn yet */
	RT_TURN_OPEN = 1,    /* fewer bytes than a signature needs */
	RT_TURN_UNKNOWN = 2, /* no signature fits: the rest of the turn is only counted */
};

/* What the captured head of a request was found to be. */
enum rt_head {
	RT_HEAD_NEW = 0,   /* not looked at yet */
	RT_HEAD_PLAIN = 1, /* one request, that a rule can stand for */
	RT_HEAD_ODD = 2,   /* for user space to tell */
};

/* What the head of a request has in common with that of the one before it. */
enum rt_same {
	RT_SAME_NONE = 0,
	RT_SAME_ALL = 1,
	RT_SAME_TAIL = 2, /* all from the end of the first line on, and nothing follows it */
};

/* What every operation touches stands first, what few touch stands last. */
struct rt_conn {
	u32 lock;	/* 0: free; the holder's CPU plus one; or a mark of lib/lock.bpf.h */
	u32 scope_of;	/* rt_scope_mark() of who the scope was last decided for: in it; 0: the
			 * state is still being made */

	u8 phase;	/* enum rt_phase */
	u8 turn;	/* enum rt_turn, of bytes that belong to no exchange (yet) */
	u8 turn_dir;	/* enum rt_dir of that turn */
	u8 probe_len;	/* bytes in probe, up to RT_SIG_LEN */
	u8 misses;	/* turns that fitted no signature, in a row */
	u8 opaque;	/* bytes of a socket that was left count as opaque, not unknown */
	u8 resp_kind;	/* enum rt_sig_kind of the response turn; 0: not decided */
	u8 tunnel;	/* the request asks for a tunnel */

	u8 req_row;	/* row of req_sigs that matched last, plus one */
	u8 resp_row;	/* row of resp_sigs that matched last, plus one, if it said success */
	u8 closing;	/* a close came while the state was locked */
	u8 swept;	/* number of the sweep that last saw it by a file: see rt_sweep_nr */
	u32 noted_pid;	/* process last announced */

	u64 turn_start; /* when the unclaimed turn began */
	u64 turn_bytes;
	u64 uncounted;	/* bytes of this exchange that no counter has yet */
	u32 fresh;	/* bytes of this operation in probe, when they begin the turn */
	u8 idle_stage;	/* reports of the sweep since the response's last byte */
	u8 same;	/* enum rt_same, of the request that begins */
	u8 head;	/* enum rt_head */
	union {		/* each in use within one function only */
		u8 row;	 /* what rt_infer() found; kept here for the reason given at io_pos */
		u8 walk; /* enum rt_walk, while a head is walked over */
	};
	u64 files;	/* descriptor table in which `fd` was found to be this socket */
	u32 fd;
	u16 path_at; /* where the path of the head begins, and where it ends */
	u16 path_to;
	u64 process;	/* which process answers: it tells apart those that had one pid in turn */
	u64 head_hash;	/* of what names the request in the head, while RT_HEAD_PLAIN */
	u64 other_hash; /* the same without its path */
	u64 req_whole;	/* bytes of the request, head and body; ~0: not known */
	u32 head_len;	/* of the head; 0: longer than what was captured */
	u16 path_end;	/* where the blank behind the target is; 0: a query follows the path */
	u16 line_end;	/* where the first line's LF is, while RT_HEAD_PLAIN */
	/* Where the last request was counted: good for the same key and status while
	 * no rule was deleted. */
	u32 hit_rules;
	u8 far; /* the end of the head is looked for, behind what is kept */
	u8 piece_response; /* pipelined: the operation is in the response's direction */
	u16 sizes; /* place in rt_hist.sizes of sized_req and sized_resp */
	u64 hit_key;
	u16 hit_status;
	u16 hit_slot;
	u32 seq_at; /* how far a server's process had read, in TCP's numbers; while its request
		     * is not whole */
	u64 sized_req;
	u64 sized_resp;

	struct rt_exchange x;

	/* First bytes of the unclaimed turn, as many as a head keeps. They also are
	 * the slack that the verifier wants behind the heads: it bounds offset and
	 * length of a copy apart, not their sum. */
	u64 probe[RT_RESP_HEAD_MAX / 8];

	u32 ino;	/* inode number of the socket */
	u32 mm_idx;	/* position in the vector of a sendmmsg or recvmmsg */
	u64 sk;		/* addresses, to find in the sweep whether the socket still lives */
	u64 socket;
	u64 idle_bytes; /* resp_bytes at the sweep's last report */
	u64 mm_vec;
	u32 mm_tid;
	u32 mm_ret;

	/* Where a walk over an iovec stands. Kept here and not in registers: the
	 * verifier then sees the same unknown numbers on every round and does not
	 * follow each combination of lengths. */
	u64 io_pos;
	u64 io_left;
	u64 lf_before; /* line ends in the word before, of a walk over a head */
	u64 cr_before;
	u64 io_tail;
	union {
		/* Of a head that goes on behind what is kept (far.bpf.c). */
		struct {
			u64 far_pos;  /* up to where */
			u64 far_body; /* length of the body, as far as the kept fields tell */
		};
		/* Of a PROXY header, before there was a head (proxy.bpf.c). */
		struct {
			u32 proxy_left; /* bytes that are yet to come, at most if it is a line */
			u32 proxy_line;
		};
	};
	union { /* each begins and ends within one operation */
		/* Of a walk over a path with values in it: hash of all so far, and without the
		 * segment that goes on; that segment's bytes, and what all of them were. */
		struct {
			u64 form_hash;
			u64 form_before;
			u32 form_len;
			u32 forms;
		};
		/* Of an operation on a pipelined connection: what is left to go up of the piece
		 * of user memory at hand, and how full the record is that it goes into. */
		struct {
			u64 piece_at;
			u64 piece_left;
			u32 piece_next; /* entry of the iovec */
			u32 piece_fill;
		};
	};
};

/* Linux puts 72 bytes before it in a socket's storage, and has memory in pieces of 2 KB and
 * 4 KB for that. */
_Static_assert(sizeof(struct rt_conn) <= 2048 - 72, "a socket's state takes 2 KB");

_Static_assert(RT_RESP_HEAD_MAX >= RT_REQ_HEAD_MAX, "probe holds a request's head");
/* No head is kept of a pipelined connection: its records are made where they stand. */
_Static_assert(__builtin_offsetof(struct rt_conn, probe) ==
		       __builtin_offsetof(struct rt_conn, x) + sizeof(struct rt_exchange),
	       "probe follows the heads");
_Static_assert(sizeof(struct rt_chunk) <= RT_REQ_HEAD_MAX + RT_RESP_HEAD_MAX + RT_RESP_HEAD_MAX,
	       "a chunk fits the heads and the probe");

#endif /* REDTAP_CONN_BPF_H */
