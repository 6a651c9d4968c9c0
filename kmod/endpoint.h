/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a node is reached. Replaced as a whole, so that a cached route never
 * meets another address; freed by RCU.
 *
 * The routes in its cache are of the underlay's netns and must be given back
 * while that is there. RCU may take longer than the mesh, in several steps: a flow
 * or a service lets go of a member, that of a VNI, that of a node. So a mesh knows
 * all its endpoints, and empties their caches when it ends.
 */
#ifndef _VNIMESH_ENDPOINT_H
#define _VNIMESH_ENDPOINT_H

#include <net/dst_cache.h>

#include "addr.h"

struct vnimesh_mesh;

struct vnimesh_endpoint {
	struct dst_cache dst_cache;
	union vnimesh_ip addr;
	__be16 port;
	u8 family;		/* the mesh's */
	struct list_head list;	/* in mesh->endpoints; empty: it has ended */
	struct rcu_head rcu;
};

/* May sleep. NULL: no memory. */
struct vnimesh_endpoint *vnimesh_endpoint_alloc(struct vnimesh_mesh *mesh,
						u8 family,
						const union vnimesh_ip *addr,
						__be16 port);
/* One that no reader can find; the mesh may be gone. */
void vnimesh_endpoint_free(struct vnimesh_endpoint *endpoint);
/* ... once those that found it are done. */
void vnimesh_endpoint_free_rcu(struct vnimesh_endpoint *endpoint);
/* The mesh ends: nobody sends any more. No route is held after this. */
void vnimesh_endpoint_exit(struct vnimesh_mesh *mesh);

#endif /* _VNIMESH_ENDPOINT_H */
