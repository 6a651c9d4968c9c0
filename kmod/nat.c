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
struct csum {
	struct sk_buff *skb;
	__sum16 *check;		/* NULL: the packet has none */
	bool inner;		/* PARTIAL is about a header further inside (the
				 * sender tunnels), the field is a whole sum
				 */
};

static void replace_word(const struct csum *c, __be32 old, __be32 new)
{
	if (!c->check)
		return;
	if (c->inner)
		csum_replace4(c->check, old, new);
	else
		inet_proto_csum_replace4(c->check, c->skb, old, new, true);
}

/* No field takes the difference up, so the device's sum of the packet does. */
static void adjust_device_sum(struct sk_buff *skb, const void *old,
			      const void *new, int len)
{
	if (skb->ip_summed != CHECKSUM_COMPLETE)
		return;
	skb->csum = csum_sub(skb->csum, csum_partial(old, len, 0));
	skb->csum = csum_add(skb->csum, csum_partial(new, len, 0));
}

static void set_addr(const struct csum *c, u8 family, void *field,
		     const union vnimesh_ip *new)
{
	struct in6_addr *addr = field;
	int i;

	if (family == AF_INET) {
		struct iphdr *iph = (struct iphdr *)c->skb->data;
		__be32 *addr4 = field;

		csum_replace4(&iph->check, *addr4, new->v4);
		replace_word(c, *addr4, new->v4);
		*addr4 = new->v4;
		return;
	}
	if (c->check && !c->inner)
		inet_proto_csum_replace16(c->check, c->skb, addr->s6_addr32,
					  new->v6.s6_addr32, true);
	else if (!c->inner)
		adjust_device_sum(c->skb, addr, &new->v6, sizeof(*addr));
	for (i = 0; c->inner && i < 4; i++)
		replace_word(c, addr->s6_addr32[i], new->v6.s6_addr32[i]);
	*addr = new->v6;
}

static void set_addrs(const struct csum *c, struct vnimesh_tuple *t,
		      const union vnimesh_ip *src, const union vnimesh_ip *dst)
{
	void *saddr, *daddr;

	if (t->family == AF_INET) {
		saddr = &((struct iphdr *)c->skb->data)->saddr;
		daddr = &((struct iphdr *)c->skb->data)->daddr;
	} else {
		saddr = &((struct ipv6hdr *)c->skb->data)->saddr;
		daddr = &((struct ipv6hdr *)c->skb->data)->daddr;
	}
	if (!vnimesh_ip_equal(&t->src, src))
		set_addr(c, t->family, saddr, src);
	if (!vnimesh_ip_equal(&t->dst, dst))
		set_addr(c, t->family, daddr, dst);
	t->src = *src;
	t->dst = *dst;
}

static void set_port(const struct csum *c, __be16 *field, __be16 new)
{
	if (c->check && c->inner)
		csum_replace2(c->check, *field, new);
	else if (c->check)
		inet_proto_csum_replace2(c->check, c->skb, *field, new, false);
	else
		adjust_device_sum(c->skb, field, &new, sizeof(new));
	*field = new;
}

int vnimesh_nat(struct sk_buff *skb, struct vnimesh_packet *pkt,
		const struct vnimesh_flow *flow, enum vnimesh_dir dir)
{
	const struct vnimesh_tuple *to = &flow->link[!dir].tuple;
	struct vnimesh_tuple *t = &pkt->tuple;
	bool udp = t->proto == IPPROTO_UDP;
	struct csum c = { .skb = skb };
	__be16 *sport, *dport;

	if (vnimesh_ip_equal(&t->src, &to->dst) && t->sport == to->dport &&
	    vnimesh_ip_equal(&t->dst, &to->src) && t->dport == to->sport)
		return 0;

	if (skb_ensure_writable(skb, pkt->l4 + (udp ? sizeof(struct udphdr) :
						sizeof(struct tcphdr))))
		return -ENOMEM;

	sport = (__be16 *)(skb->data + pkt->l4);
	dport = sport + 1;
	c.inner = skb->ip_summed == CHECKSUM_PARTIAL &&
		  skb_checksum_start_offset(skb) != pkt->l4;
	if (udp) {
		struct udphdr *uh = (struct udphdr *)sport;

		/* Zero: the sender chose no checksum (IPv4, RFC 768). */
		if (uh->check ||
		    (skb->ip_summed == CHECKSUM_PARTIAL && !c.inner))
			c.check = &uh->check;
	} else {
		c.check = &((struct tcphdr *)sport)->check;
	}

	set_addrs(&c, t, &to->dst, &to->src);
	if (t->sport != to->dport)
		set_port(&c, sport, to->dport);
	if (t->dport != to->sport)
		set_port(&c, dport, to->sport);
	if (udp && c.check && !*c.check)
		*c.check = CSUM_MANGLED_0;

	t->sport = to->dport;
	t->dport = to->sport;
	return 0;
}

void vnimesh_nat_addrs(struct sk_buff *skb, struct vnimesh_packet *pkt,
		       const union vnimesh_ip *src, const union vnimesh_ip *dst,
		       __sum16 *check)
{
	struct csum c = { .skb = skb, .check = check };

	set_addrs(&c, &pkt->tuple, src, dst);
}

int vnimesh_nat_fragment(struct sk_buff *skb, struct vnimesh_packet *pkt,
			 const union vnimesh_ip *src,
			 const union vnimesh_ip *dst)
{
	if (skb_ensure_writable(skb, pkt->l4))
		return -ENOMEM;
	vnimesh_nat_addrs(skb, pkt, src, dst, NULL);
	return 0;
}
