// SPDX-License-Identifier: GPL-2.0-only
/*
 * The choice of a member: cost, order of draws, ties, clamps, decay.
 */
#include "../select.c"
#include "fixture.h"

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

static struct kunit_case select_cases[] = {
	KUNIT_CASE(select_decay),
	KUNIT_CASE(select_observe),
	{}
};

static struct kunit_suite select_suite = {
	.name = "select",
	.test_cases = select_cases,
};

kunit_test_suite(select_suite);
