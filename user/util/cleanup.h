/* SPDX-License-Identifier: Apache-2.0 */
/* Scoped descriptors and memory, for the few places where a goto would hide the point. */
#ifndef REDTAP_CLEANUP_H
#define REDTAP_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void rt_cleanup_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void rt_cleanup_free(void *p)
{
	free(*(void **)p);
}
static inline void rt_cleanup_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define __cleanup_fd   __attribute__((cleanup(rt_cleanup_fd)))
#define __cleanup_free __attribute__((cleanup(rt_cleanup_free)))
#define __cleanup_file __attribute__((cleanup(rt_cleanup_file)))

#endif /* REDTAP_CLEANUP_H */
