// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which SYNs any listener treats alike.
 */
#include "../syn.c"
#include "fixture.h"

static const struct {
	const char *what;
	u8 len;
	u8 data[16];
	bool plain;
} cases[] = {
	{ "none", 0, {}, true },
	{ "MSS, SACK, timestamp", 16, { 2, 4, 5, 180, 4, 2, 8, 10 }, true },
	{ "MSS, NOP, window", 8, { 2, 4, 5, 180, 1, 3, 3, 7 }, true },
	{ "MP_CAPABLE", 4, { 30, 4, 0x01, 0 }, true },
	{ "MP_JOIN", 12, { 30, 12, 0x10, 1, 0, 0, 0, 1, 0, 0, 0, 2 }, false },
	{ "MPTCP, too short for a subtype", 4, { 30, 2, 1, 1 }, false },
	{ "Fast Open", 4, { 34, 2, 1, 1 }, false },
	{ "too long", 4, { 2, 8, 1, 1 }, false },
	{ "cut off", 4, { 1, 1, 1, 2 }, false },
	{ "end", 4, { 0, 30, 12, 0x10 }, true },
};

static void syn_options(struct kunit *test)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test,
				    plain_options(cases[i].data, cases[i].len),
				    cases[i].plain, "%s", cases[i].what);
}

static struct kunit_case syn_cases[] = {
	KUNIT_CASE(syn_options),
	{}
};

static struct kunit_suite syn_suite = {
	.name = "syn",
	.test_cases = syn_cases,
};

kunit_test_suite(syn_suite);
