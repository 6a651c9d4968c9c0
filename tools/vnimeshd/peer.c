// SPDX-License-Identifier: GPL-2.0-or-later
/* The other agents. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "local.h"
#include "log.h"
#include "observe.h"
#include "peer.h"
#include "peer_hub.h"
#include "peer_key.h"
#include "state.h"
#include "table.h"
#include "vantage.h"
#include "watch.h"

/* Datagrams read in one turn, so that a flood leaves room for all else. */
#define READ_MAX	256
/* A burst of a thousand pings waits in here. */
#define SOCKET_BYTES	(1024 * 1024)

struct peer {
	struct mesh *m;
	struct peer_hub hub;
	bool keyed;		/* @hub is made */
	int fd;
	struct source *io, *timer, *defer;
	uint64_t due_us;	/* what the timer is set to */
	uint64_t away_us;	/* since when the coordinator is away, 0: not */
	uint64_t send_failed;
	bool told;		/* that there is no socket is in the log */
};

static void arm(struct peer *p)
{
	p->due_us = peer_hub_due(&p->hub);
	if (p->fd >= 0 && p->due_us != UINT64_MAX)
		source_timer_set(p->timer, p->due_us);
	else
		source_timer_stop(p->timer);
}

static socklen_t to_sockaddr(const struct ip_addr *addr, uint16_t port,
			     struct sockaddr_storage *ret)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;
	struct sockaddr_in *in = (struct sockaddr_in *)ret;

	memset(ret, 0, sizeof(*ret));
	ret->ss_family = addr->family;
	if (addr->family == AF_INET) {
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, addr->b, 4);
		return sizeof(*in);
	}
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, addr->b, 16);
	return sizeof(*in6);
}

static void on_send(void *data, uint32_t node, const uint8_t *buf, size_t len)
{
	struct peer *p = data;
	const struct node *n = facts_node(&p->m->facts, node);
	struct sockaddr_storage ss;
	socklen_t ss_len;

	if (!n || p->fd < 0)
		return;
	ss_len = to_sockaddr(&n->underlay, n->peer_port, &ss);
	if (sendto(p->fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&ss,
		   ss_len) < 0)
		p->send_failed++;
}

static enum peer_fate on_fact(void *data, uint32_t node, uint64_t epoch,
			      const struct peer_fact *fact)
{
	struct figures fig = {
		.state = fact->state, .health = fact->health,
		.weight = fact->weight, .latency_us = fact->latency_us,
		.latency_kind = fact->latency_kind,
		.priority = fact->priority, .epoch = epoch, .seq = fact->seq,
	};
	struct peer *p = data;

	switch (facts_set_figures(&p->m->facts, node, fact->tag, fact->vni,
				  &fig)) {
	case FACTS_TAKEN:
		table_dirty(p->m->table, fact->tag);
		table_dirty_vnis(p->m->table);
		state_changed(p->m->state, false);
		return PEER_FACT_TAKEN;
	case FACTS_SAME:
		/* Known, but fresh from now on. */
		table_dirty(p->m->table, fact->tag);
		return PEER_FACT_OLD;
	case FACTS_FOREIGN:
		return PEER_FACT_FOREIGN;
	default:
		return PEER_FACT_UNKNOWN;
	}
}

static void on_changed(void *data, const char *tag)
{
	struct peer *p = data;

	table_dirty(p->m->table, tag);
}

static void ask_anew(struct peer *p, bool again)
{
	if (again && p->m->joined && p->m->running)
		watch_restart(p->m->watch, UINT64_MAX);
}

static void on_live(void *data, uint32_t node, bool live)
{
	struct peer *p = data;
	struct node *n = facts_node(&p->m->facts, node);

	if (n)
		n->answers = live;
	log_debug("the agent of node %u %s", node,
		  live ? "answers" : "does not answer any more");
	if (!live)
		ask_anew(p, facts_silent(&p->m->facts, node, p->away_us,
					 on_changed, p));
}

static void on_case(void *data, uint32_t node, uint8_t type,
		    const struct peer_case *kase)
{
	struct peer *p = data;

	if (type == PEER_CHECK)
		observe_asked(p->m->observe, kase->vni);
	else
		vantage_rx(p->m->vantage, node, type, kase);
}

static void on_random(void *data, void *buf, size_t len)
{
	(void)data;
	randombytes_buf(buf, len);
}

static const struct peer_ops ops = {
	.send = on_send,
	.fact = on_fact,
	.live = on_live,
	.kase = on_case,
	.random = on_random,
};

static bool read_one(struct peer *p)
{
	/* One more than there may be: longer ones are seen to be so. */
	uint8_t buf[PEER_DATAGRAM + 1];
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;
	socklen_t ss_len = sizeof(ss);
	struct ip_addr from = { 0 };
	ssize_t len;

	len = recvfrom(p->fd, buf, sizeof(buf), MSG_DONTWAIT,
		       (struct sockaddr *)&ss, &ss_len);
	/* What was refused before is told here too: the next one may be
	 * good.
	 */
	if (len < 0)
		return errno != EAGAIN && errno != EBADF;
	from.family = ss.ss_family;
	if (ss.ss_family == AF_INET)
		memcpy(from.b, &in->sin_addr, 4);
	else
		memcpy(from.b, &in6->sin6_addr, 16);
	peer_hub_rx(&p->hub, &from, buf, len, loop_now());
	return true;
}

static void drain(struct peer *p)
{
	int i;

	for (i = 0; i < READ_MAX && read_one(p); i++)
		;
}

static void on_io(void *data, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	drain(data);
	arm(data);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct peer *p = data;

	/* What came while we did not run counts, and nobody was silent. */
	if (reach_late(p->due_us, now_us, p->hub.ping_ms / 2)) {
		drain(p);
		peer_hub_forgive(&p->hub, now_us);
	}
	peer_hub_tick(&p->hub, now_us);
	arm(p);
}

static int open_socket(struct peer *p)
{
	const struct config *c = &p->m->conf;
	int bytes = SOCKET_BYTES, one = 1, err = 0, fd;
	struct sockaddr_storage ss;
	socklen_t len;

	len = to_sockaddr(&c->underlay, c->peer_port, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (ss.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)))
		err = -errno;
	if (!err && bind(fd, (struct sockaddr *)&ss, len))
		err = -errno;
	if (!err)
		err = loop_io(p->m->loop, &p->io, fd, EPOLLIN, on_io, p);
	if (err)
		close(fd);
	else
		p->fd = fd;
	return err;
}

void peer_start(struct peer *p)
{
	const struct facts *f = &p->m->facts;
	int err;

	peer_hub_identity(&p->hub, f->mesh.id, f->mesh.uuid, f->self);
	if (p->fd >= 0)
		return;
	err = open_socket(p);
	if (err) {
		log_line(p->told ? LOG_DEBUG : LOG_ERR,
			 "cannot hear other agents at port %u: %s",
			 p->m->conf.peer_port, strerror(-err));
		p->told = true;
		return;
	}
	p->told = false;
	peer_refresh(p);
	peer_changed(p);
}

/* The hub knows whom the node list knows. */
static void sync_nodes(struct peer *p, uint64_t now_us)
{
	struct facts *f = &p->m->facts;
	uint8_t key[crypto_box_PUBLICKEYBYTES];
	struct peer_node *pn;
	struct node *n;
	size_t i;

	for (i = p->hub.nodes.n; i; i--) {
		pn = p->hub.nodes.v[i - 1];
		n = facts_node(f, pn->id);
		if (!n || !n->key[0] || !n->peer_port)
			peer_hub_del(&p->hub, pn->id);
	}
	for (i = 0; i < f->nodes.n; i++) {
		n = f->nodes.v[i];
		if (n->id == f->self || !n->peer_port ||
		    !peer_key_parse(n->key, key))
			continue;
		if (!peer_hub_set(&p->hub, n->id, &n->underlay, key, now_us))
			continue;
		peer_hub_want(&p->hub, peer_hub_node(&p->hub, n->id),
			      n->routed, now_us);
	}
}

/* Members that came after their owner told of them. */
static void ask_again(struct peer *p, uint64_t now_us)
{
	struct facts *f = &p->m->facts;
	struct peer_node *pn;
	struct service *s;
	struct member *m;
	size_t i, j;

	for (i = 0; i < f->services.n; i++) {
		s = f->services.v[i];
		for (j = 0; s->used && j < s->members.n; j++) {
			m = s->members.v[j];
			if (m->peer || m->asked)
				continue;
			pn = peer_hub_node(&p->hub, m->node);
			if (!pn || !pn->live)
				continue;
			m->asked = true;
			peer_hub_resync(&p->hub, pn, now_us);
		}
	}
}

void peer_refresh(struct peer *p)
{
	uint64_t now_us = loop_now();

	if (p->fd < 0)
		return;
	p->hub.ping_ms = p->m->conf.echo_ms * 10 / 3;
	facts_route(&p->m->facts);
	sync_nodes(p, now_us);
	ask_again(p, now_us);
	/* With the coordinator away, nobody vouches for who is silent. */
	if (!p->m->away)
		p->away_us = 0;
	else if (!p->away_us)
		p->away_us = now_us;
	else if (now_us > p->away_us + (PEER_PING_LOST + 1) * p->hub.ping_ms *
				       LOOP_USEC_PER_MSEC)
		facts_silent(&p->m->facts, 0, true, on_changed, p);
	arm(p);
}

static int by_seq(const void *a, const void *b)
{
	const struct peer_fact *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

static void tell_facts(struct peer *p)
{
	const struct local *l = p->m->local;
	const struct peer_fact *known;
	struct peer_fact *v, *f;
	const struct own *o;
	struct member fact;
	size_t i, n = 0;

	v = calloc(l->own.n + 1, sizeof(*v));
	for (i = 0; v && i < l->own.n; i++) {
		o = l->own.v[i];
		if (!local_fact(l, o, &fact))
			continue;
		known = peer_log_find(&p->hub.log, o->conf.tag, fact.vni);
		if (known && known->seq >= fact.seq)
			continue;
		f = &v[n++];
		strcpy(f->tag, o->conf.tag);
		f->vni = fact.vni;
		f->seq = fact.seq;
		f->state = fact.state;
		f->health = fact.health;
		f->weight = fact.weight;
		f->latency_us = fact.latency_us;
		f->latency_kind = fact.latency_kind;
		f->priority = fact.priority;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_seq);
	for (i = 0; i < n; i++)
		peer_hub_tell(&p->hub, &v[i]);
	free(v);
}

/* Told once, and not declared any more. */
static void tell_gone(struct peer *p)
{
	struct sorted *told = &p->hub.log.by_key;
	struct peer_fact f;
	size_t i;

	for (i = told->n; i; i--) {
		f = *(struct peer_fact *)told->v[i - 1];
		if (!f.state || local_find(p->m->local, f.tag, f.vni))
			continue;
		f.state = 0;
		f.health = 0;
		f.seq = ++p->m->fact_seq;
		peer_hub_tell(&p->hub, &f);
	}
}

static void on_defer(void *data)
{
	struct peer *p = data;

	tell_facts(p);
	tell_gone(p);
	peer_hub_flush(&p->hub, loop_now());
	arm(p);
}

void peer_changed(struct peer *p)
{
	if (p && p->fd >= 0)
		source_defer(p->defer);
}

int peer_key(struct peer *p)
{
	uint8_t secret[crypto_box_SECRETKEYBYTES];
	char error[1200];

	switch (peer_key_load(p->m->conf.state_dir, secret, error,
			      sizeof(error))) {
	case PEER_KEY_READY:
		break;
	case PEER_KEY_PASSING:
		log_warn("%s; this run has one of its own", error);
		break;
	case PEER_KEY_UNUSABLE:
		log_err("%s", error);
		return -EINVAL;
	}
	peer_hub_init(&p->hub, &ops, p, p->m->epoch, secret, loop_now());
	sodium_memzero(secret, sizeof(secret));
	p->keyed = true;
	return 0;
}

void peer_introduce(const struct peer *p, json_t *join)
{
	char text[2 * sizeof(p->hub.public) + 1];

	sodium_bin2hex(text, sizeof(text), p->hub.public,
		       sizeof(p->hub.public));
	json_object_set_new(join, "key", json_string(text));
	json_object_set_new(join, "peer_port",
			    json_integer(p->m->conf.peer_port));
}

bool peer_case(struct peer *p, uint32_t node, uint8_t type,
	       const struct peer_case *kase)
{
	bool ok;

	if (p->fd < 0)
		return false;
	ok = peer_hub_case(&p->hub, node, type, kase, loop_now());
	arm(p);
	return ok;
}

json_t *peer_list(const struct peer *p)
{
	return peer_show(&p->m->facts, &p->hub);
}

json_t *peer_status(const struct peer *p)
{
	size_t i, live = 0;
	const char *name;
	uint64_t value;
	json_t *o;

	for (i = 0; i < p->hub.nodes.n; i++)
		live += ((struct peer_node *)p->hub.nodes.v[i])->live;
	o = json_pack("{s:I, s:I, s:I, s:I, s:I}",
		      "nodes", (json_int_t)p->hub.nodes.n,
		      "routed", (json_int_t)p->hub.n_wanted,
		      "answering", (json_int_t)live,
		      "subscribers", (json_int_t)p->hub.n_subs,
		      "send_failed", (json_int_t)p->send_failed);
	for (i = 0; peer_hub_stat(&p->hub, i, &name, &value); i++)
		json_object_set_new(o, name, json_integer(value));
	vantage_status(p->m->vantage, o);
	observe_status(p->m->observe, o);
	return o;
}

struct peer *peer_new(struct mesh *m)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->m = m;
	p->fd = -1;
	if (sodium_init() < 0 || loop_timer(m->loop, &p->timer, on_timer, p) ||
	    loop_defer(m->loop, &p->defer, on_defer, p)) {
		peer_free(p);
		return NULL;
	}
	return p;
}

void peer_free(struct peer *p)
{
	if (!p)
		return;
	source_free(&p->io);
	source_free(&p->timer);
	source_free(&p->defer);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	if (p->keyed)
		peer_hub_free(&p->hub);
	free(p);
}
