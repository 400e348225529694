/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Label values made safe: valid UTF-8 without NUL, at most RT_LABEL_VALUE_MAX
 * bytes each. The key tells label sets of one family apart; the body is what
 * the exposition prints between the braces. Private to user/metrics.
 */
#ifndef REDTAP_LABELS_H
#define REDTAP_LABELS_H

#include "metrics/registry.h"

/* Values joined by a byte that no UTF-8 text holds. */
#define RT_LABEL_KEY_MAX (RT_LABELS_MAX * (RT_LABEL_VALUE_MAX + 1))

/* Writes the sanitised value to dst, which has room for RT_LABEL_VALUE_MAX:
 * each byte that begins no well-formed character becomes U+FFFD, as does NUL.
 * Returns the bytes written. */
u32 rt_labels__sanitise(struct rt_slice value, u8 *dst);

/* The key of n values, in dst of RT_LABEL_KEY_MAX bytes. Returns its length. */
u32 rt_labels__key(const struct rt_slice *values, u32 n, u8 *dst);

/* The body for a key, `a="b",c="d"`, empty values left out; escaped as both
 * formats want it: backslash, quote and newline. With dst NULL returns the
 * length only. Writes no NUL. */
u32 rt_labels__body(const char *const *names, const u8 *key, u32 key_len, char *dst);

#endif /* REDTAP_LABELS_H */
