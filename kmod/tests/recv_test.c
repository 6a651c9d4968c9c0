// SPDX-License-Identifier: GPL-2.0-only
/*
 * What arrives at the underlay's socket: every truncation, versions, flags and
 * options of Geneve. Each packet is consumed and counted once.
 */
#include <linux/icmp.h>

#include "../recv.c"
#include "fixture.h"

#define NODE2		0xc000020cU	/* 192.0.2.12 */
#define ROOM		512

struct recv_fixture {
	struct vnimesh_mesh *mesh;
	struct vnimesh_sock *vs;
	struct sock *sk;
	struct vnimesh_tuple tuple;
	u8 data[ROOM];		/* from the outer IP header on */
	unsigned int len;
	unsigned int opt_len;
};

static unsigned int freed;

static void count_freed(struct sk_buff *skb)
{
	freed++;
}

static int recv_init(struct kunit *test)
{
	struct recv_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	f->mesh = test_mesh(test, 16);
	test->priv = f;
	test_node(test, f->mesh, 2, NODE2, 0x0a4d0200, 24);
	f->vs = kunit_kzalloc(test, sizeof(*f->vs), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->vs);
	f->vs->strays = alloc_percpu(struct vnimesh_strays);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->vs->strays);
	f->mesh->sock = f->vs;
	f->sk = kunit_kzalloc(test, sizeof(*f->sk), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->sk);
	f->sk->sk_family = AF_INET;
	rcu_assign_sk_user_data(f->sk, f->vs);
	vnimesh_sock_add(f->vs, f->mesh);
	return 0;
}

static void recv_exit(struct kunit *test)
{
	struct recv_fixture *f = test->priv;

	if (!f)
		return;
	vnimesh_sock_del(f->mesh);
	free_percpu(f->vs->strays);
	test_mesh_free(f->mesh);
}

static struct genevehdr *geneve(struct recv_fixture *f)
{
	return (struct genevehdr *)(f->data + sizeof(struct iphdr) +
				    sizeof(struct udphdr));
}

/* From node 2, from a VNI that it owns, to an address that is not here. */
static void build(struct recv_fixture *f, u8 proto, unsigned int opt_len)
{
	struct udphdr *uh = (struct udphdr *)(f->data + sizeof(struct iphdr));
	struct iphdr *iph = (struct iphdr *)f->data;
	struct genevehdr *gh = geneve(f);
	unsigned int l4, off;

	memset(f->data, 0, sizeof(f->data));
	iph->version = 4;
	iph->ihl = 5;
	iph->protocol = IPPROTO_UDP;
	iph->saddr = htonl(NODE2);
	iph->daddr = htonl(0xc000020bU);
	iph->ttl = 64;
	gh->opt_len = opt_len / 4;
	gh->proto_type = htons(ETH_P_IP);
	gh->vni[2] = 77;
	f->tuple.family = AF_INET;
	f->tuple.proto = proto;
	test_ip4(&f->tuple.src, 0x0a4d020a);
	test_ip4(&f->tuple.dst, 0x0a4d010a);
	f->tuple.sport = htons(1234);
	f->tuple.dport = htons(80);
	off = (u8 *)(gh + 1) - f->data + opt_len;
	f->len = off + test_packet(f->data + off, &f->tuple, "hello", 5, &l4);
	f->opt_len = opt_len;
	uh->len = htons(f->len - sizeof(*iph));
}

static u64 counter(struct recv_fixture *f, unsigned int what)
{
	if (what == VNIMESH_A_STATS_PORT_MALFORMED ||
	    what == VNIMESH_A_STATS_PORT_FOREIGN)
		return vnimesh_sock_strays(f->mesh, what);
	return vnimesh_stats_read(f->mesh, what);
}

static u64 counted(struct recv_fixture *f)
{
	u64 sum = 0;
	int i;

	for (i = 0; i <= VNIMESH_A_STATS_MAX; i++)
		sum += counter(f, i);
	return sum;
}

/* Hand in the first @len bytes behind the outer IP header as UDP does. Expects
 * counter @what to go up, no other one, and the packet to be gone.
 */
static void receive(struct kunit *test, struct recv_fixture *f,
		    unsigned int len, unsigned int linear, unsigned int what)
{
	unsigned int ip = sizeof(struct iphdr);
	u64 all = counted(f), one = counter(f, what);
	unsigned int before = freed;
	struct sk_buff *skb;

	skb = test_skb(test, f->data, ip + len, ip + linear);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = f->mesh->dev;
	skb->destructor = count_freed;
	__skb_pull(skb, ip);
	skb_reset_transport_header(skb);
	local_bh_disable();
	rcu_read_lock();
	KUNIT_ASSERT_EQ(test, vnimesh_recv(f->sk, skb), 0);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_ASSERT_EQ_MSG(test, counter(f, what) - one, 1,
			    "%u of %zu bytes, %u linear: not counted so", len,
			    f->len - sizeof(struct iphdr), linear);
	KUNIT_ASSERT_EQ(test, counted(f) - all, 1);
	KUNIT_ASSERT_EQ_MSG(test, freed - before, 1, "leaked");
}

static unsigned int whole(struct recv_fixture *f)
{
	return f->len - sizeof(struct iphdr);
}

static void truncations(struct kunit *test, u8 proto, unsigned int opt_len)
{
	struct recv_fixture *f = test->priv;
	unsigned int n, linear;

	build(f, proto, opt_len);
	for (n = sizeof(struct udphdr); n <= whole(f); n++)
		for (linear = sizeof(struct udphdr); linear <= n; linear++)
			receive(test, f, n, linear, n == whole(f) ?
				VNIMESH_A_STATS_RX_NO_VNI : n < BASE_LEN ?
				VNIMESH_A_STATS_PORT_MALFORMED :
				VNIMESH_A_STATS_RX_MALFORMED);
}

static void recv_truncated(struct kunit *test)
{
	truncations(test, IPPROTO_UDP, 0);
	truncations(test, IPPROTO_TCP, 0);
}

static void recv_truncated_options(struct kunit *test)
{
	truncations(test, IPPROTO_UDP, 4);
	truncations(test, IPPROTO_UDP, 252);
}

static void recv_header(struct kunit *test)
{
	struct recv_fixture *f = test->priv;
	int i;

	for (i = 1; i < 4; i++) {
		build(f, IPPROTO_UDP, 0);
		geneve(f)->ver = i;
		receive(test, f, whole(f), whole(f), VNIMESH_A_STATS_RX_MALFORMED);
	}
	build(f, IPPROTO_UDP, 0);
	geneve(f)->oam = 1;
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_RX_FOREIGN);
	build(f, IPPROTO_UDP, 4);
	geneve(f)->critical = 1;
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_RX_FOREIGN);
	build(f, IPPROTO_UDP, 0);
	geneve(f)->proto_type = htons(ETH_P_TEB);
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_RX_FOREIGN);
	build(f, IPPROTO_UDP, 0);
	geneve(f)->proto_type = htons(ETH_P_IPV6);
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_RX_MALFORMED);
	build(f, IPPROTO_UDP, 0);
	geneve(f)->vni[0] = 1;
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_PORT_FOREIGN);
	/* Reserved bits are ignored on receipt (RFC 8926, 3.4). */
	build(f, IPPROTO_UDP, 0);
	geneve(f)->rsvd1 = 0x3f;
	geneve(f)->rsvd2 = 0xff;
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_RX_NO_VNI);
}

/* Who may say what: the outer source must be the node of the inner one. */
static void recv_source(struct kunit *test)
{
	struct recv_fixture *f = test->priv;

	test_node(test, f->mesh, 3, NODE2 + 1, 0x0a4d0300, 24);
	build(f, IPPROTO_UDP, 0);
	((struct iphdr *)f->data)->saddr = htonl(NODE2 + 1);
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_RX_BAD_SOURCE);
	build(f, IPPROTO_UDP, 0);
	((struct iphdr *)f->data)->saddr = htonl(NODE2 + 7);
	receive(test, f, whole(f), 16, VNIMESH_A_STATS_RX_UNKNOWN_NODE);
}

/* Small datagrams take the short way, but do not overtake large ones. */
static void recv_gro(struct kunit *test)
{
	struct vnimesh_packet pkt = { .tuple.proto = IPPROTO_UDP };
	struct sk_buff *small, *large;
	struct vnimesh_dev *vdev;
	struct net_device *dev;

	dev = alloc_netdev(sizeof(*vdev), "kunit%d", NET_NAME_UNKNOWN,
			   ether_setup);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dev);
	vdev = netdev_priv(dev);
	vdev->bulk = jiffies - HZ;
	small = alloc_skb(dev->mtu, GFP_KERNEL);
	large = alloc_skb(dev->mtu, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, small);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, large);
	skb_put(small, dev->mtu / 2);
	skb_put(large, dev->mtu / 2 + 1);

	KUNIT_EXPECT_FALSE(test, wants_gro(dev, small, &pkt));
	dev->features |= NETIF_F_GRO_UDP_FWD;
	KUNIT_EXPECT_TRUE(test, wants_gro(dev, small, &pkt));
	dev->features ^= NETIF_F_GRO_UDP_FWD | NETIF_F_GRO_FRAGLIST;
	KUNIT_EXPECT_TRUE(test, wants_gro(dev, small, &pkt));
	dev->features &= ~NETIF_F_GRO_FRAGLIST;
	pkt.tuple.proto = IPPROTO_TCP;
	KUNIT_EXPECT_TRUE(test, wants_gro(dev, small, &pkt));
	pkt.tuple.proto = IPPROTO_UDP;
	KUNIT_EXPECT_FALSE(test, wants_gro(dev, small, &pkt));
	KUNIT_EXPECT_TRUE(test, wants_gro(dev, large, &pkt));
	KUNIT_EXPECT_TRUE(test, wants_gro(dev, small, &pkt));
	/* Another processor's, which saw the next tick first. */
	vdev->bulk = jiffies + HZ / 2;
	KUNIT_EXPECT_TRUE(test, wants_gro(dev, small, &pkt));
	vdev->bulk = jiffies - 2 * HZ;
	KUNIT_EXPECT_FALSE(test, wants_gro(dev, small, &pkt));

	kfree_skb(small);
	kfree_skb(large);
	free_netdev(dev);
}

/* A flow of @client, from 10.96.0.1 here, to 10.77.2.10. BH, RCU. */
static struct vnimesh_flow *add_flow(struct kunit *test, struct recv_fixture *f,
				     struct vnimesh_vni *client)
{
	struct vnimesh_flow *flow = vnimesh_flow_open(f->mesh, client, NULL);

	KUNIT_EXPECT_FALSE(test, IS_ERR(flow));
	flow->link[VNIMESH_REVERSE].tuple = f->tuple;
	vnimesh_tuple_invert(&flow->link[VNIMESH_FORWARD].tuple, &f->tuple);
	test_ip4(&flow->link[VNIMESH_FORWARD].tuple.dst, 0x0a600001);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_insert(f->mesh, flow), 0);
	return flow;
}

/* What rewrite() makes of @data for @vni, and of its source. BH, RCU. */
static int rewritten(struct kunit *test, struct recv_fixture *f,
		     struct vnimesh_vni *vni, const void *data, unsigned int len,
		     __be32 *source)
{
	struct vnimesh_packet pkt = {};
	struct sk_buff *skb;
	int err;

	skb = alloc_skb(len, GFP_ATOMIC);
	KUNIT_EXPECT_NOT_NULL(test, skb);
	skb_put_data(skb, data, len);
	skb_reset_network_header(skb);
	skb->protocol = htons(ETH_P_IP);
	KUNIT_EXPECT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
	err = rewrite(f->mesh, vni, skb, &pkt);
	*source = ip_hdr(skb)->saddr;
	kfree_skb(skb);
	return err;
}

/* The client's address is another's now, and the worker did not run yet. */
static void recv_heir(struct kunit *test)
{
	struct recv_fixture *f = test->priv;
	u8 data[128] = {}, error[256] = {};
	struct iphdr *iph = (void *)error;
	struct icmphdr *icmp = (void *)(iph + 1);
	struct vnimesh_vni *owner, *heir;
	struct vnimesh_tuple inverse;
	struct vnimesh_flow *flow;
	unsigned int l4, len, all;
	__be32 source;

	owner = test_vni(test, f->mesh, 110, 0x0a4d010a);
	heir = test_vni(test, f->mesh, 111, 0x0a4d010b);
	build(f, IPPROTO_UDP, 0);
	len = test_packet(data, &f->tuple, "hello", 5, &l4);
	vnimesh_tuple_invert(&inverse, &f->tuple);
	all = test_packet(icmp + 1, &inverse, "hello", 5, &l4) +
	      sizeof(*iph) + sizeof(*icmp);
	icmp->type = ICMP_DEST_UNREACH;
	icmp->code = ICMP_PORT_UNREACH;
	memcpy(iph, data, sizeof(*iph));
	iph->tot_len = htons(all);
	iph->protocol = IPPROTO_ICMP;
	iph->check = 0;
	iph->check = ip_fast_csum(iph, iph->ihl);

	local_bh_disable();
	rcu_read_lock();
	flow = add_flow(test, f, owner);
	atomic_inc(&heir->share.live);
	KUNIT_EXPECT_EQ(test, rewritten(test, f, heir, data, len, &source), 0);
	KUNIT_EXPECT_EQ(test, source, htonl(0x0a4d020a));
	KUNIT_EXPECT_EQ(test, rewritten(test, f, owner, data, len, &source), 0);
	KUNIT_EXPECT_EQ(test, source, htonl(0x0a600001));
	/* Its SYN went elsewhere: nothing for who sent it. */
	flow->state = VNIMESH_FLOW_MOVED;
	KUNIT_EXPECT_EQ(test, rewritten(test, f, heir, error, all, &source), 0);
	KUNIT_EXPECT_EQ(test, rewritten(test, f, owner, error, all, &source), 1);
	flow->state = VNIMESH_FLOW_NEW;
	atomic_dec(&heir->share.live);
	rcu_read_unlock();
	local_bh_enable();
}

static struct kunit_case recv_cases[] = {
	KUNIT_CASE(recv_truncated),
	KUNIT_CASE(recv_truncated_options),
	KUNIT_CASE(recv_header),
	KUNIT_CASE(recv_source),
	KUNIT_CASE(recv_gro),
	KUNIT_CASE(recv_heir),
	{}
};

static struct kunit_suite recv_suite = {
	.name = "recv",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.init = recv_init,
	.exit = recv_exit,
	.test_cases = recv_cases,
};

kunit_test_suite(recv_suite);
