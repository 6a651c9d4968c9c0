// SPDX-License-Identifier: GPL-2.0-only
#include <linux/vnimesh.h>

#include "score.h"

#define LATENCY_MAX	((1u << 26) - 1)	/* us: above a minute */
/* Bits of the cost: L in units of the floor with 8 fractional 14, (q + 1) with 8
 * fractional 25, and this: 63 in all. The divisor has up to 30, so that 10 are
 * left for the smallest.
 */
#define COST_SCALE	24
#define FRACTION	8
#define INFLIGHT_MAX	((1u << 17) - 1)
#define HEALTH_UNIT	10000	/* h of a perfect one */
#define HEALTH_MIN	1000
#define HEALTH_STALE	5000

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

	/* Beyond two tau, fold by e^-15/8. */
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

	x = min_t(u32, x, LATENCY_MAX);
	if (x >= lk)
		return x;
	w = decay_factor(age_ms);
	return x + (((u64)(lk - x) * w) >> 16);
}

bool vnimesh_score_able(const struct vnimesh_candidate *c)
{
	return (c->excluded == VNIMESH_EXCLUDE_NONE ||
		c->excluded == VNIMESH_EXCLUDE_EJECTED) &&
	       c->weight && c->health;
}

/* Agents' figure of @kind, 0: none that is believed. */
static u32 told(const struct vnimesh_candidate *c, u8 kind)
{
	return c->lp_kind == kind && !c->stale ? c->lp : 0;
}

bool vnimesh_score_has(const struct vnimesh_candidate *c, u8 kind)
{
	if (told(c, kind))
		return true;
	return kind == VNIMESH_LATENCY_RESPONSE ?
	       c->lr && c->lr_age < VNIMESH_MEASURED_MS :
	       c->lk && c->lk_age < VNIMESH_MEASURED_MS;
}

/* How much longer than the path, which is of its kind, a handshake takes: that
 * delays a response too.
 */
static u32 excess(const struct vnimesh_candidate *c)
{
	return vnimesh_select_decay(c->lk, c->path, c->lk_age) - c->path;
}

static u32 response(const struct vnimesh_candidate *c)
{
	u32 lp = told(c, VNIMESH_LATENCY_RESPONSE), l;
	u64 slow = lp ? (u64)lp + excess(c) : 0;

	if (!vnimesh_score_has(c, VNIMESH_LATENCY_RESPONSE))
		return 0;
	/* Without a figure of the kind, what was measured decays towards the
	 * round trip: no response is faster.
	 */
	l = vnimesh_select_decay(c->lr, lp ?: told(c, VNIMESH_LATENCY_CONNECT),
				 c->lr_age);
	slow = min_t(u64, slow, LATENCY_MAX);
	return max_t(u32, l, slow);
}

u32 vnimesh_score_known(const struct vnimesh_candidate *c, u8 kind)
{
	u32 l;

	if (kind == VNIMESH_LATENCY_RESPONSE)
		l = response(c);
	else if (vnimesh_score_has(c, kind))
		l = vnimesh_select_decay(c->lk, told(c, kind), c->lk_age);
	else
		l = 0;
	return min_t(u32, l, LATENCY_MAX);
}

static u32 floor_of(const struct vnimesh_scale *scale)
{
	return max_t(u32, VNIMESH_LATENCY_FLOOR, scale->median / 2);
}

u32 vnimesh_score_latency(const struct vnimesh_candidate *c,
			  const struct vnimesh_scale *scale)
{
	u32 l = vnimesh_score_known(c, scale->kind);
	u32 least = floor_of(scale);

	/* What nobody has measured lately is neither good nor bad; what was
	 * seen here to be slow is not better for that.
	 */
	if (!l || c->stale)
		l = max_t(u32, l, scale->median ?: VNIMESH_LATENCY_UNKNOWN);
	l = max_t(u32, l, least);
	return min_t(u64, l, (u64)least * VNIMESH_LATENCY_CLAMP);
}

u32 vnimesh_score_ramp(const struct vnimesh_candidate *c)
{
	if (c->ramp >= VNIMESH_RAMP_MS)
		return 100;
	return max_t(u32, c->ramp / (VNIMESH_RAMP_MS / 100), 10);
}

static u32 health_of(const struct vnimesh_candidate *c)
{
	u32 h = max_t(u32, (u32)c->health * c->health, HEALTH_MIN);

	return c->stale ? min_t(u32, h, HEALTH_STALE) : h;
}

/* In 1/256, rounded down. Newton from above; @x below 2^17. */
static u32 root(u32 x)
{
	u32 square = x << 14, r = 1u << ((fls(square) + 1) / 2), next;

	/* sqrt(x) * 256 = sqrt(x << 14) << 1 */
	if (!x)
		return 0;
	while ((next = (r + square / r) / 2) < r)
		r = next;
	return r << 1;
}

/* q + 1 in 1/256. An idle connection of a pool is less than a request. */
static u32 load_of(const struct vnimesh_candidate *c,
		   const struct vnimesh_scale *scale)
{
	u32 q = min_t(u32, c->inflight, INFLIGHT_MAX - 1) + 1;

	if (scale->udp)
		q = 1;
	return scale->load == VNIMESH_LOAD_POOL ? root(q) : q << FRACTION;
}

u64 vnimesh_score(const struct vnimesh_candidate *c,
		  const struct vnimesh_scale *scale)
{
	u64 l, share;

	if (!vnimesh_score_able(c))
		return VNIMESH_COST_NONE;
	l = vnimesh_score_latency(c, scale);
	l = div64_u64(l << FRACTION, floor_of(scale));
	share = (u64)c->weight * vnimesh_score_ramp(c) * health_of(c);
	return div64_u64((l * load_of(c, scale)) << COST_SCALE, share);
}
