// SPDX-License-Identifier: GPL-2.0-only
#include <linux/skbuff.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ip_tunnels.h>
#include <net/udp_tunnel.h>

#include "compat/compat.h"
#include "drop.h"
#include "encap.h"
#include "sock.h"

/* A tunnel whose underlay route leads through another tunnel that leads back
 * here would recurse until the stack is gone. The kernels differ in whether
 * iptunnel_xmit() counts; this counts always. BH is off, so per CPU is enough.
 */
static DEFINE_PER_CPU(unsigned int, depth);

int vnimesh_encap_route(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
			struct vnimesh_path *path)
{
	struct vnimesh_endpoint *ep = rcu_dereference(node->endpoint);
	struct flowi4 fl4 = {};
	struct rtable *rt;

	if (!ep)
		return -ENETUNREACH;
	path->endpoint = ep;
	rt = dst_cache_get_ip4(&ep->dst_cache, &path->saddr);
	if (!rt) {
		fl4.flowi4_proto = IPPROTO_UDP;
		fl4.daddr = ep->addr;
		fl4.saddr = mesh->local;
		fl4.fl4_dport = ep->port;
		fl4.fl4_sport = mesh->port;
		rt = ip_route_output_key(mesh->net, &fl4);
		if (IS_ERR(rt))
			return PTR_ERR(rt);
		if (vnimesh_dev_check(rt->dst.dev)) {
			ip_rt_put(rt);
			return -ELOOP;
		}
		path->saddr = fl4.saddr;
		dst_cache_set_ip4(&ep->dst_cache, &rt->dst, fl4.saddr);
	}
	path->rt = rt;
	path->mtu = max_t(int, (int)dst_mtu(&rt->dst) - (int)VNIMESH_OVERHEAD4,
			  0);
	return 0;
}

void vnimesh_encap_release(struct vnimesh_path *path)
{
	ip_rt_put(path->rt);
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
	struct dst_entry *dst = &path->rt->dst;
	unsigned int what = VNIMESH_A_STATS_TX_ERROR;
	__be16 sport;
	u8 tos;

	if (__this_cpu_read(depth) >= VNIMESH_DEPTH_MAX) {
		what = VNIMESH_A_STATS_TX_LOOP;
		goto drop;
	}
	sport = udp_flow_src_port(mesh->net, skb, 1, USHRT_MAX, true);
	/* RFC 6040 on the way in: the outer header takes the inner ECN; DSCP
	 * stays with the underlay.
	 */
	tos = ip_tunnel_ecn_encap(0, ip_hdr(skb), skb);

	skb_scrub_packet(skb, xnet);
	if (xnet)	/* a class of the container's is none of the host's */
		skb->priority = 0;
	if (skb_cow_head(skb, LL_RESERVED_SPACE(dst->dev) + dst->header_len +
			 VNIMESH_OVERHEAD4))
		goto drop;
	skb_reset_mac_header(skb);
	if (udp_tunnel_handle_offloads(skb, false))
		goto drop;
	push_geneve(skb, mesh->id);
	skb_set_inner_protocol(skb, skb->protocol);

	__this_cpu_inc(depth);
	udp_tunnel_xmit_skb(path->rt, mesh->sock->sock->sk, skb, path->saddr,
			    path->endpoint->addr, tos, ip4_dst_hoplimit(dst),
			    htons(IP_DF), sport, path->endpoint->port, xnet,
			    true, 0);
	__this_cpu_dec(depth);
	return;
drop:
	vnimesh_encap_release(path);
	vnimesh_drop(from, skb, what);
}
