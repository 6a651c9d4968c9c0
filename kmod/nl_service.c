// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands service-get, service-set, service-del.
 */
#include "liveness.h"
#include "maglev.h"
#include "miss.h"
#include "nl.h"
#include "parked.h"

static struct netlink_range_validation drain_range = {
	.max = VNIMESH_DRAIN_TIME_MAX,
};

const struct nla_policy vnimesh_nl_service_get_policy[] = {
	[VNIMESH_A_SERVICE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_SERVICE_TAG]		= VNIMESH_POLICY_TAG,
};

const struct nla_policy vnimesh_nl_service_set_policy[] = {
	[VNIMESH_A_SERVICE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_SERVICE_TAG]		= VNIMESH_POLICY_TAG,
	[VNIMESH_A_SERVICE_ADDR4]	= VNIMESH_POLICY_IP4,
	[VNIMESH_A_SERVICE_ADDR6]	= VNIMESH_POLICY_IP6,
	[VNIMESH_A_SERVICE_PORTS]	=
		NLA_POLICY_NESTED_ARRAY(vnimesh_port_policy),
	[VNIMESH_A_SERVICE_POLICY]	=
		NLA_POLICY_RANGE(NLA_U8, VNIMESH_POLICY_OPTIMAL,
				 VNIMESH_POLICY_FAILOVER),
	[VNIMESH_A_SERVICE_LOADING]	= NLA_POLICY_MAX(NLA_U8, 1),
	VNIMESH_POLICY_ROW(SERVICE),
	[VNIMESH_A_SERVICE_LOAD]	=
		NLA_POLICY_RANGE(NLA_U8, VNIMESH_LOAD_CONNECTIONS,
				 VNIMESH_LOAD_POOL),
	[VNIMESH_A_SERVICE_ON_DOWN]	=
		NLA_POLICY_RANGE(NLA_U8, VNIMESH_ON_DOWN_ABORT,
				 VNIMESH_ON_DOWN_KEEP),
	[VNIMESH_A_SERVICE_DRAIN_TIME]	=
		NLA_POLICY_FULL_RANGE(NLA_U32, &drain_range),
};

const struct nla_policy vnimesh_nl_service_del_policy[] = {
	[VNIMESH_A_SERVICE_IFINDEX]	= { .type = NLA_U32 },
	[VNIMESH_A_SERVICE_TAG]		= VNIMESH_POLICY_TAG,
	VNIMESH_POLICY_ROW(SERVICE),
	[VNIMESH_A_SERVICE_MAX]		= { .type = NLA_REJECT },
};

static int put_addrs(struct sk_buff *skb, const struct vnimesh_service *service)
{
	if (service->e4.key.family &&
	    vnimesh_nl_put_ip(skb, VNIMESH_A_SERVICE_ADDR4, AF_INET,
			      &service->e4.key.ip))
		return -EMSGSIZE;
	if (service->e6.key.family &&
	    vnimesh_nl_put_ip(skb, VNIMESH_A_SERVICE_ADDR6, AF_INET6,
			      &service->e6.key.ip))
		return -EMSGSIZE;
	return 0;
}

static int put_used(struct sk_buff *skb, const struct vnimesh_service *service)
{
	unsigned long used = READ_ONCE(service->used);

	if (!used)
		return 0;
	return nla_put_u32(skb, VNIMESH_A_SERVICE_USED,
			   jiffies_to_msecs(jiffies - used));
}

static int fill(struct sk_buff *skb, struct vnimesh_mesh *mesh,
		const void *row, struct net *net)
{
	const struct vnimesh_service *service = row;
	const struct vnimesh_member_set *set;
	const struct vnimesh_ports *ports;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	ports = rcu_dereference_protected(service->ports,
					  lockdep_is_held(&mesh->lock));
	if (nla_put_u32(skb, VNIMESH_A_SERVICE_IFINDEX, mesh->dev->ifindex) ||
	    nla_put_string(skb, VNIMESH_A_SERVICE_TAG, service->tag) ||
	    put_addrs(skb, service) ||
	    vnimesh_nl_put_ports(skb, VNIMESH_A_SERVICE_PORTS, ports) ||
	    nla_put_u8(skb, VNIMESH_A_SERVICE_POLICY, service->policy) ||
	    nla_put_u8(skb, VNIMESH_A_SERVICE_LOAD, service->load) ||
	    nla_put_u8(skb, VNIMESH_A_SERVICE_LOADING, service->loading) ||
	    nla_put_u32(skb, VNIMESH_A_SERVICE_N_MEMBERS, set->n) ||
	    nla_put_u8(skb, VNIMESH_A_SERVICE_ON_DOWN, service->on_down) ||
	    nla_put_u32(skb, VNIMESH_A_SERVICE_DRAIN_TIME,
			service->drain_time) ||
	    put_used(skb, service) ||
	    vnimesh_nl_put_row(skb, VNIMESH_A_SERVICE_ORIGIN, &service->row))
		return -EMSGSIZE;
	return 0;
}

void vnimesh_nl_service_notify(struct vnimesh_mesh *mesh,
			       struct genl_info *info, u8 cmd,
			       const struct vnimesh_service *service)
{
	vnimesh_nl_notify(mesh, info, cmd, fill, service);
}

struct vnimesh_service *vnimesh_nl_find_tag(struct vnimesh_mesh *mesh,
					    const char *tag)
{
	struct vnimesh_service *service;

	rcu_read_lock();
	service = vnimesh_service_by_tag(mesh, tag);
	rcu_read_unlock();
	return service;
}

struct vnimesh_service *vnimesh_nl_find_service(struct vnimesh_mesh *mesh,
						struct genl_info *info,
						int attr)
{
	struct vnimesh_service *service;
	int err;

	if (VNIMESH_NL_MISSING(info, attr, "tag"))
		return ERR_PTR(-EINVAL);
	err = vnimesh_nl_check_tag(info->attrs[attr], info->extack);
	if (err)
		return ERR_PTR(err);
	service = vnimesh_nl_find_tag(mesh, nla_data(info->attrs[attr]));
	if (service)
		return service;
	return ERR_PTR(VNIMESH_NL_REFUSE(info, attr, -ENOENT,
					 "tag: no such service"));
}

int vnimesh_nl_service_get(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_service *service;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	service = vnimesh_nl_find_service(mesh, info, VNIMESH_A_SERVICE_TAG);
	err = PTR_ERR_OR_ZERO(service);
	if (!err)
		err = vnimesh_nl_reply(mesh, info, VNIMESH_CMD_SERVICE_GET,
				       fill, service);
	vnimesh_nl_unlock(&ref);
	return err;
}

static int rows(struct vnimesh_nl_dump *d)
{
	struct vnimesh_service *service;
	unsigned long index;
	int err;

	if (d->attrs[VNIMESH_A_SERVICE_TAG]) {
		NL_SET_ERR_MSG_ATTR(d->cb->extack,
				    d->attrs[VNIMESH_A_SERVICE_TAG],
				    "tag: not a filter of the dump");
		return -EINVAL;
	}
	xa_for_each_start(&d->mesh->services, index, service, d->cur->a) {
		err = vnimesh_nl_dump_row(d, fill, service);
		if (err) {
			d->cur->a = index;
			return err;
		}
	}
	return 0;
}

int vnimesh_nl_service_get_dump(struct sk_buff *skb,
				struct netlink_callback *cb)
{
	return vnimesh_nl_dump(skb, cb, VNIMESH_CMD_SERVICE_GET,
			       vnimesh_nl_service_get_policy,
			       ARRAY_SIZE(vnimesh_nl_service_get_policy) - 1,
			       rows);
}

#define REFUSE_ADDR(info, family, err, text)				\
	((family) == AF_INET ?						\
	 VNIMESH_NL_REFUSE(info, VNIMESH_A_SERVICE_ADDR4, err,		\
			   "addr4: " text) :				\
	 VNIMESH_NL_REFUSE(info, VNIMESH_A_SERVICE_ADDR6, err,		\
			   "addr6: " text))

static int check_addr(struct vnimesh_mesh *mesh, struct genl_info *info,
		      const struct vnimesh_service *service, u8 family,
		      const union vnimesh_ip *ip)
{
	const struct vnimesh_service_prefixes *prefixes;
	const struct vnimesh_addr_entry *entry;
	const struct vnimesh_prefix *prefix;
	bool taken;

	if (!ip)
		return 0;
	if (service) {
		entry = family == AF_INET ? &service->e4 : &service->e6;
		if (entry->key.family && vnimesh_ip_equal(&entry->key.ip, ip))
			return 0;
		return REFUSE_ADDR(info, family, -EINVAL, "fixed for life");
	}
	prefixes = rcu_dereference_protected(mesh->service_prefixes,
					     lockdep_is_held(&mesh->lock));
	prefix = !prefixes ? NULL :
		 family == AF_INET ? &prefixes->p4 : &prefixes->p6;
	if (!prefix || !prefix->family)
		return REFUSE_ADDR(info, family, -EINVAL,
				   "the mesh has no such service prefix");
	if (!vnimesh_prefix_match(prefix, family, ip))
		return REFUSE_ADDR(info, family, -EINVAL,
				   "outside the service prefix");
	if (!vnimesh_ip_unicast(family, ip))
		return REFUSE_ADDR(info, family, -EINVAL,
				   "not an address for a service");
	rcu_read_lock();
	taken = vnimesh_service_by_ip(mesh, family, ip);
	rcu_read_unlock();
	if (taken)
		return REFUSE_ADDR(info, family, -EEXIST,
				   "taken by another service");
	return 0;
}

static int check_on_down(struct genl_info *info,
			 const struct vnimesh_service *service)
{
	u8 on_down = service ? service->on_down : VNIMESH_ON_DOWN_ABORT;
	u32 drain_time = service ? service->drain_time : 0;
	struct nlattr **a = info->attrs;

	if (a[VNIMESH_A_SERVICE_ON_DOWN])
		on_down = nla_get_u8(a[VNIMESH_A_SERVICE_ON_DOWN]);
	if (a[VNIMESH_A_SERVICE_DRAIN_TIME])
		drain_time = nla_get_u32(a[VNIMESH_A_SERVICE_DRAIN_TIME]);
	if (on_down != VNIMESH_ON_DOWN_DRAIN || drain_time)
		return 0;
	return VNIMESH_NL_REFUSE(info, VNIMESH_A_SERVICE_DRAIN_TIME, -EINVAL,
				 "drain-time: on-down drain needs one above 0");
}

static int check_set(struct vnimesh_mesh *mesh, struct genl_info *info,
		     const struct vnimesh_service *service,
		     const struct vnimesh_row *row,
		     const union vnimesh_ip *ip4, const union vnimesh_ip *ip6)
{
	int err = vnimesh_nl_check_flags(info, service);

	if (!err && service)
		err = vnimesh_row_check(&service->row, row, info->extack);
	if (!err)
		err = check_addr(mesh, info, service, AF_INET, ip4);
	if (!err)
		err = check_addr(mesh, info, service, AF_INET6, ip6);
	if (!err)
		err = check_on_down(info, service);
	if (err || service)
		return err;
	if (!ip4 && !ip6) {
		NL_SET_ERR_ATTR_MISS(info->extack, NULL,
				     VNIMESH_A_SERVICE_ADDR4);
		GENL_SET_ERR_MSG(info, "missing attribute: addr4 or addr6");
		return -EINVAL;
	}
	if (mesh->n_services >= VNIMESH_SERVICES_MAX) {
		vnimesh_count(mesh, VNIMESH_A_STATS_NO_RESOURCE);
		GENL_SET_ERR_MSG(info, "too many services");
		return -ENOSPC;
	}
	return 0;
}

static void set_parts(struct vnimesh_mesh *mesh,
		      struct vnimesh_service *service, struct nlattr **a,
		      struct vnimesh_ports *ports,
		      const struct vnimesh_row *row)
{
	if (ports)
		vnimesh_service_set_ports(mesh, service, ports);
	if (a[VNIMESH_A_SERVICE_POLICY])
		WRITE_ONCE(service->policy,
			   nla_get_u8(a[VNIMESH_A_SERVICE_POLICY]));
	if (a[VNIMESH_A_SERVICE_LOAD])
		WRITE_ONCE(service->load,
			   nla_get_u8(a[VNIMESH_A_SERVICE_LOAD]));
	if (a[VNIMESH_A_SERVICE_POLICY]) {
		vnimesh_service_changed(service);
		vnimesh_maglev_changed(mesh, service);
	}
	if (a[VNIMESH_A_SERVICE_LOADING])
		WRITE_ONCE(service->loading,
			   nla_get_u8(a[VNIMESH_A_SERVICE_LOADING]));
	if (a[VNIMESH_A_SERVICE_ON_DOWN])
		WRITE_ONCE(service->on_down,
			   nla_get_u8(a[VNIMESH_A_SERVICE_ON_DOWN]));
	if (a[VNIMESH_A_SERVICE_DRAIN_TIME])
		WRITE_ONCE(service->drain_time,
			   nla_get_u32(a[VNIMESH_A_SERVICE_DRAIN_TIME]));
	vnimesh_row_update(&service->row, row);
}

/* mesh->lock. Takes over @ports if it succeeds. */
static int apply(struct vnimesh_mesh *mesh, struct genl_info *info,
		 struct vnimesh_ports *ports)
{
	const char *tag = nla_data(info->attrs[VNIMESH_A_SERVICE_TAG]);
	const union vnimesh_ip *ip4, *ip6;
	struct vnimesh_service *service;
	union vnimesh_ip buf4, buf6;
	struct vnimesh_row row;
	bool waiting = true;
	int err;

	vnimesh_nl_get_row(info->attrs, VNIMESH_A_SERVICE_ORIGIN, &row);
	ip4 = vnimesh_nl_opt_ip(info->attrs[VNIMESH_A_SERVICE_ADDR4], &buf4);
	ip6 = vnimesh_nl_opt_ip(info->attrs[VNIMESH_A_SERVICE_ADDR6], &buf6);
	service = vnimesh_nl_find_tag(mesh, tag);
	err = check_set(mesh, info, service, &row, ip4, ip6);
	if (err)
		return err;

	if (service) {
		waiting = service->loading;
		set_parts(mesh, service, info->attrs, ports, &row);
		if (info->attrs[VNIMESH_A_SERVICE_ON_DOWN] ||
		    info->attrs[VNIMESH_A_SERVICE_DRAIN_TIME])
			vnimesh_liveness_service(mesh, service);
	} else {
		service = vnimesh_service_alloc(tag, ip4, ip6);
		if (!service)
			return -ENOMEM;
		/* Before anybody can find it. */
		set_parts(mesh, service, info->attrs, NULL, &row);
		err = vnimesh_service_link(mesh, service);
		if (err) {
			vnimesh_service_put(service);
			return err;
		}
		if (ports)
			vnimesh_service_set_ports(mesh, service, ports);
	}
	mesh->generation++;
	vnimesh_nl_service_notify(mesh, info, VNIMESH_CMD_SERVICE_NTF,
				  service);
	if (waiting)
		vnimesh_miss_service(mesh, service);
	if (waiting && !service->loading)
		vnimesh_parked_complete(mesh, service);
	return 0;
}

int vnimesh_nl_service_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **a = info->attrs;
	struct vnimesh_ports *ports = NULL;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	if (a[VNIMESH_A_SERVICE_PORTS]) {
		ports = vnimesh_nl_get_ports(a[VNIMESH_A_SERVICE_PORTS],
					     info->extack);
		if (IS_ERR(ports))
			return PTR_ERR(ports);
	}
	mesh = vnimesh_nl_lock(skb, info, &ref);
	err = PTR_ERR_OR_ZERO(mesh);
	if (err)
		goto free;
	if (VNIMESH_NL_MISSING(info, VNIMESH_A_SERVICE_TAG, "tag"))
		err = -EINVAL;
	else
		err = vnimesh_nl_check_tag(a[VNIMESH_A_SERVICE_TAG],
					   info->extack);
	if (!err)
		err = apply(mesh, info, ports);
	vnimesh_nl_unlock(&ref);
free:
	if (err)
		kfree(ports);
	return err;
}

/* Its members go with it, so it must not take away a stronger one. */
static int check_del(struct vnimesh_mesh *mesh, struct genl_info *info,
		     const struct vnimesh_service *service)
{
	const struct vnimesh_member_set *set;
	struct vnimesh_row req;
	int err;
	u32 i;

	vnimesh_nl_get_row(info->attrs, VNIMESH_A_SERVICE_ORIGIN, &req);
	err = vnimesh_nl_check_del(info, VNIMESH_A_SERVICE_ORIGIN,
				   &service->row);
	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	for (i = 0; !err && i < set->n; i++)
		err = vnimesh_row_check_del(&set->m[i]->row, req.origin,
					    info->extack);
	return err;
}

int vnimesh_nl_service_del(struct sk_buff *skb, struct genl_info *info)
{
	struct vnimesh_service *service;
	struct vnimesh_nl_ref ref;
	struct vnimesh_mesh *mesh;
	int err;

	mesh = vnimesh_nl_lock(skb, info, &ref);
	if (IS_ERR(mesh))
		return PTR_ERR(mesh);
	service = vnimesh_nl_find_service(mesh, info, VNIMESH_A_SERVICE_TAG);
	err = IS_ERR(service) ? PTR_ERR(service) :
	      check_del(mesh, info, service);
	if (!err) {
		mesh->generation++;
		vnimesh_nl_service_remove(mesh, info, service);
	}
	vnimesh_nl_unlock(&ref);
	return err;
}

void vnimesh_nl_service_remove(struct vnimesh_mesh *mesh,
			       struct genl_info *info,
			       struct vnimesh_service *service)
{
	const struct vnimesh_member_set *set;
	u32 i;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	for (i = 0; i < set->n; i++)
		vnimesh_nl_member_notify(mesh, NULL,
					 VNIMESH_CMD_MEMBER_DEL_NTF,
					 set->m[i]);
	vnimesh_nl_service_notify(mesh, info, VNIMESH_CMD_SERVICE_DEL_NTF,
				  service);
	vnimesh_service_unlink(mesh, service);
}
