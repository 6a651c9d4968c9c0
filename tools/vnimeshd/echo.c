// SPDX-License-Identifier: GPL-2.0-or-later
/* Echoes to the other nodes. */

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "echo.h"
#include "echo_packet.h"
#include "log.h"
#include "table.h"
#include "vantage.h"

/* Timers are not finer than this: several echoes then go in one turn. */
#define TICK_MIN_US	5000
/* Answers read in one turn, more than are asked for between two. */
#define READ_MAX	2048
/* The largest echo: no IPv4 packet is longer. */
#define FULL_MAX	65535
/* <linux/icmp.h> has these, but cannot stand beside <net/if.h>. */
#define RAW_LEVEL	255	/* SOL_RAW */
#define RAW_ICMP_FILTER	1	/* a mask of types to drop */

struct echo {
	struct mesh *m;
	int fd4, fd6;
	struct source *io4, *io6;
	struct source *timer;
	uint16_t id;
	uint64_t cookie;
	uint64_t cycle_us;	/* when this round through all nodes began */
	uint64_t due_us;
	uint64_t overdue_us;	/* when a node has lost its last echo */
	size_t next;		/* place in the list of nodes */
	bool news;		/* a latency moved in this round */
	uint32_t mtu;		/* of the device */
	uint8_t buf[FULL_MAX];	/* zeros behind */
	bool told;		/* that sending fails is in the log */
	bool told_open;		/* that there are no sockets is */
};

static const struct ip_addr *address_of(const struct node *n)
{
	return n->address4.family ? &n->address4 : &n->address6;
}

/* The echo alone or, @full, with zeros behind up to what the device takes. */
static int send_echo(struct echo *e, const struct node *n, uint16_t seq,
		     bool full)
{
	const struct ip_addr *addr = address_of(n);
	bool six = addr->family == AF_INET6;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct echo_says says = {
		.id = e->id, .seq = seq, .node = n->id, .cookie = e->cookie,
	};
	size_t size = ECHO_PACKET;
	ssize_t len;

	if (full && e->mtu > ECHO_PACKET + (six ? 40 : 20))
		size = e->mtu - (six ? 40 : 20);
	echo_write(six, &says, e->buf);
	if (six) {
		memcpy(&in6.sin6_addr, addr->b, 16);
		len = sendto(e->fd6, e->buf, size, MSG_DONTWAIT,
			     (struct sockaddr *)&in6, sizeof(in6));
	} else {
		memcpy(&in.sin_addr, addr->b, 4);
		len = sendto(e->fd4, e->buf, size, MSG_DONTWAIT,
			     (struct sockaddr *)&in, sizeof(in));
	}
	return len == (ssize_t)size ? 0 : -errno;
}

static void silent(struct echo *e, const struct node *n)
{
	log_warn("node %s does not answer through the mesh any more", n->name);
	table_dirty_nodes(e->m->table);
	vantage_suspect(e->m->vantage, n);
}

static uint32_t interval_ms(const struct echo *e)
{
	return reach_interval_ms(e->m->conf.echo_ms, e->m->facts.nodes.n);
}

/* When to judge it, unless it is to be judged with its next echo. */
static void note_overdue(struct echo *e, const struct node *n)
{
	uint64_t at = reach_verdict_us(&n->reach, e->m->conf.echo_lost,
				       interval_ms(e));

	if (at < e->overdue_us)
		e->overdue_us = at;
}

/* Nodes are few that lost as much as may be, and seldom. */
static void judge(struct echo *e, uint64_t now_us)
{
	struct facts *f = &e->m->facts;
	struct node *n;
	size_t i;

	if (now_us < e->overdue_us)
		return;
	e->overdue_us = UINT64_MAX;
	for (i = 0; i < f->nodes.n; i++) {
		n = f->nodes.v[i];
		if (reach_overdue(&n->reach, e->m->conf.echo_lost,
				  interval_ms(e), now_us))
			silent(e, n);
		note_overdue(e, n);
	}
}

static void ask(struct echo *e, struct node *n)
{
	bool full, narrowed;
	uint16_t seq;
	int err;

	if (n->id == e->m->facts.self || !address_of(n)->family)
		return;
	if (reach_send(&n->reach, e->m->conf.echo_lost, loop_now(), &seq))
		silent(e, n);
	full = reach_full(&n->reach, e->m->conf.echo_lost, &narrowed);
	if (narrowed) {
		log_warn("node %s answers, but packets of %u bytes, the MTU of %s, do not come through any more",
			 n->name, e->mtu, e->m->conf.device);
		table_dirty_nodes(e->m->table);
	}
	err = send_echo(e, n, seq, full);
	/* The way to it is known to be narrower; packets are cut to that. */
	if (err == -EMSGSIZE && full) {
		reach_not_full(&n->reach);
		err = send_echo(e, n, seq, false);
	}
	if (!err) {
		e->told = false;
		note_overdue(e, n);
		return;
	}
	/* What never left us was not lost by the node. */
	reach_forgive(&n->reach);
	if (!e->told)
		log_warn("cannot send an echo to node %s: %s", n->name,
			 strerror(-err));
	e->told = true;
}

static void forgive_all(struct echo *e)
{
	struct facts *f = &e->m->facts;
	size_t i;

	for (i = 0; i < f->nodes.n; i++)
		reach_forgive(&((struct node *)f->nodes.v[i])->reach);
}

static void read_mtu(struct echo *e)
{
	struct ifreq ifr = { 0 };

	memcpy(ifr.ifr_name, e->m->conf.device, sizeof(ifr.ifr_name));
	if (ioctl(e->fd4 >= 0 ? e->fd4 : e->fd6, SIOCGIFMTU, &ifr))
		return;
	e->mtu = ifr.ifr_mtu < FULL_MAX ? ifr.ifr_mtu : FULL_MAX;
}

static void begin(struct echo *e, uint64_t now_us)
{
	read_mtu(e);
	e->cycle_us = now_us;
	e->next = 0;
	if (e->news)
		table_dirty_nodes(e->m->table);
	e->news = false;
}

static void answered(struct echo *e, const struct echo_says *says,
		     const struct ip_addr *from, uint64_t at_us)
{
	struct node *n = facts_node(&e->m->facts, says->node);
	enum reach_state was;

	if (says->id != e->id || says->cookie != e->cookie || !n ||
	    !ip_equal(address_of(n), from))
		return;
	was = n->reach.state;
	if (reach_answer(&n->reach, says->seq, at_us)) {
		if (was == REACH_DOWN) {
			log_info("node %s answers again", n->name);
			vantage_reached(e->m->vantage, n);
		}
		table_dirty_nodes(e->m->table);
	}
	e->news |= reach_latency_news(&n->reach);
}

/* When the packet came, on the loop's clock: the kernel's stamp minus what it
 * waited in the socket. A clock that was stepped meanwhile is not believed.
 */
static uint64_t arrival_us(struct msghdr *msg)
{
	uint64_t now_us = loop_now();
	struct timespec ts, real;
	struct cmsghdr *c;
	int64_t waited;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET ||
		    c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		clock_gettime(CLOCK_REALTIME, &real);
		waited = (real.tv_sec - ts.tv_sec) * 1000000LL +
			 (real.tv_nsec - ts.tv_nsec) / 1000;
		if (waited > 0 && waited < 10000000)
			return now_us - waited;
	}
	return now_us;
}

static bool read_one(struct echo *e, int fd)
{
	struct sockaddr_storage ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	struct ip_addr from = { 0 };
	union {
		char space[256];
		struct cmsghdr align;
	} control;
	uint8_t buf[256];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_name = &ss, .msg_namelen = sizeof(ss),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT);
	struct echo_says says;

	if (len < 0)
		return errno == EINTR;
	from.family = ss.ss_family;
	if (fd == e->fd4)
		memcpy(from.b, &in->sin_addr, 4);
	else
		memcpy(from.b, &in6->sin6_addr, 16);
	if (echo_read(fd == e->fd6, buf, len, &says))
		answered(e, &says, &from, arrival_us(&msg));
	return true;
}

static void on_io(void *data, int fd, uint32_t events)
{
	int i;

	(void)events;
	for (i = 0; i < READ_MAX && read_one(data, fd); i++)
		;
}

static void drain(struct echo *e)
{
	if (e->fd4 >= 0)
		on_io(e, e->fd4, 0);
	if (e->fd6 >= 0)
		on_io(e, e->fd6, 0);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct echo *e = data;
	struct facts *f = &e->m->facts;
	size_t n = f->nodes.n;
	uint64_t interval_us = LOOP_USEC_PER_MSEC * interval_ms(e);
	uint64_t at;

	/* What came while we did not run was answered in time. */
	drain(e);
	if (reach_late(e->due_us, now_us, e->m->conf.echo_ms)) {
		log_debug("the loop was late by %llu ms, a round is discarded",
			  (unsigned long long)(now_us - e->due_us) / 1000);
		forgive_all(e);
		begin(e, now_us);
	}
	judge(e, now_us);
	/* Each node has its place in the round. */
	while (e->next < n && e->cycle_us + e->next * interval_us / n <= now_us)
		ask(e, f->nodes.v[e->next++]);
	if (e->next >= n && now_us >= e->cycle_us + interval_us)
		begin(e, e->cycle_us + interval_us);
	at = e->cycle_us + (e->next < n ? e->next * interval_us / n :
					  interval_us);
	if (e->overdue_us < at)
		at = e->overdue_us;
	if (at < now_us + TICK_MIN_US)
		at = now_us + TICK_MIN_US;
	e->due_us = at;
	source_timer_set(e->timer, at);
}

static int open_socket(struct echo *e, int family)
{
	const char *dev = e->m->conf.device;
	struct icmp6_filter filter6;
	uint32_t filter4 = ~(1U << ICMP_ECHOREPLY);
	int one = 1;
	int err;
	int fd;

	fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	if (fd < 0)
		return -errno;
	if (family == AF_INET) {
		err = setsockopt(fd, RAW_LEVEL, RAW_ICMP_FILTER, &filter4,
				 sizeof(filter4));
	} else {
		ICMP6_FILTER_SETBLOCKALL(&filter6);
		ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter6);
		err = setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter6,
				 sizeof(filter6));
	}
	if (!err)
		err = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
				 strlen(dev));
	if (!err)
		err = setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one,
				 sizeof(one));
	if (!err)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int open_family(struct echo *e, int family, int *fd, struct source **io)
{
	int ret = open_socket(e, family);

	if (ret < 0)
		return ret;
	*fd = ret;
	return loop_io(e->m->loop, io, ret, EPOLLIN, on_io, e);
}

int echo_start(struct echo *e)
{
	const struct node *self = facts_node(&e->m->facts, e->m->facts.self);
	int err = 0;

	echo_stop(e);
	if (self && self->address4.family)
		err = open_family(e, AF_INET, &e->fd4, &e->io4);
	if (!err && self && self->address6.family)
		err = open_family(e, AF_INET6, &e->fd6, &e->io6);
	if (err) {
		log_line(e->told_open ? LOG_DEBUG : LOG_ERR,
			 "cannot open sockets for echoes: %s", strerror(-err));
		e->told_open = true;
		echo_stop(e);
		return err;
	}
	e->told_open = false;
	forgive_all(e);
	e->overdue_us = UINT64_MAX;
	begin(e, loop_now());
	e->due_us = loop_now();
	return source_timer_set(e->timer, e->due_us);
}

void echo_stop(struct echo *e)
{
	source_timer_stop(e->timer);
	source_free(&e->io4);
	source_free(&e->io6);
	if (e->fd4 >= 0)
		close(e->fd4);
	if (e->fd6 >= 0)
		close(e->fd6);
	e->fd4 = -1;
	e->fd6 = -1;
}

struct echo *echo_new(struct mesh *m)
{
	struct echo *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->m = m;
	e->fd4 = -1;
	e->fd6 = -1;
	e->id = mesh_random();
	e->cookie = (uint64_t)mesh_random() << 32 | mesh_random();
	if (loop_timer(m->loop, &e->timer, on_timer, e)) {
		free(e);
		return NULL;
	}
	return e;
}

void echo_free(struct echo *e)
{
	if (!e)
		return;
	echo_stop(e);
	source_free(&e->timer);
	free(e);
}
