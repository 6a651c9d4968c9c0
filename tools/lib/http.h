/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP client: requests to a coordinator and checks of members, over libcurl
 * on the event loop. Nothing blocks; URLs must hold literal addresses or
 * names that /etc/hosts knows, as a name server would be asked in a thread.
 *
 * No proxy, no redirect. An https server is who http_identity() says.
 *
 * Ownership: a request belongs to its starter until its callback runs, after
 * which it is gone; http_cancel() ends it without a callback. Callbacks may
 * start and cancel requests. http_free(), outside of them, cancels the rest.
 *
 * Errors: functions returning int give 0 or a negative errno.
 */
#ifndef VNIMESH_HTTP_H
#define VNIMESH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

/* A full table of 10,000 services is below 4 MiB. */
#define HTTP_BODY_MAX	(64U << 20)

struct http;
struct http_req;

struct http_reply {
	int status;		/* 0: no answer, @error says why */
	bool refused;		/* nobody listens there */
	bool timeout;
	bool local;		/* our own lack of something, not theirs */
	const char *error;	/* in words, "" if answered */
	const char *body;	/* NUL behind the end; valid in the callback */
	size_t len;
	const char *headers;	/* of a probe: lines as they came, trailers too */
	size_t seen;		/* bytes of the body that came, if not all kept */
	uint64_t took_us;
	uint64_t asked_us;	/* when we had said all that we had to say */
};

/* What only a check needs. It has a connection of its own, of which nothing
 * is left.
 */
struct http_probe {
	const char *const *headers;	/* "Name: value", NULL at the end */
	const char *connect_to;	/* "HOST:PORT:ADDRESS:PORT", NULL: by the URL */
	/* By https, before anything is asked: whether the caller trusts who shows
	 * his certificates in @session, a gnutls_session_t; else why not. curl only
	 * compares the name. NULL: any certificate will do.
	 */
	bool (*trusts)(void *trust_data, void *session, char *why, size_t len);
	void *trust_data;	/* lives as long as the request */
	bool http2;		/* without asking first */
	const void *body;	/* instead of http_want.body, no type is set */
	size_t len;
	size_t keep;		/* bytes of the answer; the rest is not waited for */
	const int *fd;		/* the socket to connect with, the caller's, or NULL */
};

typedef void (*http_done_fn)(void *data, const struct http_reply *reply);

struct http_want {
	const char *method;	/* NULL: GET */
	const char *url;
	const char *body;	/* JSON, copied; NULL: none */
	uint32_t timeout_ms;	/* for everything, connecting included */
	const char *device;	/* bind to this device, NULL: none */
	const char *host;	/* Host header, NULL or "": from the URL */
	const struct http_probe *probe;	/* or NULL */
};

/* For requests by https that are not probes: who they are asked of, and who
 * we are, as PEM files; @cert and @key may be NULL. Copied.
 */
int http_identity(struct http *http, const char *ca, const char *cert,
		  const char *key);

int http_new(struct http **ret, struct loop *loop);
void http_free(struct http *http);

int http_start(struct http *http, struct http_req **ret,
	       const struct http_want *want, http_done_fn fn, void *data);

/* Ends *req, if any, and clears the pointer. */
void http_cancel(struct http_req **req);

#endif
