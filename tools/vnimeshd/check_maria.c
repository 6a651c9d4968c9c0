// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MySQL and MariaDB with a login, over the non-blocking calls of libmariadb:
 * whether it takes writes.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <errmsg.h>
#include <mysql.h>

#include "check_probe.h"
#include "check_standin.h"

/* Of the server: mysqld_error.h is not everywhere. */
#define ER_TOO_MANY_CONNECTIONS	1040

static const char question[] = "SELECT @@global.read_only";

enum step {
	STEP_SOCKET,		/* of ours, if the library gets one */
	STEP_CONNECT,
	STEP_QUERY,
	STEP_RESULT,
};

struct maria {
	struct probe p;
	struct source *io;
	MYSQL *mysql;
	enum step step;
	int fd;			/* the connection to use, or -1 */
	uint32_t latency_us;
	/* The library keeps pointers to what it was called with. */
	char addr[64];
};

static void maria_free(struct probe *p)
{
	struct maria *m = (struct maria *)p;

	source_free(&m->io);
	if (m->mysql)
		mysql_close(m->mysql);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

static void failed(struct maria *m)
{
	enum health_result result = HEALTH_FAIL;
	const char *said = mysql_error(m->mysql);
	unsigned int code = mysql_errno(m->mysql);
	char text[160];

	talk_printable(text, sizeof(text), said, strlen(said));
	/* The library keeps the number of the system's error in its text. */
	if (code == CR_CONN_HOST_ERROR && (strstr(said, "(111)") ||
					   strstr(said, "refused")))
		result = HEALTH_DEFINITE;
	else if (code == ER_TOO_MANY_CONNECTIONS)
		result = HEALTH_WARN;
	probe_end(&m->p, result, 0, "%s%s", result == HEALTH_WARN ?
		  "up, but full: " : "", text);
}

static void answered(struct maria *m, MYSQL_RES *res)
{
	const struct check_conf *c = m->p.want.conf;
	struct probe_result r = {
		.result = HEALTH_PASS, .latency_us = m->latency_us,
		.role = CHECK_ROLE_PRIMARY, .text = m->p.text,
	};
	MYSQL_ROW row = res ? mysql_fetch_row(res) : NULL;
	bool fixed;

	if (!row || !row[0]) {
		mysql_free_result(res);
		failed(m);
		return;
	}
	fixed = strcmp(row[0], "0") && strcmp(row[0], "OFF");
	mysql_free_result(res);
	if (fixed)
		r.role = CHECK_ROLE_REPLICA;
	if (fixed && c->writable)
		r.result = HEALTH_FAIL;
	snprintf(m->p.text, sizeof(m->p.text), "%s in %u.%03u ms",
		 !fixed ? "up, primary" : c->writable ? "read-only" :
		 "up, read-only", m->latency_us / 1000, m->latency_us % 1000);
	probe_finish(&m->p, &r);
}

static void on_io(void *data, int fd, uint32_t events);

/* Wait for what the library waits for; its timeouts are not used. */
static int watch(struct maria *m, int status)
{
	uint32_t events = 0;
	int fd = mysql_get_socket(m->mysql);

	if (status & MYSQL_WAIT_READ)
		events |= EPOLLIN;
	if (status & MYSQL_WAIT_WRITE)
		events |= EPOLLOUT;
	if (status & MYSQL_WAIT_EXCEPT)
		events |= EPOLLPRI;
	source_free(&m->io);
	return loop_io_of_library(m->p.want.loop, &m->io, fd, events, on_io, m);
}

static void await(struct maria *m, int status)
{
	int err = watch(m, status);

	if (err)
		probe_end(&m->p, HEALTH_NOTHING, 0, "%s", strerror(-err));
}

/* Go on with what is under way, or, with @status -1, start the next step. */
static void go_on(struct maria *m, int status)
{
	MYSQL *conn = NULL;
	MYSQL_RES *res;
	int err;

	if (m->step == STEP_CONNECT) {
		status = mysql_real_connect_cont(&conn, m->mysql, status);
		if (status) {
			await(m, status);
			return;
		}
		if (!conn) {
			failed(m);
			return;
		}
		m->latency_us = loop_now() - m->p.started_us;
		m->step = STEP_QUERY;
		status = -1;
	}
	if (m->step == STEP_QUERY) {
		status = status < 0 ?
			 mysql_real_query_start(&err, m->mysql, question,
						sizeof(question) - 1) :
			 mysql_real_query_cont(&err, m->mysql, status);
		if (status) {
			await(m, status);
			return;
		}
		if (err) {
			failed(m);
			return;
		}
		m->step = STEP_RESULT;
		status = -1;
	}
	status = status < 0 ? mysql_store_result_start(&res, m->mysql) :
			      mysql_store_result_cont(&res, m->mysql, status);
	if (status)
		await(m, status);
	else
		answered(m, res);
}

static void on_io(void *data, int fd, uint32_t events)
{
	struct maria *m = data;
	int status = 0;

	m->p.asked_us = loop_now();
	(void)fd;
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		status |= MYSQL_WAIT_READ;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		status |= MYSQL_WAIT_WRITE;
	if (events & EPOLLPRI)
		status |= MYSQL_WAIT_EXCEPT;
	go_on(m, status);
}

static void expired(struct probe *p)
{
	struct maria *m = (struct maria *)p;

	if (m->step == STEP_SOCKET)
		probe_timeout(p, "no answer to the connection in %u ms",
			      p->want.timeout_ms);
	else if (m->step == STEP_CONNECT)
		probe_timeout(p, "not logged in after %u ms",
			      p->want.timeout_ms);
	else
		probe_timeout(p, "logged in, but no answer in %u ms",
			      p->want.timeout_ms);
}

static const struct probe_ops ops = {
	.expired = expired,
	.free = maria_free,
};

static void set_options(struct maria *m)
{
	const struct check_conf *c = m->p.want.conf;
	my_bool verify = c->tls && !c->tls_insecure;

	mysql_options(m->mysql, MYSQL_OPT_NONBLOCK, 0);
	mysql_options(m->mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	if (!c->tls)
		return;
	mysql_ssl_set(m->mysql, NULL, NULL, c->tls_ca, NULL, NULL);
	mysql_options(m->mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static void early_failure(struct maria *m)
{
	const char *said = mysql_error(m->mysql);
	char text[160];

	talk_printable(text, sizeof(text), said, strlen(said));
	probe_early(&m->p, strstr(said, "(111)") ? HEALTH_DEFINITE :
		    HEALTH_FAIL, "%s", text);
}

static int login(struct maria *m, const char *unix_name)
{
	const struct probe_want *want = &m->p.want;
	const struct check_conf *c = want->conf;
	MYSQL *conn = NULL;

	m->step = STEP_CONNECT;
	set_options(m);
	return mysql_real_connect_start(&conn, m->mysql, unix_name ? NULL :
					ip_text(&want->addr, m->addr),
					c->user ? c->user : "vnimesh",
					want->password, c->database, c->port,
					unix_name, 0);
}

/* The connection is there: the library goes on with it. */
static void on_connected(void *data, int fd, uint32_t events)
{
	struct maria *m = data;
	struct standin s;
	int status;

	(void)events;
	if (!probe_connected(&m->p, fd))
		return;
	m->p.asked_us = loop_now();
	if (!standin_open(&s, "")) {
		probe_end(&m->p, HEALTH_NOTHING, 0, "%s", strerror(errno));
		return;
	}
	/* The library keeps the pointer. */
	snprintf(m->addr, sizeof(m->addr), "%s", s.name);
	status = login(m, m->addr);
	if (!status || !standin_take(&s, mysql_get_socket(m->mysql), m->fd))
		probe_end(&m->p, HEALTH_NOTHING, 0, "%s",
			  mysql_error(m->mysql));
	else
		await(m, status);
	standin_close(&s);
}

/* With a socket of ours. 0 or a negative errno. */
static int start_with(struct maria *m)
{
	int err;

	m->fd = probe_socket(&m->p, SOCK_STREAM, &err);
	if (m->fd < 0)
		return -errno;
	if (err) {
		probe_early(&m->p, probe_judge(err), "connect: %s",
			    strerror(err));
		return 0;
	}
	return loop_io(m->p.want.loop, &m->io, m->fd, EPOLLOUT, on_connected,
		       m);
}

static void start_own(struct maria *m)
{
	int status = login(m, NULL);

	if (!status)
		early_failure(m);
	else if (watch(m, status))
		probe_early(&m->p, HEALTH_NOTHING, "no memory");
}

int maria_start(struct probe **ret, const struct probe_want *want, probe_fn fn,
		void *data)
{
	struct maria *m = probe_new(sizeof(*m), &ops, want, fn, data);
	struct probe *p = (struct probe *)m;
	int err = 0;

	if (!m)
		return -ENOMEM;
	m->fd = -1;
	m->mysql = mysql_init(NULL);
	p->asked_us = p->started_us;
	if (!m->mysql)
		err = -ENOMEM;
	else if (want->fd >= 0)
		err = start_with(m);
	else
		start_own(m);
	if (err) {
		probe_cancel(&p);
		return err;
	}
	*ret = p;
	return 0;
}
