// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the commands of the family share: finding the mesh, replies,
 * notifications and the loop of dumps.
 */
#include "nl.h"

void vnimesh_nl_hold(struct vnimesh_mesh *mesh, struct vnimesh_nl_ref *ref)
{
	/* Found under RCU, so the device has not begun to wait for its
	 * references; it will wait for ours.
	 */
	netdev_hold(mesh->dev, &ref->tracker, GFP_ATOMIC);
	ref->mesh = mesh;
}

bool vnimesh_nl_enter(struct vnimesh_nl_ref *ref)
{
	mutex_lock(&ref->mesh->lock);
	if (!ref->mesh->dying)
		return true;
	vnimesh_nl_unlock(ref);
	return false;
}

void vnimesh_nl_unlock(struct vnimesh_nl_ref *ref)
{
	struct vnimesh_mesh *mesh = ref->mesh;

	mutex_unlock(&mesh->lock);
	netdev_put(mesh->dev, &ref->tracker);
}

/* RCU. */
static struct vnimesh_dev *find_dev(struct net *net, const struct nlattr *attr,
				    struct netlink_ext_ack *extack)
{
	struct net_device *dev;

	dev = dev_get_by_index_rcu(net, nla_get_u32(attr));
	if (!dev) {
		NL_SET_ERR_MSG_ATTR(extack, attr, "ifindex: no such device");
		return ERR_PTR(-ENODEV);
	}
	if (!vnimesh_dev_check(dev)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "ifindex: not a mesh device");
		return ERR_PTR(-EINVAL);
	}
	return netdev_priv(dev);
}

/* RCU. A VNI in a container is no way to its mesh: only the mesh device is,
 * and only for who is privileged over the underlay's netns.
 */
static struct vnimesh_mesh *find_mesh(struct sk_buff *skb, struct net *net,
				      const struct nlattr *attr,
				      struct netlink_ext_ack *extack)
{
	struct vnimesh_dev *vdev = find_dev(net, attr, extack);

	if (IS_ERR(vdev))
		return ERR_CAST(vdev);
	if (!vnimesh_dev_is_mesh(vdev)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "ifindex: a VNI, not a mesh device");
		return ERR_PTR(-EPERM);
	}
	if (!netlink_ns_capable(skb, vdev->mesh->net->user_ns,
				CAP_NET_ADMIN)) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "ifindex: no privilege over this mesh");
		return ERR_PTR(-EPERM);
	}
	return vdev->mesh;
}

static int check_header(struct genl_info *info)
{
	/* The core checks this only above resv_start_op. */
	if (!info->genlhdr->reserved)
		return 0;
	GENL_SET_ERR_MSG(info, "genlmsghdr.reserved: not 0");
	return -EINVAL;
}

struct vnimesh_mesh *vnimesh_nl_lock(struct sk_buff *skb,
				     struct genl_info *info,
				     struct vnimesh_nl_ref *ref)
{
	struct vnimesh_mesh *mesh;
	int err = check_header(info);

	if (err)
		return ERR_PTR(err);
	if (VNIMESH_NL_MISSING(info, VNIMESH_NL_IFINDEX, "ifindex"))
		return ERR_PTR(-EINVAL);
	rcu_read_lock();
	mesh = find_mesh(skb, genl_info_net(info),
			 info->attrs[VNIMESH_NL_IFINDEX], info->extack);
	if (!IS_ERR(mesh))
		vnimesh_nl_hold(mesh, ref);
	rcu_read_unlock();
	if (!IS_ERR(mesh) && !vnimesh_nl_enter(ref))
		mesh = ERR_PTR(-ENODEV);
	return mesh;
}

struct vnimesh_mesh *vnimesh_nl_lock_any(struct genl_info *info,
					 struct vnimesh_nl_ref *ref,
					 u32 *vni_id)
{
	struct vnimesh_dev *vdev;
	struct vnimesh_mesh *mesh;
	struct vnimesh_vni *vni;
	int err = check_header(info);

	if (err)
		return ERR_PTR(err);
	if (VNIMESH_NL_MISSING(info, VNIMESH_NL_IFINDEX, "ifindex"))
		return ERR_PTR(-EINVAL);
	rcu_read_lock();
	vdev = find_dev(genl_info_net(info), info->attrs[VNIMESH_NL_IFINDEX],
			info->extack);
	if (IS_ERR(vdev)) {
		rcu_read_unlock();
		return ERR_CAST(vdev);
	}
	vni = READ_ONCE(vdev->vni);
	*vni_id = vni ? vni->id : 0;
	/* A VNI device that can be found holds its mesh device. */
	mesh = vdev->mesh;
	vnimesh_nl_hold(mesh, ref);
	rcu_read_unlock();
	return vnimesh_nl_enter(ref) ? mesh : ERR_PTR(-ENODEV);
}

int vnimesh_nl_check_flags(struct genl_info *info, bool exists)
{
	u16 flags = info->nlhdr->nlmsg_flags;

	if (exists && flags & NLM_F_EXCL) {
		GENL_SET_ERR_MSG(info, "exists already");
		return -EEXIST;
	}
	if (!exists && !(flags & NLM_F_CREATE)) {
		GENL_SET_ERR_MSG(info, "does not exist");
		return -ENOENT;
	}
	return 0;
}

struct sk_buff *vnimesh_nl_build(struct vnimesh_mesh *mesh,
				 struct genl_info *info, u8 cmd,
				 vnimesh_nl_fill fill, const void *row)
{
	struct sk_buff *skb;
	void *hdr;

	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return NULL;
	hdr = genlmsg_put(skb, info ? info->snd_portid : 0,
			  info ? info->snd_seq : 0, &vnimesh_family, 0, cmd);
	if (!hdr ||
	    fill(skb, mesh, row, info ? genl_info_net(info) : mesh->net)) {
		WARN_ON_ONCE(hdr);
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);
	return skb;
}

int vnimesh_nl_reply(struct vnimesh_mesh *mesh, struct genl_info *info, u8 cmd,
		     vnimesh_nl_fill fill, const void *row)
{
	struct sk_buff *skb = vnimesh_nl_build(mesh, info, cmd, fill, row);

	return skb ? genlmsg_reply(skb, info) : -ENOMEM;
}

void vnimesh_nl_notify(struct vnimesh_mesh *mesh, struct genl_info *info,
		       u8 cmd, vnimesh_nl_fill fill, const void *row)
{
	bool echo = info && info->nlhdr->nlmsg_flags & NLM_F_ECHO;
	struct sk_buff *skb;

	if (!echo && !genl_has_listeners(&vnimesh_family, mesh->net,
					 VNIMESH_NL_CONFIG))
		return;
	skb = vnimesh_nl_build(mesh, info, cmd, fill, row);
	if (!skb)
		genl_set_err(&vnimesh_family, mesh->net, 0, VNIMESH_NL_CONFIG,
			     -ENOBUFS);
	else if (info)
		genl_notify(&vnimesh_family, skb, info, VNIMESH_NL_CONFIG,
			    GFP_KERNEL);
	else
		genlmsg_multicast_netns(&vnimesh_family, mesh->net, skb, 0,
					VNIMESH_NL_CONFIG, GFP_KERNEL);
}

/* Sequence of a dump: of the one mesh, else of all in the netns together. It
 * is never 0, which the core takes for "not known".
 */
static u32 dump_seq(struct net *net, struct vnimesh_nl_dump *d)
{
	struct vnimesh_mesh *mesh;
	u32 seq = 1;

	if (d->attrs[VNIMESH_NL_IFINDEX]) {
		seq += d->mesh->generation;
		return seq ?: 1;
	}
	rcu_read_lock();
	list_for_each_entry_rcu(mesh, vnimesh_net_meshes(net), net_node)
		seq += (u32)READ_ONCE(mesh->generation) + 1;
	rcu_read_unlock();
	return seq ?: 1;
}

/* RCU. The mesh of the netns with the next higher ifindex: an order that
 * holds while meshes come and go.
 */
static struct vnimesh_mesh *next_mesh(struct net *net, u32 after)
{
	struct vnimesh_mesh *mesh, *next = NULL;

	list_for_each_entry_rcu(mesh, vnimesh_net_meshes(net), net_node)
		if (mesh->dev->ifindex > after &&
		    (!next || mesh->dev->ifindex < next->dev->ifindex))
			next = mesh;
	return next;
}

/* RCU. */
static struct vnimesh_mesh *dump_mesh(struct netlink_callback *cb,
				      struct vnimesh_nl_dump *d)
{
	const struct nlattr *attr = d->attrs[VNIMESH_NL_IFINDEX];
	struct net *net = sock_net(cb->skb->sk);

	if (!attr)
		return next_mesh(net, d->cur->done);
	if (d->cur->done)
		return NULL;
	return find_mesh(cb->skb, net, attr, cb->extack);
}

int vnimesh_nl_dump(struct sk_buff *skb, struct netlink_callback *cb,
		    u8 cmd, const struct nla_policy *policy, int maxattr,
		    vnimesh_nl_rows rows)
{
	struct vnimesh_nl_cursor *cur = (void *)cb->ctx;
	struct nlattr *attrs[VNIMESH_A_ROUTE_MAX + 1];
	struct vnimesh_nl_dump d = {
		.skb = skb,
		.cb = cb,
		.attrs = attrs,
		.cur = cur,
		.cmd = cmd,
	};
	int err;

	BUILD_BUG_ON(sizeof(*cur) > sizeof(cb->ctx));
	if (WARN_ON_ONCE(maxattr >= ARRAY_SIZE(attrs)))
		return -EINVAL;
	err = genlmsg_parse(cb->nlh, &vnimesh_family, attrs, maxattr, policy,
			    cb->extack);
	while (!err) {
		struct vnimesh_nl_ref ref;

		rcu_read_lock();
		d.mesh = dump_mesh(cb, &d);
		if (!IS_ERR_OR_NULL(d.mesh))
			vnimesh_nl_hold(d.mesh, &ref);
		rcu_read_unlock();
		if (IS_ERR_OR_NULL(d.mesh)) {
			err = PTR_ERR_OR_ZERO(d.mesh);
			/* It went between two calls: the end. */
			if (cur->ifindex)
				err = 0;
			break;
		}
		if (d.mesh->dev->ifindex != cur->ifindex) {
			cur->ifindex = d.mesh->dev->ifindex;
			cur->a = 0;
			cur->b = 0;
		}
		if (vnimesh_nl_enter(&ref)) {
			cb->seq = dump_seq(sock_net(cb->skb->sk), &d);
			err = rows(&d);
			vnimesh_nl_unlock(&ref);
		}
		if (err == -EAGAIN) {
			cond_resched();
			err = 0;
		} else if (!err) {
			cur->done = cur->ifindex;
		}
	}
	if (err == -EMSGSIZE && skb->len)
		return skb->len;
	return err ?: skb->len;
}

int vnimesh_nl_dump_row(struct vnimesh_nl_dump *d, vnimesh_nl_fill fill,
			const void *row)
{
	struct netlink_callback *cb = d->cb;
	int err;
	void *hdr;

	hdr = genlmsg_put(d->skb, NETLINK_CB(cb->skb).portid,
			  cb->nlh->nlmsg_seq, &vnimesh_family, NLM_F_MULTI,
			  d->cmd);
	if (!hdr)
		return -EMSGSIZE;
	genl_dump_check_consistent(cb, hdr);
	err = fill(d->skb, d->mesh, row, sock_net(cb->skb->sk));
	if (err) {
		genlmsg_cancel(d->skb, hdr);
		return err;
	}
	genlmsg_end(d->skb, hdr);
	return 0;
}
