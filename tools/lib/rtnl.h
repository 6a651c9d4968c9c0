/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links, addresses and routes over rtnetlink, as far as vnimesh needs them.
 * The socket works in the network namespace it was opened in; to work in
 * another one, see vnm_rtnl_open_netns().
 *
 * Functions return 0 or a negative errno and fill *e, as in nl.h.
 */
#ifndef VNM_RTNL_H
#define VNM_RTNL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "ip.h"
#include "nl.h"
#include "record.h"

/* A link of kind vnimesh. The fields behind @present are IFLA_INFO_DATA, with
 * VNM_BIT(IFLA_VNIMESH_...). @lower is the mesh device, 0: this is one.
 */
struct vnm_link {
	uint64_t	present;
	uint32_t	mesh;
	uint32_t	node;
	uint32_t	vni;
	struct ip_addr	local;
	uint16_t	port;
	struct ip_addr	address4;
	struct ip_addr	address6;
	uint32_t	flow_max;

	char		name[IFNAMSIZ];
	uint32_t	ifindex;
	uint32_t	lower;
	uint32_t	mtu;		/* 0: the kernel's choice */
	bool		up;
};

extern const struct vnm_type vnm_link_type;

int vnm_rtnl_open(struct vnm_nl **nl, struct vnm_error *e);

/* @netns is an open namespace file. The calling thread visits it for a
 * moment; no other thread is touched.
 */
int vnm_rtnl_open_netns(struct vnm_nl **nl, int netns, struct vnm_error *e);

/* Create a link; in the namespace @netns when that is not negative. */
int vnm_rtnl_link_add(struct vnm_nl *nl, const struct vnm_link *link, int netns,
		      struct vnm_error *e);

/* By index, in the namespace with id @nsid unless that is negative. */
int vnm_rtnl_link_del(struct vnm_nl *nl, uint32_t ifindex, int nsid,
		      struct vnm_error *e);

/* -ENODEV also for a link of another kind. */
int vnm_rtnl_link_get(struct vnm_nl *nl, uint32_t ifindex, int nsid,
		      struct vnm_link *link, struct vnm_error *e);
int vnm_rtnl_link_get_name(struct vnm_nl *nl, const char *name,
			   struct vnm_link *link, struct vnm_error *e);

/* All vnimesh links by rising index: *links is allocated, the caller frees. */
int vnm_rtnl_links(struct vnm_nl *nl, struct vnm_link **links, size_t *n,
		   struct vnm_error *e);

int vnm_rtnl_link_up(struct vnm_nl *nl, uint32_t ifindex, struct vnm_error *e);

/* An address that is there already is no error. */
int vnm_rtnl_addr_add(struct vnm_nl *nl, uint32_t ifindex,
		      const struct ip_addr *addr, unsigned int len,
		      struct vnm_error *e);

/* Route @prefix over the link, from @src unless NULL; replaces one that the
 * prefix has with the same metric.
 */
int vnm_rtnl_route_replace(struct vnm_nl *nl, uint32_t ifindex,
			   const struct ip_prefix *prefix,
			   const struct ip_addr *src, struct vnm_error *e);

#endif /* VNM_RTNL_H */
