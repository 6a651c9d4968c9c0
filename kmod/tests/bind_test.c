// SPDX-License-Identifier: GPL-2.0-only
/*
 * Source ports that are made up: not those that sockets take by themselves.
 */
#include "../bind.c"
#include "fixture.h"

static void check_draw(struct kunit *test, u32 low, u32 high, u32 first,
		       u32 last)
{
	u64 random = 3;
	u32 i, port;

	KUNIT_EXPECT_EQ(test, draw_port(low, high, false, 0), first);
	KUNIT_EXPECT_EQ(test, draw_port(low, high, false, ~0U), last);
	for (i = 0; i < 1000; i++) {
		port = draw_port(low, high, false, test_random(&random));
		KUNIT_ASSERT_GE(test, port, first);
		KUNIT_ASSERT_LE(test, port, last);
	}
	KUNIT_EXPECT_EQ(test, draw_port(low, high, true, 0), 1024);
	KUNIT_EXPECT_EQ(test, draw_port(low, high, true, ~0U), 65535);
}

static void bind_ports(struct kunit *test)
{
	check_draw(test, 32768, 60999, 61000, 65535);
	check_draw(test, 1, 500, 1024, 65535);
	check_draw(test, 32768, 65535, 1024, 32767);
	check_draw(test, 10000, 65000, 1024, 9999);
	check_draw(test, 1024, 65535, 1024, 65535);
	check_draw(test, 1500, 65000, 1024, 65535);
}

static struct kunit_case bind_cases[] = {
	KUNIT_CASE(bind_ports),
	{}
};

static struct kunit_suite bind_suite = {
	.name = "bind",
	.test_cases = bind_cases,
};

kunit_test_suite(bind_suite);
