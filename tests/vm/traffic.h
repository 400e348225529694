/* SPDX-License-Identifier: Apache-2.0 */
/* The traffic of the kernel tests: what is asked, and what both ends measured. */
#ifndef REDTAP_TESTS_VM_TRAFFIC_H
#define REDTAP_TESTS_VM_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define NR_CONNS    16
#define NR_REQUESTS 2000 /* by default; of more, these alone have answers that are held back */
#define PORT	    8080

enum kind { OK, MISSING, FAIL, SLEEP5, SLEEP50, NR_KINDS };

struct kind_row {
	const char *path;
	int status;
	int sleep_ms;
};

extern const struct kind_row kinds[NR_KINDS];

/* Which kind the i-th request is of. */
enum kind traffic__kind(unsigned int i);

/*
 * One side's own account. Every redtap measurement happens inside a read or a
 * write: `inner` runs from the return of the first to the entry of the last,
 * `outer` from entry to return, so the truth lies between the two.
 */
struct account {
	uint64_t count[NR_KINDS];
	uint64_t brief[NR_KINDS]; /* those whose inner time is shorter than the answer was held
				   * back: the writer was preempted inside its call, after the
				   * other end had its bytes */
	uint64_t inner_ns[NR_KINDS];
	uint64_t outer_ns[NR_KINDS];
};

/* Shared by the processes. */
struct shared {
	struct account server;
	struct account client;
};

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* The listeners: IPv4, IPv6, Unix. */
#define NR_LISTENERS 3
int traffic__listen(int ret_fds[NR_LISTENERS]);

/* Serves until killed. */
void traffic__serve(const int listeners[NR_LISTENERS], struct account *a);

/* Makes so many requests and leaves the connections open. Returns 0 or -errno. */
int traffic__request(struct account *a, unsigned int requests);

#endif /* REDTAP_TESTS_VM_TRAFFIC_H */
