// SPDX-License-Identifier: GPL-2.0-or-later
/* The sequence of reports to the coordinator. */

#include <string.h>

#include "sequence.h"

#define MS	1000ULL

void sequence_init(struct sequence *s, uint32_t report_ms, uint64_t now_us)
{
	memset(s, 0, sizeof(*s));
	s->report_ms = report_ms;
	s->full = true;
	s->due_us = now_us;
}

void sequence_changed(struct sequence *s, uint64_t now_us)
{
	if (s->dirty)
		return;
	s->dirty = true;
	s->dirty_us = now_us + SEQUENCE_COALESCE_MS * MS;
}

void sequence_full(struct sequence *s, uint64_t now_us)
{
	s->full = true;
	sequence_changed(s, now_us);
}

void sequence_joined(struct sequence *s, uint64_t now_us)
{
	s->full = true;
	if (s->joined)
		return;
	s->joined = true;
	s->failures = 0;
	s->due_us = now_us;
}

uint64_t sequence_due(const struct sequence *s)
{
	if (s->in_flight)
		return UINT64_MAX;
	/* After a failure the pause counts, however urgent the change. */
	if (s->dirty && !s->failures && s->dirty_us < s->due_us)
		return s->dirty_us;
	return s->due_us;
}

uint64_t sequence_send(struct sequence *s, bool *full)
{
	*full = s->full;
	s->full = false;
	s->in_flight = true;
	s->dirty = false;
	return ++s->seq;
}

void sequence_answer(struct sequence *s, enum sequence_result result,
		     uint64_t now_us, uint32_t rnd)
{
	uint32_t max = SEQUENCE_BACKOFF_MAX_MS;

	s->in_flight = false;
	if (result == SEQUENCE_OK) {
		s->failures = 0;
		s->joined = false;
		s->due_us = now_us + s->report_ms * MS;
		return;
	}

	/* A report without an answer may have been accepted or not: only a
	 * full one is right in both cases.
	 */
	s->full = true;
	if (result == SEQUENCE_REFUSED ||
	    (result == SEQUENCE_RESYNC && !s->failures++)) {
		s->due_us = now_us;
		return;
	}
	if (result == SEQUENCE_FAILED)
		s->failures++;
	if (max < s->report_ms)
		max = s->report_ms;
	s->due_us = now_us + MS *
		sequence_backoff_ms(s->failures, s->report_ms / 2, max, rnd);
}

uint32_t sequence_backoff_ms(uint32_t failures, uint32_t base_ms,
			     uint32_t max_ms, uint32_t rnd)
{
	uint64_t ms = base_ms ? base_ms : 1;

	if (!failures)
		return 0;
	ms <<= failures - 1 < 16 ? failures - 1 : 16;
	if (ms > max_ms)
		ms = max_ms;
	return ms / 2 + rnd % (ms / 2 + 1);
}
