/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Geneve over UDP (RFC 8926), transmit side: inner protocol IPv4 or IPv6, no
 * options.
 */
#ifndef _VNIMESH_ENCAP_H
#define _VNIMESH_ENCAP_H

#include <linux/ipv6.h>
#include <net/geneve.h>
#include <net/ip.h>

#include "mesh.h"

struct sk_buff;

#define VNIMESH_GENEVE_LEN	8	/* without options */
#define VNIMESH_OVERHEAD4	(sizeof(struct iphdr) + sizeof(struct udphdr) + \
				 VNIMESH_GENEVE_LEN)
#define VNIMESH_OVERHEAD6	(sizeof(struct ipv6hdr) + sizeof(struct udphdr) + \
				 VNIMESH_GENEVE_LEN)

/* The way to a node, found before the packet is touched. */
struct vnimesh_path {
	struct vnimesh_endpoint *endpoint;
	struct dst_entry *dst;	/* referenced; consumed by send or release */
	union vnimesh_ip saddr;
	u32 mtu;		/* for the inner packet */
	bool fragment;		/* the outer packet may be, and will */
};

/* BH, RCU. -ENETUNREACH and the like from the route, -ELOOP: the underlay
 * leads into the mesh itself.
 */
int vnimesh_encap_route(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
			struct vnimesh_path *path);
void vnimesh_encap_release(struct vnimesh_path *path);

/* BH, RCU. Sends @skb, consumed whatever happens; @path too. Counts. */
void vnimesh_encap_send(struct vnimesh_dev *from, struct sk_buff *skb,
			struct vnimesh_path *path);

#endif /* _VNIMESH_ENCAP_H */
