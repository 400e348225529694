// SPDX-License-Identifier: Apache-2.0
/*
 * What one exchange costs the ring consumer in its parser: the record's check
 * and the parse of both heads, for a request as load generators and browsers
 * send it. Prints nanoseconds per exchange, the median of the rounds.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/proto.h"
#include "util/clock.h"

#define ROUNDS	  15
#define PER_ROUND 200000
#define VARIANTS  16 /* records in turn, so that branches are not learned by heart */
#define GOAL_NS	  300

struct sample {
	const char *name, *req, *resp;
};

static const struct sample samples[] = {
	{"wrk, nginx 200", "GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n",
	 "HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Wed, 01 Jan 2025 00:00:00 GMT\r\n"
	 "Content-Type: text/html\r\nContent-Length: 0\r\n"
	 "Last-Modified: Wed, 01 Jan 2025 00:00:00 GMT\r\nConnection: keep-alive\r\n"
	 "ETag: \"67748580-0\"\r\nAccept-Ranges: bytes\r\n\r\n"},
	{"browser, chunked",
	 "GET /users/12345?tab=orders HTTP/1.1\r\nHost: shop.example.org\r\n"
	 "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
	 "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
	 "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\n"
	 "Connection: keep-alive\r\nCookie: session=0123456789abcdef0123456789abcdef\r\n\r\n",
	 "HTTP/1.1 200 OK\r\nServer: app\r\nContent-Type: application/json\r\n"
	 "Transfer-Encoding: chunked\r\n\r\n1c\r\n{\"orders\":[1,2,3],\"next\":0}\r\n0\r\n\r\n"},
};

static struct rt_exchange records[VARIANTS];

static void records_fill(const struct sample *s)
{
	u32 nreq = (u32)strlen(s->req), nresp = (u32)strlen(s->resp);

	for (u32 i = 0; i < VARIANTS; i++) {
		struct rt_exchange *x = &records[i];

		*x = (struct rt_exchange){
			.type = RT_EV_EXCHANGE,
			.size = (u16)(offsetof(struct rt_exchange, heads) + nreq + nresp),
			.proto = RT_PROTO_http1,
			.req_len = (u16)nreq,
			.resp_len = (u16)nresp,
			.req_bytes = nreq,
			.resp_bytes = nresp,
			.tail_len = RT_TAIL_MAX,
		};
		memcpy(x->heads, s->req, nreq);
		memcpy(x->heads + nreq, s->resp, nresp);
		memcpy(x->tail, s->resp + nresp - RT_TAIL_MAX, RT_TAIL_MAX);
	}
}

static void round_once(void)
{
	for (u32 i = 0; i < PER_ROUND; i++) {
		const struct rt_exchange *x = &records[i % VARIANTS];
		struct rt_view v;
		struct rt_op op;

		if (rt_view__from_exchange(&v, x, x->size) ||
		    rt_proto__get(x->proto)->parse(&v, &op) != RT_PARSE_OK || op.status != 200 ||
		    op.resp_framing != RT_FRAMING_COMPLETE) {
			fputs("bench_parse: the sample was not understood\n", stderr);
			exit(1);
		}
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	double ns[ROUNDS];

	for (u32 i = 0; i < RT_ARRAY_SIZE(samples); i++) {
		records_fill(&samples[i]);
		round_once();
		for (u32 r = 0; r < ROUNDS; r++) {
			u64 start = rt_clock__mono();

			round_once();
			ns[r] = (double)(rt_clock__mono() - start) / PER_ROUND;
		}
		qsort(ns, ROUNDS, sizeof(*ns), by_value);
		printf("parse, %-18s %6.0f ns per exchange (goal %d)\n", samples[i].name,
		       ns[ROUNDS / 2], GOAL_NS);
	}
	return 0;
}
