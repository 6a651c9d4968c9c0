// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a request changes of a member, and what it only says again.
 */
#include "../nl_member.c"
#include "fixture.h"

struct attr8 {
	struct nlattr nla;
	u8 v;
};

struct attr32 {
	struct nlattr nla;
	u32 v;
};

static void member_same(struct kunit *test)
{
	struct attr32 weight = { .nla.nla_len = NLA_HDRLEN + 4, .v = 7 };
	struct attr8 state = { .nla.nla_len = NLA_HDRLEN + 1 };
	struct attr8 health = { .nla.nla_len = NLA_HDRLEN + 1, .v = 50 };
	struct nlattr *a[VNIMESH_A_MEMBER_MAX + 1] = {};
	struct vnimesh_member *m;

	m = kunit_kzalloc(test, sizeof(*m), GFP_KERNEL);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, m);
	m->state = VNIMESH_STATE_DOWN;
	state.v = VNIMESH_STATE_UP;
	KUNIT_EXPECT_EQ(test, set_scalars(m, a), 0);
	a[VNIMESH_A_MEMBER_WEIGHT] = &weight.nla;
	KUNIT_EXPECT_EQ(test, set_scalars(m, a), CHANGED_COUNT | CHANGED_TABLE);
	KUNIT_EXPECT_EQ(test, set_scalars(m, a), 0);
	a[VNIMESH_A_MEMBER_STATE] = &state.nla;
	KUNIT_EXPECT_EQ(test, set_scalars(m, a), CHANGED_STATE | CHANGED_COUNT);
	KUNIT_EXPECT_NE(test, m->risen, 0);
	m->risen = 0;
	KUNIT_EXPECT_EQ(test, set_scalars(m, a), 0);
	KUNIT_EXPECT_EQ(test, m->risen, 0);
	a[VNIMESH_A_MEMBER_HEALTH] = &health.nla;
	KUNIT_EXPECT_EQ(test, set_scalars(m, a), CHANGED_COUNT);
	KUNIT_EXPECT_EQ(test, set_scalars(m, a), 0);
	KUNIT_EXPECT_EQ(test, m->weight, 7);
	KUNIT_EXPECT_EQ(test, m->health, 50);
}

static struct kunit_case member_cases[] = {
	KUNIT_CASE(member_same),
	{}
};

static struct kunit_suite member_suite = {
	.name = "nl_member",
	.test_cases = member_cases,
};

kunit_test_suite(member_suite);
