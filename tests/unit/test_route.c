// SPDX-License-Identifier: Apache-2.0
/* Route names: patterns, folding, the caps, and hostile paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <malloc.h>
#include <cmocka.h>

#include "red/route.h"

static struct rt_slice str(const char *s)
{
	return rt_slice_str(s);
}

static const struct {
	const char *path, *route;
} folds[] = {
	{"/", "/"},
	{"/users", "/users"},
	{"/users/", "/users/"},
	{"//users", "//users"},
	{"/users/123", "/users/{id}"},
	{"/users/0", "/users/{id}"},
	{"/users/123/orders", "/users/{id}/orders"},
	{"/users/12a", "/users/12a"},
	{"/users/-1", "/users/-1"},
	{"/v1/users", "/v1/users"},
	{"/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "/o/{uuid}"},
	{"/o/3F2504E0-4F89-11D3-9A0C-0305E82C3301", "/o/{uuid}"},
	{"/o/3f2504e0-4f89-11d3-9a0c-0305e82c330", "/o/{token}"}, /* 35 bytes: too long */
	/* hex: of 8 or more, letters alone too; "facebook" is not hex */
	{"/h/abcdef0", "/h/abcdef0"},
	{"/h/abcdef01", "/h/{hex}"},
	{"/h/deadbeef", "/h/{hex}"},
	{"/h/12345678", "/h/{id}"},
	{"/h/facebook", "/h/facebook"},
	{"/h/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "/h/{hex}"},
	/* base64url: 16 or more with upper, lower and digit */
	{"/b/dGhpcyBpcyBhIHRlc3Q5", "/b/{token}"},
	{"/b/dGhpcyBpcyBhIHQ9==", "/b/{token}"},
	{"/b/Xy3Xy3Xy3Xy3Xy3", "/b/Xy3Xy3Xy3Xy3Xy3"}, /* 15 */
	{"/b/getAllTheUsersNow", "/b/getAllTheUsersNow"},
	{"/b/a-plain-2023-title-x", "/b/a-plain-2023-title-x"},
	/* over 32 bytes */
	{"/l/abcdefghijklmnopqrstuvwxyz-abcde", "/l/abcdefghijklmnopqrstuvwxyz-abcde"},
	{"/m/abcdefghijklmnopqrstuvwxyz+abcdef", "/m/{token}"},
	/* as words 64 */
	{"/w/abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghij",
	 "/w/abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghij"},
	{"/w/abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghijk", "/w/{token}"},
	/* extensions of folded stems */
	{"/img/1234.png", "/img/{id}.png"},
	{"/img/deadbeef.jpeg", "/img/{hex}.jpeg"},
	{"/img/logo.png", "/img/logo.png"},
	{"/img/12.5", "/img/12.5"},
	{"/img/12.", "/img/12."},
	{"/img/.5", "/img/.5"},
	/* parameters */
	{"/c;jsessionid=0A1B/d", "/c/d"},
	{"/c/7;v=1", "/c/{id}"},
	/* odd bytes are words like others, control bytes made visible */
	{"/%C3%A9t%C3%A9", "/%C3%A9t%C3%A9"},
	{"/\xc3\xa9t\xc3\xa9", "/\xc3\xa9t\xc3\xa9"},
	{"/a\x01\x7f", "/a??"},
	/* no paths */
	{"*", "*"},
	{"example.com:443", ""},
	{"", ""},
	/* depth: 12 segments, the rest is one */
	{"/a/b/c/d/e/f/g/h/i/j/k/l", "/a/b/c/d/e/f/g/h/i/j/k/l"},
	{"/a/b/c/d/e/f/g/h/i/j/k/l/m/n", "/a/b/c/d/e/f/g/h/i/j/k/{var}"},
};

static void test_folds(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	/* Each in a service of its own; twice, the second time from the cache. */
	for (u32 round = 0; round < 2; round++)
		for (u32 i = 0; i < RT_ARRAY_SIZE(folds); i++)
			assert_string_equal(rt_routes__name(r, i, str(folds[i].path), false, 200),
					    folds[i].route);
	rt_routes__free(r);
}

/* What looks like a token and is what somebody wrote. */
static const char *const written[] = {
	"CustomerServiceV2",
	"InvoiceServiceV2",
	"OrderManagementV1",
	"GetCustomerOrdersV2",
	"getUserProfileV2",
	"getUserProfileV12",
	"UserAccountService2",
	"Customer-Service-V2",
	"Get_Customer_Orders_V2",
	"PaymentGatewayAPIv3",
	"getHTTPServerStatus2",
	"OAuth2TokenEndpoint",
	"createS3BucketPolicy",
	"GetIPv4AddressList",
	"listV2UserAccounts",
	"Http2ConnectionPool",
	"Web3AccountService",
	"ExportToS3BucketV2",
	"SyncB2BOrdersList",
	"iPhoneOrdersListV2",
	"eCommerceServiceV2",
	"company.billing.invoices.v1.InvoiceService",
	"company.billing.payments.v1.PaymentService",
	"com.example.billing.CustomerServiceV2",
	"com.example.oauth2.TokenIntrospection",
	"google.cloud.pubsub.v1beta1.PublisherService",
	"google.cloud.dataproc.v20240101.JobController",
	"google.longrunning.operations.Operations",
	"google.cloud.speech.v1p1beta1.Speech",
	"grpc.reflection.v1alpha.ServerReflection",
	"opentelemetry.proto.collector.trace.v1.TraceService",
	"notification-preferences-by-account-type",
	"Notification-Preferences-By-Account-Type",
	"customer_subscription_renewal_reminders",
	"how-to-make-the-best-pancakes-in-the-world",
	"main.vendors.production.bundle.min.js",
};

/* Keys and ids as they are given out, some with few digits or few capitals. */
static const char *const given_out[] = {
	"dGhpcyBpcyBhIHRlc3Q5", /* base64 */
	"dGhpcyBpcyBhIHQ9==",
	"VGhlIHF1aWNrIGJyb3duIGZveA==",
	"aGVsbG8sIHdvcmxkIQ0K",
	"5Z0kQ2mVT5yXn1B8a3cD4A", /* a UUID in base64 */
	"V1StGXR8_Z5jdHi6B-myT",  /* nanoid */
	"Uakgb_J5m9g-0JDMbcJqL",
	"FmIJ8pVJbQzWbwVHtfXrK",       /* one digit */
	"0ujtsYcgvSTl8PAuAdqWYSMnLOv", /* KSUID */
	"1srOrx2ZWZBpBUvZwXKQmoEYga2",
	"cus_NffrFeUfNV2Hib", /* Stripe, most with one digit */
	"prod_NWjs8kKbJWmuuc",
	"in_1MtHbELkdIwHu7ixl4OzzPMv",
	"pi_3MtwBwLkdIwHu7ix28a3tqPa",
	"price_1MoBy5LkdIwHu7ixZhnattbh",
	"sub_1MowQVLkdIwHu7ixeRlqHVzs",
	"acct_1032D82eZvKYlo2C",
	"-NZbZvE6dQmZkxR8rs1a", /* Firebase, Firestore */
	"xYkQ2vLbGdTmWeRzHpJc",
	"SJ2mFhUQ8kTzVrWnXcLd",
	"CAMLB-cZ2Wm0UfC8v6r0Kg", /* Message-ID */
	"QmFzZTY0VmFsdWU1Mw",
	"Rf2mZ0yGQkW8oYQmKxq1Tw",
	"AbCdEfGhIjKlMnO4", /* 16 */
	"gho_16C7e42F292c6912E7710c838347Ae178B4a",
	"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",
	"SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf",
	"1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms", /* Google Drive */
	"PLFgquLnL59alCl_2TQvOiD5Vgm1hCaGSI",
	"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqb2UifQ.c2lnbmF0dXJlLW9m", /* a JWT */
	"QWxsIGxldHRlcnMgYW5kIG5vIGRpZ2l0cyBoZXJl",
	"aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgHi",
	"3f2504e0-4f89-11d3-9a0c-0305e82c330",
	"user-3f2504e0-4f89-11d3-9a0c-0305e82c3301",
	"notification-service-7d9f8b6c5d-x2x7q",      /* a pod */
	"top-20-things-to-do-in-10-days-in-new-york", /* titles */
	"2024-05-17-what-happened-at-the-meeting",
};

static void test_tokens(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	char path[128];

	for (u32 i = 0; i < RT_ARRAY_SIZE(written); i++) {
		snprintf(path, sizeof(path), "/%s/List", written[i]);
		assert_string_equal(rt_routes__name(r, i, str(path), false, 200), path);
	}
	for (u32 i = 0; i < RT_ARRAY_SIZE(given_out); i++) {
		snprintf(path, sizeof(path), "/%s/List", given_out[i]);
		assert_string_equal(rt_routes__name(r, i, str(path), false, 200), "/{token}/List");
	}
	/* Too short, or of capitals alone: a word, like any other. */
	assert_string_equal(rt_routes__name(r, 0, str("/dQw4w9WgXcQ"), false, 200), "/dQw4w9WgXcQ");
	assert_string_equal(rt_routes__name(r, 0, str("/01ARZ3NDEKTSV4RRFFQ69G5FAV"), false, 200),
			    "/01ARZ3NDEKTSV4RRFFQ69G5FAV");
	rt_routes__free(r);
}

/* The longest name that there can be. */
static void test_longest(void **state)
{
	static const char word[] =
		"/abcdefghijklmnopqrstuvwxyz.abcdefghijklmnopqrstuvwxyz.abcdefghij";
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	char path[12 * sizeof(word)] = "";

	for (u32 i = 0; i < 12; i++)
		memcpy(path + i * (sizeof(word) - 1), word, sizeof(word));
	assert_string_equal(rt_routes__name(r, 1, str(path), false, 200), path);
	rt_routes__free(r);
}

static const char *list_items[] = {
	"/users/me", "/users/{id}", "/files/{name}.pdf", "/static/*", "/v{n}/ping", "/*/health",
	"/a/{x}/b/", "*",	    "/map;z={z}",	 "/map",
};

static const struct {
	const char *path, *route;
	bool cut;
} patterns[] = {
	{"/users/me", "/users/me", false},
	{"/users/5", "/users/{id}", false},
	{"/users/abc/", "/users/{id}", false},
	{"/users/", "", false},
	{"/users", "", false},
	{"/users/5/x", "", false},
	{"/users//", "", false},
	{"/files/a.pdf", "/files/{name}.pdf", false},
	{"/files/.pdf", "", false},
	{"/static/", "/static/*", false},
	{"/static/a/b", "/static/*", false},
	{"/static", "", false},
	{"/v2/ping", "/v{n}/ping", false},
	{"/v/ping", "", false},
	{"/x/health", "/*/health", false},
	{"//health", "", false},
	{"/a/1/b", "/a/{x}/b/", false},
	{"/a/1/b/", "/a/{x}/b/", false},
	{"/a/1/b//", "", false},
	{"*", "*", false},
	{"", "", false},
	{"/", "", false},
	/* parameters are dropped, if a pattern has none itself */
	{"/users/5;v=1", "/users/{id}", false},
	{"/users/me;jsessionid=1F", "/users/me", false},
	{"/users;a=/me;b;c=1", "/users/me", false},
	{"/users/;v=1", "", false},
	{"/files/a.pdf;v=2", "/files/{name}.pdf", false},
	{"/files/a;v=2.pdf", "", false},
	{"/files/.pdf;v=2.pdf", "", false},
	{"/static;v=1/a;b", "/static/*", false},
	{"/v2;x/ping;y", "/v{n}/ping", false},
	{"/v;2/ping", "", false},
	{"/x;y/health;z", "/*/health", false},
	{"/;y/health", "", false},
	{"/a/1/b;c", "/a/{x}/b/", false},
	{"/a/1/b/;c", "/a/{x}/b/", false},
	{"/a/1/b/;c/", "", false},
	{"/map;z=7", "/map;z={z}", false},
	{"/map;y=7", "/map", false},
	{"/map", "/map", false},
	/* no paths: of a CONNECT, and nonsense */
	{"host:443", "", false},
	{"xusers/5", "", false},
	{"xstatic/a", "", false},
	/* the rest was not captured */
	{"/static/abc", "/static/*", true},
	{"/users/abc", "", true},
};

static void test_patterns(void **state)
{
	struct rt_config cfg = {
		.routes_patterns = {(char **)(void *)list_items, RT_ARRAY_SIZE(list_items)}};
	struct rt_routes *r = rt_routes__new(&cfg);

	for (u32 i = 0; i < RT_ARRAY_SIZE(patterns); i++)
		assert_string_equal(
			rt_routes__name(r, 1, str(patterns[i].path), patterns[i].cut, 200),
			patterns[i].route);
	rt_routes__free(r);
}

/* A pattern that fits every path fits nothing else. */
static void test_catch_all(void **state)
{
	const char *items[] = {"/*"};
	struct rt_config cfg = {.routes_patterns = {(char **)(void *)items, 1}};
	struct rt_routes *r = rt_routes__new(&cfg);

	assert_string_equal(rt_routes__name(r, 1, str("/a/b"), false, 200), "/*");
	assert_string_equal(rt_routes__name(r, 1, str("*"), false, 200), "");
	assert_string_equal(rt_routes__name(r, 1, str("example.com:443"), false, 200), "");
	rt_routes__free(r);
}

/* More services than are kept: one that is busy stays, though its paths are all known. */
static void test_busy_service_stays(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	char path[32];

	for (u32 i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/users/n%cme", 'a' + i);
		rt_routes__name(r, 1, str(path), false, 200);
	}
	assert_string_equal(rt_routes__name(r, 1, str("/users/other"), false, 200), "/users/{var}");
	for (u32 i = 2; i < 3000; i++) {
		rt_routes__name(r, i, str("/"), false, 200);
		rt_routes__name(r, 1, str("/users/other"), false, 200);
	}
	assert_string_equal(rt_routes__name(r, 1, str("/users/another"), false, 200),
			    "/users/{var}");
	rt_routes__free(r);
}

static void test_patterns_before_inference(void **state)
{
	const char *items[] = {"/users/{user}"};
	struct rt_config cfg = {.routes_infer = true,
				.routes_patterns = {(char **)(void *)items, 1}};
	struct rt_config none = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	assert_string_equal(rt_routes__name(r, 1, str("/users/5"), false, 200), "/users/{user}");
	assert_string_equal(rt_routes__name(r, 1, str("/orders/5"), false, 200), "/orders/{id}");
	rt_routes__reload(r, &none);
	assert_string_equal(rt_routes__name(r, 1, str("/users/5"), false, 200), "/users/{id}");
	none.routes_infer = false;
	rt_routes__reload(r, &none);
	assert_string_equal(rt_routes__name(r, 1, str("/users/5"), false, 200), "");
	rt_routes__free(r);
}

__attribute__((format(printf, 3, 4))) static const char *name_f(struct rt_routes *r, u64 id,
								const char *fmt, ...)
{
	char path[128];
	va_list ap;

	va_start(ap, fmt);
	assert_in_range(vsnprintf(path, sizeof(path), fmt, ap), 1, sizeof(path) - 1);
	va_end(ap);
	return rt_routes__name(r, id, str(path), false, 200);
}

static void test_fanout(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	/* Ten words keep their names ("p0x" is no number), each with a page below. */
	for (u32 i = 0; i < 10; i++)
		assert_string_not_equal(name_f(r, 1, "/shop/p%ux", i), "/shop/{var}");
	assert_string_equal(name_f(r, 1, "/shop/p%ux/edit", 3), "/shop/p3x/edit");
	assert_string_equal(name_f(r, 1, "/shop/%u", 77), "/shop/{id}"); /* folds are no words */
	assert_string_equal(name_f(r, 1, "/shop/p%ux", 10), "/shop/{var}");
	/* For good, for the first ten too, though their names were cached. */
	assert_string_equal(name_f(r, 1, "/shop/p%ux", 3), "/shop/{var}");
	assert_string_equal(name_f(r, 1, "/shop/p%ux/edit", 3), "/shop/{var}/edit");
	assert_string_equal(name_f(r, 1, "/shop/p%ux/edit", 99), "/shop/{var}/edit");
	assert_string_equal(name_f(r, 1, "/shop/%u", 78), "/shop/{id}");
	assert_string_equal(name_f(r, 1, "/shop/"), "/shop/");
	/* The position above, and other services, know nothing of it. */
	assert_string_equal(name_f(r, 1, "/cart"), "/cart");
	assert_string_equal(name_f(r, 2, "/shop/p%ux", 3), "/shop/p3x");
	rt_routes__free(r);
}

/* What was learned below ten words becomes one subtree with its own caps. */
static void test_merge(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	/* /t0x has a collapsed position below, /t1x and /t2x 6 different words each. */
	for (u32 i = 0; i < 11; i++)
		name_f(r, 1, "/t0x/a/w%ux", i);
	for (u32 i = 0; i < 6; i++) {
		name_f(r, 1, "/t1x/k%ux", i);
		name_f(r, 1, "/t2x/m%ux", i);
	}
	for (u32 i = 3; i < 11; i++)
		name_f(r, 1, "/t%ux", i);
	assert_string_equal(name_f(r, 1, "/t%ux", 50), "/{var}");
	assert_string_equal(name_f(r, 1, "/t0x/a/w%ux", 2), "/{var}/{var}/{var}");
	assert_string_equal(name_f(r, 1, "/t1x/k%ux", 2), "/{var}/{var}");
	assert_string_equal(name_f(r, 1, "/t2x/m%ux", 9), "/{var}/{var}");
	rt_routes__free(r);
}

static void test_max_routes(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	char path[64];

	/* 10 x 10 words, two positions deep: 100 names, no position over its cap. */
	for (u32 i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/a%ux/b%ux", i / 10, i % 10);
		assert_string_equal(rt_routes__name(r, 1, str(path), false, 200), path);
	}
	assert_string_equal(name_f(r, 1, "/a0x"), "{other}");
	assert_string_equal(name_f(r, 1, "/a0x/%u", 5), "{other}");
	assert_string_equal(name_f(r, 1, "/new"), "{other}");
	assert_string_equal(name_f(r, 1, "/a0x/b%ux", 0), "/a0x/b0x");
	assert_string_equal(name_f(r, 2, "/new"), "/new");
	rt_routes__free(r);
}

static const char *name_404(struct rt_routes *r, u64 id, const char *path)
{
	return rt_routes__name(r, id, str(path), false, 404);
}

/* A scanner asks for hundreds of paths that do not exist. */
static void test_not_found(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	char path[64];

	/* Among few each has its name; from the 11th word on they share one. */
	for (u32 i = 0; i < 300; i++) {
		snprintf(path, sizeof(path), "/wp-%ux", i);
		assert_string_equal(name_404(r, 1, path), i < 10 ? path : "/{var}");
	}
	/* Real ones take their places, and the position stays a list of words ... */
	for (u32 i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/real%ux", i);
		assert_string_equal(rt_routes__name(r, 1, str(path), false, i ? 200 : 500), path);
	}
	for (u32 i = 0; i < 10; i++) {
		snprintf(path, sizeof(path), "/real%ux", i);
		assert_string_equal(rt_routes__name(r, 1, str(path), false, 200), path);
		assert_string_equal(name_404(r, 1, path), path);
		snprintf(path, sizeof(path), "/wp-%ux", i);
		assert_string_equal(name_404(r, 1, path), "/{var}");
	}
	/* ... until an 11th real one. */
	assert_string_equal(name_f(r, 1, "/one-more"), "/{var}");
	assert_string_equal(name_f(r, 1, "/real1x"), "/{var}");
	rt_routes__free(r);
}

/* Asks with each of n statuses for 14 words that nobody has, from a service of its own that has
 * one route, and then for that. */
static void scan(const u32 *statuses, u32 n, const char *word, const char *route)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	char path[64];

	for (u32 i = 0; i < n; i++) {
		assert_string_equal(name_f(r, i, "/users/%u", 7), "/users/{id}");
		for (u32 k = 0; k < 14; k++) {
			snprintf(path, sizeof(path), "/wp-%ux", k);
			assert_string_equal(rt_routes__name(r, i, str(path), false, statuses[i]),
					    k < 9 ? path : "/{var}");
		}
		assert_string_equal(rt_routes__name(r, i, str("/wp-1x"), false, statuses[i]), word);
		assert_string_equal(name_f(r, i, "/users/%u", 8), route);
	}
	rt_routes__free(r);
}

/* Scanners are not answered by 404 alone, but some statuses only come from what is there. */
static void test_scanned(void **state)
{
	static const u32 silent[] = {0,	  300, 301, 302, 303, 307, 308, 400, 401,
				     403, 404, 405, 406, 407, 408, 410, 411, 413,
				     414, 418, 421, 426, 429, 431, 444, 451};
	static const u32 telling[] = {101, 200, 201, 204, 206, 304, 402, 409, 412, 415,
				      416, 422, 423, 424, 428, 500, 502, 503, 504};

	scan(silent, RT_ARRAY_SIZE(silent), "/wp-1x", "/users/{id}");
	scan(telling, RT_ARRAY_SIZE(telling), "/{var}", "/{var}/{id}");
}

/* A login answers 401 most of the time: one success is enough, and it keeps its place. */
static void test_seldom_found(void **state)
{
	static const u32 refusals[] = {0, 302, 401, 403, 405, 429};
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	for (u32 i = 0; i < 30; i++)
		assert_string_equal(rt_routes__name(r, 1, str("/login"), false, refusals[i % 6]),
				    "/login");
	assert_string_equal(name_f(r, 1, "/login"), "/login");
	for (u32 i = 0; i < 9; i++)
		name_f(r, 1, "/p%ux", i);
	assert_string_equal(rt_routes__name(r, 1, str("/scan"), false, 401), "/{var}");
	for (u32 i = 0; i < 30; i++)
		assert_string_equal(rt_routes__name(r, 1, str("/login"), false, refusals[i % 6]),
				    "/login");
	rt_routes__free(r);
}

/* A guest whose word is "{var}" becomes the position's own, and is evicted no more. */
static void test_not_found_var(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	for (u32 i = 0; i < 9; i++)
		name_f(r, 1, "/p%ux", i);
	assert_string_equal(name_404(r, 1, "/{var}"), "/{var}");
	assert_string_equal(name_404(r, 1, "/scan"), "/{var}");
	assert_string_equal(name_f(r, 1, "/p9x"), "/p9x");
	assert_string_equal(name_404(r, 1, "/{var}"), "/{var}");
	for (u32 i = 10; i < 40; i++)
		assert_string_equal(name_f(r, 1, "/p%ux", i), "/{var}");
	rt_routes__free(r);
}

/* What once came with a 404 and exists now is no guest any more. */
static void test_found_later(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	assert_string_equal(name_404(r, 1, "/api"), "/api");
	assert_string_equal(name_404(r, 1, "/blog/x"), "/blog/x");
	assert_string_equal(name_f(r, 1, "/api"), "/api");
	assert_string_equal(name_f(r, 1, "/blog/y"), "/blog/y"); /* below it is enough */
	for (u32 i = 0; i < 8; i++)
		name_f(r, 1, "/p%ux", i);
	/* Ten words, none a guest: nobody makes room. */
	assert_string_equal(name_404(r, 1, "/scan"), "/{var}");
	assert_string_equal(name_f(r, 1, "/api"), "/api");
	assert_string_equal(name_f(r, 1, "/p%ux", 8), "/{var}");
	assert_string_equal(name_f(r, 1, "/blog/x"), "/{var}/x");
	rt_routes__free(r);
}

/* All names are kept for paths that exist, however deep a scanner digs. */
static void test_not_found_cap(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	u32 named = 0;
	char path[64];

	for (u32 i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "/a%ux/b%ux", i / 10, i % 10);
		named += strcmp(name_404(r, 1, path), path) == 0;
	}
	assert_int_equal(named, 50);
	assert_string_equal(name_404(r, 1, "/a0x/b0x"), "/a0x/b0x");
	assert_string_equal(name_404(r, 1, "/z"), "{other}");
	for (u32 i = 0; i < 5; i++) {
		snprintf(path, sizeof(path), "/shop/p%ux", i);
		assert_string_equal(rt_routes__name(r, 1, str(path), false, 200), path);
	}
	rt_routes__free(r);
}

/* Not one of a hundred: who has that many routes has them behind a scanner as well. */
static void test_scanned_service_of_many_routes(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	u32 named = 0;
	char path[64];

	for (u32 i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), "/wp%ux/a%ux/b%ux", i / 100, i / 10 % 10, i % 10);
		named += strcmp(name_404(r, 1, path), path) == 0;
	}
	assert_int_equal(named, 50);
	for (u32 round = 0; round < 2; round++) {
		for (u32 i = 0; i < 100; i++) {
			snprintf(path, sizeof(path), "/shop%ux/p%ux", i / 10, i % 10);
			assert_string_equal(rt_routes__name(r, 1, str(path), false, 200), path);
			assert_string_equal(name_404(r, 1, path), path);
		}
	}
	assert_string_equal(name_f(r, 1, "/shop%ux", 1), "{other}");
	rt_routes__free(r);
}

/* An 11th word is {var} also when the names are used up: nothing tells who remembers it. */
static void test_not_found_keeps_its_name(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	u32 before = rt_routes__generation(r);
	char path[64];

	for (u32 i = 0; i < 11; i++) {
		snprintf(path, sizeof(path), "/a%ux", i);
		assert_string_equal(name_404(r, 1, path), i < 10 ? path : "/{var}");
	}
	for (u32 i = 0; i < 39; i++)
		name_f(r, 1, "/a%ux/b%ux", i / 10, i % 10);
	assert_int_equal(rt_routes__generation(r), before);
	assert_string_equal(name_404(r, 1, "/a11x"), "/{var}");
	/* With all 100 given that holds for one that exists, too. */
	for (u32 i = 39; i < 100; i++)
		name_f(r, 1, "/a%ux/b%ux", i / 10, i % 10);
	assert_string_equal(name_f(r, 1, "/a0x/b10x"), "{other}");
	assert_string_equal(name_404(r, 1, "/a11x"), "/{var}");
	assert_string_equal(name_f(r, 1, "/a11x"), "/{var}");
	rt_routes__free(r);
}

/* A 404 that found no room for its name has it as soon as another status makes it: who remembers
 * names is told. */
static void test_not_found_before_it_was_named(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	char path[64];
	u32 before;

	for (u32 i = 0; i < 50; i++) {
		snprintf(path, sizeof(path), "/a%ux/b%ux", i / 10, i % 10);
		assert_string_equal(name_404(r, 1, path), path);
	}
	assert_string_equal(name_404(r, 1, "/orders/7"), "{other}");
	before = rt_routes__generation(r);
	assert_string_equal(name_f(r, 1, "/orders/8"), "/orders/{id}");
	assert_int_not_equal(rt_routes__generation(r), before);
	assert_string_equal(name_404(r, 1, "/orders/7"), "/orders/{id}");
	before = rt_routes__generation(r);
	assert_string_equal(name_f(r, 1, "/orders/9"), "/orders/{id}");
	assert_int_equal(rt_routes__generation(r), before);
	rt_routes__free(r);
}

static void test_cut(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	assert_string_equal(rt_routes__name(r, 1, str("/users/12/abc"), true, 200),
			    "/users/{id}/{var}");
	assert_string_equal(rt_routes__name(r, 1, str("/users/12/abc"), false, 200),
			    "/users/{id}/abc");
	assert_string_equal(rt_routes__name(r, 1, str("/abc"), true, 200), "/{var}");
	assert_string_equal(rt_routes__name(r, 1, str("/users/12/abc"), true, 200),
			    "/users/{id}/{var}");
	rt_routes__free(r);
}

static u32 next_random(u32 *x)
{
	*x = *x * 1664525 + 1013904223;
	return *x >> 8;
}

/* Distinct strings by pointer: names are interned. */
static u32 note(const char **seen, u32 n, const char *s)
{
	for (u32 i = 0; i < n; i++)
		if (seen[i] == s)
			return n;
	assert_true(n < 200);
	seen[n] = s;
	return n + 1;
}

static void test_hostile(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);
	const char *seen[200];
	u32 n = 0, x = 7;
	size_t before = mallinfo2().uordblks;

	for (u32 i = 0; i < 1000000; i++) {
		u32 len = 1 + next_random(&x) % (i % 100 ? 60 : 500);
		u8 path[512] = "/";

		for (u32 k = 1; k < len; k++) {
			u32 v = next_random(&x);

			path[k] = v % 7 == 0 ? '/' : (u8)(v >> 3);
		}
		n = note(seen, n,
			 rt_routes__name(r, 1, (struct rt_slice){path, len}, i % 50 == 0, 200));
	}
	assert_in_range(n, 1, 101);
	/* 100 names, 1,300 nodes: well below a megabyte. */
	assert_true(mallinfo2().uordblks - before < 1 << 20);
	rt_routes__free(r);
}

/* Paths made of few words, so that positions collapse at all depths in turn. */
static void test_hostile_words(void **state)
{
	struct rt_config cfg = {.routes_infer = true};
	struct rt_routes *r = rt_routes__new(&cfg);

	for (u32 service = 0; service < 2000; service++) {
		const char *seen[200];
		u32 n = 0, x = service;

		for (u32 i = 0; i < 300; i++) {
			u32 depth = 1 + next_random(&x) % 5, at = 0;
			char path[128];

			while (depth--)
				at += (u32)snprintf(path + at, sizeof(path) - at, "/w%ux",
						    next_random(&x) % (4 + service % 12));
			n = note(seen, n,
				 rt_routes__name(r, service, str(path), false,
						 next_random(&x) % 3 ? 200 : 401));
		}
		/* of guests 50 more */
		assert_in_range(n, 1, 151);
	}
	rt_routes__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_folds),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_patterns_before_inference),
		cmocka_unit_test(test_catch_all),
		cmocka_unit_test(test_busy_service_stays),
		cmocka_unit_test(test_fanout),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_max_routes),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_scanned),
		cmocka_unit_test(test_seldom_found),
		cmocka_unit_test(test_not_found_var),
		cmocka_unit_test(test_found_later),
		cmocka_unit_test(test_not_found_cap),
		cmocka_unit_test(test_scanned_service_of_many_routes),
		cmocka_unit_test(test_not_found_keeps_its_name),
		cmocka_unit_test(test_not_found_before_it_was_named),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_hostile_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
