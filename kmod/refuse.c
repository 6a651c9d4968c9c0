// SPDX-License-Identifier: GPL-2.0-only
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/skbuff.h>
#include <net/icmp.h>
#include <net/ip.h>

#include "drop.h"
#include "refuse.h"
#include "reset.h"

static void send_reset(struct vnimesh_dev *from,
		       const struct vnimesh_packet *pkt)
{
	struct vnimesh_tuple t;

	if (pkt->tcp_flags & VNIMESH_TCP_RST)
		return;
	vnimesh_tuple_invert(&t, &pkt->tuple);
	vnimesh_reset_receive(from->mesh, from->dev,
			      vnimesh_reset_answer(pkt, &t), false);
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
