// SPDX-License-Identifier: GPL-2.0-only
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <net/icmp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "drop.h"
#include "refuse.h"

/* RFC 9293, 3.10.7.1: what a closed port answers. */
static void fill_tcp(struct tcphdr *th, const struct vnimesh_packet *pkt)
{
	u32 len = pkt->payload;

	memset(th, 0, sizeof(*th));
	th->source = pkt->tuple.dport;
	th->dest = pkt->tuple.sport;
	th->doff = sizeof(*th) / 4;
	th->rst = 1;
	if (pkt->tcp_flags & VNIMESH_TCP_ACK) {
		th->seq = pkt->ack;
		return;
	}
	len += !!(pkt->tcp_flags & VNIMESH_TCP_SYN);
	len += !!(pkt->tcp_flags & VNIMESH_TCP_FIN);
	th->ack = 1;
	th->ack_seq = htonl(ntohl(pkt->seq) + len);
}

static void push_ip4(struct sk_buff *skb, const struct vnimesh_packet *pkt,
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
	iph->saddr = pkt->tuple.dst.v4;
	iph->daddr = pkt->tuple.src.v4;
	ip_send_check(iph);
	th->check = tcp_v4_check(sizeof(*th), iph->saddr, iph->daddr,
				 csum_partial(th, sizeof(*th), 0));
	skb->protocol = htons(ETH_P_IP);
}

static void push_ip6(struct sk_buff *skb, const struct vnimesh_packet *pkt,
		     struct tcphdr *th)
{
	struct ipv6hdr *ip6h = skb_push(skb, sizeof(*ip6h));

	memset(ip6h, 0, sizeof(*ip6h));
	ip6h->version = 6;
	ip6h->payload_len = htons(sizeof(*th));
	ip6h->nexthdr = IPPROTO_TCP;
	ip6h->hop_limit = 64;
	ip6h->saddr = pkt->tuple.dst.v6;
	ip6h->daddr = pkt->tuple.src.v6;
	th->check = tcp_v6_check(sizeof(*th), &ip6h->saddr, &ip6h->daddr,
				 csum_partial(th, sizeof(*th), 0));
	skb->protocol = htons(ETH_P_IPV6);
}

struct sk_buff *vnimesh_refuse_make(const struct vnimesh_packet *pkt)
{
	struct tcphdr *th;
	struct sk_buff *skb;

	if (pkt->tcp_flags & VNIMESH_TCP_RST)
		return NULL;
	skb = alloc_skb(LL_MAX_HEADER + sizeof(struct ipv6hdr) + sizeof(*th),
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reserve(skb, LL_MAX_HEADER + sizeof(struct ipv6hdr));
	th = skb_put(skb, sizeof(*th));
	fill_tcp(th, pkt);
	if (pkt->tuple.family == AF_INET)
		push_ip4(skb, pkt, th);
	else
		push_ip6(skb, pkt, th);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	return skb;
}

static void send_reset(struct vnimesh_dev *from,
		       const struct vnimesh_packet *pkt)
{
	struct sk_buff *skb = vnimesh_refuse_make(pkt);

	if (!skb)
		return;
	skb->dev = from->dev;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	skb->pkt_type = PACKET_HOST;
	dev_sw_netstats_rx_add(from->dev, skb->len);
	netif_rx(skb);
}

static void send_icmp(struct sk_buff *skb, u8 code4, u8 code6)
{
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, code4, 0);
	else
		icmpv6_ndo_send(skb, ICMPV6_DEST_UNREACH, code6, 0);
}

static void refuse(struct vnimesh_dev *from, struct sk_buff *skb,
		   const struct vnimesh_packet *pkt, unsigned int what,
		   u8 code4, u8 code6)
{
	if (pkt->tuple.proto != IPPROTO_TCP)
		send_icmp(skb, code4, code6);
	else if (pkt->has_ports)
		send_reset(from, pkt);
	vnimesh_drop(from, skb, what);
}

void vnimesh_refuse(struct vnimesh_dev *from, struct sk_buff *skb,
		    const struct vnimesh_packet *pkt, unsigned int what)
{
	refuse(from, skb, pkt, what, ICMP_PORT_UNREACH, ICMPV6_PORT_UNREACH);
}

void vnimesh_refuse_host(struct vnimesh_dev *from, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, unsigned int what)
{
	refuse(from, skb, pkt, what, ICMP_HOST_UNREACH, ICMPV6_ADDR_UNREACH);
}

void vnimesh_unreachable(struct vnimesh_dev *from, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, unsigned int what)
{
	if (pkt->tuple.proto != IPPROTO_TCP || vnimesh_packet_is_syn(pkt)) {
		vnimesh_refuse_host(from, skb, pkt, what);
		return;
	}
	send_icmp(skb, ICMP_HOST_UNREACH, ICMPV6_ADDR_UNREACH);
	vnimesh_drop(from, skb, what);
}

void vnimesh_refuse_size(struct vnimesh_dev *from, struct sk_buff *skb,
			 u32 mtu)
{
	if (skb->protocol == htons(ETH_P_IP))
		icmp_ndo_send(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED,
			      htonl(mtu));
	else
		icmpv6_ndo_send(skb, ICMPV6_PKT_TOOBIG, 0,
				max_t(u32, mtu, IPV6_MIN_MTU));
	vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_TOO_BIG);
}
