// SPDX-License-Identifier: GPL-2.0-or-later
#include <netinet/in.h>
#include <string.h>

#include "link.h"

static bool take_address(struct args *a, struct vnm_link *link,
			 struct link_lens *lens)
{
	const char *text = args_value(a, "address");
	struct ip_addr addr;
	unsigned int len;
	uint64_t bit;

	if (!text || !parse_ifaddr(text, &addr, &len))
		return false;
	bit = VNM_BIT(addr.family == AF_INET ? IFLA_VNIMESH_ADDR4 :
		      IFLA_VNIMESH_ADDR6);
	if (link->present & bit)
		return args_wrong(text, "there is one address of each family");
	link->present |= bit;
	if (addr.family == AF_INET) {
		link->address4 = addr;
		lens->len4 = len;
	} else {
		link->address6 = addr;
		lens->len6 = len;
	}
	return true;
}

int args_link(struct args *a, struct vnm_link *link, struct link_lens *lens)
{
	const char *text;

	if (args_take(a, "address"))
		return take_address(a, link, lens) ? 1 : -1;
	if (!args_take(a, "mtu"))
		return 0;
	text = args_value(a, "mtu");
	return text && parse_u32(text, "mtu", 68, 65535, &link->mtu) ? 1 : -1;
}

bool parse_ifname(const char *text, char name[IFNAMSIZ])
{
	size_t len = strlen(text);

	if (!len || len >= IFNAMSIZ || strpbrk(text, "/: \t\n\v\f\r") ||
	    !strcmp(text, ".") || !strcmp(text, ".."))
		return args_wrong(text, "a device name has 1..%d bytes, no '/', ':' or space",
				  IFNAMSIZ - 1);
	strcpy(name, text);
	return true;
}

int link_start(struct vnm_nl *nl, uint32_t ifindex, const struct vnm_link *link,
	       const struct link_lens *lens, struct vnm_error *e)
{
	int ret = 0;

	if (VNM_HAS(link, IFLA_VNIMESH_ADDR4))
		ret = vnm_rtnl_addr_add(nl, ifindex, &link->address4,
					lens->len4, e);
	if (!ret && VNM_HAS(link, IFLA_VNIMESH_ADDR6))
		ret = vnm_rtnl_addr_add(nl, ifindex, &link->address6,
					lens->len6, e);
	return ret ? ret : vnm_rtnl_link_up(nl, ifindex, e);
}

int link_routes(struct vnm_nl *nl, uint32_t ifindex,
		const struct vnm_link *link, const struct vnm_mesh *mesh,
		struct vnm_error *e)
{
	int ret = 0;

	if (VNM_HAS(link, IFLA_VNIMESH_ADDR4) && mesh->service_prefix4.len)
		ret = vnm_rtnl_route_replace(nl, ifindex,
					     &mesh->service_prefix4,
					     &link->address4, e);
	if (!ret && VNM_HAS(link, IFLA_VNIMESH_ADDR6) &&
	    mesh->service_prefix6.len)
		ret = vnm_rtnl_route_replace(nl, ifindex,
					     &mesh->service_prefix6,
					     &link->address6, e);
	return ret;
}
