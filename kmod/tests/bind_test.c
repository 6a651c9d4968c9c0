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

static struct kunit_case bind_cases[] = {
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
