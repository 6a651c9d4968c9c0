// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/memcontrol.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/addrconf.h>
#include <net/ip_tunnels.h>
#include <net/rtnetlink.h>

#include "compat/compat.h"
#include "device.h"
#include "eject.h"
#include "encap.h"
#include "flow.h"
#include "liveness.h"
#include "frag.h"
#include "miss.h"
#include "parked.h"
#include "route.h"
#include "sock.h"

#define HEADROOM	(LL_MAX_HEADER + VNIMESH_OVERHEAD6)
#define FEATURES	(NETIF_F_SG | NETIF_F_FRAGLIST | NETIF_F_HIGHDMA | \
			 NETIF_F_HW_CSUM | NETIF_F_RXCSUM | NETIF_F_GSO_SOFTWARE)

static const struct net_device_ops netdev_ops;

bool vnimesh_dev_check(const struct net_device *dev)
{
	return dev->netdev_ops == &netdev_ops;
}

u64 vnimesh_stats_read(const struct vnimesh_mesh *mesh, unsigned int what)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(mesh->stats, cpu)->c[what]);
	return sum;
}

struct list_head *vnimesh_net_meshes(struct net *net)
{
	return &vnimesh_net(net)->meshes;
}

static netdev_tx_t xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct vnimesh_dev *vdev = netdev_priv(dev);

	rcu_read_lock();
	/* A packet socket that bypasses the queue may come late, when even
	 * the counters are gone. Who sees "running" here is waited for.
	 */
	if (unlikely(!netif_running(dev))) {
		kfree_skb_reason(skb, SKB_DROP_REASON_DEV_READY);
	} else {
		skb_reset_network_header(skb);
		vnimesh_route(vdev, skb, false);
	}
	rcu_read_unlock();
	return NETDEV_TX_OK;
}

static void destroy_mesh(struct net_device *dev);

static int init_dev(struct net_device *dev)
{
	struct vnimesh_dev *vdev = netdev_priv(dev);
	int err;

	netdev_lockdep_set_classes(dev);
	vdev->bulk = jiffies - HZ;
	err = vnimesh_compat_alloc_tstats(dev);
	if (err)
		return err;
	err = gro_cells_init(&vdev->gro_cells, dev);
	if (err) {
		vnimesh_compat_free_tstats(dev);
		return err;
	}
	if (vnimesh_dev_is_mesh(vdev)) {
		/* From here on, unregistering is what frees. */
		dev->priv_destructor = destroy_mesh;
		return 0;
	}
	netdev_hold(vdev->mesh->dev, &vdev->mesh_tracker, GFP_KERNEL);
	list_add_tail(&vdev->mesh_node, &vdev->mesh->devs);
	return 0;
}

/* rtnl. All devices of the batch are closed and their packets gone. Undoes
 * init_dev(), also when registering fails after it, and what needs the others
 * of the batch to be quiet.
 */
static void uninit_dev(struct net_device *dev)
{
	struct vnimesh_dev *vdev = netdev_priv(dev);
	struct vnimesh_mesh *mesh = vdev->mesh;
	struct vnimesh_sock *vs;

	/* Its worker sends by the mesh device. */
	if (vnimesh_dev_is_mesh(vdev))
		vnimesh_liveness_stop(mesh);
	if (vdev->vni) {
		/* A packet may have come between ndo_stop and the end of the
		 * readers.
		 */
		vnimesh_miss_flush_dev(mesh, vdev);
		vnimesh_frag_flush(mesh, vdev->vni);
		vnimesh_flow_flush(mesh, vdev->vni);
		vnimesh_vni_detach(mesh, vdev->vni);
	}
	gro_cells_destroy(&vdev->gro_cells);
	vnimesh_compat_free_tstats(dev);
	if (!vnimesh_dev_is_mesh(vdev)) {
		list_del(&vdev->mesh_node);
		netdev_put(mesh->dev, &vdev->mesh_tracker);
		return;
	}
	vnimesh_miss_stop(mesh);
	vnimesh_frag_stop(mesh);
	vnimesh_parked_stop(mesh);
	vs = mesh->sock;
	WRITE_ONCE(mesh->sock, NULL);
	vnimesh_sock_put(vs);
}

static int open_dev(struct net_device *dev)
{
	struct inet6_dev *idev = __in6_dev_get(dev);
	struct vnimesh_dev *vdev = netdev_priv(dev);

	/* Addresses come from the record; link-local ones lead nowhere. */
	if (idev)
		idev->cnf.addr_gen_mode = IN6_ADDR_GEN_MODE_NONE;
	vnimesh_vni_set_up(vdev->mesh, vdev->vni, true);
	return 0;
}

static int stop_dev(struct net_device *dev)
{
	struct vnimesh_dev *vdev = netdev_priv(dev);

	vnimesh_vni_set_up(vdev->mesh, vdev->vni, false);
	vnimesh_miss_flush_dev(vdev->mesh, vdev);
	vnimesh_frag_flush(vdev->mesh, vdev->vni);
	return 0;
}

static int get_iflink(const struct net_device *dev)
{
	const struct vnimesh_dev *vdev = netdev_priv(dev);

	return vdev->mesh->dev->ifindex;
}

static const struct net_device_ops netdev_ops = {
	.ndo_init		= init_dev,
	.ndo_uninit		= uninit_dev,
	.ndo_open		= open_dev,
	.ndo_stop		= stop_dev,
	.ndo_start_xmit		= xmit,
	.ndo_get_stats64	= dev_get_tstats64,
	.ndo_get_iflink		= get_iflink,
};

static const struct device_type device_type = { .name = VNIMESH_LINK_KIND };

static void setup(struct net_device *dev)
{
	dev->netdev_ops = &netdev_ops;
	dev->header_ops = &ip_tunnel_header_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_POINTOPOINT | IFF_NOARP;
	dev->needed_headroom = HEADROOM;
	dev->mtu = ETH_DATA_LEN - VNIMESH_OVERHEAD4;
	dev->min_mtu = IPV4_MIN_MTU;
	dev->max_mtu = IP_MAX_MTU - VNIMESH_OVERHEAD4;
	dev->features |= FEATURES;
	vnimesh_compat_set_lltx(dev);
	vnimesh_compat_set_tstats(dev);
	dev->hw_features |= FEATURES;
	dev->hw_enc_features |= FEATURES;
	/* A tag has no place in layer 3. */
	dev->features |= NETIF_F_VLAN_CHALLENGED;
	dev->priv_flags |= IFF_NO_QUEUE;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
	netif_keep_dst(dev);
	dev->needs_free_netdev = true;
	SET_NETDEV_DEVTYPE(dev, &device_type);
}

static const struct nla_policy policy[IFLA_VNIMESH_MAX + 1] = {
	[IFLA_VNIMESH_MESH_ID]	= { .type = NLA_U32 },
	[IFLA_VNIMESH_NODE_ID]	= { .type = NLA_U32 },
	[IFLA_VNIMESH_VNI_ID]	= { .type = NLA_U32 },
	[IFLA_VNIMESH_LOCAL]	= NLA_POLICY_RANGE(NLA_BINARY,
						   sizeof(struct in_addr),
						   sizeof(struct in6_addr)),
	[IFLA_VNIMESH_PORT]	= { .type = NLA_U16 },
	[IFLA_VNIMESH_ADDR4]	= NLA_POLICY_EXACT_LEN(sizeof(struct in_addr)),
	[IFLA_VNIMESH_ADDR6]	= NLA_POLICY_EXACT_LEN(sizeof(struct in6_addr)),
	[IFLA_VNIMESH_FLOW_MAX]	= { .type = NLA_U32 },
};

static int refuse_attr(struct nlattr *attr, struct netlink_ext_ack *extack,
		       const char *msg)
{
	NL_SET_BAD_ATTR(extack, attr);
	if (extack)
		extack->_msg = msg;
	return -EINVAL;
}

/* Ranges are checked here and not by the policy, whose text does not name the
 * attribute.
 */
static int check_range(struct nlattr *attr, u32 min, u32 max, const char *msg,
		       struct netlink_ext_ack *extack)
{
	u32 v = attr ? nla_get_u32(attr) : min;

	return v < min || v > max ? refuse_attr(attr, extack, msg) : 0;
}

/* The family follows from the length. 0: neither of the two. */
static u8 get_local(const struct nlattr *attr, union vnimesh_ip *ip)
{
	vnimesh_ip_set4(ip, 0);
	switch (nla_len(attr)) {
	case sizeof(ip->v4):
		ip->v4 = nla_get_in_addr(attr);
		return AF_INET;
	case sizeof(ip->v6):
		ip->v6 = nla_get_in6_addr(attr);
		return AF_INET6;
	}
	return 0;
}

static int check_local(struct nlattr *attr, struct netlink_ext_ack *extack)
{
	union vnimesh_ip ip;
	u8 family = get_local(attr, &ip);

	if (!family)
		return refuse_attr(attr, extack,
				   "vnimesh: local: must have 4 or 16 bytes");
	if (!vnimesh_ip_host(family, &ip))
		return refuse_attr(attr, extack,
				   "vnimesh: local: not a unicast address");
	return 0;
}

static int validate_mesh(struct nlattr *data[], struct netlink_ext_ack *extack)
{
	if (!data[IFLA_VNIMESH_MESH_ID])
		return refuse_attr(NULL, extack, "vnimesh: missing attribute: mesh-id");
	if (!data[IFLA_VNIMESH_NODE_ID])
		return refuse_attr(NULL, extack, "vnimesh: missing attribute: node-id");
	if (!data[IFLA_VNIMESH_LOCAL])
		return refuse_attr(NULL, extack, "vnimesh: missing attribute: local");
	if (check_range(data[IFLA_VNIMESH_MESH_ID], 1, VNIMESH_ID_MAX,
			"vnimesh: mesh-id: must be 1 to 16777215", extack) ||
	    check_range(data[IFLA_VNIMESH_NODE_ID], 1, U32_MAX,
			"vnimesh: node-id: must not be 0", extack) ||
	    check_range(data[IFLA_VNIMESH_FLOW_MAX], VNIMESH_FLOW_MAX_MIN,
			VNIMESH_FLOW_MAX_MAX,
			"vnimesh: flow-max: must be 16 to 4194304", extack) ||
	    check_local(data[IFLA_VNIMESH_LOCAL], extack))
		return -EINVAL;
	if (data[IFLA_VNIMESH_PORT] &&
	    !nla_get_be16(data[IFLA_VNIMESH_PORT]))
		return refuse_attr(data[IFLA_VNIMESH_PORT], extack,
				   "vnimesh: port: must be 1 to 65535");
	return 0;
}

static int validate_vni(struct nlattr *data[], struct netlink_ext_ack *extack)
{
	static const u8 mesh_only[] = {
		IFLA_VNIMESH_MESH_ID, IFLA_VNIMESH_NODE_ID, IFLA_VNIMESH_LOCAL,
		IFLA_VNIMESH_PORT, IFLA_VNIMESH_FLOW_MAX,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(mesh_only); i++)
		if (data[mesh_only[i]])
			return refuse_attr(data[mesh_only[i]], extack,
					   "vnimesh: mesh-id, node-id, local, port, flow-max: only of a mesh device, not with link");
	return 0;
}

static int validate(struct nlattr *tb[], struct nlattr *data[],
		    struct netlink_ext_ack *extack)
{
	if (tb[IFLA_ADDRESS])
		return refuse_attr(tb[IFLA_ADDRESS], extack,
				   "vnimesh: address: the device has no link layer address");
	if (!data)
		return refuse_attr(NULL, extack, "vnimesh: missing attribute: vni-id");
	if (!data[IFLA_VNIMESH_VNI_ID])
		return refuse_attr(NULL, extack, "vnimesh: missing attribute: vni-id");
	if (check_range(data[IFLA_VNIMESH_VNI_ID], 1, U32_MAX,
			"vnimesh: vni-id: must not be 0", extack))
		return -EINVAL;
	return tb[IFLA_LINK] ? validate_vni(data, extack) :
			       validate_mesh(data, extack);
}

/* Nobody can reach the mesh any more: no device, no socket, no reader. */
static void free_mesh(struct vnimesh_mesh *mesh)
{
	struct vnimesh_service_prefixes *sp;

	vnimesh_liveness_stop(mesh);
	vnimesh_flow_exit(mesh);
	vnimesh_eject_exit(mesh);
	vnimesh_frag_exit(mesh);
	if (mesh->misses)
		vnimesh_miss_exit(mesh);
	if (mesh->parked)
		vnimesh_parked_exit(mesh);
	vnimesh_service_exit(mesh);
	vnimesh_vni_exit(mesh);
	vnimesh_node_exit(mesh);
	kfree(mesh->transitions);
	sp = rcu_dereference_protected(mesh->service_prefixes, true);
	kfree(sp);
	free_percpu(mesh->stats);
	mem_cgroup_put(mesh->memcg);
	mutex_destroy(&mesh->lock);
	kfree(mesh);
}

static void destroy_mesh(struct net_device *dev)
{
	struct vnimesh_dev *vdev = netdev_priv(dev);

	free_mesh(vdev->mesh);
}

static void default_settings(struct vnimesh_settings *set)
{
	set->hold_max = VNIMESH_HOLD_MAX;
	set->hold_vni_max = VNIMESH_HOLD_VNI_MAX;
	set->miss_timeout = VNIMESH_MISS_TIMEOUT;
	set->tcp_established = VNIMESH_TCP_ESTABLISHED;
	set->tcp_half_open = VNIMESH_TCP_HALF_OPEN;
	set->tcp_closing = VNIMESH_TCP_CLOSING;
	set->udp_unreplied = VNIMESH_UDP_UNREPLIED;
	set->udp_replied = VNIMESH_UDP_REPLIED;
	set->resteer_max = VNIMESH_RESTEER_MAX;
	set->eject_max = VNIMESH_EJECT_TIME_MAX;
}

static struct vnimesh_mesh *new_mesh(struct net_device *dev,
				     struct nlattr *data[])
{
	struct vnimesh_mesh *mesh;
	int err;

	mesh = kzalloc(sizeof(*mesh), GFP_KERNEL_ACCOUNT);
	if (!mesh)
		return ERR_PTR(-ENOMEM);
	mesh->dev = dev;
	mesh->net = dev_net(dev);
	mesh->id = nla_get_u32(data[IFLA_VNIMESH_MESH_ID]);
	mesh->node_id = nla_get_u32(data[IFLA_VNIMESH_NODE_ID]);
	mesh->family = get_local(data[IFLA_VNIMESH_LOCAL], &mesh->local);
	mesh->overhead = mesh->family == AF_INET ? VNIMESH_OVERHEAD4 :
						   VNIMESH_OVERHEAD6;
	mesh->port = data[IFLA_VNIMESH_PORT] ?
		nla_get_be16(data[IFLA_VNIMESH_PORT]) :
		htons(VNIMESH_PORT_DEFAULT);
	mesh->flow_max = data[IFLA_VNIMESH_FLOW_MAX] ?
		nla_get_u32(data[IFLA_VNIMESH_FLOW_MAX]) :
		VNIMESH_FLOW_MAX_DEFAULT;
	default_settings(&mesh->set);
	mesh->memcg = get_mem_cgroup_from_mm(current->mm);
	mutex_init(&mesh->lock);
	vnimesh_answer_init(mesh);
	INIT_LIST_HEAD(&mesh->devs);
	INIT_LIST_HEAD(&mesh->net_node);
	INIT_HLIST_NODE(&mesh->sock_node);

	mesh->stats = alloc_percpu(struct vnimesh_stats);
	err = mesh->stats ? vnimesh_liveness_init(mesh) : -ENOMEM;
	if (!err)
		err = vnimesh_node_init(mesh);
	if (err)
		goto err_node;
	err = vnimesh_vni_init(mesh);
	if (err)
		goto err_vni;
	err = vnimesh_service_init(mesh);
	if (err)
		goto err_service;
	err = vnimesh_miss_init(mesh);
	if (!err)
		err = vnimesh_parked_init(mesh);
	if (!err)
		err = vnimesh_eject_init(mesh);
	if (!err)
		err = vnimesh_frag_init(mesh);
	if (!err)
		err = vnimesh_flow_init(mesh);
	if (err) {
		free_mesh(mesh);
		return ERR_PTR(err);
	}
	return mesh;

err_service:
	vnimesh_vni_exit(mesh);
err_vni:
	vnimesh_node_exit(mesh);
err_node:
	kfree(mesh->transitions);
	free_percpu(mesh->stats);
	mem_cgroup_put(mesh->memcg);
	kfree(mesh);
	return ERR_PTR(err);
}

static int attach(struct vnimesh_dev *vdev, struct nlattr *data[],
		  struct netlink_ext_ack *extack)
{
	union vnimesh_ip ip4, ip6, *p4 = NULL, *p6 = NULL;
	struct vnimesh_vni *vni;

	if (data[IFLA_VNIMESH_ADDR4]) {
		vnimesh_ip_set4(&ip4,
				nla_get_in_addr(data[IFLA_VNIMESH_ADDR4]));
		p4 = &ip4;
	}
	if (data[IFLA_VNIMESH_ADDR6]) {
		ip6.v6 = nla_get_in6_addr(data[IFLA_VNIMESH_ADDR6]);
		p6 = &ip6;
	}
	vni = vnimesh_vni_attach(vdev->mesh,
				 nla_get_u32(data[IFLA_VNIMESH_VNI_ID]),
				 vdev->dev, p4, p6, extack);
	if (IS_ERR(vni))
		return PTR_ERR(vni);
	vdev->vni = vni;
	return 0;
}

/* rtnl. Who has the local address, or NULL. */
static struct net_device *underlay_dev(const struct vnimesh_mesh *mesh)
{
#if IS_ENABLED(CONFIG_IPV6)
	if (mesh->family == AF_INET6)
		return ipv6_dev_find(mesh->net, &mesh->local.v6, NULL);
#endif
	return __ip_dev_find(mesh->net, mesh->local.v4, false);
}

/* The MTU that lets an inner packet of full size cross the underlay. */
static u32 default_mtu(const struct vnimesh_mesh *mesh)
{
	struct net_device *under = underlay_dev(mesh);
	u32 mtu = under ? READ_ONCE(under->mtu) : ETH_DATA_LEN;

	return clamp_t(u32, mtu, IPV6_MIN_MTU + mesh->overhead, IP_MAX_MTU) -
	       mesh->overhead;
}

static int newlink_mesh(struct net *link_net, struct net_device *dev,
			struct nlattr *tb[], struct nlattr *data[],
			struct netlink_ext_ack *extack)
{
	struct vnimesh_net *vn = vnimesh_net(dev_net(dev));
	struct vnimesh_dev *vdev = netdev_priv(dev);
	struct vnimesh_mesh *mesh;
	int err;

	if (data[IFLA_VNIMESH_FLOW_MAX] && !capable(CAP_NET_ADMIN) &&
	    nla_get_u32(data[IFLA_VNIMESH_FLOW_MAX]) > VNIMESH_FLOW_MAX_DEFAULT)
		return refuse_attr(data[IFLA_VNIMESH_FLOW_MAX], extack,
				   "vnimesh: flow-max: more than the default needs privilege over the machine");
	if (!net_eq(link_net, dev_net(dev))) {
		NL_SET_ERR_MSG_MOD(extack,
				   "netns: a mesh device lives in the netns of its underlay");
		return -EINVAL;
	}
	mesh = new_mesh(dev, data);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	vdev->mesh = mesh;
	vdev->dev = dev;

	mesh->sock = vnimesh_sock_get(&vn->socks, mesh->net, mesh->family,
				      &mesh->local, mesh->port, extack);
	if (IS_ERR(mesh->sock)) {
		err = PTR_ERR(mesh->sock);
		mesh->sock = NULL;
		goto err_mesh;
	}
	if (vnimesh_sock_find(mesh->sock, mesh->id)) {
		NL_SET_ERR_MSG_MOD(extack,
				   "mesh-id: there is such a mesh on this local address and port");
		err = -EEXIST;
		goto err_sock;
	}
	if (!tb[IFLA_MTU])
		dev->mtu = default_mtu(mesh);
	dev->max_mtu = IP_MAX_MTU - mesh->overhead;
	/* The socket and the tables are this netns's: the device stays. */
	vnimesh_compat_set_netns_immutable(dev);
	err = register_netdevice(dev);
	if (err && !dev->priv_destructor)
		goto err_sock;	/* before ndo_init */
	if (err)
		return err;
	err = attach(vdev, data, extack);
	if (err) {
		unregister_netdevice(dev);
		return err;
	}
	mesh->vni_id = vdev->vni->id;
	list_add_tail_rcu(&mesh->net_node, &vn->meshes);
	vnimesh_sock_add(mesh->sock, mesh);
	return 0;

err_sock:
	vnimesh_sock_put(mesh->sock);
err_mesh:
	free_mesh(mesh);
	return err;
}

static int newlink_vni(struct net *link_net, struct net_device *dev,
		       struct nlattr *tb[], struct nlattr *data[],
		       struct netlink_ext_ack *extack)
{
	struct vnimesh_dev *vdev = netdev_priv(dev), *lower;
	struct net_device *mesh_dev;
	int err;

	mesh_dev = __dev_get_by_index(link_net, nla_get_u32(tb[IFLA_LINK]));
	if (!mesh_dev || !vnimesh_dev_check(mesh_dev) ||
	    !vnimesh_dev_is_mesh(netdev_priv(mesh_dev)))
		return refuse_attr(tb[IFLA_LINK], extack,
				   "vnimesh: link: not a mesh device of this netns");
	lower = netdev_priv(mesh_dev);
	vdev->mesh = lower->mesh;
	vdev->dev = dev;
	if (!tb[IFLA_MTU])
		dev->mtu = mesh_dev->mtu;
	dev->max_mtu = mesh_dev->max_mtu;

	err = register_netdevice(dev);
	if (err)
		return err;
	err = attach(vdev, data, extack);
	if (err) {
		unregister_netdevice(dev);
		return err;
	}
	/* So that who looks from the mesh's side can name the netns. */
	if (!net_eq(link_net, dev_net(dev)))
		peernet2id_alloc(link_net, dev_net(dev), GFP_KERNEL);
	return 0;
}

static int newlink(struct net_device *dev, struct rtnl_newlink_params *params,
		   struct netlink_ext_ack *extack)
{
	struct net *link_net = rtnl_newlink_link_net(params);

	if (params->tb[IFLA_LINK])
		return newlink_vni(link_net, dev, params->tb, params->data,
				   extack);
	return newlink_mesh(link_net, dev, params->tb, params->data, extack);
}

VNIMESH_COMPAT_DEFINE_NEWLINK(newlink)

static void hide_mesh(struct vnimesh_mesh *mesh)
{
	mutex_lock(&mesh->lock);
	mesh->dying = true;
	mutex_unlock(&mesh->lock);
	vnimesh_sock_del(mesh);
	/* Readers may stand on it: its next pointer stays. */
	list_del_rcu(&mesh->net_node);
}

/* Only queues; may come twice for one device. */
static void dellink(struct net_device *dev, struct list_head *head)
{
	struct vnimesh_dev *vdev = netdev_priv(dev), *other, *tmp;
	struct vnimesh_mesh *mesh = vdev->mesh;

	if (vnimesh_dev_is_mesh(vdev)) {
		if (!mesh->dying)
			hide_mesh(mesh);
		list_for_each_entry_safe(other, tmp, &mesh->devs, mesh_node)
			unregister_netdevice_queue(other->dev, head);
	}
	unregister_netdevice_queue(dev, head);
}

static size_t get_size(const struct net_device *dev)
{
	return nla_total_size(sizeof(u32)) * 4 +	/* ids, FLOW_MAX */
	       nla_total_size(sizeof(struct in_addr)) +
	       nla_total_size(sizeof(struct in6_addr)) * 2 +
	       nla_total_size(sizeof(__be16));
}

static int fill_addrs(struct sk_buff *skb, const struct vnimesh_vni *vni)
{
	const union vnimesh_ip *ip4, *ip6;
	int err = 0;

	rcu_read_lock();
	ip4 = vnimesh_vni_ip(vni, AF_INET);
	ip6 = vnimesh_vni_ip(vni, AF_INET6);
	if (ip4)
		err = nla_put_in_addr(skb, IFLA_VNIMESH_ADDR4, ip4->v4);
	if (!err && ip6)
		err = nla_put_in6_addr(skb, IFLA_VNIMESH_ADDR6, &ip6->v6);
	rcu_read_unlock();
	return err;
}

static int fill_info(struct sk_buff *skb, const struct net_device *dev)
{
	const struct vnimesh_dev *vdev = netdev_priv(dev);
	const struct vnimesh_mesh *mesh = vdev->mesh;

	/* Not yet attached, or not any more. */
	if (!vdev->vni)
		return 0;
	if (nla_put_u32(skb, IFLA_VNIMESH_MESH_ID, mesh->id) ||
	    nla_put_u32(skb, IFLA_VNIMESH_VNI_ID, vdev->vni->id) ||
	    fill_addrs(skb, vdev->vni))
		return -EMSGSIZE;
	if (!vnimesh_dev_is_mesh(vdev))
		return 0;
	if (nla_put_u32(skb, IFLA_VNIMESH_NODE_ID, mesh->node_id) ||
	    nla_put(skb, IFLA_VNIMESH_LOCAL, vnimesh_ip_len(mesh->family),
		    &mesh->local) ||
	    nla_put_be16(skb, IFLA_VNIMESH_PORT, mesh->port) ||
	    nla_put_u32(skb, IFLA_VNIMESH_FLOW_MAX, mesh->flow_max))
		return -EMSGSIZE;
	return 0;
}

static struct net *get_link_net(const struct net_device *dev)
{
	const struct vnimesh_dev *vdev = netdev_priv(dev);

	return vdev->mesh->net;
}

static struct rtnl_link_ops link_ops = {
	.kind		= VNIMESH_LINK_KIND,
	.priv_size	= sizeof(struct vnimesh_dev),
	.maxtype	= IFLA_VNIMESH_MAX,
	.policy		= policy,
	.setup		= setup,
	.validate	= validate,
	.newlink	= VNIMESH_COMPAT_NEWLINK(newlink),
	.dellink	= dellink,
	.get_size	= get_size,
	.fill_info	= fill_info,
	.get_link_net	= get_link_net,
};

int __init vnimesh_device_init(void)
{
	return rtnl_link_register(&link_ops);
}

void vnimesh_device_exit(void)
{
	rtnl_link_unregister(&link_ops);
}

MODULE_ALIAS_RTNL_LINK(VNIMESH_LINK_KIND);
