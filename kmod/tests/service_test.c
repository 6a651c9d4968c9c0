// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sets of members that are replaced while they are read: by threads, and by a
 * timer that interrupts the writer anywhere, which is what one processor has of
 * concurrency. No reader may see a set that is not whole, or a member that went.
 */
#include "../service.c"
#include "fixture.h"
#include <linux/hrtimer.h>
#include <linux/kthread.h>

#define MEMBERS		40
#define SWAPS		3000
#define READERS		3
#define WEIGHT		4711

struct swap {
	struct vnimesh_mesh *mesh;
	struct vnimesh_service *service;
	struct vnimesh_vni *vni[MEMBERS];
	struct hrtimer timer;
	bool stop;
	atomic_t reads, bad;
};

/* One look at everything that a choice looks at. */
static void look(struct swap *s)
{
	struct vnimesh_member_set *set;
	struct vnimesh_service *service;
	union vnimesh_ip ip;
	u32 i;

	rcu_read_lock();
	test_ip4(&ip, 0x0a600001);
	service = vnimesh_service_by_ip(s->mesh, AF_INET, &ip);
	if (service != s->service)
		atomic_inc(&s->bad);
	set = rcu_dereference(s->service->set);
	if (set->n > MEMBERS)
		atomic_inc(&s->bad);
	for (i = 0; i < set->n; i++) {
		const struct vnimesh_member *m = set->m[i];

		if (READ_ONCE(m->weight) != WEIGHT || !refcount_read(&m->refs) ||
		    m->service != s->service || m->vni->node != s->mesh->self ||
		    vnimesh_member_target(m, IPPROTO_TCP, htons(80)) != htons(80))
			atomic_inc(&s->bad);
	}
	vnimesh_service_has_port(s->service, IPPROTO_TCP, htons(80));
	rcu_read_unlock();
	atomic_inc(&s->reads);
}

static int reader(void *data)
{
	struct swap *s = data;

	while (!kthread_should_stop()) {
		look(s);
		cond_resched();
	}
	return 0;
}

static enum hrtimer_restart interrupt(struct hrtimer *timer)
{
	struct swap *s = container_of(timer, struct swap, timer);

	if (READ_ONCE(s->stop))
		return HRTIMER_NORESTART;
	look(s);
	hrtimer_forward_now(timer, ns_to_ktime(50 * NSEC_PER_USEC));
	return HRTIMER_RESTART;
}

static void join(struct kunit *test, struct swap *s, int i)
{
	struct vnimesh_member *m;

	if (vnimesh_member_find(s->mesh, s->service, s->vni[i]->id))
		return;
	m = vnimesh_member_alloc(s->service, s->vni[i]);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	m->weight = WEIGHT;
	KUNIT_ASSERT_EQ(test, vnimesh_member_link(s->mesh, m), 0);
}

static void leave(struct kunit *test, struct swap *s, int i)
{
	struct vnimesh_member *m;

	m = vnimesh_member_find(s->mesh, s->service, s->vni[i]->id);
	if (m)
		KUNIT_ASSERT_EQ(test, vnimesh_member_unlink(s->mesh, m), 0);
}

static bool even(const struct vnimesh_member *m, void *data)
{
	u32 *stay = data;

	return m->vni->id % 2 == *stay;
}

/* Half of them at once, as a sweep does. */
static void halve(struct kunit *test, struct swap *s, u32 stay)
{
	struct vnimesh_member_set *set;
	u32 i, n = 0;

	set = rcu_dereference_protected(s->service->set, true);
	for (i = 0; i < set->n; i++)
		n += even(set->m[i], &stay);
	KUNIT_ASSERT_EQ(test, vnimesh_member_spare(s->service, n), 0);
	vnimesh_member_sift(s->mesh, s->service, even, &stay);
}

static void new_ports(struct kunit *test, struct swap *s, u32 n)
{
	struct vnimesh_ports *ports;
	u32 i;

	ports = kzalloc(struct_size(ports, p, n), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, ports);
	ports->n = n;
	for (i = 0; i < n; i++) {
		ports->p[i].proto = IPPROTO_TCP;
		ports->p[i].port = htons(80 + i);
		ports->p[i].target = htons(80 + i);
	}
	vnimesh_service_set_ports(s->mesh, s->service, ports);
}

static void churn(struct kunit *test, struct swap *s, u64 *random)
{
	int i;

	for (i = 0; i < SWAPS; i++) {
		mutex_lock(&s->mesh->lock);
		switch (test_below(random, 8)) {
		case 0:
			halve(test, s, test_below(random, 2));
			break;
		case 1:
			new_ports(test, s, test_below(random, 4));
			break;
		case 2:
		case 3:
			leave(test, s, test_below(random, MEMBERS));
			break;
		default:
			join(test, s, test_below(random, MEMBERS));
		}
		mutex_unlock(&s->mesh->lock);
		cond_resched();
	}
}

static void service_swap(struct kunit *test)
{
	struct task_struct *task[READERS];
	union vnimesh_ip ip;
	u64 random = 1;
	struct swap *s;
	int i;

	s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s);
	s->mesh = test_mesh(test, 16);
	test_ip4(&ip, 0x0a600001);
	s->service = vnimesh_service_alloc("web", &ip, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, s->service);
	mutex_lock(&s->mesh->lock);
	KUNIT_ASSERT_EQ(test, vnimesh_service_link(s->mesh, s->service), 0);
	mutex_unlock(&s->mesh->lock);
	for (i = 0; i < MEMBERS; i++)
		s->vni[i] = test_vni(test, s->mesh, 110 + i, 0x0a4d010a + i);

	for (i = 0; i < READERS; i++) {
		task[i] = kthread_run(reader, s, "vnimesh-reader");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task[i]);
	}
	hrtimer_setup(&s->timer, interrupt, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	hrtimer_start(&s->timer, ns_to_ktime(NSEC_PER_USEC), HRTIMER_MODE_REL);

	churn(test, s, &random);

	WRITE_ONCE(s->stop, true);
	hrtimer_cancel(&s->timer);
	for (i = 0; i < READERS; i++)
		kthread_stop(task[i]);
	KUNIT_EXPECT_GT(test, atomic_read(&s->reads), 100);
	KUNIT_EXPECT_EQ(test, atomic_read(&s->bad), 0);
	/* Its members go first, then it goes itself: nothing is left. */
	mutex_lock(&s->mesh->lock);
	vnimesh_service_unlink(s->mesh, s->service);
	mutex_unlock(&s->mesh->lock);
	KUNIT_EXPECT_EQ(test, s->mesh->n_members, 0);
	for (i = 0; i < MEMBERS; i++)
		KUNIT_EXPECT_EQ(test, s->vni[i]->n_members, 0);
	for (i = 0; i < 4; i++)
		rcu_barrier();
	for (i = 0; i < MEMBERS; i++)
		KUNIT_EXPECT_EQ(test, refcount_read(&s->vni[i]->refs), 1);
	test_mesh_free(s->mesh);
}

static void service_tags(struct kunit *test)
{
	static const char * const good[] = { "a", "web", "a-b", "0", "x9--y" };
	static const char * const bad[] = { "", "-", "-a", "a-", "A", "a.b",
					    "a b", "\xc3\xa4" };
	char tag[VNIMESH_TAG_MAX + 2];
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++)
		KUNIT_EXPECT_TRUE(test, vnimesh_tag_valid(good[i]));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_FALSE(test, vnimesh_tag_valid(bad[i]));
	memset(tag, 'a', sizeof(tag));
	tag[VNIMESH_TAG_MAX + 1] = 0;
	KUNIT_EXPECT_FALSE(test, vnimesh_tag_valid(tag));
	tag[VNIMESH_TAG_MAX] = 0;
	KUNIT_EXPECT_TRUE(test, vnimesh_tag_valid(tag));
}

static struct kunit_case service_cases[] = {
	KUNIT_CASE(service_swap),
	KUNIT_CASE(service_tags),
	{}
};

static struct kunit_suite service_suite = {
	.name = "service",
	.test_cases = service_cases,
};

kunit_test_suite(service_suite);
