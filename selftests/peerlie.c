// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peerlie - talks to an agent as another agent does, by the same code, and says
 * what it is told to say.
 *
 *   peerlie [-k FILE] [-i PUBLIC] [-p PORT] [-r MS] -m MESH UUID -n NODE ADDR
 *	   -t NODE ADDR PUBLIC [-d TAG VNI]... [-s NODE VNI]
 *	It is NODE at ADDR and PORT (any) with the secret key in FILE (a new one),
 *	says that it has the key PUBLIC (its own) and talks to -t at port 7901:
 *	pings each -r ms (1000) and answers. -d: tells that this member is down.
 *	-s: suspects that VNI with each ping. Runs until it is killed.
 *
 * An option that takes several words has them behind it.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/vnimesh.h>

#include "peer_hub.h"

#define PEER_PORT	7901
#define TURN_MS		10
#define FACTS_MAX	8

struct liar {
	struct peer_hub hub;
	int fd;
	uint32_t mesh, self;
	const char *uuid;
	struct ip_addr from;
	int port;
	uint8_t secret[crypto_box_SECRETKEYBYTES];
	bool claims;		/* to have the key @claimed */
	uint8_t claimed[crypto_box_PUBLICKEYBYTES];
	uint32_t to;		/* at @addr, with the key @public */
	struct ip_addr addr;
	uint8_t public[crypto_box_PUBLICKEYBYTES];
	uint32_t ping_ms;
	struct peer_case kase;	/* node 0: none */
	struct peer_fact facts[FACTS_MAX];
	unsigned int n_facts;
};

static void die(const char *what)
{
	fprintf(stderr, "peerlie: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

static struct sockaddr_in to_sockaddr(const struct ip_addr *addr, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(port) };

	memcpy(&sin.sin_addr, addr->b, 4);
	return sin;
}

static void on_send(void *data, uint32_t node, const uint8_t *buf, size_t len)
{
	struct liar *l = data;
	struct sockaddr_in sin = to_sockaddr(&l->addr, PEER_PORT);

	(void)node;
	/* It may not be there. */
	if (sendto(l->fd, buf, len, 0, (struct sockaddr *)&sin,
		   sizeof(sin)) < 0 && errno != ECONNREFUSED)
		die("send");
}

static enum peer_fate on_fact(void *data, uint32_t node, uint64_t epoch,
			      const struct peer_fact *fact)
{
	(void)data;
	(void)node;
	(void)epoch;
	(void)fact;
	return PEER_FACT_TAKEN;
}

static void on_live(void *data, uint32_t node, bool live)
{
	(void)data;
	(void)node;
	/* From now on what it says counts. */
	if (live)
		puts("believed");
	fflush(stdout);
}

static void on_case(void *data, uint32_t node, uint8_t type,
		    const struct peer_case *kase)
{
	(void)data;
	(void)node;
	(void)type;
	(void)kase;
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

static void get_key(const char *text, uint8_t ret[crypto_box_PUBLICKEYBYTES])
{
	size_t n = 0;

	if (sodium_hex2bin(ret, crypto_box_PUBLICKEYBYTES, text,
			   strcspn(text, "\n"), NULL, &n, NULL) ||
	    n != crypto_box_PUBLICKEYBYTES) {
		fprintf(stderr, "peerlie: not a key: %s\n", text);
		exit(2);
	}
}

static void read_key(const char *file, uint8_t ret[crypto_box_PUBLICKEYBYTES])
{
	char line[80] = "";
	FILE *f = fopen(file, "re");

	if (!f || !fgets(line, sizeof(line), f))
		die(file);
	fclose(f);
	get_key(line, ret);
}

static struct ip_addr get_addr(const char *text)
{
	struct ip_addr addr = { .family = AF_INET };

	if (inet_pton(AF_INET, text, addr.b) != 1) {
		fprintf(stderr, "peerlie: not an address: %s\n", text);
		exit(2);
	}
	return addr;
}

static void open_socket(struct liar *l)
{
	struct sockaddr_in sin = to_sockaddr(&l->from, l->port);

	l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&sin, sizeof(sin)))
		die("bind");
}

static void tell(struct liar *l, const char *tag, uint32_t vni)
{
	struct peer_fact *fact = &l->facts[l->n_facts];

	if (l->n_facts == FACTS_MAX) {
		fputs("peerlie: too many members\n", stderr);
		exit(2);
	}
	snprintf(fact->tag, sizeof(fact->tag), "%s", tag);
	fact->vni = vni;
	fact->seq = ++l->n_facts;
	fact->state = VNIMESH_STATE_DOWN;
	fact->weight = 1;
}

static void hear(struct liar *l)
{
	uint8_t buf[PEER_DATAGRAM];
	ssize_t len;

	len = recv(l->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (len >= 0)
		peer_hub_rx(&l->hub, &l->addr, buf, len, now_us());
}

static void run(struct liar *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	uint64_t pings;

	for (;;) {
		if (poll(&p, 1, TURN_MS) < 0)
			die("poll");
		if (p.revents)
			hear(l);
		pings = l->hub.stats.tx;
		peer_hub_tick(&l->hub, now_us());
		if (l->kase.node && l->hub.stats.tx != pings)
			peer_hub_case(&l->hub, l->to, PEER_SUSPECT, &l->kase,
				      now_us());
	}
}

/* The next of the words behind the options that take several. */
static const char *word(char **argv)
{
	if (!argv[optind]) {
		fputs("usage: see the head of peerlie.c\n", stderr);
		exit(2);
	}
	return argv[optind++];
}

static void parse(struct liar *l, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+k:i:p:r:m:n:t:d:s:")) != -1) {
		switch (opt) {
		case 'k':
			read_key(optarg, l->secret);
			break;
		case 'i':
			get_key(optarg, l->claimed);
			l->claims = true;
			break;
		case 'p':
			l->port = atoi(optarg);
			break;
		case 'r':
			l->ping_ms = atoi(optarg);
			break;
		case 'm':
			l->mesh = atoi(optarg);
			l->uuid = word(argv);
			break;
		case 'n':
			l->self = atoi(optarg);
			l->from = get_addr(word(argv));
			break;
		case 't':
			l->to = atoi(optarg);
			l->addr = get_addr(word(argv));
			get_key(word(argv), l->public);
			break;
		case 'd':
			tell(l, optarg, atoi(word(argv)));
			break;
		case 's':
			l->kase.node = atoi(optarg);
			l->kase.vni = atoi(word(argv));
			break;
		default:
			exit(2);
		}
	}
}

static void start(struct liar *l)
{
	unsigned int i;

	open_socket(l);
	peer_hub_init(&l->hub, &ops, l, randombytes_random() | 1ULL << 40,
		      l->secret, now_us());
	peer_hub_identity(&l->hub, l->mesh, l->uuid, l->self);
	l->hub.ping_ms = l->ping_ms;
	if (l->claims)
		l->hub.key_id = peer_key_id(l->claimed);
	for (i = 0; i < l->n_facts; i++)
		if (!peer_hub_tell(&l->hub, &l->facts[i]))
			die("tell");
	if (!peer_hub_set(&l->hub, l->to, &l->addr, l->public, now_us()))
		die("peer");
	peer_hub_want(&l->hub, peer_hub_node(&l->hub, l->to), true, now_us());
}

int main(int argc, char **argv)
{
	struct liar l = {
		.uuid = "", .ping_ms = PEER_PING_MS,
		.kase = { .sight = PEER_SIGHT_DOWN },
	};

	if (sodium_init() < 0)
		die("sodium");
	randombytes_buf(l.secret, sizeof(l.secret));
	parse(&l, argc, argv);
	start(&l);
	run(&l);
}
