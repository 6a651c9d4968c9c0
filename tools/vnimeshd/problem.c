// SPDX-License-Identifier: GPL-2.0-or-later
/* What an unsuccessful answer of the coordinator says. */

#include <stdio.h>

#include "problem.h"
#include "wire.h"

const char *problem_text(const struct http_reply *reply, char *buf, size_t len)
{
	const char *detail, *field;
	json_t *json;

	if (!reply->status) {
		snprintf(buf, len, "%s", reply->error);
		return buf;
	}
	json = json_loadb(reply->body, reply->len, 0, NULL);
	detail = wire_str(json, "detail", wire_str(json, "title", ""));
	field = wire_str(json, "field", "");
	snprintf(buf, len, "status %d%s%s%s%s%s", reply->status,
		 *detail ? ": " : "", detail, *field ? " (field \"" : "",
		 field, *field ? "\")" : "");
	json_decref(json);
	return buf;
}
