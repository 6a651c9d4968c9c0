// SPDX-License-Identifier: GPL-2.0-or-later
/* Accounting of the echoes to one node. */

#include <string.h>

#include "health.h"
#include "reach.h"

#define LATE_MIN_US	50000

void reach_init(struct reach *r)
{
	memset(r, 0, sizeof(*r));
}

void reach_resume(struct reach *r, bool down, uint32_t rtt_us)
{
	reach_init(r);
	if (down)
		r->state = REACH_DOWN;
	else if (rtt_us)
		r->state = REACH_UP;
	r->rtt_us = rtt_us;
	r->told_us = rtt_us;
}

bool reach_send(struct reach *r, uint32_t lost_max, uint64_t now_us,
		uint16_t *seq)
{
	bool down = false;

	if (r->state == REACH_UP && r->unanswered >= lost_max) {
		r->state = REACH_DOWN;
		down = true;
	}
	r->seq++;
	if (r->unanswered < UINT32_MAX)
		r->unanswered++;
	r->valid = (r->valid << 1 | 1) & ((1U << REACH_RING) - 1);
	r->sent_us[r->seq % REACH_RING] = now_us;
	*seq = r->seq;
	return down;
}

uint64_t reach_verdict_us(const struct reach *r, uint32_t lost_max,
			  uint32_t interval_ms)
{
	uint64_t interval_us = interval_ms * 1000ULL;
	uint64_t grace_us = interval_us / REACH_GRACE;

	if (grace_us < (uint64_t)r->rtt_us * REACH_RTTS)
		grace_us = (uint64_t)r->rtt_us * REACH_RTTS;
	if (r->state != REACH_UP || r->unanswered < lost_max ||
	    grace_us >= interval_us)
		return UINT64_MAX;
	return r->sent_us[r->seq % REACH_RING] + grace_us;
}

bool reach_overdue(struct reach *r, uint32_t lost_max, uint32_t interval_ms,
		   uint64_t now_us)
{
	if (now_us < reach_verdict_us(r, lost_max, interval_ms))
		return false;
	r->state = REACH_DOWN;
	return true;
}

/* The last one of full size is not answered, though a later echo is. */
static bool full_is_lost(const struct reach *r, uint16_t age)
{
	return r->full_out && r->unanswered <= age;
}

bool reach_full(struct reach *r, uint32_t lost_max, bool *narrowed)
{
	uint16_t age = r->seq - r->full_seq;

	*narrowed = false;
	if (age < (r->narrow ? 1 : REACH_FULL_EVERY))
		return false;
	if (full_is_lost(r, age) && r->full_lost < UINT32_MAX)
		r->full_lost++;
	if (r->full_ok && r->full_lost >= lost_max && r->state == REACH_UP) {
		r->state = REACH_DOWN;
		r->narrow = true;
		*narrowed = true;
	}
	r->full_out = true;
	r->full_seq = r->seq;
	return true;
}

void reach_not_full(struct reach *r)
{
	r->full_out = false;
	r->full_lost = 0;
}

bool reach_answer(struct reach *r, uint16_t seq, uint64_t now_us)
{
	uint16_t back = r->seq - seq;
	uint64_t rtt;
	bool up;

	/* Forged, duplicated, or older than anything we can judge. */
	if (back >= REACH_RING || !(r->valid & 1U << back))
		return false;
	r->valid &= ~(1U << back);

	r->answered_us = now_us;
	/* Those sent later may still be on their way. */
	if (r->unanswered > back)
		r->unanswered = back;

	/* An answer before its question: the clock was set in between. */
	rtt = now_us - r->sent_us[seq % REACH_RING];
	if (now_us >= r->sent_us[seq % REACH_RING] && rtt <= UINT32_MAX)
		r->rtt_us = ewma(r->rtt_us, rtt);

	if (r->full_out && seq == r->full_seq) {
		r->full_out = false;
		r->full_ok = true;
		r->full_lost = 0;
		r->narrow = false;
	}
	if (r->narrow)
		return false;
	up = r->state != REACH_UP;
	r->state = REACH_UP;
	return up;
}

void reach_forgive(struct reach *r)
{
	r->unanswered = 0;
	r->full_out = false;
}

bool reach_latency_news(struct reach *r)
{
	if (!ewma_moved(r->told_us, r->rtt_us))
		return false;
	r->told_us = r->rtt_us;
	return true;
}

bool reach_late(uint64_t due_us, uint64_t now_us, uint32_t echo_ms)
{
	uint64_t slack = echo_ms * 1000ULL;

	if (slack < LATE_MIN_US)
		slack = LATE_MIN_US;
	return now_us > due_us + slack;
}

uint32_t reach_interval_ms(uint32_t echo_ms, uint32_t nodes)
{
	uint64_t floor = (uint64_t)nodes * 1000 / REACH_RATE_MAX;

	return floor > echo_ms ? floor : echo_ms;
}
