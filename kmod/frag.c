// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <net/dst.h>
#include <net/ipv6.h>

#include "compat/compat.h"
#include "drop.h"
#include "frag.h"

#define BITS	10

/* Padding is zero; compared as memory. IPv6 has no protocol in it: the ids are
 * unique without (RFC 8200, 4.5).
 */
struct frag_key {
	union vnimesh_ip src;
	union vnimesh_ip dst;
	u32 id;
	u8 family;
	u8 proto;
	u8 stage;
	u8 pad;
};

struct datagram {
	struct hlist_node node;
	struct list_head order;		/* by time, oldest first */
	struct list_head mine;		/* in vni->datagrams, the same */
	struct frag_key key;
	struct vnimesh_vni *vni;	/* referenced */
	struct vnimesh_frag_to to;	/* ->member referenced, or NULL */
	struct sk_buff_head held;
	unsigned long expires;
	u8 verdict;			/* enum vnimesh_frag_verdict */
};

struct vnimesh_frags {
	spinlock_t lock;		/* all of this, and what VNIs count of it */
	DECLARE_HASHTABLE(table, BITS);
	struct list_head order;
	struct timer_list timer;
	struct vnimesh_mesh *mesh;
	u32 seed;
	u32 n;
	u32 n_held;
	bool stopped;
};

bool vnimesh_frag_mapped(const struct vnimesh_packet *pkt)
{
	/* Behind destination options anything may follow; only the first
	 * fragment knows.
	 */
	return pkt->frag_proto == IPPROTO_UDP || pkt->frag_proto == IPPROTO_TCP ||
	       (pkt->tuple.family == AF_INET6 &&
		pkt->frag_proto == NEXTHDR_DEST);
}

static void make_key(struct frag_key *key, const struct vnimesh_packet *pkt,
		     enum vnimesh_frag_stage stage)
{
	memset(key, 0, sizeof(*key));
	key->src = pkt->tuple.src;
	key->dst = pkt->tuple.dst;
	key->id = pkt->frag_id;
	key->family = pkt->tuple.family;
	key->proto = key->family == AF_INET ? pkt->frag_proto : 0;
	key->stage = stage;
}

static u32 hash(const struct vnimesh_frags *f, const struct frag_key *key)
{
	return jhash(key, sizeof(*key), f->seed);
}

static struct datagram *find(struct vnimesh_frags *f,
			     const struct vnimesh_vni *vni,
			     const struct frag_key *key)
{
	struct datagram *d;

	hash_for_each_possible(f->table, d, node, hash(f, key))
		/* An address may have moved to another VNI meanwhile. */
		if (d->vni == vni && !memcmp(&d->key, key, sizeof(*key)))
			return d;
	return NULL;
}

static void set_member(struct datagram *d, struct vnimesh_member *member)
{
	if (d->to.member)
		vnimesh_member_put(d->to.member);
	d->to.member = member;
}

/* Its packets go to @held. */
static void forget(struct vnimesh_frags *f, struct datagram *d,
		   struct sk_buff_head *held)
{
	u32 n = skb_queue_len(&d->held);

	hash_del(&d->node);
	list_del(&d->order);
	list_del(&d->mine);
	f->n--;
	f->n_held -= n;
	d->vni->n_datagrams--;
	d->vni->n_held_fragments -= n;
	skb_queue_splice_tail(&d->held, held);
	set_member(d, NULL);
	vnimesh_vni_put(d->vni);
	kfree(d);
}

static void drop_all(struct vnimesh_mesh *mesh, struct sk_buff_head *held,
		     unsigned int what)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(held)))
		vnimesh_drop_rx(mesh, skb, what);
}

/* A VNI has at most a quarter once half is used, as with flows; the oldest of
 * its own goes, or the oldest of all. Returns whether one had to go.
 */
static bool make_room(struct vnimesh_frags *f, struct vnimesh_vni *vni,
		      struct sk_buff_head *dropped)
{
	struct datagram *d;

	if (f->n > VNIMESH_DATAGRAMS_MAX / 2 &&
	    vni->n_datagrams >= VNIMESH_DATAGRAMS_MAX / 4)
		d = list_first_entry(&vni->datagrams, struct datagram, mine);
	else if (f->n >= VNIMESH_DATAGRAMS_MAX)
		d = list_first_entry(&f->order, struct datagram, order);
	else
		return false;
	forget(f, d, dropped);
	return true;
}

static struct datagram *add(struct vnimesh_frags *f, struct vnimesh_vni *vni,
			    const struct frag_key *key)
{
	struct datagram *d = kzalloc(sizeof(*d), GFP_ATOMIC | __GFP_NOWARN);

	if (!d)
		return NULL;
	/* The caller is under RCU and the VNI in a table or under its device. */
	if (!refcount_inc_not_zero(&vni->refs)) {
		kfree(d);
		return NULL;
	}
	d->key = *key;
	d->vni = vni;
	__skb_queue_head_init(&d->held);
	hash_add(f->table, &d->node, hash(f, key));
	list_add_tail(&d->order, &f->order);
	list_add_tail(&d->mine, &vni->datagrams);
	f->n++;
	vni->n_datagrams++;
	d->expires = jiffies + VNIMESH_DATAGRAM_TIME;
	if (!timer_pending(&f->timer))
		mod_timer(&f->timer, d->expires);
	return d;
}

static void expire(struct timer_list *t)
{
	struct vnimesh_frags *f = timer_container_of(f, t, timer);
	struct sk_buff_head dropped;
	struct datagram *d;

	__skb_queue_head_init(&dropped);
	spin_lock(&f->lock);
	while (!list_empty(&f->order)) {
		d = list_first_entry(&f->order, struct datagram, order);
		if (time_before(jiffies, d->expires)) {
			if (!f->stopped)
				mod_timer(&f->timer, d->expires);
			break;
		}
		forget(f, d, &dropped);
	}
	spin_unlock(&f->lock);
	rcu_read_lock();
	drop_all(f->mesh, &dropped, VNIMESH_A_STATS_FRAGMENT_LOST);
	rcu_read_unlock();
}

void vnimesh_frag_first(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			const struct vnimesh_packet *pkt,
			enum vnimesh_frag_stage stage,
			enum vnimesh_frag_verdict verdict,
			const struct vnimesh_frag_to *to,
			struct sk_buff_head *held)
{
	struct vnimesh_member *member = to ? to->member : NULL;
	struct vnimesh_frags *f = mesh->frags;
	struct sk_buff_head dropped;
	struct datagram *d = NULL;
	bool full = false;
	struct frag_key key;

	if (member && !refcount_inc_not_zero(&member->refs))
		return;
	__skb_queue_head_init(&dropped);
	make_key(&key, pkt, stage);
	spin_lock_bh(&f->lock);
	if (!f->stopped)
		d = find(f, vni, &key);
	if (!d && !f->stopped) {
		full = make_room(f, vni, &dropped);
		d = add(f, vni, &key);
	}
	if (d) {
		/* An id that comes again is another datagram: the newest. */
		d->verdict = verdict;
		set_member(d, member);
		member = NULL;
		if (to) {
			d->to.src = to->src;
			d->to.dst = to->dst;
		}
		d->expires = jiffies + VNIMESH_DATAGRAM_TIME;
		list_move_tail(&d->order, &f->order);
		list_move_tail(&d->mine, &vni->datagrams);
		f->n_held -= skb_queue_len(&d->held);
		vni->n_held_fragments -= skb_queue_len(&d->held);
		skb_queue_splice_tail_init(&d->held, held);
	}
	spin_unlock_bh(&f->lock);
	if (member)
		vnimesh_member_put(member);
	if (full || !d)
		vnimesh_count(mesh, VNIMESH_A_STATS_FRAGMENT_FULL);
	drop_all(mesh, &dropped, VNIMESH_A_STATS_FRAGMENT_FULL);
}

/* The packet outlives its sender's socket, and, received, where it came from. */
static bool keep(struct vnimesh_mesh *mesh, struct sk_buff *skb,
		 enum vnimesh_frag_stage stage)
{
	if (skb_orphan_frags(skb, GFP_ATOMIC))
		return false;
	skb_orphan(skb);
	if (stage == VNIMESH_FRAG_TX)
		return !skb_dst(skb) || skb_dst_force(skb);
	skb_scrub_packet(skb, true);
	skb->dev = mesh->dev;
	return true;
}

static bool may_hold(const struct vnimesh_frags *f,
		     const struct vnimesh_vni *vni)
{
	return !f->stopped && f->n_held < VNIMESH_FRAGMENTS_HELD_MAX &&
	       vni->n_held_fragments < VNIMESH_FRAGMENTS_HELD_VNI_MAX;
}

enum vnimesh_frag_verdict
vnimesh_frag_later(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
		   struct sk_buff *skb, const struct vnimesh_packet *pkt,
		   enum vnimesh_frag_stage stage, struct vnimesh_frag_to *to)
{
	unsigned int what = VNIMESH_A_STATS_FRAGMENT_FULL;
	enum vnimesh_frag_verdict verdict;
	struct vnimesh_frags *f = mesh->frags;
	struct sk_buff_head dropped;
	bool full = false;
	struct datagram *d;
	struct frag_key key;

	__skb_queue_head_init(&dropped);
	make_key(&key, pkt, stage);
	spin_lock_bh(&f->lock);
	d = find(f, vni, &key);
	if (d && d->verdict != VNIMESH_FRAG_WAIT) {
		/* The member lives as long as the reader: it is freed by RCU. */
		verdict = d->verdict;
		*to = d->to;
		spin_unlock_bh(&f->lock);
		return verdict;
	}
	if (may_hold(f, vni) && keep(mesh, skb, stage)) {
		if (!d) {
			full = make_room(f, vni, &dropped);
			d = add(f, vni, &key);
		}
		if (d) {
			__skb_queue_tail(&d->held, skb);
			f->n_held++;
			vni->n_held_fragments++;
			skb = NULL;
			what = VNIMESH_A_STATS_FRAGMENT_HOLD;
		}
	}
	spin_unlock_bh(&f->lock);
	if (skb)
		vnimesh_drop_rx(mesh, skb, what);
	else
		vnimesh_count(mesh, what);
	if (full)
		vnimesh_count(mesh, VNIMESH_A_STATS_FRAGMENT_FULL);
	drop_all(mesh, &dropped, VNIMESH_A_STATS_FRAGMENT_FULL);
	return VNIMESH_FRAG_TAKEN;
}

void vnimesh_frag_flush(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni)
{
	struct vnimesh_frags *f = mesh->frags;
	struct sk_buff_head dropped;

	__skb_queue_head_init(&dropped);
	spin_lock_bh(&f->lock);
	while (!list_empty(&vni->datagrams))
		forget(f, list_first_entry(&vni->datagrams, struct datagram,
					   mine), &dropped);
	spin_unlock_bh(&f->lock);
	__skb_queue_purge(&dropped);
}

int vnimesh_frag_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_frags *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	spin_lock_init(&f->lock);
	hash_init(f->table);
	INIT_LIST_HEAD(&f->order);
	timer_setup(&f->timer, expire, 0);
	f->mesh = mesh;
	f->seed = get_random_u32();
	mesh->frags = f;
	return 0;
}

void vnimesh_frag_stop(struct vnimesh_mesh *mesh)
{
	struct vnimesh_frags *f = mesh->frags;
	struct sk_buff_head dropped;

	__skb_queue_head_init(&dropped);
	spin_lock_bh(&f->lock);
	f->stopped = true;
	while (!list_empty(&f->order))
		forget(f, list_first_entry(&f->order, struct datagram, order),
		       &dropped);
	spin_unlock_bh(&f->lock);
	timer_delete_sync(&f->timer);
	__skb_queue_purge(&dropped);
}

void vnimesh_frag_exit(struct vnimesh_mesh *mesh)
{
	if (!mesh->frags)
		return;
	vnimesh_frag_stop(mesh);
	kfree(mesh->frags);
	mesh->frags = NULL;
}
