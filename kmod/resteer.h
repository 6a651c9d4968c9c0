/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A SYN that failed goes to another member, so that the application sees only a
 * slower connect: at once when it was refused, with its retransmission when it
 * was not answered. Its flow is replaced by a new one while nobody has replied;
 * the old one stays as a tombstone that resets the first member's late answer.
 *
 * Not without end: a flow moves twice at most, and what a client moves beyond
 * its floor is a tenth of what it binds, out of a budget of its own.
 */
#ifndef _VNIMESH_RESTEER_H
#define _VNIMESH_RESTEER_H

#include "track.h"

struct sk_buff;

/* All BH, RCU. */

/* A TCP flow is about to be bound for the SYN @skb, which its socket lets go. */
void vnimesh_resteer_prepare(struct vnimesh_mesh *mesh,
			     struct vnimesh_flow *flow, struct sk_buff *skb,
			     const struct vnimesh_packet *pkt);
/* The SYN of the service flow @flow came again: the flow that it belongs to.
 * Likewise.
 */
struct vnimesh_flow *vnimesh_resteer_again(struct vnimesh_mesh *mesh,
					   struct vnimesh_flow *flow,
					   struct sk_buff *skb,
					   const struct vnimesh_packet *pkt);
/* What vnimesh_track() found in a reply. True: it is not for the client. */
bool vnimesh_resteer_reply(struct vnimesh_mesh *mesh,
			   struct vnimesh_flow *flow,
			   const struct vnimesh_packet *pkt,
			   enum vnimesh_track found);

/* The member of the half-open @flow is down. True: another one has the SYN. */
bool vnimesh_resteer_down(struct vnimesh_mesh *mesh,
			  struct vnimesh_flow *flow);

/* An ICMP error of the member or its node says that the flow's packet with @seq
 * did not arrive. True: the client need not know.
 */
bool vnimesh_heal_icmp(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		       __be32 seq);

#endif /* _VNIMESH_RESTEER_H */
