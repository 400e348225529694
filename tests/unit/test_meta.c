// SPDX-License-Identifier: Apache-2.0
/* The process cache, against a /proc tree of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "config/config.h"
#include "meta/meta.h"
#include "meta/proc.h"
#include "meta/service.h"
#include "util/clock.h"

#define ID	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER_ID "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SECOND	 1000000000ULL
#define T(s)	 ((char *)(uintptr_t)(s))

static char root[64];

static void put_file(u32 pid, const char *name, const void *data, size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%u", root, pid);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%u/%s", root, pid, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

#define PUT(pid, name, text) put_file(pid, name, text, sizeof(text) - 1)

static void put_link(u32 pid, const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%u/%s", root, pid, name);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

static u64 tick(void)
{
	return SECOND / (u64)sysconf(_SC_CLK_TCK);
}

/* proc(5): 22 is the start; a name full of traps stands in field 2. */
static void put_stat_of(u32 pid, u64 start_ns, u32 parent)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
			 "%u (a) S (x) S %u 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %llu 20\n",
			 pid, parent, (unsigned long long)(start_ns / tick()));

	put_file(pid, "stat", text, (size_t)n);
}

static void put_stat(u32 pid, u64 start_ns)
{
	put_stat_of(pid, start_ns, 1);
}

static void remove_pid(u32 pid)
{
	static const char *const names[] = {"stat", "cmdline", "environ", "cgroup", "exe", "cwd"};
	char path[256];

	for (size_t i = 0; i < RT_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%u/%s", root, pid, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/%u", root, pid);
	rmdir(path);
}

static int setup(void **state)
{
	snprintf(root, sizeof(root), "/tmp/redtap-test-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int teardown(void **state)
{
	for (u32 pid = 1; pid < 100; pid++)
		remove_pid(pid);
	rt_clock__fake(0, 0);
	return rmdir(root);
}

static struct rt_meta *meta_new(const struct rt_config *cfg)
{
	struct rt_meta *m = rt_meta__new(cfg);

	assert_non_null(m);
	rt_meta__set_proc_root(m, root);
	return m;
}

static struct rt_proc_event event(u32 pid, u64 start_ns, const char *exe)
{
	struct rt_proc_event ev = {.type = RT_EV_PROC, .pid = pid, .start_ns = start_ns};

	snprintf(ev.exe, sizeof(ev.exe), "%s", exe);
	return ev;
}

static void put_shop(u32 pid, u64 start_ns)
{
	PUT(pid, "cmdline", "python3\0-u\0/srv/shop.py\0");
	PUT(pid, "environ", "PATH=/bin\0OTEL_RESOURCE_ATTRIBUTES=service.namespace=eu\0");
	PUT(pid, "cgroup", "0::/system.slice/docker-" ID ".scope\n");
	put_link(pid, "exe", "/usr/bin/python3.11 (deleted)");
	put_link(pid, "cwd", "/srv");
	put_stat(pid, start_ns);
}

static void test_proc(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	const struct rt_process *p;

	put_shop(7, 5 * SECOND);
	p = rt_meta__lookup(m, 7, NULL, 0);
	assert_int_equal(p->pid, 7);
	assert_int_equal(p->start_ns, 5 * SECOND);
	assert_string_equal(p->executable, "python3.11");
	assert_string_equal(p->exe_path, "/usr/bin/python3.11");
	assert_string_equal(p->cmdline, "python3 -u /srv/shop.py");
	assert_string_equal(p->container_id, ID);
	assert_string_equal(p->unit, "");
	assert_string_equal(p->service, "shop");
	assert_string_equal(p->service_namespace, "eu");
	/* Cached: the process may go. */
	remove_pid(7);
	assert_ptr_equal(rt_meta__lookup(m, 7, NULL, 0), p);
	rt_meta__free(m);
}

static void test_unknown(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	static const u8 comm[RT_COMM_LEN] = "0123456789abcdef"; /* no NUL */

	assert_string_equal(rt_meta__lookup(m, 8, NULL, 0)->service, "unknown");
	assert_string_equal(rt_meta__lookup(m, 8, NULL, 0)->executable, "unknown");
	assert_string_equal(rt_meta__lookup(m, 9, comm, 0)->service, "0123456789abcdef");
	/* What was unknown is asked again once it has been forgotten. */
	put_shop(8, SECOND);
	rt_meta__expire(m, rt_clock__mono() + 2 * SECOND, SECOND);
	assert_string_equal(rt_meta__lookup(m, 8, NULL, 0)->service, "shop");
	rt_meta__free(m);
}

/* The process is gone before its announcement is read: the copies serve. */
static void test_event_copies(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	struct rt_proc_event ev = event(10, SECOND, "node");
	static const char args[] = "node\0/srv/server.js";
	static const char env[] =
		"OTEL_RESOURCE_ATTRIBUTES=service.namespace=eu\0OTEL_SERVICE_NAME=cu";
	const struct rt_process *p;

	memcpy(ev.args, args, sizeof(args));
	ev.args_len = sizeof(args);
	memcpy(ev.environ, env, sizeof(env) - 1);
	ev.env_len = sizeof(env) - 1; /* cut in the middle of the last one */
	rt_meta__on_proc(m, &ev);
	p = rt_meta__lookup(m, 10, NULL, 0);
	assert_string_equal(p->executable, "node");
	assert_string_equal(p->exe_path, "");
	assert_string_equal(p->cmdline, "node /srv/server.js");
	assert_string_equal(p->service, "server");
	assert_string_equal(p->service_namespace, "eu");

	/* A full copy of the arguments ends in the middle of one: that one does not count. */
	memset(ev.args, 'x', sizeof(ev.args));
	memcpy(ev.args, args, sizeof(args));
	ev.args_len = RT_PROC_ARGS_MAX;
	ev.start_ns = 2 * SECOND;
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 10, NULL, 0)->cmdline, "node /srv/server.js");

	/* Lengths beyond the fields, no executable: nothing is read outside. */
	memset(&ev.exe, 0, sizeof(ev.exe));
	memset(ev.comm, 'c', sizeof(ev.comm));
	ev.args_len = 0xffff;
	ev.env_len = 0xffff;
	ev.start_ns = 3 * SECOND;
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 10, NULL, 0)->executable, "cccccccccccccccc");
	rt_meta__free(m);
}

/* `args` and `env`: at least 100 bytes each. */
static const char *name_announced(struct rt_meta *m, const char *args, u16 args_len,
				  const char *env, u16 env_len)
{
	static u64 start = 300 * SECOND;
	struct rt_proc_event ev = event(17, start += SECOND, "python3.11");

	put_stat(17, start);
	memset(ev.args, 'x', sizeof(ev.args));
	memcpy(ev.args, args, args_len < 100 ? args_len : 100);
	ev.args_len = args_len;
	memset(ev.environ, 'x', sizeof(ev.environ));
	memcpy(ev.environ, env, env_len < 100 ? env_len : 100);
	ev.env_len = env_len;
	rt_meta__on_proc(m, &ev);
	return rt_meta__lookup(m, 17, NULL, 0)->service;
}

/* The process lives: what was announced whole is not read from its memory again. */
static void test_copies_first(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	static const char args[104] = "python3\0/srv/copy.py",
			  env[104] = "OTEL_SERVICE_NAME=copy-env", none[104] = "A=b";
	const struct rt_process *p;

	put_shop(17, SECOND);
	assert_string_equal(name_announced(m, args, 21, none, 4), "copy");
	p = rt_meta__lookup(m, 17, NULL, 0);
	assert_string_equal(p->cmdline, "python3 /srv/copy.py");
	assert_string_equal(p->service_namespace, ""); /* only /proc/PID/environ has one */
	/* the rest is /proc's all the same */
	assert_string_equal(p->exe_path, "/usr/bin/python3.11");
	assert_string_equal(p->container_id, ID);
	assert_string_equal(name_announced(m, args, 21, env, 27), "copy-env");
	/* none, cut, or without its end (a title that grew into the environment) */
	assert_string_equal(name_announced(m, args, 0, none, 4), "shop");
	assert_string_equal(name_announced(m, args, RT_PROC_ARGS_MAX, none, 4), "shop");
	assert_string_equal(name_announced(m, args, 20, none, 4), "shop");
	/* the same for the environment */
	assert_string_equal(name_announced(m, args, 21, env, 0), "copy");
	assert_string_equal(rt_meta__lookup(m, 17, NULL, 0)->service_namespace, "eu");
	name_announced(m, args, 21, none, RT_PROC_ENV_MAX);
	assert_string_equal(rt_meta__lookup(m, 17, NULL, 0)->service_namespace, "eu");
	rt_meta__free(m);
}

/* A server that forks for each connection: its children are gone before /proc is asked, and are
 * the unit's, and the container's, all the same. */
static void test_gone_sibling(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	struct rt_proc_event ev = event(20, SECOND, "forkd");
	const struct rt_process *p;

	ev.cgroup_id = 4711;
	PUT(20, "cgroup", "1:name=systemd:/system.slice/shop.service\n"
			  "0::/system.slice/shop.service\n");
	put_stat(20, SECOND);
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 20, NULL, 0)->service, "shop");
	ev.pid = 21;
	ev.start_ns = 2 * SECOND;
	rt_meta__on_proc(m, &ev);
	p = rt_meta__lookup(m, 21, NULL, 0);
	assert_string_equal(p->service, "shop");
	assert_string_equal(p->unit, "shop");
	/* another cgroup, also one whose id has the same low bits; none */
	ev.pid = 22;
	ev.cgroup_id = 4711 + 256;
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 22, NULL, 0)->service, "forkd");
	ev.pid = 23;
	ev.cgroup_id = 0;
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 23, NULL, 0)->service, "forkd");
	/* The id is the unified hierarchy's: it says nothing of what another one tells. */
	ev.pid = 24;
	ev.cgroup_id = 1;
	PUT(24, "cgroup", "1:name=systemd:/system.slice/a.service\n0::/\n");
	put_stat(24, 2 * SECOND);
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 24, NULL, 0)->service, "a");
	ev.pid = 25;
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 25, NULL, 0)->service, "forkd");
	rt_meta__free(m);
}

/* perl's `$0 = "..."`: the title, a NUL, and blanks to the end of what the arguments took. */
static void test_gone_title(void **state)
{
	static const char title[64] = "shopd: serving\0"
				      "                                                 ";
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	struct rt_proc_event ev = event(26, SECOND, "perl");

	memcpy(ev.args, title, sizeof(title));
	ev.args_len = sizeof(title);
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 26, NULL, 0)->service, "perl");
	assert_string_equal(rt_meta__lookup(m, 26, NULL, 0)->cmdline, "shopd: serving");
	rt_meta__free(m);
}

/* Command lines of many jars: beyond what is read, half an argument is none. */
static void test_long_cmdline(void **state)
{
	struct rt_service_rule rules[] = {{.name = T("by-class"), .cmdline = T("*com.acme.Second*")}};
	struct rt_config none = {0}, cfg = {.services = rules, .nr_services = 1};
	static char text[70000];
	const char *tail = "com.acme.Second";

	for (size_t cp = 5000; cp < 69500; cp += 8000) {
		size_t n = (size_t)snprintf(text, sizeof(text), "java%c-cp%c", 0, 0);
		struct rt_meta *m = meta_new(cp < 46000 ? &cfg : &none);

		memset(text + n, 'c', cp);
		n += cp + 1;
		text[n - 1] = '\0';
		memcpy(text + n, tail, strlen(tail) + 1);
		n += strlen(tail) + 1;
		put_file(27, "cmdline", text, n);
		put_link(27, "exe", "/usr/bin/java");
		put_stat(27, SECOND);
		assert_string_equal(rt_meta__lookup(m, 27, NULL, 0)->service,
				    cp < 32000 ? "by-class" : cp < 65000 ? "Second" : "java");
		rt_meta__free(m);
		/* The same by a reload: what was kept of it was too short for the rule. */
		m = meta_new(&none);
		assert_string_equal(rt_meta__lookup(m, 27, NULL, 0)->service,
				    cp < 65000 ? "Second" : "java");
		rt_meta__reload(m, &cfg);
		assert_string_equal(rt_meta__lookup(m, 27, NULL, 0)->service,
				    cp < 32000 ? "by-class" : cp < 65000 ? "Second" : "java");
		rt_meta__free(m);
	}
	/* cut in the middle of the class */
	for (size_t cut = 1; cut < strlen(tail); cut++) {
		size_t cp = RT_ARGS_MAX - 1 - 9 - 1 - cut, n = 9;
		struct rt_meta *m = meta_new(&none);

		memcpy(text, "java\0-cp\0", 9);
		memset(text + n, 'c', cp);
		n += cp + 1;
		text[n - 1] = '\0';
		memcpy(text + n, tail, strlen(tail) + 1);
		put_file(27, "cmdline", text, n + strlen(tail) + 1);
		assert_string_equal(rt_meta__lookup(m, 27, NULL, 0)->service, "java");
		rt_meta__free(m);
	}
}

/* /proc/PID is another process's by now: the copies serve, not that. */
static void test_reuse(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	struct rt_proc_event ev = event(11, 50 * SECOND + 123, "nginx");

	put_shop(11, 90 * SECOND);
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 11, NULL, 0)->service, "nginx");
	assert_string_equal(rt_meta__lookup(m, 11, NULL, 0)->container_id, "");
	/* Within a tick it is the same. */
	ev.start_ns = 90 * SECOND + tick() - 1;
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 11, NULL, 0)->service, "shop");
	/* Announced anew after its end: what /proc told is kept; then a new life replaces it. */
	remove_pid(11);
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 11, NULL, 0)->service, "shop");
	ev.start_ns = 95 * SECOND;
	rt_meta__on_proc(m, &ev);
	assert_string_equal(rt_meta__lookup(m, 11, NULL, 0)->service, "nginx");
	rt_meta__free(m);
}

static void test_exit_and_expire(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	struct rt_proc_event ev = event(12, SECOND, "nginx");

	rt_clock__fake(100 * SECOND, 100 * SECOND);
	rt_meta__on_proc(m, &ev);
	rt_meta__on_exit(m, 12);
	rt_meta__on_exit(m, 13); /* never heard of */
	rt_meta__expire(m, 105 * SECOND, 10 * SECOND);
	assert_string_equal(rt_meta__lookup(m, 12, NULL, 0)->service, "nginx");
	rt_meta__expire(m, 111 * SECOND, 10 * SECOND);
	assert_string_equal(rt_meta__lookup(m, 12, NULL, 0)->service, "unknown");

	/* No exit was heard: /proc tells. Announced only, never seen there: kept. */
	put_shop(14, SECOND);
	rt_meta__lookup(m, 14, NULL, 0);
	ev.pid = 15;
	rt_meta__on_proc(m, &ev);
	rt_meta__expire(m, 112 * SECOND, 10 * SECOND);
	assert_string_equal(rt_meta__lookup(m, 14, NULL, 0)->service, "shop");
	remove_pid(14);
	rt_meta__expire(m, 113 * SECOND, 10 * SECOND);
	rt_meta__expire(m, 124 * SECOND, 10 * SECOND);
	assert_string_equal(rt_meta__lookup(m, 14, NULL, 0)->service, "unknown");
	assert_string_equal(rt_meta__lookup(m, 15, NULL, 0)->service, "nginx");

	/* The pid lives on as another process. */
	put_shop(16, SECOND);
	rt_meta__lookup(m, 16, NULL, 0);
	put_shop(16, 20 * SECOND);
	PUT(16, "cmdline", "python3\0other.py\0");
	rt_meta__expire(m, 125 * SECOND, 10 * SECOND);
	assert_string_equal(rt_meta__lookup(m, 16, NULL, 0)->service, "other");
	rt_meta__free(m);
}

/* One service, whatever the connection; rules see the unit itself. */
static void test_connections(void **state)
{
	struct rt_service_rule rule = {.name = T("ruled"), .unit = T("hello@1-*")};
	struct rt_config cfg = {0}, cfg2 = {.services = &rule, .nr_services = 1};
	struct rt_meta *m = meta_new(&cfg);

	PUT(60, "cgroup", "0::/system.slice/hello@0-127.0.0.1:80-127.0.0.1:50123.service\n");
	put_stat(60, SECOND);
	PUT(61, "cgroup", "0::/system.slice/hello@1-127.0.0.1:80-127.0.0.1:50124.service\n");
	put_stat(61, SECOND);
	assert_string_equal(rt_meta__lookup(m, 60, NULL, 0)->service, "hello");
	assert_string_equal(rt_meta__lookup(m, 61, NULL, 0)->service, "hello");
	rt_meta__reload(m, &cfg2);
	assert_string_equal(rt_meta__lookup(m, 60, NULL, 0)->service, "hello");
	assert_string_equal(rt_meta__lookup(m, 61, NULL, 0)->service, "ruled");
	rt_meta__free(m);
}

/* What a supervisor runs has its own name, as has the supervisor. */
static void test_supervised(void **state)
{
	struct rt_service_rule rule = {.name = T("ruled"), .unit = T("supervisor")};
	struct rt_config cfg = {0}, cfg2 = {.services = &rule, .nr_services = 1};
	struct rt_meta *m = meta_new(&cfg);

	PUT(65, "cgroup", "0::/system.slice/supervisor.service\n");
	put_stat(65, SECOND);
	put_link(65, "exe", "/srv/bin/orders");
	PUT(66, "cgroup", "0::/system.slice/ssh.service\n");
	put_stat(66, SECOND);
	put_link(66, "exe", "/usr/sbin/sshd");
	PUT(67, "cgroup", "0::/machine.slice/systemd-nspawn@web.service/payload\n");
	put_stat(67, SECOND);
	put_link(67, "exe", "/usr/sbin/nginx");
	assert_string_equal(rt_meta__lookup(m, 65, NULL, 0)->service, "orders");
	assert_string_equal(rt_meta__lookup(m, 66, NULL, 0)->service, "sshd");
	assert_string_equal(rt_meta__lookup(m, 67, NULL, 0)->service, "nginx");
	rt_meta__reload(m, &cfg2);
	assert_string_equal(rt_meta__lookup(m, 65, NULL, 0)->service, "ruled");
	rt_meta__free(m);
}

static void test_rules(void **state)
{
	struct rt_service_rule rules[] = {
		{.name = T("both"), .exe = T("python3*"), .port = 8080},
		{.name = T("by-port"), .port = 9090},
		{.name = T("by-path"), .exe = T("/opt/*/bin/x")},
		{.name = T("by-unit"), .unit = T("web@*.service")},
		{.name = T("by-cmdline"), .cmdline = T("*--role=api*")},
	};
	struct rt_service_rule later[] = {{.name = T("renamed"), .exe = T("python3.11")}};
	struct rt_config cfg = {.services = rules, .nr_services = RT_ARRAY_SIZE(rules)};
	struct rt_config cfg2 = {.services = later, .nr_services = 1};
	struct rt_meta *m = meta_new(&cfg);
	u64 plain, ported;

	put_shop(20, SECOND);
	PUT(21, "cgroup", "0::/system.slice/web@1.service\n");
	put_stat(21, SECOND);
	PUT(22, "cmdline", "x\0--role=api\0");
	put_stat(22, SECOND);
	PUT(23, "cmdline", "x\0");
	put_stat(23, SECOND);
	put_link(23, "exe", "/opt/a/b/bin/x");

	assert_string_equal(rt_meta__lookup(m, 20, NULL, 0)->service, "shop");
	plain = rt_meta__lookup(m, 20, NULL, 1234)->resource_id;
	assert_int_equal(plain, rt_meta__lookup(m, 20, NULL, 0)->resource_id);
	for (int i = 0; i < 2; i++) { /* the second time from the cache */
		assert_string_equal(rt_meta__lookup(m, 20, NULL, 8080)->service, "both");
		assert_string_equal(rt_meta__lookup(m, 20, NULL, 9090)->service, "by-port");
	}
	assert_string_equal(rt_meta__lookup(m, 20, NULL, 8080)->cmdline, "python3 -u /srv/shop.py");
	ported = rt_meta__lookup(m, 20, NULL, 8080)->resource_id;
	assert_int_not_equal(plain, ported);
	assert_string_equal(rt_meta__lookup(m, 21, NULL, 0)->service, "by-unit");
	assert_string_equal(rt_meta__lookup(m, 21, NULL, 8080)->service, "by-unit");
	assert_string_equal(rt_meta__lookup(m, 22, NULL, 0)->service, "by-cmdline");
	assert_string_equal(rt_meta__lookup(m, 23, NULL, 0)->service, "by-path");

	rt_meta__reload(m, &cfg2);
	assert_string_equal(rt_meta__lookup(m, 20, NULL, 0)->service, "renamed");
	assert_string_equal(rt_meta__lookup(m, 20, NULL, 8080)->service, "renamed");
	assert_string_equal(rt_meta__lookup(m, 21, NULL, 0)->service, "web@1");
	rt_meta__reload(m, &cfg);
	assert_int_equal(rt_meta__lookup(m, 20, NULL, 0)->resource_id, plain);
	assert_int_equal(rt_meta__lookup(m, 20, NULL, 8080)->resource_id, ported);
	rt_meta__free(m);
}

/* A reload frees the configuration before, then hands over the new one. */
static void test_rules_that_are_gone(void **state)
{
	struct rt_service_rule rules[] = {{.name = T("shop-api"), .cmdline = T("*shop.py")}};
	struct rt_config cfg[4] = {{0}};
	struct rt_meta *m = meta_new(&cfg[0]);

	put_shop(20, SECOND);
	for (int i = 0; i < 4; i++) {
		cfg[i].services = rules;
		cfg[i].nr_services = i % 2;
		if (i) {
			memset(&cfg[i - 1], 0xa5, sizeof(cfg[0]));
			rt_meta__reload(m, &cfg[i]);
		}
		assert_string_equal(rt_meta__lookup(m, 20, NULL, 0)->service,
				    i % 2 ? "shop-api" : "shop");
	}
	rt_meta__free(m);
}

/* Workers of Python's multiprocessing have the name of the program that started them. */
static void test_spawned(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);

	PUT(40, "cmdline", "python3\0/usr/bin/uvicorn\0shop.main:app\0--workers\0002\0");
	put_stat_of(40, SECOND, 1);
	PUT(41, "cmdline", "python3\0-c\0from multiprocessing.forkserver import main\0");
	put_stat_of(41, SECOND, 40);
	PUT(42, "cmdline", "python3\0-c\0from multiprocessing.spawn import spawn_main; x\0--y\0");
	put_stat_of(42, SECOND, 41);
	put_link(42, "exe", "/usr/bin/python3.11");
	PUT(43, "cmdline", "python3\0-c\0from multiprocessing.spawn import spawn_main\0");
	put_stat_of(43, SECOND, 1); /* orphan */
	put_link(43, "exe", "/usr/bin/python3.11");
	assert_string_equal(rt_meta__lookup(m, 42, NULL, 0)->service, "shop");
	assert_string_equal(rt_meta__lookup(m, 42, NULL, 0)->cmdline,
			    "python3 -c from multiprocessing.spawn import spawn_main; x --y");
	assert_string_equal(rt_meta__lookup(m, 43, NULL, 0)->service, "python3.11");
	rt_meta__free(m);
}

/* Equal {service, executable}, equal number, whatever the process; and no other. */
static void test_resource_id(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	struct rt_proc_event a = event(30, SECOND, "nginx"), b = event(31, SECOND, "nginx"),
			     c = event(32, SECOND, "nginy");

	rt_meta__on_proc(m, &a);
	rt_meta__on_proc(m, &b);
	rt_meta__on_proc(m, &c);
	assert_int_equal(rt_meta__lookup(m, 30, NULL, 0)->resource_id,
			 rt_meta__lookup(m, 31, NULL, 0)->resource_id);
	assert_int_not_equal(rt_meta__lookup(m, 30, NULL, 0)->resource_id,
			     rt_meta__lookup(m, 32, NULL, 0)->resource_id);
	rt_meta__free(m);
}

/* A container of its own, or a namespace, is another target of the same resource. */
static void test_target_id(void **state)
{
	static const char other[] = "0::/system.slice/docker-" OTHER_ID ".scope\n";
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	u64 targets[4], resource = 0;

	for (u32 i = 0; i < 4; i++) {
		put_shop(50 + i, SECOND);
		if (i == 2)
			PUT(52, "environ", "PATH=/bin\0");
		if (i == 3)
			put_file(53, "cgroup", other, sizeof(other) - 1);
	}
	for (u32 i = 0; i < 4; i++) {
		const struct rt_process *p = rt_meta__lookup(m, 50 + i, NULL, 0);

		targets[i] = p->target_id;
		if (i)
			assert_int_equal(p->resource_id, resource);
		resource = p->resource_id;
	}
	assert_int_equal(targets[0], targets[1]);
	assert_int_not_equal(targets[0], targets[2]);
	assert_int_not_equal(targets[0], targets[3]);
	assert_int_not_equal(targets[2], targets[3]);
	rt_meta__free(m);
}

/* More pids than the cache holds: ended ones go first, memory stays bounded. */
static void test_bounded(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = meta_new(&cfg);
	struct rt_proc_event ev = event(1000, SECOND, "first");

	rt_meta__on_proc(m, &ev);
	for (u32 pid = 1001; pid < 1000 + 65536 + 10; pid++) {
		ev.pid = pid;
		rt_meta__on_proc(m, &ev);
		if (pid == 1001)
			rt_meta__on_exit(m, pid);
	}
	/* 10 too many: the ended one and the 9 oldest are gone. */
	assert_string_equal(rt_meta__lookup(m, 1010, NULL, 0)->service, "first");
	assert_string_equal(rt_meta__lookup(m, 1001, NULL, 0)->service, "unknown");
	rt_meta__free(m);
}

/* The test's own process, in the real /proc. */
static void test_self(void **state)
{
	struct rt_config cfg = {0};
	struct rt_meta *m = rt_meta__new(&cfg);
	const struct rt_process *p = rt_meta__lookup(m, (u32)getpid(), NULL, 0);

	assert_string_equal(p->executable, "test_meta");
	assert_non_null(strstr(p->exe_path, "/test_meta"));
	assert_true(p->start_ns > 0);
	rt_meta__free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_proc, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
		cmocka_unit_test_setup_teardown(test_event_copies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copies_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_sibling, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gone_title, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_cmdline, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit_and_expire, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections, setup, teardown),
		cmocka_unit_test_setup_teardown(test_supervised, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rules_that_are_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spawned, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resource_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_target_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounded, setup, teardown),
		cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
