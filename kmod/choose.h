/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the Mesh_Table and the pure selection: takes the snapshot of one
 * member. Used by the data path and by route-get, so that both see the same.
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
	const struct vnimesh_member *avoid;	/* not this one, or NULL */
	const struct vnimesh_tuple *tuple;	/* as the client sends */
	u64 seed;
};

/* RCU. Figures of @member for the flow of @args, as the choice sees them. */
void vnimesh_choose_snapshot(struct vnimesh_mesh *mesh,
			     const struct vnimesh_choose_args *args,
			     const struct vnimesh_member *member,
			     struct vnimesh_candidate *c);
/* RCU, BH. The member for a new flow; NULL: nobody is eligible. */
struct vnimesh_member *vnimesh_choose(struct vnimesh_mesh *mesh,
				      const struct vnimesh_choose_args *args);

#endif /* _VNIMESH_CHOOSE_H */
