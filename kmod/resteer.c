// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/skbuff.h>

#include "bind.h"
#include "drop.h"
#include "eject.h"
#include "reset.h"
#include "resteer.h"
#include "route.h"
#include "syn.h"
#include "trace.h"

/* 0.9 of the initial RTO (RFC 6298): what comes earlier is a duplicate. */
#define SILENCE_US	900000

/* Of a client's budget, in tenths of a move. */
#define MOVE		10
#define FLOOR		(VNIMESH_RESTEER_FLOOR * MOVE)
#define CEILING		(4 * FLOOR)

static bool others(const struct vnimesh_flow *flow)
{
	return rcu_dereference(flow->member->service->set)->n > 1;
}

void vnimesh_resteer_prepare(struct vnimesh_mesh *mesh,
			     struct vnimesh_flow *flow, struct sk_buff *skb,
			     const struct vnimesh_packet *pkt)
{
	/* While a SYN waits for the next hop's address, its socket does not send
	 * it again (skb_still_in_host_queue()): a host that is gone would not be
	 * noticed for two seconds more.
	 */
	skb_orphan(skb);
	/* Each flow earns its client a tenth of a move. */
	if (atomic_read(&flow->client->credit) < CEILING - FLOOR)
		atomic_inc(&flow->client->credit);
	flow->plain = vnimesh_syn_plain(skb, pkt);
	if (flow->plain && READ_ONCE(mesh->set.resteer_max) && others(flow))
		vnimesh_syn_keep(mesh, flow, skb, pkt);
}

/* Credit may be as far below zero as the floor; a second lifts it by a move. */
static bool spend(struct vnimesh_vni *client)
{
	u32 now = (u32)(jiffies / HZ), stamp = READ_ONCE(client->credit_stamp);
	int credit = atomic_read(&client->credit);
	u32 s = now - stamp;

	if (s && credit < 0 &&
	    cmpxchg(&client->credit_stamp, stamp, now) == stamp)
		atomic_add(min_t(u32, s * MOVE, -credit), &client->credit);
	if (atomic_sub_return(MOVE, &client->credit) >= -FLOOR)
		return true;
	atomic_add(MOVE, &client->credit);
	return false;
}

static bool may_move(struct vnimesh_mesh *mesh, const struct vnimesh_flow *flow)
{
	return flow->plain && READ_ONCE(flow->state) == VNIMESH_FLOW_NEW &&
	       flow->moves < READ_ONCE(mesh->set.resteer_max);
}

/* NULL: it stays where it is. */
static struct vnimesh_flow *move(struct vnimesh_mesh *mesh,
				 struct vnimesh_flow *flow, const char *why)
{
	struct vnimesh_flow *new = vnimesh_bind_again(mesh, flow);

	if (new)
		trace_vnimesh_resteer(mesh, new, why);
	else
		vnimesh_count(mesh, VNIMESH_A_STATS_RESTEER_ALONE);
	return new;
}

struct vnimesh_flow *vnimesh_resteer_again(struct vnimesh_mesh *mesh,
					   struct vnimesh_flow *flow,
					   struct sk_buff *skb,
					   const struct vnimesh_packet *pkt)
{
	u32 tried = READ_ONCE(flow->tried), now = (u32)ktime_to_us(ktime_get());
	const struct vnimesh_tuple *t = &flow->link[VNIMESH_FORWARD].tuple;
	struct vnimesh_flow *new;

	skb_orphan(skb);
	if (READ_ONCE(flow->state) != VNIMESH_FLOW_NEW || !flow->plain ||
	    READ_ONCE(flow->heard) || now - tried < SILENCE_US ||
	    !vnimesh_syn_plain(skb, pkt))
		return flow;
	/* Copies of it on several CPUs count once. The others go where the
	 * flow is then.
	 */
	if (cmpxchg(&flow->tried, tried, now) != tried)
		return vnimesh_flow_find(mesh, VNIMESH_FORWARD, t) ?: flow;
	/* To a SYN in the middle of another connection a server says little, and
	 * that twice a second at most (RFC 5961, section 7).
	 */
	if (!flow->reused)
		vnimesh_eject_bad(mesh, flow, VNIMESH_EVIDENCE_KIND_SILENCE,
				  tried);
	if (!may_move(mesh, flow))
		return flow;
	/* The client sends it anyway: no budget but the flow's own. */
	new = move(mesh, flow, "silent");
	if (!new)
		return flow;
	vnimesh_count(mesh, VNIMESH_A_STATS_RESTEER_SILENT);
	return new;
}

static void send_kept(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	struct net_device *dev = rcu_dereference(flow->client->dev);
	struct vnimesh_packet pkt;
	struct sk_buff *skb;

	/* A device that is not running may be on its way out. */
	skb = dev && netif_running(dev) ? vnimesh_syn_build(mesh, flow) : NULL;
	if (!skb)	/* the client will send it again */
		return;
	skb->dev = dev;
	if (vnimesh_packet_parse(skb, &pkt)) {
		vnimesh_drop_rx(mesh, skb, VNIMESH_A_STATS_TX_ERROR);
		return;
	}
	vnimesh_route_flow(netdev_priv(dev), skb, &pkt, flow);
}

/* The member refused the SYN. True: another one has it. */
static bool refused(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		    enum vnimesh_evidence_kind kind)
{
	struct vnimesh_flow *new;

	/* What it refuses may be something about the SYN. */
	if (flow->plain)
		vnimesh_eject_bad(mesh, flow, kind, READ_ONCE(flow->tried));
	if (!may_move(mesh, flow))
		return READ_ONCE(flow->state) == VNIMESH_FLOW_MOVED;
	if (!READ_ONCE(flow->syn)) {
		vnimesh_count(mesh, VNIMESH_A_STATS_RESTEER_NO_SYN);
		return false;
	}
	if (!spend(flow->client)) {
		vnimesh_count(mesh, VNIMESH_A_STATS_RESTEER_BUDGET);
		return false;
	}
	new = move(mesh, flow, kind == VNIMESH_EVIDENCE_KIND_ICMP ? "icmp" :
								    "refused");
	if (!new)
		return false;
	vnimesh_count(mesh, VNIMESH_A_STATS_RESTEER_REFUSED);
	send_kept(mesh, new);
	return true;
}

bool vnimesh_resteer_down(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	struct vnimesh_flow *new;

	/* No budget: nobody but who takes members down can spend it. */
	if (!may_move(mesh, flow) || !READ_ONCE(flow->syn))
		return false;
	new = move(mesh, flow, "down");
	if (!new)
		return false;
	vnimesh_count(mesh, VNIMESH_A_STATS_RESTEER_DOWN);
	send_kept(mesh, new);
	return true;
}

bool vnimesh_heal_icmp(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		       __be32 seq)
{
	if (!flow->member ||
	    flow->link[VNIMESH_FORWARD].tuple.proto != IPPROTO_TCP ||
	    READ_ONCE(flow->state) != VNIMESH_FLOW_NEW || seq != flow->isn)
		return false;
	return refused(mesh, flow, VNIMESH_EVIDENCE_KIND_ICMP);
}

/* The member believes in a connection that its client knows nothing of. */
static void answer_late(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
			const struct vnimesh_packet *pkt)
{
	struct vnimesh_tuple t;

	vnimesh_count(mesh, VNIMESH_A_STATS_RESTEER_LATE);
	if (pkt->tcp_flags & VNIMESH_TCP_RST)
		return;
	vnimesh_tuple_invert(&t, &pkt->tuple);
	vnimesh_reset_send(mesh, flow->member->vni,
			   vnimesh_reset_answer(pkt, &t), false);
}

bool vnimesh_resteer_reply(struct vnimesh_mesh *mesh,
			   struct vnimesh_flow *flow,
			   const struct vnimesh_packet *pkt,
			   enum vnimesh_track found)
{
	if (found == VNIMESH_TRACK_LATE) {
		answer_late(mesh, flow, pkt);
		return true;
	}
	if (refused(mesh, flow, VNIMESH_EVIDENCE_KIND_REFUSED))
		return true;
	vnimesh_track_refused(mesh, flow);
	return false;
}
