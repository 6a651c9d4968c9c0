// SPDX-License-Identifier: GPL-2.0-only
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "encap.h"
#include "reset.h"

#define HEADROOM	(LL_MAX_HEADER + VNIMESH_OVERHEAD6 + \
			 sizeof(struct ipv6hdr))

static void push_ip4(struct sk_buff *skb, const struct vnimesh_tuple *t,
		     struct tcphdr *th)
{
	struct iphdr *iph = skb_push(skb, sizeof(*iph));

	memset(iph, 0, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->tot_len = htons(skb->len);
	iph->frag_off = htons(IP_DF);
	iph->ttl = 64;
	iph->protocol = IPPROTO_TCP;
	iph->saddr = t->src.v4;
	iph->daddr = t->dst.v4;
	ip_send_check(iph);
	th->check = tcp_v4_check(sizeof(*th), iph->saddr, iph->daddr,
				 csum_partial(th, sizeof(*th), 0));
	skb->protocol = htons(ETH_P_IP);
}

static void push_ip6(struct sk_buff *skb, const struct vnimesh_tuple *t,
		     struct tcphdr *th)
{
	struct ipv6hdr *ip6h = skb_push(skb, sizeof(*ip6h));

	memset(ip6h, 0, sizeof(*ip6h));
	ip6h->version = 6;
	ip6h->payload_len = htons(sizeof(*th));
	ip6h->nexthdr = IPPROTO_TCP;
	ip6h->hop_limit = 64;
	ip6h->saddr = t->src.v6;
	ip6h->daddr = t->dst.v6;
	th->check = tcp_v6_check(sizeof(*th), &ip6h->saddr, &ip6h->daddr,
				 csum_partial(th, sizeof(*th), 0));
	skb->protocol = htons(ETH_P_IPV6);
}

static struct sk_buff *build(const struct vnimesh_tuple *t, __be32 seq,
			     __be32 ack_seq, bool ack)
{
	struct tcphdr *th;
	struct sk_buff *skb;

	skb = alloc_skb(HEADROOM + sizeof(*th), GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, HEADROOM);
	th = skb_put_zero(skb, sizeof(*th));
	th->source = t->sport;
	th->dest = t->dport;
	th->doff = sizeof(*th) / 4;
	th->rst = 1;
	th->ack = ack;
	th->seq = seq;
	th->ack_seq = ack_seq;
	if (t->family == AF_INET)
		push_ip4(skb, t, th);
	else
		push_ip6(skb, t, th);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	return skb;
}

struct sk_buff *vnimesh_reset_at(const struct vnimesh_tuple *tuple, u32 seq)
{
	return build(tuple, htonl(seq), 0, false);
}

struct sk_buff *vnimesh_reset_answer(const struct vnimesh_packet *pkt,
				     const struct vnimesh_tuple *tuple)
{
	u32 len = pkt->payload;

	if (pkt->tcp_flags & VNIMESH_TCP_ACK)
		return build(tuple, pkt->ack, 0, false);
	len += !!(pkt->tcp_flags & VNIMESH_TCP_SYN);
	len += !!(pkt->tcp_flags & VNIMESH_TCP_FIN);
	return build(tuple, 0, htonl(ntohl(pkt->seq) + len), true);
}

static void lost(struct vnimesh_mesh *mesh, struct sk_buff *skb)
{
	vnimesh_count(mesh, VNIMESH_A_STATS_RESET_LOST);
	kfree_skb(skb);
}

void vnimesh_reset_receive(struct vnimesh_mesh *mesh, struct net_device *dev,
			   struct sk_buff *skb, bool now)
{
	if (!skb || !dev || !netif_running(dev)) {
		lost(mesh, skb);
		return;
	}
	skb->dev = dev;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->pkt_type = PACKET_HOST;
	dev_sw_netstats_rx_add(dev, skb->len);
	if (now)
		netif_receive_skb(skb);
	else
		netif_rx(skb);
}

void vnimesh_reset_send(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			struct sk_buff *skb, bool now)
{
	struct vnimesh_path path;

	if (vni->node->self) {
		vnimesh_reset_receive(mesh, rcu_dereference(vni->dev), skb,
				      now);
		return;
	}
	if (!skb || vnimesh_encap_route(mesh, vni->node, &path)) {
		lost(mesh, skb);
		return;
	}
	skb->dev = mesh->dev;
	vnimesh_encap_send(netdev_priv(mesh->dev), skb, &path);
}
