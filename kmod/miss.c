// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>

#include "absent.h"
#include "drop.h"
#include "miss.h"
#include "netlink.h"
#include "packet.h"
#include "refuse.h"
#include "route.h"
#include "trace.h"

#define BITS	8

struct hold {
	struct hlist_node node;
	struct list_head order;		/* by deadline */
	struct vnimesh_addr_key key;
	struct vnimesh_dev *owner;	/* whose packet opened it; NULL: gone */
	struct sk_buff_head packets;
	unsigned long deadline;
};

struct vnimesh_misses {
	spinlock_t lock;		/* all below, BH off */
	DECLARE_HASHTABLE(holds, BITS);
	struct list_head order;
	struct timer_list timer;
	struct vnimesh_mesh *mesh;
	u32 seed;
	u32 n_holds;
	u32 held;
	struct vnimesh_budget upcalls;
	bool stopped;
};

static void make_key(struct vnimesh_addr_key *key, u8 family,
		     const union vnimesh_ip *ip)
{
	memset(key, 0, sizeof(*key));
	key->family = family;
	key->ip = *ip;
}

static u32 hash(const struct vnimesh_misses *m,
		const struct vnimesh_addr_key *key)
{
	return jhash(key, sizeof(*key), m->seed);
}

static struct hold *find_hold(struct vnimesh_misses *m,
			      const struct vnimesh_addr_key *key)
{
	struct hold *h;

	hash_for_each_possible(m->holds, h, node, hash(m, key))
		if (!memcmp(&h->key, key, sizeof(*key)))
			return h;
	return NULL;
}

static void unaccount(struct vnimesh_misses *m, const struct sk_buff *skb)
{
	struct vnimesh_dev *vdev = netdev_priv(skb->dev);

	m->held--;
	vdev->held--;
}

/* Take @h out of the tables; its packets are the caller's then. */
static void detach(struct vnimesh_misses *m, struct hold *h)
{
	struct sk_buff *skb;

	hash_del(&h->node);
	list_del(&h->order);
	m->n_holds--;
	if (h->owner)
		h->owner->holds--;
	skb_queue_walk(&h->packets, skb)
		unaccount(m, skb);
}

static void refuse_all(struct hold *h, unsigned int what)
{
	struct vnimesh_packet pkt;
	struct sk_buff *skb;

	local_bh_disable();
	rcu_read_lock();
	while ((skb = __skb_dequeue(&h->packets))) {
		struct vnimesh_dev *vdev = netdev_priv(skb->dev);

		if (vnimesh_packet_parse(skb, &pkt))
			vnimesh_drop(vdev, skb, VNIMESH_A_STATS_TX_MALFORMED);
		else
			vnimesh_refuse(vdev, skb, &pkt, what);
	}
	rcu_read_unlock();
	local_bh_enable();
	kfree(h);
}

static void release_all(struct vnimesh_mesh *mesh, struct hold *h)
{
	struct sk_buff *skb;

	local_bh_disable();
	rcu_read_lock();
	while ((skb = __skb_dequeue(&h->packets))) {
		struct vnimesh_dev *vdev = netdev_priv(skb->dev);

		if (!netif_running(skb->dev)) {
			vnimesh_drop(vdev, skb, VNIMESH_A_STATS_HOLD_GONE);
			continue;
		}
		vnimesh_count(mesh, VNIMESH_A_STATS_RELEASE);
		vnimesh_route(vdev, skb, true);
	}
	rcu_read_unlock();
	local_bh_enable();
	kfree(h);
}

static unsigned int verdict_counter(u8 verdict)
{
	return verdict == VNIMESH_VERDICT_NO_SERVICE ?
		VNIMESH_A_STATS_NO_SERVICE : VNIMESH_A_STATS_COORDINATOR_AWAY;
}

/* Of a place that all share, one has at most as much as it leaves. */
static bool share(u32 own, u32 all, u32 max)
{
	return all < max && (own < VNIMESH_HOLD_FLOOR || own < max - all);
}

static bool may_hold(const struct vnimesh_misses *m,
		     const struct vnimesh_dev *from)
{
	const struct vnimesh_settings *set = &m->mesh->set;

	return from->held < READ_ONCE(set->hold_vni_max) &&
	       share(from->held, m->held, READ_ONCE(set->hold_max));
}

/* Under the lock. A question for @vni: those who ask much may not have the last
 * quarter of the mesh's budget.
 */
static bool may_ask(struct vnimesh_misses *m, struct vnimesh_vni *vni)
{
	u32 now = jiffies_to_msecs(jiffies), own, all;

	own = vnimesh_budget_left(&vni->upcalls, now, VNIMESH_UPCALL_VNI_RATE,
				  VNIMESH_UPCALL_VNI_BURST);
	all = vnimesh_budget_left(&m->upcalls, now, VNIMESH_UPCALL_RATE,
				  VNIMESH_UPCALL_BURST);
	if (!own || !all || (own < VNIMESH_UPCALL_VNI_BURST / 2 &&
			     all < VNIMESH_UPCALL_BURST / 4))
		return false;
	vnimesh_budget_spend(&vni->upcalls);
	vnimesh_budget_spend(&m->upcalls);
	return true;
}

bool vnimesh_miss_may_ask(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni)
{
	struct vnimesh_misses *m = mesh->misses;
	bool may;

	spin_lock_bh(&m->lock);
	may = may_ask(m, vni);
	spin_unlock_bh(&m->lock);
	return may;
}

/* What tells a repeated SYN; 0 in ->seq and ports: never the same. */
struct mark {
	__be32 seq;
	__be16 sport;
	__be16 dport;
};

static void mark(struct sk_buff *skb, const struct vnimesh_packet *pkt)
{
	struct mark *m = (struct mark *)skb->cb;

	BUILD_BUG_ON(sizeof(*m) > sizeof(skb->cb));
	memset(m, 0, sizeof(*m));
	if (pkt->tuple.proto != IPPROTO_TCP)
		return;
	m->seq = pkt->seq;
	m->sport = pkt->tuple.sport;
	m->dport = pkt->tuple.dport;
}

/* A SYN that was sent again while its first copy waits here. */
static bool repeated(const struct hold *h, const struct sk_buff *skb)
{
	const struct mark *mark = (const struct mark *)skb->cb;
	const struct sk_buff *other;

	if (!mark->sport)
		return false;
	skb_queue_walk(&h->packets, other)
		if (other->dev == skb->dev &&
		    !memcmp(other->cb, skb->cb, sizeof(*mark)))
			return true;
	return false;
}

/* Under the lock. The packet's device has its share, the mesh has a bound. On
 * overflow the oldest goes, if it is this device's; it is returned to be freed
 * outside. @skb itself is returned when nothing else could go.
 */
static struct sk_buff *enqueue(struct vnimesh_misses *m, struct hold *h,
			       struct vnimesh_dev *from, struct sk_buff *skb)
{
	struct sk_buff *old = NULL;

	if (!may_hold(m, from)) {
		skb_queue_walk(&h->packets, old)
			if (old->dev == from->dev)
				break;
		if (skb_queue_empty(&h->packets) ||
		    old == (struct sk_buff *)&h->packets)
			return skb;
		__skb_unlink(old, &h->packets);
		unaccount(m, old);
	}
	__skb_queue_tail(&h->packets, skb);
	m->held++;
	from->held++;
	trace_vnimesh_hold(from, skb, m->held, from->held);
	return old;
}

static struct hold *new_hold(struct vnimesh_misses *m,
			     const struct vnimesh_addr_key *key,
			     struct vnimesh_dev *owner)
{
	u32 timeout = READ_ONCE(m->mesh->set.miss_timeout);
	struct hold *h, *other;

	if (!share(owner->holds, m->n_holds, VNIMESH_HOLD_KEYS_MAX))
		return NULL;
	h = kzalloc(sizeof(*h), GFP_ATOMIC | __GFP_NOWARN);
	if (!h)
		return NULL;
	h->key = *key;
	h->owner = owner;
	owner->holds++;
	__skb_queue_head_init(&h->packets);
	h->deadline = jiffies + msecs_to_jiffies(timeout);
	hash_add(m->holds, &h->node, hash(m, key));
	/* The time limit may have been lowered since the others came. */
	list_for_each_entry_reverse(other, &m->order, order)
		if (!time_before(h->deadline, other->deadline))
			break;
	list_add(&h->order, &other->order);
	m->n_holds++;
	timer_reduce(&m->timer, h->deadline);
	return h;
}

/* Ask the agent; if that fails, those who wait learn it at once. */
static void ask(struct vnimesh_mesh *mesh, const struct vnimesh_addr_key *key,
		u32 vni_id)
{
	struct vnimesh_misses *m = mesh->misses;
	struct hold *h;
	int err;

	err = vnimesh_netlink_miss(mesh, key->family, &key->ip, NULL, vni_id);
	if (!err)
		return;
	spin_lock_bh(&m->lock);
	h = find_hold(m, key);
	if (h)
		detach(m, h);
	spin_unlock_bh(&m->lock);
	if (h)
		refuse_all(h, err == -ENOTCONN ? VNIMESH_A_STATS_NO_AGENT :
			   VNIMESH_A_STATS_UPCALL_LIMIT);
}

/* Under the lock. The hold for a packet of @from, or NULL, and why not. */
static struct hold *get_hold(struct vnimesh_misses *m,
			     const struct vnimesh_addr_key *key,
			     struct vnimesh_dev *from, bool loading,
			     bool *created, unsigned int *what)
{
	struct hold *h = find_hold(m, key);

	if (h)
		return h;
	/* Each hold is opened by a packet that its VNI is charged for. */
	*what = VNIMESH_A_STATS_HOLD_OVERFLOW;
	if (!may_hold(m, from))
		return NULL;
	/* While a service loads, the agent is at it already. */
	if (!loading && !may_ask(m, from->vni)) {
		*what = VNIMESH_A_STATS_UPCALL_LIMIT;
		return NULL;
	}
	h = new_hold(m, key, from);
	*created = !!h;
	return h;
}

/* Under the lock. 0: it waits, or (*@dropped) another that goes for it; else why
 * it does not.
 */
static unsigned int hold_packet(struct vnimesh_misses *m,
				const struct vnimesh_addr_key *key,
				struct vnimesh_dev *from, struct sk_buff *skb,
				bool loading, bool *created,
				struct sk_buff **dropped)
{
	unsigned int what = 0;
	struct hold *h;

	h = get_hold(m, key, from, loading, created, &what);
	if (!h)
		return what;
	if (repeated(h, skb)) {
		*dropped = skb;
		return 0;
	}
	/* The sender's socket is not to wait for its buffer. */
	if (!skb_orphan_frags(skb, GFP_ATOMIC))
		skb_orphan(skb);
	*dropped = enqueue(m, h, from, skb);
	return *dropped == skb ? VNIMESH_A_STATS_HOLD_OVERFLOW : 0;
}

/* RCU. Is the service there, complete? */
static bool has_come(struct vnimesh_mesh *mesh, const struct vnimesh_packet *pkt)
{
	const struct vnimesh_service *service;

	service = vnimesh_service_by_ip(mesh, pkt->tuple.family,
					&pkt->tuple.dst);
	return service && !READ_ONCE(service->loading);
}

void vnimesh_miss_packet(struct vnimesh_dev *from, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, bool asked,
			 bool loading)
{
	struct vnimesh_mesh *mesh = from->mesh;
	struct vnimesh_misses *m = mesh->misses;
	struct sk_buff *dropped = NULL;
	struct vnimesh_absent_key absent;
	struct vnimesh_addr_key key;
	bool created = false;
	unsigned int what;
	u8 verdict;

	make_key(&key, pkt->tuple.family, &pkt->tuple.dst);
	vnimesh_absent_ip(&absent, pkt->tuple.family, &pkt->tuple.dst);
	skb_dst_force(skb);
	mark(skb, pkt);
	spin_lock_bh(&m->lock);
	/* It came since the caller looked, and who brought it looks for packets
	 * that wait under this lock: this one would wait for nobody.
	 */
	if (unlikely(has_come(mesh, pkt))) {
		spin_unlock_bh(&m->lock);
		vnimesh_route(from, skb, true);
		return;
	}
	verdict = vnimesh_absent_find(mesh, &absent);
	if (verdict)
		what = verdict_counter(verdict);
	else if (!READ_ONCE(mesh->agent))
		what = VNIMESH_A_STATS_NO_AGENT;
	else if (asked || m->stopped)
		what = VNIMESH_A_STATS_NO_ANSWER;
	else
		what = hold_packet(m, &key, from, skb, loading, &created,
				   &dropped);
	spin_unlock_bh(&m->lock);

	if (what) {
		vnimesh_refuse(from, skb, pkt, what);
		return;
	}
	if (dropped == skb) {
		vnimesh_drop(from, skb, VNIMESH_A_STATS_HOLD_REPEAT);
		return;
	}
	if (dropped)
		vnimesh_drop(from, dropped, VNIMESH_A_STATS_HOLD_OVERFLOW);
	vnimesh_count(mesh, VNIMESH_A_STATS_HOLD);
	if (created && !loading)
		ask(mesh, &key, from->vni->id);
}

/* Under the lock, as is who asks: a packet finds the negative entry, or what
 * came in its place.
 */
static void answer(struct vnimesh_mesh *mesh,
		   const struct vnimesh_addr_entry *e, bool complete)
{
	struct vnimesh_misses *m = mesh->misses;
	struct vnimesh_absent_key absent;
	struct hold *h;

	if (!e->key.family)
		return;
	vnimesh_absent_ip(&absent, e->key.family, &e->key.ip);
	spin_lock_bh(&m->lock);
	vnimesh_absent_del(mesh, &absent);
	h = complete ? find_hold(m, &e->key) : NULL;
	if (h)
		detach(m, h);
	spin_unlock_bh(&m->lock);
	if (h)
		release_all(mesh, h);
}

void vnimesh_miss_service(struct vnimesh_mesh *mesh,
			  const struct vnimesh_service *service)
{
	struct vnimesh_absent_key absent;

	vnimesh_absent_tag(&absent, service->tag);
	vnimesh_absent_del(mesh, &absent);
	answer(mesh, &service->e4, !service->loading);
	answer(mesh, &service->e6, !service->loading);
}

int vnimesh_miss_negative(struct vnimesh_mesh *mesh, u8 family,
			  const union vnimesh_ip *ip, u8 verdict, u32 ttl)
{
	struct vnimesh_misses *m = mesh->misses;
	struct vnimesh_absent_key absent;
	struct vnimesh_addr_key key;
	u32 vni_id = 0;
	struct hold *h;
	int err = 0;

	make_key(&key, family, ip);
	vnimesh_absent_ip(&absent, family, ip);
	spin_lock_bh(&m->lock);
	h = find_hold(m, &key);
	if (h && h->owner)
		vni_id = h->owner->vni->id;
	spin_unlock_bh(&m->lock);
	if (ttl)
		err = vnimesh_absent_add(mesh, &absent, verdict, ttl, vni_id);
	else
		vnimesh_absent_del(mesh, &absent);
	/* Who comes from here on finds the entry. */
	spin_lock_bh(&m->lock);
	h = find_hold(m, &key);
	if (h)
		detach(m, h);
	spin_unlock_bh(&m->lock);
	if (h)
		refuse_all(h, verdict_counter(verdict));
	return err;
}

static void expire(struct timer_list *t)
{
	struct vnimesh_misses *m = container_of(t, struct vnimesh_misses,
						timer);
	struct hold *h, *tmp;
	LIST_HEAD(late);

	/* Packets off the lists keep no device; RCU does, see flush_dev. */
	rcu_read_lock();
	spin_lock_bh(&m->lock);
	list_for_each_entry_safe(h, tmp, &m->order, order) {
		if (time_before(jiffies, h->deadline)) {
			mod_timer(&m->timer, h->deadline);
			break;
		}
		detach(m, h);
		list_add_tail(&h->order, &late);
	}
	spin_unlock_bh(&m->lock);
	list_for_each_entry_safe(h, tmp, &late, order)
		refuse_all(h, VNIMESH_A_STATS_NO_ANSWER);
	rcu_read_unlock();
}

void vnimesh_miss_agent_lost(struct vnimesh_mesh *mesh)
{
	struct vnimesh_misses *m = mesh->misses;
	struct hold *h, *tmp;
	LIST_HEAD(all);

	rcu_read_lock();
	spin_lock_bh(&m->lock);
	list_for_each_entry_safe(h, tmp, &m->order, order) {
		detach(m, h);
		list_add_tail(&h->order, &all);
	}
	spin_unlock_bh(&m->lock);
	list_for_each_entry_safe(h, tmp, &all, order)
		refuse_all(h, VNIMESH_A_STATS_NO_AGENT);
	rcu_read_unlock();
}

/* Their devices are going, but are there yet. */
static void purge(struct sk_buff_head *packets)
{
	struct sk_buff *skb;

	local_bh_disable();
	rcu_read_lock();
	while ((skb = __skb_dequeue(packets)))
		vnimesh_drop(netdev_priv(skb->dev), skb,
			     VNIMESH_A_STATS_HOLD_GONE);
	rcu_read_unlock();
	local_bh_enable();
}

void vnimesh_miss_flush_dev(struct vnimesh_mesh *mesh,
			    struct vnimesh_dev *vdev)
{
	struct vnimesh_misses *m = mesh->misses;
	struct sk_buff_head gone;
	struct sk_buff *skb, *tmp;
	struct hold *h;

	__skb_queue_head_init(&gone);
	spin_lock_bh(&m->lock);
	list_for_each_entry(h, &m->order, order) {
		if (h->owner == vdev) {
			h->owner = NULL;
			vdev->holds--;
		}
		skb_queue_walk_safe(&h->packets, skb, tmp)
			if (skb->dev == vdev->dev) {
				__skb_unlink(skb, &h->packets);
				unaccount(m, skb);
				__skb_queue_tail(&gone, skb);
			}
	}
	spin_unlock_bh(&m->lock);
	purge(&gone);
}

u32 vnimesh_miss_held(const struct vnimesh_mesh *mesh)
{
	return READ_ONCE(mesh->misses->held);
}

int vnimesh_miss_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_misses *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return -ENOMEM;
	spin_lock_init(&m->lock);
	hash_init(m->holds);
	INIT_LIST_HEAD(&m->order);
	timer_setup(&m->timer, expire, 0);
	m->mesh = mesh;
	m->seed = get_random_u32();
	mesh->misses = m;
	return vnimesh_absent_init(mesh);
}

void vnimesh_miss_stop(struct vnimesh_mesh *mesh)
{
	struct vnimesh_misses *m = mesh->misses;
	struct hold *h, *tmp;
	LIST_HEAD(all);

	spin_lock_bh(&m->lock);
	m->stopped = true;
	list_for_each_entry_safe(h, tmp, &m->order, order) {
		detach(m, h);
		list_add_tail(&h->order, &all);
	}
	spin_unlock_bh(&m->lock);
	/* Nothing arms it again: no hold is made once stopped. */
	timer_delete_sync(&m->timer);
	list_for_each_entry_safe(h, tmp, &all, order) {
		purge(&h->packets);
		kfree(h);
	}
}

void vnimesh_miss_exit(struct vnimesh_mesh *mesh)
{
	kfree(mesh->misses);
	mesh->misses = NULL;
	vnimesh_absent_exit(mesh);
}
