// SPDX-License-Identifier: GPL-2.0-only
#include <net/dst_metadata.h>

#include "../endpoint.c"
#include "fixture.h"

static struct dst_entry *cached(struct vnimesh_endpoint *endpoint)
{
	struct dst_entry *dst;

	local_bh_disable();
	dst = dst_cache_get(&endpoint->dst_cache);
	local_bh_enable();
	dst_release(dst);
	return dst;
}

static void cache_one(struct kunit *test, struct vnimesh_endpoint *endpoint)
{
	struct metadata_dst *md;
	__be32 any = 0;

	md = metadata_dst_alloc(0, METADATA_IP_TUNNEL, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, md);
	/* Who found none looks for one; not in the tick in which it was made. */
	msleep(2 * MSEC_PER_SEC / HZ);
	KUNIT_ASSERT_NULL(test, cached(endpoint));
	local_bh_disable();
	dst_cache_set_ip4(&endpoint->dst_cache, &md->dst, any);
	local_bh_enable();
	dst_release(&md->dst);
	KUNIT_ASSERT_PTR_EQ(test, cached(endpoint), &md->dst);
}

/* A mesh that ends holds no route, though somebody still holds a node: its netns
 * does not wait for that.
 */
static void endpoint_exit(struct kunit *test)
{
	struct vnimesh_mesh *mesh = test_mesh(test, 16);
	struct vnimesh_endpoint *endpoint;
	struct vnimesh_node *node;

	test_node(test, mesh, 2, 0xc000020c, 0x0a4d0200, 24);
	node = xa_load(&mesh->nodes, 2);
	KUNIT_ASSERT_NOT_NULL(test, node);
	refcount_inc(&node->refs);
	endpoint = rcu_dereference_protected(node->endpoint, true);
	cache_one(test, endpoint);
	test_mesh_free(mesh);
	KUNIT_EXPECT_NULL(test, cached(endpoint));
	/* It may go after the mesh. */
	vnimesh_node_put(node);
	rcu_barrier();
}

/* One that was never used goes at once. */
static void endpoint_unused(struct kunit *test)
{
	struct vnimesh_mesh *mesh = test_mesh(test, 16);
	struct vnimesh_endpoint *endpoint;
	union vnimesh_ip ip;

	test_ip4(&ip, 0xc000020d);
	endpoint = vnimesh_endpoint_alloc(mesh, AF_INET, &ip, htons(6081));
	KUNIT_ASSERT_NOT_NULL(test, endpoint);
	KUNIT_EXPECT_FALSE(test, list_empty(&mesh->endpoints));
	vnimesh_endpoint_free(endpoint);
	KUNIT_EXPECT_TRUE(test, list_empty(&mesh->endpoints));
	test_mesh_free(mesh);
}

static struct kunit_case endpoint_cases[] = {
	KUNIT_CASE(endpoint_exit),
	KUNIT_CASE(endpoint_unused),
	{}
};

static struct kunit_suite endpoint_suite = {
	.name = "endpoint",
	.test_cases = endpoint_cases,
};

kunit_test_suite(endpoint_suite);
