/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Refusals in words: application/problem+json (RFC 9457). */
#ifndef COORDINATOR_PROBLEM_H
#define COORDINATOR_PROBLEM_H

#include "http.h"
#include "json.h"

/* Sets rq->reply and returns @status, for a handler to return. @field: path
 * of what is wrong in the request, or NULL.
 */
int problem(struct request *rq, int status, const char *field,
	    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* 400 from what the reader found. */
int problem_json(struct request *rq, const struct jread *rd);

/* The store did not take the change, and nothing was changed: HTTP_WAITS to try
 * again, or 503.
 */
int problem_store(struct request *rq);

#endif
