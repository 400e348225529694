/* SPDX-License-Identifier: Apache-2.0 */
/* What red.c, semconv.c and counted.c share; no one else includes this. */
#ifndef REDTAP_RED_IMPL_H
#define REDTAP_RED_IMPL_H

#include "red/hosts.h"
#include "red/learn.h"
#include "red/red.h"
#include "red/route.h"
#include "red/sample.h"

#define CACHE_SLOTS   2048
#define AUTHORITY_MAX 80 /* longer ones go without the cache */
#define TOUCH_SLOTS   256
#define ADDRESS_MAX   256

enum label {
	L_SERVICE,
	L_EXECUTABLE,
	L_METHOD,
	L_ROUTE,
	L_STATUS,
	L_ERROR,
	L_PID,
	L_ADDRESS, /* clients only, from here */
	L_PORT,
	NR_LABELS,
};

/* Where `host` of a key holds an address instead of a Host header, or neither is told. */
enum { HOST_HEADER = 0, HOST_ADDRESS = 1, HOST_NONE = 2 };

/* All bytes count, padding too: always cleared first. A server's key ends
 * before `host`. */
struct key {
	u64 target_id; /* what two containers have in common is counted apart: see rt_red__touch() */
	const char *route;
	u32 pid; /* 0 unless it is a label */
	u16 status;
	u16 port;
	u8 method;
	u8 role;
	u8 error;
	u8 host_kind;
	u32 host_len;
	u8 host[AUTHORITY_MAX];
};

struct slot {
	struct key key;
	u64 generation; /* of the registry, + 1; 0: empty */
	struct rt_series *duration, *ttfb, *request_size, *response_size;
};

struct active;

struct touch_slot {
	u64 resource_id;
	u64 start_ns;
	u64 written;
	u32 pid;
	bool server; /* it served a request, not only made some */
};

struct rt_red {
	struct rt_registry *registry;
	struct rt_routes *routes;
	struct rt_hosts *hosts;
	struct rt_hosts *peers; /* that stand for a host, with their port: as many again */
	struct rt_metric *server_duration, *client_duration, *ttfb, *request_size, *response_size;
	struct rt_metric *active_requests, *info;
	bool label_pid;
	struct rt_learn *learn; /* NULL: every request comes as a record */
	struct rt_sampling *sampling; /* NULL: none is told of by itself */
	u32 routes_generation;	/* of the names that the kernel's rules stand for */
	u64 counted;		/* requests folded, since the last call */
	u64 nameless;		/* of processes that no record told of */
	u64 seed;
	char host_name[256];
	struct active *active;
	struct touch_slot touches[TOUCH_SLOTS];
	struct slot cache[CACHE_SLOTS];
};

/* Texts that labels point to. */
struct texts {
	char status[8];
	char error[8];
	char pid[12];
	char address[ADDRESS_MAX];
	char port[8];
};

/* semconv.c: label values. */
u8 rt_red__method(struct rt_slice s);
/* Not so ":8080", which Go sends when it is asked for "http://:8080/". */
bool rt_red__names_host(struct rt_slice authority);
/* Of the server that a client asked; 0: none. */
u16 rt_red__server_port(const struct rt_finished *f);
void rt_red__labels(const struct rt_finished *f, const struct key *k, struct texts *t,
		    struct rt_slice *values);

/* Creates the series that this exchange writes and the slot does not have yet. */
void rt_red__find_series(struct rt_red *red, const struct rt_finished *f, struct slot *s);
/* Keeps target_info, and a server's gauge, alive while the process has traffic. */
void rt_red__touch(struct rt_red *red, const struct rt_process *p, bool server, u64 now);

/* counted.c: the exchange came as a record, though the kernel could count it. */
void rt_red__learn(struct rt_red *red, const struct rt_finished *f, const struct slot *s, u64 now);

#endif /* REDTAP_RED_IMPL_H */
