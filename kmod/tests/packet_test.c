// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser of inner packets: at every truncation, wherever the linear part
 * ends, and on damaged packets.
 */
#include "../packet.c"
#include "fixture.h"

#define ROUNDS		50000
#define ROOM		256
#define EXT_LEN		16	/* extension headers: two of 8 bytes */
#define OPTIONS_LEN	12

struct parse_case {
	u64 random;
	u8 data[ROOM];
	unsigned int len, l4, hlen;	/* whole, and of the transport header */
	struct vnimesh_tuple tuple;
	bool v4;
};

/* A packet with IP options or extension headers, and TCP options. */
static void make_packet(struct parse_case *c, u8 family, u8 proto, bool options)
{
	static const u8 payload[8] = "payload";
	unsigned int add = options ? (family == AF_INET ? OPTIONS_LEN : EXT_LEN) : 0;
	struct ipv6hdr *ip6h = (struct ipv6hdr *)c->data;
	struct iphdr *iph = (struct iphdr *)c->data;
	u8 *ext;

	memset(c->data, 0xa5, sizeof(c->data));
	memset(&c->tuple, 0, sizeof(c->tuple));
	c->v4 = family == AF_INET;
	c->tuple.family = family;
	c->tuple.proto = proto;
	test_fill(&c->random, &c->tuple.src, vnimesh_ip_len(family));
	test_fill(&c->random, &c->tuple.dst, vnimesh_ip_len(family));
	c->tuple.sport = htons(1234);
	c->tuple.dport = htons(80);
	c->len = test_packet(c->data, &c->tuple, payload, sizeof(payload), &c->l4);
	c->hlen = proto == IPPROTO_UDP ? sizeof(struct udphdr) :
					 sizeof(struct tcphdr);
	if (!add)
		return;
	memmove(c->data + c->l4 + add, c->data + c->l4, c->len - c->l4);
	ext = c->data + c->l4;
	memset(ext, 0, add);
	c->l4 += add;
	c->len += add;
	if (c->v4) {
		memset(ext, IPOPT_NOOP, add);
		iph->ihl += add / 4;
		iph->tot_len = htons(c->len);
		return;
	}
	ip6h->nexthdr = NEXTHDR_HOP;
	ip6h->payload_len = htons(c->len - sizeof(*ip6h));
	ext[0] = NEXTHDR_DEST;
	ext[8] = proto;
	/* Filled by PadN, as is usual. */
	ext[2] = 1;
	ext[3] = 4;
	ext[10] = 1;
	ext[11] = 4;
}

static struct sk_buff *cut(struct kunit *test, struct parse_case *c,
			   unsigned int len, unsigned int linear)
{
	struct sk_buff *skb = test_skb(test, c->data, len, min(len, linear));

	skb->protocol = c->v4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
	return skb;
}

/* Every length, every place where the linear part may end. @adapt: the IP header
 * tells the length that is there.
 */
static void truncate(struct kunit *test, struct parse_case *c, bool adapt)
{
	struct ipv6hdr *ip6h = (struct ipv6hdr *)c->data;
	unsigned int base = c->v4 ? sizeof(struct iphdr) : sizeof(*ip6h);
	struct iphdr *iph = (struct iphdr *)c->data;
	unsigned int n, linear, whole = c->len;
	struct vnimesh_packet pkt;
	struct sk_buff *skb;
	bool good;
	int err;

	for (n = 0; n <= whole; n++) {
		if (adapt && c->v4)
			iph->tot_len = htons(n);
		else if (adapt && n >= base)
			ip6h->payload_len = htons(n - base);
		good = adapt ? n >= c->l4 + c->hlen : n == whole;
		for (linear = 0; linear <= n; linear++) {
			skb = cut(test, c, n, linear);
			err = vnimesh_packet_parse(skb, &pkt);
			KUNIT_ASSERT_EQ_MSG(test, err, good ? 0 : -EINVAL,
					    "%u of %u bytes, %u linear", n,
					    whole, linear);
			if (!err) {
				KUNIT_ASSERT_TRUE(test, pkt.has_ports);
				KUNIT_ASSERT_FALSE(test, pkt.fragment);
				KUNIT_ASSERT_EQ(test, pkt.l4, c->l4);
				KUNIT_ASSERT_GE(test, skb_headlen(skb),
						c->l4 + c->hlen);
				KUNIT_ASSERT_EQ(test, memcmp(&pkt.tuple, &c->tuple,
							     sizeof(c->tuple)), 0);
			}
			kfree_skb(skb);
		}
	}
}

static void truncations(struct kunit *test, u8 family)
{
	struct parse_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	for (i = 0; i < 8; i++) {
		make_packet(c, family, i & 1 ? IPPROTO_TCP : IPPROTO_UDP, i & 2);
		truncate(test, c, i & 4);
	}
}

static void packet_truncated4(struct kunit *test)
{
	truncations(test, AF_INET);
}

static void packet_truncated6(struct kunit *test)
{
	truncations(test, AF_INET6);
}

/* The header says one version, skb->protocol another. */
static void packet_version(struct kunit *test)
{
	struct parse_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct vnimesh_packet pkt;
	struct sk_buff *skb;
	int version;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	for (version = 0; version < 16; version++) {
		make_packet(c, AF_INET, IPPROTO_UDP, false);
		c->data[0] = version << 4 | 5;
		skb = cut(test, c, c->len, c->len);
		KUNIT_EXPECT_EQ(test, vnimesh_packet_parse(skb, &pkt),
				version == 4 ? 0 : -EINVAL);
		skb->protocol = htons(ETH_P_ARP);
		KUNIT_EXPECT_EQ(test, vnimesh_packet_parse(skb, &pkt), -EINVAL);
		kfree_skb(skb);
		make_packet(c, AF_INET6, IPPROTO_UDP, false);
		c->data[0] = version << 4;
		skb = cut(test, c, c->len, c->len);
		KUNIT_EXPECT_EQ(test, vnimesh_packet_parse(skb, &pkt),
				version == 6 ? 0 : -EINVAL);
		kfree_skb(skb);
	}
}

/* The first fragment has ports, later ones have none. */
static void packet_fragment(struct kunit *test)
{
	struct parse_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct vnimesh_packet pkt;
	struct sk_buff *skb;
	struct iphdr *iph;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	iph = (struct iphdr *)c->data;
	make_packet(c, AF_INET, IPPROTO_UDP, false);
	iph->frag_off = htons(IP_MF);
	skb = cut(test, c, c->len, 0);
	KUNIT_EXPECT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
	KUNIT_EXPECT_TRUE(test, pkt.fragment && pkt.has_ports);
	kfree_skb(skb);
	iph->frag_off = htons(IP_MF | 10);
	skb = cut(test, c, c->len, 0);
	KUNIT_EXPECT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
	KUNIT_EXPECT_TRUE(test, pkt.fragment && !pkt.has_ports);
	KUNIT_EXPECT_EQ(test, pkt.tuple.sport, 0);
	kfree_skb(skb);
	iph->frag_off = htons(IP_DF);
	skb = cut(test, c, c->len, 0);
	KUNIT_EXPECT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
	KUNIT_EXPECT_TRUE(test, !pkt.fragment && pkt.has_ports);
	kfree_skb(skb);
}

/* Bytes changed at random: whatever comes out lies within the packet. */
static void packet_damaged(struct kunit *test)
{
	struct parse_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);
	struct vnimesh_packet pkt;
	struct sk_buff *skb;
	u32 i, k, n;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	for (i = 0; i < ROUNDS; i++) {
		make_packet(c, i & 1 ? AF_INET : AF_INET6,
			    i & 2 ? IPPROTO_TCP : IPPROTO_UDP, i & 4);
		for (k = 1 + test_below(&c->random, 4); k; k--)
			c->data[test_below(&c->random, c->l4 + c->hlen)] =
				test_random(&c->random);
		n = 1 + test_below(&c->random, c->len);
		skb = cut(test, c, n, test_below(&c->random, n + 1));
		if (!vnimesh_packet_parse(skb, &pkt)) {
			KUNIT_ASSERT_LE(test, pkt.l4, skb->len);
			KUNIT_ASSERT_LE(test, pkt.payload, skb->len);
			if (pkt.has_ports)
				KUNIT_ASSERT_GE(test, skb_headlen(skb), pkt.l4 +
						(pkt.tuple.proto == IPPROTO_TCP ?
						 20U : 8U));
		}
		kfree_skb(skb);
	}
}

/* By whoever computes it: the sender, its device, nobody. */
static void packet_tcp_sound(struct kunit *test)
{
	struct parse_case c = { .random = 11 };
	struct vnimesh_packet pkt;
	struct tcphdr *th;
	struct sk_buff *skb;
	u32 i, bit;

	for (i = 0; i < 2000; i++) {
		make_packet(&c, i & 1 ? AF_INET6 : AF_INET, IPPROTO_TCP, i & 2);
		skb = test_skb(test, c.data, c.len, test_below(&c.random, c.len));
		skb->protocol = c.v4 ? htons(ETH_P_IP) : htons(ETH_P_IPV6);
		KUNIT_ASSERT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
		KUNIT_ASSERT_TRUE(test, vnimesh_packet_tcp_sound(skb, &pkt));

		/* A bit of the segment, or of the addresses it came with. */
		bit = test_below(&c.random, c.hlen * 8);
		KUNIT_ASSERT_EQ(test, skb_linearize(skb), 0);
		skb->data[c.l4 + bit / 8] ^= 1 << bit % 8;
		if (!vnimesh_packet_parse(skb, &pkt))
			KUNIT_ASSERT_FALSE(test,
					   vnimesh_packet_tcp_sound(skb, &pkt));
		skb->data[c.l4 + bit / 8] ^= 1 << bit % 8;
		KUNIT_ASSERT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
		pkt.tuple.src.v4 ^= htonl(1);
		KUNIT_ASSERT_FALSE(test, vnimesh_packet_tcp_sound(skb, &pkt));
		pkt.tuple.src.v4 ^= htonl(1);

		/* A device is to complete it. */
		th = (struct tcphdr *)(skb->data + pkt.l4);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = (u8 *)th - skb->head;
		skb->csum_offset = offsetof(struct tcphdr, check);
		KUNIT_ASSERT_FALSE(test, vnimesh_packet_tcp_sound(skb, &pkt));
		th->check = seed(&pkt.tuple, c.len - c.l4);
		KUNIT_ASSERT_TRUE(test, vnimesh_packet_tcp_sound(skb, &pkt));
		skb->csum_start++;
		KUNIT_ASSERT_FALSE(test, vnimesh_packet_tcp_sound(skb, &pkt));
		skb->csum_start--;
		skb->csum_offset++;
		KUNIT_ASSERT_FALSE(test, vnimesh_packet_tcp_sound(skb, &pkt));
		kfree_skb(skb);
	}
}

static struct kunit_case packet_cases[] = {
	KUNIT_CASE(packet_tcp_sound),
	KUNIT_CASE(packet_truncated4),
	KUNIT_CASE(packet_truncated6),
	KUNIT_CASE(packet_version),
	KUNIT_CASE(packet_fragment),
	KUNIT_CASE(packet_damaged),
	{}
};

static struct kunit_suite packet_suite = {
	.name = "packet",
	.test_cases = packet_cases,
};

kunit_test_suite(packet_suite);
