// SPDX-License-Identifier: GPL-2.0-or-later
/* The coordinator's JSON objects to facts and back. */

#include <string.h>

#include "log.h"
#include "wire.h"

/* In the order of the enums, which begin with 1. */
const char *const wire_states[] = { "up", "drain", "maint", "down", NULL };
const char *const wire_policies[] = { "optimal", "maglev", "random",
					 "failover", NULL };
const char *const wire_on_downs[] = { "abort", "drain", "keep", NULL };
const char *const wire_loads[] = { "connections", "pool", NULL };
const char *const wire_latencies[] = { "connect", "response", NULL };

/* Each object has a reader of its own, so that its error is its own. */
static bool begin(struct jread *rd, struct jobj *obj, json_t *json)
{
	memset(rd, 0, sizeof(*rd));
	rd->mode = JREAD_LENIENT;
	rd->root = json;
	return jread_root(rd, obj);
}

static bool end(struct jread *rd, const char *what)
{
	char text[640];

	if (jread_ok(rd))
		return true;
	log_warn("coordinator: %s skipped: %s", what,
		 jread_error(rd, text, sizeof(text)));
	return false;
}

static void get_address(struct jobj *obj, const char *key, int family,
			struct ip_addr *ret)
{
	json_t *v = json_object_get(obj->json, key);

	if (json_is_null(v) || (v && !json_string_length(v) &&
				json_is_string(v)))
		return;
	jget_addr(obj, key, JOPT, family, ret);
}

static void get_ports(struct jobj *obj, struct ports *ret)
{
	struct jport v[JPORTS_MAX];
	unsigned int n = 0;

	memset(ret, 0, sizeof(*ret));
	if (!jget_ports(obj, "ports", JOPT, v, &n) || !n)
		return;
	if (!ports_copy(ret, v, n))
		jread_fail(obj, "ports", "no memory");
}

static void get_text(struct jobj *obj, const char *key, enum jneed need,
		     size_t max, char *ret)
{
	const char *text;

	if (jget_str(obj, key, need, max, &text))
		strcpy(ret, text);
}

bool wire_mesh(json_t *json, struct mesh_params *ret)
{
	uint32_t port = VNIMESH_PORT_DEFAULT;
	struct jread rd;
	struct jobj o;

	memset(ret, 0, sizeof(*ret));
	if (begin(&rd, &o, json)) {
		jget_u32(&o, "id", JREQ, 1, VNIMESH_ID_MAX, &ret->id);
		get_text(&o, "uuid", JOPT, UUID_MAX, ret->uuid);
		jget_u32(&o, "port", JOPT, 1, 65535, &port);
		jget_prefix(&o, "prefix4", JOPT, AF_INET, &ret->prefix4);
		jget_prefix(&o, "prefix6", JOPT, AF_INET6, &ret->prefix6);
		jget_prefix(&o, "service_prefix4", JOPT, AF_INET,
			    &ret->service_prefix4);
		jget_prefix(&o, "service_prefix6", JOPT, AF_INET6,
			    &ret->service_prefix6);
		ret->port = port;
	}
	return end(&rd, "mesh");
}

static void get_prefixes(struct jobj *o, struct node *ret)
{
	struct ip_prefix p;
	struct jarr arr;
	const char *text;
	unsigned int i;

	if (!jget_arr(o, "prefixes", JREQ, VNIMESH_PREFIXES_MAX, &arr))
		return;
	for (i = 0; i < arr.n; i++) {
		if (!jarr_str(&arr, i, IP_TEXT_MAX, &text))
			return;
		if (!ip_prefix_parse(text, &p)) {
			jarr_fail(&arr, i, "must be a prefix");
			return;
		}
		ret->prefixes[ret->n_prefixes++] = p;
	}
}

/* A word that this version does not have says nothing. */
enum peer_sight wire_sight(json_t *json)
{
	const char *text = wire_str(json, "sight", "");

	if (!strcmp(text, "up"))
		return PEER_SIGHT_UP;
	return strcmp(text, "down") ? PEER_SIGHT_NONE : PEER_SIGHT_DOWN;
}

bool wire_node(json_t *json, struct node *ret)
{
	uint32_t port = VNIMESH_PORT_DEFAULT;
	uint32_t peer_port = 0;
	json_t *verdict;
	struct jread rd;
	struct jobj o;

	memset(ret, 0, sizeof(*ret));
	if (begin(&rd, &o, json)) {
		jget_u32(&o, "node", JREQ, 1, UINT32_MAX, &ret->id);
		get_text(&o, "name", JREQ, JNAME_MAX, ret->name);
		get_text(&o, "zone", JOPT, JNAME_MAX, ret->zone);
		jget_addr(&o, "underlay", JREQ, 0, &ret->underlay);
		jget_u32(&o, "port", JOPT, 1, 65535, &port);
		get_prefixes(&o, ret);
		jget_u32(&o, "vni", JREQ, 1, UINT32_MAX, &ret->vni);
		jget_u32(&o, "vni_first", JOPT, 1, UINT32_MAX,
			 &ret->vni_first);
		jget_u32(&o, "vni_count", JOPT, 0, UINT32_MAX,
			 &ret->vni_count);
		get_address(&o, "address4", AF_INET, &ret->address4);
		get_address(&o, "address6", AF_INET6, &ret->address6);
		jget_bool(&o, "stale", JOPT, &ret->stale);
		jget_key(&o, "key", JOPT, ret->key);
		jget_u32(&o, "peer_port", JOPT, 1, 65535, &peer_port);
		ret->port = port;
		ret->peer_port = peer_port;
		verdict = json_object_get(json, "verdict");
		ret->verdict_id = wire_u64(verdict, "id", 0);
		ret->verdict = wire_sight(verdict);
	}
	return end(&rd, "node");
}

/* The index of @text in @words, 0 if it is none of them. */
static unsigned int find_word(const char *const *words, const char *text)
{
	unsigned int i;

	for (i = 0; words[i]; i++)
		if (!strcmp(words[i], text))
			return i;
	return 0;
}

/* A word that this version does not have stands for the first one. */
static uint8_t get_word(struct jobj *obj, const char *key,
			const char *const *words)
{
	const char *text;

	if (!jget_str(obj, key, JOPT, SIZE_MAX, &text))
		return 1;
	return find_word(words, text) + 1;
}

bool wire_service(json_t *json, char tag[TAG_MAX + 1], struct definition *ret)
{
	struct jread rd;
	struct jobj o;

	memset(ret, 0, sizeof(*ret));
	if (begin(&rd, &o, json)) {
		jget_tag(&o, "tag", JREQ, tag);
		get_address(&o, "address4", AF_INET, &ret->address4);
		get_address(&o, "address6", AF_INET6, &ret->address6);
		ret->policy = get_word(&o, "policy", wire_policies);
		ret->on_down = get_word(&o, "on_down", wire_on_downs);
		ret->load = get_word(&o, "load", wire_loads);
		jget_u32(&o, "drain_time_ms", JOPT, 0, UINT32_MAX,
			 &ret->drain_time_ms);
		/* As the kernel wants it. */
		if (ret->drain_time_ms > DRAIN_TIME_MAX)
			ret->drain_time_ms = DRAIN_TIME_MAX;
		if (!ret->drain_time_ms &&
		    ret->on_down == VNIMESH_ON_DOWN_DRAIN)
			ret->on_down = VNIMESH_ON_DOWN_ABORT;
		get_ports(&o, &ret->ports);
	}
	if (end(&rd, "service"))
		return true;
	ports_free(&ret->ports);
	return false;
}

static bool member_read(json_t *json, struct member *ret)
{
	uint32_t health = 0, priority = 0;
	unsigned int state = 0;
	int64_t epoch = 0, seq = 0;
	struct jread rd;
	struct jobj o;

	ret->weight = VNIMESH_WEIGHT_DEFAULT;
	if (begin(&rd, &o, json)) {
		jget_u32(&o, "vni", JREQ, 1, UINT32_MAX, &ret->vni);
		jget_u32(&o, "node", JREQ, 1, UINT32_MAX, &ret->node);
		get_address(&o, "address4", AF_INET, &ret->address4);
		get_address(&o, "address6", AF_INET6, &ret->address6);
		jget_u32(&o, "weight", JOPT, 0, VNIMESH_WEIGHT_MAX,
			 &ret->weight);
		jget_u32(&o, "priority", JOPT, 0, UINT8_MAX, &priority);
		jget_word(&o, "state", JREQ, wire_states, &state);
		jget_u32(&o, "health", JREQ, 0, VNIMESH_HEALTH_MAX, &health);
		jget_u32(&o, "latency_us", JOPT, 0, UINT32_MAX,
			 &ret->latency_us);
		ret->latency_kind = get_word(&o, "latency_kind",
					     wire_latencies);
		jget_bool(&o, "stale", JOPT, &ret->stale);
		/* Below 0: none is known. */
		jget_int(&o, "epoch", JOPT, -1, JINT_MAX, &epoch);
		jget_int(&o, "seq", JOPT, -1, JINT_MAX, &seq);
		/* Last: what it owns is freed with the member. */
		get_ports(&o, &ret->ports);
		ret->state = state + VNIMESH_STATE_UP;
		ret->health = health;
		ret->priority = priority;
		ret->epoch = epoch < 0 || seq < 0 ? 0 : epoch;
		ret->seq = seq < 0 ? 0 : seq;
		if (ret->latency_us > VNIMESH_LATENCY_MAX)
			ret->latency_us = VNIMESH_LATENCY_MAX;
		if (jread_ok(&rd) && !ret->address4.family &&
		    !ret->address6.family)
			jread_fail(&o, "address4", "no address at all");
	}
	return end(&rd, "member");
}

/* The key is all that counts of a member that was not understood. */
static void unread(json_t *item, struct member *m)
{
	uint64_t vni = wire_u64(item, "vni", 0);

	ports_free(&m->ports);
	memset(m, 0, sizeof(*m));
	m->vni = vni <= UINT32_MAX ? vni : 0;
	m->unread = true;
}

bool wire_members(json_t *list, const char *tag, struct sorted *ret)
{
	struct member *m;
	json_t *item;
	size_t i;

	*ret = member_list();
	if (!json_is_array(list)) {
		log_warn("coordinator: members of %s are not a list", tag);
		return false;
	}
	json_array_foreach(list, i, item) {
		m = member_new();
		if (!m)
			break;
		if (!member_read(item, m))
			unread(item, m);
		if (sorted_find(ret, &m->vni)) {
			member_free(m);
		} else if (!sorted_add(ret, m)) {
			member_free(m);
			break;
		}
	}
	if (i == json_array_size(list))
		return true;
	sorted_clear(ret, member_free);
	return false;
}

uint64_t wire_u64(json_t *json, const char *key, uint64_t none)
{
	json_t *v = json_object_get(json, key);

	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return none;
	return json_integer_value(v);
}

const char *wire_str(json_t *json, const char *key, const char *none)
{
	json_t *v = json_object_get(json, key);

	return json_is_string(v) ? json_string_value(v) : none;
}

bool wire_version(json_t *json, char incarnation[INCARNATION_MAX + 1],
		  uint64_t *index)
{
	const char *text = wire_str(json, "incarnation", "");

	*index = wire_u64(json, "index", UINT64_MAX);
	if (!*text || strlen(text) > INCARNATION_MAX || *index == UINT64_MAX) {
		log_warn("coordinator: answer without incarnation and index");
		return false;
	}
	strcpy(incarnation, text);
	return true;
}

static void put_address(json_t *o, const char *key, const struct ip_addr *a)
{
	char text[IP_TEXT_MAX];

	if (a->family)
		json_object_set_new(o, key, json_string(ip_text(a, text)));
}

static void put_prefix(json_t *o, const char *key, const struct ip_prefix *p)
{
	char text[IP_TEXT_MAX];

	if (p->addr.family)
		json_object_set_new(o, key,
				    json_string(ip_prefix_text(p, text)));
}

json_t *wire_pack_mesh(const struct mesh_params *mesh)
{
	json_t *o = json_pack("{s:I, s:s, s:i}", "id", (json_int_t)mesh->id,
			      "uuid", mesh->uuid, "port", mesh->port);

	put_prefix(o, "prefix4", &mesh->prefix4);
	put_prefix(o, "prefix6", &mesh->prefix6);
	put_prefix(o, "service_prefix4", &mesh->service_prefix4);
	put_prefix(o, "service_prefix6", &mesh->service_prefix6);
	return o;
}

json_t *wire_pack_node(const struct node *node)
{
	json_t *list = json_array();
	char text[IP_TEXT_MAX];
	unsigned int i;
	json_t *o;

	for (i = 0; i < node->n_prefixes; i++)
		json_array_append_new(list,
				      json_string(ip_prefix_text(&node->prefixes[i],
								 text)));
	o = json_pack("{s:I, s:s, s:s, s:i, s:o, s:I, s:I, s:I}",
		      "node", (json_int_t)node->id, "name", node->name,
		      "zone", node->zone, "port", node->port,
		      "prefixes", list, "vni", (json_int_t)node->vni,
		      "vni_first", (json_int_t)node->vni_first,
		      "vni_count", (json_int_t)node->vni_count);
	if (node->key[0] && node->peer_port) {
		json_object_set_new(o, "key", json_string(node->key));
		json_object_set_new(o, "peer_port",
				    json_integer(node->peer_port));
	}
	put_address(o, "underlay", &node->underlay);
	put_address(o, "address4", &node->address4);
	put_address(o, "address6", &node->address6);
	return o;
}

/* The word of @value; of none the first. */
static const char *word_of(const char *const *words, unsigned int value)
{
	return words[value ? value - 1 : 0];
}

json_t *wire_pack_service(const char *tag, const struct definition *def)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o}", "tag", tag,
			      "policy", word_of(wire_policies, def->policy),
			      "on_down", word_of(wire_on_downs, def->on_down),
			      "load", word_of(wire_loads, def->load),
			      "drain_time_ms", (json_int_t)def->drain_time_ms,
			      "ports", jports_pack(def->ports.v,
						   def->ports.n));

	put_address(o, "address4", &def->address4);
	put_address(o, "address6", &def->address6);
	return o;
}

json_t *wire_pack_member(const char *tag, const struct member *m)
{
	json_t *o = json_pack("{s:s, s:I, s:I, s:o, s:I, s:i, s:s, s:i,"
			      " s:I, s:s, s:s, s:b, s:I, s:I}",
			      "tag", tag, "vni", (json_int_t)m->vni,
			      "node", (json_int_t)m->node,
			      "ports", jports_pack(m->ports.v, m->ports.n),
			      "weight", (json_int_t)m->weight,
			      "priority", m->priority,
			      "state", wire_states[m->state - VNIMESH_STATE_UP],
			      "health", m->health,
			      "latency_us", (json_int_t)m->latency_us,
			      "latency_kind",
			      word_of(wire_latencies, m->latency_kind),
			      "output", m->output, "stale", m->stale,
			      "epoch", (json_int_t)m->epoch,
			      "seq", (json_int_t)m->seq);

	put_address(o, "address4", &m->address4);
	put_address(o, "address6", &m->address6);
	if (m->rival)
		json_object_set_new(o, "rival", json_integer(m->rival));
	return o;
}
