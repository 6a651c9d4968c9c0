// SPDX-License-Identifier: GPL-2.0-only
#include <linux/vnimesh.h>

#include "aggregate.h"

/* 1.4: Envoy's overprovisioning factor. Less sends flows away for one member
 * of three; more overloads what is left.
 */
#define OVERPROVISION_NUM	7
#define OVERPROVISION_DEN	5
#define HYSTERESIS		(VNIMESH_SHARE_ONE / 10)

/* Latencies by quarters of octaves: the median is right within 1/8, without
 * sorting, however many there are.
 */
#define BUCKETS		108	/* 27 octaves */

struct count {
	const struct vnimesh_candidates *all;
	struct vnimesh_aggregate *agg;
	struct vnimesh_view *view;
	u16 latency[VNIMESH_TIERS][BUCKETS];
	u32 eligible;
	u32 ejected;
	u32 ejected_weight[VNIMESH_TIERS];
};

u8 vnimesh_locality(const char *own, const char *other)
{
	const char *slash = strrchr(own, '/');
	size_t region = slash ? slash - own : 0;

	if (!*own || !strcmp(own, other))
		return 0;
	if (region && !strncmp(own, other, region + 1) &&
	    !strchr(other + region + 1, '/'))
		return 1;
	return VNIMESH_TIERS - 1;
}

u32 vnimesh_tier_of(const struct vnimesh_candidate *c, u8 policy)
{
	return policy == VNIMESH_POLICY_OPTIMAL ?
	       min_t(u32, c->locality, VNIMESH_TIERS - 1) : 0;
}

static u32 bucket_of(u32 l)
{
	u32 octave = fls(l) - 1;
	u32 quarter = octave >= 2 ? l >> (octave - 2) & 3 :
				    l << (2 - octave) & 3;

	return min_t(u32, octave * 4 + quarter, BUCKETS - 1);
}

/* The middle of the bucket. */
static u32 latency_of(u32 bucket)
{
	u32 octave = bucket / 4, eighth = bucket % 4 * 2 + 1;

	return (1u << octave) + (octave >= 3 ? eighth << (octave - 3) :
					       eighth >> (3 - octave));
}

/* Responses say more of a service than handshakes, which its kernel answers;
 * but a figure that few have is none to compare by.
 */
static void count_kind(struct count *count)
{
	u32 i, responses = 0, connects = 0;
	struct vnimesh_candidate c;

	for (i = 0; i < count->all->n; i++) {
		count->all->get(count->all->ctx, i, &c);
		if (!vnimesh_score_able(&c))
			continue;
		if (vnimesh_score_has(&c, VNIMESH_LATENCY_RESPONSE))
			responses++;
		else if (vnimesh_score_has(&c, VNIMESH_LATENCY_CONNECT))
			connects++;
	}
	count->view->kind = responses > connects ? VNIMESH_LATENCY_RESPONSE :
						   VNIMESH_LATENCY_CONNECT;
}

static void count_latency(struct count *count,
			  const struct vnimesh_candidate *c)
{
	u32 t = vnimesh_tier_of(c, count->all->policy);
	u32 l = c->stale ? 0 : vnimesh_score_known(c, count->view->kind);

	if (l)
		count->latency[t][bucket_of(l)]++;
}

static void count_one(struct count *count, const struct vnimesh_candidate *c)
{
	u32 t = vnimesh_tier_of(c, count->agg->policy);
	struct vnimesh_tier *tier = &count->agg->tier[t];

	if (c->weight && c->excluded != VNIMESH_EXCLUDE_FAMILY)
		tier->total += c->weight;
	if (!vnimesh_score_able(c))
		return;
	if (c->excluded == VNIMESH_EXCLUDE_EJECTED) {
		count->ejected++;
		count->ejected_weight[t] += c->weight;
		return;
	}
	count->eligible++;
	tier->healthy += c->weight * vnimesh_score_ramp(c) / 100;
	if (c->ramp < VNIMESH_RAMP_MS)
		count->agg->ramping = true;
	count_latency(count, c);
}

static void count_all(struct count *count)
{
	struct vnimesh_aggregate *agg = count->agg;
	struct vnimesh_candidate c;
	u32 i, t;

	for (i = 0; i < count->all->n; i++) {
		count->all->get(count->all->ctx, i, &c);
		count_one(count, &c);
	}
	agg->panic = vnimesh_panic(count->eligible, count->ejected);
	for (t = 0; agg->panic && t < VNIMESH_TIERS; t++)
		agg->tier[t].healthy += count->ejected_weight[t];
}

static u32 median(const u16 *latency)
{
	u32 all = 0, seen = 0, b;

	for (b = 0; b < BUCKETS; b++)
		all += latency[b];
	for (b = 0; b < BUCKETS && all; b++) {
		seen += latency[b];
		if (seen * 2 >= all)
			return latency_of(b);
	}
	return 0;
}

static void medians(struct count *count)
{
	u32 t;

	for (t = 0; t < VNIMESH_TIERS; t++)
		count->view->median[t] = median(count->latency[t]);
}

static u32 capacity(const struct vnimesh_tier *tier, u32 old)
{
	u64 c;

	if (!tier->healthy)
		return 0;
	c = div64_u64((u64)tier->healthy * VNIMESH_SHARE_ONE *
		      OVERPROVISION_NUM,
		      (u64)tier->total * OVERPROVISION_DEN);
	c = max_t(u64, c, 1);
	c = min_t(u64, c, VNIMESH_SHARE_ONE);
	/* Small changes do not move flows between zones; the ends count. */
	if (old && c < VNIMESH_SHARE_ONE &&
	    max_t(u32, c, old) - min_t(u32, c, old) < HYSTERESIS)
		return old;
	return c;
}

static void shares(struct vnimesh_aggregate *agg,
		   const struct vnimesh_aggregate *old)
{
	u32 left = VNIMESH_SHARE_ONE, given, t;

	for (t = 0; t < VNIMESH_TIERS; t++) {
		struct vnimesh_tier *tier = &agg->tier[t];

		tier->capacity = capacity(tier, old ? old->tier[t].capacity : 0);
		tier->share = min_t(u32, tier->capacity, left);
		left -= tier->share;
	}
	given = VNIMESH_SHARE_ONE - left;
	if (!given || !left)
		return;
	/* All tiers together are short: what is missing is shared alike. */
	for (t = 0; t < VNIMESH_TIERS; t++)
		agg->tier[t].share = div64_u64((u64)agg->tier[t].share *
					       VNIMESH_SHARE_ONE, given);
}

/* By counting: one pass for each of few keys that occur, of failover for the
 * first one that has anybody.
 */
static void arrange(const struct count *count, u16 *order)
{
	const struct vnimesh_candidates *all = count->all;
	struct vnimesh_aggregate *agg = count->agg;
	bool failover = agg->policy == VNIMESH_POLICY_FAILOVER;
	u32 key = 0, next, i;

	while (key != U32_MAX) {
		u32 t = failover ? 0 : key, from = agg->n;

		for (i = 0, next = U32_MAX; i < all->n; i++) {
			struct vnimesh_candidate c;
			u32 k;

			all->get(all->ctx, i, &c);
			if (!vnimesh_score_able(&c) ||
			    (c.excluded == VNIMESH_EXCLUDE_EJECTED &&
			     !agg->panic))
				continue;
			k = failover ? c.priority :
			    vnimesh_tier_of(&c, agg->policy);
			if (k > key)
				next = min_t(u32, next, k);
			/* Who changes between two passes is left out. */
			if (k == key && agg->n < all->n)
				order[agg->n++] = i;
		}
		agg->tier[t].first = from;
		agg->tier[t].n = agg->n - from;
		if (failover && agg->n)
			break;
		key = next;
	}
}

void vnimesh_aggregate(const struct vnimesh_candidates *all,
		       const struct vnimesh_aggregate *old, u16 *order,
		       struct vnimesh_aggregate *agg)
{
	struct count count = { .all = all, .agg = agg, .view = &agg->view };

	memset(agg, 0, sizeof(*agg));
	agg->policy = all->policy;
	if (old && old->policy != all->policy)
		old = NULL;
	count_kind(&count);
	count_all(&count);
	medians(&count);
	shares(agg, old);
	if (order)
		arrange(&count, order);
}

void vnimesh_aggregate_view(const struct vnimesh_candidates *all,
			    struct vnimesh_view *view)
{
	struct count count = { .all = all, .view = view };
	struct vnimesh_candidate c;
	u32 i;

	count_kind(&count);
	for (i = 0; i < all->n; i++) {
		all->get(all->ctx, i, &c);
		if (vnimesh_score_able(&c) &&
		    c.excluded != VNIMESH_EXCLUDE_EJECTED)
			count_latency(&count, &c);
	}
	medians(&count);
}
