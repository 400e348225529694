// SPDX-License-Identifier: Apache-2.0
/* The configuration: defaults, the three faces and their order, rules, round trip. */
#include "config_helper.h"

static const char *origin(const struct rt_config *cfg, const char *name)
{
	size_t i;

	for (i = 0; i < rt_nr_options; i++)
		if (strcmp(rt_options()[i].name, name) == 0)
			return cfg->origins[i];
	fail_msg("no option %s", name);
	return NULL;
}

static void test_defaults(void **state)
{
	struct rt_config *cfg = load(NULL, NULL, NULL, 0);
	size_t i;

	assert_string_equal(cfg->listen, "127.0.0.1:9733");
	assert_int_equal(cfg->netns.n + cfg->cgroup.n + cfg->pid.n + cfg->exe.n + cfg->port.n, 0);
	assert_int_equal(cfg->backend, RT_BACKEND_AUTO);
	assert_int_equal(cfg->ring_size, 4 << 20);
	assert_string_equal(cfg->btf, "");
	assert_int_equal(cfg->disable_feature.n, 0);
	assert_int_equal(cfg->log_level, RT_LOG_INFO);
	assert_int_equal(cfg->log_format, RT_LOG_TEXT);
	assert_int_equal(cfg->metrics_ttl, 3600 * SEC);
	assert_int_equal(cfg->metrics_max_series, 2000);
	assert_true(cfg->routes_infer);
	assert_int_equal(cfg->routes_patterns.n, 0);
	assert_false(cfg->labels_pid);
	assert_false(cfg->self_bpf_stats);
	assert_int_equal(cfg->nr_services, 0);
	for (i = 0; i < rt_nr_options; i++)
		assert_string_equal(cfg->origins[i], "default");
	rt_config__free(cfg);
	rt_config__free(NULL);
}

static void test_names_of_the_faces(void **state)
{
	const struct rt_option *opts = rt_options();
	bool seen = false;
	size_t i;

	for (i = 0; i < rt_nr_options; i++) {
		if (strcmp(opts[i].name, "metrics.max_series") != 0)
			continue;
		assert_string_equal(opts[i].flag, "metrics-max-series");
		assert_string_equal(opts[i].env, "REDTAP_METRICS_MAX_SERIES");
		seen = true;
	}
	assert_true(seen);
	for (i = 0; i < rt_nr_options; i++) { /* none was cut to its array */
		assert_true(strlen(opts[i].name) < sizeof(opts[i].flag));
		assert_true(strlen(opts[i].name) + 7 < sizeof(opts[i].env));
	}
}

static void test_listen(void **state)
{
	static const char *const good[] = {
		"127.0.0.1:9733", "localhost:9733", "[::1]:9733", "[fe80::1%eth0]:9733", ":9733", ":0",
	};
	static const char *const bad[] = {
		"9733", "127.0.0.1", "localhost", "example.com:80", "[::1:80", "::1:80",
		"[fe80::1%eth0:80", "127.0.0.1:65536", "127.1:80", "",
	};

	for (size_t i = 0; i < RT_ARRAY_SIZE(good); i++)
		assert_null(rt_check_listen(good[i]));
	for (size_t i = 0; i < RT_ARRAY_SIZE(bad); i++)
		assert_non_null(rt_check_listen(bad[i]));
}

static void test_yaml(void **state)
{
	struct rt_config *cfg = load(full_yaml, NULL, NULL, 0);
	char want[128];

	assert_string_equal(cfg->listen, "[::1]:80");
	assert_int_equal(cfg->netns.n, 2);
	assert_string_equal(cfg->netns.items[0], "/run/netns/a");
	assert_string_equal(cfg->netns.items[1], "12");
	assert_int_equal(cfg->port.n, 2);
	assert_string_equal(cfg->port.items[1], "8000-8100");
	assert_int_equal(cfg->exe.n, 1); /* one scalar is a list of one */
	assert_string_equal(cfg->exe.items[0], "nginx");
	assert_int_equal(cfg->pid.n, 0); /* a key without a value is an empty list */
	assert_int_equal(cfg->backend, RT_BACKEND_SYSCALL);
	assert_int_equal(cfg->ring_size, 262144);
	assert_int_equal(cfg->log_level, RT_LOG_DEBUG);
	assert_int_equal(cfg->log_format, RT_LOG_JSON);
	assert_int_equal(cfg->metrics_ttl, 90 * SEC);
	assert_int_equal(cfg->metrics_max_series, 10);
	assert_false(cfg->routes_infer);
	assert_int_equal(cfg->routes_patterns.n, 2);
	assert_string_equal(cfg->routes_patterns.items[0], "/users/{id}");
	assert_true(cfg->labels_pid);
	assert_int_equal(cfg->nr_services, 2);
	assert_string_equal(cfg->services[0].name, "shop");
	assert_string_equal(cfg->services[0].exe, "*/java");
	assert_int_equal(cfg->services[0].port, 8080);
	assert_null(cfg->services[0].cmdline);
	assert_string_equal(cfg->services[1].name, "a b");
	assert_string_equal(cfg->services[1].cmdline, "*x*");
	assert_string_equal(cfg->services[1].unit, "a.service");
	assert_int_equal(cfg->services[1].port, 0);

	snprintf(want, sizeof(want), "%s:13", yaml_path);
	assert_string_equal(origin(cfg, "metrics.ttl"), want);
	assert_string_equal(origin(cfg, "self.bpf_stats"), "default");
	rt_config__free(cfg);
}

static void test_precedence(void **state)
{
	static const char yaml[] = "listen: :1\nport: [1, 2]\nmetrics: {ttl: 1s}\nexe: file\n";
	const char *const env[] = {"PATH=/bin",		  "REDTAP_LISTEN=:2",
				   "REDTAP_PORT=3, 4 ,5", "REDTAP_ROUTES_INFER=false",
				   "REDTAP_EXE=",	  NULL};
	const struct rt_config_flag flags[] = {
		{"listen", ":3"}, {"port", "6"}, {"port", "7"}, {"listen", ":4"}};
	struct rt_config *cfg;

	cfg = load(yaml, NULL, NULL, 0);
	assert_string_equal(cfg->listen, ":1");
	assert_int_equal(cfg->port.n, 2);
	rt_config__free(cfg);

	cfg = load(yaml, (char *const *)env, NULL, 0);
	assert_string_equal(cfg->listen, ":2");
	assert_string_equal(origin(cfg, "listen"), "REDTAP_LISTEN");
	assert_int_equal(cfg->port.n, 3); /* replaces the file's, blanks dropped */
	assert_string_equal(cfg->port.items[0], "3");
	assert_string_equal(cfg->port.items[1], "4");
	assert_int_equal(cfg->metrics_ttl, SEC); /* only the file gave it */
	assert_false(cfg->routes_infer);
	assert_int_equal(cfg->exe.n, 0); /* an empty variable empties the list */
	rt_config__free(cfg);

	cfg = load(yaml, (char *const *)env, flags, 4);
	assert_string_equal(cfg->listen, ":4"); /* the last of its kind */
	assert_string_equal(origin(cfg, "listen"), "--listen");
	assert_int_equal(cfg->port.n, 2);
	assert_string_equal(cfg->port.items[0], "6");
	assert_string_equal(cfg->port.items[1], "7");
	assert_string_equal(origin(cfg, "port"), "--port");
	assert_string_equal(origin(cfg, "routes.infer"), "REDTAP_ROUTES_INFER");
	rt_config__free(cfg);
}

static void test_variables(void **state)
{
	static const struct {
		const char *variable;
		const char *sentence; /* NULL: none */
	} rows[] = {
		{"REDTAP_METRICS_TLL=1h",
		 "unknown variable REDTAP_METRICS_TLL; did you mean REDTAP_METRICS_TTL?"},
		{"REDTAP_CONFG=x", "unknown variable REDTAP_CONFG; did you mean REDTAP_CONFIG?"},
		{"REDTAP_WHATEVER=x",
		 "unknown variable REDTAP_WHATEVER; \"redtap run --help\" lists the options"},
		{"REDTAP_=x", "unknown variable REDTAP_; \"redtap run --help\" lists the options"},
		{"REDTAP_METRICS_TTL=soon", "REDTAP_METRICS_TTL: \"soon\" is not a duration, like "
					    "500ms, 30s, 1h or 0"},
		{"REDTAP_METRICS_TTL=",
		 "REDTAP_METRICS_TTL: \"\" is not a duration, like 500ms, 30s, 1h or 0"},
		{"REDTAP_EXE=a,,b", "REDTAP_EXE: \"\" is empty"},
		{"REDTAP_EXE=\xff", "REDTAP_EXE: \"?\" is not UTF-8"},
		{"REDTAP_PORT=80,x", "REDTAP_PORT: \"x\" is not a port, like 80, nor a range of "
				     "ports, like 8000-8100"},
		{"REDTAP_SERVICES=shop", "REDTAP_SERVICES: \"shop\" is not NAME=COND:VALUE, like "
					 "shop=port:8080"},
		{"REDTAP_CONFIG=x", NULL},
		{"redtap_listen=x", NULL},
		{"REDTAP=x", NULL},
		/* what Kubernetes sets for services named redtap and redtap-metrics */
		{"REDTAP_SERVICE_HOST=10.0.0.1", NULL},
		{"REDTAP_SERVICE_PORT=9733", NULL},
		{"REDTAP_SERVICE_PORT_HTTP=9733", NULL},
		{"REDTAP_PORT=tcp://10.0.0.1:9733", NULL},
		{"REDTAP_PORT_9733_TCP=tcp://10.0.0.1:9733", NULL},
		{"REDTAP_PORT_9733_TCP_ADDR=10.0.0.1", NULL},
		{"REDTAP_METRICS_PORT=tcp://10.0.0.1:9733", NULL},
		{"REDTAP_METRICS_SERVICE_HOST=10.0.0.1", NULL},
		{"REDTAP_PORT_X_TCP=x",
		 "unknown variable REDTAP_PORT_X_TCP; \"redtap run --help\" lists the options"},
	};
	struct rt_config *cfg;
	char got[512];
	size_t i;
	int err;

	for (i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		err = rt_config__load(&cfg, NULL, ARGV(rows[i].variable, NULL), NULL, 0, got,
				      sizeof(got));
		assert_string_equal(got, rows[i].sentence ? rows[i].sentence : "");
		assert_int_equal(err, rows[i].sentence ? -EINVAL : 0);
		if (err)
			continue;
		assert_int_equal(cfg->port.n, 0);
		rt_config__free(cfg);
	}
}

static void test_service_texts(void **state)
{
	static const struct {
		const char *text;
		const char *sentence;
	} wrong[] = {
		{"shop", "is not NAME=COND:VALUE"},
		{"=port:1", "name \"\" is empty"},
		{"shop=", "the rule \"shop\" has no condition"},
		{"shop=8080", "\"8080\" is not COND:VALUE"},
		{"shop=prot:80", "unknown key \"prot\" in a rule; did you mean \"port\"?"},
		{"shop=port:80;port:81", "a rule gives port twice"},
		{"shop=exe:", "exe \"\" is empty"},
		{"shop=name:x;port:1", "a rule gives name twice"},
	};
	struct rt_config_flag flags[] = {{"services", "a=exe:*/x:y;port:80"},
					 {"services", "b=cmdline:* -n 1,2 *;unit:b.service"}};
	struct rt_config *cfg = load(NULL, NULL, flags, 2);
	char got[512];
	size_t i;

	assert_int_equal(cfg->nr_services, 2);
	assert_string_equal(cfg->services[0].name, "a");
	assert_string_equal(cfg->services[0].exe, "*/x:y");
	assert_int_equal(cfg->services[0].port, 80);
	assert_string_equal(cfg->services[1].cmdline, "* -n 1,2 *");
	assert_string_equal(cfg->services[1].unit, "b.service");
	rt_config__free(cfg);

	for (i = 0; i < RT_ARRAY_SIZE(wrong); i++) {
		flags[0].value = wrong[i].text;
		assert_int_equal(rt_config__load(&cfg, NULL, NULL, flags, 1, got, sizeof(got)),
				 -EINVAL);
		assert_int_equal(strncmp(got, "--services: ", 12), 0);
		if (!strstr(got, wrong[i].sentence))
			fail_msg("wanted: %s\ngot: %s", wrong[i].sentence, got);
	}
}

static char *print(const struct rt_config *cfg)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	rt_config__print(cfg, f);
	fclose(f);
	return text;
}

/* Drops what tells origins: "   # ..." up to each line's end. */
static void drop_comments(char *text)
{
	char *from = text, *to = text, *end, *mark;

	for (; *from; from = end) {
		end = from + strcspn(from, "\n");
		end += *end == '\n';
		mark = memmem(from, (size_t)(end - from), " # ", 3);
		for (; from < (mark ? mark : end); from++)
			*to++ = *from;
	}
	*to = '\0';
}

static void test_print_reads_back(void **state)
{
	static const char *const odd =
		"/a \"b\" \\c: [x], {y} &z *w !v %u \xc3\xa9\xe2\x80\xa8\xef\xbb\xbf\xc2\x85'";
	const struct rt_config_flag flags[] = {
		{"exe", odd},	     {"exe", "~"},
		{"exe", "null"},     {"exe", "- x"},
		{"exe", "true"},     {"ring-size", "4K"},
		{"backend", "sock"}, {"services", "yes=cmdline:\"q\";port:1"}};
	struct rt_config *cfg, *again;
	char *first, *second, *hash;

	cfg = load(full_yaml, NULL, flags, RT_ARRAY_SIZE(flags));
	first = print(cfg);
	assert_non_null(strstr(first, "ring_size: 4K "));
	assert_non_null(strstr(first, "# --ring-size\n"));
	assert_non_null(strstr(first, "redtap.yaml:13\n"));
	assert_non_null(strstr(first, "  ttl: 90s "));
	for (hash = first; *hash; hash += strcspn(hash, "\n") + 1) /* each value says its origin */
		if (hash[strcspn(hash, "\n") - 1] != ':')
			assert_non_null(memmem(hash, strcspn(hash, "\n"), " # ", 3));

	again = load(first, NULL, NULL, 0);
	assert_int_equal(again->exe.n, 5);
	assert_string_equal(again->exe.items[0], odd);
	assert_string_equal(again->exe.items[1], "~");
	assert_int_equal(again->ring_size, 4096);
	assert_int_equal(again->nr_services, 1);
	assert_string_equal(again->services[0].cmdline, "\"q\"");
	assert_int_equal(again->services[0].port, 1);
	second = print(again);
	drop_comments(first);
	drop_comments(second);
	assert_string_equal(first, second);

	free(first);
	free(second);
	rt_config__free(cfg);
	rt_config__free(again);
}

static void test_help_names_every_option(void **state)
{
	char *text = NULL, want[64];
	size_t len = 0, i;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	rt_config__print_help(f);
	fclose(f);
	for (i = 0; i < rt_nr_options; i++) {
		snprintf(want, sizeof(want), "  --%s%s",
			 rt_options()[i].kind == RT_OPT_BOOL ? "[no-]" : "", rt_options()[i].flag);
		assert_non_null(strstr(text, want));
	}
	free(text);
}

/* A path may be left empty, in each face; names of features are those of features.def. */
static void test_btf_and_features(void **state)
{
	static const char yaml[] = "btf: /a\ndisable_feature: [iter, sk_storage]\n";
	char *const env[] = {(char *)"REDTAP_BTF=", NULL};
	const struct rt_config_flag flag = {"disable-feature", "itre"};
	struct rt_config *cfg = load(yaml, NULL, NULL, 0);
	char sentence[256];

	assert_string_equal(cfg->btf, "/a");
	assert_int_equal(cfg->disable_feature.n, 2);
	assert_string_equal(cfg->disable_feature.items[1], "sk_storage");
	rt_config__free(cfg);
	cfg = load(yaml, env, NULL, 0);
	assert_string_equal(cfg->btf, "");
	rt_config__free(cfg);
	cfg = load("btf: \"\"\n", NULL, NULL, 0);
	assert_string_equal(cfg->btf, "");
	rt_config__free(cfg);

	assert_int_equal(
		rt_config__load(&cfg, NULL, NULL, &flag, 1, sentence, sizeof(sentence)), -EINVAL);
	assert_string_equal(sentence, "--disable-feature: \"itre\" is not a feature; did you mean "
				      "\"iter\"?");
}

static void test_backends(void **state)
{
	static const struct {
		const char *name;
		int want;
	} rows[] = {{"auto", RT_BACKEND_AUTO},
		    {"sock", RT_BACKEND_SOCK},
		    {"fentry", RT_BACKEND_FENTRY},
		    {"syscall", RT_BACKEND_SYSCALL},
		    {"event", RT_BACKEND_EVENT}};

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++) {
		const struct rt_config_flag flag = {"backend", rows[i].name};
		struct rt_config *cfg = load(NULL, NULL, &flag, 1);

		assert_int_equal(cfg->backend, rows[i].want);
		rt_config__free(cfg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_btf_and_features),
		cmocka_unit_test(test_backends),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_names_of_the_faces),
		cmocka_unit_test(test_listen),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_service_texts),
		cmocka_unit_test(test_print_reads_back),
		cmocka_unit_test(test_help_names_every_option),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
