// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who measured what, and for whom it counts.
 */
#include "../figure.c"
#include "fixture.h"

#define SECOND	VNIMESH_TICKS

static u32 seen(const struct vnimesh_figure *figure, u32 by, u32 now)
{
	u32 age;

	return vnimesh_figure_of(figure, by, now, &age);
}

/* One asks slow questions: it alone sees a slow member. */
static void figure_alone(struct kunit *test)
{
	struct vnimesh_figure f = {};
	u32 i, now = 1000;

	vnimesh_figure_observe(&f, 1, 10000000, now);
	KUNIT_EXPECT_EQ(test, seen(&f, 1, now), 10000000);
	KUNIT_EXPECT_EQ(test, seen(&f, 2, now), 0);
	for (i = 0; i < 100; i++, now += SECOND / 4) {
		vnimesh_figure_observe(&f, 2 + i % 3, 5000, now);
		vnimesh_figure_observe(&f, 1, 10000000, now);
		KUNIT_EXPECT_EQ(test, seen(&f, 2, now), 5000);
		KUNIT_EXPECT_EQ(test, seen(&f, 9, now), 5000);
		KUNIT_EXPECT_EQ(test, seen(&f, 1, now), 10000000);
	}
}

/* Whoever was there first. */
static void figure_late(struct kunit *test)
{
	struct vnimesh_figure f = {};
	u32 now = 1000;

	vnimesh_figure_observe(&f, 2, 5000, now);
	vnimesh_figure_observe(&f, 1, 10000000, now);
	KUNIT_EXPECT_EQ(test, seen(&f, 2, now), 5000);
	KUNIT_EXPECT_EQ(test, seen(&f, 3, now), 5000);
	KUNIT_EXPECT_EQ(test, seen(&f, 1, now), 10000000);
}

/* What two have seen, all take for true; it goes as a peak does. */
static void figure_confirmed(struct kunit *test)
{
	struct vnimesh_figure f = {};
	u32 age, now = 1000;

	vnimesh_figure_observe(&f, 2, 5000, now);
	vnimesh_figure_observe(&f, 1, 900000, now + 1);
	vnimesh_figure_observe(&f, 2, 800000, now + 2);
	KUNIT_EXPECT_EQ(test, seen(&f, 3, now + 2), 800000);
	KUNIT_EXPECT_EQ(test, seen(&f, 1, now + 2), 900000);
	KUNIT_EXPECT_EQ(test, vnimesh_figure_of(&f, 3, now + 2 + SECOND, &age),
			800000);
	KUNIT_EXPECT_EQ(test, age, 1000);
	now += 60 * SECOND;
	vnimesh_figure_observe(&f, 2, 5000, now);
	KUNIT_EXPECT_LT(test, seen(&f, 2, now), 20000);
	KUNIT_EXPECT_EQ(test, seen(&f, 0, now), f.us);
}

static struct kunit_case figure_cases[] = {
	KUNIT_CASE(figure_alone),
	KUNIT_CASE(figure_late),
	KUNIT_CASE(figure_confirmed),
	{}
};

static struct kunit_suite figure_suite = {
	.name = "figure",
	.test_cases = figure_cases,
};

kunit_test_suite(figure_suite);
