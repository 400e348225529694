// SPDX-License-Identifier: Apache-2.0
/*
 * Who is connected, in the order of their last whole request. The library's
 * timeout drops clients that are silent; this ends, when places get scarce,
 * those that send or read a byte now and then to stay. Called by server.c from
 * the server's threads.
 */
#include "http/conns.h"

#include <stdlib.h>
#include <sys/socket.h>

/* utlist lists are circular through prev: the head's prev is the tail. */
#include <utlist.h>

struct rt_conn {
	struct rt_conn *prev, *next;
	int fd;
	bool ended; /* shut down by us, out of the list */
};

void rt_conns__init(struct rt_conns *c, u32 crowded)
{
	pthread_mutex_init(&c->mutex, NULL);
	c->head = NULL;
	c->count = 0;
	c->crowded = crowded;
}

void rt_conns__fini(struct rt_conns *c)
{
	pthread_mutex_destroy(&c->mutex);
}

static void unlink_conn(struct rt_conns *c, struct rt_conn *conn)
{
	DL_DELETE(c->head, conn);
	c->count--;
}

static void end_oldest(struct rt_conns *c)
{
	struct rt_conn *oldest = c->head;

	if (!oldest)
		return;
	unlink_conn(c, oldest);
	oldest->ended = true;
	/* Its own thread sees the end of the stream, and closes. */
	shutdown(oldest->fd, SHUT_RDWR);
}

void rt_conns__end_oldest(struct rt_conns *c)
{
	pthread_mutex_lock(&c->mutex);
	if (c->count > 1)
		end_oldest(c);
	pthread_mutex_unlock(&c->mutex);
}

struct rt_conn *rt_conns__add(struct rt_conns *c, int fd)
{
	struct rt_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return NULL;
	conn->fd = fd;
	pthread_mutex_lock(&c->mutex);
	if (c->count >= c->crowded)
		end_oldest(c);
	DL_APPEND(c->head, conn);
	c->count++;
	pthread_mutex_unlock(&c->mutex);
	return conn;
}

void rt_conns__touch(struct rt_conns *c, struct rt_conn *conn)
{
	if (!conn)
		return;
	pthread_mutex_lock(&c->mutex);
	if (!conn->ended) {
		DL_DELETE(c->head, conn);
		DL_APPEND(c->head, conn);
	}
	pthread_mutex_unlock(&c->mutex);
}

void rt_conns__remove(struct rt_conns *c, struct rt_conn *conn)
{
	if (!conn)
		return;
	pthread_mutex_lock(&c->mutex);
	if (!conn->ended)
		unlink_conn(c, conn);
	pthread_mutex_unlock(&c->mutex);
	free(conn);
}
