// SPDX-License-Identifier: GPL-2.0-only
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <net/geneve.h>
#include <net/gro.h>
#include <net/inet_ecn.h>
#include <net/ip_tunnels.h>
#include <net/udp.h>

#include "abort.h"
#include "answer.h"
#include "drop.h"
#include "frag.h"
#include "icmp.h"
#include "nat.h"
#include "recv.h"
#include "resteer.h"
#include "sock.h"

#define BASE_LEN	(sizeof(struct udphdr) + sizeof(struct genevehdr))

/* Not here, down, or too small. Who sent it from another host is told; local
 * senders were refused before.
 */
static void undeliverable(struct vnimesh_mesh *mesh, struct net_device *dev,
			  struct sk_buff *skb, const struct vnimesh_packet *pkt,
			  bool remote, unsigned int what)
{
	if (remote && what == VNIMESH_A_STATS_RX_TOO_BIG)
		vnimesh_answer_size(mesh, skb, pkt, READ_ONCE(dev->mtu));
	else if (remote)
		vnimesh_answer_unreachable(mesh, skb, pkt);
	vnimesh_drop_rx(mesh, skb, what);
}

/* Returns 0, or the counter of the reason to drop. */
static unsigned int check_target(struct net_device *dev,
				 const struct sk_buff *skb)
{
	if (!dev || !netif_running(dev))
		return VNIMESH_A_STATS_RX_DOWN;
	if (!skb_is_gso(skb) && skb->len > READ_ONCE(dev->mtu))
		return VNIMESH_A_STATS_RX_TOO_BIG;
	return 0;
}

/* An ICMP error about a packet of a client. 1: it need not know. */
static int rewrite_error(struct vnimesh_mesh *mesh,
			 const struct vnimesh_vni *vni, struct sk_buff *skb,
			 struct vnimesh_packet *pkt)
{
	struct vnimesh_flow *flow;

	flow = vnimesh_icmp_flow(mesh, skb, pkt, VNIMESH_REVERSE);
	/* Another's: who had the address before. */
	if (!flow || unlikely(flow->client != vni))
		return 0;
	if (!vnimesh_icmp_believed(mesh, pkt, flow))
		return -EPERM;
	if (vnimesh_icmp_heal(mesh, skb, pkt, flow) ||
	    unlikely(vnimesh_flow_is_dying(flow)))
		return 1;
	return vnimesh_icmp_nat(mesh, skb, pkt, flow, VNIMESH_REVERSE);
}

/* Damaged or forged, it is nothing to its receiver, and says nothing of who sent
 * it.
 */
static bool believable(const struct sk_buff *skb,
		       const struct vnimesh_packet *pkt)
{
	if (pkt->fragment)	/* its header alone is one packet's, always */
		return false;
	return skb->ip_summed == CHECKSUM_UNNECESSARY ||
	       vnimesh_packet_tcp_sound(skb, pkt);
}

/* The reverse rewrite, if a flow owns the packet or what it complains of. 1: the
 * packet is not for the client.
 */
static int rewrite(struct vnimesh_mesh *mesh, const struct vnimesh_vni *vni,
		   struct sk_buff *skb, struct vnimesh_packet *pkt)
{
	enum vnimesh_track found;
	struct vnimesh_flow *flow;

	if (unlikely(!pkt->has_ports))
		return rewrite_error(mesh, vni, skb, pkt);
	/* Replies come to the client of a flow, which is counted before anybody
	 * can find it and until nobody can: who is none has nothing to find.
	 */
	if (!atomic_read(&vni->share.live))
		return 0;
	flow = vnimesh_flow_find(mesh, VNIMESH_REVERSE, &pkt->tuple);
	/* Another's: who had the address before. */
	if (!flow || unlikely(flow->client != vni))
		return 0;
	if (unlikely(vnimesh_flow_is_dying(flow))) {
		vnimesh_abort_reply(mesh, flow, pkt);
		return 1;
	}
	if (unlikely(pkt->tcp_flags & (VNIMESH_TCP_SYN | VNIMESH_TCP_RST)) &&
	    !believable(skb, pkt))
		return -EBADMSG;
	found = vnimesh_track(mesh, flow, VNIMESH_REVERSE, pkt);
	if (unlikely(found) && vnimesh_resteer_reply(mesh, flow, pkt, found))
		return 1;
	return vnimesh_nat(skb, pkt, flow, VNIMESH_REVERSE);
}

/* GRO merges the segments of a stream and, for a socket that wants it (UDP_GRO),
 * large datagrams of one size, at the price of a queue and a poll. Small ones do
 * without, unless GRO of datagrams was asked of the device or large ones came just
 * now: those would be overtaken.
 */
static bool wants_gro(struct net_device *dev, const struct sk_buff *skb,
		      const struct vnimesh_packet *pkt)
{
	const netdev_features_t asked = NETIF_F_GRO_UDP_FWD |
					NETIF_F_GRO_FRAGLIST;
	struct vnimesh_dev *vdev = netdev_priv(dev);
	unsigned long now = jiffies;

	if (pkt->tuple.proto != IPPROTO_UDP || dev->features & asked)
		return true;
	if (skb->len <= READ_ONCE(dev->mtu) / 2)
		/* Another processor may have seen the next tick already. */
		return now + HZ - READ_ONCE(vdev->bulk) < 2 * HZ;
	if (READ_ONCE(vdev->bulk) != now)
		WRITE_ONCE(vdev->bulk, now);
	return true;
}

/* What a container receives may be encapsulated once more, for a mesh of its own:
 * only the outermost layer is received on this stack, others have a queue between
 * them. BH is off, so per CPU is enough.
 */
static DEFINE_PER_CPU(bool, receiving);

static void receive_remote(struct net_device *dev, struct sk_buff *skb,
			   const struct vnimesh_packet *pkt)
{
	struct vnimesh_dev *vdev = netdev_priv(dev);

	if (__this_cpu_read(receiving) || wants_gro(dev, skb, pkt)) {
		gro_cells_receive(&vdev->gro_cells, skb);
		return;
	}
	__this_cpu_write(receiving, true);
	netif_receive_skb(skb);
	__this_cpu_write(receiving, false);
}

static void hand_over(struct net_device *dev, struct sk_buff *skb,
		      const struct vnimesh_packet *pkt, bool remote)
{
	/* Each side of the crossing has its own conntrack, marks and routes;
	 * decapsulation has scrubbed already.
	 */
	if (!remote) {
		skb_scrub_packet(skb, !net_eq(dev_net(skb->dev), dev_net(dev)));
		skb_clear_tstamp(skb);
	}
	skb->priority = 0;
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_set_transport_header(skb, pkt->l4);
	skb->dev = dev;
	skb->pkt_type = PACKET_HOST;
	dev_sw_netstats_rx_add(dev, skb->len);
	if (remote)
		receive_remote(dev, skb, pkt);
	else
		netif_rx(skb);
}

/* With what the rewrite said. */
static void finish(struct vnimesh_mesh *mesh, struct net_device *dev,
		   struct sk_buff *skb, struct vnimesh_packet *pkt, bool remote,
		   int rewritten)
{
	switch (rewritten) {
	case 0:
		hand_over(dev, skb, pkt, remote);
		return;
	case 1:
		consume_skb(skb);
		return;
	case 2:
		return;
	case -EBADMSG:
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_RX_MALFORMED);
		return;
	case -EPERM:	/* who complains has no part in it */
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_RX_BAD_SOURCE);
		return;
	default:
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_TX_ERROR);
	}
}

/* The first fragment: what its flow says, or that it has none, holds for all. */
static int first_fragment(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			  struct sk_buff *skb, struct vnimesh_packet *pkt,
			  struct sk_buff_head *held)
{
	struct vnimesh_frag_to to = {};
	struct vnimesh_flow *flow = NULL;

	if (pkt->has_ports)
		flow = vnimesh_flow_find(mesh, VNIMESH_REVERSE, &pkt->tuple);
	if (!flow || flow->client != vni) {
		vnimesh_frag_first(mesh, vni, pkt, VNIMESH_FRAG_RX,
				   VNIMESH_FRAG_PASS, NULL, held);
		return 0;
	}
	to.src = flow->link[VNIMESH_FORWARD].tuple.dst;
	to.dst = flow->link[VNIMESH_FORWARD].tuple.src;
	vnimesh_frag_first(mesh, vni, pkt, VNIMESH_FRAG_RX, VNIMESH_FRAG_TO,
			   &to, held);
	return rewrite(mesh, vni, skb, pkt);
}

/* Returns as rewrite(), or 2: @skb is not the caller's any more. */
static int later_fragment(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			  struct sk_buff *skb, struct vnimesh_packet *pkt)
{
	struct vnimesh_frag_to to;

	switch (vnimesh_frag_later(mesh, vni, skb, pkt, VNIMESH_FRAG_RX, &to)) {
	case VNIMESH_FRAG_TAKEN:
		return 2;
	case VNIMESH_FRAG_TO:
		return vnimesh_nat_fragment(skb, pkt, &to.src, &to.dst);
	default:
		return 0;
	}
}

static void deliver_fragment(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			     struct net_device *dev, struct sk_buff *skb,
			     struct vnimesh_packet *pkt, bool remote)
{
	struct sk_buff_head held;
	int err = 0;

	__skb_queue_head_init(&held);
	/* To who is nobody's client nothing is translated. */
	if (atomic_read(&vni->share.live) && vnimesh_frag_mapped(pkt))
		err = pkt->later ? later_fragment(mesh, vni, skb, pkt) :
				   first_fragment(mesh, vni, skb, pkt, &held);
	finish(mesh, dev, skb, pkt, remote, err);
	while ((skb = __skb_dequeue(&held)))
		if (vnimesh_packet_parse(skb, pkt))
			vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_RX_MALFORMED);
		else
			vnimesh_deliver(mesh, vni, skb, pkt, remote);
}

void vnimesh_deliver(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
		     struct sk_buff *skb, struct vnimesh_packet *pkt,
		     bool remote)
{
	struct net_device *dev = rcu_dereference(vni->dev);
	unsigned int what = check_target(dev, skb);

	if (unlikely(what)) {
		undeliverable(mesh, dev, skb, pkt, remote, what);
		return;
	}
	if (unlikely(pkt->fragment)) {
		deliver_fragment(mesh, vni, dev, skb, pkt, remote);
		return;
	}
	finish(mesh, dev, skb, pkt, remote, rewrite(mesh, vni, skb, pkt));
}

/* Where the outer header, @offset into the head, says it comes from. */
static void outer_source(struct vnimesh_mesh *mesh, const struct sk_buff *skb,
			 unsigned int offset, union vnimesh_ip *ip)
{
	const void *outer = skb->head + offset;

	if (mesh->family == AF_INET6)
		ip->v6 = ((const struct ipv6hdr *)outer)->saddr;
	else
		vnimesh_ip_set4(ip, ((const struct iphdr *)outer)->saddr);
}

/* Does the packet come from the node that owns its inner source? */
static bool check_source(struct vnimesh_mesh *mesh,
			 const union vnimesh_ip *outer,
			 const struct vnimesh_packet *pkt, unsigned int *what)
{
	const struct vnimesh_endpoint *ep = NULL;
	const struct vnimesh_node *node;

	node = vnimesh_node_route(mesh, pkt->tuple.family, &pkt->tuple.src);
	if (node)
		ep = rcu_dereference(node->endpoint);
	if (ep && vnimesh_ip_equal(&ep->addr, outer))
		return true;
	*what = vnimesh_node_known(mesh, outer) ?
		VNIMESH_A_STATS_RX_BAD_SOURCE : VNIMESH_A_STATS_RX_UNKNOWN_NODE;
	return false;
}

/* RFC 6040 on the way out. False: CE was lost on a sender without ECN. */
static bool decapsulate_ecn(struct vnimesh_mesh *mesh, struct sk_buff *skb,
			    unsigned int offset)
{
	void *outer = skb->head + offset;

	if (mesh->family == AF_INET6)
		return IP6_ECN_decapsulate(outer, skb) <= 1;
	return IP_ECN_decapsulate(outer, skb) <= 1;
}

/* Returns 0, or the counter of the reason to drop. */
static unsigned int check_geneve(const struct genevehdr *gh)
{
	if (gh->ver)
		return VNIMESH_A_STATS_RX_MALFORMED;
	if (gh->oam || gh->critical ||
	    (gh->proto_type != htons(ETH_P_IP) &&
	     gh->proto_type != htons(ETH_P_IPV6)))
		return VNIMESH_A_STATS_RX_FOREIGN;
	return 0;
}

static void recv_inner(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		       unsigned int hlen, __be16 proto)
{
	unsigned int outer = skb_network_header(skb) - skb->head;
	union vnimesh_ip from;
	struct vnimesh_packet pkt;
	struct vnimesh_vni *vni;
	unsigned int what;

	/* The VNI is another host, also when its netns is this one. */
	if (iptunnel_pull_header(skb, hlen, proto, true)) {
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_TX_ERROR);
		return;
	}
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	if (vnimesh_packet_parse(skb, &pkt)) {
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_RX_MALFORMED);
		return;
	}
	if (vnimesh_packet_is_local_only(&pkt)) {
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_RX_BAD_SOURCE);
		return;
	}
	/* The outer header lies before skb->data, moved with it by any pull. */
	outer_source(mesh, skb, outer, &from);
	if (!check_source(mesh, &from, &pkt, &what)) {
		vnimesh_drop_rx(mesh, skb, what);
		return;
	}
	if (!decapsulate_ecn(mesh, skb, outer)) {
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_RX_ECN);
		return;
	}
	vni = vnimesh_vni_local(mesh, pkt.tuple.family, &pkt.tuple.dst);
	if (!vni) {
		undeliverable(mesh, NULL, skb, &pkt, true,
			      VNIMESH_A_STATS_RX_NO_VNI);
		return;
	}
	skb->dev = mesh->dev;
	vnimesh_deliver(mesh, vni, skb, &pkt, true);
}

int vnimesh_recv(struct sock *sk, struct sk_buff *skb)
{
	struct vnimesh_sock *vs = rcu_dereference_sk_user_data(sk);
	struct vnimesh_mesh *mesh;
	struct genevehdr *gh;
	unsigned int what, hlen;
	u32 id;

	if (unlikely(!vs)) {	/* the socket is going */
		kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY);
		return 0;
	}
	if (!pskb_may_pull(skb, BASE_LEN)) {
		vnimesh_drop_stray(vs, skb, VNIMESH_A_STATS_PORT_MALFORMED);
		return 0;
	}
	gh = (struct genevehdr *)(udp_hdr(skb) + 1);
	id = gh->vni[0] << 16 | gh->vni[1] << 8 | gh->vni[2];
	what = check_geneve(gh);
	mesh = vnimesh_sock_find(vs, id);
	if (!mesh) {
		vnimesh_drop_stray(vs, skb, what == VNIMESH_A_STATS_RX_MALFORMED ?
				   VNIMESH_A_STATS_PORT_MALFORMED :
				   VNIMESH_A_STATS_PORT_FOREIGN);
		return 0;
	}
	hlen = BASE_LEN + gh->opt_len * 4;
	if (!what && !pskb_may_pull(skb, hlen))
		what = VNIMESH_A_STATS_RX_MALFORMED;
	if (what) {
		vnimesh_drop_rx(mesh, skb, what);
		return 0;
	}
	gh = (struct genevehdr *)(udp_hdr(skb) + 1);
	recv_inner(mesh, skb, hlen, gh->proto_type);
	return 0;
}

/* An ICMP error for a packet that this socket sent: telling UDP that the
 * socket is right lets it update the path MTU of the route.
 */
int vnimesh_recv_err(struct sock *sk, struct sk_buff *skb)
{
	struct vnimesh_sock *vs = rcu_dereference_sk_user_data(sk);
	struct genevehdr *gh;
	u32 id;

	if (!vs || !pskb_may_pull(skb, skb_transport_offset(skb) + BASE_LEN))
		return -EINVAL;
	gh = (struct genevehdr *)(udp_hdr(skb) + 1);
	if (check_geneve(gh))
		return -EINVAL;
	id = gh->vni[0] << 16 | gh->vni[1] << 8 | gh->vni[2];
	return vnimesh_sock_find(vs, id) ? 0 : -ENOENT;
}

struct sk_buff *vnimesh_gro_receive(struct sock *sk, struct list_head *head,
				    struct sk_buff *skb)
{
	unsigned int off = skb_gro_offset(skb), hlen;
	const struct packet_offload *ptype;
	const struct genevehdr *gh, *gh2;
	struct sk_buff *pp = NULL, *p;
	bool flush = true;

	gh = skb_gro_header(skb, off + sizeof(*gh), off);
	if (unlikely(!gh) || check_geneve(gh))
		goto out;
	hlen = sizeof(*gh) + gh->opt_len * 4;
	gh = skb_gro_header(skb, off + hlen, off);
	if (unlikely(!gh))
		goto out;
	list_for_each_entry(p, head, list) {
		if (!NAPI_GRO_CB(p)->same_flow)
			continue;
		gh2 = (const struct genevehdr *)(p->data + off);
		if (gh->opt_len != gh2->opt_len || memcmp(gh, gh2, hlen))
			NAPI_GRO_CB(p)->same_flow = 0;
	}
	ptype = gro_find_receive_by_type(gh->proto_type);
	if (!ptype)
		goto out;
	skb_gro_pull(skb, hlen);
	skb_gro_postpull_rcsum(skb, gh, hlen);
	pp = call_gro_receive(ptype->callbacks.gro_receive, head, skb);
	flush = false;
out:
	skb_gro_flush_final(skb, pp, flush);
	return pp;
}

int vnimesh_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff)
{
	const struct genevehdr *gh = (void *)(skb->data + nhoff);
	unsigned int hlen = sizeof(*gh) + gh->opt_len * 4;
	const struct packet_offload *ptype;
	int err = -EOPNOTSUPP;

	ptype = gro_find_complete_by_type(gh->proto_type);
	if (ptype)
		err = ptype->callbacks.gro_complete(skb, nhoff + hlen);
	skb_set_inner_mac_header(skb, nhoff + hlen);
	return err;
}
