// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pure selection of kmod/select.c, compiled as it is. Prints TAP.
 */
#include <stdio.h>
#include <string.h>

#include "../../kmod/select.c"

static int count, failed;

static void ok(int good, const char *name)
{
	count++;
	failed += !good;
	printf("%sok %d - %s\n", good ? "" : "not ", count, name);
}

static const struct vnimesh_candidate plain = {
	.lp = 1000, .weight = 100, .health = 100,
};

struct table {
	struct vnimesh_candidate c[256];
	u32 looked;
};

static void get(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	struct table *t = ctx;

	t->looked++;
	*c = t->c[i];
}

static struct table table;

static void fill(u32 n)
{
	u32 i;

	memset(&table, 0, sizeof(table));
	for (i = 0; i < n; i++)
		table.c[i] = plain;
}

/* How often each of @n wins in @rounds choices. */
static void shares(u32 n, u32 rounds, u32 *won)
{
	u32 r;

	memset(won, 0, n * sizeof(*won));
	for (r = 0; r < rounds; r++) {
		int i = vnimesh_select(n, get, &table, r * 7919ULL + 1);

		if (i >= 0)
			won[i]++;
	}
}

static void test_cost(void)
{
	struct vnimesh_candidate a = plain, b = plain;

	b.lp = 2000;
	ok(vnimesh_select_cost(&b) > vnimesh_select_cost(&a) * 19 / 10,
	   "twice the latency costs twice");
	b = plain;
	b.health = 50;
	ok(vnimesh_select_cost(&b) / 4 <= vnimesh_select_cost(&a) + 1 &&
	   vnimesh_select_cost(&b) > vnimesh_select_cost(&a) * 39 / 10,
	   "half the health costs four times");
	b = plain;
	b.inflight = 1;
	ok(vnimesh_select_cost(&b) == vnimesh_select_cost(&a) * 2 ||
	   vnimesh_select_cost(&b) == vnimesh_select_cost(&a) * 2 + 1,
	   "the second flow costs twice");
	b = plain;
	b.lk = 9000;
	a.lp = 9000;
	ok(vnimesh_select_cost(&a) == vnimesh_select_cost(&b),
	   "the worse of the two latencies counts");
	a = plain;
	a.lp = 1;
	b = plain;
	b.lp = VNIMESH_LATENCY_FLOOR;
	ok(vnimesh_select_cost(&a) == vnimesh_select_cost(&b),
	   "below the floor nothing is gained");
	a = plain;
	a.stale = true;
	a.lp = 1;
	b = plain;
	b.lp = 1;
	ok(vnimesh_select_cost(&a) > vnimesh_select_cost(&b) &&
	   vnimesh_select_cost(&a) != VNIMESH_COST_NONE,
	   "stale figures are neither best nor excluded");
}

static void test_bounds(void)
{
	struct vnimesh_candidate a = plain, b;

	a.lp = ~0u;
	a.inflight = ~0u;
	a.weight = 1;
	a.health = 1;
	b = a;
	b.weight = 2;
	ok(vnimesh_select_cost(&a) > vnimesh_select_cost(&b) &&
	   vnimesh_select_cost(&a) != VNIMESH_COST_NONE,
	   "the largest figures do not wrap");
	a = plain;
	a.weight = 0;
	ok(vnimesh_select_cost(&a) == VNIMESH_COST_NONE, "weight 0 is excluded");
	a = plain;
	a.health = 0;
	ok(vnimesh_select_cost(&a) == VNIMESH_COST_NONE, "health 0 is excluded");
	a = plain;
	a.excluded = 2;
	ok(vnimesh_select_cost(&a) == VNIMESH_COST_NONE, "excluded is excluded");
}

static void test_choice(void)
{
	u32 won[256], i, low, high;

	fill(2);
	table.c[1].lp = 2000;
	shares(2, 1000, won);
	ok(won[0] == 1000, "the cheaper one always wins");
	fill(4);
	shares(4, 4000, won);
	for (i = 0, low = ~0u, high = 0; i < 4; i++) {
		low = min_t(u32, low, won[i]);
		high = max_t(u32, high, won[i]);
	}
	ok(low > 850 && high < 1150, "equals share equally");
	fill(3);
	for (i = 0; i < 3; i++)
		table.c[i].excluded = 1;
	ok(vnimesh_select(3, get, &table, 1) == -1, "nobody eligible");
	ok(vnimesh_select(0, get, &table, 1) == -1, "nobody at all");
	fill(8);
	ok(vnimesh_select(8, get, &table, 42) ==
	   vnimesh_select(8, get, &table, 42), "the same seed, the same choice");
}

static void test_large(void)
{
	u32 won[256], i, used = 0;

	fill(200);
	table.looked = 0;
	shares(200, 20000, won);
	ok(table.looked == 20000 * VNIMESH_SAMPLE, "a large set is sampled");
	for (i = 0; i < 200; i++)
		used += won[i] > 50 && won[i] < 150;
	ok(used == 200, "sampling is even");
	for (i = 0; i < 200; i++)
		table.c[i].excluded = i != 137;
	shares(200, 500, won);
	ok(won[137] == 500, "the only eligible one of a large set is found");
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
	half = vnimesh_select_decay(5000, 1000, 6931);
	ok(half > 2960 && half < 3040, "decays towards Lp");
	ok(vnimesh_select_decay(5000, 1000, ~0u) == 1000, "ends at Lp");
	ok(vnimesh_select_decay(500, 1000, 0) == 1000, "never below Lp");
}

int main(void)
{
	test_cost();
	test_bounds();
	test_choice();
	test_large();
	test_ewma();
	printf("1..%d\n", count);
	return !!failed;
}
