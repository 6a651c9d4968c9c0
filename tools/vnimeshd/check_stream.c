// SPDX-License-Identifier: GPL-2.0-or-later
/* A check over one connection: connect, TLS if wanted, talk. */

#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "check_probe.h"
#include "check_trust.h"

enum stage {
	STAGE_CONNECT,
	STAGE_TLS,
	STAGE_TALK,
};

struct stream {
	struct probe p;
	struct talk talk;
	struct source *io;
	int fd;
	enum stage stage;
	bool tls;		/* asked for by the talk, after @out is sent */
	bool done;		/* the talk has its verdict */
	gnutls_session_t session;
	gnutls_typed_vdata_st demands[TLS_DEMANDS];	/* the session's */
	bool secure;		/* the handshake is through */
	size_t sent;		/* of talk.out */
	uint32_t latency_us;
};

static void stream_free(struct probe *p)
{
	struct linger reset = { .l_onoff = 1 };
	struct stream *s = (struct stream *)p;

	if (s->session)
		gnutls_deinit(s->session);
	source_free(&s->io);
	if (s->fd >= 0) {
		/* A check each second must not leave TIME_WAIT behind. */
		setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(s->fd);
	}
	talk_free(&s->talk);
	free(s);
}

static uint32_t handshake_us(const struct stream *s)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	/* Ours would count the time in which this process did not run. */
	if (!getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
	    info.tcpi_rtt)
		return info.tcpi_rtt;
	return loop_now() - s->p.started_us;
}

/* The only end but the deadline's: remembered, reported by on_io(). */
static void verdict(struct stream *s)
{
	struct talk *t = &s->talk;

	s->done = true;
	/* How long it took is part of every good answer. */
	if (t->result == HEALTH_PASS && strlen(t->text) < OUTPUT_MAX - 32)
		sprintf(t->text + strlen(t->text), " in %u.%03u ms",
			s->latency_us / 1000, s->latency_us % 1000);
}

static void __attribute__((format(printf, 3, 4)))
fail(struct stream *s, enum health_result result, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->talk.text, sizeof(s->talk.text), fmt, ap);
	va_end(ap);
	s->talk.result = result;
	s->done = true;
}

static void talked(struct stream *s, enum talk_state state)
{
	if (state == TALK_TLS)
		s->tls = true;
	else if (state == TALK_DONE)
		verdict(s);
}

static void lost(struct stream *s, int err)
{
	if (s->talk.total)
		fail(s, probe_judge(err), "%s after %zu bytes of an answer",
		     strerror(err), s->talk.total);
	else
		fail(s, probe_judge(err), "connected, then %s", strerror(err));
}

static void tls_failed(struct stream *s, int ret)
{
	gnutls_datum_t why = { 0 };
	unsigned int status;

	if (ret == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
		status = gnutls_session_get_verify_cert_status(s->session);
		gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509,
							     &why, 0);
		fail(s, HEALTH_FAIL, "TLS: %s", why.data ?
		     (char *)why.data : "the certificate is not trusted");
		gnutls_free(why.data);
		return;
	}
	fail(s, HEALTH_FAIL, "TLS: %s", gnutls_strerror(ret));
}

static void tls_start(struct stream *s)
{
	const struct check_conf *c = s->p.want.conf;
	int ret;

	s->stage = STAGE_TLS;
	s->tls = false;
	ret = gnutls_init(&s->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK |
			  GNUTLS_NO_SIGNAL);
	if (ret >= 0)
		ret = gnutls_set_default_priority(s->session);
	if (ret >= 0)
		ret = gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE,
					     tls_creds_of(s->p.want.creds));
	if (ret >= 0 && c->tls_name)
		ret = gnutls_server_name_set(s->session, GNUTLS_NAME_DNS,
					     c->tls_name, strlen(c->tls_name));
	if (ret < 0) {
		fail(s, HEALTH_NOTHING, "TLS: %s", gnutls_strerror(ret));
		return;
	}
	if (!c->tls_insecure)
		gnutls_session_set_verify_cert2(s->session, s->demands,
						tls_demands(c->tls_name, s->demands),
						0);
	gnutls_transport_set_int(s->session, s->fd);
}

/* True: through. */
static bool tls_handshake(struct stream *s)
{
	int ret = gnutls_handshake(s->session);

	s->p.asked_us = loop_now();
	if (ret == GNUTLS_E_SUCCESS) {
		s->secure = true;
		s->stage = STAGE_TALK;
		talked(s, talk_tls(&s->talk));
		return true;
	}
	if (gnutls_error_is_fatal(ret))
		tls_failed(s, ret);
	return false;
}

static ssize_t stream_send(struct stream *s, const void *buf, size_t len)
{
	ssize_t n;

	if (!s->secure)
		return send(s->fd, buf, len, MSG_NOSIGNAL);
	n = gnutls_record_send(s->session, buf, len);
	if (n >= 0)
		return n;
	errno = gnutls_error_is_fatal(n) ? EPROTO : EAGAIN;
	return -1;
}

static ssize_t stream_recv(struct stream *s, void *buf, size_t len)
{
	ssize_t n;

	if (!s->secure)
		return recv(s->fd, buf, len, 0);
	n = gnutls_record_recv(s->session, buf, len);
	if (n >= 0)
		return n;
	/* Whoever ends without a goodbye has ended all the same. */
	if (n == GNUTLS_E_PREMATURE_TERMINATION)
		return 0;
	errno = gnutls_error_is_fatal(n) ? EPROTO : EAGAIN;
	return -1;
}

static void flush(struct stream *s)
{
	struct talk *t = &s->talk;
	ssize_t n;

	while (s->sent < t->n_out) {
		n = stream_send(s, t->out + s->sent, t->n_out - s->sent);
		if (n < 0) {
			/* What it said before it closed may still be there. */
			if (errno != EAGAIN && errno != EPIPE &&
			    errno != ECONNRESET && !s->done)
				lost(s, errno);
			return;
		}
		s->sent += n;
		s->p.asked_us = loop_now();
	}
	t->n_out = 0;
	s->sent = 0;
}

/* At most so much in one turn of the loop: others wait, too. */
static void receive(struct stream *s)
{
	char buf[16384];
	ssize_t n;

	n = stream_recv(s, buf, sizeof(buf));
	if (n > 0)
		talked(s, talk_input(&s->talk, buf, n));
	else if (!n)
		talked(s, talk_closed(&s->talk));
	else if (errno != EAGAIN && errno != EINTR)
		lost(s, errno);
}

static void connected(struct stream *s)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		err = errno;
	if (err) {
		fail(s, probe_judge(err), "connect: %s", strerror(err));
		return;
	}
	s->latency_us = handshake_us(s);
	s->stage = STAGE_TALK;
	if (s->p.want.conf->tls && !s->talk.proto->tls)
		tls_start(s);
	else
		talked(s, talk_start(&s->talk));
}

static uint32_t wanted_events(const struct stream *s)
{
	if (s->stage == STAGE_TLS)
		return gnutls_record_get_direction(s->session) ? EPOLLOUT :
								 EPOLLIN;
	return EPOLLIN | (s->talk.n_out ? EPOLLOUT : 0);
}

/* What can be done now. False: the probe is gone. */
static bool step(struct stream *s, bool readable)
{
	struct probe_result r;

	if (s->stage == STAGE_CONNECT)
		connected(s);
	else if (s->stage == STAGE_TALK && readable)
		receive(s);
	if (s->stage == STAGE_TALK)
		flush(s);
	if (!s->done && s->tls && !s->talk.n_out)
		tls_start(s);
	if (!s->done && s->stage == STAGE_TLS && tls_handshake(s)) {
		flush(s);
		/* Decrypted bytes may lie behind the handshake already. */
		if (!s->done && gnutls_record_check_pending(s->session))
			receive(s);
	}
	while (!s->done && s->secure &&
	       gnutls_record_check_pending(s->session))
		receive(s);
	if (!s->done) {
		flush(s);
		source_io_events(s->io, wanted_events(s));
		return true;
	}
	/* A goodbye of the protocol, if there is room for it. */
	flush(s);
	r = (struct probe_result) {
		.result = s->talk.result, .role = s->talk.role,
		.latency_us = s->latency_us, .text = s->talk.text,
	};
	probe_finish(&s->p, &r);
	return false;
}

static void on_io(void *data, int fd, uint32_t events)
{
	struct stream *s = data;

	(void)fd;
	step(s, events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP));
}

static bool ready(const struct stream *s)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	return s->stage != STAGE_CONNECT ||
	       (!getsockopt(s->fd, IPPROTO_TCP, TCP_INFO, &info, &len) &&
		info.tcpi_state != TCP_SYN_SENT);
}

static void expired(struct probe *p)
{
	struct stream *s = (struct stream *)p;
	uint32_t ms = p->want.timeout_ms;
	uint64_t asked = p->asked_us;

	/* The answer may lie there, seen by us too late only. */
	if (ready(s) && !step(s, true))
		return;
	p->asked_us = asked;
	if (s->stage == STAGE_CONNECT)
		probe_timeout(p, "no answer to the connection in %u ms", ms);
	else if (s->stage == STAGE_TLS)
		probe_timeout(p, "connected, but no TLS handshake in %u ms",
			      ms);
	else if (!s->talk.total)
		probe_timeout(p, "connected, but no answer in %u ms", ms);
	else
		probe_timeout(p, "answer incomplete after %u ms (%zu bytes)",
			      ms, s->talk.total);
}

static const struct probe_ops ops = {
	.expired = expired,
	.free = stream_free,
};

int stream_start(struct probe **ret, const struct probe_want *want,
		 probe_fn fn, void *data)
{
	struct stream *s = probe_new(sizeof(*s), &ops, want, fn, data);
	struct probe *p = (struct probe *)s;
	int err;

	if (!s)
		return -ENOMEM;
	p->asked_us = p->started_us;
	talk_init(&s->talk, want->conf, want->password);
	s->fd = probe_socket(p, SOCK_STREAM, &err);
	if (s->fd < 0)
		err = -errno;
	else if (err)
		probe_early(p, probe_judge(err), "connect: %s", strerror(err));
	else
		err = loop_io(want->loop, &s->io, s->fd, EPOLLOUT, on_io, s);
	if (err < 0) {
		probe_cancel(&p);
		return err;
	}
	*ret = p;
	return 0;
}
