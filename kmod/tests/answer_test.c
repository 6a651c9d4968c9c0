// SPDX-License-Identifier: GPL-2.0-only
/*
 * The budget of answers: a burst, then so many a second, whenever that is.
 */
#include "../answer.c"
#include "fixture.h"

static u32 take_all(u32 *paid, u32 now)
{
	u32 n = 0;

	while (n < 1000 && vnimesh_answer_take(paid, now))
		n++;
	return n;
}

static void answer_budget(struct kunit *test)
{
	static const u32 begins[] = { 0, 1, 123456789, U32_MAX - 50 };
	u32 i, s, now, paid;

	for (i = 0; i < ARRAY_SIZE(begins); i++) {
		now = begins[i];
		paid = now;
		KUNIT_EXPECT_EQ(test, take_all(&paid, now), VNIMESH_ANSWER_BURST);
		for (s = 0; s < 20; s++) {
			now += 100;
			KUNIT_EXPECT_EQ(test, take_all(&paid, now),
					VNIMESH_ANSWER_RATE / 10);
		}
		now += 3600000;
		KUNIT_EXPECT_EQ(test, take_all(&paid, now), VNIMESH_ANSWER_BURST);
		/* Half way round, what was paid looks like what is ahead. */
		now += 0x80000001;
		KUNIT_EXPECT_EQ(test, take_all(&paid, now), VNIMESH_ANSWER_BURST);
	}
}

static struct kunit_case answer_cases[] = {
	KUNIT_CASE(answer_budget),
	{}
};

static struct kunit_suite answer_suite = {
	.name = "answer",
	.test_cases = answer_cases,
};

kunit_test_suite(answer_suite);
