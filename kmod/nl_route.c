// SPDX-License-Identifier: GPL-2.0-only
/*
 * Command route-get: where a new flow would go, and why. It takes the same
 * snapshot and the same choice as the data path, and changes nothing.
 */
#include "choose.h"
#include "eject.h"
#include "nl.h"

const struct nla_policy vnimesh_nl_route_get_policy[] = {
	[VNIMESH_A_ROUTE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_ROUTE_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_ROUTE_DST]		= VNIMESH_POLICY_IP,
	[VNIMESH_A_ROUTE_SRC]		= VNIMESH_POLICY_IP,
	[VNIMESH_A_ROUTE_PROTO]		= { .type = NLA_U8 },
	[VNIMESH_A_ROUTE_DPORT]		= { .type = NLA_BE16 },
	[VNIMESH_A_ROUTE_FAMILY]	=
		NLA_POLICY_FULL_RANGE(NLA_U8, &vnimesh_family_range),
	[VNIMESH_A_ROUTE_SEED]		= { .type = NLA_U64 },
};

/* What is asked. */
struct query {
	const char *tag;	/* or */
	union vnimesh_ip dst;
	union vnimesh_ip src;	/* zero: not asked */
	u64 seed;
	__be16 dport;		/* 0: not asked */
	u8 proto;
	u8 family;		/* 0: the service decides */
	bool has_src;
};

/* Room for one candidate with an IPv6 address, for the rest, and the number
 * of candidates in one nest, whose length is a u16.
 */
#define CAND_SIZE	320
#define HEAD_SIZE	1024
#define CANDS_PER_NEST	128

static int get_addrs(struct genl_info *info, struct query *q)
{
	struct nlattr **a = info->attrs;
	u8 family = 0;
	int err;

	err = vnimesh_nl_get_family(a[VNIMESH_A_ROUTE_FAMILY], info->extack);
	if (err < 0)
		return err;
	q->family = err;
	if (a[VNIMESH_A_ROUTE_DST]) {
		err = vnimesh_nl_get_ip(a[VNIMESH_A_ROUTE_DST], &q->dst,
					&family, info->extack);
		if (err)
			return err;
		if (q->family && q->family != family)
			return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_DST,
						 -EINVAL,
						 "dst: not of the family");
		q->family = family;
	}
	if (!a[VNIMESH_A_ROUTE_SRC])
		return 0;
	err = vnimesh_nl_get_ip(a[VNIMESH_A_ROUTE_SRC], &q->src, &family,
				info->extack);
	if (err)
		return err;
	if (q->family && q->family != family)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_SRC, -EINVAL,
					 "src: not of the family");
	q->family = family;
	q->has_src = true;
	return 0;
}

static int get_ports(struct genl_info *info, struct query *q)
{
	struct nlattr **a = info->attrs;

	q->proto = IPPROTO_TCP;
	if (a[VNIMESH_A_ROUTE_PROTO])
		q->proto = nla_get_u8(a[VNIMESH_A_ROUTE_PROTO]);
	if (q->proto != IPPROTO_TCP && q->proto != IPPROTO_UDP)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_PROTO, -ERANGE,
					 "proto: neither TCP nor UDP");
	if (!a[VNIMESH_A_ROUTE_DPORT])
		return 0;
	q->dport = nla_get_be16(a[VNIMESH_A_ROUTE_DPORT]);
	if (!q->dport)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_DPORT, -ERANGE,
					 "dport: out of range");
	return 0;
}

static int get_query(struct genl_info *info, struct query *q)
{
	struct nlattr **a = info->attrs;
	int err;

	memset(q, 0, sizeof(*q));
	if (a[VNIMESH_A_ROUTE_TAG] && a[VNIMESH_A_ROUTE_DST])
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_DST, -EINVAL,
					 "dst: not together with tag");
	if (!a[VNIMESH_A_ROUTE_DST] &&
	    VNIMESH_NL_MISSING(info, VNIMESH_A_ROUTE_TAG, "tag or dst"))
		return -EINVAL;
	if (a[VNIMESH_A_ROUTE_TAG]) {
		err = vnimesh_nl_check_tag(a[VNIMESH_A_ROUTE_TAG],
					   info->extack);
		if (err)
			return err;
		q->tag = nla_data(a[VNIMESH_A_ROUTE_TAG]);
	}
	q->seed = a[VNIMESH_A_ROUTE_SEED] ?
		  nla_get_u64(a[VNIMESH_A_ROUTE_SEED]) : get_random_u64();
	err = get_addrs(info, q);
	return err ?: get_ports(info, q);
}

/* RCU. */
static int put_penalty(struct sk_buff *skb, const struct vnimesh_explain *e,
		       const struct vnimesh_member *member)
{
	const struct vnimesh_choose_args *args = e->args;
	struct vnimesh_penalty p;

	vnimesh_eject_view(e->mesh, member, args->client, args->tuple->dport,
			   &p);
	if ((p.left && nla_put_u32(skb, VNIMESH_A_CAND_PENALTY, p.left)) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_EVIDENCE, p.sum) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_DOUBLINGS, p.n))
		return -EMSGSIZE;
	return 0;
}

/* Why @c is not the one, when it could have been. */
static u8 passed_over(const struct vnimesh_explain *e,
		      const struct vnimesh_candidate *c)
{
	const struct vnimesh_candidate *chosen = &e->c[e->chosen];
	u8 policy = e->select.all.policy;

	if (vnimesh_tier_of(c, policy) != vnimesh_tier_of(chosen, policy))
		return VNIMESH_EXCLUDE_TIER;
	if (policy == VNIMESH_POLICY_FAILOVER &&
	    c->priority != chosen->priority)
		return VNIMESH_EXCLUDE_PRIORITY;
	return VNIMESH_EXCLUDE_NONE;
}

/* What the choice made of @c. */
static int put_verdict(struct sk_buff *skb, const struct vnimesh_explain *e,
		       const struct vnimesh_candidate *c, bool chosen)
{
	u32 tier = vnimesh_tier_of(c, e->select.all.policy);
	struct vnimesh_scale scale;
	u8 excluded = c->excluded;
	u64 cost;

	vnimesh_select_scale(&e->select, tier, &scale);
	cost = vnimesh_score(c, &scale);
	if (!excluded && e->chosen >= 0)
		excluded = passed_over(e, c);
	if (nla_put_u8(skb, VNIMESH_A_CAND_EXCLUDED, excluded) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_COUNTED_LATENCY,
			vnimesh_score_latency(c, &scale)) ||
	    (cost != VNIMESH_COST_NONE && !c->excluded &&
	     nla_put_u64_64bit(skb, VNIMESH_A_CAND_COST, cost,
			       VNIMESH_A_CAND_PAD)) ||
	    (chosen && nla_put_flag(skb, VNIMESH_A_CAND_CHOSEN)))
		return -EMSGSIZE;
	return 0;
}

static int put_latencies(struct sk_buff *skb,
			 const struct vnimesh_candidate *c)
{
	if (nla_put_u32(skb, VNIMESH_A_CAND_PATH, c->path) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_LATENCY, c->lp) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_LATENCY_KIND, c->lp_kind) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_KLATENCY, c->lk) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_KLATENCY_AGE, c->lk_age) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_RLATENCY, c->lr) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_RLATENCY_AGE, c->lr_age))
		return -EMSGSIZE;
	return 0;
}

static int put_inputs(struct sk_buff *skb, const struct vnimesh_candidate *c)
{
	if (put_latencies(skb, c) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_WEIGHT, c->weight) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_HEALTH, c->health) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_INFLIGHT, c->inflight) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_STALE, c->stale) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_TIER, c->locality) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_PRIORITY, c->priority) ||
	    (c->ramp != VNIMESH_RAMP_NONE &&
	     nla_put_u32(skb, VNIMESH_A_CAND_RAMP, c->ramp)))
		return -EMSGSIZE;
	return 0;
}

/* RCU. Who it is, and how old what is known of it is. */
static int put_member(struct sk_buff *skb, const struct vnimesh_member *member,
		      u8 family)
{
	const struct vnimesh_vni *vni = member->vni;
	const union vnimesh_ip *ip = vnimesh_vni_ip(vni, family);

	if (nla_put_u32(skb, VNIMESH_A_CAND_VNI_ID, vni->id) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_NODE_ID, vni->node->id) ||
	    (ip && vnimesh_nl_put_ip(skb, VNIMESH_A_CAND_ADDR, family, ip)) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_MEMBER_HEALTH, member->health) ||
	    nla_put_u8(skb, VNIMESH_A_CAND_VNI_HEALTH, vni->health) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_AGE,
			vnimesh_row_age(&member->row)) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_VNI_AGE,
			vnimesh_row_age(&vni->row)) ||
	    nla_put_u32(skb, VNIMESH_A_CAND_NODE_AGE,
			vnimesh_row_age(&vni->node->row)))
		return -EMSGSIZE;
	return 0;
}

/* Where @i stands in the order to sample from. */
static int put_slot(struct sk_buff *skb, const struct vnimesh_explain *e, u32 i)
{
	u32 k;

	for (k = 0; e->select.order && k < e->count->agg.n; k++)
		if (e->count->order[k] == i)
			return nla_put_u32(skb, VNIMESH_A_CAND_SLOT, k);
	return 0;
}

/* RCU. */
static int put_candidate(struct sk_buff *skb, const struct vnimesh_explain *e,
			 u32 i, int type, u8 family)
{
	struct nlattr *nest = nla_nest_start(skb, type);

	if (!nest || put_member(skb, e->set->m[i], family) ||
	    put_inputs(skb, &e->c[i]) ||
	    put_verdict(skb, e, &e->c[i], (int)i == e->chosen) ||
	    put_penalty(skb, e, e->set->m[i]) ||
	    put_slot(skb, e, i))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* RCU. */
static int put_candidates(struct sk_buff *skb, const struct vnimesh_explain *e,
			  u8 family)
{
	struct nlattr *nest = NULL;
	u32 i;

	for (i = 0; i < e->set->n; i++) {
		if (!(i % CANDS_PER_NEST)) {
			if (nest)
				nla_nest_end(skb, nest);
			nest = nla_nest_start(skb, VNIMESH_A_ROUTE_CANDIDATES);
			if (!nest)
				return -EMSGSIZE;
		}
		if (put_candidate(skb, e, i, i % CANDS_PER_NEST + 1, family))
			return -EMSGSIZE;
	}
	if (nest)
		nla_nest_end(skb, nest);
	return 0;
}

static int put_tier(struct sk_buff *skb, const struct vnimesh_select *s, int t)
{
	const struct vnimesh_tier *tier = &s->agg->tier[t];
	struct nlattr *nest = nla_nest_start(skb, t + 1);

	if (!nest ||
	    nla_put_u32(skb, VNIMESH_A_TIER_TOTAL, tier->total) ||
	    nla_put_u32(skb, VNIMESH_A_TIER_HEALTHY, tier->healthy) ||
	    nla_put_u32(skb, VNIMESH_A_TIER_MEDIAN, s->view->median[t]) ||
	    nla_put_u32(skb, VNIMESH_A_TIER_SHARE, tier->share) ||
	    nla_put_u32(skb, VNIMESH_A_TIER_FIRST, tier->first) ||
	    nla_put_u32(skb, VNIMESH_A_TIER_N, tier->n))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* What the choice knew of all candidates together. */
static int put_aggregate(struct sk_buff *skb, const struct vnimesh_explain *e)
{
	const struct vnimesh_aggregate *agg = &e->count->agg;
	const struct vnimesh_select *s = &e->select;
	struct nlattr *nest;
	int t;

	if (nla_put_u8(skb, VNIMESH_A_ROUTE_POLICY, s->all.policy) ||
	    nla_put_u8(skb, VNIMESH_A_ROUTE_LOAD, s->all.load) ||
	    nla_put_u8(skb, VNIMESH_A_ROUTE_LATENCY_KIND, s->view->kind) ||
	    (e->chosen >= 0 && nla_put_u8(skb, VNIMESH_A_ROUTE_HOW, e->how)) ||
	    nla_put_u32(skb, VNIMESH_A_ROUTE_HASH, s->hash) ||
	    nla_put_u8(skb, VNIMESH_A_ROUTE_PANIC, agg->panic) ||
	    nla_put_u32(skb, VNIMESH_A_ROUTE_TIERS_AGE,
			jiffies_to_msecs(jiffies - e->count->stamp)))
		return -EMSGSIZE;
	nest = nla_nest_start(skb, VNIMESH_A_ROUTE_TIERS);
	if (!nest)
		return -EMSGSIZE;
	for (t = 0; t < VNIMESH_TIERS; t++)
		if (put_tier(skb, s, t))
			return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

/* RCU. The node that gets the packet; none of this for ourselves. */
static int put_node(struct sk_buff *skb, const struct vnimesh_node *node)
{
	const struct vnimesh_endpoint *endpoint;

	endpoint = rcu_dereference(node->endpoint);
	if (nla_put_u32(skb, VNIMESH_A_ROUTE_NODE_ID, node->id) ||
	    (endpoint && vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_UNDERLAY,
					   endpoint->family, &endpoint->addr)))
		return -EMSGSIZE;
	return 0;
}

/* RCU. */
static int put_choice(struct sk_buff *skb, const struct vnimesh_member *member,
		      const struct query *q)
{
	const union vnimesh_ip *ip = vnimesh_vni_ip(member->vni, q->family);

	if (nla_put_u32(skb, VNIMESH_A_ROUTE_VNI_ID, member->vni->id) ||
	    put_node(skb, member->vni->node) ||
	    (ip && vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_MEMBER_ADDR,
				     q->family, ip)))
		return -EMSGSIZE;
	if (!q->dport)
		return 0;
	return nla_put_be16(skb, VNIMESH_A_ROUTE_MEMBER_PORT,
			    vnimesh_member_target(member, q->proto, q->dport));
}

static int put_service(struct sk_buff *skb,
		       const struct vnimesh_service *service)
{
	if (nla_put_string(skb, VNIMESH_A_ROUTE_TAG, service->tag) ||
	    (service->e4.key.family &&
	     vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_ADDR4, AF_INET,
			       &service->e4.key.ip)) ||
	    (service->e6.key.family &&
	     vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_ADDR6, AF_INET6,
			       &service->e6.key.ip)))
		return -EMSGSIZE;
	return 0;
}

/* RCU and mesh->lock. */
static int fill_service(struct sk_buff *skb, struct vnimesh_mesh *mesh,
			const struct vnimesh_service *service,
			const struct query *q, struct vnimesh_explain *e)
{
	const struct vnimesh_tuple tuple = {
		.src = q->src, .dport = q->dport,
		.family = q->family, .proto = q->proto,
	};
	const struct vnimesh_choose_args args = {
		.service = service, .tuple = &tuple, .seed = q->seed,
		.client = vnimesh_vni_local(mesh, q->family, &q->src),
	};
	int err = vnimesh_choose_explain(mesh, &args, e);

	if (err)
		return err;
	if (put_service(skb, service) ||
	    nla_put_u8(skb, VNIMESH_A_ROUTE_FAMILY, q->family) ||
	    nla_put_u8(skb, VNIMESH_A_ROUTE_PROTO, q->proto) ||
	    (q->has_src && vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_SRC,
					     q->family, &q->src)) ||
	    nla_put_u64_64bit(skb, VNIMESH_A_ROUTE_SEED, q->seed,
			      VNIMESH_A_ROUTE_PAD) ||
	    (e->chosen >= 0 && put_choice(skb, e->set->m[e->chosen], q)) ||
	    put_aggregate(skb, e) ||
	    put_candidates(skb, e, q->family))
		err = -EMSGSIZE;
	if (e->counted)
		kfree(e->count);
	return err;
}

static struct sk_buff *new_reply(struct vnimesh_mesh *mesh,
				 struct genl_info *info, u32 candidates,
				 void **hdr)
{
	struct sk_buff *skb;

	skb = genlmsg_new(HEAD_SIZE + candidates * CAND_SIZE, GFP_KERNEL);
	if (!skb)
		return NULL;
	*hdr = genlmsg_put_reply(skb, info, &vnimesh_family, 0,
				 VNIMESH_CMD_ROUTE_GET);
	if (*hdr && !nla_put_u32(skb, VNIMESH_A_ROUTE_IFINDEX,
				 mesh->dev->ifindex))
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static int end_reply(struct sk_buff *skb, void *hdr, struct genl_info *info,
		     int err)
{
	WARN_ON_ONCE(err == -EMSGSIZE);
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, hdr);
	return genlmsg_reply(skb, info);
}

/* mesh->lock. */
static int route_service(struct vnimesh_mesh *mesh, struct genl_info *info,
			 const struct vnimesh_service *service,
			 struct query *q)
{
	const struct vnimesh_member_set *set;
	struct vnimesh_explain *e;
	struct sk_buff *skb;
	bool has_port;
	void *hdr;
	int err;

	if (!q->family)
		q->family = service->e4.key.family ? AF_INET : AF_INET6;
	if (!(q->family == AF_INET ? &service->e4 : &service->e6)->key.family)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_FAMILY,
					 -EADDRNOTAVAIL,
					 "family: the service has no such address");
	rcu_read_lock();
	has_port = !q->dport ||
		   vnimesh_service_has_port(service, q->proto, q->dport);
	rcu_read_unlock();
	if (!has_port)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_DPORT,
					 -ECONNREFUSED,
					 "dport: no port of the service");

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	e = kvmalloc(struct_size(e, c, set->n), GFP_KERNEL_ACCOUNT);
	skb = e ? new_reply(mesh, info, set->n, &hdr) : NULL;
	if (!skb) {
		kvfree(e);
		return -ENOMEM;
	}
	rcu_read_lock();
	err = fill_service(skb, mesh, service, q, e);
	rcu_read_unlock();
	kvfree(e);
	return end_reply(skb, hdr, info, err);
}

/* RCU. */
static int fill_direct(struct sk_buff *skb, const struct vnimesh_node *node,
		       const struct vnimesh_vni *vni, const struct query *q)
{
	if (vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_DST, q->family, &q->dst) ||
	    vnimesh_nl_put_ip(skb, VNIMESH_A_ROUTE_MEMBER_ADDR, q->family,
			      &q->dst) ||
	    (vni && nla_put_u32(skb, VNIMESH_A_ROUTE_VNI_ID, vni->id)) ||
	    put_node(skb, node))
		return -EMSGSIZE;
	if (!q->dport)
		return 0;
	return nla_put_be16(skb, VNIMESH_A_ROUTE_MEMBER_PORT, q->dport);
}

/* mesh->lock. To an address that is no service's. */
static int route_direct(struct vnimesh_mesh *mesh, struct genl_info *info,
			const struct query *q)
{
	const struct vnimesh_node *node;
	const struct vnimesh_vni *vni;
	struct sk_buff *skb;
	void *hdr;
	int err;

	rcu_read_lock();
	vni = vnimesh_vni_local(mesh, q->family, &q->dst);
	node = vni ? vni->node :
	       vnimesh_node_route(mesh, q->family, &q->dst);
	rcu_read_unlock();
	if (!node)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_DST,
					 -ENETUNREACH,
					 "dst: no node has this address");
	if (node->self && !vni)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_DST,
					 -EHOSTUNREACH,
					 "dst: no VNI of this host has it");
	skb = new_reply(mesh, info, 0, &hdr);
	if (!skb)
		return -ENOMEM;
	rcu_read_lock();
	err = fill_direct(skb, node, vni, q);
	rcu_read_unlock();
	return end_reply(skb, hdr, info, err);
}

/* mesh->lock. */
static int route(struct vnimesh_mesh *mesh, struct genl_info *info,
		 struct query *q)
{
	const struct vnimesh_service_prefixes *p;
	struct vnimesh_service *service;

	if (q->tag) {
		service = vnimesh_nl_find_service(mesh, info,
						  VNIMESH_A_ROUTE_TAG);
		return IS_ERR(service) ? PTR_ERR(service) :
		       route_service(mesh, info, service, q);
	}
	rcu_read_lock();
	service = vnimesh_service_by_ip(mesh, q->family, &q->dst);
	rcu_read_unlock();
	if (service)
		return route_service(mesh, info, service, q);
	p = rcu_dereference_protected(mesh->service_prefixes,
				      lockdep_is_held(&mesh->lock));
	if (p && vnimesh_prefix_match(q->family == AF_INET ? &p->p4 : &p->p6,
				      q->family, &q->dst))
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_ROUTE_DST, -ENOENT,
					 "dst: no service has this address");
	return route_direct(mesh, info, q);
}

int vnimesh_nl_route_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	struct query q;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	err = get_query(info, &q);
	if (!err)
		err = route(mesh, info, &q);
	vnimesh_nl_unlock(&ref);
	return err;
}
