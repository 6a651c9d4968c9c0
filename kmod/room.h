/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Room in the flow table: who gets in, and who goes for it.
 *
 * A VNI may have as many flows as there is room left (so that one greedy VNI
 * gets half of the table, two a third each, and some always stays for the
 * next), and VNIMESH_FLOW_FLOOR in any case. Beyond that it has to give up flows
 * of its own. A VNI within its floor that finds the table full takes the place
 * of a flow of one of the largest. What is given up is half-open first, then
 * closing, then idle UDP; an established connection never is.
 *
 * A removed flow is memory until RCU lets it go, and at a flood's rate that is
 * a lot: those count, too ("limbo").
 *
 * A VNI's flows stand in a queue under its own lock, innermost. Looking for a
 * victim takes a bounded number of them from the front and moves those that
 * stay to the back, so that the next search goes on where this one ended.
 */
#ifndef _VNIMESH_ROOM_H
#define _VNIMESH_ROOM_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/spinlock.h>

struct vnimesh_flow;
struct vnimesh_mesh;
struct vnimesh_vni;

/* Of a table. */
struct vnimesh_room {
	u32 max;
	atomic_t live;		/* flows, also those not inserted yet */
	atomic_t limbo;		/* removed, not yet freed */
};

/* Of a VNI as client. */
struct vnimesh_share {
	struct vnimesh_room *room;	/* of its mesh; outlives its flows */
	spinlock_t lock;		/* BH, innermost */
	struct list_head queue;		/* its flows by ->queue */
	atomic_t live;
	atomic_t limbo;
	u32 dropped;		/* jiffies when one was given up for room; READ_ONCE */
};

void vnimesh_share_init(struct vnimesh_share *share, struct vnimesh_room *room);

/* BH, RCU. Room for one more flow of @client. -EDQUOT: its share is used up;
 * -ENOBUFS: the table is full, and nothing in it could go.
 */
int vnimesh_room_take(struct vnimesh_mesh *mesh, struct vnimesh_vni *client);
/* ... which was not used. Any context. */
void vnimesh_room_give(struct vnimesh_vni *client);

/* Any context. A flow of @client was given up for room within the last second. */
bool vnimesh_room_was_short(const struct vnimesh_vni *client);

/* @flow is in the table (BH); it left it; its memory goes. */
void vnimesh_room_enter(struct vnimesh_flow *flow);
void vnimesh_room_leave(struct vnimesh_flow *flow);
void vnimesh_room_freed(struct vnimesh_flow *flow);

/* RCU, process context or BH. One flow of @client, off its queue, or NULL. */
struct vnimesh_flow *vnimesh_room_pop(struct vnimesh_vni *client);

#endif /* _VNIMESH_ROOM_H */
