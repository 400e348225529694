/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory in the processor's big pages, where the kernel has them to give
 * (transparent huge pages, "madvise" or "always"): the page of metrics is tens of
 * megabytes that live for some milliseconds, of which the faults for 4 KB each
 * take as long as the lines themselves.
 */
#ifndef REDTAP_HUGE_H
#define REDTAP_HUGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define RT_HUGE_MIN ((size_t)2 << 20)

/* For memory of malloc() that was not touched yet, of any size; a hint, so without a result. */
static inline void rt_huge__advise(void *data, size_t size)
{
	uintptr_t page, at, end;

	if (size < RT_HUGE_MIN)
		return;
	/* All of the mapping that malloc() made for it: realloc() moves no part of one. */
	page = (uintptr_t)sysconf(_SC_PAGESIZE);
	at = (uintptr_t)data & ~(page - 1);
	end = ((uintptr_t)data + size + page - 1) & ~(page - 1);
	madvise((void *)at, end - at, MADV_HUGEPAGE);
}

#endif /* REDTAP_HUGE_H */
