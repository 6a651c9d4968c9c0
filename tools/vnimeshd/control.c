// SPDX-License-Identifier: GPL-2.0-or-later
/* The control socket: connections, lines, who asks. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "control_ops.h"
#include "log.h"

/* Who may take places from whom. */
enum conn_kind { KIND_ROOT, KIND_GRANTED, KIND_STRANGER, KINDS };

static const unsigned int places[KINDS] = {
	CONTROL_CONNECTIONS, CONTROL_CONNECTIONS, CONTROL_STRANGERS,
};

/* It waits for a question, or in c->asking for its answer (asks), or for what
 * it asked to read the answer (out).
 */
struct conn {
	TAILQ_ENTRY(conn) list, turn;
	struct control *c;
	struct source *io, *timer;
	int fd;
	uid_t uid;
	enum conn_kind kind;
	uint64_t asked_us;
	bool asks;
	char *in;		/* CONTROL_LINE_MAX + 1 bytes */
	size_t n_in;
	char *out;
	size_t n_out, sent;
};

TAILQ_HEAD(conns, conn);

struct control {
	struct mesh *m;
	struct source *io;
	struct source *turn;	/* set while somebody asks */
	struct source *pause;	/* set while nobody is let in */
	int fd;
	bool told_pause;	/* that is in the log */
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	struct conns all;
	struct conns asking;	/* whose turn is next comes first */
	unsigned int n[KINDS];
	struct control_stats stats;
};

static void conn_free(struct conn *k)
{
	TAILQ_REMOVE(&k->c->all, k, list);
	if (k->asks)
		TAILQ_REMOVE(&k->c->asking, k, turn);
	k->c->n[k->kind]--;
	k->c->stats.connections--;
	source_free(&k->io);
	source_free(&k->timer);
	close(k->fd);
	free(k->in);
	free(k->out);
	free(k);
}

static void touch(struct conn *k)
{
	k->asked_us = loop_now();
	source_timer_set(k->timer, k->asked_us +
			 CONTROL_IDLE_MS * LOOP_USEC_PER_MSEC);
}

static void on_idle(void *data, uint64_t now_us)
{
	struct conn *k = data;

	(void)now_us;
	/* It is we who are slow. */
	if (k->asks) {
		touch(k);
		return;
	}
	k->c->stats.idle++;
	conn_free(k);
}

/* A line, or what will never be one. */
static bool has_question(const struct conn *k)
{
	return k->n_in == CONTROL_LINE_MAX || memchr(k->in, '\n', k->n_in);
}

/* What comes next: a turn for its question, or the wait for one. */
static void go_on(struct conn *k)
{
	struct control *c = k->c;

	if (!has_question(k)) {
		source_io_events(k->io, EPOLLIN);
		return;
	}
	/* Until then nothing is read; that it hung up is told once. */
	source_io_events(k->io, EPOLLET);
	if (TAILQ_EMPTY(&c->asking))
		source_timer_set(c->turn, 0);
	TAILQ_INSERT_TAIL(&c->asking, k, turn);
	k->asks = true;
}

static void flush(struct conn *k)
{
	ssize_t n;

	while (k->sent < k->n_out) {
		n = send(k->fd, k->out + k->sent, k->n_out - k->sent,
			 MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			source_io_events(k->io, EPOLLOUT);
			return;
		}
		if (n < 0) {
			conn_free(k);
			return;
		}
		k->sent += n;
	}
	free(k->out);
	k->out = NULL;
	k->n_out = 0;
	k->sent = 0;
	go_on(k);
}

static bool answer(struct conn *k, const char *line, size_t len)
{
	json_t *json = control_answer(k->c->m, k->uid, line, len);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	json_decref(json);
	if (text)
		k->out = realloc(text, strlen(text) + 2);
	if (!k->out) {
		free(text);
		return false;
	}
	strcat(k->out, "\n");
	k->n_out = strlen(k->out);
	k->c->stats.answered++;
	touch(k);
	return true;
}

/* One question, one answer. */
static void serve(struct conn *k)
{
	char *end = memchr(k->in, '\n', k->n_in);
	size_t len;

	TAILQ_REMOVE(&k->c->asking, k, turn);
	k->asks = false;
	if (!end) {
		/* Said once, then it is over. */
		if (answer(k, "", 0))
			send(k->fd, k->out, k->n_out, MSG_NOSIGNAL);
		conn_free(k);
		return;
	}
	len = end - k->in;
	*end = '\0';
	if (!answer(k, k->in, len)) {
		conn_free(k);
		return;
	}
	k->n_in -= len + 1;
	memmove(k->in, end + 1, k->n_in);
	flush(k);
}

/* Each of those that ask in turn: who asks much waits for those who ask little,
 * and half of the time is of others than these.
 */
static void on_turn(void *data, uint64_t now_us)
{
	struct control *c = data;
	uint64_t now = now_us;
	unsigned int i;

	for (i = 0; i < CONTROL_TURN && now - now_us < CONTROL_TURN_US; i++) {
		if (TAILQ_EMPTY(&c->asking))
			return;
		serve(TAILQ_FIRST(&c->asking));
		now = loop_now();
	}
	if (TAILQ_EMPTY(&c->asking))
		return;
	c->stats.put_off++;
	source_timer_set(c->turn, now + (now - now_us));
}

static void on_conn(void *data, int fd, uint32_t events)
{
	struct conn *k = data;
	ssize_t n;

	if (k->n_out) {
		if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
			flush(k);
		return;
	}
	if (k->asks)
		return;
	n = recv(fd, k->in + k->n_in, CONTROL_LINE_MAX - k->n_in, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_free(k);
		return;
	}
	k->n_in += n;
	if (has_question(k))
		go_on(k);
}

static enum conn_kind kind_of(const struct control *c, uid_t uid)
{
	if (!uid)
		return KIND_ROOT;
	return config_has_grant(&c->m->conf, uid) ? KIND_GRANTED : KIND_STRANGER;
}

/* What @uid has, and the one of them that asked nothing for longest. */
static unsigned int held_by(const struct control *c, uid_t uid,
			    struct conn **idlest)
{
	struct conn *k, *first = NULL;
	unsigned int n = 0;

	TAILQ_FOREACH(k, &c->all, list) {
		if (k->uid != uid)
			continue;
		n++;
		if (!first || k->asked_us < first->asked_us)
			first = k;
	}
	if (idlest)
		*idlest = first;
	return n;
}

/* All places of a kind are taken: who has most of them gives one to who would
 * still have less.
 */
static bool make_room(struct control *c, enum conn_kind kind, unsigned int has)
{
	struct conn *k, *idlest, *go = NULL;
	unsigned int n, most = has + 1;

	TAILQ_FOREACH(k, &c->all, list) {
		if (k->kind != kind)
			continue;
		n = held_by(c, k->uid, &idlest);
		if (n > most) {
			most = n;
			go = idlest;
		}
	}
	if (!go)
		return false;
	c->stats.crowded_out++;
	conn_free(go);
	return true;
}

/* NULL, or why not. */
static const char *admit(struct control *c, uid_t uid, enum conn_kind kind)
{
	unsigned int has = kind == KIND_ROOT ? 0 : held_by(c, uid, NULL);

	if (has >= CONTROL_UID) {
		c->stats.refused_uid++;
		return "this user has as many connections to the agent as it may";
	}
	if (c->n[kind] < places[kind] ||
	    (kind != KIND_ROOT && make_room(c, kind, has)))
		return NULL;
	c->stats.refused_full++;
	return "the agent has as many connections as it may";
}

static void refuse(int conn, const char *why)
{
	char text[160];

	snprintf(text, sizeof(text), "{\"ok\":false,\"error\":\"%s\"}\n", why);
	send(conn, text, strlen(text), MSG_NOSIGNAL);
	close(conn);
}

static void take(struct control *c, int conn)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	const char *why;
	enum conn_kind kind;
	struct conn *k;

	if (getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &who, &len)) {
		close(conn);
		return;
	}
	kind = kind_of(c, who.uid);
	why = admit(c, who.uid, kind);
	k = why ? NULL : calloc(1, sizeof(*k));
	if (!k) {
		refuse(conn, why ? why : "no memory");
		return;
	}
	k->c = c;
	k->fd = conn;
	k->uid = who.uid;
	k->kind = kind;
	TAILQ_INSERT_TAIL(&c->all, k, list);
	c->n[kind]++;
	c->stats.connections++;
	k->in = malloc(CONTROL_LINE_MAX + 1);
	if (!k->in || loop_timer(c->m->loop, &k->timer, on_idle, k) ||
	    loop_io(c->m->loop, &k->io, conn, EPOLLIN, on_conn, k)) {
		conn_free(k);
		return;
	}
	touch(k);
}

/* Who waits goes on to wait, and would be told of again at once. */
static void pause_accept(struct control *c, int err)
{
	c->stats.pauses++;
	source_io_events(c->io, 0);
	source_timer_set(c->pause, loop_now() +
			 CONTROL_PAUSE_MS * LOOP_USEC_PER_MSEC);
	if (!c->told_pause)
		log_warn("%s: cannot take a connection: %s; it waits", c->path,
			 strerror(err));
	c->told_pause = true;
}

static void on_pause(void *data, uint64_t now_us)
{
	struct control *c = data;

	(void)now_us;
	source_io_events(c->io, EPOLLIN);
}

static void on_accept(void *data, int fd, uint32_t events)
{
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (conn >= 0)
		take(data, conn);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		pause_accept(data, errno);
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
	TAILQ_INIT(&c->all);
	TAILQ_INIT(&c->asking);
	if (!loop_timer(m->loop, &c->turn, on_turn, c) &&
	    !loop_timer(m->loop, &c->pause, on_pause, c))
		return c;
	control_free(c);
	return NULL;
}

const struct control_stats *control_stats(const struct control *c)
{
	return &c->stats;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->all))
		conn_free(TAILQ_FIRST(&c->all));
	source_free(&c->turn);
	source_free(&c->pause);
	source_free(&c->io);
	if (c->fd >= 0) {
		close(c->fd);
		unlink(c->path);
	}
	free(c);
}
