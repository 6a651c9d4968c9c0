// SPDX-License-Identifier: GPL-2.0-or-later
/* GET /v1/watch: one blocking query for everything an agent needs. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "check.h"
#include "mem.h"
#include "problem.h"

static json_t *tombstones(struct registry *reg, uint64_t after)
{
	json_t *list = mem_checked(json_array());
	const struct tombstone *t;

	TAILQ_FOREACH_REVERSE(t, &reg->tombstones, tombstone_list, list) {
		if (t->rev <= after)
			break;
		if (!t->node)
			record_append(list, json_string(t->tag));
	}
	return list;
}

static json_t *forgotten(struct registry *reg, uint64_t after)
{
	json_t *list = mem_checked(json_array());
	const struct tombstone *t;

	TAILQ_FOREACH_REVERSE(t, &reg->tombstones, tombstone_list, list) {
		if (t->rev <= after)
			break;
		if (t->node)
			record_append(list, json_integer(t->node));
	}
	return list;
}

/* The tags of @in whose lists changed after @after; in a full answer (@full)
 * also those that nobody serves or knows; those of @fresh in any case.
 */
static json_t *members(struct registry *reg, const struct interest *in,
		       const struct interest *fresh, uint64_t after, bool full)
{
	json_t *obj = mem_checked(json_object());
	const struct service *svc;
	unsigned int i;

	for (i = 0; i < in->nr_tags; i++) {
		svc = registry_service(reg, in->tags[i]);
		if (svc && svc->members_rev > after)
			record_set(obj, in->tags[i], api_members(svc));
		else if (full)
			record_set(obj, in->tags[i], json_array());
	}
	for (i = 0; i < fresh->nr_tags; i++) {
		svc = registry_service(reg, fresh->tags[i]);
		record_set(obj, fresh->tags[i],
			   svc ? api_members(svc) : json_array());
	}
	return obj;
}

static void answer(struct request *rq, const struct interest *in,
		   const struct interest *fresh, const struct since *since)
{
	uint64_t after = since->given ? since->index : 0;
	struct registry *reg = rq->reg;
	const struct node *node = registry_node(reg, in->checks);
	json_t *obj = mem_checked(json_object());

	rq->reply = obj;
	watch_stamp(reg, obj);
	record_set(obj, "full", json_boolean(!since->given));
	record_set(obj, "mesh", record_mesh(&reg->mesh));
	record_set(obj, "nodes", api_nodes(reg, after));
	record_set(obj, "nodes_removed",
		   since->given ? forgotten(reg, after) : json_array());
	record_set(obj, "services", api_services(reg, after));
	record_set(obj, "services_removed",
		   since->given ? tombstones(reg, after) : json_array());
	record_set(obj, "members",
		   members(reg, in, fresh, after, !since->given));
	record_set(obj, "checks",
		   node ? checks_list(node, after, false) : json_array());
	record_set(obj, "looks",
		   node ? checks_list(node, after, true) : json_array());
}

static int watch(struct request *rq, struct interest *in,
		 struct interest *fresh)
{
	const char *text = http_arg(rq, "node");
	struct node *node;
	struct since since;
	int status = watch_since(rq, &since);

	/* After a wait the index may have become too old: a tombstone went. */
	if (status)
		return status;
	if (text) {
		node = api_find_node(rq, text, "node");
		if (!node)
			return 404;
		/* Its checks are taken by asking for them. */
		status = auth_node(rq, node, "node");
		if (status)
			return status;
		if (since.given)
			checks_taken(node, since.index);
		in->checks = node->def.id;
	}
	status = watch_read_tags(rq, "tags", in);
	if (!status)
		status = watch_read_tags(rq, "fresh", fresh);
	if (status)
		return status;
	in->nr_tags = watch_sort_tags(in->tags, in->nr_tags);
	in->nodes = true;
	in->services = true;
	if (fresh->nr_tags)
		since.wait_ms = 0;
	status = watch_wait(api_watches(), rq, in, &since);
	if (status != 1)
		return status;
	answer(rq, in, fresh, &since);
	return 200;
}

int api_get_watch(struct request *rq)
{
	struct interest fresh = { 0 };
	struct interest in = { 0 };
	int status = watch(rq, &in, &fresh);

	free(in.tags);
	free(fresh.tags);
	return status;
}
