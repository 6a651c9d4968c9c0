/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a flow's packets say about its state: handshake, close, sequence
 * numbers. TCP state follows what the endpoints themselves would believe, so
 * that a forged or stray segment moves nothing.
 */
#ifndef _VNIMESH_TRACK_H
#define _VNIMESH_TRACK_H

#include "packet.h"

/* BH, RCU. Account a packet of the flow that travels in @dir. */
void vnimesh_track(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		   enum vnimesh_dir dir, const struct vnimesh_packet *pkt);

#endif /* _VNIMESH_TRACK_H */
