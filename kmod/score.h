/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What one candidate costs: pure integer code.
 *
 *   cost = L * (q + 1) / (weight * slow start * h)
 *   L    = clamp(max(Lp, Lk), Lmin, 64 Lmin),  Lmin = max(50 us, median / 2)
 *   h    = max(0.1, (health / 100)^2)
 *
 * Lp: latency that the agents measured, Lk: the kernel's own peak-EWMA, q: flows
 * in flight from this host. The product is that of Finagle's peak-EWMA and
 * Prequal's argument for fresh local load over a broadcast score. The evidence
 * is in Documentation/selection.md.
 */
#ifndef _VNIMESH_SCORE_H
#define _VNIMESH_SCORE_H

#include "pure.h"

/* A floor under L: failing fast must not look like being fast. */
#define VNIMESH_LATENCY_FLOOR	50	/* us */
/* Neutral figure where nothing at all is known: a LAN round trip. */
#define VNIMESH_LATENCY_UNKNOWN	1000	/* us */
#define VNIMESH_LATENCY_CLAMP	64	/* times the floor: beyond, all is far */
#define VNIMESH_RAMP_MS		30000	/* of slow start */
#define VNIMESH_RAMP_NONE	U32_MAX	/* has been up for long */
#define VNIMESH_COST_NONE	(~0ULL)	/* not eligible */

#define VNIMESH_MEASURED_MS	60000	/* older: 1/400 of it is left */

/* Everything that a choice reads of one member: raw, so that it can be shown
 * and replayed. Two latencies are compared only if they are of one kind (enum
 * vnimesh_latency): Lp is of one kind, Lk there is of each.
 */
struct vnimesh_candidate {
	u32 path;	/* us, round trip to its node: connect; 0 unknown */
	u32 lp;		/* us, path and service; 0 unknown */
	u32 lk;		/* us, of handshakes, as it was lk_age ago; 0 none */
	u32 lk_age;	/* ms */
	u32 lr;		/* us, of first responses, as it was lr_age ago */
	u32 lr_age;
	u32 inflight;
	u32 weight;
	u32 ramp;	/* ms since it came up */
	u8 health;	/* 0..100 */
	u8 lp_kind;	/* enum vnimesh_latency */
	u8 locality;	/* tier of its zone, below VNIMESH_TIERS */
	u8 priority;	/* for failover: the lowest first */
	bool stale;
	u8 excluded;	/* enum vnimesh_exclude, or the one below */
};

/* Never said in netlink: the flow has just failed there. */
#define VNIMESH_EXCLUDE_AVOID	255

/* What the cost of a candidate depends on besides itself. */
struct vnimesh_scale {
	u32 median;	/* us of its tier, 0: nothing known */
	u8 kind;	/* of the latencies that are compared */
	u8 load;	/* enum vnimesh_load */
	bool udp;	/* flows in flight say nothing */
};

/* May it get a flow, ejection by local evidence left aside? */
bool vnimesh_score_able(const struct vnimesh_candidate *c);
/* Has it a latency of @kind, measured by anybody? */
bool vnimesh_score_has(const struct vnimesh_candidate *c, u8 kind);
/* us of max(Lp, Lk), before floor and clamp; 0: unknown or stale. */
u32 vnimesh_score_known(const struct vnimesh_candidate *c, u8 kind);
/* L, with the floor and the clamp of its tier. */
u32 vnimesh_score_latency(const struct vnimesh_candidate *c,
			  const struct vnimesh_scale *scale);
/* Per cent of its weight: 10 after coming up, 100 from VNIMESH_RAMP_MS on. */
u32 vnimesh_score_ramp(const struct vnimesh_candidate *c);
/* Comparable within one tier. COST_NONE if it is not able; an ejected one has
 * a cost.
 */
u64 vnimesh_score(const struct vnimesh_candidate *c,
		  const struct vnimesh_scale *scale);

/* Peak-EWMA (Finagle): @lk of @age_ms decayed towards @lp, tau 10 s. */
u32 vnimesh_select_decay(u32 lk, u32 lp, u32 age_ms);
/* ... and the new value after observing @x. */
u32 vnimesh_select_observe(u32 lk, u32 age_ms, u32 x);

#endif /* _VNIMESH_SCORE_H */
