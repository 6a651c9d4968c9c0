/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A VNI record. Local ones (node is self) are made by their device and
 * outlive it: a device that goes leaves the record, down. Remote ones are
 * configured, and only those that are members of a service need exist.
 *
 * Writers hold mesh->lock (attach and detach come from link ops, which hold
 * rtnl besides: rtnl, then mesh->lock). Readers are under RCU. Members and
 * devices hold references.
 */
#ifndef _VNIMESH_VNI_H
#define _VNIMESH_VNI_H

#include <linux/netdevice.h>
#include <linux/refcount.h>

#include "addr.h"
#include "budget.h"
#include "room.h"
#include "row.h"

struct vnimesh_mesh;
struct vnimesh_node;

/* Addresses of a VNI, replaced as a whole. The entries are linked in
 * mesh->local_addrs for local VNIs, in node->holders for others.
 */
struct vnimesh_vni_addrs {
	struct vnimesh_addr_entry e4;	/* key.family 0: none; owner: the VNI */
	struct vnimesh_addr_entry e6;
	struct rcu_head rcu;
};

/* Bits of vni->taken. */
#define VNIMESH_TAKEN_IP4	1
#define VNIMESH_TAKEN_IP6	2

struct vnimesh_vni {
	struct net_device __rcu *dev;	/* local, and its device exists */
	struct vnimesh_vni_addrs __rcu *addrs;	/* never NULL */
	struct vnimesh_node *node;	/* referenced, fixed for life */
	u32 id;
	u32 latency;		/* us, 0: the node's; READ_ONCE */
	u32 risen;		/* see vnimesh_rise(); READ_ONCE */
	u8 health;		/* 0..100; READ_ONCE */
	u8 state;		/* enum vnimesh_state, as configured; READ_ONCE */
	bool dev_up;		/* local: device is there and up; READ_ONCE */
	bool dead;		/* unlinked; READ_ONCE */
	u8 taken;		/* ... and no flow to these goes on, VNIMESH_TAKEN_*; holder.h */
	u64 made;		/* us of boottime, of dev, the last one if gone; mesh->lock */
	u32 n_members;		/* rows that name it, under mesh->lock */
	struct list_head members;	/* those rows, under mesh->lock */
	struct list_head transit;	/* liveness.c */
	struct list_head node_link;	/* in node->vnis, under mesh->lock */
	atomic_t syns;		/* ... copies of SYNs that these keep */
	atomic_t credit;	/* ... what it may still move, resteer.c */
	u32 credit_stamp;	/* s, jiffies */
	u32 n_private;		/* ... what it holds against members; eject */
	u32 told;		/* ms, of events; eject */
	struct vnimesh_share share;	/* local: of the flow table */
	struct list_head datagrams;	/* fragments' lock: frag.c */
	u32 n_datagrams;
	u32 n_held_fragments;
	struct vnimesh_budget upcalls;	/* ... of questions; misses->lock */
	refcount_t refs;
	struct vnimesh_row row;
	struct rcu_head rcu;
};

/* RCU. The address of @family, or NULL. */
static inline const union vnimesh_ip *
vnimesh_vni_ip(const struct vnimesh_vni *vni, u8 family)
{
	struct vnimesh_vni_addrs *a = rcu_dereference(vni->addrs);
	struct vnimesh_addr_entry *e = family == AF_INET ? &a->e4 : &a->e6;

	return e->key.family ? &e->key.ip : NULL;
}

/* RCU. The local VNI that owns @ip, or NULL. Its device may be gone. */
struct vnimesh_vni *vnimesh_vni_local(struct vnimesh_mesh *mesh, u8 family,
				      const union vnimesh_ip *ip);
/* RCU or mesh->lock. */
struct vnimesh_vni *vnimesh_vni_find(struct vnimesh_mesh *mesh, u32 id);

/* rtnl. Bind @dev to the record of @id, made if missing (then with @ip4/@ip6,
 * either may be NULL). Takes mesh->lock. -EEXIST: the id has a device, is that
 * of a remote VNI, or an address is taken; extack names the attribute.
 * Returns the record with a reference for the device, or ERR_PTR.
 */
struct vnimesh_vni *vnimesh_vni_attach(struct vnimesh_mesh *mesh, u32 id,
				       struct net_device *dev,
				       const union vnimesh_ip *ip4,
				       const union vnimesh_ip *ip6,
				       struct netlink_ext_ack *extack);
/* rtnl. The device goes: record stays, down; an event tells. Drops the
 * device's reference. The caller's device may still be seen by RCU readers.
 */
void vnimesh_vni_detach(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni);
/* rtnl, from ndo_open and ndo_stop. */
void vnimesh_vni_set_up(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			bool up);

int vnimesh_vni_init(struct vnimesh_mesh *mesh);
void vnimesh_vni_exit(struct vnimesh_mesh *mesh);
void vnimesh_vni_put(struct vnimesh_vni *vni);

/* All below: mesh->lock. @ip4 and @ip6 may be NULL: no such address, or, in a
 * set, as it was.
 */

/* May a VNI (@vni, or a new one if NULL) of @node have these addresses? What
 * is wrong is in extack by name; *@bad is the family it is about.
 */
int vnimesh_vni_check_addrs(struct vnimesh_mesh *mesh,
			    const struct vnimesh_vni *vni,
			    const struct vnimesh_node *node,
			    const union vnimesh_ip *ip4,
			    const union vnimesh_ip *ip6,
			    struct netlink_ext_ack *extack, u8 *bad);
/* A new linked record of @node. Or ERR_PTR, then nothing changed. */
struct vnimesh_vni *vnimesh_vni_add(struct vnimesh_mesh *mesh, u32 id,
				    struct vnimesh_node *node,
				    const union vnimesh_ip *ip4,
				    const union vnimesh_ip *ip6);
int vnimesh_vni_set_addrs(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			  const union vnimesh_ip *ip4,
			  const union vnimesh_ip *ip6);
/* It has no device and no member. Drops the reference of the table. */
void vnimesh_vni_unlink(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni);

#endif /* _VNIMESH_VNI_H */
