// SPDX-License-Identifier: GPL-2.0-only
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip6_route.h>
#include <net/ip_tunnels.h>
#include <net/ipv6.h>
#include <net/udp_tunnel.h>

#include "compat/compat.h"
#include "drop.h"
#include "encap.h"
#include "sock.h"

/* A tunnel whose underlay route leads through another tunnel that leads back
 * here would recurse until the stack is gone. The kernels differ in whether
 * iptunnel_xmit() counts; this counts always. BH is off, so per CPU is enough:
 * where that does not keep others from this CPU (PREEMPT_RT), who is preempted
 * here counts for them, and each step is one that cannot be torn.
 */
static DEFINE_PER_CPU(unsigned int, depth);

/* Consumes @dst if it refuses. */
static int check_dst(struct dst_entry *dst)
{
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	if (!vnimesh_dev_check(dst->dev))
		return 0;
	dst_release(dst);
	return -ELOOP;
}

/* The lookup has ports, for IPsec policies, but not the source port of a flow:
 * the cached route serves all of them.
 */
static int route4(struct vnimesh_mesh *mesh, struct vnimesh_endpoint *ep,
		  struct vnimesh_path *path)
{
	struct flowi4 fl4 = {
		.flowi4_proto = IPPROTO_UDP,
		.daddr = ep->addr.v4,
		.saddr = mesh->local.v4,
		.fl4_dport = ep->port,
		.fl4_sport = mesh->port,
	};
	struct rtable *rt;
	int err;

	rt = dst_cache_get_ip4(&ep->dst_cache, &path->saddr.v4);
	if (!rt) {
		rt = ip_route_output_key(mesh->net, &fl4);
		err = check_dst(IS_ERR(rt) ? ERR_CAST(rt) : &rt->dst);
		if (err)
			return err;
		path->saddr.v4 = fl4.saddr;
		dst_cache_set_ip4(&ep->dst_cache, &rt->dst, fl4.saddr);
	}
	path->dst = &rt->dst;
	return 0;
}

static void xmit4(struct vnimesh_dev *from, struct sk_buff *skb,
		  struct vnimesh_path *path, u8 tos, __be16 sport, bool xnet)
{
	struct vnimesh_endpoint *ep = path->endpoint;

	udp_tunnel_xmit_skb(container_of(path->dst, struct rtable, dst),
			    from->mesh->sock->sock->sk, skb, path->saddr.v4,
			    ep->addr.v4, tos, ip4_dst_hoplimit(path->dst),
			    path->fragment ? 0 : htons(IP_DF), sport, ep->port,
			    xnet, true, 0);
}

#if IS_ENABLED(CONFIG_IPV6)
static int route6(struct vnimesh_mesh *mesh, struct vnimesh_endpoint *ep,
		  struct vnimesh_path *path)
{
	struct flowi6 fl6 = {
		.flowi6_proto = IPPROTO_UDP,
		.daddr = ep->addr.v6,
		.saddr = mesh->local.v6,
		.fl6_dport = ep->port,
		.fl6_sport = mesh->port,
	};
	struct dst_entry *dst;
	int err;

	dst = dst_cache_get_ip6(&ep->dst_cache, &path->saddr.v6);
	if (!dst) {
		dst = ip6_dst_lookup_flow(mesh->net, mesh->sock->sock->sk,
					  &fl6, NULL);
		err = check_dst(dst);
		if (err)
			return err;
		path->saddr.v6 = fl6.saddr;
		dst_cache_set_ip6(&ep->dst_cache, dst, &fl6.saddr);
	}
	path->dst = dst;
	return 0;
}

/* Nothing sets ignore_df: as with IPv4, the outer packet is not fragmented. */
static void xmit6(struct vnimesh_dev *from, struct sk_buff *skb,
		  struct vnimesh_path *path, u8 tos, __be16 sport)
{
	struct vnimesh_endpoint *ep = path->endpoint;

	/* Only what may exceed the MTU here is cut in pieces (RFC 2473). */
	skb->ignore_df = path->fragment;
	udp_tunnel6_xmit_skb(path->dst, from->mesh->sock->sock->sk, skb,
			     from->dev, &path->saddr.v6, &ep->addr.v6, tos,
			     ip6_dst_hoplimit(path->dst), 0, sport, ep->port,
			     false, 0);
}
#else
/* Never reached: the socket of such a mesh cannot be opened. */
static int route6(struct vnimesh_mesh *mesh, struct vnimesh_endpoint *ep,
		  struct vnimesh_path *path)
{
	return -EAFNOSUPPORT;
}

static void xmit6(struct vnimesh_dev *from, struct sk_buff *skb,
		  struct vnimesh_path *path, u8 tos, __be16 sport)
{
	vnimesh_drop(from, skb, VNIMESH_A_STATS_TX_ERROR);
}
#endif

int vnimesh_encap_route(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
			struct vnimesh_path *path)
{
	struct vnimesh_endpoint *ep = rcu_dereference(node->endpoint);
	int err;

	/* The address of a node that was deleted may be a stranger's now. */
	if (!ep || READ_ONCE(node->dead))
		return -ENETUNREACH;
	path->endpoint = ep;
	err = mesh->family == AF_INET6 ? route6(mesh, ep, path) :
					 route4(mesh, ep, path);
	if (err)
		return err;
	path->fragment = false;
	path->mtu = max_t(int, (int)dst_mtu(path->dst) - mesh->overhead, 0);
	return 0;
}

void vnimesh_encap_release(struct vnimesh_path *path)
{
	dst_release(path->dst);
}

static void push_geneve(struct sk_buff *skb, u32 id)
{
	struct genevehdr *gh = __skb_push(skb, VNIMESH_GENEVE_LEN);

	memset(gh, 0, VNIMESH_GENEVE_LEN);
	gh->proto_type = skb->protocol;
	gh->vni[0] = id >> 16;
	gh->vni[1] = id >> 8;
	gh->vni[2] = id;
}

void vnimesh_encap_send(struct vnimesh_dev *from, struct sk_buff *skb,
			struct vnimesh_path *path)
{
	struct vnimesh_mesh *mesh = from->mesh;
	bool xnet = !net_eq(mesh->net, dev_net(from->dev));
	unsigned int what = VNIMESH_A_STATS_TX_ERROR;
	bool six = mesh->family == AF_INET6;
	struct dst_entry *dst = path->dst;
	__be16 sport;
	u8 tos;

	if (this_cpu_read(depth) >= VNIMESH_DEPTH_MAX) {
		what = VNIMESH_A_STATS_TX_LOOP;
		goto drop;
	}
	sport = udp_flow_src_port(mesh->net, skb, 1, USHRT_MAX, true);
	/* RFC 6040 on the way in, normal mode: the outer header takes the inner
	 * ECN as it is, where ip_tunnel_ecn_encap() would make ECT(0) of CE;
	 * DSCP stays with the underlay.
	 */
	tos = ip_tunnel_get_dsfield(ip_hdr(skb), skb) & INET_ECN_MASK;

	if (six)	/* iptunnel_xmit() does it for IPv4 */
		skb_scrub_packet(skb, xnet);
	if (xnet)	/* a class of the container's is none of the host's */
		skb->priority = 0;
	if (skb_cow_head(skb, LL_RESERVED_SPACE(dst->dev) + dst->header_len +
			 mesh->overhead))
		goto drop;
	skb_reset_mac_header(skb);
	if (udp_tunnel_handle_offloads(skb, six))
		goto drop;
	push_geneve(skb, mesh->id);
	skb_set_inner_protocol(skb, skb->protocol);

	this_cpu_inc(depth);
	if (six)
		xmit6(from, skb, path, tos, sport);
	else
		xmit4(from, skb, path, tos, sport, xnet);
	this_cpu_dec(depth);
	return;
drop:
	vnimesh_encap_release(path);
	vnimesh_drop(from, skb, what);
}
