/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generic netlink with nothing in between, and TAP, for the programs that test
 * what no library would send.
 */
#ifndef NLRAW_H
#define NLRAW_H

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/vnimesh.h>

#define N(x)	(sizeof(x) / sizeof((x)[0]))

static int fd, family;
static uint32_t ifindex, seq, groups[2];
static unsigned int n_tests, n_failed;

struct msg {
	struct nlmsghdr h;
	struct genlmsghdr g;
	char data[2048];
};

struct ack {
	int err;
	uint32_t offset, missing;
	char text[256];
};

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void start(struct msg *m, uint8_t cmd, uint16_t flags)
{
	memset(m, 0, sizeof(*m));
	m->h.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
	m->h.nlmsg_type = family;
	m->h.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	m->g.cmd = cmd;
	m->g.version = VNIMESH_GENL_VERSION;
}

static void put(struct msg *m, int type, const void *data, size_t len)
{
	struct nlattr *a = (void *)((char *)m + m->h.nlmsg_len);

	a->nla_type = type;
	a->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy((char *)a + NLA_HDRLEN, data, len);
	m->h.nlmsg_len += NLA_ALIGN(a->nla_len);
}

static inline void put_u8(struct msg *m, int type, uint8_t v) { put(m, type, &v, 1); }
static void put_u32(struct msg *m, int type, uint32_t v) { put(m, type, &v, 4); }
static inline void put_u64(struct msg *m, int type, uint64_t v) { put(m, type, &v, 8); }

static inline void put_port(struct msg *m, int type, uint16_t v)
{
	v = htons(v);
	put(m, type, &v, 2);
}

static inline void put_str(struct msg *m, int type, const char *s)
{
	put(m, type, s, strlen(s) + 1);
}

static inline void put_ip(struct msg *m, int type, const char *s)
{
	unsigned char ip[16];
	bool v6 = strchr(s, ':');

	if (inet_pton(v6 ? AF_INET6 : AF_INET, s, ip) != 1)
		die(s);
	put(m, type, ip, v6 ? 16 : 4);
}

static inline uint32_t nest(struct msg *m, int type)
{
	uint32_t at = m->h.nlmsg_len;

	put(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static inline void end_nest(struct msg *m, uint32_t at)
{
	((struct nlattr *)((char *)m + at))->nla_len = m->h.nlmsg_len - at;
}

static inline void put_prefix(struct msg *m, int type, const char *ip, uint8_t len)
{
	uint32_t at = nest(m, type);

	put_ip(m, VNIMESH_A_PREFIX_ADDR, ip);
	put_u8(m, VNIMESH_A_PREFIX_LEN, len);
	end_nest(m, at);
}

static inline void put_rule(struct msg *m, uint8_t proto, uint16_t port)
{
	uint32_t at = nest(m, 1);

	put_u8(m, VNIMESH_A_PORT_PROTO, proto);
	put_port(m, VNIMESH_A_PORT_PORT, port);
	end_nest(m, at);
}

static int open_socket(void)
{
	struct sockaddr_nl name = { .nl_family = AF_NETLINK };
	struct timeval limit = { .tv_sec = 30 };
	int one = 1, room = 1 << 20;
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
		       NETLINK_GENERIC);

	/* Without a port id of its own it is taken for the kernel, which hears
	 * no multicast.
	 */
	if (s < 0 || bind(s, (struct sockaddr *)&name, sizeof(name)) ||
	    setsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)) ||
	    setsockopt(s, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)) ||
	    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		die("socket");
	/* A thousand candidates of route-get and the acknowledgment. */
	setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	return s;
}

static void get_tlvs(const char *p, const char *end, struct ack *ack)
{
	for (; p + NLA_HDRLEN <= end;) {
		const struct nlattr *a = (const void *)p;
		const char *data = p + NLA_HDRLEN;

		if (a->nla_len < NLA_HDRLEN)
			return;
		if (a->nla_type == NLMSGERR_ATTR_MSG)
			snprintf(ack->text, sizeof(ack->text), "%s", data);
		else if (a->nla_type == NLMSGERR_ATTR_OFFS)
			memcpy(&ack->offset, data, 4);
		else if (a->nla_type == 5 /* NLMSGERR_ATTR_MISS_TYPE */)
			memcpy(&ack->missing, data, 4);
		p += NLA_ALIGN(a->nla_len);
	}
}

typedef void (*row_fn)(const struct nlmsghdr *h, void *arg);

/* The end of the answer in *@ack; other messages of it to @row. */
static void talk_on(int s, struct msg *m, struct ack *ack, row_fn row, void *arg)
{
	static char buf[1 << 19];

	m->h.nlmsg_seq = ++seq;
	if (send(s, m, m->h.nlmsg_len, 0) < 0)
		die("send");
	memset(ack, 0, sizeof(*ack));
	for (;;) {
		ssize_t len = recv(s, buf, sizeof(buf), 0);
		struct nlmsghdr *h = (void *)buf;

		if (len < 0)
			die("recv");
		for (; NLMSG_OK(h, (size_t)len); h = NLMSG_NEXT(h, len)) {
			char *end = (char *)h + h->nlmsg_len;

			if (h->nlmsg_seq != seq)
				continue;
			if (h->nlmsg_type != NLMSG_ERROR &&
			    h->nlmsg_type != NLMSG_DONE) {
				if (row)
					row(h, arg);
				continue;
			}
			memcpy(&ack->err, NLMSG_DATA(h), sizeof(int));
			if (h->nlmsg_flags & NLM_F_ACK_TLVS)
				get_tlvs((char *)NLMSG_DATA(h) +
					 (h->nlmsg_type == NLMSG_DONE ? 4 :
					  sizeof(struct nlmsgerr)), end, ack);
			return;
		}
	}
}

static inline void talk(struct msg *m, struct ack *ack)
{
	talk_on(fd, m, ack, NULL, NULL);
}

/* Attribute @type among @len bytes at @p, or NULL. */
static const struct nlattr *find_in(const void *p, size_t len, int type)
{
	const struct nlattr *a = p;

	for (; len >= NLA_HDRLEN && a->nla_len >= NLA_HDRLEN;
	     a = (const void *)((const char *)a + NLA_ALIGN(a->nla_len))) {
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		if ((size_t)NLA_ALIGN(a->nla_len) >= len)
			break;
		len -= NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

static const void *data_of(const struct nlattr *a)
{
	return (const char *)a + NLA_HDRLEN;
}

/* ... of a message of generic netlink. */
static const struct nlattr *find_attr(const struct nlmsghdr *h, int type)
{
	return find_in((const char *)NLMSG_DATA(h) + GENL_HDRLEN,
		       h->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN), type);
}

/* 0 if it is not there. */
static inline uint64_t attr_of(const struct nlmsghdr *h, int type)
{
	const struct nlattr *a = find_attr(h, type);
	uint64_t v = 0;

	if (a)
		memcpy(&v, data_of(a), a->nla_len - NLA_HDRLEN < 8 ?
		       a->nla_len - NLA_HDRLEN : 8);
	return v;
}

static void got_family(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *all, *one, *a;
	int i;

	(void)arg;
	family = attr_of(h, CTRL_ATTR_FAMILY_ID);
	all = find_attr(h, CTRL_ATTR_MCAST_GROUPS);
	for (i = 1; all && i <= 2; i++) {
		one = find_in(data_of(all), all->nla_len - NLA_HDRLEN, i);
		a = one ? find_in(data_of(one), one->nla_len - NLA_HDRLEN,
				  CTRL_ATTR_MCAST_GRP_ID) : NULL;
		if (a)
			memcpy(&groups[i - 1], data_of(a), 4);
	}
}

static inline void find_family(void)
{
	struct msg m;
	struct ack ack;

	start(&m, CTRL_CMD_GETFAMILY, 0);
	m.h.nlmsg_type = GENL_ID_CTRL;
	put_str(&m, CTRL_ATTR_FAMILY_NAME, VNIMESH_GENL_NAME);
	talk_on(fd, &m, &ack, got_family, NULL);
	if (!family) {
		printf("1..0 # SKIP no module vnimesh\n");
		exit(4);
	}
}

static inline bool result(bool ok, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %u - ", ok ? "" : "not ", ++n_tests);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	n_failed += !ok;
	return ok;
}

static inline void done(struct msg *m, const char *what)
{
	struct ack ack;

	talk(m, &ack);
	if (!ack.err)
		return;
	printf("# %s: %s: %s\n", what, strerror(-ack.err), ack.text);
	errno = -ack.err;
	die(what);
}

#endif /* NLRAW_H */
