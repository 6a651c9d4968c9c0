// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said in a check over one connection; and plain send and expect. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_talk.h"

const struct talk_proto *talk_proto(enum check_type type)
{
	switch (type) {
	case CHECK_TCP:
		return &talk_tcp;
	case CHECK_REDIS:
		return &talk_redis;
	case CHECK_POSTGRES:
		return &talk_postgres;
	case CHECK_MYSQL:
		return &talk_mysql;
	default:
		return NULL;
	}
}

void talk_init(struct talk *t, const struct check_conf *conf,
	       const char *password)
{
	memset(t, 0, sizeof(*t));
	t->proto = talk_proto(conf->type);
	t->conf = conf;
	t->password = password ? password : "";
}

void talk_free(struct talk *t)
{
	free(t->in);
	t->in = NULL;
}

void talk_send(struct talk *t, const void *buf, size_t len)
{
	/* Names and passwords are bounded when they are read. */
	if (!len || len > sizeof(t->out) - t->n_out)
		return;
	memcpy(t->out + t->n_out, buf, len);
	t->n_out += len;
}

void talk_send_u8(struct talk *t, uint8_t v)
{
	talk_send(t, &v, 1);
}

void talk_send_be32(struct talk *t, uint32_t v)
{
	uint8_t b[4] = { v >> 24, v >> 16, v >> 8, v };

	talk_send(t, b, sizeof(b));
}

void talk_send_text(struct talk *t, const char *text)
{
	talk_send(t, text, strlen(text) + 1);
}

void talk_consume(struct talk *t, size_t len)
{
	t->n_in -= len;
	memmove(t->in, t->in + len, t->n_in);
}

enum talk_state talk_done(struct talk *t, enum health_result result,
			  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->text, sizeof(t->text), fmt, ap);
	va_end(ap);
	t->result = result;
	return TALK_DONE;
}

const char *talk_printable(char *buf, size_t len, const void *text, size_t n)
{
	const char *p = text;
	size_t i;

	for (i = 0; i < n && i + 1 < len; i++)
		buf[i] = p[i] >= ' ' && p[i] <= '~' ? p[i] : '?';
	buf[i] = '\0';
	return buf;
}

enum talk_state talk_start(struct talk *t)
{
	return t->proto->start(t);
}

enum talk_state talk_tls(struct talk *t)
{
	return t->proto->tls ? t->proto->tls(t) : t->proto->start(t);
}

enum talk_state talk_input(struct talk *t, const void *buf, size_t len)
{
	size_t room;
	uint8_t *in;

	t->total += len;
	if (len > TALK_IN_MAX - t->n_in)
		len = TALK_IN_MAX - t->n_in;
	if (t->n_in + len > t->room) {
		room = t->n_in + len < 512 ? 512 : 2 * (t->n_in + len);
		in = realloc(t->in, room);
		if (!in)
			return talk_done(t, HEALTH_NOTHING, "no memory");
		t->in = in;
		t->room = room;
	}
	memcpy(t->in + t->n_in, buf, len);
	t->n_in += len;
	return t->proto->input(t);
}

enum talk_state talk_closed(struct talk *t)
{
	if (t->proto->closed)
		return t->proto->closed(t);
	if (!t->total)
		return talk_done(t, HEALTH_FAIL,
				 "connected, but closed by the other side without an answer");
	return talk_done(t, HEALTH_FAIL,
			 "closed by the other side after %zu bytes of an incomplete answer",
			 t->total);
}

/* ---- send and expect ---- */

static enum talk_state tcp_start(struct talk *t)
{
	talk_send(t, t->conf->send.v, t->conf->send.n);
	if (!t->conf->expect.n)
		return talk_done(t, HEALTH_PASS, "connected");
	return TALK_MORE;
}

static enum talk_state tcp_unexpected(struct talk *t, const char *how)
{
	char want[64], got[64];

	talk_printable(want, sizeof(want), t->conf->expect.v,
		       t->conf->expect.n);
	talk_printable(got, sizeof(got), t->in, t->n_in);
	return talk_done(t, HEALTH_FAIL, "expected \"%s\", %s \"%s\"%s", want,
			 how, got, t->n_in >= sizeof(got) ? "..." : "");
}

static enum talk_state tcp_input(struct talk *t)
{
	const struct check_bytes *want = &t->conf->expect;

	if (memmem(t->in, t->n_in, want->v, want->n))
		return talk_done(t, HEALTH_PASS, "the expected answer");
	if (t->n_in < TALK_IN_MAX)
		return TALK_MORE;
	return tcp_unexpected(t, "not in 65536 bytes, which begin");
}

static enum talk_state tcp_closed(struct talk *t)
{
	if (!t->total)
		return talk_done(t, HEALTH_FAIL,
				 "connected, but closed by the other side without an answer");
	return tcp_unexpected(t, "closed by the other side after");
}

const struct talk_proto talk_tcp = {
	.start = tcp_start,
	.input = tcp_input,
	.closed = tcp_closed,
};
