// SPDX-License-Identifier: GPL-2.0-or-later
/* One TCP connect as a probe. */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check_tcp.h"

struct tcp_probe {
	int fd;
	int err;		/* of connect(), when it failed at once */
	struct source *io;
	struct source *timer;
	uint64_t started_us;
	uint32_t timeout_ms;
	tcp_probe_fn fn;
	void *data;
};

void tcp_probe_cancel(struct tcp_probe **pp)
{
	struct linger reset = { .l_onoff = 1 };
	struct tcp_probe *p = *pp;

	*pp = NULL;
	if (!p)
		return;
	source_free(&p->io);
	source_free(&p->timer);
	if (p->fd >= 0) {
		/* A check each second must not leave TIME_WAIT behind. */
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(p->fd);
	}
	free(p);
}

static uint32_t handshake_us(const struct tcp_probe *p)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	/* Ours would count the time in which this process did not run. */
	if (!getsockopt(p->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	    info.tcpi_rtt)
		return info.tcpi_rtt;
	return loop_now() - p->started_us;
}

static void finish(struct tcp_probe *p, enum health_result result,
		   uint32_t latency_us, const char *output)
{
	tcp_probe_fn fn = p->fn;
	void *data = p->data;

	tcp_probe_cancel(&p);
	fn(data, result, latency_us, output);
}

enum health_result tcp_probe_judge(int err)
{
	switch (err) {
	case 0:
		return HEALTH_PASS;
	case ECONNREFUSED:
		return HEALTH_DEFINITE;
	case EADDRNOTAVAIL:
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENODEV:
	case ENOMEM:
	case EPERM:
		return HEALTH_NOTHING;
	}
	return HEALTH_FAIL;
}

static void connected(struct tcp_probe *p, int err)
{
	uint32_t us;
	char text[128];

	if (!err) {
		us = handshake_us(p);
		snprintf(text, sizeof(text), "connected in %u.%03u ms",
			 us / 1000, us % 1000);
		finish(p, HEALTH_PASS, us, text);
		return;
	}
	snprintf(text, sizeof(text), "connect: %s", strerror(err));
	finish(p, tcp_probe_judge(err), 0, text);
}

static void on_io(void *data, int fd, uint32_t events)
{
	socklen_t len = sizeof(int);
	int err = 0;

	(void)events;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	connected(data, err);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct tcp_probe *p = data;
	struct pollfd pfd = { .fd = p->fd, .events = POLLOUT };
	char text[64];

	(void)now_us;
	if (p->err) {
		connected(p, p->err);
		return;
	}
	/* The answer may lie there, seen by us too late only. */
	if (poll(&pfd, 1, 0) > 0) {
		on_io(p, p->fd, 0);
		return;
	}
	snprintf(text, sizeof(text), "no answer in %u ms", p->timeout_ms);
	finish(p, HEALTH_FAIL, 0, text);
}

static socklen_t sockaddr_of(struct sockaddr_storage *ss,
			     const struct ip_addr *addr, uint16_t port)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *in = (struct sockaddr_in *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = addr->family;
	if (addr->family == AF_INET) {
		memcpy(&in->sin_addr, addr->b, 4);
		in->sin_port = htons(port);
		return sizeof(*in);
	}
	memcpy(&in6->sin6_addr, addr->b, 16);
	in6->sin6_port = htons(port);
	return sizeof(*in6);
}

static int start_connect(struct tcp_probe *p, const struct ip_addr *addr,
			 uint16_t port, const char *device)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_of(&ss, addr, port);

	p->fd = socket(addr->family,
		       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (p->fd < 0)
		return -errno;
	if (device && setsockopt(p->fd, SOL_SOCKET, SO_BINDTODEVICE, device,
				 strlen(device)))
		return -errno;
	if (connect(p->fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS)
		p->err = errno;
	return 0;
}

int tcp_probe_start(struct loop *loop, struct tcp_probe **ret,
		    const struct ip_addr *addr, uint16_t port,
		    const char *device, uint32_t timeout_ms, tcp_probe_fn fn,
		    void *data)
{
	struct tcp_probe *p = calloc(1, sizeof(*p));
	uint64_t at;
	int err;

	if (!p)
		return -ENOMEM;
	p->fn = fn;
	p->data = data;
	p->timeout_ms = timeout_ms;
	p->started_us = loop_now();
	err = start_connect(p, addr, port, device);
	/* What failed at once is told from the loop, like all else. */
	at = p->err ? 0 : p->started_us + timeout_ms * LOOP_USEC_PER_MSEC;
	if (!err)
		err = loop_timer(loop, &p->timer, on_timer, p);
	if (!err)
		err = source_timer_set(p->timer, at);
	if (!err && !p->err)
		err = loop_io(loop, &p->io, p->fd, EPOLLOUT, on_io, p);
	if (err) {
		tcp_probe_cancel(&p);
		return err;
	}
	*ret = p;
	return 0;
}
