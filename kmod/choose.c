// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>

#include "choose.h"
#include "eject.h"
#include "trace.h"

static u8 exclude(struct vnimesh_mesh *mesh,
		  const struct vnimesh_choose_args *args,
		  const struct vnimesh_member *m)
{
	const struct vnimesh_vni *vni = m->vni;
	const struct vnimesh_node *node = vni->node;

	if (m == args->avoid)
		return VNIMESH_EXCLUDE_AVOID;
	if (!vnimesh_vni_ip(vni, args->tuple->family))
		return VNIMESH_EXCLUDE_FAMILY;
	if (READ_ONCE(m->state) != VNIMESH_STATE_UP)
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

void vnimesh_choose_snapshot(struct vnimesh_mesh *mesh,
			     const struct vnimesh_choose_args *args,
			     const struct vnimesh_member *member,
			     struct vnimesh_candidate *c)
{
	const struct vnimesh_vni *vni = member->vni;
	u32 path = READ_ONCE(vni->latency) ?: READ_ONCE(vni->node->latency);
	u32 klat = READ_ONCE(member->klat);
	u32 age = (u32)jiffies - READ_ONCE(member->kstamp);

	/* The path to the node plus the service itself. */
	c->lp = path + READ_ONCE(member->latency);
	c->lk = klat ? vnimesh_select_decay(klat, c->lp,
					    jiffies_to_msecs(age)) : 0;
	c->inflight = max(atomic_read(&member->inflight), 0);
	c->weight = READ_ONCE(member->weight);
	c->health = min(READ_ONCE(member->health), READ_ONCE(vni->health));
	c->stale = READ_ONCE(member->stale);
	c->excluded = exclude(mesh, args, member);
}

struct choice {
	struct vnimesh_mesh *mesh;
	const struct vnimesh_choose_args *args;
	const struct vnimesh_member_set *set;
};

static void get(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	struct choice *choice = ctx;

	vnimesh_choose_snapshot(choice->mesh, choice->args, choice->set->m[i], c);
}

static void trace(struct vnimesh_mesh *mesh,
		  const struct vnimesh_choose_args *args,
		  const struct vnimesh_member *member)
{
	u64 cost = VNIMESH_COST_NONE;
	struct vnimesh_candidate c;

	if (member) {
		vnimesh_choose_snapshot(mesh, args, member, &c);
		cost = vnimesh_select_cost(&c);
	}
	trace_vnimesh_choose(mesh, args, member, cost);
}

struct vnimesh_member *vnimesh_choose(struct vnimesh_mesh *mesh,
				      const struct vnimesh_choose_args *args)
{
	struct choice choice = {
		.mesh = mesh,
		.args = args,
		.set = rcu_dereference(args->service->set),
	};
	int i = vnimesh_select(choice.set->n, get, &choice, args->seed);
	struct vnimesh_member *member = i < 0 ? NULL : choice.set->m[i];

	if (trace_vnimesh_choose_enabled())
		trace(mesh, args, member);
	return member;
}
