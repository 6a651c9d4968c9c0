// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>

#include "flow.h"
#include "packet.h"
#include "select.h"

#define LOCKS		256
#define GC_INTERVAL	HZ
#define GC_SLICE	8192	/* buckets per run of the worker */
#define EARLY_SCAN	64	/* buckets looked at for a victim */

/* flow->fin when both ends are done. */
#define BOTH		(BIT(VNIMESH_FORWARD) | BIT(VNIMESH_REVERSE))

/* The table is sized once, for flow_max, and never resized: no flow ever
 * waits for a rehash. The hash key is random per mesh (flooding one bucket
 * needs the key); consistent selection uses other hashes.
 */
struct vnimesh_flows {
	siphash_aligned_key_t key;
	u32 mask;
	u32 max;
	atomic_t count;
	atomic_t early;		/* where the next search for a victim starts */
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

static void free_flow(struct rcu_head *rcu)
{
	struct vnimesh_flow *flow = container_of(rcu, struct vnimesh_flow, rcu);

	if (flow->member)
		vnimesh_member_put(flow->member);
	vnimesh_vni_put(flow->client);
	kmem_cache_free(cache, flow);
}

static void uncount(struct vnimesh_mesh *mesh, struct vnimesh_vni *client)
{
	atomic_dec(&client->flows);
	atomic_dec(&mesh->flows->count);
}

/* The member's load: half-open and established flows count, once each. */
static void unload(struct vnimesh_flow *flow)
{
	if (flow->member && xchg(&flow->loads, 0))
		atomic_dec(&flow->member->inflight);
}

static void load(struct vnimesh_flow *flow)
{
	if (!flow->member || xchg(&flow->loads, 1))
		return;
	atomic_inc(&flow->member->inflight);
	/* Removed meanwhile: the one who removed it may have been too early. */
	if (READ_ONCE(flow->dead))
		unload(flow);
}

static u32 idle_ms(const struct vnimesh_flow *flow)
{
	return jiffies_to_msecs(jiffies - READ_ONCE(flow->last));
}

static u32 timeout_s(const struct vnimesh_mesh *mesh,
		     const struct vnimesh_flow *flow)
{
	u8 state = READ_ONCE(flow->state);

	if (flow->link[0].tuple.proto == IPPROTO_TCP)
		switch (state) {
		case VNIMESH_FLOW_NEW:
			return READ_ONCE(mesh->set.tcp_half_open);
		case VNIMESH_FLOW_ESTABLISHED:
			return READ_ONCE(mesh->set.tcp_established);
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
	u32 idle = idle_ms(flow);

	return idle < limit ? limit - idle : 0;
}

u32 vnimesh_flow_count(const struct vnimesh_mesh *mesh)
{
	return atomic_read(&mesh->flows->count);
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
		hlist_del_rcu(&flow->link[VNIMESH_FORWARD].node);
		hlist_del_rcu(&flow->link[VNIMESH_REVERSE].node);
	}
	spin_unlock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	spin_unlock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	if (won) {
		unload(flow);
		uncount(mesh, flow->client);
		call_rcu(&flow->rcu, free_flow);
	}
	return won;
}

/* How willingly a flow is given up for a new one; 0: never. Half-open ones may
 * never become flows. Direct ones only hold a tuple, unless their source port
 * was rewritten; flows to what is gone wait for nothing.
 */
static u8 expendable(const struct vnimesh_flow *flow)
{
	u8 state = READ_ONCE(flow->state);

	if (flow->link[0].tuple.proto == IPPROTO_TCP) {
		if (state == VNIMESH_FLOW_NEW)
			return 3;
		if (!flow->member && flow->link[0].tuple.sport ==
				     flow->link[1].tuple.dport)
			return 2;
		if (flow->member && READ_ONCE(flow->member->vni->dead))
			return 2;
		return state == VNIMESH_FLOW_CLOSING ? 2 : 0;
	}
	if (state == VNIMESH_FLOW_NEW)
		return 3;
	return idle_ms(flow) > 10 * MSEC_PER_SEC ? 1 : 0;
}

static bool early_drop(struct vnimesh_mesh *mesh)
{
	struct vnimesh_flows *flows = mesh->flows;
	struct vnimesh_flow *victim = NULL;
	struct vnimesh_flow_link *link;
	u8 most = 0;
	u32 i, b;

	b = atomic_add_return(EARLY_SCAN, &flows->early);
	for (i = 0; i < EARLY_SCAN && most < 3; i++, b++)
		hlist_for_each_entry_rcu(link, &flows->buckets[0][b & flows->mask],
					 node) {
			struct vnimesh_flow *flow = flow_of(link, VNIMESH_FORWARD);
			u8 e = expendable(flow);

			if (e > most) {
				most = e;
				victim = flow;
			}
		}
	if (!victim || !vnimesh_flow_remove(mesh, victim))
		return false;
	vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_EARLY_DROP);
	return true;
}

/* Above half of the table, one VNI has at most a quarter: the rest is for its
 * neighbours, whatever it does.
 */
static bool room_for(struct vnimesh_mesh *mesh, struct vnimesh_vni *client)
{
	struct vnimesh_flows *flows = mesh->flows;
	u32 all = atomic_inc_return(&flows->count);

	if (atomic_inc_return(&client->flows) > flows->max / 4 &&
	    all > flows->max / 2)
		return false;
	return all <= flows->max || early_drop(mesh);
}

struct vnimesh_flow *vnimesh_flow_alloc(struct vnimesh_mesh *mesh,
					struct vnimesh_vni *client,
					struct vnimesh_member *member)
{
	struct vnimesh_flow *flow = NULL;

	if (!room_for(mesh, client))
		goto err;
	flow = kmem_cache_zalloc(cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!flow)
		goto err;
	if (member) {
		if (!refcount_inc_not_zero(&member->refs))
			goto err;
		flow->member = member;
	}
	/* The sender's device holds its VNI, and the sender is under RCU. */
	refcount_inc(&client->refs);
	flow->client = client;
	flow->state = VNIMESH_FLOW_NEW;
	flow->last = jiffies;
	return flow;
err:
	if (flow)
		kmem_cache_free(cache, flow);
	uncount(mesh, client);
	return NULL;
}

void vnimesh_flow_abandon(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	uncount(mesh, flow->client);
	free_flow(&flow->rcu);
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
		if (flow->member && fwd->tuple.proto == IPPROTO_TCP) {
			flow->loads = 1;
			atomic_inc(&flow->member->inflight);
		}
		hlist_add_head_rcu(&fwd->node, fhead);
		hlist_add_head_rcu(&rev->node, rhead);
	}
	spin_unlock(&flows->locks[VNIMESH_REVERSE][r % LOCKS]);
	spin_unlock_bh(&flows->locks[VNIMESH_FORWARD][f % LOCKS]);
	if (err)
		return err;
	if (flow->member) {
		vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_NEW);
		atomic_inc(&flow->member->bound);
		WRITE_ONCE(flow->member->service->used, jiffies ?: 1);
	}
	return 0;
}

/* First reply: the handshake took this long. Karn's rule: a SYN that was
 * sent twice (->sent is 0 then) gives no sample.
 */
static void measure(struct vnimesh_flow *flow)
{
	struct vnimesh_member *m = flow->member;
	u32 sent = READ_ONCE(flow->sent), now = (u32)jiffies, age, us;

	if (!m || !sent || flow->link[0].tuple.proto != IPPROTO_TCP)
		return;
	us = (u32)ktime_to_us(ktime_get()) - sent;
	age = jiffies_to_msecs(now - READ_ONCE(m->kstamp));
	/* Racy by design: one sample more or less does not matter. */
	WRITE_ONCE(m->klat, vnimesh_select_observe(READ_ONCE(m->klat), age, us));
	WRITE_ONCE(m->kstamp, now);
}

static void close_flow(struct vnimesh_flow *flow)
{
	WRITE_ONCE(flow->state, VNIMESH_FLOW_CLOSING);
	unload(flow);
}

static void seen_tcp(struct vnimesh_flow *flow, enum vnimesh_dir dir, u8 flags)
{
	u8 fin;

	if (flags & VNIMESH_TCP_RST) {
		close_flow(flow);
		return;
	}
	if (dir == VNIMESH_REVERSE &&
	    READ_ONCE(flow->state) == VNIMESH_FLOW_NEW &&
	    cmpxchg(&flow->state, VNIMESH_FLOW_NEW,
		    VNIMESH_FLOW_ESTABLISHED) == VNIMESH_FLOW_NEW) {
		measure(flow);
		load(flow);	/* a slow handshake had lost it */
	}
	if (dir == VNIMESH_FORWARD && flags & VNIMESH_TCP_ACK &&
	    READ_ONCE(flow->state) == VNIMESH_FLOW_CLOSING &&
	    READ_ONCE(flow->fin) != BOTH) {
		/* The client goes on: that RST was not for it, or none that
		 * its peer believed.
		 */
		WRITE_ONCE(flow->state, VNIMESH_FLOW_ESTABLISHED);
		load(flow);
	}
	if (flags & VNIMESH_TCP_FIN) {
		/* Two directions may race; the loser's bit comes again with
		 * the retransmission, at worst the idle time applies.
		 */
		fin = READ_ONCE(flow->fin) | BIT(dir);
		WRITE_ONCE(flow->fin, fin);
		if (fin == BOTH)
			close_flow(flow);
	}
}

void vnimesh_flow_seen(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		       enum vnimesh_dir dir, u8 tcp_flags)
{
	unsigned long now = jiffies;

	/* Written only when it changes: packets of one flow on several CPUs do
	 * not fight for the line.
	 */
	if (READ_ONCE(flow->last) != now)
		WRITE_ONCE(flow->last, now);
	if (dir == VNIMESH_FORWARD)
		WRITE_ONCE(flow->packets, READ_ONCE(flow->packets) + 1);
	if (flow->link[0].tuple.proto == IPPROTO_TCP)
		seen_tcp(flow, dir, tcp_flags);
	else if (dir == VNIMESH_REVERSE &&
		 READ_ONCE(flow->state) == VNIMESH_FLOW_NEW)
		WRITE_ONCE(flow->state, VNIMESH_FLOW_ESTABLISHED);
}

static void collect(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow)
{
	/* A half-open flow loads its member for a second, not for as long as
	 * a dead client's entry lives.
	 */
	if (flow->loads && READ_ONCE(flow->state) == VNIMESH_FLOW_NEW &&
	    idle_ms(flow) > MSEC_PER_SEC)
		unload(flow);
	if (!vnimesh_flow_expires(mesh, flow) &&
	    vnimesh_flow_remove(mesh, flow))
		vnimesh_count(mesh, VNIMESH_A_STATS_FLOW_EXPIRED);
}

static void gc(struct work_struct *work)
{
	struct vnimesh_flows *flows = container_of(to_delayed_work(work),
						   struct vnimesh_flows, gc);
	struct vnimesh_flow_link *link;
	u32 i, n = min(flows->mask + 1, (u32)GC_SLICE);

	for (i = 0; i < n; i++) {
		u32 b = flows->gc_bucket++ & flows->mask;

		rcu_read_lock();
		hlist_for_each_entry_rcu(link, &flows->buckets[0][b], node)
			collect(flows->mesh, flow_of(link, VNIMESH_FORWARD));
		rcu_read_unlock();
		if (!(i % 256))
			cond_resched();
	}
	/* The whole table once in GC_INTERVAL. */
	queue_delayed_work(system_power_efficient_wq, &flows->gc,
			   max(1UL, GC_INTERVAL * n / (flows->mask + 1UL)));
}

int vnimesh_flow_walk(struct vnimesh_mesh *mesh, u32 *bucket, u32 *skip,
		      int (*fn)(struct vnimesh_mesh *mesh,
				struct vnimesh_flow *flow, void *data),
		      void *data)
{
	struct vnimesh_flows *flows = mesh->flows;
	struct vnimesh_flow_link *link;
	u32 i;
	int ret;

	for (; *bucket <= flows->mask; (*bucket)++, *skip = 0) {
		i = 0;
		rcu_read_lock();
		hlist_for_each_entry_rcu(link, &flows->buckets[0][*bucket], node) {
			if (i++ < *skip)
				continue;
			ret = fn(mesh, flow_of(link, VNIMESH_FORWARD), data);
			if (ret) {
				rcu_read_unlock();
				return ret;
			}
			(*skip)++;
		}
		rcu_read_unlock();
		if (!(*bucket % 256))
			cond_resched();
	}
	return 0;
}

int vnimesh_flow_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_flows *flows;
	u32 size, dir, i;

	flows = kvzalloc(sizeof(*flows), GFP_KERNEL);
	if (!flows)
		return -ENOMEM;
	mesh->flows = flows;
	flows->mesh = mesh;
	flows->max = mesh->flow_max;
	size = roundup_pow_of_two(flows->max);
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

static int remove_of(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		     void *client)
{
	if (flow->client == client)
		vnimesh_flow_remove(mesh, flow);
	return 0;
}

void vnimesh_flow_flush(struct vnimesh_mesh *mesh, struct vnimesh_vni *client)
{
	u32 bucket = 0, skip = 0;

	if (atomic_read(&client->flows))
		vnimesh_flow_walk(mesh, &bucket, &skip, remove_of, client);
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
	kvfree(flows->buckets[0]);
	kvfree(flows->buckets[1]);
	kvfree(flows);
	mesh->flows = NULL;
}

int __init vnimesh_flow_module_init(void)
{
	cache = KMEM_CACHE(vnimesh_flow, SLAB_HWCACHE_ALIGN);
	return cache ? 0 : -ENOMEM;
}

/* After the last rcu_barrier(). */
void vnimesh_flow_module_exit(void)
{
	kmem_cache_destroy(cache);
}
