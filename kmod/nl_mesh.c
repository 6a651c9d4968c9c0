// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands mesh-get, mesh-set.
 */
#include "flow.h"
#include "miss.h"
#include "nl.h"
#include "sock.h"

static struct netlink_range_validation hold_range = { .max = 65536 };
static struct netlink_range_validation moves_range = {
	.max = VNIMESH_RESTEER_MAX_MAX,
};

static struct netlink_range_validation penalty_range = { .max = 3600 };
static struct netlink_range_validation timeout_range = {
	.min = 10, .max = 10000,
};

static struct netlink_range_validation established_range = {
	.min = 1, .max = 30 * 86400,
};

static struct netlink_range_validation hour_range = {
	.min = 1, .max = 3600,
};

static struct netlink_range_validation day_range = {
	.min = 1, .max = 86400,
};

const struct nla_policy vnimesh_nl_mesh_get_policy[] = {
	[VNIMESH_A_MESH_IFINDEX]	= { .type = NLA_U32 },
};

const struct nla_policy vnimesh_nl_mesh_set_policy[] = {
	[VNIMESH_A_MESH_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_MESH_SERVICE_PREFIX4] =
		NLA_POLICY_NESTED(vnimesh_prefix_policy),
	[VNIMESH_A_MESH_SERVICE_PREFIX6] =
		NLA_POLICY_NESTED(vnimesh_prefix_policy),
	[VNIMESH_A_MESH_HOLD_MAX]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &hold_range),
	[VNIMESH_A_MESH_HOLD_VNI_MAX]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &hold_range),
	[VNIMESH_A_MESH_MISS_TIMEOUT]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &timeout_range),
	[VNIMESH_A_MESH_TCP_ESTABLISHED] =
		NLA_POLICY_FULL_RANGE(NLA_U32, &established_range),
	[VNIMESH_A_MESH_TCP_HALF_OPEN]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &hour_range),
	[VNIMESH_A_MESH_TCP_CLOSING]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &hour_range),
	[VNIMESH_A_MESH_UDP_UNREPLIED]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &day_range),
	[VNIMESH_A_MESH_UDP_REPLIED]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &day_range),
	[VNIMESH_A_MESH_RESTEER_MAX]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &moves_range),
	[VNIMESH_A_MESH_EJECT_MAX]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &penalty_range),
};

/* Settable scalars: attribute and place. */
static const struct {
	u8 attr;
	u8 offset;
} settings[] = {
#define SETTING(attr, field) \
	{ VNIMESH_A_MESH_##attr, offsetof(struct vnimesh_settings, field) }
	SETTING(HOLD_MAX, hold_max),
	SETTING(HOLD_VNI_MAX, hold_vni_max),
	SETTING(MISS_TIMEOUT, miss_timeout),
	SETTING(TCP_ESTABLISHED, tcp_established),
	SETTING(TCP_HALF_OPEN, tcp_half_open),
	SETTING(TCP_CLOSING, tcp_closing),
	SETTING(UDP_UNREPLIED, udp_unreplied),
	SETTING(UDP_REPLIED, udp_replied),
	SETTING(RESTEER_MAX, resteer_max),
	SETTING(EJECT_MAX, eject_max),
#undef SETTING
};

static u32 *setting(struct vnimesh_mesh *mesh, unsigned int i)
{
	return (u32 *)((char *)&mesh->set + settings[i].offset);
}

static int put_settings(struct sk_buff *skb, struct vnimesh_mesh *mesh)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(settings) && !err; i++)
		err = nla_put_u32(skb, settings[i].attr, *setting(mesh, i));
	return err;
}

static int put_service_prefixes(struct sk_buff *skb, struct vnimesh_mesh *mesh)
{
	const struct vnimesh_service_prefixes *p;

	p = rcu_dereference_protected(mesh->service_prefixes,
				      lockdep_is_held(&mesh->lock));
	if (p && p->p4.family &&
	    vnimesh_nl_put_prefix(skb, VNIMESH_A_MESH_SERVICE_PREFIX4, &p->p4))
		return -EMSGSIZE;
	if (p && p->p6.family &&
	    vnimesh_nl_put_prefix(skb, VNIMESH_A_MESH_SERVICE_PREFIX6, &p->p6))
		return -EMSGSIZE;
	return 0;
}

static u64 stat(struct vnimesh_mesh *mesh, int what)
{
	switch (what) {
	case VNIMESH_A_STATS_FLOWS:
		return vnimesh_flow_count(mesh);
	case VNIMESH_A_STATS_SERVICES:
		return mesh->n_services;
	case VNIMESH_A_STATS_MEMBERS:
		return mesh->n_members;
	case VNIMESH_A_STATS_NODES:
		return mesh->n_nodes;
	case VNIMESH_A_STATS_VNIS:
		return mesh->n_vnis;
	case VNIMESH_A_STATS_HELD:
		return vnimesh_miss_held(mesh);
	case VNIMESH_A_STATS_PORT_MALFORMED:
	case VNIMESH_A_STATS_PORT_FOREIGN:
		return vnimesh_sock_strays(mesh, what);
	default:
		return vnimesh_stats_read(mesh, what);
	}
}

static int put_stats(struct sk_buff *skb, struct vnimesh_mesh *mesh)
{
	struct nlattr *nest;
	int i;

	nest = nla_nest_start(skb, VNIMESH_A_MESH_STATS);
	if (!nest)
		return -EMSGSIZE;
	for (i = VNIMESH_A_STATS_PAD + 1; i <= VNIMESH_A_STATS_MAX; i++)
		if (nla_put_u64_64bit(skb, i, stat(mesh, i),
				      VNIMESH_A_STATS_PAD))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int fill(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		const void *row, struct net *net)
{
	if (nla_put_u32(skb, VNIMESH_A_MESH_IFINDEX, mesh->dev->ifindex) ||
	    nla_put_u32(skb, VNIMESH_A_MESH_ID, mesh->id) ||
	    nla_put_u32(skb, VNIMESH_A_MESH_NODE_ID, mesh->node_id) ||
	    nla_put_u32(skb, VNIMESH_A_MESH_VNI_ID, mesh->vni_id) ||
	    vnimesh_nl_put_ip(skb, VNIMESH_A_MESH_LOCAL, mesh->family,
			      &mesh->local) ||
	    nla_put_be16(skb, VNIMESH_A_MESH_PORT, mesh->port) ||
	    put_service_prefixes(skb, mesh) ||
	    nla_put_u32(skb, VNIMESH_A_MESH_FLOW_MAX, mesh->flow_max) ||
	    put_settings(skb, mesh) ||
	    nla_put_u32(skb, VNIMESH_A_MESH_AGENT, READ_ONCE(mesh->agent)) ||
	    nla_put_u64_64bit(skb, VNIMESH_A_MESH_GENERATION,
			      mesh->generation, VNIMESH_A_MESH_PAD) ||
	    put_stats(skb, mesh))
		return -EMSGSIZE;
	return 0;
}

int vnimesh_nl_mesh_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	err = vnimesh_nl_reply(mesh, info, VNIMESH_CMD_MESH_GET, fill, mesh);
	vnimesh_nl_unlock(&ref);
	return err;
}

static int rows(struct vnimesh_nl_dump *d)
{
	return vnimesh_nl_dump_row(d, fill, d->mesh);
}

int vnimesh_nl_mesh_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vnimesh_nl_dump(skb, cb, VNIMESH_CMD_MESH_GET,
			       vnimesh_nl_mesh_get_policy,
			       ARRAY_SIZE(vnimesh_nl_mesh_get_policy) - 1,
			       rows);
}

/* Length 0 clears. */
static int get_prefix(struct genl_info *info, int attr, u8 family,
		      struct vnimesh_prefix *prefix)
{
	struct vnimesh_prefix new;
	int err;

	if (!info->attrs[attr])
		return 0;
	err = vnimesh_nl_get_prefix(info->attrs[attr], &new, info->extack);
	if (err)
		return err;
	if (new.family != family)
		return VNIMESH_NL_REFUSE(info, attr, -EINVAL,
					 "service-prefix: of the other family");
	if (!new.len)
		memset(&new, 0, sizeof(new));
	else if (!vnimesh_ip_unicast(family, &new.ip))
		return VNIMESH_NL_REFUSE(info, attr, -EINVAL,
					 "service-prefix: not for services");
	*prefix = new;
	return 0;
}

static bool services_fit(struct vnimesh_mesh *mesh,
			 const struct vnimesh_service_prefixes *p)
{
	const struct vnimesh_service *service;
	unsigned long index;

	xa_for_each(&mesh->services, index, service) {
		if (service->e4.key.family &&
		    !vnimesh_prefix_match(&p->p4, AF_INET,
					  &service->e4.key.ip))
			return false;
		if (service->e6.key.family &&
		    !vnimesh_prefix_match(&p->p6, AF_INET6,
					  &service->e6.key.ip))
			return false;
	}
	return true;
}

static bool meets_nodes(struct vnimesh_mesh *mesh,
			const struct vnimesh_service_prefixes *p)
{
	const struct vnimesh_node_prefixes *prefixes;
	const struct vnimesh_node *node;
	unsigned long id;
	u32 i;

	xa_for_each(&mesh->nodes, id, node) {
		prefixes = rcu_dereference_protected(node->prefixes,
						     lockdep_is_held(&mesh->lock));
		for (i = 0; prefixes && i < prefixes->n; i++)
			if (vnimesh_prefix_overlap(&p->p4, &prefixes->p[i]) ||
			    vnimesh_prefix_overlap(&p->p6, &prefixes->p[i]))
				return true;
	}
	return false;
}

static bool meets_vnis(struct vnimesh_mesh *mesh,
		       const struct vnimesh_service_prefixes *p)
{
	const struct vnimesh_vni_addrs *a;
	const struct vnimesh_vni *vni;
	unsigned long id;

	xa_for_each(&mesh->vnis, id, vni) {
		a = rcu_dereference_protected(vni->addrs,
					      lockdep_is_held(&mesh->lock));
		if (a->e4.key.family &&
		    vnimesh_prefix_match(&p->p4, AF_INET, &a->e4.key.ip))
			return true;
		if (a->e6.key.family &&
		    vnimesh_prefix_match(&p->p6, AF_INET6, &a->e6.key.ip))
			return true;
	}
	return false;
}

/* The new prefixes, NULL: as they were, or ERR_PTR. mesh->lock. */
static struct vnimesh_service_prefixes *
make_prefixes(struct vnimesh_mesh *mesh, struct genl_info *info)
{
	struct vnimesh_service_prefixes *old, *new;
	int err;
	int attr;

	if (!info->attrs[VNIMESH_A_MESH_SERVICE_PREFIX4] &&
	    !info->attrs[VNIMESH_A_MESH_SERVICE_PREFIX6])
		return NULL;
	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return ERR_PTR(-ENOMEM);
	old = rcu_dereference_protected(mesh->service_prefixes,
					lockdep_is_held(&mesh->lock));
	if (old) {
		new->p4 = old->p4;
		new->p6 = old->p6;
	}
	err = get_prefix(info, VNIMESH_A_MESH_SERVICE_PREFIX4, AF_INET,
			 &new->p4);
	if (!err)
		err = get_prefix(info, VNIMESH_A_MESH_SERVICE_PREFIX6,
				 AF_INET6, &new->p6);
	if (err)
		goto free;
	attr = info->attrs[VNIMESH_A_MESH_SERVICE_PREFIX4] ?
	       VNIMESH_A_MESH_SERVICE_PREFIX4 : VNIMESH_A_MESH_SERVICE_PREFIX6;
	if (!services_fit(mesh, new))
		err = VNIMESH_NL_REFUSE(info, attr, -EBUSY,
					"service-prefix: a service lies outside");
	else if (meets_nodes(mesh, new))
		err = VNIMESH_NL_REFUSE(info, attr, -EINVAL,
					"service-prefix: overlaps a prefix of a node");
	else if (meets_vnis(mesh, new))
		err = VNIMESH_NL_REFUSE(info, attr, -EINVAL,
					"service-prefix: has the address of a VNI");
	if (!err)
		return new;
free:
	kfree(new);
	return ERR_PTR(err);
}

int vnimesh_nl_mesh_set(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_service_prefixes *prefixes;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	unsigned int i;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	prefixes = make_prefixes(mesh, info);
	if (IS_ERR(prefixes))
		goto unlock;

	if (prefixes) {
		struct vnimesh_service_prefixes *old;

		old = rcu_replace_pointer(mesh->service_prefixes, prefixes,
					  lockdep_is_held(&mesh->lock));
		if (old)
			kfree_rcu(old, rcu);
	}
	for (i = 0; i < ARRAY_SIZE(settings); i++)
		if (info->attrs[settings[i].attr])
			WRITE_ONCE(*setting(mesh, i),
				   nla_get_u32(info->attrs[settings[i].attr]));
	mesh->generation++;
	vnimesh_nl_notify(mesh, info, VNIMESH_CMD_MESH_NTF, fill, mesh);
unlock:
	vnimesh_nl_unlock(&ref);
	return PTR_ERR_OR_ZERO(prefixes);
}
