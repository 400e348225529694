// SPDX-License-Identifier: Apache-2.0
/*
 * Which of the two embedded BPF objects this kernel takes, its opening, and maps of it in
 * our memory. Both are
 * made of the same sources (bpf/README.md) and have the same programs, maps and
 * rodata, so that one skeleton serves both. Called by the loader and tests/vm.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/features.h"
#include "bpf/loader.h"
#include "legacy.skel.h"

bool rt_object__is_legacy(void)
{
	return !rt_features__has(RT_FEATURE_ATOMIC) || !rt_features__has(RT_FEATURE_FUNC_ARGS);
}

struct redtap_bpf *rt_object__open(bool legacy, const struct bpf_object_open_opts *opts)
{
	struct redtap_bpf *s;
	int err;

	if (!legacy)
		return redtap_bpf__open_opts(opts);
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	err = redtap_bpf__create_skeleton(s);
	if (!err) {
		s->skeleton->data = legacy_bpf__elf_bytes(&s->skeleton->data_sz);
		err = bpf_object__open_skeleton(s->skeleton, opts);
	}
	if (!err)
		err = bpf_map__set_map_flags(s->maps.rt_conns, 0);
	if (!err)
		err = bpf_map__set_max_entries(s->maps.rt_conns, RT_LEGACY_CONN_MAX);
	if (err) {
		redtap_bpf__destroy(s);
		errno = -err;
		return NULL;
	}
	return s;
}

size_t rt_object__map_length(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t n = (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);

	return (n + page - 1) / page * page;
}

void *rt_object__map(const struct bpf_map *map, int prot)
{
	void *at = mmap(NULL, rt_object__map_length(map), prot, MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

void rt_object__unmap(const volatile void *at, const struct bpf_map *map)
{
	if (at)
		munmap((void *)(uintptr_t)at, rt_object__map_length(map));
}

/* THREAD_SIZE of x86-64 and arm64 (arch/.../include/asm/thread_info.h, memory.h). */
u32 rt_object__stack_size(void)
{
	long page = sysconf(_SC_PAGESIZE);

	if (rt_features__has(RT_FEATURE_TASK_REGS))
		return 0;
	return page > 16384 ? (u32)page : 16384;
}
