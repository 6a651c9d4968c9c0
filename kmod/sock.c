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

void vnimesh_sock_count(struct vnimesh_sock *vs, unsigned int what)
{
	if (what == VNIMESH_A_STATS_PORT_MALFORMED)
		this_cpu_inc(vs->strays->malformed);
	else
		this_cpu_inc(vs->strays->foreign);
}

u64 vnimesh_sock_strays(const struct vnimesh_mesh *mesh, unsigned int what)
{
	const struct vnimesh_sock *vs;
	u64 sum = 0;
	int cpu;

	rcu_read_lock();
	vs = READ_ONCE(mesh->sock);
	for_each_possible_cpu(cpu) {
		const struct vnimesh_strays *s;

		if (!vs)	/* the mesh is going */
			break;
		s = per_cpu_ptr(vs->strays, cpu);
		sum += what == VNIMESH_A_STATS_PORT_MALFORMED ?
		       READ_ONCE(s->malformed) : READ_ONCE(s->foreign);
	}
	rcu_read_unlock();
	return sum;
}

void vnimesh_sock_add(struct vnimesh_sock *vs, struct vnimesh_mesh *mesh)
{
	hlist_add_head_rcu(&mesh->sock_node, bucket(vs, mesh->id));
}

void vnimesh_sock_del(struct vnimesh_mesh *mesh)
{
	hlist_del_init_rcu(&mesh->sock_node);
}

static int open_sock(struct net *net, struct vnimesh_sock *vs,
		     struct netlink_ext_ack *extack)
{
	struct udp_port_cfg cfg = {
		.family = vs->family,
		.local_udp_port = vs->port,
	};
	int err;

	if (vs->family == AF_INET) {
		cfg.local_ip.s_addr = vs->local.v4;
	} else {
#if IS_ENABLED(CONFIG_IPV6)
		cfg.local_ip6 = vs->local.v6;
		cfg.ipv6_v6only = true;
		/* The outer header has no checksum of its own (RFC 8200, 8.1). */
		cfg.use_udp6_tx_checksums = true;
		cfg.use_udp6_rx_checksums = true;
#endif
	}
	err = udp_sock_create(net, &cfg, &vs->sock);
	if (!err)
		return 0;
	if (err == -EADDRINUSE)
		NL_SET_ERR_MSG_MOD(extack, "port: in use by another socket");
	else if (err == -EADDRNOTAVAIL)
		NL_SET_ERR_MSG_MOD(extack, "local: not an address of this host");
	else if (err == -EAFNOSUPPORT || err == -EPFNOSUPPORT)
		NL_SET_ERR_MSG_MOD(extack, "local: this host has no IPv6");
	else
		NL_SET_ERR_MSG_MOD(extack, "local, port: cannot open the underlay socket");
	return err;
}

static struct vnimesh_sock *new_sock(void)
{
	struct vnimesh_sock *vs = kzalloc(sizeof(*vs), GFP_KERNEL_ACCOUNT);

	if (!vs)
		return NULL;
	vs->strays = alloc_percpu_gfp(struct vnimesh_strays,
				      GFP_KERNEL_ACCOUNT);
	if (vs->strays)
		return vs;
	kfree(vs);
	return NULL;
}

static void free_sock(struct rcu_head *rcu)
{
	struct vnimesh_sock *vs = container_of(rcu, struct vnimesh_sock, rcu);

	free_percpu(vs->strays);
	kfree(vs);
}

struct vnimesh_sock *vnimesh_sock_get(struct list_head *socks, struct net *net,
				      u8 family,
				      const union vnimesh_ip *local,
				      __be16 port,
				      struct netlink_ext_ack *extack)
{
	struct udp_tunnel_sock_cfg cfg = {};
	struct vnimesh_sock *vs;
	int err;

	list_for_each_entry(vs, socks, node)
		if (vs->family == family && vs->port == port &&
		    vnimesh_ip_equal(&vs->local, local)) {
			vs->users++;
			return vs;
		}

	vs = new_sock();
	if (!vs)
		return ERR_PTR(-ENOMEM);
	vs->family = family;
	vs->local = *local;
	vs->port = port;
	vs->users = 1;
	err = open_sock(net, vs, extack);
	if (err) {
		free_sock(&vs->rcu);
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
	call_rcu(&vs->rcu, free_sock);
}
