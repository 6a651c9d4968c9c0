/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The choice of a member for a new flow: pure integer code over a snapshot of
 * the candidates, with time and randomness as arguments, so that KUnit, the
 * simulation and route-get run what the data path runs. The same candidates,
 * aggregate and seed give the same choice anywhere.
 *
 * Draws from the seed, always in this order: explore, tier, sample, tie.
 */
#ifndef _VNIMESH_SELECT_H
#define _VNIMESH_SELECT_H

#include "aggregate.h"
#include "maglev.h"

#define VNIMESH_SCAN_MAX	32	/* full scan up to here */
#define VNIMESH_SAMPLE		8	/* random candidates above */
#define VNIMESH_EXPLORE		100	/* one flow of so many goes anywhere */
#define VNIMESH_EXPLORE_MIN	3	/* ... given so many candidates */
#define VNIMESH_BOUNDED_LOAD	4	/* Maglev: at most so many times the least */

struct vnimesh_select {
	struct vnimesh_candidates all;
	const struct vnimesh_aggregate *agg;
	const struct vnimesh_view *view;	/* the client's, often of agg */
	const u16 *order;	/* of agg, or NULL: sample from all */
	const struct vnimesh_maglev_table *maglev;	/* or NULL */
	u32 hash;		/* of the client, for Maglev */
};

/* Index of the chosen one, from all.n on a member of the Maglev table, or -1:
 * nobody is eligible. *@how is enum vnimesh_how.
 */
int vnimesh_select(const struct vnimesh_select *s, u64 seed, u8 *how);
/* The scale of the costs in the tier of @c. */
void vnimesh_select_scale(const struct vnimesh_select *s, u32 tier,
			  struct vnimesh_scale *scale);

#endif /* _VNIMESH_SELECT_H */
