/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a choice needs to know of all candidates together: which latencies
 * compare, the median and the share of each tier, whether so many are ejected
 * that the evidence is doubted (panic). Pure code; choose.c keeps the results.
 *
 * Tiers are the localities of zones: 0 the same zone, 1 the same region (the
 * name up to its last '/'), 2 all others. Each tier takes 1.4 times the part of
 * its capacity that is healthy, the rest spills to the next one. So a zone that
 * loses less than a third of its members keeps its flows, and the first member
 * that comes back is not flooded.
 */
#ifndef _VNIMESH_AGGREGATE_H
#define _VNIMESH_AGGREGATE_H

#include "score.h"

#define VNIMESH_TIERS		3
#define VNIMESH_SHARE_ONE	65536

struct vnimesh_tier {
	u32 total;	/* sum of the weights, who is down included */
	u32 healthy;	/* of the eligible, slow start applied */
	u32 capacity;	/* 1.4 healthy / total, up to SHARE_ONE, hysteresis */
	u32 share;	/* of new flows: sums to SHARE_ONE, or all 0 */
	u32 first;	/* slots of its candidates in the order */
	u32 n;		/* ... how many */
};

/* What latencies are compared by. */
struct vnimesh_view {
	u32 median[VNIMESH_TIERS];	/* us of max(Lp, Lk), 0: nothing known */
	u8 kind;			/* of those that are compared */
};

struct vnimesh_aggregate {
	struct vnimesh_tier tier[VNIMESH_TIERS];
	struct vnimesh_view view;	/* of the figures that were counted */
	u32 n;		/* candidates in the order, all tiers */
	u8 policy;	/* enum vnimesh_policy */
	bool panic;	/* ejections are ignored */
	bool ramping;	/* changes by itself with time */
};

/* Candidates and the policies that choose among them: @get fills candidate
 * @i. An index from @n on is a member of the Maglev table.
 */
struct vnimesh_candidates {
	void (*get)(void *ctx, u32 i, struct vnimesh_candidate *c);
	void *ctx;
	u32 n;
	u8 policy;	/* enum vnimesh_policy */
	u8 load;	/* enum vnimesh_load */
	bool udp;
};

/* 0, 1 or 2: how near zone @other is, seen from @own. Without a zone of our
 * own nothing is known, and all is near.
 */
u8 vnimesh_locality(const char *own, const char *other);
/* Tier of @c: only policy optimal has more than one. */
u32 vnimesh_tier_of(const struct vnimesh_candidate *c, u8 policy);
/* Less than half of those that only local evidence speaks against are left:
 * then it is more likely that the evidence is wrong.
 */
static inline bool vnimesh_panic(u32 eligible, u32 ejected)
{
	return eligible < ejected;
}

/* Counts @all. @old: what was in force, for the hysteresis, or NULL. @order: if
 * not NULL, room for all->n indices: those that can get flows, by tier or, for
 * failover, by priority.
 */
void vnimesh_aggregate(const struct vnimesh_candidates *all,
		       const struct vnimesh_aggregate *old, u16 *order,
		       struct vnimesh_aggregate *agg);
/* Of @all, which may have other figures than those that were counted, the view. */
void vnimesh_aggregate_view(const struct vnimesh_candidates *all,
			    struct vnimesh_view *view);

#endif /* _VNIMESH_AGGREGATE_H */
