/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's open connections, least recently useful first, so that clients
 * who trickle bytes cannot hold every place. Private to user/http. Thread-safe.
 */
#ifndef REDTAP_CONNS_H
#define REDTAP_CONNS_H

#include <pthread.h>

#include "redtap/types.h"

struct rt_conn;

struct rt_conns {
	pthread_mutex_t mutex;
	struct rt_conn *head; /* the longest without a request */
	u32 count;
	u32 crowded; /* beyond so many, each new connection ends the head */
};

void rt_conns__init(struct rt_conns *c, u32 crowded);
void rt_conns__fini(struct rt_conns *c); /* all connections are closed */

/* A connection came; its socket stays open until rt_conns__remove(). NULL when
 * out of memory: such a connection is never ended early. */
struct rt_conn *rt_conns__add(struct rt_conns *c, int fd);
/* Ends the head, as when it is crowded, unless it is the only one. */
void rt_conns__end_oldest(struct rt_conns *c);
/* It sent a whole request. NULL-safe. */
void rt_conns__touch(struct rt_conns *c, struct rt_conn *conn);
/* NULL-safe; frees it. */
void rt_conns__remove(struct rt_conns *c, struct rt_conn *conn);

#endif /* REDTAP_CONNS_H */
