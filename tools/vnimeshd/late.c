// SPDX-License-Identifier: GPL-2.0-or-later
/* How much of a span of time this process did not run in. */

#include "late.h"

void late_expect(struct late *l, uint64_t due_us)
{
	l->due_us = due_us;
}

void late_stop(struct late *l)
{
	l->due_us = 0;
}

void late_beat(struct late *l, uint64_t now_us)
{
	uint64_t due = l->due_us;

	l->due_us = 0;
	if (!due || now_us <= due + LATE_SLACK_US)
		return;
	l->spans[l->at].from = due;
	l->spans[l->at].to = now_us;
	l->at = (l->at + 1) % LATE_SPANS;
	l->count++;
	if (now_us - due > l->worst_us)
		l->worst_us = now_us - due;
}

static uint64_t overlap(uint64_t a, uint64_t b, uint64_t from, uint64_t to)
{
	uint64_t start = a > from ? a : from;
	uint64_t end = b < to ? b : to;

	return end > start ? end - start : 0;
}

uint64_t late_lost(const struct late *l, uint64_t from_us, uint64_t now_us)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < LATE_SPANS; i++)
		sum += overlap(l->spans[i].from, l->spans[i].to, from_us,
			       now_us);
	/* The beat that is due may come right after this. */
	if (l->due_us && now_us > l->due_us + LATE_SLACK_US)
		sum += overlap(l->due_us, now_us, from_us, now_us);
	return sum;
}

bool late_ours(const struct late *l, uint64_t from_us, uint64_t now_us,
	       uint32_t timeout_ms)
{
	uint64_t had = now_us - from_us - late_lost(l, from_us, now_us);

	/* A quarter of its time is what a check may do without. */
	return had * 4 <= timeout_ms * 3000ULL;
}
