// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>
#include <linux/random.h>

#include "flow.h"
#include "limits.h"
#include "room.h"

#define SEARCH	32	/* flows of one VNI looked at for a victim */
#define SAMPLE	8	/* flows of the table, to find a large VNI */

/* How willingly a flow is given up; 0: never. */
enum {
	NEVER,
	IDLE,		/* UDP */
	CLOSING,
	HALF_OPEN,
};

void vnimesh_share_init(struct vnimesh_share *share, struct vnimesh_room *room)
{
	share->room = room;
	share->dropped = (u32)jiffies - HZ;
	spin_lock_init(&share->lock);
	INIT_LIST_HEAD(&share->queue);
}

/* The handshake is complete when the client has confirmed the answer: a flood
 * makes the server answer as well.
 */
static bool half_open(const struct vnimesh_flow *flow)
{
	switch (READ_ONCE(flow->state)) {
	case VNIMESH_FLOW_NEW:
	case VNIMESH_FLOW_MOVED:
		return true;
	case VNIMESH_FLOW_ESTABLISHED:
		return !READ_ONCE(flow->acked);
	}
	return false;
}

/* Direct flows only hold a tuple, unless their source port was rewritten;
 * flows to what is gone wait for nothing.
 */
static int expendable_tcp(const struct vnimesh_flow *flow)
{
	if (half_open(flow))
		return HALF_OPEN;
	if (!flow->member && flow->link[VNIMESH_FORWARD].tuple.sport ==
			     flow->link[VNIMESH_REVERSE].tuple.dport)
		return CLOSING;
	if (flow->member && READ_ONCE(flow->member->vni->dead))
		return CLOSING;
	return READ_ONCE(flow->state) == VNIMESH_FLOW_ESTABLISHED ? NEVER :
								     CLOSING;
}

static int expendable(const struct vnimesh_flow *flow)
{
	if (flow->link[VNIMESH_FORWARD].tuple.proto == IPPROTO_TCP)
		return expendable_tcp(flow);
	/* Who sends on without an answer, as to a log, is no scan. */
	if (READ_ONCE(flow->state) == VNIMESH_FLOW_NEW &&
	    READ_ONCE(flow->packets) < 2)
		return HALF_OPEN;
	return vnimesh_flow_idle(flow) > VNIMESH_UDP_IDLE * HZ ? IDLE : NEVER;
}

/* RCU keeps what is returned; who removes it finds out whether it is there. */
static struct vnimesh_flow *search(struct vnimesh_vni *client)
{
	struct vnimesh_share *share = &client->share;
	struct vnimesh_flow *flow, *victim = NULL;
	int i, e, most = NEVER;

	spin_lock_bh(&share->lock);
	for (i = 0; i < SEARCH && most < HALF_OPEN; i++) {
		flow = list_first_entry_or_null(&share->queue,
						struct vnimesh_flow, queue);
		if (!flow)
			break;
		list_move_tail(&flow->queue, &share->queue);
		e = expendable(flow);
		if (e > most) {
			most = e;
			victim = flow;
		}
	}
	spin_unlock_bh(&share->lock);
	return victim;
}

bool vnimesh_room_was_short(const struct vnimesh_vni *client)
{
	s32 ago = (u32)jiffies - READ_ONCE(client->share.dropped);

	/* The clock may have been read before another CPU wrote. */
	return ago < HZ && ago > -10 * HZ;
}

static bool drop(struct vnimesh_mesh *mesh, struct vnimesh_flow *victim)
{
	if (!victim || !vnimesh_flow_remove(mesh, victim))
		return false;
	WRITE_ONCE(victim->client->share.dropped, (u32)jiffies);
	vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_EARLY_DROP);
	return true;
}

/* Who has many flows is met soon by looking anywhere. */
static bool drop_of_largest(struct vnimesh_mesh *mesh)
{
	struct vnimesh_flow *flow, *victim = NULL;
	struct vnimesh_vni *largest = NULL;
	int i, e, n, most = NEVER, size = 0;

	for (i = 0; i < SAMPLE; i++) {
		flow = vnimesh_flow_sample(mesh, get_random_u32());
		if (!flow)
			continue;
		n = atomic_read(&flow->client->share.live);
		if (n > size) {
			size = n;
			largest = flow->client;
		}
		e = expendable(flow);
		if (e > most) {
			most = e;
			victim = flow;
		}
	}
	return (largest && drop(mesh, search(largest))) || drop(mesh, victim);
}

/* Removed flows of @client that RCU still keeps: no more of them, once they are
 * beyond the memory that the table is meant to have.
 */
static bool limbo_full(const struct vnimesh_room *room,
		       const struct vnimesh_vni *client, u32 live)
{
	u32 own = atomic_read(&client->share.limbo);
	u32 all = live + atomic_read(&room->limbo);

	if (all <= room->max || own < VNIMESH_FLOW_FLOOR)
		return false;
	return own >= room->max / 16 || all > room->max + room->max / 4;
}

int vnimesh_room_take(struct vnimesh_mesh *mesh, struct vnimesh_vni *client)
{
	struct vnimesh_room *room = client->share.room;
	u32 live = atomic_inc_return(&room->live);
	u32 own = atomic_inc_return(&client->share.live);
	u32 left = room->max > live ? room->max - live : 0;
	int err = 0;

	if (limbo_full(room, client, live))
		err = -EDQUOT;
	else if (own > VNIMESH_FLOW_FLOOR && own > left)
		err = drop(mesh, search(client)) ? 0 : -EDQUOT;
	else if (live > room->max)
		err = drop_of_largest(mesh) ? 0 : -ENOBUFS;
	if (err)
		vnimesh_room_give(client);
	return err;
}

void vnimesh_room_give(struct vnimesh_vni *client)
{
	atomic_dec(&client->share.live);
	atomic_dec(&client->share.room->live);
}

void vnimesh_room_enter(struct vnimesh_flow *flow)
{
	struct vnimesh_share *share = &flow->client->share;

	spin_lock(&share->lock);
	list_add_tail(&flow->queue, &share->queue);
	spin_unlock(&share->lock);
}

void vnimesh_room_leave(struct vnimesh_flow *flow)
{
	struct vnimesh_share *share = &flow->client->share;

	spin_lock_bh(&share->lock);
	list_del_init(&flow->queue);
	spin_unlock_bh(&share->lock);
	/* In this order: nobody sees less than there is. */
	atomic_inc(&share->limbo);
	atomic_inc(&share->room->limbo);
	vnimesh_room_give(flow->client);
}

void vnimesh_room_freed(struct vnimesh_flow *flow)
{
	struct vnimesh_share *share = &flow->client->share;

	atomic_dec(&share->limbo);
	atomic_dec(&share->room->limbo);
}

struct vnimesh_flow *vnimesh_room_pop(struct vnimesh_vni *client)
{
	struct vnimesh_share *share = &client->share;
	struct vnimesh_flow *flow;

	spin_lock_bh(&share->lock);
	flow = list_first_entry_or_null(&share->queue, struct vnimesh_flow,
					queue);
	if (flow)
		list_del_init(&flow->queue);
	spin_unlock_bh(&share->lock);
	return flow;
}
