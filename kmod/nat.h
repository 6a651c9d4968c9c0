/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rewrite: give a packet another tuple, with incremental checksums.
 */
#ifndef _VNIMESH_NAT_H
#define _VNIMESH_NAT_H

#include "packet.h"

/* Make the packet of @flow that travels in @dir look as the other end expects
 * it: its new tuple is the inverse of the other direction's. @pkt must
 * describe @skb and is updated. The headers are made writable first;
 * on -ENOMEM nothing was changed.
 */
int vnimesh_nat(struct sk_buff *skb, struct vnimesh_packet *pkt,
		const struct vnimesh_flow *flow, enum vnimesh_dir dir);

/* A later fragment has addresses only. -ENOMEM: nothing was changed. */
int vnimesh_nat_fragment(struct sk_buff *skb, struct vnimesh_packet *pkt,
			 const union vnimesh_ip *src,
			 const union vnimesh_ip *dst);

/* Other addresses for a packet whose header is writable. @check: the checksum
 * that covers them through a pseudo header, or NULL: there is none in this
 * packet.
 */
void vnimesh_nat_addrs(struct sk_buff *skb, struct vnimesh_packet *pkt,
		       const union vnimesh_ip *src, const union vnimesh_ip *dst,
		       __sum16 *check);

#endif /* _VNIMESH_NAT_H */
