// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A datagram as a check. A port unreachable is a failure at once. With an
 * expected answer that must come; without one, silence is as good as any.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_probe.h"

struct udp {
	struct probe p;
	struct source *io;
	int fd;
};

static void udp_free(struct probe *p)
{
	struct udp *u = (struct udp *)p;

	source_free(&u->io);
	if (u->fd >= 0)
		close(u->fd);
	free(u);
}

static void failed(struct udp *u, int err)
{
	if (err == ECONNREFUSED)
		probe_end(&u->p, HEALTH_DEFINITE, 0,
			  "port unreachable, nobody listens there");
	else
		probe_end(&u->p, probe_judge(err), 0, "%s", strerror(err));
}

static void answered(struct udp *u, const char *buf, size_t n)
{
	const struct check_bytes *expect = &u->p.want.conf->expect;
	uint32_t us = loop_now() - u->p.started_us;
	char want[64], got[64];

	if (!expect->n || memmem(buf, n, expect->v, expect->n)) {
		probe_end(&u->p, HEALTH_PASS, us, "%s answer in %u.%03u ms",
			  expect->n ? "the expected" : "an", us / 1000,
			  us % 1000);
		return;
	}
	talk_printable(want, sizeof(want), expect->v, expect->n);
	talk_printable(got, sizeof(got), buf, n);
	probe_end(&u->p, HEALTH_FAIL, 0, "expected \"%s\", got \"%s\"%s", want,
		  got, n >= sizeof(got) ? "..." : "");
}

/* False: the probe is gone. */
static bool receive(struct udp *u)
{
	char buf[65536];
	ssize_t n = recv(u->fd, buf, sizeof(buf), 0);

	if (n >= 0)
		answered(u, buf, n);
	else if (errno != EAGAIN && errno != EINTR)
		failed(u, errno);
	else
		return true;
	return false;
}

static void on_io(void *data, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	receive(data);
}

static void expired(struct probe *p)
{
	struct udp *u = (struct udp *)p;

	/* It may lie there, seen by us too late only. */
	if (!receive(u))
		return;
	if (p->want.conf->expect.n)
		probe_timeout(p, "no answer in %u ms", p->want.timeout_ms);
	else
		probe_end(p, HEALTH_PASS, 0, "nobody refused it in %u ms",
			  p->want.timeout_ms);
}

static const struct probe_ops ops = {
	.expired = expired,
	.free = udp_free,
};

int udp_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
	      void *data)
{
	struct udp *u = probe_new(sizeof(*u), &ops, want, fn, data);
	struct probe *p = (struct probe *)u;
	const struct check_bytes *b = &want->conf->send;
	int err;

	if (!u)
		return -ENOMEM;
	p->asked_us = p->started_us;
	u->fd = probe_socket(p, SOCK_DGRAM, &err);
	if (u->fd < 0) {
		err = -errno;
	} else {
		if (!err && send(u->fd, b->n ? (void *)b->v : "", b->n,
				 MSG_NOSIGNAL) < 0)
			err = errno;
		if (err)
			probe_early(p, probe_judge(err), "send: %s",
				    strerror(err));
		else
			err = loop_io(want->loop, &u->io, u->fd, EPOLLIN,
				      on_io, u);
	}
	if (err < 0) {
		probe_cancel(&p);
		return err;
	}
	*ret = p;
	return 0;
}
