// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters by name, and the reason of the core that comes closest. Reasons of
 * our own would need a number in the core's list of subsystems, which a module
 * of its own tree cannot have; the tracepoint has the exact one.
 */
#include <linux/skbuff.h>

#include "drop.h"
#include "sock.h"
#include "trace.h"

static const struct {
	const char *name;
	enum skb_drop_reason reason;	/* 0: not the end of a packet */
} counters[VNIMESH_A_STATS_MAX + 1] = {
#define COUNTER(what, text)						\
	[VNIMESH_A_STATS_##what] = { text }
#define DROP(what, text, why)						\
	[VNIMESH_A_STATS_##what] = { text, SKB_DROP_REASON_##why }
	COUNTER(FLOW_NEW, "flow-new"),
	COUNTER(FLOW_EXPIRED, "flow-expired"),
	DROP(FLOW_FULL, "flow-full", FULL_RING),
	COUNTER(FLOW_EARLY_DROP, "flow-early-drop"),
	COUNTER(FLOW_CONFLICT, "flow-conflict"),
	DROP(NO_MEMBER, "no-member", NO_SOCKET),
	DROP(NO_PORT, "no-port", NO_SOCKET),
	DROP(NO_FLOW, "no-flow", NO_SOCKET),
	DROP(NO_SERVICE, "no-service", NO_SOCKET),
	DROP(NO_AGENT, "no-agent", NEIGH_FAILED),
	DROP(NO_ANSWER, "no-answer", NEIGH_FAILED),
	DROP(COORDINATOR_AWAY, "coordinator-away", NEIGH_FAILED),
	COUNTER(UPCALL, "upcall"),
	COUNTER(UPCALL_LOST, "upcall-lost"),
	COUNTER(HOLD, "hold"),
	DROP(HOLD_OVERFLOW, "hold-overflow", NEIGH_QUEUEFULL),
	COUNTER(RELEASE, "release"),
	DROP(TX_BAD_SOURCE, "tx-bad-source", IP_RPFILTER),
	DROP(TX_UNSUPPORTED, "tx-unsupported", UNHANDLED_PROTO),
	DROP(TX_MALFORMED, "tx-malformed", IP_INHDR),
	DROP(TX_FRAGMENT, "tx-fragment", UNHANDLED_PROTO),
	DROP(TX_NO_ROUTE, "tx-no-route", IP_OUTNOROUTES),
	DROP(TX_NO_VNI, "tx-no-vni", IP_OUTNOROUTES),
	DROP(TX_TOO_BIG, "tx-too-big", PKT_TOO_BIG),
	DROP(TX_LOOP, "tx-loop", IP_OUTNOROUTES),
	DROP(TX_ERROR, "tx-error", NOMEM),
	DROP(RX_MALFORMED, "rx-malformed", IP_INHDR),
	DROP(RX_FOREIGN, "rx-foreign", UNHANDLED_PROTO),
	DROP(RX_UNKNOWN_NODE, "rx-unknown-node", IP_RPFILTER),
	DROP(RX_BAD_SOURCE, "rx-bad-source", IP_RPFILTER),
	DROP(RX_NO_VNI, "rx-no-vni", IP_INNOROUTES),
	DROP(RX_TOO_BIG, "rx-too-big", PKT_TOO_BIG),
	DROP(RX_DOWN, "rx-down", DEV_READY),
	DROP(RX_ECN, "rx-ecn", IP_INHDR),
	COUNTER(NO_RESOURCE, "no-resource"),
	COUNTER(ICMP_TRANSLATED, "icmp-translated"),
	DROP(ICMP_NO_FLOW, "icmp-no-flow", NO_SOCKET),
	COUNTER(ICMP_ANSWER, "icmp-answer"),
	COUNTER(ICMP_LIMITED, "icmp-limited"),
	COUNTER(TX_OUTER_FRAGMENT, "tx-outer-fragment"),
	COUNTER(FRAGMENT_HOLD, "fragment-hold"),
	DROP(FRAGMENT_LOST, "fragment-lost", UNHANDLED_PROTO),
	DROP(FRAGMENT_FULL, "fragment-full", FULL_RING),
	COUNTER(EVIDENCE, "evidence"),
	COUNTER(EVIDENCE_LOST, "evidence-lost"),
	COUNTER(EJECT, "eject"),
	COUNTER(EJECT_PRIVATE, "eject-private"),
	COUNTER(EJECT_CAPPED, "eject-capped"),
	COUNTER(EJECT_BACK, "eject-back"),
	COUNTER(EVENT_LIMITED, "event-limited"),
	COUNTER(RESTEER_REFUSED, "resteer-refused"),
	COUNTER(RESTEER_SILENT, "resteer-silent"),
	COUNTER(RESTEER_BUDGET, "resteer-budget"),
	COUNTER(RESTEER_NO_SYN, "resteer-no-syn"),
	COUNTER(RESTEER_ALONE, "resteer-alone"),
	COUNTER(RESTEER_LATE, "resteer-late"),
	COUNTER(SYN_LOST, "syn-lost"),
	COUNTER(RST_IGNORED, "rst-ignored"),
	DROP(FLOW_SHARE, "flow-share", FULL_RING),
	DROP(UPCALL_LIMIT, "upcall-limit", NEIGH_FAILED),
	DROP(HOLD_GONE, "hold-gone", DEV_READY),
	COUNTER(RESOLVE_LIMIT, "resolve-limit"),
	COUNTER(FLOW_ABORTED, "flow-aborted"),
	COUNTER(FLOW_REPINNED, "flow-repinned"),
	DROP(FLOW_DYING, "flow-dying", TCP_CLOSE),
	COUNTER(RESTEER_DOWN, "resteer-down"),
	COUNTER(RESET_LOST, "reset-lost"),
	DROP(HOLD_REPEAT, "hold-repeat", NEIGH_QUEUEFULL),
	DROP(PORT_MALFORMED, "port-malformed", IP_INHDR),
	DROP(PORT_FOREIGN, "port-foreign", UNHANDLED_PROTO),
	COUNTER(NEGATIVE_FULL, "negative-full"),
	COUNTER(FLOW_REUSED, "flow-reused"),
	COUNTER(FLOW_LEFT, "flow-left"),
	COUNTER(KEPT_LIMIT, "kept-limit"),
#undef COUNTER
#undef DROP
};

const char *vnimesh_counter_name(unsigned int what)
{
	if (what >= ARRAY_SIZE(counters) || !counters[what].name)
		return "?";
	return counters[what].name;
}

static void end(struct sk_buff *skb, unsigned int what)
{
	kfree_skb_reason(skb, counters[what].reason ?:
			 SKB_DROP_REASON_NOT_SPECIFIED);
}

void vnimesh_drop(struct vnimesh_dev *from, struct sk_buff *skb,
		  unsigned int what)
{
	this_cpu_inc(from->mesh->stats->c[what]);
	dev_core_stats_tx_dropped_inc(from->dev);
	trace_vnimesh_tx_drop(from, skb, what);
	end(skb, what);
}

void vnimesh_drop_rx(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		     unsigned int what)
{
	this_cpu_inc(mesh->stats->c[what]);
	dev_core_stats_rx_dropped_inc(mesh->dev);
	trace_vnimesh_rx_drop(mesh, skb, what);
	end(skb, what);
}

void vnimesh_drop_stray(struct vnimesh_sock *vs, struct sk_buff *skb,
			unsigned int what)
{
	vnimesh_sock_count(vs, what);
	trace_vnimesh_rx_drop(NULL, skb, what);
	end(skb, what);
}
