/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Refusals: the sender learns at once. TCP by RST (an ICMP error to a SYN is
 * only a soft error and a blocking connect would wait for its timeout), all
 * else by ICMP.
 */
#ifndef _VNIMESH_REFUSE_H
#define _VNIMESH_REFUSE_H

#include "packet.h"

/* BH, RCU. Count @what, answer @skb (unmodified, as @from sent it), free it.
 * Not TCP: port unreachable, which a connected UDP socket sees as an error.
 */
void vnimesh_refuse(struct vnimesh_dev *from, struct sk_buff *skb,
		    const struct vnimesh_packet *pkt, unsigned int what);
/* ... not TCP: host unreachable. */
void vnimesh_refuse_host(struct vnimesh_dev *from, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, unsigned int what);
/* As vnimesh_refuse_host(), but only a SYN is reset: the way may come back, and
 * an established connection lives through that.
 */
void vnimesh_unreachable(struct vnimesh_dev *from, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, unsigned int what);
/* The packet is above @mtu: FRAG_NEEDED or PACKET_TOO_BIG. */
void vnimesh_refuse_size(struct vnimesh_dev *from, struct sk_buff *skb,
			 u32 mtu);

#endif /* _VNIMESH_REFUSE_H */
