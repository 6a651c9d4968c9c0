/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Self-preservation: when many agents fall silent at about the same time the
 * fault is more likely here, or in what lies between, than in each of them.
 * Then no lease lapses until the silent ones are few again, or for
 * PRESERVE_MAX_MS at most: a host that is gone for good is found out then.
 *
 * Pure: numbers and time are arguments.
 */
#ifndef COORDINATOR_PRESERVE_H
#define COORDINATOR_PRESERVE_H

#include <stdbool.h>
#include <stdint.h>

struct preserve {
	bool on;
	uint64_t since_us;
	uint64_t times;
	/* of the last tick */
	unsigned int silent, all;
};

enum preserve_turn {
	PRESERVE_AS_BEFORE,
	PRESERVE_BEGINS,
	PRESERVE_ENDS,
	PRESERVE_GIVES_UP,
};

/* Of @all agents that were there a moment ago @overdue are silent for longer
 * than their lease, and those of @lapsed were found to be within the window.
 */
enum preserve_turn preserve_tick(struct preserve *p, unsigned int all,
				 unsigned int overdue, unsigned int lapsed,
				 uint64_t now_us);

#endif
