// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <ctype.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "auth.h"
#include "body.h"
#include "change.h"
#include "client.h"
#include "http.h"
#include "log.h"
#include "mem.h"
#include "problem.h"
#include "tls.h"

/* File descriptors that are not connections: store, epoll, signals, stdio. */
#define FDS_OWN		64

#define TLS_PRIORITIES	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

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

static const struct {
	const char *name;
	unsigned int bit;
} methods[] = {
	{ "GET", HTTP_GET },
	{ "HEAD", HTTP_GET },
	{ "POST", HTTP_POST },
	{ "PUT", HTTP_PUT },
	{ "DELETE", HTTP_DELETE },
};

#define NR_METHODS	(sizeof(methods) / sizeof(methods[0]))

/* Lets the library work, then arms the timer that it asks for: it holds back
 * work that no event on its epoll descriptor announces. Its idea of work is also
 * a TLS handshake of which half a record is there, and that may take for ever:
 * after some turns it has to wait, for the next event or for a while.
 */
static void pump(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(http->mhd);
	if (MHD_get_timeout(http->mhd, &ms) != MHD_YES)
		source_timer_stop(http->timer);
	else if (!ms && http->kicks++ < KICKS_MAX)
		source_defer(http->kick);
	else if (!ms)
		source_timer_set(http->timer,
				 loop_now() + KICK_MS * LOOP_USEC_PER_MSEC);
	else
		source_timer_set(http->timer,
				 loop_now() + ms * LOOP_USEC_PER_MSEC);
}

static void on_io(void *data, int fd, uint32_t events)
{
	struct http *http = data;

	(void)fd;
	(void)events;
	http->kicks = 0;
	pump(http);
}

static void on_timer(void *data, uint64_t now_us)
{
	(void)now_us;
	pump(data);
}

static void on_kick(void *data)
{
	pump(data);
}

/* Compares @path with a route's; the "*" segment goes to *arg (allocated). */
static bool path_matches(const char *route, const char *path, char **arg)
{
	const char *from = NULL;
	size_t n = 0;

	while (*route) {
		if (*route == '*') {
			from = path;
			n = strcspn(path, "/");
			if (!n)
				return false;
			path += n;
			route++;
		} else if (*route++ != *path++) {
			return false;
		}
	}
	if (*path)
		return false;
	if (from)
		*arg = mem_checked(strndup(from, n));
	return true;
}

static void list_methods(unsigned int bits, char *buf, size_t len)
{
	size_t used = 0;
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < NR_METHODS; i++)
		if (methods[i].bit & bits && used < len)
			used += snprintf(buf + used, len - used, "%s%s",
					 used ? ", " : "", methods[i].name);
}

static int find_route(struct request *rq, const char *path, const char *method)
{
	const struct route *route;
	unsigned int bit = 0;
	unsigned int allowed = 0;
	char buf[64];
	size_t i;

	for (i = 0; i < NR_METHODS; i++)
		if (!strcmp(methods[i].name, method))
			bit = methods[i].bit;
	for (route = rq->http->routes; route->path; route++) {
		if (!path_matches(route->path, path, &rq->arg))
			continue;
		allowed |= route->method;
		if (route->method == bit) {
			rq->route = route;
			return 0;
		}
		free(rq->arg);
		rq->arg = NULL;
	}
	if (!allowed)
		return problem(rq, 404, NULL, "there is no such path");
	list_methods(allowed, buf, sizeof(buf));
	rq->allow = mem_checked(strdup(buf));
	return problem(rq, 405, NULL, "this path takes %s", buf);
}

const char *http_header(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

const struct tls *http_tls(const struct http *http)
{
	return http->tls;
}

bool http_peer(const struct request *rq, char *name, size_t len,
	       char serial[TLS_SERIAL_LEN + 1])
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(rq->conn,
				       MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info && info->tls_session &&
	       tls_peer(info->tls_session, name, len, serial);
}

/* "localhost" or an address, IPv6 in brackets, with or without a port. */
static bool host_is_address(const char *host)
{
	char name[IP_TEXT_MAX];
	struct ip_addr addr;
	const char *end;
	size_t n;

	end = *host == '[' ? strchr(host, ']') : strchrnul(host, ':');
	if (!end)
		return false;
	n = end - host;
	if (*host == '[') {
		host++;
		n--;
		end++;
	}
	if (*end == ':')
		end += 1 + strspn(end + 1, "0123456789");
	if (*end || n >= sizeof(name))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	return !strcasecmp(name, "localhost") || ip_parse(name, &addr);
}

/* Pages in a browser that can reach us must not speak for its user: no agent
 * and no tool sends an Origin, and a name that somebody else's DNS may point
 * at us is none of ours.
 */
static int check_sender(struct request *rq)
{
	const char *origin = http_header(rq, MHD_HTTP_HEADER_ORIGIN);
	const char *host = http_header(rq, MHD_HTTP_HEADER_HOST);

	if (origin)
		return problem(rq, 403, "Origin",
			       "Origin: requests of web pages are not served");
	if (host && !host_is_address(host))
		return problem(rq, 403, "Host",
			       "Host: must be an address or localhost");
	return 0;
}

static void give_time(struct request *rq, uint64_t ms)
{
	if (rq->client)
		rq->client->until_us = ms ? loop_now() +
					    ms * LOOP_USEC_PER_MSEC : 0;
}

static void take_address(const struct sockaddr *sa, struct ip_addr *addr)
{
	const struct sockaddr_in6 *in6 = (const void *)sa;
	const struct sockaddr_in *in = (const void *)sa;

	memset(addr, 0, sizeof(*addr));
	if (!sa)
		return;
	addr->family = sa->sa_family;
	if (addr->family == AF_INET6)
		memcpy(addr->b, &in6->sin6_addr, 16);
	else
		memcpy(addr->b, &in->sin_addr, 4);
}

static void address_of(struct MHD_Connection *conn, struct ip_addr *addr)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	take_address(info ? info->client_addr : NULL, addr);
}

bool http_address(const struct request *rq, struct ip_addr *addr)
{
	address_of(rq->conn, addr);
	return addr->family;
}

struct origin *http_origin(const struct request *rq)
{
	return rq->client->origin;
}

bool http_same_client(const struct request *a, const struct request *b)
{
	return a->client->origin == b->client->origin;
}

/* Its first request: from now on a node's connection counts for the node, and no
 * more for the address that it may have in common with many.
 */
static int check_client(struct request *rq)
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
	if (origins_connections(http->origins, &who) >= http->per_client) {
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

static int check_rate(struct request *rq)
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

/* What can be refused before the body is read. */
static int check_head(struct request *rq, const char *path, const char *method)
{
	int status = check_client(rq);

	if (!status)
		status = check_rate(rq);
	if (!status)
		status = check_sender(rq);
	if (!status)
		status = find_route(rq, path, method);
	if (!status) {
		status = auth_check(rq);
		rq->http->refused_auth += status != 0;
	}
	if (!status)
		status = body_check(rq->http->bodies, rq);
	if (status)
		return status;
	return rq->route->head ? rq->route->head(rq) : 0;
}

static void drop_piece(struct request *rq)
{
	rq->http->pending -= rq->pending;
	free(rq->piece);
	rq->piece = NULL;
	rq->pending = 0;
	rq->piece_at = 0;
}

bool http_piece(struct request *rq, char *text, size_t len)
{
	rq->piece = text;
	rq->pending = len;
	rq->http->pending += len;
	if (rq->http->pending <= PENDING_MAX)
		return true;
	rq->http->refused_memory++;
	return false;
}

/* The client has read all there was before. */
static ssize_t on_read(void *cls, uint64_t pos, char *buf, size_t max)
{
	struct request *rq = cls;
	size_t n;

	(void)pos;
	if (rq->piece_at == rq->pending) {
		drop_piece(rq);
		if (!rq->stream->next(rq))
			return MHD_CONTENT_READER_END_OF_STREAM;
		/* Nothing: it waits, and the connection is suspended. */
		if (!rq->piece)
			return 0;
		give_time(rq, CLIENT_PIECE_MS);
	}
	n = rq->pending - rq->piece_at;
	if (n > max)
		n = max;
	memcpy(buf, rq->piece + rq->piece_at, n);
	rq->piece_at += n;
	return n;
}

static enum MHD_Result reply_stream(struct request *rq)
{
	struct MHD_Response *response;
	enum MHD_Result ret;

	give_time(rq, CLIENT_ANSWER_MS);
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN,
						     STREAM_BLOCK, on_read, rq,
						     NULL);
	mem_checked(response);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				rq->stream->type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-store");
	ret = MHD_queue_response(rq->conn, rq->status, response);
	MHD_destroy_response(response);
	return ret;
}

static enum MHD_Result reply(struct request *rq)
{
	struct MHD_Response *response;
	enum MHD_Result ret;
	char *text = NULL;
	size_t n = 0;

	if (rq->http->pending > PENDING_MAX) {
		rq->http->refused_memory++;
		rq->status = problem(rq, 503, NULL,
				     "too many answers wait to be read");
	} else if (rq->stream) {
		return reply_stream(rq);
	}
	if (rq->reply) {
		text = mem_checked(json_dumps(rq->reply, JSON_COMPACT));
		n = strlen(text);
		text = mem_resize(text, n + 1, 1);
		text[n++] = '\n';
	}
	rq->pending = n;
	rq->http->pending += n;
	give_time(rq, CLIENT_ANSWER_MS);
	response = MHD_create_response_from_buffer(n, text, MHD_RESPMEM_MUST_FREE);
	mem_checked(response);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				rq->status >= 400 ? "application/problem+json" :
						    "application/json");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
				"no-store");
	if (rq->etag[0])
		MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG,
					rq->etag);
	if (rq->allow)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
					rq->allow);
	if (rq->retry)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER,
					"1");
	if (rq->challenge)
		MHD_add_response_header(response,
					MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Bearer realm=\"vnimesh\"");
	if (rq->http->ending || rq->last)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION,
					"close");
	ret = MHD_queue_response(rq->conn, rq->status, response);
	MHD_destroy_response(response);
	return ret;
}

static struct client *client_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info;

	info = MHD_get_connection_info(conn,
				       MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

/* Of one address, of whom nothing else is known yet. */
static enum MHD_Result on_accept(void *cls, const struct sockaddr *sa,
				 socklen_t len)
{
	struct origin who = { 0 };
	struct http *http = cls;

	(void)len;
	take_address(sa, &who.addr);
	if (origins_connections(http->origins, &who) < http->per_client)
		return MHD_YES;
	http->refused_connections++;
	return MHD_NO;
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **ctx,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct origin who = { 0 };
	struct client *c = *ctx;
	struct http *http = cls;

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
	address_of(conn, &who.addr);
	c->origin = origins_enter(http->origins, &who);
	c->until_us = loop_now() + CLIENT_HEAD_MS * LOOP_USEC_PER_MSEC;
	TAILQ_INSERT_TAIL(&http->clients, c, list);
	http->connections++;
	*ctx = c;
	/* Slow ones must not keep the others out. */
	if (http->connections > http->clients_max)
		http->cut_off += clients_evict(&http->clients);
}

static void on_tick(void *data, uint64_t now_us)
{
	struct http *http = data;
	unsigned int n = clients_expire(&http->clients, now_us);

	http->cut_off += n;
	source_timer_set(http->tick, now_us + LOOP_USEC_PER_SEC);
	if (n)
		pump(http);
}

/* A refusal now spares the client from sending a large body, if it waits for a word
 * or there is too much of it. Who sends it at once would lose the answer with the
 * connection: that is closed while there is something unread.
 */
static bool answers_now(const struct request *rq)
{
	size_t len = body_announced(rq);

	return rq->status == 413 || len > BODY_DRAIN_MAX ||
	       (len > BODY_SMALL && http_header(rq, MHD_HTTP_HEADER_EXPECT));
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *len, void **ctx)
{
	struct request *rq = *ctx;
	struct http *http = cls;

	(void)version;
	if (!rq) {
		rq = mem_zero(1, sizeof(*rq));
		rq->http = http;
		rq->reg = http->reg;
		rq->conn = conn;
		rq->client = client_of(conn);
		give_time(rq, CLIENT_BODY_MS);
		*ctx = rq;
		http->requests++;
		http->open++;
		rq->status = check_head(rq, url, method);
		return rq->status && answers_now(rq) ? reply(rq) : MHD_YES;
	}
	if (*len) {
		bool more = body_take(http->bodies, rq, data, *len);

		*len = 0;
		return more ? MHD_YES : MHD_NO;
	}
	if (!rq->status) {
		rq->status = rq->route->fn(rq);
		change_next(rq->reg);
	}
	if (rq->status == HTTP_WAITS)
		rq->status = 0;
	return rq->status ? reply(rq) : MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **ctx,
			 enum MHD_RequestTerminationCode code)
{
	struct request *rq = *ctx;
	struct http *http = cls;

	(void)conn;
	(void)code;
	if (!rq)
		return;
	http->open--;
	if (rq->stream)
		rq->stream->done(rq->stream, rq->piece);
	drop_piece(rq);
	give_time(rq, CLIENT_IDLE_MS);
	if (rq->client)
		clients_heard(&http->clients, rq->client);
	json_decref(rq->reply);
	free((char *)rq->allow);
	free(rq->arg);
	body_drop(http->bodies, rq);
	free(rq);
	*ctx = NULL;
	/* It may have been its turn. */
	change_next(http->reg);
}

void http_wait(struct request *rq, loop_io_fn gone, void *data)
{
	const union MHD_ConnectionInfo *info;

	source_free(&rq->hangup);
	/* The library does not look at a suspended connection; we do. */
	info = MHD_get_connection_info(rq->conn,
				       MHD_CONNECTION_INFO_CONNECTION_FD);
	if (info)
		loop_io(rq->http->loop, &rq->hangup, info->connect_fd,
			EPOLLRDHUP, gone, data);
	rq->waited = true;
	give_time(rq, 0);
	if (!rq->suspended)
		MHD_suspend_connection(rq->conn);
	rq->suspended = true;
}

void http_ignore(struct request *rq)
{
	source_free(&rq->hangup);
}

void http_wake(struct request *rq)
{
	source_free(&rq->hangup);
	rq->suspended = false;
	MHD_resume_connection(rq->conn);
	rq->http->kicks = 0;
	source_defer(rq->http->kick);
}

const char *http_arg(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_GET_ARGUMENT_KIND,
					   name);
}

struct each_arg {
	struct request *rq;
	const char *name;
	int (*fn)(struct request *rq, const char *value, void *data);
	void *data;
	int status;
};

static enum MHD_Result on_arg(void *cls, enum MHD_ValueKind kind,
			      const char *key, const char *value)
{
	struct each_arg *each = cls;

	(void)kind;
	if (strcmp(key, each->name))
		return MHD_YES;
	each->status = each->fn(each->rq, value ? value : "", each->data);
	return each->status ? MHD_NO : MHD_YES;
}

int http_each_arg(struct request *rq, const char *name,
		  int (*fn)(struct request *rq, const char *value, void *data),
		  void *data)
{
	struct each_arg each = {
		.rq = rq, .name = name, .fn = fn, .data = data,
	};

	MHD_get_connection_values(rq->conn, MHD_GET_ARGUMENT_KIND, on_arg,
				  &each);
	return each.status;
}

int http_arg_int(struct request *rq, const char *name, int64_t min, int64_t max,
		 int64_t *ret)
{
	const char *text = http_arg(rq, name);
	int64_t value;

	if (!text)
		return 0;
	errno = 0;
	value = strtoll(text, NULL, 10);
	if (!*text || text[strspn(text, "0123456789")] || errno ||
	    value < min || value > max) {
		problem(rq, 400, name, "%s: must be %" PRId64 " to %" PRId64,
			name, min, max);
		return -1;
	}
	*ret = value;
	return 1;
}

uint16_t http_port(const struct http *http)
{
	return http->port;
}

void http_counters(const struct http *http, json_t *obj)
{
	record_set(obj, "requests", json_integer(http->requests));
	record_set(obj, "connections", json_integer(http->connections));
	record_set(obj, "pending_bytes", json_integer(http->pending));
	record_set(obj, "refused_connections",
		   json_integer(http->refused_connections));
	record_set(obj, "refused_rate", json_integer(http->refused_rate));
	record_set(obj, "refused_auth", json_integer(http->refused_auth));
	record_set(obj, "refused_memory", json_integer(http->refused_memory));
	bodies_counters(http->bodies, obj);
	record_set(obj, "cut_off", json_integer(http->cut_off));
}

/* As many connections as the limit on open files leaves room for. */
static unsigned int connection_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return CONNECTIONS_MAX;
	lim.rlim_cur = lim.rlim_max;
	setrlimit(RLIMIT_NOFILE, &lim);
	getrlimit(RLIMIT_NOFILE, &lim);
	if (lim.rlim_cur < FDS_OWN * 2 + CONNECTIONS_SPARE)
		return FDS_OWN;
	if (lim.rlim_cur > CONNECTIONS_MAX + CONNECTIONS_SPARE + FDS_OWN)
		return CONNECTIONS_MAX;
	return lim.rlim_cur - CONNECTIONS_SPARE - FDS_OWN;
}

static int digit(char c)
{
	if (isdigit((unsigned char)c))
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes %HH in place, but what would end the text or divide a path stays as
 * it is: neither is part of any name, and decoded it would make another one.
 */
static size_t on_unescape(void *cls, struct MHD_Connection *conn, char *text)
{
	char *from = text;
	char *to = text;
	int high;
	int low;
	char c;

	(void)cls;
	(void)conn;
	while (*from) {
		c = *from++;
		high = c == '%' ? digit(from[0]) : -1;
		low = high >= 0 ? digit(from[1]) : -1;
		if (low >= 0 && high * 16 + low && high * 16 + low != '/') {
			c = high * 16 + low;
			from += 2;
		}
		*to++ = c;
	}
	*to = '\0';
	return to - text;
}

/* What anybody may cause by a few wrong bytes: not the log's whole content. */
static void on_mhd_log(void *cls, const char *fmt, va_list ap)
{
	struct http *http = cls;
	uint64_t now = loop_now();
	char line[256];

	if (http->said_us && now < http->said_us + LOOP_USEC_PER_SEC) {
		http->unsaid++;
		return;
	}
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	if (http->unsaid)
		log_warning("http: %s (and %" PRIu64 " lines not shown before)",
			    line, http->unsaid);
	else
		log_warning("http: %s", line);
	http->said_us = now;
	http->unsaid = 0;
}

static int listen_socket(const struct config *cfg, uint16_t *port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	bool v4 = cfg->listen.family == AF_INET;
	struct sockaddr *sa = v4 ? (void *)&in : (void *)&in6;
	socklen_t len = v4 ? sizeof(in) : sizeof(in6);
	int one = 1;
	int fd;

	memcpy(&in.sin_addr, cfg->listen.b, 4);
	memcpy(&in6.sin6_addr, cfg->listen.b, 16);
	in.sin_port = htons(cfg->listen_port);
	in6.sin6_port = htons(cfg->listen_port);

	fd = socket(cfg->listen.family,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, sa, len) || listen(fd, SOMAXCONN) ||
	    getsockname(fd, sa, &len)) {
		close(fd);
		return -1;
	}
	*port = ntohs(v4 ? in.sin_port : in6.sin6_port);
	return fd;
}

static bool start_daemon(struct http *http, int fd)
{
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
			     MHD_USE_ERROR_LOG;
	struct MHD_OptionItem secure[] = {
		{ MHD_OPTION_END, 0, NULL },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, NULL },
		{ MHD_OPTION_HTTPS_MEM_TRUST, 0, NULL },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES },
		{ MHD_OPTION_END, 0, NULL },
	};
	const union MHD_DaemonInfo *info;

	if (http->tls) {
		flags |= MHD_USE_TLS;
		secure[0].option = MHD_OPTION_HTTPS_MEM_KEY;
		secure[0].ptr_value = (void *)tls_key(http->tls);
		secure[1].ptr_value = (void *)tls_cert(http->tls);
		secure[2].ptr_value = (void *)tls_ca(http->tls);
	}
	http->mhd = MHD_start_daemon(flags, 0, on_accept, http, on_request, http,
				     MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, http,
				     MHD_OPTION_ARRAY, secure,
				     MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_UNESCAPE_CALLBACK, on_unescape, NULL,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
				     MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
				     MHD_OPTION_CONNECTION_LIMIT,
				     http->clients_max + CONNECTIONS_SPARE,
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT,
				     (size_t)CONNECTION_MEMORY,
				     MHD_OPTION_CONNECTION_TIMEOUT, CONNECTION_IDLE_S,
				     MHD_OPTION_END);
	if (!http->mhd)
		return false;
	info = MHD_get_daemon_info(http->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return false;
	http->epoll_fd = info->epoll_fd;
	return !loop_io(http->loop, &http->io, http->epoll_fd, EPOLLIN, on_io,
			http) &&
	       !loop_timer(http->loop, &http->timer, on_timer, http) &&
	       !loop_timer(http->loop, &http->tick, on_tick, http) &&
	       !source_timer_set(http->tick, loop_now() + LOOP_USEC_PER_SEC) &&
	       !loop_defer(http->loop, &http->kick, on_kick, http);
}

struct http *http_start(struct loop *loop, const struct config *cfg,
			const struct tls *tls, struct registry *reg, const struct route *routes,
			char *err, size_t len)
{
	struct http *http = mem_zero(1, sizeof(*http));
	char addr[IP_TEXT_MAX];
	int fd;

	http->loop = loop;
	http->reg = reg;
	http->routes = routes;
	http->tls = tls;
	http->rates = rates_new(cfg->rate);
	http->bodies = bodies_new();
	http->origins = origins_new();
	http->per_client = cfg->connections;
	TAILQ_INIT(&http->clients);
	http->clients_max = connection_limit();
	fd = listen_socket(cfg, &http->port);
	if (fd < 0) {
		rates_free(http->rates);
		bodies_free(http->bodies);
		origins_free(http->origins);
		snprintf(err, len, "cannot listen on %s port %u: %s",
			 ip_text(&cfg->listen, addr), cfg->listen_port,
			 strerror(errno));
		free(http);
		return NULL;
	}
	if (start_daemon(http, fd)) {
		source_defer(http->kick);
		return http;
	}
	snprintf(err, len, "cannot start the HTTP server");
	if (!http->mhd)
		close(fd);
	http_stop(http);
	return NULL;
}

/* Sends what is being answered, to clients that take it. */
static void finish_answers(struct http *http)
{
	uint64_t until = loop_now() + STOP_MAX_MS * LOOP_USEC_PER_MSEC;
	struct pollfd pfd = { .fd = http->epoll_fd, .events = POLLIN };
	int fd = MHD_quiesce_daemon(http->mhd);

	if (fd >= 0)
		close(fd);
	http->ending = true;
	for (;;) {
		MHD_run(http->mhd);
		if (!http->open || loop_now() >= until)
			break;
		poll(&pfd, 1, STOP_STEP_MS);
	}
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	if (http->io)
		finish_answers(http);
	source_free(&http->io);
	source_free(&http->timer);
	source_free(&http->tick);
	source_free(&http->kick);
	if (http->mhd)
		MHD_stop_daemon(http->mhd);
	rates_free(http->rates);
	bodies_free(http->bodies);
	origins_free(http->origins);
	free(http);
}
