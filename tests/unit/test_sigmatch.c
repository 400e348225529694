// SPDX-License-Identifier: Apache-2.0
/*
 * The signature table as the kernel will run it: its shape, what it makes of
 * the first bytes of HTTP and of other protocols, and that what it lets through
 * wrongly is refused by a parser.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/proto.h"

static struct rt_sig sigs[RT_SIG_MAX];
static u32 nr_sigs;

static int setup(void **state)
{
	nr_sigs = rt_proto__signatures(sigs, RT_SIG_MAX);
	return 0;
}

static const struct rt_sig *match(const char *bytes, u32 len)
{
	u64 data[RT_SIG_LEN / 8] = {0};

	memcpy(data, bytes, len < RT_SIG_LEN ? len : RT_SIG_LEN);
	for (u32 i = 0; i < nr_sigs; i++) {
		if (rt_sig_match(&sigs[i], data, len))
			return &sigs[i];
	}
	return NULL;
}

static void test_shape(void **state)
{
	bool opaque = false, foreign = false;

	assert_in_range(nr_sigs, 1, RT_SIG_MAX);
	for (u32 i = 0; i < nr_sigs; i++) {
		const struct rt_sig *s = &sigs[i];

		assert_in_range(s->len, 1, RT_SIG_LEN);
		assert_in_range(s->kind, RT_SIG_REQUEST, RT_SIG_PROXY);
		for (u32 b = 0; b < RT_SIG_LEN; b++) {
			/* a bit that is masked away can never match */
			assert_int_equal(s->value[b] & ~s->mask[b], 0);
			if (b >= s->len)
				assert_int_equal(s->mask[b], 0);
		}
		/* rows that belong to no protocol close the table, opaque ones last */
		opaque |= s->kind == RT_SIG_OPAQUE;
		foreign |= opaque || s->kind == RT_SIG_PROXY;
		assert_int_equal(s->kind == RT_SIG_OPAQUE, opaque);
		if (foreign)
			assert_int_equal(s->proto, 0);
		else
			assert_non_null(rt_proto__get(s->proto));
	}
}

/* No row may hide behind an earlier one that matches whatever it matches. */
static void test_no_dead_row(void **state)
{
	for (u32 i = 0; i < nr_sigs; i++)
		assert_ptr_equal(match((const char *)sigs[i].value, sigs[i].len), &sigs[i]);
}

static void test_bounded(void **state)
{
	struct rt_sig two[3];

	memset(two, 0x77, sizeof(two));
	assert_int_equal(rt_proto__signatures(two, 2), nr_sigs);
	assert_memory_equal(two, sigs, 2 * sizeof(*two));
	assert_int_equal(two[2].len, 0x77);
	assert_int_equal(rt_proto__signatures(NULL, 0), nr_sigs);
}

static void test_table(void **state)
{
	assert_null(rt_proto__get(0));
	assert_null(rt_proto__get(255));
#define PROTO(nr, symbol, title, flags)                                                            \
	assert_ptr_equal(rt_proto__get(nr), &rt_proto_##symbol);                                   \
	assert_int_equal(rt_proto_##symbol.id, nr);
#include "redtap/protocols.def"
#undef PROTO
}

struct sample {
	const char *bytes;
	u32 len;
	u8 kind;
	u8 flags;
};
#define S(text, kind, flags)                                                                       \
	{                                                                                          \
		text, sizeof(text) - 1, kind, flags                                                \
	}

static void test_http(void **state)
{
	static const struct sample samples[] = {
		S("GET / HTTP/1.1\r\n", RT_SIG_REQUEST, 0),
		S("GET ", RT_SIG_REQUEST, 0),
		S("HEAD / HTTP/1.0\r\n", RT_SIG_REQUEST, 0),
		S("POST /a", RT_SIG_REQUEST, 0),
		S("PUT /a", RT_SIG_REQUEST, 0),
		S("DELETE /a", RT_SIG_REQUEST, 0),
		S("OPTIONS * HTTP/1.1", RT_SIG_REQUEST, 0),
		S("PATCH /a", RT_SIG_REQUEST, 0),
		S("TRACE /a", RT_SIG_REQUEST, 0),
		S("CONNECT h:443 HT", RT_SIG_REQUEST, RT_SIG_TUNNEL),
		S("FOO /bar", RT_SIG_REQUEST, RT_SIG_VAGUE),
		S("get /bar", RT_SIG_REQUEST, RT_SIG_VAGUE),
		S("PROPFIND /dav", RT_SIG_REQUEST, RT_SIG_VAGUE),
		S("PROPFIND http://h", RT_SIG_REQUEST, RT_SIG_VAGUE),
		S("\r\nGET / HTTP/1.1", RT_SIG_REQUEST, 0),
		S("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", RT_SIG_REQUEST, RT_SIG_LEAVE),
		S("HTTP/1.1 200 OK\r\n", RT_SIG_RESPONSE, RT_SIG_SUCCESS),
		S("HTTP/1.0 204 No Content", RT_SIG_RESPONSE, RT_SIG_SUCCESS),
		S("HTTP/1.1 200\n", RT_SIG_RESPONSE, RT_SIG_SUCCESS),
		S("HTTP/1.1 101 Swit", RT_SIG_RESPONSE, RT_SIG_UPGRADE),
		S("HTTP/1.1 100 Cont", RT_SIG_INTERIM, 0),
		S("HTTP/1.1 103 Earl", RT_SIG_INTERIM, 0),
		S("HTTP/1.1 110 What", RT_SIG_INTERIM, 0),
		S("HTTP/1.1 304 Not ", RT_SIG_RESPONSE, 0),
		S("HTTP/1.1 404 Not ", RT_SIG_RESPONSE, 0),
		S("HTTP/1.0 500 Inte", RT_SIG_RESPONSE, 0),
		S("HTTP/1.1 999 ?", RT_SIG_RESPONSE, 0),
	};

	for (u32 i = 0; i < RT_ARRAY_SIZE(samples); i++) {
		const struct rt_sig *s = match(samples[i].bytes, samples[i].len);

		if (!s)
			fail_msg("no match: %s", samples[i].bytes);
		if (s->kind != samples[i].kind || s->flags != samples[i].flags)
			fail_msg("kind %u flags %u: %s", s->kind, s->flags, samples[i].bytes);
		assert_int_equal(s->proto, RT_PROTO_http1);
	}
}

/* A response's kind must not be decided before its status is there: 101, 1xx
 * and 2xx begin alike. */
static void test_prefix_decides_nothing(void **state)
{
	static const char *const whole[] = {"HTTP/1.1 101 ", "HTTP/1.1 103 ", "HTTP/1.1 200 ",
					    "HTTP/1.1 404 ", "PRI * HTTP/2.0\r\n"};

	for (u32 i = 0; i < RT_ARRAY_SIZE(whole); i++) {
		for (u32 n = 0; n < strlen(whole[i]); n++)
			assert_null(match(whole[i], n));
		assert_non_null(match(whole[i], (u32)strlen(whole[i])));
	}
}

static void test_opaque(void **state)
{
	static const struct sample samples[] = {
		S("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", RT_SIG_OPAQUE, 0),
		S("\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", RT_SIG_OPAQUE, 0),
		S("\x17\x03\x03\x40\x11\xaa\xbb", RT_SIG_OPAQUE, 0),
		S("\x14\x03\x03\x00\x01\x01", RT_SIG_OPAQUE, 0),
		S("\x15\x03\x00\x00\x02\x02\x28", RT_SIG_OPAQUE, 0),
		S("\x16\x03\x04\x00\x10\x01", RT_SIG_OPAQUE, 0),
		S("SSH-2.0-OpenSSH_9.2", RT_SIG_OPAQUE, 0),
		S("SSH-1.99-x", RT_SIG_OPAQUE, 0),
	};

	for (u32 i = 0; i < RT_ARRAY_SIZE(samples); i++) {
		const struct rt_sig *s = match(samples[i].bytes, samples[i].len);

		assert_non_null(s);
		assert_int_equal(s->kind, RT_SIG_OPAQUE);
	}
	/* not TLS: another content type, another major version, a length no record has */
	assert_null(match("\x18\x03\x03\x00\x10", 5));
	assert_null(match("\x13\x03\x03\x00\x10", 5));
	assert_null(match("\x16\x02\x03\x00\x10", 5));
	assert_null(match("\x16\x03\x05\x00\x10", 5));
	assert_null(match("\x16\x03\x03\x80\x10", 5));
}

/* The headers that HAProxy's doc/proxy-protocol.txt gives as examples, and their bounds. */
static void test_proxy(void **state)
{
	static const struct sample samples[] = {
		S("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n", RT_SIG_PROXY, RT_SIG_LINE),
		S("PROXY UNKNOWN\r\n", RT_SIG_PROXY, RT_SIG_LINE),
		S("PROXY ", RT_SIG_PROXY, RT_SIG_LINE),
		S("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c", RT_SIG_PROXY, 0),
		S("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00", RT_SIG_PROXY, 0),
		S("\r\n\r\n\0\r\nQUIT\n\x21\x31\xff\xff", RT_SIG_PROXY, 0),
	};

	for (u32 i = 0; i < RT_ARRAY_SIZE(samples); i++) {
		const struct rt_sig *s = match(samples[i].bytes, samples[i].len);

		assert_non_null(s);
		assert_int_equal(s->kind, RT_SIG_PROXY);
		assert_int_equal(s->flags, samples[i].flags);
	}
	/* a method of that name; too short to tell; another version, another command */
	assert_int_equal(match("PROXY /a HTTP/1.1", 17)->kind, RT_SIG_REQUEST);
	assert_null(match("PROXY", 5));
	assert_null(match("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00", 15));
	assert_null(match("\r\n\r\n\0\r\nQUIT\n\x11\x11\x00\x0c", 16));
	assert_null(match("\r\n\r\n\0\r\nQUIT\n\x22\x11\x00\x0c", 16));
}

/* First bytes of clients and servers of other protocols. */
static const struct sample foreign[] = {
	S("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", 0, 0), /* Redis RESP */
	S("*1\r\n$4\r\nPING\r\n", 0, 0),
	S("PING\r\n", 0, 0),
	S("GET key\r\n", 0, 0), /* Redis inline */
	S("SET key /value with slashes\r\n", 0, 0),
	S("+PONG\r\n", 0, 0),
	S("get key\r\n", 0, 0), /* memcached */
	S("get /key\r\n", 0, 0),
	S("set key 0 0 5\r\nhello\r\n", 0, 0),
	S("gets /a /b\r\n", 0, 0),
	S("\x80\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x03key", 0, 0),
	S("\x00\x00\x00\x08\x04\xd2\x16\x2f", 0, 0), /* PostgreSQL */
	S("\x00\x00\x00\x29\x00\x03\x00\x00user\0u\0database\0", 0, 0),
	S("Q\x00\x00\x00\x0dSELECT 1\0", 0, 0),
	S("R\x00\x00\x00\x08\x00\x00\x00\x00", 0, 0),
	S("\x4a\x00\x00\x00\x0a"
	  "8.0.36\0",
	  0, 0), /* MySQL */
	S("\x21\x00\x00\x00\x03select @@version_comment", 0, 0),
	S("220 mail.example.org ESMTP\r\n", 0, 0), /* SMTP */
	S("EHLO client\r\n", 0, 0),
	S("MAIL FROM:<a@b>\r\n", 0, 0),
	S("DATA\r\n", 0, 0),
	S("USER anonymous\r\n", 0, 0), /* FTP */
	S("CWD /pub\r\n", 0, 0),
	S("RETR /pub/file\r\n", 0, 0),
	S("LIST /\r\n", 0, 0),
	S("* OK IMAP4rev1\r\n", 0, 0), /* IMAP */
	S("a1 LOGIN u p\r\n", 0, 0),
	S("+OK POP3 ready\r\n", 0, 0), /* POP3 */
	S("HEAD <id@host>\r\n", 0, 0), /* NNTP */
	S("POST\r\n", 0, 0),
	S("ARTICLE 1\r\n", 0, 0),
	S("CONNECT {\"verbose\":false}\r\n", 0, 0), /* NATS */
	S("PUB /topic 5\r\nhello\r\n", 0, 0),
	S("INFO {\"server_id\":\"x\"}\r\n", 0, 0),
	S("CONNECT\naccept-version:1.2\n\n\0", 0, 0),		     /* STOMP */
	S("\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04test", 0, 0), /* MQTT */
	S("AMQP\x00\x00\x09\x01", 0, 0),
	S("\x00\x00\x00\x14\x00\x12\x00\x04\x00\x00\x00\x01", 0, 0),		     /* Kafka */
	S("\x3f\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\xd4\x07\x00\x00", 0, 0), /* MongoDB */
	S("\x04\x00\x00\x00\x05\x00\x00\x00\x00", 0, 0),			     /* Cassandra */
	S("\x00\x00\x18\x04\x00\x00\x00\x00\x00", 0, 0), /* HTTP/2 server */
	S("NICK x\r\n", 0, 0),				 /* IRC */
	S("JOIN /x\r\n", 0, 0),
	S("@RSYNCD: 31.0\n", 0, 0),
	S("0032git-upload-pack /project.git\0host=h\0", 0, 0), /* git */
	S("OPTIONS rtsp://h/a RTSP/1.0\r\n", 0, 0),
	S("DESCRIBE rtsp://h/a RTSP/1.0\r\n", 0, 0),
	S("INVITE sip:a@b SIP/2.0\r\n", 0, 0),
	S("PROXY\r\n", 0, 0),
	S("<34>1 2003-10-11T22:14:15.003Z h su - ID47 - msg", 0, 0), /* syslog */
	S("stats cachedump /\r\n", 0, 0),
	S("ruok", 0, 0), /* ZooKeeper */
	S("HTTP/2.0 200 OK\r\n", 0, 0),
	S("HTTP is a protocol", 0, 0),
	S("HTTP/1.1 OK fine\r\n", 0, 0),
	S("ICY 200 OK\r\n", 0, 0),
	S("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 0, 0),
	S("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 0, 0),
	S("", 0, 0),
};

static void test_foreign(void **state)
{
	for (u32 i = 0; i < RT_ARRAY_SIZE(foreign); i++) {
		const struct sample *f = &foreign[i];
		const struct rt_sig *s = match(f->bytes, f->len);
		struct rt_view v = {.req = {(const u8 *)f->bytes, f->len}, .req_bytes = f->len};
		struct rt_op op;

		if (!s)
			continue;
		if (s->kind != RT_SIG_REQUEST)
			fail_msg("taken for kind %u: %s", s->kind, f->bytes);
		if (rt_proto__get(s->proto)->parse(&v, &op) != RT_PARSE_BAD)
			fail_msg("taken for %s: %s", rt_proto__get(s->proto)->name, f->bytes);
	}
}

/* Of these not even the kernel may think that they are HTTP. */
static void test_foreign_unmatched(void **state)
{
	static const char *const never[] = {
		"*2\r\n$3\r\nGET\r\n", "get key\r\n", "EHLO client\r\n", "set key 0 0 5\r\n",
		"NICK x\r\n",	       "AMQP",	      "PING\r\n",	 "@RSYNCD: 31.0",
		"INVITE sip:a@b"};

	for (u32 i = 0; i < RT_ARRAY_SIZE(never); i++)
		assert_null(match(never[i], (u32)strlen(never[i])));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_no_dead_row),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_prefix_decides_nothing),
		cmocka_unit_test(test_opaque),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_foreign_unmatched),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
