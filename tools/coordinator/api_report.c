// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * POST /v1/nodes/ID/report: what an agent says about its own members. All
 * of it is checked, then stored in one transaction, then taken over, so that
 * a refusal at any point has changed nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "change.h"
#include "json.h"
#include "lease.h"
#include "mem.h"
#include "note.h"
#include "problem.h"
#include "report.h"
#include "service.h"

/* One step of the way from what is known to what the report says. */
struct step {
	struct member *m;		/* NULL: a new one */
	const struct report_member *said; /* NULL: it goes */
	bool store;
};

struct work {
	struct request *rq;
	struct registry *reg;
	struct node *node;
	struct report rep;
	struct service_plan services;
	struct step *steps;
	unsigned int nr_steps;
	unsigned int after;		/* members once all is done */
};

static unsigned int created_by(struct registry *reg, uint32_t node)
{
	const struct service *svc;
	unsigned int n = 0;

	TAILQ_FOREACH(svc, &reg->services_changed, changed)
		n += svc->def.creator == node;
	return n;
}

/* One more of those that the problem, if there is one already, is about. */
static void also(struct work *work, int status, const char *field)
{
	json_t *reply = work->rq->reply;
	json_t *all = json_object_get(reply, "fields");

	if (!status)
		return;
	if (!all) {
		all = mem_checked(json_array());
		record_set(reply, "fields", all);
	}
	json_array_append_new(all, mem_checked(json_string(field)));
}

/* The first one that is refused makes the problem. */
static int check_tag(struct work *work, int status, const char *tag,
		     const char *field)
{
	if (!status)
		status = auth_tag(work->rq, tag, field);
	else if (grant_allows(auth_grant(work->rq), tag))
		return status;
	also(work, status, field);
	return status;
}

/* Each tag that it registers must be granted, also when it was before. All that
 * are not are told at once.
 */
static int check_grant(struct work *work)
{
	const struct report *rep = &work->rep;
	int status = 0;
	char field[48];
	unsigned int i;

	if (!auth_grant(work->rq))
		return 0;
	for (i = 0; i < rep->nr_members; i++) {
		snprintf(field, sizeof(field), "members[%u].tag", i);
		status = check_tag(work, status, rep->members[i].def.tag,
				   field);
	}
	for (i = 0; i < rep->nr_services; i++) {
		snprintf(field, sizeof(field), "services[%u].tag", i);
		status = check_tag(work, status, rep->services[i].tag, field);
	}
	return status;
}

/* The first service that is one too many is told by its @item. */
static int check_quota(struct work *work, const char *item)
{
	const struct grant *grant = auth_grant(work->rq);
	uint32_t id = work->node->def.id;

	if (!grant || created_by(work->reg, id) + work->services.nr <
		      grant->services_max)
		return 0;
	return problem(work->rq, 507, item,
		       "%s: node \"%s\" may create %u services", item,
		       work->node->def.name, grant->services_max);
}

/* Who has not said all it has to say is asked to. */
static int resync(struct work *work, const char *why)
{
	int status = problem(work->rq, 409, "seq", "seq: %s: send a full report",
			     why);

	record_set(work->rq->reply, "resync", json_true());
	if (work->node->seq >= 0)
		record_set(work->rq->reply, "seq",
			   json_integer(work->node->seq));
	return status;
}

static int check_order(struct work *work)
{
	const struct report *rep = &work->rep;
	struct node *node = work->node;

	if (rep->epoch != node->def.epoch)
		return problem(work->rq, 409, "epoch",
			       "epoch: not the one that registered node %u: register first",
			       node->def.id);
	if (rep->full)
		return rep->seq > node->seq ?
		       0 : resync(work, "not above the last one");
	if (node->seq < 0)
		return resync(work, "nothing is known to build on");
	if (rep->seq != node->seq + 1)
		return resync(work, "not the one that follows the last one");
	return 0;
}

static void add_step(struct work *work, struct member *m,
		     const struct report_member *said, bool store)
{
	work->steps[work->nr_steps].m = m;
	work->steps[work->nr_steps].said = said;
	work->steps[work->nr_steps].store = store;
	work->nr_steps++;
}

static void plan_removal(struct work *work, struct member *m)
{
	add_step(work, m, NULL, true);
	work->after--;
}

static void plan_member(struct work *work, const struct report_member *said)
{
	struct member *m = registry_member(work->node, said->def.tag,
					   said->def.vni);

	if (!m) {
		add_step(work, NULL, said, true);
		work->after++;
		return;
	}
	m->kept = true;
	/* Within an epoch an older fact never replaces a newer one. */
	if (said->soft.seq < m->soft.seq)
		return;
	add_step(work, m, said, !record_same_member(&m->def, &said->def));
}

/* Removals come first, then what is there: a member in both stays. */
static void plan_members(struct work *work)
{
	const struct report *rep = &work->rep;
	struct member *m;
	unsigned int i;

	work->after = work->node->nr_members;
	work->steps = mem_zero(rep->nr_members + work->node->nr_members,
			       sizeof(*work->steps));
	TAILQ_FOREACH(m, &work->node->members, on_node)
		m->kept = !rep->full;
	for (i = 0; i < rep->nr_removed; i++) {
		m = registry_member(work->node, rep->removed[i].tag,
				    rep->removed[i].vni);
		if (m)
			m->kept = false;
	}
	for (i = 0; i < rep->nr_members; i++)
		plan_member(work, &rep->members[i]);
	TAILQ_FOREACH(m, &work->node->members, on_node)
		if (!m->kept)
			plan_removal(work, m);
}

static int plan_services(struct work *work)
{
	struct registry *reg = work->reg;
	struct service_def def;
	struct service *svc;
	unsigned int i;
	char item[32];
	int status;

	for (i = 0; i < work->rep.nr_services; i++) {
		def = work->rep.services[i];
		def.creator = work->node->def.id;
		svc = registry_service(reg, def.tag);
		if (!svc) {
			snprintf(item, sizeof(item), "services[%u]", i);
			status = check_quota(work, item);
			if (status)
				return status;
			status = service_plan_create(&work->services, work->rq,
						     &def, item);
			if (status)
				return status;
		} else if (svc->def.creator == work->node->def.id) {
			service_plan_change(&work->services, svc, &def);
		}
	}

	/* A member of a tag that nobody described: every port, as it is. */
	for (i = 0; i < work->rep.nr_members; i++) {
		if (registry_service(reg, work->rep.members[i].def.tag))
			continue;
		memset(&def, 0, sizeof(def));
		strcpy(def.tag, work->rep.members[i].def.tag);
		def.policy = VNIMESH_POLICY_OPTIMAL;
		def.on_down = VNIMESH_ON_DOWN_ABORT;
		def.load = VNIMESH_LOAD_CONNECTIONS;
		def.creator = work->node->def.id;
		snprintf(item, sizeof(item), "members[%u]", i);
		if (!service_planned(&work->services, def.tag)) {
			status = check_quota(work, item);
			if (status)
				return status;
		}
		status = service_plan_create(&work->services, work->rq, &def,
					     item);
		if (status)
			return status;
	}
	return 0;
}

static void log_step(struct work *work, const struct step *step)
{
	const struct member_def *def = step->said ? &step->said->def :
						    &step->m->def;
	const char *output = step->said ? step->said->soft.output : "";
	const char *state = record_states[def->state - 1];
	char object[TAG_MAX + 32];

	snprintf(object, sizeof(object), "member %s/%u", def->tag, def->vni);
	if (!step->said)
		change_log(work->reg, work->rq, object, "removed",
			   work->rep.full ? "not in a full report" :
					    "reported as removed");
	else if (!step->m)
		change_log(work->reg, work->rq, object, "added", "%s%s%s",
			   state, *output ? ": " : "", output);
	else if (step->m->def.state != def->state)
		change_log(work->reg, work->rq, object, state, "was %s%s%s",
			   record_states[step->m->def.state - 1],
			   *output ? ": " : "", output);
	else
		change_log(work->reg, work->rq, object, "changed",
			   "weight %u, priority %u", def->weight,
			   def->priority);
}

static bool changes_store(const struct work *work)
{
	bool any = work->services.nr;
	unsigned int i;

	for (i = 0; i < work->nr_steps; i++)
		any |= work->steps[i].store;
	return any;
}

static void store_all(struct work *work)
{
	struct store *store = work->reg->store;
	struct member_def def;
	unsigned int i;

	change_begin(work->reg);
	service_plan_store(&work->services, work->rq);
	for (i = 0; i < work->nr_steps; i++) {
		const struct step *step = &work->steps[i];

		if (!step->said || step->store)
			log_step(work, step);
		if (!step->said) {
			store_del_member(store, step->m->def.tag,
					 step->m->def.vni);
		} else if (step->store) {
			def = step->said->def;
			def.node = work->node->def.id;
			store_put_member(store, &def);
		}
	}
}

/* Two that say they are the primary change nothing that the store keeps: the
 * log has them all the same, and that there is one again.
 */
static void note_rival(struct work *work, const struct member *m,
		       const struct report_member *said)
{
	const struct member_soft *soft = &said->soft;
	char object[TAG_MAX + 32];

	if (m->soft.rival == soft->rival)
		return;
	snprintf(object, sizeof(object), "member %s/%u", said->def.tag,
		 said->def.vni);
	if (soft->rival)
		note(work->reg, work->rq, object, "two primaries",
		     "VNI %u says that it is the primary, too; %s stays",
		     soft->rival, said->def.state == VNIMESH_STATE_DOWN ?
		     "that one" : "this one");
	else
		note(work->reg, work->rq, object, "one primary",
		     "no more than one of VNI %u and VNI %u says so: %s",
		     said->def.vni, m->soft.rival, soft->output);
}

/* Takes over what is said of a member. A change of what the store keeps, or
 * from or to health 0, decides routing; other scores can wait for each other.
 */
static void apply_member(struct work *work, struct member *m,
			 const struct report_member *said, bool changed)
{
	bool urgent = changed || !m->confirmed ||
		      !m->soft.health != !said->soft.health ||
		      m->soft.rival != said->soft.rival;
	bool moved = urgent || !record_same_soft(&m->soft, &said->soft);

	note_rival(work, m, said);
	m->def = said->def;
	m->def.node = work->node->def.id;
	m->soft = said->soft;
	m->confirmed = true;
	if (moved)
		registry_touch_members(work->reg, m->svc, urgent);
}

static void apply(struct work *work)
{
	struct registry *reg = work->reg;
	unsigned int i;

	service_plan_apply(&work->services);
	for (i = 0; i < work->nr_steps; i++) {
		struct step *step = &work->steps[i];
		struct service *svc;

		if (!step->said) {
			registry_drop_member(reg, step->m);
			continue;
		}
		if (!step->m) {
			svc = registry_service(reg, step->said->def.tag);
			step->m = registry_add_member(reg, svc, work->node,
						      &step->said->def);
		}
		apply_member(work, step->m, step->said, step->store);
	}
	work->node->seq = work->rep.seq;
	lease_renew(reg, work->node);
}

/* The last @over of the new members, in the order of the report. */
static int refuse_last(struct work *work, unsigned int over, unsigned int max)
{
	const struct report_member *said;
	unsigned int i = work->nr_steps;
	int status = 0;
	char field[32];

	while (i--)
		if (!work->steps[i].m && !over--)
			break;
	/* The others are before that one. */
	while (++i < work->nr_steps) {
		said = work->steps[i].said;
		if (work->steps[i].m)
			continue;
		snprintf(field, sizeof(field), "members[%td]",
			 said - work->rep.members);
		if (!status)
			status = problem(work->rq, 507, field,
					 "%s: a node has at most %u", field,
					 max);
		also(work, status, field);
	}
	return status;
}

/* What there was before stays, also above a quota that was lowered: it can only
 * become less.
 */
static int check_room(struct work *work)
{
	const struct grant *grant = auth_grant(work->rq);
	unsigned int max = NODE_MEMBERS_MAX;

	if (grant && grant->members_max < max)
		max = grant->members_max;
	return work->after > max ?
	       refuse_last(work, work->after - max, max) : 0;
}

/* After the form: what the report means for what is known. */
static int plan(struct work *work)
{
	char field[64];
	char text[128];
	int status;

	if (!report_owned(&work->rep, &work->node->def, field, text))
		return problem(work->rq, 403, field, "%s: %s", field, text);
	status = check_order(work);
	if (!status)
		status = check_grant(work);
	if (status)
		return status;
	plan_members(work);
	status = check_room(work);
	if (status)
		return status;
	/* Only figures are taken while something else is about to change. */
	if (work->rep.full || work->rep.nr_services || changes_store(work)) {
		status = change_turn(work->rq);
		if (status)
			return status;
	}
	status = plan_services(work);
	if (status)
		service_plan_undo(&work->services);
	return status;
}

static void work_free(struct work *work)
{
	report_free(&work->rep);
	free(work->steps);
	free(work);
}

static int finish(struct request *rq, void *data, bool stored)
{
	struct work *work = data;

	if (stored) {
		apply(work);
		rq->reply = mem_checked(json_object());
		record_set(rq->reply, "lease_ms", json_integer(api_lease_ms()));
		watch_stamp(rq->reg, rq->reply);
	} else {
		service_plan_undo(&work->services);
	}
	work_free(work);
	return 200;
}

int api_post_report(struct request *rq)
{
	struct node *node = api_find_node(rq, rq->arg, NULL);
	struct work *work;
	struct jread rd;
	int status;

	if (!node)
		return 404;
	status = auth_node(rq, node, "node");
	if (status)
		return status;
	work = mem_zero(1, sizeof(*work));
	work->rq = rq;
	work->reg = rq->reg;
	work->node = node;
	service_plan_init(&work->services, rq->reg);
	jread_buf(&rd, rq->body, rq->body_len, JREAD_LENIENT);
	status = report_read(&work->rep, &rd) ? plan(work) :
						problem_json(rq, &rd);
	jread_free(&rd);
	if (status) {
		work_free(work);
		return status;
	}
	if (!changes_store(work))
		return finish(rq, work, true);
	store_all(work);
	rq->bulk = work->services.nr > work->nr_steps ? "services" : "members";
	return change_commit(rq->reg, rq, finish, work);
}
