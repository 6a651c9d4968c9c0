// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PostgreSQL without logging in: the startup message, up to the question for
 * authentication. A server that starts, stops or recovers says so before that.
 * Who logs in instead uses libpq, see check_sql.h.
 */

#include <string.h>

#include "check_talk.h"

#define PROTOCOL_3	196608
#define SSL_REQUEST	80877103
#define MESSAGE_MAX	4096

enum { STEP_SSL, STEP_STARTUP };

static enum talk_state startup(struct talk *t)
{
	const struct check_conf *c = t->conf;
	const char *user = c->user ? c->user : "vnimesh_probe";
	const char *database = c->database ? c->database : "postgres";
	static const char application[] = "application_name";

	t->step = STEP_STARTUP;
	talk_send_be32(t, 4 + 4 + sizeof("user") + strlen(user) + 1 +
		       sizeof("database") + strlen(database) + 1 +
		       sizeof(application) + sizeof("vnimesh") + 1);
	talk_send_be32(t, PROTOCOL_3);
	talk_send_text(t, "user");
	talk_send_text(t, user);
	talk_send_text(t, "database");
	talk_send_text(t, database);
	talk_send_text(t, application);
	talk_send_text(t, "vnimesh");
	talk_send_u8(t, 0);
	return TALK_MORE;
}

static enum talk_state start(struct talk *t)
{
	if (!t->conf->tls)
		return startup(t);
	t->step = STEP_SSL;
	talk_send_be32(t, 8);
	talk_send_be32(t, SSL_REQUEST);
	return TALK_MORE;
}

static enum talk_state ssl_answer(struct talk *t)
{
	uint8_t c = t->in[0];

	/* What came before the handshake is nobody's. */
	if (c == 'S' && t->n_in == 1) {
		talk_consume(t, 1);
		return TALK_TLS;
	}
	if (c == 'N')
		return talk_done(t, HEALTH_FAIL, "the server has no TLS");
	return talk_done(t, HEALTH_FAIL,
			 "not the answer of a PostgreSQL server");
}

/* Field @type of an error message, "" without. */
static const char *field(const uint8_t *p, size_t n, char type)
{
	const uint8_t *end;

	while (n && *p) {
		end = memchr(p, 0, n);
		if (!end)
			return "";
		if (*p == type)
			return (const char *)p + 1;
		n -= end + 1 - p;
		p = end + 1;
	}
	return "";
}

static enum talk_state error(struct talk *t, const uint8_t *p, size_t n)
{
	const char *code = field(p, n, 'C');
	const char *said = field(p, n, 'M');
	char text[120];

	talk_printable(text, sizeof(text), said, strlen(said));
	if (!strcmp(code, "57P03"))
		return talk_done(t, HEALTH_FAIL, "not ready: %s", text);
	if (!strncmp(code, "57P", 3))
		return talk_done(t, HEALTH_FAIL, "going down: %s", text);
	if (!strcmp(code, "53300"))
		return talk_done(t, HEALTH_WARN, "up, but full: %s", text);
	/* It looked into its tables of users and databases to say so. */
	if (!strncmp(code, "28", 2) || !strcmp(code, "3D000"))
		return talk_done(t, HEALTH_PASS, "up, refuses the probe: %s",
				 text);
	return talk_done(t, HEALTH_FAIL, "an error, %.5s: %s", code, text);
}

static enum talk_state input(struct talk *t)
{
	uint32_t len;

	if (t->step == STEP_SSL)
		return ssl_answer(t);
	if (t->in[0] != 'R' && t->in[0] != 'E')
		return talk_done(t, HEALTH_FAIL,
				 "not the answer of a PostgreSQL server");
	if (t->n_in < 5)
		return TALK_MORE;
	len = (uint32_t)t->in[1] << 24 | t->in[2] << 16 | t->in[3] << 8 |
	      t->in[4];
	if (len < 8 || len > MESSAGE_MAX)
		return talk_done(t, HEALTH_FAIL,
				 "not the answer of a PostgreSQL server");
	if (t->n_in < len + 1)
		return TALK_MORE;
	if (t->in[0] == 'E')
		return error(t, t->in + 5, len - 4);
	/* Let in without being asked: say goodbye. */
	if (!memcmp(t->in + 5, "\0\0\0\0", 4)) {
		talk_send_u8(t, 'X');
		talk_send_be32(t, 4);
	}
	return talk_done(t, HEALTH_PASS, "takes connections");
}

const struct talk_proto talk_postgres = {
	.start = start,
	.tls = startup,
	.input = input,
};
