// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much of a service is out: what is counted, against asking each member, while
 * evidence comes and goes, penalties begin and end, and members join and leave.
 */
#include "../eject.c"
#include "fixture.h"

#define CLIENTS		4
#define PORTS		3
#define MEMBERS		12
#define STEPS		60000
#define MAX_S		60

struct world {
	struct kunit *test;
	struct vnimesh_mesh *mesh;
	struct vnimesh_eject *ej;
	struct vnimesh_service *service;
	struct vnimesh_vni *client[CLIENTS];
	struct vnimesh_vni *vni[VNIMESH_MEMBERS_MAX];
	struct vnimesh_member *gone;	/* deleted, referenced as by a flow */
	u64 random;
	u64 now;
	u32 n;		/* VNIs that may be members */
	u32 put_out;
	u32 capped;
};

static struct world *begin(struct kunit *test, u32 n)
{
	struct world *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w);
	w->test = test;
	w->mesh = test_mesh(test, 64);
	w->mesh->set.eject_max = MAX_S;
	KUNIT_ASSERT_EQ(test, vnimesh_eject_init(w->mesh), 0);
	w->ej = w->mesh->eject;
	w->n = n;
	w->now = 1000000;
	w->random = 42;
	for (i = 0; i < CLIENTS; i++)
		w->client[i] = test_vni(test, w->mesh, 10 + i, 0x0a4d010a + i);
	for (i = 0; i < n; i++)
		w->vni[i] = test_vni(test, w->mesh, 10000 + i, 0x0a4e0000 + i);
	mutex_lock(&w->mesh->lock);
	w->service = vnimesh_service_alloc("web", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, w->service);
	KUNIT_ASSERT_EQ(test, vnimesh_service_link(w->mesh, w->service), 0);
	mutex_unlock(&w->mesh->lock);
	return w;
}

static void end(struct world *w)
{
	if (w->gone)
		vnimesh_member_put(w->gone);
	vnimesh_eject_exit(w->mesh);
	test_mesh_free(w->mesh);
}

static struct vnimesh_member *member_of(struct world *w, u32 i)
{
	return vnimesh_member_find(w->mesh, w->service, w->vni[i]->id);
}

static void join(struct world *w, u32 i)
{
	struct vnimesh_member *m = vnimesh_member_alloc(w->service, w->vni[i]);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(w->test, m);
	KUNIT_ASSERT_EQ(w->test, vnimesh_member_link(w->mesh, m), 0);
	KUNIT_ASSERT_LT(w->test, m->place, VNIMESH_MEMBERS_MAX);
}

/* Some flow may keep it, and speak against it. */
static void leave(struct world *w, struct vnimesh_member *m)
{
	if (w->gone)
		vnimesh_member_put(w->gone);
	refcount_inc(&m->refs);
	w->gone = m;
	KUNIT_ASSERT_EQ(w->test, vnimesh_member_unlink(w->mesh, m), 0);
	KUNIT_ASSERT_TRUE(w->test, hlist_empty(&m->held));
	KUNIT_ASSERT_EQ(w->test, m->n_private + m->n_shared, 0);
}

/* Who is out for @client, by asking each but @but. */
static u32 recount(struct world *w, const struct vnimesh_vni *client,
		   __be16 port, const struct vnimesh_member *but)
{
	const struct vnimesh_member_set *set = rcu_dereference(w->service->set);
	u32 out = 0, i;

	for (i = 0; i < set->n; i++) {
		const struct entry *all, *own;

		if (set->m[i] == but)
			continue;
		all = find(w->ej, set->m[i], NULL, port);
		own = find_private(w->ej, set->m[i], client, port);
		out += (all && all->e.standing != VNIMESH_STANDING_IN) ||
		       (own && own->e.standing != VNIMESH_STANDING_IN);
	}
	return out;
}

static void compare(struct world *w, const struct entry *p)
{
	u32 n = rcu_dereference(w->service->set)->n;
	u32 out = recount(w, p->client, p->port, p->member);

	KUNIT_ASSERT_EQ(w->test, may_eject(w->ej, p), out < max(1U, n / 2));
}

/* Every place of a set belongs to an entry that is out, and the other way. */
static void compare_all(struct world *w)
{
	struct vnimesh_outs *outs;
	u32 places = 0, out = 0;
	struct entry *p;
	int i;

	hash_for_each(w->ej->outs.sets, i, outs, node) {
		KUNIT_ASSERT_GT(w->test, outs->n, 0);
		KUNIT_ASSERT_EQ(w->test, outs->n,
				bitmap_weight(outs->places,
					      VNIMESH_MEMBERS_MAX));
		places += outs->n;
	}
	hash_for_each(w->ej->entries, i, p, node) {
		bool is_out = p->e.standing != VNIMESH_STANDING_IN;

		KUNIT_ASSERT_FALSE(w->test, p->member->dead);
		KUNIT_ASSERT_EQ(w->test, is_out, !!p->outs);
		if (!is_out)
			continue;
		KUNIT_ASSERT_TRUE(w->test,
				  test_bit(p->member->place, p->outs->places));
		out++;
	}
	KUNIT_ASSERT_EQ(w->test, places, out);
}

static void fail(struct world *w, struct vnimesh_member *m,
		 struct vnimesh_vni *client, __be16 port)
{
	struct entry *p = get(w->ej, m, client, port);
	u32 ms = 0;

	if (!p) {
		KUNIT_ASSERT_TRUE(w->test, m->dead);
		return;
	}
	compare(w, p);
	if (vnimesh_evidence_bad(&p->e, 1 + test_below(&w->random, 3), w->now,
				 w->now)) {
		ms = eject(w->ej, p, w->now);
		w->put_out += !!ms;
		w->capped += !ms;
	}
	if (ms)
		confirm(w->ej, p, w->now, w->now);
	compare(w, p);
}

static void answer(struct world *w, struct vnimesh_member *m,
		   struct vnimesh_vni *client, __be16 port)
{
	bool byte = test_below(&w->random, 2);

	clear(w->ej, find(w->ej, m, client, port), byte, w->now);
	clear(w->ej, find(w->ej, m, NULL, port), byte, w->now);
}

static void try(struct world *w, struct vnimesh_member *m,
		struct vnimesh_vni *client, __be16 port)
{
	struct entry *p = find(w->ej, m, client, port);

	if (p)
		claim(p, client, w->now);
	p = find(w->ej, m, NULL, port);
	if (p)
		claim(p, client, w->now);
}

static void tidy(struct world *w)
{
	struct hlist_node *tmp;
	struct entry *p;
	int i;

	hash_for_each_safe(w->ej->entries, i, tmp, p, node)
		if (is_clean(p, w->now))
			forget(w->ej, p);
}

static void step(struct world *w)
{
	struct vnimesh_vni *client = w->client[test_below(&w->random, CLIENTS)];
	__be16 port = htons(7000 + test_below(&w->random, PORTS));
	u32 i = test_below(&w->random, w->n);
	struct vnimesh_member *m = member_of(w, i);
	u32 what = test_below(&w->random, 100);

	if (!m && what < 10)
		join(w, i);
	if (!m)
		m = w->gone;
	if (!m || (what < 10 && m->dead))
		return;
	rcu_read_lock();
	spin_lock_bh(&w->ej->lock);
	if (what >= 60)
		fail(w, m, client, port);
	else if (what >= 45)
		answer(w, m, client, port);
	else if (what >= 20)
		try(w, m, client, port);
	else if (what == 19)
		tidy(w);
	spin_unlock_bh(&w->ej->lock);
	rcu_read_unlock();
	if (what < 5)
		leave(w, m);
}

static void eject_walk(struct kunit *test)
{
	struct world *w = begin(test, MEMBERS);
	u32 i;

	mutex_lock(&w->mesh->lock);
	for (i = 0; i < STEPS; i++) {
		w->now += test_below(&w->random, 2) ? 0 :
			  test_below(&w->random, 40);
		if (!test_below(&w->random, 3000))
			w->now += 40000;
		step(w);
		if (!(i % 16)) {
			rcu_read_lock();
			compare_all(w);
			rcu_read_unlock();
		}
		if (!(i % 1024))
			rcu_barrier();
	}
	mutex_unlock(&w->mesh->lock);
	KUNIT_EXPECT_GT(test, w->put_out, STEPS / 100);
	KUNIT_EXPECT_GT(test, w->capped, 100);
	end(w);
}

static u32 fail_once(struct world *w, struct vnimesh_member *m,
		     struct vnimesh_vni *client, __be16 port)
{
	struct entry *p;
	u32 ms = 0;

	rcu_read_lock();
	spin_lock_bh(&w->ej->lock);
	p = get(w->ej, m, client, port);
	if (p && vnimesh_evidence_bad(&p->e, VNIMESH_EVIDENCE_REFUSED, w->now,
				      w->now))
		ms = eject(w->ej, p, w->now);
	spin_unlock_bh(&w->ej->lock);
	rcu_read_unlock();
	return ms;
}

/* Half of it, whatever is at the next port or with the next client; one who comes
 * back makes room for one.
 */
static void eject_half(struct kunit *test)
{
	struct world *w = begin(test, 10);
	struct vnimesh_member *m;
	__be16 port = htons(7000);
	u32 i, out = 0, more = 0;

	mutex_lock(&w->mesh->lock);
	for (i = 0; i < w->n; i++)
		join(w, i);
	for (i = 0; i < w->n; i++)
		out += !!fail_once(w, member_of(w, i), w->client[0], port);
	KUNIT_EXPECT_EQ(test, out, w->n / 2);
	KUNIT_EXPECT_GT(test, fail_once(w, member_of(w, 9), w->client[1], port),
			0);
	KUNIT_EXPECT_GT(test, fail_once(w, member_of(w, 9), w->client[0],
					htons(7001)), 0);
	w->now += 5000;
	m = member_of(w, 0);
	rcu_read_lock();
	spin_lock_bh(&w->ej->lock);
	clear(w->ej, find(w->ej, m, w->client[0], port), true, w->now);
	spin_unlock_bh(&w->ej->lock);
	rcu_read_unlock();
	for (i = 5; i < w->n; i++)
		more += !!fail_once(w, member_of(w, i), w->client[0], port);
	KUNIT_EXPECT_EQ(test, more, 1);

	/* Who is deleted is out of nothing: 3 of the 8 others are left out. */
	leave(w, member_of(w, 1));
	leave(w, member_of(w, 2));
	w->now += CAPPED_MS;
	for (i = 5, more = 0; i < w->n; i++)
		more += !!fail_once(w, member_of(w, i), w->client[0], port);
	KUNIT_EXPECT_EQ(test, more, 1);
	mutex_unlock(&w->mesh->lock);
	end(w);
}

/* As many as there may be: each has a place, and half of them go out. */
static void eject_many(struct kunit *test)
{
	struct world *w = begin(test, VNIMESH_MEMBERS_MAX);
	__be16 port = htons(7000);
	struct vnimesh_member *m;
	struct entry *p;
	u32 i, out = 0;
	u64 ns;

	mutex_lock(&w->mesh->lock);
	for (i = 0; i < w->n; i++)
		join(w, i);
	for (i = 0; i < w->n; i++)
		out += !!fail_once(w, member_of(w, i), w->client[0], port);
	KUNIT_EXPECT_EQ(test, out, w->n / 2);
	rcu_read_lock();
	p = find(w->ej, member_of(w, w->n - 1), w->client[0], port);
	KUNIT_ASSERT_NOT_NULL(test, p);
	ns = ktime_get_ns();
	for (i = 0; i < 1000; i++)
		out -= may_eject(w->ej, p);
	ns = ktime_get_ns() - ns;
	KUNIT_EXPECT_EQ(test, out, w->n / 2);
	kunit_info(test, "%u members: may one be put out? %llu ns\n", w->n,
		   div_u64(ns, 1000));
	ns = ktime_get_ns();
	for (i = 0; i < 1000; i++)
		out += recount(w, p->client, port, p->member);
	ns = ktime_get_ns() - ns;
	kunit_info(test, "... asking each: %llu ns\n", div_u64(ns, 1000));
	rcu_read_unlock();

	/* A place is given anew when its member is gone. */
	m = member_of(w, 77);
	i = m->place;
	leave(w, m);
	join(w, 77);
	KUNIT_EXPECT_EQ(test, member_of(w, 77)->place, i);
	m = vnimesh_member_alloc(w->service, w->vni[77]);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	KUNIT_EXPECT_EQ(test, vnimesh_member_link(w->mesh, m), -ENOSPC);
	vnimesh_member_put(m);
	mutex_unlock(&w->mesh->lock);
	end(w);
}

static struct kunit_case eject_cases[] = {
	KUNIT_CASE(eject_walk),
	KUNIT_CASE(eject_half),
	KUNIT_CASE(eject_many),
	{}
};

static struct kunit_suite eject_suite = {
	.name = "eject",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.test_cases = eject_cases,
};

kunit_test_suite(eject_suite);
MODULE_LICENSE("GPL");
