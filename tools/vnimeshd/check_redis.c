// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Redis: PING, and ROLE for those who follow the primary. All is sent at once
 * and answered in order.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_talk.h"

#define LINE_MAX_BYTES	512

enum { STEP_AUTH, STEP_PING, STEP_ROLE };

static void send_words(struct talk *t, unsigned int n, const char *const *v)
{
	char text[32];
	unsigned int i;

	snprintf(text, sizeof(text), "*%u\r\n", n);
	talk_send(t, text, strlen(text));
	for (i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "$%zu\r\n", strlen(v[i]));
		talk_send(t, text, strlen(text));
		talk_send(t, v[i], strlen(v[i]));
		talk_send(t, "\r\n", 2);
	}
}

static bool wants_role(const struct check_conf *c)
{
	return c->password_file || c->writable || c->primary_tag[0];
}

static enum talk_state start(struct talk *t)
{
	const char *auth[] = { "AUTH", t->conf->user, t->password };
	const char *old[] = { "AUTH", t->password };
	const char *ping[] = { "PING" };
	const char *role[] = { "ROLE" };

	t->step = STEP_PING;
	if (t->conf->password_file) {
		t->step = STEP_AUTH;
		/* Before Redis 6 there are no users. */
		if (t->conf->user)
			send_words(t, 3, auth);
		else
			send_words(t, 2, old);
	}
	send_words(t, 1, ping);
	if (wants_role(t->conf))
		send_words(t, 1, role);
	return TALK_MORE;
}

static bool begins(const char *line, const char *word)
{
	return !strncmp(line, word, strlen(word));
}

/* An error is the answer to whatever was asked. */
static enum talk_state error(struct talk *t, const char *line)
{
	char text[128];

	talk_printable(text, sizeof(text), line, strlen(line));
	if (begins(line, "-NOAUTH") && !wants_role(t->conf))
		return talk_done(t, HEALTH_PASS, "up, asks for a password");
	if (begins(line, "-LOADING"))
		return talk_done(t, HEALTH_FAIL, "loading: %s", text + 1);
	if (begins(line, "-MASTERDOWN"))
		return talk_done(t, HEALTH_FAIL,
				 "replica without its primary: %s", text + 1);
	if (begins(line, "-BUSY"))
		return talk_done(t, HEALTH_FAIL, "busy: %s", text + 1);
	if (begins(line, "-NOAUTH") || begins(line, "-WRONGPASS") ||
	    begins(line, "-NOPERM") || t->step == STEP_AUTH)
		return talk_done(t, HEALTH_FAIL, "cannot log in: %s",
				 text + 1);
	return talk_done(t, HEALTH_FAIL, "an error: %s", text + 1);
}

static enum talk_state wrong(struct talk *t, const char *line)
{
	char text[64];

	talk_printable(text, sizeof(text), line, strlen(line));
	return talk_done(t, HEALTH_FAIL,
			 "not the answer of a Redis server: \"%s\"", text);
}

static enum talk_state role(struct talk *t, const char *word)
{
	if (!strcmp(word, "master")) {
		t->role = CHECK_ROLE_PRIMARY;
		return talk_done(t, HEALTH_PASS, "up, primary");
	}
	/* A sentinel takes no writes either. */
	t->role = CHECK_ROLE_REPLICA;
	if (strcmp(word, "slave")) {
		if (t->conf->writable)
			return talk_done(t, HEALTH_FAIL, "read-only: role %s",
					 word);
		return talk_done(t, HEALTH_PASS, "up, role %.32s", word);
	}
	if (t->conf->writable)
		return talk_done(t, HEALTH_FAIL, "read-only: a replica");
	return talk_done(t, HEALTH_PASS, "up, replica");
}

/* "*3", "$6", "master": the first two lines say nothing. */
static enum talk_state role_line(struct talk *t, const char *line)
{
	if (line[0] == '*' || line[0] == '$')
		return TALK_MORE;
	return role(t, line);
}

static enum talk_state line_in(struct talk *t, const char *line)
{
	if (line[0] == '-')
		return error(t, line);
	switch (t->step) {
	case STEP_AUTH:
		if (strcmp(line, "+OK"))
			return wrong(t, line);
		t->step = STEP_PING;
		return TALK_MORE;
	case STEP_PING:
		if (strcmp(line, "+PONG"))
			return wrong(t, line);
		if (!wants_role(t->conf))
			return talk_done(t, HEALTH_PASS, "PONG");
		t->step = STEP_ROLE;
		return TALK_MORE;
	default:
		return role_line(t, line);
	}
}

static enum talk_state input(struct talk *t)
{
	enum talk_state state = TALK_MORE;
	char line[LINE_MAX_BYTES + 1];
	const uint8_t *end;
	size_t n;

	while (state == TALK_MORE) {
		end = memchr(t->in, '\n', t->n_in);
		n = end ? (size_t)(end - t->in) : t->n_in;
		if (n > LINE_MAX_BYTES)
			n = LINE_MAX_BYTES;
		else if (!end)
			return TALK_MORE;
		memcpy(line, t->in, n);
		line[n] = '\0';
		if (!end || n == LINE_MAX_BYTES)
			return wrong(t, line);
		line[strcspn(line, "\r")] = '\0';
		talk_consume(t, n + 1);
		state = line_in(t, line);
	}
	return state;
}

const struct talk_proto talk_redis = {
	.start = start,
	.input = input,
};
