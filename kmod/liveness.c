// SPDX-License-Identifier: GPL-2.0-only
#include "liveness.h"

void vnimesh_liveness_member(struct vnimesh_mesh *mesh,
			     struct vnimesh_member *member)
{
	lockdep_assert_held(&mesh->lock);
	vnimesh_liveness_changed(mesh);
}

void vnimesh_liveness_vni(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni)
{
	lockdep_assert_held(&mesh->lock);
	vnimesh_liveness_changed(mesh);
}

void vnimesh_liveness_node(struct vnimesh_mesh *mesh,
			   struct vnimesh_node *node)
{
	lockdep_assert_held(&mesh->lock);
	vnimesh_liveness_changed(mesh);
}
