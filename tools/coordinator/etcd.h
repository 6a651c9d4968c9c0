/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to the members of an etcd cluster through its v3 JSON gateway: one
 * at a time that is waited for, with a time limit, and streams and probes on
 * the event loop. Keys and values are base64 there, 64-bit integers strings,
 * and what is 0 or false is left out.
 */
#ifndef COORDINATOR_ETCD_H
#define COORDINATOR_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "loop.h"

#define ETCD_ENDPOINTS_MAX	8

struct etcd;
struct etcd_call;

/* "HOST:PORT,HOST:PORT": literal addresses. NULL without memory or if wrong. */
struct etcd *etcd_new(const char *endpoints);
void etcd_free(struct etcd *etcd);

/* From now on calls on the loop are possible. */
int etcd_loop(struct etcd *etcd, struct loop *loop);

/* The answer, or NULL with words in @err; *unknown: it may have been carried
 * out all the same. @write: is not asked of another member then. Consumes
 * @body.
 */
json_t *etcd_ask(struct etcd *etcd, const char *path, json_t *body, bool write,
		 bool *unknown, char *err, size_t len);

/* On the loop: @line for each line of the answer, @end once, after which the
 * call is gone; @error NULL: a whole answer. @timeout_ms 0: a stream without
 * end, from the member that answers calls now. Consumes @body.
 */
struct etcd_call *etcd_start(struct etcd *etcd, const char *path, json_t *body,
			     uint32_t timeout_ms,
			     void (*line)(void *data, json_t *answer),
			     void (*end)(void *data, const char *error),
			     void *data);
void etcd_cancel(struct etcd_call **call);

/* The member that is asked now is no good: ask the next one. */
void etcd_next(struct etcd *etcd);

json_t *etcd_text(const char *text);
/* Of a base64 string, allocated; NULL if it is none. */
char *etcd_decode(const json_t *value);
int64_t etcd_int(const json_t *obj, const char *key);

#endif
