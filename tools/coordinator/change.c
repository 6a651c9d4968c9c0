// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "auth.h"
#include "change.h"
#include "mem.h"

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
	struct registry *reg;
	struct request *rq;
	TAILQ_ENTRY(waiter) list;
};

TAILQ_HEAD(waiter_list, waiter);

static void wake(struct waiter *w)
{
	TAILQ_REMOVE(w->reg->waiters, w, list);
	http_wake(w->rq);
	free(w);
}

static void on_gone(void *data, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	wake(data);
}

int change_again(struct request *rq)
{
	struct registry *reg = rq->reg;
	struct waiter *w;

	if (rq->tries++ >= CHANGE_TRIES)
		return 0;
	if (!reg->waiters) {
		reg->waiters = mem_zero(1, sizeof(*reg->waiters));
		TAILQ_INIT(reg->waiters);
	}
	w = mem_zero(1, sizeof(*w));
	w->reg = reg;
	w->rq = rq;
	TAILQ_INSERT_TAIL(reg->waiters, w, list);
	http_wait(rq, on_gone, w);
	return HTTP_WAITS;
}

void change_ready(struct registry *reg)
{
	struct waiter *w, *next;

	if (!reg->waiters)
		return;
	for (w = TAILQ_FIRST(reg->waiters); w; w = next) {
		next = TAILQ_NEXT(w, list);
		wake(w);
	}
}

int change_commit(struct registry *reg)
{
	int err = store_commit(reg->store);

	if (!err)
		reg->audit_seq += reg->audit_new;
	reg->audit_new = 0;
	return err;
}
