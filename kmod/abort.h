/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of flows whose member is down, or elsewhere: both ends of a TCP
 * connection get a reset that their stacks believe, idle or not: the client at
 * once, a member on another host when its turn comes (VNIMESH_TOLD_RATE). UDP
 * flows go, so that the next datagram chooses anew.
 */
#ifndef _VNIMESH_ABORT_H
#define _VNIMESH_ABORT_H

#include "packet.h"

/* Process context, may sleep; one caller at a time per mesh. Ends the flows of
 * @member, up to about @budget of them, and adds those that were reset to
 * *@aborted. True: there may be more.
 */
bool vnimesh_abort_member(struct vnimesh_mesh *mesh,
			  struct vnimesh_member *member, u32 budget,
			  u32 *aborted);

/* Likewise, of those that go to an address that the VNI of @member had before. */
bool vnimesh_abort_astray(struct vnimesh_mesh *mesh,
			  struct vnimesh_member *member, u32 budget,
			  u32 *aborted);

/* BH, RCU. The member of @flow, which was ended, is told. */
void vnimesh_abort_tell(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow);

static inline bool vnimesh_flow_is_dying(const struct vnimesh_flow *flow)
{
	return READ_ONCE(flow->state) == VNIMESH_FLOW_DYING;
}

/* BH, RCU. @pkt is the member's, on a flow that is dying: reset. */
void vnimesh_abort_reply(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
			 const struct vnimesh_packet *pkt);

#endif /* _VNIMESH_ABORT_H */
