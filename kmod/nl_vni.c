// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands vni-get, vni-set, vni-del.
 */
#include "liveness.h"
#include "nl.h"

const struct nla_policy vnimesh_nl_vni_get_policy[] = {
	[VNIMESH_A_VNI_IFINDEX]		= { .type = NLA_U32 },
	[VNIMESH_A_VNI_ID]		= VNIMESH_POLICY_ID,
};

const struct nla_policy vnimesh_nl_vni_set_policy[] = {
	[VNIMESH_A_VNI_IFINDEX]		= { .type = NLA_U32 },
	[VNIMESH_A_VNI_ID]		= VNIMESH_POLICY_ID,
	[VNIMESH_A_VNI_NODE_ID]		= VNIMESH_POLICY_ID,
	[VNIMESH_A_VNI_ADDR4]		= VNIMESH_POLICY_IP4,
	[VNIMESH_A_VNI_ADDR6]		= VNIMESH_POLICY_IP6,
	[VNIMESH_A_VNI_STATE]		= VNIMESH_POLICY_STATE,
	[VNIMESH_A_VNI_HEALTH]		= VNIMESH_POLICY_HEALTH,
	[VNIMESH_A_VNI_LATENCY]		= VNIMESH_POLICY_LATENCY,
	VNIMESH_POLICY_ROW(VNI),
	[VNIMESH_A_VNI_MAX]		= { .type = NLA_REJECT },
};

const struct nla_policy vnimesh_nl_vni_del_policy[] = {
	[VNIMESH_A_VNI_IFINDEX]		= { .type = NLA_U32 },
	[VNIMESH_A_VNI_ID]		= VNIMESH_POLICY_ID,
	VNIMESH_POLICY_ROW(VNI),
	[VNIMESH_A_VNI_MAX]		= { .type = NLA_REJECT },
};

/* The device is there as long as we hold mesh->lock: detach needs it. */
static int put_dev(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		   const struct vnimesh_vni *vni, struct net *net)
{
	char name[IFNAMSIZ];
	struct net_device *dev;
	int nsid;

	if (nla_put_flag(skb, VNIMESH_A_VNI_LOCAL) ||
	    nla_put_u8(skb, VNIMESH_A_VNI_DEV_UP, vni->dev_up))
		return -EMSGSIZE;
	dev = rcu_dereference_protected(vni->dev,
					lockdep_is_held(&mesh->lock));
	/* A device that is being made has no number yet. */
	if (!dev || !dev->ifindex)
		return 0;
	/* A rename may run beside us. */
	strscpy(name, dev->name, sizeof(name));
	if (nla_put_u32(skb, VNIMESH_A_VNI_DEV_IFINDEX, dev->ifindex) ||
	    nla_put_string(skb, VNIMESH_A_VNI_DEV_NAME, name) ||
	    nla_put_u64_64bit(skb, VNIMESH_A_VNI_DEV_MADE, vni->made,
			      VNIMESH_A_VNI_PAD))
		return -EMSGSIZE;
	nsid = net_eq(net, dev_net(dev)) ? -1 : peernet2id(net, dev_net(dev));
	if (nsid < 0)
		return 0;
	return nla_put_s32(skb, VNIMESH_A_VNI_DEV_NETNSID, nsid);
}

static int put_addrs(struct sk_buff *skb, const struct vnimesh_vni_addrs *a)
{
	if (a->e4.key.family &&
	    vnimesh_nl_put_ip(skb, VNIMESH_A_VNI_ADDR4, AF_INET,
			      &a->e4.key.ip))
		return -EMSGSIZE;
	if (a->e6.key.family &&
	    vnimesh_nl_put_ip(skb, VNIMESH_A_VNI_ADDR6, AF_INET6,
			      &a->e6.key.ip))
		return -EMSGSIZE;
	return 0;
}

static int fill(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		const void *row, struct net *net)
{
	const struct vnimesh_vni *vni = row;
	const struct vnimesh_vni_addrs *addrs;

	addrs = rcu_dereference_protected(vni->addrs,
					  lockdep_is_held(&mesh->lock));
	/* The number of the mesh device means nothing in another netns. */
	if ((net_eq(net, mesh->net) &&
	     nla_put_u32(skb, VNIMESH_A_VNI_IFINDEX, mesh->dev->ifindex)) ||
	    nla_put_u32(skb, VNIMESH_A_VNI_ID, vni->id) ||
	    nla_put_u32(skb, VNIMESH_A_VNI_NODE_ID, vni->node->id) ||
	    put_addrs(skb, addrs) ||
	    nla_put_u8(skb, VNIMESH_A_VNI_STATE, vni->state) ||
	    nla_put_u8(skb, VNIMESH_A_VNI_HEALTH, vni->health) ||
	    nla_put_u32(skb, VNIMESH_A_VNI_LATENCY, vni->latency) ||
	    (vni->node->self && put_dev(skb, mesh, vni, net)) ||
	    vnimesh_nl_put_row(skb, VNIMESH_A_VNI_ORIGIN, &vni->row))
		return -EMSGSIZE;
	return 0;
}

void vnimesh_nl_vni_notify(struct vnimesh_mesh *mesh, struct genl_info *info,
			   u8 cmd, const struct vnimesh_vni *vni)
{
	vnimesh_nl_notify(mesh, info, cmd, fill, vni);
}

/* The VNI that the request names, or ERR_PTR. mesh->lock. */
static struct vnimesh_vni *find(struct vnimesh_mesh *mesh,
				struct genl_info *info)
{
	struct vnimesh_vni *vni;

	if (VNIMESH_NL_MISSING(info, VNIMESH_A_VNI_ID, "id"))
		return ERR_PTR(-EINVAL);
	vni = vnimesh_vni_find(mesh, nla_get_u32(info->attrs[VNIMESH_A_VNI_ID]));
	if (vni)
		return vni;
	return ERR_PTR(VNIMESH_NL_REFUSE(info, VNIMESH_A_VNI_ID, -ENOENT,
					 "id: no such VNI"));
}

/* A VNI device asks for its own record: anybody in its netns may. */
static int get_own(struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	struct vnimesh_vni *vni;
	u32 id;
	int err;

	mesh = vnimesh_nl_lock_any(info, &ref, &id);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	vni = vnimesh_vni_find(mesh, id);
	err = vni ? vnimesh_nl_reply(mesh, info, VNIMESH_CMD_VNI_GET, fill,
				     vni) : -ENODEV;
	vnimesh_nl_unlock(&ref);
	return err;
}

int vnimesh_nl_vni_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	struct vnimesh_vni *vni;
	int err;

	if (!info->attrs[VNIMESH_A_VNI_ID])
		return get_own(info);
	/* The command has no capability of its own, for the sake of get_own. */
	if (!netlink_net_capable(skb, CAP_NET_ADMIN))
		return -EPERM;
	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	vni = find(mesh, info);
	err = PTR_ERR_OR_ZERO(vni);
	if (!err)
		err = vnimesh_nl_reply(mesh, info, VNIMESH_CMD_VNI_GET, fill,
				       vni);
	vnimesh_nl_unlock(&ref);
	return err;
}

int vnimesh_nl_vni_get_start(struct netlink_callback *cb)
{
	return netlink_net_capable(cb->skb, CAP_NET_ADMIN) ? 0 : -EPERM;
}

static int rows(struct vnimesh_nl_dump *d)
{
	struct vnimesh_vni *vni;
	unsigned long id;
	int err;

	if (d->attrs[VNIMESH_A_VNI_ID]) {
		NL_SET_ERR_MSG_ATTR(d->cb->extack, d->attrs[VNIMESH_A_VNI_ID],
				    "id: not a filter of the dump");
		return -EINVAL;
	}
	xa_for_each_start(&d->mesh->vnis, id, vni, d->cur->a) {
		err = vnimesh_nl_dump_row(d, fill, vni);
		if (err) {
			d->cur->a = id;
			return err;
		}
	}
	return 0;
}

int vnimesh_nl_vni_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vnimesh_nl_dump(skb, cb, VNIMESH_CMD_VNI_GET,
			       vnimesh_nl_vni_get_policy,
			       ARRAY_SIZE(vnimesh_nl_vni_get_policy) - 1,
			       rows);
}

/* The node of the VNI: fixed at creation, this host if not given. */
static struct vnimesh_node *node_of(struct vnimesh_mesh *mesh,
				    struct genl_info *info,
				    const struct vnimesh_vni *vni)
{
	struct nlattr *attr = info->attrs[VNIMESH_A_VNI_NODE_ID];
	struct vnimesh_node *node;

	if (!attr)
		return vni ? vni->node : mesh->self;
	if (vni && vni->node->id != nla_get_u32(attr))
		return ERR_PTR(VNIMESH_NL_REFUSE(info, VNIMESH_A_VNI_NODE_ID,
						 -EINVAL,
						 "node-id: fixed for life"));
	node = vnimesh_node_find(mesh, nla_get_u32(attr));
	if (!node)
		return ERR_PTR(VNIMESH_NL_REFUSE(info, VNIMESH_A_VNI_NODE_ID,
						 -ENOENT,
						 "node-id: no such node"));
	return node;
}

/* True: something that members are counted by has changed. The agents' latencies
 * change often and little: they wait for the next count.
 */
static bool set_scalars(struct vnimesh_vni *vni, struct nlattr **a)
{
	bool changed = false;

	if (a[VNIMESH_A_VNI_STATE]) {
		u8 state = nla_get_u8(a[VNIMESH_A_VNI_STATE]);

		changed = state != vni->state;
		if (state == VNIMESH_STATE_UP && changed)
			vnimesh_rise(&vni->risen);
		WRITE_ONCE(vni->state, state);
	}
	if (a[VNIMESH_A_VNI_HEALTH]) {
		u8 health = nla_get_u8(a[VNIMESH_A_VNI_HEALTH]);

		changed |= health != vni->health;
		WRITE_ONCE(vni->health, health);
	}
	if (a[VNIMESH_A_VNI_LATENCY])
		WRITE_ONCE(vni->latency,
			   nla_get_u32(a[VNIMESH_A_VNI_LATENCY]));
	return changed;
}

static int set_addrs(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
		     const union vnimesh_ip *ip4, const union vnimesh_ip *ip6)
{
	const struct vnimesh_vni_addrs *old;

	old = rcu_dereference_protected(vni->addrs,
					lockdep_is_held(&mesh->lock));
	if (ip4 && old->e4.key.family &&
	    vnimesh_ip_equal(&old->e4.key.ip, ip4))
		ip4 = NULL;
	if (ip6 && old->e6.key.family &&
	    vnimesh_ip_equal(&old->e6.key.ip, ip6))
		ip6 = NULL;
	if (!ip4 && !ip6)
		return 0;
	return vnimesh_vni_set_addrs(mesh, vni, ip4, ip6);
}

static int apply(struct vnimesh_mesh *mesh, struct genl_info *info)
{
	u32 id = nla_get_u32(info->attrs[VNIMESH_A_VNI_ID]);
	const union vnimesh_ip *ip4, *ip6;
	union vnimesh_ip buf4, buf6;
	struct vnimesh_node *node;
	struct vnimesh_vni *vni;
	struct vnimesh_row row;
	int err;
	u8 bad;

	vnimesh_nl_get_row(info->attrs, VNIMESH_A_VNI_ORIGIN, &row);
	ip4 = vnimesh_nl_opt_ip(info->attrs[VNIMESH_A_VNI_ADDR4], &buf4);
	ip6 = vnimesh_nl_opt_ip(info->attrs[VNIMESH_A_VNI_ADDR6], &buf6);
	vni = vnimesh_vni_find(mesh, id);
	err = vnimesh_nl_check_flags(info, vni);
	if (!err && vni)
		err = vnimesh_row_check(&vni->row, &row, info->extack);
	if (err)
		return err;
	node = node_of(mesh, info, vni);
	if (IS_ERR(node))
		return PTR_ERR(node);
	err = vnimesh_vni_check_addrs(mesh, vni, node, ip4, ip6, info->extack,
				      &bad);
	if (err) {
		NL_SET_BAD_ATTR(info->extack,
				info->attrs[bad == AF_INET ?
					    VNIMESH_A_VNI_ADDR4 :
					    VNIMESH_A_VNI_ADDR6]);
		return err;
	}
	if (!vni && mesh->n_vnis >= VNIMESH_VNIS_MAX) {
		vnimesh_count(mesh, VNIMESH_A_STATS_NO_RESOURCE);
		GENL_SET_ERR_MSG(info, "too many VNIs");
		return -ENOSPC;
	}

	if (vni) {
		err = set_addrs(mesh, vni, ip4, ip6);
	} else {
		vni = vnimesh_vni_add(mesh, id, node, ip4, ip6);
		err = PTR_ERR_OR_ZERO(vni);
	}
	if (err)
		return err;
	if (set_scalars(vni, info->attrs))
		vnimesh_liveness_vni(mesh, vni);
	vnimesh_row_update(&vni->row, &row);
	mesh->generation++;
	vnimesh_nl_vni_notify(mesh, info, VNIMESH_CMD_VNI_NTF, vni);
	return 0;
}

int vnimesh_nl_vni_set(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	err = VNIMESH_NL_MISSING(info, VNIMESH_A_VNI_ID, "id") ? -EINVAL :
	      apply(mesh, info);
	vnimesh_nl_unlock(&ref);
	return err;
}

static int check_del(struct vnimesh_mesh *mesh, struct genl_info *info,
		     const struct vnimesh_vni *vni)
{
	int err;

	err = vnimesh_nl_check_del(info, VNIMESH_A_VNI_ORIGIN, &vni->row);
	if (err)
		return err;
	if (rcu_access_pointer(vni->dev))
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_VNI_ID, -EBUSY,
					 "id: device exists");
	if (vni->n_members)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_VNI_ID, -EBUSY,
					 "id: member of a service");
	return 0;
}

int vnimesh_nl_vni_del(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	struct vnimesh_vni *vni;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	vni = find(mesh, info);
	err = IS_ERR(vni) ? PTR_ERR(vni) : check_del(mesh, info, vni);
	if (!err) {
		mesh->generation++;
		vnimesh_nl_vni_notify(mesh, info, VNIMESH_CMD_VNI_DEL_NTF, vni);
		vnimesh_vni_unlink(mesh, vni);
	}
	vnimesh_nl_unlock(&ref);
	return err;
}
