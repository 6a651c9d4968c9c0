/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The choice of a member for a new flow: pure integer code over a snapshot of
 * the candidates, with time and randomness as arguments, so that KUnit, the
 * simulation and route-get run what the data path runs.
 *
 *   cost = max(Lp, Lk) * (q + 1) / (weight * health^2)
 *
 * Lp: latency that the agents measured, Lk: the kernel's own peak-EWMA of the
 * handshake, q: flows in flight from this host. The product is that of
 * Finagle's peak-EWMA and Prequal's argument for fresh local load over a
 * broadcast score; see Documentation/selection.md for the evidence.
 */
#ifndef _VNIMESH_SELECT_H
#define _VNIMESH_SELECT_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stdint.h>
typedef uint64_t u64;
typedef uint32_t u32;
typedef uint8_t u8;
#endif

/* A floor under L: failing fast must not look like being fast. */
#define VNIMESH_LATENCY_FLOOR	50	/* us */
/* Neutral figure for the unknown and the stale: a LAN round trip. */
#define VNIMESH_LATENCY_UNKNOWN	1000	/* us */
#define VNIMESH_HEALTH_STALE	70	/* sqrt(0.5): health^2 halves the share */

#define VNIMESH_SCAN_MAX	32	/* full scan up to here */
#define VNIMESH_SAMPLE		8	/* random candidates above */
#define VNIMESH_COST_NONE	(~0ULL)	/* not eligible */

struct vnimesh_candidate {
	u32 lp;			/* us, 0: unknown */
	u32 lk;			/* us, already decayed to now; 0: none */
	u32 inflight;
	u32 weight;
	u8 health;		/* 0..100 */
	bool stale;
	u8 excluded;		/* enum vnimesh_exclude, or the one below */
};

/* Never said in netlink: the flow has just failed there. */
#define VNIMESH_EXCLUDE_AVOID	255

/* Cost of one candidate, VNIMESH_COST_NONE if it is excluded. */
u64 vnimesh_select_cost(const struct vnimesh_candidate *c);

/* Index of the chosen one of @n, or -1: nobody is eligible. @get fills the
 * candidate @i; it is called once per candidate that is looked at. The order of
 * draws from @seed is fixed: sample, then ties; the same seed and candidates
 * give the same choice.
 */
int vnimesh_select(u32 n, void (*get)(void *ctx, u32 i,
				      struct vnimesh_candidate *c),
		   void *ctx, u64 seed);

/* Peak-EWMA (Finagle): @lk of @age_ms decayed towards @lp, tau 10 s. */
u32 vnimesh_select_decay(u32 lk, u32 lp, u32 age_ms);
/* ... and the new value after observing @x. */
u32 vnimesh_select_observe(u32 lk, u32 age_ms, u32 x);

#endif /* _VNIMESH_SELECT_H */
