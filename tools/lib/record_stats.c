// SPDX-License-Identifier: GPL-2.0-or-later
/* The counters of a mesh. Their JSON names follow from those given here. */
#include "record_fields.h"

#define STAT(A, n) \
	[VNIMESH_A_STATS_##A] = { .name = n, .kind = VNM_K_U64, \
		.off = offsetof(struct vnm_stats, v[VNIMESH_A_STATS_##A]) }

static const struct vnm_field stats_fields[] = {
	[VNIMESH_A_STATS_PAD] = { .name = "pad", .kind = VNM_K_NONE },
	STAT(FLOWS, "flows"),
	STAT(SERVICES, "services"),
	STAT(MEMBERS, "members"),
	STAT(NODES, "nodes"),
	STAT(VNIS, "vnis"),
	STAT(HELD, "held"),
	STAT(FLOW_NEW, "flow-new"),
	STAT(FLOW_EXPIRED, "flow-expired"),
	STAT(FLOW_FULL, "flow-full"),
	STAT(FLOW_EARLY_DROP, "flow-early-drop"),
	STAT(FLOW_CONFLICT, "flow-conflict"),
	STAT(NO_MEMBER, "no-member"),
	STAT(NO_PORT, "no-port"),
	STAT(NO_FLOW, "no-flow"),
	STAT(NO_SERVICE, "no-service"),
	STAT(NO_AGENT, "no-agent"),
	STAT(NO_ANSWER, "no-answer"),
	STAT(COORDINATOR_AWAY, "coordinator-away"),
	STAT(UPCALL, "upcall"),
	STAT(UPCALL_LOST, "upcall-lost"),
	STAT(HOLD, "hold"),
	STAT(HOLD_OVERFLOW, "hold-overflow"),
	STAT(RELEASE, "release"),
	STAT(TX_BAD_SOURCE, "tx-bad-source"),
	STAT(TX_UNSUPPORTED, "tx-unsupported"),
	STAT(TX_MALFORMED, "tx-malformed"),
	STAT(TX_FRAGMENT, "tx-fragment"),
	STAT(TX_NO_ROUTE, "tx-no-route"),
	STAT(TX_NO_VNI, "tx-no-vni"),
	STAT(TX_TOO_BIG, "tx-too-big"),
	STAT(TX_LOOP, "tx-loop"),
	STAT(TX_ERROR, "tx-error"),
	STAT(RX_MALFORMED, "rx-malformed"),
	STAT(RX_FOREIGN, "rx-foreign"),
	STAT(RX_UNKNOWN_NODE, "rx-unknown-node"),
	STAT(RX_BAD_SOURCE, "rx-bad-source"),
	STAT(RX_NO_VNI, "rx-no-vni"),
	STAT(RX_TOO_BIG, "rx-too-big"),
	STAT(RX_DOWN, "rx-down"),
	STAT(RX_ECN, "rx-ecn"),
	STAT(NO_RESOURCE, "no-resource"),
	STAT(ICMP_TRANSLATED, "icmp-translated"),
	STAT(ICMP_NO_FLOW, "icmp-no-flow"),
	STAT(ICMP_ANSWER, "icmp-answer"),
	STAT(ICMP_LIMITED, "icmp-limited"),
	STAT(TX_OUTER_FRAGMENT, "tx-outer-fragment"),
	STAT(FRAGMENT_HOLD, "fragment-hold"),
	STAT(FRAGMENT_LOST, "fragment-lost"),
	STAT(FRAGMENT_FULL, "fragment-full"),
};

const struct vnm_type vnm_stats_type = {
	.name = "stats",
	.fields = stats_fields,
	.max = VNIMESH_A_STATS_MAX,
	.size = sizeof(struct vnm_stats),
};
