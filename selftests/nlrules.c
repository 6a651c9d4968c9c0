// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the family "vnimesh" promises beyond refusals: whose row wins, what a
 * sweep takes, late answers to resolve, consistent dumps, notifications.
 *
 *	nlrules MESH	as root, on an empty mesh of this netns
 *
 * Prints TAP.
 */
#include "nlraw.h"

static struct ack ack;
static struct msg m;

static int ask(struct msg *msg)
{
	talk(msg, &ack);
	return -ack.err;
}

static void is(int want, int got, const char *what)
{
	if (!result(want == got, "%s", what))
		printf("#   wanted %s (%d), got %s (%d) \"%s\"\n",
		       strerror(want), want, strerror(got), got, ack.text);
}

static void keep_row(const struct nlmsghdr *h, void *arg)
{
	memcpy(arg, h, h->nlmsg_len < sizeof(struct msg) ? h->nlmsg_len :
	       sizeof(struct msg));
}

static void put_row(int base, uint8_t origin, uint32_t source, uint64_t epoch,
		    uint64_t seqno, uint64_t gen)
{
	put_u8(&m, base, origin);
	put_u32(&m, base + 1, source);
	put_u64(&m, base + 2, epoch);
	put_u64(&m, base + 3, seqno);
	put_u64(&m, base + 4, gen);
}

/* ---- origins and versions ---- */

#define AGENT	VNIMESH_ORIGIN_AGENT
#define STATIC	VNIMESH_ORIGIN_STATIC

static int node(uint16_t flags, uint32_t id, const char *addr, const char *name,
		uint8_t origin, uint32_t source, uint64_t epoch,
		uint64_t seqno, uint64_t gen)
{
	start(&m, VNIMESH_CMD_NODE_SET, flags);
	put_u32(&m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_NODE_ID, id);
	if (addr)
		put_ip(&m, VNIMESH_A_NODE_ADDR, addr);
	if (name)
		put_str(&m, VNIMESH_A_NODE_NAME, name);
	put_row(VNIMESH_A_NODE_ORIGIN, origin, source, epoch, seqno, gen);
	return ask(&m);
}

static int get(uint8_t cmd, uint32_t id, const char *tag, struct msg *row)
{
	start(&m, cmd, 0);
	put_u32(&m, 1, ifindex);
	if (tag)
		put_str(&m, 2, tag);
	if (id)
		put_u32(&m, tag ? 3 : 2, id);
	memset(row, 0, sizeof(*row));
	talk_on(fd, &m, &ack, keep_row, row);
	return -ack.err;
}

static int del(uint8_t cmd, uint32_t id, const char *tag)
{
	start(&m, cmd, 0);
	put_u32(&m, 1, ifindex);
	if (tag)
		put_str(&m, 2, tag);
	if (id)
		put_u32(&m, tag ? 3 : 2, id);
	return ask(&m);
}

static void try_versions(void)
{
	static const char addr[] = "192.0.2.100";
	struct msg row;

	is(0, node(NLM_F_CREATE, 50, addr, "first", AGENT, 5, 1, 10, 1),
	   "the agent makes a row");
	is(ESTALE, node(0, 50, NULL, "older", AGENT, 5, 1, 9, 1),
	   "an older version of the same fact is refused");
	is(0, node(0, 50, NULL, NULL, AGENT, 5, 1, 10, 2),
	   "the same version confirms it");
	get(VNIMESH_CMD_NODE_GET, 50, NULL, &row);
	is(2, attr_of(&row.h, VNIMESH_A_NODE_GEN), "... and refreshes gen");
	result(find_attr(&row.h, VNIMESH_A_NODE_NAME) &&
	       !strcmp(data_of(find_attr(&row.h, VNIMESH_A_NODE_NAME)),
		       "first"), "what is left out stays");
	is(0, node(0, 50, NULL, NULL, AGENT, 5, 2, 1, 2), "another epoch");
	is(0, node(0, 50, NULL, NULL, AGENT, 6, 1, 0, 2), "another source");
	is(0, node(0, 50, NULL, NULL, STATIC, 0, 0, 0, 0),
	   "a static request takes over");
	get(VNIMESH_CMD_NODE_GET, 50, NULL, &row);
	is(STATIC, attr_of(&row.h, VNIMESH_A_NODE_ORIGIN), "... it is static");
	is(EPERM, node(0, 50, NULL, NULL, AGENT, 5, 9, 99, 2),
	   "the agent does not get it back");
	is(0, node(0, 50, NULL, NULL, STATIC, 0, 0, 7, 0), "static, with seq");
	is(0, node(0, 50, NULL, NULL, STATIC, 0, 0, 0, 0),
	   "static, without: nobody counts by hand");
	is(0, del(VNIMESH_CMD_NODE_DEL, 50, NULL), "deleted");
	is(ENOENT, get(VNIMESH_CMD_NODE_GET, 50, NULL, &row), "... and gone");
	is(0, node(NLM_F_CREATE, 50, addr, NULL, AGENT, 5, 1, 10, 1), "again");
	start(&m, VNIMESH_CMD_NODE_DEL, 0);
	put_u32(&m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_NODE_ID, 50);
	put_row(VNIMESH_A_NODE_ORIGIN, AGENT, 5, 1, 9, 1);
	is(ESTALE, ask(&m), "deleting by an older version is refused");
	is(0, del(VNIMESH_CMD_NODE_DEL, 50, NULL), "deleted");
}

/* ---- services, VNIs, members ---- */

static int vni(uint32_t id, uint32_t node_id, const char *addr, uint8_t origin,
	       uint64_t gen)
{
	start(&m, VNIMESH_CMD_VNI_SET, NLM_F_CREATE);
	put_u32(&m, VNIMESH_A_VNI_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_VNI_ID, id);
	if (node_id)
		put_u32(&m, VNIMESH_A_VNI_NODE_ID, node_id);
	if (addr)
		put_ip(&m, VNIMESH_A_VNI_ADDR4, addr);
	put_row(VNIMESH_A_VNI_ORIGIN, origin, 0, 0, 0, gen);
	return ask(&m);
}

static int service(const char *tag, const char *addr, int load, uint8_t origin,
		   uint64_t gen)
{
	start(&m, VNIMESH_CMD_SERVICE_SET, NLM_F_CREATE);
	put_u32(&m, VNIMESH_A_SERVICE_IFINDEX, ifindex);
	put_str(&m, VNIMESH_A_SERVICE_TAG, tag);
	put_ip(&m, VNIMESH_A_SERVICE_ADDR4, addr);
	put_u8(&m, VNIMESH_A_SERVICE_LOADING, load);
	put_row(VNIMESH_A_SERVICE_ORIGIN, origin, 0, 0, 0, gen);
	return ask(&m);
}

static int member(const char *tag, uint32_t id, uint8_t origin, uint64_t gen)
{
	start(&m, VNIMESH_CMD_MEMBER_SET, NLM_F_CREATE);
	put_u32(&m, VNIMESH_A_MEMBER_IFINDEX, ifindex);
	put_str(&m, VNIMESH_A_MEMBER_TAG, tag);
	put_u32(&m, VNIMESH_A_MEMBER_VNI_ID, id);
	put_row(VNIMESH_A_MEMBER_ORIGIN, origin, 0, 0, 0, gen);
	return ask(&m);
}

/* Prefixes of node 200; 0: none. */
static int prefixes(const char *one, const char *other)
{
	uint32_t at;

	start(&m, VNIMESH_CMD_NODE_SET, NLM_F_CREATE);
	put_u32(&m, VNIMESH_A_NODE_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_NODE_ID, 200);
	put_ip(&m, VNIMESH_A_NODE_ADDR, "192.0.2.200");
	at = nest(&m, VNIMESH_A_NODE_PREFIXES);
	if (one)
		put_prefix(&m, 1, one, 24);
	if (other)
		put_prefix(&m, 2, other, 24);
	end_nest(&m, at);
	return ask(&m);
}

static void warned(bool want, const char *what)
{
	result(want == !strcmp(ack.text, "prefixes: a VNI of the node lies outside them"),
	       "%s (\"%s\")", what, ack.text);
}

static void try_prefixes(void)
{
	is(0, prefixes("10.200.0.0", NULL), "a node with a prefix");
	is(0, vni(20001, 200, "10.200.0.5", STATIC, 0), "... and a VNI in it");
	is(0, prefixes("10.200.0.0", "10.201.0.0"), "another prefix");
	warned(false, "... and nothing to warn of");
	is(0, prefixes("10.201.0.0", NULL), "the first one goes, under the VNI");
	warned(true, "... with a warning");
	is(0, prefixes(NULL, NULL), "none: each VNI is allowed then");
	warned(false, "... without one");
	is(0, del(VNIMESH_CMD_VNI_DEL, 20001, NULL), "the VNI goes");
	is(0, prefixes("10.201.0.0", NULL), "the prefix comes");
	warned(false, "... without a warning");
	is(0, del(VNIMESH_CMD_NODE_DEL, 200, NULL), "the node goes");
}

static void try_addresses(void)
{
	is(0, vni(70, 0, "10.77.1.70", STATIC, 0), "a VNI of this host, no device");
	is(0, vni(70, 0, "10.77.1.71", STATIC, 0), "it moves");
	is(0, vni(72, 0, "10.77.1.70", STATIC, 0), "its old address is free");
	is(EEXIST, vni(72, 0, "10.77.1.71", STATIC, 0), "its new one is not");
	is(EINVAL, vni(72, 0, "10.77.2.1", STATIC, 0), "nor one of nobody");
	is(0, del(VNIMESH_CMD_VNI_DEL, 70, NULL), "deleted");
	is(0, vni(72, 0, "10.77.1.71", STATIC, 0), "then it is");
	is(0, del(VNIMESH_CMD_VNI_DEL, 72, NULL), "deleted");
}

static int sweep(uint8_t origin, uint64_t gen, const char *tag, int *count)
{
	struct msg row = { 0 };

	start(&m, VNIMESH_CMD_SWEEP, 0);
	put_u32(&m, VNIMESH_A_SWEEP_IFINDEX, ifindex);
	put_u8(&m, VNIMESH_A_SWEEP_ORIGIN, origin);
	put_u64(&m, VNIMESH_A_SWEEP_GEN, gen);
	if (tag)
		put_str(&m, VNIMESH_A_SWEEP_TAG, tag);
	talk_on(fd, &m, &ack, keep_row, &row);
	*count = attr_of(&row.h, VNIMESH_A_SWEEP_COUNT);
	return -ack.err;
}

static void try_sweep(void)
{
	struct msg row;
	int count;

	node(NLM_F_CREATE, 60, "192.0.2.160", NULL, AGENT, 0, 0, 0, 1);
	node(NLM_F_CREATE, 61, "192.0.2.161", NULL, AGENT, 0, 0, 0, 1);
	vni(601, 60, "10.60.0.1", AGENT, 1);
	vni(602, 60, "10.60.0.2", AGENT, 1);
	vni(603, 60, "10.60.0.3", AGENT, 1);
	service("old", "10.96.1.1", 0, AGENT, 1);
	service("mixed", "10.96.1.2", 0, AGENT, 1);
	service("kept", "10.96.1.3", 0, AGENT, 2);
	member("old", 601, AGENT, 1);
	member("mixed", 601, STATIC, 0);
	member("mixed", 602, AGENT, 1);
	member("kept", 602, AGENT, 1);
	is(0, member("kept", 603, AGENT, 2), "rows of two runs and by hand");
	is(EPERM, ({
		start(&m, VNIMESH_CMD_SERVICE_DEL, 0);
		put_u32(&m, VNIMESH_A_SERVICE_IFINDEX, ifindex);
		put_str(&m, VNIMESH_A_SERVICE_TAG, "mixed");
		put_u8(&m, VNIMESH_A_SERVICE_ORIGIN, AGENT);
		ask(&m);
	}), "the agent may not delete a service with a static member");
	is(0, sweep(AGENT, 2, "kept", &count), "sweep of one service's members");
	is(1, count, "... one row");
	is(0, sweep(AGENT, 2, NULL, &count), "sweep of all");
	/* old and its member, the member of mixed, VNI 602, node 61. */
	is(5, count, "... five rows");
	is(ENOENT, get(VNIMESH_CMD_SERVICE_GET, 0, "old", &row), "old is gone");
	is(0, get(VNIMESH_CMD_SERVICE_GET, 0, "mixed", &row),
	   "a service with a static member stays");
	is(1, attr_of(&row.h, VNIMESH_A_SERVICE_N_MEMBERS), "... with that one");
	is(0, get(VNIMESH_CMD_MEMBER_GET, 601, "mixed", &row), "... itself");
	is(0, get(VNIMESH_CMD_MEMBER_GET, 603, "kept", &row), "the new stay");
	is(0, get(VNIMESH_CMD_VNI_GET, 601, NULL, &row), "a member's VNI stays");
	is(ENOENT, get(VNIMESH_CMD_VNI_GET, 602, NULL, &row), "another goes");
	is(0, get(VNIMESH_CMD_NODE_GET, 60, NULL, &row), "their node stays");
	is(ENOENT, get(VNIMESH_CMD_NODE_GET, 61, NULL, &row), "another goes");
	is(0, sweep(AGENT, 2, NULL, &count), "once more");
	is(0, count, "... nothing left to do");
	is(0, del(VNIMESH_CMD_SERVICE_DEL, 0, "mixed"), "deleted");
	is(0, del(VNIMESH_CMD_SERVICE_DEL, 0, "kept"), "deleted with its member");
	is(0, sweep(AGENT, 3, NULL, &count), "the rest");
	is(3, count, "... two VNIs and a node");
}

/* ---- resolve ---- */

static int send_resolve(int s, const char *tag, uint32_t number)
{
	start(&m, VNIMESH_CMD_RESOLVE, 0);
	m.h.nlmsg_seq = number;
	put_u32(&m, VNIMESH_A_ROUTE_IFINDEX, ifindex);
	put_str(&m, VNIMESH_A_ROUTE_TAG, tag);
	return send(s, &m, m.h.nlmsg_len, 0) < 0 ? errno : 0;
}

/* One datagram, or 0 within @ms. */
static ssize_t receive(int s, void *buf, size_t size, int ms)
{
	struct timeval limit = { ms / 1000, ms % 1000 * 1000 + 1 };
	ssize_t len;

	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	len = recv(s, buf, size, 0);
	return len < 0 ? 0 : len;
}

/* The errno that answers request @number; -1: none, 0: acknowledged. *@row is
 * the message before it.
 */
static int late(int s, uint32_t number, int ms, struct msg *row)
{
	char buf[4096];
	struct nlmsghdr *h = (void *)buf;
	int err;

	for (;;) {
		if (!receive(s, buf, sizeof(buf), ms))
			return -1;
		if (h->nlmsg_seq != number)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR) {
			memcpy(&err, NLMSG_DATA(h), sizeof(err));
			return -err;
		}
		if (row)
			keep_row(h, row);
	}
}

static int count_misses(int s, const char *tag)
{
	char buf[4096];
	struct nlmsghdr *h = (void *)buf;
	const struct nlattr *a;
	int n = 0;

	while (receive(s, buf, sizeof(buf), 50)) {
		a = find_attr(h, VNIMESH_A_MISS_TAG);
		n += a && (!tag || !strcmp(data_of(a), tag));
	}
	return n;
}

static int bind_agent(int s)
{
	struct ack a;

	start(&m, VNIMESH_CMD_AGENT_BIND, 0);
	put_u32(&m, VNIMESH_A_MISS_IFINDEX, ifindex);
	talk_on(s, &m, &a, NULL, NULL);
	return -a.err;
}

static int answer(const char *tag, uint8_t verdict)
{
	start(&m, VNIMESH_CMD_MISS_ANSWER, 0);
	put_u32(&m, VNIMESH_A_MISS_IFINDEX, ifindex);
	put_str(&m, VNIMESH_A_MISS_TAG, tag);
	put_u8(&m, VNIMESH_A_MISS_VERDICT, verdict);
	return ask(&m);
}

static void set_timeout(uint32_t ms)
{
	start(&m, VNIMESH_CMD_MESH_SET, 0);
	put_u32(&m, VNIMESH_A_MESH_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_MESH_MISS_TIMEOUT, ms);
	done(&m, "miss-timeout");
}

static void fill_budget(int s, const char *name)
{
	char tag[16];
	int i, busy = 0;

	for (i = 0; i < 64; i++) {
		snprintf(tag, sizeof(tag), "t%d", i);
		send_resolve(s, tag, 1000 + i);
	}
	send_resolve(s, "t64", 1064);
	busy = late(s, 1064, 1000, NULL);
	is(EBUSY, busy, name);
}

/* 4 sockets of 64 each fill the budget of the netns. */
static void fill_netns(int agent)
{
	int s[5], i, n;

	for (i = 0; i < 4; i++) {
		s[i] = open_socket();
		for (n = 0; n < 64; n++)
			send_resolve(s[i], "z", 2000 + n);
	}
	s[4] = open_socket();
	send_resolve(s[4], "z", 2000);
	is(EBUSY, late(s[4], 2000, 1000, NULL),
	   "the 257th resolve of a netns is refused");
	is(1, count_misses(agent, "z"), "one question for all");
	close(s[0]);
	send_resolve(s[4], "z", 2001);
	is(-1, late(s[4], 2001, 50, NULL), "... then there is room again");
	for (i = 1; i < 5; i++)
		close(s[i]);
}

static void try_resolve(void)
{
	int agent = open_socket(), one = open_socket(), two = open_socket();
	struct msg row = { 0 };
	const struct nlattr *a;

	set_timeout(10000);
	is(0, bind_agent(agent), "an agent");
	send_resolve(one, "x", 1);
	send_resolve(two, "x", 2);
	send_resolve(two, "x", 3);
	is(-1, late(one, 1, 50, NULL), "resolve: no answer yet");
	is(1, count_misses(agent, "x"), "... one question for three");
	is(0, service("x", "10.96.2.1", 1, AGENT, 1), "it is being loaded");
	is(-1, late(one, 1, 50, NULL), "... no answer yet");
	is(0, service("x", "10.96.2.1", 0, AGENT, 1), "it is complete");
	is(0, late(one, 1, 1000, &row), "... the answer, and the acknowledgment");
	a = find_attr(&row.h, VNIMESH_A_ROUTE_ADDR4);
	result(a && !memcmp(data_of(a), "\12\140\2\1", 4), "... its address");
	is(0, late(two, 2, 1000, NULL), "... on another socket");
	is(0, late(two, 3, 1000, NULL), "... twice");
	send_resolve(one, "x", 4);
	is(0, late(one, 4, 1000, NULL), "known: at once");
	is(0, count_misses(agent, NULL), "... without a question");

	send_resolve(one, "y", 5);
	is(1, count_misses(agent, "y"), "another tag");
	is(0, answer("y", VNIMESH_VERDICT_NO_SERVICE), "no such service");
	is(ENOENT, late(one, 5, 1000, NULL), "... refused");
	send_resolve(one, "y", 6);
	is(1, count_misses(agent, "y"), "asked again");
	is(0, answer("y", VNIMESH_VERDICT_COORDINATOR_AWAY), "coordinator away");
	is(EHOSTDOWN, late(one, 6, 1000, NULL), "... refused");
	set_timeout(100);
	send_resolve(one, "y", 7);
	is(ETIMEDOUT, late(one, 7, 10000, NULL), "no answer in time");
	set_timeout(10000);
	count_misses(agent, NULL);

	fill_budget(one, "65 resolves on one socket: the last is refused");
	is(64, count_misses(agent, NULL), "64 questions");
	close(one);
	one = open_socket();
	fill_budget(one, "a socket that goes takes its own along");
	is(64, count_misses(agent, NULL), "64 questions again");
	close(one);
	fill_netns(agent);
	one = open_socket();
	send_resolve(one, "t0", 1000);
	is(1, count_misses(agent, NULL), "nobody waits any more: a question");
	send_resolve(two, "t0", 8);
	is(0, count_misses(agent, NULL), "somebody else waits too");
	close(agent);
	is(ENOTCONN, late(two, 8, 5000, NULL), "the agent goes: refused at once");
	is(ENOTCONN, late(one, 1000, 1000, NULL), "... everybody");
	send_resolve(one, "y", 9);
	is(ENOTCONN, late(one, 9, 1000, NULL), "no agent");
	is(0, del(VNIMESH_CMD_SERVICE_DEL, 0, "x"), "deleted");
	close(one);
	close(two);
}

/* ---- dumps ---- */

struct seen {
	uint32_t n, last, chosen, interrupted, vni;
	bool sorted;
};

static void see(const struct nlmsghdr *h, void *arg)
{
	uint32_t id = attr_of(h, 2);
	struct seen *s = arg;

	s->sorted &= id > s->last;
	s->last = id;
	s->n++;
	s->interrupted += !!(h->nlmsg_flags & NLM_F_DUMP_INTR);
}

static int dump(uint8_t cmd, const char *tag, uint32_t vni_id, struct seen *s)
{
	memset(s, 0, sizeof(*s));
	s->sorted = true;
	start(&m, cmd, NLM_F_DUMP);
	put_u32(&m, 1, ifindex);
	if (tag)
		put_str(&m, VNIMESH_A_MEMBER_TAG, tag);
	if (vni_id)
		put_u32(&m, VNIMESH_A_MEMBER_VNI_ID, vni_id);
	talk_on(fd, &m, &ack, see, s);
	return -ack.err;
}

/* A change between two parts of a dump. */
static void interrupt(void)
{
	static char buf[1 << 17];
	int s = open_socket(), small = 1;
	bool interrupted = false, end = false;
	ssize_t len;

	setsockopt(s, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	start(&m, VNIMESH_CMD_VNI_GET, NLM_F_DUMP);
	put_u32(&m, 1, ifindex);
	if (send(s, &m, m.h.nlmsg_len, 0) < 0)
		die("send");
	vni(29999, 60, "10.60.200.1", AGENT, 1);
	while (!end && (len = receive(s, buf, sizeof(buf), 5000)) > 0) {
		struct nlmsghdr *h = (void *)buf;

		for (; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			interrupted |= !!(h->nlmsg_flags & NLM_F_DUMP_INTR);
			end |= h->nlmsg_type == NLMSG_DONE;
		}
	}
	result(end && interrupted, "a dump that a change crossed says so");
	close(s);
}

static void see_route(const struct nlmsghdr *h, void *arg)
{
	const char *p = (const char *)NLMSG_DATA(h) + GENL_HDRLEN;
	const char *end = (const char *)h + h->nlmsg_len;
	struct seen *s = arg;

	s->vni = attr_of(h, VNIMESH_A_ROUTE_VNI_ID);
	for (; p < end; p += NLA_ALIGN(((const struct nlattr *)p)->nla_len)) {
		const struct nlattr *list = (const void *)p, *a;
		const char *item = data_of(list);

		if ((list->nla_type & NLA_TYPE_MASK) !=
		    VNIMESH_A_ROUTE_CANDIDATES)
			continue;
		for (; item < p + list->nla_len; item += NLA_ALIGN(a->nla_len)) {
			a = (const void *)item;
			s->n++;
			if (find_in(data_of(a), a->nla_len - NLA_HDRLEN,
				    VNIMESH_A_CAND_CHOSEN))
				s->chosen++;
		}
	}
}

static void route_of(const char *tag, uint64_t seed, struct seen *s)
{
	memset(s, 0, sizeof(*s));
	start(&m, VNIMESH_CMD_ROUTE_GET, 0);
	put_u32(&m, VNIMESH_A_ROUTE_IFINDEX, ifindex);
	put_str(&m, VNIMESH_A_ROUTE_TAG, tag);
	put_u64(&m, VNIMESH_A_ROUTE_SEED, seed);
	talk_on(fd, &m, &ack, see_route, s);
}

#define MANY	1000

static void try_dumps(void)
{
	struct seen s, again;
	char addr[32];
	int i, err = 0, count;

	node(NLM_F_CREATE, 60, "192.0.2.160", NULL, AGENT, 0, 0, 0, 1);
	service("many", "10.96.3.1", 0, AGENT, 1);
	service("few", "10.96.3.2", 0, AGENT, 1);
	for (i = 0; i < MANY && !err; i++) {
		snprintf(addr, sizeof(addr), "10.60.%d.%d", 100 + i / 250,
			 1 + i % 250);
		err = vni(20000 + i, 60, addr, AGENT, 1);
		if (!err)
			err = member("many", 20000 + i, AGENT, 1);
	}
	is(0, err, "1000 VNIs, each a member");
	is(0, member("few", 20007, AGENT, 1), "one of them twice");
	is(0, dump(VNIMESH_CMD_VNI_GET, NULL, 0, &s), "dump");
	result(s.n >= MANY && s.sorted && !s.interrupted,
	       "... all of them once, in order, undisturbed");
	dump(VNIMESH_CMD_MEMBER_GET, NULL, 0, &s);
	is(MANY + 1, s.n, "dump of members");
	dump(VNIMESH_CMD_MEMBER_GET, "many", 0, &s);
	is(MANY, s.n, "... of one service");
	dump(VNIMESH_CMD_MEMBER_GET, NULL, 20007, &s);
	is(2, s.n, "... of one VNI");
	dump(VNIMESH_CMD_MEMBER_GET, "few", 20007, &s);
	is(1, s.n, "... of both");
	dump(VNIMESH_CMD_MEMBER_GET, "none", 0, &s);
	is(0, s.n, "... of nobody");
	interrupt();

	route_of("many", 42, &s);
	is(MANY, s.n, "route-get: every candidate");
	is(1, s.chosen, "... one is chosen");
	route_of("many", 42, &again);
	result(s.vni && s.vni == again.vni, "... the same by the same seed");
	for (i = 0; i < 8 && again.vni == s.vni; i++)
		route_of("many", 43 + i, &again);
	result(again.vni != s.vni, "... another by another");

	is(0, sweep(AGENT, 2, NULL, &count), "sweep");
	is(2 + 2 * MANY + 1 + 1 + 1, count, "... everything");
}

/* ---- notifications ---- */

/* Command of the next notification of row 2 == @id; 0: none. */
static int heard(int s, int ms, struct msg *row)
{
	char buf[8192];

	if (!receive(s, buf, sizeof(buf), ms))
		return 0;
	keep_row((void *)buf, row);
	return row->g.cmd;
}

static void try_notifications(void)
{
	int config = open_socket(), events = open_socket();
	int agent = open_socket();
	struct msg row = { 0 };

	result(!setsockopt(config, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			   &groups[0], sizeof(groups[0])) &&
	       !setsockopt(events, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP,
			   &groups[1], sizeof(groups[1])), "both groups");
	node(NLM_F_CREATE, 60, "192.0.2.160", NULL, AGENT, 0, 0, 0, 1);
	is(VNIMESH_CMD_NODE_NTF, heard(config, 1000, &row), "a node");
	is(60, attr_of(&row.h, VNIMESH_A_NODE_ID), "... which one");
	vni(601, 60, "10.60.0.1", AGENT, 1);
	is(VNIMESH_CMD_VNI_NTF, heard(config, 1000, &row), "a VNI");
	service("told", "10.96.4.1", 0, AGENT, 1);
	is(VNIMESH_CMD_SERVICE_NTF, heard(config, 1000, &row), "a service");
	member("told", 601, AGENT, 1);
	is(VNIMESH_CMD_MEMBER_NTF, heard(config, 1000, &row), "a member");
	set_timeout(750);
	is(VNIMESH_CMD_MESH_NTF, heard(config, 1000, &row), "the mesh");
	service("told", "10.96.4.2", 0, AGENT, 1);
	is(0, heard(config, 50, &row), "nothing of what was refused");
	del(VNIMESH_CMD_SERVICE_DEL, 0, "told");
	is(VNIMESH_CMD_MEMBER_DEL_NTF, heard(config, 1000, &row), "member gone");
	is(VNIMESH_CMD_SERVICE_DEL_NTF, heard(config, 1000, &row), "service gone");
	del(VNIMESH_CMD_VNI_DEL, 601, NULL);
	is(VNIMESH_CMD_VNI_DEL_NTF, heard(config, 1000, &row), "VNI gone");
	del(VNIMESH_CMD_NODE_DEL, 60, NULL);
	is(VNIMESH_CMD_NODE_DEL_NTF, heard(config, 1000, &row), "node gone");

	start(&m, VNIMESH_CMD_MESH_SET, NLM_F_ECHO);
	put_u32(&m, VNIMESH_A_MESH_IFINDEX, ifindex);
	put_u32(&m, VNIMESH_A_MESH_MISS_TIMEOUT, 751);
	memset(&row, 0, sizeof(row));
	talk_on(fd, &m, &ack, keep_row, &row);
	is(751, attr_of(&row.h, VNIMESH_A_MESH_MISS_TIMEOUT), "NLM_F_ECHO");

	bind_agent(agent);
	is(VNIMESH_CMD_EVENT_NTF, heard(events, 1000, &row), "an event");
	is(VNIMESH_EVENT_AGENT_BOUND, attr_of(&row.h, VNIMESH_A_EVENT_TYPE),
	   "... agent bound");
	close(agent);
	is(VNIMESH_CMD_EVENT_NTF, heard(events, 1000, &row), "an event");
	is(VNIMESH_EVENT_AGENT_LOST, attr_of(&row.h, VNIMESH_A_EVENT_TYPE),
	   "... agent lost");
	close(config);
	close(events);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc != 2) {
		fprintf(stderr, "usage: nlrules MESH\n");
		return 2;
	}
	fd = open_socket();
	find_family();
	ifindex = if_nametoindex(argv[1]);
	if (!ifindex)
		die(argv[1]);
	try_prefixes();
	try_versions();
	try_addresses();
	try_sweep();
	try_resolve();
	try_dumps();
	try_notifications();
	printf("1..%u\n", n_tests);
	return n_failed ? 1 : 0;
}
