/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The underlay UDP socket: one per (netns, family, local address, port), shared
 * by the meshes there, which it finds by the id in the Geneve header. Counted
 * under rtnl; readers of the hash are under RCU.
 */
#ifndef _VNIMESH_SOCK_H
#define _VNIMESH_SOCK_H

#include <linux/list.h>
#include <linux/net.h>
#include <linux/percpu.h>
#include <linux/refcount.h>
#include <linux/types.h>

#include "addr.h"

struct net;
struct netlink_ext_ack;
struct vnimesh_mesh;

#define VNIMESH_SOCK_BUCKETS	64

/* What belongs to no mesh: the port's, not that of any mesh. */
struct vnimesh_strays {
	unsigned long malformed;
	unsigned long foreign;
};

struct vnimesh_sock {
	struct socket *sock;
	struct list_head node;		/* pernet list, rtnl */
	u32 users;			/* rtnl */
	union vnimesh_ip local;
	__be16 port;
	u8 family;
	struct vnimesh_strays __percpu *strays;
	struct hlist_head meshes[VNIMESH_SOCK_BUCKETS];
	struct rcu_head rcu;
};

/* rtnl. -EADDRINUSE: somebody else owns the port; extack names it. */
struct vnimesh_sock *vnimesh_sock_get(struct list_head *socks, struct net *net,
				      u8 family,
				      const union vnimesh_ip *local,
				      __be16 port,
				      struct netlink_ext_ack *extack);
/* rtnl. Closes with the last user. */
void vnimesh_sock_put(struct vnimesh_sock *vs);

/* rtnl. From here on, received packets find the mesh. */
void vnimesh_sock_add(struct vnimesh_sock *vs, struct vnimesh_mesh *mesh);
/* rtnl. Readers may go on until the next grace period. Idempotent. */
void vnimesh_sock_del(struct vnimesh_mesh *mesh);
/* RCU or rtnl. */
struct vnimesh_mesh *vnimesh_sock_find(struct vnimesh_sock *vs, u32 id);
/* BH, RCU. @what is one of VNIMESH_A_STATS_PORT_*. */
void vnimesh_sock_count(struct vnimesh_sock *vs, unsigned int what);
/* Any context. The sum over the CPUs, for the socket of @mesh. */
u64 vnimesh_sock_strays(const struct vnimesh_mesh *mesh, unsigned int what);

#endif /* _VNIMESH_SOCK_H */
