// SPDX-License-Identifier: GPL-2.0-or-later
/* The routes, and what several answers share. */
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "auth.h"
#include "defaults.h"
#include "mem.h"
#include "note.h"
#include "problem.h"

static struct watches *watches;
static const struct leases *leases;
static struct judge *judge;
static struct triggers *triggers;
static uint32_t lease_ms;

/* Who speaks for no such node need not send what it has to say. */
static int head_of_node(struct request *rq)
{
	const struct node *node = api_find_node(rq, rq->arg, NULL);

	return node ? auth_node(rq, node, "node") : 404;
}

const struct route api_routes[] = {
	{ "/v1/ca", HTTP_GET, 0, api_get_ca, ROLE_NONE, true, NULL },
	{ "/v1/join", HTTP_POST, BODY_MAX, api_post_join, ROLE_NONE,
	  false, NULL },
	{ "/v1/nodes", HTTP_POST, BODY_MAX, api_post_node, ROLE_REGISTER,
	  false, NULL },
	{ "/v1/nodes", HTTP_GET, 0, api_get_nodes, ROLE_READ, false, NULL },
	{ "/v1/nodes/*", HTTP_DELETE, 0, api_delete_node, ROLE_ADMIN,
	  false, NULL },
	{ "/v1/nodes/*/report", HTTP_POST, REPORT_MAX, api_post_report,
	  ROLE_REGISTER, false, head_of_node },
	{ "/v1/nodes/*/observations", HTTP_POST, BODY_MAX,
	  api_post_observations, ROLE_REGISTER, false, head_of_node },
	{ "/v1/nodes/*/certificate", HTTP_POST, BODY_MAX,
	  api_post_certificate, ROLE_REGISTER, false, NULL },
	{ "/v1/nodes/*/grant", HTTP_GET, 0, api_get_grant, ROLE_REGISTER,
	  false, NULL },
	{ "/v1/nodes/*/grant", HTTP_PUT, BODY_MAX, api_put_grant, ROLE_ADMIN,
	  false, NULL },
	{ "/v1/watch", HTTP_GET, 0, api_get_watch, ROLE_READ, false, NULL },
	{ "/v1/events", HTTP_GET, 0, api_get_events, ROLE_READ, false, NULL },
	{ "/v1/services", HTTP_GET, 0, api_get_services, ROLE_READ,
	  false, NULL },
	{ "/v1/services/*", HTTP_GET, 0, api_get_service, ROLE_READ,
	  false, NULL },
	{ "/v1/services/*", HTTP_PUT, BODY_MAX, api_put_service, ROLE_REGISTER,
	  false, NULL },
	{ "/v1/services/*", HTTP_DELETE, 0, api_delete_service, ROLE_REGISTER,
	  false, NULL },
	{ "/v1/services/*/check", HTTP_POST, 0, api_post_check, ROLE_REGISTER,
	  false, NULL },
	{ "/v1/tokens", HTTP_GET, 0, api_get_tokens, ROLE_ADMIN, false, NULL },
	{ "/v1/tokens", HTTP_POST, BODY_MAX, api_post_token, ROLE_ADMIN,
	  false, NULL },
	{ "/v1/tokens/*", HTTP_DELETE, 0, api_delete_token, ROLE_ADMIN,
	  false, NULL },
	{ "/v1/audit", HTTP_GET, 0, api_get_audit, ROLE_ADMIN, false, NULL },
	{ "/v1/mesh", HTTP_GET, 0, api_get_mesh, ROLE_READ, false, NULL },
	{ "/v1/status", HTTP_GET, 0, api_get_status, ROLE_READ, false, NULL },
	{ 0 },
};

void api_print_routes(FILE *to)
{
	const struct route *r;

	for (r = api_routes; r->path; r++)
		fprintf(to, "%s %s %s %zu\n",
			r->method == HTTP_GET ? "GET" :
			r->method == HTTP_POST ? "POST" :
			r->method == HTTP_PUT ? "PUT" : "DELETE", r->path,
			r->open ? "open" : grant_roles[r->role], r->body_max);
}

void api_init(struct watches *w, const struct leases *l, struct judge *j,
	      struct triggers *t, uint32_t lease)
{
	watches = w;
	leases = l;
	judge = j;
	triggers = t;
	lease_ms = lease;
}

struct watches *api_watches(void)
{
	return watches;
}

struct judge *api_judge(void)
{
	return judge;
}

struct triggers *api_triggers(void)
{
	return triggers;
}

uint32_t api_lease_ms(void)
{
	return lease_ms;
}

struct node *api_find_node(struct request *rq, const char *text,
			   const char *field)
{
	struct node *node = NULL;

	if (*text && strlen(text) < 10 && !text[strspn(text, "0123456789")])
		node = registry_node(rq->reg, strtoul(text, NULL, 10));
	else if (strlen(text) <= JNAME_MAX)
		node = registry_node_named(rq->reg, text);
	if (!node)
		problem(rq, 404, field, "there is no node \"%.63s\"", text);
	return node;
}

static uint64_t age_ms(const struct node *node)
{
	return (loop_now() - node->heard_us) / LOOP_USEC_PER_MSEC;
}

json_t *api_node(const struct node *node)
{
	json_t *obj = record_node(&node->def, node->stale, age_ms(node));
	json_t *verdict;

	if (!node->verdict.id)
		return obj;
	verdict = mem_checked(json_object());
	record_set(verdict, "id", json_integer(node->verdict.id));
	record_set(verdict, "sight",
		   json_string(judge_sights[node->verdict.sight]));
	record_set(verdict, "down", json_integer(node->verdict.down));
	record_set(verdict, "asked", json_integer(node->verdict.asked));
	record_set(verdict, "age_ms",
		   json_integer((loop_now() - node->verdict.at_us) /
				LOOP_USEC_PER_MSEC));
	record_set(obj, "verdict", verdict);
	return obj;
}

json_t *api_nodes(struct registry *reg, uint64_t after)
{
	json_t *list = mem_checked(json_array());
	const struct node *node;
	uint32_t id;

	if (!after) {
		for (id = 0; id < reg->nodes_end; id++)
			if (reg->nodes[id])
				record_append(list, api_node(reg->nodes[id]));
		return list;
	}
	TAILQ_FOREACH_REVERSE(node, &reg->nodes_changed, node_list, changed) {
		if (node->rev <= after)
			break;
		record_append(list, api_node(node));
	}
	return list;
}

static void append_service(void *data, const struct service *svc)
{
	record_append(data, record_service(&svc->def));
}

json_t *api_services(struct registry *reg, uint64_t after)
{
	json_t *list = mem_checked(json_array());
	const struct service *svc;

	if (!after) {
		registry_each_service(reg, append_service, list);
		return list;
	}
	TAILQ_FOREACH_REVERSE(svc, &reg->services_changed, service_list,
			      changed) {
		if (svc->rev <= after)
			break;
		record_append(list, record_service(&svc->def));
	}
	return list;
}

json_t *api_members(const struct service *svc)
{
	json_t *list = mem_checked(json_array());
	const struct member *m;

	TAILQ_FOREACH(m, &svc->members, on_svc)
		record_append(list, record_member(&m->def, &m->soft,
						  member_stale(m),
						  age_ms(m->node)));
	return list;
}

static void set_members(void *data, const struct service *svc)
{
	record_set(data, svc->def.tag, api_members(svc));
}

int api_get_mesh(struct request *rq)
{
	struct registry *reg = rq->reg;
	json_t *members = mem_checked(json_object());

	rq->reply = mem_checked(json_object());
	watch_stamp(reg, rq->reply);
	record_set(rq->reply, "mesh", record_mesh(&reg->mesh));
	record_set(rq->reply, "nodes", api_nodes(reg, 0));
	record_set(rq->reply, "services", api_services(reg, 0));
	registry_each_service(reg, set_members, members);
	record_set(rq->reply, "members", members);
	return 200;
}

int api_get_status(struct request *rq)
{
	struct registry *reg = rq->reg;
	json_t *obj = mem_checked(json_object());

	rq->reply = obj;
	record_set(obj, "version", json_string(VNIMESH_VERSION));
	watch_stamp(reg, obj);
	record_set(obj, "uptime_ms",
		   json_integer((loop_now() - reg->start_us) /
				LOOP_USEC_PER_MSEC));
	record_set(obj, "nodes", json_integer(reg->nr_nodes));
	record_set(obj, "services", json_integer(reg->nr_services));
	record_set(obj, "members", json_integer(reg->nr_members));
	record_set(obj, "watchers", json_integer(watches_count(watches)));
	record_set(obj, "watchers_refused",
		   json_integer(watches_refused(watches)));
	record_set(obj, "store_away", json_boolean(reg->store->away));
	record_set(obj, "store_writes", json_integer(reg->store->nr_writes));
	record_set(obj, "store_conflicts",
		   json_integer(reg->store->nr_conflicts));
	record_set(obj, "audit_lost", json_integer(notes_lost(reg)));
	leases_counters(leases, obj);
	judge_counters(judge, obj);
	triggers_counters(triggers, obj);
	api_events_counters(obj);
	http_counters(rq->http, obj);
	return 200;
}
