// SPDX-License-Identifier: Apache-2.0
/*
 * Wires the modules and owns their lifetimes. One thread: a timer drains the
 * ring (ten times a second, more often when it fills) and runs the sweep twice a
 * second; signals come through a descriptor. The HTTP server has threads of
 * its own: they meet this one at the registry's lock, and ask it for fresh counts.
 */
#include "agent.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/log.h"

/* The ring is drained by time: often while it fills fast, so that the kernel
 * need not wake us, which costs the traced program a microsecond each. */
#define DRAIN_NS      (100 * 1000000L)
#define DRAIN_BUSY_NS (10 * 1000000L)
#define BUSY_RECORDS  2000 /* in 100 ms */
/* Records handled with the registry's lock held in one go. */
#define DRAIN_BUDGET 2048
/* As often in a row at most: while the ring fills faster than that, there are signals, sweeps and
 * those who wait for fresh counts all the same. */
#define DRAINS_MAX 16
/* Records that are being written and keep others back: how many may do so one after another (or
 * how many takes what was in a ring by then may need), and how often one is waited for. */
#define TAKES_MAX    64
#define TAKE_WAITS   1000
#define TAKE_WAIT_US 50
#define SWEEP_NS     500000000ull
/* A process that ended is remembered for its last records. */
#define PROCESS_TTL_NS (30 * 1000000000ull)
#define SIGS_MAX       128
/* Counts this young are fresh: many that scrape at once cost one look. */
#define FRESH_NS	(20 * 1000000ull)
#define REFRESH_WAIT_NS (200 * 1000000ull)

/* Looks of the loop's thread that others wait for. */
struct refresh {
	int fd; /* wakes the loop */
	pthread_mutex_t lock;
	pthread_cond_t over;
	u64 begun; /* looks, by the loop */
	u64 done;
	u64 when; /* of the last one's begin */
};

struct rt_agent {
	const struct rt_agent_ops *ops;
	void *ctx;
	struct rt_bpf *bpf;
	struct rt_meta *meta;
	struct rt_finisher *finisher;
	int epoll;
	int timer;
	int signals;
	struct refresh refresh;
	bool stop;
	bool behind; /* the ring held more than one take's worth */
	long drain_ns;
	u64 next_sweep;
	bool sweep_fails; /* and it was told */
};

/* Records end at `len`; a shorter one than its type needs is a bug, not traffic. */
static void on_record(void *ctx, const void *data, u32 len)
{
	struct rt_agent *a = ctx;
	const u16 *type = data;

	if (len < sizeof(u64))
		return;
	switch (*type) {
	case RT_EV_EXCHANGE:
		rt_finisher__exchange(a->finisher, a->meta, data, len);
		break;
	case RT_EV_CHUNK:
		rt_finisher__chunk(a->finisher, a->meta, data, len);
		break;
	case RT_EV_ACTIVE:
		if (len >= sizeof(struct rt_active))
			rt_finisher__active(a->finisher, data);
		break;
	case RT_EV_PROC:
		if (len >= sizeof(struct rt_proc_event))
			rt_meta__on_proc(a->meta, data);
		break;
	case RT_EV_EXIT:
		if (len >= sizeof(struct rt_exit_event))
			rt_meta__on_exit(a->meta, ((const struct rt_exit_event *)data)->pid);
		break;
	case RT_EV_EXE:
		if (len >= sizeof(struct rt_exe_event))
			rt_bpf__judge_exe(a->bpf, data);
		break;
	}
}

static void batch(struct rt_agent *a, bool begin)
{
	if (a->ops->batch)
		a->ops->batch(a->ctx, begin);
}

static int set_timer(struct rt_agent *a, long ns)
{
	struct itimerspec every = {.it_interval.tv_nsec = ns, .it_value.tv_nsec = ns};

	if (a->drain_ns == ns)
		return 0;
	a->drain_ns = ns;
	return timerfd_settime(a->timer, 0, &every, NULL) ? -errno : 0;
}

/* Returns how many records, or -errno. Tells in `behind` whether there may be more. */
static int take(struct rt_agent *a)
{
	int n, all = 0;

	for (int i = 0; i < DRAINS_MAX; i++) {
		batch(a, true);
		n = rt_bpf__drain(a->bpf, on_record, a, DRAIN_BUDGET);
		batch(a, false);
		if (n < 0)
			return n;
		all += n;
		if (n < DRAIN_BUDGET)
			break;
	}
	a->behind = all >= DRAINS_MAX * DRAIN_BUDGET;
	return all;
}

static int drain(struct rt_agent *a)
{
	int n = take(a);

	if (n < 0)
		return n;
	/* Busy is judged by rate: the short interval sees a tenth of the records. */
	return set_timer(a,
			 n * (DRAIN_NS / a->drain_ns) >= BUSY_RECORDS ? DRAIN_BUSY_NS : DRAIN_NS);
}

static void fold(struct rt_agent *a)
{
	if (a->ops->fold)
		a->ops->fold(a->ctx);
}

/* For those that wait in rt_agent__refresh(). */
static int refresh(struct rt_agent *a)
{
	struct refresh *r = &a->refresh;
	u64 asked, look;
	int err;

	if (read(r->fd, &asked, sizeof(asked)) < 0)
		return 0;
	pthread_mutex_lock(&r->lock);
	look = ++r->begun;
	r->when = rt_clock__mono();
	pthread_mutex_unlock(&r->lock);

	err = drain(a);
	batch(a, true);
	fold(a);
	batch(a, false);

	pthread_mutex_lock(&r->lock);
	r->done = look;
	pthread_cond_broadcast(&r->over);
	pthread_mutex_unlock(&r->lock);
	return err;
}

void rt_agent__refresh(struct rt_agent *a)
{
	struct refresh *r = &a->refresh;
	u64 now = rt_clock__mono(), until = now + REFRESH_WAIT_NS, one = 1, look;
	struct timespec end = {
		.tv_sec = (time_t)(until / 1000000000),
		.tv_nsec = (long)(until % 1000000000),
	};

	pthread_mutex_lock(&r->lock);
	look = r->begun + 1;
	if (r->done == r->begun && r->begun && now - r->when < FRESH_NS)
		look = r->done;
	else if (write(r->fd, &one, sizeof(one)) < 0)
		look = r->done;
	while (r->done < look && !pthread_cond_timedwait(&r->over, &r->lock, &end))
		;
	pthread_mutex_unlock(&r->lock);
}

/* Takes all that is in the ring by now. A record that is being written on another CPU keeps back
 * those behind it, for as long as an interrupt takes there, or the machine below a virtual one. */
static void catch_up(void *ctx)
{
	struct rt_agent *a = ctx;
	int takes = 0, waits = 0;

	while (takes < TAKES_MAX && waits < TAKE_WAITS) {
		int n = take(a);

		/* What fails here fails again in the loop. */
		if (n < 0 || !rt_bpf__has_records(a->bpf))
			return;
		if (n) {
			takes++;
		} else {
			usleep(TAKE_WAIT_US);
			waits++;
		}
	}
}

/* With tens of thousands of connections, a sweep takes longer than a scrape may wait. */
static void on_swept(void *ctx, bool begin)
{
	struct rt_agent *a = ctx;

	batch(a, begin);
	/* What fails here fails again in the loop. */
	if (!begin)
		(void)refresh(a);
}

static void sweep(struct rt_agent *a)
{
	int err;

	batch(a, true);
	if (a->ops->sweep)
		a->ops->sweep(a->ctx, true);
	rt_finisher__sweep_begin(a->finisher);
	batch(a, false);
	err = rt_bpf__sweep(a->bpf, on_record, on_swept, catch_up, a);
	batch(a, true);
	if (err && !a->sweep_fails)
		rt_warn("the sweep over sockets failed (%s): requests on silent connections "
			"are counted late",
			strerror(-err));
	else if (!err && a->sweep_fails)
		rt_info("the sweep over sockets works again");
	a->sweep_fails = err;
	if (err) {
		rt_finisher__sweep_failed(a->finisher);
	} else {
		rt_finisher__sweep_end(a->finisher);
	}
	if (a->ops->sweep)
		a->ops->sweep(a->ctx, false);
	/* With the sweep, so that what started, finished and is in flight add up. */
	fold(a);
	batch(a, false);
}

static void on_signal(struct rt_agent *a)
{
	const struct rt_config *cfg;
	struct signalfd_siginfo si;

	while (read(a->signals, &si, sizeof(si)) == sizeof(si)) {
		if (si.ssi_signo != SIGHUP) {
			a->stop = true;
			continue;
		}
		cfg = a->ops->reload(a->ctx);
		if (cfg)
			rt_meta__reload(a->meta, cfg);
	}
}

static int watch(struct rt_agent *a, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(a->epoll, EPOLL_CTL_ADD, fd, &ev) ? -errno : 0;
}

static int open_events(struct rt_agent *a)
{
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (a->ops->reload)
		sigaddset(&set, SIGHUP);
	/* Before any thread is made, so that all of them inherit it. */
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	a->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	a->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	a->refresh.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	a->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (a->signals < 0 || a->timer < 0 || a->refresh.fd < 0 || a->epoll < 0)
		return -errno;
	err = set_timer(a, DRAIN_NS);
	if (!err)
		err = watch(a, a->signals);
	if (!err)
		err = watch(a, a->timer);
	if (!err)
		err = watch(a, a->refresh.fd);
	if (!err)
		err = watch(a, rt_bpf__wait_fd(a->bpf));
	return err;
}

static void refresh_init(struct refresh *r)
{
	pthread_condattr_t attr;

	r->fd = -1;
	pthread_mutex_init(&r->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->over, &attr);
	pthread_condattr_destroy(&attr);
}

static void refresh_fini(struct refresh *r)
{
	if (r->fd >= 0)
		close(r->fd);
	pthread_cond_destroy(&r->over);
	pthread_mutex_destroy(&r->lock);
}

int rt_agent__new(struct rt_agent **ret, const struct rt_config *cfg,
		  const struct rt_agent_ops *ops, void *ctx, char *errbuf, size_t errlen)
{
	struct rt_agent *a = calloc(1, sizeof(*a));
	struct rt_sig sigs[SIGS_MAX];
	u32 nr_sigs = rt_proto__signatures(sigs, SIGS_MAX);
	int err;

	snprintf(errbuf, errlen, "out of memory");
	if (!a)
		return -ENOMEM;
	a->ops = ops;
	a->ctx = ctx;
	a->epoll = a->timer = a->signals = -1;
	refresh_init(&a->refresh);
	err = rt_bpf__new(&a->bpf, cfg, sigs, nr_sigs, errbuf, errlen);
	if (err)
		goto fail;
	snprintf(errbuf, errlen, "out of memory");
	err = -ENOMEM;
	a->meta = rt_meta__new(cfg);
	a->finisher = rt_finisher__new(ops->finished, ops->active, ctx);
	if (!a->meta || !a->finisher)
		goto fail;
	err = open_events(a);
	if (err) {
		snprintf(errbuf, errlen, "cannot set up timers and signals: %s", strerror(-err));
		goto fail;
	}
	*ret = a;
	return 0;
fail:
	rt_agent__free(a);
	return err;
}

void rt_agent__free(struct rt_agent *a)
{
	if (!a)
		return;
	rt_finisher__free(a->finisher);
	rt_meta__free(a->meta);
	rt_bpf__free(a->bpf);
	if (a->epoll >= 0)
		close(a->epoll);
	if (a->timer >= 0)
		close(a->timer);
	if (a->signals >= 0)
		close(a->signals);
	refresh_fini(&a->refresh);
	free(a);
}

struct rt_bpf *rt_agent__bpf(struct rt_agent *a)
{
	return a->bpf;
}

struct rt_meta *rt_agent__meta(struct rt_agent *a)
{
	return a->meta;
}

struct rt_finisher *rt_agent__finisher(struct rt_agent *a)
{
	return a->finisher;
}

void rt_agent__stop(struct rt_agent *a)
{
	a->stop = true;
}

bool rt_agent__stopping(const struct rt_agent *a)
{
	return a->stop;
}

int rt_agent__signal_fd(const struct rt_agent *a)
{
	return a->signals;
}

int rt_agent__loop(struct rt_agent *a)
{
	int err = 0;

	while (!a->stop && !err) {
		struct epoll_event ev[4];
		int n = epoll_wait(a->epoll, ev, RT_ARRAY_SIZE(ev), a->behind ? 0 : -1);
		u64 ticks, now;

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int i = 0; i < n; i++) {
			if (ev[i].data.fd == a->signals)
				on_signal(a);
			else if (ev[i].data.fd == a->timer &&
				 read(a->timer, &ticks, sizeof(ticks)) < 0)
				continue;
		}
		err = drain(a);
		if (!err)
			err = refresh(a);
		now = rt_clock__mono();
		if (now < a->next_sweep)
			continue;
		a->next_sweep = now + SWEEP_NS;
		sweep(a);
		rt_meta__expire(a->meta, now, PROCESS_TTL_NS);
		if (a->ops->tick)
			a->ops->tick(a->ctx, now);
	}
	/* What was captured up to the signal is told, too. */
	if (!err)
		err = drain(a);
	return err;
}
