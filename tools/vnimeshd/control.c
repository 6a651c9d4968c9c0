// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket: connections, lines, who asks. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "control_ops.h"
#include "log.h"

struct conn {
	struct control *c;
	struct conn *next;
	struct source *io, *timer;
	int fd;
	uid_t uid;
	char *in;		/* CONTROL_LINE_MAX + 1 bytes */
	size_t n_in;
	char *out;
	size_t n_out, sent;
};

struct control {
	struct mesh *m;
	struct source *io;
	int fd;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct conn *first;
	unsigned int n;
};

static void conn_free(struct conn *k)
{
	struct conn **p = &k->c->first;

	while (*p != k)
		p = &(*p)->next;
	*p = k->next;
	k->c->n--;
	source_free(&k->io);
	source_free(&k->timer);
	close(k->fd);
	free(k->in);
	free(k->out);
	free(k);
}

static void touch(struct conn *k)
{
	source_timer_set(k->timer, loop_now() +
			 CONTROL_IDLE_MS * LOOP_USEC_PER_MSEC);
}

static void on_idle(void *data, uint64_t now_us)
{
	(void)now_us;
	conn_free(data);
}

/* False: the connection is gone. */
static bool flush(struct conn *k)
{
	ssize_t n;

	while (k->sent < k->n_out) {
		n = send(k->fd, k->out + k->sent, k->n_out - k->sent,
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			source_io_events(k->io, EPOLLOUT);
			return true;
		}
		if (n < 0) {
			conn_free(k);
			return false;
		}
		k->sent += n;
	}
	free(k->out);
	k->out = NULL;
	k->n_out = 0;
	k->sent = 0;
	source_io_events(k->io, EPOLLIN);
	return true;
}

/* One question, one answer. False: the connection is gone. */
static bool answer(struct conn *k, const char *line, size_t len)
{
	json_t *json = control_answer(k->c->m, k->uid, line, len);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (text)
		k->out = realloc(text, strlen(text) + 2);
	if (!k->out) {
		free(text);
		conn_free(k);
		return false;
	}
	strcat(k->out, "\n");
	k->n_out = strlen(k->out);
	return flush(k);
}

/* All whole lines, as long as the answers are taken. */
static void lines(struct conn *k)
{
	size_t len;
	char *end;

	while (!k->n_out) {
		end = memchr(k->in, '\n', k->n_in);
		if (!end)
			break;
		len = end - k->in;
		*end = '\0';
		if (!answer(k, k->in, len))
			return;
		k->n_in -= len + 1;
		memmove(k->in, end + 1, k->n_in);
	}
	if (k->n_in < CONTROL_LINE_MAX || k->n_out)
		return;
	/* Said once, then it is over. */
	k->n_in = 0;
	if (answer(k, "", 0))
		conn_free(k);
}

static void on_conn(void *data, int fd, uint32_t events)
{
	struct conn *k = data;
	ssize_t n;

	touch(k);
	if (events & EPOLLOUT && k->n_out) {
		if (flush(k))
			lines(k);
		return;
	}
	n = recv(fd, k->in + k->n_in, CONTROL_LINE_MAX - k->n_in, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_free(k);
		return;
	}
	k->n_in += n;
	lines(k);
}

static void on_accept(void *data, int fd, uint32_t events)
{
	struct control *c = data;
	struct ucred who;
	socklen_t len = sizeof(who);
	struct conn *k;
	int conn;

	(void)events;
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (conn < 0)
		return;
	k = c->n < CONTROL_CONNECTIONS &&
	    !getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len) ?
	    calloc(1, sizeof(*k)) : NULL;
	if (!k) {
		close(conn);
		return;
	}
	k->c = c;
	k->fd = conn;
	k->uid = who.uid;
	k->next = c->first;
	c->first = k;
	c->n++;
	k->in = malloc(CONTROL_LINE_MAX + 1);
	if (!k->in || loop_timer(c->m->loop, &k->timer, on_idle, k) ||
	    loop_io(c->m->loop, &k->io, conn, EPOLLIN, on_conn, k)) {
		conn_free(k);
		return;
	}
	touch(k);
}

/* Whether somebody listens there; a path left behind may be taken. */
static bool is_held(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool held;

	if (fd < 0)
		return true;
	held = !connect(fd, (const struct sockaddr *)un, sizeof(*un));
	close(fd);
	return held;
}

static void make_parent(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return;
	*slash = '\0';
	mkdir(dir, 0755);
}

void control_start(struct control *c)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;

	if (!c->m->conf.control[0])
		return;
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", c->m->conf.control);
	make_parent(un.sun_path);
	if (is_held(&un)) {
		log_warn("%s: another agent listens there, no control socket",
			 un.sun_path);
		return;
	}
	/* Nothing but a socket is ever removed. */
	if (!lstat(un.sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(un.sun_path);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* Who may do what is decided by who asks, not by the file. */
	if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&un, sizeof(un)) ||
	    chmod(un.sun_path, 0666) || listen(c->fd, CONTROL_CONNECTIONS) ||
	    loop_io(c->m->loop, &c->io, c->fd, EPOLLIN, on_accept, c)) {
		log_err("%s: %s; no control socket", un.sun_path,
			strerror(errno));
		if (c->fd >= 0)
			close(c->fd);
		c->fd = -1;
		return;
	}
	strcpy(c->path, un.sun_path);
}

struct control *control_new(struct mesh *m)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->m = m;
	c->fd = -1;
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (c->first)
		conn_free(c->first);
	source_free(&c->io);
	if (c->fd >= 0) {
		close(c->fd);
		unlink(c->path);
	}
	free(c);
}
