// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "log.h"
#include "mem.h"
#include "problem.h"

static const char *title(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 409:
		return "Conflict";
	case 410:
		return "Gone";
	case 412:
		return "Precondition Failed";
	case 413:
		return "Content Too Large";
	case 415:
		return "Unsupported Media Type";
	case 429:
		return "Too Many Requests";
	case 503:
		return "Service Unavailable";
	case 507:
		return "Insufficient Storage";
	}
	return "Error";
}

/* Text that may quote the request: cut or wrong UTF-8 is made harmless. */
static json_t *safe_string(const char *text)
{
	json_t *value = json_string(text);
	char buf[512];
	char *p;

	if (value)
		return value;
	snprintf(buf, sizeof(buf), "%s", text);
	for (p = buf; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return json_string(buf);
}

int problem(struct request *rq, int status, const char *field,
	    const char *fmt, ...)
{
	char detail[512];
	json_t *obj;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(detail, sizeof(detail), fmt, ap);
	va_end(ap);

	obj = mem_checked(json_object());
	record_set(obj, "type", json_string("about:blank"));
	record_set(obj, "title", json_string(title(status)));
	record_set(obj, "status", json_integer(status));
	record_set(obj, "detail", safe_string(detail));
	if (field && *field)
		record_set(obj, "field", safe_string(field));
	json_decref(rq->reply);
	rq->reply = obj;
	return status;
}

int problem_json(struct request *rq, const struct jread *rd)
{
	if (rd->line)
		return problem(rq, 400, NULL, "line %d column %d: %s", rd->line,
			       rd->column, rd->text);
	if (rd->field[0])
		return problem(rq, 400, rd->field, "%s: %s", rd->field,
			       rd->text);
	return problem(rq, 400, NULL, "%s", rd->text);
}

int problem_store(struct request *rq)
{
	if (rq->reg->store->behind) {
		if (change_again(rq))
			return HTTP_WAITS;
		return problem(rq, 503, NULL,
			       "others change so much that this change found no moment");
	}
	if (rq->reg->store->too_large && rq->bulk)
		return problem(rq, 507, rq->bulk, "%s: %s", rq->bulk,
			       rq->reg->store->error);
	if (rq->reg->store->too_large)
		return problem(rq, 507, NULL, "%s", rq->reg->store->error);
	if (!rq->reg->store->away)
		log_error("store: %s", rq->reg->store->error);
	return problem(rq, 503, NULL, "the store did not take it: %s",
		       rq->reg->store->error);
}
