// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/tcp.h>

#include "syn.h"

#define HEADERS_MAX	(sizeof(struct ipv6hdr) + 60)

struct vnimesh_syn {
	u8 len;
	u8 l4;
	u8 data[HEADERS_MAX];
};

static bool plain_option(u8 kind)
{
	switch (kind) {
	case TCPOPT_NOP:
	case TCPOPT_MSS:
	case TCPOPT_WINDOW:
	case TCPOPT_SACK_PERM:
	case TCPOPT_TIMESTAMP:
		return true;
	}
	return false;
}

/* A new MPTCP connection is for any listener. MP_JOIN has a token that one server
 * knows, the others answer it by RST.
 */
static bool plain_mptcp(const u8 *p)
{
	return p[0] == TCPOPT_MPTCP && p[1] >= 3 && !(p[2] >> 4);
}

static bool plain_options(const u8 *p, unsigned int len)
{
	while (len) {
		if (*p == TCPOPT_EOL)
			return true;
		if (*p == TCPOPT_NOP) {
			p++;
			len--;
			continue;
		}
		if (len < 2 || p[1] < 2 || p[1] > len)
			return false;
		if (!plain_option(*p) && !plain_mptcp(p))
			return false;
		len -= p[1];
		p += p[1];
	}
	return true;
}

static bool plain_ip(const struct sk_buff *skb,
		     const struct vnimesh_packet *pkt)
{
	struct iphdr *iph, buf;

	if (pkt->tuple.family == AF_INET6)
		return pkt->l4 == sizeof(struct ipv6hdr);
	if (pkt->l4 != sizeof(*iph))
		return false;
	iph = skb_header_pointer(skb, 0, sizeof(buf), &buf);
	return iph && !ip_fast_csum(iph, iph->ihl);
}

bool vnimesh_syn_plain(const struct sk_buff *skb,
		       const struct vnimesh_packet *pkt)
{
	const u8 odd = VNIMESH_TCP_FIN | VNIMESH_TCP_RST | VNIMESH_TCP_ACK |
		       VNIMESH_TCP_PSH | VNIMESH_TCP_URG;
	const struct tcphdr *th;
	u8 buf[60];
	u32 len;

	if (pkt->payload || pkt->fragment || pkt->tcp_flags & odd ||
	    skb_is_gso(skb) || !plain_ip(skb, pkt))
		return false;
	th = skb_header_pointer(skb, pkt->l4, sizeof(*th), buf);
	if (!th)
		return false;
	len = th->doff * 4;
	/* What lies behind it may make it too large for the way. */
	if (skb->len != pkt->l4 + len)
		return false;
	th = skb_header_pointer(skb, pkt->l4, len, buf);
	if (!th || !plain_options((const u8 *)(th + 1), len - sizeof(*th)))
		return false;
	return vnimesh_packet_tcp_sound(skb, pkt);
}

/* Above half, one VNI has at most a quarter. */
static bool room_for(struct vnimesh_mesh *mesh, struct vnimesh_vni *client)
{
	u32 all = atomic_inc_return(&mesh->syns);
	u32 own = atomic_inc_return(&client->syns);

	return all <= VNIMESH_SYN_MAX &&
	       (own <= VNIMESH_SYN_MAX / 4 || all <= VNIMESH_SYN_MAX / 2);
}

static void uncount(struct vnimesh_mesh *mesh, struct vnimesh_vni *client)
{
	atomic_dec(&client->syns);
	atomic_dec(&mesh->syns);
}

void vnimesh_syn_keep(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		      const struct sk_buff *skb,
		      const struct vnimesh_packet *pkt)
{
	const struct tcphdr *th;
	struct tcphdr buf;
	struct vnimesh_syn *syn = NULL;

	th = skb_header_pointer(skb, pkt->l4, sizeof(buf), &buf);
	if (th && room_for(mesh, flow->client))
		syn = kmalloc(sizeof(*syn), GFP_ATOMIC | __GFP_NOWARN);
	else if (!th)
		return;
	if (!syn) {
		uncount(mesh, flow->client);
		vnimesh_count(mesh, VNIMESH_A_STATS_SYN_LOST);
		return;
	}
	syn->l4 = pkt->l4;
	syn->len = pkt->l4 + th->doff * 4;
	/* vnimesh_syn_plain() has read as far. */
	skb_copy_bits(skb, 0, syn->data, syn->len);
	flow->syn = syn;
}

void vnimesh_syn_move(struct vnimesh_flow *to, struct vnimesh_flow *from)
{
	to->syn = xchg(&from->syn, NULL);
}

void vnimesh_syn_drop(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	struct vnimesh_syn *syn;

	if (!READ_ONCE(flow->syn))
		return;
	syn = xchg(&flow->syn, NULL);
	if (!syn)
		return;
	kfree(syn);
	uncount(mesh, flow->client);
}

struct sk_buff *vnimesh_syn_build(struct vnimesh_mesh *mesh,
				  struct vnimesh_flow *flow)
{
	const struct vnimesh_tuple *t = &flow->link[VNIMESH_FORWARD].tuple;
	struct vnimesh_syn *syn;
	struct tcphdr *th;
	struct sk_buff *skb;
	u32 len;

	/* Nobody frees it while it is out of its place. */
	syn = xchg(&flow->syn, NULL);
	if (!syn)
		return NULL;
	skb = alloc_skb(LL_MAX_HEADER + syn->len, GFP_ATOMIC | __GFP_NOWARN);
	if (skb) {
		skb_reserve(skb, LL_MAX_HEADER);
		skb_put_data(skb, syn->data, syn->len);
		th = (struct tcphdr *)(skb->data + syn->l4);
		th->check = 0;
		len = syn->len - syn->l4;
		th->check = vnimesh_packet_tcp_sum(t, len,
						   csum_partial(th, len, 0));
		skb->protocol = t->family == AF_INET ? htons(ETH_P_IP) :
						       htons(ETH_P_IPV6);
		skb_reset_mac_header(skb);
		skb_reset_network_header(skb);
		skb_set_transport_header(skb, syn->l4);
	}
	if (cmpxchg(&flow->syn, NULL, syn)) {
		kfree(syn);
		uncount(mesh, flow->client);
	}
	/* Gone meanwhile: so is what it kept. */
	if (READ_ONCE(flow->dead))
		vnimesh_syn_drop(mesh, flow);
	return skb;
}
