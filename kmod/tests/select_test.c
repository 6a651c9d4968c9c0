// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice of a member: cost, order of draws, ties, clamps, decay.
 */
#include "../score.h"
#include "../select.c"
#include "fixture.h"

#define FIELD	200

/* A measurement fades towards what the agents say, never past it. */
static void select_decay(struct kunit *test)
{
	u32 age, before = 10000, now;

	for (age = 0; age < 120000; age += 100) {
		now = vnimesh_select_decay(10000, 300, age);
		KUNIT_ASSERT_LE(test, now, before);
		KUNIT_ASSERT_GE(test, now, 300);
		before = now;
	}
	KUNIT_EXPECT_EQ(test, vnimesh_select_decay(10000, 300, 0), 10000);
	KUNIT_EXPECT_EQ(test, before, 300);
	/* After one tau, 10 s: 1/e of the distance, to 1 %. */
	now = vnimesh_select_decay(10000, 0, 10000);
	KUNIT_EXPECT_GT(test, now, 3640);
	KUNIT_EXPECT_LT(test, now, 3715);
	KUNIT_EXPECT_EQ(test, vnimesh_select_decay(200, 300, 5000), 300);
	KUNIT_EXPECT_EQ(test, vnimesh_select_decay(10000, 300, U32_MAX), 300);
}

/* A peak counts at once, what is better only with time. */
static void select_observe(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vnimesh_select_observe(100, 1000, 5000), 5000);
	KUNIT_EXPECT_EQ(test, vnimesh_select_observe(5000, 0, 100), 5000);
	KUNIT_EXPECT_LT(test, vnimesh_select_observe(5000, 1000, 100), 5000);
	KUNIT_EXPECT_EQ(test, vnimesh_select_observe(5000, U32_MAX, 100), 100);
}

struct field {
	struct vnimesh_select s;
	struct vnimesh_aggregate agg;
	u16 order[FIELD];
	u32 gets;
	struct vnimesh_candidate c[FIELD];
};

static void get_field(void *ctx, u32 i, struct vnimesh_candidate *c)
{
	struct field *f = ctx;

	*c = f->c[i];
	f->gets++;
}

static void grow(struct field *f, u64 *random, u32 n)
{
	u32 i;

	memset(f, 0, sizeof(*f));
	f->s.all.get = get_field;
	f->s.all.ctx = f;
	f->s.all.n = n;
	f->s.all.policy = test_below(random, 2) ? VNIMESH_POLICY_OPTIMAL :
			  test_below(random, 2) ? VNIMESH_POLICY_FAILOVER :
						  VNIMESH_POLICY_RANDOM;
	f->s.all.load = VNIMESH_LOAD_CONNECTIONS + test_below(random, 2);
	f->s.agg = &f->agg;
	f->s.view = &f->agg.view;
	for (i = 0; i < n; i++) {
		test_fill(random, &f->c[i], sizeof(f->c[i]));
		f->c[i].health %= 101;
		f->c[i].weight %= 1001;
		f->c[i].locality %= VNIMESH_TIERS;
		f->c[i].stale = f->c[i].priority & 1;
		if (f->c[i].excluded < 200)
			f->c[i].excluded = VNIMESH_EXCLUDE_NONE;
		else if (f->c[i].excluded < 220)
			f->c[i].excluded = VNIMESH_EXCLUDE_EJECTED;
	}
}

/* Whatever the figures are: one that is able, "nobody" only if that is true, and
 * the same again from the same seed.
 */
static void select_any(struct kunit *test)
{
	struct field *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	u32 round, i, able;
	u64 random = 4711;
	u8 how, again;
	int chosen;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	for (round = 0; round < 2000; round++) {
		grow(f, &random, test_below(&random, round % 4 ? 40 : FIELD));
		if (round & 1) {
			f->s.order = f->s.all.n > VNIMESH_SCAN_MAX ? f->order :
								     NULL;
			vnimesh_aggregate(&f->s.all, NULL,
					  (u16 *)f->s.order, &f->agg);
		}
		chosen = vnimesh_select(&f->s, round, &how);
		KUNIT_ASSERT_EQ(test, chosen,
				vnimesh_select(&f->s, round, &again));
		KUNIT_ASSERT_EQ(test, how, again);
		for (i = 0, able = 0; i < f->s.all.n; i++)
			able += vnimesh_score_able(&f->c[i]);
		KUNIT_ASSERT_EQ(test, chosen >= 0, able > 0);
		if (chosen >= 0)
			KUNIT_ASSERT_TRUE(test,
					  vnimesh_score_able(&f->c[chosen]));
	}
}

/* Half of a zone is down: 1.4 times the other half stays. */
static void select_spill(struct kunit *test)
{
	struct field *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	u32 round, i, local = 0;
	u64 random = 1;
	u8 how;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	grow(f, &random, 20);
	f->s.all.policy = VNIMESH_POLICY_OPTIMAL;
	for (i = 0; i < 20; i++)
		f->c[i] = (struct vnimesh_candidate){
			.weight = 100, .health = 100,
			.ramp = VNIMESH_RAMP_NONE,
			.locality = i < 10 ? 0 : 2,
			.excluded = i < 5 ? VNIMESH_EXCLUDE_VNI_STATE : 0,
		};
	vnimesh_aggregate(&f->s.all, NULL, NULL, &f->agg);
	for (round = 0; round < 10000; round++)
		local += vnimesh_select(&f->s, round, &how) < 10;
	KUNIT_EXPECT_GT(test, local, 6800);
	KUNIT_EXPECT_LT(test, local, 7200);
}

/* Each member of another priority: they are counted as fast as any. */
static void select_failover(struct kunit *test)
{
	struct field *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	u64 random = 1;
	u32 i;

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, f);
	grow(f, &random, FIELD);
	f->s.all.policy = VNIMESH_POLICY_FAILOVER;
	for (i = 0; i < FIELD; i++)
		f->c[i] = (struct vnimesh_candidate){
			.weight = 100, .health = 100,
			.ramp = VNIMESH_RAMP_NONE,
			.priority = FIELD - i / 2,
		};
	vnimesh_aggregate(&f->s.all, NULL, f->order, &f->agg);
	KUNIT_EXPECT_EQ(test, f->agg.n, 2);
	KUNIT_EXPECT_EQ(test, f->agg.tier[0].n, 2);
	KUNIT_EXPECT_EQ(test, f->order[0], FIELD - 2);
	KUNIT_EXPECT_LE(test, f->gets, 4 * FIELD);
}

static struct kunit_case select_cases[] = {
	KUNIT_CASE(select_failover),
	KUNIT_CASE(select_any),
	KUNIT_CASE(select_spill),
	KUNIT_CASE(select_decay),
	KUNIT_CASE(select_observe),
	{}
};

static struct kunit_suite select_suite = {
	.name = "select",
	.test_cases = select_cases,
};

kunit_test_suite(select_suite);
