/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a flow's packets say about its state: handshake, close, sequence
 * numbers. TCP state follows what the endpoints themselves would believe, so
 * that a forged or stray segment moves nothing.
 */
#ifndef _VNIMESH_TRACK_H
#define _VNIMESH_TRACK_H

#include "packet.h"

/* What becomes of a packet. */
enum vnimesh_track {
	VNIMESH_TRACK_PASS,
	VNIMESH_TRACK_REFUSED,	/* the member refuses the flow's SYN */
	VNIMESH_TRACK_LATE,	/* of a member whose SYN went elsewhere */
};

/* BH, RCU. Account a packet of the flow that travels in @dir. */
enum vnimesh_track vnimesh_track(struct vnimesh_mesh *mesh,
				 struct vnimesh_flow *flow,
				 enum vnimesh_dir dir,
				 const struct vnimesh_packet *pkt);
/* BH, RCU. The refusal goes on to the client. */
void vnimesh_track_refused(struct vnimesh_mesh *mesh,
			   struct vnimesh_flow *flow);

#endif /* _VNIMESH_TRACK_H */
