// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What agent and helper of checks from inside say to each other, over the socket
 * between them. First byte 0: (length), request... to the helper; else so many
 * questions of the agent, and (length, sockets), reply... to them.
 * fuzz: agent
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "inside.h"
#include "log.h"

#define PIECES_MAX	64
#define ASKS_MAX	8
#define FDS_MAX		3
#define FDS_SEEN	(2 * FDS_MAX * PIECES_MAX)

static unsigned int asked, finished;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_level = -1;
	return 0;
}

/* Which descriptors are open, of those that there may be. */
static void find_fds(bool fds[FDS_SEEN])
{
	int fd;

	for (fd = 0; fd < FDS_SEEN; fd++)
		fds[fd] = fcntl(fd, F_GETFD) >= 0;
}

static void same_fds(const bool was[FDS_SEEN])
{
	bool now[FDS_SEEN];
	char name[32], what[256] = "";
	int fd;

	find_fds(now);
	for (fd = 0; fd < FDS_SEEN; fd++) {
		if (now[fd] == was[fd])
			continue;
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		if (readlink(name, what, sizeof(what) - 1) >= 0)
			fprintf(stderr, "left open: %d, %s\n", fd, what);
	}
	must(!memcmp(was, now, sizeof(now)));
}

static void send_piece(int to, const uint8_t *data, size_t len,
		       unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { .align = {
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
	} };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[FDS_MAX] = { to, to, to };

	if (n_fds) {
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	must(sendmsg(to, &msg, MSG_NOSIGNAL) == (ssize_t)len);
}

/* ---- requests ---- */

static bool on_match(struct vnm_nl *nl, const struct inside_device *device)
{
	(void)nl;
	return device->vni & 1;
}

/* The next reply is to @id, with a socket or an error. */
static void read_reply(int from, uint32_t id)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct inside_reply r;
	struct iovec iov = { &r, sizeof(r) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *c;
	int fd;

	must(recvmsg(from, &msg, MSG_DONTWAIT) == sizeof(r));
	must(r.id == id && r.err <= 0 && r.pid == getpid());
	c = CMSG_FIRSTHDR(&msg);
	must(!c == !!r.err && !(msg.msg_flags & MSG_CTRUNC));
	if (!c)
		return;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	close(fd);
}

static void requests(const uint8_t *data, size_t len)
{
	struct inside_request r;
	uint32_t ids[PIECES_MAX];
	unsigned int i, n_ids = 0;
	int pair[2];
	char more;
	size_t n;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	for (i = 0; i < PIECES_MAX && len > 1; i++) {
		n = data[0] < len - 1 ? data[0] : len - 1;
		/* An empty one is an end. */
		if (!n)
			break;
		send_piece(pair[0], data + 1, n, 0);
		/* More than a request is cut to one. */
		if (n >= sizeof(r)) {
			memcpy(&r, data + 1, sizeof(r));
			ids[n_ids++] = r.id;
		}
		data += 1 + n;
		len -= 1 + n;
	}
	must(!shutdown(pair[0], SHUT_WR));
	inside_serve(pair[1], on_match);
	for (i = 0; i < n_ids; i++)
		read_reply(pair[0], ids[i]);
	must(recv(pair[0], &more, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
	close(pair[0]);
	close(pair[1]);
}

/* ---- replies ---- */

static bool on_find(void *data, uint32_t vni, struct inside_device *ret)
{
	(void)data;
	*ret = (struct inside_device) { .mesh = 7, .vni = vni, .ifindex = 5 };
	return vni != ASKS_MAX;
}

static void on_answer(void *data, int fd)
{
	struct inside_ask **ask = data;
	char text[256];

	must(*ask);
	*ask = NULL;
	finished++;
	if (fd < 0)
		inside_fault(fd, text, sizeof(text));
	else
		must(!close(fd));
}

struct end {
	struct loop *loop;
	struct source *timer;
	int sock;
};

/* It ends when the agent has seen that the helper is gone. */
static void on_tick(void *data, uint64_t now_us)
{
	struct end *e = data;
	char byte;
	ssize_t n;

	(void)now_us;
	do
		n = recv(e->sock, &byte, 1, MSG_DONTWAIT);
	while (n > 0);
	if (n < 0 && errno == EAGAIN)
		source_timer_set(e->timer, 0);
	else
		loop_exit(e->loop, 0);
}

static void replies(unsigned int asks, const uint8_t *data, size_t len)
{
	struct inside_ask *ask[ASKS_MAX] = { NULL };
	struct inside *in;
	struct end end;
	unsigned int i;
	int pair[2];
	size_t n;

	must(!loop_new(&end.loop));
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair));
	must(!inside_new(&in, end.loop, pair[0], on_find, NULL));
	end.sock = pair[1];
	for (i = 0; i < asks; i++)
		must(!inside_ask(in, &ask[i], i + 1, AF_INET, SOCK_STREAM,
				 on_answer, &ask[i]));
	asked = asks;
	finished = 0;
	for (i = 0; i < PIECES_MAX && len > 2; i++) {
		n = data[0] < len - 2 ? data[0] : len - 2;
		send_piece(pair[1], data + 2, n, data[1] % (FDS_MAX + 1));
		data += 2 + n;
		len -= 2 + n;
	}
	must(!shutdown(pair[1], SHUT_WR));
	must(!loop_timer(end.loop, &end.timer, on_tick, &end));
	source_timer_set(end.timer, 0);
	loop_run(end.loop);
	must(finished == asked);
	inside_free(in);
	source_free(&end.timer);
	loop_free(end.loop);
	close(pair[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	bool fds[FDS_SEEN];

	if (!len)
		return 0;
	find_fds(fds);
	if (data[0])
		replies(data[0] % (ASKS_MAX + 1), data + 1, len - 1);
	else
		requests(data + 1, len - 1);
	same_fds(fds);
	return 0;
}
