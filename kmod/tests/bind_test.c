// SPDX-License-Identifier: GPL-2.0-only
/*
 * Source ports that are made up: not those that sockets take by themselves. And
 * whose flow a packet belongs to.
 */
#include "../bind.c"
#include "fixture.h"

static void check_draw(struct kunit *test, u32 low, u32 high, u32 first,
		       u32 last)
{
	u64 random = 3;
	u32 i, port;

	KUNIT_EXPECT_EQ(test, draw_port(low, high, false, 0), first);
	KUNIT_EXPECT_EQ(test, draw_port(low, high, false, ~0U), last);
	for (i = 0; i < 1000; i++) {
		port = draw_port(low, high, false, test_random(&random));
		KUNIT_ASSERT_GE(test, port, first);
		KUNIT_ASSERT_LE(test, port, last);
	}
	KUNIT_EXPECT_EQ(test, draw_port(low, high, true, 0), 1024);
	KUNIT_EXPECT_EQ(test, draw_port(low, high, true, ~0U), 65535);
}

static void bind_ports(struct kunit *test)
{
	check_draw(test, 32768, 60999, 61000, 65535);
	check_draw(test, 1, 500, 1024, 65535);
	check_draw(test, 32768, 65535, 1024, 32767);
	check_draw(test, 10000, 65000, 1024, 9999);
	check_draw(test, 1024, 65535, 1024, 65535);
	check_draw(test, 1500, 65000, 1024, 65535);
}

/* An address went from one VNI to another, and the worker did not run yet. */
static void bind_heir(struct kunit *test)
{
	struct vnimesh_packet pkt = {
		.tuple = {
			.family = AF_INET,
			.proto = IPPROTO_UDP,
			.sport = htons(1234),
			.dport = htons(80),
		},
		.has_ports = true,
	};
	struct vnimesh_flow *flow, *found;
	struct vnimesh_dev owner = {}, heir = {};
	struct vnimesh_mesh *mesh = test_mesh(test, 16);

	owner.mesh = mesh;
	owner.vni = test_vni(test, mesh, 110, 0x0a4d010a);
	heir.mesh = mesh;
	heir.vni = test_vni(test, mesh, 111, 0x0a4d010b);
	test_ip4(&pkt.tuple.src, 0x0a4d010a);
	test_ip4(&pkt.tuple.dst, 0x0a600001);

	local_bh_disable();
	rcu_read_lock();
	flow = vnimesh_flow_open(mesh, owner.vni, NULL);
	KUNIT_EXPECT_FALSE(test, IS_ERR(flow));
	flow->link[VNIMESH_FORWARD].tuple = pkt.tuple;
	vnimesh_tuple_invert(&flow->link[VNIMESH_REVERSE].tuple, &pkt.tuple);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_insert(mesh, flow), 0);
	found = vnimesh_bind_find(&owner, NULL, &pkt);
	KUNIT_EXPECT_PTR_EQ(test, found, flow);
	found = vnimesh_bind_find(&heir, NULL, &pkt);
	KUNIT_EXPECT_NULL(test, found);
	found = vnimesh_flow_find(mesh, VNIMESH_FORWARD, &pkt.tuple);
	KUNIT_EXPECT_NULL(test, found);
	rcu_read_unlock();
	local_bh_enable();
	test_mesh_free(mesh);
}

static struct vnimesh_vni *remote_vni(struct kunit *test,
				      struct vnimesh_mesh *mesh, u32 id)
{
	struct vnimesh_vni *vni;
	union vnimesh_ip ip;

	test_ip4(&ip, 0x0a4d020a);
	mutex_lock(&mesh->lock);
	vni = vnimesh_vni_add(mesh, id, xa_load(&mesh->nodes, 2), &ip, NULL);
	mutex_unlock(&mesh->lock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, vni);
	return vni;
}

/* A member is no more, and its VNI, but its flows are kept: until the address is
 * another's.
 */
static void bind_taken(struct kunit *test)
{
	struct vnimesh_mesh *mesh = test_mesh(test, 16);
	struct vnimesh_service *service;
	struct vnimesh_packet pkt = {};
	struct vnimesh_member *m;
	struct vnimesh_flow *flow;
	struct vnimesh_vni *vni, *client;

	client = test_vni(test, mesh, 110, 0x0a4d010a);
	test_node(test, mesh, 2, 0xc000020c, 0x0a4d0200, 24);
	vni = remote_vni(test, mesh, 300);
	service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, service);
	m = vnimesh_member_alloc(service, vni);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	pkt.tuple.family = AF_INET;
	pkt.tuple.proto = IPPROTO_UDP;
	test_ip4(&pkt.tuple.src, 0x0a4d020a);
	test_ip4(&pkt.tuple.dst, 0x0a4d010a);

	local_bh_disable();
	rcu_read_lock();
	flow = vnimesh_flow_open(mesh, client, m);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, flow);
	flow->link[VNIMESH_REVERSE].tuple = pkt.tuple;
	mutex_lock(&mesh->lock);
	vnimesh_vni_unlink(mesh, vni);
	mutex_unlock(&mesh->lock);
	rcu_read_lock();
	KUNIT_EXPECT_FALSE(test, vnimesh_flow_member_left(flow));
	rcu_read_unlock();
	remote_vni(test, mesh, 301);
	rcu_read_lock();
	KUNIT_EXPECT_TRUE(test, vnimesh_flow_member_left(flow));
	rcu_read_unlock();
	vnimesh_flow_abandon(mesh, flow);
	vnimesh_member_put(m);
	vnimesh_service_put(service);
	test_mesh_free(mesh);
}

static struct kunit_case bind_cases[] = {
	KUNIT_CASE(bind_taken),
	KUNIT_CASE(bind_ports),
	KUNIT_CASE(bind_heir),
	{}
};

static struct kunit_suite bind_suite = {
	.name = "bind",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.test_cases = bind_cases,
};

kunit_test_suite(bind_suite);
