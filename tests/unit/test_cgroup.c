// SPDX-License-Identifier: Apache-2.0
/* Container ids and units out of cgroup paths, as the runtimes and systemd make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "meta/cgroup.h"

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define POD "pod8f1c2f6e_7d1e_4c58_9a6e_0c1d2e3f4a5b"

static const struct {
	const char *path, *container, *unit;
} paths[] = {
	{"/", "", ""},
	{"", "", ""},
	/* docker: cgroupfs, systemd, rootless, docker in docker */
	{"/docker/" ID, ID, ""},
	{"/system.slice/docker-" ID ".scope", ID, ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", ID, ""},
	{"/docker/" ID "/docker/" ID2, ID2, ""},
	{"/docker/" ID "/system.slice/nginx.service", ID, "nginx"},
	{"/system.slice/docker.service", "", "docker"},
	/* kubernetes: containerd and CRI-O, both drivers */
	{"/kubepods/besteffort/pod8f1c2f6e-7d1e-4c58-9a6e-0c1d2e3f4a5b/" ID, ID, ""},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-" POD
	 ".slice/cri-containerd-" ID ".scope",
	 ID, ""},
	{"/system.slice/containerd.service/kubepods-besteffort-" POD ".slice:cri-containerd:" ID,
	 ID, ""},
	{"/kubepods.slice/kubepods-" POD ".slice/crio-" ID ".scope", ID, ""},
	{"/kubepods.slice/kubepods-" POD ".slice/crio-" ID ".scope/container", ID, ""},
	{"/kubepods.slice/kubepods-" POD ".slice/crio-conmon-" ID ".scope", "", ""},
	/* podman */
	{"/machine.slice/libpod-" ID ".scope", ID, ""},
	{"/machine.slice/libpod-" ID ".scope/container", ID, ""},
	{"/libpod_parent/libpod-" ID, ID, ""},
	{"/system.slice/shop.service/libpod-payload-" ID, ID, "shop"},
	{"/system.slice/shop.service/runtime", "", "shop"},
	{"/machine.slice/libpod-conmon-" ID ".scope", "", ""},
	/* seen from within a cgroup namespace */
	{"/../../docker-" ID ".scope", ID, ""},
	/* 63 and 65 digits, and 64 bytes that are not all hex */
	{"/docker/123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "", ""},
	{"/docker/0" ID, "", ""},
	{"/docker/g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", "", ""},
	/* systemd */
	{"/system.slice/nginx.service", "", "nginx"},
	{"/system.slice/nginx.service/workers", "", "nginx"},
	{"/system.slice/system-postgresql.slice/postgresql@15-main.service", "",
	 "postgresql@15-main"},
	{"/system.slice/my\\x2dshop.service", "", "my-shop"},
	{"/system.slice/odd\\x2.service", "", "odd\\x2"},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service", "", "shop"},
	{"/user.slice/user-1000.slice/user@1000.service/init.scope", "", ""},
	{"/user.slice/user-1000.slice/user@1000.service", "", ""},
	{"/user.slice/user-1000.slice/session-3.scope", "", ""},
	{"/init.scope", "", ""},
	{"/system.slice/.service", "", ""},
};

static void test_paths(void **state)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(paths); i++) {
		struct rt_cgroup c;

		rt_cgroup__parse_path(paths[i].path, &c);
		print_message("%s\n", paths[i].path);
		assert_string_equal(c.container_id, paths[i].container);
		assert_string_equal(c.unit, paths[i].unit);
	}
}

static const struct {
	const char *text, *container, *unit;
} files[] = {
	{"", "", ""},
	{"0::/system.slice/nginx.service\n", "", "nginx"},
	{"0::/system.slice/nginx.service", "", "nginx"},
	/* v1, with a controller that nobody set up */
	{"12:rdma:/\n11:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", ID, ""},
	{"12:cpu,cpuacct:/\n1:name=systemd:/system.slice/ssh.service\n0::/\n", "", "ssh"},
	/* one hierarchy knows the container, another only the runtime's unit */
	{"1:name=systemd:/system.slice/containerd.service\n2:memory:/kubepods/podx/" ID "\n", ID,
	 ""},
	{"2:memory:/kubepods/podx/" ID "\n1:name=systemd:/system.slice/containerd.service\n", ID,
	 ""},
	{"nonsense\n:\n::\n0::/system.slice/a.service\n", "", "a"},
};

static void test_files(void **state)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(files); i++) {
		struct rt_cgroup c;

		rt_cgroup__parse(files[i].text, &c);
		assert_string_equal(c.container_id, files[i].container);
		assert_string_equal(c.unit, files[i].unit);
	}
}

static const struct {
	const char *unit, *naming;
} units[] = {
	{"", ""},
	{"nginx", "nginx"},
	{"web@1", "web@1"},
	{"web@", "web@"},
	{"postgresql@15-main", "postgresql@15-main"},
	{"web@1-2", "web@1-2"},
	{"web@eu-1-2-3", "web@eu-1-2-3"},
	{"web@1-dead-beef", "web@1-dead-beef"},
	{"web@8080-a:b-c", "web@8080-a:b-c"},
	/* a connection: of IPv4, IPv6, a Unix socket, with a cookie, without credentials */
	{"hello@0-127.0.0.1:8000-127.0.0.1:50123", "hello"},
	{"hello@12-::1:8000-fe80::a1:50123", "hello"},
	{"hello@0-fe80::a1:8000-fe80::b2:50123", "hello"},
	{"hello@3-1234-1000", "hello"},
	{"hello@3-77-1234_99-0", "hello"},
	{"hello@3-77-10.0.0.1:80-10.0.0.2:50123", "hello"},
	{"hello@3-unknown", "hello"},
	/* what somebody gave */
	{"shard@0-1-2", "shard@0-1-2"},
	{"backup@2024-01-31", "backup@2024-01-31"},
	{"queue@10-20-", "queue@10-20-"},
	{"queue@10-2000-", "queue@10-2000-"},
	/* systemd-run */
	{"run-u17", ""},
	{"run-r0123456789abcdef0123456789abcdef", ""},
	{"run-p1234-i5678", ""},
	{"run-p1234", ""},
	{"run-u", "run-u"},
	{"run-", "run-"},
	{"run-u17a", "run-u17a"},
	{"run-prod", "run-prod"},
	{"run-reports", "run-reports"},
	{"run-read", "run-read"},
	{"run-race", "run-race"},
	{"run-p12-x", "run-p12-x"},
	/* what runs others' programs */
	{"supervisor", ""},
	{"supervisord", ""},
	{"gitlab-runsvdir", ""},
	{"runsvdir", ""},
	{"runit", ""},
	{"cron", ""},
	{"crond", ""},
	{"atd", ""},
	{"ssh", ""},
	{"sshd", ""},
	{"sshd@3-10.0.0.1:22-10.0.0.2:50123", ""},
	{"systemd-nspawn@web", ""},
	{"docker", ""},
	{"containerd", ""},
	{"podman", ""},
	{"pm2-deploy", ""},
	{"supervisor-ui", "supervisor-ui"},
	{"docker-registry", "docker-registry"},
	{"cro", "cro"},
};

static void test_naming_unit(void **state)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(units); i++) {
		char name[RT_UNIT_MAX];

		print_message("%s\n", units[i].unit);
		rt_cgroup__naming_unit(units[i].unit, name);
		assert_string_equal(name, units[i].naming);
	}
}

/* A unit name of any length stays inside its field. */
static void test_long(void **state)
{
	static char text[9000];
	struct rt_cgroup c;

	memset(text, 'a', sizeof(text) - 1);
	for (size_t len = 200; len < sizeof(text) - 20; len += 97) {
		memcpy(text, "0::/", 4);
		memcpy(text + len, ".service\n", 10);
		rt_cgroup__parse(text, &c);
		assert_true(strlen(c.unit) < RT_UNIT_MAX);
		memset(text + len, 'a', 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_naming_unit),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
