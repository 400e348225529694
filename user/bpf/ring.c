// SPDX-License-Identifier: Apache-2.0
/*
 * Reading what the kernel has to say: the ring buffer, drained by time and not
 * by wakeups; the sweep, run by reading its iterators. Called by the agent's loop.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/loader.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* The iterator's own buffer in the kernel. A read takes all of it, so that whatever was
 * reported is told before anything else is looked at. */
#define SWEEP_PAGES 8

static int on_record(void *ctx, void *data, size_t len)
{
	struct rt_bpf *b = ctx;

	b->fn(b->fn_ctx, data, (u32)len);
	/* Stops the drain; the record itself is consumed. */
	return ++b->drained >= b->budget ? -EAGAIN : 0;
}

int rt_ring__open(struct rt_bpf *b)
{
	b->keys = calloc(RT_CONN_HASH_MAX, sizeof(*b->keys));
	if (!b->keys)
		return -ENOMEM;
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.rt_ring), on_record, b, NULL);
	return b->ring ? 0 : -errno;
}

int rt_bpf__wait_fd(const struct rt_bpf *b)
{
	return ring_buffer__epoll_fd(b->ring);
}

int rt_bpf__drain(struct rt_bpf *b, rt_record_fn fn, void *ctx, u32 budget)
{
	int err;

	b->fn = fn;
	b->fn_ctx = ctx;
	b->drained = 0;
	b->budget = budget;
	err = ring_buffer__consume(b->ring);
	if (err < 0 && err != -EAGAIN)
		return err;
	return (int)b->drained;
}

bool rt_bpf__has_records(const struct rt_bpf *b)
{
	struct pollfd ring = {.fd = bpf_map__fd(b->skel->maps.rt_ring), .events = POLLIN};

	return poll(&ring, 1, 0) > 0;
}

/* Goes on to who reads the sweep, but for states whose socket is gone. */
static void on_swept(struct rt_bpf *b, const void *record, u32 len)
{
	struct rt_gone gone;

	memcpy(&gone, record, sizeof(gone.type));
	if (gone.type != RT_EV_GONE) {
		b->fn(b->fn_ctx, record, len);
		return;
	}
	if (len != sizeof(gone) || b->nr_keys == RT_CONN_HASH_MAX)
		return;
	memcpy(&gone, record, sizeof(gone));
	b->keys[b->nr_keys++] = gone.sk;
}

/* Records stand one behind another and may be cut by the end of a read. */
static size_t split(struct rt_bpf *b, const char *buf, size_t len)
{
	size_t pos = 0;

	while (len - pos >= 2 * sizeof(u16)) {
		u64 record[(sizeof(struct rt_exchange) + 7) / 8];
		u16 head[2]; /* type, size: the start of every record */

		memcpy(head, buf + pos, sizeof(head));
		if (head[1] < sizeof(head) || head[1] > sizeof(record))
			return len; /* cannot be ours: drop the rest of this read */
		if (head[1] > len - pos)
			break;
		memcpy(record, buf + pos, head[1]);
		on_swept(b, record, head[1]);
		pos += head[1];
	}
	return pos;
}

size_t rt_ring__tell(struct rt_bpf *b, const char *buf, size_t len)
{
	size_t used;

	b->batch(b->fn_ctx, true);
	used = split(b, buf, len);
	b->batch(b->fn_ctx, false);
	return used;
}

static int sweep_one(struct rt_bpf *b, struct bpf_link *link)
{
	size_t size = SWEEP_PAGES * (size_t)sysconf(_SC_PAGESIZE) + sizeof(struct rt_exchange);
	__cleanup_free char *buf = NULL;
	__cleanup_fd int fd = -1;
	size_t len = 0;

	if (!link)
		return 0;
	buf = malloc(size);
	if (!buf)
		return -ENOMEM;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, buf + len, size - len);
		size_t used;

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		len += (size_t)n;
		used = rt_ring__tell(b, buf, len);
		len -= used;
		memmove(buf, buf + used, len);
	}
}

/* Looking at the hash map is looking at each of its buckets, of which there are as many as
 * entries at most: not while it is known to be empty, as it is without Unix sockets. */
static int sweep_conns(struct rt_bpf *b)
{
	u32 made = __atomic_load_n(&b->skel->bss->rt_conns_made, __ATOMIC_ACQUIRE);
	int err, err2 = 0;
	bool empty;

	if (b->conns_empty == made + 1)
		return 0;
	if (b->iter) {
		b->nr_keys = 0;
		__atomic_store_n(&b->skel->bss->rt_conns_seen, 0, __ATOMIC_RELEASE);
		err = sweep_one(b, b->sweep_conns);
		empty = !b->skel->bss->rt_conns_seen;
		err2 = rt_walk__states(b);
	} else {
		err = rt_walk__sweep(b);
		empty = !b->nr_keys;
	}
	b->conns_empty = !err && empty ? made + 1 : 0;
	return err ? err : err2;
}

/* Whether any state in socket storage may have something new to tell. Where nothing moved and
 * everything rests, a sweep finds nothing. Twice in a row: an operation that had the lock as
 * the flag was cleared is met by the second sweep. */
static bool storage_moved(struct rt_bpf *b)
{
	if (__atomic_exchange_n(&b->skel->bss->rt_moved, 0, __ATOMIC_ACQ_REL))
		b->still = 0;
	else
		b->still++;
	return b->still < 2;
}

int rt_bpf__sweep(struct rt_bpf *b, rt_record_fn fn, rt_batch_fn batch, rt_catch_up_fn catch_up,
		  void *ctx)
{
	bool moved = storage_moved(b), all = b->sweeps % RT_SWEEP_ALL_EVERY == 0;
	int err = 0, err2;

	b->fn = fn;
	b->batch = batch;
	b->catch_up = catch_up;
	b->fn_ctx = ctx;
	/* The number has a byte in each state, and 0 is that of none. */
	__atomic_store_n(&b->skel->bss->rt_sweep_nr, b->sweeps++ % 255 + 1, __ATOMIC_RELEASE);
	__atomic_store_n(&b->skel->bss->rt_sweep_all, all, __ATOMIC_RELEASE);
	if (moved || all)
		err = sweep_one(b, b->sweep_socks);
	err2 = sweep_conns(b);
	rt_exes__forget_unread(b, rt_clock__mono());
	rt_exes__renew(b, rt_clock__mono());
	rt_bpf__follow_scope(b, rt_clock__mono());
	return err ? err : err2;
}
