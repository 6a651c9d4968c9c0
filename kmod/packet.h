/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An inner packet, parsed once. Positions are offsets from skb->data, where
 * the network header stands, because any later pull, cow or offload call may
 * move the head.
 */
#ifndef _VNIMESH_PACKET_H
#define _VNIMESH_PACKET_H

#include "flow.h"

struct sk_buff;
struct vnimesh_frag_to;

/* TCP flags, byte 13 of the header (RFC 9293). */
#define VNIMESH_TCP_FIN	0x01
#define VNIMESH_TCP_SYN	0x02
#define VNIMESH_TCP_RST	0x04
#define VNIMESH_TCP_PSH	0x08
#define VNIMESH_TCP_ACK	0x10
#define VNIMESH_TCP_URG	0x20

struct vnimesh_packet {
	struct vnimesh_tuple tuple;	/* ports 0 unless TCP or UDP */
	const struct vnimesh_frag_to *to;	/* a later fragment's way */
	__be32 seq;		/* TCP */
	__be32 ack;		/* TCP */
	u32 payload;		/* TCP: bytes after the header */
	u32 frag_id;		/* fragments */
	u16 l4;			/* offset of the transport header */
	u8 tcp_flags;
	u8 frag_proto;		/* as every fragment of the datagram says it */
	bool has_ports;		/* tuple and transport header are complete */
	bool fragment;		/* any fragment; has_ports only in the first */
	bool later;		/* ... and not the first */
	bool reused;		/* a SYN that ended a busy flow of its own tuple */
};

static inline bool vnimesh_packet_is_syn(const struct vnimesh_packet *pkt)
{
	return (pkt->tcp_flags & (VNIMESH_TCP_SYN | VNIMESH_TCP_ACK |
				  VNIMESH_TCP_RST)) == VNIMESH_TCP_SYN;
}

/* Parse the packet at skb->data. -EINVAL: truncated or malformed, or
 * skb->protocol is not the version in the header. The headers that are
 * described are linear afterwards.
 */
int vnimesh_packet_parse(struct sk_buff *skb, struct vnimesh_packet *pkt);

/* Of a TCP segment of @len bytes whose own sum is @sum. */
__sum16 vnimesh_packet_tcp_sum(const struct vnimesh_tuple *t, u32 len,
			       __wsum sum);

/* TCP, no fragment: would its receiver take it, by the checksum? Reads all of it,
 * so this is for segments that decide something.
 */
bool vnimesh_packet_tcp_sound(const struct sk_buff *skb,
			      const struct vnimesh_packet *pkt);

/* Multicast, broadcast, link-local, loopback or unspecified: never routed. */
bool vnimesh_packet_is_local_only(const struct vnimesh_packet *pkt);

#endif /* _VNIMESH_PACKET_H */
