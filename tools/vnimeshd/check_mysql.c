// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MySQL and MariaDB: the greeting, then a login without password, so that the
 * server does not count the connection as a broken one and block this host in
 * the end. A refused login is an answer, too.
 */

#include <string.h>

#include "check_talk.h"

#define CLIENT_LONG_PASSWORD	0x00000001
#define CLIENT_PROTOCOL_41	0x00000200
#define CLIENT_SSL		0x00000800
#define CLIENT_SECURE		0x00008000
#define CLIENT_PLUGIN_AUTH	0x00080000
#define CHARSET_UTF8MB4		45
#define PACKET_MAX		4096
#define HEADER			4
#define COM_QUIT		1

enum { STEP_GREETING, STEP_LOGIN };

static void send_le32(struct talk *t, uint32_t v)
{
	uint8_t b[4] = { v, v >> 8, v >> 16, v >> 24 };

	talk_send(t, b, sizeof(b));
}

static void send_header(struct talk *t, size_t len, uint8_t seq)
{
	uint8_t b[HEADER] = { len, len >> 8, len >> 16, seq };

	talk_send(t, b, sizeof(b));
}

static uint32_t abilities(const struct talk *t)
{
	return CLIENT_LONG_PASSWORD | CLIENT_PROTOCOL_41 | CLIENT_SECURE |
	       CLIENT_PLUGIN_AUTH | (t->conf->tls ? CLIENT_SSL : 0);
}

/* The common beginning of a login and of the request for TLS. */
static void send_start(struct talk *t)
{
	static const uint8_t filler[23];

	send_le32(t, abilities(t));
	send_le32(t, 1U << 24);
	talk_send_u8(t, CHARSET_UTF8MB4);
	talk_send(t, filler, sizeof(filler));
}

static enum talk_state login(struct talk *t)
{
	const char *user = t->conf->user ? t->conf->user : "vnimesh_probe";
	static const char plugin[] = "mysql_native_password";

	t->step = STEP_LOGIN;
	send_header(t, 32 + strlen(user) + 1 + 1 + sizeof(plugin),
		    t->conf->tls ? 2 : 1);
	send_start(t);
	talk_send_text(t, user);
	talk_send_u8(t, 0);
	talk_send_text(t, plugin);
	return TALK_MORE;
}

static enum talk_state start(struct talk *t)
{
	t->step = STEP_GREETING;
	return TALK_MORE;
}

static enum talk_state wrong(struct talk *t)
{
	return talk_done(t, HEALTH_FAIL, "not the answer of a MySQL server");
}

static enum talk_state error(struct talk *t, const uint8_t *p, size_t n)
{
	unsigned int code;
	char text[120];

	if (n < 3)
		return wrong(t);
	code = p[1] | p[2] << 8;
	p += 3;
	n -= 3;
	/* '#' and the SQL state */
	if (n >= 6 && *p == '#') {
		p += 6;
		n -= 6;
	}
	talk_printable(text, sizeof(text), p, n);
	switch (code) {
	case 1040:	/* ER_CON_COUNT_ERROR */
	case 1203:	/* ER_TOO_MANY_USER_CONNECTIONS */
		return talk_done(t, HEALTH_WARN, "up, but full: %s", text);
	case 1129:	/* ER_HOST_IS_BLOCKED */
		return talk_done(t, HEALTH_FAIL, "blocks this host: %s", text);
	case 1053:	/* ER_SERVER_SHUTDOWN */
		return talk_done(t, HEALTH_FAIL, "going down: %s", text);
	}
	if (t->step != STEP_LOGIN)
		return talk_done(t, HEALTH_FAIL, "an error, %u: %s", code,
				 text);
	return talk_done(t, HEALTH_PASS, "up, refuses the probe: %s", text);
}

/* Whether the server knows TLS: the abilities lie behind its version, the
 * connection id and the first part of the salt.
 */
static bool has_tls(const uint8_t *p, size_t n)
{
	const uint8_t *end = memchr(p + 1, 0, n - 1);
	size_t at;

	if (!end)
		return false;
	at = end - p + 1 + 4 + 8 + 1;
	return at + 2 <= n && (p[at] | p[at + 1] << 8) & CLIENT_SSL;
}

static enum talk_state greeting(struct talk *t, const uint8_t *p, size_t n)
{
	if (p[0] == 0xff)
		return error(t, p, n);
	if (p[0] != 10)
		return wrong(t);
	if (!t->conf->tls)
		return login(t);
	if (!has_tls(p, n))
		return talk_done(t, HEALTH_FAIL, "the server has no TLS");
	send_header(t, 32, 1);
	send_start(t);
	return TALK_TLS;
}

static enum talk_state answer(struct talk *t, const uint8_t *p, size_t n,
			      uint8_t seq)
{
	switch (p[0]) {
	case 0xff:
		return error(t, p, n);
	case 0xfe:
		/* Another way to authenticate: we have nothing to show. */
		send_header(t, 0, seq + 1);
		return TALK_MORE;
	case 0x00:
		send_header(t, 1, 0);
		talk_send_u8(t, COM_QUIT);
		return talk_done(t, HEALTH_PASS, "lets the probe in");
	case 0x01:
		/* More of the authentication; it is alive. */
		return talk_done(t, HEALTH_PASS, "asks for a password");
	}
	return wrong(t);
}

static enum talk_state input(struct talk *t)
{
	enum talk_state state = TALK_MORE;
	uint8_t packet[PACKET_MAX];
	size_t len;
	uint8_t seq;

	while (state == TALK_MORE && t->n_in >= HEADER) {
		len = t->in[0] | t->in[1] << 8 | (size_t)t->in[2] << 16;
		seq = t->in[3];
		if (!len || len > sizeof(packet))
			return wrong(t);
		if (t->n_in < HEADER + len)
			return TALK_MORE;
		memcpy(packet, t->in + HEADER, len);
		talk_consume(t, HEADER + len);
		if (t->step == STEP_GREETING)
			state = greeting(t, packet, len);
		else
			state = answer(t, packet, len, seq);
	}
	return state;
}

const struct talk_proto talk_mysql = {
	.start = start,
	.tls = login,
	.input = input,
};
