/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to the members of an etcd cluster through its v3 JSON gateway, on
 * the event loop, each with a time limit. Keys and values are base64 there,
 * 64-bit integers strings, and what is 0 or false is left out.
 *
 * With a user's name a token is fetched first, and again when it is not good
 * any more; nobody but this file sees it.
 */
#ifndef COORDINATOR_ETCD_H
#define COORDINATOR_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "config.h"
#include "loop.h"

#define ETCD_ENDPOINTS_MAX	8

struct etcd;
struct etcd_call;

/* "HOST:PORT,HOST:PORT": literal addresses. @access, NULL: neither encrypted
 * nor authenticated; copied. NULL without memory or if wrong.
 */
struct etcd *etcd_new(const char *endpoints, const struct etcd_access *access);
void etcd_free(struct etcd *etcd);

/* From now on calls on the loop are possible. */
int etcd_loop(struct etcd *etcd, struct loop *loop);

/* @done is called once, after which the call is gone, with the answer (lent),
 * or NULL and words; @unknown: it may have been carried out all the same.
 * @write: is not asked of another member then. Consumes @body.
 */
typedef void (*etcd_done_fn)(void *data, json_t *answer, bool unknown,
			     const char *error);
struct etcd_call *etcd_post(struct etcd *etcd, const char *path, json_t *body,
			    bool write, etcd_done_fn done, void *data);

/* The same, waited for: while nothing else depends on us, at the start. The
 * answer, or NULL with words in @err.
 */
json_t *etcd_ask(struct etcd *etcd, const char *path, json_t *body, bool write,
		 bool *unknown, char *err, size_t len);

/* A stream without end from the member that answers calls now: @line for each
 * line of it, @end once, after which the call is gone; both from the loop, so
 * that they may begin and cancel calls. Consumes @body.
 */
struct etcd_call *etcd_stream(struct etcd *etcd, const char *path, json_t *body,
			      void (*line)(void *data, json_t *answer),
			      void (*end)(void *data, const char *error),
			      void *data);
void etcd_cancel(struct etcd_call **call);

/* Of an error: it would be refused in the same way by every member, always. */
bool etcd_too_large(const char *error);

/* The member that is asked now is no good: ask the next one. */
void etcd_next(struct etcd *etcd);

json_t *etcd_text(const char *text);
/* Of a base64 string, allocated; NULL if it is none. */
char *etcd_decode(const json_t *value);
/* Of a number or its digits; 0 for what etcd has none of. */
int64_t etcd_int(const json_t *obj, const char *key);

#endif
