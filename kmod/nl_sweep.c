// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command sweep: what the writer of an earlier run left behind goes, at once.
 *
 * First everything that needs memory, without a visible change; then the
 * deletion, which cannot fail. A row that a staying row still needs stays: a
 * service with a static member, a VNI that is a member, a node with VNIs.
 */
#include "nl.h"

const struct nla_policy vnimesh_nl_sweep_policy[] = {
	[VNIMESH_A_SWEEP_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_SWEEP_ORIGIN]	=
		NLA_POLICY_RANGE(NLA_U8, VNIMESH_ORIGIN_LEARNED,
				 VNIMESH_ORIGIN_AGENT),
	[VNIMESH_A_SWEEP_SOURCE]	= { .type = NLA_U32 },
	[VNIMESH_A_SWEEP_OBJECT]	=
		NLA_POLICY_RANGE(NLA_U8, VNIMESH_OBJECT_NODE,
				 VNIMESH_OBJECT_MEMBER),
	[VNIMESH_A_SWEEP_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_SWEEP_GEN]		= { .type = NLA_U64 },
};

struct sweep {
	const struct vnimesh_service *only;	/* of its members; or NULL */
	u64 gen;
	u32 source;
	u32 n;			/* rows deleted */
	bool any_source;
	u8 origin;
	u8 object;		/* 0: all */
};

static bool stale(const struct sweep *s, u8 object,
		  const struct vnimesh_row *row)
{
	return (!s->object || s->object == object) &&
	       row->origin == s->origin &&
	       (s->any_source || row->source == s->source) &&
	       row->gen != s->gen;
}

static bool stays(const struct vnimesh_member *member, void *data)
{
	return !stale(data, VNIMESH_OBJECT_MEMBER, &member->row);
}

static const struct vnimesh_member_set *
set_of(struct vnimesh_mesh *mesh, const struct vnimesh_service *service)
{
	return rcu_dereference_protected(service->set,
					 lockdep_is_held(&mesh->lock));
}

static bool service_goes(struct vnimesh_mesh *mesh, const struct sweep *s,
			 const struct vnimesh_service *service)
{
	const struct vnimesh_member_set *set = set_of(mesh, service);
	u32 i;

	if (s->only || !stale(s, VNIMESH_OBJECT_SERVICE, &service->row))
		return false;
	for (i = 0; i < set->n; i++)
		if (set->m[i]->row.origin > s->origin)
			return false;
	return true;
}

static u32 count_staying(const struct vnimesh_member_set *set,
			 struct sweep *s)
{
	u32 i, n = 0;

	for (i = 0; i < set->n; i++)
		n += stays(set->m[i], s);
	return n;
}

/* Memory for the sets that will be published; or nothing at all. */
static int prepare(struct vnimesh_mesh *mesh, struct sweep *s)
{
	const struct vnimesh_member_set *set;
	struct vnimesh_service *service;
	unsigned long index;
	int err = 0;
	u32 n;

	xa_for_each(&mesh->services, index, service) {
		if ((s->only && service != s->only) ||
		    service_goes(mesh, s, service))
			continue;
		set = set_of(mesh, service);
		n = count_staying(set, s);
		if (n == set->n)
			continue;
		err = vnimesh_member_spare(service, n);
		if (err)
			break;
	}
	if (!err)
		return 0;
	xa_for_each(&mesh->services, index, service) {
		kfree(service->spare);
		service->spare = NULL;
	}
	return err;
}

static void sweep_members(struct vnimesh_mesh *mesh, struct sweep *s,
			  struct vnimesh_service *service)
{
	const struct vnimesh_member_set *set = set_of(mesh, service);
	u32 i, n = 0;

	for (i = 0; i < set->n; i++) {
		if (stays(set->m[i], s))
			continue;
		vnimesh_nl_member_notify(mesh, NULL,
					 VNIMESH_CMD_MEMBER_DEL_NTF,
					 set->m[i]);
		n++;
	}
	if (!n)
		return;
	vnimesh_member_sift(mesh, service, stays, s);
	s->n += n;
}

static void sweep_services(struct vnimesh_mesh *mesh, struct sweep *s)
{
	struct vnimesh_service *service;
	unsigned long index;

	xa_for_each(&mesh->services, index, service) {
		if (s->only && service != s->only)
			continue;
		if (service_goes(mesh, s, service)) {
			s->n += set_of(mesh, service)->n + 1;
			vnimesh_nl_service_remove(mesh, NULL, service);
		} else {
			sweep_members(mesh, s, service);
		}
		cond_resched();
	}
}

static void sweep_vnis(struct vnimesh_mesh *mesh, struct sweep *s)
{
	struct vnimesh_vni *vni;
	unsigned long id;

	xa_for_each(&mesh->vnis, id, vni) {
		if (vni->node->self || vni->n_members ||
		    !stale(s, VNIMESH_OBJECT_VNI, &vni->row))
			continue;
		vnimesh_nl_vni_notify(mesh, NULL, VNIMESH_CMD_VNI_DEL_NTF,
				      vni);
		vnimesh_vni_unlink(mesh, vni);
		s->n++;
		cond_resched();
	}
}

static void sweep_nodes(struct vnimesh_mesh *mesh, struct sweep *s)
{
	struct vnimesh_node *node;
	unsigned long id;

	xa_for_each(&mesh->nodes, id, node) {
		if (node->self || node->n_vnis ||
		    !stale(s, VNIMESH_OBJECT_NODE, &node->row))
			continue;
		vnimesh_nl_node_notify(mesh, NULL, VNIMESH_CMD_NODE_DEL_NTF,
				       node);
		vnimesh_node_unlink(mesh, node);
		s->n++;
		cond_resched();
	}
}

static int get_sweep(struct vnimesh_mesh *mesh, struct genl_info *info,
		     struct sweep *s)
{
	struct nlattr **a = info->attrs;

	if (VNIMESH_NL_MISSING(info, VNIMESH_A_SWEEP_ORIGIN, "origin") ||
	    VNIMESH_NL_MISSING(info, VNIMESH_A_SWEEP_GEN, "gen"))
		return -EINVAL;
	memset(s, 0, sizeof(*s));
	s->origin = nla_get_u8(a[VNIMESH_A_SWEEP_ORIGIN]);
	s->gen = nla_get_u64(a[VNIMESH_A_SWEEP_GEN]);
	s->any_source = !a[VNIMESH_A_SWEEP_SOURCE];
	if (!s->any_source)
		s->source = nla_get_u32(a[VNIMESH_A_SWEEP_SOURCE]);
	if (a[VNIMESH_A_SWEEP_OBJECT])
		s->object = nla_get_u8(a[VNIMESH_A_SWEEP_OBJECT]);
	if (!a[VNIMESH_A_SWEEP_TAG])
		return 0;
	if (s->object && s->object != VNIMESH_OBJECT_MEMBER)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_SWEEP_TAG, -EINVAL,
					 "tag: for members only");
	s->object = VNIMESH_OBJECT_MEMBER;
	s->only = vnimesh_nl_find_service(mesh, info, VNIMESH_A_SWEEP_TAG);
	return PTR_ERR_OR_ZERO(s->only);
}

static int fill(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		const void *row, struct net *net)
{
	const struct sweep *s = row;

	return nla_put_u32(skb, VNIMESH_A_SWEEP_COUNT, s->n);
}

int vnimesh_nl_sweep(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	struct sk_buff *reply;
	struct nlattr *count;
	struct sweep s;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	err = get_sweep(mesh, info, &s);
	if (err)
		goto unlock;
	/* The answer, too: a sweep that is refused has deleted nothing. */
	reply = vnimesh_nl_build(mesh, info, VNIMESH_CMD_SWEEP, fill, &s);
	err = reply ? prepare(mesh, &s) : -ENOMEM;
	if (err) {
		nlmsg_free(reply);
		goto unlock;
	}
	/* From those that refer to those that are referred to. */
	sweep_services(mesh, &s);
	sweep_vnis(mesh, &s);
	sweep_nodes(mesh, &s);
	if (s.n)
		mesh->generation++;
	count = nlmsg_find_attr(nlmsg_hdr(reply), GENL_HDRLEN,
				VNIMESH_A_SWEEP_COUNT);
	*(u32 *)nla_data(count) = s.n;
	err = genlmsg_reply(reply, info);
unlock:
	vnimesh_nl_unlock(&ref);
	return err;
}
