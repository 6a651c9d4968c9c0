/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who has an address of another node, or had it and may have flows that are kept: those
 * end when the address is somebody else's, and not before.
 *
 * The addresses of a node's VNIs stand in a tree of the node, node->holders, from
 * their publication until they are replaced or their VNI is unlinked, and then in
 * another, node->gone_holders, until somebody else has the address or the VNI's last
 * flow is let go. More than one VNI may have an address: whoever writes tables makes
 * before he breaks. An address of this host is one VNI's at a time, in
 * mesh->local_addrs, and nothing reaches who had it before.
 *
 * node->holders_lock (BH, innermost) protects both and vni->taken. Nothing here fails,
 * sleeps, or takes longer than a few searches: of those that are gone at most 64
 * stand there with one address, those of whom there is one with it that lives are met
 * by the first.
 */
#ifndef _VNIMESH_HOLDER_H
#define _VNIMESH_HOLDER_H

#include <linux/types.h>

struct vnimesh_mesh;
struct vnimesh_vni;
struct vnimesh_vni_addrs;

/* mesh->lock. @vni has the addresses @new from now on, instead of @old (or NULL). True:
 * there may be flows that have to end by it.
 */
bool vnimesh_holder_change(struct vnimesh_vni *vni,
			   struct vnimesh_vni_addrs *old,
			   struct vnimesh_vni_addrs *new);
/* mesh->lock. @vni, which is dead now, had @addrs. True likewise. */
bool vnimesh_holder_leave(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			  struct vnimesh_vni_addrs *addrs);
/* BH or process. Its last reference is gone. */
void vnimesh_holder_forget(struct vnimesh_vni *vni);

#endif /* _VNIMESH_HOLDER_H */
