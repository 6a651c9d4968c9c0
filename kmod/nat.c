// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/checksum.h>

#include "nat.h"

/* The transport checksum covers the addresses through the pseudo header, the
 * ports directly: with CHECKSUM_PARTIAL only the former is in the field yet.
 * inet_proto_csum_replace*() know that, told by their last argument.
 */
static void set_addr(struct sk_buff *skb, u8 family, __sum16 *check,
		     void *field, const union vnimesh_ip *new)
{
	if (family == AF_INET) {
		struct iphdr *iph = (struct iphdr *)skb->data;
		__be32 *addr = field;

		csum_replace4(&iph->check, *addr, new->v4);
		if (check)
			inet_proto_csum_replace4(check, skb, *addr, new->v4,
						 true);
		*addr = new->v4;
	} else {
		struct in6_addr *addr = field;

		if (check)
			inet_proto_csum_replace16(check, skb, addr->s6_addr32,
						  new->v6.s6_addr32, true);
		*addr = new->v6;
	}
}

static void set_port(struct sk_buff *skb, __sum16 *check, __be16 *field,
		     __be16 new)
{
	if (check)
		inet_proto_csum_replace2(check, skb, *field, new, false);
	*field = new;
}

int vnimesh_nat(struct sk_buff *skb, struct vnimesh_packet *pkt,
		const struct vnimesh_flow *flow, enum vnimesh_dir dir)
{
	const struct vnimesh_tuple *to = &flow->link[!dir].tuple;
	struct vnimesh_tuple *t = &pkt->tuple;
	bool udp = t->proto == IPPROTO_UDP;
	__be16 *sport, *dport;
	void *saddr, *daddr;
	__sum16 *check;

	if (vnimesh_ip_equal(&t->src, &to->dst) && t->sport == to->dport &&
	    vnimesh_ip_equal(&t->dst, &to->src) && t->dport == to->sport)
		return 0;

	if (skb_ensure_writable(skb, pkt->l4 + (udp ? sizeof(struct udphdr) :
						sizeof(struct tcphdr))))
		return -ENOMEM;

	if (t->family == AF_INET) {
		saddr = &((struct iphdr *)skb->data)->saddr;
		daddr = &((struct iphdr *)skb->data)->daddr;
	} else {
		saddr = &((struct ipv6hdr *)skb->data)->saddr;
		daddr = &((struct ipv6hdr *)skb->data)->daddr;
	}
	sport = (__be16 *)(skb->data + pkt->l4);
	dport = sport + 1;
	if (udp) {
		struct udphdr *uh = (struct udphdr *)sport;

		/* Zero: the sender chose no checksum (IPv4, RFC 768). */
		check = uh->check || skb->ip_summed == CHECKSUM_PARTIAL ?
			&uh->check : NULL;
	} else {
		check = &((struct tcphdr *)sport)->check;
	}

	if (!vnimesh_ip_equal(&t->src, &to->dst))
		set_addr(skb, t->family, check, saddr, &to->dst);
	if (!vnimesh_ip_equal(&t->dst, &to->src))
		set_addr(skb, t->family, check, daddr, &to->src);
	if (t->sport != to->dport)
		set_port(skb, check, sport, to->dport);
	if (t->dport != to->sport)
		set_port(skb, check, dport, to->sport);
	if (udp && check && !*check)
		*check = CSUM_MANGLED_0;

	t->src = to->dst;
	t->dst = to->src;
	t->sport = to->dport;
	t->dport = to->sport;
	return 0;
}
