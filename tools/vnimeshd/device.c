// SPDX-License-Identifier: GPL-2.0-or-later
/* Setting up the mesh device. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "device.h"
#include "log.h"
#include "rtnl.h"

#define HAS(link, a)	((link)->present & VNM_BIT(IFLA_VNIMESH_##a))
#define SET(link, field, a, value) \
	((link)->field = (value), \
	 (void)((link)->present |= VNM_BIT(IFLA_VNIMESH_##a)))

static int fail(bool quiet, const char *what, const char *name,
		const struct vnm_error *e)
{
	char text[400];

	vnm_error_text(e, text, sizeof(text));
	if (!quiet)
		log_err("%s: cannot %s: %s", name, what, text);
	return DEVICE_FAILED;
}

static bool number_is(const char *dev, const char *field, bool has,
		      uint32_t is, uint32_t want)
{
	if (has && is == want)
		return true;
	log_err("%s exists with another %s: %u, ours is %u; it is left alone",
		dev, field, is, want);
	return false;
}

static bool address_is(const char *dev, const char *field,
		       const struct ip_addr *is, const struct ip_addr *want)
{
	char a[IP_TEXT_MAX], b[IP_TEXT_MAX];

	if (ip_equal(is, want))
		return true;
	log_err("%s exists with another %s: %s, ours is %s; it is left alone",
		dev, field, is->family ? ip_text(is, a) : "none",
		want->family ? ip_text(want, b) : "none");
	return false;
}

static bool same_identity(const struct mesh *m, const struct node *self,
			  const struct vnm_link *l)
{
	const char *dev = m->conf.device;
	bool ok;

	if (l->lower) {
		log_err("%s exists as a VNI of another device; it is left alone",
			dev);
		return false;
	}
	/* All of them, so that one look at the log tells everything. */
	ok = number_is(dev, "mesh id", HAS(l, MESH_ID), l->mesh,
		       m->facts.mesh.id);
	ok &= number_is(dev, "node id", HAS(l, NODE_ID), l->node, self->id);
	ok &= number_is(dev, "VNI id", HAS(l, VNI_ID), l->vni, self->vni);
	ok &= number_is(dev, "port", HAS(l, PORT), l->port, self->port);
	ok &= address_is(dev, "underlay address", &l->local, &self->underlay);
	ok &= address_is(dev, "IPv4 address", &l->address4, &self->address4);
	ok &= address_is(dev, "IPv6 address", &l->address6, &self->address6);
	return ok;
}

static int create(const struct mesh *m, const struct node *self,
		  struct vnm_nl *nl, struct vnm_error *e)
{
	struct vnm_link l = { 0 };

	strcpy(l.name, m->conf.device);
	SET(&l, mesh, MESH_ID, m->facts.mesh.id);
	SET(&l, node, NODE_ID, self->id);
	SET(&l, vni, VNI_ID, self->vni);
	SET(&l, local, LOCAL, self->underlay);
	SET(&l, port, PORT, self->port);
	if (self->address4.family)
		SET(&l, address4, ADDR4, self->address4);
	if (self->address6.family)
		SET(&l, address6, ADDR6, self->address6);
	return vnm_rtnl_link_add(nl, &l, -1, e);
}

/* The address with the length of the mesh's prefix makes the route to all
 * VNIs; the service prefix needs one of its own.
 */
static int family(struct vnm_nl *nl, uint32_t ifindex,
		  const struct ip_addr *addr, const struct ip_prefix *mesh,
		  const struct ip_prefix *service, struct vnm_error *e)
{
	int err = 0;

	if (!addr->family)
		return 0;
	err = vnm_rtnl_addr_add(nl, ifindex, addr,
				mesh->addr.family ? mesh->len :
						    ip_bytes(addr) * 8, e);
	if (!err && service->addr.family)
		err = vnm_rtnl_route_replace(nl, ifindex, service, NULL, e);
	return err;
}

static enum device_result set_up(const struct mesh *m, const struct node *self,
				 struct vnm_nl *nl, uint32_t *ifindex,
				 bool quiet)
{
	const char *dev = m->conf.device;
	struct vnm_error e = { 0 };
	struct vnm_link l;
	int err;

	err = vnm_rtnl_link_get_name(nl, dev, &l, &e);
	if (err == -ENODEV && !if_nametoindex(dev)) {
		err = create(m, self, nl, &e);
		if (err && err != -EEXIST)
			return fail(quiet, "create the device", dev, &e);
		if (!err)
			log_info("%s: created, mesh %u, node %u, VNI %u", dev,
				 m->facts.mesh.id, self->id, self->vni);
		err = vnm_rtnl_link_get_name(nl, dev, &l, &e);
	} else if (err == -ENODEV) {
		log_err("%s exists and is no vnimesh device; it is left alone",
			dev);
		return DEVICE_FOREIGN;
	}
	if (err)
		return fail(quiet, "read the device", dev, &e);
	if (!same_identity(m, self, &l))
		return DEVICE_FOREIGN;
	*ifindex = l.ifindex;

	if (!l.up && vnm_rtnl_link_up(nl, l.ifindex, &e))
		return fail(quiet, "set the device up", dev, &e);
	if (family(nl, l.ifindex, &self->address4, &m->facts.mesh.prefix4,
		   &m->facts.mesh.service_prefix4, &e) ||
	    family(nl, l.ifindex, &self->address6, &m->facts.mesh.prefix6,
		   &m->facts.mesh.service_prefix6, &e))
		return fail(quiet, "add addresses and routes", dev, &e);
	return DEVICE_READY;
}

enum device_result device_link(const struct mesh *m, uint32_t *ifindex,
			       bool quiet)
{
	struct node *self = facts_node(&m->facts, m->facts.self);
	struct vnm_error e = { 0 };
	enum device_result ret;
	struct vnm_nl *nl;

	if (!self)
		return DEVICE_FAILED;
	if (vnm_rtnl_open(&nl, &e))
		return fail(quiet, "open a netlink socket", "rtnetlink", &e);
	ret = set_up(m, self, nl, ifindex, quiet);
	vnm_nl_close(nl);
	return ret;
}
