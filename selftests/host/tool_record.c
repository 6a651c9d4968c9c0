// SPDX-License-Identifier: GPL-2.0-or-later
/* Unit tests of the records and the netlink client, printed as TAP lines
 * without numbers for tool.sh to count. Needs no module.
 */
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/genl/genl.h>
#include <stdlib.h>
#include <string.h>

#include "genl.h"
#include "record.h"
#include "record_attrs.h"
#include "record_escape.h"
#include "rtnl.h"

static int failed;

static void result(const char *name, bool good)
{
	printf("%s - %s\n", good ? "ok" : "not ok", name);
	failed += !good;
}

static void result_text(const char *name, const char *want, const char *got)
{
	result(name, !strcmp(want, got));
	if (strcmp(want, got))
		printf("# wanted: %s\n# got:    %s\n", want, got);
}

static struct nl_msg *message(uint8_t cmd)
{
	struct nl_msg *msg = nlmsg_alloc();

	genlmsg_put(msg, 0, 0, 0x20, 0, 0, cmd, 1);
	return msg;
}

static const struct nlattr *attrs(struct nl_msg *msg, int *len)
{
	struct genlmsghdr *gh = nlmsg_data(nlmsg_hdr(msg));

	*len = genlmsg_attrlen(gh, 0);
	return genlmsg_attrdata(gh, 0);
}

static void text_of(const struct vnm_type *t, const void *rec,
		    unsigned int show, char **text)
{
	size_t size;
	FILE *f = open_memstream(text, &size);

	vnm_record_text(t, rec, show, f);
	fclose(f);
}

static struct vnm_node a_node(void)
{
	struct vnm_node n = { 0 };

	VNM_SET(&n, ifindex, VNIMESH_A_NODE_IFINDEX, 7);
	VNM_SET(&n, node, VNIMESH_A_NODE_ID, 3);
	strcpy(n.name, "host\n3");
	ip_parse("192.0.2.13", &n.underlay);
	VNM_SET(&n, port, VNIMESH_A_NODE_PORT, 6081);
	ip_prefix_parse("10.77.3.0/24", &n.prefixes.v[0]);
	ip_prefix_parse("fd77:0:0:3::/64", &n.prefixes.v[1]);
	n.prefixes.n = 2;
	VNM_SET(&n, state, VNIMESH_A_NODE_STATE, 9);
	VNM_SET(&n, meta.epoch, VNIMESH_A_NODE_EPOCH, 1ULL << 63);
	n.present |= VNM_BIT(VNIMESH_A_NODE_NAME) |
		     VNM_BIT(VNIMESH_A_NODE_ADDR) |
		     VNM_BIT(VNIMESH_A_NODE_PREFIXES);
	return n;
}

static void test_forms(void)
{
	struct nl_msg *msg = message(VNIMESH_CMD_NODE_SET);
	struct vnm_node node = a_node(), copy;
	const struct nlattr *p;
	char *text;
	json_t *j;
	int len;

	result("a node fits into a message",
	       !vnm_record_fill(&vnm_node_type, &node, msg));
	p = attrs(msg, &len);
	result("and comes back the same",
	       !vnm_record_parse(&vnm_node_type, &copy, p, len) &&
	       !memcmp(&node, &copy, sizeof(node)));
	text_of(&vnm_node_type, &copy, VNM_SHOW_DETAIL, &text);
	result_text("as text, with control bytes escaped and numbers for unknown words",
		    "node 3 name host\\x0a3 underlay 192.0.2.13 port 6081 prefix 10.77.3.0/24 prefix fd77:0:0:3::/64 state 9 epoch 9223372036854775808",
		    text);
	free(text);
	j = vnm_record_json(&vnm_node_type, &copy, 0);
	text = json_dumps(j, JSON_COMPACT);
	result_text("as JSON",
		    "{\"ifindex\":7,\"node\":3,\"name\":\"host\\n3\",\"underlay\":\"192.0.2.13\",\"port\":6081,\"prefixes\":[\"10.77.3.0/24\",\"fd77:0:0:3::/64\"],\"state\":9,\"epoch\":\"9223372036854775808\"}",
		    text);
	free(text);
	json_decref(j);
	nlmsg_free(msg);
}

static void test_ports(void)
{
	struct nl_msg *msg = message(VNIMESH_CMD_MEMBER_SET);
	struct vnm_member m = { 0 }, copy;
	const struct nlattr *p;
	char *text;
	json_t *j;
	int len;

	strcpy(m.tag, "database");
	m.present |= VNM_BIT(VNIMESH_A_MEMBER_TAG);
	VNM_SET(&m, flows, VNIMESH_A_MEMBER_FLOWS, 12);
	VNM_SET(&m.ports.v[0], proto, VNIMESH_A_PORT_PROTO, IPPROTO_TCP);
	VNM_SET(&m.ports.v[0], port, VNIMESH_A_PORT_PORT, 5432);
	m.ports.v[1] = m.ports.v[0];
	strcpy(m.ports.v[1].name, "pg");
	m.ports.v[1].present |= VNM_BIT(VNIMESH_A_PORT_NAME);
	VNM_SET(&m.ports.v[1], target, VNIMESH_A_PORT_TARGET, 15432);
	m.ports.n = 2;
	m.present |= VNM_BIT(VNIMESH_A_MEMBER_PORTS);
	vnm_record_fill(&vnm_member_type, &m, msg);
	p = attrs(msg, &len);
	vnm_record_parse(&vnm_member_type, &copy, p, len);
	result("port rules come back the same", !memcmp(&m, &copy, sizeof(m)));
	j = vnm_record_json(&vnm_member_type, &copy, VNM_SHOW_STATS);
	text = json_dumps(j, JSON_COMPACT);
	result_text("port rules and counters as JSON",
		    "{\"tag\":\"database\",\"ports\":[{\"proto\":\"tcp\",\"port\":5432,\"target\":5432},{\"name\":\"pg\",\"proto\":\"tcp\",\"port\":5432,\"target\":15432}],\"stats\":{\"flows\":12}}",
		    text);
	free(text);
	json_decref(j);
	text_of(&vnm_member_type, &copy, 0, &text);
	result_text("port rules as text",
		    "member database port tcp/5432 port pg:tcp/5432:15432",
		    text);
	free(text);
	nlmsg_free(msg);

	msg = message(VNIMESH_CMD_MEMBER_SET);
	m.ports.n = 0;
	vnm_record_fill(&vnm_member_type, &m, msg);
	p = attrs(msg, &len);
	vnm_record_parse(&vnm_member_type, &copy, p, len);
	result("an empty list is there, and empty",
	       VNM_HAS(&copy, VNIMESH_A_MEMBER_PORTS) && !copy.ports.n);
	nlmsg_free(msg);
}

/* The name for each attribute, found by its own offset. */
static void test_names(void)
{
	struct nl_msg *msg = message(VNIMESH_CMD_NODE_SET);
	struct nlmsghdr *nh = nlmsg_hdr(msg);
	struct vnm_node node = a_node();
	struct nlattr *list, *item, *attr;
	const struct nlattr *top;
	uint32_t start = NLMSG_LENGTH(GENL_HDRLEN);
	char name[96] = "";
	int len, rem;

	vnm_record_fill(&vnm_node_type, &node, msg);
	top = attrs(msg, &len);
	list = nla_find((struct nlattr *)top, len, VNIMESH_A_NODE_PREFIXES);
	vnm_attrs_name(&vnm_node_type, nh, start,
		       (uint32_t)((char *)list - (char *)nh), false, 0, name,
		       sizeof(name));
	result_text("an attribute is named", "prefixes", name);
	item = nla_data(list);
	item = nla_next(item, &(int){ nla_len(list) });
	attr = nla_data(item);
	rem = nla_len(item);
	attr = nla_next(attr, &rem);
	vnm_attrs_name(&vnm_node_type, nh, start,
		       (uint32_t)((char *)attr - (char *)nh), false, 0, name,
		       sizeof(name));
	result_text("one in an item of a list is named", "prefixes.len", name);
	vnm_attrs_name(&vnm_node_type, nh, start,
		       (uint32_t)((char *)item - (char *)nh), true,
		       VNIMESH_A_PREFIX_ADDR, name, sizeof(name));
	result_text("a missing one in an item is named", "prefixes.addr", name);
	vnm_attrs_name(&vnm_node_type, nh, start, 0, true,
		       VNIMESH_A_NODE_ADDR, name, sizeof(name));
	result_text("a missing one is named", "addr", name);
	strcpy(name, "kept");
	vnm_attrs_name(&vnm_node_type, nh, start, 60000, false, 0, name,
		       sizeof(name));
	result_text("an offset outside is ignored", "kept", name);
	nlmsg_free(msg);
}

/* Whatever the bytes, parsing is an answer or an error. Chained lengths make
 * most inputs reach the attributes.
 */
static void test_noise(void)
{
	static const struct vnm_type *const types[] = {
		&vnm_mesh_type, &vnm_node_type, &vnm_vni_type,
		&vnm_service_type, &vnm_member_type, &vnm_flow_type,
		&vnm_route_type, &vnm_miss_type, &vnm_sweep_type,
		&vnm_event_type, &vnm_link_type,
	};
	unsigned int i, k, good = 0;
	uint64_t x = 88172645463325252ULL;
	uint8_t bytes[512] __attribute__((aligned(8)));
	FILE *out = fopen("/dev/null", "w");
	const struct vnm_type *t;
	struct nlattr *nla;
	uint8_t *rec;
	size_t at, n;

	for (i = 0; i < 40000; i++) {
		for (k = 0; k < sizeof(bytes); k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			bytes[k] = (uint8_t)(x >> 24);
		}
		for (at = 0; at + 8 < sizeof(bytes); at += n) {
			nla = (struct nlattr *)(bytes + at);
			n = (i & 1) ? 8 : 4 + bytes[at + 1] % 28;
			nla->nla_type = bytes[at + 2] % 48;
			nla->nla_len = (uint16_t)n;
			n = NLA_ALIGN(n);
		}
		t = types[i % (sizeof(types) / sizeof(types[0]))];
		/* As large as it claims, so that one byte more is noticed. */
		rec = malloc(vnm_type_size(t));
		n = bytes[511] % 2 ? sizeof(bytes) : 100 + bytes[510];
		if (!vnm_record_parse(t, rec, (void *)bytes, (int)n)) {
			vnm_record_text(t, rec, 3, out);
			json_decref(vnm_record_json(t, rec, 3));
			vnm_record_release(t, rec);
			good++;
		}
		free(rec);
	}
	fclose(out);
	result("noise is parsed or refused", good > 0);
}

/* A long list of candidates comes in several nests of one message. */
static void test_parts(void)
{
	struct nl_msg *msg = message(VNIMESH_CMD_ROUTE_GET);
	struct vnm_route route;
	struct nlattr *list, *item;
	const struct nlattr *data;
	uint32_t vni = 0;
	int part, i, len;
	bool good;

	for (part = 0; part < 3; part++) {
		list = nla_nest_start(msg, VNIMESH_A_ROUTE_CANDIDATES);
		for (i = 0; i < 2; i++) {
			item = nla_nest_start(msg, 1);
			nla_put_u32(msg, VNIMESH_A_CAND_VNI_ID, ++vni);
			nla_nest_end(msg, item);
		}
		nla_nest_end(msg, list);
	}
	data = attrs(msg, &len);
	good = !vnm_record_parse(&vnm_route_type, &route, data, len) &&
	       route.candidates.n == 6;
	for (i = 0; good && i < 6; i++)
		good = route.candidates.v[i].vni == (uint32_t)i + 1;
	result("a list in several nests is one list", good);
	vnm_record_release(&vnm_route_type, &route);
	nlmsg_free(msg);
}

static void test_escape(void)
{
	char buf[64];

	result_text("terminal escapes are shown",
		    "a\\x1b[31m\\x5c\\x7f\xc3\xa4\\xc2\\x85\\xff",
		    vnm_escape("a\x1b[31m\\\x7f\xc3\xa4\xc2\x85\xff", buf,
			       sizeof(buf)));
	result_text("what does not fit is cut at a whole one", "ab\\x01",
		    vnm_escape("ab\x01\x02", buf, 8));
}

static int take_lo(const struct nlmsghdr *nh, void *arg)
{
	int *n = arg;

	*n += nh->nlmsg_type == RTM_NEWLINK;
	return 0;
}

static void count(size_t idx, const struct vnm_error *e, void *arg)
{
	int *n = arg;

	*n += (int)idx * 100 + (e->err == -ENODEV);
}

/* Against the kernel that is here: rtnetlink has dumps, acks and errors too. */
static void test_kernel(void)
{
	struct ifinfomsg ifi = { .ifi_index = 999999 };
	struct nl_msg *msg, *msgs[3];
	struct vnm_link link;
	struct vnm_error e;
	struct vnm_nl *nl;
	int n = 0, i, ret;

	result("a socket opens", !vnm_rtnl_open(&nl, &e));
	msg = nlmsg_alloc_simple(RTM_GETLINK, 0);
	memset(&ifi, 0, sizeof(ifi));
	nlmsg_append(msg, &ifi, sizeof(ifi), NLMSG_ALIGNTO);
	ret = vnm_nl_dump(nl, msg, take_lo, &n, &e);
	result("a dump gives rows", !ret && n >= 1);
	result("another kind is no link of ours",
	       vnm_rtnl_link_get(nl, 1, -1, &link, &e) == -ENODEV);
	result("an error of the kernel is an errno",
	       vnm_rtnl_link_get(nl, 999999, -1, &link, &e) == -ENODEV);
	ifi.ifi_index = 999999;
	for (i = 0; i < 3; i++) {
		msgs[i] = nlmsg_alloc_simple(RTM_GETLINK, 0);
		nlmsg_append(msgs[i], &ifi, sizeof(ifi), NLMSG_ALIGNTO);
	}
	n = 0;
	ret = vnm_nl_bulk(nl, msgs, 3, count, &n, &e);
	result("a bulk tells of each of its messages", ret == 3 && n == 303);
	result("nothing is left over", !vnm_nl_backlog(nl) &&
	       !vnm_nl_recv(nl, take_lo, &n));
	vnm_nl_close(nl);
}

int main(void)
{
	test_forms();
	test_ports();
	test_names();
	test_noise();
	test_parts();
	test_escape();
	test_kernel();
	return failed != 0;
}
