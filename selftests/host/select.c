// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pure code of the choice, compiled as it is in the module. Prints TAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kmod/score.c"
#include "../../kmod/aggregate.c"
#include "../../kmod/maglev.c"
#define fill kmod_fill
#include "../../kmod/select.c"
#undef fill

#define MANY	1024

static int count, failed;

static void ok(int good, const char *name)
{
	count++;
	failed += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", count, name);
}

static const struct vnimesh_candidate plain = {
	.lp = 1000, .lp_kind = VNIMESH_LATENCY_CONNECT,
	.ramp = VNIMESH_RAMP_NONE,
	.weight = 100, .health = 100,
};

static const struct vnimesh_scale flat = {
	.median = 100, .kind = VNIMESH_LATENCY_CONNECT,
	.load = VNIMESH_LOAD_CONNECTIONS,
};

static struct vnimesh_candidate cand[MANY];
static u32 maglev_slot_of[MANY];	/* of the table, to its candidate */
static u32 looked;
static struct vnimesh_aggregate agg;
static u16 order[MANY];
static struct vnimesh_select sel;

static void get(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	struct vnimesh_select *s = ctx;

	looked++;
	*c = cand[i < s->all.n ? i : maglev_slot_of[i - s->all.n]];
}

static void fill(u32 n, u8 policy)
{
	u32 i;

	for (i = 0; i < n; i++) {
		cand[i] = plain;
		maglev_slot_of[i] = i;
	}
	memset(&sel, 0, sizeof(sel));
	sel.all.get = get;
	sel.all.ctx = &sel;
	sel.all.n = n;
	sel.all.policy = policy;
	sel.all.load = VNIMESH_LOAD_CONNECTIONS;
	sel.agg = &agg;
	sel.view = &agg.view;
	memset(&agg, 0, sizeof(agg));
}

static void recount(void)
{
	struct vnimesh_aggregate old = agg;

	sel.order = sel.all.n > VNIMESH_SCAN_MAX ? order : NULL;
	vnimesh_aggregate(&sel.all, old.policy ? &old : NULL,
			  sel.order ? order : NULL, &agg);
}

/* How often each wins in @rounds choices. */
static void shares_of(u32 rounds, u32 *won)
{
	u32 r;
	u8 how;

	memset(won, 0, sel.all.n * sizeof(*won));
	for (r = 0; r < rounds; r++) {
		int i = vnimesh_select(&sel, r * 7919ULL + 1, &how);

		if (i >= (int)sel.all.n)
			i = (int)maglev_slot_of[i - (int)sel.all.n];
		if (i >= 0)
			won[i]++;
	}
}

static bool near(u32 x, u32 want, u32 percent)
{
	return x >= want - want * percent / 100 &&
	       x <= want + want * percent / 100;
}

static u64 cost(const struct vnimesh_candidate *c)
{
	return vnimesh_score(c, &flat);
}

static void test_cost(void)
{
	struct vnimesh_candidate a = plain, b = plain;
	struct vnimesh_scale scale = flat;

	b.lp = 2000;
	ok(near((u32)(cost(&b) >> 8), (u32)(cost(&a) >> 7), 1),
	   "twice the latency costs twice");
	b = plain;
	b.health = 50;
	ok(near((u32)(cost(&b) >> 8), (u32)(cost(&a) >> 6), 1),
	   "half the health costs four times");
	b.health = 1;
	ok(near((u32)(cost(&b) >> 8), (u32)(cost(&a) >> 8) * 10, 1),
	   "the worst health costs ten times");
	b = plain;
	b.inflight = 1;
	ok(near((u32)(cost(&b) >> 8), (u32)(cost(&a) >> 7), 1),
	   "the second flow costs twice");
	b.inflight = 3;
	scale.load = VNIMESH_LOAD_POOL;
	ok(near((u32)(vnimesh_score(&b, &scale) >> 8),
		(u32)(cost(&a) >> 7), 1),
	   "in a pool the fourth connection costs twice");
	scale.udp = true;
	b.inflight = 500;
	ok(vnimesh_score(&b, &scale) == cost(&a), "UDP: flows do not count");
	b = plain;
	b.lk = 9000;
	a.lp = 9000;
	ok(cost(&a) == cost(&b), "the worse of the two latencies counts");
	b.lk_age = 6931;
	a.lp = 5000;
	ok(near((u32)(cost(&a) >> 8), (u32)(cost(&b) >> 8), 2),
	   "half of a peak is gone after tau ln 2");
	b = plain;
	b.ramp = 15000;
	ok(near((u32)(cost(&b) >> 8), (u32)(cost(&plain) >> 7), 1),
	   "slow start: half the weight after 15 s");
	b.ramp = 0;
	ok(near((u32)(cost(&b) >> 8), (u32)(cost(&plain) >> 8) * 10, 1),
	   "slow start: begins at a tenth");
	b = plain;
	b.weight = 50;
	ok(near((u32)(cost(&b) >> 8), (u32)(cost(&plain) >> 7), 1),
	   "half the weight costs twice");
}

static void test_latency(void)
{
	struct vnimesh_candidate a = plain, b = plain;
	struct vnimesh_scale scale = flat;

	scale.median = 1000;
	a.lp = 1;
	ok(vnimesh_score_latency(&a, &scale) == 500, "half the median is the floor");
	scale.median = 0;
	ok(vnimesh_score_latency(&a, &scale) == VNIMESH_LATENCY_FLOOR,
	   "without a median it is 50 us");
	scale.median = 1000;
	a.lp = 10000000;
	ok(vnimesh_score_latency(&a, &scale) == 32000, "64 floors are the clamp");
	a.lk = 0;
	a.stale = true;
	ok(vnimesh_score_latency(&a, &scale) == 1000, "stale: the median");
	ok(near((u32)(vnimesh_score(&a, &scale) >> 8),
		(u32)(vnimesh_score(&b, &scale) >> 7), 1),
	   "... at half the health");
	a.lk = 5000;
	ok(vnimesh_score_latency(&a, &scale) == 5000,
	   "... but slow is what is seen to be slow");
	a = plain;
	a.lp = 0;
	ok(vnimesh_score_latency(&a, &scale) == 1000, "unknown: the median");
	a = plain;
	a.lp_kind = VNIMESH_LATENCY_RESPONSE;
	a.lp = 20000;
	ok(vnimesh_score_latency(&a, &scale) == 1000,
	   "a response among handshakes is unknown");
	scale.kind = VNIMESH_LATENCY_RESPONSE;
	ok(vnimesh_score_latency(&a, &scale) == 20000, "among responses it counts");
	a.path = 1000;
	a.lk = 900;
	ok(vnimesh_score_latency(&a, &scale) == 20000,
	   "a handshake as long as the path adds nothing to a response");
	a.lk = 4000;
	ok(vnimesh_score_latency(&a, &scale) == 23000,
	   "a longer one adds what it is longer");
	a.lr = 31000;
	ok(vnimesh_score_latency(&a, &scale) == 31000,
	   "a response that was measured counts as it is");
	a.lp_kind = VNIMESH_LATENCY_CONNECT;
	a.lp = 2000;
	a.lr_age = 40000;
	ok(vnimesh_score_latency(&a, &scale) > 2000 &&
	   vnimesh_score_latency(&a, &scale) < 2700,
	   "... and decays to the round trip");
	a.lr_age = VNIMESH_MEASURED_MS;
	ok(vnimesh_score_latency(&a, &scale) == 1000, "... then it is unknown");
}

static void test_bounds(void)
{
	struct vnimesh_candidate a = plain, b;

	a.lp = ~0u;
	a.lk = ~0u;
	a.inflight = ~0u;
	a.weight = 1;
	a.health = 1;
	a.ramp = 0;
	b = a;
	b.weight = 2;
	ok(cost(&a) > cost(&b) && cost(&a) != VNIMESH_COST_NONE,
	   "the largest figures do not wrap");
	a = plain;
	a.weight = 1000;
	a.lp = 1;
	b = a;
	b.lp = 60;
	ok(cost(&b) * 100 > cost(&a) * 118 && cost(&b) * 100 < cost(&a) * 122,
	   "the smallest figures keep their order");
	a = plain;
	a.weight = 0;
	ok(cost(&a) == VNIMESH_COST_NONE, "weight 0 is excluded");
	a = plain;
	a.health = 0;
	ok(cost(&a) == VNIMESH_COST_NONE, "health 0 is excluded");
	a = plain;
	a.excluded = VNIMESH_EXCLUDE_VNI_STATE;
	ok(cost(&a) == VNIMESH_COST_NONE, "excluded is excluded");
}

static void test_choice(void)
{
	u32 won[MANY], i, low, high;
	u8 how;

	fill(2, VNIMESH_POLICY_OPTIMAL);
	cand[1].lp = 2000;
	recount();
	shares_of(1000, won);
	ok(won[0] == 1000, "the cheaper of two always wins");
	fill(10, VNIMESH_POLICY_OPTIMAL);
	for (i = 1; i < 10; i++)
		cand[i].lp = 3000;
	recount();
	shares_of(100000, won);
	ok(near(100000 - won[0], 900, 15), "of ten, one flow in 100 explores");
	fill(4, VNIMESH_POLICY_OPTIMAL);
	recount();
	shares_of(4000, won);
	for (i = 0, low = ~0u, high = 0; i < 4; i++) {
		low = min_t(u32, low, won[i]);
		high = max_t(u32, high, won[i]);
	}
	ok(low > 850 && high < 1150, "equals share equally");
	fill(3, VNIMESH_POLICY_OPTIMAL);
	for (i = 0; i < 3; i++)
		cand[i].excluded = VNIMESH_EXCLUDE_MEMBER_STATE;
	recount();
	ok(vnimesh_select(&sel, 1, &how) == -1, "nobody eligible");
	fill(0, VNIMESH_POLICY_OPTIMAL);
	recount();
	ok(vnimesh_select(&sel, 1, &how) == -1, "nobody at all");
}

static void test_eject(void)
{
	u32 won[MANY];

	fill(4, VNIMESH_POLICY_OPTIMAL);
	cand[0].lp = 1;
	cand[0].excluded = VNIMESH_EXCLUDE_EJECTED;
	recount();
	shares_of(2000, won);
	ok(!won[0], "an ejected one gets nothing");
	cand[1].excluded = VNIMESH_EXCLUDE_EJECTED;
	shares_of(2000, won);
	ok(!won[0] && !won[1], "two of four: still nothing");
	cand[2].excluded = VNIMESH_EXCLUDE_EJECTED;
	shares_of(4000, won);
	ok(won[0] && won[1] && won[2], "three of four: panic, all are back");
	cand[3].excluded = VNIMESH_EXCLUDE_NODE_STATE;
	shares_of(2000, won);
	ok(won[0] && !won[3], "... but not who is known down");
	fill(4, VNIMESH_POLICY_OPTIMAL);
	cand[0].excluded = VNIMESH_EXCLUDE_AVOID;
	recount();
	shares_of(2000, won);
	ok(!won[0] && won[1] && won[2] && won[3], "another than the one to avoid");
	fill(2, VNIMESH_POLICY_OPTIMAL);
	cand[0].excluded = VNIMESH_EXCLUDE_AVOID;
	cand[1].excluded = VNIMESH_EXCLUDE_EJECTED;
	recount();
	shares_of(100, won);
	ok(won[1] == 100, "the last one, if it is ejected by local evidence only");
}

static void test_large(void)
{
	u32 won[MANY], i, used = 0;

	fill(200, VNIMESH_POLICY_OPTIMAL);
	recount();
	looked = 0;
	shares_of(20000, won);
	ok(looked <= 20000 * VNIMESH_SAMPLE, "a large set is sampled");
	for (i = 0; i < 200; i++)
		used += won[i] > 50 && won[i] < 150;
	ok(used == 200, "sampling is even");
	for (i = 0; i < 200; i++)
		cand[i].excluded = i != 137;
	shares_of(500, won);
	ok(won[137] == 500, "the only eligible one of a large set is found");
	fill(1000, VNIMESH_POLICY_OPTIMAL);
	for (i = 0; i < 1000; i++)
		cand[i].locality = i % 100 ? 2 : 0;
	recount();
	shares_of(1000, won);
	for (i = 0, used = 0; i < 1000; i++)
		used += i % 100 ? won[i] : 0;
	ok(!used, "ten of a thousand in the own zone get all");
	for (i = 0; i < 1000; i += 100)
		cand[i].excluded = VNIMESH_EXCLUDE_NODE_STATE;
	shares_of(1000, won);
	for (i = 0, used = 0; i < 1000; i++)
		used += i % 100 ? won[i] : 0;
	ok(used == 1000, "they fail: the next choice is right, counted or not");
	recount();
	shares_of(1000, won);
	for (i = 0, used = 0; i < 1000; i++)
		used += won[i] > 0;
	ok(used > 500, "counted: all others are sampled");
}

static void test_zones(void)
{
	ok(vnimesh_locality("eu/a", "eu/a") == 0, "the same zone");
	ok(vnimesh_locality("eu/a", "eu/b") == 1, "the same region");
	ok(vnimesh_locality("eu/a", "us/a") == 2, "another region");
	ok(vnimesh_locality("eu/a", "eub/a") == 2, "a region is a whole name");
	ok(vnimesh_locality("eu/a", "eu/a/x") == 2, "deeper is elsewhere");
	ok(vnimesh_locality("x/eu/a", "x/eu/b") == 1, "the last slash counts");
	ok(vnimesh_locality("a", "b") == 2, "without a region there is no second tier");
	ok(vnimesh_locality("a", "") == 2, "no zone is elsewhere");
	ok(vnimesh_locality("", "eu/a") == 0, "without a zone of ours all is near");
}

static void test_tiers(void)
{
	u32 won[MANY], i, local, k, bad = 0;

	fill(20, VNIMESH_POLICY_OPTIMAL);
	for (i = 10; i < 20; i++) {
		cand[i].locality = 2;
		cand[i].lp = 10;
	}
	recount();
	shares_of(2000, won);
	for (i = 0, local = 0; i < 10; i++)
		local += won[i];
	ok(local == 2000, "the own zone gets all, though others are nearer by latency");
	for (k = 0; k <= 10; k++) {
		u32 want = min_t(u32, 10000, 1400 * k);

		for (i = 0; i < 10; i++)
			cand[i].excluded = i < k ? 0 : VNIMESH_EXCLUDE_VNI_STATE;
		memset(&agg, 0, sizeof(agg));
		recount();
		shares_of(10000, won);
		for (i = 0, local = 0; i < 10; i++)
			local += won[i];
		printf("# %u of 10 healthy: %u of 10000 stay\n", k, local);
		bad += want ? !near(local, want, 8) : local != 0;
	}
	ok(!bad, "0..10 healthy of 10: 1.4 times that share stays");
	cand[0].excluded = VNIMESH_EXCLUDE_VNI_STATE;
	cand[1].excluded = VNIMESH_EXCLUDE_VNI_STATE;
	recount();
	ok(agg.tier[0].share == VNIMESH_SHARE_ONE, "8 of 10 is all");
	for (i = 0; i < 5; i++)
		cand[i].excluded = VNIMESH_EXCLUDE_VNI_STATE;
	recount();
	local = agg.tier[0].share;
	cand[4].weight = 110;
	cand[4].excluded = 0;
	cand[5].excluded = VNIMESH_EXCLUDE_VNI_STATE;
	recount();
	ok(agg.tier[0].share == local, "small changes do not move the share");
	for (i = 0; i < 20; i++)
		cand[i].excluded = i == 0 || i == 10 ? 0 : VNIMESH_EXCLUDE_VNI_STATE;
	recount();
	ok(agg.tier[0].share + agg.tier[2].share <= VNIMESH_SHARE_ONE &&
	   agg.tier[0].share + agg.tier[2].share >= VNIMESH_SHARE_ONE - 2 &&
	   near(agg.tier[0].share, agg.tier[2].share, 1),
	   "if all are short, the rest is shared");
	for (i = 0; i < 20; i++)
		cand[i].excluded = i < 10 ? VNIMESH_EXCLUDE_VNI_STATE : 0;
	shares_of(1000, won);
	for (i = 0, local = 0; i < 10; i++)
		local += won[i];
	ok(!local, "a zone without anybody falls to the next, counted or not");
	fill(20, VNIMESH_POLICY_OPTIMAL);
	for (i = 10; i < 20; i++)
		cand[i].locality = 2;
	for (i = 0; i < 10; i++)
		cand[i].ramp = 12000;
	recount();
	ok(near(agg.tier[0].share, VNIMESH_SHARE_ONE * 56 / 100, 1) && agg.ramping,
	   "a zone that comes back is ramped");
}

static void test_policies(void)
{
	u32 won[MANY], i, all;

	fill(3, VNIMESH_POLICY_RANDOM);
	cand[0].weight = 300;
	cand[1].lp = 900000;
	cand[1].inflight = 900;
	recount();
	shares_of(10000, won);
	ok(near(won[0], 6000, 5) && near(won[1], 2000, 8),
	   "random: by weight alone");
	fill(100, VNIMESH_POLICY_RANDOM);
	for (i = 0; i < 100; i++)
		cand[i].weight = i ? 10 : 990;
	recount();
	shares_of(10000, won);
	ok(near(won[0], 5000, 5), "... of a hundred too");
	cand[0].excluded = VNIMESH_EXCLUDE_EJECTED;
	cand[1].excluded = VNIMESH_EXCLUDE_VNI_STATE;
	shares_of(10000, won);
	for (i = 2, all = 0; i < 100; i++)
		all += won[i] > 50 && won[i] < 160;
	ok(!won[0] && !won[1] && all == 98, "... those who are out left out");
	for (i = 0; i < 100; i++)
		cand[i].excluded = i < 60 ? VNIMESH_EXCLUDE_EJECTED : 0;
	cand[0].weight = 10;
	recount();
	shares_of(10000, won);
	ok(won[0] && won[99], "... all of them, if too many are out");
	fill(4, VNIMESH_POLICY_FAILOVER);
	cand[0].priority = 5;
	cand[1].priority = 5;
	cand[2].priority = 7;
	cand[3].priority = 9;
	cand[3].lp = 60;
	recount();
	shares_of(1000, won);
	ok(won[0] + won[1] == 1000 && won[0] > 400, "failover: the lowest priority");
	cand[0].excluded = VNIMESH_EXCLUDE_EJECTED;
	shares_of(1000, won);
	ok(won[1] == 1000, "... what is left of it");
	cand[1].excluded = VNIMESH_EXCLUDE_VNI_STATE;
	shares_of(1000, won);
	ok(won[2] == 1000, "... then the next one, ejected ones passed over");
	fill(100, VNIMESH_POLICY_FAILOVER);
	for (i = 0; i < 100; i++)
		cand[i].priority = i / 50 ? 200 : 100 + i / 25;
	recount();
	shares_of(5000, won);
	for (i = 25, all = 0; i < 100; i++)
		all += won[i];
	ok(!all && won[0] && won[24], "... of a hundred too");
	for (i = 0; i < 25; i++)
		cand[i].excluded = VNIMESH_EXCLUDE_VNI_STATE;
	recount();
	shares_of(5000, won);
	for (i = 25, all = 0; i < 50; i++)
		all += won[i];
	ok(all == 5000, "... and the second of many");
}

static struct vnimesh_maglev_table *table_of(u32 n, u32 without)
{
	static struct vnimesh_maglev_member m[MANY];
	struct vnimesh_maglev_table *table;
	u32 size = vnimesh_maglev_size(n), i, k = 0;

	table = malloc(sizeof(*table) + size * sizeof(u16));
	if (!table)
		exit(1);
	table->size = size;
	for (i = 0; i < n; i++) {
		if (i == without)
			continue;
		maglev_slot_of[k] = i;
		m[k].id = 100 + i;
		m[k++].weight = cand[i].weight;
	}
	vnimesh_maglev_build(table, m, k);
	return table;
}

static void test_maglev(void)
{
	struct vnimesh_maglev_table *a, *b;
	u32 won[MANY], i, k, moved = 0, low = ~0u, high = 0, first, hit = 0;
	u32 slots_of_a[MANY];
	u8 how;

	fill(10, VNIMESH_POLICY_MAGLEV);
	cand[9].weight = 300;
	a = table_of(10, ~0u);
	memcpy(slots_of_a, maglev_slot_of, sizeof(slots_of_a));
	memset(won, 0, sizeof(won));
	for (i = 0; i < a->size; i++)
		won[a->slot[i]]++;
	for (i = 0; i < 9; i++) {
		low = min_t(u32, low, won[i]);
		high = max_t(u32, high, won[i]);
	}
	ok(high - low <= 2 && near(won[9], low * 3, 1), "table: by weight");
	b = table_of(10, 4);
	for (i = 0; i < a->size; i++)
		moved += a->slot[i] != 4 &&
			 slots_of_a[a->slot[i]] != maglev_slot_of[b->slot[i]];
	printf("# one of ten leaves: %u of %u other entries change\n", moved,
	       a->size);
	ok(moved < a->size / 50, "table: hardly anybody else moves");
	free(b);
	memcpy(maglev_slot_of, slots_of_a, sizeof(slots_of_a));
	sel.maglev = a;
	recount();
	sel.hash = vnimesh_maglev_hash("\x0a\x4d\x01\x0a", 4);
	shares_of(1000, won);
	for (i = 0, first = 0; i < 10; i++)
		if (won[i] == 1000)
			first = i + 1;
	ok(first, "a client has one member");
	cand[--first].inflight = 20;
	shares_of(100, won);
	ok(!won[first], "beyond four times the least load it has another");
	cand[first].inflight = 2;
	shares_of(100, won);
	ok(won[first] == 100, "... and is back below");
	cand[first].excluded = VNIMESH_EXCLUDE_NODE_STATE;
	shares_of(100, won);
	for (i = 0, k = 0; i < 10; i++)
		k += won[i] == 100;
	ok(k == 1 && !won[first], "its member fails: one other");
	cand[first].excluded = 0;
	for (i = 0; i < 10; i++)
		cand[i].excluded = i == 3 ? 0 : VNIMESH_EXCLUDE_EJECTED;
	cand[4].excluded = 0;
	for (k = 0; k < 1000; k++) {
		sel.hash = k * 2654435761u;
		i = (u32)vnimesh_select(&sel, k, &how);
		i = i >= sel.all.n ? maglev_slot_of[i - sel.all.n] : i;
		hit += i < 10 && how == VNIMESH_HOW_HASH;
	}
	ok(hit == 1000, "ejected by the most: found by the permutation");
	free(a);
	fill(1000, VNIMESH_POLICY_MAGLEV);
	a = table_of(1000, ~0u);
	memset(won, 0, sizeof(won));
	for (i = 0; i < a->size; i++)
		won[a->slot[i]]++;
	for (i = 0, low = ~0u, high = 0; i < 1000; i++) {
		low = min_t(u32, low, won[i]);
		high = max_t(u32, high, won[i]);
	}
	ok(low >= 65 && high <= 66, "table: a thousand share evenly");
	free(a);
}

/* Whatever is in the candidates: an index in range, never one that is excluded,
 * "nobody" only if that is true, and the same again.
 */
static void test_any(void)
{
	u64 seed = 4711;
	u32 round, i, n, bad = 0, able;
	u8 how, again;

	for (round = 0; round < 20000; round++) {
		int chosen;

		n = vnimesh_draw_below(&seed, round % 10 ? 40 : 300);
		fill(n, 1 + vnimesh_draw_below(&seed, 4));
		if (sel.all.policy == VNIMESH_POLICY_MAGLEV)
			sel.all.policy = VNIMESH_POLICY_OPTIMAL;
		sel.all.load = 1 + vnimesh_draw_below(&seed, 2);
		for (i = 0, able = 0; i < n; i++) {
			struct vnimesh_candidate *c = &cand[i];
			u64 x = vnimesh_draw(&seed);

			c->lp = (u32)vnimesh_draw(&seed) >> (x & 31);
			c->lk = (u32)vnimesh_draw(&seed) >> (x >> 5 & 31);
			c->lk_age = (u32)vnimesh_draw(&seed) >> (x >> 10 & 31);
			c->path = c->lp >> (x >> 15 & 31);
			c->inflight = (u32)vnimesh_draw(&seed) >> (x >> 20 & 31);
			c->lp_kind = 1 + (x >> 25 & 1);
			c->lr = (u32)vnimesh_draw(&seed) >> (x >> 7 & 31);
			c->lr_age = (u32)vnimesh_draw(&seed) >> (x >> 13 & 31);
			c->stale = x >> 26 & 1;
			c->health = (x >> 27 & 127) % 101;
			c->weight = (x >> 34 & 1023) % 1001;
			c->locality = (x >> 44) % 3;
			c->ramp = x >> 46 & 1 ? (u32)(x >> 47) : ~0u;
			c->priority = x >> 50 & 3;
			c->excluded = x >> 52 & 3 ? 0 : x >> 54 & 1 ?
				      VNIMESH_EXCLUDE_EJECTED :
				      VNIMESH_EXCLUDE_NODE_STATE;
			able += vnimesh_score_able(c);
			bad += vnimesh_score_able(c) &&
			       vnimesh_score(c, &flat) == VNIMESH_COST_NONE;
		}
		if (round & 1)
			recount();
		chosen = vnimesh_select(&sel, round, &how);
		bad += chosen != vnimesh_select(&sel, round, &again);
		bad += how != again;
		if (chosen < 0)
			bad += able != 0;
		else
			bad += chosen >= (int)n ||
			       !vnimesh_score_able(&cand[chosen]);
	}
	ok(!bad, "anything: in range, able, found, and the same again");
}

static void test_ewma(void)
{
	u32 half;

	ok(vnimesh_select_observe(1000, 100, 5000) == 5000,
	   "a peak counts at once");
	ok(vnimesh_select_observe(5000, 0, 1000) == 5000,
	   "one good sample does not hide a peak");
	half = vnimesh_select_observe(5000, 6931, 1000);
	ok(half > 2960 && half < 3040, "half of it is gone after tau ln 2");
	ok(vnimesh_select_decay(5000, 1000, 0) == 5000, "fresh: as measured");
	ok(vnimesh_select_decay(5000, 1000, ~0u) == 1000, "ends at Lp");
	ok(vnimesh_select_decay(500, 1000, 0) == 1000, "never below Lp");
}

static void test_median(void)
{
	u32 i, bad = 0, shift;

	for (shift = 0; shift < 26; shift++) {
		fill(9, VNIMESH_POLICY_OPTIMAL);
		for (i = 0; i < 9; i++)
			cand[i].lp = i < 4 ? 1 : i > 4 ? 60000000 :
				     (13u << shift) / 10;
		recount();
		bad += shift > 2 && !near(agg.view.median[0],
					  (13u << shift) / 10, 13);
	}
	ok(!bad, "the median is right within an eighth");
	fill(3, VNIMESH_POLICY_OPTIMAL);
	cand[0].lp_kind = VNIMESH_LATENCY_RESPONSE;
	cand[1].lp_kind = VNIMESH_LATENCY_RESPONSE;
	recount();
	ok(agg.view.kind == VNIMESH_LATENCY_RESPONSE, "the kind of the most is compared");
}

int main(void)
{
	test_cost();
	test_latency();
	test_bounds();
	test_choice();
	test_eject();
	test_large();
	test_zones();
	test_tiers();
	test_policies();
	test_maglev();
	test_any();
	test_ewma();
	test_median();
	printf("1..%d\n", count);
	return !!failed;
}
