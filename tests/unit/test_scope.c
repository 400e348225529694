// SPDX-License-Identifier: Apache-2.0
/*
 * Scope flags to numbers: what each is resolved to, and the one sentence for
 * each that cannot be. Needs no privileges and no BPF.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/scope.h"

#define LIST(...)                                                                                  \
	{                                                                                          \
		.items = (char **)(const char *[]){__VA_ARGS__},                                   \
		.n = RT_ARRAY_SIZE(((const char *[]){__VA_ARGS__})),                               \
	}

static char sentence[256];

static int resolve(struct rt_scope *ret, const struct rt_config *cfg)
{
	memset(sentence, 0, sizeof(sentence));
	return rt_scope__resolve(ret, cfg, sentence, sizeof(sentence));
}

/* Refused, with exactly these words, and the result left alone. */
static void refused_for(int err, const struct rt_config *cfg, const char *words)
{
	struct rt_scope s, before;

	memset(&s, 0x5a, sizeof(s));
	before = s;
	assert_int_equal(resolve(&s, cfg), -err);
	assert_string_equal(sentence, words);
	assert_memory_equal(&s, &before, sizeof(s));
}

/* As a mistake in the words. */
static void refused(const struct rt_config *cfg, const char *words)
{
	refused_for(EINVAL, cfg, words);
}

/* Highest descriptor number in use plus one: to see that none is left open. */
static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

static void test_nothing(void **state)
{
	const struct rt_config cfg = {0};
	struct rt_scope s;

	assert_int_equal(resolve(&s, &cfg), 0);
	assert_int_equal(s.nr_netns + s.nr_cgroups + s.nr_pids + s.nr_ports, 0);
	rt_scope__close(&s);
}

/* --- network namespaces ------------------------------------------------------ */

static void test_netns(void **state)
{
	char pid[16];
	const struct rt_config cfg = {.netns = LIST("/proc/self/ns/net", pid)};
	struct rt_scope s;
	struct stat st;

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	assert_int_equal(stat("/proc/self/ns/net", &st), 0);
	assert_int_equal(resolve(&s, &cfg), 0);
	assert_int_equal(s.nr_netns, 2);
	assert_int_equal(s.netns[0], st.st_ino);
	assert_int_equal(s.netns[1], st.st_ino);
	rt_scope__close(&s);
}

static void test_netns_refused(void **state)
{
	const struct {
		struct rt_config cfg;
		const char *words;
		int err;
	} rows[] = {
		{{.netns = LIST("/run/netns/no-such-place")},
		 "--netns /run/netns/no-such-place: No such file or directory",
		 ENOENT},
		{{.netns = LIST("/dev/null/x")}, "--netns /dev/null/x: Not a directory", EINVAL},
		{{.netns = LIST("/dev/null")},
		 "--netns /dev/null: not a network namespace; give a path like "
		 "/run/netns/NAME, or a pid",
		 EINVAL},
		{{.netns = LIST("/proc")},
		 "--netns /proc: not a network namespace; give a path "
		 "like /run/netns/NAME, or a pid",
		 EINVAL},
		/* namespaces all the same, but of another kind */
		{{.netns = LIST("/proc/self/ns/mnt")},
		 "--netns /proc/self/ns/mnt: not a network namespace; give a path like "
		 "/run/netns/NAME, or a pid",
		 EINVAL},
		{{.netns = LIST("999999999")},
		 "--netns 999999999: there is no process 999999999",
		 ESRCH},
		{{.netns = LIST("0")}, "--netns 0: there is no process 0", ESRCH},
		{{.netns = LIST("")},
		 "--netns : No such file or directory; give a path like /run/netns/NAME, or a pid",
		 ENOENT},
		/* as `ip netns` takes it */
		{{.netns = LIST("shop")},
		 "--netns shop: No such file or directory; give a path like /run/netns/NAME, or a "
		 "pid",
		 ENOENT},
		/* a good one before it does not help */
		{{.netns = LIST("/proc/self/ns/net", "/x")},
		 "--netns /x: No such file or directory",
		 ENOENT},
	};

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++)
		refused_for(rows[i].err, &rows[i].cfg, rows[i].words);
}

/* --- cgroups ----------------------------------------------------------------- */

/* A cgroup v2 directory, wherever this machine has mounted it; NULL without one. */
static char *cgroup2(void)
{
	static char places[][32] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
	struct statfs fs;

	for (size_t i = 0; i < RT_ARRAY_SIZE(places); i++)
		if (!statfs(places[i], &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
			return places[i];
	return NULL;
}

/* It is there, only it cannot be looked at: another one is not looked for. */
static void test_netns_without_descriptors(void **state)
{
	struct rt_scope_place place;
	struct rlimit limit, none;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(rt_scope__find_netns("/proc/self/ns/net", &place), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(rt_scope__find_netns("/proc/self/ns/net", &place), 0);
	assert_int_equal(rt_scope__find_netns("/proc/self/ns/mnt", &place), -ENOTTY);
}

static void test_cgroup(void **state)
{
	char *root = cgroup2();
	const struct rt_config good = {.cgroup = LIST(root, root)};
	const struct rt_config mixed = {.cgroup = LIST(root, "/tmp")};
	int fd = next_fd();
	struct rt_scope s;
	struct stat a, b;

	if (!root)
		skip();
	assert_int_equal(resolve(&s, &good), 0);
	assert_int_equal(s.nr_cgroups, 2);
	assert_int_equal(stat(root, &a) | fstat(s.cgroups[0], &b), 0);
	assert_true(a.st_dev == b.st_dev && a.st_ino == b.st_ino);
	assert_int_not_equal(fcntl(s.cgroups[1], F_GETFD) & FD_CLOEXEC, 0);
	rt_scope__close(&s);
	rt_scope__close(&s);
	assert_int_equal(next_fd(), fd);

	/* the first one's descriptor is closed again */
	refused(&mixed, "--cgroup /tmp: not a cgroup v2 directory");
	assert_int_equal(next_fd(), fd);
}

static void test_cgroup_refused(void **state)
{
	const struct {
		struct rt_config cfg;
		const char *words;
		int err;
	} rows[] = {
		{{.cgroup = LIST("/sys/fs/cgroup/no-such")},
		 "--cgroup /sys/fs/cgroup/no-such: No such file or directory",
		 ENOENT},
		/* as /proc/PID/cgroup has it */
		{{.cgroup = LIST("/system.slice/no-such")},
		 "--cgroup /system.slice/no-such: No such file or directory; give a path like "
		 "/sys/fs/cgroup/system.slice",
		 ENOENT},
		{{.cgroup = LIST("/dev/null")},
		 "--cgroup /dev/null: Not a directory; give a path like "
		 "/sys/fs/cgroup/system.slice",
		 EINVAL},
		{{.cgroup = LIST("/proc")}, "--cgroup /proc: not a cgroup v2 directory", EINVAL},
	};
	int fd = next_fd();

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++)
		refused_for(rows[i].err, &rows[i].cfg, rows[i].words);
	assert_int_equal(next_fd(), fd);
}

/* --- processes --------------------------------------------------------------- */

static void test_pid(void **state)
{
	char self[16], parent[16];
	const struct rt_config cfg = {.pid = LIST(self, parent)};
	struct rt_scope s;

	snprintf(self, sizeof(self), "%d", (int)getpid());
	snprintf(parent, sizeof(parent), "%d", (int)getppid());
	assert_int_equal(resolve(&s, &cfg), 0);
	assert_int_equal(s.nr_pids, 2);
	assert_int_equal(s.pids[0], getpid());
	assert_int_equal(s.pids[1], getppid());
	rt_scope__close(&s);
}

static void *resolve_thread(void *ret)
{
	char id[16];
	const struct rt_config cfg = {.pid = LIST(id)};
	struct rt_scope s;

	snprintf(id, sizeof(id), "%d", (int)gettid());
	assert_int_equal(resolve(&s, &cfg), 0);
	assert_int_equal(s.nr_pids, 1);
	*(u32 *)ret = s.pids[0];
	return NULL;
}

/* A thread's id means its process, of which the kernel knows. */
static void test_pid_of_a_thread(void **state)
{
	pthread_t thread;
	u32 pid = 0;

	assert_int_equal(pthread_create(&thread, NULL, resolve_thread, &pid), 0);
	pthread_join(thread, NULL);
	assert_int_equal(pid, getpid());
}

static void test_pid_refused(void **state)
{
	static const char *const mistakes[] = {"abc", "", "-1", "12x", "self", "../proc/1"};
	char gone[16];
	const char *const absent[] = {
		gone,
		"999999999",
		"0",
		/* must not be cut to a number that exists */
		"100000000000000000000000000000000000001",
	};
	size_t n = RT_ARRAY_SIZE(mistakes);
	char words[160];
	pid_t child = fork();

	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	snprintf(gone, sizeof(gone), "%d", (int)child);
	for (size_t i = 0; i < n + RT_ARRAY_SIZE(absent); i++) {
		const char *value = i < n ? mistakes[i] : absent[i - n];
		const struct rt_config cfg = {.pid = LIST(value)};

		snprintf(words, sizeof(words), "--pid %s: there is no process %s", value, value);
		refused_for(i < n ? EINVAL : ESRCH, &cfg, words);
	}
}

/* --- ports ------------------------------------------------------------------- */

static void test_port(void **state)
{
	const struct rt_config cfg = {.port = LIST("80", "8000-8100", "1-65535", "443-443")};
	static const struct rt_port_range want[] = {{80, 80}, {8000, 8100}, {1, 65535}, {443, 443}};
	struct rt_scope s;

	assert_int_equal(resolve(&s, &cfg), 0);
	assert_int_equal(s.nr_ports, RT_ARRAY_SIZE(want));
	assert_memory_equal(s.ports, want, sizeof(want));
	rt_scope__close(&s);
}

static void test_port_refused(void **state)
{
	static const char *const bad[] = {
		"0",
		"65536",
		"80-",
		"-80",
		"90-80",
		"80-70000",
		"http",
		"",
		"80x",
		"80-90x",
		"80-90-",
		"80,90",
		"0-80",
		" 80",
		"80 ",
		"+80",
		"80--90",
		"80- 90",
		"80-+90",
		/* 2^32 + 80 and 2^64 + 80: must not wrap to 80 */
		"4294967376",
		"18446744073709551696",
		"1-4294967376",
	};
	char words[160];

	for (size_t i = 0; i < RT_ARRAY_SIZE(bad); i++) {
		const struct rt_config cfg = {.port = LIST(bad[i])};

		snprintf(words, sizeof(words),
			 "--port %s: give a port or a range, like 80 or 8000-8100", bad[i]);
		refused(&cfg, words);
	}
}

/* --- too many ---------------------------------------------------------------- */

/* As many as there is room for are fine, one more is refused. */
static void at_most(struct rt_config *cfg, struct rt_strlist *list, const char *value, size_t max,
		    const char *words)
{
	const char **items = calloc(max + 1, sizeof(*items));
	struct rt_scope s;

	assert_non_null(items);
	for (size_t i = 0; i <= max; i++)
		items[i] = value;
	*list = (struct rt_strlist){(char **)items, max};
	assert_int_equal(resolve(&s, cfg), 0);
	assert_int_equal(s.nr_netns + s.nr_cgroups + s.nr_pids + s.nr_ports, max);
	rt_scope__close(&s);
	list->n = max + 1;
	refused(cfg, words);
	free(items);
	*list = (struct rt_strlist){0};
}

static void test_too_many(void **state)
{
	struct rt_config cfg = {0};
	int fd = next_fd();
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	at_most(&cfg, &cfg.netns, "/proc/self/ns/net", 64,
		"more than 64 network namespaces in the scope");
	if (cgroup2())
		at_most(&cfg, &cfg.cgroup, cgroup2(), 64, "more than 64 cgroups in the scope");
	at_most(&cfg, &cfg.pid, pid, 1024, "more than 1024 processes in the scope");
	at_most(&cfg, &cfg.port, "80", 64, "more than 64 port ranges in the scope");
	assert_int_equal(next_fd(), fd);
}

/* A short buffer cuts the sentence, and nothing behind it is written (ASan watches). */
static void test_short_buffer(void **state)
{
	const struct rt_config cfg = {.pid = LIST("abc")};
	char *buf = malloc(8);
	struct rt_scope s;

	assert_int_equal(rt_scope__resolve(&s, &cfg, buf, 8), -EINVAL);
	assert_string_equal(buf, "--pid a");
	free(buf);
}

/* --- executables ------------------------------------------------------------- */

static void test_exe(void **state)
{
	const struct {
		struct rt_strlist globs;
		const char *path;
		bool want;
	} rows[] = {
		/* without a slash: the base name, whole */
		{LIST("nginx"), "/usr/sbin/nginx", true},
		{LIST("nginx"), "nginx", true},
		{LIST("nginx"), "/opt/nginx/bin/httpd", false},
		{LIST("nginx"), "/usr/sbin/nginx-debug", false},
		{LIST("ngin"), "/usr/sbin/nginx", false},
		{LIST("python3*"), "/usr/bin/python3.11", true},
		{LIST("python3.1[12]"), "/usr/bin/python3.11", true},
		{LIST("python3.1[12]"), "/usr/bin/python3.13", false},
		{LIST("jav?"), "/usr/bin/java", true},
		{LIST("jav?"), "/usr/bin/jav", false},
		{LIST("Nginx"), "/usr/sbin/nginx", false},
		{LIST("*"), "/any/thing", true},
		/* an executable that was replaced while it runs */
		{LIST("nginx*"), "/usr/sbin/nginx (deleted)", true},
		{LIST("nginx"), "/usr/sbin/nginx (deleted)", true},
		{LIST("/usr/sbin/nginx"), "/usr/sbin/nginx (deleted)", true},
		{LIST("nginx"), "/usr/sbin/httpd (deleted)", false},
		/* with one: the whole path */
		{LIST("/usr/sbin/nginx"), "/usr/sbin/nginx", true},
		{LIST("/usr/sbin/nginx"), "/usr/local/sbin/nginx", false},
		{LIST("*/nginx"), "/usr/sbin/nginx", true},
		{LIST("/opt/*"), "/opt/a/b/c", true},
		{LIST("/opt/*"), "/usr/opt/a", false},
		{LIST("sbin/nginx"), "/usr/sbin/nginx", false},
		/* any of several; none is nobody */
		{LIST("java", "node", "nginx"), "/usr/bin/node", true},
		{LIST("java", "node", "nginx"), "/usr/bin/ruby", false},
		{{0}, "/usr/bin/node", false},
		/* no path */
		{LIST("nginx"), "", false},
	};

	for (size_t i = 0; i < RT_ARRAY_SIZE(rows); i++)
		if (rt_scope__exe_matches(&rows[i].globs, rows[i].path) != rows[i].want)
			fail_msg("row %zu: %s", i, rows[i].path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_netns),
		cmocka_unit_test(test_netns_refused),
		cmocka_unit_test(test_netns_without_descriptors),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_cgroup_refused),
		cmocka_unit_test(test_pid),
		cmocka_unit_test(test_pid_of_a_thread),
		cmocka_unit_test(test_pid_refused),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_port_refused),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_short_buffer),
		cmocka_unit_test(test_exe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
