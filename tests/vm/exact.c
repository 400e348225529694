// SPDX-License-Identifier: Apache-2.0
/*
 * In the guest: runs redtap with one backend beside 2,000 requests and compares
 * /metrics with what the two ends counted and measured themselves. Prints one
 * line of JSON; exit status 0 when all is right. Run by tests/vm/matrix.py.
 *
 *   exact PATH-OF-REDTAP BACKEND [REQUESTS]
 *
 * With a number of requests, redtap is nice: where the kernel preempts, whoever wants
 * the processor takes it from redtap, in the middle of a sweep or of a map's call.
 */
#include "traffic.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#define LISTEN_PORT   9733
#define READY_SECONDS 90
#define LOG	      "/tmp/redtap.log"

/* What redtap says of one side: per kind, and of all. */
struct told {
	double count[NR_KINDS];
	double sum[NR_KINDS];
	double low[NR_KINDS]; /* requests in buckets below the time slept */
	double total;
};

static struct shared *shared;
static char page[1 << 20];
static char problems[2048];
static unsigned int requests = NR_REQUESTS;
static bool nice_agent;
static pid_t server = -1, client = -1, agent = -1;

static void problem(const char *fmt, ...)
{
	size_t n = strlen(problems);
	va_list args;

	if (n)
		n += (size_t)snprintf(problems + n, sizeof(problems) - n, "; ");
	va_start(args, fmt);
	vsnprintf(problems + n, sizeof(problems) - n, fmt, args);
	va_end(args);
}

/* A GET of redtap's own server into `page`. Returns the status, or 0. */
static int fetch(const char *path)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(LISTEN_PORT)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char ask[128];
	size_t have = 0;
	ssize_t n;
	int len, status = 0;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	len = snprintf(ask, sizeof(ask), "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
	if (fd < 0 || connect(fd, (void *)&to, sizeof(to)) || write(fd, ask, (size_t)len) != len)
		goto out;
	while ((n = read(fd, page + have, sizeof(page) - 1 - have)) > 0)
		have += (size_t)n;
	page[have] = 0;
	if (have > 12)
		status = (int)strtol(page + 9, NULL, 10);
out:
	if (fd >= 0)
		close(fd);
	return status;
}

/* The value of one label in a line of the exposition, cut to `size`. */
static void label(const char *line, const char *name, char *ret, size_t size)
{
	char key[64];
	const char *p;

	snprintf(key, sizeof(key), "%s=\"", name);
	p = strstr(line, key);
	snprintf(ret, size, "%.*s", p ? (int)strcspn(p + strlen(key), "\"") : 0,
		 p ? p + strlen(key) : "");
}

static void told_line(struct told *t, const char *line, const char *suffix)
{
	char route[64], status[16], le[16];
	double value = strtod(strrchr(line, ' '), NULL);

	label(line, "http_route", route, sizeof(route));
	label(line, "http_response_status_code", status, sizeof(status));
	label(line, "le", le, sizeof(le));
	if (strncmp(suffix, "_count", 6) == 0)
		t->total += value;
	for (int k = 0; k < NR_KINDS; k++) {
		if (strcmp(route, kinds[k].path) || strtol(status, NULL, 10) != kinds[k].status)
			continue;
		if (strncmp(suffix, "_count", 6) == 0)
			t->count[k] += value;
		else if (strncmp(suffix, "_sum", 4) == 0)
			t->sum[k] += value;
		else if (kinds[k].sleep_ms &&
			 (int)(strtod(le, NULL) * 1000 + 0.5) == kinds[k].sleep_ms)
			t->low[k] += value;
	}
}

static void read_told(struct told *ret, const char *side)
{
	char name[64];
	size_t len =
		(size_t)snprintf(name, sizeof(name), "\nhttp_%s_request_duration_seconds", side);

	memset(ret, 0, sizeof(*ret));
	for (const char *p = page; (p = strstr(p, name)); p += len) {
		char line[1024];

		snprintf(line, sizeof(line), "%.*s", (int)strcspn(p + 1, "\n"), p + 1);
		told_line(ret, line, line + len - 1);
	}
}

static double counter(const char *name)
{
	char start[96];
	double sum = 0;
	size_t len = (size_t)snprintf(start, sizeof(start), "\n%s", name);

	for (const char *p = page; (p = strstr(p, start)); p += len) {
		const char *end = p + 1 + strcspn(p + 1, "\n");

		while (end > p && *end != ' ')
			end--;
		if (strchr("{ ", p[len]))
			sum += strtod(end, NULL);
	}
	return sum;
}

/* What redtap made of the exchanges: where the missing ones are, when some are. */
static void tell_exchanges(void)
{
	static const char *const names[] = {
		"started_total",   "finished_total",  "aborted_total", "evicted_total",
		"midstream_total", "unframed_total", "in_flight",
	};
	char name[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(name, sizeof(name), "redtap_exchanges_%s", names[i]);
		problem("%s %.0f", names[i], counter(name));
	}
}

static void compare(const char *side, const struct told *t, const struct account *a)
{
	if (t->total != requests)
		problem("%s: %.0f requests instead of %u", side, t->total, requests);
	for (int k = 0; k < NR_KINDS; k++) {
		double inner = (double)a->inner_ns[k] / 1e9, outer = (double)a->outer_ns[k] / 1e9;
		/* The exposition rounds sums to nanoseconds. */
		double slack = 1e-6;

		if (t->count[k] != (double)a->count[k])
			problem("%s %s: %.0f instead of %.0f", side, kinds[k].path, t->count[k],
				(double)a->count[k]);
		if (t->sum[k] < inner - slack || t->sum[k] > outer + slack)
			problem("%s %s: %.6f s in all, not within %.6f and %.6f", side,
				kinds[k].path, t->sum[k], inner, outer);
		if (t->low[k] > (double)a->brief[k])
			problem("%s %s: %.0f shorter than %d ms instead of %llu at most", side,
				kinds[k].path, t->low[k], kinds[k].sleep_ms,
				(unsigned long long)a->brief[k]);
	}
}

/* Changes of a connection's state, which an interrupt may bring in the middle of another such
 * program. What comes later tells of them (bpf/README.md), and counts and durations must be
 * right all the same. */
static bool told_late(const char *program)
{
	static const char *const programs[] = {"rt_sock_state", "rt_sys_state", "rt_event_state",
					       "rt_event_gone"};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (strcmp(program, programs[i]) == 0)
			return true;
	return false;
}

/* Hits that the kernel itself kept from redtap's programs, as one of them was
 * running or interrupted on the same processor; named in `ret`, or counted in ret_late. And how
 * long all of them ran, but for the iterators: 0 while the kernel's BPF statistics are off. */
static uint64_t missed(char *ret, size_t size, uint64_t *ret_late, uint64_t *ret_run_ns)
{
	uint64_t sum = 0;
	uint32_t id = 0;
	size_t n = 0;

	ret[0] = 0;
	while (!bpf_prog_get_next_id(id, &id)) {
		struct bpf_prog_info info;
		uint32_t len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		memset(&info, 0, sizeof(info));
		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			len = 0;
		if (len && strncmp(info.name, "rt_sweep", 8) != 0)
			*ret_run_ns += info.run_time_ns;
		if (len && told_late(info.name)) {
			*ret_late += info.recursion_misses;
		} else if (len && info.recursion_misses && n < size) {
			sum += info.recursion_misses;
			n += (size_t)snprintf(ret + n, size - n, "%s%s %llu", n ? ", " : "",
					      info.name, info.recursion_misses);
		}
		close(fd);
	}
	return sum;
}

static pid_t start_server(void)
{
	int fds[NR_LISTENERS], err = traffic__listen(fds);
	pid_t pid;

	if (err) {
		problem("cannot listen: %s", strerror(-err));
		return -1;
	}
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		traffic__serve(fds, &shared->server);
		_exit(1);
	}
	for (int i = 0; i < NR_LISTENERS; i++)
		close(fds[i]);
	return pid;
}

/* Begins when a byte comes through `go`, tells its end through `done`, and holds
 * its connections open until it is killed. */
static pid_t start_client(int go, int done)
{
	pid_t pid = fork();
	char byte;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) == 1) {
		int err = traffic__request(&shared->client, requests);

		byte = (char)-err;
		if (write(done, &byte, 1) == 1)
			pause();
	}
	_exit(0);
}

static pid_t start_agent(const char *redtap, const char *backend)
{
	char spid[16], cpid[16];
	pid_t pid;

	snprintf(spid, sizeof(spid), "%d", server);
	snprintf(cpid, sizeof(cpid), "%d", client);
	pid = fork();
	if (!pid) {
		int log = open(LOG, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(log, 1);
		dup2(log, 2);
		if (nice_agent && setpriority(PRIO_PROCESS, 0, 19))
			_exit(126);
		execl(redtap, redtap, "run", "--backend", backend, "--pid", spid, "--pid", cpid,
		      (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* The last line of redtap's log, as the reason why it ended. */
static void ended(int status)
{
	static char log[4096];
	int fd = open(LOG, O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, log, sizeof(log) - 1);
	char *line;

	if (fd >= 0)
		close(fd);
	log[n > 0 ? n : 0] = 0;
	while (n > 0 && log[n - 1] == '\n')
		log[--n] = 0;
	line = strrchr(log, '\n');
	problem("redtap ended with status %d: %s",
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
		line ? line + 1 : log);
	agent = -1;
}

static bool wait_ready(uint64_t *ret_ns)
{
	uint64_t start = now_ns();
	int status;

	while (now_ns() - start < READY_SECONDS * 1000000000ull) {
		if (waitpid(agent, &status, WNOHANG) == agent) {
			ended(status);
			return false;
		}
		if (fetch("/readyz") == 200) {
			*ret_ns = now_ns() - start;
			return true;
		}
		usleep(5000);
	}
	problem("redtap is not ready after %d s", READY_SECONDS);
	return false;
}

/* Until both sides are whole, or for 10 s; then once more, as nothing may come
 * twice. Returns the time it took. */
static uint64_t settle(struct told *ret_server, struct told *ret_client)
{
	uint64_t start = now_ns(), took;

	do {
		usleep(100000);
		fetch("/metrics");
		read_told(ret_server, "server");
		read_told(ret_client, "client");
		took = now_ns() - start;
	} while ((ret_server->total < NR_REQUESTS || ret_client->total < NR_REQUESTS) &&
		 took < 10 * 1000000000ull);
	usleep(1500000);
	fetch("/metrics");
	read_told(ret_server, "server");
	read_told(ret_client, "client");
	return took;
}

static void stop(pid_t pid, int sig)
{
	if (pid <= 0)
		return;
	kill(pid, sig);
	waitpid(pid, NULL, 0);
}

static void print_text(const char *s)
{
	putchar('"');
	for (; *s; s++)
		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else
			putchar((unsigned char)*s < 32 ? ' ' : *s);
	putchar('"');
}

static void report(const char *backend, const struct told *s, const struct told *c,
		   uint64_t skipped, uint64_t late, uint64_t ready_ns, uint64_t settle_ns,
		   uint64_t run_ns)
{
	printf("{\"backend\": \"%s\", \"ok\": %s, \"ready_ms\": %.0f, \"run_ns\": %.0f, "
	       "\"fresh_ms\": %.0f, \"server\": %.0f, \"client\": %.0f, \"lost\": %.0f, "
	       "\"skipped\": %llu, \"late\": %llu, \"blind\": %.0f, \"faults\": %.0f, \"problems\": ",
	       backend, *problems ? "false" : "true", (double)ready_ns / 1e6,
	       (double)run_ns, (double)settle_ns / 1e6, s->total, c->total,
	       counter("redtap_records_lost_total"), (unsigned long long)skipped,
	       (unsigned long long)late, counter("redtap_blind_operations_total"),
	       counter("redtap_user_read_faults_total"));
	print_text(problems);
	printf("}\n");
}

int main(int argc, char **argv)
{
	struct told s = {.total = 0}, c = {.total = 0};
	uint64_t ready = 0, settled = 0, skipped = 0, late = 0, run = 0;
	int go[2], done[2], status;
	char names[256];
	char byte = 0;

	if (argc == 4) {
		requests = (unsigned int)strtoul(argv[3], NULL, 10);
		nice_agent = true;
	}
	if (argc < 3 || argc > 4 || requests < NR_REQUESTS) {
		fprintf(stderr, "usage: exact REDTAP BACKEND [REQUESTS, %d at least]\n", NR_REQUESTS);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED || pipe(go) || pipe(done))
		return 2;
	server = start_server();
	client = start_client(go[0], done[1]);
	agent = start_agent(argv[1], argv[2]);
	if (server > 0 && wait_ready(&ready)) {
		if (write(go[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1 || byte)
			problem("the client failed: %s", strerror(byte));
		settled = settle(&s, &c);
		skipped = missed(names, sizeof(names), &late, &run);
		if (skipped)
			problem("the kernel skipped programs: %s", names);
		compare("server", &s, &shared->server);
		compare("client", &c, &shared->client);
		if (s.total != requests || c.total != requests)
			tell_exchanges();
		if (counter("redtap_records_lost_total") != 0)
			problem("records were lost");
		kill(agent, SIGTERM);
		waitpid(agent, &status, 0);
		if (status)
			ended(status);
		agent = -1;
	}
	stop(agent, SIGKILL);
	stop(client, SIGKILL);
	stop(server, SIGKILL);
	report(argv[2], &s, &c, skipped, late, ready, settled, run);
	return *problems ? 1 : 0;
}
