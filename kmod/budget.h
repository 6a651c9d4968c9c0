/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A budget of so many a second: a token bucket. Pure; the caller has the clock
 * and the lock.
 */
#ifndef _VNIMESH_BUDGET_H
#define _VNIMESH_BUDGET_H

#include <linux/minmax.h>
#include <linux/types.h>

struct vnimesh_budget {
	u32 used;	/* thousandths of a token, below the full burst */
	u32 stamp;	/* ms of the last look */
};

/* What is left of @burst tokens at @now_ms, if @rate a second come back. */
static inline u32 vnimesh_budget_left(struct vnimesh_budget *b, u32 now_ms,
				      u32 rate, u32 burst)
{
	u64 back = (u64)(now_ms - b->stamp) * rate;

	b->stamp = now_ms;
	b->used = back >= b->used ? 0 : b->used - (u32)back;
	return burst - min(burst, b->used / 1000 + !!(b->used % 1000));
}

static inline void vnimesh_budget_spend(struct vnimesh_budget *b)
{
	b->used += 1000;
}

#endif /* _VNIMESH_BUDGET_H */
