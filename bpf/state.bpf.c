// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
/*
 * What the changes of a TCP socket's state tell of the exchange in progress: how its connection
 * ends, and when.
 *
 * Where the process itself closes, the exchange ends there if nothing that follows can change
 * what becomes of it. What follows comes by interrupts, minutes later perhaps, or not at all as
 * far as programs can see.
 */
#include "lib/maps.bpf.h"

#include "lib/capture.bpf.h"
#include "lib/task.bpf.h"
#include "lib/turn.bpf.h"

static __always_inline u32 rt_state_flags(int old, int new, int err, bool unacked)
{
	u32 flags = RT_X_CLOSED;

	switch (new) {
	case RT_TCP_FIN_WAIT1:
		return RT_X_LOCAL_FIN;
	case RT_TCP_LAST_ACK:
		return RT_X_LOCAL_FIN | RT_X_PEER_FIN;
	case RT_TCP_FIN_WAIT2:
	case RT_TCP_CLOSING:
		return old == new ? RT_X_LOCAL_FIN : 0;
	case RT_TCP_CLOSE_WAIT:
		return RT_X_PEER_FIN;
	case RT_TCP_CLOSE:
		if (err == RT_ECONNRESET || err == RT_EPIPE)
			flags |= RT_X_RESET;
		else if (rt_err_timed_out(err))
			flags |= RT_X_TIMED_OUT;
		else if (old == RT_TCP_ESTABLISHED || old == RT_TCP_CLOSE_WAIT)
			flags |= RT_X_LOCAL_RESET;
		if (unacked)
			flags |= RT_X_UNACKED;
		return flags;
	}
	return 0;
}

/* Whether a change of state is when the exchange ended, should it have failed:
 * not when only a sending half was closed, by this side or a client's. */
static __always_inline bool rt_state_ends(const struct rt_conn *c, int new, u32 buffers)
{
	if (new == RT_TCP_CLOSE_WAIT)
		return c->x.role == RT_ROLE_CLIENT;
	return new == RT_TCP_CLOSE || (buffers & RT_BUF_SHUT);
}

/* Whether this is close(2), after which no process has the socket: it leaves nothing unread, and
 * tells of a state that stays as it is, too, where the sending half was shut before. Not
 * shutdown(2) of both halves, by one thread while another may be on its way out of a call that
 * moved bytes. */
static __always_inline bool rt_state_closes(int new, u32 buffers)
{
	return new != RT_TCP_CLOSE && new != RT_TCP_CLOSE_WAIT &&
	       (buffers & (RT_BUF_SHUT | RT_BUF_UNREAD)) == RT_BUF_SHUT &&
	       RT_REGS_NR(rt_task_regs(rt_task())) != RT_NR_shutdown;
}

/* Whether what was not acknowledged at a reset may have arrived all the same. The reset's own
 * acknowledgement is not taken over (tcp_reset() comes before tcp_ack()), and a client that has
 * its answer, and resets instead of closing (health checks do), has often sent no other. Where
 * it had closed before, though, the reset is what the bytes met. */
static __always_inline bool rt_state_taken(const struct rt_conn *c, int old, u32 flags, u32 buffers)
{
	if (!(flags & RT_X_RESET) || !(buffers & RT_BUF_UNACKED_FEW) ||
	    (c->x.flags & RT_X_PEER_FIN))
		return false;
	return old == RT_TCP_ESTABLISHED || old == RT_TCP_FIN_WAIT1 || old == RT_TCP_FIN_WAIT2;
}

int RT_FN(rt_on_state)(struct rt_conn *c, int old, int new, int sk_err, u32 buffers)
{
	u64 now = bpf_ktime_get_ns();
	int keep = 0;
	bool unacked;
	u32 flags;
	u64 sk;

	if (!c)
		return 0;
	sk = c->sk;
	flags = rt_state_flags(old, new, sk_err, buffers & RT_BUF_UNACKED);
	if (!flags || !rt_turn_busy(c))
		return 0;
	if (!rt_conn_lock(c)) {
		if (new == RT_TCP_CLOSE)
			rt_turn_closing(c, sk);
		return 1;
	}
	if (rt_turn_busy(c)) {
		unacked = (buffers & RT_BUF_UNACKED) &&
			  !((buffers & RT_BUF_UNACKED_FIN) && (c->x.flags & RT_X_LOCAL_FIN)) &&
			  !rt_state_taken(c, old, flags, buffers);
		if (!unacked)
			flags &= ~RT_X_UNACKED;
		/* What is refused later is not that. */
		if (!unacked && new == RT_TCP_CLOSE_WAIT) {
			flags |= RT_X_TAKEN;
			c->x.other = c->x.resp_bytes;
		}
		/* A server's answer may yet be refused by a reset until it is acknowledged. */
		if (rt_state_closes(new, buffers) && (c->x.role == RT_ROLE_CLIENT || !unacked))
			flags |= RT_X_CLOSED;
		/* A client may yet read its answer; a server may be in the call that
		 * sends one. rt_on_gone() ends these. */
		if (c->x.role == RT_ROLE_CLIENT)
			keep = buffers & RT_BUF_UNREAD;
		else
			keep = c->phase != RT_PHASE_RESP && (flags & RT_X_RESET);
		keep = keep && new == RT_TCP_CLOSE;
		if (keep)
			flags &= ~RT_X_CLOSED;
		c->x.flags |= flags;
		if (!c->x.end && rt_state_ends(c, new, buffers))
			c->x.end = now;
		if (flags & RT_X_CLOSED)
			rt_turn_close(c, now);
	}
	rt_conn_unlock(c);
	if (c->closing)
		rt_on_gone(c);
	return keep;
}

int rt_on_destroy(struct rt_conn *c, int sk_err, u32 buffers)
{
	const u32 known = RT_X_LOCAL_FIN | RT_X_PEER_FIN | RT_X_RESET | RT_X_LOCAL_RESET |
			  RT_X_TIMED_OUT;

	if (!c)
		return 0;
	/* The close itself was not seen: a program does not nest on one CPU. Of how it came to
	 * that, what was seen before may tell. */
	if (rt_turn_busy(c))
		rt_on_state(c, c->x.flags & known ? RT_TCP_CLOSE : RT_TCP_ESTABLISHED,
			    RT_TCP_CLOSE, sk_err, buffers & ~RT_BUF_UNREAD);
	return rt_on_gone(c);
}

#ifdef RT_LEGACY
RT_LEGACY_STATE(RT_LEGACY_KEYED, RT_LEGACY_KEYED_UIO)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
