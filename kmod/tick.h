/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The clock of figures that are kept in 32 bits and compared much later: the low
 * word of sixteenths of a second since boot. It wraps after eight years, where
 * jiffies and milliseconds do after weeks and make what is old new again.
 */
#ifndef _VNIMESH_TICK_H
#define _VNIMESH_TICK_H

#include <linux/jiffies.h>
#include <linux/limits.h>
#include <linux/math64.h>
#include <linux/minmax.h>

#define VNIMESH_TICKS	16	/* in a second */

/* Never 0: that is never. */
static inline u32 vnimesh_tick(void)
{
	return (u32)div_u64(get_jiffies_64() * VNIMESH_TICKS, HZ) ?: 1;
}

/* ms from @then to @now, up to U32_MAX. Another CPU may have set @then after @now
 * was read.
 */
static inline u32 vnimesh_tick_age(u32 now, u32 then)
{
	u64 ms = div_u64((u64)(now - then) * MSEC_PER_SEC, VNIMESH_TICKS);

	return then - now < VNIMESH_TICKS ? 0 : min_t(u64, ms, U32_MAX);
}

#endif /* _VNIMESH_TICK_H */
