// SPDX-License-Identifier: GPL-2.0-only
#include <linux/skbuff.h>
#include <net/ipv6.h>

#include "abort.h"
#include "bind.h"
#include "drop.h"
#include "encap.h"
#include "frag.h"
#include "icmp.h"
#include "miss.h"
#include "nat.h"
#include "netlink.h"
#include "recv.h"
#include "refuse.h"
#include "reset.h"
#include "route.h"
#include "track.h"

static bool own_source(const struct vnimesh_dev *from,
		       const struct vnimesh_packet *pkt)
{
	const union vnimesh_ip *ip = vnimesh_vni_ip(from->vni,
						    pkt->tuple.family);

	return ip && vnimesh_ip_equal(ip, &pkt->tuple.src);
}

static bool fits(const struct sk_buff *skb, u32 mtu)
{
	if (skb_is_gso(skb))
		return skb_gso_validate_network_len(skb, mtu);
	return skb->len <= mtu;
}

/* What the packet becomes on its way to the member, or to the other end. */
static int rewrite(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		   struct vnimesh_packet *pkt, struct vnimesh_flow *flow)
{
	if (unlikely(pkt->to))
		return vnimesh_nat_fragment(skb, pkt, &pkt->to->src,
					    &pkt->to->dst);
	if (!flow)
		return 0;
	if (unlikely(!pkt->has_ports))
		return vnimesh_icmp_nat(mesh, skb, pkt, flow, VNIMESH_FORWARD);
	vnimesh_track(mesh, flow, VNIMESH_FORWARD, pkt);
	return vnimesh_nat(skb, pkt, flow, VNIMESH_FORWARD);
}

/* To a VNI of this host. */
static void send_local(struct vnimesh_dev *from, struct sk_buff *skb,
		       struct vnimesh_packet *pkt, struct vnimesh_flow *flow,
		       struct vnimesh_vni *vni)
{
	struct net_device *dev = rcu_dereference(vni->dev);
	unsigned int len = skb->len;

	if (!dev || !READ_ONCE(vni->dev_up)) {
		vnimesh_refuse_host(from, skb, pkt, VNIMESH_A_STATS_TX_NO_VNI);
		return;
	}
	if (!fits(skb, READ_ONCE(dev->mtu))) {
		vnimesh_refuse_size(from, skb, READ_ONCE(dev->mtu));
		return;
	}
	if (rewrite(from->mesh, skb, pkt, flow))
		goto drop;
	if (skb_orphan_frags(skb, GFP_ATOMIC))
		goto drop;
	dev_sw_netstats_tx_add(from->dev, 1, len);
	vnimesh_deliver(from->mesh, vni, skb, pkt, false);
	return;
drop:
	vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_ERROR);
}

/* No IPv6 host sends less than 1280 bytes for being told to (RFC 8200, 5). A
 * tunnel over less than that fragments by itself: the outer packet.
 */
static bool squeeze(struct vnimesh_dev *from, const struct sk_buff *skb,
		    const struct vnimesh_packet *pkt, struct vnimesh_path *path)
{
	if (pkt->tuple.family != AF_INET6 || path->mtu >= IPV6_MIN_MTU ||
	    !fits(skb, IPV6_MIN_MTU))
		return false;
	path->fragment = true;
	vnimesh_count(from->mesh, VNIMESH_A_STATS_TX_OUTER_FRAGMENT);
	return true;
}

/* To a VNI of another host. */
static void send_remote(struct vnimesh_dev *from, struct sk_buff *skb,
			struct vnimesh_packet *pkt, struct vnimesh_flow *flow,
			struct vnimesh_node *node)
{
	struct vnimesh_path path;
	int err;

	err = vnimesh_encap_route(from->mesh, node, &path);
	if (err) {
		vnimesh_unreachable(from, skb, pkt, err == -ELOOP ?
				    VNIMESH_A_STATS_TX_LOOP :
				    VNIMESH_A_STATS_TX_ERROR);
		return;
	}
	if (!fits(skb, path.mtu) && !squeeze(from, skb, pkt, &path)) {
		vnimesh_encap_release(&path);
		vnimesh_refuse_size(from, skb, path.mtu);
		return;
	}
	if (rewrite(from->mesh, skb, pkt, flow)) {
		vnimesh_encap_release(&path);
		vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_ERROR);
		return;
	}
	vnimesh_encap_send(from, skb, &path);
}

/* Packets do not flood who watches the events: one in 100 ms. */
static void tell_no_member(struct vnimesh_dev *from,
			   struct vnimesh_service *service)
{
	unsigned long told = READ_ONCE(service->told), now = jiffies;

	if (told && now - told < HZ / 10)
		return;
	if (cmpxchg(&service->told, told, now ?: 1) == told)
		vnimesh_netlink_event(from->mesh, VNIMESH_EVENT_NO_MEMBER,
				      from->vni->id, service->tag);
}

/* The counter for a flow that could not be made. */
static unsigned int no_flow(long err)
{
	switch (err) {
	case -EDQUOT:
		return VNIMESH_A_STATS_FLOW_SHARE;
	case -ENOMEM:
		return VNIMESH_A_STATS_TX_ERROR;
	default:
		return VNIMESH_A_STATS_FLOW_FULL;
	}
}

/* The first fragment of a datagram decides for all; those that came before it
 * follow. What became of it is remembered before it is touched.
 */
static void decide(struct vnimesh_dev *from, const struct vnimesh_packet *pkt,
		   const struct vnimesh_flow *flow,
		   enum vnimesh_frag_verdict verdict, struct sk_buff_head *held)
{
	struct vnimesh_frag_to to;

	__skb_queue_head_init(held);
	if (flow) {
		to.src = flow->link[VNIMESH_REVERSE].tuple.dst;
		to.dst = flow->link[VNIMESH_REVERSE].tuple.src;
		to.member = flow->member;
	}
	vnimesh_frag_first(from->mesh, from->vni, pkt, VNIMESH_FRAG_TX, verdict,
			   flow ? &to : NULL, held);
}

static void follow(struct vnimesh_dev *from, struct sk_buff_head *held)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(held)))
		vnimesh_route(from, skb, false);
}

static void refuse_bind(struct vnimesh_dev *from, struct sk_buff *skb,
			const struct vnimesh_packet *pkt,
			struct vnimesh_service *service, long err)
{
	struct sk_buff_head held;

	if (pkt->fragment) {
		decide(from, pkt, NULL, VNIMESH_FRAG_DROP, &held);
		follow(from, &held);
	}
	switch (err) {
	case -EPROTONOSUPPORT:
		vnimesh_refuse(from, skb, pkt, VNIMESH_A_STATS_NO_PORT);
		return;
	case -EHOSTUNREACH:
		tell_no_member(from, service);
		vnimesh_refuse(from, skb, pkt, VNIMESH_A_STATS_NO_MEMBER);
		return;
	default:
		vnimesh_refuse(from, skb, pkt, no_flow(err));
	}
}

static void send_member(struct vnimesh_dev *from, struct sk_buff *skb,
			struct vnimesh_packet *pkt, struct vnimesh_flow *flow,
			const struct vnimesh_member *member)
{
	struct vnimesh_vni *vni = member->vni;

	/* A later fragment brings no flow. */
	if (flow && unlikely(vnimesh_flow_is_dying(flow)))
		vnimesh_refuse(from, skb, pkt, VNIMESH_A_STATS_FLOW_DYING);
	else if (vni->node->self)
		send_local(from, skb, pkt, flow, vni);
	else
		send_remote(from, skb, pkt, flow, vni->node);
}

void vnimesh_route_flow(struct vnimesh_dev *from, struct sk_buff *skb,
			struct vnimesh_packet *pkt, struct vnimesh_flow *flow)
{
	struct sk_buff_head held;

	if (likely(!pkt->fragment)) {
		send_member(from, skb, pkt, flow, flow->member);
		return;
	}
	decide(from, pkt, flow, VNIMESH_FRAG_TO, &held);
	send_member(from, skb, pkt, flow, flow->member);
	follow(from, &held);
}

/* A hairpin member's reply goes to the service address; turn it round. */
static bool send_hairpin(struct vnimesh_dev *from, struct sk_buff *skb,
			 struct vnimesh_packet *pkt)
{
	struct sk_buff_head held;
	struct vnimesh_flow *flow;

	flow = vnimesh_flow_find(from->mesh, VNIMESH_REVERSE, &pkt->tuple);
	if (!flow || !flow->member || flow->member->vni != from->vni)
		return false;
	__skb_queue_head_init(&held);
	if (pkt->fragment)
		decide(from, pkt, NULL, VNIMESH_FRAG_PASS, &held);
	/* vnimesh_deliver() does the reverse rewrite. */
	send_local(from, skb, pkt, NULL, from->vni);
	follow(from, &held);
	return true;
}

static void later_to_service(struct vnimesh_dev *from, struct sk_buff *skb,
			     struct vnimesh_packet *pkt)
{
	enum vnimesh_frag_verdict verdict = VNIMESH_FRAG_DROP;
	struct vnimesh_frag_to to;

	if (vnimesh_frag_mapped(pkt))
		verdict = vnimesh_frag_later(from->mesh, from->vni, skb, pkt,
					     VNIMESH_FRAG_TX, &to);
	switch (verdict) {
	case VNIMESH_FRAG_TAKEN:
		return;
	case VNIMESH_FRAG_TO:
		pkt->to = &to;
		send_member(from, skb, pkt, NULL, to.member);
		return;
	case VNIMESH_FRAG_PASS:	/* hairpin */
		send_local(from, skb, pkt, NULL, from->vni);
		return;
	default:
		vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_FRAGMENT);
	}
}

/* The client's stack complains of a packet of the member's. */
static void icmp_to_service(struct vnimesh_dev *from, struct sk_buff *skb,
			    struct vnimesh_packet *pkt)
{
	struct vnimesh_flow *flow;

	flow = vnimesh_icmp_flow(from->mesh, skb, pkt, VNIMESH_FORWARD);
	/* Of its own flows only: nobody complains in another's name. */
	if (flow && flow->member && flow->client == from->vni) {
		vnimesh_route_flow(from, skb, pkt, flow);
		return;
	}
	/* A member that is its own client complains as the member. */
	flow = vnimesh_icmp_flow(from->mesh, skb, pkt, VNIMESH_REVERSE);
	if (flow && flow->member && flow->member->vni == from->vni)
		send_local(from, skb, pkt, NULL, from->vni);
	else
		vnimesh_drop(from, skb, VNIMESH_A_STATS_ICMP_NO_FLOW);
}

static void to_service(struct vnimesh_dev *from, struct sk_buff *skb,
		       struct vnimesh_packet *pkt, bool asked)
{
	struct vnimesh_mesh *mesh = from->mesh;
	struct vnimesh_service *service;
	struct vnimesh_flow *flow;

	if (unlikely(pkt->later)) {
		later_to_service(from, skb, pkt);
		return;
	}
	if (!pkt->has_ports) {
		if (vnimesh_icmp_is_error(skb, pkt))
			icmp_to_service(from, skb, pkt);
		else
			vnimesh_refuse(from, skb, pkt,
				       VNIMESH_A_STATS_TX_UNSUPPORTED);
		return;
	}
	flow = vnimesh_bind_find(from, skb, pkt);
	if (flow && likely(flow->member)) {
		vnimesh_route_flow(from, skb, pkt, flow);
		return;
	}
	if (flow)	/* direct, from before the address was a service's */
		vnimesh_flow_leave(mesh, flow);
	if (send_hairpin(from, skb, pkt))
		return;
	if (pkt->tuple.proto == IPPROTO_TCP && !vnimesh_packet_is_syn(pkt)) {
		vnimesh_refuse(from, skb, pkt, VNIMESH_A_STATS_NO_FLOW);
		return;
	}
	service = vnimesh_service_by_ip(mesh, pkt->tuple.family,
					&pkt->tuple.dst);
	if (!service || READ_ONCE(service->loading)) {
		vnimesh_miss_packet(from, skb, pkt, asked, !!service);
		return;
	}
	flow = vnimesh_bind(from, skb, pkt, service);
	if (IS_ERR(flow)) {
		refuse_bind(from, skb, pkt, service, PTR_ERR(flow));
		return;
	}
	vnimesh_route_flow(from, skb, pkt, flow);
}

static void to_vni(struct vnimesh_dev *from, struct sk_buff *skb,
		   struct vnimesh_packet *pkt)
{
	struct vnimesh_mesh *mesh = from->mesh;
	struct vnimesh_flow *flow;
	struct vnimesh_node *node;
	struct vnimesh_vni *vni;

	if (unlikely(!pkt->has_ports) && !vnimesh_icmp_own(from, skb, pkt)) {
		vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_BAD_SOURCE);
		return;
	}
	node = vnimesh_node_route(mesh, pkt->tuple.family, &pkt->tuple.dst);
	if (!node) {
		vnimesh_unreachable(from, skb, pkt,
				    VNIMESH_A_STATS_TX_NO_ROUTE);
		return;
	}
	flow = vnimesh_bind_direct(from, skb, pkt);
	if (IS_ERR(flow)) {
		vnimesh_refuse(from, skb, pkt, no_flow(PTR_ERR(flow)));
		return;
	}
	if (flow && unlikely(flow->member)) {
		/* Bound while the address was a service's. */
		vnimesh_route_flow(from, skb, pkt, flow);
		return;
	}
	if (!node->self) {
		send_remote(from, skb, pkt, flow, node);
		return;
	}
	vni = vnimesh_vni_local(mesh, pkt->tuple.family, &pkt->tuple.dst);
	if (vni)
		send_local(from, skb, pkt, flow, vni);
	else
		vnimesh_refuse_host(from, skb, pkt, VNIMESH_A_STATS_TX_NO_VNI);
}

void vnimesh_route(struct vnimesh_dev *from, struct sk_buff *skb, bool asked)
{
	struct vnimesh_service_prefixes *sp;
	struct vnimesh_packet pkt;

	if (vnimesh_packet_parse(skb, &pkt)) {
		vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_MALFORMED);
		return;
	}
	if (vnimesh_packet_is_local_only(&pkt)) {
		vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_UNSUPPORTED);
		return;
	}
	if (!own_source(from, &pkt)) {
		vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_BAD_SOURCE);
		return;
	}
	sp = rcu_dereference(from->mesh->service_prefixes);
	if (sp && (vnimesh_prefix_match(&sp->p4, pkt.tuple.family,
					&pkt.tuple.dst) ||
		   vnimesh_prefix_match(&sp->p6, pkt.tuple.family,
					&pkt.tuple.dst)))
		to_service(from, skb, &pkt, asked);
	else
		to_vni(from, skb, &pkt);
}
