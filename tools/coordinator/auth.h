/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who asks, and whether it may. Without TLS (on loopback, or by "insecure")
 * whoever reaches the port is an administrator; with it a client is what its
 * certificate or its token says, and without either nobody.
 */
#ifndef COORDINATOR_AUTH_H
#define COORDINATOR_AUTH_H

#include "http.h"

#define AUTH_SECRET_MAX	160

/* Sets rq->who. 0, or the status of a problem. */
int auth_check(struct request *rq);

/* The node whose present certificate the client shows, whatever it may do;
 * NULL: of none.
 */
const struct node *auth_peer(const struct request *rq);

/* 0 when the request may speak for @node, else a problem about @field. */
int auth_node(struct request *rq, const struct node *node, const char *field);

/* What limits the tags and numbers of this request; NULL: nothing. */
const struct grant *auth_grant(const struct request *rq);

/* 0 when it may register @tag, else a problem about @field that names it. */
int auth_tag(struct request *rq, const char *tag, const char *field);

/* A new token: its id and hash in @def, what its holder is to keep in
 * @secret. @pin: of the authority, for one that joins by it, or NULL.
 */
void auth_token_make(struct token_def *def, const char *pin,
		     char secret[AUTH_SECRET_MAX]);

/* For log and audit: "node host1", "token 1f00…", "anybody". */
const char *auth_name(const struct request *rq, char *buf, size_t len);

#endif
