// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * failnth - every netlink command with every allocation failing in turn.
 *
 *   failnth DEV
 *	DEV is a mesh device with the service prefixes 10.96.0.0/16 and
 *	fd77:96::/64 on a kernel with CONFIG_FAILSLAB, in a netns of its own.
 *
 * For each command and N = 1, 2, ...: the Nth allocation that this task makes in
 * the kernel fails (/proc/self/fail-nth), until a run gets through without a
 * failure. A command that was refused must have changed nothing, one that was
 * accepted all it says, and one whose answer was lost either; what the
 * dumps show tells. Then it is undone and N goes up.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "nlraw.h"

#define NTH_MAX	400		/* allocations of one command, at most */
#define LOST	1		/* the answer was lost: outcome unknown */

static char dev[IF_NAMESIZE];
static int nth_fd;

static void fail_nth(int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", n);

	if (pwrite(nth_fd, text, len, 0) != len)
		die("/proc/self/fail-nth");
}

/* Stops it, and tells whether an allocation failed. */
static bool failed(void)
{
	char text[16] = "";

	if (pread(nth_fd, text, sizeof(text) - 1, 0) < 1)
		die("/proc/self/fail-nth");
	fail_nth(0);
	return atoi(text) == 0;
}

/* What a dump shows, without what changes by itself. */
struct shot {
	uint64_t sum[5];
	unsigned int n[5];
	bool link;		/* "failing0" is there */
};

static const uint16_t *volatile_of(uint8_t cmd)
{
	static const uint16_t node[] = { VNIMESH_A_NODE_AGE, 0 };
	static const uint16_t vni[] = { VNIMESH_A_VNI_AGE, 0 };
	static const uint16_t service[] = { VNIMESH_A_SERVICE_AGE,
					    VNIMESH_A_SERVICE_USED, 0 };
	static const uint16_t member[] = { VNIMESH_A_MEMBER_AGE, 0 };
	static const uint16_t mesh[] = { VNIMESH_A_MESH_STATS,
					 VNIMESH_A_MESH_GENERATION, 0 };

	switch (cmd) {
	case VNIMESH_CMD_NODE_GET:
		return node;
	case VNIMESH_CMD_VNI_GET:
		return vni;
	case VNIMESH_CMD_SERVICE_GET:
		return service;
	case VNIMESH_CMD_MEMBER_GET:
		return member;
	}
	return mesh;
}

struct summing {
	const uint16_t *skip;
	uint64_t *sum;
	unsigned int *n;
};

static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)	/* FNV-1a */
		h = (h ^ *p++) * 0x100000001b3ULL;
	return h;
}

static void sum_row(const struct nlmsghdr *h, void *arg)
{
	const char *p = (const char *)NLMSG_DATA(h) + GENL_HDRLEN;
	const char *end = (const char *)h + h->nlmsg_len;
	uint64_t row = 0xcbf29ce484222325ULL;
	struct summing *s = arg;

	while (p + NLA_HDRLEN <= end) {
		const struct nlattr *a = (const void *)p;
		const uint16_t *skip = s->skip;

		while (*skip && *skip != (a->nla_type & NLA_TYPE_MASK))
			skip++;
		if (!*skip)
			row = mix(row, a, a->nla_len);
		p += NLA_ALIGN(a->nla_len);
	}
	*s->sum += row;	/* the order of rows is free */
	(*s->n)++;
}

static void look(struct shot *shot)
{
	static const uint8_t cmds[5] = {
		VNIMESH_CMD_MESH_GET, VNIMESH_CMD_NODE_GET, VNIMESH_CMD_VNI_GET,
		VNIMESH_CMD_SERVICE_GET, VNIMESH_CMD_MEMBER_GET,
	};
	struct ack ack;
	struct msg m;
	unsigned int i;

	memset(shot, 0, sizeof(*shot));
	shot->link = if_nametoindex("failing0");
	for (i = 0; i < N(cmds); i++) {
		struct summing s = { volatile_of(cmds[i]), &shot->sum[i],
				     &shot->n[i] };

		start(&m, cmds[i], NLM_F_DUMP);
		put_u32(&m, 1, ifindex);
		talk_on(fd, &m, &ack, sum_row, &s);
		if (ack.err) {
			errno = -ack.err;
			die("dump");
		}
	}
}

static bool same(const struct shot *a, const struct shot *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* Sends @m with the allocation @n failing; 0, an error, or LOST. With
 * @through, also while the answer is read: dumps are made there.
 */
static int attempt(int s, struct msg *m, int n, bool through, bool *hit)
{
	static char buf[1 << 18];
	int err = LOST, got = 0;
	ssize_t len;

	m->h.nlmsg_seq = ++seq;
	fail_nth(n);
	len = send(s, m, m->h.nlmsg_len, 0);
	if (!through)
		*hit = failed();
	if (len < 0) {
		err = -errno;
		if (through)
			*hit = failed();
		return err;
	}
	while (err == LOST) {
		struct nlmsghdr *h = (void *)buf;

		len = recv(s, buf, sizeof(buf), 0);
		if (len < 0) {
			/* ENOBUFS, ENOMEM: what was to come is gone. */
			if (errno == EAGAIN)
				die("no answer, and no error");
			if (errno == EINTR)
				continue;
			break;
		}
		for (; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type == NLMSG_ERROR ||
			    h->nlmsg_type == NLMSG_DONE)
				memcpy(&err, NLMSG_DATA(h), sizeof(err));
			else
				got++;
		}
	}
	if (through)
		*hit = failed();
	return err;
}

static int route_socket(void)
{
	struct timeval limit = { .tv_sec = 30 };
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		die("rtnetlink");
	return s;
}

static int route_fd;

/* A socket that lost a message may still hold another. */
static void drain(int s)
{
	char buf[8192];

	while (recv(s, buf, sizeof(buf), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
}

struct step {
	const char *name;
	void (*make)(struct msg *m);
	void (*undo)(struct msg *m);	/* NULL: it changes nothing */
	bool link;			/* by rtnetlink */
	bool asks;			/* a dump, or it only reads */
	bool keep;			/* later steps need it */
};

/* One N. Returns false when the command ran without any failure. */
static bool try_nth(const struct step *step, int n, bool *ok)
{
	int s = step->link ? route_fd : fd, err;
	struct shot before, after, undone;
	struct ack ack;
	struct msg m;
	bool hit = false;

	look(&before);
	step->make(&m);
	err = attempt(s, &m, n, step->asks, &hit);
	drain(s);
	look(&after);
	if (err < 0 && !same(&before, &after)) {
		printf("# %s: allocation %d: refused (%s), but rows changed\n",
		       step->name, n, strerror(-err));
		*ok = false;
	}
	if (!err && step->undo && same(&before, &after)) {
		printf("# %s: allocation %d: accepted, but nothing changed\n",
		       step->name, n);
		*ok = false;
	}
	if (!hit && err) {
		printf("# %s: without a failure: %s\n", step->name,
		       err == LOST ? "no answer" : strerror(-err));
		*ok = false;
	}
	if (err < 0 && err != -ENOMEM && err != -ENOBUFS)
		printf("# %s: allocation %d: %s\n", step->name, n, strerror(-err));
	if (!step->undo || same(&before, &after) || (step->keep && !hit))
		return hit;
	step->undo(&m);
	talk_on(s, &m, &ack, NULL, NULL);
	look(&undone);
	if (ack.err || !same(&before, &undone)) {
		printf("# %s: allocation %d: undone: %s%s\n", step->name, n,
		       strerror(-ack.err), same(&before, &undone) ? "" :
		       ", but something stays");
		*ok = false;
	}
	return hit;
}

static void run(const struct step *step)
{
	bool ok = true;
	int n;

	for (n = 1; n <= NTH_MAX; n++)
		if (!try_nth(step, n, &ok))
			break;
	result(ok && n <= NTH_MAX, "%s: each of %d allocations failed once",
	       step->name, n - 1);
}

/* The commands. */

static void node_set(struct msg *m)
{
	uint32_t at;

	start(m, VNIMESH_CMD_NODE_SET, NLM_F_CREATE);
	put_u32(m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_NODE_ID, 9);
	put_ip(m, VNIMESH_A_NODE_ADDR, "192.0.2.19");
	put_str(m, VNIMESH_A_NODE_NAME, "nine");
	at = nest(m, VNIMESH_A_NODE_PREFIXES);
	put_prefix(m, 1, "10.77.9.0", 24);
	put_prefix(m, 1, "10.77.19.0", 24);
	put_prefix(m, 1, "fd77:0:0:9::", 64);
	end_nest(m, at);
}

static void node_del(struct msg *m)
{
	start(m, VNIMESH_CMD_NODE_DEL, 0);
	put_u32(m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_NODE_ID, 9);
}

static void node_prefixes(struct msg *m, bool more)
{
	uint32_t at;

	start(m, VNIMESH_CMD_NODE_SET, 0);
	put_u32(m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_NODE_ID, 9);
	put_ip(m, VNIMESH_A_NODE_ADDR, more ? "192.0.2.20" : "192.0.2.19");
	at = nest(m, VNIMESH_A_NODE_PREFIXES);
	put_prefix(m, 1, "10.77.9.0", 24);
	put_prefix(m, 1, "10.77.19.0", 24);
	put_prefix(m, 1, "fd77:0:0:9::", 64);
	if (more)
		put_prefix(m, 1, "10.77.29.0", 24);
	end_nest(m, at);
}

static void node_more(struct msg *m) { node_prefixes(m, true); }
static void node_less(struct msg *m) { node_prefixes(m, false); }

static void vni_set(struct msg *m)
{
	start(m, VNIMESH_CMD_VNI_SET, NLM_F_CREATE);
	put_u32(m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_VNI_ID, 910);
	put_u32(m, VNIMESH_A_VNI_NODE_ID, 9);
	put_ip(m, VNIMESH_A_VNI_ADDR4, "10.77.9.10");
	put_ip(m, VNIMESH_A_VNI_ADDR6, "fd77:0:0:9::10");
}

static void vni_del(struct msg *m)
{
	start(m, VNIMESH_CMD_VNI_DEL, 0);
	put_u32(m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_VNI_ID, 910);
}

static void vni_addr(struct msg *m, const char *addr)
{
	start(m, VNIMESH_CMD_VNI_SET, 0);
	put_u32(m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_VNI_ID, 910);
	put_ip(m, VNIMESH_A_VNI_ADDR4, addr);
}

static void vni_move(struct msg *m) { vni_addr(m, "10.77.9.11"); }
static void vni_back(struct msg *m) { vni_addr(m, "10.77.9.10"); }

static void service(struct msg *m, uint16_t flags, uint16_t port)
{
	uint32_t at;

	start(m, VNIMESH_CMD_SERVICE_SET, flags);
	put_u32(m, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_SERVICE_TAG, "failing");
	if (flags) {
		put_ip(m, VNIMESH_A_SERVICE_ADDR4, "10.96.9.9");
		put_ip(m, VNIMESH_A_SERVICE_ADDR6, "fd77:96::99");
	}
	at = nest(m, VNIMESH_A_SERVICE_PORTS);
	put_rule(m, IPPROTO_TCP, port);
	end_nest(m, at);
}

static void service_set(struct msg *m) { service(m, NLM_F_CREATE, 80); }
static void service_port(struct msg *m) { service(m, 0, 81); }
static void service_back(struct msg *m) { service(m, 0, 80); }

static void service_del(struct msg *m)
{
	start(m, VNIMESH_CMD_SERVICE_DEL, 0);
	put_u32(m, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_SERVICE_TAG, "failing");
}

static void member(struct msg *m, uint16_t flags, uint16_t target)
{
	uint32_t at, rule;

	start(m, VNIMESH_CMD_MEMBER_SET, flags);
	put_u32(m, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_MEMBER_TAG, "failing");
	put_u32(m, VNIMESH_A_MEMBER_VNI_ID, 910);
	at = nest(m, VNIMESH_A_MEMBER_PORTS);
	rule = nest(m, 1);
	put_u8(m, VNIMESH_A_PORT_PROTO, IPPROTO_TCP);
	put_port(m, VNIMESH_A_PORT_PORT, 80);
	put_port(m, VNIMESH_A_PORT_TARGET, target);
	end_nest(m, rule);
	end_nest(m, at);
}

static void member_set(struct msg *m) { member(m, NLM_F_CREATE, 80); }
static void member_port(struct msg *m) { member(m, 0, 82); }
static void member_back(struct msg *m) { member(m, 0, 80); }

static void member_del(struct msg *m)
{
	start(m, VNIMESH_CMD_MEMBER_DEL, 0);
	put_u32(m, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_MEMBER_TAG, "failing");
	put_u32(m, VNIMESH_A_MEMBER_VNI_ID, 910);
}

static void mesh_hold(struct msg *m, uint32_t v)
{
	start(m, VNIMESH_CMD_MESH_SET, 0);
	put_u32(m, VNIMESH_A_MESH_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_MESH_HOLD_MAX, v);
	put_prefix(m, VNIMESH_A_MESH_SERVICE_PREFIX4, "10.96.0.0", v == 7 ? 17 : 16);
}

static void mesh_set(struct msg *m) { mesh_hold(m, 7); }
static void mesh_back(struct msg *m) { mesh_hold(m, 1024); }

static void dump_of(struct msg *m, uint8_t cmd)
{
	start(m, cmd, NLM_F_DUMP);
	put_u32(m, 1, ifindex);
}

static void mesh_dump(struct msg *m) { dump_of(m, VNIMESH_CMD_MESH_GET); }
static void node_dump(struct msg *m) { dump_of(m, VNIMESH_CMD_NODE_GET); }
static void vni_dump(struct msg *m) { dump_of(m, VNIMESH_CMD_VNI_GET); }
static void service_dump(struct msg *m) { dump_of(m, VNIMESH_CMD_SERVICE_GET); }
static void member_dump(struct msg *m) { dump_of(m, VNIMESH_CMD_MEMBER_GET); }
static void flow_dump(struct msg *m) { dump_of(m, VNIMESH_CMD_FLOW_GET); }

static void node_get(struct msg *m)
{
	start(m, VNIMESH_CMD_NODE_GET, 0);
	put_u32(m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_NODE_ID, 9);
}

static void mesh_get(struct msg *m)
{
	start(m, VNIMESH_CMD_MESH_GET, 0);
	put_u32(m, VNIMESH_A_MESH_IFINDEX, ifindex);
}

static void vni_get(struct msg *m)
{
	start(m, VNIMESH_CMD_VNI_GET, 0);
	put_u32(m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_VNI_ID, 910);
}

static void service_get(struct msg *m)
{
	start(m, VNIMESH_CMD_SERVICE_GET, 0);
	put_u32(m, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_SERVICE_TAG, "failing");
}

static void member_get(struct msg *m)
{
	start(m, VNIMESH_CMD_MEMBER_GET, 0);
	put_u32(m, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_MEMBER_TAG, "failing");
	put_u32(m, VNIMESH_A_MEMBER_VNI_ID, 910);
}

static void route_get(struct msg *m)
{
	start(m, VNIMESH_CMD_ROUTE_GET, 0);
	put_u32(m, VNIMESH_A_ROUTE_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_ROUTE_TAG, "failing");
	put_u8(m, VNIMESH_A_ROUTE_PROTO, IPPROTO_TCP);
	put_port(m, VNIMESH_A_ROUTE_DPORT, 80);
}

static void resolve(struct msg *m)
{
	start(m, VNIMESH_CMD_RESOLVE, 0);
	put_u32(m, VNIMESH_A_ROUTE_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_ROUTE_TAG, "failing");
}

static void bind_agent(struct msg *m)
{
	start(m, VNIMESH_CMD_AGENT_BIND, 0);
	put_u32(m, VNIMESH_A_MISS_IFINDEX, ifindex);
}

static void unbind_agent(struct msg *m)
{
	bind_agent(m);
	put(m, VNIMESH_A_MISS_RELEASE, NULL, 0);
}

static void miss_answer(struct msg *m)
{
	start(m, VNIMESH_CMD_MISS_ANSWER, 0);
	put_u32(m, VNIMESH_A_MISS_IFINDEX, ifindex);
	put_ip(m, VNIMESH_A_MISS_ADDR, "10.96.7.7");
	put_u8(m, VNIMESH_A_MISS_VERDICT, VNIMESH_VERDICT_NO_SERVICE);
	put_u32(m, VNIMESH_A_MISS_TTL, 1000);
}

static void miss_answer_tag(struct msg *m)
{
	start(m, VNIMESH_CMD_MISS_ANSWER, 0);
	put_u32(m, VNIMESH_A_MISS_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_MISS_TAG, "nowhere");
	put_u8(m, VNIMESH_A_MISS_VERDICT, VNIMESH_VERDICT_NO_SERVICE);
	put_u32(m, VNIMESH_A_MISS_TTL, 1000);
}

static void sweep(struct msg *m)
{
	start(m, VNIMESH_CMD_SWEEP, 0);
	put_u32(m, VNIMESH_A_SWEEP_IFINDEX, ifindex);
	put_u8(m, VNIMESH_A_SWEEP_ORIGIN, VNIMESH_ORIGIN_AGENT);
	put_u64(m, VNIMESH_A_SWEEP_GEN, 2);
}

static void member_of_agent(struct msg *m)
{
	member(m, NLM_F_CREATE, 80);
	put_u8(m, VNIMESH_A_MEMBER_ORIGIN, VNIMESH_ORIGIN_AGENT);
	put_u64(m, VNIMESH_A_MEMBER_GEN, 1);
}

static void flow_del(struct msg *m)
{
	start(m, VNIMESH_CMD_FLOW_DEL, 0);
	put_u32(m, VNIMESH_A_FLOW_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_FLOW_TAG, "failing");
}

/* rtnetlink: a struct ifinfomsg stands where generic netlink has its header. */
static void start_link(struct msg *m, uint16_t type, uint16_t flags, const char *name)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };

	memset(m, 0, sizeof(*m));
	m->h.nlmsg_len = NLMSG_LENGTH(sizeof(info));
	m->h.nlmsg_type = type;
	m->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	memcpy(NLMSG_DATA(&m->h), &info, sizeof(info));
	put_str(m, IFLA_IFNAME, name);
}

static void new_link(struct msg *m, bool mesh)
{
	uint32_t info, data;

	start_link(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "failing0");
	if (!mesh)
		put_u32(m, IFLA_LINK, ifindex);
	info = nest(m, IFLA_LINKINFO);
	put_str(m, IFLA_INFO_KIND, VNIMESH_LINK_KIND);
	data = nest(m, IFLA_INFO_DATA);
	put_u32(m, IFLA_VNIMESH_VNI_ID, mesh ? 801 : 190);
	if (mesh) {
		put_u32(m, IFLA_VNIMESH_MESH_ID, 88);
		put_u32(m, IFLA_VNIMESH_NODE_ID, 8);
		put_ip(m, IFLA_VNIMESH_LOCAL, "127.0.0.1");
		put_port(m, IFLA_VNIMESH_PORT, 6099);
	} else {
		put_ip(m, IFLA_VNIMESH_ADDR4, "10.77.1.90");
		put_ip(m, IFLA_VNIMESH_ADDR6, "fd77:0:0:1::90");
	}
	end_nest(m, data);
	end_nest(m, info);
}

static void new_vni(struct msg *m) { new_link(m, false); }
static void new_mesh(struct msg *m) { new_link(m, true); }
static void del_link(struct msg *m) { start_link(m, RTM_DELLINK, 0, "failing0"); }

static const struct step steps[] = {
	{ .name = "node set, new",
	  .make = node_set, .undo = node_del, .keep = true },
	{ .name = "node set, prefixes and address",
	  .make = node_more, .undo = node_less },
	{ .name = "node get", .make = node_get, .asks = true },
	{ .name = "vni set, new", .make = vni_set, .undo = vni_del, .keep = true },
	{ .name = "vni set, address", .make = vni_move, .undo = vni_back },
	{ .name = "service set, new",
	  .make = service_set, .undo = service_del, .keep = true },
	{ .name = "service set, ports", .make = service_port, .undo = service_back },
	{ .name = "member set, new",
	  .make = member_set, .undo = member_del, .keep = true },
	{ .name = "member set, ports", .make = member_port, .undo = member_back },
	{ .name = "mesh set", .make = mesh_set, .undo = mesh_back },
	{ .name = "mesh get", .make = mesh_get, .asks = true },
	{ .name = "vni get", .make = vni_get, .asks = true },
	{ .name = "service get", .make = service_get, .asks = true },
	{ .name = "member get", .make = member_get, .asks = true },
	{ .name = "route get", .make = route_get, .asks = true },
	{ .name = "resolve", .make = resolve, .asks = true },
	{ .name = "agent bind",
	  .make = bind_agent, .undo = unbind_agent, .keep = true },
	{ .name = "miss answer", .make = miss_answer },
	{ .name = "miss answer by tag", .make = miss_answer_tag },
	{ .name = "mesh dump", .make = mesh_dump, .asks = true },
	{ .name = "node dump", .make = node_dump, .asks = true },
	{ .name = "vni dump", .make = vni_dump, .asks = true },
	{ .name = "service dump", .make = service_dump, .asks = true },
	{ .name = "member dump", .make = member_dump, .asks = true },
	{ .name = "flow dump", .make = flow_dump, .asks = true },
	{ .name = "flow del", .make = flow_del },
	{ .name = "agent release",
	  .make = unbind_agent, .undo = bind_agent, .keep = true },
	{ .name = "member del",
	  .make = member_del, .undo = member_set, .keep = true },
	{ .name = "member set, of the agent",
	  .make = member_of_agent, .undo = member_del, .keep = true },
	{ .name = "sweep", .make = sweep, .undo = member_of_agent, .keep = true },
	{ .name = "service del",
	  .make = service_del, .undo = service_set, .keep = true },
	{ .name = "vni del", .make = vni_del, .undo = vni_set, .keep = true },
	{ .name = "node del", .make = node_del, .undo = node_set, .keep = true },
	{ .name = "newlink of a mesh",
	  .make = new_mesh, .undo = del_link, .link = true },
};

/* A new VNI may leave the record that it taught the mesh. */
static void warm_up(void)
{
	struct ack ack;
	struct msg m;

	new_vni(&m);
	talk_on(route_fd, &m, &ack, NULL, NULL);
	del_link(&m);
	talk_on(route_fd, &m, &ack, NULL, NULL);
}

int main(int argc, char **argv)
{
	static const struct step vni = {
		.name = "newlink of a VNI", .make = new_vni, .undo = del_link, .link = true,
	};
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: failnth DEV\n");
		return 2;
	}
	nth_fd = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth_fd < 0) {
		printf("1..0 # SKIP the kernel has no /proc/self/fail-nth\n");
		return 4;
	}
	snprintf(dev, sizeof(dev), "%s", argv[1]);
	fd = open_socket();
	route_fd = route_socket();
	find_family();
	ifindex = if_nametoindex(dev);
	if (!ifindex)
		die(dev);
	for (i = 0; i < N(steps); i++)
		run(&steps[i]);

	warm_up();
	run(&vni);
	printf("1..%u\n", n_tests);
	return n_failed ? 1 : 0;
}
