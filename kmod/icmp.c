// SPDX-License-Identifier: GPL-2.0-only
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "icmp.h"
#include "nat.h"
#include "quote.h"
#include "resteer.h"

/* The 8 bytes before the quote are the same in both families. */
static bool read_type(struct sk_buff *skb, const struct vnimesh_packet *pkt,
		      u8 *type)
{
	if (!pskb_may_pull(skb, pkt->l4 + sizeof(struct icmphdr)))
		return false;
	*type = ((const struct icmphdr *)(skb->data + pkt->l4))->type;
	return true;
}

static u8 icmp_code(const struct sk_buff *skb, const struct vnimesh_packet *pkt)
{
	return ((const struct icmphdr *)(skb->data + pkt->l4))->code;
}

bool vnimesh_icmp_is_error(struct sk_buff *skb,
			   const struct vnimesh_packet *pkt)
{
	const struct vnimesh_tuple *t = &pkt->tuple;
	u8 type;

	if (t->proto != (t->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return false;
	if (pkt->later || !read_type(skb, pkt, &type))
		return true;
	return t->family == AF_INET ? icmp_is_err(type) :
				      !(type & ICMPV6_INFOMSG_MASK);
}

/* Redirects are not among them: here nobody has a reason to send one. */
static bool quotes(const struct vnimesh_packet *pkt, u8 type)
{
	if (pkt->tuple.family == AF_INET)
		return icmp_is_err(type) && type != ICMP_REDIRECT;
	return icmpv6_is_err(type);
}

/* Sets ->l4 and the protocol. Later fragments have no ports. */
static bool parse_quoted4(struct sk_buff *skb, struct vnimesh_quote *q)
{
	const struct iphdr *iph;

	if (!pskb_may_pull(skb, q->ip + sizeof(*iph)))
		return false;
	iph = (const struct iphdr *)(skb->data + q->ip);
	if (iph->version != 4 || iph->ihl < 5 ||
	    iph->frag_off & htons(IP_OFFSET))
		return false;
	q->tuple.proto = iph->protocol;
	q->l4 = q->ip + iph->ihl * 4;
	return true;
}

static bool parse_quoted6(struct sk_buff *skb, struct vnimesh_quote *q)
{
	const struct ipv6hdr *ip6h;
	__be16 frag;
	u8 proto;
	int l4;

	if (!pskb_may_pull(skb, q->ip + sizeof(*ip6h)))
		return false;
	ip6h = (const struct ipv6hdr *)(skb->data + q->ip);
	if (ip6h->version != 6)
		return false;
	proto = ip6h->nexthdr;
	l4 = ipv6_skip_exthdr(skb, q->ip + sizeof(*ip6h), &proto, &frag);
	/* The whole error has 1280 bytes at most (RFC 4443, 2.4). */
	if (l4 < 0 || l4 > IPV6_MIN_MTU || frag & htons(IP6_OFFSET))
		return false;
	q->tuple.proto = proto;
	q->l4 = l4;
	return true;
}

/* Where the packet ends; what lies behind is not covered by its checksum. */
static unsigned int packet_end(const struct sk_buff *skb,
			       const struct vnimesh_packet *pkt)
{
	unsigned int len;

	if (pkt->tuple.family == AF_INET)
		len = ntohs(((const struct iphdr *)skb->data)->tot_len);
	else
		len = sizeof(struct ipv6hdr) +
		      ntohs(((const struct ipv6hdr *)skb->data)->payload_len);
	return min(len, skb->len);
}

static bool parse_quote(struct sk_buff *skb, const struct vnimesh_packet *pkt,
			struct vnimesh_quote *q)
{
	unsigned int end;
	u8 type;

	if (pkt->fragment || !vnimesh_icmp_is_error(skb, pkt) ||
	    !read_type(skb, pkt, &type) || !quotes(pkt, type))
		return false;
	memset(q, 0, sizeof(*q));
	q->tuple.family = pkt->tuple.family;
	q->icmp = pkt->l4;
	q->ip = pkt->l4 + sizeof(struct icmphdr);
	if (!(pkt->tuple.family == AF_INET ? parse_quoted4(skb, q) :
					     parse_quoted6(skb, q)))
		return false;
	if (q->tuple.proto != IPPROTO_TCP && q->tuple.proto != IPPROTO_UDP)
		return false;
	end = min(packet_end(skb, pkt), (unsigned int)q->l4 + VNIMESH_QUOTE_L4);
	if (end < q->l4 + 8u || !pskb_may_pull(skb, end))
		return false;
	q->end = end;
	vnimesh_quote_read(skb->data, q);
	/* An error goes to who sent the packet. */
	return vnimesh_ip_equal(&q->tuple.src, &pkt->tuple.dst);
}

struct vnimesh_flow *vnimesh_icmp_flow(struct vnimesh_mesh *mesh,
				       struct sk_buff *skb,
				       const struct vnimesh_packet *pkt,
				       enum vnimesh_dir dir)
{
	struct vnimesh_quote q;
	struct vnimesh_tuple t;

	if (!vnimesh_flow_count(mesh) || !parse_quote(skb, pkt, &q))
		return NULL;
	vnimesh_tuple_invert(&t, &q.tuple);
	return vnimesh_flow_find(mesh, dir, &t);
}

/* The other end of @flow or its node, as far as this host can tell: a VNI sends
 * only errors about what it got itself, if its node is one of ours; other routers
 * are not on the way.
 */
bool vnimesh_icmp_believed(struct vnimesh_mesh *mesh,
			   const struct vnimesh_packet *pkt,
			   const struct vnimesh_flow *flow)
{
	const union vnimesh_ip *peer = &flow->link[VNIMESH_REVERSE].tuple.src;
	const struct vnimesh_tuple *t = &pkt->tuple;
	const struct vnimesh_node *node;
	const struct vnimesh_dev *own;

	if (vnimesh_ip_equal(&t->src, peer))
		return true;
	node = flow->member ? flow->member->vni->node :
			      vnimesh_node_route(mesh, t->family, peer);
	if (!node || !node->self)
		return node && vnimesh_node_route(mesh, t->family,
						  &t->src) == node;
	own = netdev_priv(mesh->dev);
	return own->vni == vnimesh_vni_local(mesh, t->family, &t->src);
}

/* Who sent what an error quotes to whom, whatever the quoted packet is. */
static bool quoted_ends(struct sk_buff *skb, const struct vnimesh_packet *pkt,
			union vnimesh_ip *src, union vnimesh_ip *dst)
{
	unsigned int at = pkt->l4 + sizeof(struct icmphdr);

	if (pkt->tuple.family == AF_INET) {
		const struct iphdr *iph;

		if (!pskb_may_pull(skb, at + sizeof(*iph)))
			return false;
		iph = (const struct iphdr *)(skb->data + at);
		vnimesh_ip_set4(src, iph->saddr);
		vnimesh_ip_set4(dst, iph->daddr);
	} else {
		const struct ipv6hdr *ip6h;

		if (!pskb_may_pull(skb, at + sizeof(*ip6h)))
			return false;
		ip6h = (const struct ipv6hdr *)(skb->data + at);
		src->v6 = ip6h->saddr;
		dst->v6 = ip6h->daddr;
	}
	return true;
}

bool vnimesh_icmp_own(struct vnimesh_dev *from, struct sk_buff *skb,
		      const struct vnimesh_packet *pkt)
{
	const struct vnimesh_tuple *t = &pkt->tuple;
	union vnimesh_ip src, dst;
	u8 type;

	/* The host's own VNI answers for what is not here. Later fragments are
	 * nothing without the first one.
	 */
	if (vnimesh_dev_is_mesh(from) || pkt->later ||
	    !vnimesh_icmp_is_error(skb, pkt))
		return true;
	/* No error is long enough for fragments (RFC 792, RFC 4443), and what
	 * the first one does not show, it may lie about.
	 */
	if (pkt->fragment || !read_type(skb, pkt, &type) ||
	    (t->family == AF_INET && type == ICMP_REDIRECT) ||
	    !quoted_ends(skb, pkt, &src, &dst))
		return false;
	/* The receiver may believe it for the addresses alone: what it says of
	 * the path to a destination holds for all ports and protocols.
	 */
	return vnimesh_ip_equal(&src, &t->dst) &&
	       vnimesh_ip_equal(&dst, &t->src);
}

bool vnimesh_icmp_heal(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		       const struct vnimesh_packet *pkt,
		       struct vnimesh_flow *flow)
{
	struct vnimesh_quote q;
	u8 type;

	/* Its SYN went elsewhere before. */
	if (READ_ONCE(flow->state) == VNIMESH_FLOW_MOVED)
		return true;
	if (!flow->member || !parse_quote(skb, pkt, &q) ||
	    q.tuple.proto != IPPROTO_TCP || !read_type(skb, pkt, &type))
		return false;
	/* Too big is no failure of the member's. */
	if (pkt->tuple.family == AF_INET ?
	    type != ICMP_DEST_UNREACH ||
	    icmp_code(skb, pkt) == ICMP_FRAG_NEEDED :
	    type != ICMPV6_DEST_UNREACH)
		return false;
	return vnimesh_heal_icmp(mesh, flow, q.seq);
}

int vnimesh_icmp_nat(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		     struct vnimesh_packet *pkt,
		     const struct vnimesh_flow *flow, enum vnimesh_dir dir)
{
	const struct vnimesh_tuple *from = &flow->link[dir].tuple;
	const struct vnimesh_tuple *to = &flow->link[!dir].tuple;
	const union vnimesh_ip *src = &pkt->tuple.src;
	__sum16 *check = NULL;
	struct vnimesh_quote q;

	/* A checksum that a device should fill in: there is none such. */
	if (skb->ip_summed == CHECKSUM_PARTIAL && skb_checksum_help(skb))
		return -ENOMEM;
	if (!parse_quote(skb, pkt, &q) || skb_ensure_writable(skb, q.end))
		return -ENOMEM;
	vnimesh_quote_write(skb->data, &q, to);
	if (pkt->tuple.family == AF_INET6)
		check = &((struct icmp6hdr *)(skb->data + q.icmp))->icmp6_cksum;
	/* A router on the way keeps its name. */
	if (vnimesh_ip_equal(src, &from->src))
		src = &to->dst;
	vnimesh_nat_addrs(skb, pkt, src, &to->src, check);
	vnimesh_count(mesh, VNIMESH_A_STATS_ICMP_TRANSLATED);
	return 0;
}
