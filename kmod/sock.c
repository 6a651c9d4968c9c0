// SPDX-License-Identifier: GPL-2.0-only
#include <linux/netlink.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/udp_tunnel.h>

#include "compat/compat.h"
#include "mesh.h"
#include "recv.h"
#include "sock.h"

static struct hlist_head *bucket(struct vnimesh_sock *vs, u32 id)
{
	return &vs->meshes[(id ^ id >> 8 ^ id >> 16) % VNIMESH_SOCK_BUCKETS];
}

struct vnimesh_mesh *vnimesh_sock_find(struct vnimesh_sock *vs, u32 id)
{
	struct vnimesh_mesh *mesh;

	hlist_for_each_entry_rcu(mesh, bucket(vs, id), sock_node,
				 lockdep_rtnl_is_held())
		if (mesh->id == id)
			return mesh;
	return NULL;
}

struct vnimesh_mesh *vnimesh_sock_any(struct vnimesh_sock *vs)
{
	struct vnimesh_mesh *mesh;
	int i;

	for (i = 0; i < VNIMESH_SOCK_BUCKETS; i++)
		hlist_for_each_entry_rcu(mesh, &vs->meshes[i], sock_node)
			return mesh;
	return NULL;
}

void vnimesh_sock_add(struct vnimesh_sock *vs, struct vnimesh_mesh *mesh)
{
	hlist_add_head_rcu(&mesh->sock_node, bucket(vs, mesh->id));
}

void vnimesh_sock_del(struct vnimesh_mesh *mesh)
{
	hlist_del_init_rcu(&mesh->sock_node);
}

struct vnimesh_sock *vnimesh_sock_get(struct list_head *socks, struct net *net,
				      __be32 local, __be16 port,
				      struct netlink_ext_ack *extack)
{
	struct udp_tunnel_sock_cfg cfg = {};
	struct udp_port_cfg port_cfg = {};
	struct vnimesh_sock *vs;
	int err;

	list_for_each_entry(vs, socks, node)
		if (vs->local == local && vs->port == port) {
			vs->users++;
			return vs;
		}

	vs = kzalloc(sizeof(*vs), GFP_KERNEL);
	if (!vs)
		return ERR_PTR(-ENOMEM);
	vs->local = local;
	vs->port = port;
	vs->users = 1;

	port_cfg.family = AF_INET;
	port_cfg.local_ip.s_addr = local;
	port_cfg.local_udp_port = port;
	err = udp_sock_create(net, &port_cfg, &vs->sock);
	if (err) {
		if (err == -EADDRINUSE)
			NL_SET_ERR_MSG_MOD(extack, "port: in use by another socket");
		else if (err == -EADDRNOTAVAIL)
			NL_SET_ERR_MSG_MOD(extack, "local: not an address of this host");
		else
			NL_SET_ERR_MSG_MOD(extack, "local, port: cannot open the underlay socket");
		kfree(vs);
		return ERR_PTR(err);
	}
	cfg.sk_user_data = vs;
	cfg.encap_type = 1;
	cfg.encap_rcv = vnimesh_recv;
	cfg.encap_err_lookup = vnimesh_recv_err;
	cfg.gro_receive = vnimesh_gro_receive;
	cfg.gro_complete = vnimesh_gro_complete;
	setup_udp_tunnel_sock(net, vs->sock->sk, &cfg);
	list_add(&vs->node, socks);
	return vs;
}

void vnimesh_sock_put(struct vnimesh_sock *vs)
{
	if (--vs->users)
		return;
	list_del(&vs->node);
	udp_tunnel_sock_release(vs->sock->sk);
	kfree_rcu(vs, rcu);
}
