/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much of a span of time this process did not run in, by timers that came
 * late. Whoever was away himself must not blame others for not having answered
 * him meanwhile.
 *
 * Pure: the time is an argument.
 */
#ifndef VNIMESHD_LATE_H
#define VNIMESHD_LATE_H

#include <stdbool.h>
#include <stdint.h>

/* Between two beats while somebody waits for an answer. */
#define LATE_BEAT_US	50000ULL
/* A busy but running loop is not later than this. */
#define LATE_SLACK_US	10000ULL
#define LATE_SPANS	64
/* A check that failed for our being late is given up to so many times its
 * time, and after so many tries in a row the failure counts.
 */
#define LATE_STRETCH_MAX	8
#define LATE_TRIES_MAX		8

struct late {
	struct {
		uint64_t from, to;
	} spans[LATE_SPANS];	/* in which this process did not run */
	unsigned int at;
	uint64_t due_us;	/* of the next beat, 0: none */
	uint64_t count;		/* late beats ever */
	uint64_t worst_us;
};

/* The next beat is expected then; a beat came. */
void late_expect(struct late *l, uint64_t due_us);
void late_beat(struct late *l, uint64_t now_us);
void late_stop(struct late *l);

/* Microseconds of @from to @now in which this process did not run. */
uint64_t late_lost(const struct late *l, uint64_t from_us, uint64_t now_us);

/* Whether a check that took from @from to @now without an answer had less of
 * @timeout_ms than it needs, so that it says something about us rather than
 * about the other side.
 */
bool late_ours(const struct late *l, uint64_t from_us, uint64_t now_us,
	       uint32_t timeout_ms);

#endif
