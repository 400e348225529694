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

int rt_walk__states(struct rt_bpf *b)
{
	int prog = bpf_program__fd(b->skel->progs.rt_sweep_call);
	struct bpf_test_run_opts opts;
	const struct rt_swept *swept;
	int err = 0;

	if (!b->nr_keys)
		return 0;
	swept = mmap(NULL, sizeof(*swept), PROT_READ, MAP_SHARED,
		     bpf_map__fd(b->skel->maps.rt_swept), 0);
	if (swept == MAP_FAILED)
		return -errno;
	b->batch(b->fn_ctx, true);
	for (size_t i = 0; i < b->nr_keys; i++) {
		if (i && i % WALK_BATCH == 0) {
			b->batch(b->fn_ctx, false);
			b->batch(b->fn_ctx, true);
		}
		/* Not LIBBPF_OPTS: libbpf refuses set bytes in the struct's tail padding. */
		memset(&opts, 0, sizeof(opts));
		opts.sz = sizeof(opts);
		opts.ctx_in = &b->keys[i];
		opts.ctx_size_in = sizeof(b->keys[i]);
		if (bpf_prog_test_run_opts(prog, &opts)) {
			err = -errno;
			break;
		}
		if (opts.retval && swept->exchange.size)
			b->fn(b->fn_ctx, &swept->exchange, swept->exchange.size);
		if (opts.retval && swept->active.size)
			b->fn(b->fn_ctx, &swept->active, swept->active.size);
	}
	b->batch(b->fn_ctx, false);
	munmap((void *)swept, sizeof(*swept));
	return err;
}

int rt_walk__sweep(struct rt_bpf *b)
{
	b->nr_keys = collect(bpf_map__fd(b->skel->maps.rt_conns), b->keys, RT_CONN_HASH_MAX);
	return rt_walk__states(b);
}
