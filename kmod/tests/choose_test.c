// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose figures a choice is made by: what one client alone has measured decides for
 * that client, and neither hides nor replaces what others know.
 */
#include "../choose.c"
#include "fixture.h"

#define CLIENT		0x0a4d010aU	/* 10.77.1.10 */
#define NEAR		0x0a4d0110U
#define FAR		0x0a4d0111U

struct choose_fixture {
	struct vnimesh_mesh *mesh;
	struct vnimesh_service *service;
	struct vnimesh_member *near;
	struct vnimesh_member *far;
	struct vnimesh_vni *client;
	struct vnimesh_vni *neighbour;
};

static struct vnimesh_member *add_member(struct kunit *test,
					 struct choose_fixture *f, u32 id,
					 u32 addr, u32 latency)
{
	struct vnimesh_vni *vni = test_vni(test, f->mesh, id, addr);
	struct vnimesh_member *m = vnimesh_member_alloc(f->service, vni);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	vni->dev_up = true;
	m->latency = latency;
	m->latency_kind = VNIMESH_LATENCY_CONNECT;
	mutex_lock(&f->mesh->lock);
	KUNIT_ASSERT_EQ(test, vnimesh_member_link(f->mesh, m), 0);
	mutex_unlock(&f->mesh->lock);
	return m;
}

static int choose_init(struct kunit *test)
{
	struct choose_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	f->mesh = test_mesh(test, 16);
	test->priv = f;
	f->service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->service);
	mutex_lock(&f->mesh->lock);
	KUNIT_ASSERT_EQ(test, vnimesh_service_link(f->mesh, f->service), 0);
	mutex_unlock(&f->mesh->lock);
	f->client = test_vni(test, f->mesh, 110, CLIENT);
	f->neighbour = test_vni(test, f->mesh, 111, CLIENT + 1);
	f->near = add_member(test, f, 120, NEAR, 1000);
	f->far = add_member(test, f, 121, FAR, 60000);
	return 0;
}

static void choose_exit(struct kunit *test)
{
	struct choose_fixture *f = test->priv;

	if (f)
		test_mesh_free(f->mesh);
}

static void measured(struct vnimesh_figure *figure,
		     const struct vnimesh_vni *by, u32 us)
{
	vnimesh_figure_observe(figure, by->id, us, vnimesh_tick());
}

/* Of 64 flows of @client, how many go to the near one? */
static u32 to_near(struct choose_fixture *f, struct vnimesh_vni *client)
{
	struct vnimesh_tuple t = { .family = AF_INET, .proto = IPPROTO_TCP };
	struct vnimesh_choose_args args = {
		.service = f->service,
		.client = client,
		.tuple = &t,
	};
	u32 n = 0;

	vnimesh_service_changed(f->service);
	local_bh_disable();
	rcu_read_lock();
	for (args.seed = 0; args.seed < 64; args.seed++)
		n += vnimesh_choose(f->mesh, &args) == f->near;
	rcu_read_unlock();
	local_bh_enable();
	return n;
}

/* One has had answers, another has nothing but what the agents say. */
static void choose_neighbour(struct kunit *test)
{
	struct choose_fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, to_near(f, f->neighbour), 64);
	measured(&f->near->response, f->client, 500000);
	measured(&f->far->response, f->client, 70000);
	KUNIT_EXPECT_EQ(test, to_near(f, f->client), 0);
	KUNIT_EXPECT_EQ(test, to_near(f, f->neighbour), 64);
	/* Two of them say the same: then it is so for all. */
	measured(&f->near->response, f->neighbour, 500000);
	measured(&f->far->response, f->neighbour, 70000);
	KUNIT_EXPECT_EQ(test, to_near(f, f->client), 0);
	KUNIT_EXPECT_EQ(test, to_near(f, f->neighbour), 0);
}

/* A slow figure of one is no floor for all. */
static void choose_floor(struct kunit *test)
{
	struct choose_fixture *f = test->priv;

	measured(&f->near->handshake, f->client, 10000000);
	measured(&f->far->handshake, f->client, 10000000);
	KUNIT_EXPECT_EQ(test, to_near(f, f->neighbour), 64);
	measured(&f->near->response, f->client, 10000000);
	measured(&f->far->response, f->client, 10000000);
	KUNIT_EXPECT_EQ(test, to_near(f, f->neighbour), 64);
}

/* Who asks for nobody sees all figures, and compares those of one kind. */
static void choose_nobody(struct kunit *test)
{
	struct choose_fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, to_near(f, NULL), 64);
	measured(&f->near->response, f->client, 500000);
	measured(&f->far->response, f->client, 70000);
	KUNIT_EXPECT_EQ(test, to_near(f, NULL), 0);
}

/* There is no id that stands for all the others. */
static void choose_last_id(struct kunit *test)
{
	struct choose_fixture *f = test->priv;
	struct vnimesh_vni *last;

	last = test_vni(test, f->mesh, U32_MAX, CLIENT + 2);
	measured(&f->near->response, last, 500000);
	measured(&f->far->response, last, 70000);
	KUNIT_EXPECT_EQ(test, to_near(f, last), 0);
	KUNIT_EXPECT_EQ(test, to_near(f, f->neighbour), 64);
}

/* However long nobody asked: what was counted is not of the last second. On 32 bit
 * half of what jiffies can say is less than a mesh may rest.
 */
static void choose_rested(struct kunit *test)
{
	struct choose_fixture *f = test->priv;
	struct vnimesh_count count = {};

	count.liveness = vnimesh_liveness(f->mesh);
	count.changed = (u32)atomic_read(&f->service->changed);
	count.stamp = jiffies;
	KUNIT_EXPECT_TRUE(test, current_count(f->mesh, f->service, &count));
	count.stamp = jiffies - (ULONG_MAX / 2 + 2 * HZ);
	KUNIT_EXPECT_FALSE(test, current_count(f->mesh, f->service, &count));
}

static struct kunit_case choose_cases[] = {
	KUNIT_CASE(choose_neighbour),
	KUNIT_CASE(choose_floor),
	KUNIT_CASE(choose_nobody),
	KUNIT_CASE(choose_last_id),
	KUNIT_CASE(choose_rested),
	{}
};

static struct kunit_suite choose_suite = {
	.name = "choose",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.init = choose_init,
	.exit = choose_exit,
	.test_cases = choose_cases,
};

kunit_test_suite(choose_suite);
