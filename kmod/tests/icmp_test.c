// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who may complain of whose packets.
 */
#include "../icmp.c"
#include "fixture.h"

#define CLIENT		0x0a4d010aU	/* 10.77.1.10 */
#define NEIGHBOUR	0x0a4d010bU
#define OWN		0x0a4d0101U	/* this host's own VNI */
#define FAR		0x0a4d020aU	/* on node 2 */
#define FAR_NODE	0x0a4d0201U
#define OTHER_NODE	0x0a4d0301U

struct icmp_fixture {
	struct vnimesh_mesh *mesh;
	struct vnimesh_service *service;
	struct vnimesh_vni *client;
	struct vnimesh_vni *near;
	struct vnimesh_vni *far;
	struct vnimesh_member *member;
	struct vnimesh_flow flow;
};

static int icmp_init(struct kunit *test)
{
	struct icmp_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct vnimesh_dev *own;
	union vnimesh_ip ip;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	f->mesh = test_mesh(test, 16);
	test_node(test, f->mesh, 2, 0xc000020c, 0x0a4d0200, 24);
	test_node(test, f->mesh, 3, 0xc000020d, 0x0a4d0300, 24);
	f->client = test_vni(test, f->mesh, 110, CLIENT);
	f->near = test_vni(test, f->mesh, 111, NEIGHBOUR);
	own = netdev_priv(f->mesh->dev);
	own->mesh = f->mesh;
	own->dev = f->mesh->dev;
	own->vni = test_vni(test, f->mesh, 101, OWN);
	test_ip4(&ip, FAR);
	mutex_lock(&f->mesh->lock);
	f->far = vnimesh_vni_add(f->mesh, 210, vnimesh_node_find(f->mesh, 2),
				 &ip, NULL);
	mutex_unlock(&f->mesh->lock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->far);
	f->service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->service);
	return 0;
}

static void icmp_exit(struct kunit *test)
{
	struct icmp_fixture *f = test->priv;

	if (!f)
		return;
	vnimesh_service_put(f->service);
	test_mesh_free(f->mesh);
}

static bool believed(struct icmp_fixture *f, u32 peer, u32 src)
{
	struct vnimesh_packet pkt = { .tuple.family = AF_INET };
	bool is;

	test_ip4(&pkt.tuple.src, src);
	test_ip4(&pkt.tuple.dst, CLIENT);
	test_ip4(&f->flow.link[VNIMESH_REVERSE].tuple.src, peer);
	rcu_read_lock();
	is = vnimesh_icmp_believed(f->mesh, &pkt, &f->flow);
	rcu_read_unlock();
	return is;
}

static void check_far(struct kunit *test, struct icmp_fixture *f)
{
	KUNIT_EXPECT_TRUE(test, believed(f, FAR, FAR));
	KUNIT_EXPECT_TRUE(test, believed(f, FAR, FAR_NODE));
	KUNIT_EXPECT_FALSE(test, believed(f, FAR, OTHER_NODE));
	KUNIT_EXPECT_FALSE(test, believed(f, FAR, NEIGHBOUR));
	KUNIT_EXPECT_FALSE(test, believed(f, FAR, OWN));
	KUNIT_EXPECT_FALSE(test, believed(f, FAR, 0x08080808));
}

static void icmp_direct(struct kunit *test)
{
	check_far(test, test->priv);
}

static void icmp_member(struct kunit *test)
{
	struct icmp_fixture *f = test->priv;

	f->flow.member = vnimesh_member_alloc(f->service, f->far);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->flow.member);
	check_far(test, f);
	vnimesh_member_put(f->flow.member);

	f->flow.member = vnimesh_member_alloc(f->service, f->near);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->flow.member);
	KUNIT_EXPECT_TRUE(test, believed(f, NEIGHBOUR, NEIGHBOUR));
	KUNIT_EXPECT_TRUE(test, believed(f, NEIGHBOUR, OWN));
	KUNIT_EXPECT_FALSE(test, believed(f, NEIGHBOUR, CLIENT));
	KUNIT_EXPECT_FALSE(test, believed(f, NEIGHBOUR, FAR));
	vnimesh_member_put(f->flow.member);
}

/* An error about a packet to @to, sent by @from. */
static bool own(struct kunit *test, struct icmp_fixture *f,
		struct vnimesh_vni *vni, struct net_device *dev, u32 from, u32 to)
{
	struct vnimesh_dev vdev = { .mesh = f->mesh, .vni = vni, .dev = dev };
	struct vnimesh_tuple t = { .family = AF_INET, .proto = IPPROTO_UDP };
	struct vnimesh_packet pkt = { .tuple.family = AF_INET };
	u8 data[128] = {};
	struct icmphdr *icmp = (void *)(data + sizeof(struct iphdr));
	struct iphdr *iph = (void *)data;
	unsigned int l4, len;
	struct sk_buff *skb;
	bool is;

	test_ip4(&t.src, FAR);
	test_ip4(&t.dst, to);
	t.sport = htons(1);
	t.dport = htons(2);
	len = test_packet(icmp + 1, &t, "", 0, &l4);
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_PORT_UNREACH;
	len += sizeof(*iph) + sizeof(*icmp);
	iph->version = 4;
	iph->ihl = 5;
	iph->tot_len = htons(len);
	iph->protocol = IPPROTO_ICMP;
	iph->saddr = htonl(from);
	iph->daddr = htonl(FAR);
	iph->ttl = 64;
	iph->check = ip_fast_csum(iph, iph->ihl);
	skb = test_skb(test, data, len, len);
	skb->protocol = htons(ETH_P_IP);
	KUNIT_ASSERT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
	rcu_read_lock();
	is = vnimesh_icmp_own(&vdev, skb, &pkt);
	rcu_read_unlock();
	kfree_skb(skb);
	return is;
}

static void icmp_sent(struct kunit *test)
{
	struct icmp_fixture *f = test->priv;

	KUNIT_EXPECT_TRUE(test, own(test, f, f->client, NULL, CLIENT, CLIENT));
	KUNIT_EXPECT_FALSE(test, own(test, f, f->client, NULL, CLIENT,
				     NEIGHBOUR));
	/* The host, about what is not here. */
	KUNIT_EXPECT_TRUE(test, own(test, f, f->client, f->mesh->dev, OWN,
				    0x0a4d0163));
}

static struct kunit_case icmp_cases[] = {
	KUNIT_CASE(icmp_direct),
	KUNIT_CASE(icmp_member),
	KUNIT_CASE(icmp_sent),
	{}
};

static struct kunit_suite icmp_suite = {
	.name = "icmp",
	.init = icmp_init,
	.exit = icmp_exit,
	.test_cases = icmp_cases,
};

kunit_test_suite(icmp_suite);
