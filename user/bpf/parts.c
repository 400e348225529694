// SPDX-License-Identifier: Apache-2.0
/*
 * The load in two parts at once. Nine tenths of the start are the verifier's work, which has no
 * lock for those with privileges (bpf_check() in kernel/bpf/verifier.c). As libbpf loads an
 * object's programs one after the other, there are three objects of the same bytes: one makes
 * the maps, and two, which take these, load the programs. Called by the loader.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "bpf/loader.h"

/* Programs that the second part loads: with them, both take about as long. None that is
 * looked for in the first by its name. */
static bool is_of_second(const struct bpf_program *prog)
{
	const char *name = bpf_program__name(prog);
	size_t n = strlen(name);

	return strstr(name, "_recv") || (n > 6 && strcmp(name + n - 6, "_state") == 0);
}

/* As the first part is set up: what maps there are, their sizes, the constants. */
static int make_maps(struct redtap_bpf *s, const struct redtap_bpf *as)
{
	struct bpf_map *map = NULL, *model = NULL;
	struct bpf_program *prog;
	int err = 0;

	memcpy((void *)s->rodata, (const void *)as->rodata, sizeof(*s->rodata));
	bpf_object__for_each_program (prog, s->obj)
		bpf_program__set_autoload(prog, false);
	while (!err && (map = bpf_object__next_map(s->obj, map)) &&
	       (model = bpf_object__next_map(as->obj, model))) {
		if (bpf_map__is_internal(map))
			continue;
		err = bpf_map__set_autocreate(map, bpf_map__autocreate(model));
		if (!err)
			err = bpf_map__set_max_entries(map, bpf_map__max_entries(model));
	}
	return err ? err : redtap_bpf__load(s);
}

static int take_maps(struct redtap_bpf *s, struct redtap_bpf *from)
{
	struct bpf_map *map = NULL, *made = NULL;
	int err = 0;

	while (!err && (map = bpf_object__next_map(s->obj, map)) &&
	       (made = bpf_object__next_map(from->obj, made))) {
		if (bpf_map__autocreate(made))
			err = bpf_map__reuse_fd(map, bpf_map__fd(made));
		else
			err = bpf_map__set_autocreate(map, false);
	}
	return err;
}

/* Each of the programs that are on is left on in one part. */
static void divide(struct redtap_bpf *first, struct redtap_bpf *second)
{
	struct bpf_program *p = NULL, *q = NULL;

	while ((p = bpf_object__next_program(first->obj, p)) &&
	       (q = bpf_object__next_program(second->obj, q))) {
		bool on = bpf_program__autoload(p);

		bpf_program__set_autoload(q, on && is_of_second(p));
		bpf_program__set_autoload(p, on && !is_of_second(p));
	}
}

struct part {
	struct redtap_bpf *skel;
	int err;
};

static void *load_part(void *arg)
{
	struct part *part = arg;

	part->err = redtap_bpf__load(part->skel);
	return NULL;
}

static int load_both(struct redtap_bpf *first, struct redtap_bpf *second)
{
	struct part part = {.skel = second};
	pthread_t thread;
	bool alone;
	int err;

	alone = pthread_create(&thread, NULL, load_part, &part) != 0;
	err = redtap_bpf__load(first);
	if (alone)
		load_part(&part);
	else
		pthread_join(thread, NULL);
	return err ? err : part.err;
}

int rt_parts__load(struct rt_bpf *b, bool legacy, const struct bpf_object_open_opts *opts)
{
	struct redtap_bpf *maps = rt_object__open(legacy, opts);
	int err;

	if (!maps)
		return -errno;
	b->mate = rt_object__open(legacy, opts);
	err = b->mate ? make_maps(maps, b->skel) : -errno;
	if (!err)
		err = take_maps(b->skel, maps);
	if (!err)
		err = take_maps(b->mate, maps);
	/* The others have descriptors of their own. */
	redtap_bpf__destroy(maps);
	if (!err) {
		divide(b->skel, b->mate);
		err = load_both(b->skel, b->mate);
	}
	return err;
}
