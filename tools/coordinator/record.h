/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The objects as values: what the store keeps of them (..._def), what only
 * memory has (member_soft), and their JSON forms, which are the same on every
 * channel.
 */
#ifndef COORDINATOR_RECORD_H
#define COORDINATOR_RECORD_H

#include <linux/vnimesh.h>

#include "config.h"
#include "grant.h"
#include "json.h"
#include "limits.h"

struct node_def {
	uint32_t id;
	char name[JNAME_MAX + 1];
	char zone[JNAME_MAX + 1];
	struct ip_addr underlay;
	uint16_t port;
	struct ip_prefix prefix4;
	struct ip_prefix prefix6;
	struct ip_addr address4;
	struct ip_addr address6;
	uint32_t vni;
	uint32_t vni_first;
	uint32_t vni_count;
	int64_t epoch;			/* of the agent that registered last */
	char key[JKEY_MAX + 1];		/* its public key, "": none was told */
	uint16_t peer_port;		/* where it hears other agents, 0: not */
	/* Not told to others. */
	struct grant grant;
	char serial[33];		/* of its certificate, "": has none */
	char serial2[33];		/* of the one before */
	int64_t cert_from;		/* s since 1970: no later one was signed or taken */
	char joined[17];		/* what those of this join have, "": older */
};

struct service_def {
	char tag[TAG_MAX + 1];
	struct ip_addr address4;
	struct ip_addr address6;
	enum vnimesh_policy policy;
	enum vnimesh_on_down on_down;
	uint32_t drain_time_ms;		/* 0: without end */
	uint32_t check_ms;		/* its members are checked so often, 0: not */
	enum vnimesh_load load;
	uint32_t creator;		/* node id; 0: through the API */
	unsigned int nr_ports;
	struct jport ports[JPORTS_MAX];
};

struct member_def {
	char tag[TAG_MAX + 1];
	uint32_t vni;
	uint32_t node;
	struct ip_addr address4;	/* at least one of the two */
	struct ip_addr address6;
	uint32_t weight;
	uint32_t priority;		/* of policy failover, the lowest first */
	enum vnimesh_state state;
	unsigned int nr_ports;
	struct jport ports[JPORTS_MAX];
};

struct member_soft {
	uint32_t health;
	uint32_t latency_us;
	enum vnimesh_latency latency_kind;
	int64_t epoch;			/* 0: none is known, nor a seq */
	int64_t seq;
	uint32_t rival;			/* VNI that is the primary, too; 0: none */
	char output[OUTPUT_MAX + 1];
};

/* Words in the order of the enums, the first one standing for value 1. */
extern const char *const record_states[];
extern const char *const record_policies[];
extern const char *const record_on_downs[];
extern const char *const record_loads[];
extern const char *const record_latencies[];

bool record_same_ports(const struct jport *a, unsigned int nr_a,
		       const struct jport *b, unsigned int nr_b);
bool record_same_member(const struct member_def *a, const struct member_def *b);
bool record_same_soft(const struct member_soft *a, const struct member_soft *b);

bool record_same_service(const struct service_def *a,
			 const struct service_def *b);

/* Read @obj; errors go to its reader. The _def ones read what the store has,
 * as record_..._def() wrote it.
 */
void record_read_mesh(struct jobj *obj, struct mesh *mesh);
void record_read_node_def(struct jobj *obj, struct node_def *def);
void record_read_service_def(struct jobj *obj, struct service_def *def);
void record_read_service(struct jobj *obj, struct service_def *svc);
void record_read_member(struct jobj *obj, struct member_def *def,
			struct member_soft *soft);

/* New JSON objects, never NULL. */
json_t *record_mesh(const struct mesh *mesh);
json_t *record_mesh_def(const struct mesh *mesh);
json_t *record_node_def(const struct node_def *node);
json_t *record_member_def(const struct member_def *def);
json_t *record_resting(const char *tag, const struct ip_addr *address4);
json_t *record_node(const struct node_def *node, bool stale, uint64_t age_ms);
json_t *record_service(const struct service_def *svc);
json_t *record_member(const struct member_def *def,
		      const struct member_soft *soft, bool stale,
		      uint64_t age_ms);

/* Add @value (consumed) as @key; abort without memory. */
void record_set(json_t *obj, const char *key, json_t *value);
void record_append(json_t *list, json_t *value);

#endif
