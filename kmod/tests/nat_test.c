// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rewrite, by property: whatever the packet was, and in whichever state its
 * checksum, what leaves is byte by byte the packet that a sender with the other
 * tuple would have built.
 */
#include "../nat.c"
#include "fixture.h"

#define ROUNDS		20000
#define PAYLOAD_MAX	96
#define PACKET_MAX	(sizeof(struct ipv6hdr) + sizeof(struct tcphdr) + \
			 PAYLOAD_MAX)

struct nat_case {
	u64 random;
	struct vnimesh_flow flow;
	struct vnimesh_tuple old, new;
	u8 before[PACKET_MAX];	/* as sent, complete checksums */
	u8 after[PACKET_MAX];	/* as it should arrive */
	u8 got[PACKET_MAX];
	u8 payload[PAYLOAD_MAX];
	unsigned int len, l4, csum_offset;
	bool zero;		/* UDP without checksum */
};

static void random_ip(struct nat_case *c, u8 family, union vnimesh_ip *ip)
{
	memset(ip, 0, sizeof(*ip));
	test_fill(&c->random, ip, vnimesh_ip_len(family));
	/* Words of zeros and ones are where sums go wrong. */
	if (!test_below(&c->random, 8))
		memset(ip, test_below(&c->random, 2) ? 0xff : 0,
		       vnimesh_ip_len(family) / 2);
}

static void random_tuple(struct nat_case *c, struct vnimesh_tuple *t)
{
	random_ip(c, t->family, &t->src);
	random_ip(c, t->family, &t->dst);
	t->sport = (__force __be16)test_random(&c->random);
	t->dport = (__force __be16)test_random(&c->random);
}

/* A packet, and a flow that gives it another tuple, or parts of one. */
static void make_case(struct nat_case *c)
{
	unsigned int len = test_below(&c->random, PAYLOAD_MAX + 1);
	u32 same = test_below(&c->random, 16);
	struct vnimesh_tuple *rev;

	memset(&c->old, 0, sizeof(c->old));
	c->old.family = test_below(&c->random, 2) ? AF_INET : AF_INET6;
	c->old.proto = test_below(&c->random, 2) ? IPPROTO_UDP : IPPROTO_TCP;
	c->new = c->old;
	random_tuple(c, &c->old);
	random_tuple(c, &c->new);
	if (same & 1)
		c->new.src = c->old.src;
	if (same & 2)
		c->new.dst = c->old.dst;
	if (same & 4)
		c->new.sport = c->old.sport;
	if (same & 8)
		c->new.dport = c->old.dport;

	c->flow.link[VNIMESH_FORWARD].tuple = c->old;
	rev = &c->flow.link[VNIMESH_REVERSE].tuple;
	*rev = c->new;
	rev->src = c->new.dst;
	rev->dst = c->new.src;
	rev->sport = c->new.dport;
	rev->dport = c->new.sport;

	test_fill(&c->random, c->payload, len);
	c->len = test_packet(c->before, &c->old, c->payload, len, &c->l4);
	test_packet(c->after, &c->new, c->payload, len, &c->l4);
	c->zero = c->old.proto == IPPROTO_UDP && !test_below(&c->random, 4);
	c->csum_offset = c->old.proto == IPPROTO_UDP ?
		offsetof(struct udphdr, check) : offsetof(struct tcphdr, check);
	if (c->zero) {
		memset(c->before + c->l4 + c->csum_offset, 0, 2);
		memset(c->after + c->l4 + c->csum_offset, 0, 2);
	}
}

static struct sk_buff *make_skb(struct kunit *test, struct nat_case *c)
{
	unsigned int hlen = c->l4 + (c->old.proto == IPPROTO_UDP ?
				     sizeof(struct udphdr) :
				     sizeof(struct tcphdr));
	unsigned int linear = hlen + test_below(&c->random, c->len - hlen + 1);
	struct sk_buff *skb = test_skb(test, c->before, c->len, linear);

	skb->protocol = c->old.family == AF_INET ? htons(ETH_P_IP) :
						   htons(ETH_P_IPV6);
	return skb;
}

static int rewrite(struct nat_case *c, struct sk_buff *skb)
{
	struct vnimesh_packet pkt = {};

	pkt.tuple = c->old;
	pkt.l4 = c->l4;
	pkt.has_ports = true;
	return vnimesh_nat(skb, &pkt, &c->flow, VNIMESH_FORWARD);
}

/* Zero and all ones are the same sum. */
static bool same_sum(__sum16 a, __sum16 b)
{
	return a == b || (__force u16)(a ^ b) == 0xffff;
}

static void compare(struct kunit *test, struct nat_case *c,
		    struct sk_buff *skb, const char *state)
{
	__sum16 *got = (__sum16 *)(c->got + c->l4 + c->csum_offset);
	__sum16 *want = (__sum16 *)(c->after + c->l4 + c->csum_offset);

	KUNIT_ASSERT_EQ(test, skb->len, c->len);
	KUNIT_ASSERT_EQ(test, skb_copy_bits(skb, 0, c->got, c->len), 0);
	if (c->zero)
		KUNIT_ASSERT_EQ_MSG(test, *got, 0, "%s: a checksum appeared",
				    state);
	else if (c->old.proto == IPPROTO_UDP)
		KUNIT_ASSERT_NE_MSG(test, *got, 0, "%s: the checksum went", state);
	KUNIT_ASSERT_TRUE_MSG(test, same_sum(*got, *want),
			      "%s: checksum %04x instead of %04x", state,
			      ntohs(*got), ntohs(*want));
	*got = *want;
	KUNIT_ASSERT_EQ_MSG(test, memcmp(c->got, c->after, c->len), 0,
			    "%s: the packet differs", state);
}

static struct nat_case *new_case(struct kunit *test, u64 seed)
{
	struct nat_case *c = kunit_kzalloc(test, sizeof(*c), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, c);
	c->random = seed;
	return c;
}

static void nat_complete_field(struct kunit *test, u64 seed, u8 ip_summed,
			       const char *state)
{
	struct nat_case *c = new_case(test, seed);
	struct sk_buff *skb;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		make_case(c);
		skb = make_skb(test, c);
		skb->ip_summed = ip_summed;
		KUNIT_ASSERT_EQ(test, rewrite(c, skb), 0);
		compare(test, c, skb, state);
		kfree_skb(skb);
	}
}

static void nat_none(struct kunit *test)
{
	nat_complete_field(test, 1, CHECKSUM_NONE, "NONE");
}

static void nat_unnecessary(struct kunit *test)
{
	nat_complete_field(test, 2, CHECKSUM_UNNECESSARY, "UNNECESSARY");
}

/* The device has summed the whole packet: its sum must be that of the new. */
static void nat_complete(struct kunit *test)
{
	struct nat_case *c = new_case(test, 3);
	struct sk_buff *skb;
	__wsum sum;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		make_case(c);
		skb = make_skb(test, c);
		skb->ip_summed = CHECKSUM_COMPLETE;
		skb->csum = csum_partial(c->before, c->len, 0);
		KUNIT_ASSERT_EQ(test, rewrite(c, skb), 0);
		sum = skb_checksum(skb, 0, skb->len, 0);
		KUNIT_ASSERT_TRUE_MSG(test, same_sum(csum_fold(sum),
						     csum_fold(skb->csum)),
				      "COMPLETE: the device's sum is wrong (%s %s%s)",
				      c->old.family == AF_INET ? "v4" : "v6",
				      c->old.proto == IPPROTO_UDP ? "UDP" : "TCP",
				      c->zero ? ", no checksum" : "");
		compare(test, c, skb, "COMPLETE");
		kfree_skb(skb);
	}
}

/* Only the pseudo header is in the field; the device does the rest. */
static void nat_partial(struct kunit *test)
{
	struct nat_case *c = new_case(test, 4);
	unsigned int l4_len;
	struct sk_buff *skb;
	__sum16 *check;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		make_case(c);
		if (c->zero)	/* then there is nothing to be done later */
			continue;
		l4_len = c->len - c->l4;
		check = (__sum16 *)(c->before + c->l4 + c->csum_offset);
		if (c->old.family == AF_INET)
			*check = ~csum_tcpudp_magic(c->old.src.v4,
						    c->old.dst.v4, l4_len,
						    c->old.proto, 0);
		else
			*check = ~csum_ipv6_magic(&c->old.src.v6, &c->old.dst.v6,
						  l4_len, c->old.proto, 0);
		skb = make_skb(test, c);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_headroom(skb) + c->l4;
		skb->csum_offset = c->csum_offset;
		KUNIT_ASSERT_EQ(test, rewrite(c, skb), 0);
		KUNIT_ASSERT_TRUE(test, skb->ip_summed == CHECKSUM_PARTIAL);
		KUNIT_ASSERT_EQ(test, skb_checksum_help(skb), 0);
		compare(test, c, skb, "PARTIAL");
		kfree_skb(skb);
	}
}

/* The container tunnels: PARTIAL speaks of a header further inside, and what is
 * rewritten has a whole sum. In such a packet the inner sum is still missing, so
 * the outer one is of what will be there (or, for UDP, none).
 */
static void nat_partial_inside(struct kunit *test)
{
	struct nat_case *c = new_case(test, 5);
	unsigned int inside;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		make_case(c);
		inside = c->l4 + sizeof(struct tcphdr);
		if (c->len < inside + 2)
			continue;
		skb = make_skb(test, c);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = skb_headroom(skb) + inside;
		skb->csum_offset = 0;
		KUNIT_ASSERT_EQ(test, rewrite(c, skb), 0);
		compare(test, c, skb, "PARTIAL inside");
		kfree_skb(skb);
	}
}

/* Somebody else looks at the same bytes, a capture for instance. */
static void nat_shared(struct kunit *test)
{
	struct nat_case *c = new_case(test, 6);
	struct sk_buff *skb, *clone;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		make_case(c);
		skb = make_skb(test, c);
		clone = skb_clone(skb, GFP_KERNEL);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, clone);
		KUNIT_ASSERT_EQ(test, rewrite(c, skb), 0);
		compare(test, c, skb, "shared");
		KUNIT_ASSERT_EQ(test, skb_copy_bits(clone, 0, c->got, c->len), 0);
		KUNIT_EXPECT_EQ_MSG(test, memcmp(c->got, c->before, c->len), 0,
				    "the other reader's packet changed");
		kfree_skb(clone);
		kfree_skb(skb);
	}
}

/* There and back gives the packet that was sent. */
static void nat_back(struct kunit *test)
{
	struct nat_case *c = new_case(test, 7);
	struct vnimesh_packet pkt;
	struct vnimesh_tuple t;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		make_case(c);
		/* A reply, seen by the client's host: the inverse of new. */
		t = c->flow.link[VNIMESH_REVERSE].tuple;
		memset(&pkt, 0, sizeof(pkt));
		pkt.tuple = t;
		pkt.l4 = c->l4;
		pkt.has_ports = true;
		c->len = test_packet(c->before, &t, c->payload, 16, &c->l4);
		t.src = c->old.dst;
		t.dst = c->old.src;
		t.sport = c->old.dport;
		t.dport = c->old.sport;
		test_packet(c->after, &t, c->payload, 16, &c->l4);
		c->zero = false;
		skb = make_skb(test, c);
		KUNIT_ASSERT_EQ(test, vnimesh_nat(skb, &pkt, &c->flow,
						  VNIMESH_REVERSE), 0);
		compare(test, c, skb, "reply");
		KUNIT_EXPECT_EQ(test, memcmp(&pkt.tuple, &t, sizeof(t)), 0);
		kfree_skb(skb);
	}
}

static struct kunit_case nat_cases[] = {
	KUNIT_CASE(nat_none),
	KUNIT_CASE(nat_unnecessary),
	KUNIT_CASE(nat_complete),
	KUNIT_CASE(nat_partial),
	KUNIT_CASE(nat_partial_inside),
	KUNIT_CASE(nat_shared),
	KUNIT_CASE(nat_back),
	{}
};

static struct kunit_suite nat_suite = {
	.name = "nat",
	.test_cases = nat_cases,
};

kunit_test_suite(nat_suite);
