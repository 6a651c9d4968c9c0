/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Binding: the flow that a packet of a local VNI belongs to, found or made. Only
 * a SYN binds a TCP flow.
 */
#ifndef _VNIMESH_BIND_H
#define _VNIMESH_BIND_H

#include "packet.h"

struct sk_buff;

/* All BH, RCU. @skb, unmodified, is described by @pkt. */

/* The flow that @pkt belongs to, or NULL. A SYN with another ISN is a new
 * connection on old ports: the old flow goes, and @pkt says so. One that is sent
 * again may take its flow to another member. A flow of who had the address before
 * goes, too.
 */
struct vnimesh_flow *vnimesh_bind_find(struct vnimesh_dev *from,
				       struct sk_buff *skb,
				       struct vnimesh_packet *pkt);
/* A new flow of @service. ERR_PTR: -EPROTONOSUPPORT no such port,
 * -EHOSTUNREACH nobody eligible, -ENOBUFS no room.
 */
struct vnimesh_flow *vnimesh_bind(struct vnimesh_dev *from,
				  struct sk_buff *skb,
				  const struct vnimesh_packet *pkt,
				  struct vnimesh_service *service);
/* @old, half-open, goes to another member. The flow that has its forward tuple
 * now, or NULL: there is no other member, or no room.
 */
struct vnimesh_flow *vnimesh_bind_again(struct vnimesh_mesh *mesh,
					struct vnimesh_flow *old);
/* A direct connection needs no flow to be routed, but its reverse tuple must
 * not be taken for a service flow's, nor the other way round: so a SYN claims
 * it. The server's host keeps no state: replies never make a flow, and so UDP,
 * whose replies look like requests, only does when there is a conflict.
 * NULL: go untracked.
 */
struct vnimesh_flow *vnimesh_bind_direct(struct vnimesh_dev *from,
					 struct sk_buff *skb,
					 struct vnimesh_packet *pkt);

#endif /* _VNIMESH_BIND_H */
