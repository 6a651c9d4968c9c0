// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh vni: virtual network interfaces, devices here and records of those
 * elsewhere.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "args_netns.h"
#include "link.h"
#include "netns.h"
#include "rows.h"
#include "table.h"

/* A VNI to be made on this host. */
struct local {
	struct vnm_link		link;
	struct link_lens	lens;
	int			netns;	/* -1: this one */
};

/* Whether keyword @word is there; every keyword has one value behind it. */
static bool has_word(const struct args *a, const char *word)
{
	char **v;

	for (v = a->v; *v && v[1]; v += 2)
		if (!strcmp(*v, word))
			return true;
	return false;
}

/* Returns as args_field(). */
static int args_local(struct args *a, struct local *l)
{
	const char *text;
	int ret;

	ret = args_dev(a, &l->link.lower);
	if (!ret)
		ret = args_link(a, &l->link, &l->lens);
	if (ret)
		return ret;
	if (args_take(a, "name")) {
		text = args_value(a, "name");
		return text && parse_ifname(text, l->link.name) ? 1 : -1;
	}
	if (args_take(a, "netns")) {
		text = args_value(a, "netns");
		if (text && l->netns >= 0)
			close(l->netns);
		l->netns = text ? netns_open(text) : -1;
		return l->netns >= 0 ? 1 : -1;
	}
	return 0;
}

static int get_mesh(struct tool *t, uint32_t ifindex, struct vnm_mesh *mesh)
{
	struct vnm_mesh filter = {
		.present = VNM_BIT(VNIMESH_A_MESH_IFINDEX),
		.ifindex = ifindex,
	};
	struct rows rows;
	int ret;

	ret = rows_fetch(t, &rows, &vnm_mesh_type, VNIMESH_CMD_MESH_GET,
			 &filter, true);
	if (!ret && rows.n)
		*mesh = *(struct vnm_mesh *)rows_at(&rows, 0);
	rows_free(&rows);
	return ret;
}

/* What happens in the container: addresses, lo, up, routes. */
static int configure(struct vnm_nl *nl, const struct local *l,
		     const struct vnm_mesh *mesh, struct vnm_error *e)
{
	struct vnm_link made;
	int ret;

	ret = vnm_rtnl_link_get_name(nl, l->link.name, &made, e);
	/* Index 1 is lo in every namespace. */
	if (!ret && l->netns >= 0)
		ret = vnm_rtnl_link_up(nl, 1, e);
	if (!ret)
		ret = link_start(nl, made.ifindex, &l->link, &l->lens, e);
	return ret ? ret : link_routes(nl, made.ifindex, &l->link, mesh, e);
}

static void undo(struct vnm_nl *nl, const char *name)
{
	struct vnm_link made;
	struct vnm_error e;

	if (!vnm_rtnl_link_get_name(nl, name, &made, &e))
		vnm_rtnl_link_del(nl, made.ifindex, -1, &e);
}

static int create(struct tool *t, struct local *l)
{
	struct vnm_mesh mesh = { 0 };
	struct vnm_nl *inside;
	struct vnm_error e;
	int ret;

	ret = mesh_find(t, NULL, &l->link.lower);
	if (!ret)
		ret = tool_rtnl(t);
	if (!ret)
		ret = get_mesh(t, l->link.lower, &mesh);
	if (ret)
		return ret;
	/* Both sockets before the device: what fails now needs no undoing. */
	if (l->netns >= 0)
		ret = vnm_rtnl_open_netns(&inside, l->netns, &e);
	else
		ret = vnm_rtnl_open(&inside, &e);
	if (ret)
		return tool_fail(&e);
	ret = vnm_rtnl_link_add(t->rtnl, &l->link, l->netns, &e);
	if (!ret) {
		ret = configure(inside, l, &mesh, &e);
		if (ret)
			undo(inside, l->link.name);
	}
	vnm_nl_close(inside);
	return ret ? tool_fail(&e) : EXIT_OK;
}

static int add_local(struct tool *t, struct args *a)
{
	struct local l = { .lens = { 32, 128 }, .netns = -1 };
	int ret;

	if (!args_need_u32(a, "VNI", 1, UINT32_MAX, &l.link.vni))
		return EXIT_LOCAL;
	l.link.present |= VNM_BIT(IFLA_VNIMESH_VNI_ID);
	do {
		ret = args_local(a, &l);
	} while (ret > 0);
	if (ret < 0 || !args_end(a)) {
		ret = EXIT_LOCAL;
	} else {
		if (!l.link.name[0])
			snprintf(l.link.name, sizeof(l.link.name), "vni%u",
				 l.link.vni);
		ret = create(t, &l);
	}
	if (l.netns >= 0)
		close(l.netns);
	return ret;
}

static int vni_add(struct tool *t, struct args *a)
{
	struct args rest = *a;

	/* A VNI of a node is a record only, one of no node is made here. */
	if (args_next(&rest) && has_word(&rest, "node"))
		return table_change(t, a, &vni_table,
				    NLM_F_CREATE | NLM_F_EXCL);
	return add_local(t, a);
}

static int vni_replace(struct tool *t, struct args *a)
{
	return table_change(t, a, &vni_table, NLM_F_CREATE | NLM_F_REPLACE);
}

static int vni_set(struct tool *t, struct args *a)
{
	return table_change(t, a, &vni_table, NLM_F_REPLACE);
}

/* The device of a local VNI, sought over @nl. */
struct device {
	const struct vnm_vni	*vni;
	uint32_t		mesh;	/* id */
	struct vnm_nl		*nl;
	int			nsid;
	struct vnm_link		link;
};

/* The same index may belong to anything if the namespace is not the one we
 * think of.
 */
static bool is_device(struct device *d)
{
	struct vnm_error e;

	return !vnm_rtnl_link_get(d->nl, d->vni->dev_ifindex, d->nsid, &d->link,
				  &e) &&
	       d->link.vni == d->vni->vni && d->link.mesh == d->mesh;
}

static bool look_inside(int netns, const char *path, void *arg)
{
	struct device *d = arg;
	struct vnm_error e;

	(void)path;
	if (vnm_rtnl_open_netns(&d->nl, netns, &e))
		return false;
	if (is_device(d))
		return true;
	vnm_nl_close(d->nl);
	return false;
}

/* Here, where the kernel says, or in a namespace that has a name: the kernel
 * knows an id of a namespace only when somebody has asked for one.
 */
static bool find_device(struct tool *t, struct device *d)
{
	d->nl = t->rtnl;
	d->nsid = VNM_HAS(d->vni, VNIMESH_A_VNI_DEV_NETNSID) ?
		  d->vni->dev_netnsid : -1;
	if (is_device(d))
		return true;
	d->nsid = -1;
	return vnm_netns_each(look_inside, d);
}

static int del_device(struct tool *t, const struct vnm_vni *vni)
{
	struct device d = { .vni = vni };
	struct vnm_mesh mesh = { 0 };
	struct vnm_error e;
	int ret;

	ret = tool_rtnl(t);
	if (!ret)
		ret = get_mesh(t, vni->ifindex, &mesh);
	if (ret)
		return ret;
	d.mesh = mesh.id;
	if (!find_device(t, &d)) {
		fprintf(stderr,
			"Error: the device of VNI %u is in a network namespace that cannot be found from here.\n",
			vni->vni);
		return EXIT_LOCAL;
	}
	if (!d.link.lower) {
		fprintf(stderr,
			"Error: VNI %u is the mesh device itself, see \"vnimesh dev del\".\n",
			vni->vni);
		ret = EXIT_LOCAL;
	} else if (vnm_rtnl_link_del(d.nl, d.link.ifindex, d.nsid, &e)) {
		ret = tool_fail(&e);
	}
	if (d.nl != t->rtnl)
		vnm_nl_close(d.nl);
	return ret;
}

/* Deleting the device first and then being refused would be half a deletion. */
static int refuse_member(struct tool *t, const struct vnm_vni *vni)
{
	struct vnm_member filter = { 0 };
	struct rows rows;
	int ret;

	VNM_SET(&filter, ifindex, VNIMESH_A_MEMBER_IFINDEX, vni->ifindex);
	VNM_SET(&filter, vni, VNIMESH_A_MEMBER_VNI_ID, vni->vni);
	ret = rows_fetch(t, &rows, &vnm_member_type, VNIMESH_CMD_MEMBER_GET,
			 &filter, false);
	if (!ret && rows.n) {
		fprintf(stderr, "Error: VNI %u is a member of service \"%s\".\n",
			vni->vni, ((struct vnm_member *)rows_at(&rows, 0))->tag);
		ret = EXIT_KERNEL;
	}
	rows_free(&rows);
	return ret;
}

/* The record may have gone with the device. */
static int del_rest(struct tool *t, const struct vnm_vni *filter)
{
	struct nl_msg *msg = vnm_genl_msg_new(t->genl, VNIMESH_CMD_VNI_DEL, 0);
	struct vnm_error e;
	int ret;

	if (!msg || vnm_record_fill(&vnm_vni_type, filter, msg)) {
		nlmsg_free(msg);
		return out_of_memory();
	}
	ret = vnm_genl_request(t->genl, msg, NULL, NULL, &e);
	return ret && ret != -ENOENT ? tool_fail(&e) : EXIT_OK;
}

static int vni_del(struct tool *t, struct args *a)
{
	struct vnm_vni filter = { .present = VNM_BIT(VNIMESH_A_VNI_IFINDEX) |
					     VNM_BIT(VNIMESH_A_VNI_ID) };
	struct vnm_vni *vni;
	struct rows rows;
	int ret;

	if (!args_need_u32(a, "VNI", 1, UINT32_MAX, &filter.vni) ||
	    args_dev(a, &filter.ifindex) < 0 || !args_end(a))
		return EXIT_LOCAL;
	ret = mesh_find(t, NULL, &filter.ifindex);
	if (ret)
		return ret;
	ret = rows_fetch(t, &rows, &vnm_vni_type, VNIMESH_CMD_VNI_GET, &filter,
			 true);
	vni = ret || !rows.n ? NULL : rows_at(&rows, 0);
	if (vni && vni->local && VNM_HAS(vni, VNIMESH_A_VNI_DEV_IFINDEX)) {
		ret = refuse_member(t, vni);
		if (!ret)
			ret = del_device(t, vni);
		if (!ret)
			ret = del_rest(t, &filter);
	} else if (vni) {
		ret = table_send(t, &vni_table, VNIMESH_CMD_VNI_DEL, 0,
				 &filter);
	}
	rows_free(&rows);
	return ret;
}

static int vni_show(struct tool *t, struct args *a)
{
	return table_show(t, a, &vni_table);
}

const struct command vni_commands[] = {
	{ "show", "list,ls,sh", vni_show },
	{ "add", NULL, vni_add },
	{ "replace", NULL, vni_replace },
	{ "set", NULL, vni_set },
	{ "del", "delete", vni_del },
	{ NULL, NULL, NULL }
};
