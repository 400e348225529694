// SPDX-License-Identifier: Apache-2.0
/* Service names out of environments, command lines and units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "meta/service.h"

/* Command lines are written with '|' between the arguments. */
static const struct {
	const char *exe, *args, *cwd, *name; /* name "": falls through */
} commands[] = {
	/* not interpreters, whatever their argv says */
	{"nginx", "nginx: worker process", "/", ""},
	{"nginx", "python3|app.py", "/", ""},
	{"shop", "shop|--port|80", "/", ""},
	{"php-fpm8.2", "php-fpm: pool www", "/", ""},
	{"postgres", "postgres: walwriter", "/", ""},

	{"python3.11", "python3|api.py", "/srv/shop", "api"},
	{"python3", "python3|-u|/srv/shop/api.py|--port|80", "/", "api"},
	{"python3.11", "python3|-X|dev|-W|ignore|-Xfaulthandler|app.py", "/", "app"},
	{"python3.11", "python3|-i|app.py", "/", "app"},
	{"python3.11", "python3|-m|http.server|8000", "/", "http.server"},
	{"python3.11", "python3|-um|http.server", "/", "http.server"},
	{"python3.11", "python3|-mhttp.server", "/", "http.server"},
	{"python3.11", "python3|-m|shop.__main__", "/", "shop"},
	{"python3.11", "python3|/srv/shop/__main__.py", "/", "shop"},
	{"python3.11", "python3|/srv/shop", "/", "shop"},
	{"python3.11", "python3|.", "/srv/shop", "shop"},
	{"python3.11", "python3|-c|import http.server", "/", ""},
	{"python3.11", "python3|-Ic|print()|app.py", "/", ""},
	{"python3.11", "python3|-", "/", ""},
	{"python3.11", "python3", "/", ""},
	{"python3.11", "", "/", ""},
	{"python3.11", "python3|/dev/fd/63", "/", ""},
	{"python3.11", "python3|--|-odd.py", "/", "-odd"},
	{"python3.11", "python3|--check-hash-based-pycs|always|app.py", "/", "app"},
	{"pypy3", "pypy3|app.py", "/", "app"},
	{"python3.13t", "python3.13t|app.py", "/", "app"},

	{"python3.11", "/usr/bin/python3|/usr/bin/gunicorn|app:app", "/", "app"},
	{"python3.11", "python3|/usr/bin/gunicorn|-w|2|-b|127.0.0.1:8000|shop.wsgi:application",
	 "/", "shop"},
	{"python3.11", "python3|/usr/bin/gunicorn|-k|uvicorn.workers.UvicornWorker|app:create()",
	 "/", "app"},
	{"python3.11", "python3|/usr/bin/gunicorn|shop.wsgi", "/", "shop"},
	{"python3.11", "python3|/usr/bin/gunicorn|shop.wsgi|--bind|0.0.0.0:8000", "/", "shop"},
	{"python3.11", "python3|/usr/bin/gunicorn|shop.wsgi|--log-file|-", "/", "shop"},
	{"python3.11", "python3|/usr/bin/gunicorn|-w|4|shop.wsgi|--log-level|info", "/", "shop"},
	{"python3.11", "python3|/usr/bin/gunicorn|--preload|-w|4|-k|gevent", "/", "gunicorn"},
	{"python3.11", "python3|/usr/bin/gunicorn|-c|conf", "/", "gunicorn"},
	{"python3.11", "python3|/usr/bin/gunicorn|-b|unix:/run/a.sock|--threads=2|api", "/", "api"},
	{"python3.11", "python3|/usr/bin/gunicorn|-w|3|--bind|unix:shop.sock|-m|007|wsgi:app", "/",
	 "wsgi"},
	{"python3.11", "python3|/usr/bin/gunicorn|-c|python:conf|-b|fd:shop|shop.wsgi:app", "/",
	 "shop"},
	{"python3.11", "python3|/usr/bin/gunicorn|-c|file:conf.py|shop:app", "/", "shop"},
	{"python3.11", "python3|-m|uvicorn|shop.api.main:app|--port|80", "/", "shop.api"},
	{"python3.11", "gunicorn: worker [shop.wsgi:app]", "/", "shop"},
	{"python3.11", "gunicorn: master [app]", "/", "app"},
	{"python3.11", "some title without a name", "/", ""},
	{"python3.11", "                ", "/", ""},
	{"python3.11", "worker[shop]", "/", ""},
	{"python3.11", "python3|/usr/bin/flask|--app|shop|run", "/", "shop"},
	{"python3.11", "python3|/usr/bin/flask|--app=shop:create_app|run", "/", "shop"},
	{"python3.11", "python3|/usr/bin/flask|run", "/", "flask"},

	{"node", "node|server.js", "/", "server"},
	{"node", "node|server", "/", "server"},
	{"node", "/usr/bin/node|--require|./trace.js|--inspect|/srv/server.mjs", "/", "server"},
	{"node", "node|-r|dotenv/config|--max-old-space-size=4096|server.js", "/", "server"},
	{"node", "node|.", "/srv/shop", "shop"},
	{"node", "node|index.js", "/srv/shop", "shop"},
	{"node", "node|./lib/../index.js", "/srv/shop/", "shop"},
	{"node", "node|/srv/shop/dist/index.js", "/", "shop"},
	{"node", "node|/index.js", "/", ""},
	{"node", "node|index.js", "", ""},
	{"node", "node|-e|require('http')", "/", ""},
	{"node", "node|-pe|1", "/", ""},
	{"node", "node|--eval=1|x.js", "/", ""},
	{"node", "node|/usr/bin/ts-node|--transpile-only|api.ts", "/", "api"},
	{"nodejs", "nodejs|app.js", "/", "app"},
	{"node-20", "node|server.js", "/", "server"},
	{"node-exporter", "node|server.js", "/", ""},
	{"node", "node|--unhandled-rejections|strict|--max-http-header-size|16384|server.js", "/",
	 "server"},
	{"node", "node|--env-file-if-exists|.env|--disable-warning|X|--dns-result-order|ipv4first|s.js",
	 "/", "s"},
	{"node", "node|--run|start", "/", ""},
	{"node", "node|build", "/srv/shop", "shop"},
	{"node", "node|build/index.js", "/srv/shop", "shop"},
	/* PM2 */
	{"node", "node /srv/shop/api.js", "/", "api"},
	{"node", "node /srv/shop/index.js", "/", "shop"},
	{"node", "node says hello", "/", ""},
	{"node", "node /srv/shop/server.js (worker 17)", "/", ""},
	{"node", "node /srv/shop/server.js [shop]", "/", "shop"},

	{"java", "java|-jar|shop.jar", "/", "shop"},
	{"java", "java|-Xmx1g|-Da=b|-jar|/opt/shop-1.2.3.jar|--server.port=80", "/", "shop"},
	{"java", "java|-jar|shop-1.0.0-SNAPSHOT.jar", "/", "shop"},
	{"java", "java|-jar|shop-2.jar", "/", "shop"},
	{"java", "java|-jar|shop-v2.1.war", "/", "shop"},
	{"java", "java|-jar|shop-3-SNAPSHOT.jar", "/", "shop"},
	{"java", "java|-jar|order-3scale.jar", "/", "order-3scale"},
	{"java", "java|-cp|/opt/a.jar:/opt/b.jar|com.acme.Shop|x", "/", "Shop"},
	{"java", "java|-classpath|a.jar|--add-opens|java.base/java.lang=ALL-UNNAMED|com.acme.Shop",
	 "/", "Shop"},
	{"java", "java|-p|mods|-m|com.acme/com.acme.Shop", "/", "Shop"},
	{"java", "java|@args|com.acme.Shop", "/", "Shop"},
	{"java", "java|--source|17|Server.java", "/", "Server"},
	{"java", "java|-cp|/app|org.springframework.boot.loader.launch.JarLauncher", "/", ""},
	{"java", "java|-cp|x|org.apache.catalina.startup.Bootstrap|start", "/", ""},
	{"java", "java|-jar|/deployments/quarkus-run.jar", "/", ""},
	{"java", "java|-jar|/opt/Bootstrapper.jar", "/", "Bootstrapper"},
	{"java", "java|-cp", "/", ""},
	{"java", "java|-jar", "/", ""},

	{"ruby3.1", "ruby|x.rb", "/", "x"},
	{"ruby", "ruby|-I|lib|-rbundler/setup|-W0|/srv/web.rb", "/", "web"},
	{"ruby", "ruby|-run|-e|httpd|--|.", "/", ""},
	{"ruby", "ruby|/usr/bin/bundle|exec|puma|-p|3000", "/", "puma"},
	{"ruby.ruby3.4", "ruby|x.rb", "/", "x"},
	{"ruby", "unicorn worker[0]", "/", ""},
	{"ruby", "unicorn master -c /srv/u.rb", "/", ""},
	{"ruby", "puma 5.6.5 (tcp://0.0.0.0:3000) [shop]", "/", "shop"},

	{"php8.2", "php|-S|127.0.0.1:8000|router.php", "/", "router"},
	{"php8.2", "php|-S|127.0.0.1:8000|-t|public|router.php", "/", "router"},
	{"php8.2", "php|x.php", "/", "x"},
	{"php8.2", "php|-d|a=b|-da=b|-f|x.php", "/", "x"},
	{"php8.2", "php|-r|echo 1;", "/", ""},
	{"php8.2", "php|-S|127.0.0.1:8000", "/", ""},
	{"php8.2", "php|/srv/shop/index.php", "/", "shop"},

	{"perl", "perl|-w|-I|lib|/srv/server.pl", "/", "server"},
	{"perl", "perl|-Mstrict|server.pl", "/", "server"},
	{"perl", "perl|-lne|print|file", "/", ""},
	{"perl", "perl|/usr/bin/plackup|-p|5000|app.psgi", "/", "app"},

	{"bash", "bash|/srv/script.sh|x", "/", "script"},
	{"dash", "sh|-eu|script.sh", "/", "script"},
	{"bash", "bash|-euo|pipefail|script.sh", "/", "script"},
	{"bash", "bash|-c|nc -l 80", "/", ""},
	{"bash", "-bash", "/", ""},
	{"bash", "bash|--rcfile|x.rc|script.sh", "/", "script"},

	{"deno", "deno|run|--allow-net|-c|deno.json|server.ts", "/", "server"},
	{"deno", "deno|eval|1", "/", ""},
	{"deno", "deno|serve|--port|8080|server.ts", "/", "server"},
	{"deno", "deno|run|--env-file|server.ts|prod", "/", "server"},
	{"bun", "bun|--config|server.ts", "/", "server"},
	{"bun", "bun|--port|3000|server.ts", "/", "server"},
	{"bun", "bun|run|--watch|server.ts", "/", "server"},
	{"bun", "bun|server.tsx", "/", "server"},
	{"R", "R|--no-echo|--no-restore|--file=/srv/app.R|--args|80", "/", "app"},
	{"R", "R|-f|app.R", "/", "app"},
	{"R", "R|-e|1", "/", ""},
	{"dotnet", "dotnet|Shop.dll|--urls|x", "/", "Shop"},
	{"dotnet", "dotnet|exec|--depsfile|x.json|Shop.dll", "/", "Shop"},
	{"dotnet", "dotnet|run", "/", ""},
};

static struct rt_slice zeros(const char *s, char *buf, char from)
{
	size_t n = strlen(s);

	memcpy(buf, s, n + 1);
	for (size_t i = 0; i < n; i++)
		if (buf[i] == from)
			buf[i] = '\0';
	return (struct rt_slice){(const u8 *)buf, n ? (u32)n + 1 : 0};
}

static void test_commands(void **state)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(commands); i++) {
		char buf[1024], out[RT_SERVICE_MAX];
		struct rt_slice args = zeros(commands[i].args, buf, '|');
		struct rt_service_facts f = {.executable = commands[i].exe,
					     .args = args,
					     .unit = "",
					     .cwd = commands[i].cwd};
		bool ok = rt_service__from_args(&f, out);

		print_message("%s: %s\n", commands[i].exe, commands[i].args);
		assert_int_equal(ok, commands[i].name[0] != '\0');
		if (ok)
			assert_string_equal(out, commands[i].name);
	}
}

/* A title over the old arguments leaves NULs behind. */
static void test_rewritten(void **state)
{
	static const char title[64] = "gunicorn: worker [shop]";
	static const char bare[64] = "myapp";
	struct rt_service_facts f = {.executable = "python3.11",
				     .args = {(const u8 *)title, 64},
				     .unit = "",
				     .cwd = "/"};
	char out[RT_SERVICE_MAX];

	assert_true(rt_service__from_args(&f, out));
	assert_string_equal(out, "shop");
	f.executable = "node";
	f.args.p = (const u8 *)bare;
	assert_false(rt_service__from_args(&f, out));
}

/* Names that every service's program has: of the unit "u" by that, else by a directory. */
static const struct {
	const char *exe, *args, *cwd, *with_unit, *without;
} generics[] = {
	{"python3.11", "python3|/usr/bin/uvicorn|main:app", "/srv/orders", "u", "orders"},
	{"python3.11", "python3|/usr/bin/uvicorn|app.main:app", "/srv/orders", "u", "orders"},
	{"python3.11", "python3|/usr/bin/uvicorn|src.main:app", "/app", "u", "src"},
	{"python3.11", "python3|/usr/bin/uvicorn|main:app", "/app", "u", "main"},
	{"python3.11", "python3|/usr/bin/uvicorn|main:app", "", "u", "main"},
	{"python3.11", "python3|/usr/bin/uvicorn|shop.server:app", "/srv/x", "shop", "shop"},
	{"python3.11", "python3|/usr/bin/gunicorn|wsgi:app", "/srv/orders", "u", "orders"},
	{"python3.11", "python3|/usr/bin/gunicorn|config.wsgi:application", "/srv/orders", "u",
	 "orders"},
	{"python3.11", "gunicorn: worker [wsgi:app]", "/srv/orders", "u", "orders"},
	{"python3.11", "python3|manage.py|runserver", "/srv/orders", "u", "orders"},
	{"python3.11", "python3|/srv/orders/manage.py|runserver", "/", "u", "orders"},
	{"python3.11", "python3|-m|app.main", "/srv/orders", "u", "orders"},
	{"python3.11", "python3|-m|shop.main", "/srv/orders", "shop.main", "shop.main"},
	{"python3.11", "python3|-m|http.server", "/srv/orders", "http.server", "http.server"},
	{"python3.11", "python3|/home/ann/orders/__main__.py", "/", "u", "orders"},
	{"node", "node|dist/main.js", "/srv/orders", "u", "orders"},
	{"node", "node|/srv/orders/dist/main.js", "/", "u", "orders"},
	{"node", "node|/opt/orders/releases/20240131120000/dist/main.js", "/", "u", "orders"},
	{"node", "node|/app/main.js", "/srv/orders", "u", "orders"},
	{"node", "node|/app/main.js", "/", "u", "main"},
	{"node", "node|/usr/src/app/index.js", "/", "u", "node"},
	{"node", "node|bin/www", "/srv/orders", "u", "orders"},
	{"node", "node|app", "/srv/orders", "u", "orders"},
	{"node", "node|.", "/srv/orders", "u", "orders"},
	{"node", "node|build", "/srv/orders", "u", "orders"},
	{"node", "node|/srv/orders/", "/", "orders", "orders"},
	{"node", "node|index.js", "/srv/orders", "u", "orders"},
	{"node", "node /srv/orders/server.js", "/", "u", "orders"},
	{"node", "node|pay.js", "/srv/orders", "pay", "pay"},
	{"java", "java|-jar|/app.jar", "/", "u", "app"},
	{"java", "java|-jar|/srv/orders/target/app-1.0.jar", "/", "u", "orders"},
	{"java", "java|-jar|/opt/jetty/start.jar", "/", "u", "jetty"},
	{"java", "java|-jar|quarkus-app/quarkus-run.jar", "/srv/orders", "u", "orders"},
	{"java", "java|-cp|x|com.acme.orders.Main", "/srv/x", "u", "orders"},
	{"java", "java|-cp|x|com.acme.orders.app.ApplicationKt", "/", "u", "orders"},
	{"java", "java|-m|mod/com.acme.orders.Main", "/", "u", "orders"},
	{"java", "java|-cp|x|Main", "/srv/orders", "u", "orders"},
	{"java", "java|-cp|x|Main", "/", "u", "Main"},
	{"java", "java|-cp|x|io.ktor.server.netty.EngineMain", "/srv/orders", "u", "orders"},
	{"java", "java|-cp|x|io.ktor.server.netty.EngineMain", "/", "u", "EngineMain"},
	{"java", "java|-cp|x|play.core.server.ProdServerStart", "/srv/orders", "u", "orders"},
	{"java", "java|-cp|x|com.acme.orders.Launcher", "/", "u", "orders"},
	{"java", "java|/srv/orders/Server.java", "/", "u", "orders"},
	{"ruby", "ruby|bin/rails|server", "/srv/orders", "u", "orders"},
	{"ruby", "ruby|/usr/bin/bundle|exec|rails|s", "/srv/orders", "u", "orders"},
	{"ruby", "ruby|/usr/bin/bundle|exec|rackup|-p|9292|config.ru", "/srv/orders", "u",
	 "orders"},
	{"ruby", "ruby|/usr/bin/bundle|exec|rackup|-p|9292|config.ru", "/", "u", "rackup"},
	{"ruby", "ruby|/usr/bin/bundle|exec|puma|-C|config/puma.rb", "/srv/orders", "u", "orders"},
	{"ruby", "ruby|/usr/bin/bundle|exec|puma|-C|/srv/config/web.rb", "/", "u", "puma"},
	{"ruby", "ruby|/usr/bin/bundle|exec|sidekiq|-r|./config/boot.rb", "/srv/orders", "sidekiq",
	 "sidekiq"},
	{"ruby", "ruby|/usr/bin/bundle|exec|ruby|web.rb", "/srv/orders", "web", "web"},
	{"ruby", "ruby|/var/lib/gems/3.1.0/bin/puma|-p|80", "/srv/orders", "u", "orders"},
	{"ruby", "ruby|/usr/local/rvm/gems/ruby-3.1/bin/puma", "/srv/orders", "u", "orders"},
	{"php8.2", "php|artisan|serve", "/srv/orders", "u", "orders"},
	{"php8.2", "php|bin/console", "/var/www/orders", "u", "orders"},
	{"perl", "perl|/usr/bin/plackup|app.psgi", "/srv/orders", "u", "orders"},
	{"dotnet", "dotnet|/srv/orders/bin/App.dll", "/", "u", "orders"},
};

static void test_generic(void **state)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(generics); i++) {
		char buf[1024];
		struct rt_service_facts f = {.executable = generics[i].exe,
					     .args = zeros(generics[i].args, buf, '|'),
					     .unit = "u",
					     .cwd = generics[i].cwd};
		struct rt_service_name name;

		print_message("%s in %s\n", generics[i].args, generics[i].cwd);
		rt_service__name(&f, &name);
		assert_string_equal(name.name, generics[i].with_unit);
		f.unit = "";
		rt_service__name(&f, &name);
		assert_string_equal(name.name, generics[i].without);
	}
}

#define LONG8	"aaaaaaaa"
#define LONG64	LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8
#define LONG256 LONG64 LONG64 LONG64 LONG64

/* Environments are written with '|' for NUL; the last one is closed unless cut. */
static const struct {
	const char *env, *name, *space;
	bool cut;
} envs[] = {
	{"PATH=/bin|OTEL_SERVICE_NAME=shop", "shop", "", false},
	{"OTEL_SERVICE_NAME=|PATH=/bin", "exe", "", false},
	{"OTEL_SERVICE_NAME=  shop ", "shop", "", false},
	{"XOTEL_SERVICE_NAME=shop", "exe", "", false},
	{"OTEL_SERVICE_NAMES=shop", "exe", "", false},
	{"OTEL_SERVICE_NAME=sho", "exe", "", true},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=shop,service.namespace=eu", "shop", "eu", false},
	{"OTEL_RESOURCE_ATTRIBUTES= a=b , service.name = shop ,", "shop", "", false},
	{"OTEL_SERVICE_NAME=a|OTEL_RESOURCE_ATTRIBUTES=service.name=b,service.namespace=n", "a",
	 "n", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=my%20shop%2C%3D%25", "my shop,=%", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service%2Ename=shop", "shop", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=%C3%A9t%c3%a9", "\xc3\xa9t\xc3\xa9", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=a=b", "a=b", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=a,service.name=b", "b", "", false},
	/* any error voids the variable */
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=a,b=%4", "exe", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=a,b=%", "exe", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=a,b=%zz", "exe", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=service.name=a,b", "exe", "", false},
	{"OTEL_RESOURCE_ATTRIBUTES=", "exe", "", false},
	/* control bytes do not reach a terminal */
	{"OTEL_SERVICE_NAME=a\x1b[31m", "a?[31m", "", false},
	{"", "exe", "", false},
	{"OTEL_SERVICE_NAME=" LONG256 LONG256,
	 LONG64 LONG64 LONG64 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 LONG8 "aaaaaaa", "", false},
};

static void test_envs(void **state)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(envs); i++) {
		char buf[1024];
		struct rt_slice env = zeros(envs[i].env, buf, '|');
		struct rt_service_facts facts = {
			.executable = "exe", .env = env, .unit = "", .cwd = ""};
		struct rt_service_name name;

		if (envs[i].cut)
			facts.env.len--;
		rt_service__name(&facts, &name);
		assert_string_equal(name.name, envs[i].name);
		assert_string_equal(name.service_namespace, envs[i].space);
	}
}

/* A JVM's properties stand for the variables; behind the program they are its arguments. */
static const struct {
	const char *exe, *args, *env, *name, *space;
} properties[] = {
	{"java", "java|-Dotel.service.name=shop|-jar|x.jar", "", "shop", ""},
	{"java", "java|-Dotel.service.name=a|-Dotel.service.name=b|x.Y", "", "b", ""},
	{"java", "java|-cp|a.jar|-Dotel.service.name=shop|x.Y", "A=b", "shop", ""},
	{"java", "java|-jar|x.jar|-Dotel.service.name=shop", "", "x", ""},
	{"java", "java|-Dotel.service.name=|-jar|x.jar", "", "x", ""},
	{"java", "java|-Dotel.service.names=shop|-jar|x.jar", "", "x", ""},
	{"java", "java|-Dotel.service.name=shop|-jar|x.jar", "OTEL_SERVICE_NAME=env", "shop", ""},
	{"java", "java|-Dotel.service.name=shop|-jar|x.jar",
	 "OTEL_RESOURCE_ATTRIBUTES=service.name=env,service.namespace=eu", "shop", "eu"},
	{"java", "java|-Dotel.resource.attributes=service.name=my%20shop,service.namespace=eu|x.Y",
	 "", "my shop", "eu"},
	{"java", "java|-Dotel.resource.attributes=service.name=shop,service.namespace=eu|x.Y",
	 "OTEL_RESOURCE_ATTRIBUTES=service.name=env", "shop", "eu"},
	{"java", "java|-Dotel.resource.attributes=service.name=shop,x|x.Y", "", "Y", ""},
	{"java", "java|-Dotel.service.name=shop", "", "shop", ""},
	{"java", "", "", "java", ""},
	{"node", "node|x.js|-Dotel.service.name=shop", "", "x", ""},
	{"shop", "shop|-Dotel.service.name=x", "", "shop", ""},
};

static void test_properties(void **state)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(properties); i++) {
		char args_buf[256], env_buf[256];
		struct rt_service_facts f = {.executable = properties[i].exe,
					     .args = zeros(properties[i].args, args_buf, '|'),
					     .env = zeros(properties[i].env, env_buf, '|'),
					     .unit = "",
					     .cwd = "/"};
		struct rt_service_name name;

		print_message("%s: %s\n", properties[i].args, properties[i].env);
		rt_service__name(&f, &name);
		assert_string_equal(name.name, properties[i].name);
		assert_string_equal(name.service_namespace, properties[i].space);
	}
}

static void test_order(void **state)
{
	char args_buf[64], env_buf[128];
	struct rt_service_facts f = {
		.executable = "python3",
		.args = zeros("python3|api.py", args_buf, '|'),
		.env = zeros("OTEL_SERVICE_NAME=a|OTEL_RESOURCE_ATTRIBUTES=service.name=b", env_buf,
			     '|'),
		.unit = "u",
		.cwd = "/",
	};
	struct rt_service_name name;

	rt_service__name(&f, &name);
	assert_string_equal(name.name, "a");
	f.env = zeros("OTEL_RESOURCE_ATTRIBUTES=service.name=b", env_buf, '|');
	rt_service__name(&f, &name);
	assert_string_equal(name.name, "b");
	f.env.len = 0;
	rt_service__name(&f, &name);
	assert_string_equal(name.name, "api");
	f.args.len = 0;
	rt_service__name(&f, &name);
	assert_string_equal(name.name, "u");
	f.unit = "";
	rt_service__name(&f, &name);
	assert_string_equal(name.name, "python3");
	f.executable = "";
	rt_service__name(&f, &name);
	assert_string_equal(name.name, "unknown");
}

/* Random argument blocks: no read or write out of bounds, always an ended name. */
static void test_hostile(void **state)
{
	static const char *const exes[] = {"python3", "node", "java", "ruby", "php",
					   "perl",    "bash", "deno", "bun",  "dotnet"};
	static const char alphabet[] = "\0\0-./:=[]@ aceimrsSfjx1";
	u32 x = 1;

	for (int round = 0; round < 200000; round++) {
		u32 len = (x >> 8) % 200;
		char *block = malloc(len + 1), out[RT_SERVICE_MAX];

		for (u32 i = 0; i < len; i++) {
			x = x * 1664525 + 1013904223;
			block[i] = alphabet[(x >> 16) % (sizeof(alphabet) - 1)];
		}
		x = x * 1664525 + 1013904223;
		block = realloc(block, len ? len : 1);
		struct rt_service_facts f = {.executable = exes[(x >> 16) % RT_ARRAY_SIZE(exes)],
					     .args = {(const u8 *)block, len},
					     .unit = "",
					     .cwd = "/a/b"};

		rt_service__from_args(&f, out);
		assert_true(rt_service__java_options(&f).len <= len);
		assert_true(memchr(out, '\0', sizeof(out)) != NULL);
		free(block);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commands),   cmocka_unit_test(test_rewritten),
		cmocka_unit_test(test_generic),	   cmocka_unit_test(test_envs),
		cmocka_unit_test(test_properties), cmocka_unit_test(test_order),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
