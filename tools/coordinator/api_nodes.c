// SPDX-License-Identifier: GPL-2.0-or-later
/* Joining: POST /v1/nodes, and the list of nodes. */
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "api.h"
#include "auth.h"
#include "change.h"
#include "json.h"
#include "lease.h"
#include "log.h"
#include "mem.h"
#include "plan.h"
#include "problem.h"

static bool read_join(struct jread *rd, struct node_def *def)
{
	struct jobj root;
	uint32_t port = def->port;
	uint32_t peer_port = 0;

	if (!jread_root(rd, &root))
		return false;
	jget_name(&root, "name", JREQ, def->name);
	jget_addr(&root, "underlay", JREQ, 0, &def->underlay);
	jget_u32(&root, "port", JOPT, 1, 65535, &port);
	jget_name(&root, "zone", JOPT, def->zone);
	jget_int(&root, "epoch", JREQ, 1, JINT_MAX, &def->epoch);
	jget_key(&root, "key", JOPT, def->key);
	jget_u32(&root, "peer_port", JOPT, 1, 65535, &peer_port);
	def->peer_port = peer_port;
	def->port = port;
	return jread_ok(rd);
}

uint32_t api_free_id(struct registry *reg)
{
	uint32_t last = plan_last(&reg->mesh);
	uint32_t id;

	for (id = 1; id <= last; id++)
		if (!registry_node(reg, id) && !registry_forgotten(reg, id) &&
		    plan_usable(&reg->mesh, id))
			return id;
	return 0;
}

static bool same_underlay(const struct node_def *a, const struct node_def *b)
{
	return ip_equal(&a->underlay, &b->underlay) && a->port == b->port;
}

/* A mesh has one underlay family: a live node of the other one, or NULL. */
static struct node *other_family(struct registry *reg,
				 const struct node_def *def)
{
	struct node *node;

	TAILQ_FOREACH(node, &reg->nodes_changed, changed)
		if (lease_live(node) && strcmp(node->def.name, def->name) &&
		    node->def.underlay.family != def->underlay.family)
			return node;
	return NULL;
}

/* Whether a live node of another name has this underlay address and port. */
static struct node *underlay_holder(struct registry *reg,
				    const struct node_def *def)
{
	struct node *node;

	TAILQ_FOREACH(node, &reg->nodes_changed, changed)
		if (lease_live(node) && strcmp(node->def.name, def->name) &&
		    same_underlay(&node->def, def))
			return node;
	return NULL;
}

/* Whether the one that comes back with @epoch, which another agent replaced,
 * did so too often: a start brings a new epoch, so both of them live. The one
 * that has the node keeps it for as long as the other goes on trying.
 */
static bool swaps_epochs(struct registry *reg, struct node *node, int64_t epoch)
{
	uint64_t now = loop_now();
	unsigned int i;

	if (epoch == node->def.epoch || !lease_live(node))
		return false;
	for (i = 0; i < EPOCHS_KEPT; i++)
		if (node->epochs[i] == epoch)
			break;
	if (i == EPOCHS_KEPT)
		return false;
	if (now - node->swap_us > reg->lease_us_len)
		node->nr_swaps = 0;
	node->swap_us = now;
	if (node->nr_swaps >= EPOCH_SWAPS_MAX)
		return true;
	node->nr_swaps++;
	return false;
}

/* The agent's epoch was replaced; each is kept once. */
static void keep_epoch(struct node *node)
{
	unsigned int i;

	for (i = 0; i < EPOCHS_KEPT; i++)
		if (node->epochs[i] == node->def.epoch)
			return;
	node->epochs[node->next_epoch++ % EPOCHS_KEPT] = node->def.epoch;
}

struct joining {
	struct node_def def;
	struct node *node;		/* NULL: a new one */
};

static int reply_join(struct request *rq, struct node *node)
{
	struct registry *reg = rq->reg;

	lease_renew(reg, node);
	rq->reply = mem_checked(json_object());
	record_set(rq->reply, "mesh", record_mesh(&reg->mesh));
	record_set(rq->reply, "node", api_node(node));
	record_set(rq->reply, "lease_ms", json_integer(api_lease_ms()));
	return 200;
}

static int end_join(struct request *rq, void *data, bool stored)
{
	struct registry *reg = rq->reg;
	struct joining *join = data;
	struct node *node = join->node;

	if (stored && !node) {
		node = registry_add_node(reg, &join->def);
		log_info("node %u \"%s\": joined", node->def.id,
			 node->def.name);
	} else if (stored) {
		if (join->def.epoch != node->def.epoch) {
			keep_epoch(node);
			registry_new_epoch(reg, node);
		}
		node->def = join->def;
		registry_touch_node(reg, node, true);
	}
	free(join);
	return stored ? reply_join(rq, node) : 0;
}

static int commit_join(struct request *rq, const struct node_def *def,
		       struct node *node)
{
	struct joining *join = mem_zero(1, sizeof(*join));

	join->def = *def;
	join->node = node;
	return change_commit(rq->reg, rq, end_join, join);
}

/* Who came back too often as what it is not any more is refused. */
static int check_holder(struct request *rq, struct node *node,
			const struct node_def *def)
{
	if (node->def.epoch != def->epoch &&
	    !same_underlay(&node->def, def) && lease_live(node))
		return problem(rq, 409, "name",
			       "name: node %u \"%s\" is held by another agent, whose lease has not lapsed",
			       node->def.id, node->def.name);
	if (swaps_epochs(rq->reg, node, def->epoch))
		return problem(rq, 409, "name",
			       "name: two agents take node %u from each other in turn",
			       node->def.id);
	return 0;
}

static int join_known(struct request *rq, struct node *node,
		      const struct node_def *def)
{
	int status = check_holder(rq, node, def);
	struct registry *reg = rq->reg;
	struct node_def merged = node->def;
	char object[32];

	if (status)
		return status;
	strcpy(merged.zone, def->zone);
	merged.underlay = def->underlay;
	merged.port = def->port;
	merged.epoch = def->epoch;
	/* An agent from before keys tells none. */
	if (def->key[0]) {
		strcpy(merged.key, def->key);
		merged.peer_port = def->peer_port;
	}
	if (merged.epoch == node->def.epoch &&
	    merged.peer_port == node->def.peer_port &&
	    !strcmp(merged.key, node->def.key) &&
	    same_underlay(&merged, &node->def) &&
	    !strcmp(merged.zone, node->def.zone))
		return reply_join(rq, node);

	change_begin(reg);
	store_put_node(reg->store, &merged);
	snprintf(object, sizeof(object), "node %u", merged.id);
	change_log(reg, rq, object,
		   merged.epoch != node->def.epoch ? "started" : "changed",
		   "it registered");
	return commit_join(rq, &merged, node);
}

static int join_new(struct request *rq, struct node_def *def)
{
	struct registry *reg = rq->reg;
	uint32_t id = api_free_id(reg);
	char object[32];

	if (!id)
		return problem(rq, 507, NULL,
			       "no node id is left: all %u blocks of the mesh's prefixes are handed out, or rest",
			       reg->nr_nodes);
	plan_node(&reg->mesh, id, def);
	change_begin(reg);
	store_put_node(reg->store, def);
	snprintf(object, sizeof(object), "node %u", id);
	change_log(reg, rq, object, "joined", "it registered as \"%s\"",
		   def->name);
	return commit_join(rq, def, NULL);
}

/* No other node that lives contradicts @def. */
static int check_others(struct request *rq, const struct node_def *def)
{
	struct registry *reg = rq->reg;
	struct node *node = underlay_holder(reg, def);

	if (node)
		return problem(rq, 409, "underlay",
			       "underlay: address and port are those of node %u \"%s\", whose lease has not lapsed",
			       node->def.id, node->def.name);
	node = other_family(reg, def);
	if (node)
		return problem(rq, 409, "underlay",
			       "underlay: not of the family of node %u \"%s\", whose lease has not lapsed",
			       node->def.id, node->def.name);
	return 0;
}

int api_post_node(struct request *rq)
{
	struct registry *reg = rq->reg;
	struct node_def def = { .port = reg->mesh.port };
	struct node *self = registry_node(reg, rq->who.node);
	struct node *node;
	struct jread rd;
	int status = 0;

	jread_buf(&rd, rq->body, rq->body_len, JREAD_LENIENT);
	if (!read_join(&rd, &def))
		status = problem_json(rq, &rd);
	jread_free(&rd);
	if (!status)
		status = change_turn(rq);
	if (status)
		return status;
	if (rq->who.role != ROLE_ADMIN &&
	    (!self || strcmp(self->def.name, def.name)))
		return problem(rq, 403, "name",
			       "name: only node \"%s\" itself registers as that",
			       def.name);
	grant_default(&def.grant);
	status = check_others(rq, &def);
	if (status)
		return status;
	node = registry_node_named(reg, def.name);
	return node ? join_known(rq, node, &def) : join_new(rq, &def);
}

int api_get_nodes(struct request *rq)
{
	rq->reply = mem_checked(json_object());
	watch_stamp(rq->reg, rq->reply);
	record_set(rq->reply, "nodes", api_nodes(rq->reg, 0));
	return 200;
}
