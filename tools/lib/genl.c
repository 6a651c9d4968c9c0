// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/genetlink.h>
#include <netlink/genl/genl.h>
#include <stdlib.h>
#include <string.h>

#include "defaults.h"
#include "genl.h"
#include "record_attrs.h"

struct group {
	const char	*name;
	uint32_t	id;
};

struct vnm_genl {
	struct vnm_nl	*nl;
	uint16_t	family;
	struct group	groups[2];
	uint64_t	takes[VNIMESH_CMD_MAX + 1];	/* 0: not known */
};

/* A callback of this layer, behind one of vnm_nl. */
struct wrap {
	vnm_genl_cb	cb;
	void		*arg;
	uint16_t	family;
};

static void name_attr(const struct nlmsghdr *req, uint32_t off, bool missing,
		      uint32_t type, char *buf, size_t size)
{
	const struct genlmsghdr *gh = NLMSG_DATA(req);

	if (req->nlmsg_type == GENL_ID_CTRL ||
	    req->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return;
	vnm_attrs_name(vnm_type_of_cmd(gh->cmd), req,
		       NLMSG_LENGTH(GENL_HDRLEN), off, missing, type, buf,
		       size);
}

static void read_groups(struct vnm_genl *g, struct nlattr *list)
{
	struct nlattr *tb[CTRL_ATTR_MCAST_GRP_MAX + 1], *item;
	const char *name;
	uint32_t id;
	size_t i;
	int rem;

	nla_for_each_nested(item, list, rem) {
		if (nla_parse_nested(tb, CTRL_ATTR_MCAST_GRP_MAX, item, NULL) ||
		    !tb[CTRL_ATTR_MCAST_GRP_NAME] ||
		    !tb[CTRL_ATTR_MCAST_GRP_ID])
			continue;
		name = nla_get_string(tb[CTRL_ATTR_MCAST_GRP_NAME]);
		id = nla_get_u32(tb[CTRL_ATTR_MCAST_GRP_ID]);
		for (i = 0; i < 2; i++)
			if (!strcmp(g->groups[i].name, name))
				g->groups[i].id = id;
	}
}

static int read_family(const struct nlmsghdr *nh, void *arg)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];
	struct vnm_genl *g = arg;

	if (genlmsg_parse((struct nlmsghdr *)nh, 0, tb, CTRL_ATTR_MAX, NULL) ||
	    !tb[CTRL_ATTR_FAMILY_ID])
		return -EBADMSG;
	g->family = nla_get_u16(tb[CTRL_ATTR_FAMILY_ID]);
	if (tb[CTRL_ATTR_MCAST_GROUPS])
		read_groups(g, tb[CTRL_ATTR_MCAST_GROUPS]);
	return 0;
}

static int find_family(struct vnm_genl *g, struct vnm_error *e)
{
	struct nl_msg *msg = nlmsg_alloc();
	int ret;

	if (!msg || !genlmsg_put(msg, 0, 0, GENL_ID_CTRL, 0, 0,
				 CTRL_CMD_GETFAMILY, 2) ||
	    nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, VNIMESH_GENL_NAME)) {
		nlmsg_free(msg);
		return vnm_error_set(e, -ENOMEM, "Out of memory");
	}
	/* Asking by name makes the kernel load the module, if it may. */
	ret = vnm_nl_request(g->nl, msg, read_family, g, e);
	if (ret != -ENOENT)
		return ret;
	vnm_error_set(e, ret, "kernel module \"%s\" is not loaded (try: modprobe %s)",
		      VNIMESH_GENL_NAME, VNIMESH_GENL_NAME);
	if (e)
		e->local = false;
	return ret;
}

/* Policies as the kernel tells of them: of a command its number, then of each
 * number the attributes, one a message.
 */
#define POLICIES_MAX	64

struct policies {
	uint64_t	attrs[POLICIES_MAX];
	uint32_t	of_cmd[VNIMESH_CMD_MAX + 1];
};

static void read_ops(struct policies *p, struct nlattr *list)
{
	struct nlattr *tb[CTRL_ATTR_POLICY_DUMP_MAX + 1], *op;
	int rem;

	nla_for_each_nested(op, list, rem) {
		if (nla_type(op) > VNIMESH_CMD_MAX ||
		    nla_parse_nested(tb, CTRL_ATTR_POLICY_DUMP_MAX, op, NULL) ||
		    !tb[CTRL_ATTR_POLICY_DO])
			continue;
		p->of_cmd[nla_type(op)] = nla_get_u32(tb[CTRL_ATTR_POLICY_DO]);
	}
}

static void read_attrs(struct policies *p, struct nlattr *list)
{
	struct nlattr *policy, *attr;
	int rem, rem2;

	nla_for_each_nested(policy, list, rem) {
		if (nla_type(policy) >= POLICIES_MAX)
			continue;
		nla_for_each_nested(attr, policy, rem2)
			if (nla_type(attr) < 64)
				p->attrs[nla_type(policy)] |=
					UINT64_C(1) << nla_type(attr);
	}
}

static int read_policy(const struct nlmsghdr *nh, void *arg)
{
	struct nlattr *tb[CTRL_ATTR_MAX + 1];

	if (genlmsg_parse((struct nlmsghdr *)nh, 0, tb, CTRL_ATTR_MAX, NULL))
		return -EBADMSG;
	if (tb[CTRL_ATTR_OP_POLICY])
		read_ops(arg, tb[CTRL_ATTR_OP_POLICY]);
	if (tb[CTRL_ATTR_POLICY])
		read_attrs(arg, tb[CTRL_ATTR_POLICY]);
	return 0;
}

int vnm_genl_learn(struct vnm_genl *g, struct vnm_error *e)
{
	struct nl_msg *msg = nlmsg_alloc();
	struct policies p = { 0 };
	int cmd, ret;

	/* What the kernel says nothing of has none of these numbers. */
	memset(p.of_cmd, 0xff, sizeof(p.of_cmd));
	if (!msg || !genlmsg_put(msg, 0, 0, GENL_ID_CTRL, 0, 0,
				 CTRL_CMD_GETPOLICY, 2) ||
	    nla_put_u16(msg, CTRL_ATTR_FAMILY_ID, g->family)) {
		nlmsg_free(msg);
		return vnm_error_set(e, -ENOMEM, "Out of memory");
	}
	ret = vnm_nl_dump(g->nl, msg, read_policy, &p, e);
	for (cmd = 0; !ret && cmd <= VNIMESH_CMD_MAX; cmd++)
		if (p.of_cmd[cmd] < POLICIES_MAX)
			g->takes[cmd] = p.attrs[p.of_cmd[cmd]];
	return ret;
}

uint64_t vnm_genl_takes(const struct vnm_genl *g, uint8_t cmd)
{
	if (cmd > VNIMESH_CMD_MAX || !g->takes[cmd])
		return UINT64_MAX;
	return g->takes[cmd];
}

int vnm_genl_open(struct vnm_genl **out, struct vnm_error *e)
{
	struct vnm_genl *g = calloc(1, sizeof(*g));
	int ret;

	if (!g)
		return vnm_error_set(e, -ENOMEM, "Out of memory");
	g->groups[0].name = VNIMESH_MCGRP_CONFIG;
	g->groups[1].name = VNIMESH_MCGRP_EVENTS;
	ret = vnm_nl_open(&g->nl, NETLINK_GENERIC, name_attr, e);
	if (!ret)
		ret = find_family(g, e);
	if (ret) {
		vnm_genl_close(g);
		return ret;
	}
	*out = g;
	return 0;
}

void vnm_genl_close(struct vnm_genl *g)
{
	if (!g)
		return;
	vnm_nl_close(g->nl);
	free(g);
}

int vnm_genl_fd(const struct vnm_genl *g)
{
	return vnm_nl_fd(g->nl);
}

uint32_t vnm_genl_portid(const struct vnm_genl *g)
{
	return vnm_nl_portid(g->nl);
}

void vnm_genl_set_timeout(struct vnm_genl *g, int ms)
{
	vnm_nl_set_timeout(g->nl, ms);
}

int vnm_genl_join(struct vnm_genl *g, const char *group, struct vnm_error *e)
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (!strcmp(g->groups[i].name, group) && g->groups[i].id)
			return vnm_nl_join(g->nl, g->groups[i].id, e);
	return vnm_error_set(e, -ENOENT,
			     "The kernel module has no notification group \"%s\"",
			     group);
}

struct nl_msg *vnm_genl_msg_new(const struct vnm_genl *g, uint8_t cmd,
				int flags)
{
	struct nl_msg *msg = nlmsg_alloc();

	if (msg && !genlmsg_put(msg, 0, 0, g->family, 0, flags, cmd,
				VNIMESH_GENL_VERSION)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int unwrap(const struct nlmsghdr *nh, void *arg)
{
	struct genlmsghdr *gh = NLMSG_DATA(nh);
	struct wrap *w = arg;
	struct vnm_genl_msg m = { .seq = nh->nlmsg_seq };

	if (!w->cb)
		return 0;
	if (nh->nlmsg_type == NLMSG_ERROR &&
	    nh->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
		m.err = ((const struct nlmsgerr *)NLMSG_DATA(nh))->error;
		return w->cb(&m, w->arg);
	}
	if (nh->nlmsg_type != w->family ||
	    nh->nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
		return 0;
	m.cmd = gh->cmd;
	m.attrs = genlmsg_attrdata(gh, 0);
	m.attrlen = genlmsg_attrlen(gh, 0);
	return w->cb(&m, w->arg);
}

int vnm_genl_request(struct vnm_genl *g, struct nl_msg *msg, vnm_genl_cb cb,
		     void *arg, struct vnm_error *e)
{
	struct wrap w = { cb, arg, g->family };

	return vnm_nl_request(g->nl, msg, unwrap, &w, e);
}

int vnm_genl_query(struct vnm_genl *g, struct nl_msg *msg, vnm_genl_cb cb,
		   void *arg, struct vnm_error *e)
{
	struct wrap w = { cb, arg, g->family };

	return vnm_nl_query(g->nl, msg, unwrap, &w, e);
}

int vnm_genl_dump(struct vnm_genl *g, struct nl_msg *msg, vnm_genl_cb cb,
		  void *arg, struct vnm_error *e)
{
	struct wrap w = { cb, arg, g->family };

	return vnm_nl_dump(g->nl, msg, unwrap, &w, e);
}

int vnm_genl_bulk(struct vnm_genl *g, struct nl_msg **msgs, size_t n,
		  vnm_nl_bulk_cb cb, void *arg, struct vnm_error *e)
{
	return vnm_nl_bulk(g->nl, msgs, n, cb, arg, e);
}

int vnm_genl_recv(struct vnm_genl *g, vnm_genl_cb cb, void *arg)
{
	struct wrap w = { cb, arg, g->family };

	return vnm_nl_recv(g->nl, unwrap, &w);
}

bool vnm_genl_backlog(const struct vnm_genl *g)
{
	return vnm_nl_backlog(g->nl);
}
