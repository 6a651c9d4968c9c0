/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What creating a mesh device and a VNI have in common. */
#ifndef LINK_H
#define LINK_H

#include "args.h"
#include "tool.h"

/* Prefix lengths that go with the addresses of a link. */
struct link_lens {
	unsigned int	len4;
	unsigned int	len6;
};

/* "address ADDR[/LEN]", "mtu N": returns as args_field(). A VNI has one
 * address of each family.
 */
int args_link(struct args *a, struct vnm_link *link, struct link_lens *lens);

bool parse_ifname(const char *text, char name[IFNAMSIZ]);

/* Give the link its addresses and set it up. */
int link_start(struct vnm_nl *nl, uint32_t ifindex, const struct vnm_link *link,
	       const struct link_lens *lens, struct vnm_error *e);

/* Lead the service prefixes of the mesh over the link, for each family that
 * it has an address of.
 */
int link_routes(struct vnm_nl *nl, uint32_t ifindex,
		const struct vnm_link *link, const struct vnm_mesh *mesh,
		struct vnm_error *e);

#endif /* LINK_H */
