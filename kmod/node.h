/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A node: a host that carries VNIs. Rows live in mesh->nodes by id; their
 * prefixes in one longest-prefix table that routes VNI addresses on transmit
 * and checks the inner source on receive.
 *
 * Writers hold mesh->lock. Readers are under RCU. A VNI holds a reference on
 * its node; an unlinked node has ->dead set and takes no packets.
 */
#ifndef _VNIMESH_NODE_H
#define _VNIMESH_NODE_H

#include <linux/refcount.h>

#include "addr.h"
#include "endpoint.h"
#include "row.h"

struct vnimesh_mesh;

struct vnimesh_node_prefixes {
	struct rcu_head rcu;
	u32 n;
	struct vnimesh_prefix p[];
};

struct vnimesh_node {
	struct vnimesh_endpoint __rcu *endpoint;	/* NULL: self */
	u32 id;
	u32 latency;		/* us, 0 unknown; READ_ONCE */
	u8 state;		/* enum vnimesh_state, up or down; READ_ONCE */
	u32 risen;		/* see vnimesh_rise(); READ_ONCE */
	u8 locality;		/* of its zone, seen from ours; READ_ONCE */
	bool self;
	bool dead;		/* unlinked; READ_ONCE */
	u32 n_vnis;		/* VNI rows, under mesh->lock */
	struct list_head vnis;	/* those rows, under mesh->lock */
	spinlock_t holders_lock;	/* BH; innermost */
	struct rb_root holders;	/* another: addresses of its VNIs, holder.h */
	struct rb_root gone_holders;	/* ... that it had, with flows */
	struct list_head transit;	/* liveness.c */
	refcount_t refs;
	struct vnimesh_row row;
	struct vnimesh_node_prefixes __rcu *prefixes;	/* NULL: none */
	char name[VNIMESH_NAME_MAX + 1];	/* under mesh->lock */
	char zone[VNIMESH_NAME_MAX + 1];
	struct rcu_head rcu;
};

/* One prefix -> node table per mesh: a hash per (family, length, prefix),
 * probed from the longest length in use to the shortest; meshes use one or
 * two lengths, so a lookup is one or two probes.
 */
struct vnimesh_lpm {
	struct rhashtable table;
	unsigned long lens4[BITS_TO_LONGS(33)];	/* lengths in use, READ_ONCE */
	unsigned long lens6[BITS_TO_LONGS(129)];
	u32 count4[33];		/* prefixes per length, under mesh->lock */
	u32 count6[129];
	struct rhashtable underlays;	/* addresses of endpoints, counted */
};

/* RCU. The node that owns @ip, or NULL. */
struct vnimesh_node *vnimesh_node_route(struct vnimesh_mesh *mesh, u8 family,
					const union vnimesh_ip *ip);
/* RCU. Is @addr the underlay address of some node? For counters only. */
bool vnimesh_node_known(struct vnimesh_mesh *mesh,
			const union vnimesh_ip *addr);
/* RCU or mesh->lock. */
struct vnimesh_node *vnimesh_node_find(struct vnimesh_mesh *mesh, u32 id);

/* Process context, from newlink before the mesh is visible: tables and the
 * row of this host (self, no prefixes yet).
 */
int vnimesh_node_init(struct vnimesh_mesh *mesh);
/* Frees what is left; nobody can reach the mesh any more. */
void vnimesh_node_exit(struct vnimesh_mesh *mesh);

void vnimesh_node_put(struct vnimesh_node *node);

/* All below: mesh->lock. A node that is not linked yet: free it by put. */
struct vnimesh_node *vnimesh_node_alloc(u32 id);

/* What a change of a node brings; NULL: that part stays. */
struct vnimesh_node_change {
	struct vnimesh_endpoint *endpoint;
	struct vnimesh_node_prefixes *prefixes;
	bool set_prefixes;	/* prefixes NULL: none any more */
};

/* The node other than @node that has exactly @prefix, or NULL. */
struct vnimesh_node *vnimesh_node_conflict(struct vnimesh_mesh *mesh,
					   const struct vnimesh_node *node,
					   const struct vnimesh_prefix *prefix);
/* Applies @change to @node, linked or not, and links it: all or nothing. Takes
 * over the parts of @change if it succeeds.
 */
int vnimesh_node_apply(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
		       struct vnimesh_node_change *change);
/* No VNI row refers to it. Drops the reference of the table. */
void vnimesh_node_unlink(struct vnimesh_mesh *mesh, struct vnimesh_node *node);
/* The zone of @node changed: how near it is, or all are, if it is ours. */
void vnimesh_node_locate(struct vnimesh_mesh *mesh, struct vnimesh_node *node);
/* Is @ip in one of @prefixes (may be NULL), or has none of them the family? */
bool vnimesh_node_within(const struct vnimesh_node_prefixes *prefixes,
			 u8 family, const union vnimesh_ip *ip);
/* ... in those of @node. */
bool vnimesh_node_allows(struct vnimesh_mesh *mesh,
			 const struct vnimesh_node *node, u8 family,
			 const union vnimesh_ip *ip);

#endif /* _VNIMESH_NODE_H */
