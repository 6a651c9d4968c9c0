// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/audit: who changed what, and why. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "mem.h"
#include "problem.h"

struct reading {
	struct request *rq;
	json_t *list;
	int64_t after;
	int64_t limit;
	int64_t last;
	bool starting, over;
	int err;
};

static bool on_entry(void *data, const char *key, const char *value)
{
	struct reading *r = data;
	json_t *obj = json_loads(value, 0, NULL);

	(void)key;
	if (!obj)
		return true;
	r->last = json_integer_value(json_object_get(obj, "seq"));
	record_append(r->list, obj);
	return --r->limit > 0;
}

static int reply(struct request *rq, const struct reading *r)
{
	if (r->err)
		return problem(rq, 503, NULL, "the store cannot be read: %s",
			       rq->reg->store->error);
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
		store_read_audit(rq->reg->store, r->after, on_entry, on_read,
				 r);
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
