/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An address, inner or underlay, IPv4 or IPv6 in one comparable value. IPv4 fills the
 * first word, the rest is zero, so that two addresses of one family compare
 * and hash as 16 bytes. The family travels beside it.
 */
#ifndef _VNIMESH_ADDR_H
#define _VNIMESH_ADDR_H

#include <linux/in.h>
#include <linux/in6.h>
#include <linux/inetdevice.h>
#include <linux/rbtree.h>
#include <linux/rhashtable.h>
#include <linux/socket.h>
#include <linux/string.h>
#include <net/ipv6.h>

union vnimesh_ip {
	__be32 v4;
	struct in6_addr v6;
	u64 w[2];
};

struct vnimesh_prefix {
	union vnimesh_ip ip;	/* host bits zero */
	u8 family;
	u8 len;
};

static inline bool vnimesh_ip_equal(const union vnimesh_ip *a,
				    const union vnimesh_ip *b)
{
	return !((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]));
}

static inline bool vnimesh_ip_any(const union vnimesh_ip *ip)
{
	return !(ip->w[0] | ip->w[1]);
}

static inline void vnimesh_ip_set4(union vnimesh_ip *ip, __be32 v4)
{
	ip->w[0] = 0;
	ip->w[1] = 0;
	ip->v4 = v4;
}

static inline u8 vnimesh_ip_len(u8 family)
{
	return family == AF_INET ? sizeof(__be32) : sizeof(struct in6_addr);
}

static inline bool vnimesh_prefix_match(const struct vnimesh_prefix *p,
					u8 family, const union vnimesh_ip *ip)
{
	if (!p->family || p->family != family)
		return false;
	if (family == AF_INET)
		return !((p->ip.v4 ^ ip->v4) & inet_make_mask(p->len));
	return ipv6_prefix_equal(&p->ip.v6, &ip->v6, p->len);
}

/* Do two prefixes share an address? */
static inline bool vnimesh_prefix_overlap(const struct vnimesh_prefix *a,
					  const struct vnimesh_prefix *b)
{
	struct vnimesh_prefix wide = a->len < b->len ? *a : *b;

	return a->family && vnimesh_prefix_match(&wide, a->family, &a->ip) &&
	       vnimesh_prefix_match(&wide, b->family, &b->ip);
}

/* Multicast, broadcast, link-local, loopback, unspecified: never routed. */
static inline bool vnimesh_ip_local_only(u8 family, const union vnimesh_ip *ip)
{
	if (family == AF_INET)
		return ipv4_is_multicast(ip->v4) || ipv4_is_lbcast(ip->v4) ||
		       ipv4_is_zeronet(ip->v4) || ipv4_is_loopback(ip->v4) ||
		       ipv4_is_linklocal_169(ip->v4);
	return vnimesh_ip_any(ip) ||
	       ipv6_addr_type(&ip->v6) &
	       (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL |
		IPV6_ADDR_LOOPBACK | IPV6_ADDR_MAPPED);
}

/* May a VNI, a service or a node have this address? Not if its packets are dropped. */
static inline bool vnimesh_ip_unicast(u8 family, const union vnimesh_ip *ip)
{
	return !vnimesh_ip_local_only(family, ip);
}

/* May a host have this underlay address? Loopback serves tests; a link-local
 * address means nothing without a link.
 */
static inline bool vnimesh_ip_host(u8 family, const union vnimesh_ip *ip)
{
	if (family == AF_INET)
		return !ipv4_is_zeronet(ip->v4) && !ipv4_is_multicast(ip->v4) &&
		       !ipv4_is_lbcast(ip->v4);
	return !vnimesh_ip_any(ip) &&
	       !(ipv6_addr_type(&ip->v6) &
		 (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL |
		  IPV6_ADDR_MAPPED));
}

/* Key of the address tables: services by service address, local VNIs by
 * their own.
 */
struct vnimesh_addr_key {
	union vnimesh_ip ip;
	u32 family;
};

/* One address of an owner, embedded in it. Freed with the owner, by RCU. */
struct vnimesh_addr_entry {
	union {
		struct rhash_head head;	/* in a table, or */
		struct rb_node holder;	/* in the tree of a node, holder.h */
	};
	struct vnimesh_addr_key key;
	void *owner;
};

/* Before first use of @table. */
int vnimesh_addr_init(struct rhashtable *table);
/* Context: RCU read lock. Returns the owner or NULL. */
void *vnimesh_addr_find(struct rhashtable *table, u8 family,
			const union vnimesh_ip *ip);
/* Key of @entry and its owner; not yet in a table. */
void vnimesh_addr_set(struct vnimesh_addr_entry *entry, u8 family,
		      const union vnimesh_ip *ip, void *owner);
/* Writer of the table. -EEXIST: the address has an owner. */
int vnimesh_addr_insert(struct rhashtable *table,
			struct vnimesh_addr_entry *entry);
void vnimesh_addr_remove(struct rhashtable *table,
			 struct vnimesh_addr_entry *entry);
/* @new takes the place of @old, of the same address. Cannot fail. */
void vnimesh_addr_replace(struct rhashtable *table,
			  struct vnimesh_addr_entry *old,
			  struct vnimesh_addr_entry *new);

#endif /* _VNIMESH_ADDR_H */
