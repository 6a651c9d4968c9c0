// SPDX-License-Identifier: GPL-2.0-only
/*
 * Evidence and penalties: weights, what counts and how long, growth and decay,
 * trials, whose word it takes.
 */
#include "../evidence.c"
#include "fixture.h"

#define MAX_MS	60000	/* ms: cap of a penalty */
#define MIDDLE	0x80000000	/* random: the penalty as it stands */

static bool refused(struct vnimesh_evidence *e, u64 now)
{
	return vnimesh_evidence_bad(e, VNIMESH_EVIDENCE_REFUSED, now, now);
}

static bool weigh(struct vnimesh_evidence *e, u8 weight, u64 now)
{
	return vnimesh_evidence_bad(e, weight, now, now);
}

static void evidence_weights(struct kunit *test)
{
	struct vnimesh_evidence e = {};

	KUNIT_EXPECT_TRUE(test, refused(&e, 1000));

	e = (struct vnimesh_evidence){};
	KUNIT_EXPECT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_SILENT, 1000));
	KUNIT_EXPECT_TRUE(test, weigh(&e, VNIMESH_EVIDENCE_SILENT, 2000));

	e = (struct vnimesh_evidence){};
	KUNIT_EXPECT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, 1000));
	KUNIT_EXPECT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, 2000));
	KUNIT_EXPECT_TRUE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, 3000));

	e = (struct vnimesh_evidence){};
	KUNIT_EXPECT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_SILENT, 1000));
	KUNIT_EXPECT_TRUE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, 2000));
}

/* An answered SYN says nothing of what comes after the handshake. */
static void evidence_cleared(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	int i;

	for (i = 0; i < 100; i++) {
		KUNIT_ASSERT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_SILENT, i));
		KUNIT_ASSERT_FALSE(test, vnimesh_evidence_good(&e, false, i));
	}
	for (i = 0; i < 100; i++) {
		KUNIT_ASSERT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, i));
		KUNIT_ASSERT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, i));
		KUNIT_ASSERT_FALSE(test, vnimesh_evidence_good(&e, true, i));
	}
	KUNIT_EXPECT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, 100));
	KUNIT_EXPECT_FALSE(test, vnimesh_evidence_good(&e, false, 100));
	KUNIT_EXPECT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, 101));
	KUNIT_EXPECT_FALSE(test, vnimesh_evidence_good(&e, false, 101));
	KUNIT_EXPECT_TRUE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, 102));
}

static void evidence_expires(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u64 now = 1000;
	int i;

	for (i = 0; i < 100; i++) {
		KUNIT_ASSERT_FALSE(test,
				   weigh(&e, VNIMESH_EVIDENCE_SILENT, now));
		KUNIT_ASSERT_FALSE(test, vnimesh_evidence_clean(&e, now));
		now += VNIMESH_EVIDENCE_KEEP + 1;
		KUNIT_ASSERT_TRUE(test, vnimesh_evidence_clean(&e, now));
	}
	KUNIT_EXPECT_FALSE(test, weigh(&e, VNIMESH_EVIDENCE_SILENT, now));
	now += VNIMESH_EVIDENCE_KEEP;
	KUNIT_EXPECT_TRUE(test, weigh(&e, VNIMESH_EVIDENCE_SILENT, now));
}

/* 1 s * 2^n to the cap, each by U(0.5, 1.5). */
static void evidence_penalty(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u64 random = 1, sum = 0, ms, want;
	u32 draw;
	int i;

	for (i = 0; i < 100; i++) {
		want = min_t(u64, 1000ULL << min(i, 16), MAX_MS);
		e.n = min(i, 16);
		ms = vnimesh_evidence_eject(&e, 5000, MAX_MS, 0);
		KUNIT_ASSERT_EQ(test, ms, want / 2);
		KUNIT_ASSERT_EQ(test, e.n, min(i + 1, 16));
		e.n = min(i, 16);
		ms = vnimesh_evidence_eject(&e, 5000, MAX_MS, ~0U);
		KUNIT_ASSERT_EQ(test, ms, want / 2 + want - 1);
		KUNIT_ASSERT_EQ(test, e.until, 5000 + ms);
	}
	for (i = 0; i < 10000; i++) {
		e.n = 3;
		draw = test_random(&random);
		ms = vnimesh_evidence_eject(&e, 0, MAX_MS, draw);
		KUNIT_ASSERT_GE(test, ms, 4000);
		KUNIT_ASSERT_LT(test, ms, 12000);
		sum += ms;
	}
	KUNIT_EXPECT_GT(test, div_u64(sum, 10000), 7900);
	KUNIT_EXPECT_LT(test, div_u64(sum, 10000), 8100);
}

/* Each failed trial doubles, 30 s without anything take one doubling back. */
static void evidence_growth(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u64 now = 1000, want = 1000;
	int i;

	KUNIT_ASSERT_TRUE(test, refused(&e, now));
	for (i = 0; i < 10; i++) {
		KUNIT_ASSERT_EQ(test, vnimesh_evidence_eject(&e, now, MAX_MS,
							     MIDDLE), want);
		now = e.until;
		KUNIT_ASSERT_EQ(test, vnimesh_evidence_ask(&e, now),
				VNIMESH_STANDING_TRIAL);
		vnimesh_evidence_claim(&e, now);
		/* Any failure of a trial ends it. */
		now += 10;
		KUNIT_ASSERT_TRUE(test, weigh(&e, VNIMESH_EVIDENCE_RESET, now));
		want = min_t(u64, want * 2, MAX_MS);
	}
	vnimesh_evidence_eject(&e, now, MAX_MS, MIDDLE);
	KUNIT_ASSERT_EQ(test, e.n, 11);
	now = e.until + 3 * VNIMESH_EVIDENCE_DECAY + 5;
	KUNIT_ASSERT_FALSE(test, vnimesh_evidence_clean(&e, now));
	KUNIT_ASSERT_TRUE(test, refused(&e, now));
	KUNIT_EXPECT_EQ(test, e.n, 8);
	KUNIT_EXPECT_TRUE(test, vnimesh_evidence_good(&e, true, now));
	now += 8 * VNIMESH_EVIDENCE_DECAY;
	KUNIT_EXPECT_TRUE(test, vnimesh_evidence_clean(&e, now));
	KUNIT_ASSERT_TRUE(test, refused(&e, now));
	KUNIT_EXPECT_EQ(test, vnimesh_evidence_eject(&e, now, MAX_MS, MIDDLE),
			1000);
}

static void evidence_trial(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u64 until;

	KUNIT_ASSERT_TRUE(test, refused(&e, 1000));
	vnimesh_evidence_eject(&e, 1000, MAX_MS, MIDDLE);
	until = e.until;
	KUNIT_EXPECT_EQ(test, vnimesh_evidence_ask(&e, until - 1),
			VNIMESH_STANDING_OUT);
	/* An answer to what was sent before. */
	KUNIT_EXPECT_FALSE(test, vnimesh_evidence_good(&e, true, until - 1));
	KUNIT_EXPECT_EQ(test, vnimesh_evidence_ask(&e, until),
			VNIMESH_STANDING_TRIAL);
	vnimesh_evidence_claim(&e, until);
	KUNIT_EXPECT_EQ(test, vnimesh_evidence_ask(&e, until),
			VNIMESH_STANDING_OUT);
	/* No result: another one may. */
	KUNIT_EXPECT_EQ(test,
			vnimesh_evidence_ask(&e, until + VNIMESH_TRIAL_PATIENCE),
			VNIMESH_STANDING_TRIAL);
	KUNIT_EXPECT_TRUE(test, vnimesh_evidence_good(&e, false, until + 1));
	KUNIT_EXPECT_EQ(test, vnimesh_evidence_ask(&e, until + 1),
			VNIMESH_STANDING_IN);
}

/* Nobody asked for the member for an hour. That its trial runs is known. */
static void evidence_late_trial(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u64 now = 3600000;

	KUNIT_ASSERT_TRUE(test, refused(&e, 1000));
	vnimesh_evidence_eject(&e, 1000, MAX_MS, MIDDLE);
	KUNIT_EXPECT_TRUE(test, vnimesh_evidence_clean(&e, now));
	vnimesh_evidence_claim(&e, now);
	KUNIT_EXPECT_FALSE(test, vnimesh_evidence_clean(&e, now));
	KUNIT_EXPECT_TRUE(test, vnimesh_evidence_clean(&e, now +
						       VNIMESH_TRIAL_PATIENCE));
}

/* Flows that went there before it was out fail one after the other. */
static void evidence_late_failures(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u64 until;
	u32 i;

	KUNIT_ASSERT_TRUE(test, refused(&e, 1000));
	vnimesh_evidence_eject(&e, 1000, MAX_MS, MIDDLE);
	until = e.until;
	for (i = 0; i < 1000; i++)
		KUNIT_ASSERT_FALSE(test,
				   vnimesh_evidence_bad(&e, 3, i + 1, 1000 + i));
	vnimesh_evidence_claim(&e, until);
	KUNIT_EXPECT_FALSE(test, vnimesh_evidence_bad(&e, 3, 999, until + 1));
	KUNIT_EXPECT_EQ(test, e.n, 1);
	KUNIT_EXPECT_TRUE(test, vnimesh_evidence_bad(&e, 3, until, until + 1));
}

/* Panic: flows go there though it is out. That they fail is no news; it must
 * not double the penalty once a flow.
 */
static void evidence_panic(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u32 i;

	KUNIT_ASSERT_TRUE(test, refused(&e, 1000));
	vnimesh_evidence_eject(&e, 1000, MAX_MS, MIDDLE);
	for (i = 1; i < 1000; i++)
		KUNIT_ASSERT_FALSE(test, refused(&e, 1000 + i));
	KUNIT_EXPECT_EQ(test, e.until, 2000);
	KUNIT_EXPECT_EQ(test, e.n, 1);
	KUNIT_EXPECT_TRUE(test, refused(&e, 2000));
}

/* Two clients, a second apart, nobody answered in between. */
static void evidence_vote(struct kunit *test)
{
	struct vnimesh_vote v = {};
	u64 now = 1000;

	KUNIT_EXPECT_FALSE(test, vnimesh_vote_pending(&v, now));
	KUNIT_EXPECT_FALSE(test, vnimesh_vote_cast(&v, 1, true, now));
	KUNIT_EXPECT_TRUE(test, vnimesh_vote_pending(&v, now));
	now += VNIMESH_VOTE_SETTLE;
	/* One client may say it as often as it likes. */
	KUNIT_EXPECT_FALSE(test, vnimesh_vote_cast(&v, 1, true, now));
	KUNIT_EXPECT_TRUE(test, vnimesh_vote_cast(&v, 2, true, now));
	/* For the next time both speak anew. */
	KUNIT_EXPECT_FALSE(test, vnimesh_vote_pending(&v, now));
	KUNIT_EXPECT_FALSE(test, vnimesh_vote_cast(&v, 2, false, now));
	KUNIT_EXPECT_TRUE(test, vnimesh_vote_cast(&v, 1, false, now));
}

/* Two that act as one are not faster than a third that is answered. */
static void evidence_vote_withdrawn(struct kunit *test)
{
	struct vnimesh_vote v = {};
	u64 now = 1000;
	int i;

	for (i = 0; i < 1000; i++) {
		KUNIT_ASSERT_FALSE(test, vnimesh_vote_cast(&v, 1, true, now));
		KUNIT_ASSERT_FALSE(test, vnimesh_vote_cast(&v, 2, true, now));
		now += VNIMESH_VOTE_SETTLE - 1;
		KUNIT_ASSERT_FALSE(test, vnimesh_vote_cast(&v, 2, true, now));
		vnimesh_vote_withdraw(&v);
		KUNIT_ASSERT_FALSE(test, vnimesh_vote_pending(&v, now++));
	}
}

static void evidence_vote_expires(struct kunit *test)
{
	struct vnimesh_vote v = {};
	u64 now = 1000;

	KUNIT_EXPECT_FALSE(test, vnimesh_vote_cast(&v, 1, true, now));
	now += VNIMESH_VOTE_KEEP;
	KUNIT_EXPECT_TRUE(test, vnimesh_vote_pending(&v, now));
	now++;
	KUNIT_EXPECT_FALSE(test, vnimesh_vote_pending(&v, now));
	KUNIT_EXPECT_FALSE(test, vnimesh_vote_cast(&v, 2, true, now));
	now += VNIMESH_VOTE_KEEP;
	KUNIT_EXPECT_TRUE(test, vnimesh_vote_cast(&v, 1, true, now));
}

/* Whatever comes: nobody is out for longer than the cap allows, and in the end
 * nothing is left.
 */
static void evidence_walk(struct kunit *test)
{
	struct vnimesh_evidence e = {};
	u64 random = 7, now = 1, sent;
	u32 i, max;

	for (i = 0; i < 200000; i++) {
		now += test_below(&random, 8) ? test_below(&random, 500) :
						test_below(&random, 100000);
		sent = now - min_t(u64, now, test_below(&random, 5000));
		max = 1 + test_below(&random, MAX_MS);
		switch (test_below(&random, 3)) {
		case 0:
			if (vnimesh_evidence_bad(&e, 1 + test_below(&random, 3),
						 sent, now))
				vnimesh_evidence_eject(&e, now, max,
						       test_random(&random));
			break;
		case 1:
			vnimesh_evidence_good(&e, test_below(&random, 2), now);
			break;
		default:
			if (vnimesh_evidence_ask(&e, now) ==
			    VNIMESH_STANDING_TRIAL)
				vnimesh_evidence_claim(&e, now);
		}
		if (e.standing != VNIMESH_STANDING_IN)
			KUNIT_ASSERT_LE(test, e.until, now + MAX_MS / 2 * 3);
		KUNIT_ASSERT_LE(test, e.n, SHIFT_MAX);
		KUNIT_ASSERT_LE(test, e.connect, 2 + 3);
		KUNIT_ASSERT_LE(test, e.early, VNIMESH_EVIDENCE_LIMIT);
		if (vnimesh_evidence_clean(&e, now))
			KUNIT_ASSERT_NE(test,
					vnimesh_evidence_ask(&e, now),
					VNIMESH_STANDING_OUT);
	}
	now += MAX_MS * 2 + (SHIFT_MAX + 1) * VNIMESH_EVIDENCE_DECAY;
	KUNIT_EXPECT_TRUE(test, vnimesh_evidence_clean(&e, now));
}

static struct kunit_case evidence_cases[] = {
	KUNIT_CASE(evidence_weights),
	KUNIT_CASE(evidence_cleared),
	KUNIT_CASE(evidence_expires),
	KUNIT_CASE(evidence_penalty),
	KUNIT_CASE(evidence_growth),
	KUNIT_CASE(evidence_trial),
	KUNIT_CASE(evidence_late_trial),
	KUNIT_CASE(evidence_late_failures),
	KUNIT_CASE(evidence_panic),
	KUNIT_CASE(evidence_vote),
	KUNIT_CASE(evidence_vote_withdrawn),
	KUNIT_CASE(evidence_vote_expires),
	KUNIT_CASE(evidence_walk),
	{}
};

static struct kunit_suite evidence_suite = {
	.name = "evidence",
	.test_cases = evidence_cases,
};

kunit_test_suite(evidence_suite);
MODULE_LICENSE("GPL");
