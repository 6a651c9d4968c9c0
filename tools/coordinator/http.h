/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP around the event loop: connections, bodies, routing, replies, and
 * requests that wait. libmicrohttpd parses; it runs on the loop's thread.
 *
 * A route's handler sets rq->reply and returns the status, or calls
 * http_wait() and returns 0: it is then called again, with rq->waited set,
 * after http_wake() or when the wait is over or the client gone. It must then
 * answer.
 *
 * Or it answers piece by piece: it returns 200 with rq->stream set. Whenever
 * the client has read all there was, stream->next() gives the next piece by
 * http_piece(), or calls http_wait(), or ends the answer.
 *
 * Ownership: a request belongs to the server and dies with its connection's
 * turn; the server drops rq->reply after sending.
 */
#ifndef COORDINATOR_HTTP_H
#define COORDINATOR_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "config.h"
#include "limits.h"
#include "loop.h"
#include "registry.h"

struct http;
struct tls;
struct tls_name;
struct request;
struct watcher;
struct body_share;
struct origin;

typedef int (*http_handler)(struct request *rq);

#define HTTP_GET	(1u << 0)
#define HTTP_POST	(1u << 1)
#define HTTP_PUT	(1u << 2)
#define HTTP_DELETE	(1u << 3)

/* @path: segments; "*" matches any one segment, the handler's rq->arg. */
struct route {
	const char *path;
	unsigned int method;		/* one of HTTP_... */
	size_t body_max;		/* of a required JSON body, 0: none */
	http_handler fn;
	enum role role;			/* that it takes; NONE: a token to join */
	bool open;			/* to anybody */
	/* What can be refused before the body comes, or NULL: 0 or a status. */
	http_handler head;
};

/* Who asks; see auth.h. */
struct identity {
	enum role role;
	uint32_t node;			/* by certificate, else 0 */
	char token[TOKEN_ID_LEN + 1];	/* its id, else "" */
};

/* An answer in pieces, with fields of its owner's behind. */
struct http_stream {
	const char *type;		/* its content type */
	/* False: that was all. */
	bool (*next)(struct request *rq);
	/* The end; @unread: in the middle of a piece. Frees it. */
	void (*done)(struct http_stream *stream, bool unread);
};

/* Of a handler: it will be called again. */
#define HTTP_WAITS	1

struct request {
	struct http *http;
	struct registry *reg;
	const struct route *route;
	char *arg;			/* the path's "*" segment, or NULL */
	char *body;
	size_t body_len;
	size_t body_room;	/* allocated, and accounted for */
	json_t *reply;
	struct identity who;
	bool challenge;			/* the reply asks for a token */
	bool retry;			/* ... to come back later */
	bool last;			/* ... by another connection */
	bool waited;
	bool suspended;
	unsigned int tries;		/* of a change; see change.h */
	const char *bulk;		/* the field that makes it a large one */
	struct watcher *watcher;	/* while it waits; see watch.h */
	bool gone;			/* the client hung up while it waited */
	struct http_stream *stream;
	/* the server's */
	struct MHD_Connection *conn;
	struct source *hangup;
	size_t discarded;
	struct body_share *share;	/* see body.h */
	size_t pending;			/* bytes of the answer */
	char *piece;			/* of a stream, @pending bytes */
	size_t piece_at;		/* those that were read */
	struct client *client;
	int status;			/* 0: no answer yet */
	const char *allow;
	char etag[40];			/* of the reply, "": it has none */
};

/* Listens; with @tls (lent) by HTTPS only. NULL with a message in @err. @routes
 * ends with a NULL path.
 */
struct http *http_start(struct loop *loop, const struct config *cfg,
			const struct tls *tls, struct registry *reg,
			const struct route *routes, char *err, size_t len);

/* All waiting requests must have been woken, and those that come meanwhile must
 * not wait any more (the library knows no end of one that is suspended); their
 * answers are sent first, which takes STOP_MAX_MS at most.
 */
void http_stop(struct http *http);

uint16_t http_port(const struct http *http);
/* Adds its counters to @obj. */
void http_counters(const struct http *http, json_t *obj);

/* NULL: plain HTTP. */
const struct tls *http_tls(const struct http *http);

/* The certificate that the client showed; see tls_peer(). */
bool http_peer(const struct request *rq, struct tls_name *who);
const char *http_header(const struct request *rq, const char *name);
/* Whom the request's connection counts for. */
struct origin *http_origin(const struct request *rq);
/* Whether it may be one more that waits for changes of whom it counts for, as a @stream
 * or once: 0, or the status of a problem.
 */
int http_check_wait(struct request *rq, bool stream);

/* A query argument, or NULL. */
const char *http_arg(const struct request *rq, const char *name);

/* An integer argument: 0 and *ret untouched when it is absent, 1 when there;
 * -1 and a problem in the reply when it is not an integer of that range.
 */
int http_arg_int(struct request *rq, const char *name, int64_t min, int64_t max,
		 int64_t *ret);

/* Suspends, unless it waits already; calls @gone when the client hangs up while it waits. */
void http_wait(struct request *rq, loop_io_fn gone, void *data);
/* Its client may be gone, and nobody need be told. */
void http_ignore(struct request *rq);
void http_wake(struct request *rq);

/* The next piece of a stream, owned from now on. False: too many answers wait
 * to be read, and this one has to end.
 */
bool http_piece(struct request *rq, char *text, size_t len);

/* Calls @fn with the value of each query argument of that name, until it
 * returns a status of a problem; returns that, else 0.
 */
int http_each_arg(struct request *rq, const char *name,
		  int (*fn)(struct request *rq, const char *value, void *data),
		  void *data);

#endif
