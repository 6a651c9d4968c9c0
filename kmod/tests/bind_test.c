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

/* A flow from 110 to a member, VNI 300 of node 2. */
struct bind_kept {
	struct vnimesh_mesh *mesh;
	struct vnimesh_service *service;
	struct vnimesh_member *m;
	struct vnimesh_flow *flow;
	struct vnimesh_vni *vni;
};

static void kept_begin(struct kunit *test, struct bind_kept *k, bool here)
{
	struct vnimesh_tuple *reverse;
	struct vnimesh_vni *client;

	k->mesh = test_mesh(test, 16);
	client = test_vni(test, k->mesh, 110, 0x0a4d010a);
	test_node(test, k->mesh, 2, 0xc000020c, 0x0a4d0200, 24);
	k->vni = here ? test_vni(test, k->mesh, 300, 0x0a4d020a) :
			remote_vni(test, k->mesh, 300);
	k->service = vnimesh_service_alloc("db", NULL, NULL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, k->service);
	k->m = vnimesh_member_alloc(k->service, k->vni);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, k->m);
	local_bh_disable();
	rcu_read_lock();
	k->flow = vnimesh_flow_open(k->mesh, client, k->m);
	rcu_read_unlock();
	local_bh_enable();
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, k->flow);
	reverse = &k->flow->link[VNIMESH_REVERSE].tuple;
	reverse->family = AF_INET;
	reverse->proto = IPPROTO_UDP;
	test_ip4(&reverse->src, 0x0a4d020a);
	test_ip4(&reverse->dst, 0x0a4d010a);
}

static void kept_end(struct bind_kept *k)
{
	vnimesh_flow_abandon(k->mesh, k->flow);
	vnimesh_member_put(k->m);
	vnimesh_service_put(k->service);
	test_mesh_free(k->mesh);
}

static void unlink_vni(struct bind_kept *k, struct vnimesh_vni *vni)
{
	mutex_lock(&k->mesh->lock);
	vnimesh_vni_unlink(k->mesh, vni);
	mutex_unlock(&k->mesh->lock);
}

static bool kept_left(struct bind_kept *k)
{
	bool yes;

	rcu_read_lock();
	yes = vnimesh_flow_member_left(k->flow);
	rcu_read_unlock();
	return yes;
}

/* A member is no more, and its VNI, but its flows are kept: until the address is
 * another's.
 */
static void bind_taken(struct kunit *test)
{
	struct bind_kept k;

	kept_begin(test, &k, false);
	unlink_vni(&k, k.vni);
	KUNIT_EXPECT_FALSE(test, kept_left(&k));
	remote_vni(test, k.mesh, 301);
	KUNIT_EXPECT_TRUE(test, kept_left(&k));
	kept_end(&k);
}

/* As an agent has it that learns of both at once: the new one first. */
static void bind_taken_before(struct kunit *test)
{
	struct bind_kept k;

	kept_begin(test, &k, false);
	remote_vni(test, k.mesh, 301);
	KUNIT_EXPECT_FALSE(test, kept_left(&k));
	unlink_vni(&k, k.vni);
	KUNIT_EXPECT_TRUE(test, kept_left(&k));
	kept_end(&k);
}

/* The same one, which was deregistered for a moment. */
static void bind_back(struct kunit *test)
{
	struct vnimesh_vni *again;
	struct bind_kept k;

	kept_begin(test, &k, false);
	unlink_vni(&k, k.vni);
	again = remote_vni(test, k.mesh, 300);
	KUNIT_EXPECT_FALSE(test, kept_left(&k));
	unlink_vni(&k, again);
	KUNIT_EXPECT_FALSE(test, kept_left(&k));
	remote_vni(test, k.mesh, 301);
	KUNIT_EXPECT_TRUE(test, kept_left(&k));
	kept_end(&k);
}

/* It had come back, and has another address now. */
static void bind_back_moves(struct kunit *test)
{
	struct vnimesh_vni *again;
	union vnimesh_ip ip;
	struct bind_kept k;

	kept_begin(test, &k, false);
	unlink_vni(&k, k.vni);
	again = remote_vni(test, k.mesh, 300);
	test_ip4(&ip, 0x0a4d020b);
	mutex_lock(&k.mesh->lock);
	KUNIT_EXPECT_EQ(test, vnimesh_vni_set_addrs(k.mesh, again, &ip, NULL), 0);
	mutex_unlock(&k.mesh->lock);
	KUNIT_EXPECT_TRUE(test, kept_left(&k));
	kept_end(&k);
}

/* Of this host: its device is gone, and nothing reaches it through another. */
static void bind_gone_here(struct kunit *test)
{
	struct bind_kept k;

	kept_begin(test, &k, true);
	KUNIT_EXPECT_FALSE(test, kept_left(&k));
	unlink_vni(&k, k.vni);
	KUNIT_EXPECT_TRUE(test, kept_left(&k));
	kept_end(&k);
}

/* Many, of whom some share an address: each is found while it has one, and not
 * afterwards.
 */
static void bind_holders(struct kunit *test)
{
	struct vnimesh_vni *vnis[64] = {};
	struct bind_kept k;
	union vnimesh_ip ip;
	u64 random = 11;
	u32 i, n;

	kept_begin(test, &k, false);
	mutex_lock(&k.mesh->lock);
	for (n = 0; n < 4000; n++) {
		i = test_below(&random, ARRAY_SIZE(vnis));
		test_ip4(&ip, 0x0a4d0210 + test_below(&random, 32));
		if (!vnis[i]) {
			vnis[i] = vnimesh_vni_add(k.mesh, 1000 + i,
						  k.vni->node, &ip, NULL);
			KUNIT_EXPECT_FALSE(test, IS_ERR(vnis[i]));
		} else if (test_below(&random, 2)) {
			vnimesh_vni_set_addrs(k.mesh, vnis[i], &ip, NULL);
		} else {
			vnimesh_vni_unlink(k.mesh, vnis[i]);
			vnis[i] = NULL;
		}
	}
	for (i = 0; i < ARRAY_SIZE(vnis); i++)
		if (vnis[i])
			vnimesh_vni_unlink(k.mesh, vnis[i]);
	mutex_unlock(&k.mesh->lock);
	/* 300 alone is left. */
	KUNIT_EXPECT_PTR_EQ(test, rb_first(&k.vni->node->holders),
			    rb_last(&k.vni->node->holders));
	KUNIT_EXPECT_NOT_NULL(test, rb_first(&k.vni->node->holders));
	KUNIT_EXPECT_FALSE(test, kept_left(&k));
	kept_end(&k);
}

static u32 count_gone(struct vnimesh_node *node)
{
	struct rb_node *at;
	u32 n = 0;

	for (at = rb_first(&node->gone_holders); at; at = rb_next(at))
		n++;
	return n;
}

/* The same one, over and over, its flows kept each time: but not of all of them. Who
 * comes next meets each of them once.
 */
static void bind_back_often(struct kunit *test)
{
	struct vnimesh_vni *vnis[100];
	struct bind_kept k;
	u32 i, taken = 0;

	kept_begin(test, &k, false);
	unlink_vni(&k, k.vni);
	for (i = 0; i < ARRAY_SIZE(vnis); i++) {
		vnis[i] = remote_vni(test, k.mesh, 300);
		refcount_inc(&vnis[i]->refs);	/* as a flow */
		unlink_vni(&k, vnis[i]);
		taken += !!vnis[i]->taken;
	}
	KUNIT_EXPECT_EQ(test, taken, ARRAY_SIZE(vnis) - 63);
	KUNIT_EXPECT_EQ(test, taken,
			vnimesh_stats_read(k.mesh, VNIMESH_A_STATS_KEPT_LIMIT));
	KUNIT_EXPECT_EQ(test, count_gone(k.vni->node), 64);
	KUNIT_EXPECT_FALSE(test, kept_left(&k));
	remote_vni(test, k.mesh, 301);
	KUNIT_EXPECT_EQ(test, count_gone(k.vni->node), 0);
	KUNIT_EXPECT_TRUE(test, kept_left(&k));
	for (i = 0; i < ARRAY_SIZE(vnis); i++)
		vnimesh_vni_put(vnis[i]);
	kept_end(&k);
}

/* Nothing can be sent there any more. */
static void bind_node_gone(struct kunit *test)
{
	struct bind_kept k;

	kept_begin(test, &k, false);
	unlink_vni(&k, k.vni);
	mutex_lock(&k.mesh->lock);
	vnimesh_node_unlink(k.mesh, xa_load(&k.mesh->nodes, 2));
	mutex_unlock(&k.mesh->lock);
	KUNIT_EXPECT_TRUE(test, kept_left(&k));
	kept_end(&k);
}

static void fill_syn(struct vnimesh_packet *pkt, u16 port, u32 seq)
{
	memset(pkt, 0, sizeof(*pkt));
	pkt->tuple.family = AF_INET;
	pkt->tuple.proto = IPPROTO_TCP;
	test_ip4(&pkt->tuple.src, 0x0a4d010a);
	test_ip4(&pkt->tuple.dst, 0x0a600001);
	pkt->tuple.sport = htons(port);
	pkt->tuple.dport = htons(80);
	pkt->has_ports = true;
	pkt->tcp_flags = VNIMESH_TCP_SYN;
	pkt->seq = htonl(seq);
}

/* A flow of @pkt, as it comes: is its silence no evidence? BH, RCU. */
static bool opened_reused(struct kunit *test, struct vnimesh_dev *from,
			  struct vnimesh_packet *pkt, unsigned long last)
{
	struct vnimesh_flow *flow;

	KUNIT_EXPECT_NULL(test, vnimesh_bind_find(from, NULL, pkt));
	flow = vnimesh_flow_open(from->mesh, from->vni, NULL);
	KUNIT_EXPECT_FALSE(test, IS_ERR(flow));
	if (IS_ERR(flow))
		return false;
	start(flow, pkt);
	flow->last = last;
	flow->link[VNIMESH_FORWARD].tuple = pkt->tuple;
	vnimesh_tuple_invert(&flow->link[VNIMESH_REVERSE].tuple, &pkt->tuple);
	KUNIT_EXPECT_EQ(test, vnimesh_flow_insert(from->mesh, flow), 0);
	return flow->reused;
}

/* A server does not answer each of many SYNs of one port; but what had the port a
 * while ago does not matter to it.
 */
static void bind_reused(struct kunit *test)
{
	struct vnimesh_mesh *mesh = test_mesh(test, 16);
	struct vnimesh_dev from = { .mesh = mesh };
	struct vnimesh_packet pkt;
	u16 port;

	from.vni = test_vni(test, mesh, 110, 0x0a4d010a);
	local_bh_disable();
	rcu_read_lock();
	fill_syn(&pkt, 1, 1);
	KUNIT_EXPECT_FALSE(test, opened_reused(test, &from, &pkt,
					       jiffies - 3 * HZ));
	fill_syn(&pkt, 1, 2);
	KUNIT_EXPECT_FALSE(test, opened_reused(test, &from, &pkt, jiffies));
	fill_syn(&pkt, 1, 3);
	KUNIT_EXPECT_TRUE(test, opened_reused(test, &from, &pkt, jiffies));
	for (port = 2; port <= 16; port++) {
		fill_syn(&pkt, port, 1);
		KUNIT_EXPECT_FALSE(test, opened_reused(test, &from, &pkt,
						       jiffies));
	}
	/* One had to go for it: of which port? And the clock may be read first. */
	WRITE_ONCE(from.vni->share.dropped, (u32)jiffies + 1);
	KUNIT_EXPECT_TRUE(test, vnimesh_room_was_short(from.vni));
	WRITE_ONCE(from.vni->share.dropped, (u32)jiffies - HZ);
	fill_syn(&pkt, port, 1);
	KUNIT_EXPECT_TRUE(test, opened_reused(test, &from, &pkt, jiffies));
	rcu_read_unlock();
	local_bh_enable();
	test_mesh_free(mesh);
}

/* Another CPU made a flow of the tuple for who had the address before. */
static void bind_settle(struct kunit *test)
{
	struct vnimesh_mesh *mesh = test_mesh(test, 16);
	struct vnimesh_vni *owner, *heir;
	struct vnimesh_flow *flow, *late;
	struct vnimesh_packet pkt;

	owner = test_vni(test, mesh, 110, 0x0a4d010a);
	heir = test_vni(test, mesh, 111, 0x0a4d010b);
	fill_syn(&pkt, 1, 1);
	local_bh_disable();
	rcu_read_lock();
	flow = vnimesh_flow_open(mesh, owner, NULL);
	late = vnimesh_flow_open(mesh, heir, NULL);
	KUNIT_EXPECT_FALSE(test, IS_ERR(flow) || IS_ERR(late));
	flow->link[VNIMESH_FORWARD].tuple = pkt.tuple;
	vnimesh_tuple_invert(&flow->link[VNIMESH_REVERSE].tuple, &pkt.tuple);
	memcpy(late->link, flow->link, sizeof(late->link));
	KUNIT_EXPECT_EQ(test, vnimesh_flow_insert(mesh, flow), 0);
	KUNIT_EXPECT_TRUE(test, IS_ERR(settle(mesh, late)));
	rcu_read_unlock();
	local_bh_enable();
	test_mesh_free(mesh);
}

static struct kunit_case bind_cases[] = {
	KUNIT_CASE(bind_taken),
	KUNIT_CASE(bind_taken_before),
	KUNIT_CASE(bind_back),
	KUNIT_CASE(bind_back_moves),
	KUNIT_CASE(bind_gone_here),
	KUNIT_CASE(bind_holders),
	KUNIT_CASE(bind_back_often),
	KUNIT_CASE(bind_node_gone),
	KUNIT_CASE(bind_ports),
	KUNIT_CASE(bind_heir),
	KUNIT_CASE(bind_reused),
	KUNIT_CASE(bind_settle),
	{}
};

static struct kunit_suite bind_suite = {
	.name = "bind",
	.suite_init = test_flows_begin,
	.suite_exit = test_flows_end,
	.test_cases = bind_cases,
};

kunit_test_suite(bind_suite);
