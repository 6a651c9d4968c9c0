// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Shared verdicts among many hosts, over a network in memory with a clock of
 * its own. Prints TAP.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stddef.h>
#include <stdio.h>

#include "verdict.h"
#include "tap.h"

#define MS	1000ULL
#define SEC	1000000ULL
#define HOSTS	1000
#define QUEUE	20000
#define TARGET	500

unsigned int tests, failures;

static uint64_t rng = 88172645463325252ULL;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

struct host {
	struct verdicts v;
	uint64_t due_us;
	bool dead;
	uint8_t sight;		/* of TARGET, when it looks */
	unsigned int verdicts;
	uint8_t verdict;
};

enum { SUSPECTS = 100, SEES };

struct event {
	uint64_t at_us;
	uint32_t from, to;
	uint8_t type;
	struct peer_case kase;
};

static struct host *hosts;
static struct event *queue;
static size_t queued;
static size_t n_hosts;
static uint64_t now_us;
static uint64_t sent[16], looked;

static void push(uint64_t at_us, uint32_t from, uint32_t to, uint8_t type,
		 const struct peer_case *kase)
{
	size_t i = queued++;
	struct event e = { at_us, from, to, type, *kase };

	/* A heap, the first event at its top. */
	while (i && queue[(i - 1) / 2].at_us > at_us) {
		queue[i] = queue[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	queue[i] = e;
}

static struct event pop(void)
{
	struct event ret = queue[0], last = queue[--queued];
	size_t i = 0, c;

	while ((c = 2 * i + 1) < queued) {
		if (c + 1 < queued && queue[c + 1].at_us < queue[c].at_us)
			c++;
		if (queue[c].at_us >= last.at_us)
			break;
		queue[i] = queue[c];
		i = c;
	}
	queue[i] = last;
	return ret;
}

static uint32_t id_of(struct host *h)
{
	return h - hosts + 1;
}

static bool on_send(void *data, uint32_t to, uint8_t type,
		    const struct peer_case *kase)
{
	sent[type]++;
	push(now_us + 200 + rnd() % 300, id_of(data), to, type, kase);
	return true;
}

static void on_look(void *data, uint32_t node, uint32_t vni)
{
	struct peer_case kase = { .node = node, .vni = vni };

	looked++;
	push(now_us + 100 * MS + rnd() % (800 * MS), 0, id_of(data), SEES,
	     &kase);
}

static void on_verdict(void *data, const struct peer_case *kase)
{
	struct host *h = data;

	h->verdicts++;
	h->verdict = kase->sight;
}

static uint32_t on_judge(void *data, uint32_t node, uint32_t vni,
			 unsigned int rank)
{
	uint64_t last = 0, best = 0, place;
	uint32_t ret = 0, i;
	unsigned int r;

	(void)data;
	for (r = 0; r <= rank; r++) {
		ret = 0;
		for (i = 1; i <= n_hosts; i++) {
			place = verdict_place(node, vni, i);
			if (i == node || (r && place <= last) ||
			    (ret && place >= best))
				continue;
			ret = i;
			best = place;
		}
		last = best;
	}
	return ret;
}

static uint64_t on_random(void *data)
{
	(void)data;
	return rnd();
}

static const struct verdict_ops ops = {
	.send = on_send,
	.look = on_look,
	.verdict = on_verdict,
	.judge = on_judge,
	.random = on_random,
};

static void make(size_t n)
{
	size_t i;

	n_hosts = n;
	queued = 0;
	now_us = SEC;
	looked = 0;
	memset(sent, 0, sizeof(sent));
	for (i = 0; i < n; i++) {
		memset(&hosts[i], 0, sizeof(hosts[i]));
		verdict_init(&hosts[i].v, &ops, &hosts[i], i + 1);
		hosts[i].due_us = UINT64_MAX;
		hosts[i].sight = PEER_SIGHT_DOWN;
	}
}

static void suspect(uint32_t who, uint64_t at_us)
{
	struct peer_case kase = { .node = TARGET, .vni = 7 };

	push(at_us, 0, who, SUSPECTS, &kase);
}

static void handle(const struct event *e)
{
	struct host *h = &hosts[e->to - 1];

	if (h->dead || e->to == TARGET)
		return;
	if (e->type == SUSPECTS)
		verdict_suspect(&h->v, e->kase.node, e->kase.vni, now_us);
	else if (e->type == SEES)
		verdict_seen(&h->v, e->kase.node, e->kase.vni, h->sight,
			     now_us);
	else
		verdict_rx(&h->v, e->from, e->type, &e->kase, now_us);
	h->due_us = verdict_tick(&h->v, now_us);
}

static void run(uint64_t until_us)
{
	struct event e;
	uint64_t next;
	size_t i, who;

	for (;;) {
		next = queued ? queue[0].at_us : until_us;
		who = SIZE_MAX;
		for (i = 0; i < n_hosts; i++)
			if (hosts[i].due_us < next) {
				next = hosts[i].due_us;
				who = i;
			}
		if (next >= until_us)
			break;
		now_us = next;
		if (who != SIZE_MAX) {
			hosts[who].due_us = hosts[who].dead ? UINT64_MAX :
				verdict_tick(&hosts[who].v, now_us);
			continue;
		}
		e = pop();
		handle(&e);
	}
	now_us = until_us;
}

static uint64_t told(uint8_t sight)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < n_hosts; i++)
		n += hosts[i].verdicts == 1 && hosts[i].verdict == sight;
	return n;
}

static uint64_t total(size_t offset)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < n_hosts; i++)
		n += *(uint64_t *)((char *)&hosts[i].v.stats + offset);
	return n;
}

#define TOTAL(field) total(offsetof(struct verdict_stats, field))

static void test_death(void)
{
	uint32_t i;

	make(HOSTS);
	for (i = 1; i <= HOSTS; i++)
		if (i != TARGET)
			suspect(i, SEC + rnd() % (300 * MS));
	run(10 * SEC);
	printf("# 999 observers: %llu looks, %llu verdicts\n",
	       (unsigned long long)looked, (unsigned long long)TOTAL(verdicts));
	printf("# datagrams: %llu suspect, %llu probe, %llu sight, %llu verdict\n",
	       (unsigned long long)sent[PEER_SUSPECT],
	       (unsigned long long)sent[PEER_PROBE],
	       (unsigned long long)sent[PEER_SIGHT],
	       (unsigned long long)sent[PEER_VERDICT]);
	ok(looked <= 3 && TOTAL(verdicts) == 1,
	   "a thousand observers of one death: three looks and one verdict");
	ok(told(PEER_SIGHT_DOWN) == HOSTS - 1, "which all of them have: down");
	ok(sent[PEER_SUSPECT] <= 2 * HOSTS && sent[PEER_VERDICT] <= HOSTS,
	   "with few datagrams");
	/* It goes on being unreachable; the verdict stands. */
	for (i = 1; i <= HOSTS; i++)
		for (int k = 0; i != TARGET && k < 3; k++)
			suspect(i, now_us + rnd() % SEC);
	looked = 0;
	run(now_us + 10 * SEC);
	ok(looked <= 3 && TOTAL(verdicts) <= 2 && TOTAL(coalesced) >= 1000,
	   "suspected on and on: coalesced, and looked at once more");
}

static void test_path(void)
{
	size_t i;

	make(HOSTS);
	for (i = 0; i < HOSTS; i++)
		hosts[i].sight = PEER_SIGHT_UP;
	hosts[0].sight = PEER_SIGHT_DOWN;
	suspect(1, SEC);
	run(10 * SEC);
	ok(told(PEER_SIGHT_UP) == 1 && looked == 2,
	   "one path is cut: the judge reaches it, it is not down");

	make(HOSTS);
	hosts[8].sight = PEER_SIGHT_UP;
	suspect(1, SEC);
	suspect(9, SEC + MS);
	run(10 * SEC);
	ok(told(PEER_SIGHT_UP) == 2,
	   "one of those who asked reaches it again: not down");
}

static void test_judges(void)
{
	uint32_t i;

	make(HOSTS);
	hosts[on_judge(NULL, TARGET, 7, 0) - 1].dead = true;
	hosts[on_judge(NULL, TARGET, 7, 1) - 1].dead = true;
	for (i = 1; i <= 100; i++)
		suspect(i, SEC + rnd() % (300 * MS));
	run(20 * SEC);
	ok(told(PEER_SIGHT_DOWN) == 100 && looked <= 3 && TOTAL(verdicts) == 1,
	   "two judges dead: the third judges, once");

	make(2);
	n_hosts = 2;
	hosts[0].v.self = 1;
	suspect(1, SEC);
	run(10 * SEC);
	ok(told(PEER_SIGHT_DOWN) == 1 && looked == 1,
	   "alone with it: the one look counts");
}

static void test_stray(void)
{
	struct peer_case kase = { .node = TARGET, .vni = 7, .id = 1,
				  .sight = PEER_SIGHT_DOWN };
	uint32_t judge;

	make(HOSTS);
	judge = on_judge(NULL, TARGET, 7, 0);
	suspect(1, SEC);
	run(SEC + MS);
	verdict_rx(&hosts[0].v, judge, PEER_VERDICT, &kase, now_us);
	kase.id = hosts[0].v.suspects[0].id;
	verdict_rx(&hosts[0].v, judge % HOSTS + 1, PEER_VERDICT, &kase, now_us);
	verdict_rx(&hosts[0].v, 5, PEER_SIGHT, &kase, now_us);
	verdict_rx(&hosts[0].v, TARGET, PEER_PROBE, &kase, now_us);
	ok(hosts[0].v.stats.stray == 4 && !hosts[0].verdicts,
	   "verdicts of others, sights unasked for, and the suspect itself do not count");
}

static void test_bounds(void)
{
	uint32_t i;

	make(HOSTS);
	for (i = 0; i < 10000; i++)
		verdict_suspect(&hosts[0].v, 2 + i % 900, i, now_us);
	ok(hosts[0].v.stats.overflow == 10000 - VERDICT_SUSPECTS_MAX &&
	   queued <= VERDICT_SUSPECTS_MAX,
	   "ten thousand suspicions of one host: bounded, counted");
	for (i = 0; i < 10000; i++) {
		struct peer_case kase = { .node = 2 + i % 900, .vni = i };

		verdict_rx(&hosts[950].v, 1, PEER_SUSPECT, &kase, now_us);
		verdict_rx(&hosts[950].v, 1, PEER_PROBE, &kase, now_us);
	}
	ok(hosts[950].v.stats.trials == VERDICT_TRIALS_MAX &&
	   hosts[950].v.stats.looks == VERDICT_LOOKS_MAX,
	   "... and of trials and looks");
	run(now_us + 60 * SEC);
	ok(!hosts[0].v.suspects[0].node && !hosts[950].v.trials[0].node &&
	   !hosts[950].v.looks[0].node, "all of it ends");
}

int main(void)
{
	hosts = calloc(HOSTS, sizeof(*hosts));
	queue = calloc(QUEUE, sizeof(*queue));
	if (!hosts || !queue)
		return 2;
	test_death();
	test_path();
	test_judges();
	test_stray();
	test_bounds();
	free(queue);
	free(hosts);
	printf("1..%u\n", tests);
	return failures != 0;
}
