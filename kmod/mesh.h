/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A mesh: one overlay on this host. It belongs to the mesh device and is freed
 * by its destructor. VNI devices of the mesh, in any netns, hold a
 * reference on the mesh device until their ndo_uninit; deleting the mesh
 * device queues them all.
 *
 * Locks: rtnl (devices, sockets) > mesh->lock (all rows) > miss.lock, flow
 * bucket locks (BH). The data path takes RCU only, and bucket locks to bind.
 */
#ifndef _VNIMESH_MESH_H
#define _VNIMESH_MESH_H

#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/percpu.h>
#include <linux/tracepoint-defs.h>
#include <linux/vnimesh.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <net/gro_cells.h>
#include <net/net_namespace.h>

#include "limits.h"
#include "addr.h"
#include "answer.h"
#include "budget.h"
#include "row.h"
#include "node.h"
#include "vni.h"
#include "service.h"

struct mem_cgroup;
struct vnimesh_sock;
struct vnimesh_flows;
struct vnimesh_eject;
struct vnimesh_misses;
struct vnimesh_parked;
struct vnimesh_transitions;
struct vnimesh_frags;
struct vnimesh_absent;

struct vnimesh_stats {
	unsigned long c[VNIMESH_A_STATS_MAX + 1];
};

/* The mesh's service prefixes, replaced as a whole; family 0: none. */
struct vnimesh_service_prefixes {
	struct vnimesh_prefix p4;
	struct vnimesh_prefix p6;
	struct rcu_head rcu;
};

/* Settable scalars, READ_ONCE by the data path, written under mesh->lock. */
struct vnimesh_settings {
	u32 hold_max;
	u32 hold_vni_max;
	u32 miss_timeout;	/* ms */
	u32 tcp_established;	/* s, as all below */
	u32 tcp_half_open;
	u32 tcp_closing;
	u32 udp_unreplied;
	u32 udp_replied;
	u32 resteer_max;	/* moves of one flow */
	u32 eject_max;		/* s, longest penalty; 0: nobody is put out */
};

struct vnimesh_mesh {
	/* Fixed from newlink on. */
	struct net_device *dev;
	struct net *net;		/* of the mesh device: the underlay */
	u32 id;
	u32 node_id;
	u32 vni_id;			/* of the mesh device */
	u32 flow_max;
	union vnimesh_ip local;		/* underlay */
	__be16 port;
	u8 family;			/* of the underlay: of all its nodes */
	u8 overhead;			/* bytes before the inner packet */
	struct vnimesh_sock *sock;	/* shared, counted; under rtnl */
	struct hlist_node sock_node;	/* in sock's hash by mesh id, RCU */
	struct list_head net_node;	/* in the pernet list, RCU */
	struct list_head devs;		/* VNI devices, not ours; under rtnl */

	/* Read per packet, written under ->lock. */
	struct vnimesh_service_prefixes __rcu *service_prefixes;
	struct vnimesh_settings set;
	struct rhashtable local_addrs;	/* address -> local VNI */
	struct rhashtable service_addrs;	/* address -> service */
	struct rhashtable service_tags;
	struct vnimesh_lpm lpm;
	struct vnimesh_stats __percpu *stats;
	struct vnimesh_node *self;

	struct xarray nodes;		/* by node id */
	struct list_head endpoints;	/* of nodes, endpoint.c */
	struct xarray vnis;		/* by VNI id */
	struct xarray services;		/* by index, for dumps */
	u32 n_nodes;			/* counts under ->lock */
	u32 n_vnis;
	u32 n_services;
	u32 n_members;
	u64 generation;			/* bumped by each change, under ->lock */
	atomic_t liveness;		/* generation of who is up; liveness.h */

	struct mutex lock;		/* who changes, and all that says so */
	bool dying;			/* under ->lock: no more changes */

	u32 agent;			/* port id that answers misses, 0: none.
					 * READ_ONCE; written under ->lock or by
					 * cmpxchg when the socket is released
					 */
	struct mem_cgroup *memcg;	/* of who made it: workers' memory */
	struct delayed_work maglev_work;
	struct vnimesh_flows *flows;
	struct vnimesh_eject *eject;
	atomic_t syns;			/* copies that half-open flows keep */
	struct vnimesh_misses *misses;
	struct vnimesh_parked *parked;
	struct vnimesh_frags *frags;
	struct vnimesh_answers answers;
	struct vnimesh_transitions *transitions;
	struct vnimesh_absent *absent;
};

/* Private data of every vnimesh device. */
struct vnimesh_dev {
	struct vnimesh_mesh *mesh;
	struct vnimesh_vni *vni;
	struct net_device *dev;
	struct gro_cells gro_cells;
	unsigned long bulk;	/* jiffies of the last large datagram received */
	netdevice_tracker mesh_tracker;
	struct list_head mesh_node;	/* in mesh->devs, under rtnl */
	u32 held;			/* packets held for a miss; misses->lock */
	u32 holds;			/* holds that its packets opened; as above */
};

static inline bool vnimesh_dev_is_mesh(const struct vnimesh_dev *vdev)
{
	return vdev->mesh->dev == vdev->dev;
}

/* Is it one of ours? Any context. */
bool vnimesh_dev_check(const struct net_device *dev);

/* The pernet list of meshes, RCU or rtnl. */
struct list_head *vnimesh_net_meshes(struct net *net);

DECLARE_TRACEPOINT(vnimesh_count);
void vnimesh_count_traced(const struct vnimesh_mesh *mesh, unsigned int what,
			  unsigned int n);

/* What is not the end of a packet; that is vnimesh_drop() and its like. */
static inline void vnimesh_count_add(struct vnimesh_mesh *mesh,
				     unsigned int what, unsigned int n)
{
	this_cpu_add(mesh->stats->c[what], n);
	if (tracepoint_enabled(vnimesh_count))
		vnimesh_count_traced(mesh, what, n);
}

static inline void vnimesh_count(struct vnimesh_mesh *mesh, unsigned int what)
{
	vnimesh_count_add(mesh, what, 1);
}

/* Sum over the CPUs; any context. */
u64 vnimesh_stats_read(const struct vnimesh_mesh *mesh, unsigned int what);

#endif /* _VNIMESH_MESH_H */
