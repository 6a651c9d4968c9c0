// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of services: built outside the lock, so that anything may change
 * meanwhile, and one after another.
 */
#include "../maglev_table.c"
#include "fixture.h"

#define SERVER	0x0a4d020aU
#define MEMBERS	3

struct table_fixture {
	struct vnimesh_mesh *mesh;
	struct vnimesh_service *service;
	struct vnimesh_member *m[MEMBERS];
};

static int table_init(struct kunit *test)
{
	struct table_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	struct vnimesh_vni *vni[MEMBERS];
	int i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	test->priv = f;
	f->mesh = test_mesh(test, 16);
	for (i = 0; i < MEMBERS; i++)
		vni[i] = test_vni(test, f->mesh, 210 + i, SERVER + i);
	mutex_lock(&f->mesh->lock);
	f->service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->service);
	f->service->policy = VNIMESH_POLICY_MAGLEV;
	KUNIT_ASSERT_EQ(test, vnimesh_service_link(f->mesh, f->service), 0);
	for (i = 0; i < MEMBERS; i++) {
		f->m[i] = vnimesh_member_alloc(f->service, vni[i]);
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f->m[i]);
		KUNIT_ASSERT_EQ(test, vnimesh_member_link(f->mesh, f->m[i]), 0);
	}
	mutex_unlock(&f->mesh->lock);
	return 0;
}

static void table_exit(struct kunit *test)
{
	struct table_fixture *f = test->priv;

	if (f)
		test_mesh_free(f->mesh);
}

static u32 members_of(struct table_fixture *f)
{
	struct vnimesh_maglev *maglev;
	u32 n;

	rcu_read_lock();
	maglev = rcu_dereference(f->service->maglev);
	n = maglev ? maglev->n : 0;
	rcu_read_unlock();
	return n;
}

static bool is_due(struct table_fixture *f)
{
	return xa_get_mark(&f->mesh->services, f->service->index, DUE);
}

static void table_built(struct kunit *test)
{
	struct table_fixture *f = test->priv;

	KUNIT_EXPECT_TRUE(test, is_due(f));
	run(f->mesh);
	KUNIT_EXPECT_FALSE(test, is_due(f));
	KUNIT_EXPECT_EQ(test, members_of(f), MEMBERS);
	f->service->policy = VNIMESH_POLICY_RANDOM;
	mutex_lock(&f->mesh->lock);
	vnimesh_maglev_changed(f->mesh, f->service);
	mutex_unlock(&f->mesh->lock);
	run(f->mesh);
	KUNIT_EXPECT_EQ(test, members_of(f), 0);
}

/* The worker up to where it lets go of the lock. */
static struct vnimesh_maglev *begin(struct kunit *test, struct table_fixture *f)
{
	struct vnimesh_maglev_member *m;
	struct vnimesh_maglev *maglev;
	unsigned long index = 0;

	mutex_lock(&f->mesh->lock);
	KUNIT_ASSERT_PTR_EQ(test, next_due(f->mesh, &index), f->service);
	KUNIT_ASSERT_TRUE(test, !next_due(f->mesh, &index));
	maglev = copy(rcu_dereference_protected(f->service->set, 1), &m);
	mutex_unlock(&f->mesh->lock);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, maglev);
	vnimesh_maglev_build(&maglev->table, m, maglev->n);
	kvfree(m);
	return maglev;
}

static void end(struct table_fixture *f, struct vnimesh_maglev *maglev)
{
	mutex_lock(&f->mesh->lock);
	settle(f->mesh, f->service, maglev);
	mutex_unlock(&f->mesh->lock);
}

/* Whoever leaves during the build is not forgotten. */
static void table_changed(struct kunit *test)
{
	struct table_fixture *f = test->priv;
	struct vnimesh_maglev *maglev = begin(test, f);

	KUNIT_EXPECT_FALSE(test, is_due(f));
	mutex_lock(&f->mesh->lock);
	KUNIT_ASSERT_EQ(test, vnimesh_member_unlink(f->mesh, f->m[1]), 0);
	mutex_unlock(&f->mesh->lock);
	end(f, maglev);
	vnimesh_service_put(f->service);
	KUNIT_EXPECT_EQ(test, members_of(f), MEMBERS);
	KUNIT_EXPECT_TRUE(test, is_due(f));
	run(f->mesh);
	KUNIT_EXPECT_EQ(test, members_of(f), MEMBERS - 1);
}

/* ... nor does a service that goes get a table, which would hold it. */
static void table_gone(struct kunit *test)
{
	struct table_fixture *f = test->priv;
	struct vnimesh_maglev *maglev = begin(test, f);

	mutex_lock(&f->mesh->lock);
	vnimesh_service_unlink(f->mesh, f->service);
	mutex_unlock(&f->mesh->lock);
	end(f, maglev);
	KUNIT_EXPECT_EQ(test, members_of(f), 0);
	/* Its members, and this. */
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, refcount_read(&f->service->refs), 1);
	vnimesh_service_put(f->service);
}

static struct kunit_case table_cases[] = {
	KUNIT_CASE(table_built),
	KUNIT_CASE(table_changed),
	KUNIT_CASE(table_gone),
	{}
};

static struct kunit_suite table_suite = {
	.name = "maglev_table",
	.init = table_init,
	.exit = table_exit,
	.test_cases = table_cases,
};

kunit_test_suite(table_suite);
