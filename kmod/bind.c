// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ktime.h>
#include <linux/random.h>
#include <net/ip.h>

#include "bind.h"
#include "choose.h"
#include "eject.h"
#include "icmp.h"
#include "resteer.h"

/* A source port that is taken at the member is replaced by a random one: this
 * often, before the flow is refused.
 */
#define PORT_TRIES	32

/* Fewer ports than this are no choice. */
#define PORTS_FEW	1024

/* To a SYN in the middle of another connection a server says something twice a second
 * at most (RFC 5961, section 7): for so long another's silence is no evidence.
 */
#define REUSED_SHORTLY	(2 * HZ)

/* A source port that the client's sockets do not take by themselves, which have
 * @low to @high: nothing here knows of their datagrams to VNIs, which have no
 * flows, and whose answers have to find no flow either. If there is room, above
 * @high, where no servers listen; @any: they are all taken.
 */
static u16 draw_port(u32 low, u32 high, bool any, u32 random)
{
	u32 first = 1024, n = 65536 - 1024, below, above;

	below = low > 1024 ? low - 1024 : 0;
	above = high < 65535 ? 65535 - high : 0;
	if (!any && above >= PORTS_FEW) {
		first = max(high + 1, 1024U);
		n = 65536 - first;
	} else if (!any && below >= PORTS_FEW) {
		n = below;
	}
	return first + (((u64)random * n) >> 32);
}

static __be16 other_port(const struct vnimesh_flow *flow, bool any)
{
	struct net_device *dev = rcu_dereference(flow->client->dev);
	int low = 32768, high = 60999;

	if (dev)
		inet_get_local_port_range(dev_net(dev), &low, &high);
	return htons(draw_port(low, high, any, get_random_u32()));
}

/* Into the table or, with @old, into its place. */
static int insert(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		  struct vnimesh_flow *old)
{
	int tries, err;

	for (tries = 0; tries < PORT_TRIES; tries++) {
		err = old ? vnimesh_flow_replace(mesh, old, flow) :
			    vnimesh_flow_insert(mesh, flow);
		if (err != -EADDRINUSE)
			return err;
		/* The member has this client port already, for another tag or a
		 * direct connection. A new source port keeps the choice, and
		 * the member cannot mistake one for the other in TIME_WAIT.
		 */
		if (!tries)
			vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_CONFLICT);
		flow->link[VNIMESH_REVERSE].tuple.dport =
			other_port(flow, tries >= PORT_TRIES / 2);
	}
	return err;
}

/* Insert @flow, or find the one that another CPU was faster with. */
static struct vnimesh_flow *settle(struct vnimesh_mesh *mesh,
				   struct vnimesh_flow *flow)
{
	struct vnimesh_flow *other;
	int err = insert(mesh, flow, NULL);

	if (!err)
		return flow;
	other = vnimesh_flow_find(mesh, VNIMESH_FORWARD,
				  &flow->link[VNIMESH_FORWARD].tuple);
	/* Of who had the address before, it is as little use as none. */
	if (other && unlikely(other->client != flow->client))
		other = NULL;
	vnimesh_flow_abandon(mesh, flow);
	return err == -EEXIST && other ? other : ERR_PTR(-ENOBUFS);
}

static void start_clock(struct vnimesh_flow *flow)
{
	flow->sent = (u32)ktime_to_us(ktime_get()) ?: 1;
	flow->tried = flow->sent;
}

static void start(struct vnimesh_flow *flow, const struct vnimesh_packet *pkt)
{
	u32 seq = ntohl(pkt->seq) + 1;

	start_clock(flow);
	flow->isn = pkt->seq;
	/* What was given up to make room may have been of the same port. */
	flow->reused = pkt->reused || vnimesh_room_was_short(flow->client);
	flow->ack[VNIMESH_REVERSE] = seq;
	flow->end[VNIMESH_FORWARD] = seq + pkt->payload;
}

struct vnimesh_flow *vnimesh_bind_find(struct vnimesh_dev *from,
				       struct sk_buff *skb,
				       struct vnimesh_packet *pkt)
{
	struct vnimesh_mesh *mesh = from->mesh;
	struct vnimesh_flow *flow;

	flow = vnimesh_flow_find(mesh, VNIMESH_FORWARD, &pkt->tuple);
	if (flow && unlikely(flow->client != from->vni)) {
		/* The address has just changed hands. */
		vnimesh_flow_leave(mesh, flow);
		return NULL;
	}
	if (!flow || pkt->tuple.proto != IPPROTO_TCP ||
	    !vnimesh_packet_is_syn(pkt))
		return flow;
	if (flow->isn != pkt->seq) {
		/* Long after its last packet the server may say what it likes,
		 * and a busy client comes round to its ports.
		 */
		pkt->reused = vnimesh_flow_idle(flow) < REUSED_SHORTLY;
		if (vnimesh_flow_remove(mesh, flow))
			vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_REUSED);
		return NULL;
	}
	WRITE_ONCE(flow->sent, 0);	/* sent twice: Karn, no sample */
	return flow->member ? vnimesh_resteer_again(mesh, flow, skb, pkt) :
			      flow;
}

/* The one that @args choose, but not as one trial flow too many. */
static struct vnimesh_member *choose(struct vnimesh_mesh *mesh,
				     struct vnimesh_choose_args *args,
				     struct vnimesh_vni *client)
{
	struct vnimesh_member *m = vnimesh_choose(mesh, args), *other;

	if (!m || args->tuple->proto != IPPROTO_TCP ||
	    vnimesh_eject_claim(mesh, m, client, args->tuple->dport))
		return m;
	args->avoid[1] = m;
	other = vnimesh_choose(mesh, args);
	if (other)
		vnimesh_eject_claim(mesh, other, client, args->tuple->dport);
	/* Who has a member already stays there. */
	return other || args->avoid[0] ? other : m;
}

/* A new flow to @m, not in the table. ERR_PTR as vnimesh_bind(). */
static struct vnimesh_flow *make(struct vnimesh_mesh *mesh,
				 struct vnimesh_vni *client,
				 struct vnimesh_member *m,
				 const struct vnimesh_tuple *t)
{
	const union vnimesh_ip *ip = vnimesh_vni_ip(m->vni, t->family);
	__be16 target = vnimesh_member_target(m, t->proto, t->dport);
	struct vnimesh_tuple *rev;
	struct vnimesh_flow *flow;

	if (!ip)
		return ERR_PTR(-EHOSTUNREACH);
	if (!target)	/* the list was replaced meanwhile */
		return ERR_PTR(-EPROTONOSUPPORT);
	flow = vnimesh_flow_open(mesh, client, m);
	if (IS_ERR(flow))
		return flow;
	flow->link[VNIMESH_FORWARD].tuple = *t;
	rev = &flow->link[VNIMESH_REVERSE].tuple;
	vnimesh_tuple_invert(rev, t);
	rev->src = *ip;
	rev->sport = target;
	/* Hairpin: the client is the member. Its own address as source would
	 * be a martian, so it sees the service's; the one exception to "the
	 * server sees the client".
	 */
	if (m->vni == client)
		rev->dst = t->dst;
	return flow;
}

struct vnimesh_flow *vnimesh_bind(struct vnimesh_dev *from,
				  struct sk_buff *skb,
				  const struct vnimesh_packet *pkt,
				  struct vnimesh_service *service)
{
	struct vnimesh_choose_args args = {
		.service = service,
		.client = from->vni,
		.tuple = &pkt->tuple,
		.seed = get_random_u64(),
	};
	struct vnimesh_mesh *mesh = from->mesh;
	struct vnimesh_member *m;
	struct vnimesh_flow *flow;

	if (!vnimesh_service_has_port(service, pkt->tuple.proto,
				      pkt->tuple.dport))
		return ERR_PTR(-EPROTONOSUPPORT);
	m = choose(mesh, &args, from->vni);
	if (!m)
		return ERR_PTR(-EHOSTUNREACH);
	flow = make(mesh, from->vni, m, &pkt->tuple);
	if (IS_ERR(flow))
		return flow;
	start(flow, pkt);
	if (pkt->tuple.proto == IPPROTO_TCP)
		vnimesh_resteer_prepare(mesh, flow, skb, pkt);
	flow = settle(mesh, flow);
	if (!IS_ERR(flow) && !flow->member)
		return ERR_PTR(-ENOBUFS);
	return flow;
}

struct vnimesh_flow *vnimesh_bind_again(struct vnimesh_mesh *mesh,
					struct vnimesh_flow *old)
{
	const struct vnimesh_tuple *t = &old->link[VNIMESH_FORWARD].tuple;
	struct vnimesh_choose_args args = {
		.service = old->member->service,
		.client = old->client,
		.avoid = { old->member },
		.tuple = t,
		.seed = get_random_u64(),
	};
	struct vnimesh_member *m = choose(mesh, &args, old->client);
	struct vnimesh_flow *flow;
	int err;

	if (!m || m == old->member)
		return NULL;
	flow = make(mesh, old->client, m, t);
	if (IS_ERR(flow))
		return NULL;
	start_clock(flow);
	flow->isn = old->isn;
	flow->ack[VNIMESH_REVERSE] = ntohl(old->isn) + 1;
	flow->end[VNIMESH_FORWARD] = ntohl(old->isn) + 1;
	flow->plain = old->plain;
	flow->reused = old->reused;
	flow->moves = old->moves + 1;
	err = insert(mesh, flow, old);
	if (!err)
		return flow;
	vnimesh_flow_abandon(mesh, flow);
	if (err != -ESTALE)
		return NULL;
	/* Another CPU was faster, or the member was: then it did not move. */
	flow = vnimesh_flow_find(mesh, VNIMESH_FORWARD, t);
	return flow != old ? flow : NULL;
}

struct vnimesh_flow *vnimesh_bind_direct(struct vnimesh_dev *from,
					 struct sk_buff *skb,
					 struct vnimesh_packet *pkt)
{
	struct vnimesh_mesh *mesh = from->mesh;
	struct vnimesh_tuple inverse;
	struct vnimesh_flow *flow;
	bool syn, taken;

	if (!pkt->has_ports) {
		/* An error about a connection whose source port is another. */
		flow = vnimesh_icmp_flow(mesh, skb, pkt, VNIMESH_FORWARD);
		return flow && flow->client == from->vni ? flow : NULL;
	}
	syn = pkt->tuple.proto == IPPROTO_TCP && vnimesh_packet_is_syn(pkt);
	if (!syn && !vnimesh_flow_count(mesh))
		return NULL;
	flow = vnimesh_bind_find(from, skb, pkt);
	if (flow || (pkt->tuple.proto == IPPROTO_TCP && !syn))
		return flow;

	vnimesh_tuple_invert(&inverse, &pkt->tuple);
	taken = !!vnimesh_flow_find(mesh, VNIMESH_REVERSE, &inverse);
	if (pkt->tuple.proto == IPPROTO_UDP && !taken)
		return NULL;
	/* Never crowd out service flows: a direct one can do without. */
	if (!taken && vnimesh_flow_count(mesh) > mesh->flow_max / 8 * 7)
		return NULL;
	flow = vnimesh_flow_open(mesh, from->vni, NULL);
	if (IS_ERR(flow))
		return taken ? flow : NULL;
	flow->link[VNIMESH_FORWARD].tuple = pkt->tuple;
	flow->link[VNIMESH_REVERSE].tuple = inverse;
	start(flow, pkt);
	return settle(mesh, flow);
}
