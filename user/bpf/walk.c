// SPDX-License-Identifier: Apache-2.0
/*
 * The sweep over the hash map where the kernel has no iterators over maps, and for the
 * backend `event`, as iterators are preempted: walks over its keys and has a program look
 * at each one's state, under the state's own lock, as the iterator does. Called by
 * rt_bpf__sweep().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "bpf/loader.h"
#include "util/cleanup.h"

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

int rt_walk__sweep(struct rt_bpf *b, rt_record_fn fn, rt_batch_fn batch, void *ctx)
{
	__cleanup_free u64 *keys = calloc(RT_CONN_HASH_MAX, sizeof(*keys));
	int prog = bpf_program__fd(b->skel->progs.rt_sweep_call);
	struct bpf_test_run_opts opts;
	const struct rt_swept *swept;
	int err = 0;
	size_t n;

	swept = mmap(NULL, sizeof(*swept), PROT_READ, MAP_SHARED,
		     bpf_map__fd(b->skel->maps.rt_swept), 0);
	if (swept == MAP_FAILED)
		return -errno;
	if (!keys) {
		err = -ENOMEM;
		goto out;
	}
	n = collect(bpf_map__fd(b->skel->maps.rt_conns), keys, RT_CONN_HASH_MAX);
	batch(ctx, true);
	for (size_t i = 0; i < n; i++) {
		if (i && i % WALK_BATCH == 0) {
			batch(ctx, false);
			batch(ctx, true);
		}
		/* Not LIBBPF_OPTS: libbpf refuses set bytes in the struct's tail padding. */
		memset(&opts, 0, sizeof(opts));
		opts.sz = sizeof(opts);
		opts.ctx_in = &keys[i];
		opts.ctx_size_in = sizeof(keys[i]);
		if (bpf_prog_test_run_opts(prog, &opts)) {
			err = -errno;
			break;
		}
		if (opts.retval && swept->exchange.size)
			fn(ctx, &swept->exchange, swept->exchange.size);
		if (opts.retval && swept->active.size)
			fn(ctx, &swept->active, swept->active.size);
	}
	batch(ctx, false);
out:
	munmap((void *)swept, sizeof(*swept));
	return err;
}
