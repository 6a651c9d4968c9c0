// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
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
#include "http_priv.h"
#include "log.h"
#include "mem.h"
#include "tls.h"

/* File descriptors that are not connections: store, epoll, signals, stdio. */
#define FDS_OWN		64

#define TLS_PRIORITIES	"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Lets the library work, then arms the timer that it asks for: it holds back
 * work that no event on its epoll descriptor announces. Its idea of work is also
 * a TLS handshake of which half a record is there, and that may take for ever:
 * after some turns it has to wait, for the next event or for a while.
 */
void http_pump(struct http *http)
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
	http_pump(http);
}

static void on_timer(void *data, uint64_t now_us)
{
	(void)now_us;
	http_pump(data);
}

static void on_kick(void *data)
{
	http_pump(data);
}

const char *http_header(const struct request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

const struct tls *http_tls(const struct http *http)
{
	return http->tls;
}

/* What can be refused before the body is read. */
static int check_head(struct request *rq, const char *path, const char *method)
{
	int status = http_check_client(rq);

	if (!status)
		status = http_check_rate(rq);
	if (!status)
		status = http_check_sender(rq);
	if (!status)
		status = http_find_route(rq, path, method);
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
		rq->client = http_client_of(conn);
		http_give_time(rq, CLIENT_BODY_MS);
		*ctx = rq;
		http->requests++;
		http->open++;
		rq->status = check_head(rq, url, method);
		return rq->status && answers_now(rq) ? http_reply(rq) : MHD_YES;
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
	return rq->status ? http_reply(rq) : MHD_YES;
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
	http_drop_piece(rq);
	http_give_time(rq, CLIENT_IDLE_MS);
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
	http_give_time(rq, 0);
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
	http->mhd = MHD_start_daemon(flags, 0, http_on_accept, http, on_request, http,
				     MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, http,
				     MHD_OPTION_ARRAY, secure,
				     MHD_OPTION_LISTEN_SOCKET, fd,
				     MHD_OPTION_UNESCAPE_CALLBACK, http_unescape, NULL,
				     MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
				     MHD_OPTION_NOTIFY_CONNECTION, http_on_connection, http,
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
	       !loop_timer(http->loop, &http->tick, http_on_tick, http) &&
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
