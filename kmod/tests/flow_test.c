// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flow table against a model that is a plain array: both tuples unique,
 * found while they are in, gone when they are out, bounded, expiring.
 */
#include "../flow.c"
#include "fixture.h"

#define STEPS		20000
#define MODEL_MAX	64
#define CLIENT		0x0a4d010aU	/* 10.77.1.10 */
#define OTHER		0x0a4d010bU
#define SERVER		0x0a4d020aU
#define SERVICE		0x0a600001U	/* 10.96.0.1 */

struct flow_fixture {
	struct vnimesh_mesh *mesh;
	struct vnimesh_vni *client;
	u64 random;
};

static int flow_start(struct kunit *test, u32 max)
{
	struct flow_fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	f->random = 1;
	f->mesh = test_mesh(test, max);
	f->client = test_vni(test, f->mesh, 110, CLIENT);
	test->priv = f;
	return 0;
}

static void flow_stop(struct kunit *test)
{
	struct flow_fixture *f = test->priv;

	if (f)
		test_mesh_free(f->mesh);
}

static void tuple(struct vnimesh_tuple *t, u8 proto, u32 src, u16 sport,
		  u32 dst, u16 dport)
{
	memset(t, 0, sizeof(*t));
	t->family = AF_INET;
	t->proto = proto;
	test_ip4(&t->src, src);
	test_ip4(&t->dst, dst);
	t->sport = htons(sport);
	t->dport = htons(dport);
}

/* A direct flow from @sport that the member sees as from @mapped. */
static struct vnimesh_flow *make(struct flow_fixture *f,
				 struct vnimesh_vni *client, u8 proto,
				 u16 sport, u16 mapped)
{
	struct vnimesh_flow *flow;

	flow = vnimesh_flow_open(f->mesh, client, NULL);
	if (IS_ERR(flow))
		return flow;
	tuple(&flow->link[VNIMESH_FORWARD].tuple, proto, CLIENT, sport,
	      SERVICE, 80);
	tuple(&flow->link[VNIMESH_REVERSE].tuple, proto, SERVER, 8080, CLIENT,
	      mapped);
	return flow;
}

static struct vnimesh_flow *find_forward(struct flow_fixture *f, u8 proto,
					 u16 sport)
{
	struct vnimesh_tuple t;

	tuple(&t, proto, CLIENT, sport, SERVICE, 80);
	return vnimesh_flow_find(f->mesh, VNIMESH_FORWARD, &t);
}

static struct vnimesh_flow *find_reverse(struct flow_fixture *f, u8 proto,
					 u16 mapped)
{
	struct vnimesh_tuple t;

	tuple(&t, proto, SERVER, 8080, CLIENT, mapped);
	return vnimesh_flow_find(f->mesh, VNIMESH_REVERSE, &t);
}

/* Allocation and insertion as the data path does them. */
static int insert_of(struct flow_fixture *f, struct vnimesh_vni *client,
		     u8 proto, u16 sport, u16 mapped)
{
	struct vnimesh_flow *flow;
	int err;

	local_bh_disable();
	rcu_read_lock();
	flow = make(f, client, proto, sport, mapped);
	err = PTR_ERR_OR_ZERO(flow);
	if (!err) {
		err = vnimesh_flow_insert(f->mesh, flow);
		if (err)
			vnimesh_flow_abandon(f->mesh, flow);
	}
	rcu_read_unlock();
	local_bh_enable();
	return err;
}

static int insert_flow(struct flow_fixture *f, u8 proto, u16 sport, u16 mapped)
{
	return insert_of(f, f->client, proto, sport, mapped);
}

struct model {
	struct {
		u16 sport, mapped;
		u8 proto;
		bool used;
	} e[MODEL_MAX];
	u32 n;
};

static int model_find(const struct model *m, u8 proto, int sport, int mapped)
{
	int i;

	for (i = 0; i < MODEL_MAX; i++)
		if (m->e[i].used && m->e[i].proto == proto &&
		    (sport < 0 || m->e[i].sport == sport) &&
		    (mapped < 0 || m->e[i].mapped == mapped))
			return i;
	return -1;
}

static int model_insert(struct model *m, u8 proto, u16 sport, u16 mapped)
{
	int i;

	if (model_find(m, proto, sport, -1) >= 0)
		return -EEXIST;
	if (model_find(m, proto, -1, mapped) >= 0)
		return -EADDRINUSE;
	for (i = 0; m->e[i].used; i++)
		;
	m->e[i].used = true;
	m->e[i].proto = proto;
	m->e[i].sport = sport;
	m->e[i].mapped = mapped;
	m->n++;
	return 0;
}

static void flow_model(struct kunit *test)
{
	struct flow_fixture *f;
	struct vnimesh_flow *flow;
	struct model *m;
	int i, at;

	flow_start(test, 1024);
	f = test->priv;
	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	for (i = 0; i < STEPS; i++) {
		u8 proto = test_below(&f->random, 2) ? IPPROTO_TCP : IPPROTO_UDP;
		u16 mapped = 2000 + test_below(&f->random, 32);
		u16 sport = 1000 + test_below(&f->random, 32);

		switch (test_below(&f->random, 4)) {
		case 0:
		case 1:
			if (m->n == MODEL_MAX)
				break;
			KUNIT_ASSERT_EQ(test, insert_flow(f, proto, sport, mapped),
					model_insert(m, proto, sport, mapped));
			break;
		case 2:
			rcu_read_lock();
			flow = find_forward(f, proto, sport);
			at = model_find(m, proto, sport, -1);
			KUNIT_ASSERT_EQ(test, !!flow, at >= 0);
			if (flow) {
				KUNIT_ASSERT_EQ(test, ntohs(flow->link[1].tuple.dport),
						m->e[at].mapped);
				KUNIT_ASSERT_TRUE(test, vnimesh_flow_remove(f->mesh, flow));
				KUNIT_ASSERT_FALSE(test, vnimesh_flow_remove(f->mesh, flow));
				m->e[at].used = false;
				m->n--;
			}
			rcu_read_unlock();
			break;
		default:
			rcu_read_lock();
			flow = find_reverse(f, proto, mapped);
			at = model_find(m, proto, -1, mapped);
			KUNIT_ASSERT_EQ(test, !!flow, at >= 0);
			if (flow)
				KUNIT_ASSERT_EQ(test, ntohs(flow->link[0].tuple.sport),
						m->e[at].sport);
			rcu_read_unlock();
		}
		KUNIT_ASSERT_EQ(test, vnimesh_flow_count(f->mesh), m->n);
		KUNIT_ASSERT_EQ(test, atomic_read(&f->client->share.live), m->n);
		if (!(i % 512))
			rcu_barrier();	/* what is removed counts until then */
	}
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&f->client->share.limbo), 0);
}

/* Tuples that differ in one thing only are different flows. */
static void flow_distinct(struct kunit *test)
{
	struct vnimesh_tuple a, b;

	tuple(&a, IPPROTO_TCP, CLIENT, 1, SERVICE, 2);
	b = a;
	KUNIT_EXPECT_TRUE(test, equal(&a, &b));
	b.proto = IPPROTO_UDP;
	KUNIT_EXPECT_FALSE(test, equal(&a, &b));
	b = a;
	b.family = AF_INET6;
	KUNIT_EXPECT_FALSE(test, equal(&a, &b));
	b = a;
	swap(b.sport, b.dport);
	KUNIT_EXPECT_FALSE(test, equal(&a, &b));
	b = a;
	swap(b.src, b.dst);
	KUNIT_EXPECT_FALSE(test, equal(&a, &b));
	b = a;
	b.dst.v6.s6_addr[15] = 1;
	KUNIT_EXPECT_FALSE(test, equal(&a, &b));
}

static void establish(struct vnimesh_flow *flow)
{
	WRITE_ONCE(flow->state, VNIMESH_FLOW_ESTABLISHED);
	WRITE_ONCE(flow->acked, true);
}

/* A full table: the half-open goes for the new; of established ones, none. */
static void flow_early_drop(struct kunit *test)
{
	struct flow_fixture *f;
	u32 i, max = 16;

	flow_start(test, max);
	f = test->priv;
	for (i = 0; i < max; i++)
		KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_TCP, 100 + i,
						  200 + i), 0);
	for (i = 0; i < max; i += 2)
		establish(find_forward(f, IPPROTO_TCP, 100 + i));
	for (i = 0; i < max / 2; i++) {
		KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_TCP, 300 + i,
						  400 + i), 0);
		KUNIT_EXPECT_LE(test, vnimesh_flow_count(f->mesh), max);
		establish(find_forward(f, IPPROTO_TCP, 300 + i));
	}
	for (i = 0; i < max; i += 2)
		KUNIT_EXPECT_TRUE(test, !!find_forward(f, IPPROTO_TCP, 100 + i));
	KUNIT_EXPECT_EQ(test, vnimesh_stats_read(f->mesh, VNIMESH_A_STATS_FLOW_EARLY_DROP),
			max / 2);
}

/* Datagrams that nobody answers: the single one goes first, who sends on to a log
 * stays while it does.
 */
static void flow_unanswered(struct kunit *test)
{
	struct flow_fixture *f;
	u32 i, max = 16;

	flow_start(test, max);
	f = test->priv;
	for (i = 0; i < max; i++)
		KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_UDP, 100 + i,
						  200 + i), 0);
	for (i = 1; i < max; i++)
		WRITE_ONCE(find_forward(f, IPPROTO_UDP, 100 + i)->packets, 2);
	KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_UDP, 300, 400), 0);
	WRITE_ONCE(find_forward(f, IPPROTO_UDP, 300)->packets, 2);
	KUNIT_EXPECT_TRUE(test, !find_forward(f, IPPROTO_UDP, 100));
	KUNIT_EXPECT_LT(test, insert_flow(f, IPPROTO_UDP, 301, 401), 0);
	WRITE_ONCE(find_forward(f, IPPROTO_UDP, 101)->last,
		   jiffies - (VNIMESH_UDP_IDLE + 1) * HZ);
	KUNIT_EXPECT_EQ(test, insert_flow(f, IPPROTO_UDP, 302, 402), 0);
	KUNIT_EXPECT_TRUE(test, !find_forward(f, IPPROTO_UDP, 101));
	for (i = 2; i < max; i++)
		KUNIT_EXPECT_TRUE(test, !!find_forward(f, IPPROTO_UDP, 100 + i));
}

/* Established ones stay, and the new one is refused: of the VNI that has them
 * all, and of another.
 */
static void flow_refuse(struct kunit *test)
{
	struct vnimesh_vni *other;
	struct flow_fixture *f;
	u32 i, max = 16;

	flow_start(test, max);
	f = test->priv;
	other = test_vni(test, f->mesh, 111, OTHER);
	for (i = 0; i < max; i++) {
		KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_TCP, 100 + i,
						  200 + i), 0);
		establish(find_forward(f, IPPROTO_TCP, 100 + i));
	}
	KUNIT_EXPECT_EQ(test, insert_flow(f, IPPROTO_TCP, 999, 999), -EDQUOT);
	KUNIT_EXPECT_EQ(test, insert_of(f, other, IPPROTO_TCP, 998, 998),
			-ENOBUFS);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_count(f->mesh), max);
	for (i = 0; i < max; i++)
		KUNIT_EXPECT_TRUE(test, !!find_forward(f, IPPROTO_TCP, 100 + i));
}

/* One VNI has at most what it leaves. Beyond that its own half-open flows go,
 * and those that stay never.
 */
static void flow_share(struct kunit *test)
{
	struct vnimesh_vni *other;
	struct flow_fixture *f;
	u32 i, max = 64;

	flow_start(test, max);
	f = test->priv;
	other = test_vni(test, f->mesh, 111, OTHER);
	for (i = 0; i < max / 2; i++)
		KUNIT_ASSERT_EQ(test, insert_of(f, other, IPPROTO_TCP, 100 + i,
						1000 + i), 0);
	for (i = 0; i < max / 2; i++) {
		KUNIT_EXPECT_EQ(test, insert_of(f, other, IPPROTO_TCP, 200 + i,
						2000 + i), 0);
		KUNIT_EXPECT_EQ(test, atomic_read(&other->share.live), max / 2);
		establish(find_forward(f, IPPROTO_TCP, 200 + i));
		rcu_barrier();
	}
	KUNIT_EXPECT_EQ(test, insert_of(f, other, IPPROTO_TCP, 99, 99), -EDQUOT);
	KUNIT_EXPECT_EQ(test, atomic_read(&other->share.live), max / 2);
	/* Half of what is left is for the next. */
	for (i = 0; i < max / 4; i++) {
		KUNIT_EXPECT_EQ(test, insert_flow(f, IPPROTO_TCP, 300 + i,
						  3000 + i), 0);
		establish(find_forward(f, IPPROTO_TCP, 300 + i));
	}
	KUNIT_EXPECT_EQ(test, insert_flow(f, IPPROTO_TCP, 399, 3999), -EDQUOT);
}

/* The handshake is over when the client has confirmed it: a flood is answered,
 * too.
 */
static void flow_half_open(struct kunit *test)
{
	struct flow_fixture *f;
	struct vnimesh_flow *flow;

	flow_start(test, 64);
	f = test->priv;
	KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_TCP, 1, 1), 0);
	flow = find_forward(f, IPPROTO_TCP, 1);
	WRITE_ONCE(flow->state, VNIMESH_FLOW_ESTABLISHED);
	WRITE_ONCE(flow->last, jiffies - VNIMESH_TCP_HALF_OPEN * HZ);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_expires(f->mesh, flow), 0);
	WRITE_ONCE(flow->acked, true);
	KUNIT_EXPECT_GT(test, vnimesh_flow_expires(f->mesh, flow), 0);
}

/* What RCU has not let go counts: a VNI that makes and drops flows without end
 * is refused, its neighbour is not.
 */
static void flow_limbo(struct kunit *test)
{
	struct vnimesh_vni *other;
	struct flow_fixture *f;
	u32 i, n = 0, max = 64;
	int err = 0;

	flow_start(test, max);
	f = test->priv;
	other = test_vni(test, f->mesh, 111, OTHER);
	rcu_barrier();
	rcu_read_lock();	/* nothing is freed */
	for (i = 0; i < 10 * max && !err; i++, n++) {
		struct vnimesh_flow *flow;

		err = insert_of(f, other, IPPROTO_UDP, 100, 100);
		flow = find_forward(f, IPPROTO_UDP, 100);
		if (flow)
			vnimesh_flow_remove(f->mesh, flow);
	}
	KUNIT_EXPECT_EQ(test, err, -EDQUOT);
	KUNIT_EXPECT_LE(test, n, max + max / 4 + 1);
	KUNIT_EXPECT_EQ(test, insert_flow(f, IPPROTO_UDP, 1, 1), 0);
	rcu_read_unlock();
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, insert_of(f, other, IPPROTO_UDP, 100, 100), 0);
}

static u32 left_of(struct flow_fixture *f, struct vnimesh_flow *flow,
		   unsigned int idle_s)
{
	WRITE_ONCE(flow->last, jiffies - idle_s * HZ);
	return vnimesh_flow_expires(f->mesh, flow);
}

static void flow_expiry(struct kunit *test)
{
	struct vnimesh_flow *tcp, *udp;
	struct flow_fixture *f;

	flow_start(test, 64);
	f = test->priv;
	KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_TCP, 1, 1), 0);
	KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_UDP, 1, 1), 0);
	tcp = find_forward(f, IPPROTO_TCP, 1);
	udp = find_forward(f, IPPROTO_UDP, 1);

	KUNIT_EXPECT_GT(test, left_of(f, tcp, VNIMESH_TCP_HALF_OPEN - 1), 0);
	KUNIT_EXPECT_EQ(test, left_of(f, tcp, VNIMESH_TCP_HALF_OPEN), 0);
	establish(tcp);
	KUNIT_EXPECT_GT(test, left_of(f, tcp, 2 * 3600 + 11 * 60), 0);
	KUNIT_EXPECT_EQ(test, left_of(f, tcp, VNIMESH_TCP_ESTABLISHED), 0);
	WRITE_ONCE(tcp->state, VNIMESH_FLOW_CLOSING);
	KUNIT_EXPECT_GT(test, left_of(f, tcp, VNIMESH_TCP_CLOSING - 1), 0);
	KUNIT_EXPECT_EQ(test, left_of(f, tcp, VNIMESH_TCP_CLOSING), 0);

	KUNIT_EXPECT_GT(test, left_of(f, udp, VNIMESH_UDP_UNREPLIED - 1), 0);
	KUNIT_EXPECT_EQ(test, left_of(f, udp, VNIMESH_UDP_UNREPLIED), 0);
	establish(udp);
	KUNIT_EXPECT_GT(test, left_of(f, udp, VNIMESH_UDP_REPLIED - 1), 0);
	KUNIT_EXPECT_EQ(test, left_of(f, udp, VNIMESH_UDP_REPLIED), 0);
	/* A packet that came since the clock was read. */
	WRITE_ONCE(tcp->last, jiffies + 1 + HZ / 10);
	KUNIT_EXPECT_GT(test, vnimesh_flow_expires(f->mesh, tcp), 0);
	/* One that was long ago is not ahead of the clock. */
	WRITE_ONCE(tcp->last, jiffies + LONG_MAX - 100 * HZ);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_expires(f->mesh, tcp), 0);
	/* And the worker takes what is over. */
	left_of(f, udp, VNIMESH_UDP_REPLIED);
	left_of(f, tcp, VNIMESH_TCP_CLOSING - 2);
	rcu_read_lock();
	collect(f->mesh, udp);
	collect(f->mesh, tcp);
	rcu_read_unlock();
	KUNIT_EXPECT_TRUE(test, !find_forward(f, IPPROTO_UDP, 1));
	KUNIT_EXPECT_TRUE(test, !!find_forward(f, IPPROTO_TCP, 1));
}

static int count_flow(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		      void *data)
{
	u32 *left = data;

	if (!*left)
		return -EMSGSIZE;
	(*left)--;
	return 0;
}

/* A walk in pieces of any size sees each flow once. */
static void flow_walk(struct kunit *test)
{
	u32 i, n = 100, piece;
	struct flow_fixture *f;

	flow_start(test, 1024);
	f = test->priv;
	for (i = 0; i < n; i++)
		KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_UDP, i, i), 0);
	for (piece = 1; piece <= n + 1; piece++) {
		u32 bucket = 0, skip = 0, seen = 0, left;
		int err;

		do {
			left = piece;
			err = vnimesh_flow_walk(f->mesh, &bucket, &skip,
						count_flow, &left);
			seen += piece - left;
		} while (err == -EMSGSIZE);
		KUNIT_ASSERT_EQ(test, err, 0);
		KUNIT_ASSERT_EQ(test, seen, n);
	}
	vnimesh_flow_flush(f->mesh, f->client);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_count(f->mesh), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&f->client->share.live), 0);
}

/* RCU. Does who stands at @from come by @tuple? */
static bool passes(const struct vnimesh_flow_link *from,
		   const struct vnimesh_tuple *tuple)
{
	hlist_for_each_entry_continue_rcu(from, node)
		if (equal(&from->tuple, tuple))
			return true;
	return false;
}

/* A flow in front of @old on its chain, where new ones come first; NULL: none in
 * a thousand. RCU and BH off, both given up now and then.
 */
static struct vnimesh_flow *insert_before(struct flow_fixture *f,
					  const struct vnimesh_flow *old)
{
	struct vnimesh_flow *other;
	u16 sport;

	for (sport = 3; sport < 1000; sport++) {
		if (insert_flow(f, IPPROTO_TCP, sport, sport))
			break;
		other = find_forward(f, IPPROTO_TCP, sport);
		if (passes(&other->link[0], &old->link[0].tuple))
			return other;
		vnimesh_flow_remove(f->mesh, other);
		if (!(sport % 32)) {
			rcu_read_unlock();
			local_bh_enable();
			rcu_barrier();
			local_bh_disable();
			rcu_read_lock();
		}
	}
	return NULL;
}

/* A flow in the place of another one: nothing of that is lost if it cannot be,
 * and who was on his way along the chain finds one of them.
 */
static void flow_replaced(struct kunit *test)
{
	struct vnimesh_flow *old, *new, *other;
	struct vnimesh_service *service;
	struct vnimesh_member *m;
	struct flow_fixture *f;
	struct vnimesh_syn *syn;

	flow_start(test, 64);
	f = test->priv;
	service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, service);
	m = vnimesh_member_alloc(service, f->client);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_TCP, 1, 1), 0);
	KUNIT_ASSERT_EQ(test, insert_flow(f, IPPROTO_TCP, 2, 2), 0);
	syn = kzalloc(128, GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, syn);
	atomic_inc(&f->mesh->syns);
	atomic_inc(&f->client->syns);

	local_bh_disable();
	rcu_read_lock();
	old = find_forward(f, IPPROTO_TCP, 1);
	old->syn = syn;
	other = insert_before(f, old);
	if (!other) {
		rcu_read_unlock();
		local_bh_enable();
		KUNIT_FAIL(test, "no flow comes before another one");
		return;
	}

	new = vnimesh_flow_open(f->mesh, f->client, m);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, new);
	new->link[0].tuple = old->link[0].tuple;
	tuple(&new->link[1].tuple, IPPROTO_TCP, SERVER, 8080, CLIENT, 2);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_replace(f->mesh, old, new),
			-EADDRINUSE);
	KUNIT_EXPECT_PTR_EQ(test, old->syn, syn);
	KUNIT_EXPECT_PTR_EQ(test, new->syn, NULL);

	new->link[1].tuple.dport = htons(2000);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_replace(f->mesh, old, new), 0);
	KUNIT_EXPECT_PTR_EQ(test, old->syn, NULL);
	KUNIT_EXPECT_PTR_EQ(test, new->syn, syn);
	KUNIT_EXPECT_PTR_EQ(test, find_forward(f, IPPROTO_TCP, 1), new);
	/* As a reader that stood at @other. */
	KUNIT_EXPECT_TRUE(test, passes(&other->link[0], &new->link[0].tuple));
	rcu_read_unlock();
	local_bh_enable();
	vnimesh_flow_flush(f->mesh, f->client);
	rcu_barrier();
	KUNIT_EXPECT_EQ(test, atomic_read(&f->mesh->syns), 0);
	vnimesh_member_put(m);
	vnimesh_service_put(service);
}

static struct kunit_case flow_cases[] = {
	KUNIT_CASE(flow_replaced),
	KUNIT_CASE(flow_model),
	KUNIT_CASE(flow_distinct),
	KUNIT_CASE(flow_early_drop),
	KUNIT_CASE(flow_unanswered),
	KUNIT_CASE(flow_refuse),
	KUNIT_CASE(flow_share),
	KUNIT_CASE(flow_half_open),
	KUNIT_CASE(flow_limbo),
	KUNIT_CASE(flow_expiry),
	KUNIT_CASE(flow_walk),
	{}
};

/* Some kernels run suites before the module's own init, some after. */
static bool own_cache;

int test_flows_begin(struct kunit_suite *suite)
{
	if (cache)
		return 0;
	cache = KMEM_CACHE(vnimesh_flow, SLAB_HWCACHE_ALIGN);
	own_cache = true;
	return cache ? 0 : -ENOMEM;
}

void test_flows_end(struct kunit_suite *suite)
{
	if (!own_cache)
		return;
	rcu_barrier();
	kmem_cache_destroy(cache);
	cache = NULL;
	own_cache = false;
}

static struct kunit_suite flow_suite = {
	.name = "flow",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.exit = flow_stop,
	.test_cases = flow_cases,
};

kunit_test_suite(flow_suite);
