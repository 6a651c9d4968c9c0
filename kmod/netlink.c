// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: table of commands, groups, events, and the
 * notifier that tells when a socket is gone.
 */
#include <linux/module.h>

#include "nl.h"
#include "parked.h"

#define POLICY(name)						\
	.policy = vnimesh_nl_##name##_policy,			\
	.maxattr = ARRAY_SIZE(vnimesh_nl_##name##_policy) - 1

#define OP(id, name)						\
	.cmd = VNIMESH_CMD_##id,				\
	.doit = vnimesh_nl_##name,				\
	POLICY(name)

static const struct genl_ops ops[] = {
	{
		OP(MESH_GET, mesh_get),
		.dumpit = vnimesh_nl_mesh_get_dump,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(MESH_SET, mesh_set),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(NODE_GET, node_get),
		.dumpit = vnimesh_nl_node_get_dump,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(NODE_SET, node_set),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(NODE_DEL, node_del),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		/* Checks by itself: a VNI's own record is for anybody. */
		OP(VNI_GET, vni_get),
		.start = vnimesh_nl_vni_get_start,
		.dumpit = vnimesh_nl_vni_get_dump,
	}, {
		OP(VNI_SET, vni_set),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(VNI_DEL, vni_del),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(SERVICE_GET, service_get),
		.dumpit = vnimesh_nl_service_get_dump,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(SERVICE_SET, service_set),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(SERVICE_DEL, service_del),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(MEMBER_GET, member_get),
		.dumpit = vnimesh_nl_member_get_dump,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(MEMBER_SET, member_set),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(MEMBER_DEL, member_del),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = VNIMESH_CMD_FLOW_GET,
		POLICY(flow_get),
		.dumpit = vnimesh_nl_flow_get_dump,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(FLOW_DEL, flow_del),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		/* For anybody in the netns of a VNI. */
		OP(RESOLVE, resolve),
	}, {
		OP(ROUTE_GET, route_get),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(AGENT_BIND, agent_bind),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(MISS_ANSWER, miss_answer),
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		OP(SWEEP, sweep),
		.flags = GENL_UNS_ADMIN_PERM,
	},
};

static const struct genl_multicast_group groups[] = {
	[VNIMESH_NL_CONFIG] = {
		.name = VNIMESH_MCGRP_CONFIG,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
	[VNIMESH_NL_EVENTS] = {
		.name = VNIMESH_MCGRP_EVENTS,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

struct genl_family vnimesh_family __ro_after_init = {
	.name = VNIMESH_GENL_NAME,
	.version = VNIMESH_GENL_VERSION,
	.netnsok = true,
	.module = THIS_MODULE,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	/* From here on the core refuses NLM_F_CREATE and NLM_F_EXCL, which
	 * the set commands take; every command has a policy and checks the
	 * rest of the header by itself.
	 */
	.resv_start_op = VNIMESH_CMD_MAX + 1,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

void vnimesh_netlink_event_count(struct vnimesh_mesh *mesh, u8 event,
				 u32 vni_id, const char *tag, u32 count)
{
	struct sk_buff *skb;
	void *hdr;

	if (!genl_has_listeners(&vnimesh_family, mesh->net,
				VNIMESH_NL_EVENTS))
		return;
	skb = genlmsg_new(nla_total_size(sizeof(u32)) * 4 +
			  nla_total_size(VNIMESH_TAG_MAX + 1), GFP_ATOMIC);
	if (!skb)
		return;
	hdr = genlmsg_put(skb, 0, 0, &vnimesh_family, 0,
			  VNIMESH_CMD_EVENT_NTF);
	if (!hdr ||
	    nla_put_u32(skb, VNIMESH_A_EVENT_IFINDEX, mesh->dev->ifindex) ||
	    nla_put_u8(skb, VNIMESH_A_EVENT_TYPE, event) ||
	    (vni_id && nla_put_u32(skb, VNIMESH_A_EVENT_VNI_ID, vni_id)) ||
	    (tag && nla_put_string(skb, VNIMESH_A_EVENT_TAG, tag)) ||
	    (count && nla_put_u32(skb, VNIMESH_A_EVENT_COUNT, count))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&vnimesh_family, mesh->net, skb, 0,
				VNIMESH_NL_EVENTS, GFP_ATOMIC);
}

void vnimesh_netlink_evidence(struct vnimesh_mesh *mesh,
			      const struct vnimesh_evidence_event *e)
{
	const struct vnimesh_member *m = e->member;
	struct sk_buff *skb;
	void *hdr;

	if (!genl_has_listeners(&vnimesh_family, mesh->net,
				VNIMESH_NL_EVENTS))
		return;
	skb = genlmsg_new(nla_total_size(sizeof(u32)) * 7 +
			  nla_total_size(VNIMESH_TAG_MAX + 1), GFP_ATOMIC);
	if (!skb)
		return;
	hdr = genlmsg_put(skb, 0, 0, &vnimesh_family, 0,
			  VNIMESH_CMD_EVENT_NTF);
	if (!hdr ||
	    nla_put_u32(skb, VNIMESH_A_EVENT_IFINDEX, mesh->dev->ifindex) ||
	    nla_put_u8(skb, VNIMESH_A_EVENT_TYPE, e->type) ||
	    nla_put_u32(skb, VNIMESH_A_EVENT_VNI_ID, m->vni->id) ||
	    nla_put_string(skb, VNIMESH_A_EVENT_TAG, m->service->tag) ||
	    (e->client &&
	     nla_put_u32(skb, VNIMESH_A_EVENT_CLIENT, e->client->id)) ||
	    (e->kind && nla_put_u8(skb, VNIMESH_A_EVENT_KIND, e->kind)) ||
	    nla_put_be16(skb, VNIMESH_A_EVENT_DPORT, e->port) ||
	    (e->ms && nla_put_u32(skb, VNIMESH_A_EVENT_PENALTY, e->ms))) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, hdr);
	genlmsg_multicast_netns(&vnimesh_family, mesh->net, skb, 0,
				VNIMESH_NL_EVENTS, GFP_ATOMIC);
}

void vnimesh_netlink_event(struct vnimesh_mesh *mesh, u8 event, u32 vni_id,
			   const char *tag)
{
	vnimesh_netlink_event_count(mesh, event, vni_id, tag, 0);
}

/* The chain is a blocking one, called from the release of the socket. */
static int released(struct notifier_block *nb, unsigned long event, void *data)
{
	struct netlink_notify *notify = data;

	if (event == NETLINK_URELEASE &&
	    notify->protocol == NETLINK_GENERIC) {
		vnimesh_parked_released(notify->net, notify->portid);
		vnimesh_nl_agent_released(notify->net, notify->portid);
	}
	return NOTIFY_DONE;
}

static struct notifier_block notifier = {
	.notifier_call = released,
};

int vnimesh_netlink_init(void)
{
	int err;

	err = netlink_register_notifier(&notifier);
	if (err)
		return err;
	err = genl_register_family(&vnimesh_family);
	if (err)
		netlink_unregister_notifier(&notifier);
	return err;
}

void vnimesh_netlink_exit(void)
{
	genl_unregister_family(&vnimesh_family);
	netlink_unregister_notifier(&notifier);
}

MODULE_ALIAS_GENL_FAMILY(VNIMESH_GENL_NAME);
