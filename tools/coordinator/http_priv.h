/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server, of http.c (the library, requests from head to end),
 * http_route.c (paths, arguments, what a head may say), http_answer.c (whole ones
 * and streams) and http_client.c (connections and whose they are).
 */
#ifndef COORDINATOR_HTTP_PRIV_H
#define COORDINATOR_HTTP_PRIV_H

#include <sys/socket.h>

#include <microhttpd.h>

#include "client.h"
#include "http.h"

struct http {
	struct loop *loop;
	struct registry *reg;
	const struct route *routes;
	const struct tls *tls;
	struct MHD_Daemon *mhd;
	struct source *io;
	struct source *timer;
	struct source *kick;
	int epoll_fd;			/* the library's */
	bool ending;			/* no connection is kept */
	uint64_t requests;
	uint64_t refused_rate;
	uint64_t refused_auth;
	uint64_t cut_off;		/* slow clients */
	uint64_t refused_memory;
	size_t pending;			/* bytes of answers under way */
	struct bodies *bodies;
	unsigned int connections;
	struct origins *origins;
	unsigned int per_client;	/* connections */
	uint64_t refused_connections;
	struct client_list clients;	/* who was heard of longest ago, first */
	unsigned int clients_max;
	unsigned int kicks;		/* turns without an event of a client */
	uint64_t said_us;		/* the library's last line in the log */
	uint64_t unsaid;
	struct source *tick;
	struct rates *rates;
	unsigned int open;		/* requests that are not answered */
	uint16_t port;
};

/* Lets the library work, as after what it could not see itself. */
void http_pump(struct http *http);

/* The route of a request, its path's argument: 0, or a status with a problem. */
int http_find_route(struct request *rq, const char *path, const char *method);
/* Whether this sender is served at all: 0, or a status with a problem. */
int http_check_sender(struct request *rq);
/* Of the library: decodes a path or an argument in place. */
size_t http_unescape(void *cls, struct MHD_Connection *conn, char *text);

/* Queues what rq->status, ->reply and ->stream say. */
enum MHD_Result http_reply(struct request *rq);
/* Of a stream: what is not read yet. */
void http_drop_piece(struct request *rq);

/* From now on the request's client has @ms, 0: as long as it likes. */
void http_give_time(struct request *rq, uint64_t ms);
/* Whether its client may have this connection, and this request: 0, or a status
 * with a problem.
 */
int http_check_client(struct request *rq);
int http_check_rate(struct request *rq);
/* NULL: the library was short of memory when it came. */
struct client *http_client_of(struct MHD_Connection *conn);
/* Of the library. */
enum MHD_Result http_on_accept(void *cls, const struct sockaddr *sa, socklen_t len);
void http_on_connection(void *cls, struct MHD_Connection *conn, void **ctx,
			enum MHD_ConnectionNotificationCode code);
/* Each second: slow ones go. */
void http_on_tick(void *data, uint64_t now_us);

#endif
