// SPDX-License-Identifier: Apache-2.0
/* YAML files that are wrong in every way we could think of: one sentence each, never a crash. */
#include "config_helper.h"

/* YAML text and what the sentence must say after the file's name. */
static const struct {
	const char *yaml;
	const char *sentence;
} hostile[] = {
	/* unknown keys, with the nearest right name */
	{"metrics:\n  tll: 1h\n", ":2: unknown key \"metrics.tll\"; did you mean \"metrics.ttl\"?"},
	{"\n\nlisten: :1\nmetric:\n  ttl: 1h\n",
	 ":4: unknown key \"metric\"; did you mean \"metrics\"?"},
	{"ttl: 1h\n", ":1: unknown key \"ttl\"; did you mean \"metrics.ttl\"?"},
	{"ring-size: 8M\n", "did you mean \"ring_size\"?"},
	{"LISTEN: :1\n", "did you mean \"listen\"?"},
	{"lsiten: :1\n", "did you mean \"listen\"?"},
	{"kubernetes: true\n", ":1: unknown key \"kubernetes\"; \"redtap config\""},
	{"'': 1\n", ":1: unknown key \"\""},
	{"<<: 1\n", ":1: unknown key \"<<\""},
	{"\"a\\nredtap: forged\": 1\n", ":1: unknown key \"a?redtap: forged\""},
	{"\"a\\u009bb\\u00e9\": 1\n", ":1: unknown key \"a??b\xc3\xa9\""},
	{"services:\n  - name: x\n    exee: y\n",
	 ":3: services: unknown key \"exee\" in a rule; did you mean \"exe\"?"},
	/* bad values */
	{"listen: 9733\n", ":1: listen: \"9733\" is not an address and a port"},
	{"listen: example.com:80\n", "is not an address"},
	{"listen: 1.2.3.4:65536\n", "is not an address"},
	{"listen: '::1:80'\n", "is not an address"},
	{"listen: '[::1:80'\n", "is not an address"},
	{"listen: '[1.2.3.4]:80'\n", "is not an address"},
	{"listen: 1.2.3.4:+1\n", "is not an address"},
	{"listen: ''\n", ":1: listen: \"\" is empty"},
	{"listen:\n", ":1: listen: has no value"},
	{"port: [80, 0]\n", ":1: port: \"0\" is not a port"},
	{"port:\n  - 80\n  - 90-80\n", ":3: port: \"90-80\" is a range of ports that ends before"},
	{"port: 90-89\n", "is a range of ports that ends before"},
	{"port: 1-2-3\n", "is not a port"},
	{"port: '-5'\n", "is not a port"},
	{"port: 80-\n", "is not a port"},
	{"port: 000000000080-90\n", "is not a port"},
	{"port: 65536\n", "is not a port"},
	{"port: 1e3\n", "is not a port"},
	{"pid: 0\n", ":1: pid: \"0\" is not a pid"},
	{"pid: 99999999999999999999\n", "is not a pid"},
	{"pid: nginx\n", "is not a pid"},
	{"exe: ['']\n", ":1: exe: \"\" is empty"},
	{"exe:\n  - nginx\n  -\n", ":3: exe: an item of the list has no value"},
	{"exe: [null]\n", ":1: exe: an item of the list has no value"},
	{"port: [~]\n", ":1: port: an item of the list has no value"},
	{"services:\n  - {name: ~, port: 1}\n", ":2: services: name \"\" is empty"},
	{"services:\n  - name: x\n    exe: null\n", ":3: services: exe \"\" is empty"},
	{"services:\n  - name: x\n    exee:\n", "unknown key \"exee\" in a rule"},
	{"backend: sok\n", ":1: backend: \"sok\" is not one of auto|sock|fentry|syscall|event; did "
			   "you mean \"sock\"?"},
	{"backend: Sock\n", "did you mean \"sock\"?"},
	{"backend: ''\n", "\"\" is not one of"},
	{"log: {level: verbose}\n", "\"verbose\" is not one of error|warn|info|debug"},
	{"ring_size: 5000\n", ":1: ring_size: \"5000\" is not a power of two"},
	{"ring_size: 2K\n", "is less than a page"},
	{"ring_size: 0\n", "is less than a page"},
	{"ring_size: 2G\n", "is more than 1G"},
	{"ring_size: 8MB\n", "is not a number of bytes, like"},
	{"ring_size: 99999999999999999999G\n", "is not a number of bytes"},
	{"ring_size: 17179869184G\n", "is not a number of bytes"}, /* 2^64 */
	{"metrics: {ttl: 1}\n",
	 ":1: metrics.ttl: \"1\" is not a duration, like 500ms, 30s, 1h or 0"},
	{"metrics: {ttl: -1s}\n", "is not a duration"},
	{"metrics: {ttl: 1.5h}\n", "is not a duration"},
	{"metrics: {ttl: 10000000h}\n", "is not a duration"}, /* past 2^64 ns */
	{"metrics: {max_series: 0}\n", "is not from 1 to 10000"},
	{"metrics: {max_series: 10001}\n", "is not from 1 to 10000"},
	{"metrics: {max_series: 2k}\n", "is not a whole number"},
	{"routes: {infer: maybe}\n", ":1: routes.infer: \"maybe\" is neither true nor false"},
	{"routes: {infer: }\n", "has no value"},
	{"routes: {patterns: users}\n", "\"users\" does not start with /"},
	{"routes: {patterns: '/a?b=c'}\n", "has a query"},
	{"routes: {patterns: ['/a/*', '/*', '/{a}/*', '/api/*/x', '/static*']}\n",
	 ":1: routes.patterns: \"/static*\" has a * that is not a whole segment; a part of one "
	 "is {name}"},
	{"routes: {patterns: '/files/*.pdf'}\n", "\"/files/*.pdf\" has a * that is not"},
	{"routes: {patterns: '/a/**'}\n", "\"/a/**\" has a * that is not"},
	{"routes: {patterns: '/a/**/b'}\n", "\"/a/**/b\" has a * that is not"},
	{"routes: {patterns: '/{id'}\n", "braces"},
	{"routes: {patterns: '/id}'}\n", "braces"},
	{"routes: {patterns: '/{a/b}'}\n", "braces"},
	{"routes: {patterns: '/{{a}}'}\n", "braces"},
	{"routes: {patterns: '/b/{a}...{b}'}\n", "two variables in one segment"},
	{"routes: {patterns: '/{a}{b}/c'}\n", "two variables in one segment"},
	{"exe: \"a\\x00b\"\n", ":1: a text holds a NUL byte"},
	{"exe: \"a\\nb\"\n", "\"a?b\" holds a control character"},
	{"services:\n  - name: x\n", ":2: services: the rule \"x\" has no condition"},
	{"services:\n  - exe: x\n", ":2: services: a rule has no name"},
	{"services:\n  - {name: x, port: 0}\n", "port \"0\" is not a port"},
	{"services:\n  - {name: x, port: 70000}\n", "port \"70000\" is not a port"},
	{"services:\n  - {name: '', port: 1}\n", "name \"\" is empty"},
	{"services:\n  - name: x\n    name: y\n    port: 1\n",
	 ":3: services: a rule gives name twice"},
	/* the wrong kind of node */
	{"- a\n", ":1: a list where keys were expected"},
	{"just text\n", ":1: a single value where keys were expected"},
	{"listen: [':1']\n", ":1: listen: a list where a single value was expected"},
	{"listen: {a: b}\n", ":1: listen: a mapping where a single value was expected"},
	{"metrics: 5\n",
	 ":1: metrics: a single value where a mapping was expected, like \"ttl: ...\""},
	{"metrics: [ttl]\n", "metrics: a list where a mapping"},
	{"port: {80: 90}\n", ":1: port: a mapping where"},
	{"port: [[80]]\n", ":1: port: a list inside the list"},
	{"port: [{a: b}]\n", ":1: port: a mapping inside the list"},
	{"? [a]\n: b\n", ":1: a list where a key was expected"},
	{"services: x\n", ":1: services: a single value where a list of rules"},
	{"services: {name: x}\n", ":1: services: a mapping where a list of rules"},
	{"services: [x]\n", ":1: services: a single value where a rule was expected"},
	{"services: [{name: [x]}]\n", "a list where the value of \"name\" was expected"},
	{"services: [{[x]: name}]\n", "a list where a key was expected"},
	/* twice */
	{"listen: :1\npid: 1\nlisten: :2\n", ":3: \"listen\" is given twice, first on line 1"},
	{"log: {level: warn}\nlog: {format: json}\n",
	 ":2: \"log\" is given twice, first on line 1"},
	{"log.level: warn\nlog:\n  level: info\n",
	 ":3: \"log.level\" is given twice, first on line 1"},
	/* YAML that is none, or that is more than is read here */
	{"port: [\n", ":2: not valid YAML: "},
	{"exe: b: c\n", ":1: not valid YAML: mapping values are not allowed"},
	{"listen: :1\n\tport: 2\n", "not valid YAML: "},
	{"listen: \"\\q\"\n", ":1: not valid YAML: "},
	{"listen: :1\nexe: \xff\n", ":2: not valid YAML: "},
	{"listen: :1\n\nexe: \x01\n", ":3: not valid YAML: control characters are not allowed"},
	{"listen: *x\n", ":1: aliases, like *x"},
	/* as globs and route patterns without quotes read */
	{"port: 80\nexe: *nginx\n", ":2: aliases, like *nginx, are not read here; write it out, or "
				    "if it is a glob, in quotes"},
	{"exe: *nginx*\n", "; a glob that begins with * stands in quotes"},
	{"exe: */java\n", "; a glob that begins with * stands in quotes"},
	{"services:\n  - name: x\n    exe: */java\n", ":3: not valid YAML: "},
	{"routes:\n  patterns: [/users/{id}, /a]\n",
	 "; within [ ] a text with { } stands in quotes"},
	{"listen: &x :1\nexe: *x\n", ":2: aliases, like *x, are not read here"},
	{"port: &x [80, *x]\n", ":1: aliases, like *x"},
	{"metrics: &x {ttl: *x}\n", ":1: aliases, like *x"},
	{"listen: !include x\n", ":1: the tag !include is not known"},
	{"port: !x [1]\n", "the tag !x is not known"},
	{"listen: :1\n---\nlisten: :2\n", ":2: a second document"},
	{"%YAML 9.9\n---\n", "not valid YAML: "},
};

static void expect_mistake(const char *yaml, size_t len, const char *sentence)
{
	struct rt_config *cfg = (void *)0x1;
	char got[512], want[256];
	int err;

	write_file(yaml, len);
	err = rt_config__load(&cfg, yaml_path, NULL, NULL, 0, got, sizeof(got));
	if (err != -EINVAL)
		fail_msg("%d for:\n%s", err, yaml);
	assert_ptr_equal(cfg, (void *)0x1); /* untouched on failure */
	if (sentence[0] == ':')
		snprintf(want, sizeof(want), "%s%s", yaml_path, sentence);
	else
		snprintf(want, sizeof(want), "%s", sentence);
	if (!strstr(got, want))
		fail_msg("\nwanted: %s\ngot:    %s", want, got);
	assert_int_equal(strncmp(got, yaml_path, strlen(yaml_path)), 0);
	assert_null(strchr(got, '\n'));
}

/* Nothing that drives a terminal, be it above 0x7f or no UTF-8. */
static void test_hostile_file_name(void **state)
{
	static const char name[] = "/nowhere/\xc3\xa9\n\xc2\x9b\xff\x1b";
	struct rt_config *cfg;
	char got[512];

	assert_int_equal(rt_config__load(&cfg, name, NULL, NULL, 0, got, sizeof(got)), -ENOENT);
	assert_non_null(strstr(got, "/nowhere/\xc3\xa9?????: "));
}

static void test_hostile_yaml(void **state)
{
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(hostile); i++)
		expect_mistake(hostile[i].yaml, strlen(hostile[i].yaml), hostile[i].sentence);
	expect_mistake("listen: :1\nexe: a\0b\n", 20, ":2: not valid YAML: control characters");
}

static void test_every_cut_and_every_flip(void **state)
{
	struct rt_mistake m;
	char sentence[256], copy[sizeof(full_yaml)];
	struct rt_config *cfg;
	char *exact;
	size_t i, len;
	int err, bit;

	for (i = 0; i < sizeof(full_yaml) * 9; i++) {
		/* Cut at each length, then each bit of each byte turned. */
		len = i < sizeof(full_yaml) ? i : sizeof(full_yaml) - 1;
		memcpy(copy, full_yaml, sizeof(copy));
		bit = (int)(i / sizeof(full_yaml)) - 1;
		if (bit >= 0)
			copy[i % sizeof(full_yaml)] ^= (char)(1 << bit);
		exact = malloc(len ? len : 1);
		assert_non_null(exact);
		memcpy(exact, copy, len);

		cfg = load(NULL, NULL, NULL, 0);
		m = (struct rt_mistake){sentence, sizeof(sentence)};
		sentence[0] = '\0';
		err = rt_config_yaml__apply(cfg, "f", exact, len, &m);
		assert_true(err == 0 || err == -EINVAL);
		assert_int_equal(err == 0,
				 sentence[0] == '\0'); /* a sentence if and only if wrong */
		rt_config__free(cfg);
		free(exact);
	}
}

static void test_files_that_say_nothing(void **state)
{
	static const char *const texts[] = {"",
					    "# only a comment\n",
					    "---\n",
					    "---\n...\n",
					    "~\n",
					    "null\n",
					    "{}\n",
					    "\n\n",
					    "metrics:\nport: []\nservices: ~\n"};
	struct rt_config *cfg;
	size_t i;

	for (i = 0; i < RT_ARRAY_SIZE(texts); i++) {
		cfg = load(texts[i], NULL, NULL, 0);
		assert_string_equal(cfg->listen, "127.0.0.1:9733");
		assert_int_equal(cfg->port.n, 0);
		rt_config__free(cfg);
	}
	cfg = load("\xef\xbb\xbflisten: :1\r\npid: 7\r\n", NULL, NULL, 0); /* BOM, CRLF */
	assert_string_equal(cfg->listen, ":1");
	assert_string_equal(cfg->pid.items[0], "7");
	rt_config__free(cfg);
}

static void test_files_that_cannot_be_read(void **state)
{
	struct rt_config *cfg;
	char got[512], *big;

	assert_int_equal(rt_config__load(&cfg, "/nowhere/x.yaml", NULL, NULL, 0, got, sizeof(got)),
			 -ENOENT);
	assert_string_equal(got, "/nowhere/x.yaml: cannot be read: No such file or directory");
	assert_int_equal(rt_config__load(&cfg, dir, NULL, NULL, 0, got, sizeof(got)), -EISDIR);
	assert_non_null(strstr(got, ": cannot be read: Is a directory"));
	assert_int_equal(rt_config__load(&cfg, "/dev/zero", NULL, NULL, 0, got, sizeof(got)),
			 -EFBIG);
	assert_string_equal(got, "/dev/zero: larger than 1048576 bytes, not read");
	cfg = NULL;
	assert_int_equal(rt_config__load(&cfg, "/dev/null", NULL, NULL, 0, got, sizeof(got)), 0);
	rt_config__free(cfg);

	/* A pipe that nobody writes must not stop the program, nor widen its scope. */
	unlink(yaml_path);
	assert_int_equal(mkfifo(yaml_path, 0600), 0);
	assert_int_equal(rt_config__load(&cfg, yaml_path, NULL, NULL, 0, got, sizeof(got)),
			 -EINVAL);
	assert_non_null(strstr(got, ": a pipe that nobody wrote to; start its writer first"));
	unlink(yaml_path);

	/* 1 MiB is read, a byte more is not. */
	big = malloc((1 << 20) + 1);
	assert_non_null(big);
	memset(big, '#', (1 << 20) + 1);
	write_file(big, 1 << 20);
	assert_int_equal(rt_config__load(&cfg, yaml_path, NULL, NULL, 0, got, sizeof(got)), 0);
	rt_config__free(cfg);
	write_file(big, (1 << 20) + 1);
	assert_int_equal(rt_config__load(&cfg, yaml_path, NULL, NULL, 0, got, sizeof(got)), -EFBIG);

	/* Nesting that would overflow a recursion. */
	memset(big, '[', 1 << 20);
	memcpy(big, "listen: ", 8);
	write_file(big, 1 << 20);
	assert_int_equal(rt_config__load(&cfg, yaml_path, NULL, NULL, 0, got, sizeof(got)),
			 -EINVAL);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_file_name),
		cmocka_unit_test(test_hostile_yaml),
		cmocka_unit_test(test_every_cut_and_every_flip),
		cmocka_unit_test(test_files_that_say_nothing),
		cmocka_unit_test(test_files_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
