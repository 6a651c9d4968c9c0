/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a packet: one function per direction, so that the counter of the
 * mesh, the reason that the kernel's drop monitor sees, the tracepoint and the
 * counter of the device never say different things.
 */
#ifndef _VNIMESH_DROP_H
#define _VNIMESH_DROP_H

#include "mesh.h"

struct sk_buff;
struct vnimesh_sock;

/* BH, RCU. @skb, sent by @from, ends here; @what is its counter. */
void vnimesh_drop(struct vnimesh_dev *from, struct sk_buff *skb,
		  unsigned int what);
/* BH, RCU. @skb, received or about to be delivered, ends here. */
void vnimesh_drop_rx(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		     unsigned int what);

/* BH, RCU. @skb, received at a port and of no mesh there, ends here: one of the
 * counters of the port.
 */
void vnimesh_drop_stray(struct vnimesh_sock *vs, struct sk_buff *skb,
			unsigned int what);

/* The name of a counter, as `vnimesh -s dev show` has it. */
const char *vnimesh_counter_name(unsigned int what);

#endif /* _VNIMESH_DROP_H */
