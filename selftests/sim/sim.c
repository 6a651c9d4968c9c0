// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many clients choose among few servers: what the rules of choice are worth.
 * "vnimesh" is the code of the module, kmod/select.c and what belongs to it, as
 * it is compiled there; the other rules are what it is measured against.
 *
 * Model: servers with workers and one queue each (first come, first served),
 * exponential service times, random slowdowns; Poisson arrivals, a flow is one
 * request; what is measured of a server is broadcast to all clients every T; a
 * client sees its own flows in flight and the latency of its finished flows at
 * once. Documentation/selection.md has the results.
 */
#include <getopt.h>
#include <linux/vnimesh.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../kmod/select.h"

#define SERVERS_MAX	64
#define CLIENTS_MAX	2048
#define WORKERS		8
#define ZONES		4
#define US		1e-6

enum rule {
	RANDOM, ARGMIN, WEIGHTED, P2C_LATENCY, P2C_LEAST, P2C_PEAK, P2C_LP_Q,
	SCAN_LP_Q, D8_PEAK_Q, SCAN_PEAK_Q, VNIMESH, VNIMESH_HANDSHAKE, VNIMESH_CONNECT,
	VNIMESH_ZONES, RULES
};

static const char *const rule_names[RULES] = {
	[RANDOM] = "random",
	[ARGMIN] = "argmin of broadcast latency",
	[WEIGHTED] = "1/L weighted random",
	[P2C_LATENCY] = "P2C on latency only",
	[P2C_LEAST] = "P2C least connections, local",
	[P2C_PEAK] = "P2C peak-EWMA, local",
	[P2C_LP_Q] = "P2C Lp (q+1)",
	[SCAN_LP_Q] = "full scan Lp (q+1)",
	[D8_PEAK_Q] = "d=8, max(Lp, Lk) (q+1)",
	[SCAN_PEAK_Q] = "full scan max(Lp, Lk) (q+1)",
	[VNIMESH] = "vnimesh, one zone",
	[VNIMESH_HANDSHAKE] = "vnimesh, Lk of handshakes only",
	[VNIMESH_CONNECT] = "vnimesh, Lp of handshakes only",
	[VNIMESH_ZONES] = "vnimesh, zones as tiers",
};

/* A world. */
struct world {
	u32 clients;
	u32 servers;
	u32 slow;		/* of the servers: take twice as long */
	double load;		/* rho */
	double period;		/* T, s */
	double seconds;
	double warm;		/* not counted */
	bool sinkhole;		/* server 0 fails at once, 20 s of each 30 */
	bool eject;
	enum rule rule;
	u64 seed;
};

struct server {
	double free[WORKERS];	/* when each worker is */
	double service;		/* mean, s */
	double slow_until;
	double slow_next;
	double lp;		/* published, s, without the path */
	double publish;		/* next */
};

/* What a client has seen of a server. */
struct view {
	double lk;		/* s, peak-EWMA */
	double stamp;
	double ejected;		/* until; 0: never */
	u32 q;
	u32 evidence;
	u32 times;		/* ejected, for the backoff */
	bool trial;		/* one flow, after an ejection */
};

struct client {
	struct view view[SERVERS_MAX];
	struct vnimesh_aggregate agg;
	double counted;
	u32 zone;
};

struct done {
	double at;
	float took;
	u32 client;
	u16 server;
	bool failed;
};

static struct world w;
static struct server server[SERVERS_MAX];
static struct client client[CLIENTS_MAX];
static struct done *heap;
static size_t heap_n, heap_size;
static u64 rng;
static double now;
static u32 choosing;		/* client */

static double uniform(void)
{
	return (double)(vnimesh_draw(&rng) >> 11) * 0x1p-53;
}

static double exponential(double mean)
{
	return -mean * log1p(-uniform());
}

static u32 zone_of(u32 s)
{
	return s % ZONES;
}

static double path(u32 c, u32 s)
{
	return client[c].zone == zone_of(s) ? 250 * US : 1000 * US;
}

/* A heap of what is on its way, by time. */
static void push(struct done d)
{
	size_t i = heap_n++;

	if (heap_n > heap_size) {
		heap_size = heap_size * 2 + 1024;
		heap = realloc(heap, heap_size * sizeof(*heap));
		if (!heap)
			exit(2);
	}
	for (; i && heap[(i - 1) / 2].at > d.at; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = d;
}

static struct done pop(void)
{
	struct done top = heap[0], last = heap[--heap_n];
	size_t i = 0, k;

	while ((k = 2 * i + 1) < heap_n) {
		if (k + 1 < heap_n && heap[k + 1].at < heap[k].at)
			k++;
		if (heap[k].at >= last.at)
			break;
		heap[i] = heap[k];
		i = k;
	}
	heap[i] = last;
	return top;
}

static bool sunk(u32 s)
{
	return w.sinkhole && !s && fmod(now, 30) < 20;
}

static double worker(const struct server *s, u32 *which)
{
	u32 k;

	*which = 0;
	for (k = 1; k < WORKERS; k++)
		if (s->free[k] < s->free[*which])
			*which = k;
	return fmax(s->free[*which], now);
}

static double mean_service(struct server *s)
{
	if (now >= s->slow_next) {
		s->slow_until = now + 2;
		s->slow_next = s->slow_until + exponential(38);
	}
	return now < s->slow_until ? 3 * s->service : s->service;
}

/* What a probe would take: it waits as a request does. */
static void publish(u32 i)
{
	struct server *s = &server[i];
	double x;
	u32 k;

	for (; s->publish <= now; s->publish += w.period) {
		x = sunk(i) ? 50 * US :
		    worker(s, &k) - now + exponential(mean_service(s));
		s->lp += (x > s->lp ? 0.5 : 0.3) * (x - s->lp);
		if (s->publish + w.period * 50 < now)
			s->publish = now;
	}
}

static double decayed(const struct view *v, double lp)
{
	return v->lk > lp ? lp + (v->lk - lp) * exp(-(now - v->stamp) / 10) : lp;
}

static bool ejected(const struct view *v)
{
	return v->ejected > now || (v->ejected && v->trial);
}

static double known(u32 i, bool local)
{
	double lp = server[i].lp + path(choosing, i);

	return local ? decayed(&client[choosing].view[i], lp) : lp;
}

static double cost(u32 i)
{
	const struct view *v = &client[choosing].view[i];

	if (w.eject && ejected(v))
		return HUGE_VAL;
	switch (w.rule) {
	case P2C_LEAST:
		return v->q;
	case P2C_PEAK:
		return decayed(v, 0) * (v->q + 1);
	case P2C_LP_Q:
	case SCAN_LP_Q:
		return known(i, false) * (v->q + 1);
	case D8_PEAK_Q:
	case SCAN_PEAK_Q:
		return known(i, true) * (v->q + 1);
	default:
		return known(i, false);
	}
}

static u32 best_of(u32 d)
{
	double least = HUGE_VAL, c;
	u32 start = (u32)(uniform() * w.servers), best = start, k, i;

	for (k = 0; k < d; k++) {
		i = d < w.servers ? (u32)(uniform() * w.servers) :
				    (start + k) % w.servers;
		c = cost(i);
		if (c < least) {
			least = c;
			best = i;
		}
	}
	return best;
}

static u32 by_weight(void)
{
	double sum = 0, x;
	u32 i;

	for (i = 0; i < w.servers; i++)
		sum += 1 / cost(i);
	x = uniform() * sum;
	for (i = 0; i < w.servers - 1; i++) {
		x -= 1 / cost(i);
		if (x < 0)
			break;
	}
	return i;
}

static u32 us(double s)
{
	return (u32)fmin(s * 1e6 + 0.5, 4e9);
}

/* The snapshot that the module would take. */
static void get(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	const struct view *v = &client[choosing].view[i];
	double rtt = path(choosing, i);

	(void)ctx;
	memset(c, 0, sizeof(*c));
	c->path = us(rtt);
	c->lp = us(rtt + server[i].lp);
	c->lp_kind = VNIMESH_LATENCY_RESPONSE;
	c->lk = v->lk > 0 ? us(rtt) : 0;
	c->lk_age = (u32)((now - v->stamp) * 1e3);
	c->lr = w.rule == VNIMESH_HANDSHAKE ? 0 : us(v->lk);
	c->lr_age = c->lk_age;
	if (w.rule == VNIMESH_CONNECT) {
		c->lp_kind = VNIMESH_LATENCY_CONNECT;
		c->lp = us(rtt);
	}
	c->inflight = v->q;
	c->weight = 100;
	c->health = 100;
	c->ramp = v->ejected ? (u32)((now - v->ejected) * 1e3) :
			       VNIMESH_RAMP_NONE;
	if (w.rule == VNIMESH_ZONES && zone_of(i) != client[choosing].zone)
		c->locality = VNIMESH_TIERS - 1;
	if (w.eject && ejected(v))
		c->excluded = VNIMESH_EXCLUDE_EJECTED;
}

static u32 module(void)
{
	struct client *c = &client[choosing];
	struct vnimesh_select s = {
		.all = {
			.get = get, .n = w.servers,
			.policy = VNIMESH_POLICY_OPTIMAL,
			.load = VNIMESH_LOAD_CONNECTIONS,
		},
		.agg = &c->agg,
	};
	struct vnimesh_aggregate old = c->agg;
	static u16 order[SERVERS_MAX];
	u8 how;
	int i;

	if (w.servers > VNIMESH_SCAN_MAX)
		s.order = order;
	if (!c->counted || now > c->counted + 1 || s.order) {
		vnimesh_aggregate(&s.all, c->counted ? &old : NULL,
				  s.order ? order : NULL, &c->agg);
		c->counted = now;
	}
	i = vnimesh_select(&s, vnimesh_draw(&rng), &how);
	return i < 0 ? 0 : (u32)i;
}

static u32 choose(void)
{
	switch (w.rule) {
	case RANDOM:
		return (u32)(uniform() * w.servers);
	case WEIGHTED:
		return by_weight();
	case P2C_LATENCY:
	case P2C_LEAST:
	case P2C_PEAK:
	case P2C_LP_Q:
		return best_of(2);
	case D8_PEAK_Q:
		return best_of(8);
	case VNIMESH:
	case VNIMESH_HANDSHAKE:
	case VNIMESH_CONNECT:
	case VNIMESH_ZONES:
		return module();
	default:
		return best_of(w.servers);
	}
}

static void send(u32 c, u32 i)
{
	struct server *s = &server[i];
	double rtt = path(c, i), end;
	u32 k;

	client[c].view[i].q++;
	if (client[c].view[i].ejected && !ejected(&client[c].view[i]) &&
	    client[c].view[i].evidence)
		client[c].view[i].trial = true;
	if (sunk(i)) {
		push((struct done){ now + 50 * US, 50 * US, c, i, true });
		return;
	}
	end = worker(s, &k) + exponential(mean_service(s));
	s->free[k] = end;
	push((struct done){ end + rtt, end + rtt - now, c, i, false });
}

/* Evidence against a server: a reset of a SYN ejects at once. */
static void fail(struct view *v)
{
	double d = fmin(pow(2, v->times), 60) * (0.5 + uniform());

	v->evidence = 3;
	v->trial = false;
	v->times++;
	v->ejected = now + d;
}

static void finish(const struct done *d)
{
	struct view *v = &client[d->client].view[d->server];
	double lk = v->lk;

	v->q--;
	if (d->failed) {
		if (w.eject)
			fail(v);
	} else {
		v->evidence = 0;
		v->trial = false;
	}
	/* Finagle's: a peak counts at once, it goes with tau 10 s. */
	if (d->took < lk)
		lk = d->took + (lk - d->took) * exp(-(now - v->stamp) / 10);
	else
		lk = d->took;
	v->lk = lk;
	v->stamp = now;
}

static void start(void)
{
	u32 i, k;

	rng = w.seed;
	now = 0;
	heap_n = 0;
	memset(server, 0, sizeof(server));
	memset(client, 0, sizeof(client));
	for (i = 0; i < w.servers; i++) {
		/* Slow ones are spread over the zones. */
		bool slow = i >= w.servers - w.slow;

		server[i].service = slow ? 10e-3 : 5e-3;
		server[i].lp = server[i].service;
		server[i].slow_next = exponential(38);
		server[i].publish = uniform() * w.period;
		for (k = 0; k < WORKERS; k++)
			server[i].free[k] = 0;
	}
	for (i = 0; i < w.clients; i++)
		client[i].zone = i % ZONES;
}

struct result {
	double p50, p99, mean;	/* ms */
	double lost;		/* per cent */
};

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static struct result run(void)
{
	double rate = 0, next, sum = 0;
	struct result r = { 0 };
	size_t n = 0, lost = 0, all = 0, room;
	float *took;
	u32 i;

	start();
	for (i = 0; i < w.servers; i++)
		rate += WORKERS / server[i].service;
	rate *= w.load;
	room = (size_t)(rate * w.seconds * 1.2) + 1000;
	took = malloc(room * sizeof(*took));
	if (!took)
		exit(2);
	next = exponential(1 / rate);
	while (next < w.seconds || heap_n) {
		if (heap_n && (heap[0].at < next || next >= w.seconds)) {
			struct done d = pop();

			now = d.at;
			finish(&d);
			if (d.at - d.took < w.warm)
				continue;
			all++;
			lost += d.failed;
			if (d.failed || n >= room)
				continue;
			took[n++] = d.took;
			sum += d.took;
			continue;
		}
		now = next;
		next += exponential(1 / rate);
		for (i = 0; i < w.servers; i++)
			publish(i);
		choosing = (u32)(uniform() * w.clients);
		send(choosing, choose());
	}
	qsort(took, n, sizeof(*took), by_value);
	if (n) {
		r.p50 = took[n / 2] * 1e3;
		r.p99 = took[n - n / 100 - 1] * 1e3;
		r.mean = sum / (double)n * 1e3;
	}
	r.lost = all ? 100.0 * (double)lost / (double)all : 0;
	free(took);
	return r;
}

/* Mean over seeds: slowdowns are rare, and one run says little of them. */
static struct result run_seeds(u32 seeds)
{
	struct result sum = { 0 }, r;
	u32 k;

	for (k = 0; k < seeds; k++) {
		w.seed = 1 + k;
		r = run();
		sum.p50 += r.p50 / seeds;
		sum.p99 += r.p99 / seeds;
		sum.mean += r.mean / seeds;
		sum.lost += r.lost / seeds;
	}
	return sum;
}

static const struct world usual = {
	.clients = 256, .servers = 16, .slow = 4, .load = 0.7, .period = 1,
	.seconds = 40, .warm = 5,
};

static const double periods[] = { 0.005, 0.2, 1, 5 };
static const u32 sizes[] = { 32, 256 };

static void table(u32 seeds)
{
	enum rule rule;
	u32 n, t;

	printf("p99 in ms; 16 servers, rho 0.7; N clients, T of the broadcast\n");
	printf("%-32s", "");
	for (n = 0; n < ARRAY_SIZE(sizes); n++)
		for (t = 0; t < ARRAY_SIZE(periods); t++)
			printf(" %3u/%-5g", sizes[n], periods[t]);
	printf("\n");
	for (rule = 0; rule < RULES; rule++) {
		printf("%-32s", rule_names[rule]);
		for (n = 0; n < ARRAY_SIZE(sizes); n++)
			for (t = 0; t < ARRAY_SIZE(periods); t++) {
				w = usual;
				w.rule = rule;
				w.clients = sizes[n];
				w.period = periods[t];
				printf(" %9.0f", run_seeds(seeds).p99);
				fflush(stdout);
			}
		printf("\n");
	}
}

static void more(u32 seeds)
{
	static const struct { const char *name; u32 m, n; double load; } more[] = {
		{ "M=64 N=256 rho 0.7", 64, 256, 0.7 },
		{ "M=16 N=64 rho 0.85", 16, 64, 0.85 },
		{ "M=16 N=64 rho 0.92", 16, 64, 0.92 },
		{ "M=16 N=2048 rho 0.7", 16, 2048, 0.7 },
	};
	static const enum rule rules[] = { P2C_LP_Q, D8_PEAK_Q, SCAN_PEAK_Q,
					   VNIMESH };
	u32 i, k;

	printf("\np99 (mean) in ms, T = 1 s\n%-32s", "");
	for (k = 0; k < ARRAY_SIZE(more); k++)
		printf(" %20s", more[k].name);
	printf("\n");
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		printf("%-32s", rule_names[rules[i]]);
		for (k = 0; k < ARRAY_SIZE(more); k++) {
			struct result r;

			w = usual;
			w.rule = rules[i];
			w.servers = more[k].m;
			w.slow = more[k].m / 4;
			w.clients = more[k].n;
			w.load = more[k].load;
			r = run_seeds(seeds);
			printf(" %11.0f (%6.1f)", r.p99, r.mean);
			fflush(stdout);
		}
		printf("\n");
	}
}

static struct result sinkhole(enum rule rule, bool eject, u32 seeds)
{
	w = usual;
	w.rule = rule;
	w.clients = 32;
	w.load = 0.5;
	w.seconds = 30;
	w.warm = 0;
	w.sinkhole = true;
	w.eject = eject;
	return run_seeds(seeds);
}

static void sinkholes(u32 seeds)
{
	static const enum rule rules[] = { P2C_LEAST, P2C_LP_Q, WEIGHTED, ARGMIN,
					   SCAN_PEAK_Q, VNIMESH };
	u32 i;

	printf("\none of 16 fails at once, 20 s of 30: flows lost, %%\n");
	printf("%-32s %9s %9s\n", "", "", "ejection");
	for (i = 0; i < ARRAY_SIZE(rules); i++)
		printf("%-32s %9.2f %9.3f\n", rule_names[rules[i]],
		       sinkhole(rules[i], false, seeds).lost,
		       sinkhole(rules[i], true, seeds).lost);
}

/* TAP: what the project promises, in little time. */
static int check(void)
{
	struct result fresh, old, lost;
	int bad = 0;

	w = usual;
	w.rule = VNIMESH;
	w.seconds = 20;
	w.period = periods[0];
	fresh = run_seeds(2);
	w.period = 1;
	old = run_seeds(2);
	printf("# 256 clients: p99 %.1f ms with fresh scores, %.1f ms at T = 1 s\n",
	       fresh.p99, old.p99);
	bad += old.p99 > 1.2 * fresh.p99;
	printf("%sok 1 - scores 1 s old cost at most a fifth at p99\n",
	       old.p99 > 1.2 * fresh.p99 ? "not " : "");
	lost = sinkhole(VNIMESH, true, 1);
	printf("# a member that fails at once: %.3f %% of the flows lost\n",
	       lost.lost);
	bad += lost.lost > 1;
	printf("%sok 2 - a fast-failing member gets at most 1 %% of the flows\n",
	       lost.lost > 1 ? "not " : "");
	w = usual;
	w.rule = P2C_LEAST;
	w.seconds = 20;
	fresh = run_seeds(1);
	printf("# P2C of least connections: p99 %.1f ms\n", fresh.p99);
	bad += fresh.p99 < 2 * old.p99;
	printf("%sok 3 - the simulation tells rules apart\n",
	       fresh.p99 < 2 * old.p99 ? "not " : "");
	printf("1..3\n");
	return bad ? 1 : 0;
}

int main(int argc, char **argv)
{
	u32 seeds = 3;
	int opt;

	while ((opt = getopt(argc, argv, "cs:")) != -1) {
		if (opt == 'c')
			return check();
		if (opt != 's') {
			fprintf(stderr, "usage: sim [-c] [-s SEEDS]\n");
			return 2;
		}
		seeds = (u32)atoi(optarg);
	}
	table(seeds);
	more(seeds);
	sinkholes(seeds);
	return 0;
}
