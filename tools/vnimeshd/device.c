// SPDX-License-Identifier: GPL-2.0-or-later
/* Setting up the mesh device. */

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "log.h"
#include "rtnl.h"

#define HAS(link, a)	((link)->present & VNM_BIT(IFLA_VNIMESH_##a))
#define SET(link, field, a, value) \
	((link)->field = (value), \
	 (void)((link)->present |= VNM_BIT(IFLA_VNIMESH_##a)))

/* What all steps need. */
struct setup {
	const char *dev;
	const struct mesh_params *mesh;
	const struct node *self;
	struct vnm_nl *nl;
	bool quiet;
};

static enum device_result fail(const struct setup *s, const char *what,
			       const struct vnm_error *e)
{
	char text[400];

	vnm_error_text(e, text, sizeof(text));
	if (!s->quiet)
		log_err("%s: cannot %s: %s", s->dev, what, text);
	return DEVICE_FAILED;
}

static bool number_is(const struct setup *s, const char *field, bool has,
		      uint32_t is, uint32_t want)
{
	if (has && is == want)
		return true;
	if (!s->quiet)
		log_err("%s exists with another %s: %u, ours is %u; it is left alone",
			s->dev, field, is, want);
	return false;
}

static bool address_is(const struct setup *s, const char *field,
		       const struct ip_addr *is, const struct ip_addr *want)
{
	char a[IP_TEXT_MAX], b[IP_TEXT_MAX];

	if (ip_equal(is, want))
		return true;
	if (!s->quiet)
		log_err("%s exists with another %s: %s, ours is %s; it is left alone",
			s->dev, field, is->family ? ip_text(is, a) : "none",
			want->family ? ip_text(want, b) : "none");
	return false;
}

static bool same_identity(const struct setup *s, const struct vnm_link *l)
{
	const struct node *self = s->self;
	bool ok;

	if (l->lower) {
		if (!s->quiet)
			log_err("%s exists as a VNI of another device; it is left alone",
				s->dev);
		return false;
	}
	/* All of them, so that one look at the log tells everything. */
	ok = number_is(s, "mesh id", HAS(l, MESH_ID), l->mesh, s->mesh->id);
	ok &= number_is(s, "node id", HAS(l, NODE_ID), l->node, self->id);
	ok &= number_is(s, "VNI id", HAS(l, VNI_ID), l->vni, self->vni);
	ok &= number_is(s, "port", HAS(l, PORT), l->port, self->port);
	ok &= address_is(s, "underlay address", &l->local, &self->underlay);
	ok &= address_is(s, "IPv4 address", &l->address4, &self->address4);
	ok &= address_is(s, "IPv6 address", &l->address6, &self->address6);
	return ok;
}

static int create(const struct setup *s, struct vnm_error *e)
{
	const struct node *self = s->self;
	struct vnm_link l = { 0 };
	int err;

	snprintf(l.name, sizeof(l.name), "%s", s->dev);
	SET(&l, mesh, MESH_ID, s->mesh->id);
	SET(&l, node, NODE_ID, self->id);
	SET(&l, vni, VNI_ID, self->vni);
	SET(&l, local, LOCAL, self->underlay);
	SET(&l, port, PORT, self->port);
	if (self->address4.family)
		SET(&l, address4, ADDR4, self->address4);
	if (self->address6.family)
		SET(&l, address6, ADDR6, self->address6);
	err = vnm_rtnl_link_add(s->nl, &l, -1, e);
	if (!err)
		log_info("%s: created, mesh %u, node %u, VNI %u", s->dev,
			 s->mesh->id, self->id, self->vni);
	return err;
}

/* The address with the length of the mesh's prefix makes the route to all
 * VNIs; the service prefix needs one of its own.
 */
static int family(const struct setup *s, uint32_t ifindex,
		  const struct ip_addr *addr, const struct ip_prefix *mesh,
		  const struct ip_prefix *service, struct vnm_error *e)
{
	int err = 0;

	if (!addr->family)
		return 0;
	err = vnm_rtnl_addr_add(s->nl, ifindex, addr,
				mesh->addr.family ? mesh->len :
						    ip_bytes(addr) * 8, e);
	if (!err && service->addr.family)
		err = vnm_rtnl_route_replace(s->nl, ifindex, service, NULL, e);
	return err;
}

static enum device_result set_up(const struct setup *s, uint32_t *ifindex)
{
	const struct mesh_params *mesh = s->mesh;
	struct vnm_error e = { 0 };
	struct vnm_link l;
	int err;

	err = vnm_rtnl_link_get_name(s->nl, s->dev, &l, &e);
	if (err == -ENODEV && !if_nametoindex(s->dev)) {
		err = create(s, &e);
		if (err && err != -EEXIST)
			return fail(s, "create the device", &e);
		err = vnm_rtnl_link_get_name(s->nl, s->dev, &l, &e);
	} else if (err == -ENODEV) {
		log_err("%s exists and is no vnimesh device; it is left alone",
			s->dev);
		return DEVICE_FOREIGN;
	}
	if (err)
		return fail(s, "read the device", &e);
	if (!same_identity(s, &l))
		return DEVICE_FOREIGN;
	*ifindex = l.ifindex;

	if (!l.up && vnm_rtnl_link_up(s->nl, l.ifindex, &e))
		return fail(s, "set the device up", &e);
	if (family(s, l.ifindex, &s->self->address4, &mesh->prefix4,
		   &mesh->service_prefix4, &e) ||
	    family(s, l.ifindex, &s->self->address6, &mesh->prefix6,
		   &mesh->service_prefix6, &e))
		return fail(s, "add addresses and routes", &e);
	return DEVICE_READY;
}

enum device_result device_link(const char *dev, const struct mesh_params *mesh,
			       const struct node *self, uint32_t *ifindex,
			       bool quiet)
{
	struct setup s = {
		.dev = dev, .mesh = mesh, .self = self, .quiet = quiet,
	};
	struct vnm_error e = { 0 };
	enum device_result ret;

	if (vnm_rtnl_open(&s.nl, &e))
		return fail(&s, "open a netlink socket", &e);
	ret = set_up(&s, ifindex);
	vnm_nl_close(s.nl);
	return ret;
}
