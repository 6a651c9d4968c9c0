/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of the system "vnimesh". Documentation/tracing.md shows them to
 * users. Each counter has one: the end of a packet tx_drop or rx_drop (drop.c),
 * anything else count (vnimesh_count()).
 *
 * Names and addresses are copied into fixed arrays: how __string() is filled
 * differs between kernels, and what a pointer points to may be gone when the
 * buffer is read.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vnimesh

#if !defined(_VNIMESH_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _VNIMESH_TRACE_H

#include <linux/in6.h>
#include <linux/skbuff.h>
#include <linux/tracepoint.h>

#include "choose.h"
#include "drop.h"
#include "flow.h"

#ifndef _VNIMESH_TRACE_HELPERS
#define _VNIMESH_TRACE_HELPERS
#define VNIMESH_TRACE_NAME	24	/* of a counter, with the NUL */
#define VNIMESH_TRACE_ADDR	sizeof(struct sockaddr_in6)

/* A socket address, as %pISpc wants it, in VNIMESH_TRACE_ADDR bytes. */
void vnimesh_trace_addr(u8 *to, u8 family, const union vnimesh_ip *ip,
			__be16 port);
void vnimesh_trace_packet(const struct sk_buff *skb, u8 *src, u8 *dst,
			  u8 *proto);
#endif

TRACE_EVENT(vnimesh_count,
	TP_PROTO(const struct vnimesh_mesh *mesh, unsigned int what,
		 unsigned int n),
	TP_ARGS(mesh, what, n),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, n)
		__array(char, counter, VNIMESH_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->mesh = mesh->id;
		__entry->node = mesh->node_id;
		__entry->n = n;
		strscpy(__entry->counter, vnimesh_counter_name(what),
			VNIMESH_TRACE_NAME);
	),
	TP_printk("mesh=%u node=%u counter=%s n=%u", __entry->mesh,
		  __entry->node, __entry->counter, __entry->n)
);

TRACE_EVENT(vnimesh_tx_drop,
	TP_PROTO(const struct vnimesh_dev *from, const struct sk_buff *skb,
		 unsigned int what),
	TP_ARGS(from, skb, what),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, vni)
		__field(u32, len)
		__field(u8, proto)
		__array(u8, src, VNIMESH_TRACE_ADDR)
		__array(u8, dst, VNIMESH_TRACE_ADDR)
		__array(char, counter, VNIMESH_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->mesh = from->mesh->id;
		__entry->node = from->mesh->node_id;
		__entry->vni = from->vni ? from->vni->id : 0;
		__entry->len = skb->len;
		vnimesh_trace_packet(skb, __entry->src, __entry->dst,
				     &__entry->proto);
		strscpy(__entry->counter, vnimesh_counter_name(what),
			VNIMESH_TRACE_NAME);
	),
	TP_printk("mesh=%u node=%u vni=%u counter=%s proto=%u src=%pISpc dst=%pISpc len=%u",
		  __entry->mesh, __entry->node, __entry->vni, __entry->counter,
		  __entry->proto, __entry->src, __entry->dst, __entry->len)
);

/* @mesh NULL: of none. */
TRACE_EVENT(vnimesh_rx_drop,
	TP_PROTO(const struct vnimesh_mesh *mesh, const struct sk_buff *skb,
		 unsigned int what),
	TP_ARGS(mesh, skb, what),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, len)
		__field(u8, proto)
		__array(u8, src, VNIMESH_TRACE_ADDR)
		__array(u8, dst, VNIMESH_TRACE_ADDR)
		__array(char, counter, VNIMESH_TRACE_NAME)
	),
	TP_fast_assign(
		__entry->mesh = mesh ? mesh->id : 0;
		__entry->node = mesh ? mesh->node_id : 0;
		__entry->len = skb->len;
		vnimesh_trace_packet(skb, __entry->src, __entry->dst,
				     &__entry->proto);
		strscpy(__entry->counter, vnimesh_counter_name(what),
			VNIMESH_TRACE_NAME);
	),
	TP_printk("mesh=%u node=%u counter=%s proto=%u src=%pISpc dst=%pISpc len=%u",
		  __entry->mesh, __entry->node, __entry->counter, __entry->proto,
		  __entry->src, __entry->dst, __entry->len)
);

DECLARE_EVENT_CLASS(vnimesh_flow_class,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_flow *flow),
	TP_ARGS(mesh, flow),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, client)
		__field(u32, server)
		__field(u8, proto)
		__field(u8, state)
		__array(u8, src, VNIMESH_TRACE_ADDR)
		__array(u8, dst, VNIMESH_TRACE_ADDR)
		__array(u8, to, VNIMESH_TRACE_ADDR)
		__field(u32, idle)
	),
	TP_fast_assign(
		const struct vnimesh_tuple *f = &flow->link[VNIMESH_FORWARD].tuple;
		const struct vnimesh_tuple *r = &flow->link[VNIMESH_REVERSE].tuple;

		__entry->mesh = mesh->id;
		__entry->node = mesh->node_id;
		__entry->client = flow->client->id;
		__entry->server = flow->member ? flow->member->vni->id : 0;
		__entry->proto = f->proto;
		__entry->state = READ_ONCE(flow->state);
		vnimesh_trace_addr(__entry->src, f->family, &f->src, f->sport);
		vnimesh_trace_addr(__entry->dst, f->family, &f->dst, f->dport);
		vnimesh_trace_addr(__entry->to, r->family, &r->src, r->sport);
		__entry->idle = jiffies_to_msecs(vnimesh_flow_idle(flow));
	),
	TP_printk("mesh=%u node=%u client=%u server=%u proto=%u state=%u src=%pISpc dst=%pISpc to=%pISpc idle_ms=%u",
		  __entry->mesh, __entry->node, __entry->client, __entry->server,
		  __entry->proto, __entry->state, __entry->src, __entry->dst,
		  __entry->to, __entry->idle)
);

DEFINE_EVENT(vnimesh_flow_class, vnimesh_flow_new,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_flow *flow),
	TP_ARGS(mesh, flow)
);

/* Why, the counters say: expired, early drop; else it was replaced or deleted,
 * or an end of it is gone.
 */
DEFINE_EVENT(vnimesh_flow_class, vnimesh_flow_end,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_flow *flow),
	TP_ARGS(mesh, flow)
);

DECLARE_EVENT_CLASS(vnimesh_heal_class,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_flow *flow, const char *why),
	TP_ARGS(mesh, flow, why),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, client)
		__field(u32, server)
		__field(u8, proto)
		__field(u8, state)
		__array(u8, src, VNIMESH_TRACE_ADDR)
		__array(u8, dst, VNIMESH_TRACE_ADDR)
		__array(u8, to, VNIMESH_TRACE_ADDR)
		__array(char, why, VNIMESH_TRACE_NAME)
	),
	TP_fast_assign(
		const struct vnimesh_tuple *f = &flow->link[VNIMESH_FORWARD].tuple;
		const struct vnimesh_tuple *r = &flow->link[VNIMESH_REVERSE].tuple;

		__entry->mesh = mesh->id;
		__entry->node = mesh->node_id;
		__entry->client = flow->client->id;
		__entry->server = flow->member ? flow->member->vni->id : 0;
		__entry->proto = f->proto;
		__entry->state = READ_ONCE(flow->state);
		vnimesh_trace_addr(__entry->src, f->family, &f->src, f->sport);
		vnimesh_trace_addr(__entry->dst, f->family, &f->dst, f->dport);
		vnimesh_trace_addr(__entry->to, r->family, &r->src, r->sport);
		strscpy(__entry->why, why, VNIMESH_TRACE_NAME);
	),
	TP_printk("mesh=%u node=%u client=%u server=%u proto=%u state=%u src=%pISpc dst=%pISpc to=%pISpc why=%s",
		  __entry->mesh, __entry->node, __entry->client, __entry->server,
		  __entry->proto, __entry->state, __entry->src, __entry->dst,
		  __entry->to, __entry->why)
);

/* A SYN went to another member: @flow is the new flow. */
DEFINE_EVENT(vnimesh_heal_class, vnimesh_resteer,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_flow *flow, const char *why),
	TP_ARGS(mesh, flow, why)
);

/* Both ends are reset. */
DEFINE_EVENT(vnimesh_heal_class, vnimesh_abort,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_flow *flow, const char *why),
	TP_ARGS(mesh, flow, why)
);

/* @member NULL: nobody was eligible. With the seed the choice is repeatable:
 * `vnimesh route get`.
 */
TRACE_EVENT(vnimesh_choose,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_choose_args *args,
		 const struct vnimesh_member *member, u64 cost),
	TP_ARGS(mesh, args, member, cost),
	TP_STRUCT__entry(
		__field(u64, cost)
		__field(u64, seed)
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, client)
		__field(u32, server)
		__array(u8, src, VNIMESH_TRACE_ADDR)
		__array(u8, dst, VNIMESH_TRACE_ADDR)
		__array(char, tag, VNIMESH_TAG_MAX + 1)
	),
	TP_fast_assign(
		const struct vnimesh_tuple *t = args->tuple;

		__entry->cost = cost;
		__entry->seed = args->seed;
		__entry->mesh = mesh->id;
		__entry->node = mesh->node_id;
		__entry->client = args->client ? args->client->id : 0;
		__entry->server = member ? member->vni->id : 0;
		vnimesh_trace_addr(__entry->src, t->family, &t->src, t->sport);
		vnimesh_trace_addr(__entry->dst, t->family, &t->dst, t->dport);
		strscpy(__entry->tag, args->service->tag, VNIMESH_TAG_MAX + 1);
	),
	TP_printk("mesh=%u node=%u tag=%s client=%u server=%u cost=%llu seed=0x%016llx src=%pISpc dst=%pISpc",
		  __entry->mesh, __entry->node, __entry->tag, __entry->client,
		  __entry->server, __entry->cost, __entry->seed,
		  __entry->src, __entry->dst)
);

/* A member is set aside, for one client VNI or (@client 0) for the host; @ms 0:
 * no longer.
 */
TRACE_EVENT(vnimesh_eject,
	TP_PROTO(const struct vnimesh_mesh *mesh,
		 const struct vnimesh_member *member, u32 client, u32 evidence,
		 u32 ms),
	TP_ARGS(mesh, member, client, evidence, ms),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, server)
		__field(u32, client)
		__field(u32, evidence)
		__field(u32, ms)
		__array(char, tag, VNIMESH_TAG_MAX + 1)
	),
	TP_fast_assign(
		__entry->mesh = mesh->id;
		__entry->node = mesh->node_id;
		__entry->server = member->vni->id;
		__entry->client = client;
		__entry->evidence = evidence;
		__entry->ms = ms;
		strscpy(__entry->tag, member->service->tag,
			VNIMESH_TAG_MAX + 1);
	),
	TP_printk("mesh=%u node=%u tag=%s server=%u client=%u evidence=%u ms=%u",
		  __entry->mesh, __entry->node, __entry->tag, __entry->server,
		  __entry->client, __entry->evidence, __entry->ms)
);

/* A question for the agent, for @ip or, with family 0, for @tag; @err is the
 * outcome of sending it.
 */
TRACE_EVENT(vnimesh_miss,
	TP_PROTO(const struct vnimesh_mesh *mesh, u32 vni, u8 family,
		 const union vnimesh_ip *ip, const char *tag, int err),
	TP_ARGS(mesh, vni, family, ip, tag, err),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, vni)
		__field(int, err)
		__array(u8, dst, VNIMESH_TRACE_ADDR)
		__array(char, tag, VNIMESH_TAG_MAX + 1)
	),
	TP_fast_assign(
		__entry->mesh = mesh->id;
		__entry->node = mesh->node_id;
		__entry->vni = vni;
		__entry->err = err;
		vnimesh_trace_addr(__entry->dst, ip ? family : 0, ip, 0);
		strscpy(__entry->tag, tag ?: "", VNIMESH_TAG_MAX + 1);
	),
	TP_printk("mesh=%u node=%u vni=%u dst=%pISc tag=%s err=%d",
		  __entry->mesh, __entry->node, __entry->vni, __entry->dst, __entry->tag, __entry->err)
);

/* A packet waits for an answer; @n wait now in this mesh, @own of this VNI. */
TRACE_EVENT(vnimesh_hold,
	TP_PROTO(const struct vnimesh_dev *from, const struct sk_buff *skb,
		 u32 n, u32 own),
	TP_ARGS(from, skb, n, own),
	TP_STRUCT__entry(
		__field(u32, mesh)
		__field(u32, node)
		__field(u32, vni)
		__field(u32, n)
		__field(u32, own)
		__field(u8, proto)
		__array(u8, src, VNIMESH_TRACE_ADDR)
		__array(u8, dst, VNIMESH_TRACE_ADDR)
	),
	TP_fast_assign(
		__entry->mesh = from->mesh->id;
		__entry->node = from->mesh->node_id;
		__entry->vni = from->vni->id;
		__entry->n = n;
		__entry->own = own;
		vnimesh_trace_packet(skb, __entry->src, __entry->dst,
				     &__entry->proto);
	),
	TP_printk("mesh=%u node=%u vni=%u proto=%u src=%pISpc dst=%pISpc held=%u own=%u",
		  __entry->mesh, __entry->node, __entry->vni, __entry->proto, __entry->src,
		  __entry->dst, __entry->n, __entry->own)
);

#endif /* _VNIMESH_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
