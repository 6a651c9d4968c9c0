// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking the helper for sockets in other network namespaces. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "inside.h"
#include "log.h"

/* As the kernel's. */
#define ERRNO_MAX	4095

struct inside_ask {
	struct inside *in;
	struct inside_ask *next;
	uint32_t id;
	int err;		/* not even sent */
	uint64_t until_us;
	inside_fn fn;
	void *data;
};

struct inside {
	struct loop *loop;
	struct source *io, *timer;
	int sock;		/* or a negative errno */
	inside_find_fn find;
	void *data;
	struct inside_ask *first, **last;	/* in the order of their times */
	unsigned int n;
	uint32_t next_id;
	int32_t pid;
	struct inside_stats stats;
};

static void unlink_ask(struct inside_ask *a)
{
	struct inside *in = a->in;
	struct inside_ask **p = &in->first;

	while (*p != a)
		p = &(*p)->next;
	*p = a->next;
	if (!a->next)
		in->last = p;
	in->n--;
}

void inside_cancel(struct inside_ask **a)
{
	if (!*a)
		return;
	unlink_ask(*a);
	free(*a);
	*a = NULL;
}

static void finish(struct inside_ask *a, int fd)
{
	inside_fn fn = a->fn;
	void *data = a->data;

	if (fd < 0)
		a->in->stats.failed++;
	else
		a->in->stats.answered++;
	unlink_ask(a);
	free(a);
	fn(data, fd);
}

static void arm(struct inside *in)
{
	if (in->first)
		source_timer_set(in->timer, in->first->until_us);
	else
		source_timer_stop(in->timer);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct inside *in = data;
	struct inside_ask *a;

	while ((a = in->first) && a->until_us <= now_us) {
		if (!a->err)
			in->stats.late++;
		finish(a, a->err ? a->err : -ETIMEDOUT);
	}
	arm(in);
}

/* The one that came with it; -1: none, or more than one, and those are closed. */
static int take_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	size_t i, n;
	int fd;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return -1;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd);
	for (i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
		if (n == 1)
			return fd;
		close(fd);
	}
	return -1;
}

/* The helper may say anything. */
static int error_of(const struct inside_reply *r)
{
	return r->err < 0 && r->err >= -ERRNO_MAX ? r->err : -EPROTO;
}

static void answered(struct inside *in, const struct inside_reply *r, int fd)
{
	struct inside_ask *a = in->first;

	if (in->pid && in->pid != r->pid)
		in->stats.restarts++;
	in->pid = r->pid;
	while (a && a->id != r->id)
		a = a->next;
	/* Nobody wants it any more. */
	if (!a) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fd < 0)
		finish(a, error_of(r));
	else
		finish(a, fd);
}

/* The helper is gone and nobody is left to make another one. */
static void lost(struct inside *in)
{
	log_err("the helper of checks from inside is gone, they will not work until a restart");
	source_free(&in->io);
	close(in->sock);
	in->sock = -EPIPE;
	while (in->first)
		finish(in->first, -EPIPE);
}

static void on_io(void *data, int fd, uint32_t events)
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
	struct inside *in = data;
	ssize_t n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int with = n < 0 ? -1 : take_fd(&msg);

	(void)events;
	if (n == sizeof(r))
		answered(in, &r, with);
	else if (with >= 0)
		close(with);
	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		lost(in);
	arm(in);
}

static int send_request(struct inside *in, const struct inside_request *r)
{
	if (in->sock < 0)
		return in->sock;
	if (send(in->sock, r, sizeof(*r), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

int inside_ask(struct inside *in, struct inside_ask **ret, uint32_t vni,
	       int family, int type, inside_fn fn, void *data)
{
	struct inside_request r = { .family = family, .type = type };
	struct inside_ask *a;

	if (in->n >= INSIDE_MAX)
		return -EAGAIN;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	r.id = ++in->next_id;
	*a = (struct inside_ask) { .in = in, .id = r.id, .fn = fn,
				   .data = data };
	in->stats.asked++;
	a->err = in->find(in->data, vni, &r.device) ? send_request(in, &r) :
						      -ENODEV;
	a->until_us = loop_now();
	if (a->err) {
		/* In the next turn, before all that wait. */
		a->next = in->first;
		if (!in->first)
			in->last = &a->next;
		in->first = a;
	} else {
		a->until_us += INSIDE_TIMEOUT_MS * LOOP_USEC_PER_MSEC;
		*in->last = a;
		in->last = &a->next;
	}
	in->n++;
	arm(in);
	*ret = a;
	return 0;
}

const struct inside_stats *inside_stats(const struct inside *in)
{
	return &in->stats;
}

bool inside_fault(int err, char *buf, size_t len)
{
	switch (err) {
	case -EPERM:
		snprintf(buf, len,
			 "cannot look inside: vnimeshd was started without CAP_SYS_ADMIN");
		return true;
	case -EPIPE:
		snprintf(buf, len,
			 "cannot look inside: the helper is gone, restart vnimeshd");
		return true;
	case -ENOENT:
		snprintf(buf, len,
			 "cannot look inside: no file of /run/netns or /run/docker/netns is the network namespace of the VNI's device");
		return true;
	case -ENODEV:
		snprintf(buf, len, "cannot look inside: the VNI has no device");
		return false;
	case -ETIMEDOUT:
		snprintf(buf, len,
			 "cannot look inside: no answer of the helper in %u ms",
			 INSIDE_TIMEOUT_MS);
		return false;
	default:
		snprintf(buf, len, "cannot look inside: %s", strerror(-err));
		return false;
	}
}

int inside_new(struct inside **ret, struct loop *loop, int sock,
	       inside_find_fn find, void *data)
{
	struct inside *in = calloc(1, sizeof(*in));
	int err;

	if (!in)
		return -ENOMEM;
	in->loop = loop;
	in->sock = sock;
	in->find = find;
	in->data = data;
	in->last = &in->first;
	err = loop_timer(loop, &in->timer, on_timer, in);
	if (!err && sock >= 0)
		err = loop_io(loop, &in->io, sock, EPOLLIN, on_io, in);
	if (err) {
		inside_free(in);
		return err;
	}
	*ret = in;
	return 0;
}

void inside_free(struct inside *in)
{
	struct inside_ask *a;

	if (!in)
		return;
	while ((a = in->first))
		inside_cancel(&a);
	source_free(&in->timer);
	source_free(&in->io);
	if (in->sock >= 0)
		close(in->sock);
	free(in);
}
