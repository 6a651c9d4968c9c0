/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is down, and what becomes of its flows. A member is as alive as the
 * least of itself, its VNI (and that one's device, if it is local) and its
 * node.
 *
 * Setters write the state, which the next choice sees, and call one of the
 * functions below, each O(1): it moves a generation on, so that whoever cached
 * something about the members counts again, and queues the object for a worker,
 * which walks only that node's VNIs, their members and those members' flows. A
 * member moves the generation of its service, VNIs and nodes that of the mesh,
 * if they carry members. What did not change is not told.
 */
#ifndef _VNIMESH_LIVENESS_H
#define _VNIMESH_LIVENESS_H

#include "fate.h"
#include "flow.h"
#include "mesh.h"
#include "tick.h"

/* Any context. */
static inline void vnimesh_liveness_changed(struct vnimesh_mesh *mesh)
{
	/* What was written before is seen by who sees the generation. */
	smp_mb__before_atomic();
	atomic_inc(&mesh->liveness);
}

/* Any context. A member, VNI or node was down and is up: slow start begins, at
 * the tick in @risen, 0 for none.
 */
static inline void vnimesh_rise(u32 *risen)
{
	WRITE_ONCE(*risen, vnimesh_tick());
}

/* The generation; what is read after it is as new. */
static inline u32 vnimesh_liveness(const struct vnimesh_mesh *mesh)
{
	return atomic_read_acquire(&mesh->liveness);
}

int vnimesh_liveness_init(struct vnimesh_mesh *mesh);
/* Process context, may be under rtnl: the worker rests for good, the objects
 * it had are let go. The owner frees mesh->transitions.
 */
void vnimesh_liveness_stop(struct vnimesh_mesh *mesh);

/* mesh->lock. The object came, went, or may not be as alive as before. */
void vnimesh_liveness_member(struct vnimesh_mesh *mesh,
			     struct vnimesh_member *member);
void vnimesh_liveness_vni(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni);
void vnimesh_liveness_node(struct vnimesh_mesh *mesh,
			   struct vnimesh_node *node);
/* Any context. A VNI has another address: the flows from and to the old one end
 * once no reader knows it.
 */
void vnimesh_liveness_moved(struct vnimesh_mesh *mesh);
/* mesh->lock. What becomes of its members' flows was changed. */
void vnimesh_liveness_service(struct vnimesh_mesh *mesh,
			      struct vnimesh_service *service);

/* BH, RCU. A flow was chained to @member, who may have died since the choice:
 * then too late for the walk.
 */
void vnimesh_liveness_bound(struct vnimesh_mesh *mesh,
			    struct vnimesh_member *member);
/* BH, member->flows_lock. The last flow of @member, who ->waits for its end, is
 * over.
 */
void vnimesh_liveness_idle(struct vnimesh_mesh *mesh,
			   struct vnimesh_member *member);

/* BH, RCU. @flow has ended, and is off its member's chain; its member, on another
 * host, hears of it when its turn comes, if the flow is there until then.
 */
void vnimesh_liveness_untold(struct vnimesh_mesh *mesh,
			     struct vnimesh_flow *flow);

/* RCU or a reference on @member. */
enum vnimesh_live vnimesh_liveness_of(const struct vnimesh_member *member);

#endif /* _VNIMESH_LIVENESS_H */
