// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The channel between agents, from the files that vnimeshd is built of, over a
 * network in memory with a clock of its own. Prints TAP.
 *
 *	peers GOLDEN_DIR [HOSTILE_DATAGRAMS]
 *
 * With GOLDEN_DIR "-w DIR" the golden files are written: only for a type that
 * has none yet, version 1 is frozen.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer_hub.h"
#include "tap.h"

#define MS	1000ULL
#define SEC	1000000ULL
#define HUBS	1200
#define FLIGHT	8192
#define UP	1

unsigned int tests, failures;

/* ---- a network ---- */

static uint64_t rng = 88172645463325252ULL;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

struct known {
	char tag[TAG_MAX + 1];
	uint32_t vni;
	uint64_t epoch, seq;
	uint8_t state, health;
	bool gone_back;
};

struct host {
	struct peer_hub hub;
	uint32_t id;
	uint8_t secret[32], public[32];
	struct known *known;
	size_t n_known, room;
	unsigned int lives, deaths, cases;
	struct peer_case last_case;
	bool up;
};

struct packet {
	uint64_t at_us;
	uint32_t from, to;
	size_t len;
	uint8_t buf[PEER_DATAGRAM];
};

static struct {
	struct host *hosts;
	size_t n;
	uint64_t now_us;
	unsigned int loss;	/* percent */
	uint64_t delay_us, jitter_us;
	struct packet *flight;
	size_t n_flight;
	uint64_t sent, dropped;
	/* a tap: all that was sent, while there is room */
	struct packet *tap;
	size_t n_tap, tap_max;
	size_t longest;
} net;

static struct ip_addr address(uint32_t id)
{
	struct ip_addr a = { .family = AF_INET };

	a.b[0] = 192;
	a.b[1] = 0;
	a.b[2] = id >> 8;
	a.b[3] = id;
	return a;
}

static struct host *host_of(uint32_t id)
{
	return id && id <= net.n ? &net.hosts[id - 1] : NULL;
}

static void on_send(void *data, uint32_t node, const uint8_t *buf, size_t len)
{
	struct host *from = data;
	struct packet *p;

	net.sent++;
	if (len > net.longest)
		net.longest = len;
	if (net.n_tap < net.tap_max) {
		p = &net.tap[net.n_tap++];
		p->from = from->id;
		p->to = node;
		p->len = len;
		memcpy(p->buf, buf, len);
	}
	if (rnd() % 100 < net.loss || net.n_flight == FLIGHT) {
		net.dropped++;
		return;
	}
	p = &net.flight[net.n_flight++];
	p->at_us = net.now_us + net.delay_us +
		   (net.jitter_us ? rnd() % net.jitter_us : 0);
	p->from = from->id;
	p->to = node;
	p->len = len;
	memcpy(p->buf, buf, len);
}

static struct known *known_of(struct host *h, const char *tag, uint32_t vni)
{
	size_t i;

	for (i = 0; i < h->n_known; i++)
		if (h->known[i].vni == vni && !strcmp(h->known[i].tag, tag))
			return &h->known[i];
	return NULL;
}

/* VNI N * 4096 and up is node N's. */
static enum peer_fate on_fact(void *data, uint32_t node, uint64_t epoch,
			      const struct peer_fact *f)
{
	struct host *h = data;
	struct known *k;

	if (f->vni / 4096 != node)
		return PEER_FACT_FOREIGN;
	k = known_of(h, f->tag, f->vni);
	if (!k) {
		if (h->n_known == h->room) {
			h->room = h->room * 2 + 16;
			h->known = realloc(h->known,
					   h->room * sizeof(*h->known));
		}
		k = &h->known[h->n_known++];
		memset(k, 0, sizeof(*k));
		strcpy(k->tag, f->tag);
		k->vni = f->vni;
	} else if (k->epoch == epoch && f->seq <= k->seq) {
		return PEER_FACT_OLD;
	}
	k->epoch = epoch;
	k->seq = f->seq;
	k->state = f->state;
	k->health = f->health;
	return PEER_FACT_TAKEN;
}

static void on_live(void *data, uint32_t node, bool live)
{
	struct host *h = data;

	(void)node;
	if (live)
		h->lives++;
	else
		h->deaths++;
}

static void on_case(void *data, uint32_t node, uint8_t type,
		    const struct peer_case *kase)
{
	struct host *h = data;

	(void)node;
	(void)type;
	h->cases++;
	h->last_case = *kase;
}

static void on_random(void *data, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)data;
	while (len--)
		*p++ = rnd() >> 11;
}

static const struct peer_ops ops = {
	.send = on_send,
	.fact = on_fact,
	.live = on_live,
	.kase = on_case,
	.random = on_random,
};

static void start(struct host *h)
{
	size_t i;

	peer_hub_init(&h->hub, &ops, h, rnd() | 1, h->secret, net.now_us);
	peer_hub_identity(&h->hub, 77, "a-uuid", h->id);
	for (i = 0; i < net.n; i++) {
		struct host *o = &net.hosts[i];
		struct ip_addr a = address(o->id);

		if (o != h)
			peer_hub_set(&h->hub, o->id, &a, o->public, net.now_us);
	}
	h->up = true;
}

static void stop(struct host *h)
{
	h->up = false;
	peer_hub_free(&h->hub);
}

static void want(struct host *h, struct host *o)
{
	peer_hub_want(&h->hub, peer_hub_node(&h->hub, o->id), true,
		      net.now_us);
}

static void net_make(size_t n)
{
	size_t i;

	net.n = n;
	net.now_us = 1000 * SEC;
	net.loss = 0;
	net.delay_us = 200;
	net.jitter_us = 0;
	net.n_flight = 0;
	net.n_tap = 0;
	net.tap_max = 0;
	net.sent = 0;
	net.longest = 0;
	for (i = 0; i < n; i++) {
		struct host *h = &net.hosts[i];

		memset(h, 0, sizeof(*h));
		h->id = i + 1;
		on_random(NULL, h->secret, sizeof(h->secret));
		crypto_scalarmult_base(h->public, h->secret);
	}
	for (i = 0; i < n; i++)
		start(&net.hosts[i]);
}

static void net_free(void)
{
	size_t i;

	for (i = 0; i < net.n; i++) {
		if (net.hosts[i].up)
			stop(&net.hosts[i]);
		free(net.hosts[i].known);
	}
}

static void deliver(struct packet *p)
{
	struct ip_addr from = address(p->from);
	struct host *to = host_of(p->to);

	if (to && to->up)
		peer_hub_rx(&to->hub, &from, p->buf, p->len, net.now_us);
}

/* Runs until @until_us or, unless NULL, until @done. */
static bool run_until(uint64_t until_us, bool (*done)(void *), void *data)
{
	struct packet p;
	uint64_t next;
	size_t i, who;

	for (;;) {
		if (done && done(data))
			return true;
		next = until_us;
		who = SIZE_MAX;
		for (i = 0; i < net.n_flight; i++)
			if (net.flight[i].at_us < next) {
				next = net.flight[i].at_us;
				who = i;
			}
		for (i = 0; i < net.n; i++) {
			struct host *h = &net.hosts[i];

			if (h->up && peer_hub_due(&h->hub) < next) {
				next = peer_hub_due(&h->hub);
				who = FLIGHT + i;
			}
		}
		if (who == SIZE_MAX)
			break;
		if (next > net.now_us)
			net.now_us = next;
		if (who >= FLIGHT) {
			peer_hub_tick(&net.hosts[who - FLIGHT].hub,
				      net.now_us);
			continue;
		}
		p = net.flight[who];
		net.flight[who] = net.flight[--net.n_flight];
		deliver(&p);
	}
	net.now_us = until_us;
	return done && done(data);
}

static void run(uint64_t us)
{
	run_until(net.now_us + us, NULL, NULL);
}

static void tell(struct host *h, const char *tag, uint32_t n, uint8_t state,
		 uint8_t health)
{
	struct peer_fact f = {
		.vni = h->id * 4096 + n, .seq = h->hub.log.last + 1,
		.state = state, .health = health, .weight = 100,
		.latency_us = 1234,
	};

	strcpy(f.tag, tag);
	peer_hub_tell(&h->hub, &f);
	peer_hub_flush(&h->hub, net.now_us);
}

static bool has(struct host *h, struct host *of, const char *tag, uint32_t n,
		uint8_t health)
{
	struct known *k = known_of(h, tag, of->id * 4096 + n);

	return k && k->health == health && k->epoch == of->hub.epoch;
}

static uint64_t refused(const struct peer_stats *s)
{
	return s->truncated + s->alien + s->other_mesh + s->misdirected +
	       s->unknown_node + s->other_address + s->other_key + s->forged +
	       s->malformed + s->replayed + s->run_over + s->unproven +
	       s->rate_limited;
}

#define A (&net.hosts[0])
#define B (&net.hosts[1])
#define C (&net.hosts[2])

/* ---- the ways of a fact ---- */

static void test_basics(void)
{
	uint64_t before;

	net_make(3);
	tell(B, "db", 1, UP, 90);
	want(A, B);
	run(2 * MS);
	ok(has(A, B, "db", 1, 90) && A->lives == 1,
	   "a first ping brings the facts, after proofs of life both ways");
	before = net.now_us;
	tell(B, "db", 1, UP, 50);
	run(MS);
	ok(has(A, B, "db", 1, 50) && net.now_us - before == MS,
	   "a change is pushed at once");
	ok(!C->n_known, "nobody hears what he did not ask for");
	run(60 * SEC);
	ok(A->lives == 1 && !A->deaths && refused(&A->hub.stats) <= 1 &&
	   refused(&B->hub.stats) <= 2, "a minute of pings, and nothing refused but the first");
	tell(B, "db", 1, 0, 0);
	run(MS);
	ok(known_of(A, "db", 4096 * 2 + 1)->state == 0,
	   "that a member is no more is told, too");
	stop(B);
	run(PEER_PING_MS * MS * (PEER_PING_LOST + 1));
	ok(A->deaths == 1, "a node that is silent for three pings is so");
	start(B);
	tell(B, "db", 1, UP, 70);
	before = net.now_us;
	run(2 * SEC);
	ok(has(A, B, "db", 1, 70) && A->lives == 2,
	   "it starts anew with the same key: back within 2 s");
	stop(A);
	start(A);
	A->n_known = 0;
	want(A, B);
	run(2 * MS);
	ok(has(A, B, "db", 1, 70), "so does who listens");
	net_free();
}

static void test_wanted_both_ways(void)
{
	net_make(2);
	tell(A, "a", 1, UP, 11);
	tell(B, "b", 1, UP, 22);
	want(A, B);
	want(B, A);
	run(5 * MS);
	ok(has(A, B, "b", 1, 22) && has(B, A, "a", 1, 11),
	   "both ask each other at one moment");
	stop(A);
	start(A);
	tell(A, "a", 1, UP, 12);
	tell(B, "b", 1, UP, 23);
	want(A, B);
	run(1200 * MS);
	ok(has(A, B, "b", 1, 23) && has(B, A, "a", 1, 12),
	   "and again after one started anew");
	net_free();
}

static void forget(struct host *h, struct host *o)
{
	peer_hub_del(&h->hub, o->id);
}

static void remember(struct host *h, struct host *o, uint32_t addr)
{
	struct ip_addr a = address(addr);

	peer_hub_set(&h->hub, o->id, &a, o->public, net.now_us);
}

/* A node that is missing from one list, and in the next again. */
static void test_listed_again(void)
{
	uint64_t seq;

	net_make(2);
	tell(A, "a", 1, UP, 11);
	tell(B, "b", 1, UP, 22);
	want(A, B);
	want(B, A);
	run(60 * SEC);
	seq = peer_hub_node(&A->hub, 2)->tx_seq;
	forget(A, B);
	ok(A->deaths == 1, "listed again: a node that is not is silent");
	run(100 * MS);
	remember(A, B, 2);
	want(A, B);
	tell(A, "a", 1, UP, 12);
	tell(B, "b", 1, UP, 23);
	run(1 * SEC);
	ok(has(A, B, "b", 1, 23) && A->lives == 2,
	   "listed again: it is heard within a second");
	ok(has(B, A, "a", 1, 12) && !B->hub.stats.replayed,
	   "listed again: and hears, as nothing looks like a replay");
	ok(peer_hub_node(&A->hub, 2)->tx_seq > seq,
	   "listed again: no sequence of this run comes twice");
	tell(B, "b", 1, UP, 24);
	run(MS);
	ok(has(A, B, "b", 1, 24), "listed again: it tells at once");
	/* For one list it is said to be elsewhere. */
	remember(A, B, 7);
	run(100 * MS);
	remember(A, B, 2);
	tell(A, "a", 1, UP, 13);
	tell(B, "b", 1, UP, 25);
	run(2 * SEC);
	ok(has(A, B, "b", 1, 25) && has(B, A, "a", 1, 13) &&
	   !B->hub.stats.replayed,
	   "listed again: so with another address, and back");
	forget(A, B);
	forget(B, A);
	remember(A, B, 2);
	remember(B, A, 1);
	want(A, B);
	want(B, A);
	tell(B, "b", 1, UP, 26);
	run(SEC);
	ok(has(A, B, "b", 1, 26), "listed again: so if both forgot each other");
	net_free();
}

static bool all_known(void *data)
{
	size_t i, n = 0;

	(void)data;
	for (i = 0; i < A->n_known; i++)
		n += A->known[i].health == 77;
	return n == 2048;
}

static void test_full_sync(void)
{
	uint64_t before;
	char tag[32];
	int i;

	net_make(2);
	for (i = 0; i < 2048; i++) {
		snprintf(tag, sizeof(tag), "service-%d", i);
		tell(B, tag, i, UP, 77);
	}
	before = net.now_us;
	want(A, B);
	ok(run_until(before + 5 * SEC, all_known, NULL),
	   "2,048 facts arrive in chunks");
	printf("# in %llu ms, %llu datagrams, longest %zu; repeated %llu, gaps %llu, old %llu\n",
	       (unsigned long long)(net.now_us - before) / 1000,
	       (unsigned long long)net.sent, net.longest,
	       (unsigned long long)B->hub.stats.repeated,
	       (unsigned long long)A->hub.stats.gaps,
	       (unsigned long long)A->hub.stats.facts_old);
	ok(net.sent < 200, "... each chunk once");
	ok(net.longest <= PEER_DATAGRAM, "no datagram is longer than 1200");
	net_free();

	net_make(2);
	net.loss = 30;
	net.delay_us = 1000;
	net.jitter_us = 5000;
	for (i = 0; i < 2048; i++) {
		snprintf(tag, sizeof(tag), "service-%d", i);
		tell(B, tag, i, UP, 77);
	}
	before = net.now_us;
	want(A, B);
	ok(run_until(before + 60 * SEC, all_known, NULL),
	   "also with 30 % loss and those left that overtake each other");
	printf("# in %llu ms, %llu gaps, %llu repeated\n",
	       (unsigned long long)(net.now_us - before) / 1000,
	       (unsigned long long)A->hub.stats.gaps,
	       (unsigned long long)B->hub.stats.repeated);
	net_free();
}

static bool has_health(void *data)
{
	return has(A, B, "db", 1, *(uint8_t *)data);
}

static void test_loss(void)
{
	uint64_t at, took, worst = 0, sum = 0;
	unsigned int late = 0, i;
	uint8_t health;

	net_make(2);
	net.delay_us = 500;
	tell(B, "db", 1, UP, 1);
	want(A, B);
	run(3 * SEC);
	net.loss = 30;
	for (i = 0; i < 1000; i++) {
		health = 2 + i % 90;
		run(rnd() % SEC);
		at = net.now_us;
		tell(B, "db", 1, UP, health);
		run_until(at + 20 * SEC, has_health, &health);
		took = net.now_us - at;
		late += took > SEC;
		sum += took;
		if (took > worst)
			worst = took;
	}
	printf("# 1,000 changes with 30 %% loss: mean %llu ms, longest %llu ms, %llu repeated\n",
	       (unsigned long long)sum / 1000000,
	       (unsigned long long)worst / 1000,
	       (unsigned long long)B->hub.stats.repeated);
	ok(!late, "a push that is lost under 30 % loss converges within 1 s");
	ok(!A->deaths, "and the loss makes nobody silent");
	net_free();
}

static void test_thousand(void)
{
	uint64_t before, i, n = 0;

	net_make(1001);
	tell(A, "db", 1, UP, 10);
	for (i = 1; i < net.n; i++)
		want(&net.hosts[i], A);
	run(3 * SEC);
	ok(A->hub.n_subs == 1000, "a thousand subscribe");
	before = net.sent;
	tell(A, "db", 1, UP, 20);
	ok(net.sent - before == 1000, "a change goes to each of them once");
	run(30 * MS);
	for (i = 1; i < net.n; i++)
		n += has(&net.hosts[i], A, "db", 1, 20);
	ok(n == 1000, "and is everywhere");
	for (i = 1; i < net.n; i++)
		stop(&net.hosts[i]);
	/* The answers to what they sent before are none of these. */
	run(MS);
	before = A->hub.stats.tx;
	tell(A, "db", 1, UP, 30);
	run(40 * SEC);
	printf("# %llu datagrams\n", (unsigned long long)A->hub.stats.tx - before);
	ok(A->hub.stats.tx - before <= 1000 * (PEER_TRIES + 1),
	   "to a thousand dead ones it is repeated a few times");
	ok(!A->hub.n_subs, "then they are no subscribers any more");
	net_free();
}

/* ---- hostile datagrams ---- */

static struct packet *record(size_t max)
{
	net.tap = calloc(max, sizeof(*net.tap));
	net.tap_max = max;
	net.n_tap = 0;
	return net.tap;
}

static void inject(struct host *to, uint32_t from, const uint8_t *buf,
		   size_t len)
{
	struct ip_addr a = address(from);

	peer_hub_rx(&to->hub, &a, buf, len, net.now_us);
}

static uint64_t effects(const struct host *h)
{
	return h->hub.stats.facts_taken + h->hub.stats.tx + h->lives +
	       h->deaths + h->cases + h->hub.n_subs;
}

static void test_damaged(void)
{
	struct packet *tap, *p;
	uint64_t before, count = 0, was;
	uint8_t buf[PEER_DATAGRAM + 1];
	size_t i, len, bit;
	struct host *to;

	net_make(2);
	tap = record(64);
	tell(B, "db", 1, UP, 90);
	want(A, B);
	run(2 * MS);
	tell(B, "db", 1, UP, 80);
	run(MS);
	ok(net.n_tap >= 7, "all kinds of datagrams were recorded");
	net.tap_max = 0;
	stop(A);
	start(A);
	stop(B);
	start(B);
	before = effects(A) + effects(B);
	was = refused(&A->hub.stats) + refused(&B->hub.stats);
	for (i = 0; i < net.n_tap; i++) {
		p = &tap[i];
		to = host_of(p->to);
		for (len = 0; len < p->len; len++, count++)
			inject(to, p->from, p->buf, len);
		for (bit = 0; bit < p->len * 8; bit++, count++) {
			memcpy(buf, p->buf, p->len);
			buf[bit / 8] ^= 1 << bit % 8;
			inject(to, p->from, buf, p->len);
		}
		memcpy(buf, p->buf, p->len);
		buf[p->len] = 0;
		inject(to, p->from, buf, p->len + 1);
		count++;
	}
	printf("# %llu datagrams\n", (unsigned long long)count);
	ok(effects(A) + effects(B) == before,
	   "cut at each length or with any bit flipped: no effect, no answer");
	ok(refused(&A->hub.stats) + refused(&B->hub.stats) - was == count,
	   "and all are counted");
	free(tap);
	net_free();
}

static void test_replay(void)
{
	uint64_t before, taken, tx_bytes, rx_bytes;
	struct packet *tap;
	size_t i, n;

	net_make(2);
	tap = record(400);
	tell(B, "db", 1, UP, 90);
	want(A, B);
	run(2 * SEC);
	tell(B, "db", 1, UP, 10);
	run(2 * SEC);
	net.tap_max = 0;
	n = net.n_tap;
	before = effects(A) + effects(B);
	for (i = 0; i < n; i++)
		inject(host_of(tap[i].to), tap[i].from, tap[i].buf, tap[i].len);
	ok(effects(A) + effects(B) == before &&
	   A->hub.stats.replayed + B->hub.stats.replayed +
	   A->hub.stats.unproven + B->hub.stats.unproven >= n,
	   "everything recorded and sent again: no effect, no answer");

	/* Both start anew, and know nothing. */
	stop(A);
	start(A);
	stop(B);
	start(B);
	taken = A->n_known;
	A->n_known = 0;
	A->deaths = 0;
	want(A, B);
	net.loss = 100;
	rx_bytes = A->hub.stats.rx_bytes + B->hub.stats.rx_bytes;
	tx_bytes = A->hub.stats.tx_bytes + B->hub.stats.tx_bytes;
	for (i = 0; i < n; i++)
		inject(host_of(tap[i].to), tap[i].from, tap[i].buf, tap[i].len);
	rx_bytes = A->hub.stats.rx_bytes + B->hub.stats.rx_bytes - rx_bytes;
	tx_bytes = A->hub.stats.tx_bytes + B->hub.stats.tx_bytes - tx_bytes;
	ok(taken && !A->n_known && !B->hub.n_subs && !A->deaths,
	   "replayed into agents that just started: no fact, no subscription");
	ok(tx_bytes <= rx_bytes,
	   "and the questions for a sign of life are no longer than what made them");
	printf("# %llu bytes in, %llu out\n", (unsigned long long)rx_bytes,
	       (unsigned long long)tx_bytes);
	net.loss = 0;
	tell(B, "db", 1, UP, 33);
	before = net.now_us;
	run(1100 * MS);
	ok(has(A, B, "db", 1, 33), "then the honest one comes through");
	n = net.n_tap;
	taken = A->hub.stats.facts_taken;
	for (i = 0; i < n; i++)
		inject(host_of(tap[i].to), tap[i].from, tap[i].buf, tap[i].len);
	ok(A->hub.stats.facts_taken == taken && has(A, B, "db", 1, 33),
	   "and stays");
	free(tap);
	net_free();
}

/* C has a key, and tells of B. */
static void test_foreign(void)
{
	struct peer_header head = {
		.type = PEER_PUSH, .mesh = 77, .from = 2, .to = 1, .seq = 900,
	};
	struct peer_fact f = { .vni = 2 * 4096 + 1, .seq = 99, .state = 4 };
	uint8_t buf[PEER_DATAGRAM], key[PEER_KEY];
	struct peer_out o = { 0 };
	size_t len;

	net_make(3);
	tell(B, "db", 1, UP, 90);
	tell(C, "db", 1, UP, 80);
	want(A, B);
	want(A, C);
	run(2 * MS);
	ok(has(A, B, "db", 1, 90) && has(A, C, "db", 1, 80), "two honest ones");

	/* As if it were B. */
	strcpy(f.tag, "db");
	peer_put_two(&o, PEER_T_RANGE, 0, 99);
	peer_put_fact(&o, &f);
	head.epoch = B->hub.epoch;
	head.key_id = B->hub.key_id;
	peer_pair_key(C->secret, C->public, A->public, "a-uuid", key);
	len = peer_seal(key, &head, &o, buf);
	inject(A, 2, buf, len);
	inject(A, 3, buf, len);
	ok(A->hub.stats.forged == 1 && A->hub.stats.other_address == 1 &&
	   has(A, B, "db", 1, 90), "in the name of another: refused");
	head.from = 3;
	len = peer_seal(key, &head, &o, buf);
	inject(A, 3, buf, len);
	ok(A->hub.stats.other_key == 1, "with the name of another key: refused");

	/* As itself, of what is B's. */
	head.epoch = C->hub.epoch;
	head.key_id = C->hub.key_id;
	len = peer_seal(key, &head, &o, buf);
	inject(A, 3, buf, len);
	ok(A->hub.stats.foreign_facts == 1 && has(A, B, "db", 1, 90),
	   "about another's member: refused, and counted");
	ok(A->hub.log.last == 0 && !B->deaths && !A->deaths, "no harm done");
	net_free();
}

/* Whoever has the key of none sends all that he can. */
static void test_flood(unsigned long count)
{
	uint64_t sent, was, bad = 0, honest, taken;
	uint8_t buf[PEER_DATAGRAM + 64];
	struct packet *tap, *p;
	unsigned long i;
	size_t len, n;

	net_make(3);
	tap = record(512);
	tell(B, "db", 1, UP, 90);
	want(A, B);
	run(3 * SEC);
	stop(B);
	start(B);
	tell(B, "db", 1, UP, 91);
	run(2 * SEC);
	net.tap_max = 0;
	n = net.n_tap;
	was = refused(&A->hub.stats);
	honest = A->hub.stats.rx;
	for (i = 0; i < count; i++) {
		p = &tap[rnd() % n];
		len = p->len;
		memcpy(buf, p->buf, len);
		switch (rnd() % 5) {
		case 0:		/* noise with a good header */
			len = rnd() % PEER_DATAGRAM;
			on_random(NULL, buf + PEER_HEADER, PEER_DATAGRAM -
				  PEER_HEADER);
			break;
		case 1:		/* cut */
			len = rnd() % len;
			break;
		case 2:		/* flipped */
			buf[rnd() % len] ^= 1 << rnd() % 8;
			break;
		case 3:		/* noise alone */
			len = rnd() % sizeof(buf);
			on_random(NULL, buf, len);
			break;
		default:	/* again */
			break;
		}
		sent = A->hub.stats.tx;
		taken = A->hub.stats.facts_taken;
		inject(A, rnd() % 8 ? p->from : rnd() % 5, buf, len);
		if (A->hub.stats.tx != sent ||
		    A->hub.stats.facts_taken != taken)
			bad++;
		/* The honest ones go on beside. */
		if (i % 1000 == 999) {
			tell(B, "db", 1, UP, 1 + i / 1000 % 99);
			run(100 * MS);
			if (!has(A, B, "db", 1, 1 + i / 1000 % 99))
				bad++;
		}
	}
	honest = A->hub.stats.rx - honest - count;
	printf("# %lu hostile datagrams, %llu honest ones beside\n", count,
	       (unsigned long long)honest);
	ok(!bad, "hostile datagrams: none accepted, none answered; all that is honest arrives");
	ok(refused(&A->hub.stats) - was == count, "all counted, and no other");
	ok(A->deaths == 1 && A->lives == 2, "no false silence");
	free(tap);
	net_free();
}

static void test_bounds(void)
{
	struct peer_header head = {
		.type = PEER_PING, .mesh = 77, .from = 2, .to = 1,
	};
	uint8_t buf[PEER_DATAGRAM], key[PEER_KEY];
	struct peer_out o = { 0 };
	uint64_t tx;
	size_t len, i;

	net_make(2);
	tell(A, "db", 1, UP, 10);
	want(B, A);
	run(10 * MS);
	peer_pair_key(B->secret, B->public, A->public, "a-uuid", key);
	head.epoch = B->hub.epoch;
	head.key_id = B->hub.key_id;
	peer_put(&o, PEER_T_CHALLENGE, key, PEER_NONCE);
	tx = A->hub.stats.tx;
	for (i = 0; i < 50000; i++) {
		head.seq = 1000 + i;
		on_random(NULL, head.salt, sizeof(head.salt));
		len = peer_seal(key, &head, &o, buf);
		inject(A, 2, buf, len);
	}
	ok(A->hub.stats.tx - tx <= PEER_RX_BURST &&
	   A->hub.stats.rate_limited >= 50000 - PEER_RX_BURST - 1,
	   "who has a key and pings without end is answered a thousand times");
	head.epoch = 4711;
	tx = A->hub.stats.tx;
	for (i = 0; i < 50000; i++) {
		head.seq = 1000 + i;
		len = peer_seal(key, &head, &o, buf);
		inject(A, 2, buf, len);
	}
	ok(A->hub.stats.tx - tx <= PEER_HELLO_RATE &&
	   A->hub.stats.hello_limited >= 50000 - PEER_HELLO_RATE - 1,
	   "whose run is not proven is asked fifty times");
	net_free();
}

static void test_window(void)
{
	struct peer_session s = { 0 };
	uint64_t seq, again = 0, lost = 0, i;

	peer_session_accept(&s, 5, 1);
	ok(peer_session_judge(&s, 5, 0) == PEER_OVER, "there is no sequence 0");
	for (i = 0; i < 200000; i++) {
		/* Blocks of 512 in any order. */
		seq = i / 512 * 512 + (i * 37) % 512 + 1;
		if (peer_session_judge(&s, 5, seq) != PEER_FRESH)
			lost++;
		peer_session_seen(&s, seq);
		if (peer_session_judge(&s, 5, seq) != PEER_REPLAYED)
			again++;
	}
	ok(!lost, "datagrams that overtake each other are all taken");
	ok(!again, "none of them twice");
	for (i = 1, again = 0; i <= 200000; i++)
		again += peer_session_judge(&s, 5, i) == PEER_FRESH;
	/* 200,000 is within a block that was not finished. */
	ok(again <= 512, "nor any time later");
	peer_session_seen(&s, 1ULL << 60);
	ok(peer_session_judge(&s, 5, (1ULL << 60) - 900) == PEER_FRESH &&
	   peer_session_judge(&s, 5, 200001) == PEER_REPLAYED,
	   "a leap leaves nothing behind");
	peer_session_accept(&s, 6, 1000);
	ok(peer_session_judge(&s, 6, 999) == PEER_REPLAYED &&
	   peer_session_judge(&s, 6, 1000) == PEER_FRESH &&
	   peer_session_judge(&s, 6, 1001) == PEER_FRESH,
	   "what was sent before the proof of life does not count");
	ok(peer_session_judge(&s, 5, 1ULL << 61) == PEER_OVER &&
	   peer_session_judge(&s, 6, 3000) == PEER_FRESH &&
	   peer_session_judge(&s, 7, 1) == PEER_UNPROVEN,
	   "a run that another followed is over");
}

static void test_small_order(void)
{
	uint8_t zero[32] = { 0 }, key[PEER_KEY];
	struct ip_addr a = address(9);

	net_make(2);
	ok(!peer_pair_key(A->secret, A->public, zero, "a-uuid", key),
	   "a key that gives no secret is none");
	peer_hub_set(&A->hub, 9, &a, zero, net.now_us);
	peer_hub_want(&A->hub, peer_hub_node(&A->hub, 9), true, net.now_us);
	run(10 * SEC);
	ok(!A->hub.stats.tx, "and nothing is sealed with it");
	net_free();
}

/* ---- the next version, and the first one for ever ---- */

static void test_next(void)
{
	struct peer_header head = { .mesh = 77, .from = 2, .to = 1 };
	uint8_t buf[PEER_DATAGRAM], key[PEER_KEY], value[64];
	struct peer_out o = { 0 };
	size_t len, at = 0;
	struct peer_msg msg;
	struct peer_fact f = { .vni = 2 * 4096 + 1, .seq = 50, .state = UP,
			       .health = 44, .tag = "db" };

	net_make(2);
	tell(B, "db", 1, UP, 90);
	want(A, B);
	run(2 * MS);
	peer_pair_key(B->secret, B->public, A->public, "a-uuid", key);
	head.epoch = B->hub.epoch;
	head.key_id = B->hub.key_id;
	head.seq = 500;
	head.type = PEER_PUSH;
	memset(value, 7, sizeof(value));
	peer_put(&o, 4242, value, 5);
	peer_put_two(&o, PEER_T_RANGE, 1, 50);
	/* A fact with something more behind its tag. */
	at = o.len;
	peer_put_fact(&o, &f);
	o.buf[at + 3] += 9;
	memset(o.buf + o.len, 3, 9);
	o.len += 9;
	peer_put(&o, 4243, value, 0);
	len = peer_seal(key, &head, &o, buf);
	inject(A, 2, buf, len);
	ok(has(A, B, "db", 1, 44),
	   "more TLVs, and longer ones, of a newer version do not disturb");
	head.seq++;
	head.type = 200;
	len = peer_seal(key, &head, &o, buf);
	inject(A, 2, buf, len);
	ok(A->hub.stats.unknown_type == 1 && !A->deaths,
	   "a kind of datagram that is not known is ignored");
	head.seq++;
	head.type = PEER_PUSH;
	o.len--;
	o.buf[o.len - 1] = 9;
	peer_seal(key, &head, &o, buf);
	len = peer_seal(key, &head, &o, buf);
	inject(A, 2, buf, len);
	ok(A->hub.stats.malformed == 1, "one that breaks its own lengths is refused");
	/* Nothing of a payload is taken that is broken at its end. */
	o.len = 0;
	peer_put_two(&o, PEER_T_RANGE, 50, 60);
	f.seq = 60;
	f.health = 1;
	peer_put_fact(&o, &f);
	peer_put(&o, PEER_T_FACT, value, 10);
	ok(peer_msg_read(o.buf, o.len, &msg) == PEER_BROKEN,
	   "a fact that is too short spoils all of it");
	net_free();
}

static void golden_case(const char *dir, bool write, const char *name,
			uint8_t type, const struct peer_out *o)
{
	struct peer_header head = {
		.type = type, .mesh = 0x00abcdef, .from = 0x01020304,
		.to = 0x0a0b0c0d, .epoch = 0x1122334455667788,
		.seq = 0x8877665544332211,
	};
	uint8_t secret1[32], secret2[32], public1[32], public2[32];
	uint8_t key[PEER_KEY], key2[PEER_KEY], buf[PEER_DATAGRAM];
	char path[512], text[2 * PEER_DATAGRAM + 2] = "", want[2 * PEER_DATAGRAM + 2] = "";
	uint8_t plain[PEER_PAYLOAD];
	struct peer_header back;
	size_t len, plain_len = 0, i;
	FILE *f;

	for (i = 0; i < 32; i++) {
		secret1[i] = i;
		secret2[i] = 0x40 + i;
	}
	for (i = 0; i < sizeof(head.salt); i++)
		head.salt[i] = 0xc0 + i;
	crypto_scalarmult_base(public1, secret1);
	crypto_scalarmult_base(public2, secret2);
	head.key_id = peer_key_id(public1);
	peer_pair_key(secret1, public1, public2, "5e6f-uuid", key);
	peer_pair_key(secret2, public2, public1, "5e6f-uuid", key2);
	len = peer_seal(key, &head, o, buf);
	for (i = 0; i < len; i++)
		sprintf(text + 2 * i, "%02x", buf[i]);
	strcat(text, "\n");
	snprintf(path, sizeof(path), "%s/%s.hex", dir, name);
	f = fopen(path, "r");
	if (!f && write) {
		f = fopen(path, "w");
		if (f) {
			fputs(text, f);
			fclose(f);
		}
		f = fopen(path, "r");
	}
	if (f) {
		if (!fgets(want, sizeof(want), f))
			want[0] = '\0';
		fclose(f);
	}
	snprintf(path, sizeof(path), "version 1 on the wire: %s", name);
	ok(!strcmp(text, want) && !memcmp(key, key2, sizeof(key)) &&
	   !peer_header_read(buf, len, &back) && back.type == type &&
	   back.mesh == head.mesh && back.from == head.from &&
	   back.to == head.to && back.epoch == head.epoch &&
	   back.seq == head.seq && back.key_id == head.key_id &&
	   !peer_open(key2, buf, len, plain, &plain_len) &&
	   plain_len == o->len && !memcmp(plain, o->buf, plain_len), path);
}

static void test_golden(const char *dir, bool write)
{
	static const uint8_t nonce[PEER_NONCE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	static const struct peer_fact facts[] = {
		{ .tag = "database", .vni = 0x00010203, .seq = 0x55667788,
		  .state = 1, .health = 97, .weight = 250, .latency_us = 4711,
		  .latency_kind = 2, .priority = 3 },
		{ .tag = "x", .vni = 513, .seq = 0x55667789 },
	};
	static const struct peer_case kase = { 7, 1793, 0xfeedface, 2 };
	struct peer_fact fact;
	struct peer_out o;
	struct peer_msg msg;
	size_t at = 0;

	o.len = 0;
	peer_put(&o, PEER_T_CHALLENGE, nonce, PEER_NONCE);
	peer_put_two(&o, PEER_T_HAVE, 0x99aabbccddeeff00, 12345);
	peer_put_u32(&o, PEER_T_INTERVAL, 1000);
	golden_case(dir, write, "ping", PEER_PING, &o);
	ok(!peer_msg_read(o.buf, o.len, &msg) && msg.has_challenge &&
	   !memcmp(msg.challenge, nonce, PEER_NONCE) && msg.has_have &&
	   msg.have_epoch == 0x99aabbccddeeff00 && msg.have == 12345 &&
	   msg.interval_ms == 1000 && !msg.has_echo, "... read back");

	o.len = 0;
	peer_put(&o, PEER_T_ECHO, nonce, PEER_NONCE);
	peer_put_two(&o, PEER_T_RANGE, 0x55667700, 0x55667789);
	peer_put_fact(&o, &facts[0]);
	peer_put_fact(&o, &facts[1]);
	golden_case(dir, write, "pong", PEER_PONG, &o);
	ok(!peer_msg_read(o.buf, o.len, &msg) && msg.n_facts == 2 &&
	   msg.above == 0x55667700 && msg.upto == 0x55667789 &&
	   peer_facts(&msg, &at, &fact) && fact.vni == facts[0].vni &&
	   fact.seq == facts[0].seq && fact.state == 1 && fact.health == 97 &&
	   fact.weight == 250 && fact.latency_us == 4711 &&
	   fact.latency_kind == 2 && fact.priority == 3 &&
	   !strcmp(fact.tag, "database") && peer_facts(&msg, &at, &fact) &&
	   !strcmp(fact.tag, "x") && !fact.state &&
	   !peer_facts(&msg, &at, &fact), "... read back");

	o.len = 0;
	peer_put(&o, PEER_T_CHALLENGE, nonce, PEER_NONCE);
	peer_put(&o, PEER_T_ECHO, nonce, PEER_NONCE);
	golden_case(dir, write, "hello", PEER_HELLO, &o);

	o.len = 0;
	peer_put_two(&o, PEER_T_RANGE, 5, 6);
	peer_put_fact(&o, &facts[0]);
	golden_case(dir, write, "push", PEER_PUSH, &o);

	o.len = 0;
	peer_put_two(&o, PEER_T_HAVE, 1, 2);
	golden_case(dir, write, "ack", PEER_ACK, &o);

	o.len = 0;
	peer_put_case(&o, &kase);
	golden_case(dir, write, "suspect", PEER_SUSPECT, &o);
	golden_case(dir, write, "probe", PEER_PROBE, &o);
	golden_case(dir, write, "sight", PEER_SIGHT, &o);
	golden_case(dir, write, "verdict", PEER_VERDICT, &o);
	ok(!peer_msg_read(o.buf, o.len, &msg) && msg.has_case &&
	   msg.kase.node == 7 && msg.kase.vni == 1793 &&
	   msg.kase.id == 0xfeedface && msg.kase.sight == 2, "... read back");
}

int main(int argc, char **argv)
{
	bool write = argc > 2 && !strcmp(argv[1], "-w");
	unsigned long count = 50000;

	if (sodium_init() < 0 || argc < 2)
		return 2;
	if (argc > 2 && !write)
		count = strtoul(argv[2], NULL, 0);
	net.hosts = calloc(HUBS, sizeof(*net.hosts));
	net.flight = calloc(FLIGHT, sizeof(*net.flight));
	if (!net.hosts || !net.flight)
		return 2;
	test_golden(argv[write ? 2 : 1], write);
	test_window();
	test_basics();
	test_wanted_both_ways();
	test_listed_again();
	test_full_sync();
	test_loss();
	test_thousand();
	test_damaged();
	test_replay();
	test_foreign();
	test_bounds();
	test_small_order();
	test_next();
	test_flood(count);
	free(net.flight);
	free(net.hosts);
	printf("1..%u\n", tests);
	return failures != 0;
}
