/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between the kernels we build for. The code is written for the
 * newest of them; here is what makes it fit the older ones. What a header
 * defines as a macro is asked by the preprocessor, everything else by probe.sh,
 * and nothing by a version number: stable kernels backport.
 *
 * Every file that uses a name from here includes this after the kernel's own
 * headers.
 */
#ifndef _VNIMESH_COMPAT_H
#define _VNIMESH_COMPAT_H

#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/netlink.h>
#include <linux/timer.h>
#include <linux/workqueue.h>
#include <net/flow.h>
#include <net/genetlink.h>
#include <net/inet_dscp.h>
#include <net/rtnetlink.h>
#include <net/udp_tunnel.h>

#include "compat-probe.h"

#ifdef VNIMESH_HAVE_NET_GSO_H
#include <net/gso.h>
#endif
#ifdef VNIMESH_HAVE_LINUX_UNALIGNED_H
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/* Before it had its own name, the flag of an operation served for groups. */
#ifndef GENL_MCAST_CAP_NET_ADMIN
#define GENL_MCAST_CAP_NET_ADMIN	GENL_UNS_ADMIN_PERM
#endif

/* Work that may run on any processor had its queue under another name. */
#ifndef VNIMESH_HAVE_SYSTEM_DFL_WQ
#define system_dfl_wq	system_unbound_wq
#endif

/* Two properties of a device were bits of its features. */
static inline void vnimesh_compat_set_lltx(struct net_device *dev)
{
#ifdef VNIMESH_HAVE_NETDEV_LLTX
	dev->lltx = true;
#else
	dev->features |= NETIF_F_LLTX;
#endif
}

static inline void vnimesh_compat_set_netns_immutable(struct net_device *dev)
{
#if defined(VNIMESH_HAVE_NETNS_IMMUTABLE)
	dev->netns_immutable = true;
#elif defined(VNIMESH_HAVE_NETNS_LOCAL)
	dev->netns_local = true;
#else
	dev->features |= NETIF_F_NETNS_LOCAL;
#endif
}

/* The core allocates the counters that a device says it has; where it cannot be
 * told, ndo_init and ndo_uninit do. It adds them up only later: for the others
 * there is ndo_get_stats64.
 */
static inline void vnimesh_compat_set_tstats(struct net_device *dev)
{
#ifdef VNIMESH_HAVE_PCPU_STAT_TYPE
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
#endif
}

static inline int vnimesh_compat_alloc_tstats(struct net_device *dev)
{
#ifndef VNIMESH_HAVE_PCPU_STAT_TYPE
	dev->tstats = netdev_alloc_pcpu_stats(struct pcpu_sw_netstats);
	if (!dev->tstats)
		return -ENOMEM;
#endif
	return 0;
}

static inline void vnimesh_compat_free_tstats(struct net_device *dev)
{
#ifndef VNIMESH_HAVE_PCPU_STAT_TYPE
	free_percpu(dev->tstats);
#endif
}

/* DEFINE_NEWLINK(fn), after fn(), makes NEWLINK(fn) fit rtnl_link_ops. */
#ifdef VNIMESH_HAVE_NEWLINK_PARAMS
#define VNIMESH_COMPAT_NEWLINK(fn)	fn
#define VNIMESH_COMPAT_DEFINE_NEWLINK(fn)
#else
struct rtnl_newlink_params {
	struct net *link_net;
	struct nlattr **tb;
	struct nlattr **data;
};

static inline struct net *
rtnl_newlink_link_net(struct rtnl_newlink_params *params)
{
	return params->link_net;
}

#define VNIMESH_COMPAT_NEWLINK(fn)	fn##_compat
#define VNIMESH_COMPAT_DEFINE_NEWLINK(fn)				\
static int fn##_compat(struct net *link_net, struct net_device *dev,	\
		       struct nlattr *tb[], struct nlattr *data[],	\
		       struct netlink_ext_ack *extack)			\
{									\
	struct rtnl_newlink_params params = {				\
		.link_net	= link_net,				\
		.tb		= tb,					\
		.data		= data,					\
	};								\
									\
	return fn(dev, &params, extack);				\
}
#endif

/* A tunnel's packet had no flags for its control block. */
#ifndef VNIMESH_HAVE_UDP_TUNNEL_XMIT_FLAGS
#define udp_tunnel_xmit_skb(rt, sk, skb, src, dst, tos, ttl, df, sport,	\
			    dport, xnet, nocheck, flags)		\
	udp_tunnel_xmit_skb(rt, sk, skb, src, dst, tos, ttl, df, sport,	\
			    dport, xnet, nocheck)
#endif
#ifndef VNIMESH_HAVE_UDP_TUNNEL6_XMIT_FLAGS
/* Nor was its result without use, or its addresses const. */
#define udp_tunnel6_xmit_skb(dst, sk, skb, dev, saddr, daddr, prio, ttl,	\
			     label, sport, dport, nocheck, flags)	\
	((void)udp_tunnel6_xmit_skb(dst, sk, skb, dev,			\
				    (struct in6_addr *)(saddr),		\
				    (struct in6_addr *)(daddr), prio,	\
				    ttl, label, sport, dport, nocheck))
#endif

/* Of a tunnel's socket, the outer half was handed over. */
#ifndef VNIMESH_HAVE_SETUP_UDP_TUNNEL_SK
#define setup_udp_tunnel_sock(net, sk, cfg) \
	setup_udp_tunnel_sock(net, (sk)->sk_socket, cfg)
#endif
#ifndef VNIMESH_HAVE_RELEASE_UDP_TUNNEL_SK
#define udp_tunnel_sock_release(sk) \
	udp_tunnel_sock_release((sk)->sk_socket)
#endif

static inline void vnimesh_compat_flowi4_set_tos(struct flowi4 *fl4, u8 tos)
{
#ifdef VNIMESH_HAVE_FLOWI4_DSCP
	fl4->flowi4_dscp = inet_dsfield_to_dscp(tos);
#else
	fl4->flowi4_tos = tos & INET_DSCP_MASK;
#endif
}

#ifndef VNIMESH_HAVE_TIMER_CONTAINER_OF
#define timer_container_of(var, timer, field) \
	from_timer(var, timer, field)
#endif

#ifndef VNIMESH_HAVE_HRTIMER_SETUP
static inline void
hrtimer_setup(struct hrtimer *timer,
	      enum hrtimer_restart (*function)(struct hrtimer *),
	      clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#endif /* _VNIMESH_COMPAT_H */
