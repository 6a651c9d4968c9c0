// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink attributes to and from the module's own types.
 */
#include "nl.h"

struct netlink_range_validation vnimesh_latency_range = {
	.max = VNIMESH_LATENCY_MAX,
};

struct netlink_range_validation vnimesh_family_range = {
	.min = AF_INET,
	.max = AF_INET6,
};

const struct nla_policy vnimesh_prefix_policy[VNIMESH_A_PREFIX_MAX + 1] = {
	[VNIMESH_A_PREFIX_ADDR]	= VNIMESH_POLICY_IP,
	[VNIMESH_A_PREFIX_LEN]	= NLA_POLICY_MAX(NLA_U8, 128),
};

const struct nla_policy vnimesh_port_policy[VNIMESH_A_PORT_MAX + 1] = {
	[VNIMESH_A_PORT_NAME]	= VNIMESH_POLICY_NAME,
	[VNIMESH_A_PORT_PROTO]	= { .type = NLA_U8 },
	[VNIMESH_A_PORT_PORT]	= { .type = NLA_BE16 },
	[VNIMESH_A_PORT_TARGET]	= { .type = NLA_BE16 },
};

int vnimesh_nl_get_ip(const struct nlattr *attr, union vnimesh_ip *ip,
		      u8 *family, struct netlink_ext_ack *extack)
{
	memset(ip, 0, sizeof(*ip));
	switch (nla_len(attr)) {
	case sizeof(ip->v4):
		*family = AF_INET;
		break;
	case sizeof(ip->v6):
		*family = AF_INET6;
		break;
	default:
		NL_SET_ERR_MSG_ATTR(extack, attr, "address: 4 or 16 bytes");
		return -EINVAL;
	}
	memcpy(ip, nla_data(attr), nla_len(attr));
	return 0;
}

const union vnimesh_ip *vnimesh_nl_opt_ip(const struct nlattr *attr,
					  union vnimesh_ip *ip)
{
	if (!attr)
		return NULL;
	memset(ip, 0, sizeof(*ip));
	memcpy(ip, nla_data(attr), min_t(size_t, nla_len(attr), sizeof(*ip)));
	return ip;
}

int vnimesh_nl_put_ip(struct sk_buff *skb, int type, u8 family,
		      const union vnimesh_ip *ip)
{
	return nla_put(skb, type, vnimesh_ip_len(family), ip);
}

static bool host_bits(const struct vnimesh_prefix *prefix)
{
	struct in6_addr net;

	if (prefix->family == AF_INET)
		return prefix->ip.v4 & ~inet_make_mask(prefix->len);
	ipv6_addr_prefix(&net, &prefix->ip.v6, prefix->len);
	return !ipv6_addr_equal(&net, &prefix->ip.v6);
}

int vnimesh_nl_get_prefix(const struct nlattr *nest,
			  struct vnimesh_prefix *prefix,
			  struct netlink_ext_ack *extack)
{
	struct nlattr *tb[VNIMESH_A_PREFIX_MAX + 1];
	int err;

	/* An item of a list need not carry NLA_F_NESTED. */
	err = nla_parse(tb, VNIMESH_A_PREFIX_MAX, nla_data(nest),
			nla_len(nest), vnimesh_prefix_policy, extack);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(extack, nest, tb, VNIMESH_A_PREFIX_ADDR)) {
		NL_SET_ERR_MSG(extack, "missing attribute: addr of the prefix");
		return -EINVAL;
	}
	if (NL_REQ_ATTR_CHECK(extack, nest, tb, VNIMESH_A_PREFIX_LEN)) {
		NL_SET_ERR_MSG(extack, "missing attribute: len of the prefix");
		return -EINVAL;
	}
	err = vnimesh_nl_get_ip(tb[VNIMESH_A_PREFIX_ADDR], &prefix->ip,
				&prefix->family, extack);
	if (err)
		return err;
	prefix->len = nla_get_u8(tb[VNIMESH_A_PREFIX_LEN]);
	if (prefix->len > 8 * vnimesh_ip_len(prefix->family)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[VNIMESH_A_PREFIX_LEN],
				    "len: longer than the address");
		return -ERANGE;
	}
	if (host_bits(prefix)) {
		NL_SET_ERR_MSG_ATTR(extack, tb[VNIMESH_A_PREFIX_ADDR],
				    "addr: bits set after the prefix");
		return -EINVAL;
	}
	return 0;
}

int vnimesh_nl_put_prefix(struct sk_buff *skb, int type,
			  const struct vnimesh_prefix *prefix)
{
	struct nlattr *nest = nla_nest_start(skb, type);

	if (!nest ||
	    vnimesh_nl_put_ip(skb, VNIMESH_A_PREFIX_ADDR, prefix->family,
			      &prefix->ip) ||
	    nla_put_u8(skb, VNIMESH_A_PREFIX_LEN, prefix->len))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

static int count_items(const struct nlattr *nest, int max)
{
	struct nlattr *item;
	int rem, n = 0;

	nla_for_each_nested(item, nest, rem)
		if (++n > max)
			break;
	return n;
}

struct vnimesh_node_prefixes *
vnimesh_nl_get_prefixes(const struct nlattr *nest,
			struct netlink_ext_ack *extack)
{
	int rem, err, n = count_items(nest, VNIMESH_PREFIXES_MAX);
	struct vnimesh_node_prefixes *prefixes;
	struct nlattr *item;
	u32 i;

	if (!n)
		return NULL;
	if (n > VNIMESH_PREFIXES_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "prefixes: more than 16");
		return ERR_PTR(-E2BIG);
	}
	prefixes = kzalloc(struct_size(prefixes, p, n), GFP_KERNEL_ACCOUNT);
	if (!prefixes)
		return ERR_PTR(-ENOMEM);
	nla_for_each_nested(item, nest, rem) {
		struct vnimesh_prefix *new = &prefixes->p[prefixes->n];

		err = vnimesh_nl_get_prefix(item, new, extack);
		if (err)
			goto free;
		for (i = 0; i < prefixes->n; i++) {
			if (prefixes->p[i].family != new->family ||
			    prefixes->p[i].len != new->len ||
			    !vnimesh_ip_equal(&prefixes->p[i].ip, &new->ip))
				continue;
			NL_SET_ERR_MSG_ATTR(extack, item,
					    "prefixes: the same one twice");
			err = -EINVAL;
			goto free;
		}
		prefixes->n++;
	}
	return prefixes;

free:
	kfree(prefixes);
	return ERR_PTR(err);
}

static int get_port(const struct nlattr *item, struct vnimesh_port *port,
		    struct netlink_ext_ack *extack)
{
	struct nlattr *tb[VNIMESH_A_PORT_MAX + 1];
	int err;

	err = nla_parse(tb, VNIMESH_A_PORT_MAX, nla_data(item), nla_len(item),
			vnimesh_port_policy, extack);
	if (err)
		return err;
	if (NL_REQ_ATTR_CHECK(extack, item, tb, VNIMESH_A_PORT_PROTO)) {
		NL_SET_ERR_MSG(extack, "missing attribute: proto of the port");
		return -EINVAL;
	}
	if (NL_REQ_ATTR_CHECK(extack, item, tb, VNIMESH_A_PORT_PORT)) {
		NL_SET_ERR_MSG(extack, "missing attribute: port of the port");
		return -EINVAL;
	}
	port->proto = nla_get_u8(tb[VNIMESH_A_PORT_PROTO]);
	if (port->proto != IPPROTO_TCP && port->proto != IPPROTO_UDP) {
		NL_SET_ERR_MSG_ATTR(extack, tb[VNIMESH_A_PORT_PROTO],
				    "proto: neither TCP nor UDP");
		return -EINVAL;
	}
	port->port = nla_get_be16(tb[VNIMESH_A_PORT_PORT]);
	if (!port->port) {
		NL_SET_ERR_MSG_ATTR(extack, tb[VNIMESH_A_PORT_PORT],
				    "port: out of range");
		return -ERANGE;
	}
	port->target = port->port;
	if (tb[VNIMESH_A_PORT_TARGET])
		port->target = nla_get_be16(tb[VNIMESH_A_PORT_TARGET]);
	if (!port->target) {
		NL_SET_ERR_MSG_ATTR(extack, tb[VNIMESH_A_PORT_TARGET],
				    "target: out of range");
		return -ERANGE;
	}
	if (tb[VNIMESH_A_PORT_NAME])
		nla_strscpy(port->name, tb[VNIMESH_A_PORT_NAME],
			    sizeof(port->name));
	return 0;
}

struct vnimesh_ports *vnimesh_nl_get_ports(const struct nlattr *nest,
					   struct netlink_ext_ack *extack)
{
	int rem, err, n = count_items(nest, VNIMESH_PORTS_MAX);
	struct vnimesh_ports *ports;
	struct nlattr *item;
	u32 i;

	if (n > VNIMESH_PORTS_MAX) {
		NL_SET_ERR_MSG_ATTR(extack, nest, "ports: more than 16");
		return ERR_PTR(-E2BIG);
	}
	ports = kzalloc(struct_size(ports, p, n), GFP_KERNEL_ACCOUNT);
	if (!ports)
		return ERR_PTR(-ENOMEM);
	nla_for_each_nested(item, nest, rem) {
		struct vnimesh_port *new = &ports->p[ports->n];

		err = get_port(item, new, extack);
		if (err)
			goto free;
		for (i = 0; i < ports->n; i++) {
			if (ports->p[i].proto != new->proto ||
			    ports->p[i].port != new->port)
				continue;
			NL_SET_ERR_MSG_ATTR(extack, item,
					    "ports: the same one twice");
			err = -EINVAL;
			goto free;
		}
		ports->n++;
	}
	return ports;

free:
	kfree(ports);
	return ERR_PTR(err);
}

int vnimesh_nl_put_ports(struct sk_buff *skb, int type,
			 const struct vnimesh_ports *ports)
{
	struct nlattr *nest, *item;
	u32 i;

	nest = nla_nest_start(skb, type);
	if (!nest)
		return -EMSGSIZE;
	for (i = 0; i < ports->n; i++) {
		const struct vnimesh_port *port = &ports->p[i];

		item = nla_nest_start(skb, i + 1);
		if (!item ||
		    (port->name[0] &&
		     nla_put_string(skb, VNIMESH_A_PORT_NAME, port->name)) ||
		    nla_put_u8(skb, VNIMESH_A_PORT_PROTO, port->proto) ||
		    nla_put_be16(skb, VNIMESH_A_PORT_PORT, port->port) ||
		    nla_put_be16(skb, VNIMESH_A_PORT_TARGET, port->target))
			return -EMSGSIZE;
		nla_nest_end(skb, item);
	}
	nla_nest_end(skb, nest);
	return 0;
}

int vnimesh_nl_get_family(const struct nlattr *attr,
			  struct netlink_ext_ack *extack)
{
	u8 family = attr ? nla_get_u8(attr) : 0;

	if (!attr || family == AF_INET || family == AF_INET6)
		return family;
	NL_SET_ERR_MSG_ATTR(extack, attr, "family: neither IPv4 nor IPv6");
	return -ERANGE;
}

int vnimesh_nl_check_tag(const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	if (vnimesh_tag_valid(nla_data(attr)))
		return 0;
	NL_SET_ERR_MSG_ATTR(extack, attr,
			    "tag: letters a-z, digits and inner hyphens only");
	return -EINVAL;
}

/* The fields of a row stand in the same order in each set. */
#define OFFSET(set, field) \
	(VNIMESH_A_##set##_##field - VNIMESH_A_##set##_ORIGIN)
#define CHECK_ORDER(set)						\
	static_assert(OFFSET(set, SOURCE) == OFFSET(NODE, SOURCE) &&	\
		      OFFSET(set, EPOCH) == OFFSET(NODE, EPOCH) &&	\
		      OFFSET(set, SEQ) == OFFSET(NODE, SEQ) &&		\
		      OFFSET(set, GEN) == OFFSET(NODE, GEN) &&		\
		      OFFSET(set, AGE) == OFFSET(NODE, AGE) &&		\
		      OFFSET(set, PAD) == OFFSET(NODE, PAD))
CHECK_ORDER(VNI);
CHECK_ORDER(SERVICE);
CHECK_ORDER(MEMBER);

void vnimesh_nl_get_row(struct nlattr **attrs, int base,
			struct vnimesh_row *row)
{
	struct nlattr **a = attrs + base;

	memset(row, 0, sizeof(*row));
	row->origin = a[0] ? nla_get_u8(a[0]) : VNIMESH_ORIGIN_STATIC;
	if (a[OFFSET(NODE, SOURCE)])
		row->source = nla_get_u32(a[OFFSET(NODE, SOURCE)]);
	if (a[OFFSET(NODE, EPOCH)])
		row->epoch = nla_get_u64(a[OFFSET(NODE, EPOCH)]);
	if (a[OFFSET(NODE, SEQ)])
		row->seq = nla_get_u64(a[OFFSET(NODE, SEQ)]);
	if (a[OFFSET(NODE, GEN)])
		row->gen = nla_get_u64(a[OFFSET(NODE, GEN)]);
}

int vnimesh_nl_check_del(struct genl_info *info, int base,
			 const struct vnimesh_row *row)
{
	struct vnimesh_row req;

	vnimesh_nl_get_row(info->attrs, base, &req);
	if (info->attrs[base + OFFSET(NODE, SEQ)])
		return vnimesh_row_check(row, &req, info->extack);
	return vnimesh_row_check_del(row, req.origin, info->extack);
}

int vnimesh_nl_put_row(struct sk_buff *skb, int base,
		       const struct vnimesh_row *row)
{
	int pad = base + OFFSET(NODE, PAD);

	if (nla_put_u8(skb, base, row->origin) ||
	    nla_put_u32(skb, base + OFFSET(NODE, SOURCE), row->source) ||
	    nla_put_u64_64bit(skb, base + OFFSET(NODE, EPOCH), row->epoch,
			      pad) ||
	    nla_put_u64_64bit(skb, base + OFFSET(NODE, SEQ), row->seq, pad) ||
	    nla_put_u64_64bit(skb, base + OFFSET(NODE, GEN), row->gen, pad) ||
	    nla_put_u32(skb, base + OFFSET(NODE, AGE), vnimesh_row_age(row)))
		return -EMSGSIZE;
	return 0;
}
