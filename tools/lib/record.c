// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "record_fields.h"

_Static_assert(VNIMESH_A_STATS_MAX < 128, "present bits of counters");

static int parse_list(const struct vnm_field *f, void *p,
		      const struct nlattr *attr);

/* Bytes of a plain number in host order, which is the same in the struct and
 * in the attribute; 0: the kind is no such number.
 */
static int plain_size(enum vnm_kind kind)
{
	switch (kind) {
	case VNM_K_U8:
	case VNM_K_BOOL:
	case VNM_K_ENUM:
	case VNM_K_FAMILY:
		return 1;
	case VNM_K_U32:
	case VNM_K_S32:
	case VNM_K_US:
	case VNM_K_MS:
	case VNM_K_SEC:
		return 4;
	case VNM_K_U64:
		return 8;
	default:
		return 0;
	}
}

static int parse_addr(struct ip_addr *a, const void *data, int len)
{
	memset(a, 0, sizeof(*a));
	if (len != 4 && len != 16)
		return -EBADMSG;
	a->family = len == 4 ? AF_INET : AF_INET6;
	memcpy(a->b, data, (size_t)len);
	return 0;
}

static int parse_prefix(struct ip_prefix *p, const struct nlattr *nest)
{
	const struct nlattr *attr = nla_data(nest);
	int rem, ret = 0;

	memset(p, 0, sizeof(*p));
	nla_for_each_nested(attr, (struct nlattr *)nest, rem) {
		if (nla_type(attr) == VNIMESH_A_PREFIX_ADDR)
			ret = parse_addr(&p->addr, nla_data(attr),
					 nla_len(attr));
		else if (nla_type(attr) == VNIMESH_A_PREFIX_LEN &&
			 nla_len(attr) >= 1)
			p->len = nla_get_u8(attr);
	}
	if (p->len > ip_bytes(&p->addr) * 8)
		return -EBADMSG;
	return ret;
}

static int parse_string(const struct vnm_field *f, char *p,
			const struct nlattr *attr)
{
	size_t len = strnlen(nla_data(attr), (size_t)nla_len(attr));

	if (len >= f->size)
		return -EBADMSG;
	memcpy(p, nla_data(attr), len);
	p[len] = '\0';
	return 0;
}

static int parse_field(const struct vnm_field *f, void *p,
		       const struct nlattr *attr)
{
	const void *data = nla_data(attr);
	int len = nla_len(attr), size = plain_size(f->kind);
	uint16_t be16;

	if (size) {
		if (len < size)
			return -EBADMSG;
		memcpy(p, data, (size_t)size);
		return 0;
	}
	switch (f->kind) {
	case VNM_K_BE16:
		if (len < 2)
			return -EBADMSG;
		memcpy(&be16, data, 2);
		*(uint16_t *)p = ntohs(be16);
		return 0;
	case VNM_K_FLAG:
		*(bool *)p = true;
		return 0;
	case VNM_K_STRING:
		return parse_string(f, p, attr);
	case VNM_K_ADDR:
		return parse_addr(p, data, len);
	case VNM_K_ADDR4:
		return len == 4 ? parse_addr(p, data, len) : -EBADMSG;
	case VNM_K_ADDR6:
		return len == 16 ? parse_addr(p, data, len) : -EBADMSG;
	case VNM_K_PREFIX:
		return parse_prefix(p, attr);
	case VNM_K_STATS:
		return vnm_record_parse(&vnm_stats_type, p, data, len);
	case VNM_K_PREFIXES:
	case VNM_K_PORTS:
	case VNM_K_CANDS:
	case VNM_K_TIERS:
		return parse_list(f, p, attr);
	default:
		return 0;
	}
}

static int count_nested(const struct nlattr *nest)
{
	const struct nlattr *item;
	int rem, n = 0;

	nla_for_each_nested(item, (struct nlattr *)nest, rem)
		n++;
	return n;
}

static int parse_list(const struct vnm_field *f, void *p,
		      const struct nlattr *nest)
{
	const struct vnm_type *t = vnm_field_nest(f);
	struct vnm_prefixes *prefixes = p;
	uint32_t n = 0, max = (uint32_t)count_nested(nest);
	const struct nlattr *item;
	struct vnm_ports *ports = p;
	struct vnm_cands *cands = p;
	struct vnm_tiers *tiers = p;
	int rem, ret = 0;

	if (f->kind == VNM_K_CANDS) {
		struct vnm_cand *v;

		/* A nest ends at 64 KiB: a long list comes in several. */
		n = cands->n;
		v = reallocarray(cands->v, n + max + 1, sizeof(*v));
		if (!v)
			return -ENOMEM;
		cands->v = v;
	} else if (max > (f->kind == VNM_K_PORTS ? VNIMESH_PORTS_MAX :
			  f->kind == VNM_K_TIERS ? VNM_TIERS_MAX :
			  VNIMESH_PREFIXES_MAX)) {
		return -EBADMSG;
	}
	nla_for_each_nested(item, (struct nlattr *)nest, rem) {
		if (f->kind == VNM_K_PREFIXES)
			ret = parse_prefix(&prefixes->v[n], item);
		else if (f->kind == VNM_K_PORTS)
			ret = vnm_record_parse(t, &ports->v[n], nla_data(item),
					       nla_len(item));
		else if (f->kind == VNM_K_TIERS)
			ret = vnm_record_parse(t, &tiers->v[n], nla_data(item),
					       nla_len(item));
		else
			ret = vnm_record_parse(t, &cands->v[n], nla_data(item),
					       nla_len(item));
		if (ret)
			break;
		n++;
	}
	/* The count comes first in all four. */
	*(uint32_t *)p = n;
	return ret;
}

int vnm_record_parse(const struct vnm_type *t, void *rec,
		     const struct nlattr *attrs, int len)
{
	const struct nlattr *attr;
	const struct vnm_field *f;
	int rem, ret;

	memset(rec, 0, t->size);
	nla_for_each_attr(attr, (struct nlattr *)attrs, len, rem) {
		f = vnm_field(t, (unsigned int)nla_type(attr));
		if (!f || f->kind == VNM_K_NONE)
			continue;
		/* What is given twice counts once, but for parts of a list. */
		if (vnm_present(rec, (unsigned int)nla_type(attr)) &&
		    f->kind != VNM_K_CANDS)
			continue;
		vnm_set_present(rec, (unsigned int)nla_type(attr));
		ret = parse_field(f, (char *)rec + f->off, attr);
		if (ret) {
			vnm_record_release(t, rec);
			return ret;
		}
	}
	return 0;
}

void vnm_record_release(const struct vnm_type *t, void *rec)
{
	struct vnm_route *route = rec;

	if (t != &vnm_route_type)
		return;
	free(route->candidates.v);
	memset(&route->candidates, 0, sizeof(route->candidates));
	route->present &= ~VNM_BIT(VNIMESH_A_ROUTE_CANDIDATES);
}

/* As nla_nest_end(), but an empty nest stays: it means an empty list. */
static void nest_end(struct nl_msg *msg, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((char *)nlmsg_tail(nlmsg_hdr(msg)) -
				   (char *)nest);
	nest->nla_type |= NLA_F_NESTED;
}

static int fill_prefix(struct nl_msg *msg, int attr, const struct ip_prefix *p)
{
	struct nlattr *nest = nla_nest_start(msg, attr);

	if (!nest ||
	    (p->addr.family &&
	     nla_put(msg, VNIMESH_A_PREFIX_ADDR, (int)ip_bytes(&p->addr),
		     p->addr.b)) ||
	    nla_put_u8(msg, VNIMESH_A_PREFIX_LEN, p->len))
		return -ENOMEM;
	nest_end(msg, nest);
	return 0;
}

static int fill_list(struct nl_msg *msg, int attr, const struct vnm_field *f,
		     const void *p)
{
	const struct vnm_prefixes *prefixes = p;
	const struct vnm_ports *ports = p;
	struct nlattr *nest, *item;
	uint32_t i;

	nest = nla_nest_start(msg, attr);
	if (!nest)
		return -ENOMEM;
	if (f->kind == VNM_K_PREFIXES) {
		for (i = 0; i < prefixes->n; i++)
			if (fill_prefix(msg, 1, &prefixes->v[i]))
				return -ENOMEM;
	} else if (f->kind == VNM_K_PORTS) {
		for (i = 0; i < ports->n; i++) {
			item = nla_nest_start(msg, 1);
			if (!item || vnm_record_fill(&vnm_port_type,
						     &ports->v[i], msg))
				return -ENOMEM;
			nest_end(msg, item);
		}
	}
	nest_end(msg, nest);
	return 0;
}

static int fill_field(struct nl_msg *msg, int attr, const struct vnm_field *f,
		      const void *p)
{
	const struct ip_addr *addr = p;
	int size = plain_size(f->kind);
	uint16_t be16;

	if (size)
		return nla_put(msg, attr, size, p);
	switch (f->kind) {
	case VNM_K_BE16:
		be16 = htons(*(const uint16_t *)p);
		return nla_put(msg, attr, 2, &be16);
	case VNM_K_FLAG:
		return *(const bool *)p ? nla_put_flag(msg, attr) : 0;
	case VNM_K_STRING:
		return nla_put_string(msg, attr, p);
	case VNM_K_ADDR:
	case VNM_K_ADDR4:
	case VNM_K_ADDR6:
		return nla_put(msg, attr, (int)ip_bytes(addr), addr->b);
	case VNM_K_PREFIX:
		return fill_prefix(msg, attr, p);
	case VNM_K_PREFIXES:
	case VNM_K_PORTS:
		return fill_list(msg, attr, f, p);
	default:	/* read only */
		return 0;
	}
}

int vnm_record_fill(const struct vnm_type *t, const void *rec,
		    struct nl_msg *msg)
{
	return vnm_record_fill_taken(t, rec, msg, UINT64_MAX);
}

int vnm_record_fill_taken(const struct vnm_type *t, const void *rec,
			  struct nl_msg *msg, uint64_t takes)
{
	const struct vnm_field *f;
	unsigned int i;

	for (i = 1; i <= t->max; i++) {
		f = vnm_field(t, i);
		if (!f || !vnm_present(rec, i) ||
		    (i < 64 && !(takes & VNM_BIT(i))))
			continue;
		if (fill_field(msg, (int)i, f, (const char *)rec + f->off))
			return -ENOMEM;
	}
	return 0;
}
