// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which SYNs any listener treats alike.
 */
#include "../syn.c"
#include "fixture.h"

static const struct {
	const char *what;
	u8 len;
	u8 data[16];
	bool plain;
} cases[] = {
	{ "none", 0, {}, true },
	{ "MSS, SACK, timestamp", 16, { 2, 4, 5, 180, 4, 2, 8, 10 }, true },
	{ "MSS, NOP, window", 8, { 2, 4, 5, 180, 1, 3, 3, 7 }, true },
	{ "MP_CAPABLE", 4, { 30, 4, 0x01, 0 }, true },
	{ "MP_JOIN", 12, { 30, 12, 0x10, 1, 0, 0, 0, 1, 0, 0, 0, 2 }, false },
	{ "MPTCP, too short for a subtype", 4, { 30, 2, 1, 1 }, false },
	{ "Fast Open", 4, { 34, 2, 1, 1 }, false },
	{ "too long", 4, { 2, 8, 1, 1 }, false },
	{ "cut off", 4, { 1, 1, 1, 2 }, false },
	{ "end", 4, { 0, 30, 12, 0x10 }, true },
};

static void syn_options(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    plain_options(cases[i].data, cases[i].len),
				    cases[i].plain, "%s", cases[i].what);
}

/* A whole one of @len bytes behind the headers that nobody counts. */
static struct sk_buff *make_syn(struct kunit *test, struct vnimesh_packet *pkt,
				unsigned int len)
{
	u8 data[100] = {};
	struct iphdr *iph = (struct iphdr *)data;
	struct tcphdr *th = (struct tcphdr *)(iph + 1);
	struct sk_buff *skb;

	iph->version = 4;
	iph->ihl = 5;
	iph->ttl = 64;
	iph->protocol = IPPROTO_TCP;
	iph->tot_len = htons(sizeof(*iph) + sizeof(*th));
	iph->saddr = htonl(0x0a4d010a);
	iph->daddr = htonl(0x0a600001);
	iph->check = ip_fast_csum(iph, iph->ihl);
	th->source = htons(40000);
	th->dest = htons(7000);
	th->doff = 5;
	th->syn = 1;
	th->check = csum_tcpudp_magic(iph->saddr, iph->daddr, sizeof(*th),
				      IPPROTO_TCP,
				      csum_partial(th, sizeof(*th), 0));
	len += sizeof(*iph) + sizeof(*th);
	skb = test_skb(test, data, len, len);
	skb->protocol = htons(ETH_P_IP);
	KUNIT_ASSERT_EQ(test, vnimesh_packet_parse(skb, pkt), 0);
	return skb;
}

/* Only what surely reaches the listener, if the way is whole: its silence is
 * evidence.
 */
static void syn_whole(struct kunit *test)
{
	struct vnimesh_packet pkt;
	struct sk_buff *skb = make_syn(test, &pkt, 0);

	KUNIT_EXPECT_TRUE(test, vnimesh_syn_plain(skb, &pkt));
	pkt.fragment = true;	/* it is kept for the rest of it */
	KUNIT_EXPECT_FALSE(test, vnimesh_syn_plain(skb, &pkt));
	pkt.fragment = false;
	skb_shinfo(skb)->gso_size = 1000;
	KUNIT_EXPECT_FALSE(test, vnimesh_syn_plain(skb, &pkt));
	kfree_skb(skb);
	skb = make_syn(test, &pkt, 20);
	KUNIT_EXPECT_FALSE(test, vnimesh_syn_plain(skb, &pkt));
	kfree_skb(skb);
}

/* Of the places for kept SYNs, with so many taken by all and by one VNI. */
static const struct {
	u32 all;
	u32 own;
	bool kept;
} rooms[] = {
	{ 0, 0, true },
	{ VNIMESH_SYN_MAX / 2 - 1, VNIMESH_SYN_MAX / 2 - 1, true },
	{ VNIMESH_SYN_MAX / 2, VNIMESH_SYN_MAX / 2, false },
	{ VNIMESH_SYN_MAX / 2, VNIMESH_SYN_MAX / 4 - 1, true },
	{ VNIMESH_SYN_MAX / 2, VNIMESH_SYN_MAX / 4, false },
	{ VNIMESH_SYN_MAX - 1, 0, true },
	{ VNIMESH_SYN_MAX, 0, false },
};

/* The mesh has a bound, and who takes much has one before. */
static void syn_room(struct kunit *test)
{
	struct vnimesh_mesh *mesh = kunit_kzalloc(test, sizeof(*mesh), GFP_KERNEL);
	struct vnimesh_flow *flow = kunit_kzalloc(test, sizeof(*flow), GFP_KERNEL);
	struct vnimesh_vni *vni = kunit_kzalloc(test, sizeof(*vni), GFP_KERNEL);
	struct vnimesh_packet pkt;
	struct sk_buff *skb = make_syn(test, &pkt, 0);
	u64 lost = 0;
	int i;

	KUNIT_ASSERT_TRUE(test, mesh && flow && vni);
	mesh->stats = alloc_percpu(struct vnimesh_stats);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, mesh->stats);
	flow->client = vni;
	for (i = 0; i < ARRAY_SIZE(rooms); i++) {
		atomic_set(&mesh->syns, rooms[i].all);
		atomic_set(&vni->syns, rooms[i].own);
		vnimesh_syn_keep(mesh, flow, skb, &pkt);
		KUNIT_EXPECT_EQ_MSG(test, !!flow->syn, rooms[i].kept, "%d", i);
		lost += !rooms[i].kept;
		KUNIT_EXPECT_EQ(test, vnimesh_stats_read(mesh, VNIMESH_A_STATS_SYN_LOST),
				lost);
		vnimesh_syn_drop(mesh, flow);
		KUNIT_EXPECT_EQ(test, (u32)atomic_read(&mesh->syns), rooms[i].all);
		KUNIT_EXPECT_EQ(test, (u32)atomic_read(&vni->syns), rooms[i].own);
	}
	kfree_skb(skb);
	free_percpu(mesh->stats);
}

static struct kunit_case syn_cases[] = {
	KUNIT_CASE(syn_room),
	KUNIT_CASE(syn_options),
	KUNIT_CASE(syn_whole),
	{}
};

static struct kunit_suite syn_suite = {
	.name = "syn",
	.test_cases = syn_cases,
};

kunit_test_suite(syn_suite);
