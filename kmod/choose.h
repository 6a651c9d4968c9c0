/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the Mesh_Table and the pure selection: takes the snapshot of one
 * member. Used by the data path and by route-get, so that both see the same.
 */
#ifndef _VNIMESH_CHOOSE_H
#define _VNIMESH_CHOOSE_H

#include "mesh.h"
#include "select.h"

/* RCU. Figures of @member for a flow of @family, as the choice sees them. */
void vnimesh_choose_snapshot(const struct vnimesh_member *member, u8 family,
			     struct vnimesh_candidate *c);
/* RCU. Index in @set of the member for a new flow, or -1. */
int vnimesh_choose(const struct vnimesh_member_set *set, u8 family, u64 seed);

#endif /* _VNIMESH_CHOOSE_H */
