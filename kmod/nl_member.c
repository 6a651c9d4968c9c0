// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands member-get, member-set, member-del.
 */
#include "liveness.h"
#include "eject.h"
#include "maglev.h"
#include "nl.h"

const struct nla_policy vnimesh_nl_member_get_policy[] = {
	[VNIMESH_A_MEMBER_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_MEMBER_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_MEMBER_VNI_ID]	= VNIMESH_POLICY_ID,
};

const struct nla_policy vnimesh_nl_member_set_policy[] = {
	[VNIMESH_A_MEMBER_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_MEMBER_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_MEMBER_VNI_ID]	= VNIMESH_POLICY_ID,
	[VNIMESH_A_MEMBER_WEIGHT]	= NLA_POLICY_MAX(NLA_U32,
							 VNIMESH_WEIGHT_MAX),
	[VNIMESH_A_MEMBER_STATE]	= VNIMESH_POLICY_STATE,
	[VNIMESH_A_MEMBER_HEALTH]	= VNIMESH_POLICY_HEALTH,
	[VNIMESH_A_MEMBER_LATENCY]	= VNIMESH_POLICY_LATENCY,
	[VNIMESH_A_MEMBER_STALE]	= NLA_POLICY_MAX(NLA_U8, 1),
	[VNIMESH_A_MEMBER_PORTS]	=
		NLA_POLICY_NESTED_ARRAY(vnimesh_port_policy),
	VNIMESH_POLICY_ROW(MEMBER),
	[VNIMESH_A_MEMBER_PRIORITY]	= { .type = NLA_U8 },
	[VNIMESH_A_MEMBER_LATENCY_KIND]	=
		NLA_POLICY_RANGE(NLA_U8, VNIMESH_LATENCY_CONNECT,
				 VNIMESH_LATENCY_RESPONSE),
};

const struct nla_policy vnimesh_nl_member_del_policy[] = {
	[VNIMESH_A_MEMBER_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_MEMBER_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_MEMBER_VNI_ID]	= VNIMESH_POLICY_ID,
	VNIMESH_POLICY_ROW(MEMBER),
	[VNIMESH_A_MEMBER_MAX]		= { .type = NLA_REJECT },
};

static int put_penalty(struct sk_buff *skb,
		       const struct vnimesh_member *member)
{
	u32 left = vnimesh_eject_left(member);

	if ((left && nla_put_u32(skb, VNIMESH_A_MEMBER_PENALTY, left)) ||
	    nla_put_u32(skb, VNIMESH_A_MEMBER_EJECTED,
			READ_ONCE(member->ejections)) ||
	    nla_put_u32(skb, VNIMESH_A_MEMBER_HOLDERS,
			vnimesh_eject_clients(member)))
		return -EMSGSIZE;
	return 0;
}

static int fill(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		const void *row, struct net *net)
{
	const struct vnimesh_member *member = row;
	const struct vnimesh_ports *ports;

	ports = rcu_dereference_protected(member->ports,
					  lockdep_is_held(&mesh->lock));
	if (nla_put_u32(skb, VNIMESH_A_MEMBER_IFINDEX, mesh->dev->ifindex) ||
	    nla_put_string(skb, VNIMESH_A_MEMBER_TAG, member->service->tag) ||
	    nla_put_u32(skb, VNIMESH_A_MEMBER_VNI_ID, member->vni->id) ||
	    nla_put_u32(skb, VNIMESH_A_MEMBER_WEIGHT, member->weight) ||
	    nla_put_u8(skb, VNIMESH_A_MEMBER_STATE, member->state) ||
	    nla_put_u8(skb, VNIMESH_A_MEMBER_HEALTH, member->health) ||
	    nla_put_u32(skb, VNIMESH_A_MEMBER_LATENCY, member->latency) ||
	    nla_put_u8(skb, VNIMESH_A_MEMBER_STALE, member->stale) ||
	    nla_put_u8(skb, VNIMESH_A_MEMBER_PRIORITY, member->priority) ||
	    nla_put_u8(skb, VNIMESH_A_MEMBER_LATENCY_KIND,
		       member->latency_kind) ||
	    (ports && vnimesh_nl_put_ports(skb, VNIMESH_A_MEMBER_PORTS,
					   ports)) ||
	    nla_put_u32(skb, VNIMESH_A_MEMBER_INFLIGHT,
			max(atomic_read(&member->inflight), 0)) ||
	    nla_put_u64_64bit(skb, VNIMESH_A_MEMBER_FLOWS,
			      (u32)atomic_read(&member->bound),
			      VNIMESH_A_MEMBER_PAD) ||
	    put_penalty(skb, member) ||
	    vnimesh_nl_put_row(skb, VNIMESH_A_MEMBER_ORIGIN, &member->row))
		return -EMSGSIZE;
	return 0;
}

void vnimesh_nl_member_notify(struct vnimesh_mesh *mesh,
			      struct genl_info *info, u8 cmd,
			      const struct vnimesh_member *member)
{
	vnimesh_nl_notify(mesh, info, cmd, fill, member);
}

/* The service and the VNI that the request names; either may be missing. */
static int find(struct vnimesh_mesh *mesh, struct genl_info *info,
		struct vnimesh_service **service, struct vnimesh_vni **vni)
{
	*service = vnimesh_nl_find_service(mesh, info, VNIMESH_A_MEMBER_TAG);
	if (IS_ERR(*service))
		return PTR_ERR(*service);
	if (VNIMESH_NL_MISSING(info, VNIMESH_A_MEMBER_VNI_ID, "vni-id"))
		return -EINVAL;
	*vni = vnimesh_vni_find(mesh,
				nla_get_u32(info->attrs[VNIMESH_A_MEMBER_VNI_ID]));
	if (!*vni)
		return VNIMESH_NL_REFUSE(info, VNIMESH_A_MEMBER_VNI_ID,
					 -ENOENT, "vni-id: no such VNI");
	return 0;
}

static struct vnimesh_member *find_member(struct vnimesh_mesh *mesh,
					  struct genl_info *info)
{
	struct vnimesh_service *service;
	struct vnimesh_member *member;
	struct vnimesh_vni *vni;
	int err;

	err = find(mesh, info, &service, &vni);
	if (err)
		return ERR_PTR(err);
	member = vnimesh_member_find(mesh, service, vni->id);
	if (member)
		return member;
	return ERR_PTR(VNIMESH_NL_REFUSE(info, VNIMESH_A_MEMBER_VNI_ID,
					 -ENOENT,
					 "vni-id: no member of the service"));
}

int vnimesh_nl_member_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_member *member;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	member = find_member(mesh, info);
	err = PTR_ERR_OR_ZERO(member);
	if (!err)
		err = vnimesh_nl_reply(mesh, info, VNIMESH_CMD_MEMBER_GET,
				       fill, member);
	vnimesh_nl_unlock(&ref);
	return err;
}

/* Members of one service from the cursor on. */
static int service_rows(struct vnimesh_nl_dump *d,
			const struct vnimesh_service *service)
{
	const struct nlattr *vni_id = d->attrs[VNIMESH_A_MEMBER_VNI_ID];
	const struct vnimesh_member_set *set;
	int err;
	u32 i;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&d->mesh->lock));
	for (i = d->cur->b; i < set->n; i++) {
		if (vni_id && set->m[i]->vni->id != nla_get_u32(vni_id))
			continue;
		err = vnimesh_nl_dump_row(d, fill, set->m[i]);
		if (err) {
			d->cur->b = i;
			return err;
		}
	}
	d->cur->b = 0;
	return 0;
}

/* Enough services for one hold of the lock when a filter finds nothing. */
#define SERVICES_AT_ONCE	1024

static int rows(struct vnimesh_nl_dump *d)
{
	const struct nlattr *tag = d->attrs[VNIMESH_A_MEMBER_TAG];
	struct vnimesh_service *service;
	unsigned long index;
	u32 n = 0;
	int err;

	if (tag) {
		service = vnimesh_nl_find_tag(d->mesh, nla_data(tag));
		return service ? service_rows(d, service) : 0;
	}
	xa_for_each_start(&d->mesh->services, index, service, d->cur->a) {
		/* Another service in the cursor's place: from its start. */
		if (index != d->cur->a)
			d->cur->b = 0;
		d->cur->a = index;
		if (++n > SERVICES_AT_ONCE)
			return -EAGAIN;
		err = service_rows(d, service);
		if (err)
			return err;
	}
	return 0;
}

int vnimesh_nl_member_get_dump(struct sk_buff *skb,
			       struct netlink_callback *cb)
{
	return vnimesh_nl_dump(skb, cb, VNIMESH_CMD_MEMBER_GET,
			       vnimesh_nl_member_get_policy,
			       ARRAY_SIZE(vnimesh_nl_member_get_policy) - 1,
			       rows);
}

/* mesh->lock. */
static int check_ports(struct vnimesh_mesh *mesh, struct genl_info *info,
		       const struct vnimesh_service *service,
		       const struct vnimesh_ports *ports)
{
	bool has = true;
	u32 i;

	rcu_read_lock();
	for (i = 0; ports && has && i < ports->n; i++)
		has = vnimesh_service_has_port(service, ports->p[i].proto,
					       ports->p[i].port);
	rcu_read_unlock();
	if (has)
		return 0;
	return VNIMESH_NL_REFUSE(info, VNIMESH_A_MEMBER_PORTS, -EINVAL,
				 "ports: the service has no such port");
}

/* What a change of a member matters to. */
#define CHANGED_STATE	BIT(0)	/* its flows */
#define CHANGED_COUNT	BIT(1)	/* the count of its service */
#define CHANGED_TABLE	BIT(2)	/* ... and the Maglev table */

static u32 set_state(struct vnimesh_member *member, u8 state)
{
	if (state == member->state)
		return 0;
	if (state == VNIMESH_STATE_UP)
		vnimesh_rise(&member->risen);
	WRITE_ONCE(member->state, state);
	return CHANGED_STATE | CHANGED_COUNT;
}

static u32 set_weight(struct vnimesh_member *member, u32 weight)
{
	if (weight == member->weight)
		return 0;
	WRITE_ONCE(member->weight, weight);
	return CHANGED_COUNT | CHANGED_TABLE;
}

static u32 set_byte(u8 *to, const struct nlattr *attr)
{
	if (!attr || nla_get_u8(attr) == *to)
		return 0;
	WRITE_ONCE(*to, nla_get_u8(attr));
	return CHANGED_COUNT;
}

/* The agents' latencies change often and little: they wait for the next count.
 */
static u32 set_scalars(struct vnimesh_member *member, struct nlattr **a)
{
	u32 changed = 0;

	if (a[VNIMESH_A_MEMBER_WEIGHT])
		changed |= set_weight(member,
				      nla_get_u32(a[VNIMESH_A_MEMBER_WEIGHT]));
	if (a[VNIMESH_A_MEMBER_STATE])
		changed |= set_state(member,
				     nla_get_u8(a[VNIMESH_A_MEMBER_STATE]));
	changed |= set_byte(&member->health, a[VNIMESH_A_MEMBER_HEALTH]);
	changed |= set_byte(&member->priority, a[VNIMESH_A_MEMBER_PRIORITY]);
	changed |= set_byte(&member->latency_kind,
			    a[VNIMESH_A_MEMBER_LATENCY_KIND]);
	if (a[VNIMESH_A_MEMBER_LATENCY])
		WRITE_ONCE(member->latency,
			   nla_get_u32(a[VNIMESH_A_MEMBER_LATENCY]));
	if (a[VNIMESH_A_MEMBER_STALE])
		WRITE_ONCE(member->stale,
			   nla_get_u8(a[VNIMESH_A_MEMBER_STALE]));
	return changed;
}

static void tell_choice(struct vnimesh_mesh *mesh,
			struct vnimesh_member *member, u32 changed)
{
	if (changed & CHANGED_TABLE)
		vnimesh_maglev_changed(mesh, member->service);
	if (changed & CHANGED_STATE)
		vnimesh_liveness_member(mesh, member);
	else if (changed)
		vnimesh_service_changed(member->service);
}

/* mesh->lock. A new member in the set, with all its parts but @ports. */
static struct vnimesh_member *add(struct vnimesh_mesh *mesh,
				  struct genl_info *info,
				  struct vnimesh_service *service,
				  struct vnimesh_vni *vni,
				  struct vnimesh_ports *ports)
{
	const struct vnimesh_member_set *set;
	struct vnimesh_member *member;
	int err;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	if (set->n >= VNIMESH_MEMBERS_MAX) {
		vnimesh_count(mesh, VNIMESH_A_STATS_NO_RESOURCE);
		GENL_SET_ERR_MSG(info, "too many members");
		return ERR_PTR(-ENOSPC);
	}
	member = vnimesh_member_alloc(service, vni);
	if (!member)
		return ERR_PTR(-ENOMEM);
	set_scalars(member, info->attrs);
	/* It joins others that have flows already. */
	if (set->n && !service->loading && READ_ONCE(service->used))
		vnimesh_rise(&member->risen);
	/* The first packet may come at once. */
	RCU_INIT_POINTER(member->ports, ports);
	err = vnimesh_member_link(mesh, member);
	if (!err)
		return member;
	RCU_INIT_POINTER(member->ports, NULL);
	vnimesh_member_put(member);
	return ERR_PTR(err);
}

/* mesh->lock. Takes over @ports if it succeeds. */
static int apply(struct vnimesh_mesh *mesh, struct genl_info *info,
		 struct vnimesh_ports *ports)
{
	struct vnimesh_service *service;
	struct vnimesh_member *member;
	struct vnimesh_vni *vni;
	struct vnimesh_row row;
	int err;

	vnimesh_nl_get_row(info->attrs, VNIMESH_A_MEMBER_ORIGIN, &row);
	err = find(mesh, info, &service, &vni);
	if (err)
		return err;
	member = vnimesh_member_find(mesh, service, vni->id);
	err = vnimesh_nl_check_flags(info, member);
	if (!err && member)
		err = vnimesh_row_check(&member->row, &row, info->extack);
	if (!err)
		err = check_ports(mesh, info, service, ports);
	if (err)
		return err;

	if (member) {
		if (ports)
			vnimesh_member_set_ports(mesh, member, ports);
		tell_choice(mesh, member, set_scalars(member, info->attrs));
	} else {
		member = add(mesh, info, service, vni, ports);
		if (IS_ERR(member))
			return PTR_ERR(member);
	}
	vnimesh_row_update(&member->row, &row);
	mesh->generation++;
	vnimesh_nl_member_notify(mesh, info, VNIMESH_CMD_MEMBER_NTF, member);
	return 0;
}

int vnimesh_nl_member_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *nest = info->attrs[VNIMESH_A_MEMBER_PORTS];
	struct vnimesh_ports *ports = NULL;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	if (nest) {
		ports = vnimesh_nl_get_ports(nest, info->extack);
		if (IS_ERR(ports))
			return PTR_ERR(ports);
	}
	mesh = vnimesh_nl_lock(skb, info, &ref);
	err = PTR_ERR_OR_ZERO(mesh);
	if (!err) {
		err = apply(mesh, info, ports);
		vnimesh_nl_unlock(&ref);
	}
	if (err)
		kfree(ports);
	return err;
}

int vnimesh_nl_member_del(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_member *member;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	member = find_member(mesh, info);
	err = PTR_ERR_OR_ZERO(member);
	if (err)
		goto unlock;
	err = vnimesh_nl_check_del(info, VNIMESH_A_MEMBER_ORIGIN,
				   &member->row);
	if (err)
		goto unlock;
	/* The message wants the row as it was; the row goes with the set. */
	refcount_inc(&member->refs);
	err = vnimesh_member_unlink(mesh, member);
	if (!err) {
		mesh->generation++;
		vnimesh_nl_member_notify(mesh, info,
					 VNIMESH_CMD_MEMBER_DEL_NTF, member);
	}
	vnimesh_member_put(member);
unlock:
	vnimesh_nl_unlock(&ref);
	return err;
}
