// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every bad request there is, to the family "vnimesh" as raw netlink: each
 * attribute missing, of a wrong length, out of range, unknown or read only, and
 * contradictory ones. Each must be refused with the right errno and an extack that
 * names the attribute (by text, by offset, or as missing), and must change nothing.
 *
 *	nlbad MESH			as root, on a mesh of this netns that may be
 *					written to; it is left as it was
 *	nlbad --unprivileged DEV...	each command on each vnimesh device of this
 *					netns is refused for want of privilege,
 *					but for resolve and a VNI's own record
 *
 * Prints TAP.
 */
#include "nlbad.h"
#include "nlraw.h"

/* ---- what is there, but for what time changes ---- */

struct digest {
	uint64_t sum;
	const struct attr *attrs;
	int age, stats;
};

static void add_row(const struct nlmsghdr *h, void *arg)
{
	const char *p = (const char *)NLMSG_DATA(h) + GENL_HDRLEN;
	const char *end = (const char *)h + h->nlmsg_len;
	struct digest *d = arg;

	while (p < end) {
		const struct nlattr *a = (const void *)p;
		int type = a->nla_type & NLA_TYPE_MASK, i;

		if (type != d->age && type != d->stats)
			for (i = 0; i < a->nla_len; i++)
				d->sum = (d->sum ^ (unsigned char)p[i]) *
					 0x100000001b3;
		p += NLA_ALIGN(a->nla_len);
	}
}

static uint64_t digest(void)
{
	static const struct { uint8_t cmd; int age, stats; } dumps[] = {
		{ VNIMESH_CMD_MESH_GET, -1, VNIMESH_A_MESH_STATS },
		{ VNIMESH_CMD_NODE_GET, VNIMESH_A_NODE_AGE, -1 },
		{ VNIMESH_CMD_VNI_GET, VNIMESH_A_VNI_AGE, -1 },
		{ VNIMESH_CMD_SERVICE_GET, VNIMESH_A_SERVICE_AGE, -1 },
		{ VNIMESH_CMD_MEMBER_GET, VNIMESH_A_MEMBER_AGE, -1 },
	};
	struct digest d = { .sum = 0xcbf29ce484222325 };
	struct ack ack;
	struct msg m;
	size_t i;

	for (i = 0; i < N(dumps); i++) {
		d.age = dumps[i].age;
		d.stats = dumps[i].stats;
		start(&m, dumps[i].cmd, NLM_F_DUMP);
		put_u32(&m, 1, ifindex);
		talk_on(fd, &m, &ack, add_row, &d);
		if (ack.err) {
			errno = -ack.err;
			die("dump");
		}
	}
	return d.sum;
}

/* ---- results ---- */

/* Does the text have @name as a word? */
static bool says(const char *text, const char *name)
{
	size_t len = strlen(name);
	const char *p = text;

	for (; (p = strstr(p, name)); p++)
		if ((p == text || strchr(" :,", p[-1])) &&
		    strchr(" :,", p[len]))
			return true;
	return false;
}

/* Does the offset point into attribute @type of the request? */
static bool points(const struct msg *m, uint32_t offset, int type)
{
	uint32_t at = NLMSG_LENGTH(GENL_HDRLEN);

	while (offset && at < m->h.nlmsg_len) {
		const struct nlattr *a = (const void *)((const char *)m + at);

		if (offset >= at && offset < at + NLA_ALIGN(a->nla_len))
			return (a->nla_type & NLA_TYPE_MASK) == type;
		at += NLA_ALIGN(a->nla_len);
	}
	return false;
}

static uint64_t before;

/* @errs: two that are right, the second may be 0. */
static void refused(struct msg *m, const char *command, const char *what,
		    int type, const char *name, int err1, int err2)
{
	bool errno_ok, named, same;
	struct ack ack;
	uint64_t after;

	talk(m, &ack);
	after = digest();
	errno_ok = ack.err == -err1 || (err2 && ack.err == -err2);
	named = says(ack.text, name) || (int)ack.missing == type ||
		points(m, ack.offset, type);
	same = after == before;
	before = after;
	if (result(errno_ok && named && same, "%s: %s: %s", command, name, what))
		return;
	printf("#   got %s, wanted %s%s%s; text \"%s\", offset %u, missing %u%s%s\n",
	       strerror(-ack.err), strerror(err1), err2 ? " or " : "",
	       err2 ? strerror(err2) : "", ack.text, ack.offset, ack.missing,
	       named ? "" : "; not named", same ? "" : "; the tables changed");
}

/* ---- the mesh to work on ---- */

#define NODE1	900
#define NODE2	901
#define VNI1	9001
#define VNI2	9101

static void prepare_node(uint32_t id, const char *addr, const char *prefix4,
			 const char *prefix6)
{
	struct msg m;
	uint32_t at;

	start(&m, VNIMESH_CMD_NODE_SET, NLM_F_CREATE);
	put_u32(&m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_NODE_ID, id);
	put_ip(&m, VNIMESH_A_NODE_ADDR, addr);
	at = nest(&m, VNIMESH_A_NODE_PREFIXES);
	put_prefix(&m, 1, prefix4, 16);
	put_prefix(&m, 2, prefix6, 32);
	end_nest(&m, at);
	done(&m, "node-set");
}

static void prepare_vni(uint32_t id, uint32_t node, const char *addr4,
			const char *addr6)
{
	struct msg m;

	start(&m, VNIMESH_CMD_VNI_SET, NLM_F_CREATE);
	put_u32(&m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_VNI_ID, id);
	put_u32(&m, VNIMESH_A_VNI_NODE_ID, node);
	put_ip(&m, VNIMESH_A_VNI_ADDR4, addr4);
	put_ip(&m, VNIMESH_A_VNI_ADDR6, addr6);
	done(&m, "vni-set");
}

static void service_set(struct msg *m, uint16_t flags, const char *tag)
{
	start(m, VNIMESH_CMD_SERVICE_SET, flags);
	put_u32(m, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_SERVICE_TAG, tag);
}

static void member_set(struct msg *m, uint16_t flags, const char *tag,
		       uint32_t vni)
{
	start(m, VNIMESH_CMD_MEMBER_SET, flags);
	put_u32(m, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	put_str(m, VNIMESH_A_MEMBER_TAG, tag);
	put_u32(m, VNIMESH_A_MEMBER_VNI_ID, vni);
}

static void prepare(void)
{
	struct msg m;
	uint32_t at;

	start(&m, VNIMESH_CMD_MESH_SET, 0);
	put_u32(&m, VNIMESH_A_MESH_IFINDEX, ifindex);
	put_prefix(&m, VNIMESH_A_MESH_SERVICE_PREFIX4, "10.96.0.0", 16);
	put_prefix(&m, VNIMESH_A_MESH_SERVICE_PREFIX6, "fd77:96::", 64);
	done(&m, "mesh-set");
	prepare_node(NODE1, "192.0.2.190", "10.190.0.0", "fd90::");
	prepare_node(NODE2, "192.0.2.191", "10.191.0.0", "fd91::");
	prepare_vni(VNI1, NODE1, "10.190.0.1", "fd90::1");
	prepare_vni(VNI2, NODE2, "10.191.0.1", "fd91::1");
	service_set(&m, NLM_F_CREATE, "bad");
	put_ip(&m, VNIMESH_A_SERVICE_ADDR4, "10.96.99.1");
	at = nest(&m, VNIMESH_A_SERVICE_PORTS);
	put_rule(&m, IPPROTO_TCP, 80);
	end_nest(&m, at);
	done(&m, "service-set");
	service_set(&m, NLM_F_CREATE, "bad6");
	put_ip(&m, VNIMESH_A_SERVICE_ADDR6, "fd77:96::99");
	done(&m, "service-set");
	member_set(&m, NLM_F_CREATE, "bad", VNI1);
	done(&m, "member-set");
}

static void del(uint8_t cmd, const char *tag, uint32_t id)
{
	struct msg m;

	start(&m, cmd, 0);
	put_u32(&m, 1, ifindex);
	if (tag)
		put_str(&m, 2, tag);
	else
		put_u32(&m, 2, id);
	done(&m, "del");
}

static void clean(void)
{
	del(VNIMESH_CMD_SERVICE_DEL, "bad", 0);
	del(VNIMESH_CMD_SERVICE_DEL, "bad6", 0);
	del(VNIMESH_CMD_VNI_DEL, NULL, VNI1);
	del(VNIMESH_CMD_VNI_DEL, NULL, VNI2);
	del(VNIMESH_CMD_NODE_DEL, NULL, NODE1);
	del(VNIMESH_CMD_NODE_DEL, NULL, NODE2);
}

/* ---- each attribute of each command ---- */

/* A value that is good by itself. Rows that are named exist, but for those
 * that a set would create.
 */
static void put_good(struct msg *m, const struct command *c, int type)
{
	const struct attr *a = &c->attrs[type];
	bool vni = c->attrs == vni_attrs, node = c->attrs == node_attrs;

	if (type == 1) {
		put_u32(m, type, ifindex);
		return;
	}
	switch (a->kind) {
	case TAG:
		put_str(m, type, "bad");
		break;
	case STRING:
		put_str(m, type, "x");
		break;
	case IP:
		put_ip(m, type, "10.96.99.77");
		break;
	case IP4:
		put_ip(m, type, vni ? "10.190.0.1" : node ? "192.0.2.199" :
		       "10.96.99.1");
		break;
	case IP6:
		put_ip(m, type, vni ? "fd90::1" : "fd77:96::1");
		break;
	case U8:
		put_u8(m, type, strcmp(a->name, "proto") ? a->max : IPPROTO_TCP);
		break;
	case U16:
		put_port(m, type, 80);
		break;
	case U32:
		if (node)
			put_u32(m, type, c->create ? 999 : NODE1);
		else
			put_u32(m, type, !strcmp(a->name, "node-id") ? NODE1 :
				a->max == 0xffffffff ? VNI1 : a->min);
		break;
	case U64:
		put_u64(m, type, 7);
		break;
	default:
		put(m, type, NULL, 0);
	}
}

static bool taken(const struct command *c, int type)
{
	if (c->takes)
		return c->takes >> type & 1;
	return type <= c->max && c->attrs[type].name;
}

/* All that the command needs, but for @without. */
static void start_good(struct msg *m, const struct command *c, int without)
{
	int type;

	start(m, c->cmd, c->create ? NLM_F_CREATE : 0);
	for (type = 1; type <= c->max; type++)
		if (c->needs >> type & 1 && type != without)
			put_good(m, c, type);
}

static size_t size_of(enum kind kind)
{
	static const size_t sizes[] = {
		[U8] = 1, [U16] = 2, [U32] = 4, [U64] = 8, [IP4] = 4, [IP6] = 16,
	};

	return kind < N(sizes) ? sizes[kind] : 0;
}

static void try_length(const struct command *c, int type, size_t len,
		       const char *what)
{
	static const char fill[80] = "a";
	struct msg m;

	start_good(&m, c, type);
	put(&m, type, fill, len);
	refused(&m, c->name, what, type, c->attrs[type].name, EINVAL, ERANGE);
}

static void try_value(const struct command *c, int type, uint64_t v,
		      const char *what)
{
	struct msg m;

	start_good(&m, c, type);
	if (c->attrs[type].kind == U16)
		put_port(&m, type, v);
	else
		put(&m, type, &v, size_of(c->attrs[type].kind));
	refused(&m, c->name, what, type, c->attrs[type].name, ERANGE, EINVAL);
}

static void try_text(const struct command *c, int type)
{
	static const char * const tags[] = {
		"", "-a", "a-", "A", "a.b", "a_b", "a b", "\xc3\xa4",
	};
	const char *name = c->attrs[type].name;
	char text[VNIMESH_TAG_MAX + 2];
	struct msg m;
	size_t i;

	memset(text, 'a', sizeof(text));
	start_good(&m, c, type);
	put(&m, type, text, sizeof(text));
	refused(&m, c->name, "not terminated", type, name, EINVAL, ERANGE);
	/* 64 bytes and the NUL. */
	text[sizeof(text) - 1] = '\0';
	start_good(&m, c, type);
	put(&m, type, text, sizeof(text));
	refused(&m, c->name, "too long", type, name, EINVAL, ERANGE);
	for (i = 0; c->attrs[type].kind == TAG && i < N(tags); i++) {
		start_good(&m, c, type);
		put_str(&m, type, tags[i]);
		refused(&m, c->name, "no tag", type, name, EINVAL, 0);
	}
}

static void try_attr(const struct command *c, int type)
{
	const struct attr *a = &c->attrs[type];
	size_t size = size_of(a->kind);
	struct msg m;

	if (size) {
		try_length(c, type, size - 1, "one byte short");
		try_length(c, type, size + 1, "one byte long");
	}
	switch (a->kind) {
	case IP:
		try_length(c, type, 0, "empty");
		try_length(c, type, 3, "3 bytes");
		try_length(c, type, 8, "8 bytes");
		try_length(c, type, 17, "17 bytes");
		break;
	case FLAG:
		try_length(c, type, 1, "with a value");
		break;
	case TAG:
	case STRING:
		try_text(c, type);
		break;
	case NEST:
		start_good(&m, c, type);
		put_u32(&m, type, 1);
		refused(&m, c->name, "no nest", type, a->name, EINVAL, ERANGE);
		break;
	default:
		break;
	}
	if (a->max && a->min)
		try_value(c, type, a->min - 1, "below its range");
	if (a->max && size && (size == 8 || a->max >> (8 * size - 1) >> 1 == 0) &&
	    a->max + 1 < 1ull << (8 * size))
		try_value(c, type, a->max + 1, "above its range");
	if (!strcmp(a->name, "proto"))
		try_value(c, type, IPPROTO_ICMP, "neither TCP nor UDP");
	if (!strcmp(a->name, "family"))
		try_value(c, type, 3, "neither IPv4 nor IPv6");
}

static void try_command(const struct command *c)
{
	struct msg m;
	int type;

	for (type = 1; type <= c->max; type++) {
		if (c->needs >> type & 1) {
			start_good(&m, c, type);
			refused(&m, c->name, "missing", type,
				c->attrs[type].name, EINVAL, 0);
		}
		if (taken(c, type)) {
			try_attr(c, type);
			continue;
		}
		/* Other attributes of route-get, flow-del, miss-answer are good
		 * ones in other company.
		 */
		if (c->attrs[type].name &&
		    (c->cmd == VNIMESH_CMD_ROUTE_GET ||
		     c->cmd == VNIMESH_CMD_FLOW_DEL ||
		     c->cmd == VNIMESH_CMD_MISS_ANSWER))
			continue;
		start_good(&m, c, 0);
		put_u32(&m, type, 1);
		refused(&m, c->name, "not of this command", type,
			c->attrs[type].name ? c->attrs[type].name : "it",
			EINVAL, ERANGE);
	}
	start_good(&m, c, 0);
	put_u32(&m, c->max + 1, 1);
	refused(&m, c->name, "unknown attribute", c->max + 1, "it", EINVAL, 0);
	start_good(&m, c, 0);
	m.g.reserved = 1;
	refused(&m, c->name, "set", 0xffff, "genlmsghdr.reserved", EINVAL, 0);
	start_good(&m, c, 1);
	put_u32(&m, 1, 0x7ffffff0);
	refused(&m, c->name, "no device", 1, "ifindex", ENODEV, 0);
	start_good(&m, c, 1);
	put_u32(&m, 1, if_nametoindex("lo"));
	refused(&m, c->name, "another kind of device", 1, "ifindex", EINVAL, 0);
}

/* ---- requests that contradict the tables or themselves ---- */

static void node_set(struct msg *m, uint16_t flags, uint32_t id)
{
	start(m, VNIMESH_CMD_NODE_SET, flags);
	put_u32(m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_NODE_ID, id);
}

static void node_prefix(const char *ip, uint8_t len, const char *what, int err)
{
	struct msg m;
	uint32_t at;

	node_set(&m, 0, NODE1);
	at = nest(&m, VNIMESH_A_NODE_PREFIXES);
	put_prefix(&m, 1, "10.192.0.0", 16);
	put_prefix(&m, 2, ip, len);
	end_nest(&m, at);
	refused(&m, "node-set", what, VNIMESH_A_NODE_PREFIXES, "prefixes", err,
		ERANGE);
}

static uint32_t self, self_vni;

static void got_mesh(const struct nlmsghdr *h, void *arg)
{
	(void)arg;
	self = attr_of(h, VNIMESH_A_MESH_NODE_ID);
	self_vni = attr_of(h, VNIMESH_A_MESH_VNI_ID);
}

static void try_nodes(void)
{
	struct msg m;
	struct ack ack;
	uint32_t at;
	int i;

	start(&m, VNIMESH_CMD_MESH_GET, 0);
	put_u32(&m, 1, ifindex);
	talk_on(fd, &m, &ack, got_mesh, NULL);

	node_set(&m, 0, self);
	put_ip(&m, VNIMESH_A_NODE_ADDR, "192.0.2.199");
	refused(&m, "node-set", "of this host", VNIMESH_A_NODE_ADDR, "addr",
		EINVAL, 0);
	node_set(&m, 0, self);
	put_port(&m, VNIMESH_A_NODE_PORT, 99);
	refused(&m, "node-set", "of this host", VNIMESH_A_NODE_PORT, "port",
		EINVAL, 0);
	node_set(&m, 0, self);
	put_u8(&m, VNIMESH_A_NODE_STATE, VNIMESH_STATE_DOWN);
	refused(&m, "node-set", "of this host", VNIMESH_A_NODE_STATE, "state",
		EINVAL, 0);
	node_set(&m, 0, NODE1);
	put_u8(&m, VNIMESH_A_NODE_STATE, VNIMESH_STATE_DRAIN);
	refused(&m, "node-set", "neither up nor down", VNIMESH_A_NODE_STATE,
		"state", ERANGE, 0);
	node_set(&m, 0, NODE1);
	put_ip(&m, VNIMESH_A_NODE_ADDR, "224.0.0.1");
	refused(&m, "node-set", "multicast", VNIMESH_A_NODE_ADDR, "addr",
		EINVAL, 0);
	node_set(&m, 0, NODE1);
	put_ip(&m, VNIMESH_A_NODE_ADDR, "2001:db8::1");
	refused(&m, "node-set", "the other family", VNIMESH_A_NODE_ADDR, "addr",
		EINVAL, 0);
	node_set(&m, 0, 999);
	refused(&m, "node-set", "no such row, without NLM_F_CREATE", 0xffff,
		"exist", ENOENT, 0);
	node_set(&m, NLM_F_CREATE | NLM_F_EXCL, NODE1);
	refused(&m, "node-set", "NLM_F_EXCL", 0xffff, "already", EEXIST, 0);

	node_prefix("10.191.0.0", 16, "another node's", EEXIST);
	node_prefix("10.192.0.0", 16, "the same one twice", EINVAL);
	node_prefix("10.193.0.1", 16, "bits after the prefix", EINVAL);
	node_prefix("10.96.4.0", 24, "inside the service prefix", EINVAL);
	node_prefix("10.0.0.0", 8, "around the service prefix", EINVAL);
	node_prefix("10.194.0.0", 33, "longer than the address", ERANGE);
	node_prefix("fd99::", 129, "longer than any address", ERANGE);
	node_set(&m, 0, NODE1);
	at = nest(&m, VNIMESH_A_NODE_PREFIXES);
	for (i = 0; i <= VNIMESH_PREFIXES_MAX; i++) {
		char ip[32];

		snprintf(ip, sizeof(ip), "10.200.%d.0", i);
		put_prefix(&m, i + 1, ip, 24);
	}
	end_nest(&m, at);
	refused(&m, "node-set", "too many", VNIMESH_A_NODE_PREFIXES, "prefixes",
		E2BIG, 0);

	start(&m, VNIMESH_CMD_NODE_DEL, 0);
	put_u32(&m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_NODE_ID, NODE1);
	refused(&m, "node-del", "has VNIs", VNIMESH_A_NODE_ID, "id", EBUSY, 0);
	start(&m, VNIMESH_CMD_NODE_DEL, 0);
	put_u32(&m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_NODE_ID, self);
	refused(&m, "node-del", "this host", VNIMESH_A_NODE_ID, "id", EINVAL, 0);
	start(&m, VNIMESH_CMD_NODE_DEL, 0);
	put_u32(&m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_NODE_ID, NODE1);
	put_u8(&m, VNIMESH_A_NODE_ORIGIN, VNIMESH_ORIGIN_AGENT);
	refused(&m, "node-del", "the agent's word on a static row",
		VNIMESH_A_NODE_ORIGIN, "origin", EPERM, 0);
	node_set(&m, 0, NODE1);
	put_u8(&m, VNIMESH_A_NODE_ORIGIN, VNIMESH_ORIGIN_AGENT);
	refused(&m, "node-set", "the agent's word on a static row",
		VNIMESH_A_NODE_ORIGIN, "origin", EPERM, 0);
}

static void vni_set(struct msg *m, uint16_t flags, uint32_t id)
{
	start(m, VNIMESH_CMD_VNI_SET, flags);
	put_u32(m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(m, VNIMESH_A_VNI_ID, id);
}

static void vni_addr(const char *ip, const char *what, int err)
{
	bool v6 = strchr(ip, ':');
	int type = v6 ? VNIMESH_A_VNI_ADDR6 : VNIMESH_A_VNI_ADDR4;
	struct msg m;

	vni_set(&m, 0, VNI1);
	put_u8(&m, VNIMESH_A_VNI_HEALTH, 1);
	put_ip(&m, type, ip);
	refused(&m, "vni-set", what, type, v6 ? "addr6" : "addr4", err, 0);
}

static void try_vnis(void)
{
	struct msg m;

	vni_addr("10.191.0.9", "outside the node's prefixes", EINVAL);
	vni_addr("fd91::9", "outside the node's prefixes", EINVAL);
	vni_addr("10.96.0.9", "in the service prefix", EINVAL);
	vni_addr("224.0.0.9", "multicast", EINVAL);
	vni_addr("fe80::9", "link-local", EINVAL);
	vni_set(&m, 0, VNI1);
	put_u32(&m, VNIMESH_A_VNI_NODE_ID, NODE2);
	refused(&m, "vni-set", "another node than before", VNIMESH_A_VNI_NODE_ID,
		"node-id", EINVAL, 0);
	vni_set(&m, NLM_F_CREATE, 9999);
	put_u32(&m, VNIMESH_A_VNI_NODE_ID, 998);
	refused(&m, "vni-set", "no such node", VNIMESH_A_VNI_NODE_ID, "node-id",
		ENOENT, 0);
	start(&m, VNIMESH_CMD_VNI_DEL, 0);
	put_u32(&m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_VNI_ID, VNI1);
	refused(&m, "vni-del", "a member", VNIMESH_A_VNI_ID, "id", EBUSY, 0);
	start(&m, VNIMESH_CMD_VNI_DEL, 0);
	put_u32(&m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_VNI_ID, self_vni);
	refused(&m, "vni-del", "has a device", VNIMESH_A_VNI_ID, "id", EBUSY, 0);
}

static void service_addr(uint16_t flags, const char *tag, const char *ip,
			 const char *what, int err)
{
	bool v6 = strchr(ip, ':');
	int type = v6 ? VNIMESH_A_SERVICE_ADDR6 : VNIMESH_A_SERVICE_ADDR4;
	struct msg m;

	service_set(&m, flags, tag);
	put_ip(&m, type, ip);
	refused(&m, "service-set", what, type, v6 ? "addr6" : "addr4", err, 0);
}

static void try_services(void)
{
	struct msg m;
	uint32_t at, rule;
	int i;

	service_addr(NLM_F_CREATE, "new", "10.97.0.1", "outside the prefix",
		     EINVAL);
	service_addr(NLM_F_CREATE, "new", "fd77:97::1", "outside the prefix",
		     EINVAL);
	service_addr(NLM_F_CREATE, "new", "10.96.99.1", "another service's",
		     EEXIST);
	service_addr(0, "bad", "10.96.99.2", "fixed for life", EINVAL);
	service_addr(0, "bad", "fd77:96::2", "fixed for life", EINVAL);
	service_set(&m, NLM_F_CREATE, "new");
	refused(&m, "service-set", "neither", VNIMESH_A_SERVICE_ADDR4, "addr4",
		EINVAL, 0);

	service_set(&m, 0, "bad");
	at = nest(&m, VNIMESH_A_SERVICE_PORTS);
	put_rule(&m, IPPROTO_UDP, 53);
	put_rule(&m, IPPROTO_TCP, 53);
	put_rule(&m, IPPROTO_UDP, 53);
	end_nest(&m, at);
	refused(&m, "service-set", "the same one twice", VNIMESH_A_SERVICE_PORTS,
		"ports", EINVAL, 0);
	service_set(&m, 0, "bad");
	at = nest(&m, VNIMESH_A_SERVICE_PORTS);
	for (i = 0; i <= VNIMESH_PORTS_MAX; i++)
		put_rule(&m, IPPROTO_TCP, 100 + i);
	end_nest(&m, at);
	refused(&m, "service-set", "too many", VNIMESH_A_SERVICE_PORTS, "ports",
		E2BIG, 0);
	service_set(&m, 0, "bad");
	at = nest(&m, VNIMESH_A_SERVICE_PORTS);
	put_rule(&m, IPPROTO_TCP, 0);
	end_nest(&m, at);
	refused(&m, "service-set", "port 0", VNIMESH_A_SERVICE_PORTS, "ports",
		ERANGE, 0);
	service_set(&m, 0, "bad");
	at = nest(&m, VNIMESH_A_SERVICE_PORTS);
	put_rule(&m, IPPROTO_ICMP, 1);
	end_nest(&m, at);
	refused(&m, "service-set", "neither TCP nor UDP",
		VNIMESH_A_SERVICE_PORTS, "ports", EINVAL, 0);
	service_set(&m, 0, "bad");
	at = nest(&m, VNIMESH_A_SERVICE_PORTS);
	rule = nest(&m, 1);
	put_port(&m, VNIMESH_A_PORT_PORT, 80);
	end_nest(&m, rule);
	end_nest(&m, at);
	refused(&m, "service-set", "a rule without it", VNIMESH_A_PORT_PROTO,
		"proto", EINVAL, 0);
	service_set(&m, 0, "bad");
	at = nest(&m, VNIMESH_A_SERVICE_PORTS);
	rule = nest(&m, 1);
	put_u8(&m, VNIMESH_A_PORT_PROTO, IPPROTO_TCP);
	end_nest(&m, rule);
	end_nest(&m, at);
	refused(&m, "service-set", "a rule without it", VNIMESH_A_PORT_PORT,
		"port", EINVAL, 0);

	member_set(&m, 0, "bad", VNI1);
	put_u32(&m, VNIMESH_A_MEMBER_WEIGHT, 1);
	at = nest(&m, VNIMESH_A_MEMBER_PORTS);
	put_rule(&m, IPPROTO_UDP, 80);
	end_nest(&m, at);
	refused(&m, "member-set", "not of the service", VNIMESH_A_MEMBER_PORTS,
		"ports", EINVAL, 0);
	member_set(&m, NLM_F_CREATE, "bad", 9999);
	refused(&m, "member-set", "no such VNI", VNIMESH_A_MEMBER_VNI_ID,
		"vni-id", ENOENT, 0);
	member_set(&m, NLM_F_CREATE, "none", VNI1);
	refused(&m, "member-set", "no such service", VNIMESH_A_MEMBER_TAG,
		"tag", ENOENT, 0);
	member_set(&m, 0, "bad", VNI2);
	refused(&m, "member-set", "no such row, without NLM_F_CREATE", 0xffff,
		"exist", ENOENT, 0);
}

static void mesh_prefix(int type, const char *ip, uint8_t len, const char *what,
			int err)
{
	struct msg m;

	start(&m, VNIMESH_CMD_MESH_SET, 0);
	put_u32(&m, VNIMESH_A_MESH_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_MESH_HOLD_MAX, 7);
	put_prefix(&m, type, ip, len);
	refused(&m, "mesh-set", what, type, "service-prefix", err, 0);
}

static void route(struct msg *m, uint8_t cmd)
{
	start(m, cmd, 0);
	put_u32(m, 1, ifindex);
}

static void try_others(void)
{
	const int p4 = VNIMESH_A_MESH_SERVICE_PREFIX4;
	const int p6 = VNIMESH_A_MESH_SERVICE_PREFIX6;
	struct msg m;

	mesh_prefix(p4, "10.96.0.0", 24, "a service lies outside", EBUSY);
	mesh_prefix(p4, "0.0.0.0", 0, "cleared below a service", EBUSY);
	mesh_prefix(p4, "10.0.0.0", 8, "overlaps a node's", EINVAL);
	mesh_prefix(p4, "10.96.0.1", 16, "bits after the prefix", EINVAL);
	mesh_prefix(p4, "fd77:96::", 64, "of the other family", EINVAL);
	mesh_prefix(p6, "10.96.0.0", 16, "of the other family", EINVAL);
	mesh_prefix(p6, "ff00::", 8, "multicast", EINVAL);

	route(&m, VNIMESH_CMD_FLOW_DEL);
	refused(&m, "flow-del", "neither tuple nor filter", VNIMESH_A_FLOW_SRC,
		"src", EINVAL, 0);
	route(&m, VNIMESH_CMD_FLOW_DEL);
	put_str(&m, VNIMESH_A_FLOW_TAG, "bad");
	put_ip(&m, VNIMESH_A_FLOW_SRC, "10.0.0.1");
	refused(&m, "flow-del", "filter and tuple", VNIMESH_A_FLOW_TAG, "tag",
		EINVAL, 0);
	route(&m, VNIMESH_CMD_FLOW_DEL);
	put_u8(&m, VNIMESH_A_FLOW_PROTO, IPPROTO_TCP);
	put_ip(&m, VNIMESH_A_FLOW_SRC, "10.0.0.1");
	put_port(&m, VNIMESH_A_FLOW_SPORT, 1);
	put_ip(&m, VNIMESH_A_FLOW_DST, "fd00::1");
	put_port(&m, VNIMESH_A_FLOW_DPORT, 1);
	refused(&m, "flow-del", "of another family", VNIMESH_A_FLOW_DST, "dst",
		EINVAL, 0);

	route(&m, VNIMESH_CMD_ROUTE_GET);
	put_str(&m, VNIMESH_A_ROUTE_TAG, "bad");
	put_ip(&m, VNIMESH_A_ROUTE_DST, "10.96.99.1");
	refused(&m, "route-get", "tag and dst", VNIMESH_A_ROUTE_DST, "dst",
		EINVAL, 0);
	route(&m, VNIMESH_CMD_ROUTE_GET);
	put_str(&m, VNIMESH_A_ROUTE_TAG, "bad");
	put_port(&m, VNIMESH_A_ROUTE_DPORT, 81);
	refused(&m, "route-get", "no port of the service",
		VNIMESH_A_ROUTE_DPORT, "dport", ECONNREFUSED, 0);
	route(&m, VNIMESH_CMD_ROUTE_GET);
	put_str(&m, VNIMESH_A_ROUTE_TAG, "bad");
	put_u8(&m, VNIMESH_A_ROUTE_FAMILY, AF_INET6);
	refused(&m, "route-get", "no such address", VNIMESH_A_ROUTE_FAMILY,
		"family", EADDRNOTAVAIL, 0);
	route(&m, VNIMESH_CMD_ROUTE_GET);
	put_str(&m, VNIMESH_A_ROUTE_TAG, "none");
	refused(&m, "route-get", "no such service", VNIMESH_A_ROUTE_TAG, "tag",
		ENOENT, 0);
	route(&m, VNIMESH_CMD_ROUTE_GET);
	put_ip(&m, VNIMESH_A_ROUTE_DST, "10.96.1.1");
	refused(&m, "route-get", "no such service", VNIMESH_A_ROUTE_DST, "dst",
		ENOENT, 0);
	route(&m, VNIMESH_CMD_ROUTE_GET);
	put_ip(&m, VNIMESH_A_ROUTE_DST, "203.0.113.1");
	refused(&m, "route-get", "no node has it", VNIMESH_A_ROUTE_DST, "dst",
		ENETUNREACH, 0);

	route(&m, VNIMESH_CMD_RESOLVE);
	put_str(&m, VNIMESH_A_ROUTE_TAG, "none");
	refused(&m, "resolve", "unknown, and no agent", VNIMESH_A_ROUTE_TAG,
		"tag", ENOTCONN, 0);
	route(&m, VNIMESH_CMD_AGENT_BIND);
	put(&m, VNIMESH_A_MISS_RELEASE, NULL, 0);
	refused(&m, "agent-bind", "without a claim", VNIMESH_A_MISS_RELEASE,
		"release", ENOENT, 0);

	route(&m, VNIMESH_CMD_MISS_ANSWER);
	put_u8(&m, VNIMESH_A_MISS_VERDICT, 1);
	put_ip(&m, VNIMESH_A_MISS_ADDR, "10.97.0.1");
	refused(&m, "miss-answer", "outside the prefix", VNIMESH_A_MISS_ADDR,
		"addr", EINVAL, 0);
	route(&m, VNIMESH_CMD_MISS_ANSWER);
	put_u8(&m, VNIMESH_A_MISS_VERDICT, 1);
	put_ip(&m, VNIMESH_A_MISS_ADDR, "10.96.99.1");
	refused(&m, "miss-answer", "of a service", VNIMESH_A_MISS_ADDR, "addr",
		EEXIST, 0);
	route(&m, VNIMESH_CMD_MISS_ANSWER);
	put_u8(&m, VNIMESH_A_MISS_VERDICT, 1);
	put_ip(&m, VNIMESH_A_MISS_ADDR, "10.96.1.1");
	put_str(&m, VNIMESH_A_MISS_TAG, "none");
	refused(&m, "miss-answer", "tag and addr", VNIMESH_A_MISS_TAG, "tag",
		EINVAL, 0);

	route(&m, VNIMESH_CMD_SWEEP);
	put_u8(&m, VNIMESH_A_SWEEP_ORIGIN, VNIMESH_ORIGIN_AGENT);
	put_u64(&m, VNIMESH_A_SWEEP_GEN, 1);
	put_u8(&m, VNIMESH_A_SWEEP_OBJECT, VNIMESH_OBJECT_NODE);
	put_str(&m, VNIMESH_A_SWEEP_TAG, "bad");
	refused(&m, "sweep", "of nodes", VNIMESH_A_SWEEP_TAG, "tag", EINVAL, 0);
}

/* Two sockets want to be the agent. */
static void try_agents(void)
{
	int other = open_socket();
	struct sockaddr_nl name;
	socklen_t len = sizeof(name);
	char port[16];
	struct ack ack;
	struct msg m;

	route(&m, VNIMESH_CMD_AGENT_BIND);
	talk_on(other, &m, &ack, NULL, NULL);
	result(!ack.err, "agent-bind");
	getsockname(other, (struct sockaddr *)&name, &len);
	snprintf(port, sizeof(port), "%u", name.nl_pid);
	before = digest();
	route(&m, VNIMESH_CMD_AGENT_BIND);
	refused(&m, "agent-bind", "while another lives: its port id", 0xffff,
		port, EBUSY, 0);
	close(other);
	route(&m, VNIMESH_CMD_AGENT_BIND);
	talk(&m, &ack);
	result(!ack.err, "agent-bind: after the other has died");
	route(&m, VNIMESH_CMD_AGENT_BIND);
	put(&m, VNIMESH_A_MISS_RELEASE, NULL, 0);
	talk(&m, &ack);
	result(!ack.err, "agent-bind: release");
}

/* ---- without privilege ---- */

static void try_unprivileged(const char *dev)
{
	static const struct command flow_get = {
		.name = "flow-get", .attrs = flow_attrs, .needs = 2,
		.cmd = VNIMESH_CMD_FLOW_GET, .max = 1,
	};
	struct ack ack;
	struct msg m;
	size_t i;

	ifindex = if_nametoindex(dev);
	if (!ifindex)
		die(dev);
	for (i = 0; i <= N(commands); i++) {
		const struct command *c = i < N(commands) ? &commands[i] :
					  &flow_get;

		/* A VNI's own record is the one without an id. */
		start_good(&m, c, 0);
		if (c->cmd == VNIMESH_CMD_VNI_GET)
			put_u32(&m, VNIMESH_A_VNI_ID, 1);
		if (c->cmd == VNIMESH_CMD_FLOW_GET)
			m.h.nlmsg_flags |= NLM_F_DUMP;
		talk(&m, &ack);
		if (c->cmd == VNIMESH_CMD_RESOLVE)
			result(ack.err != -EPERM, "%s: %s: allowed, %s", dev,
			       c->name, strerror(-ack.err));
		else if (!result(ack.err == -EPERM, "%s: %s", dev, c->name))
			printf("#   got %s\n", strerror(-ack.err));
		if (!strstr(c->name, "-get") ||
		    c->cmd == VNIMESH_CMD_ROUTE_GET ||
		    c->cmd == VNIMESH_CMD_FLOW_GET)
			continue;
		start(&m, c->cmd, NLM_F_DUMP);
		put_u32(&m, 1, ifindex);
		talk(&m, &ack);
		if (!result(ack.err == -EPERM, "%s: %s: dump", dev, c->name))
			printf("#   got %s\n", strerror(-ack.err));
	}
	start(&m, VNIMESH_CMD_VNI_GET, 0);
	put_u32(&m, VNIMESH_A_VNI_IFINDEX, ifindex);
	talk(&m, &ack);
	result(!ack.err, "%s: vni-get: its own: allowed", dev);
}

static void try_groups(void)
{
	size_t i;

	for (i = 0; i < N(groups); i++)
		result(groups[i] && setsockopt(fd, SOL_NETLINK,
					       NETLINK_ADD_MEMBERSHIP,
					       &groups[i], sizeof(groups[i])) &&
		       errno == EPERM, "multicast group %zu", i);
}

int main(int argc, char **argv)
{
	size_t i;
	int arg;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2 || (argv[1][0] == '-' && argc < 3)) {
		fprintf(stderr, "usage: nlbad MESH | nlbad --unprivileged DEV...\n");
		return 2;
	}
	fd = open_socket();
	find_family();
	if (argv[1][0] == '-') {
		for (arg = 2; arg < argc; arg++)
			try_unprivileged(argv[arg]);
		/* Root of a container may watch its own netns, where no
		 * message of a mesh ever comes.
		 */
		if (geteuid())
			try_groups();
		goto out;
	}
	ifindex = if_nametoindex(argv[1]);
	if (!ifindex)
		die(argv[1]);
	prepare();
	before = digest();
	for (i = 0; i < N(commands); i++)
		try_command(&commands[i]);
	try_nodes();
	try_vnis();
	try_services();
	try_others();
	try_agents();
	clean();
out:
	printf("1..%u\n", n_tests);
	return n_failed ? 1 : 0;
}
