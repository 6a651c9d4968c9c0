/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers to other hosts: ICMP errors about packets that came through the mesh
 * and cannot be delivered, from this host's own VNI, so that their sender learns
 * it at once. (Refusals to senders on this host: refuse.h.)
 */
#ifndef _VNIMESH_ANSWER_H
#define _VNIMESH_ANSWER_H

#include <linux/types.h>

struct sk_buff;
struct vnimesh_mesh;
struct vnimesh_packet;

#define VNIMESH_ANSWER_BUCKETS	256

/* A budget per sender, or for those of one hash: the ms when all that it had is
 * paid for. By cmpxchg, so that who floods costs no lock.
 */
struct vnimesh_answers {
	u32 seed;
	u32 paid[VNIMESH_ANSWER_BUCKETS];
};

void vnimesh_answer_init(struct vnimesh_mesh *mesh);

/* May one more pass at @now (ms)? */
bool vnimesh_answer_take(u32 *paid, u32 now);

/* BH, RCU. @skb came from another host, unchanged and described by @pkt, and its
 * destination is not here or is down. @skb stays the caller's. Counts.
 */
void vnimesh_answer_unreachable(struct vnimesh_mesh *mesh, struct sk_buff *skb,
				const struct vnimesh_packet *pkt);
/* ... or takes no more than @mtu. */
void vnimesh_answer_size(struct vnimesh_mesh *mesh, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, u32 mtu);

#endif /* _VNIMESH_ANSWER_H */
