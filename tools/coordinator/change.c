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

void change_log(struct registry *reg, const struct request *rq,
		const char *object, const char *what, const char *fmt, ...)
{
	uint64_t seq = reg->audit_seq + ++reg->audit_new;
	json_t *obj = mem_checked(json_object());
	char cause[256];
	char who[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cause, sizeof(cause), fmt, ap);
	va_end(ap);
	record_set(obj, "seq", json_integer(seq));
	record_set(obj, "time", stamp());
	record_set(obj, "who", json_string(rq ?
		auth_name(rq, who, sizeof(who)) : "coordinator"));
	record_set(obj, "object", json_string(object));
	record_set(obj, "what", json_string(what));
	record_set(obj, "cause", json_string(cause));
	store_put_audit(reg->store, seq, obj);
	if (seq > AUDIT_MAX)
		store_del_audit(reg->store, seq - AUDIT_MAX);
}

int change_commit(struct registry *reg)
{
	int err = store_commit(reg->store);

	if (!err)
		reg->audit_seq += reg->audit_new;
	reg->audit_new = 0;
	return err;
}
