// SPDX-License-Identifier: Apache-2.0
/*
 * Runs the transcripts of tests/proto/<protocol>/ against their parsers. Each
 * becomes one test: parsed whole; with every prefix of the request, then of the
 * response, as if the bytes came one by one; captured only up to every length;
 * and with single bytes spoilt. Every input ends at a page that cannot be read.
 * The format is described in tests/proto/README.md.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/proto.h"

#define MESSAGE_MAX 262144
#define TESTS_MAX   1024

#define UNSAID (-99)

enum { SIG_NONE = 1, SIG_LEAVE = 2 };
enum { CUT_BAD = 1, CUT_PARTIAL = 2 };

struct message {
	u8 *p;
	u32 len;
};

struct transcript {
	char name[512];
	u8 proto;
	bool hostile;
	struct message req, resp;
	u64 interim_bytes, blind_bytes;

	/* expectations; text is NULL where nothing was said, numbers are UNSAID */
	char *method, *target, *path, *path_starts, *authority;
	int result, status, version, req_framing, resp_framing;
	int path_len, path_cut, resp_bad, complete_at;
	int signature, cut;
};

/* --- inputs that end at a guard page ---------------------------------------- */

#define ARENA 4096

static u8 *arenas[3];

static void arenas_map(void)
{
	for (int i = 0; i < 3; i++) {
		u8 *p = mmap(NULL, 2 * ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);

		if (p == MAP_FAILED || mprotect(p + ARENA, ARENA, PROT_NONE) < 0) {
			perror("mmap");
			exit(1);
		}
		arenas[i] = p;
	}
}

static struct rt_slice guarded(int arena, const u8 *p, u32 len)
{
	u8 *dst = arenas[arena] + ARENA - len;

	if (len)
		memcpy(dst, p, len);
	return (struct rt_slice){dst, len};
}

static u32 min_u32(u32 a, u32 b)
{
	return a < b ? a : b;
}

/* What the kernel would hand up when the first `nreq` and `nresp` bytes have
 * passed and it keeps `keep_req` and `keep_resp` of them. */
static struct rt_view view_make(const struct transcript *t, u32 nreq, u32 nresp, u32 keep_req,
				u32 keep_resp)
{
	u32 tail = min_u32(nresp, RT_TAIL_MAX);
	struct rt_view v = {
		.req = guarded(0, t->req.p, min_u32(nreq, keep_req)),
		.resp = guarded(1, t->resp.p, min_u32(nresp, keep_resp)),
		.tail = guarded(2, t->resp.p + nresp - tail, tail),
		.req_bytes = nreq,
		.resp_bytes = nresp + t->interim_bytes,
		.interim_bytes = t->interim_bytes,
	};

	if (t->blind_bytes && nresp == t->resp.len) {
		v.resp_bytes += t->blind_bytes;
		v.resp_blind = true;
	}
	return v;
}

/* --- reading a transcript ---------------------------------------------------- */

static int hex(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* C escapes to bytes, in place. Returns the length, or -1. */
static int unescape(char *s)
{
	u8 *out = (u8 *)s;
	int n = 0;

	for (; *s; s++) {
		if (*s != '\\') {
			out[n++] = (u8)*s;
			continue;
		}
		switch (*++s) {
		case 'r':
			out[n++] = '\r';
			break;
		case 'n':
			out[n++] = '\n';
			break;
		case 't':
			out[n++] = '\t';
			break;
		case '\\':
			out[n++] = '\\';
			break;
		case 'x':
			if (hex(s[1]) < 0 || hex(s[2]) < 0)
				return -1;
			out[n++] = (u8)(hex(s[1]) << 4 | hex(s[2]));
			s += 2;
			break;
		default:
			return -1;
		}
	}
	out[n] = 0;
	return n;
}

static int append(struct message *m, char *text, long times)
{
	int n = unescape(text);

	for (long i = 0; n >= 0 && i < times; i++) {
		if (m->len + (u32)n > MESSAGE_MAX)
			return -E2BIG;
		memcpy(m->p + m->len, text, (size_t)n);
		m->len += (u32)n;
	}
	return n < 0 ? -EINVAL : 0;
}

/* Words and the value each stands for. */
struct word {
	const char *name;
	int value;
};
static const struct word results[] = {
	{"ok", RT_PARSE_OK}, {"more", RT_PARSE_MORE}, {"bad", RT_PARSE_BAD}, {0}};
static const struct word framings[] = {{"unknown", RT_FRAMING_UNKNOWN},
				       {"partial", RT_FRAMING_PARTIAL},
				       {"complete", RT_FRAMING_COMPLETE},
				       {"until_close", RT_FRAMING_UNTIL_CLOSE},
				       {0}};
static const struct word yes[] = {{"yes", 1}, {0}};
static const struct word sigs[] = {{"none", SIG_NONE}, {"leave", SIG_LEAVE}, {0}};
static const struct word cuts[] = {{"bad", CUT_BAD}, {"partial", CUT_PARTIAL}, {0}};

/* One row per key: text goes to a char *, the others to an int. */
static const struct {
	const char *key;
	size_t offset;
	bool text;
	const struct word *words; /* NULL: a number */
} keys[] = {
#define KEY(name) #name, offsetof(struct transcript, name)
	{KEY(result), false, results},
	{KEY(method), true, NULL},
	{KEY(target), true, NULL},
	{KEY(path), true, NULL},
	{KEY(path_starts), true, NULL},
	{KEY(path_len), false, NULL},
	{KEY(path_cut), false, yes},
	{KEY(resp_bad), false, yes},
	{KEY(authority), true, NULL},
	{KEY(status), false, NULL},
	{KEY(version), false, NULL},
	{KEY(req_framing), false, framings},
	{KEY(resp_framing), false, framings},
	{KEY(complete_at), false, NULL},
	{KEY(signature), false, sigs},
	{KEY(cut), false, cuts},
#undef KEY
};

static int expect(struct transcript *t, const char *key, char *value)
{
	const struct word *w;
	void *dst;
	char *end;

	for (u32 i = 0; i < RT_ARRAY_SIZE(keys); i++) {
		if (strcmp(key, keys[i].key) != 0)
			continue;
		dst = (char *)t + keys[i].offset;
		if (keys[i].text) {
			if (*(char **)dst || unescape(value) < 0)
				return -EINVAL;
			*(char **)dst = strdup(value);
			return 0;
		}
		for (w = keys[i].words; w && w->name; w++) {
			if (strcmp(w->name, value) == 0) {
				*(int *)dst = w->value;
				return 0;
			}
		}
		*(int *)dst = (int)strtol(value, &end, 10);
		return !keys[i].words && *value && !*end ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int read_line(struct transcript *t, char *line)
{
	struct message *m = line[0] == '>' ? &t->req : &t->resp;
	char *rest = strchr(line, ' ');
	long times = 1;
	u32 before;
	int err;

	if (!line[0] || line[0] == '#')
		return 0;
	if (!rest)
		return -EINVAL;
	*rest++ = '\0';
	if (line[0] != '>' && line[0] != '<')
		return expect(t, line, rest);
	if (line[1] == '\0')
		return append(m, rest, 1);
	if (strcmp(line, "<?") == 0) {
		t->blind_bytes = strtoul(rest, NULL, 10);
		return t->blind_bytes ? 0 : -EINVAL;
	}
	if (strcmp(line, "<1") == 0) {
		before = t->resp.len;
		err = append(&t->resp, rest, 1);
		t->interim_bytes += t->resp.len - before;
		t->resp.len = before;
		return err;
	}
	if (line[1] != '*')
		return -EINVAL;
	times = strtol(rest, &rest, 10);
	return *rest == ' ' && times > 0 ? append(m, rest + 1, times) : -EINVAL;
}

static void transcript_load(struct transcript *t)
{
	FILE *f = fopen(t->name, "re");
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int nr = 0;

	if (!f)
		fail_msg("%s: %s", t->name, strerror(errno));
	t->req.p = calloc(1, MESSAGE_MAX);
	t->resp.p = calloc(1, MESSAGE_MAX);
	assert_non_null(t->req.p);
	assert_non_null(t->resp.p);
	t->result = t->status = t->req_framing = t->resp_framing = UNSAID;
	t->path_len = t->complete_at = UNSAID;
	t->version = 1;
	while ((n = getline(&line, &cap, f)) > 0) {
		nr++;
		if (line[n - 1] == '\n')
			line[n - 1] = '\0';
		if (read_line(t, line) < 0)
			fail_msg("%s:%d: cannot read this line", t->name, nr);
	}
	free(line);
	fclose(f);
	if (t->result == UNSAID || !t->req.len)
		fail_msg("%s: needs a request and a result", t->name);
	if (t->result == RT_PARSE_OK &&
	    (!t->method || !(t->path || (t->path_starts && t->path_len != UNSAID)) ||
	     t->status == UNSAID || t->req_framing == UNSAID || t->resp_framing == UNSAID))
		fail_msg("%s: needs method, path, status, req_framing and resp_framing", t->name);
}

static void transcript_free(struct transcript *t)
{
	free(t->req.p);
	free(t->resp.p);
	free(t->method);
	free(t->target);
	free(t->path);
	free(t->path_starts);
	free(t->authority);
}

/* --- checks ------------------------------------------------------------------ */

static void same_text(const struct transcript *t, const char *what, struct rt_slice got,
		      const char *want)
{
	if (!rt_slice_is(got, want))
		fail_msg("%s: %s is \"%.*s\", not \"%s\"", t->name, what, (int)got.len,
			 (const char *)got.p, want);
}

static void same_number(const struct transcript *t, const char *what, long got, long want)
{
	if (got != want)
		fail_msg("%s: %s is %ld, not %ld", t->name, what, got, want);
}

static void inside(const struct transcript *t, struct rt_slice s, struct rt_slice in)
{
	if (s.len && (s.p < in.p || s.p + s.len > in.p + in.len))
		fail_msg("%s: a slice lies outside of the input", t->name);
}

/* Parses, and checks what holds for every input whatever. */
static enum rt_parse parse(const struct transcript *t, const struct rt_view *v, struct rt_op *op)
{
	static const struct rt_op zero;
	enum rt_parse r;

	memset(op, 0xa5, sizeof(*op));
	r = rt_proto__get(t->proto)->parse(v, op);
	if (r != RT_PARSE_OK) {
		assert_true(r == RT_PARSE_BAD || r == RT_PARSE_MORE);
		assert_memory_equal(op, &zero, sizeof(zero));
		return r;
	}
	inside(t, op->method, v->req);
	inside(t, op->target, v->req);
	inside(t, op->path, v->req);
	inside(t, op->authority, v->req);
	assert_true(op->method.len > 0);
	assert_true(op->status < 1000);
	assert_true(op->req_framing <= RT_FRAMING_UNTIL_CLOSE);
	assert_true(op->resp_framing <= RT_FRAMING_UNTIL_CLOSE);
	return r;
}

static void run_whole(const struct transcript *t, struct rt_op *op)
{
	struct rt_view v = view_make(t, t->req.len, t->resp.len, RT_REQ_HEAD_MAX, RT_RESP_HEAD_MAX);

	same_number(t, "result", parse(t, &v, op), t->result);
	if (t->result != RT_PARSE_OK)
		return;
	same_text(t, "method", op->method, t->method);
	if (t->target)
		same_text(t, "target", op->target, t->target);
	if (t->path)
		same_text(t, "path", op->path, t->path);
	if (t->path_starts) {
		same_number(t, "path_len", op->path.len, t->path_len);
		if (memcmp(op->path.p, t->path_starts, strlen(t->path_starts)) != 0)
			fail_msg("%s: the path begins otherwise", t->name);
	}
	same_text(t, "authority", op->authority, t->authority ? t->authority : "");
	same_number(t, "status", op->status, t->status);
	same_number(t, "version", op->version_minor, t->version);
	same_number(t, "path_cut", op->path_cut, t->path_cut);
	same_number(t, "resp_bad", op->resp_bad, t->resp_bad);
	same_number(t, "req_framing", op->req_framing, t->req_framing);
	same_number(t, "resp_framing", op->resp_framing, t->resp_framing);
}

/* Request prefixes: MORE, then OK with the same answer, and never back. */
static void run_request_bytes(const struct transcript *whole)
{
	struct transcript silent = *whole, *t = &silent;
	struct rt_op op, first = {0};
	bool ok = false;
	u32 offset = 0;

	silent.interim_bytes = silent.blind_bytes = 0;
	for (u32 n = 1; n <= t->req.len; n++) {
		struct rt_view v = view_make(t, n, 0, RT_REQ_HEAD_MAX, RT_RESP_HEAD_MAX);
		enum rt_parse r = parse(t, &v, &op);

		if (t->hostile || t->result == RT_PARSE_BAD)
			continue;
		if (r == RT_PARSE_BAD || (ok && r != RT_PARSE_OK))
			fail_msg("%s: result %d at request byte %u", t->name, r, n);
		if (r != RT_PARSE_OK)
			continue;
		if (t->method)
			same_text(t, "method (prefix)", op.method, t->method);
		if (ok && (op.target.len != first.target.len || op.path.len != first.path.len ||
			   (u32)(op.path.p - v.req.p) != offset || op.path_cut != first.path_cut))
			fail_msg("%s: another target at request byte %u", t->name, n);
		if (op.status || op.resp_framing != RT_FRAMING_PARTIAL)
			fail_msg("%s: an answer at request byte %u", t->name, n);
		ok = true;
		first = op;
		offset = (u32)(op.path.p - v.req.p);
	}
}

/* Response prefixes: the status appears once, and complete means complete. */
static void run_response_bytes(const struct transcript *t)
{
	u64 complete = t->complete_at >= 0 ? (u64)t->complete_at : t->resp.len;
	struct rt_op op;
	int status = 0;

	for (u32 n = 0; n < t->resp.len; n++) {
		struct rt_view v = view_make(t, t->req.len, n, RT_REQ_HEAD_MAX, RT_RESP_HEAD_MAX);
		enum rt_parse r = parse(t, &v, &op);

		if (t->hostile || t->result != RT_PARSE_OK)
			continue;
		same_number(t, "result (response prefix)", r, RT_PARSE_OK);
		if (op.resp_bad)
			fail_msg("%s: refused at response byte %u", t->name, n);
		if (op.status != status && (status || op.status != t->status))
			fail_msg("%s: status %u at response byte %u", t->name, op.status, n);
		status = op.status;
		if (n < complete && op.resp_framing == RT_FRAMING_COMPLETE)
			fail_msg("%s: complete at response byte %u", t->name, n);
		if (n == complete && op.resp_framing != RT_FRAMING_COMPLETE)
			fail_msg("%s: not complete at response byte %u", t->name, n);
	}
}

/* Captures that end early: less is known, nothing else is said. */
static void run_cut(const struct transcript *t)
{
	struct rt_op op;

	for (u32 n = 0; n < min_u32(t->req.len, RT_REQ_HEAD_MAX); n++) {
		struct rt_view v = view_make(t, t->req.len, t->resp.len, n, RT_RESP_HEAD_MAX);
		enum rt_parse r = parse(t, &v, &op);

		if (t->hostile || t->result != RT_PARSE_OK)
			continue;
		if (r == RT_PARSE_BAD && t->cut != CUT_BAD)
			fail_msg("%s: bad with the request cut at %u", t->name, n);
		if (r != RT_PARSE_OK)
			continue;
		same_text(t, "method (cut)", op.method, t->method);
		if (t->path && op.path.len > strlen(t->path))
			fail_msg("%s: too much path with the request cut at %u", t->name, n);
		if (t->path && op.path.len && memcmp(op.path.p, t->path, op.path.len) != 0)
			fail_msg("%s: another path with the request cut at %u", t->name, n);
		if (t->path && !strchr(t->path, ' ') && op.path.len != strlen(t->path) &&
		    !op.path_cut)
			fail_msg("%s: path_cut not set with the request cut at %u", t->name, n);
	}
	for (u32 n = 0; n < min_u32(t->resp.len, RT_RESP_HEAD_MAX); n++) {
		struct rt_view v = view_make(t, t->req.len, t->resp.len, RT_REQ_HEAD_MAX, n);

		parse(t, &v, &op);
		if (t->hostile || t->result != RT_PARSE_OK)
			continue;
		if (op.status && op.status != t->status)
			fail_msg("%s: status %u with the response cut at %u", t->name, op.status,
				 n);
		if ((t->resp_framing == RT_FRAMING_COMPLETE && t->cut != CUT_PARTIAL &&
		     op.resp_framing == RT_FRAMING_PARTIAL) ||
		    (t->resp_framing == RT_FRAMING_PARTIAL &&
		     op.resp_framing == RT_FRAMING_COMPLETE))
			fail_msg("%s: framing %u with the response cut at %u", t->name,
				 op.resp_framing, n);
	}
}

static void run_spoilt(const struct transcript *t)
{
	static const u8 spoil[] = {0x00, 0xff, '\n', ' ', ':', '9'};
	struct rt_op op;

	for (u32 m = 0; m < 2; m++) {
		const struct message *msg = m ? &t->resp : &t->req;

		for (u32 n = 0; n < min_u32(msg->len, RT_REQ_HEAD_MAX); n++) {
			u8 was = msg->p[n];

			for (u32 i = 0; i < sizeof(spoil); i++) {
				msg->p[n] = spoil[i];
				struct rt_view v = view_make(t, t->req.len, t->resp.len,
							     RT_REQ_HEAD_MAX, RT_RESP_HEAD_MAX);

				parse(t, &v, &op);
			}
			msg->p[n] = was;
		}
	}
}

static const struct rt_sig *sig_of(const struct message *m)
{
	static struct rt_sig table[RT_SIG_MAX];
	u32 n = rt_proto__signatures(table, RT_SIG_MAX);
	u64 data[RT_SIG_LEN / 8] = {0};

	memcpy(data, m->p, min_u32(m->len, RT_SIG_LEN));
	for (u32 i = 0; i < n && i < RT_SIG_MAX; i++) {
		if (rt_sig_match(&table[i], data, m->len))
			return &table[i];
	}
	return NULL;
}

/* The kernel would have begun an exchange of this protocol. */
static void run_signature(const struct transcript *t)
{
	const struct rt_sig *sig = sig_of(&t->req);

	if (t->signature == SIG_NONE) {
		assert_null(sig);
	} else if (t->signature == SIG_LEAVE) {
		assert_non_null(sig);
		assert_true(sig->flags & RT_SIG_LEAVE);
	} else if (t->result == RT_PARSE_OK) {
		assert_non_null(sig);
		assert_int_equal(sig->proto, t->proto);
		assert_int_equal(sig->kind, RT_SIG_REQUEST);
	}
	if (t->result == RT_PARSE_OK && t->status > 0) {
		sig = sig_of(&t->resp);
		assert_non_null(sig);
		assert_int_equal(sig->proto, t->proto);
		assert_true(sig->kind == RT_SIG_RESPONSE || sig->kind == RT_SIG_INTERIM);
	}
}

static void test_transcript(void **state)
{
	struct transcript *t = *state;
	struct rt_op op;

	transcript_load(t);
	run_whole(t, &op);
	run_request_bytes(t);
	run_response_bytes(t);
	run_cut(t);
	run_spoilt(t);
	run_signature(t);
	transcript_free(t);
}

/* --- finding them -------------------------------------------------------------- */

static struct transcript transcripts[TESTS_MAX];
static struct CMUnitTest tests[TESTS_MAX];
static u32 nr_tests;

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct transcript *)a)->name, ((const struct transcript *)b)->name);
}

/* Collects one protocol's transcripts; returns how many there are. */
static u32 collect(const char *root, const char *symbol, u8 id)
{
	u32 first = nr_tests;
	char dir[256];
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/proto/%s", root, symbol);
	d = opendir(dir);
	while (d && (e = readdir(d)) && nr_tests < TESTS_MAX) {
		size_t n = strlen(e->d_name);
		struct transcript *t = &transcripts[nr_tests];

		if (n < 5 || n > 200 || strcmp(e->d_name + n - 4, ".txt") != 0)
			continue;
		snprintf(t->name, sizeof(t->name), "%s/%.200s", dir, e->d_name);
		t->proto = id;
		t->hostile = e->d_name[0] == '9';
		nr_tests++;
	}
	if (d)
		closedir(d);
	qsort(&transcripts[first], nr_tests - first, sizeof(*transcripts), by_name);
	return nr_tests - first;
}

int main(void)
{
	static const struct {
		u8 id;
		const char *symbol;
	} protos[] = {
#define PROTO(id, symbol, title, flags) {id, #symbol},
#include "redtap/protocols.def"
#undef PROTO
	};
	const char *root = getenv("RT_TESTS") ? getenv("RT_TESTS") : "tests";

	arenas_map();
	for (u32 i = 0; i < RT_ARRAY_SIZE(protos); i++) {
		if (!collect(root, protos[i].symbol, protos[i].id)) {
			fprintf(stderr,
				"no transcript for protocol %s in %s/proto/%s; run in the "
				"repository's root or set RT_TESTS\n",
				protos[i].symbol, root, protos[i].symbol);
			return 1;
		}
	}
	for (u32 i = 0; i < nr_tests; i++)
		tests[i] = (struct CMUnitTest){.name = transcripts[i].name,
					       .test_func = test_transcript,
					       .initial_state = &transcripts[i]};
	return _cmocka_run_group_tests("transcripts", tests, nr_tests, NULL, NULL);
}
