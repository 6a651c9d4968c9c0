// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "flow.h"
#include "liveness.h"
#include "syn.h"
#include "tick.h"
#include "trace.h"

#define LOCKS		256
#define GC_INTERVAL	HZ
#define GC_SLICE	8192	/* buckets per run of the worker */
#define SAMPLE_SCAN	8	/* buckets looked at for any flow */

/* The table is sized once, for flow_max, and never resized: no flow ever
 * waits for a rehash. The hash key is random per mesh (flooding one bucket
 * needs the key); consistent selection uses other hashes.
 */
struct vnimesh_flows {
	siphash_aligned_key_t key;
	u32 mask;
	struct vnimesh_room room;
	atomic_t moved;		/* flows in the reverse chain only */
	spinlock_t locks[2][LOCKS];	/* by direction: forward before reverse */
	struct hlist_head *buckets[2];
	struct vnimesh_mesh *mesh;
	struct delayed_work gc;
	u32 gc_bucket;
};

static struct kmem_cache *cache;

static u32 hash(const struct vnimesh_flows *flows,
		const struct vnimesh_tuple *t)
{
	if (t->family == AF_INET)
		return siphash_3u32((__force u32)t->src.v4,
				    (__force u32)t->dst.v4,
				    (__force u32)t->sport << 16 ^
				    (__force u32)t->dport ^ t->proto,
				    &flows->key);
	return siphash(t, sizeof(*t), &flows->key);
}

/* Locks go by bucket, so that a chain has one however small the table is. */
static u32 bucket_of(const struct vnimesh_flows *flows,
		     const struct vnimesh_tuple *t)
{
	return hash(flows, t) & flows->mask;
}

static bool equal(const struct vnimesh_tuple *a, const struct vnimesh_tuple *b)
{
	return a->sport == b->sport && a->dport == b->dport &&
	       a->proto == b->proto && a->family == b->family &&
	       vnimesh_ip_equal(&a->src, &b->src) &&
	       vnimesh_ip_equal(&a->dst, &b->dst);
}

static struct vnimesh_flow *flow_of(struct vnimesh_flow_link *link,
				    enum vnimesh_dir dir)
{
	return container_of(link - dir, struct vnimesh_flow, link[0]);
}

/* Who walks meets each flow once: by its forward link or, if that went to
 * another flow, by its reverse one.
 */
static bool meets(const struct vnimesh_flow *flow, enum vnimesh_dir dir)
{
	return dir == VNIMESH_FORWARD ||
	       READ_ONCE(flow->state) == VNIMESH_FLOW_MOVED;
}

static struct vnimesh_flow *lookup(struct hlist_head *head,
				   enum vnimesh_dir dir,
				   const struct vnimesh_tuple *tuple)
{
	struct vnimesh_flow_link *link;

	hlist_for_each_entry_rcu(link, head, node, true)
		if (equal(&link->tuple, tuple))
			return flow_of(link, dir);
	return NULL;
}

struct vnimesh_flow *vnimesh_flow_find(struct vnimesh_mesh *mesh,
				       enum vnimesh_dir dir,
				       const struct vnimesh_tuple *tuple)
{
	struct vnimesh_flows *flows = mesh->flows;

	return lookup(&flows->buckets[dir][bucket_of(flows, tuple)], dir,
		      tuple);
}

static void free_flow(struct vnimesh_flow *flow)
{
	if (flow->member)
		vnimesh_member_put(flow->member);
	vnimesh_vni_put(flow->client);
	kmem_cache_free(cache, flow);
}

static void free_flow_rcu(struct rcu_head *rcu)
{
	struct vnimesh_flow *flow = container_of(rcu, struct vnimesh_flow, rcu);

	vnimesh_room_freed(flow);
	free_flow(flow);
}

/* The member's load: half-open and established flows count, once each. */
void vnimesh_flow_unload(struct vnimesh_flow *flow)
{
	if (flow->member && xchg(&flow->loads, 0))
		atomic_dec(&flow->member->inflight);
}

void vnimesh_flow_load(struct vnimesh_flow *flow)
{
	if (!flow->member || xchg(&flow->loads, 1))
		return;
	atomic_inc(&flow->member->inflight);
	/* Removed meanwhile: the one who removed it may have been too early. */
	if (READ_ONCE(flow->dead))
		vnimesh_flow_unload(flow);
}

static void chain(struct vnimesh_flow *flow)
{
	struct vnimesh_member *m = flow->member;

	if (!m)
		return;
	spin_lock(&m->flows_lock);
	list_add_tail(&flow->chain, &m->flows);
	spin_unlock(&m->flows_lock);
}

/* Idempotent: a walk of the member's flows takes them off, too. */
static void unchain(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	struct vnimesh_member *m = flow->member;

	if (!m)
		return;
	spin_lock(&m->flows_lock);
	list_del_init(&flow->chain);
	if (unlikely(READ_ONCE(m->waits)) && list_empty(&m->flows))
		vnimesh_liveness_idle(mesh, m);
	spin_unlock(&m->flows_lock);
}

static u32 timeout_s(const struct vnimesh_mesh *mesh,
		     const struct vnimesh_flow *flow)
{
	u8 state = READ_ONCE(flow->state);

	if (flow->link[0].tuple.proto == IPPROTO_TCP)
		switch (state) {
		case VNIMESH_FLOW_NEW:
		case VNIMESH_FLOW_MOVED:
			return READ_ONCE(mesh->set.tcp_half_open);
		case VNIMESH_FLOW_ESTABLISHED:
			return READ_ONCE(flow->acked) ?
				READ_ONCE(mesh->set.tcp_established) :
				READ_ONCE(mesh->set.tcp_half_open);
		default:
			return READ_ONCE(mesh->set.tcp_closing);
		}
	return state == VNIMESH_FLOW_NEW ? READ_ONCE(mesh->set.udp_unreplied) :
					   READ_ONCE(mesh->set.udp_replied);
}

u32 vnimesh_flow_expires(const struct vnimesh_mesh *mesh,
			 const struct vnimesh_flow *flow)
{
	u64 limit = (u64)timeout_s(mesh, flow) * MSEC_PER_SEC;
	u64 idle = jiffies64_to_msecs(vnimesh_flow_idle(flow));

	return idle < limit ? limit - idle : 0;
}

u32 vnimesh_flow_count(const struct vnimesh_mesh *mesh)
{
	return atomic_read(&mesh->flows->room.live);
}

bool vnimesh_flow_remove(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	struct vnimesh_flows *flows = mesh->flows;
	u32 f = bucket_of(flows, &flow->link[VNIMESH_FORWARD].tuple);
	u32 r = bucket_of(flows, &flow->link[VNIMESH_REVERSE].tuple);
	bool won;

	spin_lock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	spin_lock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	won = !flow->dead;
	if (won) {
		WRITE_ONCE(flow->dead, true);
		if (flow->state != VNIMESH_FLOW_MOVED)
			hlist_del_rcu(&flow->link[VNIMESH_FORWARD].node);
		hlist_del_rcu(&flow->link[VNIMESH_REVERSE].node);
		unchain(mesh, flow);
	}
	spin_unlock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	spin_unlock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	if (won) {
		trace_vnimesh_flow_end(mesh, flow);
		if (flow->state == VNIMESH_FLOW_MOVED)
			atomic_dec(&flows->moved);
		vnimesh_flow_unload(flow);
		vnimesh_syn_drop(mesh, flow);
		vnimesh_room_leave(flow);
		call_rcu(&flow->rcu, free_flow_rcu);
	}
	return won;
}

void vnimesh_flow_leave(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	if (vnimesh_flow_remove(mesh, flow))
		vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_LEFT);
}

struct vnimesh_flow *vnimesh_flow_sample(struct vnimesh_mesh *mesh, u32 from)
{
	struct vnimesh_flows *flows = mesh->flows;
	struct vnimesh_flow_link *link;
	u32 i;

	for (i = 0; i < SAMPLE_SCAN; i++)
		hlist_for_each_entry_rcu(link, &flows->buckets[0][(from + i) & flows->mask],
					 node)
			return flow_of(link, VNIMESH_FORWARD);
	return NULL;
}

struct vnimesh_room *vnimesh_flow_room(struct vnimesh_mesh *mesh)
{
	return &mesh->flows->room;
}

struct vnimesh_flow *vnimesh_flow_open(struct vnimesh_mesh *mesh,
				       struct vnimesh_vni *client,
				       struct vnimesh_member *member)
{
	struct vnimesh_flow *flow;
	int err;

	err = vnimesh_room_take(mesh, client);
	if (err)
		return ERR_PTR(err);
	err = -ENOMEM;
	flow = kmem_cache_zalloc(cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!flow)
		goto give;
	if (member) {
		err = -EHOSTUNREACH;
		if (!refcount_inc_not_zero(&member->refs))
			goto free;
		flow->member = member;
	}
	/* The sender's device holds its VNI, and the sender is under RCU. */
	refcount_inc(&client->refs);
	flow->client = client;
	INIT_LIST_HEAD(&flow->chain);
	INIT_LIST_HEAD(&flow->queue);
	flow->state = VNIMESH_FLOW_NEW;
	flow->last = jiffies;
	flow->born = vnimesh_tick();
	return flow;
free:
	kmem_cache_free(cache, flow);
give:
	vnimesh_room_give(client);
	return ERR_PTR(err);
}

void vnimesh_flow_abandon(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	vnimesh_syn_drop(mesh, flow);
	vnimesh_room_give(flow->client);
	free_flow(flow);
}

/* Under the locks, before anybody can find it. */
static void count_load(struct vnimesh_flow *flow)
{
	if (!flow->member || flow->link[0].tuple.proto != IPPROTO_TCP)
		return;
	flow->loads = 1;
	atomic_inc(&flow->member->inflight);
}

int vnimesh_flow_insert(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	struct vnimesh_flow_link *fwd = &flow->link[VNIMESH_FORWARD];
	struct vnimesh_flow_link *rev = &flow->link[VNIMESH_REVERSE];
	struct vnimesh_flows *flows = mesh->flows;
	struct hlist_head *fhead, *rhead;
	u32 f = bucket_of(flows, &fwd->tuple);
	u32 r = bucket_of(flows, &rev->tuple);
	int err = 0;

	fhead = &flows->buckets[VNIMESH_FORWARD][f];
	rhead = &flows->buckets[VNIMESH_REVERSE][r];
	spin_lock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	spin_lock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	if (lookup(fhead, VNIMESH_FORWARD, &fwd->tuple)) {
		err = -EEXIST;
	} else if (lookup(rhead, VNIMESH_REVERSE, &rev->tuple)) {
		err = -EADDRINUSE;
	} else {
		count_load(flow);
		hlist_add_head_rcu(&fwd->node, fhead);
		hlist_add_head_rcu(&rev->node, rhead);
		chain(flow);
		vnimesh_room_enter(flow);
	}
	spin_unlock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	spin_unlock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	if (err)
		return err;
	trace_vnimesh_flow_new(mesh, flow);
	if (flow->member) {
		vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_NEW);
		atomic_inc(&flow->member->bound);
		WRITE_ONCE(flow->member->service->used, jiffies ?: 1);
		vnimesh_liveness_bound(mesh, flow->member);
	}
	return 0;
}

int vnimesh_flow_replace(struct vnimesh_mesh *mesh, struct vnimesh_flow *old,
			 struct vnimesh_flow *new)
{
	struct vnimesh_flow_link *fwd = &new->link[VNIMESH_FORWARD];
	struct vnimesh_flow_link *rev = &new->link[VNIMESH_REVERSE];
	struct vnimesh_flows *flows = mesh->flows;
	u32 f = bucket_of(flows, &fwd->tuple);
	u32 r = bucket_of(flows, &rev->tuple);
	struct hlist_head *rhead;
	int err = 0;

	rhead = &flows->buckets[VNIMESH_REVERSE][r];
	spin_lock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	spin_lock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	if (old->dead) {
		err = -ESTALE;
	} else if (lookup(rhead, VNIMESH_REVERSE, &rev->tuple)) {
		err = -EADDRINUSE;
	} else if (cmpxchg(&old->state, VNIMESH_FLOW_NEW,
			   VNIMESH_FLOW_MOVED) != VNIMESH_FLOW_NEW) {
		err = -ESTALE;	/* replied to, or another CPU was faster */
	} else {
		count_load(new);
		atomic_inc(&flows->moved);
		/* Whoever replies to it finds its SYN. */
		vnimesh_syn_move(new, old);
		/* In its place: a reader meets one of the two. */
		hlist_replace_rcu(&old->link[VNIMESH_FORWARD].node, &fwd->node);
		hlist_add_head_rcu(&rev->node, rhead);
		unchain(mesh, old);	/* waits for nothing but a late reply */
		chain(new);
		vnimesh_room_enter(new);
	}
	spin_unlock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	spin_unlock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	if (err)
		return err;
	vnimesh_flow_unload(old);
	atomic_inc(&new->member->bound);
	vnimesh_liveness_bound(mesh, new->member);
	return 0;
}

static void collect(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	/* A half-open flow loads its member for a second, not for as long as
	 * a dead client's entry lives.
	 */
	if (flow->loads && READ_ONCE(flow->state) == VNIMESH_FLOW_NEW &&
	    vnimesh_flow_idle(flow) > HZ) {
		vnimesh_flow_unload(flow);
		/* The answer came just now, and saw that it was counted. */
		if (READ_ONCE(flow->state) == VNIMESH_FLOW_ESTABLISHED)
			vnimesh_flow_load(flow);
	}
	if (!vnimesh_flow_expires(mesh, flow) &&
	    vnimesh_flow_remove(mesh, flow))
		vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_EXPIRED);
}

static void collect_chain(struct vnimesh_flows *flows, enum vnimesh_dir dir,
			  u32 b)
{
	struct vnimesh_flow_link *link;

	hlist_for_each_entry_rcu(link, &flows->buckets[dir][b], node)
		if (meets(flow_of(link, dir), dir))
			collect(flows->mesh, flow_of(link, dir));
}

static void gc(struct work_struct *work)
{
	struct vnimesh_flows *flows = container_of(to_delayed_work(work),
						   struct vnimesh_flows, gc);
	u32 i, n = min(flows->mask + 1, (u32)GC_SLICE);

	for (i = 0; i < n; i++) {
		u32 b = flows->gc_bucket++ & flows->mask;

		rcu_read_lock();
		collect_chain(flows, VNIMESH_FORWARD, b);
		if (atomic_read(&flows->moved))
			collect_chain(flows, VNIMESH_REVERSE, b);
		rcu_read_unlock();
		if (!(i % 256))
			cond_resched();
	}
	/* The whole table once in GC_INTERVAL. */
	queue_delayed_work(system_power_efficient_wq, &flows->gc,
			   max(1UL, GC_INTERVAL * n / (flows->mask + 1UL)));
}

struct walk {
	u32 i;			/* flows of the bucket that were met */
	u32 *skip;
	int (*fn)(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		  void *data);
	void *data;
};

static int walk_chain(struct vnimesh_mesh *mesh, enum vnimesh_dir dir, u32 b,
		      struct walk *w)
{
	struct vnimesh_flow_link *link;
	int ret;

	hlist_for_each_entry_rcu(link, &mesh->flows->buckets[dir][b], node) {
		struct vnimesh_flow *flow = flow_of(link, dir);

		if (!meets(flow, dir) || w->i++ < *w->skip)
			continue;
		ret = w->fn(mesh, flow, w->data);
		if (ret)
			return ret;
		(*w->skip)++;
	}
	return 0;
}

int vnimesh_flow_walk(struct vnimesh_mesh *mesh, u32 *bucket, u32 *skip,
		      int (*fn)(struct vnimesh_mesh *mesh,
				struct vnimesh_flow *flow, void *data),
		      void *data)
{
	struct walk w = { .skip = skip, .fn = fn, .data = data };
	struct vnimesh_flows *flows = mesh->flows;
	int ret;

	for (; *bucket <= flows->mask; (*bucket)++, *skip = 0) {
		w.i = 0;
		rcu_read_lock();
		ret = walk_chain(mesh, VNIMESH_FORWARD, *bucket, &w);
		if (!ret)
			ret = walk_chain(mesh, VNIMESH_REVERSE, *bucket, &w);
		rcu_read_unlock();
		if (ret)
			return ret;
		if (!(*bucket % 256))
			cond_resched();
	}
	return 0;
}

int vnimesh_flow_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_flows *flows;
	u32 size, dir, i;

	flows = kvzalloc(sizeof(*flows), GFP_KERNEL_ACCOUNT);
	if (!flows)
		return -ENOMEM;
	mesh->flows = flows;
	flows->mesh = mesh;
	flows->room.max = mesh->flow_max;
	size = roundup_pow_of_two(mesh->flow_max);
	flows->mask = size - 1;
	get_random_bytes(&flows->key, sizeof(flows->key));
	/* Two calls, so that lockdep sees two classes. */
	for (i = 0; i < LOCKS; i++)
		spin_lock_init(&flows->locks[VNIMESH_FORWARD][i]);
	for (i = 0; i < LOCKS; i++)
		spin_lock_init(&flows->locks[VNIMESH_REVERSE][i]);
	for (dir = 0; dir < 2; dir++) {
		flows->buckets[dir] = kvcalloc(size, sizeof(struct hlist_head),
					       GFP_KERNEL_ACCOUNT);
		if (!flows->buckets[dir])
			goto err;
	}
	INIT_DELAYED_WORK(&flows->gc, gc);
	queue_delayed_work(system_power_efficient_wq, &flows->gc, GC_INTERVAL);
	return 0;
err:
	kvfree(flows->buckets[0]);
	kvfree(flows);
	mesh->flows = NULL;
	return -ENOMEM;
}

void vnimesh_flow_flush(struct vnimesh_mesh *mesh, struct vnimesh_vni *client)
{
	struct vnimesh_flow *flow;

	do {
		rcu_read_lock();
		flow = vnimesh_room_pop(client);
		if (flow)
			vnimesh_flow_leave(mesh, flow);
		rcu_read_unlock();
		cond_resched();
	} while (flow);
}

/* RCU. */
static bool left(const struct vnimesh_vni *vni, const struct vnimesh_tuple *t)
{
	u8 bit = t->family == AF_INET ? VNIMESH_TAKEN_IP4 : VNIMESH_TAKEN_IP6;
	const union vnimesh_ip *ip = vnimesh_vni_ip(vni, t->family);

	return !ip || READ_ONCE(vni->taken) & bit ||
	       READ_ONCE(vni->node->dead) || !vnimesh_ip_equal(ip, &t->src);
}

bool vnimesh_flow_client_left(const struct vnimesh_flow *flow)
{
	return left(flow->client, &flow->link[VNIMESH_FORWARD].tuple);
}

bool vnimesh_flow_member_left(const struct vnimesh_flow *flow)
{
	return flow->member &&
	       left(flow->member->vni, &flow->link[VNIMESH_REVERSE].tuple);
}

static int remove_one(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		      void *data)
{
	vnimesh_flow_remove(mesh, flow);
	return 0;
}

void vnimesh_flow_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_flows *flows = mesh->flows;
	u32 bucket = 0, skip = 0;

	if (!flows)
		return;
	cancel_delayed_work_sync(&flows->gc);
	vnimesh_flow_walk(mesh, &bucket, &skip, remove_one, NULL);
	if (atomic_read(&flows->room.limbo))
		rcu_barrier();	/* they count themselves out */
	kvfree(flows->buckets[0]);
	kvfree(flows->buckets[1]);
	kvfree(flows);
	mesh->flows = NULL;
}

int __init vnimesh_flow_module_init(void)
{
	BUILD_BUG_ON(sizeof(struct vnimesh_flow) > 256);	/* limits.h */
	cache = KMEM_CACHE(vnimesh_flow, SLAB_HWCACHE_ALIGN);
	return cache ? 0 : -ENOMEM;
}

/* After the last rcu_barrier(). */
void vnimesh_flow_module_exit(void)
{
	kmem_cache_destroy(cache);
}
