// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members that wait for their deadline: by time, only while they have flows, and
 * each held once.
 */
#include "../liveness.c"
#include "fixture.h"

#define CLIENT		0x0a4d010aU	/* 10.77.1.10 */
#define SERVER		0x0a4d020aU
#define MANY		600

struct liveness_fixture {
	struct vnimesh_mesh *mesh;
	struct vnimesh_transitions *t;
	struct vnimesh_service *service;
	struct vnimesh_vni *client;
	struct vnimesh_vni *server;
	struct vnimesh_member *m[MANY];
	struct list_head flow[MANY];	/* in place of flows */
};

static int liveness_init(struct kunit *test)
{
	struct liveness_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	f->mesh = test_mesh(test, 64);
	f->t = f->mesh->transitions;
	f->client = test_vni(test, f->mesh, 110, CLIENT);
	f->server = test_vni(test, f->mesh, 210, SERVER);
	f->service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->service);
	f->service->on_down = VNIMESH_ON_DOWN_DRAIN;
	f->service->drain_time = VNIMESH_DRAIN_TIME_MAX;
	for (i = 0; i < MANY; i++) {
		f->m[i] = vnimesh_member_alloc(f->service, f->server);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->m[i]);
		f->m[i]->dead = true;	/* deleted */
	}
	/* The test is the worker: it never sleeps, so that no other runs. */
	f->t->stopped = false;
	return 0;
}

static void liveness_exit(struct kunit *test)
{
	struct liveness_fixture *f = test->priv;
	int i;

	if (!f)
		return;
	vnimesh_liveness_stop(f->mesh);
	for (i = 0; i < MANY; i++) {
		KUNIT_EXPECT_EQ(test, refcount_read(&f->m[i]->refs), 1);
		vnimesh_member_put(f->m[i]);
	}
	vnimesh_service_put(f->service);
	test_mesh_free(f->mesh);
}

static u32 count_members(struct vnimesh_transitions *t)
{
	struct list_head *entry;
	u32 n = 0;

	list_for_each(entry, &t->members)
		n++;
	return n;
}

/* Whatever the order they came in, the next deadline is at hand, and only who is
 * due moves on, in batches.
 */
static void liveness_deadlines(struct kunit *test)
{
	struct liveness_fixture *f = test->priv;
	unsigned long last = jiffies;
	u32 due = 0, seen = 0, i;
	struct rb_node *node;
	u64 random = 7;

	for (i = 0; i < MANY; i++) {
		bool now = test_below(&random, 2);

		list_add(&f->flow[i], &f->m[i]->flows);
		wait_for(f->t, f->m[i],
			 now ? 0 : 60000 + test_below(&random, 80000000));
		wait_for(f->t, f->m[i], 1);	/* once */
		KUNIT_ASSERT_EQ(test, refcount_read(&f->m[i]->refs), 2);
		due += now;
	}
	for (node = rb_first_cached(&f->t->waiting); node; node = rb_next(node)) {
		struct vnimesh_member *m = rb_entry(node, struct vnimesh_member,
						    wait);

		KUNIT_ASSERT_FALSE(test, time_before(m->deadline, last));
		last = m->deadline;
		seen++;
	}
	KUNIT_ASSERT_EQ(test, seen, MANY);
	KUNIT_ASSERT_GT(test, due, DUE);
	check_deadlines(f->t);
	KUNIT_EXPECT_EQ(test, count_members(f->t), DUE);
	check_deadlines(f->t);
	KUNIT_EXPECT_EQ(test, count_members(f->t), due);
	check_deadlines(f->t);
	KUNIT_EXPECT_EQ(test, count_members(f->t), due);
	for (i = 0; i < MANY; i++)
		list_del_init(&f->flow[i]);
}

/* A deleted member without flows is let go at once, one with a flow when that is
 * over, however long its drain was to last.
 */
static void liveness_idle(struct kunit *test)
{
	struct liveness_fixture *f = test->priv;
	struct vnimesh_member *m = f->m[0];
	struct vnimesh_flow *flow;

	m->live = VNIMESH_LIVE_UP;
	look_at(f->t, m);
	KUNIT_EXPECT_FALSE(test, m->waits);
	KUNIT_EXPECT_EQ(test, refcount_read(&m->refs), 1);

	local_bh_disable();
	rcu_read_lock();
	flow = vnimesh_flow_open(f->mesh, f->client, m);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, flow);
	flow->link[0].tuple.proto = IPPROTO_TCP;
	flow->link[1].tuple.proto = IPPROTO_TCP;
	KUNIT_ASSERT_EQ(test, vnimesh_flow_insert(f->mesh, flow), 0);
	/* It came after the walk, and said so. */
	KUNIT_EXPECT_PTR_EQ(test, pop_member(f->t), m);
	look_at(f->t, m);
	vnimesh_member_put(m);
	KUNIT_EXPECT_TRUE(test, m->waits);

	vnimesh_flow_remove(f->mesh, flow);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_EXPECT_FALSE(test, m->waits);
	KUNIT_EXPECT_PTR_EQ(test, pop_member(f->t), m);
	look_at(f->t, m);
	vnimesh_member_put(m);
	KUNIT_EXPECT_FALSE(test, m->waits);
	rcu_barrier();
}

/* What is changed while it waits is looked at, and its reference is one. */
static void liveness_queued(struct kunit *test)
{
	struct liveness_fixture *f = test->priv;
	struct vnimesh_member *m = f->m[0];

	list_add(&f->flow[0], &m->flows);
	wait_for(f->t, m, 1000000);
	enqueue_member(f->mesh, m);
	enqueue_member(f->mesh, m);
	KUNIT_EXPECT_FALSE(test, m->waits);
	KUNIT_EXPECT_EQ(test, refcount_read(&m->refs), 2);
	/* Queued: it is looked at before it waits. */
	wait_for(f->t, m, 1000000);
	KUNIT_EXPECT_FALSE(test, m->waits);
	KUNIT_EXPECT_EQ(test, count_members(f->t), 1);
	list_del_init(&f->flow[0]);
}

/* A flow of @m, as it is when its client has been reset. */
static void end_one(struct kunit *test, struct vnimesh_member *m, u32 i)
{
	struct liveness_fixture *f = test->priv;
	struct vnimesh_flow *flow;

	local_bh_disable();
	rcu_read_lock();
	flow = vnimesh_flow_open(f->mesh, f->client, m);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, flow);
	flow->link[0].tuple.proto = IPPROTO_TCP;
	flow->link[0].tuple.sport = htons(i);
	flow->link[1].tuple.proto = IPPROTO_TCP;
	flow->link[1].tuple.dport = htons(i);
	flow->link[1].tuple.family = AF_INET;
	KUNIT_ASSERT_EQ(test, vnimesh_flow_insert(f->mesh, flow), 0);
	flow->state = VNIMESH_FLOW_DYING;
	spin_lock(&m->flows_lock);
	list_del_init(&flow->chain);
	spin_unlock(&m->flows_lock);
	vnimesh_liveness_untold(f->mesh, flow);
	if (!(i % 10)) {	/* it may go before its turn comes */
		vnimesh_flow_remove(f->mesh, flow);
		vnimesh_liveness_untold(f->mesh, flow);
		KUNIT_EXPECT_TRUE(test, list_empty(&flow->chain));
	}
	rcu_read_unlock();
	local_bh_enable();
}

/* What members of other hosts hear is so much in a tick, in turns; a flow that has
 * gone is not heard of. The mesh has no route, so each reset is lost, and counted.
 */
static void liveness_told(struct kunit *test)
{
	struct liveness_fixture *f = test->priv;
	u32 flows = 3 * TOLD_TICK, due = 0, i;
	struct vnimesh_member *m[2];
	struct vnimesh_vni *server;
	u64 lost = 0, before;
	union vnimesh_ip ip;

	f->t->stopped = true;	/* no worker meddles */
	test_node(test, f->mesh, 2, 0xc000020c, 0x0a4d0200, 24);
	test_ip4(&ip, SERVER + 1);
	mutex_lock(&f->mesh->lock);
	server = vnimesh_vni_add(f->mesh, 211, vnimesh_node_find(f->mesh, 2),
				 &ip, NULL);
	mutex_unlock(&f->mesh->lock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, server);
	for (i = 0; i < 2; i++) {
		m[i] = vnimesh_member_alloc(f->service, server);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m[i]);
	}
	f->mesh->flow_max = 4 * flows;
	vnimesh_flow_exit(f->mesh);
	KUNIT_ASSERT_EQ(test, vnimesh_flow_init(f->mesh), 0);
	f->client->share.room = vnimesh_flow_room(f->mesh);
	for (i = 1; i <= flows; i++) {
		end_one(test, m[i % 2], i);
		due += !!(i % 10);
	}
	/* Nobody is listed while stopped: it is what the list had. */
	f->t->stopped = false;
	for (i = 0; i < 2; i++) {
		refcount_inc(&m[i]->refs);
		list_add_tail(&m[i]->telling, &f->t->telling);
	}
	while (!list_empty(&f->t->telling)) {
		before = lost;
		tell_some(f->t);
		lost = vnimesh_stats_read(f->mesh, VNIMESH_A_STATS_RESET_LOST);
		KUNIT_ASSERT_LE(test, lost - before, TOLD_TICK + TURN);
		if (!list_empty(&f->t->telling))
			KUNIT_ASSERT_GE(test, lost - before, TOLD_TICK);
	}
	KUNIT_EXPECT_EQ(test, lost, due);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test, list_empty(&m[i]->untold));
		KUNIT_EXPECT_TRUE(test, list_empty(&m[i]->telling));
	}
	vnimesh_flow_flush(f->mesh, f->client);
	rcu_barrier();
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, refcount_read(&m[i]->refs), 1);
		vnimesh_member_put(m[i]);
	}
}

/* One member concerns its service, and VNIs and nodes only who has members. */
static void liveness_generations(struct kunit *test)
{
	struct liveness_fixture *f = test->priv;
	u32 all = vnimesh_liveness(f->mesh);
	u32 own = atomic_read(&f->service->changed);

	mutex_lock(&f->mesh->lock);
	vnimesh_liveness_vni(f->mesh, f->server);
	KUNIT_EXPECT_EQ(test, vnimesh_liveness(f->mesh), all);
	vnimesh_liveness_member(f->mesh, f->m[0]);
	KUNIT_EXPECT_EQ(test, vnimesh_liveness(f->mesh), all);
	KUNIT_EXPECT_NE(test, atomic_read(&f->service->changed), own);
	f->server->n_members = 1;
	vnimesh_liveness_vni(f->mesh, f->server);
	KUNIT_EXPECT_NE(test, vnimesh_liveness(f->mesh), all);
	f->server->n_members = 0;
	mutex_unlock(&f->mesh->lock);
}

static struct kunit_case liveness_cases[] = {
	KUNIT_CASE(liveness_generations),
	KUNIT_CASE(liveness_deadlines),
	KUNIT_CASE(liveness_idle),
	KUNIT_CASE(liveness_queued),
	KUNIT_CASE(liveness_told),
	{}
};

static struct kunit_suite liveness_suite = {
	.name = "liveness",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.init = liveness_init,
	.exit = liveness_exit,
	.test_cases = liveness_cases,
};

kunit_test_suite(liveness_suite);
