// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts to rows of the kernel's table. */

#include <stdio.h>
#include <string.h>

#include "next.h"
#include "table_row.h"

/* The version of a fact: its owner, the owner's run, and the sequence. */
#define SET_VERSION(rec, OBJ, owner, run, n) do {			\
	VNM_SET(rec, meta.source, VNIMESH_A_##OBJ##_SOURCE, owner);	\
	VNM_SET(rec, meta.epoch, VNIMESH_A_##OBJ##_EPOCH, run);		\
	VNM_SET(rec, meta.seq, VNIMESH_A_##OBJ##_SEQ, n);		\
} while (0)

/* Who writes, and in which run. */
#define SET_WRITER(rec, OBJ, ifidx, run) do {				\
	VNM_SET(rec, ifindex, VNIMESH_A_##OBJ##_IFINDEX, ifidx);	\
	VNM_SET(rec, meta.origin, VNIMESH_A_##OBJ##_ORIGIN,		\
		VNIMESH_ORIGIN_AGENT);					\
	if (run)							\
		VNM_SET(rec, meta.gen, VNIMESH_A_##OBJ##_GEN, run);	\
} while (0)

#define SET_TEXT(rec, field, attr, text) do {				\
	snprintf((rec)->field, sizeof((rec)->field), "%s", text);	\
	(rec)->present |= VNM_BIT(attr);				\
} while (0)

static void start(struct row_key *key, struct row_parts *parts, uint8_t object,
		  const char *tag, uint32_t id)
{
	memset(key, 0, sizeof(*key));
	memset(parts, 0, sizeof(*parts));
	key->object = object;
	key->id = id;
	snprintf(key->tag, sizeof(key->tag), "%s", tag);
}

void row_of_node(const struct facts *f, const struct node *n,
		 struct row_key *key, struct row_parts *parts)
{
	struct vnm_node *hard = &parts->hard.node;
	struct vnm_node *soft = &parts->soft.node;
	unsigned int i;

	start(key, parts, VNIMESH_OBJECT_NODE, "", n->id);
	SET_TEXT(hard, name, VNIMESH_A_NODE_NAME, n->name);
	SET_TEXT(hard, zone, VNIMESH_A_NODE_ZONE, n->zone);
	for (i = 0; i < n->n_prefixes; i++)
		hard->prefixes.v[i] = n->prefixes[i];
	VNM_SET(hard, prefixes.n, VNIMESH_A_NODE_PREFIXES, n->n_prefixes);
	SET_VERSION(soft, NODE, 0, f->stamp, n->version);
	/* Where this host is, its device says. */
	if (n->id == f->self)
		return;
	VNM_SET(hard, underlay, VNIMESH_A_NODE_ADDR, n->underlay);
	VNM_SET(hard, port, VNIMESH_A_NODE_PORT, n->port);
	/* This host's own verdict, nobody else's. */
	VNM_SET(soft, state, VNIMESH_A_NODE_STATE,
		n->reach.state == REACH_DOWN ? VNIMESH_STATE_DOWN :
					       VNIMESH_STATE_UP);
	if (n->reach.told_us)
		VNM_SET(soft, latency_us, VNIMESH_A_NODE_LATENCY,
			n->reach.told_us < VNIMESH_LATENCY_MAX ?
			n->reach.told_us : VNIMESH_LATENCY_MAX);
}

void row_of_vni(const struct member *m, struct row_key *key,
		struct row_parts *parts)
{
	struct vnm_vni *hard = &parts->hard.vni;

	start(key, parts, VNIMESH_OBJECT_VNI, "", m->vni);
	VNM_SET(hard, node, VNIMESH_A_VNI_NODE_ID, m->node);
	if (m->address4.family)
		VNM_SET(hard, address4, VNIMESH_A_VNI_ADDR4, m->address4);
	if (m->address6.family)
		VNM_SET(hard, address6, VNIMESH_A_VNI_ADDR6, m->address6);
	SET_VERSION(&parts->soft.vni, VNI, m->node, m->epoch, m->seq);
}

static void set_ports(struct vnm_ports *ret, const struct ports *ports)
{
	struct vnm_port *p;
	unsigned int i;

	for (i = 0; i < ports->n; i++) {
		p = &ret->v[i];
		if (ports->v[i].name[0])
			SET_TEXT(p, name, VNIMESH_A_PORT_NAME,
				 ports->v[i].name);
		VNM_SET(p, proto, VNIMESH_A_PORT_PROTO, ports->v[i].proto);
		VNM_SET(p, port, VNIMESH_A_PORT_PORT, ports->v[i].port);
		VNM_SET(p, target, VNIMESH_A_PORT_TARGET, ports->v[i].target);
	}
	ret->n = ports->n;
}

void row_of_service(const struct facts *f, const struct service *s,
		    struct row_key *key, struct row_parts *parts)
{
	struct vnm_service *hard = &parts->hard.service;

	start(key, parts, VNIMESH_OBJECT_SERVICE, s->tag, 0);
	if (s->def.address4.family)
		VNM_SET(hard, address4, VNIMESH_A_SERVICE_ADDR4,
			s->def.address4);
	if (s->def.address6.family)
		VNM_SET(hard, address6, VNIMESH_A_SERVICE_ADDR6,
			s->def.address6);
	VNM_SET(hard, policy, VNIMESH_A_SERVICE_POLICY, s->def.policy);
	VNM_SET(hard, on_down, VNIMESH_A_SERVICE_ON_DOWN, s->def.on_down);
	VNM_SET(hard, drain_time_ms, VNIMESH_A_SERVICE_DRAIN_TIME,
		s->def.drain_time_ms);
	VNM_SET(hard, load, VNIMESH_A_SERVICE_LOAD, s->def.load);
	set_ports(&hard->ports, &s->def.ports);
	hard->present |= VNM_BIT(VNIMESH_A_SERVICE_PORTS);
	SET_VERSION(&parts->soft.service, SERVICE, 0, f->stamp, s->version);
}

/* Only where the member differs from the service. */
static void set_overrides(struct vnm_ports *ret, const struct service *s,
			  const struct member *m)
{
	struct jport v[JPORTS_MAX];
	struct ports differ = { .v = v };
	const struct jport *p, *q;
	unsigned int i, j;

	for (i = 0; i < m->ports.n; i++) {
		p = &m->ports.v[i];
		for (j = 0; j < s->def.ports.n; j++) {
			q = &s->def.ports.v[j];
			if (q->proto == p->proto && q->port == p->port &&
			    q->target != p->target)
				v[differ.n++] = *p;
		}
	}
	set_ports(ret, &differ);
}

void row_of_member(const struct service *s, const struct member *m,
		   struct row_key *key, struct row_parts *parts)
{
	struct vnm_member *hard = &parts->hard.member;
	struct vnm_member *soft = &parts->soft.member;

	start(key, parts, VNIMESH_OBJECT_MEMBER, s->tag, m->vni);
	set_overrides(&hard->ports, s, m);
	hard->present |= VNM_BIT(VNIMESH_A_MEMBER_PORTS);
	VNM_SET(hard, weight, VNIMESH_A_MEMBER_WEIGHT, m->weight);
	VNM_SET(hard, priority, VNIMESH_A_MEMBER_PRIORITY, m->priority);
	VNM_SET(soft, state, VNIMESH_A_MEMBER_STATE, m->state);
	VNM_SET(soft, health, VNIMESH_A_MEMBER_HEALTH, m->health);
	VNM_SET(soft, latency_us, VNIMESH_A_MEMBER_LATENCY, m->latency_us);
	VNM_SET(soft, latency_kind, VNIMESH_A_MEMBER_LATENCY_KIND,
		m->latency_kind);
	VNM_SET(soft, stale, VNIMESH_A_MEMBER_STALE,
		m->stale && !m->peer);
	SET_VERSION(soft, MEMBER, m->node, m->epoch, m->seq);
	next_member(soft);
}

const struct vnm_type *row_type(uint8_t object)
{
	switch (object) {
	case VNIMESH_OBJECT_NODE:
		return &vnm_node_type;
	case VNIMESH_OBJECT_VNI:
		return &vnm_vni_type;
	case VNIMESH_OBJECT_SERVICE:
		return &vnm_service_type;
	}
	return &vnm_member_type;
}

void row_head(const struct row_key *key, uint32_t ifindex, uint64_t gen,
	      union row_record *ret)
{
	memset(ret, 0, sizeof(*ret));
	switch (key->object) {
	case VNIMESH_OBJECT_NODE:
		VNM_SET(&ret->node, node, VNIMESH_A_NODE_ID, key->id);
		SET_WRITER(&ret->node, NODE, ifindex, gen);
		break;
	case VNIMESH_OBJECT_VNI:
		VNM_SET(&ret->vni, vni, VNIMESH_A_VNI_ID, key->id);
		SET_WRITER(&ret->vni, VNI, ifindex, gen);
		break;
	case VNIMESH_OBJECT_SERVICE:
		SET_TEXT(&ret->service, tag, VNIMESH_A_SERVICE_TAG, key->tag);
		SET_WRITER(&ret->service, SERVICE, ifindex, gen);
		break;
	case VNIMESH_OBJECT_MEMBER:
		SET_TEXT(&ret->member, tag, VNIMESH_A_MEMBER_TAG, key->tag);
		VNM_SET(&ret->member, vni, VNIMESH_A_MEMBER_VNI_ID, key->id);
		SET_WRITER(&ret->member, MEMBER, ifindex, gen);
		break;
	}
}

bool row_found(uint8_t object, const struct vnm_genl_msg *msg,
	       union row_record *rec, struct row_key *key)
{
	const char *tag = "";
	uint8_t origin = 0;
	uint32_t id = 0;

	memset(key, 0, sizeof(*key));
	memset(rec, 0, sizeof(*rec));
	if (vnm_record_parse(row_type(object), rec, msg->attrs, msg->attrlen))
		return false;
	switch (object) {
	case VNIMESH_OBJECT_NODE:
		origin = rec->node.meta.origin;
		id = rec->node.node;
		break;
	case VNIMESH_OBJECT_VNI:
		origin = rec->vni.local ? 0 : rec->vni.meta.origin;
		id = rec->vni.vni;
		break;
	case VNIMESH_OBJECT_SERVICE:
		origin = rec->service.meta.origin;
		tag = rec->service.tag;
		break;
	case VNIMESH_OBJECT_MEMBER:
		origin = rec->member.meta.origin;
		tag = rec->member.tag;
		id = rec->member.vni;
		break;
	}
	key->object = object;
	key->id = id;
	snprintf(key->tag, sizeof(key->tag), "%s", tag);
	return origin == VNIMESH_ORIGIN_AGENT;
}

uint32_t row_ifindex(uint8_t object, const union row_record *rec)
{
	switch (object) {
	case VNIMESH_OBJECT_NODE:
		return rec->node.ifindex;
	case VNIMESH_OBJECT_VNI:
		return rec->vni.ifindex;
	case VNIMESH_OBJECT_SERVICE:
		return rec->service.ifindex;
	}
	return rec->member.ifindex;
}

struct nl_msg *row_dump_msg(struct kernel *k, uint8_t object)
{
	uint32_t ifindex = kernel_ifindex(k);
	union row_record key = { 0 };
	uint8_t cmd;

	switch (object) {
	case VNIMESH_OBJECT_NODE:
		cmd = VNIMESH_CMD_NODE_GET;
		VNM_SET(&key.node, ifindex, VNIMESH_A_NODE_IFINDEX, ifindex);
		break;
	case VNIMESH_OBJECT_VNI:
		cmd = VNIMESH_CMD_VNI_GET;
		VNM_SET(&key.vni, ifindex, VNIMESH_A_VNI_IFINDEX, ifindex);
		break;
	case VNIMESH_OBJECT_SERVICE:
		cmd = VNIMESH_CMD_SERVICE_GET;
		VNM_SET(&key.service, ifindex, VNIMESH_A_SERVICE_IFINDEX,
			ifindex);
		break;
	default:
		cmd = VNIMESH_CMD_MEMBER_GET;
		VNM_SET(&key.member, ifindex, VNIMESH_A_MEMBER_IFINDEX,
			ifindex);
		break;
	}
	return kernel_msg(k, cmd, 0, row_type(object), &key);
}
