// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "loop.h"
#include "mem.h"

static void drop(struct node *node, struct check *c)
{
	TAILQ_REMOVE(&node->checks, c, list);
	node->nr_checks--;
	free(c);
}

static struct check *find(struct node *node, const struct member_def *def)
{
	struct check *c;

	TAILQ_FOREACH(c, &node->checks, list)
		if (!c->look && c->vni == def->vni && !strcmp(c->tag, def->tag))
			return c;
	return NULL;
}

static struct check *add(struct registry *reg, struct node *node)
{
	struct check *c;

	if (node->nr_checks >= CHECKS_PER_NODE) {
		drop(node, TAILQ_FIRST(&node->checks));
		reg->checks_dropped++;
	}
	c = mem_zero(1, sizeof(*c));
	c->at_us = loop_now();
	registry_touch_checks(reg, node);
	c->rev = node->checks_rev;
	TAILQ_INSERT_TAIL(&node->checks, c, list);
	node->nr_checks++;
	return c;
}

int64_t checks_ask_member(struct registry *reg, struct member *m)
{
	struct check *c = find(m->node, &m->def);

	/* Asked again: the later request stands for both. */
	if (c)
		drop(m->node, c);
	c = add(reg, m->node);
	c->id = ++reg->check_id;
	c->vni = m->def.vni;
	strcpy(c->tag, m->def.tag);
	reg->checks++;
	return c->id;
}

bool checks_pass_member(struct registry *reg, struct member *m)
{
	uint64_t now_us = loop_now();

	/* It may come to us before it has taken it from there. */
	checks_ask_member(reg, m);
	if (!m->node->elsewhere)
		return true;
	/* Who may ask often may not fill the store: the last one is on its way. */
	if (m->passed_us &&
	    now_us - m->passed_us < EVIDENCE_GAP_MS * LOOP_USEC_PER_MSEC)
		return true;
	m->passed_us = now_us;
	if (!store_trigger(reg->store, m->node->def.id, m->def.tag,
			   m->def.vni)) {
		reg->checks_dropped++;
		return false;
	}
	reg->checks_passed++;
	return true;
}

static void take_passed(struct registry *reg, const json_t *item)
{
	const char *tag = json_string_value(json_array_get(item, 1));
	struct node *node;
	struct member *m;

	node = registry_node(reg, json_integer_value(json_array_get(item, 0)));
	if (!node || !node->here || !tag)
		return;
	m = registry_member(node, tag,
			    json_integer_value(json_array_get(item, 2)));
	if (m)
		checks_ask_member(reg, m);
}

void checks_passed(struct registry *reg, const char *list)
{
	json_t *items = json_loads(list, 0, NULL);
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item)
		take_passed(reg, item);
	json_decref(items);
}

void checks_probe(struct registry *reg, struct node *node,
		  const struct peer_case *kase)
{
	struct check *c = add(reg, node);

	c->id = kase->id;
	c->look = kase->node;
	c->vni = kase->vni;
	reg->probes++;
}

void checks_taken(struct node *node, uint64_t index)
{
	struct check *c;

	while ((c = TAILQ_FIRST(&node->checks)) && c->rev <= index)
		drop(node, c);
}

json_t *checks_list(const struct node *node, uint64_t after, bool looks)
{
	json_t *list = mem_checked(json_array());
	const struct check *c;
	json_t *obj;

	TAILQ_FOREACH(c, &node->checks, list) {
		if (c->rev <= after || !c->look != !looks)
			continue;
		obj = mem_checked(json_object());
		record_set(obj, "id", json_integer(c->id));
		if (looks)
			record_set(obj, "node", json_integer(c->look));
		else
			record_set(obj, "tag", json_string(c->tag));
		record_set(obj, "vni", json_integer(c->vni));
		record_append(list, obj);
	}
	return list;
}

void checks_expire(struct registry *reg, uint64_t now_us)
{
	struct node *node;
	struct check *c;
	uint32_t id;

	for (id = 0; id < reg->nodes_end; id++) {
		node = reg->nodes[id];
		while (node && (c = TAILQ_FIRST(&node->checks)) &&
		       c->at_us + CHECK_KEEP_MS * LOOP_USEC_PER_MSEC <= now_us)
			drop(node, c);
	}
}
