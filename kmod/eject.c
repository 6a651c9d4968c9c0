// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "eject.h"
#include "netlink.h"

#define EJECT_BITS	8
#define GC_INTERVAL	(10 * HZ)
#define CONFIRM_MS	60000	/* a second client's word is about the same */
#define AGAIN_MS	60000	/* a trial without a result: let others try */
#define CAPPED_MS	100	/* count the members of a service so often */
#define TELL_MS		50	/* events of one client, in the long run */
#define TELL_BURST	(16 * TELL_MS)

/* What one client holds against one member. */
struct private {
	struct hlist_node node;		/* RCU */
	struct vnimesh_member *member;	/* referenced */
	struct vnimesh_vni *client;	/* referenced */
	struct vnimesh_evidence e;
	u64 back;			/* ms it passed its trial, 0: not */
	u64 capped;			/* ms until which it is not counted */
	struct rcu_head rcu;
};

struct vnimesh_eject {
	spinlock_t lock;		/* BH; all of it, and member->eject */
	struct vnimesh_mesh *mesh;
	u32 n;
	struct delayed_work gc;
	DECLARE_HASHTABLE(entries, EJECT_BITS);
};

static u64 now_ms(void)
{
	return ktime_to_ms(ktime_get());
}

static u32 bucket(const struct vnimesh_member *member,
		  const struct vnimesh_vni *client)
{
	return hash_ptr(member, 32) ^ hash_ptr(client, 32);
}

static struct private *find(const struct vnimesh_eject *ej,
			    const struct vnimesh_member *member,
			    const struct vnimesh_vni *client)
{
	struct private *p;

	if (!client || !READ_ONCE(member->n_private))
		return NULL;
	hash_for_each_possible_rcu(ej->entries, p, node,
				   bucket(member, client),
				   lockdep_is_held(&ej->lock))
		if (p->member == member && p->client == client)
			return p;
	return NULL;
}

static void free_private(struct rcu_head *rcu)
{
	struct private *p = container_of(rcu, struct private, rcu);

	vnimesh_member_put(p->member);
	vnimesh_vni_put(p->client);
	kfree(p);
}

static void forget(struct vnimesh_eject *ej, struct private *p)
{
	hash_del_rcu(&p->node);
	WRITE_ONCE(p->member->n_private, p->member->n_private - 1);
	p->client->n_private--;
	ej->n--;
	call_rcu(&p->rcu, free_private);
}

/* A client has its share; more than that it forgets at once. */
static struct private *get(struct vnimesh_eject *ej,
			   struct vnimesh_member *member,
			   struct vnimesh_vni *client)
{
	struct private *p = find(ej, member, client);

	if (p)
		return p;
	if (ej->n >= VNIMESH_EJECT_MAX ||
	    client->n_private >= VNIMESH_EJECT_VNI_MAX)
		return NULL;
	p = kzalloc(sizeof(*p), GFP_ATOMIC | __GFP_NOWARN);
	if (!p)
		return NULL;
	/* The flow that failed holds both. */
	refcount_inc(&member->refs);
	p->member = member;
	refcount_inc(&client->refs);
	p->client = client;
	client->n_private++;
	WRITE_ONCE(member->n_private, member->n_private + 1);
	hash_add_rcu(ej->entries, &p->node, bucket(member, client));
	if (!ej->n++)
		queue_delayed_work(system_power_efficient_wq, &ej->gc,
				   GC_INTERVAL);
	return p;
}

/* What the choice needs, read beside a writer: at worst one flow more or less
 * goes there.
 */
static void peek(struct vnimesh_evidence *to, const struct vnimesh_evidence *e)
{
	to->standing = READ_ONCE(e->standing);
	to->until = READ_ONCE(e->until);
	to->port = READ_ONCE(e->port);
}

static enum vnimesh_standing ask(const struct vnimesh_evidence *e, __be16 port,
				 u64 now)
{
	struct vnimesh_evidence copy;

	peek(&copy, e);
	return vnimesh_evidence_ask(&copy, (__force u16)port, now);
}

/* A client that had its trial and let it go by is not asked again soon: it
 * could keep all others from trying.
 */
static bool had_trial(const struct vnimesh_ejected *x,
		      const struct vnimesh_vni *client, u64 now)
{
	return client && READ_ONCE(x->tried) == client->id &&
	       now < READ_ONCE(x->tried_at) + AGAIN_MS;
}

static bool out_for_all(const struct vnimesh_member *member,
			const struct vnimesh_vni *client, __be16 port, u64 now)
{
	const struct vnimesh_ejected *x = &member->ejected;

	switch (ask(&x->e, port, now)) {
	case VNIMESH_STANDING_IN:
		return false;
	case VNIMESH_STANDING_OUT:
		return true;
	default:
		return had_trial(x, client, now);
	}
}

bool vnimesh_eject_active(const struct vnimesh_mesh *mesh,
			  const struct vnimesh_member *member,
			  const struct vnimesh_vni *client, __be16 port)
{
	const struct private *p;
	u64 now;

	if (!READ_ONCE(member->penalized) && !READ_ONCE(member->n_private))
		return false;
	now = now_ms();
	if (READ_ONCE(member->penalized) &&
	    out_for_all(member, client, port, now))
		return true;
	p = find(mesh->eject, member, client);
	return p && ask(&p->e, port, now) == VNIMESH_STANDING_OUT;
}

static u32 since(u64 now, u64 then)
{
	return then ? min_t(u64, now - then, ~0U) : ~0U;
}

static u32 left(const struct vnimesh_evidence *e, u64 now)
{
	u64 until = READ_ONCE(e->until);

	return READ_ONCE(e->standing) != VNIMESH_STANDING_IN && until > now ?
	       until - now : 0;
}

void vnimesh_eject_view(const struct vnimesh_mesh *mesh,
			const struct vnimesh_member *member,
			const struct vnimesh_vni *client, __be16 port,
			struct vnimesh_penalty *view)
{
	const struct vnimesh_ejected *x = &member->ejected;
	const struct private *p;
	u64 now = now_ms();

	*view = (struct vnimesh_penalty){
		.left = left(&x->e, now),
		.back = since(now, READ_ONCE(x->back)),
		.n = READ_ONCE(x->e.n),
	};
	view->all = READ_ONCE(member->penalized) &&
		    out_for_all(member, client, port, now);
	view->active = view->all;
	p = find(mesh->eject, member, client);
	if (!p)
		return;
	view->active |= ask(&p->e, port, now) == VNIMESH_STANDING_OUT;
	view->left = max(view->left, left(&p->e, now));
	view->back = min(view->back, since(now, READ_ONCE(p->back)));
	view->sum = READ_ONCE(p->e.connect) + READ_ONCE(p->e.early);
	view->n = max(view->n, READ_ONCE(p->e.n));
}

bool vnimesh_eject_claim(struct vnimesh_mesh *mesh,
			 struct vnimesh_member *member,
			 struct vnimesh_vni *client, __be16 port)
{
	struct vnimesh_ejected *x = &member->ejected;
	struct vnimesh_eject *ej = mesh->eject;
	u16 raw = (__force u16)port;
	struct private *p;
	bool mine = true;
	u64 now;

	if (!READ_ONCE(member->penalized) && !READ_ONCE(member->n_private))
		return true;
	now = now_ms();
	spin_lock_bh(&ej->lock);
	p = find(ej, member, client);
	/* Out and chosen nonetheless: too many are out. That is no trial. */
	if (vnimesh_evidence_ask(&x->e, raw, now) == VNIMESH_STANDING_TRIAL) {
		vnimesh_evidence_claim(&x->e, now);
		WRITE_ONCE(x->tried, client->id);
		WRITE_ONCE(x->tried_at, now);
	} else if (x->e.standing == VNIMESH_STANDING_TRIAL) {
		mine = false;
	}
	if (p && vnimesh_evidence_ask(&p->e, raw, now) ==
		 VNIMESH_STANDING_TRIAL)
		vnimesh_evidence_claim(&p->e, now);
	else if (p && p->e.standing == VNIMESH_STANDING_TRIAL)
		mine = false;
	spin_unlock_bh(&ej->lock);
	return mine;
}

/* At most half of a service is put out, or one: when more than that fails, the
 * fault is more likely here. Under the lock; RCU.
 */
static bool may_eject(const struct vnimesh_eject *ej,
		      const struct vnimesh_member *member,
		      const struct vnimesh_vni *client, u64 now)
{
	const struct vnimesh_member_set *set;
	const struct private *p;
	u32 out = 0, i;

	set = rcu_dereference(member->service->set);
	for (i = 0; i < set->n; i++) {
		const struct vnimesh_member *m = set->m[i];

		if (m == member)
			continue;
		p = find(ej, m, client);
		out += m->ejected.e.standing != VNIMESH_STANDING_IN ||
		       (p && p->e.standing != VNIMESH_STANDING_IN);
	}
	return out < max(1U, set->n / 2);
}

static u32 longest(const struct vnimesh_eject *ej)
{
	return READ_ONCE(ej->mesh->set.eject_max) * MSEC_PER_SEC;
}

/* Under the lock. A client has put the member out for itself; two make it so
 * for all, and must both speak anew for the next time.
 */
static u32 confirm(struct vnimesh_eject *ej, struct vnimesh_member *member,
		   const struct vnimesh_vni *client, u16 port, u64 sent,
		   u64 now)
{
	struct vnimesh_ejected *x = &member->ejected;

	if (x->e.standing == VNIMESH_STANDING_OUT && now < x->e.until)
		return 0;
	if (!x->vote || x->vote == client->id || now > x->voted + CONFIRM_MS ||
	    (port && x->vote_port && port != x->vote_port)) {
		x->vote = client->id;
		x->vote_port = port;
		x->voted = now;
		/* Its trial is over; the next one is another client's. */
		if (x->e.standing == VNIMESH_STANDING_TRIAL &&
		    x->tried == client->id)
			WRITE_ONCE(x->e.until, now);
		return 0;
	}
	x->vote = 0;
	if (!may_eject(ej, member, NULL, now)) {
		vnimesh_count(ej->mesh, VNIMESH_A_STATS_EJECT_CAPPED);
		return 0;
	}
	vnimesh_evidence_bad(&x->e, VNIMESH_EVIDENCE_REFUSED, port, sent, now);
	WRITE_ONCE(member->penalized, 1);
	WRITE_ONCE(x->ejections, x->ejections + 1);
	WRITE_ONCE(x->back, 0);
	vnimesh_count(ej->mesh, VNIMESH_A_STATS_EJECT);
	return vnimesh_evidence_eject(&x->e, now, longest(ej),
				      get_random_u32());
}

/* Under the lock. Returns the length of the penalty, 0: none. */
static u32 eject(struct vnimesh_eject *ej, struct private *p, u64 now)
{
	if (!longest(ej) || now < p->capped)
		return 0;
	if (!may_eject(ej, p->member, p->client, now)) {
		p->capped = now + CAPPED_MS;
		vnimesh_count(ej->mesh, VNIMESH_A_STATS_EJECT_CAPPED);
		return 0;
	}
	WRITE_ONCE(p->back, 0);
	vnimesh_count(ej->mesh, VNIMESH_A_STATS_EJECT_PRIVATE);
	return vnimesh_evidence_eject(&p->e, now, longest(ej),
				      get_random_u32());
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
 * paid for.
 */
static bool may_tell(struct vnimesh_mesh *mesh, struct vnimesh_vni *client,
		     u32 now)
{
	u32 told = READ_ONCE(client->told), ahead;

	ahead = (s32)(told - now) > 0 ? told - now : 0;
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

void vnimesh_eject_bad(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		       enum vnimesh_evidence_kind kind, u32 clock)
{
	struct vnimesh_eject *ej = mesh->eject;
	u64 now = now_ms(), sent = sent_ms(clock, now);
	u32 own = 0, all = 0;
	struct private *p;
	u16 port = 0;

	/* Who says nothing says nothing on any port. */
	if (kind == VNIMESH_EVIDENCE_KIND_REFUSED ||
	    kind == VNIMESH_EVIDENCE_KIND_RESET)
		port = (__force u16)flow->link[VNIMESH_FORWARD].tuple.dport;
	vnimesh_count(mesh, VNIMESH_A_STATS_EVIDENCE);
	spin_lock_bh(&ej->lock);
	p = get(ej, flow->member, flow->client);
	if (!p)
		vnimesh_count(mesh, VNIMESH_A_STATS_EVIDENCE_LOST);
	else if (vnimesh_evidence_bad(&p->e, weight_of(kind), port, sent, now))
		own = eject(ej, p, now);
	if (own)
		all = confirm(ej, flow->member, flow->client, p->e.port, sent,
			      now);
	spin_unlock_bh(&ej->lock);

	if (may_tell(mesh, flow->client, now))
		tell(mesh, flow, own ? VNIMESH_EVENT_EJECTED :
		     VNIMESH_EVENT_EVIDENCE, kind, false, own);
	if (all)
		tell(mesh, flow, VNIMESH_EVENT_EJECTED, kind, true, all);
}

void vnimesh_eject_good(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
			bool byte)
{
	struct vnimesh_member *member = flow->member;
	struct vnimesh_ejected *x = &member->ejected;
	struct vnimesh_eject *ej = mesh->eject;
	bool own = false, all = false;
	struct private *p;
	u64 now;

	if (!READ_ONCE(member->penalized) && !READ_ONCE(member->n_private))
		return;
	now = now_ms();
	spin_lock_bh(&ej->lock);
	p = find(ej, member, flow->client);
	if (p) {
		own = vnimesh_evidence_good(&p->e, byte, now);
		if (own)
			WRITE_ONCE(p->back, now);
		if (vnimesh_evidence_clean(&p->e, now))
			forget(ej, p);
	}
	if (member->penalized && vnimesh_evidence_good(&x->e, byte, now)) {
		all = true;
		x->vote = 0;
		WRITE_ONCE(member->penalized, 0);
		WRITE_ONCE(x->tried, 0);
		WRITE_ONCE(x->back, now);
	}
	spin_unlock_bh(&ej->lock);
	if (own || all) {
		vnimesh_count(mesh, VNIMESH_A_STATS_EJECT_BACK);
		tell(mesh, flow, VNIMESH_EVENT_RETURNED, 0, all, 0);
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
	struct private *p;
	u64 now = now_ms();
	int i;

	for (i = 0; i < HASH_SIZE(ej->entries); i++) {
		spin_lock_bh(&ej->lock);
		hlist_for_each_entry_safe(p, tmp, &ej->entries[i], node)
			if (vnimesh_evidence_clean(&p->e, now))
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
	INIT_DELAYED_WORK(&ej->gc, gc);
	ej->mesh = mesh;
	mesh->eject = ej;
	return 0;
}

void vnimesh_eject_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_eject *ej = mesh->eject;
	struct hlist_node *tmp;
	struct private *p;
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
