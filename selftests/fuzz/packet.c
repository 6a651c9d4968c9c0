// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's parser of inner packets and its writer of quotes in ICMP errors,
 * outside of the kernel. The first byte: IPv4 or IPv6, and how much of the packet
 * is linear.
 * fuzz: kernel
 */

#include "fuzz.h"

#include "../../kmod/packet.c"
#include "../../kmod/quote.c"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* The kernel's, as far as a parser sees of it. */
int ipv6_skip_exthdr(const struct sk_buff *skb, int start, u8 *proto,
		     __be16 *frag)
{
	u8 next = *proto, hdr[8];
	unsigned int len;

	*frag = 0;
	while (next == NEXTHDR_HOP || next == NEXTHDR_ROUTING ||
	       next == NEXTHDR_FRAGMENT || next == NEXTHDR_AUTH ||
	       next == NEXTHDR_NONE || next == NEXTHDR_DEST) {
		if (next == NEXTHDR_NONE ||
		    !skb_header_pointer(skb, start, 2, hdr))
			return -1;
		if (next == NEXTHDR_FRAGMENT) {
			if (!skb_header_pointer(skb, start, 8, hdr))
				return -1;
			memcpy(frag, hdr + 2, 2);
			if (*frag & htons(IP6_OFFSET))
				break;
			len = 8;
		} else {
			len = next == NEXTHDR_AUTH ? (hdr[1] + 2) * 4 :
						     (hdr[1] + 1) * 8;
		}
		next = hdr[0];
		start += len;
	}
	*proto = next;
	return start;
}

int ipv6_find_hdr(const struct sk_buff *skb, unsigned int *at, int target,
		  unsigned short *frag, int *flags)
{
	u8 next, hdr[2];
	int start = sizeof(struct ipv6hdr);

	(void)frag;
	(void)flags;
	next = skb->all[6];
	while (next != target) {
		if (!skb_header_pointer(skb, start, 2, hdr))
			return -1;
		start += next == NEXTHDR_AUTH ? (hdr[1] + 2) * 4 :
						(hdr[1] + 1) * 8;
		next = hdr[0];
		if (next == NEXTHDR_NONE || start > (int)skb->len)
			return -1;
	}
	*at = start;
	return next;
}

bool vnimesh_ip_local_only(u8 family, const union vnimesh_ip *ip)
{
	return family == AF_INET ? (ntohl(ip->v4) >> 28) == 14 :
				   ip->v6.s6_addr[0] == 0xff;
}

/* The message's own sum, over @base from the ICMP header on. */
static bool sum_holds(const u8 *base, const struct vnimesh_quote *q)
{
	return !csum_fold(csum_partial(base + q->icmp, q->end - q->icmp, 0));
}

/* A quote of @skb, changed and changed back, is what it was. */
static void quote(struct sk_buff *skb, const struct vnimesh_packet *pkt)
{
	struct vnimesh_quote q = { .icmp = 20, .ip = 28, .tuple = pkt->tuple };
	struct vnimesh_quote was;
	struct vnimesh_tuple to = pkt->tuple;
	unsigned int n = skb->len;
	struct icmphdr *icmp;
	u8 *base;

	/* As much as a sender may quote, without alignment of the end. */
	n = n > pkt->l4 + 8U + (n & 31) ? pkt->l4 + 8U + (n & 31) : n;
	q.l4 = q.ip + pkt->l4;
	q.end = q.ip + n;
	if (q.end < q.l4 + 8)
		return;
	base = calloc(1, q.end);
	must(base);
	memcpy(base + q.ip, skb->all, n);
	icmp = (struct icmphdr *)(base + q.icmp);
	icmp->type = 3;
	icmp->checksum = csum_fold(csum_partial(icmp, q.end - q.icmp, 0));
	must(sum_holds(base, &q));
	vnimesh_quote_read(base, &q);
	must(!memcmp(&q.tuple.src, &pkt->tuple.src, 4));
	must(q.tuple.sport == pkt->tuple.sport);
	was = q;
	to.dst = to.src;
	to.dport = htons(0x1234);
	vnimesh_quote_write(base, &q, &to);
	must(sum_holds(base, &q));
	vnimesh_quote_read(base, &q);
	must(q.tuple.dport == to.dport && q.seq == was.seq);
	vnimesh_quote_write(base, &q, &was.tuple);
	must(sum_holds(base, &q));
	vnimesh_quote_read(base, &q);
	must(!memcmp(&q.tuple, &was.tuple, sizeof(q.tuple)));
	free(base);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct vnimesh_packet pkt;
	struct sk_buff skb = { 0 };

	if (!len || len > 2000)
		return 0;
	skb.protocol = htons(data[0] & 1 ? ETH_P_IPV6 : ETH_P_IP);
	skb.all = data + 1;
	skb.len = len - 1;
	must(pskb_may_pull(&skb, skb.len < (data[0] >> 1) ? skb.len :
			   (unsigned int)(data[0] >> 1)));
	if (!vnimesh_packet_parse(&skb, &pkt)) {
		must(pkt.tuple.family == AF_INET || pkt.tuple.family == AF_INET6);
		must(pkt.l4 <= skb.len);
		must(!pkt.later || !pkt.has_ports);
		must(!pkt.has_ports || pkt.l4 + 8U <= skb.linear);
		must(pkt.payload <= skb.len);
		vnimesh_packet_is_local_only(&pkt);
		if (pkt.has_ports && !pkt.fragment &&
		    pkt.tuple.proto == IPPROTO_TCP) {
			vnimesh_packet_tcp_sound(&skb, &pkt);
			skb.ip_summed = CHECKSUM_PARTIAL;
			skb.csum_start = pkt.l4;
			skb.csum_offset = offsetof(struct tcphdr, check);
			vnimesh_packet_tcp_sound(&skb, &pkt);
		}
		if (pkt.has_ports)
			quote(&skb, &pkt);
	}
	free(skb.data);
	return 0;
}
