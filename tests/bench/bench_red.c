// SPDX-License-Identifier: Apache-2.0
/*
 * What one finished exchange costs in user space after its parsing: lookup of
 * the process, route and record into the registry. Prints one line per case,
 * the median of the rounds, in ns.
 */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "red/red.h"
#include "red/route.h"
#include "util/clock.h"

#define ROUNDS	15
#define RECORDS 200000

static struct rt_registry *registry;
static struct rt_red *red;
static struct rt_meta *meta;
static struct rt_exchange x;
static struct rt_op op;

static struct rt_finished finished = {
	.x = &x, .op = &op, .duration_ns = 20000000, .ttfb_ns = 1000000, .response_bytes = 5000};

static void one_path(u32 i)
{
	op.path = rt_slice_str("/products/list");
}

/* 64 paths that are known, 4 statuses, in turn. */
static void known_paths(u32 i)
{
	static char paths[64][24];
	static const u16 statuses[] = {200, 201, 404, 500};

	if (!paths[i % 64][0])
		snprintf(paths[i % 64], sizeof(paths[0]), "/api%ux/r%ux/%u", i % 8, i / 8 % 8,
			 i % 64);
	op.path = rt_slice_str(paths[i % 64]);
	op.status = statuses[i / 64 % 4];
}

/* A number nobody asked for before: the path cache never helps. */
static void new_paths(u32 i)
{
	static char path[48];
	static u32 n;

	snprintf(path, sizeof(path), "/users/%u/orders", n++);
	op.path = rt_slice_str(path);
}

static void new_words(u32 i)
{
	static char path[48];
	static u32 n;

	snprintf(path, sizeof(path), "/search/word-%ux/page", n++);
	op.path = rt_slice_str(path);
}

static int compare(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;

	return d < 0 ? -1 : d > 0;
}

static void run(const char *title, u8 role, void (*prepare)(u32 i))
{
	double ns[ROUNDS];
	u32 i, round;

	x.role = role;
	for (round = 0; round < ROUNDS; round++) {
		u64 start = rt_clock__mono();

		for (i = 0; i < RECORDS; i++) {
			op.status = 200;
			prepare(i);
			rt_registry__lock(registry);
			finished.process = rt_meta__lookup(meta, 1, NULL, 80);
			rt_red__record(red, &finished, start, NULL);
			rt_registry__unlock(registry);
		}
		ns[round] = (double)(rt_clock__mono() - start) / RECORDS;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare);
	printf("record, %-42s %6.0f ns\n", title, ns[ROUNDS / 2]);
}

int main(void)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_registry_opts opts = {.max_series = 2000};

	registry = rt_registry__new(&opts);
	red = registry ? rt_red__new(registry, &cfg) : NULL;
	meta = rt_meta__new(&cfg);
	if (!red || !meta)
		return 1;
	x.family = RT_FAMILY_INET;
	x.req_bytes = 200;
	x.peer_port = 8080;
	op.method = rt_slice_str("GET");
	op.authority = rt_slice_str("api.example.com:8080");
	run("server, one path", RT_ROLE_SERVER, one_path);
	run("client, one path", RT_ROLE_CLIENT, one_path);
	run("server, 64 known paths, 4 statuses", RT_ROLE_SERVER, known_paths);
	run("server, new number in each path (*)", RT_ROLE_SERVER, new_paths);
	run("server, new word in each path (*)", RT_ROLE_SERVER, new_words);
	printf("(*) about 100 ns of these make the path\n");
	rt_red__free(red);
	rt_meta__free(meta);
	rt_registry__free(registry);
	return 0;
}
