/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When to report to the coordinator, with which number, and whether all or
 * only what changed.
 *
 * Pure: time and randomness are arguments. One report is in flight at a time.
 */
#ifndef VNIMESHD_SEQUENCE_H
#define VNIMESHD_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

/* Changes within this time go in one report. */
#define SEQUENCE_COALESCE_MS	20
/* Longest pause after failures, unless the heartbeat is longer. */
#define SEQUENCE_BACKOFF_MAX_MS	5000

enum sequence_result {
	SEQUENCE_OK,
	SEQUENCE_RESYNC,	/* the other side lost the thread: report all */
	SEQUENCE_REFUSED,	/* something that the next one leaves out: at once */
	SEQUENCE_FAILED,	/* no answer, or none that helps */
};

struct sequence {
	uint32_t report_ms;	/* heartbeat */
	uint64_t seq;		/* of the last report sent */
	bool full;		/* the next report has everything */
	bool in_flight;
	bool dirty;		/* something changed that no report had */
	uint64_t due_us;	/* heartbeat, or the end of the pause */
	uint64_t dirty_us;	/* when the coalescing ends */
	uint32_t failures;	/* in a row */
	bool joined;		/* and none was taken since */
};

/* The first report is full and due at once. */
void sequence_init(struct sequence *s, uint32_t report_ms, uint64_t now_us);

void sequence_changed(struct sequence *s, uint64_t now_us);
/* ... and the next report has everything, whatever becomes of this one. */
void sequence_full(struct sequence *s, uint64_t now_us);

/* The coordinator took us in (again): it is to have all at once, whatever failed
 * before. Not twice before a report was taken, which would be a loop.
 */
void sequence_joined(struct sequence *s, uint64_t now_us);

/* When the next report is to be sent; UINT64_MAX while one is in flight. */
uint64_t sequence_due(const struct sequence *s);

/* Send now: the number of the report; *full tells what it must contain. */
uint64_t sequence_send(struct sequence *s, bool *full);

void sequence_answer(struct sequence *s, enum sequence_result result,
		     uint64_t now_us, uint32_t rnd);

/* Pause after the nth failure in a row: doubling from @base_ms up to
 * @max_ms, the upper half of it by chance, so that a thousand agents do not
 * come back in one moment.
 */
uint32_t sequence_backoff_ms(uint32_t failures, uint32_t base_ms,
			     uint32_t max_ms, uint32_t rnd);

#endif
