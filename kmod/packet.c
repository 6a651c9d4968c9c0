// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "packet.h"

static int parse_ports(struct sk_buff *skb, struct vnimesh_packet *pkt,
		       unsigned int end)
{
	struct vnimesh_tuple *t = &pkt->tuple;
	const struct tcphdr *th;
	const struct udphdr *uh;
	unsigned int hlen;

	switch (t->proto) {
	case IPPROTO_TCP:
		if (!pskb_may_pull(skb, pkt->l4 + sizeof(*th)))
			return -EINVAL;
		th = (const struct tcphdr *)(skb->data + pkt->l4);
		hlen = th->doff * 4;
		if (hlen < sizeof(*th) ||
		    (!pkt->fragment && pkt->l4 + hlen > end))
			return -EINVAL;
		t->sport = th->source;
		t->dport = th->dest;
		pkt->seq = th->seq;
		pkt->ack = th->ack_seq;
		pkt->tcp_flags = ((const u8 *)th)[13];
		pkt->payload = end > pkt->l4 + hlen ? end - pkt->l4 - hlen : 0;
		pkt->has_ports = true;
		return 0;
	case IPPROTO_UDP:
		if (pkt->l4 + sizeof(*uh) > end ||
		    !pskb_may_pull(skb, pkt->l4 + sizeof(*uh)))
			return -EINVAL;
		uh = (const struct udphdr *)(skb->data + pkt->l4);
		t->sport = uh->source;
		t->dport = uh->dest;
		pkt->has_ports = true;
		return 0;
	}
	return 0;
}

static int parse4(struct sk_buff *skb, struct vnimesh_packet *pkt)
{
	const struct iphdr *iph;
	unsigned int hlen, len;

	if (!pskb_may_pull(skb, sizeof(*iph)))
		return -EINVAL;
	iph = (const struct iphdr *)skb->data;
	hlen = iph->ihl * 4;
	if (iph->version != 4 || hlen < sizeof(*iph))
		return -EINVAL;
	if (!pskb_may_pull(skb, hlen))
		return -EINVAL;
	iph = (const struct iphdr *)skb->data;
	len = ntohs(iph->tot_len);
	if (len < hlen || len > skb->len)
		return -EINVAL;

	pkt->tuple.family = AF_INET;
	pkt->tuple.proto = iph->protocol;
	pkt->tuple.src.v4 = iph->saddr;
	pkt->tuple.dst.v4 = iph->daddr;
	pkt->l4 = hlen;
	if (ip_is_fragment(iph)) {
		pkt->fragment = true;
		pkt->later = iph->frag_off & htons(IP_OFFSET);
		pkt->frag_id = ntohs(iph->id);
		pkt->frag_proto = iph->protocol;
		if (pkt->later)
			return 0;
	}
	return parse_ports(skb, pkt, len);
}

/* RFC 8200: what the fragments of a datagram have in common. The protocol is
 * that of the header which follows, and that need not be the transport's.
 */
static int parse_frag6(struct sk_buff *skb, struct vnimesh_packet *pkt,
		       __be16 frag)
{
	const struct frag_hdr *fh;
	struct frag_hdr buf;
	unsigned int at = 0;

	if (ipv6_find_hdr(skb, &at, NEXTHDR_FRAGMENT, NULL, NULL) < 0)
		return -EINVAL;
	fh = skb_header_pointer(skb, at, sizeof(buf), &buf);
	if (!fh)
		return -EINVAL;
	pkt->fragment = true;
	pkt->later = frag & htons(IP6_OFFSET);
	pkt->frag_id = ntohl(fh->identification);
	pkt->frag_proto = fh->nexthdr;
	return 0;
}

static int parse6(struct sk_buff *skb, struct vnimesh_packet *pkt)
{
	const struct ipv6hdr *ip6h;
	unsigned int len;
	__be16 frag = 0;
	u8 proto;
	int l4;

	if (!pskb_may_pull(skb, sizeof(*ip6h)))
		return -EINVAL;
	ip6h = (const struct ipv6hdr *)skb->data;
	if (ip6h->version != 6)
		return -EINVAL;
	len = sizeof(*ip6h) + ntohs(ip6h->payload_len);
	if (len > skb->len)
		return -EINVAL;

	pkt->tuple.family = AF_INET6;
	pkt->tuple.src.v6 = ip6h->saddr;
	pkt->tuple.dst.v6 = ip6h->daddr;
	proto = ip6h->nexthdr;
	l4 = ipv6_skip_exthdr(skb, sizeof(*ip6h), &proto, &frag);
	/* Extension headers beyond a kilobyte are an attack on somebody. */
	if (l4 < 0 || l4 > len || l4 > 1024)
		return -EINVAL;
	pkt->tuple.proto = proto;
	pkt->l4 = l4;
	/* Without these bits it is the only one (RFC 6946). */
	if (frag & htons(IP6_OFFSET | IP6_MF)) {
		if (parse_frag6(skb, pkt, frag))
			return -EINVAL;
		if (pkt->later)
			return 0;
	}
	return parse_ports(skb, pkt, len);
}

int vnimesh_packet_parse(struct sk_buff *skb, struct vnimesh_packet *pkt)
{
	memset(pkt, 0, sizeof(*pkt));
	switch (skb->protocol) {
	case htons(ETH_P_IP):
		return parse4(skb, pkt);
	case htons(ETH_P_IPV6):
		return parse6(skb, pkt);
	}
	return -EINVAL;
}

__sum16 vnimesh_packet_tcp_sum(const struct vnimesh_tuple *t, u32 len,
			       __wsum sum)
{
	return t->family == AF_INET ?
		tcp_v4_check(len, t->src.v4, t->dst.v4, sum) :
		tcp_v6_check(len, &t->src.v6, &t->dst.v6, sum);
}

/* What the sum of a header begins with that a device is to complete. */
static __sum16 seed(const struct vnimesh_tuple *t, u32 len)
{
	__sum16 sum = vnimesh_packet_tcp_sum(t, len, 0);

	return (__force __sum16)~(__force u16)sum;
}

bool vnimesh_packet_tcp_sound(const struct sk_buff *skb,
			      const struct vnimesh_packet *pkt)
{
	const struct tcphdr *th;
	struct tcphdr buf;
	u32 len;

	th = skb_header_pointer(skb, pkt->l4, sizeof(buf), &buf);
	if (!th)
		return false;
	len = th->doff * 4 + pkt->payload;
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return !vnimesh_packet_tcp_sum(&pkt->tuple, len,
					       skb_checksum(skb, pkt->l4, len,
							    0));
	/* It will be right, if it was begun right: who has CAP_NET_RAW could
	 * ask for another.
	 */
	return skb_checksum_start_offset(skb) == pkt->l4 &&
	       skb->csum_offset == offsetof(struct tcphdr, check) &&
	       th->check == seed(&pkt->tuple, len);
}

bool vnimesh_packet_is_local_only(const struct vnimesh_packet *pkt)
{
	const struct vnimesh_tuple *t = &pkt->tuple;

	return vnimesh_ip_local_only(t->family, &t->src) ||
	       vnimesh_ip_local_only(t->family, &t->dst);
}
