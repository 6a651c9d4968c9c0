// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "eject.h"
#include "evidence.h"
#include "netlink.h"
#include "outs.h"
#include "trace.h"

#define EJECT_BITS	10
#define GC_INTERVAL	(10 * HZ)
#define AGAIN_MS	(2 * VNIMESH_TRIAL_PATIENCE)	/* others try first */
#define RAMP_KEEP_MS	30000	/* the choice asks how long it is back */
#define CAPPED_MS	100	/* what was refused is asked again so often */
#define GONE_BATCH	64	/* entries forgotten in one hold of the lock */
#define TELL_MS		50	/* events of one client, in the long run */
#define TELL_BURST	(16 * TELL_MS)

/* What one client, or the whole host, holds against one member at one port. */
struct entry {
	struct hlist_node node;		/* RCU */
	struct hlist_node held;		/* in member->held */
	struct vnimesh_member *member;	/* referenced */
	struct vnimesh_vni *client;	/* referenced; NULL: for all */
	struct vnimesh_outs *outs;	/* it is there; NULL: it is in */
	__be16 port;			/* of the service */
	struct vnimesh_evidence e;
	u64 back;			/* ms it passed its trial, 0: not */
	u64 capped;			/* ms until which it stays in */
	/* Those for all only: */
	struct vnimesh_vote vote;	/* a first client has put it out */
	u64 tried_at;			/* ms: somebody was to try it */
	u32 tried;			/* ... its VNI id */
	struct rcu_head rcu;
};

struct vnimesh_eject {
	spinlock_t lock;		/* BH; all of it, and what is counted */
	struct vnimesh_mesh *mesh;
	u32 n;
	struct delayed_work gc;
	struct vnimesh_outs_table outs;
	DECLARE_HASHTABLE(entries, EJECT_BITS);
};

static u64 now_ms(void)
{
	return ktime_to_ms(ktime_get());
}

static u32 bucket(const struct vnimesh_member *member,
		  const struct vnimesh_vni *client, __be16 port)
{
	return hash_ptr(member, 32) ^ hash_ptr(client, 32) ^
	       hash_32((__force u16)port, 32);
}

static struct entry *find(const struct vnimesh_eject *ej,
			  const struct vnimesh_member *member,
			  const struct vnimesh_vni *client, __be16 port)
{
	struct entry *p;

	if (client ? !READ_ONCE(member->n_private) :
		     !READ_ONCE(member->n_shared))
		return NULL;
	hash_for_each_possible_rcu(ej->entries, p, node,
				   bucket(member, client, port),
				   lockdep_is_held(&ej->lock))
		if (p->member == member && p->client == client &&
		    p->port == port)
			return p;
	return NULL;
}

static struct entry *find_private(const struct vnimesh_eject *ej,
				  const struct vnimesh_member *member,
				  const struct vnimesh_vni *client,
				  __be16 port)
{
	return client ? find(ej, member, client, port) : NULL;
}

static void free_entry(struct rcu_head *rcu)
{
	struct entry *p = container_of(rcu, struct entry, rcu);

	vnimesh_member_put(p->member);
	if (p->client)
		vnimesh_vni_put(p->client);
	kfree(p);
}

/* It is out; the place of its member is counted. False: no memory. */
static bool count_out(struct vnimesh_eject *ej, struct entry *p)
{
	if (!p->outs)
		p->outs = vnimesh_outs_add(&ej->outs, p->member->service,
					   p->client, p->port,
					   p->member->place);
	return p->outs;
}

/* It is in again, or gone. */
static void count_in(struct entry *p)
{
	if (p->outs)
		vnimesh_outs_del(p->outs, p->member->place);
	p->outs = NULL;
}

static void forget(struct vnimesh_eject *ej, struct entry *p)
{
	struct vnimesh_member *member = p->member;

	count_in(p);
	hash_del_rcu(&p->node);
	hlist_del(&p->held);
	if (p->client) {
		WRITE_ONCE(member->n_private, member->n_private - 1);
		p->client->n_private--;
	} else {
		WRITE_ONCE(member->n_shared, member->n_shared - 1);
	}
	ej->n--;
	call_rcu(&p->rcu, free_entry);
}

/* A client may hold a third of what it leaves free (each may lead to one for
 * all, and some is left then), so that a few cannot take the place of all.
 */
static bool has_room(const struct vnimesh_eject *ej,
		     const struct vnimesh_vni *client)
{
	u32 room = VNIMESH_EJECT_MAX - min_t(u32, ej->n, VNIMESH_EJECT_MAX);

	return client ? client->n_private < min_t(u32, VNIMESH_EJECT_VNI_MAX,
						  room / 3) : room;
}

/* More than its share a client forgets at once, and what is said of a member
 * that is deleted: vnimesh_eject_gone() may have been there.
 */
static struct entry *get(struct vnimesh_eject *ej,
			 struct vnimesh_member *member,
			 struct vnimesh_vni *client, __be16 port)
{
	struct entry *p = find(ej, member, client, port);

	if (p)
		return p;
	if (READ_ONCE(member->dead))
		return NULL;
	p = has_room(ej, client) ?
	    kzalloc(sizeof(*p), GFP_ATOMIC | __GFP_NOWARN) : NULL;
	if (!p) {
		vnimesh_count(ej->mesh, VNIMESH_A_STATS_EVIDENCE_LOST);
		return NULL;
	}
	/* The flow that failed holds both. */
	refcount_inc(&member->refs);
	p->member = member;
	p->port = port;
	if (client) {
		refcount_inc(&client->refs);
		p->client = client;
		client->n_private++;
		WRITE_ONCE(member->n_private, member->n_private + 1);
	} else {
		WRITE_ONCE(member->n_shared, member->n_shared + 1);
	}
	hash_add_rcu(ej->entries, &p->node, bucket(member, client, port));
	hlist_add_head(&p->held, &member->held);
	if (!ej->n++)
		queue_delayed_work(system_power_efficient_wq, &ej->gc,
				   GC_INTERVAL);
	return p;
}

/* What the choice needs, read beside a writer: at worst one flow more or less
 * goes there.
 */
static enum vnimesh_standing ask(const struct entry *p, u64 now)
{
	struct vnimesh_evidence copy;

	if (!p)
		return VNIMESH_STANDING_IN;
	copy.standing = READ_ONCE(p->e.standing);
	copy.until = READ_ONCE(p->e.until);
	return vnimesh_evidence_ask(&copy, now);
}

/* A client that had its trial and let it go by leaves the next one to others
 * for a while: it could keep them all from trying.
 */
static bool had_trial(const struct entry *all, const struct vnimesh_vni *client,
		      u64 now)
{
	return client && READ_ONCE(all->tried) == client->id &&
	       now < READ_ONCE(all->tried_at) + AGAIN_MS;
}

static bool out_for_all(const struct entry *all,
			const struct vnimesh_vni *client, u64 now)
{
	switch (ask(all, now)) {
	case VNIMESH_STANDING_IN:
		return false;
	case VNIMESH_STANDING_OUT:
		return true;
	default:
		return had_trial(all, client, now);
	}
}

bool vnimesh_eject_active(const struct vnimesh_mesh *mesh,
			  const struct vnimesh_member *member,
			  const struct vnimesh_vni *client, __be16 port)
{
	const struct vnimesh_eject *ej = mesh->eject;
	u64 now;

	if (!READ_ONCE(member->n_shared) && !READ_ONCE(member->n_private))
		return false;
	now = now_ms();
	return out_for_all(find(ej, member, NULL, port), client, now) ||
	       ask(find_private(ej, member, client, port), now) ==
	       VNIMESH_STANDING_OUT;
}

static u32 since(u64 now, u64 then)
{
	return then ? min_t(u64, now - then, ~0U) : ~0U;
}

static u32 left(u64 until, u64 now)
{
	return until > now ? until - now : 0;
}

u32 vnimesh_eject_left(const struct vnimesh_member *member)
{
	return left(READ_ONCE(member->out_until), now_ms());
}

static void view_entry(const struct entry *p, u64 now,
		       struct vnimesh_penalty *view)
{
	if (READ_ONCE(p->e.standing) != VNIMESH_STANDING_IN)
		view->left = max(view->left, left(READ_ONCE(p->e.until), now));
	view->back = min(view->back, since(now, READ_ONCE(p->back)));
	view->n = max(view->n, READ_ONCE(p->e.n));
}

void vnimesh_eject_view(const struct vnimesh_mesh *mesh,
			const struct vnimesh_member *member,
			const struct vnimesh_vni *client, __be16 port,
			struct vnimesh_penalty *view)
{
	const struct entry *all, *own;
	u64 now = now_ms();

	*view = (struct vnimesh_penalty){ .back = ~0U };
	all = find(mesh->eject, member, NULL, port);
	if (all) {
		view->all = out_for_all(all, client, now);
		view_entry(all, now, view);
	}
	own = find_private(mesh->eject, member, client, port);
	if (own) {
		view->sum = READ_ONCE(own->e.connect) + READ_ONCE(own->e.early);
		view_entry(own, now, view);
	}
	view->active = view->all || ask(own, now) == VNIMESH_STANDING_OUT;
}

/* Under the lock. False: another one's trial runs. */
static bool claim(struct entry *p, const struct vnimesh_vni *client, u64 now)
{
	/* Out and chosen nonetheless: too many are out. That is no trial. */
	if (vnimesh_evidence_ask(&p->e, now) != VNIMESH_STANDING_TRIAL)
		return p->e.standing != VNIMESH_STANDING_TRIAL;
	vnimesh_evidence_claim(&p->e, now);
	WRITE_ONCE(p->tried, client->id);
	WRITE_ONCE(p->tried_at, now);
	return true;
}

bool vnimesh_eject_claim(struct vnimesh_mesh *mesh,
			 struct vnimesh_member *member,
			 struct vnimesh_vni *client, __be16 port)
{
	struct vnimesh_eject *ej = mesh->eject;
	struct entry *all, *own;
	bool mine = true;
	u64 now;

	if (!find(ej, member, NULL, port) && !find(ej, member, client, port))
		return true;
	now = now_ms();
	spin_lock_bh(&ej->lock);
	all = find(ej, member, NULL, port);
	if (all)
		mine = claim(all, client, now);
	own = find(ej, member, client, port);
	if (own)
		mine &= claim(own, client, now);
	spin_unlock_bh(&ej->lock);
	return mine;
}

/* At most half of a service is put out, or one: when more than that fails, the
 * fault is more likely here. Under the lock; RCU.
 */
static bool may_eject(const struct vnimesh_eject *ej, const struct entry *p)
{
	const struct vnimesh_service *service = p->member->service;
	const struct vnimesh_outs *all, *own = NULL;
	u32 n = rcu_dereference(service->set)->n;

	all = vnimesh_outs_find(&ej->outs, service, NULL, p->port);
	if (p->client)
		own = vnimesh_outs_find(&ej->outs, service, p->client, p->port);
	return vnimesh_outs_others(all, own, p->member->place) < max(1U, n / 2);
}

/* Under the lock. Returns the length of the penalty, 0: none. */
static u32 eject(struct vnimesh_eject *ej, struct entry *p, u64 now)
{
	u32 longest = READ_ONCE(ej->mesh->set.eject_max) * MSEC_PER_SEC;

	if (!longest || now < p->capped)
		return 0;
	if (!may_eject(ej, p)) {
		p->capped = now + CAPPED_MS;
		vnimesh_count(ej->mesh, VNIMESH_A_STATS_EJECT_CAPPED);
		return 0;
	}
	if (!count_out(ej, p)) {
		vnimesh_count(ej->mesh, VNIMESH_A_STATS_EVIDENCE_LOST);
		return 0;
	}
	WRITE_ONCE(p->back, 0);
	vnimesh_count(ej->mesh, p->client ? VNIMESH_A_STATS_EJECT_PRIVATE :
					    VNIMESH_A_STATS_EJECT);
	return vnimesh_evidence_eject(&p->e, now, longest, get_random_u32());
}

/* Under the lock. A client has put the member out for itself; two make it so
 * for all, and must both speak anew for the next time.
 */
static u32 confirm(struct vnimesh_eject *ej, const struct entry *own, u64 sent,
		   u64 now)
{
	struct vnimesh_member *member = own->member;
	struct entry *p = get(ej, member, NULL, own->port);
	u32 id = own->client->id, ms;

	if (!p || (p->e.standing == VNIMESH_STANDING_OUT &&
		   now < p->e.until))
		return 0;
	if (!vnimesh_vote_cast(&p->vote, id,
			       p->e.standing == VNIMESH_STANDING_IN, now)) {
		/* Its trial is over; the next one is another client's. */
		if (p->e.standing == VNIMESH_STANDING_TRIAL && p->tried == id)
			WRITE_ONCE(p->e.until, now);
		return 0;
	}
	vnimesh_evidence_bad(&p->e, VNIMESH_EVIDENCE_REFUSED, sent, now);
	ms = eject(ej, p, now);
	if (ms) {
		WRITE_ONCE(member->ejections, member->ejections + 1);
		WRITE_ONCE(member->out_until, p->e.until);
	}
	return ms;
}

static void tell(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		 u8 type, u8 kind, bool all, u32 ms)
{
	const struct vnimesh_evidence_event event = {
		.type = type,
		.kind = kind,
		.member = flow->member,
		.client = all ? NULL : flow->client,
		.port = flow->link[VNIMESH_FORWARD].tuple.dport,
		.ms = ms,
	};

	vnimesh_netlink_evidence(mesh, &event);
}

/* One client cannot flood who watches: ->told is when all that it had told is
 * paid for. What lies further ahead than could be owed is from before the clock
 * went round.
 */
static bool may_tell(struct vnimesh_mesh *mesh, struct vnimesh_vni *client,
		     u32 now)
{
	u32 told = READ_ONCE(client->told), ahead;

	ahead = (s32)(told - now) > 0 ? told - now : 0;
	if (ahead > TELL_BURST + TELL_MS)
		ahead = 0;
	if (ahead < TELL_BURST &&
	    cmpxchg(&client->told, told, now + ahead + TELL_MS) == told)
		return true;
	vnimesh_count(mesh, VNIMESH_A_STATS_EVENT_LIMITED);
	return false;
}

static u8 weight_of(enum vnimesh_evidence_kind kind)
{
	switch (kind) {
	case VNIMESH_EVIDENCE_KIND_SILENCE:
		return VNIMESH_EVIDENCE_SILENT;
	case VNIMESH_EVIDENCE_KIND_RESET:
		return VNIMESH_EVIDENCE_RESET;
	default:
		return VNIMESH_EVIDENCE_REFUSED;
	}
}

/* ms when the flow went to its member. */
static u64 sent_ms(u32 sent, u64 now)
{
	u32 age = ((u32)ktime_to_us(ktime_get()) - sent) / USEC_PER_MSEC;

	return now > age ? now - age : 0;
}

static bool is_clean(const struct entry *p, u64 now)
{
	return vnimesh_evidence_clean(&p->e, now) &&
	       !vnimesh_vote_pending(&p->vote, now) &&
	       (!p->back || now > p->back + RAMP_KEEP_MS);
}

void vnimesh_eject_bad(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		       enum vnimesh_evidence_kind kind, u32 clock)
{
	__be16 port = flow->link[VNIMESH_FORWARD].tuple.dport;
	u64 now = now_ms(), sent = sent_ms(clock, now);
	struct vnimesh_eject *ej = mesh->eject;
	u32 own = 0, all = 0;
	struct entry *p;

	vnimesh_count(mesh, VNIMESH_A_STATS_EVIDENCE);
	spin_lock_bh(&ej->lock);
	p = get(ej, flow->member, flow->client, port);
	if (p && vnimesh_evidence_bad(&p->e, weight_of(kind), sent, now))
		own = eject(ej, p, now);
	/* A server resets who talks nonsense: that is between the two. */
	if (own && kind != VNIMESH_EVIDENCE_KIND_RESET)
		all = confirm(ej, p, sent, now);
	spin_unlock_bh(&ej->lock);

	if (own)
		trace_vnimesh_eject(mesh, flow->member, flow->client->id, kind,
				    own);
	if (all)
		trace_vnimesh_eject(mesh, flow->member, 0, kind, all);
	if (may_tell(mesh, flow->client, now))
		tell(mesh, flow, own ? VNIMESH_EVENT_EJECTED :
		     VNIMESH_EVENT_EVIDENCE, kind, false, own);
	if (all)
		tell(mesh, flow, VNIMESH_EVENT_EJECTED, kind, true, all);
}

/* Under the lock. True: it is in again. */
static bool clear(struct vnimesh_eject *ej, struct entry *p, bool byte, u64 now)
{
	bool back;

	if (!p)
		return false;
	back = vnimesh_evidence_good(&p->e, byte, now);
	vnimesh_vote_withdraw(&p->vote);
	if (back) {
		count_in(p);
		WRITE_ONCE(p->back, now);
		WRITE_ONCE(p->tried, 0);
		if (!p->client)
			WRITE_ONCE(p->member->out_until, 0);
	}
	if (is_clean(p, now))
		forget(ej, p);
	return back;
}

static void returned(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		     bool all)
{
	vnimesh_count(mesh, VNIMESH_A_STATS_EJECT_BACK);
	trace_vnimesh_eject(mesh, flow->member, all ? 0 : flow->client->id, 0,
			    0);
	tell(mesh, flow, VNIMESH_EVENT_RETURNED, 0, all, 0);
}

void vnimesh_eject_good(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
			bool byte)
{
	__be16 port = flow->link[VNIMESH_FORWARD].tuple.dport;
	struct vnimesh_member *member = flow->member;
	struct vnimesh_eject *ej = mesh->eject;
	bool own, all;
	u64 now;

	if (!find(ej, member, NULL, port) &&
	    !find(ej, member, flow->client, port))
		return;
	now = now_ms();
	spin_lock_bh(&ej->lock);
	own = clear(ej, find(ej, member, flow->client, port), byte, now);
	all = clear(ej, find(ej, member, NULL, port), byte, now);
	spin_unlock_bh(&ej->lock);
	/* One answer may end both penalties, and who watches saw both begin. */
	if (own)
		returned(mesh, flow, false);
	if (all)
		returned(mesh, flow, true);
}

void vnimesh_eject_gone(struct vnimesh_mesh *mesh,
			struct vnimesh_member *member)
{
	struct vnimesh_eject *ej = mesh->eject;
	struct hlist_node *tmp;
	struct entry *p;
	bool more = ej;
	int n;

	while (more) {
		n = 0;
		spin_lock_bh(&ej->lock);
		hlist_for_each_entry_safe(p, tmp, &member->held, held) {
			if (n++ == GONE_BATCH)
				break;
			forget(ej, p);
		}
		more = !hlist_empty(&member->held);
		spin_unlock_bh(&ej->lock);
	}
}

u32 vnimesh_eject_clients(const struct vnimesh_member *member)
{
	return READ_ONCE(member->n_private);
}

static void gc(struct work_struct *work)
{
	struct vnimesh_eject *ej = container_of(to_delayed_work(work),
						struct vnimesh_eject, gc);
	struct hlist_node *tmp;
	struct entry *p;
	u64 now = now_ms();
	int i;

	for (i = 0; i < HASH_SIZE(ej->entries); i++) {
		spin_lock_bh(&ej->lock);
		hlist_for_each_entry_safe(p, tmp, &ej->entries[i], node)
			if (is_clean(p, now))
				forget(ej, p);
		spin_unlock_bh(&ej->lock);
	}
	spin_lock_bh(&ej->lock);
	if (ej->n)
		queue_delayed_work(system_power_efficient_wq, &ej->gc,
				   GC_INTERVAL);
	spin_unlock_bh(&ej->lock);
}

int vnimesh_eject_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_eject *ej = kzalloc(sizeof(*ej), GFP_KERNEL_ACCOUNT);

	if (!ej)
		return -ENOMEM;
	spin_lock_init(&ej->lock);
	hash_init(ej->entries);
	vnimesh_outs_init(&ej->outs);
	INIT_DELAYED_WORK(&ej->gc, gc);
	ej->mesh = mesh;
	mesh->eject = ej;
	return 0;
}

void vnimesh_eject_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_eject *ej = mesh->eject;
	struct hlist_node *tmp;
	struct entry *p;
	int i;

	if (!ej)
		return;
	cancel_delayed_work_sync(&ej->gc);
	spin_lock_bh(&ej->lock);
	hash_for_each_safe(ej->entries, i, tmp, p, node)
		forget(ej, p);
	spin_unlock_bh(&ej->lock);
	kfree(ej);
	mesh->eject = NULL;
}
