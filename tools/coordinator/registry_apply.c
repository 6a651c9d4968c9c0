// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes that another coordinator made in a store that is shared. What that
 * one heard from agents does not come here: figures of such members are stale.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loop.h"
#include "mem.h"
#include "registry.h"

void registry_new_epoch(struct registry *reg, struct node *node)
{
	struct member *m;

	node->seq = -1;
	TAILQ_FOREACH(m, &node->members, on_node) {
		m->confirmed = false;
		m->soft.epoch = 0;
		m->soft.seq = 0;
		registry_touch_members(reg, m->svc, true);
	}
}

void registry_ask_again(struct node *node)
{
	node->seq = -1;
}

static bool apply_node(void *data, const struct node_def *def)
{
	struct registry *reg = data;
	struct node *node = registry_node(reg, def->id);

	if (!node) {
		if (registry_node_named(reg, def->name))
			return false;
		node = registry_add_node(reg, def);
		node->stale = true;
	} else {
		if (node->def.epoch != def->epoch)
			registry_new_epoch(reg, node);
		if (memcmp(&node->def.grant, &def->grant, sizeof(def->grant)))
			registry_ask_again(node);
		node->def = *def;
		registry_touch_node(reg, node, true);
	}
	/* Its agent talks to another one, and may for a lease. */
	node->held = true;
	node->heard_us = loop_now();
	node->lease_us = node->heard_us + reg->lease_us_len;
	return true;
}

static bool apply_service(void *data, const struct service_def *def)
{
	struct registry *reg = data;
	struct service *svc = registry_service(reg, def->tag);

	if (!svc)
		return pool_claim(&reg->pool, &def->address4) &&
		       registry_add_service(reg, def);
	svc->def = *def;
	registry_touch_service(reg, svc);
	return true;
}

static bool apply_member(void *data, const struct member_def *def)
{
	struct registry *reg = data;
	struct service *svc = registry_service(reg, def->tag);
	struct node *node = registry_node(reg, def->node);
	struct member *m;

	if (!svc || !node)
		return false;
	m = registry_member(node, def->tag, def->vni);
	if (!m) {
		registry_add_member(reg, svc, node, def);
		return true;
	}
	m->def = *def;
	m->soft.health = def->state == VNIMESH_STATE_DOWN ? 0 :
							    VNIMESH_HEALTH_MAX;
	m->confirmed = false;
	registry_touch_members(reg, svc, true);
	return true;
}

static bool apply_resting(void *data, const char *tag,
			  const struct ip_addr *address4)
{
	struct registry *reg = data;

	pool_claim(&reg->pool, address4);
	pool_rest(&reg->pool, tag, address4, loop_now());
	return true;
}

static bool apply_token(void *data, const struct token_def *def)
{
	struct registry *reg = data;
	struct token *token = registry_token(reg, def->id);

	if (token)
		token->def = *def;
	else
		registry_add_token(reg, def);
	return true;
}

static bool apply_forgotten(void *data, uint32_t id)
{
	if (!registry_forgotten(data, id))
		registry_rest_id(data, id, loop_now());
	return true;
}

static void drop_service(struct registry *reg, const char *tag)
{
	struct service *svc = registry_service(reg, tag);

	if (!svc)
		return;
	while (!TAILQ_EMPTY(&svc->members))
		registry_drop_member(reg, TAILQ_FIRST(&svc->members));
	registry_drop_service(reg, svc);
}

static void drop_member(struct registry *reg, const char *name)
{
	const char *slash = strchr(name, '/');
	uint32_t vni = slash ? strtoul(slash + 1, NULL, 10) : 0;
	char tag[TAG_MAX + 1];
	struct service *svc;
	struct member *m;

	if (!slash || slash - name > TAG_MAX)
		return;
	snprintf(tag, sizeof(tag), "%.*s", (int)(slash - name), name);
	svc = registry_service(reg, tag);
	if (!svc)
		return;
	TAILQ_FOREACH(m, &svc->members, on_svc)
		if (m->def.vni == vni)
			break;
	if (m)
		registry_drop_member(reg, m);
}

static void drop_resting(struct registry *reg, const char *tag)
{
	struct resting *r;

	TAILQ_FOREACH(r, &reg->pool.resting, list)
		if (!strcmp(r->tag, tag))
			break;
	if (r)
		pool_wake(&reg->pool, r);
}

static void drop_forgotten(struct registry *reg, const char *id)
{
	struct forgotten *f = registry_forgotten(reg, strtoul(id, NULL, 10));

	if (!f)
		return;
	TAILQ_REMOVE(&reg->forgotten, f, list);
	free(f);
}

/* An agent that reports to another coordinator is alive, but its figures are
 * not known here. One that came back here before the other one noticed is
 * told anew.
 */
static bool heard(void *data, uint32_t id, enum store_heard where)
{
	struct registry *reg = data;
	struct node *node = registry_node(reg, id);
	bool elsewhere = where == STORE_HEARD_ELSEWHERE;
	bool stale;

	if (!node)
		return true;
	if (where == STORE_HEARD_NOWHERE && node->here)
		store_presence(reg->store, id, true);
	else
		/* Our own word may be told when its lease is long over. */
		node->here = where == STORE_HEARD_HERE && node->held;
	if (node->elsewhere != elsewhere) {
		node->elsewhere = elsewhere;
		/* Who held it may still do, for a lease. */
		node->heard_us = loop_now();
		node->lease_us = node->heard_us + reg->lease_us_len;
		node->held = true;
	}
	stale = !node->here && !node->elsewhere;
	if (node->stale != stale) {
		node->stale = stale;
		registry_touch_all_of(reg, node);
	}
	return true;
}

static bool gone(void *data, const char *kind, const char *name)
{
	struct registry *reg = data;
	struct token *token = registry_token(reg, name);
	struct node *node;

	if (!strcmp(kind, "node/")) {
		node = registry_node(reg, strtoul(name, NULL, 10));
		if (node)
			registry_drop_node(reg, node);
	} else if (!strcmp(kind, "service/")) {
		drop_service(reg, name);
	} else if (!strcmp(kind, "member/")) {
		drop_member(reg, name);
	} else if (!strcmp(kind, "resting/")) {
		drop_resting(reg, name);
	} else if (!strcmp(kind, "token/") && token) {
		registry_drop_token(reg, token);
	} else if (!strcmp(kind, "forgotten/")) {
		drop_forgotten(reg, name);
	}
	return true;
}

bool registry_apply(struct registry *reg, const char *key, const char *value)
{
	static const struct store_visitor visitor = {
		.node = apply_node,
		.service = apply_service,
		.member = apply_member,
		.resting = apply_resting,
		.token = apply_token,
		.forgotten = apply_forgotten,
		.heard = heard,
		.gone = gone,
	};
	uint64_t seq;

	if (!strncmp(key, "audit/", 6)) {
		seq = strtoull(key + 6, NULL, 10);
		if (value && seq > reg->audit_seq)
			reg->audit_seq = seq;
		return true;
	}
	if (!strncmp(key, "trigger/", 8)) {
		if (value)
			checks_passed(reg, value);
		return true;
	}
	return store_change(reg->store, &visitor, reg, key, value);
}
