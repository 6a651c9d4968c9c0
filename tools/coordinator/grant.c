// SPDX-License-Identifier: GPL-2.0-or-later
#include <fnmatch.h>
#include <string.h>

#include "grant.h"
#include "mem.h"
#include "record.h"

const char *const grant_roles[] = { "join", "read", "register", "admin", NULL };

void grant_default(struct grant *grant)
{
	memset(grant, 0, sizeof(*grant));
	grant->services_max = GRANT_SERVICES;
	grant->members_max = NODE_MEMBERS_MAX;
}

bool grant_allows(const struct grant *grant, const char *tag)
{
	unsigned int i;

	for (i = 0; i < grant->nr_tags; i++)
		if (!fnmatch(grant->tags[i], tag, FNM_NOESCAPE))
			return true;
	return false;
}

bool grant_pattern_valid(const char *text)
{
	size_t n = strlen(text);

	return n && n <= TAG_MAX &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-*") == n;
}

void grant_read(struct jobj *obj, struct grant *grant)
{
	struct jarr arr;
	const char *text;
	unsigned int i;

	jget_u32(obj, "services_max", JOPT, 0, NODE_MEMBERS_MAX,
		 &grant->services_max);
	jget_u32(obj, "members_max", JOPT, 0, NODE_MEMBERS_MAX,
		 &grant->members_max);
	if (!jget_arr(obj, "tags", JOPT, GRANT_TAGS_MAX, &arr))
		return;
	for (i = 0; i < arr.n; i++) {
		if (!jarr_str(&arr, i, TAG_MAX, &text))
			return;
		if (!grant_pattern_valid(text)) {
			jarr_fail(&arr, i, "must be a tag in which * stands for anything");
			return;
		}
		strcpy(grant->tags[i], text);
	}
	grant->nr_tags = arr.n;
}

void grant_pack(json_t *obj, const struct grant *grant)
{
	json_t *list = mem_checked(json_array());
	unsigned int i;

	for (i = 0; i < grant->nr_tags; i++)
		record_append(list, json_string(grant->tags[i]));
	record_set(obj, "tags", list);
	record_set(obj, "services_max", json_integer(grant->services_max));
	record_set(obj, "members_max", json_integer(grant->members_max));
}

void token_read(struct jobj *obj, struct token_def *def)
{
	unsigned int role = ROLE_NONE;
	const char *text;

	grant_default(&def->grant);
	if (jget_str(obj, "id", JREQ, TOKEN_ID_LEN, &text))
		strcpy(def->id, text);
	jget_key(obj, "hash", JREQ, def->hash);
	jget_word(obj, "role", JREQ, grant_roles, &role);
	def->role = role;
	jget_int(obj, "expires", JOPT, 0, JINT_MAX, &def->expires);
	grant_read(obj, &def->grant);
}

json_t *token_pack(const struct token_def *def, bool stored)
{
	json_t *obj = mem_checked(json_object());

	record_set(obj, "id", json_string(def->id));
	record_set(obj, "role", json_string(grant_roles[def->role]));
	if (stored)
		record_set(obj, "hash", json_string(def->hash));
	if (def->expires)
		record_set(obj, "expires", json_integer(def->expires));
	grant_pack(obj, &def->grant);
	return obj;
}
