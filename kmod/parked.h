/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parked resolves: requests of user space for a tag that no service has, kept
 * as (netns, port id, sequence, deadline) and answered by unicast; no doit sleeps
 * (all generic netlink shares one rwsem). Bounded per mesh and per socket,
 * freed when the socket is released.
 */
#ifndef _VNIMESH_PARKED_H
#define _VNIMESH_PARKED_H

#include "mesh.h"

struct vnimesh_nl_asker;

int vnimesh_parked_init(struct vnimesh_mesh *mesh);
/* Answers all with ENODEV; idempotent; no more are taken. */
void vnimesh_parked_stop(struct vnimesh_mesh *mesh);
void vnimesh_parked_exit(struct vnimesh_mesh *mesh);

/* Process context, mesh->lock held: the service is there and complete. */
void vnimesh_parked_complete(struct vnimesh_mesh *mesh,
			     struct vnimesh_service *service);
/* Process context, mesh->lock held. */
void vnimesh_parked_negative(struct vnimesh_mesh *mesh, const char *tag,
			     u8 verdict);
void vnimesh_parked_agent_lost(struct vnimesh_mesh *mesh);

/* mesh->lock. Parks the request of @asker and asks the agent, unless somebody
 * waits for @tag already. -EBUSY: budget of the mesh; -EUSERS: of the netns;
 * -EMFILE: of the socket; -EDQUOT: questions of the VNI, a second; -ENOTCONN and
 * -EAGAIN as vnimesh_netlink_miss(); -ENODEV, -ENOMEM.
 */
int vnimesh_parked_add(struct vnimesh_mesh *mesh,
		       const struct vnimesh_nl_asker *asker, const char *tag,
		       u32 vni_id);
/* Process context: a generic netlink socket of @net is gone. */
void vnimesh_parked_released(struct net *net, u32 portid);

#endif /* _VNIMESH_PARKED_H */
