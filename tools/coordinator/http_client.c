// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <microhttpd.h>

#include "auth.h"
#include "client.h"
#include "http_priv.h"
#include "mem.h"
#include "problem.h"
#include "tls.h"

bool http_peer(const struct request *rq, struct tls_name *who)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(rq->conn,
				       MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info && info->tls_session &&
	       tls_peer(info->tls_session, who);
}

void http_give_time(struct request *rq, uint64_t ms)
{
	if (rq->client)
		rq->client->until_us = ms ? loop_now() +
					    ms * LOOP_USEC_PER_MSEC : 0;
}

/* NULL: the library does not know. */
static struct origin origin_by(const struct http *http,
			       const struct sockaddr *sa)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in = (const void *)sa;
	struct ip_addr addr = { 0 };

	if (sa) {
		addr.family = sa->sa_family;
		if (addr.family == AF_INET6)
			memcpy(addr.b, &in6->sin6_addr, 16);
		else
			memcpy(addr.b, &in->sin_addr, 4);
	}
	return origin_of(&addr, !http->tls);
}

struct origin *http_origin(const struct request *rq)
{
	return rq->client->origin;
}

/* Those that wait do not go for a newcomer: of an address others go for it then. A
 * stream stays for good, and leaves some to those that wait once.
 */
int http_check_wait(struct request *rq, bool stream)
{
	const struct origin *who = rq->client->origin;
	unsigned int max = rq->http->per_client;
	unsigned int n = who->watchers + who->streams;

	if (who->node)
		return 0;
	if (stream && who->streams >= CLIENT_STREAMS(max))
		return problem(rq, 503, NULL,
			       "%u event streams of this address are open, its other connections are for who else is there",
			       who->streams);
	if (n < CLIENT_WAITING(max))
		return 0;
	return problem(rq, 503, NULL,
		       "%u requests of this address wait for changes, its other connections are for who else is there",
		       n);
}

static bool is_full(const struct http *http, const struct origin *origin)
{
	return origin && origin->connections >= http->per_client;
}

/* Its first request: from now on a node's connection counts for the node, and no
 * more for the address that it may have in common with many.
 */
int http_check_client(struct request *rq)
{
	struct origin who = { 0 };
	struct client *c = rq->client;
	struct http *http = rq->http;
	const struct node *node;

	if (!c || c->known)
		return 0;
	c->known = true;
	node = auth_peer(rq);
	if (!node)
		return 0;
	who.node = node->def.id;
	if (is_full(http, origins_find(http->origins, &who))) {
		http->refused_connections++;
		rq->retry = true;
		rq->last = true;
		return problem(rq, 429, NULL,
			       "node \"%s\" has %u connections: it may have no more",
			       node->def.name, http->per_client);
	}
	origins_leave(http->origins, c->origin);
	c->origin = origins_enter(http->origins, &who);
	return 0;
}

int http_check_rate(struct request *rq)
{
	struct http *http = rq->http;

	if (!rq->client ||
	    rates_take(http->rates, rq->client->origin, loop_now()))
		return 0;
	http->refused_rate++;
	rq->retry = true;
	return problem(rq, 429, NULL,
		       "too many requests from this %s: wait a second",
		       rq->client->origin->node ? "node" : "address");
}

struct client *http_client_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(conn,
				       MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* Of one address, of whom nothing else is known yet: it may be a node, which nobody
 * behind the same address must keep out. So the new one stays, and an old one goes.
 */
enum MHD_Result http_on_accept(void *cls, const struct sockaddr *sa,
			       socklen_t len)
{
	struct http *http = cls;
	struct origin who = origin_by(http, sa);
	struct origin *origin;

	(void)len;
	origin = origins_find(http->origins, &who);
	if (!is_full(http, origin))
		return MHD_YES;
	if (clients_evict_of(&http->clients, origin)) {
		http->cut_off++;
		return MHD_YES;
	}
	http->refused_connections++;
	return MHD_NO;
}

void http_on_connection(void *cls, struct MHD_Connection *conn, void **ctx,
			enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct client *c = *ctx;
	struct http *http = cls;
	struct origin who;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c) {
			TAILQ_REMOVE(&http->clients, c, list);
			origins_leave(http->origins, c->origin);
		}
		http->connections -= !!c;
		free(c);
		*ctx = NULL;
		return;
	}
	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	c = mem_zero(1, sizeof(*c));
	c->fd = info ? info->connect_fd : -1;
	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	who = origin_by(http, info ? info->client_addr : NULL);
	c->origin = origins_enter(http->origins, &who);
	c->until_us = loop_now() + CLIENT_HEAD_MS * LOOP_USEC_PER_MSEC;
	TAILQ_INSERT_TAIL(&http->clients, c, list);
	http->connections++;
	*ctx = c;
	/* Slow ones must not keep the others out. */
	if (http->connections > http->clients_max)
		http->cut_off += clients_evict(&http->clients);
}

void http_on_tick(void *data, uint64_t now_us)
{
	struct http *http = data;
	unsigned int n = clients_expire(&http->clients, now_us);

	http->cut_off += n;
	source_timer_set(http->tick, now_us + LOOP_USEC_PER_SEC);
	if (n)
		http_pump(http);
}
