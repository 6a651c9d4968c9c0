/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SYN of a half-open flow, kept so that it can go to another member when the
 * first one refuses it: the headers only, which is all that a plain SYN is.
 */
#ifndef _VNIMESH_SYN_H
#define _VNIMESH_SYN_H

#include "packet.h"

struct sk_buff;

/* What every server answers one way or the other: no data, no Fast Open, right
 * checksums, nothing that a stack may drop without a word. Only the fate of
 * such a SYN says something about its member, and only it may go elsewhere.
 */
bool vnimesh_syn_plain(const struct sk_buff *skb,
		       const struct vnimesh_packet *pkt);

/* BH. Keep a copy of @skb, a plain SYN, in @flow, which nobody else sees yet.
 * Not if the client's share, or the mesh's, is used up; counted.
 */
void vnimesh_syn_keep(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		      const struct sk_buff *skb,
		      const struct vnimesh_packet *pkt);
/* The copy of @from, if any, goes to @to, which nobody else sees yet. */
void vnimesh_syn_move(struct vnimesh_flow *to, struct vnimesh_flow *from);
/* Any context; idempotent. */
void vnimesh_syn_drop(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow);
/* BH. The kept SYN as a packet, or NULL; it stays kept. */
struct sk_buff *vnimesh_syn_build(struct vnimesh_mesh *mesh,
				  struct vnimesh_flow *flow);

#endif /* _VNIMESH_SYN_H */
