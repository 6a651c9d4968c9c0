// SPDX-License-Identifier: GPL-2.0-or-later
#include "limits.h"
#include "loop.h"
#include "preserve.h"

enum preserve_turn preserve_tick(struct preserve *p, unsigned int all,
				 unsigned int overdue, unsigned int lapsed,
				 uint64_t now_us)
{
	bool many;

	p->all = all;
	p->silent = overdue + lapsed;
	many = p->silent >= PRESERVE_MIN &&
	       p->silent * 100ULL > all * (uint64_t)PRESERVE_PERCENT;
	if (!p->on) {
		if (!many || !overdue)
			return PRESERVE_AS_BEFORE;
		p->on = true;
		p->since_us = now_us;
		p->times++;
		return PRESERVE_BEGINS;
	}
	if (!many) {
		p->on = false;
		return PRESERVE_ENDS;
	}
	if (now_us - p->since_us < PRESERVE_MAX_MS * LOOP_USEC_PER_MSEC)
		return PRESERVE_AS_BEFORE;
	p->on = false;
	return PRESERVE_GIVES_UP;
}
