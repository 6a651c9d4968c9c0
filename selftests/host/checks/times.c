// SPDX-License-Identifier: GPL-2.0-or-later
/* Damping and lateness, on a virtual clock. */

#include <stdio.h>

#include "checks.h"
#include "health.h"
#include "late.h"
#include "tap.h"

#define SEC	1000000ULL

/* How often a service that goes up and down each @half_us is published in
 * @s seconds, by checks each 100 ms; *last is what was told in the end.
 */
static unsigned int flap(bool damping, uint64_t half_us, unsigned int s,
			 struct health *h, uint64_t *now)
{
	struct health_conf c = {
		.interval_ms = 100, .timeout_ms = 50, .rise = 1, .fall = 1,
		.no_damping = !damping,
	};
	uint64_t end = *now + s * SEC, start = *now;
	unsigned int n = 0;

	for (; *now < end; *now += SEC / 10) {
		bool up = !half_us || (*now - start) / half_us % 2 == 0;

		health_feed(h, &c, up ? HEALTH_PASS : HEALTH_DEFINITE,
			    up ? 1000 : 0, *now);
		if (!health_news(h))
			continue;
		n += !h->told || h->told_up != h->up;
		health_told(h);
	}
	return n;
}

void test_damping(void)
{
	uint64_t now = 1000 * SEC;
	struct health h;
	unsigned int n;

	health_init(&h);
	flap(true, 0, 10, &h, &now);
	n = flap(true, SEC / 2, 60, &h, &now);
	printf("# 1 Hz for 60 s: published %u times\n", n);
	ok(n <= 5 && !h.up && h.held, "a flapping service is published at most 5 times");
	n = flap(true, 0, 90, &h, &now);
	ok(n == 1 && h.up && !h.held, "and comes back once when it is calm");
	health_init(&h);
	n = flap(false, SEC / 2, 60, &h, &now);
	ok(n >= 119, "without damping each change is published");
	health_init(&h);
	flap(true, 0, 10, &h, &now);
	n = flap(true, 5 * SEC, 20, &h, &now);
	ok(n == 3 && !h.held, "two falls in a row are none to dampen");
	flap(true, 0, 300, &h, &now);
	n = flap(true, 30 * SEC, 60, &h, &now);
	flap(true, 0, 1, &h, &now);
	ok(h.up, "what is long past is forgotten");
}

void test_held_time(void)
{
	struct health h = { .held = true, .raw = true };

	h.cost = HEALTH_COST_MAX;
	h.cost_us = 5 * SEC;
	ok(health_held_ms(&h, 5 * SEC) == 60000,
	   "the most that can be held is two half lives");
	h.cost = HEALTH_REUSE;
	ok(health_held_ms(&h, 5 * SEC) == 0, "at the lower mark it is over");
}

void test_late(void)
{
	struct late l = { 0 };

	late_expect(&l, SEC);
	late_beat(&l, SEC + 1000);
	ok(!late_lost(&l, 0, 2 * SEC) && !l.count, "on time is nothing lost");
	late_expect(&l, 2 * SEC);
	late_beat(&l, 3 * SEC);
	ok(late_lost(&l, 0, 4 * SEC) == SEC && l.count == 1,
	   "what a beat was late is lost");
	ok(late_lost(&l, 2500000, 4 * SEC) == 500000 &&
	   late_lost(&l, 3 * SEC, 4 * SEC) == 0, "of the span asked for only");
	ok(late_ours(&l, 2 * SEC, 3 * SEC, 500) &&
	   late_ours(&l, 2900000, 3300000, 400) &&
	   !late_ours(&l, 2900000, 3500000, 500),
	   "a quarter of its time lost makes a failure ours");
	late_expect(&l, 10 * SEC);
	ok(late_lost(&l, 9 * SEC, 12 * SEC) == 2 * SEC,
	   "a beat that is still due counts");
}
