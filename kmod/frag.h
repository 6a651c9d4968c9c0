/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fragments. Only the first one of a datagram has ports; what was decided for it
 * is remembered for the others, for a short time, by what they have in common
 * (addresses, protocol, id). One that comes before its first waits for it.
 *
 * Everything under one lock per mesh (BH): whole packets never come here. An entry
 * holds its VNI and member, and owns the packets that wait. Bounded per mesh and
 * per VNI; the oldest is forgotten first.
 */
#ifndef _VNIMESH_FRAG_H
#define _VNIMESH_FRAG_H

#include "packet.h"

struct sk_buff_head;

/* On the way from a VNI to a service, or into a VNI. */
enum vnimesh_frag_stage {
	VNIMESH_FRAG_TX,
	VNIMESH_FRAG_RX,
};

enum vnimesh_frag_verdict {
	VNIMESH_FRAG_WAIT,	/* its first has not come */
	VNIMESH_FRAG_PASS,	/* unchanged */
	VNIMESH_FRAG_TO,	/* other addresses */
	VNIMESH_FRAG_DROP,	/* its first was refused */
	VNIMESH_FRAG_TAKEN,	/* answer only: it waits, or is gone */
};

struct vnimesh_frag_to {
	union vnimesh_ip src;
	union vnimesh_ip dst;
	struct vnimesh_member *member;	/* TX */
};

int vnimesh_frag_init(struct vnimesh_mesh *mesh);
/* Nobody can send or receive any more: forgets all. Idempotent. */
void vnimesh_frag_stop(struct vnimesh_mesh *mesh);
void vnimesh_frag_exit(struct vnimesh_mesh *mesh);
/* Process context. The device of @vni stops: forget what it began. */
void vnimesh_frag_flush(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni);

/* Is it a fragment of something that has ports? */
bool vnimesh_frag_mapped(const struct vnimesh_packet *pkt);

/* BH, RCU. The first fragment @pkt, unmodified, of what @vni sends (TX) or gets
 * (RX): remember @verdict, and @to if it is VNIMESH_FRAG_TO. Those that waited are
 * the caller's, in @held, which must be empty.
 */
void vnimesh_frag_first(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			const struct vnimesh_packet *pkt,
			enum vnimesh_frag_stage stage,
			enum vnimesh_frag_verdict verdict,
			const struct vnimesh_frag_to *to,
			struct sk_buff_head *held);
/* BH, RCU. A later one: what was decided for its first; @to is filled for
 * VNIMESH_FRAG_TO. VNIMESH_FRAG_TAKEN: @skb is not the caller's any more.
 */
enum vnimesh_frag_verdict
vnimesh_frag_later(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
		   struct sk_buff *skb, const struct vnimesh_packet *pkt,
		   enum vnimesh_frag_stage stage, struct vnimesh_frag_to *to);

#endif /* _VNIMESH_FRAG_H */
