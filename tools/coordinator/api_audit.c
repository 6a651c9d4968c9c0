// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/audit: who changed what, and why. */
#include <inttypes.h>
#include <string.h>

#include "api.h"
#include "mem.h"
#include "problem.h"

struct reading {
	json_t *list;
	int64_t after;
	int64_t limit;
	int64_t last;
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

int api_get_audit(struct request *rq)
{
	struct registry *reg = rq->reg;
	struct reading r = { .limit = AUDIT_PAGE };

	if (http_arg_int(rq, "after", 0, JINT_MAX, &r.after) < 0 ||
	    http_arg_int(rq, "limit", 1, AUDIT_PAGE, &r.limit) < 0)
		return 400;
	r.list = mem_checked(json_array());
	r.last = r.after;
	if (store_read_audit(reg->store, r.after, on_entry, &r)) {
		json_decref(r.list);
		return problem_store(rq);
	}
	rq->reply = mem_checked(json_object());
	record_set(rq->reply, "entries", r.list);
	record_set(rq->reply, "last", json_integer(r.last));
	return 200;
}
