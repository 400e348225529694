/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of finished requests on stdout. From the consumer's thread. */
#ifndef REDTAP_LINE_H
#define REDTAP_LINE_H

#include "red/finish.h"
#include "util/buf.h"

#define RT_PEER_LEN 46 /* INET6_ADDRSTRLEN */

/* The peer's address; IPv4 in IPv6 is shown as IPv4; Unix sockets have none, "". */
void rt_line__peer(const struct rt_exchange *x, char ret[RT_PEER_LEN]);
const char *rt_line__role(const struct rt_exchange *x);

/* Appends one line; the keys are stable (README.md here). */
void rt_line__json(struct rt_buf *b, const struct rt_finished *f, const char *route);

/* stdout, by a descriptor that a terminal whose reader stopped does not keep a write waiting for
 * (EAGAIN). Not to be closed. */
int rt_line__stdout(void);

/* How much of whole lines a writable pipe takes without waiting. */
size_t rt_line__piece(const char *p, size_t len);

/* Writes what stdout takes without waiting, and leaves the rest in `b`. 0, or -errno when
 * nothing can be written any more. */
int rt_line__offer(struct rt_buf *b);

#endif /* REDTAP_LINE_H */
