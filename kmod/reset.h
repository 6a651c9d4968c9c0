/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * TCP resets in the name of somebody else: built, and brought to a local VNI
 * or to a member, wherever it is.
 */
#ifndef _VNIMESH_RESET_H
#define _VNIMESH_RESET_H

#include "packet.h"

struct sk_buff;

/* Any context. @tuple is as the RST travels. NULL: no memory. */
struct sk_buff *vnimesh_reset_at(const struct vnimesh_tuple *tuple, u32 seq);
/* ... the answer of a closed port to @pkt (RFC 9293, 3.10.7.1), which is none
 * itself. @tuple is as the RST travels.
 */
struct sk_buff *vnimesh_reset_answer(const struct vnimesh_packet *pkt,
				     const struct vnimesh_tuple *tuple);

/* BH, RCU. @skb (may be NULL, then it is counted as lost) is received by
 * @dev. @now: at once, with the locks of the receiver's stack, else by the
 * backlog.
 */
void vnimesh_reset_receive(struct vnimesh_mesh *mesh, struct net_device *dev,
			   struct sk_buff *skb, bool now);
/* BH, RCU. ... by @vni, here or on its node. */
void vnimesh_reset_send(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			struct sk_buff *skb, bool now);

#endif /* _VNIMESH_RESET_H */
