/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family: registration, and what the rest of the module
 * sends through it.
 */
#ifndef _VNIMESH_NETLINK_H
#define _VNIMESH_NETLINK_H

#include "mesh.h"

int vnimesh_netlink_init(void);
void vnimesh_netlink_exit(void);

/* Any context (GFP_ATOMIC). Ask the agent for @ip, or for @tag when @ip is
 * NULL. 0, -ENOTCONN: no agent is bound (or its socket is gone, then the claim
 * is cleared), -EAGAIN: its queue is full, -ENOMEM. Counts UPCALL and
 * UPCALL_LOST.
 */
int vnimesh_netlink_miss(struct vnimesh_mesh *mesh, u8 family,
			 const union vnimesh_ip *ip, const char *tag,
			 u32 vni_id);
/* Any context (GFP_ATOMIC): event to group "events" of the mesh's netns; no
 * work when nobody listens. @tag may be NULL.
 */
void vnimesh_netlink_event(struct vnimesh_mesh *mesh, u8 event, u32 vni_id,
			   const char *tag);
/* ... of @count, 0: not told. */
void vnimesh_netlink_event_count(struct vnimesh_mesh *mesh, u8 event,
				 u32 vni_id, const char *tag, u32 count);

struct vnimesh_evidence_event {
	const struct vnimesh_member *member;
	const struct vnimesh_vni *client;	/* NULL: the whole host */
	u32 ms;			/* penalty, or 0 */
	__be16 port;
	u8 type;		/* enum vnimesh_event */
	u8 kind;		/* enum vnimesh_evidence_kind, or 0 */
};

/* As vnimesh_netlink_event(); RCU. */
void vnimesh_netlink_evidence(struct vnimesh_mesh *mesh,
			      const struct vnimesh_evidence_event *event);

#endif /* _VNIMESH_NETLINK_H */
