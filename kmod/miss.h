/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Misses: packets to an unknown address of the service prefix wait here for
 * the agent's answer; what is known not to exist stands in absent.h.
 *
 * One hold per address: one upcall, packets in order, one deadline. A hold
 * owns its packets. All under misses->lock (BH); packets are sent on or
 * refused after the lock is dropped, with BH off.
 */
#ifndef _VNIMESH_MISS_H
#define _VNIMESH_MISS_H

#include "mesh.h"

struct sk_buff;
struct vnimesh_packet;

int vnimesh_miss_init(struct vnimesh_mesh *mesh);
/* The device is down, nobody can transmit: drops all holds. Idempotent. */
void vnimesh_miss_stop(struct vnimesh_mesh *mesh);
void vnimesh_miss_exit(struct vnimesh_mesh *mesh);

/* BH, RCU. Takes over @skb, to an address that no service has: holds it, or
 * refuses it at once (no agent, negative entry, budget).
 * @asked: it waited already; @loading: the service is there, incomplete.
 */
void vnimesh_miss_packet(struct vnimesh_dev *from, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, bool asked,
			 bool loading);
/* Process context. A VNI device stops: drop what it has waiting. */
void vnimesh_miss_flush_dev(struct vnimesh_mesh *mesh,
			    struct vnimesh_dev *vdev);
/* Process context, mesh->lock held. The service is there: drop its negative
 * entries and, once it is complete, send what waits for its addresses.
 */
void vnimesh_miss_service(struct vnimesh_mesh *mesh,
			  const struct vnimesh_service *service);
/* Process context, mesh->lock held. Negative answer. @ttl in ms, 0: no entry.
 * -ENOMEM: none either (the packets are refused all the same).
 */
int vnimesh_miss_negative(struct vnimesh_mesh *mesh, u8 family,
			  const union vnimesh_ip *ip, u8 verdict, u32 ttl);
/* The agent's socket is gone: those who wait are refused at once. Process
 * context.
 */
void vnimesh_miss_agent_lost(struct vnimesh_mesh *mesh);
/* BH or process. May another question of @vni go to the agent? Spends. */
bool vnimesh_miss_may_ask(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni);
/* Gauge for display. */
u32 vnimesh_miss_held(const struct vnimesh_mesh *mesh);

#endif /* _VNIMESH_MISS_H */
