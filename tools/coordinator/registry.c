// SPDX-License-Identifier: GPL-2.0-or-later
#include <search.h>
#include <string.h>

#include "loop.h"
#include "mem.h"
#include "plan.h"
#include "registry.h"
#include "uuid.h"

static int cmp_name(const void *a, const void *b)
{
	return strcmp(((const struct node *)a)->def.name,
		      ((const struct node *)b)->def.name);
}

static int cmp_tag(const void *a, const void *b)
{
	return strcmp(((const struct service *)a)->def.tag,
		      ((const struct service *)b)->def.tag);
}

static int cmp_address6(const void *a, const void *b)
{
	return memcmp(((const struct service *)a)->def.address6.b,
		      ((const struct service *)b)->def.address6.b, 16);
}

static void *find(void *const *root, const void *key,
		  int (*cmp)(const void *, const void *))
{
	void **found = tfind(key, root, cmp);

	return found ? *found : NULL;
}

struct node *registry_node(struct registry *reg, uint32_t id)
{
	return id < reg->nodes_end ? reg->nodes[id] : NULL;
}

struct node *registry_node_named(struct registry *reg, const char *name)
{
	struct node key;

	snprintf(key.def.name, sizeof(key.def.name), "%s", name);
	return find(&reg->by_name, &key, cmp_name);
}

struct service *registry_service(struct registry *reg, const char *tag)
{
	struct service key;

	/* Cut off it might become another tag's name. */
	if (strlen(tag) >= sizeof(key.def.tag))
		return NULL;
	strcpy(key.def.tag, tag);
	return find(&reg->by_tag, &key, cmp_tag);
}

struct service *registry_service_at6(struct registry *reg,
				     const struct ip_addr *address6)
{
	struct service key;

	key.def.address6 = *address6;
	return find(&reg->by_address6, &key, cmp_address6);
}

struct member *registry_member(struct node *node, const char *tag,
			       uint32_t vni)
{
	struct member *m;

	TAILQ_FOREACH(m, &node->members, on_node)
		if (m->def.vni == vni && !strcmp(m->def.tag, tag))
			return m;
	return NULL;
}

static uint64_t next_rev(struct registry *reg, bool urgent)
{
	reg->urgent |= urgent;
	if (reg->on_change)
		reg->on_change(reg->on_change_data);
	return ++reg->rev;
}

void registry_touch_node(struct registry *reg, struct node *node, bool urgent)
{
	node->rev = next_rev(reg, urgent);
	reg->nodes_rev = node->rev;
	TAILQ_REMOVE(&reg->nodes_changed, node, changed);
	TAILQ_INSERT_TAIL(&reg->nodes_changed, node, changed);
}

void registry_touch_service(struct registry *reg, struct service *svc)
{
	svc->rev = next_rev(reg, true);
	reg->services_rev = svc->rev;
	TAILQ_REMOVE(&reg->services_changed, svc, changed);
	TAILQ_INSERT_TAIL(&reg->services_changed, svc, changed);
}

void registry_touch_members(struct registry *reg, struct service *svc,
			    bool urgent)
{
	svc->members_rev = next_rev(reg, urgent);
	TAILQ_REMOVE(&reg->members_changed, svc, members_changed);
	TAILQ_INSERT_TAIL(&reg->members_changed, svc, members_changed);
}

void registry_touch_all_of(struct registry *reg, struct node *node)
{
	struct member *m;

	registry_touch_node(reg, node, true);
	TAILQ_FOREACH(m, &node->members, on_node)
		registry_touch_members(reg, m->svc, true);
}

void registry_touch_checks(struct registry *reg, struct node *node)
{
	node->checks_rev = next_rev(reg, true);
}

static void bury(struct registry *reg, const char *tag, uint32_t node)
{
	struct tombstone *t = mem_zero(1, sizeof(*t));

	strcpy(t->tag, tag);
	t->node = node;
	t->rev = next_rev(reg, true);
	if (node)
		reg->nodes_rev = t->rev;
	else
		reg->services_rev = t->rev;
	TAILQ_INSERT_TAIL(&reg->tombstones, t, list);
	if (++reg->nr_tombstones <= TOMBSTONES_MAX)
		return;

	t = TAILQ_FIRST(&reg->tombstones);
	reg->floor = t->rev;
	TAILQ_REMOVE(&reg->tombstones, t, list);
	reg->nr_tombstones--;
	free(t);
}

static void unbury(struct registry *reg, const char *tag, uint32_t node)
{
	struct tombstone *t;

	TAILQ_FOREACH(t, &reg->tombstones, list) {
		if (strcmp(t->tag, tag) || t->node != node)
			continue;
		TAILQ_REMOVE(&reg->tombstones, t, list);
		reg->nr_tombstones--;
		free(t);
		return;
	}
}

struct node *registry_add_node(struct registry *reg,
			       const struct node_def *def)
{
	struct node *node = mem_zero(1, sizeof(*node));
	uint32_t id = def->id;

	node->def = *def;
	node->seq = -1;
	TAILQ_INIT(&node->members);
	TAILQ_INIT(&node->checks);

	if (id >= reg->nodes_end) {
		reg->nodes = mem_resize(reg->nodes, id + 1,
					sizeof(*reg->nodes));
		memset(reg->nodes + reg->nodes_end, 0,
		       (id + 1 - reg->nodes_end) * sizeof(*reg->nodes));
		reg->nodes_end = id + 1;
	}
	reg->nodes[id] = node;
	reg->nr_nodes++;
	unbury(reg, "", id);
	mem_checked(tsearch(node, &reg->by_name, cmp_name));
	TAILQ_INSERT_TAIL(&reg->nodes_changed, node, changed);
	registry_touch_node(reg, node, true);
	return node;
}

struct service *registry_add_service(struct registry *reg,
				     const struct service_def *def)
{
	struct service *svc = mem_zero(1, sizeof(*svc));

	svc->def = *def;
	TAILQ_INIT(&svc->members);
	mem_checked(tsearch(svc, &reg->by_tag, cmp_tag));
	mem_checked(tsearch(svc, &reg->by_address6, cmp_address6));
	TAILQ_INSERT_TAIL(&reg->services_changed, svc, changed);
	TAILQ_INSERT_TAIL(&reg->members_changed, svc, members_changed);
	reg->nr_services++;
	unbury(reg, def->tag, 0);
	registry_touch_service(reg, svc);
	registry_touch_members(reg, svc, true);
	return svc;
}

static void service_unlink(struct registry *reg, struct service *svc)
{
	tdelete(svc, &reg->by_tag, cmp_tag);
	tdelete(svc, &reg->by_address6, cmp_address6);
	TAILQ_REMOVE(&reg->services_changed, svc, changed);
	TAILQ_REMOVE(&reg->members_changed, svc, members_changed);
	reg->nr_services--;
	free(svc);
}

void registry_drop_service(struct registry *reg, struct service *svc)
{
	bury(reg, svc->def.tag, 0);
	service_unlink(reg, svc);
}

struct member *registry_add_member(struct registry *reg, struct service *svc,
				   struct node *node,
				   const struct member_def *def)
{
	struct member *m = mem_zero(1, sizeof(*m));
	struct member *prev;

	m->def = *def;
	m->soft.health = def->state == VNIMESH_STATE_DOWN ? 0 :
							    VNIMESH_HEALTH_MAX;
	m->node = node;
	m->svc = svc;
	TAILQ_FOREACH_REVERSE(prev, &svc->members, member_list, on_svc)
		if (prev->def.vni < def->vni)
			break;
	if (prev)
		TAILQ_INSERT_AFTER(&svc->members, prev, m, on_svc);
	else
		TAILQ_INSERT_HEAD(&svc->members, m, on_svc);
	TAILQ_INSERT_TAIL(&node->members, m, on_node);
	svc->nr_members++;
	node->nr_members++;
	reg->nr_members++;
	registry_touch_members(reg, svc, true);
	return m;
}

void registry_drop_member(struct registry *reg, struct member *m)
{
	TAILQ_REMOVE(&m->svc->members, m, on_svc);
	TAILQ_REMOVE(&m->node->members, m, on_node);
	m->svc->nr_members--;
	m->node->nr_members--;
	reg->nr_members--;
	registry_touch_members(reg, m->svc, true);
	free(m);
}

static void free_node(struct registry *reg, struct node *node)
{
	struct check *c;

	while (!TAILQ_EMPTY(&node->members))
		registry_drop_member(reg, TAILQ_FIRST(&node->members));
	while ((c = TAILQ_FIRST(&node->checks))) {
		TAILQ_REMOVE(&node->checks, c, list);
		free(c);
	}
	tdelete(node, &reg->by_name, cmp_name);
	TAILQ_REMOVE(&reg->nodes_changed, node, changed);
	reg->nodes[node->def.id] = NULL;
	reg->nr_nodes--;
	free(node);
}

void registry_rest_id(struct registry *reg, uint32_t id, uint64_t now_us)
{
	struct forgotten *f = mem_zero(1, sizeof(*f));

	f->id = id;
	f->until_us = now_us + REST_MS * LOOP_USEC_PER_MSEC;
	TAILQ_INSERT_TAIL(&reg->forgotten, f, list);
}

void registry_drop_node(struct registry *reg, struct node *node)
{
	uint32_t id = node->def.id;

	if (node->here)
		store_presence(reg->store, id, false);
	free_node(reg, node);
	bury(reg, "", id);
	if (!registry_forgotten(reg, id))
		registry_rest_id(reg, id, loop_now());
}

struct forgotten *registry_forgotten(struct registry *reg, uint32_t id)
{
	struct forgotten *f;

	TAILQ_FOREACH(f, &reg->forgotten, list)
		if (f->id == id)
			return f;
	return NULL;
}

struct token *registry_token(struct registry *reg, const char *id)
{
	struct token *token;

	TAILQ_FOREACH(token, &reg->tokens, list)
		if (!strcmp(token->def.id, id))
			return token;
	return NULL;
}

void registry_add_token(struct registry *reg, const struct token_def *def)
{
	struct token *token = mem_zero(1, sizeof(*token));

	token->def = *def;
	TAILQ_INSERT_TAIL(&reg->tokens, token, list);
	reg->nr_tokens++;
}

void registry_drop_token(struct registry *reg, struct token *token)
{
	TAILQ_REMOVE(&reg->tokens, token, list);
	reg->nr_tokens--;
	free(token);
}

bool member_stale(const struct member *m)
{
	return m->node->stale || !m->confirmed;
}

struct each {
	void (*fn)(void *data, const struct service *svc);
	void *data;
};

static void visit(const void *tree, VISIT when, void *data)
{
	const struct service *const *svc = tree;
	const struct each *each = data;

	if (when == postorder || when == leaf)
		each->fn(each->data, *svc);
}

void registry_each_service(const struct registry *reg,
			   void (*fn)(void *data, const struct service *svc),
			   void *data)
{
	struct each each = { fn, data };

	twalk_r(reg->by_tag, visit, &each);
}

static bool load_node(void *data, const struct node_def *def)
{
	struct registry *reg = data;
	struct node *node;

	if (!def->id || def->id > NODES_MAX || registry_node(reg, def->id) ||
	    registry_node_named(reg, def->name))
		return false;
	node = registry_add_node(reg, def);
	node->stale = true;
	node->held = true;
	/* At least that old; and whoever held the id may still do. */
	node->heard_us = reg->start_us;
	node->lease_us = reg->start_us + reg->lease_us_len;
	return true;
}

static bool load_service(void *data, const struct service_def *def)
{
	struct registry *reg = data;

	return tag_valid(def->tag) && pool_claim(&reg->pool, &def->address4) &&
	       registry_add_service(reg, def);
}

static bool load_member(void *data, const struct member_def *def)
{
	struct registry *reg = data;
	struct service *svc = registry_service(reg, def->tag);
	struct node *node = registry_node(reg, def->node);

	return svc && node && registry_add_member(reg, svc, node, def);
}

static bool load_resting(void *data, const char *tag,
			 const struct ip_addr *address4)
{
	struct registry *reg = data;

	if (!tag_valid(tag) || !pool_claim(&reg->pool, address4))
		return false;
	pool_rest(&reg->pool, tag, address4, reg->start_us);
	return true;
}

static bool load_token(void *data, const struct token_def *def)
{
	registry_add_token(data, def);
	return true;
}

static bool load_forgotten(void *data, uint32_t id)
{
	struct registry *reg = data;

	if (registry_node(reg, id))
		return false;
	registry_rest_id(reg, id, reg->start_us);
	return true;
}

/* The name of the first parameter that the store has otherwise, or NULL. */
static const char *changed_field(const struct mesh *a, const struct mesh *b)
{
	const struct {
		const char *name;
		bool same;
	} fields[] = {
		{ "mesh.id", a->id == b->id },
		{ "mesh.port", a->port == b->port },
		{ "mesh.prefix4", !memcmp(&a->prefix4, &b->prefix4,
					  sizeof(a->prefix4)) },
		{ "mesh.prefix6", !memcmp(&a->prefix6, &b->prefix6,
					  sizeof(a->prefix6)) },
		{ "mesh.block4", a->block4 == b->block4 },
		{ "mesh.block6", a->block6 == b->block6 },
		{ "mesh.vni_block", a->vni_block == b->vni_block },
		{ "mesh.service_prefix4", !memcmp(&a->service4, &b->service4,
						  sizeof(a->service4)) },
		{ "mesh.service_prefix6", !memcmp(&a->service6, &b->service6,
						  sizeof(a->service6)) },
	};
	unsigned int i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!fields[i].same)
			return fields[i].name;
	return NULL;
}

static bool load(struct registry *reg, const struct config *cfg, char *err,
		 size_t len)
{
	static const struct store_visitor visitor = {
		.node = load_node,
		.service = load_service,
		.member = load_member,
		.resting = load_resting,
		.token = load_token,
		.forgotten = load_forgotten,
	};
	const char *field;

	if (store_mesh(reg->store, &cfg->mesh, &reg->mesh)) {
		snprintf(err, len, "%s: %s", cfg->store, reg->store->error);
		return false;
	}
	field = changed_field(&cfg->mesh, &reg->mesh);
	if (field) {
		snprintf(err, len,
			 "field \"%s\": differs from the mesh in %s; what was handed out under the old value cannot be changed",
			 field, cfg->store);
		return false;
	}
	if (store_load(reg->store, &visitor, reg) ||
	    store_last_audit(reg->store, &reg->audit_seq)) {
		snprintf(err, len, "%s: %s", cfg->store, reg->store->error);
		return false;
	}
	return true;
}

bool registry_init(struct registry *reg, const struct config *cfg,
		   struct store *store, char *err, size_t len)
{
	memset(reg, 0, sizeof(*reg));
	reg->store = store;
	reg->start_us = loop_now();
	reg->lease_us_len = cfg->lease_ms * LOOP_USEC_PER_MSEC;
	TAILQ_INIT(&reg->nodes_changed);
	TAILQ_INIT(&reg->services_changed);
	TAILQ_INIT(&reg->members_changed);
	TAILQ_INIT(&reg->tombstones);
	TAILQ_INIT(&reg->tokens);
	TAILQ_INIT(&reg->forgotten);
	TAILQ_INIT(&reg->turns);
	TAILQ_INIT(&reg->late);
	id64_make(reg->incarnation);
	pool_init(&reg->pool, &cfg->mesh.service4);
	/* An index of 0 would look like none at all to careless clients. */
	reg->rev = 1;
	if (!load(reg, cfg, err, len)) {
		registry_free(reg);
		return false;
	}
	reg->published = reg->rev;
	reg->urgent = false;
	return true;
}

void registry_free(struct registry *reg)
{
	struct forgotten *f;
	struct tombstone *t;
	struct service *svc;
	struct node *node;

	while ((node = TAILQ_FIRST(&reg->nodes_changed)))
		free_node(reg, node);
	while (!TAILQ_EMPTY(&reg->tokens))
		registry_drop_token(reg, TAILQ_FIRST(&reg->tokens));
	while ((f = TAILQ_FIRST(&reg->forgotten))) {
		TAILQ_REMOVE(&reg->forgotten, f, list);
		free(f);
	}
	while ((svc = TAILQ_FIRST(&reg->services_changed)))
		service_unlink(reg, svc);
	while ((t = TAILQ_FIRST(&reg->tombstones))) {
		TAILQ_REMOVE(&reg->tombstones, t, list);
		free(t);
	}
	free(reg->nodes);
	pool_free(&reg->pool);
}
