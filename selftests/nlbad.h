/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of the family and their attributes as the specification has
 * them: what each accepts, needs, and the range of each value.
 */
#ifndef NLBAD_H
#define NLBAD_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/vnimesh.h>

enum kind { NONE, U8, U16, U32, U64, FLAG, TAG, STRING, IP, IP4, IP6, NEST };

struct attr {
	const char *name;
	enum kind kind;
	uint64_t min, max;	/* 0, 0: all values */
};

#define IFINDEX		{ "ifindex", U32, 0, 0 }
#define ID(name)	{ name, U32, 1, 0xffffffff }
#define STATE		{ "state", U8, 1, 4 }
#define HEALTH		{ "health", U8, 0, 100 }
#define LATENCY		{ "latency", U32, 0, VNIMESH_LATENCY_MAX }
#define PORT(name)	{ name, U16, 1, 0xffff }
#define ROW(set)							\
	[VNIMESH_A_##set##_ORIGIN] = { "origin", U8, 2, 3 },		\
	[VNIMESH_A_##set##_SOURCE] = { "source", U32, 0, 0 },		\
	[VNIMESH_A_##set##_EPOCH] = { "epoch", U64, 0, 0 },		\
	[VNIMESH_A_##set##_SEQ] = { "seq", U64, 0, 0 },			\
	[VNIMESH_A_##set##_GEN] = { "gen", U64, 0, 0 }

static const struct attr mesh_attrs[VNIMESH_A_MESH_MAX + 1] = {
	[VNIMESH_A_MESH_IFINDEX] = IFINDEX,
	[VNIMESH_A_MESH_SERVICE_PREFIX4] = { "service-prefix", NEST, 0, 0 },
	[VNIMESH_A_MESH_SERVICE_PREFIX6] = { "service-prefix", NEST, 0, 0 },
	[VNIMESH_A_MESH_HOLD_MAX] = { "hold-max", U32, 0, 65536 },
	[VNIMESH_A_MESH_HOLD_VNI_MAX] = { "hold-vni-max", U32, 0, 65536 },
	[VNIMESH_A_MESH_MISS_TIMEOUT] = { "miss-timeout", U32, 10, 10000 },
	[VNIMESH_A_MESH_TCP_ESTABLISHED] = { "tcp-established", U32, 1, 2592000 },
	[VNIMESH_A_MESH_TCP_HALF_OPEN] = { "tcp-half-open", U32, 1, 3600 },
	[VNIMESH_A_MESH_TCP_CLOSING] = { "tcp-closing", U32, 1, 3600 },
	[VNIMESH_A_MESH_UDP_UNREPLIED] = { "udp-unreplied", U32, 1, 86400 },
	[VNIMESH_A_MESH_UDP_REPLIED] = { "udp-replied", U32, 1, 86400 },
	[VNIMESH_A_MESH_RESTEER_MAX] = { "resteer-max", U32, 0, 8 },
	[VNIMESH_A_MESH_EJECT_MAX] = { "eject-max", U32, 0, 3600 },
};

static const struct attr node_attrs[VNIMESH_A_NODE_MAX + 1] = {
	[VNIMESH_A_NODE_IFINDEX] = IFINDEX,
	[VNIMESH_A_NODE_ID] = ID("id"),
	[VNIMESH_A_NODE_NAME] = { "name", STRING, 0, 0 },
	[VNIMESH_A_NODE_ZONE] = { "zone", STRING, 0, 0 },
	[VNIMESH_A_NODE_ADDR] = { "addr", IP, 0, 0 },
	[VNIMESH_A_NODE_PORT] = PORT("port"),
	[VNIMESH_A_NODE_PREFIXES] = { "prefixes", NEST, 0, 0 },
	[VNIMESH_A_NODE_STATE] = STATE,
	[VNIMESH_A_NODE_LATENCY] = LATENCY,
	ROW(NODE),
};

static const struct attr vni_attrs[VNIMESH_A_VNI_MAX + 1] = {
	[VNIMESH_A_VNI_IFINDEX] = IFINDEX,
	[VNIMESH_A_VNI_ID] = ID("id"),
	[VNIMESH_A_VNI_NODE_ID] = ID("node-id"),
	[VNIMESH_A_VNI_ADDR4] = { "addr4", IP4, 0, 0 },
	[VNIMESH_A_VNI_ADDR6] = { "addr6", IP6, 0, 0 },
	[VNIMESH_A_VNI_STATE] = STATE,
	[VNIMESH_A_VNI_HEALTH] = HEALTH,
	[VNIMESH_A_VNI_LATENCY] = LATENCY,
	ROW(VNI),
};

static const struct attr service_attrs[VNIMESH_A_SERVICE_MAX + 1] = {
	[VNIMESH_A_SERVICE_IFINDEX] = IFINDEX,
	[VNIMESH_A_SERVICE_TAG] = { "tag", TAG, 0, 0 },
	[VNIMESH_A_SERVICE_ADDR4] = { "addr4", IP4, 0, 0 },
	[VNIMESH_A_SERVICE_ADDR6] = { "addr6", IP6, 0, 0 },
	[VNIMESH_A_SERVICE_PORTS] = { "ports", NEST, 0, 0 },
	[VNIMESH_A_SERVICE_POLICY] = { "policy", U8, 1, 4 },
	[VNIMESH_A_SERVICE_LOADING] = { "loading", U8, 0, 1 },
	[VNIMESH_A_SERVICE_LOAD] = { "load", U8, 1, 2 },
	[VNIMESH_A_SERVICE_ON_DOWN] = { "on-down", U8, 1, 3 },
	[VNIMESH_A_SERVICE_DRAIN_TIME] = { "drain-time", U32, 0, 86400000 },
	ROW(SERVICE),
};

static const struct attr member_attrs[VNIMESH_A_MEMBER_MAX + 1] = {
	[VNIMESH_A_MEMBER_IFINDEX] = IFINDEX,
	[VNIMESH_A_MEMBER_TAG] = { "tag", TAG, 0, 0 },
	[VNIMESH_A_MEMBER_VNI_ID] = ID("vni-id"),
	[VNIMESH_A_MEMBER_WEIGHT] = { "weight", U32, 0, VNIMESH_WEIGHT_MAX },
	[VNIMESH_A_MEMBER_STATE] = STATE,
	[VNIMESH_A_MEMBER_HEALTH] = HEALTH,
	[VNIMESH_A_MEMBER_LATENCY] = LATENCY,
	[VNIMESH_A_MEMBER_STALE] = { "stale", U8, 0, 1 },
	[VNIMESH_A_MEMBER_PRIORITY] = { "priority", U8, 0, 0 },
	[VNIMESH_A_MEMBER_LATENCY_KIND] = { "latency-kind", U8, 1, 2 },
	[VNIMESH_A_MEMBER_PORTS] = { "ports", NEST, 0, 0 },
	ROW(MEMBER),
};

static const struct attr flow_attrs[VNIMESH_A_FLOW_MAX + 1] = {
	[VNIMESH_A_FLOW_IFINDEX] = IFINDEX,
	[VNIMESH_A_FLOW_PROTO] = { "proto", U8, 0, 0 },
	[VNIMESH_A_FLOW_SRC] = { "src", IP, 0, 0 },
	[VNIMESH_A_FLOW_SPORT] = PORT("sport"),
	[VNIMESH_A_FLOW_DST] = { "dst", IP, 0, 0 },
	[VNIMESH_A_FLOW_DPORT] = PORT("dport"),
	[VNIMESH_A_FLOW_TAG] = { "tag", TAG, 0, 0 },
	[VNIMESH_A_FLOW_VNI_ID] = ID("vni-id"),
};

static const struct attr route_attrs[VNIMESH_A_ROUTE_MAX + 1] = {
	[VNIMESH_A_ROUTE_IFINDEX] = IFINDEX,
	[VNIMESH_A_ROUTE_TAG] = { "tag", TAG, 0, 0 },
	[VNIMESH_A_ROUTE_DST] = { "dst", IP, 0, 0 },
	[VNIMESH_A_ROUTE_SRC] = { "src", IP, 0, 0 },
	[VNIMESH_A_ROUTE_PROTO] = { "proto", U8, 0, 0 },
	[VNIMESH_A_ROUTE_DPORT] = PORT("dport"),
	[VNIMESH_A_ROUTE_FAMILY] = { "family", U8, 2, 10 },
	[VNIMESH_A_ROUTE_SEED] = { "seed", U64, 0, 0 },
};

static const struct attr miss_attrs[VNIMESH_A_MISS_MAX + 1] = {
	[VNIMESH_A_MISS_IFINDEX] = IFINDEX,
	[VNIMESH_A_MISS_ADDR] = { "addr", IP, 0, 0 },
	[VNIMESH_A_MISS_TAG] = { "tag", TAG, 0, 0 },
	[VNIMESH_A_MISS_VERDICT] = { "verdict", U8, 1, 2 },
	[VNIMESH_A_MISS_TTL] = { "ttl", U32, 0, 60000 },
	[VNIMESH_A_MISS_RELEASE] = { "release", FLAG, 0, 0 },
};

static const struct attr sweep_attrs[VNIMESH_A_SWEEP_MAX + 1] = {
	[VNIMESH_A_SWEEP_IFINDEX] = IFINDEX,
	[VNIMESH_A_SWEEP_ORIGIN] = { "origin", U8, 1, 2 },
	[VNIMESH_A_SWEEP_SOURCE] = { "source", U32, 0, 0 },
	[VNIMESH_A_SWEEP_OBJECT] = { "object", U8, 1, 4 },
	[VNIMESH_A_SWEEP_TAG] = { "tag", TAG, 0, 0 },
	[VNIMESH_A_SWEEP_GEN] = { "gen", U64, 0, 0 },
};

#define BIT(set, attr)	(1u << VNIMESH_A_##set##_##attr)
#define ROW_BITS(set)	(BIT(set, ORIGIN) | BIT(set, SOURCE) |		\
			 BIT(set, EPOCH) | BIT(set, SEQ) | BIT(set, GEN))

static const struct command {
	const char *name;
	const struct attr *attrs;
	uint32_t takes;		/* attributes that it accepts; 0: all named */
	uint32_t needs;
	uint8_t cmd, max;
	bool create;		/* with NLM_F_CREATE */
} commands[] = {
#define CMD(title, id, set, table, ...)				\
	{ .name = title, .attrs = table, .cmd = VNIMESH_CMD_##id,	\
	  .max = VNIMESH_A_##set##_MAX,					\
	  __VA_ARGS__ }
	CMD("mesh-get", MESH_GET, MESH, mesh_attrs, .takes = 2, .needs = 2),
	CMD("mesh-set", MESH_SET, MESH, mesh_attrs, .needs = 2),
	CMD("node-get", NODE_GET, NODE, node_attrs, .takes = 6, .needs = 6),
	CMD("node-set", NODE_SET, NODE, node_attrs, .create = true,
	    .needs = 6 | BIT(NODE, ADDR)),
	CMD("node-del", NODE_DEL, NODE, node_attrs,
	    .takes = 6 | ROW_BITS(NODE), .needs = 6),
	CMD("vni-get", VNI_GET, VNI, vni_attrs, .takes = 6, .needs = 2),
	CMD("vni-set", VNI_SET, VNI, vni_attrs, .needs = 6, .create = true),
	CMD("vni-del", VNI_DEL, VNI, vni_attrs, .takes = 6 | ROW_BITS(VNI),
	    .needs = 6),
	CMD("service-get", SERVICE_GET, SERVICE, service_attrs, .takes = 6,
	    .needs = 6),
	CMD("service-set", SERVICE_SET, SERVICE, service_attrs, .needs = 6,
	    .create = true),
	CMD("service-del", SERVICE_DEL, SERVICE, service_attrs,
	    .takes = 6 | ROW_BITS(SERVICE), .needs = 6),
	CMD("member-get", MEMBER_GET, MEMBER, member_attrs, .takes = 14,
	    .needs = 14),
	CMD("member-set", MEMBER_SET, MEMBER, member_attrs, .needs = 14,
	    .create = true),
	CMD("member-del", MEMBER_DEL, MEMBER, member_attrs,
	    .takes = 14 | ROW_BITS(MEMBER), .needs = 14),
	CMD("flow-del", FLOW_DEL, FLOW, flow_attrs,
	    .takes = 0x7e, .needs = 0x7e),
	CMD("resolve", RESOLVE, ROUTE, route_attrs,
	    .takes = 6 | BIT(ROUTE, FAMILY), .needs = 6),
	CMD("route-get", ROUTE_GET, ROUTE, route_attrs,
	    .takes = 0x1fe & ~BIT(ROUTE, DST), .needs = 6),
	CMD("agent-bind", AGENT_BIND, MISS, miss_attrs,
	    .takes = 2 | BIT(MISS, RELEASE), .needs = 2),
	CMD("miss-answer", MISS_ANSWER, MISS, miss_attrs,
	    .takes = BIT(MISS, ADDR) | BIT(MISS, TTL) | 2 | BIT(MISS, VERDICT),
	    .needs = BIT(MISS, ADDR) | BIT(MISS, VERDICT) | 2),
	CMD("sweep", SWEEP, SWEEP, sweep_attrs,
	    .needs = BIT(SWEEP, ORIGIN) | BIT(SWEEP, GEN) | 2),
};

#endif /* NLBAD_H */
