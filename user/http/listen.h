/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket, with errors a user can act on. Private to user/http. */
#ifndef REDTAP_LISTEN_H
#define REDTAP_LISTEN_H

#include <stddef.h>

/* "127.0.0.1:9733", "[::1]:9733", "localhost:9733", ":9733" (all addresses,
 * IPv6 and IPv4). Returns a listening, non-blocking, close-on-exec socket, or
 * -errno with one sentence in errbuf. *ret_port is the port really bound. */
int rt_listen(const char *listen_on, unsigned short *ret_port, char *errbuf, size_t errlen);

#endif /* REDTAP_LISTEN_H */
