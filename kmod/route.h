/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The routing hook: Route_Request of the data path. One packet of a VNI:
 * parse, check the source, find or bind the flow, find the way, check the
 * size, all on the unmodified packet; then rewrite, then local delivery or
 * encapsulation.
 */
#ifndef _VNIMESH_ROUTE_H
#define _VNIMESH_ROUTE_H

#include "packet.h"

struct sk_buff;

/* BH, RCU. Consumes @skb. @asked: it waited for the agent's answer already and
 * is not held again.
 */
void vnimesh_route(struct vnimesh_dev *from, struct sk_buff *skb, bool asked);

/* BH, RCU. A packet of the service flow @flow, as its client sent it. */
void vnimesh_route_flow(struct vnimesh_dev *from, struct sk_buff *skb,
			struct vnimesh_packet *pkt, struct vnimesh_flow *flow);

#endif /* _VNIMESH_ROUTE_H */
