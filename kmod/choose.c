// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "choose.h"
#include "eject.h"
#include "liveness.h"
#include "trace.h"

/* A large service is counted at most so often; until then the old count serves,
 * and only the share of tiers and the sampling are behind: each candidate is
 * looked at as it is now.
 */
#define COUNT_LEAST	(HZ / 100 ?: 1)
/* Latencies and slow start change a count by themselves. */
#define COUNT_MOST	HZ
#define COUNT_RAMPING	(HZ / 4)

static u8 exclude(struct vnimesh_mesh *mesh,
		  const struct vnimesh_choose_args *args,
		  const struct vnimesh_member *m)
{
	const struct vnimesh_vni *vni = m->vni;
	const struct vnimesh_node *node = vni->node;

	if (m == args->avoid[0] || m == args->avoid[1])
		return VNIMESH_EXCLUDE_AVOID;
	if (!vnimesh_vni_ip(vni, args->tuple->family))
		return VNIMESH_EXCLUDE_FAMILY;
	if (READ_ONCE(m->state) != VNIMESH_STATE_UP || READ_ONCE(m->dead))
		return VNIMESH_EXCLUDE_MEMBER_STATE;
	if (!READ_ONCE(m->health))
		return VNIMESH_EXCLUDE_MEMBER_HEALTH;
	if (!READ_ONCE(m->weight))
		return VNIMESH_EXCLUDE_WEIGHT;
	if (READ_ONCE(vni->state) != VNIMESH_STATE_UP || READ_ONCE(vni->dead) ||
	    (node->self && !READ_ONCE(vni->dev_up)))
		return VNIMESH_EXCLUDE_VNI_STATE;
	if (!READ_ONCE(vni->health))
		return VNIMESH_EXCLUDE_VNI_HEALTH;
	if (READ_ONCE(node->state) != VNIMESH_STATE_UP || READ_ONCE(node->dead))
		return VNIMESH_EXCLUDE_NODE_STATE;
	if (vnimesh_eject_active(mesh, m, args->client, args->tuple->dport))
		return VNIMESH_EXCLUDE_EJECTED;
	return VNIMESH_EXCLUDE_NONE;
}

static u32 since(u32 risen)
{
	return risen ? vnimesh_tick_age(vnimesh_tick(), risen) : U32_MAX;
}

/* ms since it came up, or passed its trial. */
static u32 ramp(struct vnimesh_mesh *mesh,
		const struct vnimesh_choose_args *args,
		const struct vnimesh_member *m)
{
	struct vnimesh_penalty p = { .back = U32_MAX };
	u32 ms;

	ms = min(since(READ_ONCE(m->risen)), since(READ_ONCE(m->vni->risen)));
	ms = min(ms, since(READ_ONCE(m->vni->node->risen)));
	if (READ_ONCE(m->n_shared) || READ_ONCE(m->n_private))
		vnimesh_eject_view(mesh, m, args->client, args->tuple->dport,
				   &p);
	ms = min(ms, p.back);
	return ms < VNIMESH_RAMP_MS ? ms : VNIMESH_RAMP_NONE;
}

void vnimesh_choose_snapshot(struct vnimesh_mesh *mesh,
			     const struct vnimesh_choose_args *args,
			     const struct vnimesh_member *member,
			     struct vnimesh_candidate *c)
{
	u64 by = args->client ? args->client->id : args->by;
	const struct vnimesh_vni *vni = member->vni;
	u32 now = vnimesh_tick();

	c->path = READ_ONCE(vni->latency) ?: READ_ONCE(vni->node->latency);
	c->lp = c->path + READ_ONCE(member->latency);
	c->lp_kind = READ_ONCE(member->latency_kind);
	c->lk = vnimesh_figure_of(&member->handshake, by, now, &c->lk_age);
	c->lr = vnimesh_figure_of(&member->response, by, now, &c->lr_age);
	c->inflight = max(atomic_read(&member->inflight), 0);
	c->weight = READ_ONCE(member->weight);
	c->ramp = ramp(mesh, args, member);
	c->health = min(READ_ONCE(member->health), READ_ONCE(vni->health));
	c->locality = READ_ONCE(vni->node->locality);
	c->priority = READ_ONCE(member->priority);
	c->stale = READ_ONCE(member->stale);
	c->excluded = exclude(mesh, args, member);
}

/* Where the candidates of a choice come from. */
struct source {
	struct vnimesh_mesh *mesh;
	const struct vnimesh_choose_args *args;
	const struct vnimesh_member_set *set;
	const struct vnimesh_maglev *maglev;
};

static struct vnimesh_member *member_of(const struct source *source, u32 i)
{
	return i < source->set->n ? source->set->m[i] :
				    source->maglev->m[i - source->set->n];
}

static void get(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	const struct source *source = ctx;

	vnimesh_choose_snapshot(source->mesh, source->args,
				member_of(source, i), c);
}

static void start(struct vnimesh_candidates *all, const struct source *source)
{
	const struct vnimesh_service *service = source->args->service;

	all->get = get;
	all->ctx = (void *)source;
	all->n = source->set->n;
	all->policy = READ_ONCE(service->policy);
	all->load = READ_ONCE(service->load);
	all->udp = source->args->tuple->proto == IPPROTO_UDP;
}

static bool current_count(struct vnimesh_mesh *mesh,
			  const struct vnimesh_service *service,
			  const struct vnimesh_count *count)
{
	unsigned long most = count->agg.ramping ? COUNT_RAMPING : COUNT_MOST;

	return count->liveness == vnimesh_liveness(mesh) &&
	       count->changed == (u32)atomic_read(&service->changed) &&
	       jiffies - count->stamp < most;
}

static const struct vnimesh_figure *figure_of(const struct vnimesh_member *m,
					      u8 kind)
{
	return kind == VNIMESH_LATENCY_RESPONSE ? &m->response : &m->handshake;
}

/* The VNI whose are most of the highest figures of @kind, or 0: who is left when each
 * pair of two is struck out (Boyer and Moore 1981), if it is so.
 */
static u32 most_by(const struct vnimesh_member_set *set, u8 kind)
{
	const struct vnimesh_figure *figure;
	u32 i, by = 0, lead = 0, all = 0, n = 0;

	for (i = 0; i < set->n; i++) {
		figure = figure_of(set->m[i], kind);
		if (!READ_ONCE(figure->us))
			continue;
		all++;
		if (!lead)
			by = READ_ONCE(figure->by);
		lead += READ_ONCE(figure->by) == by ? 1 : -1;
	}
	for (i = 0; lead && i < set->n; i++) {
		figure = figure_of(set->m[i], kind);
		n += READ_ONCE(figure->us) && READ_ONCE(figure->by) == by;
	}
	return n * 2 > all ? by : 0;
}

/* Its own figures tell a client what is fast, but not its neighbours: they would
 * compare what they do not see. So who measured most has a view of its own.
 */
static void count_own(struct vnimesh_count *count, const struct source *source,
		      struct vnimesh_choose_args *args)
{
	struct vnimesh_candidates all;

	args->by = 0;
	start(&all, source);
	vnimesh_aggregate_view(&all, &count->own);
	count->by = most_by(source->set, count->own.kind);
}

/* Counts for nobody in particular: what one client holds against a member does
 * not move the shares of all, nor does what it alone has measured.
 */
static struct vnimesh_count *count_anew(const struct source *source,
					const struct vnimesh_count *old)
{
	struct vnimesh_choose_args args = {
		.service = source->args->service,
		.by = VNIMESH_FIGURE_REST,
		.tuple = source->args->tuple,
	};
	struct source all_of = *source;
	u32 n = source->set->n <= VNIMESH_SCAN_MAX ? 0 : source->set->n;
	struct vnimesh_candidates all;
	struct vnimesh_count *count;

	count = kmalloc(struct_size(count, order, n), GFP_ATOMIC | __GFP_NOWARN);
	if (!count)
		return NULL;
	count->n = n;
	count->stamp = jiffies;
	/* Before the members are read: what changes meanwhile counts again. */
	count->liveness = vnimesh_liveness(source->mesh);
	count->changed = atomic_read_acquire(&args.service->changed);
	all_of.args = &args;
	start(&all, &all_of);
	vnimesh_aggregate(&all, old ? &old->agg : NULL,
			  n ? count->order : NULL, &count->agg);
	count_own(count, &all_of, &args);
	return count;
}

static struct vnimesh_count __rcu **place(const struct vnimesh_choose_args *args)
{
	struct vnimesh_service *service = (struct vnimesh_service *)args->service;

	return &service->counts[args->tuple->family == AF_INET6];
}

/* RCU. What is known of all candidates, counted anew if need be by one CPU at a
 * time. NULL: never counted, and there is no memory.
 */
static const struct vnimesh_count *counted(const struct source *source)
{
	struct vnimesh_service *service;
	struct vnimesh_count __rcu **at = place(source->args);
	struct vnimesh_count *count = rcu_dereference(*at), *new;
	int bit = source->args->tuple->family == AF_INET6;

	service = (struct vnimesh_service *)source->args->service;
	if (count) {
		if (current_count(source->mesh, service, count) ||
		    (source->set->n > VNIMESH_SCAN_MAX &&
		     jiffies - count->stamp < COUNT_LEAST))
			return count;
	}
	if (test_and_set_bit_lock(bit, &service->counting))
		return count;
	/* The last count may have been replaced before the bit was ours. */
	count = rcu_dereference(*at);
	new = count_anew(source, count);
	if (new) {
		rcu_assign_pointer(*at, new);
		if (count)
			kfree_rcu(count, rcu);
		count = new;
	}
	clear_bit_unlock(bit, &service->counting);
	return count;
}

static u32 client_hash(const struct vnimesh_tuple *t)
{
	return vnimesh_maglev_hash(&t->src, vnimesh_ip_len(t->family));
}

static void prepare(struct vnimesh_select *s, const struct source *source,
		    const struct vnimesh_count *count)
{
	memset(s, 0, sizeof(*s));
	start(&s->all, source);
	s->agg = &count->agg;
	s->view = &count->agg.view;
	if (!source->args->client ||
	    (count->by && count->by == source->args->client->id))
		s->view = &count->own;
	s->order = count->n ? count->order : NULL;
	if (s->all.policy != VNIMESH_POLICY_MAGLEV)
		return;
	s->maglev = source->maglev ? &source->maglev->table : NULL;
	s->hash = client_hash(source->args->tuple);
}

/* @s only if one was chosen. */
static void trace(const struct source *source, const struct vnimesh_select *s,
		  int chosen)
{
	struct vnimesh_member *member = NULL;
	u64 cost = VNIMESH_COST_NONE;
	struct vnimesh_candidate c;
	struct vnimesh_scale scale;

	if (chosen >= 0) {
		member = member_of(source, chosen);
		get((void *)source, chosen, &c);
		vnimesh_select_scale(s, vnimesh_tier_of(&c, s->all.policy),
				     &scale);
		cost = vnimesh_score(&c, &scale);
	}
	trace_vnimesh_choose(source->mesh, source->args, member, cost);
}

struct vnimesh_member *vnimesh_choose(struct vnimesh_mesh *mesh,
				      const struct vnimesh_choose_args *args)
{
	static const struct vnimesh_count nothing = {
		.agg.view.kind = VNIMESH_LATENCY_CONNECT,
		.own.kind = VNIMESH_LATENCY_CONNECT,
	};
	const struct vnimesh_count *count;
	struct vnimesh_select s;
	struct source source = {
		.mesh = mesh,
		.args = args,
		.set = rcu_dereference(args->service->set),
		.maglev = rcu_dereference(args->service->maglev),
	};
	int i = -1;
	u8 how;

	if (source.set->n) {
		count = counted(&source);
		/* Uncounted, all is one tier, and nothing is known of it. */
		prepare(&s, &source, count ?: &nothing);
		i = vnimesh_select(&s, args->seed, &how);
	}
	if (trace_vnimesh_choose_enabled())
		trace(&source, &s, i);
	return i < 0 ? NULL : member_of(&source, i);
}

/* The candidates as they were when the explanation began. */
static void get_explained(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	struct vnimesh_explain *e = ctx;
	const struct vnimesh_maglev *maglev;
	u32 k;

	if (i >= e->set->n) {
		maglev = container_of(e->select.maglev, struct vnimesh_maglev,
				      table);
		for (k = 0; k < e->set->n; k++)
			if (e->set->m[k] == maglev->m[i - e->set->n])
				break;
		i = k;
	}
	if (i < e->set->n) {
		*c = e->c[i];
		return;
	}
	/* Has left since the table was built. */
	memset(c, 0, sizeof(*c));
	c->excluded = VNIMESH_EXCLUDE_MEMBER_STATE;
}

static int index_of(const struct vnimesh_explain *e,
		    const struct source *source, int i)
{
	u32 k;

	if (i < 0 || i < (int)e->set->n)
		return i;
	for (k = 0; k < e->set->n; k++)
		if (e->set->m[k] == member_of(source, i))
			return k;
	return -1;
}

int vnimesh_choose_explain(struct vnimesh_mesh *mesh,
			   const struct vnimesh_choose_args *args,
			   struct vnimesh_explain *e)
{
	struct source source = {
		.mesh = mesh,
		.args = args,
		.set = rcu_dereference(args->service->set),
		.maglev = rcu_dereference(args->service->maglev),
	};
	u32 i;

	e->mesh = mesh;
	e->args = args;
	e->set = (struct vnimesh_member_set *)source.set;
	e->count = rcu_dereference(*place(args));
	e->counted = !e->count ||
		     !current_count(mesh, args->service, e->count);
	if (e->counted)
		e->count = count_anew(&source, e->count);
	if (!e->count)
		return -ENOMEM;
	for (i = 0; i < e->set->n; i++)
		vnimesh_choose_snapshot(mesh, args, e->set->m[i], &e->c[i]);
	prepare(&e->select, &source, e->count);
	e->select.all.get = get_explained;
	e->select.all.ctx = e;
	e->chosen = index_of(e, &source,
			     vnimesh_select(&e->select, args->seed, &e->how));
	return 0;
}

void vnimesh_choose_forget(struct vnimesh_service *service)
{
	kfree(rcu_dereference_protected(service->counts[0], 1));
	kfree(rcu_dereference_protected(service->counts[1], 1));
}
