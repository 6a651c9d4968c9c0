// SPDX-License-Identifier: GPL-2.0-or-later
/* Service_Registry and Service_Discovery. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "change.h"
#include "json.h"
#include "log.h"
#include "mem.h"
#include "problem.h"
#include "service.h"

/* Services at an address, or all. */
struct filter {
	json_t *list;
	const struct ip_addr *addr;	/* no family: all */
	struct grant tags;		/* of such a name; none: all */
};

static int read_pattern(struct request *rq, struct grant *tags)
{
	const char *text = http_arg(rq, "tag");

	if (!text)
		return 0;
	if (strlen(text) > TAG_MAX || !grant_pattern_valid(text))
		return problem(rq, 400, "tag",
			       "tag: must be a tag in which * stands for anything");
	strcpy(tags->tags[tags->nr_tags++], text);
	return 0;
}

static void filter_service(void *data, const struct service *svc)
{
	const struct filter *filter = data;

	if (filter->tags.nr_tags && !grant_allows(&filter->tags, svc->def.tag))
		return;
	if (!filter->addr->family ||
	    ip_equal(&svc->def.address4, filter->addr) ||
	    ip_equal(&svc->def.address6, filter->addr))
		record_append(filter->list, record_service(&svc->def));
}

int api_get_services(struct request *rq)
{
	struct interest in = { .services = true };
	const char *text = http_arg(rq, "address");
	struct registry *reg = rq->reg;
	struct ip_addr addr = { 0 };
	struct filter filter = { 0 };
	struct since since;
	int status;

	if (text && !ip_parse(text, &addr))
		return problem(rq, 400, "address",
			       "address: must be an IPv4 or IPv6 address");
	status = read_pattern(rq, &filter.tags);
	if (!status)
		status = watch_since(rq, &since);
	if (status)
		return status;
	status = watch_wait(api_watches(), rq, &in, &since);
	if (status != 1)
		return status;

	filter.list = mem_checked(json_array());
	filter.addr = &addr;
	registry_each_service(reg, filter_service, &filter);
	rq->reply = mem_checked(json_object());
	watch_stamp(reg, rq->reply);
	record_set(rq->reply, "services", filter.list);
	return 200;
}

/* The service of the path: NULL with a problem. */
static struct service *find_service(struct request *rq)
{
	struct service *svc = registry_service(rq->reg, rq->arg);

	if (!svc)
		problem(rq, 404, NULL, "there is no service \"%.63s\"",
			rq->arg);
	return svc;
}

/* Which members of a service. */
struct which {
	bool passing;
	struct node *near;
	const char *zone;		/* near that */
	struct node *node;		/* only its own */
	unsigned int state;		/* enum vnimesh_state, 0: any */
};

static bool passing(const struct member *m)
{
	return m->def.state == VNIMESH_STATE_UP && m->soft.health > 0 &&
	       m->node->verdict.sight != PEER_SIGHT_DOWN;
}

/* 0: on the node itself, 1: in its zone, 2: elsewhere. */
static unsigned int distance(const struct member *m, const struct node *near,
			     const char *zone)
{
	if (near && m->node == near)
		return 0;
	if (!zone && near)
		zone = near->def.zone;
	if (!zone)
		return 0;
	return strcmp(m->node->def.zone, zone) ? 2 : 1;
}

static bool fits(const struct which *w, const struct member *m)
{
	return (!w->passing || passing(m)) && (!w->node || m->node == w->node) &&
	       (!w->state || m->def.state == w->state);
}

/* Those that fit, the near ones first. */
static json_t *pick(const struct service *svc, const struct which *w)
{
	json_t *all = api_members(svc);
	json_t *list = mem_checked(json_array());
	const struct member *m;
	unsigned int d;
	size_t i;

	for (d = 0; d <= 2; d++) {
		i = 0;
		TAILQ_FOREACH(m, &svc->members, on_svc) {
			json_t *obj = json_array_get(all, i++);

			if (distance(m, w->near, w->zone) == d && fits(w, m))
				record_append(list, json_incref(obj));
		}
	}
	json_decref(all);
	return list;
}

static int read_node(struct request *rq, const char *name, struct node **ret)
{
	const char *text = http_arg(rq, name);

	if (!text)
		return 0;
	*ret = api_find_node(rq, text, name);
	return *ret ? 0 : 404;
}

static int read_which(struct request *rq, struct which *w)
{
	const char *text = http_arg(rq, "state");
	int64_t only_passing = 0;
	int status;

	if (http_arg_int(rq, "passing", 0, 1, &only_passing) < 0)
		return 400;
	w->passing = only_passing;
	w->zone = http_arg(rq, "zone");
	status = read_node(rq, "near", &w->near);
	if (!status)
		status = read_node(rq, "node", &w->node);
	if (status || !text)
		return status;
	while (record_states[w->state] && strcmp(record_states[w->state], text))
		w->state++;
	if (!record_states[w->state++])
		return problem(rq, 400, "state",
			       "state: must be up, drain, maint or down");
	return 0;
}

/* The version of its definition. */
static void set_etag(struct request *rq, const struct service *svc)
{
	snprintf(rq->etag, sizeof(rq->etag), "\"%s.%" PRIu64 "\"",
		 rq->reg->incarnation, svc->rev);
}

/* Whoever read it before, or says that there is none, changes nothing else. */
static int check_match(struct request *rq, const struct service *svc)
{
	const char *match = http_header(rq, "If-Match");
	const char *none = http_header(rq, "If-None-Match");

	if (none && strcmp(none, "*"))
		return problem(rq, 400, "If-None-Match",
			       "If-None-Match: must be *");
	if (none && svc)
		return problem(rq, 412, "If-None-Match",
			       "If-None-Match: there is such a service");
	if (!match)
		return 0;
	if (svc)
		set_etag(rq, svc);
	if (svc && (!strcmp(match, "*") || !strcmp(match, rq->etag)))
		return 0;
	return problem(rq, 412, "If-Match",
		       "If-Match: it was changed meanwhile, or is gone");
}

int api_get_service(struct request *rq)
{
	struct interest in = { .definitions = true, .nr_tags = 1 };
	struct which which = { 0 };
	struct service *svc;
	struct since since;
	int status = read_which(rq, &which);

	if (status)
		return status;
	svc = find_service(rq);
	if (!svc)
		return 404;
	status = watch_since(rq, &since);
	if (status)
		return status;
	in.tags = mem_zero(1, sizeof(*in.tags));
	strcpy(in.tags[0], svc->def.tag);
	status = watch_wait(api_watches(), rq, &in, &since);
	free(in.tags);
	if (status != 1)
		return status;

	set_etag(rq, svc);
	rq->reply = mem_checked(json_object());
	watch_stamp(rq->reg, rq->reply);
	record_set(rq->reply, "service", record_service(&svc->def));
	record_set(rq->reply, "members", pick(svc, &which));
	return 200;
}

static int end_put(struct request *rq, void *data, bool stored)
{
	struct service_plan *plan = data;
	const struct service *svc;

	if (!stored)
		service_plan_undo(plan);
	else
		service_plan_apply(plan);
	free(plan);
	if (!stored)
		return 0;
	svc = registry_service(rq->reg, rq->arg);
	set_etag(rq, svc);
	rq->reply = mem_checked(json_object());
	watch_stamp(rq->reg, rq->reply);
	record_set(rq->reply, "service", record_service(&svc->def));
	return 200;
}

int api_put_service(struct request *rq)
{
	struct registry *reg = rq->reg;
	struct service_def def = { 0 };	/* by none: no agent changes it */
	struct service_plan *plan;
	struct service *svc;
	struct jobj root;
	struct jread rd;
	int status = 0;

	if (!tag_valid(rq->arg))
		return problem(rq, 400, "tag",
			       "tag: 1 to %u of a-z 0-9 -, no - at the ends",
			       TAG_MAX);
	status = auth_tag(rq, rq->arg, "tag");
	if (status)
		return status;
	strcpy(def.tag, rq->arg);
	jread_buf(&rd, rq->body, rq->body_len, JREAD_LENIENT);
	if (jread_root(&rd, &root))
		record_read_service(&root, &def);
	if (!jread_ok(&rd))
		status = problem_json(rq, &rd);
	jread_free(&rd);
	if (status)
		return status;

	status = change_turn(rq);
	if (status)
		return status;
	svc = registry_service(reg, def.tag);
	status = check_match(rq, svc);
	if (status)
		return status;
	plan = mem_zero(1, sizeof(*plan));
	service_plan_init(plan, reg);
	if (svc) {
		service_plan_change(plan, svc, &def);
	} else {
		status = service_plan_create(plan, rq, &def, "");
		if (status) {
			service_plan_undo(plan);
			free(plan);
			return status;
		}
	}
	if (!plan->nr)
		return end_put(rq, plan, true);
	change_begin(reg);
	service_plan_store(plan, rq);
	return change_commit(reg, rq, end_put, plan);
}

static int end_delete(struct request *rq, void *data, bool stored)
{
	struct registry *reg = rq->reg;
	struct service *svc = data;

	if (!stored)
		return 0;
	log_info("service \"%s\": deleted", svc->def.tag);
	pool_rest(&reg->pool, svc->def.tag, &svc->def.address4, loop_now());
	registry_drop_service(reg, svc);
	rq->reply = mem_checked(json_object());
	watch_stamp(reg, rq->reply);
	return 200;
}

int api_delete_service(struct request *rq)
{
	struct service *svc = find_service(rq);
	struct registry *reg = rq->reg;
	char object[TAG_MAX + 16];
	int status;

	if (!svc)
		return 404;
	status = auth_tag(rq, svc->def.tag, "tag");
	if (status)
		return status;
	status = change_turn(rq);
	if (status)
		return status;
	status = check_match(rq, svc);
	if (status)
		return status;
	rq->etag[0] = '\0';
	if (svc->nr_members)
		return problem(rq, 409, NULL, "the service has %u members",
			       svc->nr_members);
	change_begin(reg);
	store_del_service(reg->store, svc->def.tag);
	store_put_resting(reg->store, svc->def.tag, &svc->def.address4);
	snprintf(object, sizeof(object), "service %s", svc->def.tag);
	change_log(reg, rq, object, "deleted", "asked for");
	return change_commit(reg, rq, end_delete, svc);
}

int api_post_check(struct request *rq)
{
	struct service *svc = find_service(rq);
	unsigned int asked;
	int64_t id;
	int status;

	if (!svc)
		return 404;
	status = auth_tag(rq, svc->def.tag, "tag");
	if (status)
		return status;
	id = trigger_service(api_triggers(), rq, svc, &asked);
	rq->reply = mem_checked(json_object());
	record_set(rq->reply, "id", json_integer(id));
	record_set(rq->reply, "members", json_integer(asked));
	return 202;
}
