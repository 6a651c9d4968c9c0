// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands flow-get (dump) and flow-del.
 */
#include "flow.h"
#include "nl.h"

const struct nla_policy vnimesh_nl_flow_get_policy[] = {
	[VNIMESH_A_FLOW_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_FLOW_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_FLOW_VNI_ID]		= VNIMESH_POLICY_ID,
};

const struct nla_policy vnimesh_nl_flow_del_policy[] = {
	[VNIMESH_A_FLOW_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_FLOW_PROTO]		= { .type = NLA_U8 },
	[VNIMESH_A_FLOW_SRC]		= VNIMESH_POLICY_IP,
	[VNIMESH_A_FLOW_SPORT]		= { .type = NLA_BE16 },
	[VNIMESH_A_FLOW_DST]		= VNIMESH_POLICY_IP,
	[VNIMESH_A_FLOW_DPORT]		= { .type = NLA_BE16 },
	[VNIMESH_A_FLOW_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_FLOW_VNI_ID]		= VNIMESH_POLICY_ID,
};

static int put_member(struct sk_buff *skb, const struct vnimesh_flow *flow)
{
	const struct vnimesh_tuple *rev = &flow->link[VNIMESH_REVERSE].tuple;
	const struct vnimesh_member *member = flow->member;

	if (member &&
	    (nla_put_string(skb, VNIMESH_A_FLOW_TAG, member->service->tag) ||
	     nla_put_u32(skb, VNIMESH_A_FLOW_VNI_ID, member->vni->id)))
		return -EMSGSIZE;
	/* As the member replies: from itself, to the source port it sees. */
	if (vnimesh_nl_put_ip(skb, VNIMESH_A_FLOW_MEMBER_ADDR, rev->family,
			      &rev->src) ||
	    nla_put_be16(skb, VNIMESH_A_FLOW_MEMBER_PORT, rev->sport) ||
	    nla_put_be16(skb, VNIMESH_A_FLOW_NAT_SPORT, rev->dport))
		return -EMSGSIZE;
	return 0;
}

static int fill(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		const void *row, struct net *net)
{
	const struct vnimesh_flow *flow = row;
	const struct vnimesh_tuple *fwd = &flow->link[VNIMESH_FORWARD].tuple;

	if (nla_put_u32(skb, VNIMESH_A_FLOW_IFINDEX, mesh->dev->ifindex) ||
	    nla_put_u8(skb, VNIMESH_A_FLOW_PROTO, fwd->proto) ||
	    vnimesh_nl_put_ip(skb, VNIMESH_A_FLOW_SRC, fwd->family,
			      &fwd->src) ||
	    nla_put_be16(skb, VNIMESH_A_FLOW_SPORT, fwd->sport) ||
	    vnimesh_nl_put_ip(skb, VNIMESH_A_FLOW_DST, fwd->family,
			      &fwd->dst) ||
	    nla_put_be16(skb, VNIMESH_A_FLOW_DPORT, fwd->dport) ||
	    put_member(skb, flow) ||
	    nla_put_u8(skb, VNIMESH_A_FLOW_STATE, READ_ONCE(flow->state)) ||
	    nla_put_u32(skb, VNIMESH_A_FLOW_IDLE,
			jiffies_to_msecs(vnimesh_flow_idle(flow))) ||
	    nla_put_u32(skb, VNIMESH_A_FLOW_EXPIRES,
			vnimesh_flow_expires(mesh, flow)) ||
	    nla_put_u64_64bit(skb, VNIMESH_A_FLOW_PACKETS,
			      READ_ONCE(flow->packets), VNIMESH_A_FLOW_PAD))
		return -EMSGSIZE;
	return 0;
}

struct filter {
	struct vnimesh_nl_dump *dump;
	const char *tag;	/* NULL: any */
	u32 vni_id;		/* 0: any */
	u32 left;		/* flows to look at in one go */
	u32 n;			/* removed */
};

/* Enough flows for one hold of the lock when a filter finds nothing. */
#define FLOWS_AT_ONCE	4096

static void get_filter(struct nlattr **attrs, struct filter *f)
{
	if (attrs[VNIMESH_A_FLOW_TAG])
		f->tag = nla_data(attrs[VNIMESH_A_FLOW_TAG]);
	if (attrs[VNIMESH_A_FLOW_VNI_ID])
		f->vni_id = nla_get_u32(attrs[VNIMESH_A_FLOW_VNI_ID]);
}

static bool matches(const struct vnimesh_flow *flow, const struct filter *f)
{
	const struct vnimesh_member *member = flow->member;

	if (!f->tag && !f->vni_id)
		return true;
	return member &&
	       (!f->tag || !strcmp(member->service->tag, f->tag)) &&
	       (!f->vni_id || member->vni->id == f->vni_id);
}

static int dump_one(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		    void *data)
{
	struct filter *f = data;

	if (!f->left--)
		return -EAGAIN;
	return matches(flow, f) ? vnimesh_nl_dump_row(f->dump, fill, flow) : 0;
}

static int rows(struct vnimesh_nl_dump *d)
{
	struct filter f = { .dump = d, .left = FLOWS_AT_ONCE };
	u32 bucket = d->cur->a;
	int err;

	get_filter(d->attrs, &f);
	err = vnimesh_flow_walk(d->mesh, &bucket, &d->cur->b, dump_one, &f);
	d->cur->a = bucket;
	return err;
}

int vnimesh_nl_flow_get_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	return vnimesh_nl_dump(skb, cb, VNIMESH_CMD_FLOW_GET,
			       vnimesh_nl_flow_get_policy,
			       ARRAY_SIZE(vnimesh_nl_flow_get_policy) - 1,
			       rows);
}

static int remove_one(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		      void *data)
{
	struct filter *f = data;

	if (matches(flow, f) && vnimesh_flow_remove(mesh, flow))
		f->n++;
	return 0;
}

static int remove_all(struct vnimesh_mesh *mesh, struct nlattr **attrs)
{
	struct filter f = {};
	u32 bucket = 0, skip = 0;

	get_filter(attrs, &f);
	vnimesh_flow_walk(mesh, &bucket, &skip, remove_one, &f);
	return 0;
}

static int get_tuple(struct genl_info *info, struct vnimesh_tuple *tuple)
{
	struct nlattr **a = info->attrs;
	u8 family;
	int err;

	if (VNIMESH_NL_MISSING(info, VNIMESH_A_FLOW_SRC, "src") ||
	    VNIMESH_NL_MISSING(info, VNIMESH_A_FLOW_SPORT, "sport") ||
	    VNIMESH_NL_MISSING(info, VNIMESH_A_FLOW_DST, "dst") ||
	    VNIMESH_NL_MISSING(info, VNIMESH_A_FLOW_DPORT, "dport") ||
	    VNIMESH_NL_MISSING(info, VNIMESH_A_FLOW_PROTO, "proto"))
		return -EINVAL;
	memset(tuple, 0, sizeof(*tuple));
	err = vnimesh_nl_get_ip(a[VNIMESH_A_FLOW_SRC], &tuple->src,
				&tuple->family, info->extack);
	if (!err)
		err = vnimesh_nl_get_ip(a[VNIMESH_A_FLOW_DST], &tuple->dst,
					&family, info->extack);
	if (err)
		return err;
	if (family != tuple->family)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_FLOW_DST, -EINVAL,
					 "dst: of another family than src");
	tuple->sport = nla_get_be16(a[VNIMESH_A_FLOW_SPORT]);
	tuple->dport = nla_get_be16(a[VNIMESH_A_FLOW_DPORT]);
	tuple->proto = nla_get_u8(a[VNIMESH_A_FLOW_PROTO]);
	if (tuple->proto != IPPROTO_TCP && tuple->proto != IPPROTO_UDP)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_FLOW_PROTO, -ERANGE,
					 "proto: neither TCP nor UDP");
	if (!tuple->sport)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_FLOW_SPORT, -ERANGE,
					 "sport: out of range");
	if (!tuple->dport)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_FLOW_DPORT, -ERANGE,
					 "dport: out of range");
	return 0;
}

static int remove_tuple(struct vnimesh_mesh *mesh, struct genl_info *info)
{
	struct vnimesh_tuple tuple;
	struct vnimesh_flow *flow;
	bool removed = false;
	int err;

	err = get_tuple(info, &tuple);
	if (err)
		return err;
	rcu_read_lock();
	flow = vnimesh_flow_find(mesh, VNIMESH_FORWARD, &tuple);
	if (flow)
		removed = vnimesh_flow_remove(mesh, flow);
	rcu_read_unlock();
	if (removed)
		return 0;
	GENL_SET_ERR_MSG(info, "no such flow");
	return -ENOENT;
}

int vnimesh_nl_flow_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **a = info->attrs;
	bool filter = a[VNIMESH_A_FLOW_TAG] || a[VNIMESH_A_FLOW_VNI_ID];
	bool tuple = a[VNIMESH_A_FLOW_SRC] || a[VNIMESH_A_FLOW_SPORT] ||
		     a[VNIMESH_A_FLOW_DST] || a[VNIMESH_A_FLOW_DPORT] ||
		     a[VNIMESH_A_FLOW_PROTO];
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err = 0;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	if (filter && tuple)
		err = VNIMESH_NL_REFUSE(info, a[VNIMESH_A_FLOW_TAG] ?
					VNIMESH_A_FLOW_TAG :
					VNIMESH_A_FLOW_VNI_ID, -EINVAL,
					"tag, vni-id: not together with a tuple");
	else if (a[VNIMESH_A_FLOW_TAG])
		err = vnimesh_nl_check_tag(a[VNIMESH_A_FLOW_TAG],
					   info->extack);
	if (!err)
		err = filter ? remove_all(mesh, a) : remove_tuple(mesh, info);
	vnimesh_nl_unlock(&ref);
	return err;
}
