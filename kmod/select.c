// SPDX-License-Identifier: GPL-2.0-only
#include <linux/vnimesh.h>

#include "select.h"

/* Entries of a Maglev table that are tried before the cheapest is taken:
 * neighbours are random members, so that one in ten being left is found for
 * all but one in 700,000.
 */
#define PERMUTATION_MAX	128

struct entry {
	u64 cost;
	u64 full;		/* ... without slow start */
	u32 i;
	u32 weight;		/* slow start applied */
	u8 ramp;		/* per cent */
	u8 tier;
	u8 priority;
	bool ejected;
};

/* Those that the choice looks at. */
struct pool {
	const struct vnimesh_select *s;
	u32 n;
	struct entry e[VNIMESH_SCAN_MAX];
};

/* All draws of one choice, taken in this order. */
struct draws {
	bool explore;
	u32 tier;
	u64 seed;
};

void vnimesh_select_scale(const struct vnimesh_select *s, u32 tier,
			  struct vnimesh_scale *scale)
{
	scale->median = s->view->median[tier];
	scale->kind = s->view->kind;
	scale->load = s->all.load;
	scale->udp = s->all.udp;
}

static bool look(const struct vnimesh_select *s, u32 i, struct entry *e)
{
	struct vnimesh_candidate c;
	struct vnimesh_scale scale;

	s->all.get(s->all.ctx, i, &c);
	e->tier = vnimesh_tier_of(&c, s->all.policy);
	vnimesh_select_scale(s, e->tier, &scale);
	e->cost = vnimesh_score(&c, &scale);
	if (e->cost == VNIMESH_COST_NONE)
		return false;
	e->i = i;
	e->ramp = vnimesh_score_ramp(&c);
	e->full = div64_u64(e->cost, 100) * e->ramp;
	e->weight = c.weight * e->ramp;
	e->priority = c.priority;
	e->ejected = c.excluded == VNIMESH_EXCLUDE_EJECTED;
	return true;
}

static void add(struct pool *pool, u32 i)
{
	u32 k;

	for (k = 0; k < pool->n; k++)
		if (pool->e[k].i == i)
			return;
	if (pool->n < VNIMESH_SCAN_MAX && look(pool->s, i, &pool->e[pool->n]))
		pool->n++;
}

/* Local evidence counts unless there is too much of it. */
static void drop_ejected(struct pool *pool)
{
	u32 k, n = 0, ejected = 0;

	for (k = 0; k < pool->n; k++)
		ejected += pool->e[k].ejected;
	if (!ejected || vnimesh_panic(pool->n - ejected, ejected))
		return;
	for (k = 0; k < pool->n; k++)
		if (!pool->e[k].ejected)
			pool->e[n++] = pool->e[k];
	pool->n = n;
}

static u32 draw_tier(const struct vnimesh_aggregate *agg, u64 *seed)
{
	u32 x = vnimesh_draw_below(seed, VNIMESH_SHARE_ONE), t;

	for (t = 0; t < VNIMESH_TIERS - 1; t++) {
		if (x < agg->tier[t].share)
			return t;
		x -= agg->tier[t].share;
	}
	return t;
}

/* Tier @t or, if nobody of it is left, the nearest one that has somebody. */
static void keep_tier(struct pool *pool, u32 t)
{
	u32 k, n = 0, have = 0;

	for (k = 0; k < pool->n; k++)
		have |= 1u << pool->e[k].tier;
	if (!(have & 1u << t))
		t = __builtin_ctz(have | 1u << VNIMESH_TIERS);
	for (k = 0; k < pool->n; k++)
		if (pool->e[k].tier == t)
			pool->e[n++] = pool->e[k];
	pool->n = n;
}

static void keep_priority(struct pool *pool)
{
	u32 k, n = 0, least = U32_MAX;

	for (k = 0; k < pool->n; k++)
		least = min_t(u32, least, pool->e[k].priority);
	for (k = 0; k < pool->n; k++)
		if (pool->e[k].priority == least)
			pool->e[n++] = pool->e[k];
	pool->n = n;
}

/* Those of [@first, @first + @n) of the order, some by chance. */
static void sample(struct pool *pool, u32 first, u32 n, u64 *seed)
{
	const struct vnimesh_select *s = pool->s;
	u32 k, i;

	for (k = 0; n && k < VNIMESH_SAMPLE; k++) {
		i = first + vnimesh_draw_below(seed, n);
		if (s->order)
			i = s->order[i];
		/* The order may be that of an earlier set. */
		if (i < s->all.n)
			add(pool, i);
	}
}

/* The sample found nobody: the order is out of date, or hardly anybody is left.
 * "Nobody" is only said when it is true.
 */
static void walk(struct pool *pool, u32 start)
{
	u32 n = pool->s->all.n, k;

	for (k = 0; k < n && pool->n < VNIMESH_SAMPLE; k++)
		add(pool, (start + k) % n);
}

static bool all_ejected(const struct pool *pool)
{
	u32 k;

	for (k = 0; k < pool->n; k++)
		if (!pool->e[k].ejected)
			return false;
	return true;
}

static void fill(struct pool *pool, struct draws *draws)
{
	const struct vnimesh_select *s = pool->s;
	const struct vnimesh_tier *tier = &s->agg->tier[draws->tier];
	u32 i;

	if (s->all.n <= VNIMESH_SCAN_MAX) {
		for (i = 0; i < s->all.n; i++)
			add(pool, i);
		return;
	}
	if (s->order)
		sample(pool, tier->first, tier->n, &draws->seed);
	else
		sample(pool, 0, s->all.n, &draws->seed);
	if (all_ejected(pool))
		walk(pool, vnimesh_draw_below(&draws->seed, s->all.n));
}

static const struct entry *cheapest(const struct pool *pool, u64 *seed,
				    u8 *how)
{
	u64 least = VNIMESH_COST_NONE;
	u32 k, ties = 0, sum = 0, which;

	for (k = 0; k < pool->n; k++)
		least = min_t(u64, least, pool->e[k].cost);
	/* Two costs within 1/16 are equal: what is left between them is noise,
	 * and a strict order would send every client to the same one. Without
	 * load, slow start has its say here: it would be no start otherwise.
	 */
	least += least >> 4;
	for (k = 0; k < pool->n; k++)
		if (pool->e[k].full <= least) {
			ties++;
			sum += pool->e[k].ramp;
		}
	which = ties > 1 ? vnimesh_draw_below(seed, sum) : 0;
	*how = ties > 1 ? VNIMESH_HOW_TIE : VNIMESH_HOW_COST;
	for (k = 0; k < pool->n; k++) {
		if (pool->e[k].full > least)
			continue;
		if (which < pool->e[k].ramp)
			return &pool->e[k];
		which -= pool->e[k].ramp;
	}
	return NULL;
}

static const struct entry *weighted(const struct pool *pool, u64 *seed)
{
	u32 k, sum = 0, x;

	for (k = 0; k < pool->n; k++)
		sum += pool->e[k].weight;
	x = vnimesh_draw_below(seed, sum);
	for (k = 0; k < pool->n - 1; k++) {
		if (x < pool->e[k].weight)
			break;
		x -= pool->e[k].weight;
	}
	return &pool->e[k];
}

/* The same of any number, without a place for each: every one takes it from those
 * before by its share of the sum so far (Chao 1982). Of all, and of those who are
 * not ejected.
 */
static int weighted_of_many(const struct vnimesh_select *s, u64 *seed)
{
	u32 sum[2] = { 0, 0 }, n[2] = { 0, 0 }, i, k;
	int won[2] = { -1, -1 };
	struct vnimesh_candidate c;
	u32 weight;

	/* No costs: they are what takes time. */
	for (i = 0; i < s->all.n; i++) {
		s->all.get(s->all.ctx, i, &c);
		if (!vnimesh_score_able(&c))
			continue;
		weight = c.weight * vnimesh_score_ramp(&c);
		for (k = c.excluded == VNIMESH_EXCLUDE_EJECTED; k < 2; k++) {
			n[k]++;
			sum[k] += weight;
			if (vnimesh_draw_below(seed, sum[k]) < weight)
				won[k] = i;
		}
	}
	return won[vnimesh_panic(n[0], n[1] - n[0])];
}

/* The client's own entry of the table, or the next one that is eligible and
 * not loaded beyond bounds. -1: none near.
 */
static int consistent(const struct pool *pool)
{
	const struct vnimesh_select *s = pool->s;
	const struct vnimesh_maglev_table *table = s->maglev;
	u64 least = VNIMESH_COST_NONE;
	bool ejected = false;
	struct entry e;
	u32 k, slot;

	for (k = 0; k < pool->n; k++) {
		least = min_t(u64, least, pool->e[k].cost);
		ejected |= pool->e[k].ejected;
	}
	/* Bits of the cost: 63. */
	least = min_t(u64, least, VNIMESH_COST_NONE / VNIMESH_BOUNDED_LOAD) *
		VNIMESH_BOUNDED_LOAD;
	for (k = 0; k < PERMUTATION_MAX; k++) {
		slot = table->slot[(s->hash + (u64)k) % table->size];
		if (slot == VNIMESH_MAGLEV_NONE)
			break;
		if (look(s, s->all.n + slot, &e) && e.cost <= least &&
		    (ejected || !e.ejected))
			return e.i;
	}
	return -1;
}

static int pick(struct pool *pool, struct draws *draws, u8 *how)
{
	const struct entry *e;
	int i;

	if (pool->s->all.policy == VNIMESH_POLICY_MAGLEV && pool->s->maglev) {
		*how = VNIMESH_HOW_HASH;
		i = consistent(pool);
		if (i >= 0)
			return i;
	}
	if (pool->s->all.policy == VNIMESH_POLICY_RANDOM) {
		*how = VNIMESH_HOW_RANDOM;
		return weighted(pool, &draws->seed)->i;
	}
	if (draws->explore && pool->n >= VNIMESH_EXPLORE_MIN) {
		*how = VNIMESH_HOW_EXPLORE;
		return pool->e[vnimesh_draw_below(&draws->seed, pool->n)].i;
	}
	e = cheapest(pool, &draws->seed, how);
	return e ? (int)e->i : -1;
}

int vnimesh_select(const struct vnimesh_select *s, u64 seed, u8 *how)
{
	struct draws draws = { .seed = seed };
	struct pool pool;

	*how = VNIMESH_HOW_COST;
	draws.explore = !vnimesh_draw_below(&draws.seed, VNIMESH_EXPLORE);
	draws.tier = draw_tier(s->agg, &draws.seed);
	if (s->all.policy != VNIMESH_POLICY_OPTIMAL)
		draws.tier = 0;
	if (s->all.policy == VNIMESH_POLICY_RANDOM &&
	    s->all.n > VNIMESH_SCAN_MAX) {
		*how = VNIMESH_HOW_RANDOM;
		return weighted_of_many(s, &draws.seed);
	}
	pool.s = s;
	pool.n = 0;
	fill(&pool, &draws);
	drop_ejected(&pool);
	if (!pool.n)
		return -1;
	if (s->all.policy == VNIMESH_POLICY_OPTIMAL)
		keep_tier(&pool, draws.tier);
	if (s->all.policy == VNIMESH_POLICY_FAILOVER)
		keep_priority(&pool);
	return pick(&pool, &draws, how);
}
