// SPDX-License-Identifier: Apache-2.0
/*
 * The name of what an interpreter runs: `python3 -u app.py` is "app". Called
 * by service.c. One row per interpreter says which options take values, so
 * that the script is told from an option's value; one row per launcher says
 * where the application stands behind the launcher's own script.
 *
 * Whether a process is an interpreter is decided by its executable, never by
 * argv[0], which processes overwrite at will.
 */
#include "meta/service.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ARGS_TEXT_MAX RT_ARGS_MAX
#define ARGS_MAX      512

/* Letters are of short options ("-Im x" is the letters I, m); words are whole
 * options, in a list framed by spaces. */
struct interp {
	const char *names;
	const char *eval;   /* the program is text or stdin: no script */
	const char *module; /* -m MODULE */
	const char *script; /* -f FILE */
	const char *value;  /* takes the rest of the word, or the next one */
	const char *rest;   /* takes the rest of the word, if any */
	const char *eval_words;
	const char *script_words;  /* the next word is the script */
	const char *value_words;   /* the next word is a value */
	const char *subcommands;   /* stand before the script */
	const char *eval_commands; /* subcommands after which there is no script */
	bool words_only;	   /* "-cp" is one word, not letters */
	bool classes;		   /* a plain word is a class, "com.acme.Main" */
};

static const struct interp interps[] = {
	{.names = " python pypy ",
	 .eval = "c",
	 .module = "m",
	 .value = "WXQ",
	 .value_words = " --check-hash-based-pycs "},
	{.names = " node nodejs ",
	 .eval = "epi",
	 .value = "rC",
	 .eval_words = " --eval --print --interactive --test --run ",
	 /* "=..." in `node --help` of 18 to 24 */
	 .value_words = " --allow-fs-read --allow-fs-write --build-snapshot-config "
			"--conditions --cpu-prof-dir --cpu-prof-interval --cpu-prof-name "
			"--diagnostic-dir --disable-proto --disable-warning "
			"--dns-result-order --env-file --env-file-if-exists "
			"--experimental-default-type --experimental-loader "
			"--experimental-policy --experimental-sea-config --heap-prof-dir "
			"--heap-prof-interval --heap-prof-name --heapsnapshot-near-heap-limit "
			"--heapsnapshot-signal --icu-data-dir --import --input-type "
			"--inspect-port --inspect-publish-uid --loader --localstorage-file "
			"--max-http-header-size "
			"--network-family-autoselection-attempt-timeout --openssl-config "
			"--policy-integrity --redirect-warnings --report-dir "
			"--report-directory --report-filename --report-signal --require "
			"--secure-heap --secure-heap-min --snapshot-blob --title "
			"--tls-cipher-list --tls-keylog --trace-event-categories "
			"--trace-event-file-pattern --trace-require-module "
			"--unhandled-rejections --use-largepages --v8-pool-size --watch-path "},
	{.names = " java ",
	 .words_only = true,
	 .classes = true,
	 .script_words = " -jar -m --module ",
	 .value_words = " -cp -classpath --class-path -p --module-path --upgrade-module-path "
			"--add-modules --add-reads --add-exports --add-opens --patch-module "
			"--limit-modules --enable-native-access --source -d --describe-module "},
	{.names = " ruby jruby ruby.ruby ",
	 .eval = "e",
	 .value = "CEIr",
	 .rest = "FKTWxi",
	 .value_words = " --encoding --external-encoding --internal-encoding "},
	{.names = " php ",
	 .eval = "raims",
	 .script = "fF",
	 .value = "cdtSzBRE",
	 .eval_words = " --run ",
	 .script_words = " --file --process-file ",
	 .value_words = " --php-ini --define --docroot --server --zend-extension "},
	{.names = " perl ", .eval = "eE", .value = "I", .rest = "mMiCDdVxF"},
	{.names = " sh bash dash zsh ksh ash ",
	 .eval = "cs",
	 .value = "oO",
	 .value_words = " --rcfile --init-file "},
	{.names = " deno ",
	 .eval = "",
	 .value = "cL",
	 .rest = "r",
	 .value_words = " --config --import-map --log-level --location --cert --seed --lock "
			"--port --host --ext --preload ",
	 .subcommands = " run serve ",
	 .eval_commands = " eval repl task test bench compile "},
	{.names = " bun ",
	 .eval = "ep",
	 .value = "rF",
	 .eval_words = " --eval --print ",
	 .value_words = " --preload --cwd --filter --require --port --env-file --define "
			"--loader --tsconfig-override ",
	 .subcommands = " run ",
	 .eval_commands = " test build install x repl "},
	{.names = " dotnet ",
	 .words_only = true,
	 .value_words = " --additionalprobingpath --depsfile --runtimeconfig --fx-version "
			"--roll-forward --additional-deps ",
	 .subcommands = " exec ",
	 .eval_commands = " run watch test build "},
	{.names = " lua luajit ", .eval = "e", .value = "l"},
	/* Rscript becomes it: R --no-echo --no-restore --file=app.R --args ... */
	{.names = " R ", .eval = "e", .script = "f", .value = "dg",
	 .script_words = " --file ",
	 .value_words = " --debugger --gui --arch --encoding "},
};

enum launcher_kind {
	LAUNCH_APP,    /* a "module:object" among the arguments */
	LAUNCH_OPTION, /* the value of an option */
	LAUNCH_NEXT,   /* the next word that is no option */
};

static const struct launcher {
	const char *name;
	enum launcher_kind kind;
	const char *words; /* LAUNCH_OPTION: the options; LAUNCH_NEXT: subcommands to skip */
} launchers[] = {
	{"gunicorn", LAUNCH_APP, ""},
	{"uvicorn", LAUNCH_APP, ""},
	{"hypercorn", LAUNCH_APP, ""},
	{"daphne", LAUNCH_APP, ""},
	{"granian", LAUNCH_APP, ""},
	{"waitress-serve", LAUNCH_APP, ""},
	{"flask", LAUNCH_OPTION, " -A --app "},
	{"celery", LAUNCH_OPTION, " -A --app "},
	{"fastapi", LAUNCH_NEXT, " run dev "},
	{"streamlit", LAUNCH_NEXT, " run "},
	{"bundle", LAUNCH_NEXT, " exec "},
	{"plackup", LAUNCH_NEXT, ""},
	{"ts-node", LAUNCH_NEXT, ""},
	{"tsx", LAUNCH_NEXT, ""},
};

static const char extensions[] = " py pyc pyz pyw js mjs cjs ts mts cts jsx tsx rb ru php phar pl "
				 "psgi sh bash zsh lua R jar war dll java ";
/* Scripts, modules, jars and classes that say what they are, not whose: frameworks and their
 * templates call them so, in every service. */
static const char generic_names[] =
	" main app application server wsgi asgi manage rails artisan console start run www config "
	"puma rackup unicorn Main MainKt App AppKt Application ApplicationKt Server Launcher "
	"EngineMain ProdServerStart ";
/* The same, and of such a kind that not even for want of another they are a service's name. */
static const char nameless[] = " index __main__ JarLauncher WarLauncher PropertiesLauncher "
			       "Bootstrap quarkus-run jboss-modules ";
/* Generic names of what lies among the language's own programs: where it runs says more. */
static const char tools[] = " rails puma rackup unicorn ";
/* Directories that hold the program of many a service: their parent has the name. */
static const char generic_dirs[] =
	" dist build src lib out bin target public app quarkus-app current releases code workspace "
	"deployments usr local opt srv tmp home root var www html ";
/* Packages of generic classes that are a framework's, not the application's. */
static const char *const frameworks[] = {"io.ktor.", "io.vertx.", "play."};

struct argv {
	const char *v[ARGS_MAX];
	int n;
	char text[ARGS_TEXT_MAX];
};

static bool in_list(const char *list, const char *word, size_t len)
{
	const char *p = list;

	if (!list || !len)
		return false;
	while ((p = memmem(p, strlen(p), word, len))) {
		if (p > list && p[-1] == ' ' && p[len] == ' ')
			return true;
		p++;
	}
	return false;
}

static bool has_letter(const char *letters, char c)
{
	return letters && c && strchr(letters, c);
}

static void argv_split(struct argv *a, struct rt_slice args)
{
	size_t len = args.len < ARGS_TEXT_MAX ? args.len : ARGS_TEXT_MAX - 1;

	if (len)
		memcpy(a->text, args.p, len);
	a->text[len] = '\0';
	/* Room that a rewritten title left over. */
	while (len && a->text[len - 1] == '\0')
		len--;
	a->n = 0;
	for (size_t at = 0; at < len && a->n < ARGS_MAX; at += strlen(a->text + at) + 1)
		a->v[a->n++] = a->text + at;
}

static const struct interp *interp_find(const char *executable)
{
	size_t len = strlen(executable);

	/* "python3.11", "php8.2", "python3.13t" (without the global lock), "node-20" */
	if (len > 1 && strchr("td", executable[len - 1]) && isdigit((u8)executable[len - 2]))
		len--;
	while (len && (isdigit((u8)executable[len - 1]) || executable[len - 1] == '.'))
		len--;
	if (len && len < strlen(executable) && executable[len - 1] == '-')
		len--;
	for (size_t i = 0; i < RT_ARRAY_SIZE(interps); i++)
		if (in_list(interps[i].names, executable, len))
			return &interps[i];
	return NULL;
}

/* Blanks alone are no name: such is left of arguments that a title was written over. */
static bool put(char *out, const char *s, size_t len)
{
	if (len >= RT_SERVICE_MAX)
		len = RT_SERVICE_MAX - 1;
	for (size_t i = 0; i < len; i++)
		out[i] = iscntrl((u8)s[i]) ? '?' : s[i];
	out[len] = '\0';
	return strspn(out, " ") < len;
}

static size_t without_extension(const char *base, size_t len)
{
	const char *dot = memrchr(base, '.', len);

	if (dot && dot > base && in_list(extensions, dot + 1, (size_t)(base + len - dot - 1)))
		return (size_t)(dot - base);
	return len;
}

/* Also "20240131120000", "1.2.3": a release is no service of its own. */
static bool is_generic_dir(const char *name, size_t len)
{
	return in_list(generic_dirs, name, len) || strspn(name, "0123456789.") >= len;
}

/* The name of a directory: `path` against `cwd`, "." and ".." resolved; of one that is generic, its
 * parent's. */
static bool name_of_dir(const char *path, size_t len, const char *cwd, char *out)
{
	struct rt_slice part[64];
	int n = 0;

	for (int side = path[0] == '/' ? 1 : 0; side < 2; side++) {
		const char *p = side ? path : cwd;
		const char *end = p + (side ? len : strlen(cwd));

		while (p < end) {
			const char *slash = memchr(p, '/', (size_t)(end - p));
			struct rt_slice s = {(const u8 *)p, (u32)((slash ? slash : end) - p)};

			p += s.len + 1;
			if (rt_slice_is(s, "..") && n)
				n--;
			else if (s.len && !rt_slice_is(s, ".") && !rt_slice_is(s, "..") &&
				 n < (int)RT_ARRAY_SIZE(part))
				part[n++] = s;
		}
	}
	while (n && is_generic_dir((const char *)part[n - 1].p, part[n - 1].len))
		n--;
	return n && put(out, (const char *)part[n - 1].p, part[n - 1].len);
}

/* Of a program whose own name says nothing: the unit, its directory, the one that it runs in. */
static bool name_of_place(const struct rt_service_facts *f, const char *path, size_t len, char *out)
{
	return put(out, f->unit, strlen(f->unit)) || name_of_dir(path, len, f->cwd, out) ||
	       name_of_dir("", 0, f->cwd, out);
}

/* The program's own name, where it says something; `dir` is the path of its directory. */
static bool own_name(const struct rt_service_facts *f, const char *name, size_t len,
		     const char *dir, size_t dir_len, char *out)
{
	bool none = in_list(nameless, name, len);

	if (in_list(tools, name, len))
		dir_len = 0;
	if ((none || in_list(generic_names, name, len)) && name_of_place(f, dir, dir_len, out))
		return true;
	return !none && put(out, name, len);
}

static bool name_of_script(const char *path, const struct rt_service_facts *f, char *out)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = strlen(base);

	/* Read from a descriptor: there is no name. */
	if (strncmp(path, "/dev/", 5) == 0 || strncmp(path, "/proc/", 6) == 0)
		return false;
	if (!len)
		return name_of_dir(path, strlen(path), f->cwd, out);
	if (strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
		return name_of_place(f, path, strlen(path), out);
	/* `node build`: a directory of the program. */
	if (in_list(generic_dirs, base, len) && !in_list(generic_names, base, len))
		return name_of_place(f, path, strlen(path), out);
	return own_name(f, base, without_extension(base, len), path, (size_t)(base - path), out);
}

/* "shop-1.2.3.jar", "shop-1.0-SNAPSHOT.jar" -> "shop"; "service-3scale" stays. */
static bool name_of_jar(const char *path, const struct rt_service_facts *f, char *out)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = without_extension(base, strlen(base));

	for (size_t i = 1; i + 1 < len; i++) {
		size_t at = i + 1;

		if (base[i] != '-' && base[i] != '_')
			continue;
		if (base[at] == 'v')
			at++;
		if (at >= len || !isdigit((u8)base[at]))
			continue;
		while (at < len && isdigit((u8)base[at]))
			at++;
		if (at == len || base[at] == '.' ||
		    (base[at] == '-' && at + 1 < len && isupper((u8)base[at + 1]))) {
			len = i;
			break;
		}
	}
	return own_name(f, base, len, path, (size_t)(base - path), out);
}

static bool is_generic(const char *name, size_t len)
{
	return in_list(generic_names, name, len) || in_list(nameless, name, len) ||
	       is_generic_dir(name, len);
}

/* The last part of a dotted name that is not generic; empty when there is none. */
static struct rt_slice telling_part(const char *name, size_t len)
{
	while (len) {
		const char *dot = memrchr(name, '.', len);
		const char *part = dot ? dot + 1 : name;
		size_t n = (size_t)(name + len - part);

		if (!is_generic(part, n))
			return (struct rt_slice){(const u8 *)part, (u32)n};
		len -= dot ? n + 1 : n;
	}
	return (struct rt_slice){0};
}

/* "com.acme.Shop", "mod/com.acme.Shop" -> "Shop"; "com.acme.orders.Main" -> "orders". */
static bool name_of_class(const char *name, const struct rt_service_facts *f, char *out)
{
	const char *slash = strrchr(name, '/');
	const char *base = slash ? slash + 1 : name;
	const char *dot = strrchr(base, '.');
	const char *class = dot && dot[1] ? dot + 1 : base;
	size_t len = strlen(class);
	struct rt_slice part = telling_part(base, (size_t)(class - base));
	bool generic = in_list(generic_names, class, len);

	/* a source, run at once */
	if (strcmp(class, "java") == 0)
		return name_of_script(name, f, out);
	for (size_t i = 0; i < RT_ARRAY_SIZE(frameworks); i++)
		generic = generic && strncmp(base, frameworks[i], strlen(frameworks[i])) != 0;
	if (generic && !f->unit[0] && part.len)
		return put(out, (const char *)part.p, part.len);
	return own_name(f, class, len, "", 0, out);
}

/* A module's own name; of `app.main` no part says anything. */
static bool name_of_dotted(const char *name, size_t len, const struct rt_service_facts *f,
			   char *out)
{
	if (!telling_part(name, len).len && name_of_place(f, "", 0, out))
		return true;
	return put(out, name, len);
}

/* "shop.wsgi:application" -> "shop"; "app:create()" -> "app". */
static bool name_of_module(const char *text, const struct rt_service_facts *f, char *out)
{
	size_t len = strcspn(text, ":");
	const char *dot;

	while ((dot = memrchr(text, '.', len)) && dot > text) {
		size_t n = (size_t)(text + len - dot - 1);

		if (!in_list(generic_names, dot + 1, n) && !in_list(nameless, dot + 1, n))
			break;
		len = (size_t)(dot - text);
	}
	return name_of_dotted(text, len, f, out);
}

static size_t identifier_len(const char *s, bool dots)
{
	size_t n = 0;

	if (!isalpha((u8)s[0]) && s[0] != '_')
		return 0;
	while (isalnum((u8)s[n]) || s[n] == '_' || (dots && s[n] == '.'))
		n++;
	return n;
}

/* "shop.wsgi:app", not "unix:shop.sock" nor another value of an option: `-b`, `-c python:conf`. */
static bool is_module_object(const char *s)
{
	size_t n = identifier_len(s, true);

	if (!n || s[n] != ':' || in_list(" unix fd tcp ssl file python egg ", s, n))
		return false;
	s += n + 1;
	n = identifier_len(s, true);
	return n && (s[n] == '\0' || s[n] == '(');
}

static bool name_of_app(const struct argv *a, int first, const struct rt_service_facts *f,
			char *out)
{
	for (int i = first; i < a->n; i++)
		if (is_module_object(a->v[i]))
			return name_of_module(a->v[i], f, out);
	/* `gunicorn shop.wsgi -w 4`: a bare module, where it cannot be an option's value. */
	for (int i = first; i < a->n; i++) {
		size_t len = strlen(a->v[i]);
		bool value = i > first && a->v[i - 1][0] == '-' && !strchr(a->v[i - 1], '=');

		if (len && !value && identifier_len(a->v[i], true) == len)
			return name_of_module(a->v[i], f, out);
	}
	return false;
}

static bool name_of_option(const struct argv *a, int first, const char *words,
			   const struct rt_service_facts *f, char *out)
{
	for (int i = first; i < a->n; i++) {
		const char *eq = strchr(a->v[i], '=');

		if (eq && in_list(words, a->v[i], (size_t)(eq - a->v[i])))
			return name_of_module(eq + 1, f, out);
		if (i + 1 < a->n && in_list(words, a->v[i], strlen(a->v[i])))
			return name_of_module(a->v[i + 1], f, out);
	}
	return false;
}

/* What configures a program, and is none: `rackup config.ru`, `puma -C config/puma.rb`. */
static bool is_setup(const char *path)
{
	const char *dot = strrchr(path, '.');
	const char *dir = strstr(path, "config/");

	if (!dot || strchr(dot, '/'))
		return false;
	return strcmp(dot, ".ru") == 0 ||
	       (strcmp(dot, ".rb") == 0 && dir && (dir == path || dir[-1] == '/'));
}

static bool name_of_next(const struct argv *a, int first, const char *skip,
			 const struct rt_service_facts *f, char *out)
{
	const char *pick = NULL;

	for (int i = first; i < a->n; i++) {
		const char *arg = a->v[i];
		size_t len = strlen(arg);

		if (arg[0] == '-' || in_list(skip, arg, len) || is_setup(arg))
			continue;
		if (without_extension(arg, len) < len)
			return name_of_script(arg, f, out);
		if (!pick && (i == first || a->v[i - 1][0] != '-'))
			pick = arg;
	}
	return pick && name_of_script(pick, f, out);
}

/* `name` is the script's or module's; the arguments behind it start at `first`. */
static bool name_by_launcher(const char *name, size_t len, const struct argv *a, int first,
			     const struct rt_service_facts *f, char *out)
{
	for (size_t i = 0; i < RT_ARRAY_SIZE(launchers); i++) {
		const struct launcher *l = &launchers[i];

		if (strlen(l->name) != len || memcmp(l->name, name, len) != 0)
			continue;
		switch (l->kind) {
		case LAUNCH_APP:
			return name_of_app(a, first, f, out);
		case LAUNCH_OPTION:
			return name_of_option(a, first, l->words, f, out);
		case LAUNCH_NEXT:
			return name_of_next(a, first, l->words, f, out);
		}
	}
	return false;
}

/* "gunicorn: worker [shop.wsgi:app]": the application's name in a rewritten
 * command line, one word with spaces in it; "worker[0]" is none. "node /srv/shop.js" (PM2) is a
 * command line in one word. */
static bool name_of_title(const struct interp *it, const char *title,
			  const struct rt_service_facts *f, char *out)
{
	size_t len = strlen(title);
	const char *open = strrchr(title, '[');
	size_t first = strcspn(title, " ");
	char app[RT_SERVICE_MAX];

	if (title[first + 1] == '/' && !strchr(title + first + 1, ' ') &&
	    in_list(it->names, title, first))
		return name_of_script(title + first + 1, f, out);
	if (!open || open == title || open[-1] != ' ' || title[len - 1] != ']' || strchr(open, ' '))
		return false;
	snprintf(app, sizeof(app), "%.*s", (int)(title + len - 1 - (open + 1)), open + 1);
	return name_of_module(app, f, out);
}

enum what { WHAT_NONE, WHAT_SCRIPT, WHAT_MODULE, WHAT_CLASS, WHAT_JAR };

/* One word of single-letter options. Moves *i over a value in the next word. */
static enum what take_letters(const struct interp *it, const struct argv *a, int *i,
			      const char **ret)
{
	for (const char *p = a->v[*i] + 1; *p; p++) {
		bool is_module = has_letter(it->module, *p);

		if (has_letter(it->eval, *p)) {
			*i = a->n;
			return WHAT_NONE;
		}
		if (is_module || has_letter(it->script, *p)) {
			*ret = p[1] ? p + 1 : *i + 1 < a->n ? a->v[++*i] : NULL;
			return *ret ? (is_module ? WHAT_MODULE : WHAT_SCRIPT) : WHAT_NONE;
		}
		if (has_letter(it->value, *p)) {
			if (!p[1])
				++*i;
			return WHAT_NONE;
		}
		if (has_letter(it->rest, *p))
			return WHAT_NONE;
	}
	return WHAT_NONE;
}

static enum what take_word(const struct interp *it, const struct argv *a, int *i, const char **ret)
{
	const char *arg = a->v[*i];
	size_t len = strcspn(arg, "=");
	bool jar = strcmp(arg, "-jar") == 0;

	if (in_list(it->eval_words, arg, len)) {
		*i = a->n;
		return WHAT_NONE;
	}
	if (in_list(it->script_words, arg, len)) {
		*ret = arg[len] ? arg + len + 1 : *i + 1 < a->n ? a->v[++*i] : NULL;
		if (!*ret)
			return WHAT_NONE;
		return jar ? WHAT_JAR : it->classes ? WHAT_CLASS : WHAT_SCRIPT;
	}
	if (!arg[len] && in_list(it->value_words, arg, len))
		++*i;
	return WHAT_NONE;
}

/* Finds the program among the arguments; *ret_next is the argument behind it. */
static enum what find_program(const struct interp *it, const struct argv *a, const char **ret,
			      int *ret_next)
{
	enum what what = WHAT_NONE;
	bool options = true;
	int i;

	for (i = 1; i < a->n && what == WHAT_NONE; i++) {
		const char *arg = a->v[i];

		if (options && strcmp(arg, "--") == 0) {
			options = false;
		} else if (options &&
			   (arg[0] == '-' || (arg[0] == '+' && has_letter(it->value, 'O')))) {
			if (!arg[1])
				return WHAT_NONE; /* stdin */
			if (it->words_only || arg[1] == '-')
				what = take_word(it, a, &i, ret);
			else
				what = take_letters(it, a, &i, ret);
		} else if (it->words_only && arg[0] == '@') {
			continue; /* a file of arguments */
		} else if (in_list(it->eval_commands, arg, strlen(arg))) {
			return WHAT_NONE;
		} else if (!in_list(it->subcommands, arg, strlen(arg))) {
			*ret = arg;
			what = it->classes ? WHAT_CLASS : WHAT_SCRIPT;
		}
	}
	*ret_next = i;
	return what;
}

struct rt_slice rt_service__java_options(const struct rt_service_facts *f)
{
	const struct interp *it = interp_find(f->executable);
	const char *program = NULL;
	struct argv a;
	int next;

	if (!it || !it->classes)
		return (struct rt_slice){0};
	argv_split(&a, f->args);
	if (find_program(it, &a, &program, &next) == WHAT_NONE)
		return f->args;
	return (struct rt_slice){f->args.p, (u32)(program - a.text)};
}

bool rt_service__is_spawned(struct rt_slice args)
{
	/* python3 -c "from multiprocessing.spawn import spawn_main; spawn_main(…)" */
	static const char mark[] = "from multiprocessing.";

	return args.len && memmem(args.p, args.len, mark, sizeof(mark) - 1);
}

bool rt_service__from_args(const struct rt_service_facts *f, char *out)
{
	const struct interp *it = interp_find(f->executable);
	const char *program = NULL, *base;
	struct argv a;
	size_t len;
	int next = 0;
	enum what what;

	out[0] = '\0';
	if (!it)
		return false;
	argv_split(&a, f->args);
	if (a.n == 1 && strchr(a.v[0], ' '))
		return name_of_title(it, a.v[0], f, out);
	what = find_program(it, &a, &program, &next);
	if (what == WHAT_NONE)
		return false;
	len = strlen(program);
	switch (what) {
	case WHAT_NONE:
		break;
	case WHAT_JAR:
		return name_of_jar(program, f, out);
	case WHAT_CLASS:
		return name_of_class(program, f, out);
	case WHAT_MODULE:
		if (name_by_launcher(program, len, &a, next, f, out))
			return true;
		/* `-m shop.__main__` is `-m shop`; other parts of the name stay. */
		if (len > 9 && strcmp(program + len - 9, ".__main__") == 0)
			len -= 9;
		return name_of_dotted(program, len, f, out);
	case WHAT_SCRIPT:
		base = memrchr(program, '/', len);
		base = base ? base + 1 : program;
		return name_by_launcher(base, without_extension(base, strlen(base)), &a, next, f,
					out) ||
		       name_of_script(program, f, out);
	}
	return false;
}
