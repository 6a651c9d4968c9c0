// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/module.h>
#include <linux/skbuff.h>
#include <net/ip.h>

#include "packet.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void vnimesh_count_traced(const struct vnimesh_mesh *mesh, unsigned int what,
			  unsigned int n)
{
	trace_vnimesh_count(mesh, what, n);
}

void vnimesh_trace_addr(u8 *to, u8 family, const union vnimesh_ip *ip,
			__be16 port)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *sin = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*sin6));
	switch (family) {
	case AF_INET:
		sin->sin_family = AF_INET;
		sin->sin_port = port;
		sin->sin_addr.s_addr = ip->v4;
		break;
	case AF_INET6:
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = port;
		sin6->sin6_addr = ip->v6;
		break;
	}
}

static void ports(struct vnimesh_tuple *t, const struct sk_buff *skb, int off)
{
	const __be16 *p;
	__be16 buf[2];

	if (t->proto != IPPROTO_TCP && t->proto != IPPROTO_UDP)
		return;
	p = skb_header_pointer(skb, off, sizeof(buf), buf);
	if (!p)
		return;
	t->sport = p[0];
	t->dport = p[1];
}

/* A packet that is dropped may be anything: nothing is taken for granted but
 * where its network header should be, and nothing is moved.
 */
void vnimesh_trace_packet(const struct sk_buff *skb, u8 *src, u8 *dst,
			  u8 *proto)
{
	int off = skb_network_offset(skb);
	struct vnimesh_tuple t = {};
	const struct ipv6hdr *ip6h;
	const struct iphdr *iph;
	struct ipv6hdr buf6;
	struct iphdr buf4;

	iph = skb_header_pointer(skb, off, sizeof(buf4), &buf4);
	if (iph && iph->version == 4) {
		t.family = AF_INET;
		t.proto = iph->protocol;
		t.src.v4 = iph->saddr;
		t.dst.v4 = iph->daddr;
		if (!(iph->frag_off & htons(IP_OFFSET)))
			ports(&t, skb, off + iph->ihl * 4);
	} else if (iph && iph->version == 6) {
		ip6h = skb_header_pointer(skb, off, sizeof(buf6), &buf6);
		if (ip6h) {
			t.family = AF_INET6;
			t.proto = ip6h->nexthdr;
			t.src.v6 = ip6h->saddr;
			t.dst.v6 = ip6h->daddr;
			ports(&t, skb, off + sizeof(*ip6h));
		}
	}
	vnimesh_trace_addr(src, t.family, &t.src, t.sport);
	vnimesh_trace_addr(dst, t.family, &t.dst, t.dport);
	*proto = t.proto;
}
