/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fast keyed hash for in-memory tables: 64x64->128 multiply and fold. Keys
 * come from the network, so each table takes a random seed of its own; this is
 * no cryptographic hash and its values never leave the process.
 */
#ifndef REDTAP_HASH_H
#define REDTAP_HASH_H

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "redtap/types.h"

static inline u64 rt_hash__mix(u64 a, u64 b)
{
	unsigned __int128 m = (unsigned __int128)a * b;

	return (u64)m ^ (u64)(m >> 64);
}

/* The next word into a running hash. `h` must already be mixed with the seed:
 * a secret in both factors keeps a chosen word from forcing the product to 0. */
static inline u64 rt_hash__word(u64 h, u64 w, u64 seed)
{
	return rt_hash__mix(w ^ seed ^ 0x9e3779b97f4a7c15ULL, h ^ 0xd6e8feb86659fd93ULL);
}

static inline u64 rt_hash__bytes(const void *data, size_t n, u64 seed)
{
	const u8 *p = data;
	u64 h = seed ^ (n * 0xa0761d6478bd642fULL);
	u64 w;

	for (; n >= 8; p += 8, n -= 8) {
		memcpy(&w, p, 8);
		h = rt_hash__word(h, w, seed);
	}
	w = 0;
	if (n)
		memcpy(&w, p, n);
	return rt_hash__word(h, w, seed);
}

static inline u64 rt_hash__random_seed(void)
{
	struct timespec ts;
	u64 seed;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == (ssize_t)sizeof(seed))
		return seed;
	/* Early boot without entropy: guessable, yet better than a constant. */
	clock_gettime(CLOCK_REALTIME, &ts);
	return rt_hash__mix((u64)ts.tv_nsec ^ 0xe7037ed1a0b428dbULL, (u64)ts.tv_sec + 1);
}

#endif /* REDTAP_HASH_H */
