/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said in a check over one connection: bytes in, bytes out, a verdict
 * in the end. No socket, no clock; check_stream.h brings the bytes.
 *
 * The driver calls talk_start() when the connection is there, talk_tls() when
 * TLS that was asked for is, talk_input() for what came, talk_closed() at its
 * end; after each it sends what lies in @out. TALK_DONE is final.
 */
#ifndef VNIMESHD_CHECK_TALK_H
#define VNIMESHD_CHECK_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check_conf.h"
#include "facts.h"
#include "health.h"

/* Of an answer that are kept; nobody's health needs more. */
#define TALK_IN_MAX	65536
#define TALK_OUT_MAX	2048

enum talk_state {
	TALK_MORE,		/* go on sending and receiving */
	TALK_TLS,		/* ... after TLS is set up */
	TALK_DONE,
};

enum check_role {
	CHECK_ROLE_NONE,	/* not asked, or not known */
	CHECK_ROLE_PRIMARY,
	CHECK_ROLE_REPLICA,
};

struct talk;

struct talk_proto {
	enum talk_state (*start)(struct talk *t);
	enum talk_state (*tls)(struct talk *t);	/* NULL: TLS comes first */
	enum talk_state (*input)(struct talk *t);
	enum talk_state (*closed)(struct talk *t); /* NULL: a failure */
};

struct talk {
	const struct talk_proto *proto;
	const struct check_conf *conf;
	const char *password;	/* the caller's, "" for none */
	unsigned int step;	/* the protocol's own */
	uint8_t out[TALK_OUT_MAX];
	size_t n_out;
	uint8_t *in;		/* owned, what is not consumed yet */
	size_t n_in, room;
	size_t total;		/* bytes that ever came */
	/* with TALK_DONE */
	enum health_result result;
	enum check_role role;
	char text[OUTPUT_MAX + 1];
};

/* NULL: a check of this type does not talk over a connection. */
const struct talk_proto *talk_proto(enum check_type type);

void talk_init(struct talk *t, const struct check_conf *conf,
	       const char *password);
void talk_free(struct talk *t);

enum talk_state talk_start(struct talk *t);
enum talk_state talk_tls(struct talk *t);
enum talk_state talk_input(struct talk *t, const void *buf, size_t len);
enum talk_state talk_closed(struct talk *t);

/* For the protocols. */
void talk_send(struct talk *t, const void *buf, size_t len);
void talk_send_u8(struct talk *t, uint8_t v);
void talk_send_be32(struct talk *t, uint32_t v);
void talk_send_text(struct talk *t, const char *text); /* with its NUL */
void talk_consume(struct talk *t, size_t len);
enum talk_state talk_done(struct talk *t, enum health_result result,
			  const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* @text with what is not printable as '?', at most @len - 1 bytes. */
const char *talk_printable(char *buf, size_t len, const void *text, size_t n);

extern const struct talk_proto talk_tcp, talk_redis, talk_postgres, talk_mysql;

#endif
