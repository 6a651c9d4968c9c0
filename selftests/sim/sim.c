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

/* The module's, with a clamp that a world can do without. */
static const u32 usual_clamp = VNIMESH_LATENCY_CLAMP;
static u32 clamp = VNIMESH_LATENCY_CLAMP;
#undef VNIMESH_LATENCY_CLAMP
#define VNIMESH_LATENCY_CLAMP clamp
#include "../../kmod/score.c"

#define SERVERS_MAX	64
#define CLIENTS_MAX	2048
#define WORKERS		8
#define ZONES		4
#define US		1e-6
#define FAR		5.0	/* s: 1000 times what a request takes */

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
	bool far;		/* the last server is, FAR away */
	double hold;		/* s that a connection stays after its request */
	u32 down;		/* servers of zone 0 */
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
	bool closed;		/* after w.hold: only that */
};

static struct world w;
static struct server server[SERVERS_MAX];
static struct client client[CLIENTS_MAX];
static struct done *heap;
static size_t heap_n, heap_size;
static u64 rng;
static double now;
static u32 choosing;		/* client */
static u64 from_zone0, in_zone0, to_far;	/* flows; not those that explore */

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
	if (w.far && s == w.servers - 1)
		return FAR;
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
	if (!zone_of(i) && i / ZONES < w.down)
		c->excluded = VNIMESH_EXCLUDE_MEMBER_STATE;
}

static void count(u32 i, u8 how)
{
	if (how == VNIMESH_HOW_EXPLORE)
		return;
	to_far += w.far && i == w.servers - 1;
	if (client[choosing].zone)
		return;
	from_zone0++;
	in_zone0 += !zone_of(i);
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
		.view = &c->agg.view,
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
	if (i < 0)
		return 0;
	count((u32)i, how);
	return (u32)i;
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
		push((struct done){ now + 50 * US, 50 * US, c, i, true, false });
		return;
	}
	end = worker(s, &k) + exponential(mean_service(s));
	s->free[k] = end;
	push((struct done){ end + rtt, end + rtt - now, c, i, false, false });
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
	struct done closed = *d;
	double lk = v->lk;

	if (w.hold && !d->closed) {
		closed.at = now + w.hold;
		closed.closed = true;
		push(closed);
	} else {
		v->q--;
	}
	if (d->closed)
		return;
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
	from_zone0 = 0;
	in_zone0 = 0;
	to_far = 0;
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
			if (d.at - d.took < w.warm || d.closed)
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
static u32 checks, failed;

static void ok(bool good, const char *what)
{
	failed += !good;
	printf("%sok %u - %s\n", good ? "" : "not ", ++checks, what);
}

static struct result p99_of(enum rule rule, u32 clients)
{
	w = usual;
	w.rule = rule;
	w.clients = clients;
	w.seconds = 20;
	return run_seeds(2);
}

/* The same model, programmed anew from its description. */
static void check_rules(void)
{
	static const struct { enum rule rule; u32 clients; double p99; } rows[] = {
		{ WEIGHTED, 32, 422 },
		{ P2C_LATENCY, 32, 427 },
		{ P2C_LEAST, 32, 89 },
		{ P2C_LEAST, 256, 392 },
		{ P2C_PEAK, 32, 42 },
		{ P2C_LP_Q, 32, 45 },
		{ D8_PEAK_Q, 256, 35 },
		{ SCAN_PEAK_Q, 32, 30 },
		{ SCAN_PEAK_Q, 256, 31 },
	};
	double ours, other, by;
	u32 i, far = 0;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ours = p99_of(rows[i].rule, rows[i].clients).p99;
		by = ours > rows[i].p99 ? ours / rows[i].p99 :
					  rows[i].p99 / ours;
		printf("# %s, %u clients: p99 %.0f ms, elsewhere %.0f\n",
		       rule_names[rows[i].rule], rows[i].clients, ours,
		       rows[i].p99);
		far += by > 2.5;
	}
	ok(!far, "rules come out as in another simulation");
	ours = p99_of(VNIMESH, 256).p99;
	other = p99_of(ARGMIN, 256).p99;
	printf("# argmin of broadcast latency: p99 %.0f ms, vnimesh: %.0f\n",
	       other, ours);
	ok(other > 20 * ours, "the best broadcast latency herds");
	other = p99_of(P2C_LEAST, 256).p99;
	ok(other > 2 * ours, "P2C of least connections is far behind");
}

static void check_age(void)
{
	struct result fresh, old;

	w = usual;
	w.rule = VNIMESH;
	w.seconds = 20;
	w.period = periods[0];
	fresh = run_seeds(2);
	w.period = 1;
	old = run_seeds(2);
	printf("# 256 clients: p99 %.1f ms with fresh scores, %.1f ms at T = 1 s\n",
	       fresh.p99, old.p99);
	ok(old.p99 <= 1.2 * fresh.p99,
	   "scores 1 s old cost at most a fifth at p99");
}

static void check_ejection(void)
{
	struct result lost = sinkhole(VNIMESH, true, 1);

	printf("# a member that fails at once: %.3f %% of the flows lost\n",
	       lost.lost);
	ok(lost.lost <= 1, "a fast-failing member gets at most 1 % of the flows");
}

/* Per cent of zone 0's flows that stay there. */
static double stay(enum rule rule, u32 down)
{
	w = usual;
	w.rule = rule;
	w.seconds = 10;
	w.load = 0.5;
	w.down = down;
	run_seeds(1);
	return 100.0 * (double)in_zone0 / (double)from_zone0;
}

static void check_tiers(void)
{
	double all = stay(VNIMESH_ZONES, 0), half = stay(VNIMESH_ZONES, 2);
	double none = stay(VNIMESH_ZONES, 4), one = stay(VNIMESH, 0);

	printf("# %% of a zone's flows that stay: %.1f, half of it down: %.1f, all: %.1f\n",
	       all, half, none);
	printf("# ... and without zones: %.1f\n", one);
	ok(all > 99.9, "a zone that is whole keeps its flows");
	ok(half > 65 && half < 75, "half a zone keeps 1.4 of its share");
	ok(none == 0, "nobody is left: all go elsewhere");
	ok(one < 60, "... as they may without zones");
}

/* Connections that are held: many at each near server, which are quick yet. */
static u64 go_far(u32 most)
{
	u64 n;

	w = usual;
	w.rule = VNIMESH;
	w.clients = 1;
	w.load = 0.5;
	w.seconds = 10;
	w.hold = 0.5;
	w.far = true;
	clamp = most;
	run_seeds(1);
	n = to_far;
	clamp = usual_clamp;
	return n;
}

static void check_clamp(void)
{
	u64 with = go_far(usual_clamp), without = go_far(U32_MAX);

	printf("# connections to a server 1000 times as far: %llu, without the clamp %llu\n",
	       (unsigned long long)with, (unsigned long long)without);
	ok(with >= 10 * (without + 1), "the clamp leaves what is far a part");
	ok(with < 100, "... a small one");
}

static int check(void)
{
	check_age();
	check_ejection();
	check_rules();
	check_tiers();
	check_clamp();
	printf("1..%u\n", checks);
	return failed ? 1 : 0;
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
