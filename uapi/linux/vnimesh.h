/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * vnimesh - netlink interface: link kind "vnimesh", generic netlink family
 * "vnimesh". Documentation/netlink/specs/vnimesh.yaml is the specification;
 * selftests/host/spec.sh fails when the two disagree.
 *
 * Addresses are binary, 4 bytes for IPv4 and 16 for IPv6, network order.
 * Ports are u16 in network order where an attribute says be16.
 * Latencies are microseconds, health is 0 (dead) to 100 (perfect).
 */
#ifndef _UAPI_LINUX_VNIMESH_H
#define _UAPI_LINUX_VNIMESH_H

#include <linux/types.h>

#define VNIMESH_LINK_KIND	"vnimesh"
#define VNIMESH_GENL_NAME	"vnimesh"
#define VNIMESH_GENL_VERSION	1

/* Both groups need CAP_NET_ADMIN and stay in the netns of the mesh device. */
#define VNIMESH_MCGRP_CONFIG	"config"
#define VNIMESH_MCGRP_EVENTS	"events"

#define VNIMESH_PORT_DEFAULT	6081	/* UDP, RFC 8926 */
#define VNIMESH_ID_MAX		0xffffff /* mesh id: the 24-bit Geneve VNI */
#define VNIMESH_TAG_MAX		63	/* bytes, without the final NUL */
#define VNIMESH_NAME_MAX	63	/* bytes, without the final NUL */
#define VNIMESH_PORTS_MAX	16	/* port rules per service or member */
#define VNIMESH_PREFIXES_MAX	16	/* prefixes per node */
#define VNIMESH_WEIGHT_MAX	1000	/* 0: keeps flows, gets no new ones */
#define VNIMESH_WEIGHT_DEFAULT	100
#define VNIMESH_HEALTH_MAX	100
#define VNIMESH_LATENCY_MAX	60000000 /* us */

/* IFLA_INFO_DATA of a vnimesh link. Without IFLA_LINK the link is a mesh
 * device, with IFLA_LINK naming a mesh device it is one more VNI of that mesh.
 */
enum {
	IFLA_VNIMESH_UNSPEC,
	IFLA_VNIMESH_MESH_ID,	/* u32, 1..VNIMESH_ID_MAX; mesh device: required */
	IFLA_VNIMESH_NODE_ID,	/* u32, 1..; mesh device: required, this host */
	IFLA_VNIMESH_VNI_ID,	/* u32, 1..; required, id of this VNI */
	IFLA_VNIMESH_LOCAL,	/* binary, underlay address; mesh: required.
				 * All nodes are of its family.
				 */
	IFLA_VNIMESH_PORT,	/* be16, underlay UDP port; mesh only */
	IFLA_VNIMESH_ADDR4,	/* in_addr, address of this VNI */
	IFLA_VNIMESH_ADDR6,	/* in6_addr, address of this VNI */
	IFLA_VNIMESH_FLOW_MAX,	/* u32, flow table size; mesh only, at creation */
	__IFLA_VNIMESH_MAX,
};

#define IFLA_VNIMESH_MAX	(__IFLA_VNIMESH_MAX - 1)

/* Who wrote a row. A weaker origin never touches a row of a stronger one;
 * the stronger one takes the row over. static > agent > learned.
 */
enum vnimesh_origin {
	VNIMESH_ORIGIN_LEARNED = 1,	/* by the kernel: the record of a new device */
	VNIMESH_ORIGIN_AGENT,
	VNIMESH_ORIGIN_STATIC,		/* by hand; the default of requests */
};

enum vnimesh_state {
	VNIMESH_STATE_UP = 1,
	VNIMESH_STATE_DRAIN,	/* keeps its flows, gets no new ones */
	VNIMESH_STATE_MAINT,	/* as drain, by the operator's intent */
	VNIMESH_STATE_DOWN,
};

enum vnimesh_policy {
	VNIMESH_POLICY_OPTIMAL = 1,	/* latency, load, health, locality */
	VNIMESH_POLICY_MAGLEV,		/* the same member for the same client */
	VNIMESH_POLICY_RANDOM,		/* by weight */
	VNIMESH_POLICY_FAILOVER,	/* the lowest priority that is there */
};

/* What a flow in flight means for its member. */
enum vnimesh_load {
	VNIMESH_LOAD_CONNECTIONS = 1,	/* a connection is work */
	VNIMESH_LOAD_POOL,		/* mostly idle: counts by its root */
};

/* Two latencies of different kinds do not compare. */
enum vnimesh_latency {
	VNIMESH_LATENCY_CONNECT = 1,	/* a round trip, or a handshake */
	VNIMESH_LATENCY_RESPONSE,	/* of a request: the service's work */
};

/* What decided a choice. */
enum vnimesh_how {
	VNIMESH_HOW_COST = 1,	/* the least cost */
	VNIMESH_HOW_TIE,	/* by chance among the least, within 1/16 */
	VNIMESH_HOW_EXPLORE,	/* by chance, to see how the others are */
	VNIMESH_HOW_HASH,	/* the client's place in the Maglev table */
	VNIMESH_HOW_RANDOM,	/* by chance and weight */
};

/* What becomes of the flows of a member that went down, or was deleted. */
enum vnimesh_on_down {
	VNIMESH_ON_DOWN_ABORT = 1,	/* both ends are reset at once */
	VNIMESH_ON_DOWN_DRAIN,		/* ... DRAIN_TIME after it left UP */
	VNIMESH_ON_DOWN_KEEP,		/* they go on, or time out */
};

/* Answer to a miss, and the reason of a negative entry. */
enum vnimesh_verdict {
	VNIMESH_VERDICT_NO_SERVICE = 1,
	VNIMESH_VERDICT_COORDINATOR_AWAY,
};

/* Why a candidate of route-get is not eligible. */
enum vnimesh_exclude {
	VNIMESH_EXCLUDE_NONE,
	VNIMESH_EXCLUDE_FAMILY,		/* no address of the flow's family */
	VNIMESH_EXCLUDE_MEMBER_STATE,
	VNIMESH_EXCLUDE_MEMBER_HEALTH,	/* health 0 */
	VNIMESH_EXCLUDE_WEIGHT,		/* weight 0 */
	VNIMESH_EXCLUDE_VNI_STATE,
	VNIMESH_EXCLUDE_VNI_HEALTH,
	VNIMESH_EXCLUDE_NODE_STATE,
	VNIMESH_EXCLUDE_EJECTED,	/* it failed flows of this host */
	VNIMESH_EXCLUDE_TIER,		/* the flow went to another tier */
	VNIMESH_EXCLUDE_PRIORITY,	/* a lower priority is there */
};

enum vnimesh_flow_state {
	VNIMESH_FLOW_NEW = 1,		/* no reply yet */
	VNIMESH_FLOW_ESTABLISHED,	/* replied to */
	VNIMESH_FLOW_CLOSING,		/* FIN both ways, or RST */
	VNIMESH_FLOW_DYING,		/* aborted: what comes is answered by RST */
	VNIMESH_FLOW_MOVED,		/* its SYN went to another member */
};

enum vnimesh_event {
	VNIMESH_EVENT_VNI_UP = 1,	/* device of a local VNI came up */
	VNIMESH_EVENT_VNI_DOWN,		/* ... went down or is gone */
	VNIMESH_EVENT_NO_MEMBER,	/* a flow was refused: nobody eligible */
	VNIMESH_EVENT_AGENT_BOUND,
	VNIMESH_EVENT_AGENT_LOST,
	VNIMESH_EVENT_EVIDENCE,		/* a flow of CLIENT failed at a member */
	VNIMESH_EVENT_EJECTED,		/* ... which gets no new flows of CLIENT
					 * or, without it, of this host
					 */
	VNIMESH_EVENT_RETURNED,		/* ... which passed its trial */
	VNIMESH_EVENT_MEMBER_UP,	/* of a service in use: may be chosen again */
	VNIMESH_EVENT_MEMBER_DOWN,	/* ... it, its VNI or node is down or gone */
	VNIMESH_EVENT_FLOWS_ABORTED,	/* COUNT connections to it were reset */
};

/* What speaks against a member. */
enum vnimesh_evidence_kind {
	VNIMESH_EVIDENCE_KIND_REFUSED = 1,	/* RST to a SYN */
	VNIMESH_EVIDENCE_KIND_ICMP,	/* unreachable, to a SYN */
	VNIMESH_EVIDENCE_KIND_SILENCE,	/* no answer to a SYN */
	VNIMESH_EVIDENCE_KIND_RESET,	/* RST before the first byte */
};

/* Fields common to all rows, in each object's attribute set:
 *  ORIGIN u8  enum vnimesh_origin
 *  SOURCE u32 node id of the owner of the fact, 0: the coordinator, or none
 *  EPOCH  u64 boot epoch of the owner, random
 *  SEQ    u64 sequence within the epoch: a lower one never replaces a higher
 *  GEN    u64 run of the writer that last confirmed the row; see sweep
 */

enum {
	VNIMESH_A_PREFIX_ADDR = 1,	/* binary 4 or 16 */
	VNIMESH_A_PREFIX_LEN,		/* u8 */
	__VNIMESH_A_PREFIX_MAX,
};

#define VNIMESH_A_PREFIX_MAX	(__VNIMESH_A_PREFIX_MAX - 1)

/* A port rule. In a service: flows to (PROTO, PORT) go to TARGET of the
 * member. In a member: TARGET replaces that of the service's rule for
 * (PROTO, PORT).
 */
enum {
	VNIMESH_A_PORT_NAME = 1,	/* string, up to VNIMESH_NAME_MAX; optional */
	VNIMESH_A_PORT_PROTO,		/* u8, IPPROTO_TCP or IPPROTO_UDP */
	VNIMESH_A_PORT_PORT,		/* be16, 1..65535 */
	VNIMESH_A_PORT_TARGET,		/* be16, 1..65535, default PORT */
	__VNIMESH_A_PORT_MAX,
};

#define VNIMESH_A_PORT_MAX	(__VNIMESH_A_PORT_MAX - 1)

enum {
	VNIMESH_A_MESH_IFINDEX = 1,	/* u32, the mesh device, caller's netns */
	VNIMESH_A_MESH_ID,		/* u32, read only */
	VNIMESH_A_MESH_NODE_ID,		/* u32, read only */
	VNIMESH_A_MESH_VNI_ID,		/* u32, read only */
	VNIMESH_A_MESH_LOCAL,		/* binary, read only */
	VNIMESH_A_MESH_PORT,		/* be16, read only */
	VNIMESH_A_MESH_SERVICE_PREFIX4,	/* nest prefix; length 0: none */
	VNIMESH_A_MESH_SERVICE_PREFIX6,	/* nest prefix; length 0: none */
	VNIMESH_A_MESH_FLOW_MAX,	/* u32, read only, flows */
	VNIMESH_A_MESH_HOLD_MAX,	/* u32, 0..65536 packets held per mesh */
	VNIMESH_A_MESH_HOLD_VNI_MAX,	/* u32, 0..65536 packets held per VNI */
	VNIMESH_A_MESH_MISS_TIMEOUT,	/* u32, 10..10000 ms a packet is held */
	VNIMESH_A_MESH_TCP_ESTABLISHED,	/* u32, 1..2592000 s */
	VNIMESH_A_MESH_TCP_HALF_OPEN,	/* u32, 1..3600 s */
	VNIMESH_A_MESH_TCP_CLOSING,	/* u32, 1..3600 s */
	VNIMESH_A_MESH_UDP_UNREPLIED,	/* u32, 1..86400 s */
	VNIMESH_A_MESH_UDP_REPLIED,	/* u32, 1..86400 s */
	VNIMESH_A_MESH_AGENT,		/* u32, port id of the bound agent, 0: none */
	VNIMESH_A_MESH_GENERATION,	/* u64, changes with each configuration */
	VNIMESH_A_MESH_STATS,		/* nest stats, read only */
	VNIMESH_A_MESH_PAD,
	VNIMESH_A_MESH_RESTEER_MAX,	/* u32, 0..8 members a SYN is moved on to */
	VNIMESH_A_MESH_EJECT_MAX,	/* u32, 0..3600 s; 0: none is put out */
	__VNIMESH_A_MESH_MAX,
};

#define VNIMESH_A_MESH_MAX	(__VNIMESH_A_MESH_MAX - 1)

/* Counters of a mesh, all u64. Gauges first. */
enum {
	VNIMESH_A_STATS_PAD = 1,
	VNIMESH_A_STATS_FLOWS,		/* gauge */
	VNIMESH_A_STATS_SERVICES,	/* gauge */
	VNIMESH_A_STATS_MEMBERS,	/* gauge */
	VNIMESH_A_STATS_NODES,		/* gauge */
	VNIMESH_A_STATS_VNIS,		/* gauge */
	VNIMESH_A_STATS_HELD,		/* gauge: packets held for a miss */
	VNIMESH_A_STATS_FLOW_NEW,	/* flows bound */
	VNIMESH_A_STATS_FLOW_EXPIRED,
	VNIMESH_A_STATS_FLOW_FULL,	/* new flow refused: table full */
	VNIMESH_A_STATS_FLOW_EARLY_DROP,	/* flow removed to make room */
	VNIMESH_A_STATS_FLOW_CONFLICT,	/* reverse tuple taken, source port rewritten */
	VNIMESH_A_STATS_NO_MEMBER,	/* refused: no eligible member */
	VNIMESH_A_STATS_NO_PORT,	/* refused: port not of the service */
	VNIMESH_A_STATS_NO_FLOW,	/* mid-stream TCP without a flow, reset */
	VNIMESH_A_STATS_NO_SERVICE,	/* refused: the service does not exist */
	VNIMESH_A_STATS_NO_AGENT,	/* refused: nobody answers misses */
	VNIMESH_A_STATS_NO_ANSWER,	/* refused: no answer in time */
	VNIMESH_A_STATS_COORDINATOR_AWAY,	/* refused: agent cannot ask */
	VNIMESH_A_STATS_UPCALL,		/* misses sent to the agent */
	VNIMESH_A_STATS_UPCALL_LOST,	/* miss could not be sent */
	VNIMESH_A_STATS_HOLD,		/* packets held */
	VNIMESH_A_STATS_HOLD_OVERFLOW,	/* held packet dropped: budget */
	VNIMESH_A_STATS_RELEASE,	/* held packets sent after the answer */
	VNIMESH_A_STATS_TX_BAD_SOURCE,	/* source is not an address of the VNI */
	VNIMESH_A_STATS_TX_UNSUPPORTED,	/* multicast, link-local, other protocol */
	VNIMESH_A_STATS_TX_MALFORMED,
	VNIMESH_A_STATS_TX_FRAGMENT,	/* fragment of a datagram that was refused */
	VNIMESH_A_STATS_TX_NO_ROUTE,	/* no node owns the destination */
	VNIMESH_A_STATS_TX_NO_VNI,	/* destination is ours, but no such VNI */
	VNIMESH_A_STATS_TX_TOO_BIG,
	VNIMESH_A_STATS_TX_LOOP,	/* encapsulation inside itself */
	VNIMESH_A_STATS_TX_ERROR,	/* underlay route or memory */
	VNIMESH_A_STATS_RX_MALFORMED,	/* truncated, or not Geneve */
	VNIMESH_A_STATS_RX_FOREIGN,	/* protocol or critical option unknown */
	VNIMESH_A_STATS_RX_UNKNOWN_NODE,	/* outer source is no node */
	VNIMESH_A_STATS_RX_BAD_SOURCE,	/* inner source is not the node's */
	VNIMESH_A_STATS_RX_NO_VNI,	/* inner destination is not here */
	VNIMESH_A_STATS_RX_TOO_BIG,	/* above the MTU of the target */
	VNIMESH_A_STATS_RX_DOWN,	/* target device is down */
	VNIMESH_A_STATS_RX_ECN,		/* RFC 6040: outer CE on a not-ECT packet */
	VNIMESH_A_STATS_NO_RESOURCE,	/* row caps: refused netlink sets */
	VNIMESH_A_STATS_ICMP_TRANSLATED,	/* ICMP errors rewritten for a flow */
	VNIMESH_A_STATS_ICMP_NO_FLOW,	/* ICMP error to a service address about no flow */
	VNIMESH_A_STATS_ICMP_ANSWER,	/* ICMP errors sent to other hosts */
	VNIMESH_A_STATS_ICMP_LIMITED,	/* ... not sent: too many to one sender */
	VNIMESH_A_STATS_TX_OUTER_FRAGMENT,	/* minimum IPv6 packet, smaller underlay */
	VNIMESH_A_STATS_FRAGMENT_HOLD,	/* later fragments that waited for their first */
	VNIMESH_A_STATS_FRAGMENT_LOST,	/* ... and it did not come in time */
	VNIMESH_A_STATS_FRAGMENT_FULL,	/* fragment dropped, or datagram forgotten: no room */
	VNIMESH_A_STATS_EVIDENCE,	/* flows that failed at their member */
	VNIMESH_A_STATS_EVIDENCE_LOST,	/* ... not held against it: no room */
	VNIMESH_A_STATS_EJECT,		/* members put out for this host */
	VNIMESH_A_STATS_EJECT_PRIVATE,	/* ... for one client */
	VNIMESH_A_STATS_EJECT_CAPPED,	/* ... not: half of the service is out */
	VNIMESH_A_STATS_EJECT_BACK,	/* trials passed */
	VNIMESH_A_STATS_EVENT_LIMITED,	/* events of evidence not sent: rate */
	VNIMESH_A_STATS_RESTEER_REFUSED,	/* refused SYN to another member */
	VNIMESH_A_STATS_RESTEER_SILENT,	/* unanswered SYN to another member */
	VNIMESH_A_STATS_RESTEER_BUDGET,	/* refusal passed on: budget spent */
	VNIMESH_A_STATS_RESTEER_NO_SYN,	/* ... no copy of the SYN */
	VNIMESH_A_STATS_RESTEER_ALONE,	/* SYN stays: no other member */
	VNIMESH_A_STATS_RESTEER_LATE,	/* late reply to a moved SYN, reset */
	VNIMESH_A_STATS_SYN_LOST,	/* SYN not kept: no room */
	VNIMESH_A_STATS_RST_IGNORED,	/* RST that no end would believe */
	VNIMESH_A_STATS_FLOW_SHARE,	/* new flow refused: share of its VNI */
	VNIMESH_A_STATS_UPCALL_LIMIT,	/* refused: too many questions in a second */
	VNIMESH_A_STATS_HOLD_GONE,	/* held packet dropped: its VNI went */
	VNIMESH_A_STATS_RESOLVE_LIMIT,	/* resolves refused: too many wait, or too often */
	VNIMESH_A_STATS_FLOW_ABORTED,	/* connections reset: their member is down */
	VNIMESH_A_STATS_FLOW_REPINNED,	/* ... UDP and half-open ones let go */
	VNIMESH_A_STATS_FLOW_DYING,	/* segments of aborted connections, reset */
	VNIMESH_A_STATS_RESTEER_DOWN,	/* SYN to another member: its own is down */
	VNIMESH_A_STATS_RESET_LOST,	/* a reset could not be sent */
	VNIMESH_A_STATS_HOLD_REPEAT,	/* SYN dropped: it waits already */
	/* Of the UDP port, that is of all meshes here that share it: */
	VNIMESH_A_STATS_PORT_MALFORMED,	/* received: no Geneve packet */
	VNIMESH_A_STATS_PORT_FOREIGN,	/* ... or of no mesh that is here */
	VNIMESH_A_STATS_NEGATIVE_FULL,	/* negative entries gone before their time: no room */
	VNIMESH_A_STATS_FLOW_REUSED,	/* flow ended by another SYN from its port */
	VNIMESH_A_STATS_FLOW_LEFT,	/* flow forgotten: its client, or its address, went */
	VNIMESH_A_STATS_KEPT_LIMIT,	/* addresses that went, no flow to them kept: too many */
	__VNIMESH_A_STATS_MAX,
};

#define VNIMESH_A_STATS_MAX	(__VNIMESH_A_STATS_MAX - 1)

enum {
	VNIMESH_A_NODE_IFINDEX = 1,	/* u32, mesh device */
	VNIMESH_A_NODE_ID,		/* u32, 1.. */
	VNIMESH_A_NODE_NAME,		/* string, up to VNIMESH_NAME_MAX */
	VNIMESH_A_NODE_ZONE,		/* string, up to VNIMESH_NAME_MAX */
	VNIMESH_A_NODE_ADDR,		/* binary, underlay, of the family of the
					 * mesh's; required, not for self
					 */
	VNIMESH_A_NODE_PORT,		/* be16, default that of the mesh */
	VNIMESH_A_NODE_PREFIXES,	/* nest of nest prefix (item type ignored) */
	VNIMESH_A_NODE_STATE,		/* u8, enum vnimesh_state: up or down */
	VNIMESH_A_NODE_LATENCY,		/* u32 us, 0: unknown; Latency_to_Mesh_Node */
	VNIMESH_A_NODE_SELF,		/* flag, read only: this host */
	VNIMESH_A_NODE_ORIGIN,
	VNIMESH_A_NODE_SOURCE,
	VNIMESH_A_NODE_EPOCH,
	VNIMESH_A_NODE_SEQ,
	VNIMESH_A_NODE_GEN,
	VNIMESH_A_NODE_AGE,		/* u32 ms since the last set, read only */
	VNIMESH_A_NODE_PAD,
	__VNIMESH_A_NODE_MAX,
};

#define VNIMESH_A_NODE_MAX	(__VNIMESH_A_NODE_MAX - 1)

enum {
	VNIMESH_A_VNI_IFINDEX = 1,	/* u32, mesh device (get: a VNI's own too) */
	VNIMESH_A_VNI_ID,		/* u32, 1.. */
	VNIMESH_A_VNI_NODE_ID,		/* u32, required for a new remote VNI */
	VNIMESH_A_VNI_ADDR4,		/* in_addr */
	VNIMESH_A_VNI_ADDR6,		/* in6_addr */
	VNIMESH_A_VNI_STATE,		/* u8, enum vnimesh_state, as set */
	VNIMESH_A_VNI_HEALTH,		/* u8, 0..100 */
	VNIMESH_A_VNI_LATENCY,		/* u32 us, 0: take the node's */
	VNIMESH_A_VNI_LOCAL,		/* flag, read only: of this host */
	VNIMESH_A_VNI_DEV_IFINDEX,	/* u32, read only, local: its device */
	VNIMESH_A_VNI_DEV_NETNSID,	/* s32, read only, local: netns of the device */
	VNIMESH_A_VNI_DEV_UP,		/* u8, read only, local: device is up */
	VNIMESH_A_VNI_DEV_NAME,		/* string, read only, local */
	VNIMESH_A_VNI_ORIGIN,
	VNIMESH_A_VNI_SOURCE,
	VNIMESH_A_VNI_EPOCH,
	VNIMESH_A_VNI_SEQ,
	VNIMESH_A_VNI_GEN,
	VNIMESH_A_VNI_AGE,		/* u32 ms since the last set, read only */
	VNIMESH_A_VNI_PAD,
	/* u64, read only, local: us since boot when its device was made. No two
	 * devices of a VNI have the same, other than their index.
	 */
	VNIMESH_A_VNI_DEV_MADE,
	__VNIMESH_A_VNI_MAX,
};

#define VNIMESH_A_VNI_MAX	(__VNIMESH_A_VNI_MAX - 1)

enum {
	VNIMESH_A_SERVICE_IFINDEX = 1,	/* u32, mesh device */
	VNIMESH_A_SERVICE_TAG,		/* string, [a-z0-9]([a-z0-9-]*[a-z0-9])? */
	VNIMESH_A_SERVICE_ADDR4,	/* in_addr, in the service prefix */
	VNIMESH_A_SERVICE_ADDR6,	/* in6_addr, in the service prefix */
	VNIMESH_A_SERVICE_PORTS,	/* nest of nest port; empty: every port */
	VNIMESH_A_SERVICE_POLICY,	/* u8, enum vnimesh_policy */
	VNIMESH_A_SERVICE_LOADING,	/* u8, 1: members follow, packets wait;
					 * 0: complete, held packets go out
					 */
	VNIMESH_A_SERVICE_N_MEMBERS,	/* u32, read only */
	VNIMESH_A_SERVICE_USED,		/* u32, read only: ms since the last new
					 * flow, absent: never
					 */
	VNIMESH_A_SERVICE_ORIGIN,
	VNIMESH_A_SERVICE_SOURCE,
	VNIMESH_A_SERVICE_EPOCH,
	VNIMESH_A_SERVICE_SEQ,
	VNIMESH_A_SERVICE_GEN,
	VNIMESH_A_SERVICE_AGE,		/* u32 ms since the last set, read only */
	VNIMESH_A_SERVICE_PAD,
	VNIMESH_A_SERVICE_LOAD,		/* u8, enum vnimesh_load */
	VNIMESH_A_SERVICE_ON_DOWN,	/* u8, enum vnimesh_on_down */
	VNIMESH_A_SERVICE_DRAIN_TIME,	/* u32 ms, 0..86400000; 0: draining has no
					 * end, not with ON_DOWN drain
					 */
	__VNIMESH_A_SERVICE_MAX,
};

#define VNIMESH_A_SERVICE_MAX	(__VNIMESH_A_SERVICE_MAX - 1)

enum {
	VNIMESH_A_MEMBER_IFINDEX = 1,	/* u32, mesh device */
	VNIMESH_A_MEMBER_TAG,		/* string */
	VNIMESH_A_MEMBER_VNI_ID,	/* u32 */
	VNIMESH_A_MEMBER_WEIGHT,	/* u32, 0..VNIMESH_WEIGHT_MAX */
	VNIMESH_A_MEMBER_STATE,		/* u8, enum vnimesh_state */
	VNIMESH_A_MEMBER_HEALTH,	/* u8, 0..100 */
	VNIMESH_A_MEMBER_LATENCY,	/* u32 us, of the service itself */
	VNIMESH_A_MEMBER_STALE,		/* u8, 1: figures too old to be believed */
	VNIMESH_A_MEMBER_PORTS,		/* nest of nest port: overrides */
	VNIMESH_A_MEMBER_INFLIGHT,	/* u32, read only: flows from this host */
	VNIMESH_A_MEMBER_FLOWS,		/* u64, read only: flows ever bound */
	VNIMESH_A_MEMBER_ORIGIN,
	VNIMESH_A_MEMBER_SOURCE,
	VNIMESH_A_MEMBER_EPOCH,
	VNIMESH_A_MEMBER_SEQ,
	VNIMESH_A_MEMBER_GEN,
	VNIMESH_A_MEMBER_AGE,		/* u32 ms since the last set, read only */
	VNIMESH_A_MEMBER_PAD,
	VNIMESH_A_MEMBER_PENALTY,	/* u32 ms, read only: no new flows of this
					 * host so long; absent: none
					 */
	VNIMESH_A_MEMBER_EJECTED,	/* u32, read only: times this host put it out */
	VNIMESH_A_MEMBER_HOLDERS,	/* u32, read only: clients, each port by
					 * itself, that hold something against
					 * it
					 */
	VNIMESH_A_MEMBER_PRIORITY,	/* u8, for failover: the lowest first */
	VNIMESH_A_MEMBER_LATENCY_KIND,	/* u8, enum vnimesh_latency */
	__VNIMESH_A_MEMBER_MAX,
};

#define VNIMESH_A_MEMBER_MAX	(__VNIMESH_A_MEMBER_MAX - 1)

enum {
	VNIMESH_A_FLOW_IFINDEX = 1,	/* u32, mesh device */
	VNIMESH_A_FLOW_PROTO,		/* u8 */
	VNIMESH_A_FLOW_SRC,		/* binary, the client's VNI */
	VNIMESH_A_FLOW_SPORT,		/* be16 */
	VNIMESH_A_FLOW_DST,		/* binary, service address */
	VNIMESH_A_FLOW_DPORT,		/* be16 */
	VNIMESH_A_FLOW_TAG,		/* string; absent: direct flow */
	VNIMESH_A_FLOW_VNI_ID,		/* u32, the member's VNI */
	VNIMESH_A_FLOW_MEMBER_ADDR,	/* binary */
	VNIMESH_A_FLOW_MEMBER_PORT,	/* be16 */
	VNIMESH_A_FLOW_NAT_SPORT,	/* be16, source port as the member sees it */
	VNIMESH_A_FLOW_STATE,		/* u8, enum vnimesh_flow_state */
	VNIMESH_A_FLOW_IDLE,		/* u32 ms */
	VNIMESH_A_FLOW_EXPIRES,		/* u32 ms */
	VNIMESH_A_FLOW_PACKETS,		/* u64, to the member */
	VNIMESH_A_FLOW_PAD,
	__VNIMESH_A_FLOW_MAX,
};

#define VNIMESH_A_FLOW_MAX	(__VNIMESH_A_FLOW_MAX - 1)

/* route-get: request TAG or DST, and optionally SRC, PROTO, DPORT, SEED.
 * resolve: request TAG; IFINDEX is a VNI or mesh device of the caller's netns.
 */
enum {
	VNIMESH_A_ROUTE_IFINDEX = 1,	/* u32 */
	VNIMESH_A_ROUTE_TAG,		/* string */
	VNIMESH_A_ROUTE_DST,		/* binary */
	VNIMESH_A_ROUTE_SRC,		/* binary */
	VNIMESH_A_ROUTE_PROTO,		/* u8 */
	VNIMESH_A_ROUTE_DPORT,		/* be16 */
	VNIMESH_A_ROUTE_FAMILY,		/* u8, AF_INET (default) or AF_INET6 */
	VNIMESH_A_ROUTE_SEED,		/* u64 */
	VNIMESH_A_ROUTE_VNI_ID,		/* u32, the one chosen; absent: none */
	VNIMESH_A_ROUTE_NODE_ID,	/* u32 */
	VNIMESH_A_ROUTE_ADDR4,		/* in_addr: of the service, or of the VNI */
	VNIMESH_A_ROUTE_ADDR6,		/* in6_addr */
	VNIMESH_A_ROUTE_MEMBER_ADDR,	/* binary, where the flow would go */
	VNIMESH_A_ROUTE_MEMBER_PORT,	/* be16 */
	VNIMESH_A_ROUTE_UNDERLAY,	/* binary, address of the node; absent: local */
	VNIMESH_A_ROUTE_CANDIDATES,	/* nest of nest candidate */
	VNIMESH_A_ROUTE_PAD,
	VNIMESH_A_ROUTE_POLICY,		/* u8, enum vnimesh_policy */
	VNIMESH_A_ROUTE_LOAD,		/* u8, enum vnimesh_load */
	VNIMESH_A_ROUTE_LATENCY_KIND,	/* u8, the kind that is compared */
	VNIMESH_A_ROUTE_HOW,		/* u8, enum vnimesh_how; absent: none chosen */
	VNIMESH_A_ROUTE_HASH,		/* u32, of the client, for maglev */
	VNIMESH_A_ROUTE_PANIC,		/* u8, 1: so many ejected that it is ignored */
	VNIMESH_A_ROUTE_TIERS,		/* nest of nest tier */
	VNIMESH_A_ROUTE_TIERS_AGE,	/* u32 ms since the tiers were counted */
	__VNIMESH_A_ROUTE_MAX,
};

#define VNIMESH_A_ROUTE_MAX	(__VNIMESH_A_ROUTE_MAX - 1)

enum {
	VNIMESH_A_CAND_VNI_ID = 1,	/* u32 */
	VNIMESH_A_CAND_NODE_ID,		/* u32 */
	VNIMESH_A_CAND_ADDR,		/* binary */
	VNIMESH_A_CAND_WEIGHT,		/* u32 */
	VNIMESH_A_CAND_HEALTH,		/* u8, effective: lower of VNI and member */
	VNIMESH_A_CAND_LATENCY,		/* u32 us, effective (Lp) */
	VNIMESH_A_CAND_KLATENCY,	/* u32 us, of handshakes by this kernel (Lk), raw */
	VNIMESH_A_CAND_INFLIGHT,	/* u32 */
	VNIMESH_A_CAND_STALE,		/* u8 */
	VNIMESH_A_CAND_COST,		/* u64, within its tier; absent: excluded */
	VNIMESH_A_CAND_EXCLUDED,	/* u8, enum vnimesh_exclude */
	VNIMESH_A_CAND_CHOSEN,		/* flag */
	VNIMESH_A_CAND_AGE,		/* u32 ms of the figures */
	VNIMESH_A_CAND_PAD,
	VNIMESH_A_CAND_PENALTY,		/* u32 ms until a trial; absent: none */
	VNIMESH_A_CAND_EVIDENCE,	/* u8, held by SRC, below 3 */
	VNIMESH_A_CAND_DOUBLINGS,	/* u8, of the next penalty */
	VNIMESH_A_CAND_PATH,		/* u32 us, round trip to the node, 0 unknown */
	VNIMESH_A_CAND_LATENCY_KIND,	/* u8, of LATENCY */
	VNIMESH_A_CAND_KLATENCY_AGE,	/* u32 ms: KLATENCY is what it was then */
	VNIMESH_A_CAND_RLATENCY,	/* u32 us, of first responses, raw */
	VNIMESH_A_CAND_RLATENCY_AGE,	/* u32 ms */
	VNIMESH_A_CAND_COUNTED_LATENCY,	/* u32 us, as it enters the cost */
	VNIMESH_A_CAND_RAMP,		/* u32 ms since it came up; absent: long ago */
	VNIMESH_A_CAND_TIER,		/* u8, locality of its zone: 0 the same */
	VNIMESH_A_CAND_PRIORITY,	/* u8 */
	VNIMESH_A_CAND_MEMBER_HEALTH,	/* u8, of the member row */
	VNIMESH_A_CAND_VNI_HEALTH,	/* u8, of the VNI row */
	VNIMESH_A_CAND_VNI_AGE,		/* u32 ms since the VNI row was set */
	VNIMESH_A_CAND_NODE_AGE,	/* u32 ms since the node row was set */
	VNIMESH_A_CAND_SLOT,		/* u32, place among what is sampled */
	__VNIMESH_A_CAND_MAX,
};

#define VNIMESH_A_CAND_MAX	(__VNIMESH_A_CAND_MAX - 1)

/* A tier of candidates, as it was counted. */
enum {
	VNIMESH_A_TIER_TOTAL = 1,	/* u32, sum of the weights */
	VNIMESH_A_TIER_HEALTHY,		/* u32, ... of those eligible, as ramped */
	VNIMESH_A_TIER_MEDIAN,		/* u32 us of the latencies, 0 unknown */
	VNIMESH_A_TIER_SHARE,		/* u32, of new flows in 1/65536 */
	VNIMESH_A_TIER_FIRST,		/* u32, the slots of its candidates */
	VNIMESH_A_TIER_N,		/* u32, ... how many */
	__VNIMESH_A_TIER_MAX,
};

#define VNIMESH_A_TIER_MAX	(__VNIMESH_A_TIER_MAX - 1)

/* agent-bind: IFINDEX, and RELEASE to give the claim back. A new claim ends the
 * negative entries.
 * miss (kernel to agent, unicast): IFINDEX ADDR VNI_ID or, for a parked
 * resolve, TAG. miss-answer: IFINDEX, ADDR or TAG, VERDICT, TTL; a service
 * that exists is answered by service-set instead.
 */
enum {
	VNIMESH_A_MISS_IFINDEX = 1,	/* u32, mesh device */
	VNIMESH_A_MISS_ADDR,		/* binary, in the service prefix */
	VNIMESH_A_MISS_TAG,		/* string */
	VNIMESH_A_MISS_VNI_ID,		/* u32, who asked first */
	VNIMESH_A_MISS_VERDICT,		/* u8, enum vnimesh_verdict */
	VNIMESH_A_MISS_TTL,		/* u32, 0..60000 ms of the negative entry,
					 * 0: this answer only
					 */
	VNIMESH_A_MISS_RELEASE,		/* flag */
	__VNIMESH_A_MISS_MAX,
};

#define VNIMESH_A_MISS_MAX	(__VNIMESH_A_MISS_MAX - 1)

/* sweep: delete all rows of ORIGIN (agent or learned, never static) and, if
 * given, of SOURCE and of OBJECT, whose GEN differs from the given one.
 * OBJECT node keeps self, OBJECT vni keeps local VNIs.
 */
enum vnimesh_object {
	VNIMESH_OBJECT_NODE = 1,
	VNIMESH_OBJECT_VNI,
	VNIMESH_OBJECT_SERVICE,
	VNIMESH_OBJECT_MEMBER,
};

enum {
	VNIMESH_A_SWEEP_IFINDEX = 1,	/* u32, mesh device */
	VNIMESH_A_SWEEP_ORIGIN,		/* u8 */
	VNIMESH_A_SWEEP_SOURCE,		/* u32, optional */
	VNIMESH_A_SWEEP_OBJECT,		/* u8, optional: enum vnimesh_object */
	VNIMESH_A_SWEEP_TAG,		/* string, optional: members of one service */
	VNIMESH_A_SWEEP_GEN,		/* u64 */
	VNIMESH_A_SWEEP_COUNT,		/* u32, reply: rows deleted */
	VNIMESH_A_SWEEP_PAD,
	__VNIMESH_A_SWEEP_MAX,
};

#define VNIMESH_A_SWEEP_MAX	(__VNIMESH_A_SWEEP_MAX - 1)

enum {
	VNIMESH_A_EVENT_IFINDEX = 1,	/* u32, mesh device */
	VNIMESH_A_EVENT_TYPE,		/* u8, enum vnimesh_event */
	VNIMESH_A_EVENT_VNI_ID,		/* u32 */
	VNIMESH_A_EVENT_TAG,		/* string */
	VNIMESH_A_EVENT_CLIENT,		/* u32, VNI id of the client */
	VNIMESH_A_EVENT_KIND,		/* u8, enum vnimesh_evidence_kind */
	VNIMESH_A_EVENT_DPORT,		/* be16, of the service */
	VNIMESH_A_EVENT_PENALTY,	/* u32 ms */
	VNIMESH_A_EVENT_COUNT,		/* u32 */
	__VNIMESH_A_EVENT_MAX,
};

#define VNIMESH_A_EVENT_MAX	(__VNIMESH_A_EVENT_MAX - 1)

enum vnimesh_cmd {
	VNIMESH_CMD_MESH_GET = 1,	/* do, dump */
	VNIMESH_CMD_MESH_SET,
	VNIMESH_CMD_NODE_GET,		/* do, dump */
	VNIMESH_CMD_NODE_SET,
	VNIMESH_CMD_NODE_DEL,
	VNIMESH_CMD_VNI_GET,		/* do, dump */
	VNIMESH_CMD_VNI_SET,
	VNIMESH_CMD_VNI_DEL,
	VNIMESH_CMD_SERVICE_GET,	/* do, dump */
	VNIMESH_CMD_SERVICE_SET,
	VNIMESH_CMD_SERVICE_DEL,
	VNIMESH_CMD_MEMBER_GET,		/* do, dump; dump takes TAG, VNI_ID filters */
	VNIMESH_CMD_MEMBER_SET,
	VNIMESH_CMD_MEMBER_DEL,
	VNIMESH_CMD_FLOW_GET,		/* dump; takes TAG, VNI_ID filters */
	VNIMESH_CMD_FLOW_DEL,		/* by full tuple, or all of TAG / VNI_ID */
	VNIMESH_CMD_RESOLVE,		/* without privilege, from a VNI's netns */
	VNIMESH_CMD_ROUTE_GET,
	VNIMESH_CMD_AGENT_BIND,
	VNIMESH_CMD_MISS_ANSWER,
	VNIMESH_CMD_SWEEP,
	VNIMESH_CMD_MISS,		/* kernel -> bound agent */
	VNIMESH_CMD_MESH_NTF,		/* group config */
	VNIMESH_CMD_NODE_NTF,
	VNIMESH_CMD_NODE_DEL_NTF,
	VNIMESH_CMD_VNI_NTF,
	VNIMESH_CMD_VNI_DEL_NTF,
	VNIMESH_CMD_SERVICE_NTF,
	VNIMESH_CMD_SERVICE_DEL_NTF,
	VNIMESH_CMD_MEMBER_NTF,
	VNIMESH_CMD_MEMBER_DEL_NTF,
	VNIMESH_CMD_EVENT_NTF,		/* group events */
	__VNIMESH_CMD_MAX,
};

#define VNIMESH_CMD_MAX		(__VNIMESH_CMD_MAX - 1)

#endif /* _UAPI_LINUX_VNIMESH_H */
