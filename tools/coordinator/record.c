// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "mem.h"
#include "record.h"

_Static_assert(TAG_MAX == VNIMESH_TAG_MAX && JNAME_MAX == VNIMESH_NAME_MAX &&
	       JPORTS_MAX == VNIMESH_PORTS_MAX,
	       "what is registered fits into the kernel");

const char *const record_states[] = { "up", "drain", "maint", "down", NULL };
const char *const record_policies[] = { "optimal", "maglev", "random",
					 "failover", NULL };
const char *const record_on_downs[] = { "abort", "drain", "keep", NULL };
const char *const record_loads[] = { "connections", "pool", NULL };
const char *const record_latencies[] = { "connect", "response", NULL };

bool record_same_ports(const struct jport *a, unsigned int nr_a,
		       const struct jport *b, unsigned int nr_b)
{
	unsigned int i;

	if (nr_a != nr_b)
		return false;
	for (i = 0; i < nr_a; i++)
		if (a[i].proto != b[i].proto || a[i].port != b[i].port ||
		    a[i].target != b[i].target || strcmp(a[i].name, b[i].name))
			return false;
	return true;
}

bool record_same_member(const struct member_def *a, const struct member_def *b)
{
	return a->weight == b->weight && a->state == b->state &&
	       a->priority == b->priority &&
	       ip_equal(&a->address4, &b->address4) &&
	       ip_equal(&a->address6, &b->address6) &&
	       record_same_ports(a->ports, a->nr_ports, b->ports, b->nr_ports);
}

/* All that somebody may say of it; addresses are handed out. */
bool record_same_service(const struct service_def *a,
			 const struct service_def *b)
{
	return a->policy == b->policy && a->creator == b->creator &&
	       a->on_down == b->on_down && a->load == b->load &&
	       a->drain_time_ms == b->drain_time_ms &&
	       a->check_ms == b->check_ms &&
	       record_same_ports(a->ports, a->nr_ports, b->ports, b->nr_ports);
}

bool record_same_soft(const struct member_soft *a, const struct member_soft *b)
{
	return a->health == b->health && a->latency_us == b->latency_us &&
	       a->latency_kind == b->latency_kind && a->rival == b->rival &&
	       !strcmp(a->output, b->output);
}

void record_read_service(struct jobj *obj, struct service_def *svc)
{
	unsigned int on_down = 0;
	unsigned int policy = 0;
	unsigned int load = 0;

	jget_word(obj, "policy", JOPT, record_policies, &policy);
	svc->policy = policy + 1;
	jget_word(obj, "on_down", JOPT, record_on_downs, &on_down);
	svc->on_down = on_down + 1;
	jget_u32(obj, "drain_time_ms", JOPT, 0, DRAIN_TIME_MAX,
		 &svc->drain_time_ms);
	if (jread_ok(obj->rd) && svc->on_down == VNIMESH_ON_DOWN_DRAIN &&
	    !svc->drain_time_ms)
		jread_fail(obj, "drain_time_ms",
			   "required with on_down drain, above 0");
	if (jget_u32(obj, "check_ms", JOPT, 0, CHECK_MS_MAX, &svc->check_ms) &&
	    svc->check_ms && svc->check_ms < CHECK_MS_MIN)
		jread_fail(obj, "check_ms", "must be 0, or %u to %u",
			   CHECK_MS_MIN, CHECK_MS_MAX);
	jget_word(obj, "load", JOPT, record_loads, &load);
	svc->load = load + 1;
	jget_ports(obj, "ports", JOPT, svc->ports, &svc->nr_ports);
}

/* Cuts a text at a character's start, so that it stays valid UTF-8. */
static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size);

	if (n == size) {
		n--;
		while (n && (from[n] & 0xc0) == 0x80)
			n--;
	}
	memcpy(to, from, n);
	to[n] = '\0';
}

void record_read_member(struct jobj *obj, struct member_def *def,
			struct member_soft *soft)
{
	const char *output = "";
	unsigned int kind = 0;
	unsigned int state = 0;

	def->weight = VNIMESH_WEIGHT_DEFAULT;
	soft->health = VNIMESH_HEALTH_MAX;

	jget_tag(obj, "tag", JREQ, def->tag);
	jget_u32(obj, "vni", JREQ, 1, UINT32_MAX, &def->vni);
	jget_u32(obj, "node", JOPT, 1, UINT32_MAX, &def->node);
	jget_addr(obj, "address4", JOPT, AF_INET, &def->address4);
	jget_addr(obj, "address6", JOPT, AF_INET6, &def->address6);
	if (jread_ok(obj->rd) && !def->address4.family && !def->address6.family)
		jread_fail(obj, "address4", "address4 or address6 is required");
	jget_ports(obj, "ports", JOPT, def->ports, &def->nr_ports);
	jget_u32(obj, "weight", JOPT, 0, VNIMESH_WEIGHT_MAX, &def->weight);
	jget_u32(obj, "priority", JOPT, 0, UINT8_MAX, &def->priority);
	jget_word(obj, "state", JOPT, record_states, &state);
	def->state = state + 1;
	jget_u32(obj, "health", JOPT, 0, VNIMESH_HEALTH_MAX, &soft->health);
	jget_u32(obj, "latency_us", JOPT, 0, VNIMESH_LATENCY_MAX,
		 &soft->latency_us);
	jget_word(obj, "latency_kind", JOPT, record_latencies, &kind);
	soft->latency_kind = kind + 1;
	jget_u32(obj, "rival", JOPT, 0, UINT32_MAX, &soft->rival);
	jget_str(obj, "output", JOPT, SIZE_MAX, &output);
	copy_text(soft->output, sizeof(soft->output), output);
	jget_int(obj, "epoch", JOPT, 0, JINT_MAX, &soft->epoch);
	jget_int(obj, "seq", JOPT, 0, JINT_MAX, &soft->seq);
}

void record_set(json_t *obj, const char *key, json_t *value)
{
	mem_checked(value);
	if (json_object_set_new(obj, key, value))
		mem_checked(NULL);
}

void record_append(json_t *list, json_t *value)
{
	mem_checked(value);
	if (json_array_append_new(list, value))
		mem_checked(NULL);
}

static void set_addr(json_t *obj, const char *key, const struct ip_addr *addr)
{
	char buf[IP_TEXT_MAX];

	if (addr->family)
		record_set(obj, key, json_string(ip_text(addr, buf)));
}

static void set_prefix(json_t *obj, const char *key,
		       const struct ip_prefix *prefix)
{
	char buf[IP_TEXT_MAX];

	record_set(obj, key, json_string(ip_prefix_text(prefix, buf)));
}

json_t *record_mesh(const struct mesh *mesh)
{
	json_t *obj = mem_checked(json_object());

	record_set(obj, "id", json_integer(mesh->id));
	record_set(obj, "uuid", json_string(mesh->uuid));
	record_set(obj, "port", json_integer(mesh->port));
	set_prefix(obj, "prefix4", &mesh->prefix4);
	set_prefix(obj, "prefix6", &mesh->prefix6);
	set_prefix(obj, "service_prefix4", &mesh->service4);
	set_prefix(obj, "service_prefix6", &mesh->service6);
	return obj;
}

static json_t *pack_node(const struct node_def *node)
{
	json_t *obj = mem_checked(json_object());
	char buf4[IP_TEXT_MAX];
	char buf6[IP_TEXT_MAX];

	record_set(obj, "node", json_integer(node->id));
	record_set(obj, "name", json_string(node->name));
	record_set(obj, "zone", json_string(node->zone));
	set_addr(obj, "underlay", &node->underlay);
	record_set(obj, "port", json_integer(node->port));
	record_set(obj, "prefixes",
		   json_pack("[s, s]", ip_prefix_text(&node->prefix4, buf4),
			     ip_prefix_text(&node->prefix6, buf6)));
	record_set(obj, "vni", json_integer(node->vni));
	record_set(obj, "vni_first", json_integer(node->vni_first));
	record_set(obj, "vni_count", json_integer(node->vni_count));
	set_addr(obj, "address4", &node->address4);
	set_addr(obj, "address6", &node->address6);
	record_set(obj, "epoch", json_integer(node->epoch));
	if (node->key[0])
		record_set(obj, "key", json_string(node->key));
	if (node->peer_port)
		record_set(obj, "peer_port", json_integer(node->peer_port));
	return obj;
}

json_t *record_node(const struct node_def *node, bool stale, uint64_t age_ms)
{
	json_t *obj = pack_node(node);

	record_set(obj, "stale", json_boolean(stale));
	record_set(obj, "age_ms", json_integer(age_ms));
	return obj;
}

json_t *record_node_def(const struct node_def *node)
{
	json_t *obj = pack_node(node);
	json_t *grant = mem_checked(json_object());

	grant_pack(grant, &node->grant);
	record_set(obj, "grant", grant);
	if (node->serial[0])
		record_set(obj, "serial", json_string(node->serial));
	if (node->serial2[0])
		record_set(obj, "serial2", json_string(node->serial2));
	if (node->joined[0])
		record_set(obj, "joined", json_string(node->joined));
	if (node->cert_from)
		record_set(obj, "cert_from", json_integer(node->cert_from));
	return obj;
}

json_t *record_service(const struct service_def *svc)
{
	json_t *obj = mem_checked(json_object());

	record_set(obj, "tag", json_string(svc->tag));
	set_addr(obj, "address4", &svc->address4);
	set_addr(obj, "address6", &svc->address6);
	record_set(obj, "policy",
		   json_string(record_policies[svc->policy - 1]));
	record_set(obj, "on_down",
		   json_string(record_on_downs[svc->on_down - 1]));
	record_set(obj, "drain_time_ms", json_integer(svc->drain_time_ms));
	record_set(obj, "load", json_string(record_loads[svc->load - 1]));
	if (svc->check_ms)
		record_set(obj, "check_ms", json_integer(svc->check_ms));
	record_set(obj, "ports", jports_pack(svc->ports, svc->nr_ports));
	return obj;
}

json_t *record_member_def(const struct member_def *def)
{
	json_t *obj = mem_checked(json_object());

	record_set(obj, "tag", json_string(def->tag));
	record_set(obj, "vni", json_integer(def->vni));
	record_set(obj, "node", json_integer(def->node));
	set_addr(obj, "address4", &def->address4);
	set_addr(obj, "address6", &def->address6);
	record_set(obj, "ports", jports_pack(def->ports, def->nr_ports));
	record_set(obj, "weight", json_integer(def->weight));
	record_set(obj, "priority", json_integer(def->priority));
	record_set(obj, "state", json_string(record_states[def->state - 1]));
	return obj;
}

json_t *record_member(const struct member_def *def,
		      const struct member_soft *soft, bool stale,
		      uint64_t age_ms)
{
	unsigned int kind = soft->latency_kind ? soft->latency_kind :
						 VNIMESH_LATENCY_CONNECT;
	json_t *obj = record_member_def(def);

	record_set(obj, "health", json_integer(soft->health));
	record_set(obj, "latency_us", json_integer(soft->latency_us));
	record_set(obj, "latency_kind",
		   json_string(record_latencies[kind - 1]));
	if (soft->rival)
		record_set(obj, "rival", json_integer(soft->rival));
	record_set(obj, "output", json_string(soft->output));
	record_set(obj, "stale", json_boolean(stale));
	if (soft->epoch) {
		record_set(obj, "epoch", json_integer(soft->epoch));
		record_set(obj, "seq", json_integer(soft->seq));
	}
	record_set(obj, "age_ms", json_integer(age_ms));
	return obj;
}
