// SPDX-License-Identifier: GPL-2.0-only
#ifdef __KERNEL__
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#else
#include <stddef.h>
#define min_t(t, a, b) ((t)(a) < (t)(b) ? (t)(a) : (t)(b))
#define max_t(t, a, b) ((t)(a) > (t)(b) ? (t)(a) : (t)(b))
#define div64_u64(a, b) ((a) / (b))
#endif

#include "select.h"

/* Bits of the factors: L 26, q + 1 17, scale 20: below 64 in all. */
#define COST_SCALE	20
#define LATENCY_CLAMP	((1u << 26) - 1)
#define INFLIGHT_CLAMP	((1u << 17) - 1)

/* splitmix64 (Steele, Lea, Flood 2014): tiny, fixed for ever, so that a choice
 * can be replayed anywhere from its seed.
 */
static u64 draw(u64 *seed)
{
	u64 z = (*seed += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static u32 draw_below(u64 *seed, u32 n)
{
	return ((draw(seed) >> 32) * n) >> 32;
}

u64 vnimesh_select_cost(const struct vnimesh_candidate *c)
{
	u32 health = c->health, lp = c->lp;
	u64 share, l, q;

	if (c->excluded || !c->weight || !c->health)
		return VNIMESH_COST_NONE;
	/* What nobody has measured lately is neither good nor bad. */
	if (!lp || c->stale)
		lp = VNIMESH_LATENCY_UNKNOWN;
	if (c->stale)
		health = min_t(u32, health, VNIMESH_HEALTH_STALE);
	l = max_t(u32, lp, c->lk);
	l = max_t(u32, l, VNIMESH_LATENCY_FLOOR);
	l = min_t(u32, l, LATENCY_CLAMP);
	q = min_t(u32, c->inflight, INFLIGHT_CLAMP - 1) + 1;
	share = (u64)c->weight * health * health;
	return div64_u64((l * q) << COST_SCALE, share);
}

/* Two costs within 1/16 are equal: what is left between them is noise, and a
 * strict order would send every client to the same one.
 */
static bool clearly_less(u64 a, u64 b)
{
	return a < b - (b >> 4);
}

int vnimesh_select(u32 n, void (*get)(void *ctx, u32 i,
				      struct vnimesh_candidate *c),
		   void *ctx, u64 seed)
{
	u32 start, looked = 0, ties = 0, k;
	struct vnimesh_candidate c;
	u64 best = VNIMESH_COST_NONE;
	int chosen = -1;

	if (!n)
		return -1;
	start = draw_below(&seed, n);
	/* Above the scan limit: random candidates. On finding too few that are
	 * eligible, go on through the set, so that "nobody" is only said when it
	 * is true.
	 */
	for (k = 0; k < n + (n > VNIMESH_SCAN_MAX ? VNIMESH_SAMPLE : 0); k++) {
		u32 i = n > VNIMESH_SCAN_MAX && k < VNIMESH_SAMPLE ?
			draw_below(&seed, n) : (start + k) % n;
		u64 cost;

		get(ctx, i, &c);
		cost = vnimesh_select_cost(&c);
		if (cost == VNIMESH_COST_NONE)
			continue;
		looked++;
		if (best == VNIMESH_COST_NONE || clearly_less(cost, best)) {
			best = cost;
			chosen = i;
			ties = 1;
		} else if (!clearly_less(best, cost)) {
			best = min_t(u64, best, cost);
			if (!draw_below(&seed, ++ties))
				chosen = i;
		}
		if (n > VNIMESH_SCAN_MAX && looked >= VNIMESH_SAMPLE)
			break;
	}
	return chosen;
}

/* e^(-x/8) in 1/65536 for x = 0..15; a tau of 10 s is eight steps of 1.25 s. */
static const u32 decay_step[16] = {
	65536, 57835, 51039, 45042, 39750, 35079, 30957, 27319,
	24109, 21276, 18776, 16570, 14623, 12905, 11388, 10050,
};

#define TAU_STEP_MS	1250

static u32 decay_factor(u32 age_ms)
{
	u32 step = age_ms / TAU_STEP_MS, rest = age_ms % TAU_STEP_MS;
	u32 shift = 0, a, b;

	/* Beyond two tau, fold by e^-2. */
	while (step >= 15 && shift < 8) {
		step -= 15;
		shift++;
	}
	if (shift >= 8)
		return 0;
	a = decay_step[step];
	b = decay_step[step + 1];
	a -= ((u64)(a - b) * rest) / TAU_STEP_MS;
	while (shift--)
		a = ((u64)a * decay_step[15]) >> 16;
	return a;
}

u32 vnimesh_select_decay(u32 lk, u32 lp, u32 age_ms)
{
	if (lk <= lp)
		return lp;
	return lp + (((u64)(lk - lp) * decay_factor(age_ms)) >> 16);
}

u32 vnimesh_select_observe(u32 lk, u32 age_ms, u32 x)
{
	u32 w;

	x = min_t(u32, x, LATENCY_CLAMP);
	if (x >= lk)
		return x;
	w = decay_factor(age_ms);
	return x + (((u64)(lk - x) * w) >> 16);
}
