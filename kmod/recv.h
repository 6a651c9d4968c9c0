/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receive: Geneve from the underlay, and the last step that decapsulated and
 * local packets share.
 */
#ifndef _VNIMESH_RECV_H
#define _VNIMESH_RECV_H

#include "packet.h"

struct list_head;
struct sk_buff;
struct sock;

/* encap_rcv and friends of the underlay socket. */
int vnimesh_recv(struct sock *sk, struct sk_buff *skb);
int vnimesh_recv_err(struct sock *sk, struct sk_buff *skb);
struct sk_buff *vnimesh_gro_receive(struct sock *sk, struct list_head *head,
				    struct sk_buff *skb);
int vnimesh_gro_complete(struct sock *sk, struct sk_buff *skb, int nhoff);

/* BH, RCU. @skb, an inner packet described by @pkt, for the local VNI @vni:
 * reverse rewrite if a flow owns it, then into the netns of its device.
 * Consumed; counts. @remote: it came through the tunnel.
 */
void vnimesh_deliver(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
		     struct sk_buff *skb, struct vnimesh_packet *pkt,
		     bool remote);

#endif /* _VNIMESH_RECV_H */
