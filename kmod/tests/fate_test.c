// SPDX-License-Identifier: GPL-2.0-only
/*
 * How alive a member is and what becomes of its flows: every combination,
 * against the rules said in another way.
 */
#include <kunit/test.h>

#include "../fate.c"

static const u8 states[] = {
	VNIMESH_STATE_UP, VNIMESH_STATE_DRAIN, VNIMESH_STATE_MAINT,
	VNIMESH_STATE_DOWN,
};

static void least_alive(struct kunit *test)
{
	struct vnimesh_live_facts f = {};
	int m, v, n, up, down;

	for (m = 0; m < ARRAY_SIZE(states); m++)
		for (v = 0; v < ARRAY_SIZE(states); v++)
			for (n = 0; n < ARRAY_SIZE(states); n++) {
				f.member = states[m];
				f.vni = states[v];
				f.node = states[n];
				up = !m && !v && !n;
				down = m == 3 || v == 3 || n == 3;
				f.gone = false;
				KUNIT_EXPECT_EQ(test, vnimesh_live_of(&f),
						up ? VNIMESH_LIVE_UP :
						down ? VNIMESH_LIVE_DOWN :
						VNIMESH_LIVE_DRAIN);
				f.gone = true;
				KUNIT_EXPECT_EQ(test, vnimesh_live_of(&f),
						VNIMESH_LIVE_DOWN);
			}
}

/* A state that this kernel does not know is none to trust. */
static void unknown_state(struct kunit *test)
{
	struct vnimesh_live_facts f = {
		.member = VNIMESH_STATE_UP, .vni = VNIMESH_STATE_UP, .node = 0,
	};

	KUNIT_EXPECT_EQ(test, vnimesh_live_of(&f), VNIMESH_LIVE_DOWN);
}

static const struct {
	enum vnimesh_live live;
	u8 on_down;
	u32 drain_time;
	u64 ms;
	enum vnimesh_fate fate;
	u32 wait;
} cases[] = {
	{ VNIMESH_LIVE_UP, VNIMESH_ON_DOWN_ABORT, 0, 9, VNIMESH_FATE_LIVE },
	{ VNIMESH_LIVE_UP, VNIMESH_ON_DOWN_DRAIN, 5, 9, VNIMESH_FATE_LIVE },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_ABORT, 0, 0, VNIMESH_FATE_END },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_ABORT, 5, 0, VNIMESH_FATE_END },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_DRAIN, 5, 0, VNIMESH_FATE_WAIT, 5 },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_DRAIN, 5, 4, VNIMESH_FATE_WAIT, 1 },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_DRAIN, 5, 5, VNIMESH_FATE_END },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_DRAIN, 5, 1ULL << 40, VNIMESH_FATE_END },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_KEEP, 0, 9, VNIMESH_FATE_LIVE },
	{ VNIMESH_LIVE_DOWN, VNIMESH_ON_DOWN_KEEP, 5, 9, VNIMESH_FATE_LIVE },
	{ VNIMESH_LIVE_DRAIN, VNIMESH_ON_DOWN_ABORT, 0, 9, VNIMESH_FATE_LIVE },
	{ VNIMESH_LIVE_DRAIN, VNIMESH_ON_DOWN_ABORT, 5, 4, VNIMESH_FATE_WAIT, 1 },
	{ VNIMESH_LIVE_DRAIN, VNIMESH_ON_DOWN_ABORT, 5, 5, VNIMESH_FATE_END },
	{ VNIMESH_LIVE_DRAIN, VNIMESH_ON_DOWN_DRAIN, 5, 4, VNIMESH_FATE_WAIT, 1 },
	{ VNIMESH_LIVE_DRAIN, VNIMESH_ON_DOWN_DRAIN, 5, 6, VNIMESH_FATE_END },
	{ VNIMESH_LIVE_DRAIN, VNIMESH_ON_DOWN_KEEP, 5, 9, VNIMESH_FATE_LIVE },
};

static void fate(struct kunit *test)
{
	u32 wait;
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		wait = 0;
		KUNIT_EXPECT_EQ_MSG(test,
				    vnimesh_fate_of(cases[i].live,
						    cases[i].on_down,
						    cases[i].drain_time,
						    cases[i].ms, &wait),
				    cases[i].fate, "case %d", i);
		KUNIT_EXPECT_EQ_MSG(test, wait, cases[i].wait, "case %d", i);
	}
}

static struct kunit_case fate_cases[] = {
	KUNIT_CASE(least_alive),
	KUNIT_CASE(unknown_state),
	KUNIT_CASE(fate),
	{}
};

static struct kunit_suite fate_suite = {
	.name = "fate",
	.test_cases = fate_cases,
};

kunit_test_suite(fate_suite);
