/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change of what is durable: one transaction, and what the audit log says of
 * it, in the same transaction. The log is bounded; the oldest entries go.
 *
 * Nothing waits for the store but the request that changes it: others are
 * answered meanwhile, from a memory in which the change is not made yet. So
 * one change is under way at a time, from what it was made of to its being
 * taken over, and nobody else changes what the store has in between: who wants
 * to takes turns. What only memory has (leases, figures) moves on.
 */
#ifndef COORDINATOR_CHANGE_H
#define COORDINATOR_CHANGE_H

#include "http.h"

/* Before anything is made of what the store has, and again after any wait: 0,
 * or HTTP_WAITS when the handler is to be called once more in its turn.
 */
int change_turn(struct request *rq);
/* The same for who has no request and comes again by itself. */
bool change_busy(const struct registry *reg);

void change_begin(struct registry *reg);

/* An entry: what happened to which object, and why. @rq: who caused it, NULL:
 * the coordinator itself.
 */
void change_log(struct registry *reg, const struct request *rq,
		const char *object, const char *what, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The same for who is named by @who. */
void change_log_as(struct registry *reg, const char *who, const char *object,
		   const char *what, const char *cause);

/* Commits; @end is called once, perhaps before this returns, and frees @data.
 * @stored: it takes the change over into memory and returns the request's
 * status. Else it undoes what it did, and the status is a problem, or the
 * handler is called again from the beginning when others were faster. Returns
 * the status or HTTP_WAITS. @rq NULL: nobody waits for an answer.
 */
typedef int (*change_end_fn)(struct request *rq, void *data, bool stored);
int change_commit(struct registry *reg, struct request *rq, change_end_fn end,
		  void *data);

/* The change came too late: call the handler again once all that others
 * changed is here. HTTP_WAITS, or 0 when it was tried often enough.
 */
int change_again(struct request *rq);

/* Who came too late tries again. */
void change_ready(struct registry *reg);
/* A handler is done: whose turn is it? */
void change_next(struct registry *reg);

/* The end: what is under way, and who waits, is answered now. */
void change_stop(struct registry *reg);

#endif
