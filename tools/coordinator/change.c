// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth.h"
#include "change.h"
#include "mem.h"
#include "problem.h"

void change_begin(struct registry *reg)
{
	reg->audit_new = 0;
	store_begin(reg->store);
}

static json_t *stamp(void)
{
	time_t now = time(NULL);
	char text[32];
	struct tm tm;

	/* For people: no decision depends on it. */
	gmtime_r(&now, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

void change_log_as(struct registry *reg, const char *who, const char *object,
		   const char *what, const char *cause)
{
	uint64_t seq = reg->audit_seq + ++reg->audit_new;
	json_t *obj = mem_checked(json_object());

	record_set(obj, "seq", json_integer(seq));
	record_set(obj, "time", stamp());
	record_set(obj, "who", json_string(who));
	record_set(obj, "object", json_string(object));
	record_set(obj, "what", json_string(what));
	record_set(obj, "cause", json_string(cause));
	store_put_audit(reg->store, seq, obj);
	if (seq > AUDIT_MAX)
		store_del_audit(reg->store, seq - AUDIT_MAX);
}

void change_log(struct registry *reg, const struct request *rq,
		const char *object, const char *what, const char *fmt, ...)
{
	char cause[256];
	char who[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cause, sizeof(cause), fmt, ap);
	va_end(ap);
	change_log_as(reg, rq ? auth_name(rq, who, sizeof(who)) : "coordinator",
		      object, what, cause);
}

struct waiter {
	struct waiter_list *list;
	struct request *rq;
	TAILQ_ENTRY(waiter) entry;
};

struct change {
	struct registry *reg;
	struct request *rq;
	change_end_fn end;
	void *data;
	bool starting;			/* within change_commit() */
	bool over;
	int status;
};

static void wake(struct waiter *w)
{
	TAILQ_REMOVE(w->list, w, entry);
	http_wake(w->rq);
	free(w);
}

static void on_gone(void *data, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	wake(data);
}

static int wait_in(struct waiter_list *list, struct request *rq)
{
	struct waiter *w = mem_zero(1, sizeof(*w));

	w->list = list;
	w->rq = rq;
	TAILQ_INSERT_TAIL(list, w, entry);
	http_wait(rq, on_gone, w);
	return HTTP_WAITS;
}

bool change_busy(const struct registry *reg)
{
	return reg->change;
}

int change_turn(struct request *rq)
{
	return change_busy(rq->reg) ? wait_in(&rq->reg->turns, rq) : 0;
}

int change_again(struct request *rq)
{
	if (rq->reg->stopping || rq->tries++ >= CHANGE_TRIES)
		return 0;
	return wait_in(&rq->reg->late, rq);
}

void change_ready(struct registry *reg)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&reg->late); w; w = next) {
		next = TAILQ_NEXT(w, entry);
		wake(w);
	}
}

void change_next(struct registry *reg)
{
	if (!change_busy(reg) && !TAILQ_EMPTY(&reg->turns))
		wake(TAILQ_FIRST(&reg->turns));
}

void change_stop(struct registry *reg)
{
	reg->stopping = true;
	store_give_up(reg->store);
	change_ready(reg);
	while (!TAILQ_EMPTY(&reg->turns))
		wake(TAILQ_FIRST(&reg->turns));
}

static void on_stored(void *data, int err)
{
	struct change *c = data;
	struct registry *reg = c->reg;

	reg->change = NULL;
	if (!err)
		reg->audit_seq += reg->audit_new;
	reg->audit_new = 0;
	c->status = c->end(c->rq, c->data, !err);
	if (err && c->rq)
		c->status = problem_store(c->rq);
	c->over = true;
	if (c->starting)
		return;
	if (c->rq && c->status != HTTP_WAITS) {
		c->rq->status = c->status;
		http_wake(c->rq);
	}
	free(c);
	change_next(reg);
}

/* The change is made all the same. */
static void on_left(void *data, int fd, uint32_t events)
{
	struct change *c = data;

	(void)fd;
	(void)events;
	http_ignore(c->rq);
}

int change_commit(struct registry *reg, struct request *rq, change_end_fn end,
		  void *data)
{
	struct change *c = mem_zero(1, sizeof(*c));
	int status;

	c->reg = reg;
	c->rq = rq;
	c->end = end;
	c->data = data;
	c->starting = true;
	reg->change = c;
	store_submit(reg->store, on_stored, c);
	c->starting = false;
	if (!c->over) {
		if (rq)
			http_wait(rq, on_left, c);
		return HTTP_WAITS;
	}
	status = c->status;
	free(c);
	return status;
}
