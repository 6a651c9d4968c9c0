// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record_attrs.h"
#include "record_fields.h"
#include "rtnl.h"

#define LINK(a, n, k, f) \
	[IFLA_VNIMESH_##a] = { .name = n, .kind = VNM_K_##k, \
		.off = offsetof(struct vnm_link, f) }

static const struct vnm_field link_fields[] = {
	LINK(MESH_ID, "mesh-id", U32, mesh),
	LINK(NODE_ID, "node-id", U32, node),
	LINK(VNI_ID, "vni-id", U32, vni),
	LINK(LOCAL, "local", ADDR, local),
	LINK(PORT, "port", BE16, port),
	LINK(ADDR4, "addr4", ADDR4, address4),
	LINK(ADDR6, "addr6", ADDR6, address6),
	LINK(FLOW_MAX, "flow-max", U32, flow_max),
};

const struct vnm_type vnm_link_type = {
	.name = "link",
	.fields = link_fields,
	.max = IFLA_VNIMESH_MAX,
	.size = sizeof(struct vnm_link),
};

struct links {
	struct vnm_link	*v;
	size_t		n;
	size_t		cap;
};

static const char *link_attr(unsigned int attr)
{
	switch (attr) {
	case IFLA_IFNAME:
		return "name";
	case IFLA_MTU:
		return "mtu";
	case IFLA_LINK:
		return "link";
	case IFLA_NET_NS_FD:
	case IFLA_TARGET_NETNSID:
		return "netns";
	default:
		return NULL;
	}
}

/* Only the attributes that are ours to name: the link's own, and those of the
 * kind. Addresses and routes are named by what the user asked for anyway.
 */
static void name_attr(const struct nlmsghdr *req, uint32_t off, bool missing,
		      uint32_t type, char *buf, size_t size)
{
	struct nlattr *tb[IFLA_MAX + 1], *info, *attr;
	const struct vnm_field *f;
	const char *name;
	uint32_t start;
	int i, rem;

	if (req->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse((struct nlmsghdr *)req, sizeof(struct ifinfomsg), tb,
			IFLA_MAX, NULL))
		return;
	for (i = 1; i <= IFLA_MAX && !missing; i++) {
		name = link_attr((unsigned int)i);
		if (tb[i] && name &&
		    off == (uint32_t)((char *)tb[i] - (const char *)req))
			snprintf(buf, size, "%s", name);
	}
	if (!tb[IFLA_LINKINFO])
		return;
	nla_for_each_nested(info, tb[IFLA_LINKINFO], rem) {
		if (nla_type(info) != IFLA_INFO_DATA)
			continue;
		start = (uint32_t)((char *)info - (const char *)req);
		f = missing && off == start ?
			vnm_field(&vnm_link_type, type) : NULL;
		if (f)
			snprintf(buf, size, "%s", f->name);
		nla_for_each_nested(attr, info, i) {
			f = vnm_field(&vnm_link_type,
				      (unsigned int)nla_type(attr));
			if (f && !missing &&
			    off == (uint32_t)((char *)attr - (const char *)req))
				snprintf(buf, size, "%s", f->name);
		}
	}
}

int vnm_rtnl_open(struct vnm_nl **nl, struct vnm_error *e)
{
	return vnm_nl_open(nl, NETLINK_ROUTE, name_attr, e);
}

int vnm_rtnl_open_netns(struct vnm_nl **nl, int netns, struct vnm_error *e)
{
	int home, ret;

	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || setns(netns, CLONE_NEWNET)) {
		ret = -errno;
		vnm_error_set(e, ret, "Cannot enter the network namespace: %s",
			      strerror(-ret));
		goto out;
	}
	ret = vnm_rtnl_open(nl, e);
	/* To go on in the wrong namespace would change the wrong host. */
	if (setns(home, CLONE_NEWNET))
		abort();
out:
	if (home >= 0)
		close(home);
	return ret;
}

static struct nl_msg *link_msg(int type, int flags, uint32_t ifindex)
{
	struct ifinfomsg ifi = { .ifi_index = (int)ifindex };
	struct nl_msg *msg = nlmsg_alloc_simple(type, flags);

	if (msg && nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int no_memory(struct nl_msg *msg, struct vnm_error *e)
{
	nlmsg_free(msg);
	return vnm_error_set(e, -ENOMEM, "Out of memory");
}

int vnm_rtnl_link_add(struct vnm_nl *nl, const struct vnm_link *link, int netns,
		      struct vnm_error *e)
{
	struct nl_msg *msg = link_msg(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	struct nlattr *info, *data;

	if (!msg || nla_put_string(msg, IFLA_IFNAME, link->name) ||
	    (link->mtu && nla_put_u32(msg, IFLA_MTU, link->mtu)) ||
	    (link->lower && nla_put_u32(msg, IFLA_LINK, link->lower)) ||
	    (netns >= 0 && nla_put_u32(msg, IFLA_NET_NS_FD, (uint32_t)netns)))
		return no_memory(msg, e);
	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (!info || nla_put_string(msg, IFLA_INFO_KIND, VNIMESH_LINK_KIND))
		return no_memory(msg, e);
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	if (!data || vnm_record_fill(&vnm_link_type, link, msg))
		return no_memory(msg, e);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return vnm_nl_request(nl, msg, NULL, NULL, e);
}

int vnm_rtnl_link_del(struct vnm_nl *nl, uint32_t ifindex, int nsid,
		      struct vnm_error *e)
{
	struct nl_msg *msg = link_msg(RTM_DELLINK, 0, ifindex);

	if (!msg || (nsid >= 0 && nla_put_u32(msg, IFLA_TARGET_NETNSID,
					      (uint32_t)nsid)))
		return no_memory(msg, e);
	return vnm_nl_request(nl, msg, NULL, NULL, e);
}

/* One RTM_NEWLINK of our kind; -ENODEV for another kind. */
static int read_link(const struct nlmsghdr *nh, struct vnm_link *link)
{
	const struct ifinfomsg *ifi = NLMSG_DATA(nh);
	struct nlattr *tb[IFLA_MAX + 1], *info;
	struct nlattr *data = NULL;
	bool ours = false;
	int rem;

	memset(link, 0, sizeof(*link));
	if (nh->nlmsg_type != RTM_NEWLINK ||
	    nlmsg_parse((struct nlmsghdr *)nh, sizeof(*ifi), tb, IFLA_MAX,
			NULL) || !tb[IFLA_LINKINFO])
		return -ENODEV;
	nla_for_each_nested(info, tb[IFLA_LINKINFO], rem) {
		if (nla_type(info) == IFLA_INFO_KIND)
			ours = !nla_strcmp(info, VNIMESH_LINK_KIND);
		else if (nla_type(info) == IFLA_INFO_DATA)
			data = info;
	}
	if (!ours)
		return -ENODEV;
	if (data && vnm_record_parse(&vnm_link_type, link, nla_data(data),
				     nla_len(data)))
		return -EBADMSG;
	link->ifindex = (uint32_t)ifi->ifi_index;
	link->up = ifi->ifi_flags & IFF_UP;
	if (tb[IFLA_IFNAME])
		nla_strlcpy(link->name, tb[IFLA_IFNAME], sizeof(link->name));
	if (tb[IFLA_MTU])
		link->mtu = nla_get_u32(tb[IFLA_MTU]);
	/* There only for a link that has a lower one; in another namespace that
	 * may have the same index as this.
	 */
	if (tb[IFLA_LINK])
		link->lower = nla_get_u32(tb[IFLA_LINK]);
	return 0;
}

static int take_one(const struct nlmsghdr *nh, void *arg)
{
	return read_link(nh, arg);
}

static int link_ask(struct vnm_nl *nl, struct nl_msg *msg,
		    struct vnm_link *link, struct vnm_error *e)
{
	int ret = vnm_nl_request(nl, msg, take_one, link, e);

	if (ret == -ENODEV && e && !e->msg[0])
		vnm_error_set(e, ret, "No such vnimesh device");
	return ret;
}

int vnm_rtnl_link_get(struct vnm_nl *nl, uint32_t ifindex, int nsid,
		      struct vnm_link *link, struct vnm_error *e)
{
	struct nl_msg *msg = link_msg(RTM_GETLINK, 0, ifindex);

	if (!msg || (nsid >= 0 && nla_put_u32(msg, IFLA_TARGET_NETNSID,
					      (uint32_t)nsid)))
		return no_memory(msg, e);
	return link_ask(nl, msg, link, e);
}

int vnm_rtnl_link_get_name(struct vnm_nl *nl, const char *name,
			   struct vnm_link *link, struct vnm_error *e)
{
	struct nl_msg *msg = link_msg(RTM_GETLINK, 0, 0);

	if (!msg || nla_put_string(msg, IFLA_IFNAME, name))
		return no_memory(msg, e);
	return link_ask(nl, msg, link, e);
}

static int take_link(const struct nlmsghdr *nh, void *arg)
{
	struct links *l = arg;
	struct vnm_link *p;

	if (l->n == l->cap) {
		p = realloc(l->v, (l->cap + 8) * sizeof(*l->v));
		if (!p)
			return -ENOMEM;
		l->v = p;
		l->cap += 8;
	}
	if (!read_link(nh, &l->v[l->n]))
		l->n++;
	return 0;
}

static int by_index(const void *a, const void *b)
{
	const struct vnm_link *x = a, *y = b;

	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

int vnm_rtnl_links(struct vnm_nl *nl, struct vnm_link **links, size_t *n,
		   struct vnm_error *e)
{
	struct nl_msg *msg = link_msg(RTM_GETLINK, 0, 0);
	struct links l = { 0 };
	int ret;

	if (!msg)
		return no_memory(msg, e);
	ret = vnm_nl_dump(nl, msg, take_link, &l, e);
	if (ret) {
		free(l.v);
		return ret;
	}
	if (l.n)
		qsort(l.v, l.n, sizeof(*l.v), by_index);
	*links = l.v;
	*n = l.n;
	return 0;
}

int vnm_rtnl_link_up(struct vnm_nl *nl, uint32_t ifindex, struct vnm_error *e)
{
	struct ifinfomsg ifi = {
		.ifi_index = (int)ifindex,
		.ifi_flags = IFF_UP,
		.ifi_change = IFF_UP,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, 0);

	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO))
		return no_memory(msg, e);
	return vnm_nl_request(nl, msg, NULL, NULL, e);
}

int vnm_rtnl_addr_add(struct vnm_nl *nl, uint32_t ifindex,
		      const struct ip_addr *addr, unsigned int len,
		      struct vnm_error *e)
{
	/* Nobody else can have the address: it comes from the node's block. */
	struct ifaddrmsg ifa = {
		.ifa_family = addr->family,
		.ifa_prefixlen = (uint8_t)len,
		.ifa_flags = addr->family == AF_INET6 ? IFA_F_NODAD : 0,
		.ifa_index = ifindex,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWADDR,
						NLM_F_CREATE | NLM_F_EXCL);
	int size = (int)ip_bytes(addr);
	int ret;

	if (!msg || nlmsg_append(msg, &ifa, sizeof(ifa), NLMSG_ALIGNTO) ||
	    nla_put(msg, IFA_LOCAL, size, addr->b) ||
	    nla_put(msg, IFA_ADDRESS, size, addr->b))
		return no_memory(msg, e);
	ret = vnm_nl_request(nl, msg, NULL, NULL, e);
	return ret == -EEXIST ? 0 : ret;
}

int vnm_rtnl_route_replace(struct vnm_nl *nl, uint32_t ifindex,
			   const struct ip_prefix *prefix,
			   const struct ip_addr *src, struct vnm_error *e)
{
	struct rtmsg rtm = {
		.rtm_family = prefix->addr.family,
		.rtm_dst_len = prefix->len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = prefix->addr.family == AF_INET ? RT_SCOPE_LINK :
			     RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWROUTE,
						NLM_F_CREATE | NLM_F_REPLACE);
	int size = (int)ip_bytes(&prefix->addr);

	if (!msg || nlmsg_append(msg, &rtm, sizeof(rtm), NLMSG_ALIGNTO) ||
	    nla_put(msg, RTA_DST, size, prefix->addr.b) ||
	    nla_put_u32(msg, RTA_OIF, ifindex) ||
	    (src && nla_put(msg, RTA_PREFSRC, size, src->b)))
		return no_memory(msg, e);
	return vnm_nl_request(nl, msg, NULL, NULL, e);
}
