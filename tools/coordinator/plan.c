// SPDX-License-Identifier: GPL-2.0-or-later
#include "limits.h"
#include "plan.h"

/* The number of the last block of length @block in a prefix. */
static uint64_t last_block(const struct ip_prefix *prefix, uint32_t block)
{
	unsigned int bits = block - prefix->len;

	return bits >= 32 ? UINT32_MAX : (1ULL << bits) - 1;
}

static struct ip_prefix nth_block(const struct ip_prefix *prefix,
				  uint32_t block, uint32_t n)
{
	struct ip_prefix ret = *prefix;

	ret.len = block;
	ip_add(&ret.addr, n, 8 * ip_bytes(&ret.addr) - block);
	return ret;
}

uint32_t plan_last(const struct mesh *mesh)
{
	uint64_t last = NODES_MAX;
	uint64_t n;

	n = last_block(&mesh->prefix4, mesh->block4);
	last = n < last ? n : last;
	n = last_block(&mesh->prefix6, mesh->block6);
	last = n < last ? n : last;
	n = (1ULL << 32) / mesh->vni_block - 1;
	return n < last ? n : last;
}

bool plan_usable(const struct mesh *mesh, uint32_t id)
{
	struct ip_prefix block4 = nth_block(&mesh->prefix4, mesh->block4, id);
	struct ip_prefix block6 = nth_block(&mesh->prefix6, mesh->block6, id);

	return !ip_prefix_overlap(&block4, &mesh->service4) &&
	       !ip_prefix_overlap(&block6, &mesh->service6);
}

void plan_node(const struct mesh *mesh, uint32_t id, struct node_def *node)
{
	node->id = id;
	node->prefix4 = nth_block(&mesh->prefix4, mesh->block4, id);
	node->prefix6 = nth_block(&mesh->prefix6, mesh->block6, id);
	node->address4 = node->prefix4.addr;
	node->address6 = node->prefix6.addr;
	ip_add(&node->address4, 1, 0);
	ip_add(&node->address6, 1, 0);
	node->vni_first = id * mesh->vni_block;
	node->vni_count = mesh->vni_block;
	node->vni = node->vni_first;
}
