/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the configuration share: a file to write, and a load that must succeed. */
#ifndef TEST_CONFIG_HELPER_H
#define TEST_CONFIG_HELPER_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/option.h"
#include "util/log.h"

#define SEC	  1000000000ull
#define ARGV(...) ((char **)(const char *[]){__VA_ARGS__})

static char dir[] = "/tmp/redtap-test-config-XXXXXX";
static char yaml_path[64];

static inline int setup(void **state)
{
	if (!mkdtemp(dir))
		return -1;
	snprintf(yaml_path, sizeof(yaml_path), "%s/redtap.yaml", dir);
	return 0;
}

static inline int teardown(void **state)
{
	unlink(yaml_path);
	return rmdir(dir);
}

static inline void write_file(const char *text, size_t len)
{
	FILE *f = fopen(yaml_path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* Loads from a file's text (NULL: none), variables and flags that must be right. */
static inline struct rt_config *load(const char *yaml, char *const *env,
				     const struct rt_config_flag *flags, size_t nr_flags)
{
	struct rt_config *cfg = NULL;
	char sentence[256];

	if (yaml)
		write_file(yaml, strlen(yaml));
	if (rt_config__load(&cfg, yaml ? yaml_path : NULL, env, flags, nr_flags, sentence,
			    sizeof(sentence)))
		fail_msg("%s", sentence);
	return cfg;
}

/* Every kind of value, in every form. */
static const char full_yaml[] = "# everything\n"
				"listen: '[::1]:80'\n"
				"netns: [/run/netns/a, 12]\n"
				"port:\n"
				"  - 80\n"
				"  - 8000-8100\n"
				"exe: nginx\n"
				"pid:\n"
				"backend: syscall\n"
				"ring_size: 256K\n"
				"log: {level: debug, format: json}\n"
				"metrics:\n"
				"  ttl: 90s\n"
				"  max_series: 10\n"
				"routes:\n"
				"  infer: no\n"
				"  patterns: [\"/users/{id}\", /]\n"
				"labels.pid: true\n"
				"self:\n"
				"services:\n"
				"  - name: shop\n"
				"    exe: '*/java'\n"
				"    port: 8080\n"
				"  - {name: a b, cmdline: '*x*', unit: a.service}\n";

#endif /* TEST_CONFIG_HELPER_H */
