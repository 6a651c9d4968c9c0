/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A change of what is durable: one transaction, and what the audit log says of
 * it, in the same transaction. The log is bounded; the oldest entries go.
 */
#ifndef COORDINATOR_CHANGE_H
#define COORDINATOR_CHANGE_H

#include "http.h"

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

/* 0, or an error of store_commit(); problem_store() then says what becomes of
 * the request.
 */
int change_commit(struct registry *reg);

/* The change came too late: call the handler again once all that others
 * changed is here. HTTP_WAITS, or 0 when it was tried often enough.
 */
int change_again(struct request *rq);

/* Who waits tries again. */
void change_ready(struct registry *reg);

#endif
