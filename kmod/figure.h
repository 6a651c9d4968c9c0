/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A latency that this kernel measured of one member, as peak-EWMA, and who measured
 * it. One client alone does not make a member slow for its neighbours, for which half
 * a request and silence would do: the highest figure is that of one VNI, and counts
 * for it; for the others counts what was measured by all but that one.
 *
 * Lockless and racy by design: one sample more or less does not matter. Time is an
 * argument, a tick.h one.
 */
#ifndef _VNIMESH_FIGURE_H
#define _VNIMESH_FIGURE_H

#include <linux/types.h>

struct vnimesh_figure {		/* all READ_ONCE */
	u32 us;			/* the highest, 0: none */
	u32 stamp;		/* tick of it */
	u32 by;			/* VNI id of who measured it */
	u32 rest;		/* us, of all others, 0: none */
	u32 rest_stamp;
};

/* Any context. */
void vnimesh_figure_observe(struct vnimesh_figure *figure, u32 by, u32 us,
			    u32 now);
/* For who measured none of it: no VNI has that id. */
#define VNIMESH_FIGURE_REST	(1ULL << 32)
/* Any context. us as it was *@age ms ago, for the VNI @by, 0: for who measured it; or
 * 0, none.
 */
u32 vnimesh_figure_of(const struct vnimesh_figure *figure, u64 by, u32 now,
		      u32 *age);

#endif /* _VNIMESH_FIGURE_H */
