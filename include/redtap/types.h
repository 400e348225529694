/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0 OR BSD-2-Clause */
/*
 * Fixed-width names for both compilers: the BPF side gets them from vmlinux.h,
 * the user side from <stdint.h>. Everything in include/ builds on these alone.
 */
#ifndef REDTAP_TYPES_H
#define REDTAP_TYPES_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <stdbool.h>
#include <stdint.h>
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;
#endif

#define RT_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif /* REDTAP_TYPES_H */
