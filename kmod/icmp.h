/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ICMP and ICMPv6 errors about packets of a flow. What they quote is a packet as
 * the one end of the flow sees it; the socket at the other end knows it by
 * another tuple. An error travels against the packet that it is about: one about
 * a forward packet comes with the reverse ones, and is found by the reverse tuple.
 */
#ifndef _VNIMESH_ICMP_H
#define _VNIMESH_ICMP_H

#include "packet.h"

struct sk_buff;

/* Is it an ICMP error, or a piece of ICMP of which nobody can tell? Such a
 * packet is never answered by another.
 */
bool vnimesh_icmp_is_error(struct sk_buff *skb,
			   const struct vnimesh_packet *pkt);

/* RCU. The flow that the error @skb travels with in @dir, or NULL: it is none, or
 * quotes too little, or what nobody here sent.
 */
struct vnimesh_flow *vnimesh_icmp_flow(struct vnimesh_mesh *mesh,
				       struct sk_buff *skb,
				       const struct vnimesh_packet *pkt,
				       enum vnimesh_dir dir);

/* RCU. May the sender of the error @pkt complain of what the client of @flow sent:
 * the other end or its node?
 */
bool vnimesh_icmp_believed(struct vnimesh_mesh *mesh,
			   const struct vnimesh_packet *pkt,
			   const struct vnimesh_flow *flow);
/* RCU. May @from send @skb? An error is about a packet that its sender got: no VNI
 * complains in the name of another, whatever it quotes.
 */
bool vnimesh_icmp_own(struct vnimesh_dev *from, struct sk_buff *skb,
		      const struct vnimesh_packet *pkt);

/* BH, RCU. The error @skb travels towards the client of @flow, and is believed: if
 * it says that the flow's SYN did not arrive, that is evidence. True: another member has the SYN,
 * the client need not know.
 */
bool vnimesh_icmp_heal(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		       const struct vnimesh_packet *pkt,
		       struct vnimesh_flow *flow);

/* RCU. @skb is an error that vnimesh_icmp_flow() found @flow for in @dir: give
 * what it quotes, and its own addresses where they are an end's of the flow,
 * the look of the other side. Counts. -ENOMEM: nothing was changed.
 */
int vnimesh_icmp_nat(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		     struct vnimesh_packet *pkt,
		     const struct vnimesh_flow *flow, enum vnimesh_dir dir);

#endif /* _VNIMESH_ICMP_H */
