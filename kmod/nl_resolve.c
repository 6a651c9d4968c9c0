// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command resolve: the addresses of a tag, for anybody in the netns of a VNI,
 * and nothing else. It may be answered after the request has returned.
 */
#include "absent.h"
#include "nl.h"
#include "parked.h"

const struct nla_policy vnimesh_nl_resolve_policy[] = {
	[VNIMESH_A_ROUTE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_ROUTE_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_ROUTE_FAMILY]	=
		NLA_POLICY_FULL_RANGE(NLA_U8, &vnimesh_family_range),
};

static const union vnimesh_ip *addr(const struct vnimesh_addr_entry *entry,
				    const struct vnimesh_nl_asker *asker)
{
	if (asker->family && entry->key.family != asker->family)
		return NULL;
	return entry->key.family ? &entry->key.ip : NULL;
}

static int fill(struct sk_buff *skb, const struct vnimesh_nl_asker *asker,
		const struct vnimesh_service *service)
{
	const union vnimesh_ip *ip4 = addr(&service->e4, asker);
	const union vnimesh_ip *ip6 = addr(&service->e6, asker);

	if (nla_put_u32(skb, VNIMESH_A_ROUTE_IFINDEX, asker->ifindex) ||
	    nla_put_string(skb, VNIMESH_A_ROUTE_TAG, service->tag) ||
	    (ip4 && vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_ADDR4, AF_INET,
				      ip4)) ||
	    (ip6 && vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_ADDR6, AF_INET6,
				      ip6)))
		return -EMSGSIZE;
	return 0;
}

/* As the core does for a request that is still there. */
static void acknowledge(const struct vnimesh_nl_asker *asker, int err,
			const char *text)
{
	struct nlmsgerr *report;
	struct nlmsghdr *nlh;
	struct sk_buff *skb;

	skb = nlmsg_new(sizeof(*report) + nla_total_size(strlen(text) + 1),
			GFP_KERNEL);
	if (!skb)
		return;
	nlh = nlmsg_put(skb, asker->portid, asker->nlh.nlmsg_seq, NLMSG_ERROR,
			sizeof(*report), NLM_F_CAPPED);
	if (!nlh) {
		nlmsg_free(skb);
		return;
	}
	report = nlmsg_data(nlh);
	report->error = err;
	report->msg = asker->nlh;
	if (*text && !nla_put_string(skb, NLMSGERR_ATTR_MSG, text))
		nlh->nlmsg_flags |= NLM_F_ACK_TLVS;
	nlmsg_end(skb, nlh);
	genlmsg_unicast(asker->net, skb, asker->portid);
}

int vnimesh_nl_resolved(const struct vnimesh_nl_asker *asker,
			const struct vnimesh_service *service, bool late)
{
	struct sk_buff *skb;
	void *hdr;
	int err;

	skb = genlmsg_new(GENLMSG_DEFAULT_SIZE, GFP_KERNEL);
	if (!skb)
		return -ENOMEM;
	hdr = genlmsg_put(skb, asker->portid, asker->nlh.nlmsg_seq,
			  &vnimesh_family, 0, VNIMESH_CMD_RESOLVE);
	if (!hdr || fill(skb, asker, service)) {
		nlmsg_free(skb);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, hdr);
	err = genlmsg_unicast(asker->net, skb, asker->portid);
	if (late && asker->nlh.nlmsg_flags & NLM_F_ACK)
		acknowledge(asker, 0, "");
	return err;
}

#define NO_SERVICE		"tag: no such service"
#define COORDINATOR_AWAY	"tag: unknown here, and the coordinator is away"

static const char *text_of(int err)
{
	switch (err) {
	case -ENOENT:
		return NO_SERVICE;
	case -EHOSTDOWN:
		return COORDINATOR_AWAY;
	case -ETIMEDOUT:
		return "tag: unknown here, and the agent did not answer in time";
	case -ENOTCONN:
		return "tag: unknown here, and no agent is bound";
	default:
		return "";
	}
}

void vnimesh_nl_unresolved(const struct vnimesh_nl_asker *asker, int err)
{
	acknowledge(asker, err, text_of(err));
}

static int refuse(struct vnimesh_mesh *mesh, struct genl_info *info, int err)
{
	switch (err) {
	case -EBUSY:
	case -EUSERS:
	case -EMFILE:
	case -EDQUOT:
		vnimesh_count(mesh, VNIMESH_A_STATS_RESOLVE_LIMIT);
	}
	switch (err) {
	case -ENOENT:
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_TAG, err,
					 NO_SERVICE);
	case -EHOSTDOWN:
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_TAG, err,
					 COORDINATOR_AWAY);
	case -ENOTCONN:
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_TAG, err,
					 "tag: unknown here, and no agent is bound");
	case -EAGAIN:
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_TAG, err,
					 "tag: unknown here, and the agent is busy");
	case -EBUSY:
		GENL_SET_ERR_MSG(info, "too many resolves wait in this mesh");
		return err;
	case -EUSERS:
		GENL_SET_ERR_MSG(info, "too many resolves of this VNI or netns wait");
		return -EBUSY;
	case -EMFILE:
		GENL_SET_ERR_MSG(info, "too many resolves wait on this socket");
		return -EBUSY;
	case -EDQUOT:
		GENL_SET_ERR_MSG(info, "too many questions in a second");
		return -EBUSY;
	default:
		return err;
	}
}

/* What the agent has said lately. */
static int absent(struct vnimesh_mesh *mesh, const char *tag)
{
	struct vnimesh_absent_key key;

	vnimesh_absent_tag(&key, tag);
	switch (vnimesh_absent_find(mesh, &key)) {
	case 0:
		return 0;
	case VNIMESH_VERDICT_COORDINATOR_AWAY:
		return -EHOSTDOWN;
	default:
		return -ENOENT;
	}
}

/* mesh->lock. */
static int resolve(struct vnimesh_mesh *mesh, struct genl_info *info,
		   u32 vni_id)
{
	struct nlattr *attr = info->attrs[VNIMESH_A_ROUTE_TAG];
	struct vnimesh_service *service;
	struct vnimesh_nl_asker asker = {
		.net = genl_info_net(info),
		.nlh = *info->nlhdr,
		.portid = info->snd_portid,
		.ifindex = nla_get_u32(info->attrs[VNIMESH_NL_IFINDEX]),
	};
	int err;

	if (VNIMESH_NL_MISSING(info, VNIMESH_A_ROUTE_TAG, "tag"))
		return -EINVAL;
	err = vnimesh_nl_check_tag(attr, info->extack);
	if (err)
		return err;
	err = vnimesh_nl_get_family(info->attrs[VNIMESH_A_ROUTE_FAMILY],
				    info->extack);
	if (err < 0)
		return err;
	asker.family = err;
	service = vnimesh_nl_find_tag(mesh, nla_data(attr));
	if (service && !service->loading)
		return vnimesh_nl_resolved(&asker, service, false);
	err = service ? 0 : absent(mesh, nla_data(attr));
	if (!err)
		err = vnimesh_parked_add(mesh, &asker, nla_data(attr), vni_id);
	/* The core takes this for "no acknowledgment now". */
	return err ? refuse(mesh, info, err) : -EINTR;
}

int vnimesh_nl_resolve(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	u32 vni_id;
	int err;

	mesh = vnimesh_nl_lock_any(info, &ref, &vni_id);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	err = resolve(mesh, info, vni_id);
	vnimesh_nl_unlock(&ref);
	return err;
}
