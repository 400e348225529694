// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP served by io_uring, by the bare system calls, to a client that uses none
 * of it. Both keep their own account. Run by tests/e2e/test_io_uring.py, and in
 * a guest by tests/vm/same.py.
 *
 *   uring MODE REQUESTS FILE
 *
 * MODE: how the server moves bytes. single: RECV and SEND. msg: RECVMSG and
 * SENDMSG, in two pieces. multi: multishot RECV into provided buffers. fixed:
 * READ_FIXED and WRITE_FIXED. thread: single, by the kernel's SQPOLL thread.
 * half: recv(), and SEND. Prints "ready SERVER-PID CLIENT-PID", waits until FILE
 * is there, prints the accounts as JSON, and ends when FILE is gone.
 */
#include <errno.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT	 8090
#define NR_CONNS 4
#define ENTRIES	 64
#define BUF	 1024
#define GROUP	 1
#define SENDING	 256 /* in a request's user_data: a send; the rest is the connection */
#define HEAD	 "HTTP/1.1 201 Created\r\nContent-Length: 700\r\n\r\n"

enum mode { SINGLE, MSG, MULTI, FIXED, THREAD, HALF, NR_MODES };

static const char *const modes[NR_MODES] = {
	[SINGLE] = "single", [MSG] = "msg",	  [MULTI] = "multi",
	[FIXED] = "fixed",   [THREAD] = "thread", [HALF] = "half",
};

/* What moved through io_uring, and in all. */
struct account {
	uint64_t recvs, sends;
	uint64_t in, out;
	uint64_t requests;
	int error; /* the kernel has no such operation */
};

static struct account *server, *client;
static enum mode mode;

static struct ring {
	int fd;
	unsigned int *sq_head, *sq_tail, *sq_mask, *sq_flags, *sq_array;
	unsigned int *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	unsigned int queued;
} ring;

static struct conn {
	int fd;
	size_t have;
	char in[BUF], out[BUF];
	size_t out_len;
	struct iovec iov[2];
	struct msghdr msg;
} conns[NR_CONNS];

static char provided[NR_CONNS * 2][BUF];

static int ring_setup(void)
{
	struct io_uring_params p = {.flags = mode == THREAD ? IORING_SETUP_SQPOLL : 0,
				    .sq_thread_idle = 1000};
	const int prot = PROT_READ | PROT_WRITE, how = MAP_SHARED | MAP_POPULATE;
	char *sq, *cq;

	ring.fd = (int)syscall(__NR_io_uring_setup, ENTRIES, &p);
	if (ring.fd < 0)
		return -errno;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned int), prot, how, ring.fd,
		  IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), prot, how,
		  ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe), prot, how, ring.fd,
			 IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		return -errno;
	ring.sq_head = (void *)(sq + p.sq_off.head);
	ring.sq_tail = (void *)(sq + p.sq_off.tail);
	ring.sq_mask = (void *)(sq + p.sq_off.ring_mask);
	ring.sq_flags = (void *)(sq + p.sq_off.flags);
	ring.sq_array = (void *)(sq + p.sq_off.array);
	ring.cq_head = (void *)(cq + p.cq_off.head);
	ring.cq_tail = (void *)(cq + p.cq_off.tail);
	ring.cq_mask = (void *)(cq + p.cq_off.ring_mask);
	ring.cqes = (void *)(cq + p.cq_off.cqes);
	return 0;
}

/* The next free entry; ring_wait() hands it over. Never more at a time than there are. */
static struct io_uring_sqe *ring_next(int fd, int op, const void *addr, size_t len, uint64_t data)
{
	unsigned int tail = *ring.sq_tail, at = tail & *ring.sq_mask;
	struct io_uring_sqe *e = &ring.sqes[at];

	memset(e, 0, sizeof(*e));
	e->opcode = (uint8_t)op;
	e->fd = fd;
	e->addr = (uint64_t)(uintptr_t)addr;
	e->len = (uint32_t)len;
	e->user_data = data;
	ring.sq_array[at] = at;
	ring.queued++;
	return e;
}

/* The entry is filled. */
static void ring_push(void)
{
	__atomic_store_n(ring.sq_tail, *ring.sq_tail + 1, __ATOMIC_RELEASE);
}

static int ring_wait(struct io_uring_cqe *ret)
{
	unsigned int head = *ring.cq_head;

	while (ring.queued || head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE)) {
		unsigned int flags = IORING_ENTER_GETEVENTS;
		bool none = head == __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE);

		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(ring.sq_flags, __ATOMIC_ACQUIRE) & IORING_SQ_NEED_WAKEUP)
			flags |= IORING_ENTER_SQ_WAKEUP;
		if (syscall(__NR_io_uring_enter, ring.fd, ring.queued, none, flags, NULL, 0) < 0 &&
		    errno != EINTR)
			return -errno;
		ring.queued = 0;
	}
	*ret = ring.cqes[head & *ring.cq_mask];
	__atomic_store_n(ring.cq_head, head + 1, __ATOMIC_RELEASE);
	return 0;
}

static void provide(unsigned int id)
{
	struct io_uring_sqe *e =
		ring_next(1, IORING_OP_PROVIDE_BUFFERS, provided[id], BUF, SENDING * 2);

	e->buf_group = GROUP;
	e->off = id;
	ring_push();
}

/* Asks for bytes of a connection. */
static void arm(unsigned int i)
{
	struct conn *c = &conns[i];
	char *to = c->in + c->have;
	size_t room = BUF - 1 - c->have;
	struct io_uring_sqe *e;

	switch (mode) {
	case MSG:
		c->iov[0] = (struct iovec){to, 20};
		c->iov[1] = (struct iovec){to + 20, room - 20};
		c->msg = (struct msghdr){.msg_iov = c->iov, .msg_iovlen = 2};
		ring_next(c->fd, IORING_OP_RECVMSG, &c->msg, 1, i);
		break;
	case MULTI:
		e = ring_next(c->fd, IORING_OP_RECV, NULL, 0, i);
		e->ioprio = IORING_RECV_MULTISHOT;
		e->flags = IOSQE_BUFFER_SELECT;
		e->buf_group = GROUP;
		break;
	case FIXED:
		ring_next(c->fd, IORING_OP_READ_FIXED, to, room, i);
		break;
	case HALF:
		e = ring_next(c->fd, IORING_OP_POLL_ADD, NULL, 0, i);
		e->poll32_events = POLLIN;
		break;
	default:
		ring_next(c->fd, IORING_OP_RECV, to, room, i);
	}
	ring_push();
}

static void answer(unsigned int i)
{
	struct conn *c = &conns[i];
	size_t cut = 30;

	c->out_len = strlen(HEAD) + 700;
	memset(c->out, 'b', c->out_len);
	memcpy(c->out, HEAD, strlen(HEAD));
	if (mode == MSG) {
		c->iov[0] = (struct iovec){c->out, cut};
		c->iov[1] = (struct iovec){c->out + cut, c->out_len - cut};
		c->msg = (struct msghdr){.msg_iov = c->iov, .msg_iovlen = 2};
		ring_next(c->fd, IORING_OP_SENDMSG, &c->msg, 1, SENDING + i);
	} else {
		ring_next(c->fd, mode == FIXED ? IORING_OP_WRITE_FIXED : IORING_OP_SEND, c->out,
			  c->out_len, SENDING + i);
	}
	ring_push();
}

/* Bytes came, or the end. Returns whether the connection is over. */
static bool came(unsigned int i, const struct io_uring_cqe *e)
{
	struct conn *c = &conns[i];
	bool more = e->flags & IORING_CQE_F_MORE;
	long n = e->res;

	if (mode == HALF)
		n = recv(c->fd, c->in + c->have, BUF - 1 - c->have, 0);
	if (n < 0)
		server->error = (int)n;
	if (n <= 0)
		return true;
	server->recvs += mode != HALF;
	server->in += (uint64_t)n;
	if (e->flags & IORING_CQE_F_BUFFER) {
		unsigned int id = e->flags >> IORING_CQE_BUFFER_SHIFT;

		memcpy(c->in + c->have, provided[id], (size_t)n);
		provide(id);
	}
	c->have += (size_t)n;
	c->in[c->have] = 0;
	if (strstr(c->in, "\r\n\r\n")) {
		c->have = 0;
		server->requests++;
		answer(i);
		return false;
	}
	if (!more)
		arm(i);
	return false;
}

static int serve(int listener)
{
	struct iovec whole = {conns, sizeof(conns)};
	struct io_uring_cqe e;
	int left = NR_CONNS, err = ring_setup();

	if (!err && mode == FIXED &&
	    syscall(__NR_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, &whole, 1) < 0)
		err = -errno;
	if (err)
		return err;
	for (unsigned int i = 0; mode == MULTI && i < NR_CONNS * 2; i++)
		provide(i);
	for (unsigned int i = 0; i < NR_CONNS; i++) {
		conns[i].fd = accept(listener, NULL, NULL);
		if (conns[i].fd < 0)
			return -errno;
		arm(i);
	}
	while (left && !(err = ring_wait(&e))) {
		unsigned int i = (unsigned int)e.user_data % SENDING;

		if (e.user_data >= SENDING * 2)
			continue;
		if (e.user_data >= SENDING) {
			if (e.res != (int)conns[i].out_len)
				return e.res < 0 ? e.res : -EIO;
			server->sends++;
			server->out += (uint64_t)e.res;
			if (mode != MULTI)
				arm(i);
		} else if (came(i, &e)) {
			close(conns[i].fd);
			left--;
		}
	}
	return err;
}

static int ask(int n)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	const char *text = "GET /ring HTTP/1.1\r\nHost: a.example\r\n\r\n";
	size_t want = strlen(HEAD) + 700;
	int fds[NR_CONNS];

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < NR_CONNS; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(fds[i], (void *)&to, sizeof(to)))
			return -errno;
	}
	for (int done = 0; done < n; done += NR_CONNS) {
		for (int i = 0; i < NR_CONNS; i++) {
			if (write(fds[i], text, strlen(text)) != (ssize_t)strlen(text))
				return -EIO;
			client->out += strlen(text);
		}
		for (int i = 0; i < NR_CONNS; i++) {
			char buf[BUF];
			size_t have = 0;
			ssize_t got;

			while (have < want && (got = read(fds[i], buf + have, BUF - have)) > 0)
				have += (size_t)got;
			if (have != want)
				return -EIO;
			client->in += have;
			client->requests++;
		}
	}
	for (int i = 0; i < NR_CONNS; i++)
		close(fds[i]);
	return 0;
}

static void wait_file(const char *path, bool there)
{
	while ((access(path, F_OK) == 0) != there)
		usleep(20000);
}

/* A process of its own: one side, and then it waits for its parent's end. */
static pid_t start(int listener, int requests, int go, int done)
{
	pid_t pid = fork();
	char byte = 0;
	int err;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(go, &byte, 1) != 1)
		_exit(1);
	if (requests) {
		close(listener);
		err = ask(requests);
		if (err)
			client->error = err;
	} else {
		err = serve(listener);
		if (err)
			server->error = err;
	}
	if (err && !requests)
		shutdown(listener, SHUT_RDWR);
	for (unsigned int i = 0; err && i < NR_CONNS; i++)
		if (conns[i].fd > 0)
			shutdown(conns[i].fd, SHUT_RDWR);
	if (write(done, &byte, 1) == 1)
		pause();
	_exit(0);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int listener, one = 1, go[2], done[2], requests;
	pid_t pids[2];
	char bytes[2] = {0};

	while (argc == 4 && mode < NR_MODES && strcmp(argv[1], modes[mode]))
		mode++;
	requests = argc == 4 ? (int)strtol(argv[2], NULL, 10) / NR_CONNS * NR_CONNS : 0;
	if (requests <= 0 || mode == NR_MODES) {
		fprintf(stderr, "usage: uring single|msg|multi|fixed|thread|half REQUESTS FILE\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	server = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	client = server + 1;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (server == MAP_FAILED || bind(listener, (void *)&at, sizeof(at)) ||
	    listen(listener, NR_CONNS) || pipe(go) || pipe(done)) {
		perror("uring");
		return 1;
	}
	pids[0] = start(listener, 0, go[0], done[1]);
	pids[1] = start(listener, requests, go[0], done[1]);
	close(listener);
	printf("ready %d %d\n", (int)pids[0], (int)pids[1]);
	fflush(stdout);
	wait_file(argv[3], true);
	if (write(go[1], bytes, 2) != 2 || read(done[0], bytes, 1) != 1 ||
	    read(done[0], bytes, 1) != 1)
		return 1;
	printf("{\"mode\": \"%s\", \"requests\": %llu, \"asked\": %llu, \"recvs\": %llu, "
	       "\"sends\": %llu, \"in\": %llu, \"out\": %llu, \"error\": \"%s\"}\n",
	       modes[mode], (unsigned long long)server->requests,
	       (unsigned long long)client->requests, (unsigned long long)server->recvs,
	       (unsigned long long)server->sends, (unsigned long long)server->in,
	       (unsigned long long)server->out,
	       server->error   ? strerror(-server->error)
	       : client->error ? strerror(-client->error)
			       : "");
	fflush(stdout);
	wait_file(argv[3], false);
	return 0;
}
