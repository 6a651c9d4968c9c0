/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who is down, and since when. A member is as alive as the least of itself,
 * its VNI (and that one's device, if it is local) and its node.
 *
 * Setters write the state and call one of the functions below: each moves the
 * mesh's liveness generation on, which makes whoever cached something about
 * the members count again.
 */
#ifndef _VNIMESH_LIVENESS_H
#define _VNIMESH_LIVENESS_H

#include "mesh.h"

/* Any context. What was written before is seen by who sees the generation. */
static inline void vnimesh_liveness_changed(struct vnimesh_mesh *mesh)
{
	smp_mb__before_atomic();
	atomic_inc(&mesh->liveness);
}

/* Any context. A member, VNI or node was down and is up: slow start begins, at
 * the jiffies in @risen, 0 for none.
 */
static inline void vnimesh_rise(u32 *risen)
{
	WRITE_ONCE(*risen, (u32)jiffies ?: 1);
}

/* The generation; what is read after it is as new. */
static inline u32 vnimesh_liveness(const struct vnimesh_mesh *mesh)
{
	return atomic_read_acquire(&mesh->liveness);
}

/* mesh->lock. The object came, went, or may be as alive as before no more. */
void vnimesh_liveness_member(struct vnimesh_mesh *mesh,
			     struct vnimesh_member *member);
void vnimesh_liveness_vni(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni);
void vnimesh_liveness_node(struct vnimesh_mesh *mesh,
			   struct vnimesh_node *node);

#endif /* _VNIMESH_LIVENESS_H */
