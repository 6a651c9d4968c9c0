// SPDX-License-Identifier: GPL-2.0-only
/*
 * The agent: commands agent-bind and miss-answer, the miss message, and what
 * happens when its socket goes.
 */
#include "absent.h"
#include "miss.h"
#include "nl.h"
#include "parked.h"
#include "trace.h"

static struct netlink_range_validation ttl_range = {
	.max = VNIMESH_NEGATIVE_TTL_MAX,
};

const struct nla_policy vnimesh_nl_agent_bind_policy[] = {
	[VNIMESH_A_MISS_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_MISS_RELEASE]	= { .type = NLA_FLAG },
};

const struct nla_policy vnimesh_nl_miss_answer_policy[] = {
	[VNIMESH_A_MISS_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_MISS_ADDR]		= VNIMESH_POLICY_IP,
	[VNIMESH_A_MISS_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_MISS_VERDICT]	=
		NLA_POLICY_RANGE(NLA_U8, VNIMESH_VERDICT_NO_SERVICE,
				 VNIMESH_VERDICT_COORDINATOR_AWAY),
	[VNIMESH_A_MISS_TTL]		=
		NLA_POLICY_FULL_RANGE(NLA_U32, &ttl_range),
};

static struct sk_buff *build_miss(struct vnimesh_mesh *mesh, u32 portid,
				  u8 family, const union vnimesh_ip *ip,
				  const char *tag, u32 vni_id)
{
	struct sk_buff *skb;
	void *hdr;

	skb = genlmsg_new(nla_total_size(sizeof(u32)) * 2 +
			  nla_total_size(VNIMESH_TAG_MAX + 1), GFP_ATOMIC);
	if (!skb)
		return NULL;
	hdr = genlmsg_put(skb, 0, 0, &vnimesh_family, 0, VNIMESH_CMD_MISS);
	if (!hdr ||
	    nla_put_u32(skb, VNIMESH_A_MISS_IFINDEX, mesh->dev->ifindex) ||
	    (ip && vnimesh_nl_put_ip(skb, VNIMESH_A_MISS_ADDR, family, ip)) ||
	    (!ip && nla_put_string(skb, VNIMESH_A_MISS_TAG, tag)) ||
	    (vni_id && nla_put_u32(skb, VNIMESH_A_MISS_VNI_ID, vni_id))) {
		nlmsg_free(skb);
		return NULL;
	}
	genlmsg_end(skb, hdr);
	return skb;
}

int vnimesh_netlink_miss(struct vnimesh_mesh *mesh, u8 family,
			 const union vnimesh_ip *ip, const char *tag,
			 u32 vni_id)
{
	u32 portid = READ_ONCE(mesh->agent);
	struct sk_buff *skb;
	int err = -ENOMEM;

	if (!portid)
		return -ENOTCONN;
	skb = build_miss(mesh, portid, family, ip, tag, vni_id);
	if (skb)
		err = genlmsg_unicast(mesh->net, skb, portid);
	trace_vnimesh_miss(mesh, vni_id, family, ip, tag, err);
	if (!err) {
		vnimesh_count(mesh, VNIMESH_A_STATS_UPCALL);
		return 0;
	}
	vnimesh_count(mesh, VNIMESH_A_STATS_UPCALL_LOST);
	/* The socket is being closed: the claim goes in a moment, by
	 * vnimesh_nl_agent_released(), which also answers those who wait.
	 */
	return err == -ECONNREFUSED ? -ENOTCONN : err;
}

/* mesh->lock. The claim is given up already. */
static void tell_lost(struct vnimesh_mesh *mesh)
{
	mesh->generation++;
	vnimesh_miss_agent_lost(mesh);
	vnimesh_parked_agent_lost(mesh);
	vnimesh_netlink_event(mesh, VNIMESH_EVENT_AGENT_LOST, 0, NULL);
}

/* Takes the claim of @portid from one mesh of @net, which is held then. */
static bool unclaim_one(struct net *net, u32 portid,
			struct vnimesh_nl_ref *ref)
{
	struct vnimesh_mesh *mesh;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(mesh, vnimesh_net_meshes(net), net_node) {
		if (cmpxchg(&mesh->agent, portid, 0) != portid)
			continue;
		vnimesh_nl_hold(mesh, ref);
		found = true;
		break;
	}
	rcu_read_unlock();
	return found;
}

void vnimesh_nl_agent_released(struct net *net, u32 portid)
{
	struct vnimesh_nl_ref ref;

	while (unclaim_one(net, portid, &ref)) {
		if (!vnimesh_nl_enter(&ref))
			continue;
		tell_lost(ref.mesh);
		vnimesh_nl_unlock(&ref);
	}
}

static int unbind(struct vnimesh_mesh *mesh, struct genl_info *info)
{
	u32 portid = info->snd_portid;

	if (cmpxchg(&mesh->agent, portid, 0) != portid)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_MISS_RELEASE, -ENOENT,
					 "release: this socket has no claim");
	tell_lost(mesh);
	return 0;
}

static int refuse_bind(struct genl_info *info, u32 holder)
{
#ifdef NL_SET_ERR_MSG_FMT
	NL_SET_ERR_MSG_FMT(info->extack,
			   "the mesh has an agent: port id %u", holder);
#else
	/* The core reads the text after us and after the lock of generic
	 * netlink, twice: its length must never change.
	 */
	static char text[] = "the mesh has an agent: port id 0         ";
	char digits[11];

	snprintf(digits, sizeof(digits), "%-10u", holder);
	memcpy(text + sizeof(text) - sizeof(digits), digits,
	       sizeof(digits) - 1);
	info->extack->_msg = text;
#endif
	return -EBUSY;
}

int vnimesh_nl_agent_bind(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	u32 holder;
	int err = 0;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	if (info->attrs[VNIMESH_A_MISS_RELEASE]) {
		err = unbind(mesh, info);
		goto unlock;
	}
	/* The sender is in this call, so its socket cannot be released before
	 * the claim is there.
	 */
	holder = cmpxchg(&mesh->agent, 0, info->snd_portid);
	if (holder == info->snd_portid)
		goto unlock;
	if (holder) {
		err = refuse_bind(info, holder);
		goto unlock;
	}
	/* It cannot take back what it does not know to have been said. */
	vnimesh_absent_flush(mesh);
	mesh->generation++;
	vnimesh_netlink_event(mesh, VNIMESH_EVENT_AGENT_BOUND, 0, NULL);
unlock:
	vnimesh_nl_unlock(&ref);
	return err;
}

/* mesh->lock. */
static int answer_addr(struct vnimesh_mesh *mesh, struct genl_info *info,
		       u8 verdict, u32 ttl)
{
	const struct vnimesh_service_prefixes *p;
	union vnimesh_ip ip;
	bool taken;
	u8 family;
	int err;

	err = vnimesh_nl_get_ip(info->attrs[VNIMESH_A_MISS_ADDR], &ip,
				&family, info->extack);
	if (err)
		return err;
	p = rcu_dereference_protected(mesh->service_prefixes,
				      lockdep_is_held(&mesh->lock));
	if (!p || !vnimesh_prefix_match(family == AF_INET ? &p->p4 : &p->p6,
					family, &ip))
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_MISS_ADDR, -EINVAL,
					 "addr: outside the service prefix");
	rcu_read_lock();
	taken = vnimesh_service_by_ip(mesh, family, &ip);
	rcu_read_unlock();
	if (taken)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_MISS_ADDR, -EEXIST,
					 "addr: a service has it");
	return vnimesh_miss_negative(mesh, family, &ip, verdict, ttl);
}

/* mesh->lock. */
static int answer_tag(struct vnimesh_mesh *mesh, struct genl_info *info,
		      u8 verdict, u32 ttl)
{
	struct nlattr *attr = info->attrs[VNIMESH_A_MISS_TAG];
	struct vnimesh_absent_key key;
	int err;

	err = vnimesh_nl_check_tag(attr, info->extack);
	if (err)
		return err;
	if (vnimesh_nl_find_tag(mesh, nla_data(attr)))
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_MISS_TAG, -EEXIST,
					 "tag: the service exists");
	vnimesh_absent_tag(&key, nla_data(attr));
	if (ttl)
		err = vnimesh_absent_add(mesh, &key, verdict, ttl, 0);
	else
		vnimesh_absent_del(mesh, &key);
	vnimesh_parked_negative(mesh, nla_data(attr), verdict);
	return err;
}

int vnimesh_nl_miss_answer(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **a = info->attrs;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	u32 ttl = 0;
	u8 verdict;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	err = -EINVAL;
	if (VNIMESH_NL_MISSING(info, VNIMESH_A_MISS_VERDICT, "verdict"))
		goto unlock;
	if (!a[VNIMESH_A_MISS_TAG] &&
	    VNIMESH_NL_MISSING(info, VNIMESH_A_MISS_ADDR, "addr or tag"))
		goto unlock;
	if (a[VNIMESH_A_MISS_TAG] && a[VNIMESH_A_MISS_ADDR]) {
		err = VNIMESH_NL_REFUSE(info, VNIMESH_A_MISS_TAG, -EINVAL,
					"tag: not together with addr");
		goto unlock;
	}
	verdict = nla_get_u8(a[VNIMESH_A_MISS_VERDICT]);
	if (a[VNIMESH_A_MISS_TTL])
		ttl = nla_get_u32(a[VNIMESH_A_MISS_TTL]);
	err = a[VNIMESH_A_MISS_ADDR] ? answer_addr(mesh, info, verdict, ttl) :
	      answer_tag(mesh, info, verdict, ttl);
unlock:
	vnimesh_nl_unlock(&ref);
	return err;
}
