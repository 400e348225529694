// SPDX-License-Identifier: Apache-2.0
/*
 * States of the hash map, looked at one by one: calls a program for each key, which is not
 * preempted. For those whose socket is gone; and where the kernel has no iterators over maps,
 * for all. Called by rt_bpf__sweep().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "bpf/loader.h"
#include "util/cleanup.h"

/* Records are told when there are as many, or after so many states: a scrape waits for that. */
#define WALK_BYTES (32u << 10)
#define WALK_BATCH 256

static int by_key(const void *a, const void *b)
{
	u64 x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* All keys, each once. When one is deleted under the walk, the kernel begins anew,
 * so some come twice; after so many the rest is left to the next sweep. */
static size_t collect(int map, u64 *keys, size_t max)
{
	size_t n = 0, out = 0;
	u64 *last = NULL;

	while (n < max && !bpf_map_get_next_key(map, last, &keys[n]))
		last = &keys[n++];
	qsort(keys, n, sizeof(*keys), by_key);
	for (size_t i = 0; i < n; i++)
		if (!i || keys[i] != keys[i - 1])
			keys[out++] = keys[i];
	return out;
}

struct page {
	size_t len;
	char bytes[WALK_BYTES + sizeof(struct rt_swept)];
};

static void put(struct page *p, const void *record, u16 size)
{
	memcpy(p->bytes + p->len, record, size);
	p->len += size;
}

/* What there is to tell: of exchanges that go on, and of those that ended with their socket. */
struct told {
	struct page now, ends;
};

static void tell(struct rt_bpf *b, struct told *t)
{
	rt_ring__tell(b, t->now.bytes, t->now.len);
	t->now.len = 0;
	if (!t->ends.len)
		return;
	b->catch_up(b->fn_ctx);
	rt_ring__tell(b, t->ends.bytes, t->ends.len);
	t->ends.len = 0;
}

/* Returns whether there is something to tell, which is in rt_swept then, or -errno. */
static int look(int prog, const u64 *key)
{
	struct bpf_test_run_opts opts;

	/* Not LIBBPF_OPTS: libbpf refuses set bytes in the struct's tail padding. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.ctx_in = key;
	opts.ctx_size_in = sizeof(*key);
	return bpf_prog_test_run_opts(prog, &opts) ? -errno : (int)opts.retval;
}

static int look_at_all(struct rt_bpf *b, const struct rt_swept *swept, struct told *t)
{
	int prog = bpf_program__fd(b->skel->progs.rt_sweep_call), found = 0;

	for (size_t i = 0; i < b->nr_keys; i++) {
		found = look(prog, &b->keys[i]);
		if (found < 0)
			break;
		if (found) {
			bool end = swept->exchange.flags & RT_X_CLOSED;

			put(end ? &t->ends : &t->now, &swept->exchange, swept->exchange.size);
			put(&t->now, &swept->active, swept->active.size);
		}
		if (t->now.len > WALK_BYTES || t->ends.len > WALK_BYTES ||
		    (i + 1) % WALK_BATCH == 0)
			tell(b, t);
	}
	tell(b, t);
	return found < 0 ? found : 0;
}

int rt_walk__states(struct rt_bpf *b)
{
	__cleanup_free struct told *t = NULL;
	const struct rt_swept *swept;
	int err;

	if (!b->nr_keys)
		return 0;
	t = malloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->now.len = t->ends.len = 0;
	swept = rt_object__map(b->skel->maps.rt_swept, PROT_READ);
	if (!swept)
		return -errno;
	err = look_at_all(b, swept, t);
	rt_object__unmap(swept, b->skel->maps.rt_swept);
	return err;
}

int rt_walk__sweep(struct rt_bpf *b)
{
	b->nr_keys = collect(bpf_map__fd(b->skel->maps.rt_conns), b->keys, RT_CONN_HASH_MAX);
	return rt_walk__states(b);
}
