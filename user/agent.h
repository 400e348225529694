/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's loop, common to `run` and `trace`: kernel records in, finished
 * requests out, until SIGTERM or SIGINT. The only file that knows all modules.
 */
#ifndef REDTAP_AGENT_H
#define REDTAP_AGENT_H

#include "bpf/capture.h"
#include "red/finish.h"

/* What a subcommand makes of the agent's findings; all in the loop's thread. */
struct rt_agent_ops {
	rt_finished_fn finished;
	rt_active_fn active; /* may be NULL */
	/* Around each batch of finished() calls; may be NULL. */
	void (*batch)(void *ctx, bool begin);
	/* Around the active() calls of one sweep; may be NULL. */
	void (*sweep)(void *ctx, bool begin);
	/* What the kernel counted is to be taken over, in a batch(): with each sweep and
	 * each rt_agent__refresh(); may be NULL. */
	void (*fold)(void *ctx);
	/* After each sweep, twice a second; may be NULL. */
	void (*tick)(void *ctx, u64 now_mono);
	/* SIGHUP: returns the new configuration, which the agent's modules use from
	 * then on, or NULL to go on with the old one. Without this call the signal
	 * does what it does to any program of a terminal that went away. */
	const struct rt_config *(*reload)(void *ctx);
};

struct rt_agent;

/* Loads the BPF side. On failure -errno and one sentence, as rt_bpf__new(). */
int rt_agent__new(struct rt_agent **ret, const struct rt_config *cfg,
		  const struct rt_agent_ops *ops, void *ctx, char *errbuf, size_t errlen);
void rt_agent__free(struct rt_agent *a); /* NULL-safe */

struct rt_bpf *rt_agent__bpf(struct rt_agent *a);
struct rt_meta *rt_agent__meta(struct rt_agent *a);
struct rt_finisher *rt_agent__finisher(struct rt_agent *a);

/* From any thread but the loop's: returns when all that the kernel had to tell at the
 * call was taken over; at once if that was done within the last 20 ms, and in any
 * case after 200 ms. */
void rt_agent__refresh(struct rt_agent *a);

/* Runs until a signal asks to stop, or rt_agent__stop(); 0 or -errno. */
int rt_agent__loop(struct rt_agent *a);
/* From within an ops call: ends the loop. */
void rt_agent__stop(struct rt_agent *a);
bool rt_agent__stopping(const struct rt_agent *a);
/* Readable when a signal is pending. For an ops call that has to wait: the loop
 * does not see signals meanwhile. */
int rt_agent__signal_fd(const struct rt_agent *a);

#endif /* REDTAP_AGENT_H */
