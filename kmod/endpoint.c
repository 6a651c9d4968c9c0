// SPDX-License-Identifier: GPL-2.0-only
#include "endpoint.h"
#include "mesh.h"

/* BH. The lists of all meshes: what is in one may outlive the mesh. Whoever gives
 * back routes holds it until that is done.
 */
static DEFINE_SPINLOCK(lists);

struct vnimesh_endpoint *vnimesh_endpoint_alloc(struct vnimesh_mesh *mesh,
						u8 family,
						const union vnimesh_ip *addr,
						__be16 port)
{
	struct vnimesh_endpoint *endpoint;

	endpoint = kzalloc(sizeof(*endpoint), GFP_KERNEL_ACCOUNT);
	if (!endpoint)
		return NULL;
	if (dst_cache_init(&endpoint->dst_cache, GFP_KERNEL)) {
		kfree(endpoint);
		return NULL;
	}
	endpoint->addr = *addr;
	endpoint->port = port;
	endpoint->family = family;
	spin_lock_bh(&lists);
	list_add_tail(&endpoint->list, &mesh->endpoints);
	spin_unlock_bh(&lists);
	return endpoint;
}

void vnimesh_endpoint_free(struct vnimesh_endpoint *endpoint)
{
	spin_lock_bh(&lists);
	list_del(&endpoint->list);
	dst_cache_destroy(&endpoint->dst_cache);
	spin_unlock_bh(&lists);
	kfree(endpoint);
}

static void free_rcu(struct rcu_head *rcu)
{
	vnimesh_endpoint_free(container_of(rcu, struct vnimesh_endpoint, rcu));
}

void vnimesh_endpoint_free_rcu(struct vnimesh_endpoint *endpoint)
{
	call_rcu(&endpoint->rcu, free_rcu);
}

void vnimesh_endpoint_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_endpoint *endpoint, *next;

	spin_lock_bh(&lists);
	list_for_each_entry_safe(endpoint, next, &mesh->endpoints, list) {
		list_del_init(&endpoint->list);
		dst_cache_reset_now(&endpoint->dst_cache);
	}
	spin_unlock_bh(&lists);
}
