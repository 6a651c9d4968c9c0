// SPDX-License-Identifier: GPL-2.0-only
/*
 * RFC 5961: a stack believes a RST only at exactly the sequence it expects.
 * That lies between the last ACK it sent (it may delay the next) and the end of
 * what was sent to it (a part may be lost on the last inch; then Linux also
 * takes the right edge of what it holds behind the gap). So both are tried.
 * What neither hits answers with a challenge ACK, and the flow, DYING by then,
 * resets it at the place that names.
 */
#include <linux/skbuff.h>

#include "abort.h"
#include "liveness.h"
#include "reset.h"
#include "resteer.h"
#include "trace.h"

#define BATCH	32	/* flows for one hold of BH */

static void reset_client(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	u32 ack = READ_ONCE(flow->ack[VNIMESH_FORWARD]);
	u32 end = READ_ONCE(flow->end[VNIMESH_REVERSE]);
	struct net_device *dev = rcu_dereference(flow->client->dev);
	struct vnimesh_tuple t;

	vnimesh_tuple_invert(&t, &flow->link[VNIMESH_FORWARD].tuple);
	vnimesh_reset_receive(mesh, dev, vnimesh_reset_at(&t, end), true);
	if (ack != end)
		vnimesh_reset_receive(mesh, dev, vnimesh_reset_at(&t, ack),
				      true);
}

void vnimesh_abort_tell(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	u32 ack = READ_ONCE(flow->ack[VNIMESH_REVERSE]);
	u32 end = READ_ONCE(flow->end[VNIMESH_FORWARD]);
	struct vnimesh_vni *vni = flow->member->vni;
	struct vnimesh_tuple t;

	/* Its device is gone with it: nobody to tell, and nothing lost. */
	if (vni->node->self && !READ_ONCE(vni->dev_up))
		return;
	vnimesh_tuple_invert(&t, &flow->link[VNIMESH_REVERSE].tuple);
	vnimesh_reset_send(mesh, vni, vnimesh_reset_at(&t, end), true);
	if (ack != end)
		vnimesh_reset_send(mesh, vni, vnimesh_reset_at(&t, ack), true);
}

/* It is DYING from here on, if it was in a state to end so: which one. */
static u8 die(struct vnimesh_flow *flow)
{
	u8 old = READ_ONCE(flow->state), state;

	while (old == VNIMESH_FLOW_NEW || old == VNIMESH_FLOW_ESTABLISHED ||
	       old == VNIMESH_FLOW_CLOSING) {
		state = cmpxchg(&flow->state, old, VNIMESH_FLOW_DYING);
		if (state == old)
			break;
		old = state;
	}
	return old;
}

/* True: a connection was reset. */
static bool end_flow(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		     const char *why)
{
	u8 was;

	if (flow->link[0].tuple.proto != IPPROTO_TCP) {
		if (vnimesh_flow_remove(mesh, flow))
			vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_REPINNED);
		return false;
	}
	if (READ_ONCE(flow->state) == VNIMESH_FLOW_NEW &&
	    vnimesh_resteer_down(mesh, flow))
		return false;
	was = die(flow);
	switch (was) {
	case VNIMESH_FLOW_NEW:
		/* Then the client's next SYN finds another member, or none. */
		if (vnimesh_flow_remove(mesh, flow))
			vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_REPINNED);
		return false;
	case VNIMESH_FLOW_ESTABLISHED:
	case VNIMESH_FLOW_CLOSING:
		break;
	default:
		return false;
	}
	/* The clock of its end runs from here. */
	WRITE_ONCE(flow->last, jiffies);
	vnimesh_flow_unload(flow);
	if (was == VNIMESH_FLOW_CLOSING)	/* nobody waits on it */
		return false;
	vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_ABORTED);
	trace_vnimesh_abort(mesh, flow, why);
	reset_client(mesh, flow);
	/* On this host, it goes straight into the receiver's stack, too. */
	if (flow->member->vni->node->self)
		vnimesh_abort_tell(mesh, flow);
	else
		vnimesh_liveness_untold(mesh, flow);
	return true;
}

/* All flows, or of those under review the ones that went astray; the others are
 * the member's flows again. RCU keeps what is taken off the chain. *@n: how many
 * were looked at.
 */
static u32 take(struct vnimesh_member *member, bool all,
		struct vnimesh_flow **batch, u32 *n)
{
	struct list_head *from = all ? &member->flows : &member->review;
	struct vnimesh_flow *flow;
	u32 taken = 0;

	spin_lock(&member->flows_lock);
	for (*n = 0; *n < BATCH; (*n)++) {
		flow = list_first_entry_or_null(from, struct vnimesh_flow,
						chain);
		if (!flow)
			break;
		if (all || vnimesh_flow_member_left(flow)) {
			list_del_init(&flow->chain);
			batch[taken++] = flow;
		} else {
			list_move_tail(&flow->chain, &member->flows);
		}
	}
	spin_unlock(&member->flows_lock);
	return taken;
}

/* In batches, straight into the receivers' stacks: the backlog would lose what is
 * above its thousand packets.
 */
static bool end_flows(struct vnimesh_mesh *mesh, struct vnimesh_member *member,
		      bool all, const char *why, u32 budget, u32 *aborted)
{
	struct vnimesh_flow *batch[BATCH];
	u32 i, n, taken, done = 0;

	do {
		local_bh_disable();
		rcu_read_lock();
		taken = take(member, all, batch, &n);
		for (i = 0; i < taken; i++)
			*aborted += end_flow(mesh, batch[i], why);
		rcu_read_unlock();
		local_bh_enable();
		cond_resched();
		done += n;
	} while (n == BATCH && done < budget);
	return n == BATCH;
}

bool vnimesh_abort_member(struct vnimesh_mesh *mesh,
			  struct vnimesh_member *member, u32 budget,
			  u32 *aborted)
{
	return end_flows(mesh, member, true, "member-down", budget, aborted);
}

bool vnimesh_abort_astray(struct vnimesh_mesh *mesh,
			  struct vnimesh_member *member, u32 budget,
			  u32 *aborted)
{
	/* Those bound from here on have the new address. */
	if (READ_ONCE(member->moved)) {
		WRITE_ONCE(member->moved, false);
		spin_lock_bh(&member->flows_lock);
		list_splice_tail_init(&member->flows, &member->review);
		spin_unlock_bh(&member->flows_lock);
	}
	return end_flows(mesh, member, false, "member-moved", budget, aborted);
}

void vnimesh_abort_reply(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
			 const struct vnimesh_packet *pkt)
{
	struct vnimesh_tuple t;

	vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_DYING);
	if (pkt->tcp_flags & VNIMESH_TCP_RST)
		return;
	vnimesh_tuple_invert(&t, &flow->link[VNIMESH_REVERSE].tuple);
	vnimesh_reset_send(mesh, flow->member->vni,
			   vnimesh_reset_answer(pkt, &t), false);
}
