// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GET /v1/audit: who changed what, and why.
 *
 * Who reads on from an entry is to miss none. So that entry is read once more:
 * when it is gone, by age or with a store that was restored from a backup, the
 * reader is told, rather than given what happens to have higher numbers.
 */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "mem.h"
#include "problem.h"

struct reading {
	struct request *rq;
	json_t *list;
	int64_t after;
	const char *time;		/* of that entry, NULL: any */
	int64_t limit;
	int64_t last;
	bool met, other;		/* that entry; at another time */
	bool starting, over;
	int err;
};

static void meet(struct reading *r, const json_t *obj, int64_t seq)
{
	const char *time = json_string_value(json_object_get(obj, "time"));

	r->met = seq == r->after;
	r->other = r->met && r->time && (!time || strcmp(time, r->time));
}

static bool on_entry(void *data, const char *key, const char *value)
{
	struct reading *r = data;
	json_t *obj = json_loads(value, 0, NULL);
	int64_t seq;

	(void)key;
	if (!obj)
		return true;
	seq = json_integer_value(json_object_get(obj, "seq"));
	if (r->after && !r->met) {
		meet(r, obj, seq);
		json_decref(obj);
		return r->met && !r->other;
	}
	r->last = seq;
	record_append(r->list, obj);
	return --r->limit > 0;
}

static int lost(struct request *rq, const struct reading *r)
{
	/* What was known last may be older than what the reader saw. */
	if (rq->reg->store->away)
		return problem(rq, 503, NULL,
			       "the store is away, and entry %lld not known",
			       (long long)r->after);
	if (r->other)
		return problem(rq, 410, "time",
			       "time: entry %lld is of another time, the log another one: read without after",
			       (long long)r->after);
	return problem(rq, 410, "after",
		       "after: entry %lld is not there (any more): read without after",
		       (long long)r->after);
}

static int reply(struct request *rq, const struct reading *r)
{
	if (r->err)
		return problem(rq, 503, NULL, "the store cannot be read: %s",
			       rq->reg->store->error);
	if (r->after && (!r->met || r->other))
		return lost(rq, r);
	rq->reply = mem_checked(json_object());
	record_set(rq->reply, "entries", json_incref(r->list));
	record_set(rq->reply, "last", json_integer(r->last));
	return 200;
}

static void on_read(void *data, int err)
{
	struct reading *r = data;

	r->err = err;
	r->over = true;
	if (r->starting)
		return;
	r->rq->status = reply(r->rq, r);
	http_wake(r->rq);
	json_decref(r->list);
	free(r);
}

static void on_left(void *data, int fd, uint32_t events)
{
	struct reading *r = data;

	(void)fd;
	(void)events;
	http_ignore(r->rq);
}

int api_get_audit(struct request *rq)
{
	struct reading *r = mem_zero(1, sizeof(*r));
	int status = 400;

	r->rq = rq;
	r->limit = AUDIT_PAGE;
	r->list = mem_checked(json_array());
	r->starting = true;
	if (http_arg_int(rq, "after", 0, JINT_MAX, &r->after) >= 0 &&
	    http_arg_int(rq, "limit", 1, AUDIT_PAGE, &r->limit) >= 0) {
		r->last = r->after;
		r->time = http_arg(rq, "time");
		store_read_audit(rq->reg->store, r->after ? r->after - 1 : 0,
				 on_entry, on_read, r);
		r->starting = false;
		if (!r->over) {
			http_wait(rq, on_left, r);
			return HTTP_WAITS;
		}
		status = reply(rq, r);
	}
	json_decref(r->list);
	free(r);
	return status;
}
