// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * POST /v1/nodes/ID/observations: what a host sees of others. Nodes that it
 * reaches or not, see judge.h; members that its kernel saw fail, see trigger.h.
 * What is about somebody who is gone meanwhile is no error.
 */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "json.h"
#include "mem.h"
#include "problem.h"

struct observation {
	uint32_t node;
	unsigned int sight;
	int64_t probe;
};

struct evidence {
	char tag[TAG_MAX + 1];
	uint32_t vni;
	unsigned int kind;
	uint32_t count;
};

struct body {
	unsigned int nr_seen, nr_evidence;
	struct observation seen[OBSERVATIONS_MAX];
	struct evidence evidence[OBSERVATIONS_MAX];
};

/* In the order of enum vnimesh_evidence_kind. */
static const char *const kinds[] = {
	"refused", "icmp", "silence", "reset", NULL
};

static bool read_array(struct jobj *root, const char *key, struct jarr *arr)
{
	if (!jget_arr(root, key, JOPT, UINT32_MAX, arr))
		return false;
	if (arr->n <= OBSERVATIONS_MAX)
		return true;
	jarr_fail(arr, OBSERVATIONS_MAX, "at most %u", OBSERVATIONS_MAX);
	return false;
}

static bool read_body(struct jread *rd, struct body *body)
{
	struct observation *o = body->seen;
	struct evidence *e = body->evidence;
	struct jobj root, obj;
	struct jarr arr;
	unsigned int i;

	if (!jread_root(rd, &root))
		return false;
	if (read_array(&root, "observations", &arr))
		for (i = 0; i < arr.n && jarr_obj(&arr, i, &obj); i++, o++) {
			jget_u32(&obj, "node", JREQ, 1, UINT32_MAX, &o->node);
			jget_word(&obj, "sight", JREQ, judge_sights, &o->sight);
			jget_int(&obj, "probe", JOPT, 1, JINT_MAX, &o->probe);
		}
	if (read_array(&root, "evidence", &arr))
		for (i = 0; i < arr.n && jarr_obj(&arr, i, &obj); i++, e++) {
			e->count = 1;
			jget_tag(&obj, "tag", JREQ, e->tag);
			jget_u32(&obj, "vni", JREQ, 1, UINT32_MAX, &e->vni);
			jget_word(&obj, "kind", JREQ, kinds, &e->kind);
			jget_u32(&obj, "count", JOPT, 1, UINT32_MAX, &e->count);
		}
	body->nr_seen = o - body->seen;
	body->nr_evidence = e - body->evidence;
	return jread_ok(rd);
}

static void observed(struct request *rq, const struct node *from,
		     const struct observation *o, json_t *verdicts)
{
	struct node *node = registry_node(rq->reg, o->node);
	json_t *obj;
	int sight;

	if (!node) {
		judge_stray(api_judge());
		return;
	}
	sight = judge_observed(api_judge(), from, node, o->sight, o->probe);
	if (sight < 0)
		return;
	obj = mem_checked(json_object());
	record_set(obj, "node", json_integer(node->def.id));
	record_set(obj, "sight", json_string(judge_sights[sight]));
	record_append(verdicts, obj);
}

static void failed(struct request *rq, const struct evidence *e)
{
	struct service *svc = registry_service(rq->reg, e->tag);
	struct member *m;

	if (!svc)
		return;
	TAILQ_FOREACH(m, &svc->members, on_svc)
		if (m->def.vni == e->vni)
			trigger_evidence(api_triggers(), rq, m, kinds[e->kind],
					 e->count);
}

static int observations(struct request *rq, struct body *body)
{
	struct node *from = api_find_node(rq, rq->arg, NULL);
	json_t *verdicts;
	struct jread rd;
	unsigned int i;
	int status;

	if (!from)
		return 404;
	status = auth_node(rq, from, "node");
	if (status)
		return status;
	jread_buf(&rd, rq->body, rq->body_len, JREAD_LENIENT);
	if (!read_body(&rd, body))
		status = problem_json(rq, &rd);
	jread_free(&rd);
	if (status)
		return status;
	verdicts = mem_checked(json_array());
	for (i = 0; i < body->nr_seen; i++)
		observed(rq, from, &body->seen[i], verdicts);
	for (i = 0; i < body->nr_evidence; i++)
		failed(rq, &body->evidence[i]);
	rq->reply = mem_checked(json_object());
	watch_stamp(rq->reg, rq->reply);
	record_set(rq->reply, "verdicts", verdicts);
	return 200;
}

int api_post_observations(struct request *rq)
{
	struct body *body = mem_zero(1, sizeof(*body));
	int status = observations(rq, body);

	free(body);
	return status;
}
