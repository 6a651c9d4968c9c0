// SPDX-License-Identifier: GPL-2.0-or-later
/* PostgreSQL with a login, over libpq: whether it is the primary. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "check_probe.h"
#include "check_standin.h"

static const char question[] =
	"SELECT pg_is_in_recovery(), current_setting('transaction_read_only')";

struct pg {
	struct probe p;
	struct source *io;
	PGconn *conn;
	int fd;			/* the connection to use, -1: the library makes one */
	uint32_t latency_us;
	bool connected;
};

static void pg_free(struct probe *p)
{
	struct pg *g = (struct pg *)p;

	source_free(&g->io);
	PQfinish(g->conn);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

/* The part of the library's many lines that says why. */
static const char *reason(const struct pg *g, char *buf, size_t len)
{
	const char *text = PQerrorMessage(g->conn);
	const char *p = strstr(text, "failed: ");

	p = p ? p + 8 : text;
	if (!strncmp(p, "FATAL:  ", 8))
		p += 8;
	return talk_printable(buf, len, p, strcspn(p, "\n"));
}

static void failed(struct pg *g)
{
	enum health_result result = HEALTH_FAIL;
	char text[160];

	reason(g, text, sizeof(text));
	if (!g->connected && strstr(text, "Connection refused"))
		result = HEALTH_DEFINITE;
	else if (strstr(text, "too many clients") ||
		 strstr(text, "remaining connection slots"))
		result = HEALTH_WARN;
	probe_end(&g->p, result, 0, "%s%s", result == HEALTH_WARN ?
		  "up, but full: " : "", text);
}

static void answered(struct pg *g, const PGresult *res)
{
	const struct check_conf *c = g->p.want.conf;
	struct probe_result r = {
		.result = HEALTH_PASS, .latency_us = g->latency_us,
		.text = g->p.text,
	};
	bool recovers, fixed;

	if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1 ||
	    PQnfields(res) != 2) {
		failed(g);
		return;
	}
	recovers = PQgetvalue(res, 0, 0)[0] == 't';
	fixed = !strcmp(PQgetvalue(res, 0, 1), "on");
	r.role = recovers || fixed ? CHECK_ROLE_REPLICA : CHECK_ROLE_PRIMARY;
	if (c->writable && (recovers || fixed))
		r.result = HEALTH_FAIL;
	snprintf(g->p.text, sizeof(g->p.text), "%s%s in %u.%03u ms",
		 r.result == HEALTH_FAIL ? "read-only: " : "up, ",
		 recovers ? "a standby" : fixed ? "read-only by its settings" :
		 "primary", g->latency_us / 1000, g->latency_us % 1000);
	probe_finish(&g->p, &r);
}

static void on_io(void *data, int fd, uint32_t events);

/* The library may have opened another socket under the same number. */
static int watch(struct pg *g, uint32_t events)
{
	source_free(&g->io);
	return loop_io_of_library(g->p.want.loop, &g->io, PQsocket(g->conn),
				  events, on_io, g);
}

static void await(struct pg *g, uint32_t events)
{
	int err = watch(g, events);

	if (err)
		probe_end(&g->p, HEALTH_NOTHING, 0, "%s", strerror(-err));
}

static void ask(struct pg *g)
{
	g->connected = true;
	g->latency_us = loop_now() - g->p.started_us;
	if (PQsetnonblocking(g->conn, 1) || !PQsendQuery(g->conn, question) ||
	    PQflush(g->conn) < 0)
		failed(g);
	else
		await(g, EPOLLIN);
}

static void connecting(struct pg *g)
{
	switch (PQconnectPoll(g->conn)) {
	case PGRES_POLLING_OK:
		ask(g);
		break;
	case PGRES_POLLING_READING:
		await(g, EPOLLIN);
		break;
	case PGRES_POLLING_WRITING:
		await(g, EPOLLOUT);
		break;
	default:
		failed(g);
		break;
	}
}

static void on_io(void *data, int fd, uint32_t events)
{
	struct pg *g = data;
	PGresult *res;

	g->p.asked_us = loop_now();
	(void)fd;
	(void)events;
	if (!g->connected) {
		connecting(g);
		return;
	}
	if (!PQconsumeInput(g->conn)) {
		failed(g);
		return;
	}
	if (PQisBusy(g->conn))
		return;
	res = PQgetResult(g->conn);
	answered(g, res);
	PQclear(res);
}

static void expired(struct probe *p)
{
	struct pg *g = (struct pg *)p;

	if (g->connected)
		probe_timeout(p, "logged in, but no answer in %u ms",
			      p->want.timeout_ms);
	else if (!g->conn || PQstatus(g->conn) == CONNECTION_STARTED)
		probe_timeout(p, "no answer to the connection in %u ms",
			      p->want.timeout_ms);
	else
		probe_timeout(p, "connected, but not logged in after %u ms",
			      p->want.timeout_ms);
}

static const struct probe_ops ops = {
	.expired = expired,
	.free = pg_free,
};

static const char *ssl_mode(const struct check_conf *c)
{
	if (!c->tls)
		return "prefer";
	if (c->tls_insecure)
		return "require";
	return c->tls_name ? "verify-full" : "verify-ca";
}

/* The library would print them. */
static void on_notice(void *data, const PGresult *res)
{
	(void)data;
	(void)res;
}

/* To @host, if that is not NULL, a socket of this process. */
static PGconn *pg_connect(const struct probe_want *want, const char *host)
{
	const struct check_conf *c = want->conf;
	char addr[IP_TEXT_MAX], port[8];
	const char *const words[] = {
		"hostaddr", "host", "port", "user", "password", "dbname",
		"application_name", "sslmode", "sslrootcert", "gssencmode",
		"passfile", "options", NULL
	};
	const char *const values[] = {
		host ? NULL : ip_text(&want->addr, addr),
		host ? host : c->tls_name, port,
		c->user ? c->user : "vnimesh", want->password,
		c->database ? c->database : "postgres", "vnimesh", ssl_mode(c),
		c->tls_ca ? c->tls_ca : "/etc/ssl/certs/ca-certificates.crt",
		"disable", "/dev/null", "-c statement_timeout=60s", NULL
	};
	PGconn *conn;

	snprintf(port, sizeof(port), "%u", c->port);
	conn = PQconnectStartParams(words, values, 0);
	if (conn)
		PQsetNoticeReceiver(conn, on_notice, NULL);
	return conn;
}

/* The connection is there: the library goes on with it. */
static void on_connected(void *data, int fd, uint32_t events)
{
	struct pg *g = data;
	char suffix[32], text[160];
	struct standin s;

	(void)events;
	if (!probe_connected(&g->p, fd))
		return;
	g->p.asked_us = loop_now();
	snprintf(suffix, sizeof(suffix), "/.s.PGSQL.%u", g->p.want.conf->port);
	if (!standin_open(&s, suffix)) {
		probe_end(&g->p, HEALTH_NOTHING, 0, "%s", strerror(errno));
		return;
	}
	g->conn = pg_connect(&g->p.want, s.name);
	if (!g->conn || PQstatus(g->conn) == CONNECTION_BAD ||
	    !standin_take(&s, PQsocket(g->conn), g->fd))
		probe_end(&g->p, HEALTH_NOTHING, 0, "%s", g->conn ?
			  reason(g, text, sizeof(text)) : "no memory");
	else
		await(g, EPOLLOUT);
	standin_close(&s);
}

static int start_with(struct pg *g)
{
	int err;

	g->fd = probe_socket(&g->p, SOCK_STREAM, &err);
	if (g->fd < 0)
		return -errno;
	if (err) {
		probe_early(&g->p, probe_judge(err), "connect: %s",
			    strerror(err));
		return 0;
	}
	return loop_io(g->p.want.loop, &g->io, g->fd, EPOLLOUT, on_connected,
		       g);
}

static int start_own(struct pg *g)
{
	char text[160];

	g->conn = pg_connect(&g->p.want, NULL);
	if (!g->conn)
		return -ENOMEM;
	if (PQstatus(g->conn) != CONNECTION_BAD)
		return watch(g, EPOLLOUT);
	probe_early(&g->p, strstr(PQerrorMessage(g->conn), "refused") ?
		    HEALTH_DEFINITE : HEALTH_FAIL, "%s",
		    reason(g, text, sizeof(text)));
	return 0;
}

int pg_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
	     void *data)
{
	struct pg *g = probe_new(sizeof(*g), &ops, want, fn, data);
	struct probe *p = (struct probe *)g;
	int err;

	if (!g)
		return -ENOMEM;
	g->fd = -1;
	p->asked_us = p->started_us;
	err = want->fd < 0 ? start_own(g) : start_with(g);
	if (err) {
		probe_cancel(&p);
		return err;
	}
	*ret = p;
	return 0;
}
