// SPDX-License-Identifier: Apache-2.0
/*
 * In the guest: the traffic of traffic.c by itself, for agents that somebody else
 * runs beside it. Run by tests/vm/same.py.
 *
 *   talk FILE
 *
 * Prints "ready SERVER-PID CLIENT-PID", waits until FILE is there, makes all
 * requests, prints both ends' accounts as JSON, and holds the connections open
 * until FILE is gone.
 */
#include "traffic.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

struct talk {
	struct shared ends;
	int err;
	bool done;
};

static struct talk *shared;

static void wait_file(const char *path, bool there)
{
	while ((access(path, F_OK) == 0) != there)
		usleep(20000);
}

static pid_t start_server(void)
{
	int fds[NR_LISTENERS];
	pid_t pid;

	shared->err = traffic__listen(fds);
	if (shared->err)
		return -1;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		traffic__serve(fds, &shared->ends.server);
		_exit(1);
	}
	return pid;
}

static pid_t start_client(const char *go)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wait_file(go, true);
	shared->err = traffic__request(&shared->ends.client, NR_REQUESTS);
	__atomic_store_n(&shared->done, true, __ATOMIC_RELEASE);
	pause();
	_exit(0);
}

static void print_account(const char *role, const struct account *a)
{
	printf("\"%s\": {", role);
	for (int k = 0; k < NR_KINDS; k++)
		printf("%s\"%s\": [%d, %llu, %llu, %llu]", k ? ", " : "", kinds[k].path,
		       kinds[k].status, (unsigned long long)a->count[k],
		       (unsigned long long)a->inner_ns[k], (unsigned long long)a->outer_ns[k]);
	printf("}");
}

int main(int argc, char **argv)
{
	pid_t server, client;

	if (argc != 2) {
		fprintf(stderr, "usage: talk FILE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	server = start_server();
	client = start_client(argv[1]);
	if (server < 0 || client < 0) {
		fprintf(stderr, "talk: %s\n", strerror(-shared->err));
		return 1;
	}
	printf("ready %d %d\n", (int)server, (int)client);
	fflush(stdout);
	while (!__atomic_load_n(&shared->done, __ATOMIC_ACQUIRE))
		usleep(20000);
	printf("{");
	print_account("server", &shared->ends.server);
	printf(", ");
	print_account("client", &shared->ends.client);
	printf(", \"error\": \"%s\"}\n", shared->err ? strerror(-shared->err) : "");
	fflush(stdout);
	wait_file(argv[1], false);
	return 0;
}
