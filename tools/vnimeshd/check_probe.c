// SPDX-License-Identifier: GPL-2.0-or-later
/* One attempt of a check: what all kinds share. */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check_probe.h"

int probe_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
		void *data)
{
	switch (want->conf->type) {
	case CHECK_TCP:
	case CHECK_REDIS:
		return stream_start(ret, want, fn, data);
	case CHECK_POSTGRES:
		if (want->conf->password_file)
			return pg_start(ret, want, fn, data);
		return stream_start(ret, want, fn, data);
	case CHECK_MYSQL:
		if (want->conf->password_file)
			return maria_start(ret, want, fn, data);
		return stream_start(ret, want, fn, data);
	case CHECK_UDP:
		return udp_start(ret, want, fn, data);
	case CHECK_HTTP:
	case CHECK_HTTPS:
	case CHECK_GRPC:
		return http_probe_start(ret, want, fn, data);
	case CHECK_EXEC:
		return exec_start(ret, want, fn, data);
	default:
		return -EINVAL;
	}
}

static void probe_free(struct probe *p)
{
	source_free(&p->timer);
	p->ops->free(p);
}

void probe_cancel(struct probe **p)
{
	struct probe *old = *p;

	*p = NULL;
	if (old)
		probe_free(old);
}

void probe_finish(struct probe *p, const struct probe_result *r)
{
	struct probe_result result = *r;
	char text[OUTPUT_MAX + 1];
	probe_fn fn = p->fn;
	void *data = p->data;

	snprintf(text, sizeof(text), "%s", r->text);
	result.text = text;
	probe_free(p);
	fn(data, &result);
}

void probe_end(struct probe *p, enum health_result result, uint32_t latency_us,
	       const char *fmt, ...)
{
	struct probe_result r = {
		.result = result, .latency_us = latency_us, .text = p->text,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	probe_finish(p, &r);
}

void probe_timeout(struct probe *p, const char *fmt, ...)
{
	struct probe_result r = {
		.result = HEALTH_FAIL, .timeout = true, .text = p->text,
		.asked_us = p->asked_us,
	};
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	probe_finish(p, &r);
}

void probe_early(struct probe *p, enum health_result result, const char *fmt,
		 ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->text, sizeof(p->text), fmt, ap);
	va_end(ap);
	p->early = (struct probe_result) { .result = result, .text = p->text };
	source_timer_set(p->timer, 0);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct probe *p = data;

	(void)now_us;
	if (p->early.text)
		probe_finish(p, &p->early);
	else
		p->ops->expired(p);
}

void *probe_new(size_t size, const struct probe_ops *ops,
		const struct probe_want *want, probe_fn fn, void *data)
{
	struct probe *p = calloc(1, size);

	if (!p)
		return NULL;
	p->ops = ops;
	p->want = *want;
	p->fn = fn;
	p->data = data;
	p->started_us = loop_now();
	if (loop_timer(want->loop, &p->timer, on_timer, p) ||
	    source_timer_set(p->timer, p->started_us +
			     want->timeout_ms * LOOP_USEC_PER_MSEC)) {
		source_free(&p->timer);
		free(p);
		return NULL;
	}
	return p;
}

enum health_result probe_judge(int err)
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

socklen_t probe_sockaddr(struct sockaddr_storage *ss,
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

int probe_socket(const struct probe *p, int type, int *err)
{
	const char *device = p->want.device;
	struct sockaddr_storage ss;
	socklen_t len;
	int fd;

	len = probe_sockaddr(&ss, &p->want.addr, p->want.conf->port);
	if (p->want.fd >= 0)
		fd = fcntl(p->want.fd, F_DUPFD_CLOEXEC, 0);
	else
		fd = socket(p->want.addr.family,
			    type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
				 strlen(device))) {
		*err = errno;
		close(fd);
		errno = *err;
		return -1;
	}
	*err = 0;
	if (connect(fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS)
		*err = errno;
	return fd;
}

bool probe_connected(struct probe *p, int fd)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err)
		probe_end(p, probe_judge(err), 0, "connect: %s",
			  strerror(err));
	return !err;
}
