// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is measured, when it ends, and that it grows old for good.
 */
#include "../choose.h"
#include "../measure.c"
#include "fixture.h"

#define DAY_MS	86400000ULL

/* An upload asks nothing: after some packets no clock is read any more. */
static void measure_upload(struct kunit *test)
{
	struct vnimesh_flow *flow;
	struct vnimesh_packet pkt = {
		.tuple.proto = IPPROTO_TCP,
		.payload = 1000,
	};
	u32 i;

	flow = kunit_kzalloc(test, sizeof(*flow), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, flow);
	for (i = 0; i < 100 && !flow->measured; i++) {
		flow->packets++;
		vnimesh_measure_request(flow, &pkt);
		pkt.seq = htonl(ntohl(pkt.seq) + 1000);
		flow->end[VNIMESH_FORWARD] = ntohl(pkt.seq);
	}
	KUNIT_EXPECT_EQ(test, i, REQUEST_MAX + 1);
}

static void measure_ages(struct kunit *test)
{
	u32 now = 77, days;

	KUNIT_EXPECT_EQ(test, vnimesh_tick_age(now, now), 0);
	KUNIT_EXPECT_EQ(test, vnimesh_tick_age(now, now - VNIMESH_TICKS), 1000);
	/* Set by another CPU since. */
	KUNIT_EXPECT_EQ(test, vnimesh_tick_age(now, now + 1), 0);
	for (days = 1; days < 3000; days++) {
		u64 want = min_t(u64, days * DAY_MS, U32_MAX);

		KUNIT_ASSERT_EQ(test, vnimesh_tick_age(now, now - days * 86400 *
						       VNIMESH_TICKS), want);
	}
}

/* A member that came up, and was measured, when a word of ms ago. */
static void measure_old(struct kunit *test)
{
	u32 ago = (u32)div_u64((1ULL << 32) + 5000, 1000 / VNIMESH_TICKS);
	struct vnimesh_tuple t = { .family = AF_INET, .proto = IPPROTO_TCP };
	struct vnimesh_choose_args args = { .tuple = &t };
	struct vnimesh_service *service;
	struct vnimesh_candidate c;
	struct vnimesh_member *m;
	struct vnimesh_mesh *mesh;

	mesh = test_mesh(test, 16);
	service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, service);
	m = vnimesh_member_alloc(service, test_vni(test, mesh, 210, 0x0a4d020a));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	vnimesh_rise(&m->risen);
	vnimesh_figure_observe(&m->handshake, 110, 1000, vnimesh_tick());
	rcu_read_lock();
	vnimesh_choose_snapshot(mesh, &args, m, &c);
	KUNIT_EXPECT_LT(test, c.ramp, VNIMESH_RAMP_MS);
	KUNIT_EXPECT_LT(test, c.lk_age, VNIMESH_MEASURED_MS);
	m->risen -= ago;
	m->handshake.stamp -= ago;
	vnimesh_choose_snapshot(mesh, &args, m, &c);
	KUNIT_EXPECT_EQ(test, c.ramp, VNIMESH_RAMP_NONE);
	KUNIT_EXPECT_GT(test, c.lk_age, VNIMESH_MEASURED_MS);
	rcu_read_unlock();
	vnimesh_member_put(m);
	vnimesh_service_put(service);
	test_mesh_free(mesh);
}

static struct kunit_case measure_cases[] = {
	KUNIT_CASE(measure_upload),
	KUNIT_CASE(measure_ages),
	KUNIT_CASE(measure_old),
	{}
};

static struct kunit_suite measure_suite = {
	.name = "measure",
	.test_cases = measure_cases,
};

kunit_test_suite(measure_suite);
