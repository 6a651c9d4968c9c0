/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bodies of requests that are under way. Large ones have a bound for all
 * together, and one for all of whom they come from: the node of a certificate,
 * a token, or else an address. Small ones are taken beyond both, so that who
 * sends large ones and does not end keeps nobody else out.
 *
 * What counts is what is allocated, up to twice of what came.
 *
 * Ownership: a body belongs to its request (rq->body, rq->body_len, and while
 * it is a large one rq->share) and goes with body_drop(). All of it belongs to
 * the event loop.
 */
#ifndef COORDINATOR_BODY_H
#define COORDINATOR_BODY_H

#include "http.h"

struct bodies;

struct bodies *bodies_new(void);
/* All bodies must have been dropped. NULL is fine. */
void bodies_free(struct bodies *bodies);
/* Adds its counters to @obj. */
void bodies_counters(const struct bodies *bodies, json_t *obj);

/* What the client said that it will send. */
size_t body_announced(const struct request *rq);

/* What can be refused before it is read, of who is known by now: 0, or the
 * status of a problem.
 */
int body_check(struct bodies *bodies, struct request *rq);

/* The next piece; a problem may be in rq->status then. False: end the
 * connection.
 */
bool body_take(struct bodies *bodies, struct request *rq, const char *data,
	       size_t len);
void body_drop(struct bodies *bodies, struct request *rq);

#endif
