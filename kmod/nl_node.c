// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands node-get, node-set, node-del.
 */
#include "liveness.h"
#include "nl.h"

const struct nla_policy vnimesh_nl_node_get_policy[] = {
	[VNIMESH_A_NODE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_NODE_ID]		= VNIMESH_POLICY_ID,
};

const struct nla_policy vnimesh_nl_node_set_policy[] = {
	[VNIMESH_A_NODE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_NODE_ID]		= VNIMESH_POLICY_ID,
	[VNIMESH_A_NODE_NAME]		= VNIMESH_POLICY_NAME,
	[VNIMESH_A_NODE_ZONE]		= VNIMESH_POLICY_NAME,
	[VNIMESH_A_NODE_ADDR]		= VNIMESH_POLICY_IP,
	[VNIMESH_A_NODE_PORT]		= { .type = NLA_BE16 },
	[VNIMESH_A_NODE_PREFIXES]	=
		NLA_POLICY_NESTED_ARRAY(vnimesh_prefix_policy),
	[VNIMESH_A_NODE_STATE]		= VNIMESH_POLICY_STATE,
	[VNIMESH_A_NODE_LATENCY]	= VNIMESH_POLICY_LATENCY,
	VNIMESH_POLICY_ROW(NODE),
	[VNIMESH_A_NODE_MAX]		= { .type = NLA_REJECT },
};

const struct nla_policy vnimesh_nl_node_del_policy[] = {
	[VNIMESH_A_NODE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_NODE_ID]		= VNIMESH_POLICY_ID,
	VNIMESH_POLICY_ROW(NODE),
	[VNIMESH_A_NODE_MAX]		= { .type = NLA_REJECT },
};

static int put_prefixes(struct sk_buff *skb,
			const struct vnimesh_node_prefixes *prefixes)
{
	struct nlattr *nest;
	u32 i;

	nest = nla_nest_start(skb, VNIMESH_A_NODE_PREFIXES);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; prefixes && i < prefixes->n; i++)
		if (vnimesh_nl_put_prefix(skb, i + 1, &prefixes->p[i]))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int put_underlay(struct sk_buff *skb, struct vnimesh_mesh *mesh,
			const struct vnimesh_node *node)
{
	struct vnimesh_endpoint *endpoint;

	endpoint = rcu_dereference_protected(node->endpoint,
					     lockdep_is_held(&mesh->lock));
	if (vnimesh_nl_put_ip(skb, VNIMESH_A_NODE_ADDR, mesh->family,
			      endpoint ? &endpoint->addr : &mesh->local) ||
	    nla_put_be16(skb, VNIMESH_A_NODE_PORT,
			 endpoint ? endpoint->port : mesh->port))
		return -EMSGSIZE;
	return 0;
}

static int fill(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		const void *row, struct net *net)
{
	const struct vnimesh_node_prefixes *prefixes;
	const struct vnimesh_node *node = row;

	prefixes = rcu_dereference_protected(node->prefixes,
					     lockdep_is_held(&mesh->lock));
	if (nla_put_u32(skb, VNIMESH_A_NODE_IFINDEX, mesh->dev->ifindex) ||
	    nla_put_u32(skb, VNIMESH_A_NODE_ID, node->id) ||
	    nla_put_string(skb, VNIMESH_A_NODE_NAME, node->name) ||
	    nla_put_string(skb, VNIMESH_A_NODE_ZONE, node->zone) ||
	    put_underlay(skb, mesh, node) ||
	    put_prefixes(skb, prefixes) ||
	    nla_put_u8(skb, VNIMESH_A_NODE_STATE, node->state) ||
	    nla_put_u32(skb, VNIMESH_A_NODE_LATENCY, node->latency) ||
	    (node->self && nla_put_flag(skb, VNIMESH_A_NODE_SELF)) ||
	    vnimesh_nl_put_row(skb, VNIMESH_A_NODE_ORIGIN, &node->row))
		return -EMSGSIZE;
	return 0;
}

void vnimesh_nl_node_notify(struct vnimesh_mesh *mesh, struct genl_info *info,
			    u8 cmd, const struct vnimesh_node *node)
{
	vnimesh_nl_notify(mesh, info, cmd, fill, node);
}

/* The node that the request names, or ERR_PTR. mesh->lock. */
static struct vnimesh_node *find(struct vnimesh_mesh *mesh,
				 struct genl_info *info)
{
	struct vnimesh_node *node;

	if (VNIMESH_NL_MISSING(info, VNIMESH_A_NODE_ID, "id"))
		return ERR_PTR(-EINVAL);
	node = vnimesh_node_find(mesh,
				 nla_get_u32(info->attrs[VNIMESH_A_NODE_ID]));
	if (node)
		return node;
	return ERR_PTR(VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_ID, -ENOENT,
					 "id: no such node"));
}

int vnimesh_nl_node_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	struct vnimesh_node *node;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	node = find(mesh, info);
	err = PTR_ERR_OR_ZERO(node);
	if (!err)
		err = vnimesh_nl_reply(mesh, info, VNIMESH_CMD_NODE_GET, fill,
				       node);
	vnimesh_nl_unlock(&ref);
	return err;
}

static int rows(struct vnimesh_nl_dump *d)
{
	struct vnimesh_node *node;
	unsigned long id;
	int err;

	if (d->attrs[VNIMESH_A_NODE_ID]) {
		NL_SET_ERR_MSG_ATTR(d->cb->extack, d->attrs[VNIMESH_A_NODE_ID],
				    "id: not a filter of the dump");
		return -EINVAL;
	}
	xa_for_each_start(&d->mesh->nodes, id, node, d->cur->a) {
		err = vnimesh_nl_dump_row(d, fill, node);
		if (err) {
			d->cur->a = id;
			return err;
		}
	}
	return 0;
}

int vnimesh_nl_node_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vnimesh_nl_dump(skb, cb, VNIMESH_CMD_NODE_GET,
			       vnimesh_nl_node_get_policy,
			       ARRAY_SIZE(vnimesh_nl_node_get_policy) - 1,
			       rows);
}

/* What this host is, its device says. */
static int check_self(struct genl_info *info)
{
	struct nlattr **a = info->attrs;

	if (a[VNIMESH_A_NODE_ADDR])
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_ADDR, -EINVAL,
					 "addr: that of this host is the device's");
	if (a[VNIMESH_A_NODE_PORT])
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_PORT, -EINVAL,
					 "port: that of this host is the device's");
	if (a[VNIMESH_A_NODE_STATE])
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_STATE, -EINVAL,
					 "state: this host is always up");
	return 0;
}

static int check_addr(struct vnimesh_mesh *mesh, struct genl_info *info)
{
	union vnimesh_ip addr;
	u8 family;
	int err;

	err = vnimesh_nl_get_ip(info->attrs[VNIMESH_A_NODE_ADDR], &addr,
				&family, info->extack);
	if (err)
		return err;
	if (family != mesh->family)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_ADDR, -EINVAL,
					 "addr: not of the family of the mesh's underlay");
	if (!vnimesh_ip_host(family, &addr))
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_ADDR, -EINVAL,
					 "addr: not the address of a host");
	return 0;
}

static int check_remote(struct vnimesh_mesh *mesh, struct genl_info *info,
			const struct vnimesh_node *node)
{
	struct nlattr **a = info->attrs;
	struct nlattr *state = a[VNIMESH_A_NODE_STATE];
	int err;

	if (!node && VNIMESH_NL_MISSING(info, VNIMESH_A_NODE_ADDR, "addr"))
		return -EINVAL;
	err = a[VNIMESH_A_NODE_ADDR] ? check_addr(mesh, info) : 0;
	if (err)
		return err;
	if (a[VNIMESH_A_NODE_PORT] &&
	    !nla_get_be16(a[VNIMESH_A_NODE_PORT]))
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_PORT, -ERANGE,
					 "port: out of range");
	if (state && nla_get_u8(state) != VNIMESH_STATE_UP &&
	    nla_get_u8(state) != VNIMESH_STATE_DOWN)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_STATE, -ERANGE,
					 "state: of a node, up or down");
	return 0;
}

static int check_prefixes(struct vnimesh_mesh *mesh, struct genl_info *info,
			  const struct vnimesh_node *node,
			  const struct vnimesh_node_prefixes *prefixes)
{
	const struct vnimesh_service_prefixes *services;
	u32 i;

	services = rcu_dereference_protected(mesh->service_prefixes,
					     lockdep_is_held(&mesh->lock));
	for (i = 0; prefixes && i < prefixes->n; i++) {
		if (vnimesh_node_conflict(mesh, node, &prefixes->p[i]))
			return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_PREFIXES,
						 -EEXIST,
						 "prefixes: another node has one of them");
		if (services &&
		    (vnimesh_prefix_overlap(&services->p4, &prefixes->p[i]) ||
		     vnimesh_prefix_overlap(&services->p6, &prefixes->p[i])))
			return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_PREFIXES,
						 -EINVAL,
						 "prefixes: one overlaps the service prefix");
	}
	return 0;
}

static bool within(const struct vnimesh_node_prefixes *prefixes,
		   const struct vnimesh_addr_entry *e)
{
	return !e->key.family ||
	       vnimesh_node_within(prefixes, e->key.family, &e->key.ip);
}

/* mesh->lock. The prefixes are the node's, its VNIs may follow: who tells both
 * cannot tell them at once, so this is no reason to refuse. But until then nothing
 * reaches such a VNI, or is believed to come from it.
 */
static void warn_outside(struct vnimesh_mesh *mesh, struct genl_info *info,
			 const struct vnimesh_node *node,
			 const struct vnimesh_node_prefixes *prefixes)
{
	const struct vnimesh_vni_addrs *addrs;
	const struct vnimesh_vni *vni;

	list_for_each_entry(vni, &node->vnis, node_link) {
		addrs = rcu_dereference_protected(vni->addrs,
						  lockdep_is_held(&mesh->lock));
		if (within(prefixes, &addrs->e4) &&
		    within(prefixes, &addrs->e6))
			continue;
		NL_SET_ERR_MSG_ATTR(info->extack,
				    info->attrs[VNIMESH_A_NODE_PREFIXES],
				    "prefixes: a VNI of the node lies outside them");
		return;
	}
}

/* The endpoint that results, NULL: as it was. mesh->lock. */
static int make_endpoint(struct vnimesh_mesh *mesh, struct genl_info *info,
			 const struct vnimesh_node *node,
			 struct vnimesh_endpoint **endpoint)
{
	struct nlattr **a = info->attrs;
	struct vnimesh_endpoint *old = NULL;
	union vnimesh_ip addr;
	__be16 port = mesh->port;

	if (node && node->self)
		return 0;
	if (node) {
		old = rcu_dereference_protected(node->endpoint,
						lockdep_is_held(&mesh->lock));
		addr = old->addr;
		port = old->port;
	}
	/* Of the mesh's family, as check_addr() saw to. */
	vnimesh_nl_opt_ip(a[VNIMESH_A_NODE_ADDR], &addr);
	if (a[VNIMESH_A_NODE_PORT])
		port = nla_get_be16(a[VNIMESH_A_NODE_PORT]);
	if (vnimesh_ip_equal(&addr, &mesh->local) && port == mesh->port)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_ADDR, -EINVAL,
					 "addr: with this port it is this host");
	/* A cached route stays while nothing changes. */
	if (old && vnimesh_ip_equal(&old->addr, &addr) && old->port == port)
		return 0;
	*endpoint = vnimesh_endpoint_alloc(mesh, mesh->family, &addr, port);
	return *endpoint ? 0 : -ENOMEM;
}

/* True: it is not as alive as before, or more so. */
static bool set_scalars(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
			struct nlattr **a)
{
	bool changed = false;

	if (a[VNIMESH_A_NODE_NAME])
		nla_strscpy(node->name, a[VNIMESH_A_NODE_NAME],
			    sizeof(node->name));
	if (a[VNIMESH_A_NODE_ZONE])
		nla_strscpy(node->zone, a[VNIMESH_A_NODE_ZONE],
			    sizeof(node->zone));
	if (a[VNIMESH_A_NODE_ZONE] || !node->self)
		vnimesh_node_locate(mesh, node);
	if (a[VNIMESH_A_NODE_STATE]) {
		u8 state = nla_get_u8(a[VNIMESH_A_NODE_STATE]);

		changed = state != node->state;
		if (state == VNIMESH_STATE_UP && changed)
			vnimesh_rise(&node->risen);
		WRITE_ONCE(node->state, state);
	}
	if (a[VNIMESH_A_NODE_LATENCY])
		WRITE_ONCE(node->latency,
			   nla_get_u32(a[VNIMESH_A_NODE_LATENCY]));
	return changed;
}

/* All but the prefixes, which are parsed already. mesh->lock. */
static int check_set(struct vnimesh_mesh *mesh, struct genl_info *info,
		     struct vnimesh_node *node, const struct vnimesh_row *row)
{
	int err = vnimesh_nl_check_flags(info, node);

	if (!err && node)
		err = vnimesh_row_check(&node->row, row, info->extack);
	if (err)
		return err;
	if (node && node->self)
		return check_self(info);
	if (!node && mesh->n_nodes >= VNIMESH_NODES_MAX) {
		vnimesh_count(mesh, VNIMESH_A_STATS_NO_RESOURCE);
		GENL_SET_ERR_MSG(info, "too many nodes");
		return -ENOSPC;
	}
	return check_remote(mesh, info, node);
}

/* mesh->lock. Takes over the prefixes in @change if it succeeds. */
static int apply(struct vnimesh_mesh *mesh, struct genl_info *info,
		 struct vnimesh_node_change *change)
{
	u32 id = nla_get_u32(info->attrs[VNIMESH_A_NODE_ID]);
	struct vnimesh_node *old, *node;
	struct vnimesh_row row;
	int err;

	vnimesh_nl_get_row(info->attrs, VNIMESH_A_NODE_ORIGIN, &row);
	old = vnimesh_node_find(mesh, id);
	err = check_set(mesh, info, old, &row);
	if (!err && change->set_prefixes)
		err = check_prefixes(mesh, info, old, change->prefixes);
	if (!err)
		err = make_endpoint(mesh, info, old, &change->endpoint);
	if (err)
		return err;

	err = -ENOMEM;
	node = old ?: vnimesh_node_alloc(id);
	if (!node)
		goto free;
	if (!old)
		set_scalars(mesh, node, info->attrs);
	err = vnimesh_node_apply(mesh, node, change);
	if (err)
		goto put;
	if (old && set_scalars(mesh, node, info->attrs))
		vnimesh_liveness_node(mesh, node);
	if (old && change->set_prefixes)
		warn_outside(mesh, info, node, change->prefixes);
	vnimesh_row_update(&node->row, &row);
	mesh->generation++;
	vnimesh_nl_node_notify(mesh, info, VNIMESH_CMD_NODE_NTF, node);
	return 0;

put:
	if (!old)
		vnimesh_node_put(node);
free:
	if (change->endpoint)
		vnimesh_endpoint_free(change->endpoint);
	return err;
}

int vnimesh_nl_node_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *nest = info->attrs[VNIMESH_A_NODE_PREFIXES];
	struct vnimesh_node_change change = {};
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	if (nest) {
		change.set_prefixes = true;
		change.prefixes = vnimesh_nl_get_prefixes(nest, info->extack);
		if (IS_ERR(change.prefixes))
			return PTR_ERR(change.prefixes);
	}
	mesh = vnimesh_nl_lock(skb, info, &ref);
	err = PTR_ERR_OR_ZERO(mesh);
	if (!err) {
		err = VNIMESH_NL_MISSING(info, VNIMESH_A_NODE_ID, "id") ?
		      -EINVAL : apply(mesh, info, &change);
		vnimesh_nl_unlock(&ref);
	}
	if (err)
		kfree(change.prefixes);
	return err;
}

int vnimesh_nl_node_del(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	struct vnimesh_node *node;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	node = find(mesh, info);
	err = PTR_ERR_OR_ZERO(node);
	if (err)
		goto unlock;
	if (node->self) {
		err = VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_ID, -EINVAL,
					"id: this host");
		goto unlock;
	}
	err = vnimesh_nl_check_del(info, VNIMESH_A_NODE_ORIGIN, &node->row);
	if (err)
		goto unlock;
	if (node->n_vnis) {
		err = VNIMESH_NL_REFUSE(info, VNIMESH_A_NODE_ID, -EBUSY,
					"id: node has VNIs");
		goto unlock;
	}
	mesh->generation++;
	vnimesh_nl_node_notify(mesh, info, VNIMESH_CMD_NODE_DEL_NTF, node);
	vnimesh_node_unlink(mesh, node);
unlock:
	vnimesh_nl_unlock(&ref);
	return err;
}
