// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh dev: mesh devices. */
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "link.h"
#include "rows.h"

/* A number of the kind, "KEYWORD N"; returns as args_field(). */
static int args_number(struct args *a, struct vnm_link *link)
{
	const struct {
		const char	*word;
		unsigned int	attr;
		uint32_t	max;
		uint32_t	*v;
	} numbers[] = {
		{ "mesh", IFLA_VNIMESH_MESH_ID, VNIMESH_ID_MAX, &link->mesh },
		{ "node", IFLA_VNIMESH_NODE_ID, UINT32_MAX, &link->node },
		{ "vni", IFLA_VNIMESH_VNI_ID, UINT32_MAX, &link->vni },
		{ "flow-max", IFLA_VNIMESH_FLOW_MAX, UINT32_MAX,
		  &link->flow_max },
	};
	const char *text;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!args_take(a, numbers[i].word))
			continue;
		text = args_value(a, numbers[i].word);
		if (!text || !parse_u32(text, numbers[i].word, 1,
					numbers[i].max, numbers[i].v))
			return -1;
		link->present |= VNM_BIT(numbers[i].attr);
		return 1;
	}
	return 0;
}

static int args_new(struct args *a, struct vnm_link *link,
		    struct link_lens *lens)
{
	const char *text;
	int ret;

	ret = args_number(a, link);
	if (!ret)
		ret = args_link(a, link, lens);
	if (ret)
		return ret;
	if (args_take(a, "local")) {
		link->present |= VNM_BIT(IFLA_VNIMESH_LOCAL);
		text = args_value(a, "local");
		return text && parse_addr(text, "local", &link->local) ? 1 : -1;
	}
	if (args_take(a, "port")) {
		link->present |= VNM_BIT(IFLA_VNIMESH_PORT);
		text = args_value(a, "port");
		return text && parse_port(text, &link->port) ? 1 : -1;
	}
	return 0;
}

static bool complete(const struct vnm_link *link)
{
	static const char *const names[] = {
		[IFLA_VNIMESH_MESH_ID] = "mesh",
		[IFLA_VNIMESH_NODE_ID] = "node",
		[IFLA_VNIMESH_VNI_ID] = "vni",
		[IFLA_VNIMESH_LOCAL] = "local",
	};
	unsigned int i;

	for (i = IFLA_VNIMESH_MESH_ID; i <= IFLA_VNIMESH_LOCAL; i++)
		if (!VNM_HAS(link, i))
			return args_required(names[i]);
	return true;
}

static int dev_add(struct tool *t, struct args *a)
{
	struct link_lens lens = { 32, 128 };
	struct vnm_link link = { 0 };
	const char *name = args_need(a, "NAME");
	struct vnm_error e, ignored;
	uint32_t ifindex;
	int ret;

	if (!name || !parse_ifname(name, link.name))
		return EXIT_LOCAL;
	do {
		ret = args_new(a, &link, &lens);
	} while (ret > 0);
	if (ret < 0 || !args_end(a) || !complete(&link))
		return EXIT_LOCAL;
	ret = tool_rtnl(t);
	if (ret)
		return ret;
	if (vnm_rtnl_link_add(t->rtnl, &link, -1, &e))
		return tool_fail(&e);
	ifindex = if_nametoindex(name);
	if (!link_start(t->rtnl, ifindex, &link, &lens, &e))
		return EXIT_OK;
	vnm_rtnl_link_del(t->rtnl, ifindex, -1, &ignored);
	return tool_fail(&e);
}

/* The device's name, which may stand behind "dev". */
static bool take_name(struct args *a, uint32_t *ifindex)
{
	const char *name;

	args_take(a, "dev");
	name = args_need(a, "NAME");
	return name && parse_dev(name, ifindex);
}

/* The host's own VNI is led to the services as any other. */
static int route_services(struct tool *t, const struct vnm_mesh *mesh)
{
	struct vnm_link link;
	struct vnm_error e;
	int ret;

	ret = tool_rtnl(t);
	if (ret)
		return ret;
	if (vnm_rtnl_link_get(t->rtnl, mesh->ifindex, -1, &link, &e))
		return tool_fail(&e);
	if (link.up && link_routes(t->rtnl, link.ifindex, &link, mesh, &e))
		return tool_fail(&e);
	return EXIT_OK;
}

static int dev_set(struct tool *t, struct args *a)
{
	struct vnm_mesh mesh = { 0 };
	struct nl_msg *msg;
	int ret;

	if (!take_name(a, &mesh.ifindex))
		return EXIT_LOCAL;
	do {
		ret = args_field(a, &vnm_mesh_type, &mesh);
	} while (ret > 0);
	if (ret < 0 || !args_end(a))
		return EXIT_LOCAL;
	if (!mesh.present) {
		fputs("Error: nothing to set, try \"vnimesh dev help\".\n",
		      stderr);
		return EXIT_LOCAL;
	}
	mesh.present |= VNM_BIT(VNIMESH_A_MESH_IFINDEX);
	ret = tool_genl(t);
	if (ret)
		return ret;
	msg = vnm_genl_msg_new(t->genl, VNIMESH_CMD_MESH_SET, 0);
	if (msg && vnm_record_fill(&vnm_mesh_type, &mesh, msg)) {
		nlmsg_free(msg);
		msg = NULL;
	}
	ret = tool_request(t, msg);
	return ret ? ret : route_services(t, &mesh);
}

static int dev_del(struct tool *t, struct args *a)
{
	struct vnm_link link;
	uint32_t ifindex;
	struct vnm_error e;
	int ret;

	if (!take_name(a, &ifindex) || !args_end(a))
		return EXIT_LOCAL;
	ret = tool_rtnl(t);
	if (ret)
		return ret;
	/* Only what is ours: `vnimesh dev del eth0` must not work. */
	if (vnm_rtnl_link_get(t->rtnl, ifindex, -1, &link, &e) ||
	    vnm_rtnl_link_del(t->rtnl, ifindex, -1, &e))
		return tool_fail(&e);
	return EXIT_OK;
}

static json_t *dev_json(struct tool *t, const struct vnm_mesh *mesh,
			const struct vnm_link *link)
{
	json_t *obj = row_json(t, &vnm_mesh_type, mesh);

	json_object_set_new(obj, "up", json_boolean(link->up));
	json_object_set_new(obj, "mtu", json_integer(link->mtu));
	return obj;
}

static void dev_text(struct tool *t, const struct vnm_mesh *mesh,
		     const struct vnm_link *link)
{
	char name[IF_NAMESIZE];

	printf("%u: %s: %s mtu %u ", mesh->ifindex,
	       dev_name(mesh->ifindex, name), link->up ? "up" : "down",
	       link->mtu);
	vnm_record_text(&vnm_mesh_type, mesh, t->show, stdout);
	putchar('\n');
}

static int dev_print(struct tool *t, const struct rows *rows)
{
	json_t *array = t->json ? json_array() : NULL;
	const struct vnm_mesh *mesh;
	struct vnm_link link;
	struct vnm_error e;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		mesh = rows_at(rows, i);
		/* Gone since the dump: as if it had not been there. */
		if (vnm_rtnl_link_get(t->rtnl, mesh->ifindex, -1, &link, &e))
			continue;
		if (!t->json)
			dev_text(t, mesh, &link);
		else if (array)
			array = json_add(array, dev_json(t, mesh, &link));
	}
	return t->json ? json_out(t, array) : EXIT_OK;
}

static int dev_show(struct tool *t, struct args *a)
{
	struct vnm_mesh filter = { 0 };
	struct rows rows;
	int ret;

	if (args_peek(a)) {
		if (!take_name(a, &filter.ifindex) || !args_end(a))
			return EXIT_LOCAL;
		filter.present = VNM_BIT(VNIMESH_A_MESH_IFINDEX);
	}
	ret = tool_rtnl(t);
	if (ret)
		return ret;
	ret = rows_fetch(t, &rows, &vnm_mesh_type, VNIMESH_CMD_MESH_GET,
			 &filter, filter.present);
	if (!ret)
		ret = dev_print(t, &rows);
	rows_free(&rows);
	return ret;
}

const struct command dev_commands[] = {
	{ "show", "list,ls,sh", dev_show },
	{ "add", NULL, dev_add },
	{ "set", NULL, dev_set },
	{ "del", "delete", dev_del },
	{ NULL, NULL, NULL }
};
