// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nlrow - requests that the command line tool has no words for.
 *
 *   nlrow fill DEV SERVICES MEMBERS ORIGIN GEN
 *	SERVICES services s0000... at 10.97.0.0/16, each with MEMBERS members of the
 *	VNIs 20000... of node 2 (10.77.2.0/24, made too), in bulk.
 *   nlrow empty DEV SERVICES
 *	Deletes them again.
 *   nlrow dump DEV service|member|vni|node
 *	The keys, in the order and number that the kernel gives them.
 *   nlrow sweep DEV ORIGIN GEN [source N] [object OBJECT] [tag TAG]
 *	Prints how many rows went.
 *   nlrow bind DEV
 *	Claims the mesh and gives it back.
 *   nlrow perms [DEV [IFINDEX]]
 *	Sends each command, well-formed, with IFINDEX (default: that of DEV), and
 *	prints "COMMAND do|dump ERRNO|ok".
 *   nlrow changelink DEV
 *	Asks rtnetlink for another vni-id of the device.
 *   nlrow group config|events
 *	Joins the multicast group.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "genl.h"
#include "record.h"

static struct vnm_genl *genl;
static uint32_t ifindex;

static int fail(const struct vnm_error *e)
{
	char buf[512];

	vnm_error_text(e, buf, sizeof(buf));
	fprintf(stderr, "nlrow: %s: %s\n", strerrorname_np(-e->err), buf);
	return 1;
}

static struct nl_msg *new_msg(uint8_t cmd, const struct vnm_type *type,
			      const void *row)
{
	struct nl_msg *msg = vnm_genl_msg_new(genl, cmd, NLM_F_CREATE);

	if (!msg || vnm_record_fill(type, row, msg))
		abort();
	return msg;
}

static void refused(size_t i, const struct vnm_error *e, void *arg)
{
	(void)arg;
	if (e->err) {
		fprintf(stderr, "nlrow: message %zu: ", i);
		fail(e);
	}
}

static int send_bulk(struct nl_msg **msgs, size_t n)
{
	struct vnm_error e;
	int ret = vnm_genl_bulk(genl, msgs, n, refused, NULL, &e);

	if (ret < 0)
		return fail(&e);
	return ret ? 1 : 0;
}

static struct ip_addr addr4(unsigned int a, unsigned int b, unsigned int c,
			    unsigned int d)
{
	struct ip_addr addr = { .family = AF_INET };

	addr.b[0] = (uint8_t)a;
	addr.b[1] = (uint8_t)b;
	addr.b[2] = (uint8_t)c;
	addr.b[3] = (uint8_t)d;
	return addr;
}

static struct nl_msg *vni_msg(uint32_t i, uint8_t origin, uint64_t gen)
{
	struct vnm_vni v = { 0 };

	VNM_SET(&v, ifindex, VNIMESH_A_VNI_IFINDEX, ifindex);
	VNM_SET(&v, vni, VNIMESH_A_VNI_ID, 20000 + i);
	VNM_SET(&v, node, VNIMESH_A_VNI_NODE_ID, 2);
	VNM_SET(&v, address4, VNIMESH_A_VNI_ADDR4, addr4(10, 77, 2, 100 + i));
	VNM_SET(&v, meta.origin, VNIMESH_A_VNI_ORIGIN, origin);
	VNM_SET(&v, meta.gen, VNIMESH_A_VNI_GEN, gen);
	return new_msg(VNIMESH_CMD_VNI_SET, &vnm_vni_type, &v);
}

static struct nl_msg *service_msg(uint8_t cmd, uint32_t i, uint8_t origin,
				  uint64_t gen)
{
	struct vnm_service s = { 0 };

	VNM_SET(&s, ifindex, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	snprintf(s.tag, sizeof(s.tag), "s%04u", i);
	s.present |= VNM_BIT(VNIMESH_A_SERVICE_TAG);
	VNM_SET(&s, meta.origin, VNIMESH_A_SERVICE_ORIGIN, origin);
	if (cmd == VNIMESH_CMD_SERVICE_SET) {
		VNM_SET(&s, address4, VNIMESH_A_SERVICE_ADDR4,
			addr4(10, 96, 100 + i / 250, 1 + i % 250));
		VNM_SET(&s, meta.gen, VNIMESH_A_SERVICE_GEN, gen);
	}
	return new_msg(cmd, &vnm_service_type, &s);
}

static struct nl_msg *member_msg(uint32_t i, uint32_t k, uint8_t origin,
				 uint64_t gen)
{
	struct vnm_member m = { 0 };

	VNM_SET(&m, ifindex, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	snprintf(m.tag, sizeof(m.tag), "s%04u", i);
	m.present |= VNM_BIT(VNIMESH_A_MEMBER_TAG);
	VNM_SET(&m, vni, VNIMESH_A_MEMBER_VNI_ID, 20000 + k);
	VNM_SET(&m, meta.origin, VNIMESH_A_MEMBER_ORIGIN, origin);
	VNM_SET(&m, meta.gen, VNIMESH_A_MEMBER_GEN, gen);
	return new_msg(VNIMESH_CMD_MEMBER_SET, &vnm_member_type, &m);
}

static int fill(char **a, int n)
{
	uint32_t services, members, i, k;
	struct nl_msg **msgs;
	size_t at = 0;
	uint64_t gen;
	int origin;

	if (n != 4)
		return 2;
	services = (uint32_t)atoi(a[0]);
	members = (uint32_t)atoi(a[1]);
	origin = vnm_word_value(VNM_WORDS_ORIGIN, a[2]);
	gen = strtoull(a[3], NULL, 0);
	if (origin < 0 || members > 150)
		return 2;
	msgs = calloc(members + services * (1 + members), sizeof(*msgs));
	if (!msgs)
		return 1;
	for (i = 0; i < members; i++)
		msgs[at++] = vni_msg(i, (uint8_t)origin, gen);
	for (i = 0; i < services; i++) {
		msgs[at++] = service_msg(VNIMESH_CMD_SERVICE_SET, i,
					 (uint8_t)origin, gen);
		for (k = 0; k < members; k++)
			msgs[at++] = member_msg(i, k, (uint8_t)origin, gen);
	}
	return send_bulk(msgs, at);
}

static int empty(char **a, int n)
{
	uint32_t i, services = (uint32_t)atoi(n ? a[0] : "0");
	struct nl_msg **msgs = calloc(services + 1, sizeof(*msgs));

	if (!msgs)
		return 1;
	for (i = 0; i < services; i++)
		msgs[i] = service_msg(VNIMESH_CMD_SERVICE_DEL, i,
				      VNIMESH_ORIGIN_STATIC, 0);
	return send_bulk(msgs, services);
}

static int show(const struct vnm_genl_msg *m, void *arg)
{
	const struct vnm_type *type = arg;
	union {
		struct vnm_service	service;
		struct vnm_member	member;
		struct vnm_vni		vni;
		struct vnm_node		node;
	} r;

	if (vnm_record_parse(type, &r, m->attrs, m->attrlen))
		return -EBADMSG;
	if (type == &vnm_service_type)
		printf("%s\n", r.service.tag);
	else if (type == &vnm_member_type)
		printf("%s %u\n", r.member.tag, r.member.vni);
	else if (type == &vnm_vni_type)
		printf("%u\n", r.vni.vni);
	else
		printf("%u\n", r.node.node);
	return 0;
}

static int dump(char **a, int n)
{
	static const struct {
		const char *name;
		const struct vnm_type *type;
		uint8_t cmd;
	} kinds[] = {
		{ "service", &vnm_service_type, VNIMESH_CMD_SERVICE_GET },
		{ "member", &vnm_member_type, VNIMESH_CMD_MEMBER_GET },
		{ "vni", &vnm_vni_type, VNIMESH_CMD_VNI_GET },
		{ "node", &vnm_node_type, VNIMESH_CMD_NODE_GET },
	};
	struct vnm_error e;
	struct nl_msg *msg;
	size_t i;

	for (i = 0; n == 1 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(a[0], kinds[i].name))
			continue;
		msg = vnm_genl_msg_new(genl, kinds[i].cmd, 0);
		if (!msg || nla_put_u32(msg, 1, ifindex))
			abort();
		if (vnm_genl_dump(genl, msg, show, (void *)kinds[i].type, &e))
			return fail(&e);
		return 0;
	}
	return 2;
}

static int count(const struct vnm_genl_msg *m, void *arg)
{
	struct vnm_sweep s;

	(void)arg;
	if (vnm_record_parse(&vnm_sweep_type, &s, m->attrs, m->attrlen))
		return -EBADMSG;
	printf("%u\n", s.count);
	return 0;
}

static int sweep(char **a, int n)
{
	struct vnm_sweep s = { 0 };
	struct vnm_error e;
	int v, i;

	if (n < 2 || n % 2)
		return 2;
	VNM_SET(&s, ifindex, VNIMESH_A_SWEEP_IFINDEX, ifindex);
	v = vnm_word_value(VNM_WORDS_ORIGIN, a[0]);
	VNM_SET(&s, origin, VNIMESH_A_SWEEP_ORIGIN, (uint8_t)v);
	VNM_SET(&s, gen, VNIMESH_A_SWEEP_GEN, strtoull(a[1], NULL, 0));
	for (i = 2; i < n; i += 2) {
		if (!strcmp(a[i], "source")) {
			VNM_SET(&s, source, VNIMESH_A_SWEEP_SOURCE,
				(uint32_t)atoi(a[i + 1]));
		} else if (!strcmp(a[i], "object")) {
			v = vnm_word_value(VNM_WORDS_OBJECT, a[i + 1]);
			VNM_SET(&s, object, VNIMESH_A_SWEEP_OBJECT, (uint8_t)v);
		} else {
			snprintf(s.tag, sizeof(s.tag), "%s", a[i + 1]);
			s.present |= VNM_BIT(VNIMESH_A_SWEEP_TAG);
		}
	}
	if (vnm_genl_request(genl, new_msg(VNIMESH_CMD_SWEEP, &vnm_sweep_type,
					   &s), count, NULL, &e))
		return fail(&e);
	return 0;
}

static int claim(bool release)
{
	struct nl_msg *msg = vnm_genl_msg_new(genl, VNIMESH_CMD_AGENT_BIND, 0);
	struct vnm_error e;

	if (!msg || nla_put_u32(msg, VNIMESH_A_MISS_IFINDEX, ifindex) ||
	    (release && nla_put_flag(msg, VNIMESH_A_MISS_RELEASE)))
		abort();
	return vnm_genl_request(genl, msg, NULL, NULL, &e) ? fail(&e) : 0;
}

/* What a command of each kind needs to be well-formed. */
static struct nl_msg *well_formed(uint8_t cmd, bool dumping)
{
	struct nl_msg *msg = vnm_genl_msg_new(genl, cmd, dumping ? 0 :
					      NLM_F_CREATE);
	struct ip_addr svc = addr4(10, 96, 200, 1);

	if (!msg || nla_put_u32(msg, 1, ifindex))
		abort();
	if (dumping)
		return msg;
	switch (cmd) {
	case VNIMESH_CMD_MESH_SET:
		nla_put_u32(msg, VNIMESH_A_MESH_HOLD_MAX, 7);
		break;
	case VNIMESH_CMD_NODE_SET:
		nla_put(msg, VNIMESH_A_NODE_ADDR, 4, "\xc0\x00\x02\x21");
		/* fall through */
	case VNIMESH_CMD_NODE_GET:
	case VNIMESH_CMD_NODE_DEL:
		nla_put_u32(msg, VNIMESH_A_NODE_ID, cmd ==
			    VNIMESH_CMD_NODE_SET ? 9 : 2);
		break;
	case VNIMESH_CMD_VNI_SET:
		nla_put_u8(msg, VNIMESH_A_VNI_HEALTH, 3);
		/* fall through */
	case VNIMESH_CMD_VNI_DEL:
		nla_put_u32(msg, VNIMESH_A_VNI_ID, 110);
		break;
	case VNIMESH_CMD_SERVICE_SET:
		nla_put(msg, VNIMESH_A_SERVICE_ADDR4, 4, svc.b);
		nla_put_string(msg, VNIMESH_A_SERVICE_TAG, "evil");
		break;
	case VNIMESH_CMD_SERVICE_GET:
	case VNIMESH_CMD_SERVICE_DEL:
		nla_put_string(msg, VNIMESH_A_SERVICE_TAG, "web");
		break;
	case VNIMESH_CMD_MEMBER_GET:
	case VNIMESH_CMD_MEMBER_SET:
	case VNIMESH_CMD_MEMBER_DEL:
		nla_put_string(msg, VNIMESH_A_MEMBER_TAG, "web");
		nla_put_u32(msg, VNIMESH_A_MEMBER_VNI_ID, 110);
		break;
	case VNIMESH_CMD_FLOW_DEL:
		nla_put_string(msg, VNIMESH_A_FLOW_TAG, "web");
		break;
	case VNIMESH_CMD_RESOLVE:
	case VNIMESH_CMD_ROUTE_GET:
		nla_put_string(msg, VNIMESH_A_ROUTE_TAG, "web");
		break;
	case VNIMESH_CMD_MISS_ANSWER:
		nla_put(msg, VNIMESH_A_MISS_ADDR, 4, svc.b);
		nla_put_u8(msg, VNIMESH_A_MISS_VERDICT,
			   VNIMESH_VERDICT_NO_SERVICE);
		nla_put_u32(msg, VNIMESH_A_MISS_TTL, 1000);
		break;
	case VNIMESH_CMD_SWEEP:
		nla_put_u8(msg, VNIMESH_A_SWEEP_ORIGIN, VNIMESH_ORIGIN_AGENT);
		nla_put_u64(msg, VNIMESH_A_SWEEP_GEN, 99);
		break;
	}
	return msg;
}

static int ignore(const struct vnm_genl_msg *m, void *arg)
{
	(void)m;
	++*(int *)arg;
	return 0;
}

static int perms(void)
{
	static const char *const names[] = {
		"", "mesh-get", "mesh-set", "node-get", "node-set", "node-del",
		"vni-get", "vni-set", "vni-del", "service-get", "service-set",
		"service-del", "member-get", "member-set", "member-del",
		"flow-get", "flow-del", "resolve", "route-get", "agent-bind",
		"miss-answer", "sweep",
	};
	static const uint8_t dumps[] = {
		VNIMESH_CMD_MESH_GET, VNIMESH_CMD_NODE_GET, VNIMESH_CMD_VNI_GET,
		VNIMESH_CMD_SERVICE_GET, VNIMESH_CMD_MEMBER_GET,
		VNIMESH_CMD_FLOW_GET,
	};
	struct vnm_error e;
	int rows, err;
	uint8_t cmd;
	size_t i;

	vnm_genl_set_timeout(genl, 20000);
	for (cmd = 1; cmd <= VNIMESH_CMD_SWEEP; cmd++) {
		if (cmd == VNIMESH_CMD_FLOW_GET)
			continue;
		rows = 0;
		err = cmd == VNIMESH_CMD_RESOLVE ?
			vnm_genl_query(genl, well_formed(cmd, false), ignore,
				       &rows, &e) :
			vnm_genl_request(genl, well_formed(cmd, false), ignore,
					 &rows, &e);
		printf("%s do %s\n", names[cmd], err ? strerrorname_np(-err) :
		       "ok");
	}
	for (i = 0; i < sizeof(dumps); i++) {
		rows = 0;
		err = vnm_genl_dump(genl, well_formed(dumps[i], true), ignore,
				    &rows, &e);
		printf("%s dump %s\n", names[dumps[i]],
		       err ? strerrorname_np(-err) : rows ? "ok" : "empty");
	}
	return 0;
}

static int changelink(const char *dev)
{
	struct ifinfomsg ifi = { .ifi_index = (int)if_nametoindex(dev) };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, 0);
	struct nlattr *info, *data;
	struct vnm_error e;
	struct vnm_nl *nl;

	if (vnm_nl_open(&nl, NETLINK_ROUTE, NULL, &e))
		return fail(&e);
	if (!msg || nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO))
		abort();
	info = nla_nest_start(msg, IFLA_LINKINFO);
	nla_put_string(msg, IFLA_INFO_KIND, VNIMESH_LINK_KIND);
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	nla_put_u32(msg, IFLA_VNIMESH_VNI_ID, 999);
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return vnm_nl_request(nl, msg, NULL, NULL, &e) ? fail(&e) : 0;
}

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	struct vnm_error e;
	int ret;

	if (!strcmp(cmd, "changelink") && argc == 3)
		return changelink(argv[2]);
	if (vnm_genl_open(&genl, &e))
		return fail(&e);
	if (!strcmp(cmd, "group") && argc == 3)
		return vnm_genl_join(genl, argv[2], &e) ? fail(&e) : 0;
	if (argc < 3)
		return 2;
	ifindex = argc == 4 && !strcmp(cmd, "perms") ?
		(uint32_t)atoi(argv[3]) : if_nametoindex(argv[2]);
	if (!ifindex) {
		perror(argv[2]);
		return 1;
	}
	if (!strcmp(cmd, "fill"))
		return fill(argv + 3, argc - 3);
	if (!strcmp(cmd, "empty"))
		return empty(argv + 3, argc - 3);
	if (!strcmp(cmd, "dump"))
		return dump(argv + 3, argc - 3);
	if (!strcmp(cmd, "sweep"))
		return sweep(argv + 3, argc - 3);
	if (!strcmp(cmd, "perms"))
		return perms();
	if (!strcmp(cmd, "bind")) {
		ret = claim(false);
		return ret ? ret : claim(true);
	}
	return 2;
}
