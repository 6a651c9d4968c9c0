// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "record_fields.h"

#define COUNT(a)	(sizeof(a) / sizeof((a)[0]))
#define OFF(t, f)	.off = offsetof(struct vnm_##t, f)
#define STR(t, f)	OFF(t, f), .size = sizeof(((struct vnm_##t *)0)->f)
#define RANGE(lo, hi)	.min = lo, .max = hi
#define ANY		RANGE(0, UINT32_MAX)
#define ID		RANGE(1, UINT32_MAX)
#define BOTH(s)		.json = s, .word = s
#define TYPE(t, name_)	{ name_, t##_fields, COUNT(t##_fields) - 1, \
			  sizeof(struct vnm_##t) }

/* The common fields, whose numbers differ from object to object. */
#define META(A, t) \
	[A##_ORIGIN] = { "origin", VNM_K_ENUM, OFF(t, meta.origin), \
		.flags = VNM_F_SET | VNM_F_DETAIL, .words = VNM_WORDS_ORIGIN, \
		BOTH("origin") }, \
	[A##_SOURCE] = { "source", VNM_K_U32, OFF(t, meta.source), \
		.flags = VNM_F_SET | VNM_F_DETAIL, ANY, BOTH("source") }, \
	[A##_EPOCH] = { "epoch", VNM_K_U64, OFF(t, meta.epoch), \
		.flags = VNM_F_SET | VNM_F_DETAIL, BOTH("epoch") }, \
	[A##_SEQ] = { "seq", VNM_K_U64, OFF(t, meta.seq), \
		.flags = VNM_F_SET | VNM_F_DETAIL, BOTH("seq") }, \
	[A##_GEN] = { "gen", VNM_K_U64, OFF(t, meta.gen), \
		.flags = VNM_F_SET | VNM_F_DETAIL, BOTH("gen") }, \
	[A##_AGE] = { "age", VNM_K_MS, OFF(t, meta.age_ms), \
		.flags = VNM_F_DETAIL, .json = "age_ms", .word = "age" }

#define IFINDEX(t) \
	{ "ifindex", VNM_K_U32, OFF(t, ifindex), .flags = VNM_F_QUIET, ID, \
	  BOTH("ifindex") }

static const struct vnm_field prefix_fields[] = {
	[VNIMESH_A_PREFIX_ADDR] = { .name = "addr", .kind = VNM_K_ADDR },
	[VNIMESH_A_PREFIX_LEN] = { .name = "len", .kind = VNM_K_U8 },
};

static const struct vnm_field port_fields[] = {
	[VNIMESH_A_PORT_NAME] = { "name", VNM_K_STRING, STR(port, name),
		BOTH("name") },
	[VNIMESH_A_PORT_PROTO] = { "proto", VNM_K_ENUM, OFF(port, proto),
		.words = VNM_WORDS_PROTO, BOTH("proto") },
	[VNIMESH_A_PORT_PORT] = { "port", VNM_K_BE16, OFF(port, port),
		RANGE(1, 65535), BOTH("port") },
	[VNIMESH_A_PORT_TARGET] = { "target", VNM_K_BE16, OFF(port, target),
		RANGE(1, 65535), BOTH("target") },
};

#define TUNABLE(A, n, k, f, lo, hi, j, w) \
	[A] = { n, k, OFF(mesh, f), .flags = VNM_F_SET | VNM_F_DETAIL, \
		RANGE(lo, hi), .json = j, .word = w }

static const struct vnm_field mesh_fields[] = {
	[VNIMESH_A_MESH_IFINDEX] = IFINDEX(mesh),
	[VNIMESH_A_MESH_ID] = { "id", VNM_K_U32, OFF(mesh, id), .json = "id",
		.word = "mesh" },
	[VNIMESH_A_MESH_NODE_ID] = { "node-id", VNM_K_U32, OFF(mesh, node),
		BOTH("node") },
	[VNIMESH_A_MESH_VNI_ID] = { "vni-id", VNM_K_U32, OFF(mesh, vni),
		BOTH("vni") },
	[VNIMESH_A_MESH_LOCAL] = { "local", VNM_K_ADDR, OFF(mesh, local),
		.json = "underlay", .word = "local" },
	[VNIMESH_A_MESH_PORT] = { "port", VNM_K_BE16, OFF(mesh, port),
		BOTH("port") },
	[VNIMESH_A_MESH_SERVICE_PREFIX4] = { "service-prefix4", VNM_K_PREFIX,
		OFF(mesh, service_prefix4), .flags = VNM_F_SET,
		.size = 4, .json = "service_prefix4", .word = "service-prefix" },
	[VNIMESH_A_MESH_SERVICE_PREFIX6] = { "service-prefix6", VNM_K_PREFIX,
		OFF(mesh, service_prefix6), .flags = VNM_F_SET,
		.size = 16, .json = "service_prefix6", .word = "service-prefix" },
	[VNIMESH_A_MESH_FLOW_MAX] = { "flow-max", VNM_K_U32,
		OFF(mesh, flow_max), .flags = VNM_F_DETAIL,
		.json = "flow_max", .word = "flow-max" },
	TUNABLE(VNIMESH_A_MESH_HOLD_MAX, "hold-max", VNM_K_U32, hold_max,
		0, 65536, "hold_max", "hold-max"),
	TUNABLE(VNIMESH_A_MESH_HOLD_VNI_MAX, "hold-vni-max", VNM_K_U32,
		hold_vni_max, 0, 65536, "hold_vni_max", "hold-vni-max"),
	TUNABLE(VNIMESH_A_MESH_MISS_TIMEOUT, "miss-timeout", VNM_K_MS,
		miss_timeout_ms, 10, 10000, "miss_timeout_ms", "miss-timeout"),
	TUNABLE(VNIMESH_A_MESH_TCP_ESTABLISHED, "tcp-established", VNM_K_SEC,
		tcp_established_s, 1, 2592000, "tcp_established_s",
		"tcp-established"),
	TUNABLE(VNIMESH_A_MESH_TCP_HALF_OPEN, "tcp-half-open", VNM_K_SEC,
		tcp_half_open_s, 1, 3600, "tcp_half_open_s", "tcp-half-open"),
	TUNABLE(VNIMESH_A_MESH_TCP_CLOSING, "tcp-closing", VNM_K_SEC,
		tcp_closing_s, 1, 3600, "tcp_closing_s", "tcp-closing"),
	TUNABLE(VNIMESH_A_MESH_UDP_UNREPLIED, "udp-unreplied", VNM_K_SEC,
		udp_unreplied_s, 1, 86400, "udp_unreplied_s", "udp-unreplied"),
	TUNABLE(VNIMESH_A_MESH_UDP_REPLIED, "udp-replied", VNM_K_SEC,
		udp_replied_s, 1, 86400, "udp_replied_s", "udp-replied"),
	TUNABLE(VNIMESH_A_MESH_RESTEER_MAX, "resteer-max", VNM_K_U32,
		resteer_max, 0, 8, "resteer_max", "resteer-max"),
	TUNABLE(VNIMESH_A_MESH_EJECT_MAX, "eject-max", VNM_K_SEC,
		eject_max_s, 0, 3600, "eject_max_s", "eject-max"),
	[VNIMESH_A_MESH_AGENT] = { "agent", VNM_K_U32, OFF(mesh, agent),
		BOTH("agent") },
	[VNIMESH_A_MESH_GENERATION] = { "generation", VNM_K_U64,
		OFF(mesh, generation), .flags = VNM_F_DETAIL,
		BOTH("generation") },
	[VNIMESH_A_MESH_STATS] = { "stats", VNM_K_STATS, OFF(mesh, stats),
		.flags = VNM_F_STAT, BOTH("stats") },
	[VNIMESH_A_MESH_PAD] = { .name = "pad" },
};

static const struct vnm_field node_fields[] = {
	[VNIMESH_A_NODE_IFINDEX] = IFINDEX(node),
	[VNIMESH_A_NODE_ID] = { "id", VNM_K_U32, OFF(node, node), ID,
		BOTH("node") },
	[VNIMESH_A_NODE_NAME] = { "name", VNM_K_STRING, STR(node, name),
		.flags = VNM_F_SET, BOTH("name") },
	[VNIMESH_A_NODE_ZONE] = { "zone", VNM_K_STRING, STR(node, zone),
		.flags = VNM_F_SET, BOTH("zone") },
	[VNIMESH_A_NODE_ADDR] = { "addr", VNM_K_ADDR, OFF(node, underlay),
		.flags = VNM_F_SET, BOTH("underlay") },
	[VNIMESH_A_NODE_PORT] = { "port", VNM_K_BE16, OFF(node, port),
		.flags = VNM_F_SET, RANGE(1, 65535), BOTH("port") },
	[VNIMESH_A_NODE_PREFIXES] = { "prefixes", VNM_K_PREFIXES,
		OFF(node, prefixes), .flags = VNM_F_SET,
		.json = "prefixes", .word = "prefix" },
	[VNIMESH_A_NODE_STATE] = { "state", VNM_K_ENUM, OFF(node, state),
		.flags = VNM_F_SET, .words = VNM_WORDS_STATE, BOTH("state") },
	[VNIMESH_A_NODE_LATENCY] = { "latency", VNM_K_US,
		OFF(node, latency_us), .flags = VNM_F_SET,
		RANGE(0, VNIMESH_LATENCY_MAX),
		.json = "latency_us", .word = "latency" },
	[VNIMESH_A_NODE_SELF] = { "self", VNM_K_FLAG, OFF(node, self),
		BOTH("self") },
	META(VNIMESH_A_NODE, node),
	[VNIMESH_A_NODE_PAD] = { .name = "pad" },
};

static const struct vnm_field vni_fields[] = {
	[VNIMESH_A_VNI_IFINDEX] = IFINDEX(vni),
	[VNIMESH_A_VNI_ID] = { "id", VNM_K_U32, OFF(vni, vni), ID,
		BOTH("vni") },
	[VNIMESH_A_VNI_NODE_ID] = { "node-id", VNM_K_U32, OFF(vni, node),
		.flags = VNM_F_SET, ID, BOTH("node") },
	[VNIMESH_A_VNI_ADDR4] = { "addr4", VNM_K_ADDR4, OFF(vni, address4),
		.flags = VNM_F_SET, .json = "address4", .word = "address" },
	[VNIMESH_A_VNI_ADDR6] = { "addr6", VNM_K_ADDR6, OFF(vni, address6),
		.flags = VNM_F_SET, .json = "address6", .word = "address" },
	[VNIMESH_A_VNI_STATE] = { "state", VNM_K_ENUM, OFF(vni, state),
		.flags = VNM_F_SET, .words = VNM_WORDS_STATE, BOTH("state") },
	[VNIMESH_A_VNI_HEALTH] = { "health", VNM_K_U8, OFF(vni, health),
		.flags = VNM_F_SET, RANGE(0, VNIMESH_HEALTH_MAX),
		BOTH("health") },
	[VNIMESH_A_VNI_LATENCY] = { "latency", VNM_K_US, OFF(vni, latency_us),
		.flags = VNM_F_SET, RANGE(0, VNIMESH_LATENCY_MAX),
		.json = "latency_us", .word = "latency" },
	[VNIMESH_A_VNI_LOCAL] = { "local", VNM_K_FLAG, OFF(vni, local),
		BOTH("local") },
	[VNIMESH_A_VNI_DEV_IFINDEX] = { "dev-ifindex", VNM_K_U32,
		OFF(vni, dev_ifindex), .flags = VNM_F_DETAIL,
		.json = "link_ifindex", .word = "link-ifindex" },
	[VNIMESH_A_VNI_DEV_NETNSID] = { "dev-netnsid", VNM_K_S32,
		OFF(vni, dev_netnsid), .json = "link_netnsid",
		.word = "link-netnsid" },
	[VNIMESH_A_VNI_DEV_UP] = { "dev-up", VNM_K_BOOL, OFF(vni, dev_up),
		.json = "link_up", .word = "link-up" },
	[VNIMESH_A_VNI_DEV_NAME] = { "dev-name", VNM_K_STRING,
		STR(vni, dev_name), .json = "link", .word = "link" },
	META(VNIMESH_A_VNI, vni),
	[VNIMESH_A_VNI_PAD] = { .name = "pad" },
	[VNIMESH_A_VNI_DEV_MADE] = { "dev-made", VNM_K_U64,
		OFF(vni, dev_made_us), .flags = VNM_F_DETAIL,
		.json = "link_made_us", .word = "link-made" },
};

static const struct vnm_field service_fields[] = {
	[VNIMESH_A_SERVICE_IFINDEX] = IFINDEX(service),
	[VNIMESH_A_SERVICE_TAG] = { "tag", VNM_K_STRING, STR(service, tag),
		.json = "tag", .word = "service" },
	[VNIMESH_A_SERVICE_ADDR4] = { "addr4", VNM_K_ADDR4,
		OFF(service, address4), .flags = VNM_F_SET,
		.json = "address4", .word = "address" },
	[VNIMESH_A_SERVICE_ADDR6] = { "addr6", VNM_K_ADDR6,
		OFF(service, address6), .flags = VNM_F_SET,
		.json = "address6", .word = "address" },
	[VNIMESH_A_SERVICE_PORTS] = { "ports", VNM_K_PORTS,
		OFF(service, ports), .flags = VNM_F_SET,
		.json = "ports", .word = "port" },
	[VNIMESH_A_SERVICE_POLICY] = { "policy", VNM_K_ENUM,
		OFF(service, policy), .flags = VNM_F_SET,
		.words = VNM_WORDS_POLICY, BOTH("policy") },
	[VNIMESH_A_SERVICE_LOADING] = { "loading", VNM_K_BOOL,
		OFF(service, loading), .flags = VNM_F_SET | VNM_F_DETAIL,
		RANGE(0, 1), BOTH("loading") },
	[VNIMESH_A_SERVICE_N_MEMBERS] = { "n-members", VNM_K_U32,
		OFF(service, n_members), .json = "n_members",
		.word = "members" },
	[VNIMESH_A_SERVICE_USED] = { "used", VNM_K_MS, OFF(service, used_ms),
		.flags = VNM_F_DETAIL, .json = "used_ms", .word = "used" },
	META(VNIMESH_A_SERVICE, service),
	[VNIMESH_A_SERVICE_PAD] = { .name = "pad" },
	[VNIMESH_A_SERVICE_LOAD] = { "load", VNM_K_ENUM, OFF(service, load),
		.flags = VNM_F_SET | VNM_F_DETAIL, .words = VNM_WORDS_LOAD,
		BOTH("load") },
	[VNIMESH_A_SERVICE_ON_DOWN] = { "on-down", VNM_K_ENUM,
		OFF(service, on_down), .flags = VNM_F_SET,
		.words = VNM_WORDS_ON_DOWN, .json = "on_down",
		.word = "on-down" },
	[VNIMESH_A_SERVICE_DRAIN_TIME] = { "drain-time", VNM_K_MS,
		OFF(service, drain_time_ms), .flags = VNM_F_SET,
		RANGE(0, 86400000), .json = "drain_time_ms",
		.word = "drain-time" },
};

static const struct vnm_field member_fields[] = {
	[VNIMESH_A_MEMBER_IFINDEX] = IFINDEX(member),
	[VNIMESH_A_MEMBER_TAG] = { "tag", VNM_K_STRING, STR(member, tag),
		.json = "tag", .word = "member" },
	[VNIMESH_A_MEMBER_VNI_ID] = { "vni-id", VNM_K_U32, OFF(member, vni),
		.flags = VNM_F_SET, ID, BOTH("vni") },
	[VNIMESH_A_MEMBER_WEIGHT] = { "weight", VNM_K_U32,
		OFF(member, weight), .flags = VNM_F_SET,
		RANGE(0, VNIMESH_WEIGHT_MAX), BOTH("weight") },
	[VNIMESH_A_MEMBER_STATE] = { "state", VNM_K_ENUM, OFF(member, state),
		.flags = VNM_F_SET, .words = VNM_WORDS_STATE, BOTH("state") },
	[VNIMESH_A_MEMBER_HEALTH] = { "health", VNM_K_U8, OFF(member, health),
		.flags = VNM_F_SET, RANGE(0, VNIMESH_HEALTH_MAX),
		BOTH("health") },
	[VNIMESH_A_MEMBER_LATENCY] = { "latency", VNM_K_US,
		OFF(member, latency_us), .flags = VNM_F_SET,
		RANGE(0, VNIMESH_LATENCY_MAX),
		.json = "latency_us", .word = "latency" },
	[VNIMESH_A_MEMBER_STALE] = { "stale", VNM_K_BOOL, OFF(member, stale),
		.flags = VNM_F_SET, RANGE(0, 1), BOTH("stale") },
	[VNIMESH_A_MEMBER_PORTS] = { "ports", VNM_K_PORTS, OFF(member, ports),
		.flags = VNM_F_SET, .json = "ports", .word = "port" },
	[VNIMESH_A_MEMBER_INFLIGHT] = { "inflight", VNM_K_U32,
		OFF(member, inflight), .flags = VNM_F_STAT,
		BOTH("inflight") },
	[VNIMESH_A_MEMBER_PENALTY] = { "penalty", VNM_K_MS,
		OFF(member, penalty_ms), .json = "penalty_ms",
		.word = "penalty" },
	[VNIMESH_A_MEMBER_EJECTED] = { "ejected", VNM_K_U32,
		OFF(member, ejected), .flags = VNM_F_STAT, BOTH("ejected") },
	[VNIMESH_A_MEMBER_HOLDERS] = { "holders", VNM_K_U32,
		OFF(member, holders), .flags = VNM_F_STAT, BOTH("holders") },
	[VNIMESH_A_MEMBER_FLOWS] = { "flows", VNM_K_U64, OFF(member, flows),
		.flags = VNM_F_STAT, BOTH("flows") },
	META(VNIMESH_A_MEMBER, member),
	[VNIMESH_A_MEMBER_PAD] = { .name = "pad" },
	[VNIMESH_A_MEMBER_PRIORITY] = { "priority", VNM_K_U8,
		OFF(member, priority), .flags = VNM_F_SET | VNM_F_DETAIL,
		RANGE(0, 255), BOTH("priority") },
	[VNIMESH_A_MEMBER_LATENCY_KIND] = { "latency-kind", VNM_K_ENUM,
		OFF(member, latency_kind), .flags = VNM_F_SET | VNM_F_DETAIL,
		.words = VNM_WORDS_LATENCY, .json = "latency_kind",
		.word = "latency-kind" },
#ifdef VNIMESH_NEXT
	/* See vnimeshd/next.h. */
	[VNIMESH_A_MEMBER_MAX + 1] = { "next", VNM_K_U32, OFF(member, weight) },
#endif
};

static const struct vnm_field flow_fields[] = {
	[VNIMESH_A_FLOW_IFINDEX] = IFINDEX(flow),
	[VNIMESH_A_FLOW_PROTO] = { "proto", VNM_K_ENUM, OFF(flow, proto),
		.flags = VNM_F_SET, .words = VNM_WORDS_PROTO, BOTH("proto") },
	[VNIMESH_A_FLOW_SRC] = { "src", VNM_K_ADDR, OFF(flow, src),
		.flags = VNM_F_SET, BOTH("src") },
	[VNIMESH_A_FLOW_SPORT] = { "sport", VNM_K_BE16, OFF(flow, sport),
		.flags = VNM_F_SET, RANGE(0, 65535), BOTH("sport") },
	[VNIMESH_A_FLOW_DST] = { "dst", VNM_K_ADDR, OFF(flow, dst),
		.flags = VNM_F_SET, BOTH("dst") },
	[VNIMESH_A_FLOW_DPORT] = { "dport", VNM_K_BE16, OFF(flow, dport),
		.flags = VNM_F_SET, RANGE(0, 65535), BOTH("dport") },
	[VNIMESH_A_FLOW_TAG] = { "tag", VNM_K_STRING, STR(flow, tag),
		.flags = VNM_F_SET, BOTH("tag") },
	[VNIMESH_A_FLOW_VNI_ID] = { "vni-id", VNM_K_U32, OFF(flow, vni),
		.flags = VNM_F_SET, ID, BOTH("vni") },
	[VNIMESH_A_FLOW_MEMBER_ADDR] = { "member-addr", VNM_K_ADDR,
		OFF(flow, member_address), .json = "member_address",
		.word = "member-address" },
	[VNIMESH_A_FLOW_MEMBER_PORT] = { "member-port", VNM_K_BE16,
		OFF(flow, member_port), .json = "member_port",
		.word = "member-port" },
	[VNIMESH_A_FLOW_NAT_SPORT] = { "nat-sport", VNM_K_BE16,
		OFF(flow, nat_sport), .flags = VNM_F_DETAIL,
		.json = "nat_sport", .word = "nat-sport" },
	[VNIMESH_A_FLOW_STATE] = { "state", VNM_K_ENUM, OFF(flow, state),
		.words = VNM_WORDS_FLOW_STATE, BOTH("state") },
	[VNIMESH_A_FLOW_IDLE] = { "idle", VNM_K_MS, OFF(flow, idle_ms),
		.flags = VNM_F_DETAIL, .json = "idle_ms", .word = "idle" },
	[VNIMESH_A_FLOW_EXPIRES] = { "expires", VNM_K_MS,
		OFF(flow, expires_ms), .flags = VNM_F_DETAIL,
		.json = "expires_ms", .word = "expires" },
	[VNIMESH_A_FLOW_PACKETS] = { "packets", VNM_K_U64, OFF(flow, packets),
		.flags = VNM_F_STAT, BOTH("packets") },
	[VNIMESH_A_FLOW_PAD] = { .name = "pad" },
};

static const struct vnm_field route_fields[] = {
	[VNIMESH_A_ROUTE_IFINDEX] = IFINDEX(route),
	[VNIMESH_A_ROUTE_TAG] = { "tag", VNM_K_STRING, STR(route, tag),
		BOTH("tag") },
	[VNIMESH_A_ROUTE_DST] = { "dst", VNM_K_ADDR, OFF(route, dst),
		BOTH("dst") },
	[VNIMESH_A_ROUTE_SRC] = { "src", VNM_K_ADDR, OFF(route, src),
		.flags = VNM_F_SET, .json = "src", .word = "from" },
	[VNIMESH_A_ROUTE_PROTO] = { "proto", VNM_K_ENUM, OFF(route, proto),
		.flags = VNM_F_SET, .words = VNM_WORDS_PROTO, BOTH("proto") },
	[VNIMESH_A_ROUTE_DPORT] = { "dport", VNM_K_BE16, OFF(route, dport),
		.flags = VNM_F_SET, RANGE(1, 65535), BOTH("dport") },
	[VNIMESH_A_ROUTE_FAMILY] = { "family", VNM_K_FAMILY,
		OFF(route, family), .flags = VNM_F_SET | VNM_F_DETAIL,
		BOTH("family") },
	[VNIMESH_A_ROUTE_SEED] = { "seed", VNM_K_U64, OFF(route, seed),
		.flags = VNM_F_SET | VNM_F_DETAIL, BOTH("seed") },
	[VNIMESH_A_ROUTE_VNI_ID] = { "vni-id", VNM_K_U32, OFF(route, vni),
		BOTH("vni") },
	[VNIMESH_A_ROUTE_NODE_ID] = { "node-id", VNM_K_U32, OFF(route, node),
		BOTH("node") },
	[VNIMESH_A_ROUTE_ADDR4] = { "addr4", VNM_K_ADDR4,
		OFF(route, address4), .json = "address4", .word = "address" },
	[VNIMESH_A_ROUTE_ADDR6] = { "addr6", VNM_K_ADDR6,
		OFF(route, address6), .json = "address6", .word = "address" },
	[VNIMESH_A_ROUTE_MEMBER_ADDR] = { "member-addr", VNM_K_ADDR,
		OFF(route, member_address), .json = "member_address",
		.word = "member-address" },
	[VNIMESH_A_ROUTE_MEMBER_PORT] = { "member-port", VNM_K_BE16,
		OFF(route, member_port), .json = "member_port",
		.word = "member-port" },
	[VNIMESH_A_ROUTE_UNDERLAY] = { "underlay", VNM_K_ADDR,
		OFF(route, underlay), BOTH("underlay") },
	[VNIMESH_A_ROUTE_CANDIDATES] = { "candidates", VNM_K_CANDS,
		OFF(route, candidates), .json = "candidates",
		.word = "candidate" },
	[VNIMESH_A_ROUTE_PAD] = { .name = "pad" },
	[VNIMESH_A_ROUTE_POLICY] = { "policy", VNM_K_ENUM, OFF(route, policy),
		.words = VNM_WORDS_POLICY, BOTH("policy") },
	[VNIMESH_A_ROUTE_LOAD] = { "load", VNM_K_ENUM, OFF(route, load),
		.flags = VNM_F_DETAIL, .words = VNM_WORDS_LOAD, BOTH("load") },
	[VNIMESH_A_ROUTE_LATENCY_KIND] = { "latency-kind", VNM_K_ENUM,
		OFF(route, latency_kind), .flags = VNM_F_DETAIL,
		.words = VNM_WORDS_LATENCY, .json = "latency_kind",
		.word = "latency-kind" },
	[VNIMESH_A_ROUTE_HOW] = { "how", VNM_K_ENUM, OFF(route, how),
		.words = VNM_WORDS_HOW, .json = "how", .word = "by" },
	[VNIMESH_A_ROUTE_HASH] = { "hash", VNM_K_U32, OFF(route, hash),
		.flags = VNM_F_DETAIL, BOTH("hash") },
	[VNIMESH_A_ROUTE_PANIC] = { "panic", VNM_K_BOOL, OFF(route, panic),
		.flags = VNM_F_DETAIL, BOTH("panic") },
	[VNIMESH_A_ROUTE_TIERS] = { "tiers", VNM_K_TIERS, OFF(route, tiers),
		.flags = VNM_F_DETAIL, .json = "tiers", .word = "tier" },
	[VNIMESH_A_ROUTE_TIERS_AGE] = { "tiers-age", VNM_K_MS,
		OFF(route, tiers_age_ms), .flags = VNM_F_DETAIL,
		.json = "tiers_age_ms", .word = "tiers-age" },
};

static const struct vnm_field cand_fields[] = {
	[VNIMESH_A_CAND_VNI_ID] = { "vni-id", VNM_K_U32, OFF(cand, vni),
		BOTH("vni") },
	[VNIMESH_A_CAND_NODE_ID] = { "node-id", VNM_K_U32, OFF(cand, node),
		BOTH("node") },
	[VNIMESH_A_CAND_ADDR] = { "addr", VNM_K_ADDR, OFF(cand, address),
		BOTH("address") },
	[VNIMESH_A_CAND_WEIGHT] = { "weight", VNM_K_U32, OFF(cand, weight),
		BOTH("weight") },
	[VNIMESH_A_CAND_HEALTH] = { "health", VNM_K_U8, OFF(cand, health),
		BOTH("health") },
	[VNIMESH_A_CAND_LATENCY] = { "latency", VNM_K_US,
		OFF(cand, latency_us), .json = "latency_us",
		.word = "latency" },
	[VNIMESH_A_CAND_KLATENCY] = { "klatency", VNM_K_US,
		OFF(cand, kernel_latency_us), .json = "kernel_latency_us",
		.word = "kernel-latency" },
	[VNIMESH_A_CAND_INFLIGHT] = { "inflight", VNM_K_U32,
		OFF(cand, inflight), BOTH("inflight") },
	[VNIMESH_A_CAND_STALE] = { "stale", VNM_K_BOOL, OFF(cand, stale),
		BOTH("stale") },
	[VNIMESH_A_CAND_COST] = { "cost", VNM_K_U64, OFF(cand, cost),
		BOTH("cost") },
	[VNIMESH_A_CAND_EXCLUDED] = { "excluded", VNM_K_ENUM,
		OFF(cand, excluded), .words = VNM_WORDS_EXCLUDE,
		BOTH("excluded") },
	[VNIMESH_A_CAND_CHOSEN] = { "chosen", VNM_K_FLAG, OFF(cand, chosen),
		BOTH("chosen") },
	[VNIMESH_A_CAND_PENALTY] = { "penalty", VNM_K_MS,
		OFF(cand, penalty_ms), .json = "penalty_ms",
		.word = "penalty" },
	[VNIMESH_A_CAND_EVIDENCE] = { "evidence", VNM_K_U8,
		OFF(cand, evidence), BOTH("evidence") },
	[VNIMESH_A_CAND_DOUBLINGS] = { "doublings", VNM_K_U8,
		OFF(cand, doublings), BOTH("doublings") },
	[VNIMESH_A_CAND_AGE] = { "age", VNM_K_MS, OFF(cand, age_ms),
		.json = "age_ms", .word = "age" },
	[VNIMESH_A_CAND_PAD] = { .name = "pad" },
	[VNIMESH_A_CAND_PATH] = { "path", VNM_K_US, OFF(cand, path_us),
		.flags = VNM_F_DETAIL, .json = "path_us", .word = "path" },
	[VNIMESH_A_CAND_LATENCY_KIND] = { "latency-kind", VNM_K_ENUM,
		OFF(cand, latency_kind), .flags = VNM_F_DETAIL,
		.words = VNM_WORDS_LATENCY, .json = "latency_kind",
		.word = "latency-kind" },
	[VNIMESH_A_CAND_KLATENCY_AGE] = { "klatency-age", VNM_K_MS,
		OFF(cand, kernel_latency_age_ms), .flags = VNM_F_DETAIL,
		.json = "kernel_latency_age_ms", .word = "kernel-latency-age" },
	[VNIMESH_A_CAND_RLATENCY] = { "rlatency", VNM_K_US,
		OFF(cand, response_us), .json = "response_us",
		.word = "response" },
	[VNIMESH_A_CAND_RLATENCY_AGE] = { "rlatency-age", VNM_K_MS,
		OFF(cand, response_age_ms), .flags = VNM_F_DETAIL,
		.json = "response_age_ms", .word = "response-age" },
	[VNIMESH_A_CAND_COUNTED_LATENCY] = { "counted-latency", VNM_K_US,
		OFF(cand, counted_latency_us), .flags = VNM_F_DETAIL,
		.json = "counted_latency_us", .word = "counted-latency" },
	[VNIMESH_A_CAND_RAMP] = { "ramp", VNM_K_MS, OFF(cand, ramp_ms),
		.json = "ramp_ms", .word = "ramp" },
	[VNIMESH_A_CAND_TIER] = { "tier", VNM_K_U8, OFF(cand, tier),
		BOTH("tier") },
	[VNIMESH_A_CAND_PRIORITY] = { "priority", VNM_K_U8,
		OFF(cand, priority), .flags = VNM_F_DETAIL, BOTH("priority") },
	[VNIMESH_A_CAND_MEMBER_HEALTH] = { "member-health", VNM_K_U8,
		OFF(cand, member_health), .flags = VNM_F_DETAIL,
		.json = "member_health", .word = "member-health" },
	[VNIMESH_A_CAND_VNI_HEALTH] = { "vni-health", VNM_K_U8,
		OFF(cand, vni_health), .flags = VNM_F_DETAIL,
		.json = "vni_health", .word = "vni-health" },
	[VNIMESH_A_CAND_VNI_AGE] = { "vni-age", VNM_K_MS,
		OFF(cand, vni_age_ms), .flags = VNM_F_DETAIL,
		.json = "vni_age_ms", .word = "vni-age" },
	[VNIMESH_A_CAND_NODE_AGE] = { "node-age", VNM_K_MS,
		OFF(cand, node_age_ms), .flags = VNM_F_DETAIL,
		.json = "node_age_ms", .word = "node-age" },
	[VNIMESH_A_CAND_SLOT] = { "slot", VNM_K_U32, OFF(cand, slot),
		.flags = VNM_F_DETAIL, BOTH("slot") },
};

static const struct vnm_field tier_fields[] = {
	[VNIMESH_A_TIER_TOTAL] = { "total", VNM_K_U32, OFF(tier, total),
		BOTH("total") },
	[VNIMESH_A_TIER_HEALTHY] = { "healthy", VNM_K_U32, OFF(tier, healthy),
		BOTH("healthy") },
	[VNIMESH_A_TIER_MEDIAN] = { "median", VNM_K_US, OFF(tier, median_us),
		.json = "median_us", .word = "median" },
	[VNIMESH_A_TIER_SHARE] = { "share", VNM_K_U32, OFF(tier, share),
		BOTH("share") },
	[VNIMESH_A_TIER_FIRST] = { "first", VNM_K_U32, OFF(tier, first),
		BOTH("first") },
	[VNIMESH_A_TIER_N] = { "n", VNM_K_U32, OFF(tier, n), BOTH("n") },
};

static const struct vnm_field miss_fields[] = {
	[VNIMESH_A_MISS_IFINDEX] = IFINDEX(miss),
	[VNIMESH_A_MISS_ADDR] = { "addr", VNM_K_ADDR, OFF(miss, address),
		BOTH("address") },
	[VNIMESH_A_MISS_TAG] = { "tag", VNM_K_STRING, STR(miss, tag),
		BOTH("tag") },
	[VNIMESH_A_MISS_VNI_ID] = { "vni-id", VNM_K_U32, OFF(miss, vni),
		BOTH("vni") },
	[VNIMESH_A_MISS_VERDICT] = { "verdict", VNM_K_ENUM,
		OFF(miss, verdict), .words = VNM_WORDS_VERDICT,
		BOTH("verdict") },
	[VNIMESH_A_MISS_TTL] = { "ttl", VNM_K_MS, OFF(miss, ttl_ms),
		.json = "ttl_ms", .word = "ttl" },
	[VNIMESH_A_MISS_RELEASE] = { "release", VNM_K_FLAG,
		OFF(miss, release), BOTH("release") },
};

static const struct vnm_field sweep_fields[] = {
	[VNIMESH_A_SWEEP_IFINDEX] = IFINDEX(sweep),
	[VNIMESH_A_SWEEP_ORIGIN] = { "origin", VNM_K_ENUM, OFF(sweep, origin),
		.words = VNM_WORDS_ORIGIN, BOTH("origin") },
	[VNIMESH_A_SWEEP_SOURCE] = { "source", VNM_K_U32, OFF(sweep, source),
		BOTH("source") },
	[VNIMESH_A_SWEEP_OBJECT] = { "object", VNM_K_ENUM, OFF(sweep, object),
		.words = VNM_WORDS_OBJECT, BOTH("object") },
	[VNIMESH_A_SWEEP_TAG] = { "tag", VNM_K_STRING, STR(sweep, tag),
		BOTH("tag") },
	[VNIMESH_A_SWEEP_GEN] = { "gen", VNM_K_U64, OFF(sweep, gen),
		BOTH("gen") },
	[VNIMESH_A_SWEEP_COUNT] = { "count", VNM_K_U32, OFF(sweep, count),
		BOTH("count") },
	[VNIMESH_A_SWEEP_PAD] = { .name = "pad" },
};

static const struct vnm_field event_fields[] = {
	[VNIMESH_A_EVENT_IFINDEX] = IFINDEX(event),
	[VNIMESH_A_EVENT_TYPE] = { "type", VNM_K_ENUM, OFF(event, type),
		.words = VNM_WORDS_EVENT, .json = "event", .word = "event" },
	[VNIMESH_A_EVENT_VNI_ID] = { "vni-id", VNM_K_U32, OFF(event, vni),
		BOTH("vni") },
	[VNIMESH_A_EVENT_TAG] = { "tag", VNM_K_STRING, STR(event, tag),
		BOTH("tag") },
	[VNIMESH_A_EVENT_CLIENT] = { "client", VNM_K_U32, OFF(event, client),
		BOTH("client") },
	[VNIMESH_A_EVENT_KIND] = { "kind", VNM_K_ENUM, OFF(event, kind),
		.words = VNM_WORDS_EVIDENCE, BOTH("kind") },
	[VNIMESH_A_EVENT_DPORT] = { "dport", VNM_K_BE16, OFF(event, dport),
		BOTH("dport") },
	[VNIMESH_A_EVENT_PENALTY] = { "penalty", VNM_K_MS,
		OFF(event, penalty_ms), .json = "penalty_ms",
		.word = "penalty" },
	[VNIMESH_A_EVENT_COUNT] = { "count", VNM_K_U32, OFF(event, count),
		BOTH("count") },
};

const struct vnm_type vnm_prefix_type = {
	"prefix", prefix_fields, COUNT(prefix_fields) - 1,
	sizeof(struct ip_prefix)
};

const struct vnm_type vnm_port_type = TYPE(port, "port");
const struct vnm_type vnm_mesh_type = TYPE(mesh, "mesh");
const struct vnm_type vnm_node_type = TYPE(node, "node");
const struct vnm_type vnm_vni_type = TYPE(vni, "vni");
const struct vnm_type vnm_service_type = TYPE(service, "service");
const struct vnm_type vnm_member_type = TYPE(member, "member");
const struct vnm_type vnm_flow_type = TYPE(flow, "flow");
const struct vnm_type vnm_route_type = TYPE(route, "route");
const struct vnm_type vnm_cand_type = TYPE(cand, "candidate");
const struct vnm_type vnm_tier_type = TYPE(tier, "tier");
const struct vnm_type vnm_miss_type = TYPE(miss, "miss");
const struct vnm_type vnm_sweep_type = TYPE(sweep, "sweep");
const struct vnm_type vnm_event_type = TYPE(event, "event");

const struct vnm_field *vnm_field(const struct vnm_type *t, unsigned int attr)
{
	if (attr > t->max || !t->fields[attr].name)
		return NULL;
	return &t->fields[attr];
}

const struct vnm_type *vnm_field_nest(const struct vnm_field *f)
{
	switch (f->kind) {
	case VNM_K_PREFIX:
	case VNM_K_PREFIXES:
		return &vnm_prefix_type;
	case VNM_K_PORTS:
		return &vnm_port_type;
	case VNM_K_CANDS:
		return &vnm_cand_type;
	case VNM_K_TIERS:
		return &vnm_tier_type;
	case VNM_K_STATS:
		return &vnm_stats_type;
	default:
		return NULL;
	}
}

const char *vnm_type_name(const struct vnm_type *t)
{
	return t->name;
}

size_t vnm_type_size(const struct vnm_type *t)
{
	return t->size;
}

const struct vnm_type *vnm_type_of_cmd(uint8_t cmd)
{
	switch (cmd) {
	case VNIMESH_CMD_MESH_GET ... VNIMESH_CMD_MESH_SET:
	case VNIMESH_CMD_MESH_NTF:
		return &vnm_mesh_type;
	case VNIMESH_CMD_NODE_GET ... VNIMESH_CMD_NODE_DEL:
	case VNIMESH_CMD_NODE_NTF ... VNIMESH_CMD_NODE_DEL_NTF:
		return &vnm_node_type;
	case VNIMESH_CMD_VNI_GET ... VNIMESH_CMD_VNI_DEL:
	case VNIMESH_CMD_VNI_NTF ... VNIMESH_CMD_VNI_DEL_NTF:
		return &vnm_vni_type;
	case VNIMESH_CMD_SERVICE_GET ... VNIMESH_CMD_SERVICE_DEL:
	case VNIMESH_CMD_SERVICE_NTF ... VNIMESH_CMD_SERVICE_DEL_NTF:
		return &vnm_service_type;
	case VNIMESH_CMD_MEMBER_GET ... VNIMESH_CMD_MEMBER_DEL:
	case VNIMESH_CMD_MEMBER_NTF ... VNIMESH_CMD_MEMBER_DEL_NTF:
		return &vnm_member_type;
	case VNIMESH_CMD_FLOW_GET ... VNIMESH_CMD_FLOW_DEL:
		return &vnm_flow_type;
	case VNIMESH_CMD_RESOLVE ... VNIMESH_CMD_ROUTE_GET:
		return &vnm_route_type;
	case VNIMESH_CMD_AGENT_BIND ... VNIMESH_CMD_MISS_ANSWER:
	case VNIMESH_CMD_MISS:
		return &vnm_miss_type;
	case VNIMESH_CMD_SWEEP:
		return &vnm_sweep_type;
	case VNIMESH_CMD_EVENT_NTF:
		return &vnm_event_type;
	default:
		return NULL;
	}
}
