// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>

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
	struct sk_buff_head packets;
	unsigned long deadline;
};

struct negative {
	struct hlist_node node;
	struct vnimesh_addr_key key;
	unsigned long expires;
	u8 verdict;
};

struct vnimesh_misses {
	spinlock_t lock;
	DECLARE_HASHTABLE(holds, BITS);
	DECLARE_HASHTABLE(negatives, BITS);
	struct list_head order;
	struct timer_list timer;
	struct vnimesh_mesh *mesh;
	u32 seed;
	u32 n_holds;
	u32 n_negatives;
	u32 held;
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

static struct negative *find_negative(struct vnimesh_misses *m,
				      const struct vnimesh_addr_key *key)
{
	struct negative *n;

	hash_for_each_possible(m->negatives, n, node, hash(m, key))
		if (!memcmp(&n->key, key, sizeof(*key)))
			return n;
	return NULL;
}

static void forget(struct vnimesh_misses *m, struct negative *n)
{
	hash_del(&n->node);
	m->n_negatives--;
	kfree(n);
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
			vnimesh_drop(vdev, skb, VNIMESH_A_STATS_HOLD_OVERFLOW);
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

static bool may_hold(const struct vnimesh_misses *m,
		     const struct vnimesh_dev *from)
{
	const struct vnimesh_settings *set = &m->mesh->set;

	return m->held < READ_ONCE(set->hold_max) &&
	       from->held < READ_ONCE(set->hold_vni_max);
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
			     const struct vnimesh_addr_key *key)
{
	u32 timeout = READ_ONCE(m->mesh->set.miss_timeout);
	struct hold *h, *other;

	if (m->n_holds >= VNIMESH_HOLD_KEYS_MAX)
		return NULL;
	h = kzalloc(sizeof(*h), GFP_ATOMIC | __GFP_NOWARN);
	if (!h)
		return NULL;
	h->key = *key;
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

	if (!vnimesh_netlink_miss(mesh, key->family, &key->ip, NULL, vni_id))
		return;
	spin_lock_bh(&m->lock);
	h = find_hold(m, key);
	if (h)
		detach(m, h);
	spin_unlock_bh(&m->lock);
	if (h)
		refuse_all(h, VNIMESH_A_STATS_NO_AGENT);
}

void vnimesh_miss_packet(struct vnimesh_dev *from, struct sk_buff *skb,
			 const struct vnimesh_packet *pkt, bool asked,
			 bool loading)
{
	struct vnimesh_mesh *mesh = from->mesh;
	struct vnimesh_misses *m = mesh->misses;
	struct vnimesh_addr_key key;
	struct sk_buff *dropped = NULL;
	struct negative *neg;
	bool created = false;
	unsigned int what = 0;
	struct hold *h;

	make_key(&key, pkt->tuple.family, &pkt->tuple.dst);
	skb_dst_force(skb);
	mark(skb, pkt);
	spin_lock_bh(&m->lock);
	neg = find_negative(m, &key);
	if (neg && time_after(jiffies, neg->expires)) {
		forget(m, neg);
		neg = NULL;
	}
	if (neg) {
		what = verdict_counter(neg->verdict);
	} else if (!READ_ONCE(mesh->agent)) {
		what = VNIMESH_A_STATS_NO_AGENT;
	} else if (asked || m->stopped) {
		what = VNIMESH_A_STATS_NO_ANSWER;
	} else {
		h = find_hold(m, &key);
		/* Each hold is opened by a packet that its VNI is charged for,
		 * so one VNI cannot take all of them.
		 */
		if (!h && may_hold(m, from)) {
			h = new_hold(m, &key);
			created = !!h;
		}
		if (h && repeated(h, skb)) {
			dropped = skb;
		} else if (h) {
			/* The sender's socket is not to wait for its buffer. */
			if (!skb_orphan_frags(skb, GFP_ATOMIC))
				skb_orphan(skb);
			dropped = enqueue(m, h, from, skb);
		} else {
			what = VNIMESH_A_STATS_HOLD_OVERFLOW;
		}
	}
	spin_unlock_bh(&m->lock);

	if (what) {
		vnimesh_refuse(from, skb, pkt, what);
		return;
	}
	if (dropped)
		vnimesh_drop(from, dropped, VNIMESH_A_STATS_HOLD_OVERFLOW);
	if (dropped != skb)
		vnimesh_count(mesh, VNIMESH_A_STATS_HOLD);
	/* While a service loads, the agent is at it already. */
	if (created && !loading)
		ask(mesh, &key, from->vni->id);
}

static void answer(struct vnimesh_mesh *mesh,
		   const struct vnimesh_addr_entry *e, bool complete)
{
	struct vnimesh_misses *m = mesh->misses;
	struct negative *neg;
	struct hold *h;

	if (!e->key.family)
		return;
	spin_lock_bh(&m->lock);
	neg = find_negative(m, &e->key);
	if (neg)
		forget(m, neg);
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
	answer(mesh, &service->e4, !service->loading);
	answer(mesh, &service->e6, !service->loading);
}

/* Expired negative entries leave; traffic removes those it meets. */
static void prune(struct vnimesh_misses *m)
{
	struct hlist_node *tmp;
	struct negative *n;
	int i;

	hash_for_each_safe(m->negatives, i, tmp, n, node)
		if (time_after(jiffies, n->expires))
			forget(m, n);
}

int vnimesh_miss_negative(struct vnimesh_mesh *mesh, u8 family,
			  const union vnimesh_ip *ip, u8 verdict, u32 ttl)
{
	struct vnimesh_misses *m = mesh->misses;
	struct vnimesh_addr_key key;
	struct negative *neg, *new = NULL;
	struct hold *h;
	int err = 0;

	make_key(&key, family, ip);
	if (ttl) {
		new = kzalloc(sizeof(*new), GFP_KERNEL);
		if (!new)
			return -ENOMEM;
		new->key = key;
		new->verdict = verdict;
		new->expires = jiffies + msecs_to_jiffies(ttl);
	}
	spin_lock_bh(&m->lock);
	neg = find_negative(m, &key);
	if (neg)
		forget(m, neg);
	if (new && m->n_negatives >= VNIMESH_NEGATIVE_MAX)
		prune(m);
	if (new && m->n_negatives >= VNIMESH_NEGATIVE_MAX) {
		kfree(new);
		err = -ENOSPC;
	} else if (new) {
		hash_add(m->negatives, &new->node, hash(m, &key));
		m->n_negatives++;
	}
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
	prune(m);
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

void vnimesh_miss_flush_dev(struct vnimesh_mesh *mesh,
			    struct vnimesh_dev *vdev)
{
	struct vnimesh_misses *m = mesh->misses;
	struct sk_buff_head gone;
	struct sk_buff *skb, *tmp;
	struct hold *h;

	__skb_queue_head_init(&gone);
	spin_lock_bh(&m->lock);
	list_for_each_entry(h, &m->order, order)
		skb_queue_walk_safe(&h->packets, skb, tmp)
			if (skb->dev == vdev->dev) {
				__skb_unlink(skb, &h->packets);
				unaccount(m, skb);
				__skb_queue_tail(&gone, skb);
			}
	spin_unlock_bh(&m->lock);
	__skb_queue_purge(&gone);
}

u32 vnimesh_miss_held(const struct vnimesh_mesh *mesh)
{
	return READ_ONCE(mesh->misses->held);
}

int vnimesh_miss_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_misses *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return -ENOMEM;
	spin_lock_init(&m->lock);
	hash_init(m->holds);
	hash_init(m->negatives);
	INIT_LIST_HEAD(&m->order);
	timer_setup(&m->timer, expire, 0);
	m->mesh = mesh;
	m->seed = get_random_u32();
	mesh->misses = m;
	return 0;
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
		__skb_queue_purge(&h->packets);
		kfree(h);
	}
}

void vnimesh_miss_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_misses *m = mesh->misses;
	struct hlist_node *tmp;
	struct negative *n;
	int i;

	if (!m)
		return;
	hash_for_each_safe(m->negatives, i, tmp, n, node)
		forget(m, n);
	kfree(m);
	mesh->misses = NULL;
}
