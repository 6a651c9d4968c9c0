// SPDX-License-Identifier: GPL-2.0-or-later
/* vnimesh monitor: changes of the tables and events, as they happen. */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "rows.h"

/* Any record that a notification can carry. */
union record {
	struct vnm_mesh		mesh;
	struct vnm_node		node;
	struct vnm_vni		vni;
	struct vnm_service	service;
	struct vnm_member	member;
	struct vnm_event	event;
};

static const char *action_of(uint8_t cmd)
{
	switch (cmd) {
	case VNIMESH_CMD_NODE_DEL_NTF:
	case VNIMESH_CMD_VNI_DEL_NTF:
	case VNIMESH_CMD_SERVICE_DEL_NTF:
	case VNIMESH_CMD_MEMBER_DEL_NTF:
		return "del";
	case VNIMESH_CMD_EVENT_NTF:
		return "event";
	default:
		return cmd >= VNIMESH_CMD_MESH_NTF ? "set" : "sync";
	}
}

static int print_json(struct tool *t, const struct vnm_type *type,
		      const char *action, const void *rec)
{
	json_t *obj = json_object(), *row = row_json(t, type, rec);
	int ret;

	json_object_set_new(obj, "object", json_string(vnm_type_name(type)));
	json_object_set_new(obj, "action", json_string(action));
	/* An event names itself in "event". */
	if (!row || json_object_update(obj, row)) {
		json_decref(row);
		json_decref(obj);
		return -ENOMEM;
	}
	json_decref(row);
	ret = json_dumpf(obj, stdout, JSON_COMPACT);
	json_decref(obj);
	putchar('\n');
	return ret ? -EIO : 0;
}

static int print_message(const struct vnm_genl_msg *m, void *arg)
{
	const struct vnm_type *type = vnm_type_of_cmd(m->cmd);
	const char *action = action_of(m->cmd);
	struct tool *t = arg;
	union record rec;
	int ret = 0;

	/* A newer module may tell of things that are unknown here. */
	if (!type || vnm_type_size(type) > sizeof(rec) ||
	    vnm_record_parse(type, &rec, m->attrs, m->attrlen))
		return 0;
	if (t->json) {
		ret = print_json(t, type, action, &rec);
	} else {
		printf("[%s] %s ", vnm_type_name(type), action);
		vnm_record_text(type, &rec, t->show, stdout);
		putchar('\n');
	}
	if (fflush(stdout))
		ret = -EIO;
	return ret;
}

static int dump(struct tool *t, uint8_t cmd, uint32_t ifindex)
{
	struct nl_msg *msg = vnm_genl_msg_new(t->genl, cmd, 0);
	struct vnm_error e;

	if (!msg || (ifindex && nla_put_u32(msg, 1, ifindex))) {
		nlmsg_free(msg);
		return out_of_memory();
	}
	if (vnm_genl_dump(t->genl, msg, print_message, t, &e))
		return tool_fail(&e);
	return EXIT_OK;
}

/* What was lost is made up for by all that there is now. */
static int resync(struct tool *t)
{
	static const uint8_t cmds[] = {
		VNIMESH_CMD_NODE_GET, VNIMESH_CMD_VNI_GET,
		VNIMESH_CMD_SERVICE_GET, VNIMESH_CMD_MEMBER_GET,
	};
	struct vnm_mesh filter = { 0 };
	const struct vnm_mesh *mesh;
	struct rows rows;
	size_t i, k;
	int ret;

	fputs("Warning: netlink overrun, resyncing.\n", stderr);
	ret = dump(t, VNIMESH_CMD_MESH_GET, 0);
	if (ret)
		return ret;
	ret = rows_fetch(t, &rows, &vnm_mesh_type, VNIMESH_CMD_MESH_GET,
			 &filter, false);
	for (i = 0; !ret && i < rows.n; i++) {
		mesh = rows_at(&rows, i);
		for (k = 0; !ret && k < sizeof(cmds); k++)
			ret = dump(t, cmds[k], mesh->ifindex);
	}
	rows_free(&rows);
	return ret;
}

static int follow(struct tool *t, struct vnm_genl *g)
{
	struct pollfd pfd[] = {
		{ .fd = vnm_genl_fd(g), .events = POLLIN },
		/* Whoever reads may go: POLLERR on a pipe without reader. */
		{ .fd = 1, .events = 0 },
	};
	int ret;

	for (;;) {
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			return EXIT_LOCAL;
		if (pfd[1].revents & (POLLERR | POLLHUP))
			return EXIT_OK;
		ret = vnm_genl_recv(g, print_message, t);
		if (ret == -ENOBUFS)
			ret = resync(t);
		else if (ret < 0)
			fprintf(stderr, "Error: Cannot follow: %s.\n",
				strerror(-ret));
		if (ret < 0)
			return EXIT_LOCAL;
		if (pfd[0].revents & POLLNVAL)
			return EXIT_LOCAL;
	}
}

int monitor_run(struct tool *t, struct args *a)
{
	const char *what = args_next(a);
	bool config, events;
	struct vnm_genl *g;
	struct vnm_error e;
	int ret = 0;

	config = !what || !strcmp(what, "all") || !strcmp(what, "config");
	events = !what || !strcmp(what, "all") || !strcmp(what, "events");
	if (!config && !events) {
		args_wrong(what, "monitor follows config, events or all");
		return EXIT_LOCAL;
	}
	if (!args_end(a))
		return EXIT_LOCAL;
	/* Dumps of a resync go over a socket of their own. */
	ret = tool_genl(t);
	if (ret)
		return ret;
	if (vnm_genl_open(&g, &e))
		return tool_fail(&e);
	if (config)
		ret = vnm_genl_join(g, VNIMESH_MCGRP_CONFIG, &e);
	if (!ret && events)
		ret = vnm_genl_join(g, VNIMESH_MCGRP_EVENTS, &e);
	/* The kernel refused, not this program. */
	e.local = false;
	ret = ret ? tool_fail(&e) : follow(t, g);
	vnm_genl_close(g);
	return ret;
}
