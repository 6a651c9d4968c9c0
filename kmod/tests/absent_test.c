// SPDX-License-Identifier: GPL-2.0-only
/*
 * Negative entries: as many as there may be, and what goes for the next one.
 */
#include "../absent.c"
#include "fixture.h"

static void add(struct kunit *test, struct vnimesh_mesh *mesh, u32 addr,
		u32 vni_id)
{
	struct vnimesh_absent_key key;
	union vnimesh_ip ip;

	test_ip4(&ip, addr);
	vnimesh_absent_ip(&key, AF_INET, &ip);
	KUNIT_ASSERT_EQ(test, vnimesh_absent_add(mesh, &key,
						 VNIMESH_VERDICT_NO_SERVICE,
						 60000, vni_id), 0);
}

static u8 verdict(struct vnimesh_mesh *mesh, u32 addr)
{
	struct vnimesh_absent_key key;
	union vnimesh_ip ip;
	u8 is;

	test_ip4(&ip, addr);
	vnimesh_absent_ip(&key, AF_INET, &ip);
	rcu_read_lock();
	is = vnimesh_absent_find(mesh, &key);
	rcu_read_unlock();
	return is;
}

static u64 full(struct vnimesh_mesh *mesh)
{
	return vnimesh_stats_read(mesh, VNIMESH_A_STATS_NEGATIVE_FULL);
}

static void absent_full(struct kunit *test)
{
	struct vnimesh_mesh *mesh = test_mesh(test, 1024);
	u32 i;

	KUNIT_ASSERT_EQ(test, vnimesh_absent_init(mesh), 0);
	add(test, mesh, 1, 300);
	add(test, mesh, 2, 301);
	for (i = 3; i <= VNIMESH_NEGATIVE_MAX; i++)
		add(test, mesh, i, 300);
	add(test, mesh, 5, 300);	/* again */
	KUNIT_EXPECT_EQ(test, full(mesh), 0);
	KUNIT_EXPECT_NE(test, verdict(mesh, 1), 0);

	/* One's own goes first. */
	add(test, mesh, 10001, 301);
	KUNIT_EXPECT_EQ(test, full(mesh), 1);
	KUNIT_EXPECT_EQ(test, verdict(mesh, 2), 0);
	KUNIT_EXPECT_NE(test, verdict(mesh, 1), 0);
	add(test, mesh, 10002, 302);
	KUNIT_EXPECT_EQ(test, full(mesh), 2);
	KUNIT_EXPECT_EQ(test, verdict(mesh, 1), 0);
	KUNIT_EXPECT_NE(test, verdict(mesh, 10001), 0);

	vnimesh_absent_exit(mesh);
	test_mesh_free(mesh);
}

/* What was over for half of what jiffies can say is still over. */
static void absent_old(struct kunit *test)
{
	struct vnimesh_mesh *mesh = test_mesh(test, 1024);
	struct entry *e;

	KUNIT_ASSERT_EQ(test, vnimesh_absent_init(mesh), 0);
	add(test, mesh, 1, 300);
	e = list_first_entry(&mesh->absent->order, struct entry, order);
	e->expires = get_jiffies_64() - (1ULL << 31) - 2;
	KUNIT_EXPECT_EQ(test, verdict(mesh, 1), 0);
	vnimesh_absent_exit(mesh);
	test_mesh_free(mesh);
}

static struct kunit_case absent_cases[] = {
	KUNIT_CASE(absent_full),
	KUNIT_CASE(absent_old),
	{}
};

static struct kunit_suite absent_suite = {
	.name = "absent",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.test_cases = absent_cases,
};

kunit_test_suite(absent_suite);
