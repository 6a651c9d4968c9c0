// SPDX-License-Identifier: GPL-2.0-only
/*
 * A packet for a service that came, or was completed, after the packet's own look
 * at the table: nobody would release it.
 */
#include "../miss.c"
#include "fixture.h"

#define SERVICE	0x0a600001	/* 10.96.0.1 */
#define CLIENT	0x0a4d0101	/* 10.77.1.1 */
#define OTHER	0x0a4d0102

struct miss_fixture {
	struct vnimesh_mesh *mesh;
	struct vnimesh_service *service;
	struct vnimesh_dev *from;
};

static u64 counted(struct vnimesh_mesh *mesh, unsigned int what)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu_ptr(mesh->stats, cpu)->c[what];
	return sum;
}

/* From an address that is not the sender's: what is routed again ends there. */
static void send(struct kunit *test, struct miss_fixture *f, bool loading)
{
	struct vnimesh_tuple t = { .family = AF_INET, .proto = IPPROTO_UDP };
	struct vnimesh_packet pkt;
	struct sk_buff *skb;
	unsigned int l4, len;
	u8 data[64] = {};

	test_ip4(&t.src, OTHER);
	test_ip4(&t.dst, SERVICE);
	t.sport = htons(1);
	t.dport = htons(2);
	len = test_packet(data, &t, "", 0, &l4);
	skb = test_skb(test, data, len, len);
	skb->protocol = htons(ETH_P_IP);
	skb->dev = f->mesh->dev;
	KUNIT_ASSERT_EQ(test, vnimesh_packet_parse(skb, &pkt), 0);
	local_bh_disable();
	rcu_read_lock();
	vnimesh_miss_packet(f->from, skb, &pkt, false, loading);
	rcu_read_unlock();
	local_bh_enable();
}

static void miss_late(struct kunit *test)
{
	struct miss_fixture *f = test->priv;
	struct vnimesh_mesh *mesh = f->mesh;

	/* Neither there ... */
	send(test, f, true);
	KUNIT_EXPECT_EQ(test, counted(mesh, VNIMESH_A_STATS_HOLD), 1);

	/* ... nor complete. */
	f->service->loading = 1;
	mutex_lock(&mesh->lock);
	KUNIT_ASSERT_EQ(test, vnimesh_service_link(mesh, f->service), 0);
	mutex_unlock(&mesh->lock);
	send(test, f, true);
	KUNIT_EXPECT_EQ(test, counted(mesh, VNIMESH_A_STATS_HOLD), 2);
	KUNIT_EXPECT_EQ(test, counted(mesh, VNIMESH_A_STATS_TX_BAD_SOURCE), 0);

	WRITE_ONCE(f->service->loading, 0);
	send(test, f, true);
	send(test, f, false);
	KUNIT_EXPECT_EQ(test, counted(mesh, VNIMESH_A_STATS_HOLD), 2);
	KUNIT_EXPECT_EQ(test, counted(mesh, VNIMESH_A_STATS_TX_BAD_SOURCE), 2);
}

static int miss_begin(struct kunit *test)
{
	struct miss_fixture *f;
	union vnimesh_ip ip;

	f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	f->mesh = test_mesh(test, 1024);
	f->mesh->agent = 1;
	f->mesh->set.hold_max = 64;
	f->mesh->set.hold_vni_max = 16;
	f->mesh->set.miss_timeout = 60000;
	KUNIT_ASSERT_EQ(test, vnimesh_miss_init(f->mesh), 0);
	f->from = netdev_priv(f->mesh->dev);
	f->from->mesh = f->mesh;
	f->from->dev = f->mesh->dev;
	f->from->vni = test_vni(test, f->mesh, 257, CLIENT);
	test_ip4(&ip, SERVICE);
	f->service = vnimesh_service_alloc("db", &ip, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->service);
	return 0;
}

static void miss_end(struct kunit *test)
{
	struct miss_fixture *f = test->priv;

	vnimesh_miss_stop(f->mesh);
	vnimesh_miss_exit(f->mesh);
	test_mesh_free(f->mesh);
}

static struct kunit_case miss_cases[] = {
	KUNIT_CASE(miss_late),
	{}
};

static struct kunit_suite miss_suite = {
	.name = "miss",
	.init = miss_begin,
	.exit = miss_end,
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.test_cases = miss_cases,
};

kunit_test_suite(miss_suite);
