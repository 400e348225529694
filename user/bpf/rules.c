// SPDX-License-Identifier: Apache-2.0
/*
 * Access to what the kernel counts in place (redtap/cells.h): rules are written
 * and deleted one by one; sums are read from the mapped array, histograms only of
 * slots whose sums moved, through a window. Called by the consumer's thread.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "bpf/loader.h"
#include "util/hash.h"

/* Of histograms, mapped at a time: 16 slots on 2 CPUs. */
#define HISTS_WINDOW (256 * 1024)

u32 rt_rules__stripe_bits(void)
{
	int cpus = libbpf_num_possible_cpus();
	u32 bits = 0;

	while ((1 << bits) < cpus && (1 << bits) < RT_STRIPES_MAX)
		bits++;
	return bits;
}

u32 rt_rules__slots(u64 memory, u32 stripe_bits)
{
	u64 n = memory / (sizeof(struct rt_cell) + sizeof(struct rt_hist)) >> stripe_bits;

	return n > RT_SLOTS_MAX ? RT_SLOTS_MAX : (u32)n;
}

static void sample_rates(const struct rt_config *cfg, u64 ret_every_ns[RT_NR_SAMPLES])
{
	const u64 per_second[RT_NR_SAMPLES] = {
		[RT_SAMPLE_ANY] = cfg->samples_rate,
		[RT_SAMPLE_SLOW] = cfg->samples_slow_rate,
		[RT_SAMPLE_FAILED] = cfg->samples_failed_rate,
	};

	for (u32 i = 0; i < RT_NR_SAMPLES; i++)
		ret_every_ns[i] = per_second[i] ? 1000000000 / per_second[i] : 0;
}

void rt_rules__fill_config(struct rt_bpf_cfg *c, const struct rt_bpf *b)
{
	static const u64 bounds[] = {
#define B(ns) ns,
		RT_DURATION_BOUNDS(B)
#undef B
	};
	_Static_assert(RT_ARRAY_SIZE(bounds) == RT_NR_DURATION_BOUNDS, "bounds are counted");

	/* 0 turns it off. */
	c->route_seed = b->nr_slots ? rt_hash__random_seed() | 1 : 0;
	c->samples = b->cfg->samples_log;
	sample_rates(b->cfg, c->sample_every_ns);
	c->stripe_bits = b->stripe_bits;
	c->shared_cells = libbpf_num_possible_cpus() > 1 << b->stripe_bits || c->skips;
	memcpy(c->duration_bounds, bounds, sizeof(bounds));
	memset(c->bound_of_bin, 0, sizeof(c->bound_of_bin));
	for (u32 i = 0; i < RT_NR_DURATION_BOUNDS; i++)
		c->bound_of_bin[rt_hist_bin(bounds[i])] = (u8)(i + 1);
}

int rt_rules__size_maps(struct rt_bpf *b)
{
	u32 n = b->nr_slots << b->stripe_bits, spares = b->nr_slots / 8;
	int err = bpf_map__set_max_entries(b->skel->maps.rt_cells, n ? n : 1);

	if (!err)
		err = bpf_map__set_max_entries(b->skel->maps.rt_hists, n ? n : 1);
	/* A small table has better use for its slots. */
	if (!err && spares < RT_SPARES_MAX)
		err = bpf_map__set_max_entries(b->skel->maps.rt_spares, spares ? spares : 1);
	if (!err && !n)
		err = bpf_map__set_max_entries(b->skel->maps.rt_rules, 1);
	if (!err && n)
		err = bpf_map__set_max_entries(b->skel->maps.rt_spare_keys, b->nr_slots);
	if (!err && b->cfg->samples_log)
		err = bpf_map__set_max_entries(b->skel->maps.rt_samplers, RT_SAMPLERS_MAX);
	if (!err && b->cfg->samples_log && n)
		err = bpf_map__set_max_entries(b->skel->maps.rt_sampler_of, b->nr_slots);
	return err;
}

int rt_rules__open(struct rt_bpf *b)
{
	if (b->nr_slots) {
		b->cells = rt_object__map(b->skel->maps.rt_cells, PROT_READ);
		if (!b->cells)
			return -errno;
		b->spare_keys = rt_object__map(b->skel->maps.rt_spare_keys, PROT_READ | PROT_WRITE);
		if (!b->spare_keys)
			return -errno;
	}
	if (!b->cfg->samples_log)
		return 0;
	sample_rates(b->cfg, b->samplers.every_ns);
	b->samplers.all = rt_object__map(b->skel->maps.rt_samplers, PROT_READ | PROT_WRITE);
	if (!b->samplers.all)
		return -errno;
	b->samplers.of_slot = rt_object__map(b->skel->maps.rt_sampler_of, PROT_READ | PROT_WRITE);
	return b->samplers.of_slot ? 0 : -errno;
}

static void unmap_hists(struct rt_bpf *b)
{
	if (b->hists.at)
		munmap(b->hists.at, b->hists.len);
	b->hists.at = NULL;
}

void rt_rules__close(struct rt_bpf *b)
{
	unmap_hists(b);
	rt_object__unmap(b->cells, b->skel->maps.rt_cells);
	rt_object__unmap(b->spare_keys, b->skel->maps.rt_spare_keys);
	rt_object__unmap(b->samplers.all, b->skel->maps.rt_samplers);
	rt_object__unmap(b->samplers.of_slot, b->skel->maps.rt_sampler_of);
	b->cells = NULL;
	b->spare_keys = NULL;
	b->samplers = (struct rt_samplers){0};
}

const struct rt_samplers *rt_bpf__samplers(const struct rt_bpf *b)
{
	return b->samplers.all ? &b->samplers : NULL;
}

u32 rt_bpf__nr_slots(const struct rt_bpf *b)
{
	return b->nr_slots;
}

/* By a program where there is one (bpf/ctl.bpf.c): what the map call returned. */
static int by_program(const struct bpf_program *prog, void *arg, u32 size)
{
	struct bpf_test_run_opts opts;

	/* Not LIBBPF_OPTS: libbpf refuses set bytes in the struct's tail padding. */
	memset(&opts, 0, sizeof(opts));
	opts.sz = sizeof(opts);
	opts.ctx_in = arg;
	opts.ctx_size_in = size;
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), &opts))
		return -errno;
	return (int)opts.retval;
}

static bool has(const struct bpf_program *prog)
{
	return bpf_program__fd(prog) >= 0;
}

int rt_bpf__rule_put(const struct rt_bpf *b, const struct rt_rule *rule, bool fresh)
{
	struct rt_ctl_arg arg = {.rule = *rule, .flags = fresh ? BPF_NOEXIST : BPF_ANY};
	int fd = bpf_map__fd(b->skel->maps.rt_rules);

	if (has(b->skel->progs.rt_ctl_put))
		return by_program(b->skel->progs.rt_ctl_put, &arg, sizeof(arg));
	return bpf_map_update_elem(fd, &rule->key, rule, arg.flags) ? -errno : 0;
}

int rt_bpf__spare(const struct rt_bpf *b, u32 slot)
{
	int fd = bpf_map__fd(b->skel->maps.rt_spares);
	u64 arg = slot;

	b->spare_keys[slot] = 0;
	if (has(b->skel->progs.rt_ctl_spare))
		return by_program(b->skel->progs.rt_ctl_spare, &arg, sizeof(arg));
	return bpf_map_update_elem(fd, NULL, &slot, BPF_ANY) ? -errno : 0;
}

u64 rt_bpf__spare_key(const struct rt_bpf *b, u32 slot)
{
	return b->spare_keys[slot];
}

int rt_bpf__rule_get(const struct rt_bpf *b, u64 key, struct rt_rule *ret)
{
	struct rt_ctl_arg arg = {.rule = {.key = key}};
	int fd = bpf_map__fd(b->skel->maps.rt_rules), err;

	if (!has(b->skel->progs.rt_ctl_get))
		return bpf_map_lookup_elem(fd, &key, ret) ? -errno : 0;
	err = by_program(b->skel->progs.rt_ctl_get, &arg, sizeof(arg));
	*ret = arg.rule;
	return err;
}

int rt_bpf__rule_delete(const struct rt_bpf *b, u64 key)
{
	struct rt_ctl_arg arg = {.rule = {.key = key}};

	if (has(b->skel->progs.rt_ctl_delete))
		return by_program(b->skel->progs.rt_ctl_delete, &arg, sizeof(arg));
	return bpf_map_delete_elem(bpf_map__fd(b->skel->maps.rt_rules), &key) ? -errno : 0;
}

void rt_bpf__rules_moved(const struct rt_bpf *b)
{
	__atomic_fetch_add(&b->skel->bss->rt_rules_moved, 1, __ATOMIC_RELEASE);
}

void rt_bpf__slot_sums(const struct rt_bpf *b, u32 slot, struct rt_cell *ret)
{
	const volatile struct rt_cell *c = b->cells + ((size_t)slot << b->stripe_bits);

	*ret = (struct rt_cell){0};
	for (u32 i = 0; i < 1u << b->stripe_bits; i++) {
		ret->duration_ns += c[i].duration_ns;
		ret->ttfb_ns += c[i].ttfb_ns;
		ret->request_bytes += c[i].request_bytes;
		ret->response_bytes += c[i].response_bytes;
	}
}

/* The bytes from `from` to `to` of the map. A window over it: slots are read in order, a
 * system call for each would take longer than the reading, and pages that stay mapped
 * count as ours. NULL with errno. */
static const char *map_hists(struct rt_bpf *b, size_t from, size_t to)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t whole = rt_object__map_length(b->skel->maps.rt_hists);

	if (!b->hists.at || from < b->hists.from || to > b->hists.from + b->hists.len) {
		unmap_hists(b);
		b->hists.from = from / page * page;
		b->hists.len = HISTS_WINDOW;
		if (b->hists.len < to - b->hists.from)
			b->hists.len = (to - b->hists.from + page - 1) / page * page;
		if (b->hists.len > whole - b->hists.from)
			b->hists.len = whole - b->hists.from;
		b->hists.at = mmap(NULL, b->hists.len, PROT_READ, MAP_SHARED,
				   bpf_map__fd(b->skel->maps.rt_hists), (off_t)b->hists.from);
		if (b->hists.at == MAP_FAILED) {
			b->hists.at = NULL;
			return NULL;
		}
	}
	return b->hists.at + (from - b->hists.from);
}

/* Not by bpf(2): while a process is inside that, the kernel skips some programs on its CPU. */
int rt_bpf__slot_hist(struct rt_bpf *b, u32 slot, struct rt_hist *ret)
{
	size_t from = ((size_t)slot << b->stripe_bits) * sizeof(*ret);
	const char *at = map_hists(b, from, from + (sizeof(*ret) << b->stripe_bits));
	const volatile u32 *one;
	u32 *sum = (u32 *)ret;

	if (!at)
		return -errno;
	memset(ret, 0, sizeof(*ret));
	for (u32 i = 0; i < 1u << b->stripe_bits; i++) {
		one = (const volatile void *)(at + i * sizeof(*ret));
		for (size_t n = 0; n < sizeof(*ret) / sizeof(u32); n++)
			sum[n] += one[n];
	}
	return 0;
}
