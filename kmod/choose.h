/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the Mesh_Table and the pure selection: takes the snapshot of the
 * members, keeps what was counted of each service. Used by the data path and by
 * route-get, so that both see the same.
 */
#ifndef _VNIMESH_CHOOSE_H
#define _VNIMESH_CHOOSE_H

#include "flow.h"
#include "mesh.h"
#include "select.h"

/* What a choice is made for. */
struct vnimesh_choose_args {
	const struct vnimesh_service *service;
	const struct vnimesh_vni *client;	/* local; NULL: nobody's own view */
	u64 by;			/* ... then as vnimesh_figure_of() has it */
	const struct vnimesh_member *avoid[2];	/* not these, or NULL */
	const struct vnimesh_tuple *tuple;	/* as the client sends */
	u64 seed;
};

/* The aggregate of one service and family, published by RCU. Above the scan
 * limit it has the order to sample from.
 */
struct vnimesh_count {
	struct rcu_head rcu;
	unsigned long stamp;	/* jiffies */
	u32 liveness;		/* of the mesh, when it was counted */
	u32 changed;		/* of the service */
	u32 n;			/* room in the order */
	struct vnimesh_aggregate agg;	/* of the figures that anybody sees */
	struct vnimesh_view own;	/* of the highest, for who measured most */
	u32 by;			/* ... which VNI that is, 0: none */
	u16 order[];
};

/* A choice laid open, for route-get. */
struct vnimesh_explain {
	struct vnimesh_mesh *mesh;
	const struct vnimesh_choose_args *args;
	struct vnimesh_select select;	/* over .c */
	struct vnimesh_count *count;
	struct vnimesh_member_set *set;
	int chosen;			/* index in the set, -1: none */
	u8 how;
	bool counted;			/* for this: kfree(count) */
	struct vnimesh_candidate c[];	/* by index in the set */
};

/* RCU. Figures of @member for the flow of @args, as the choice sees them. */
void vnimesh_choose_snapshot(struct vnimesh_mesh *mesh,
			     const struct vnimesh_choose_args *args,
			     const struct vnimesh_member *member,
			     struct vnimesh_candidate *c);
/* RCU, BH. The member for a new flow; NULL: nobody is eligible. */
struct vnimesh_member *vnimesh_choose(struct vnimesh_mesh *mesh,
				      const struct vnimesh_choose_args *args);
/* RCU and mesh->lock. The same, over a snapshot in @e->c, which has room for
 * all of the set. Changes nothing. -ENOMEM.
 */
int vnimesh_choose_explain(struct vnimesh_mesh *mesh,
			   const struct vnimesh_choose_args *args,
			   struct vnimesh_explain *e);
/* From the RCU callback of @service: nobody can count it any more. */
void vnimesh_choose_forget(struct vnimesh_service *service);

#endif /* _VNIMESH_CHOOSE_H */
