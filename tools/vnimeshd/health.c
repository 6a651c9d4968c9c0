// SPDX-License-Identifier: GPL-2.0-or-later
/* What a member's checks say about it. */

#include <string.h>

#include "health.h"

uint32_t ewma(uint32_t old, uint32_t sample)
{
	uint64_t v;

	if (!old)
		v = sample;
	else if (sample > old)
		v = old + (sample - (uint64_t)old) / 2;
	else
		v = old - (old - (uint64_t)sample) * 3 / 10;
	return v ? v : 1;
}

bool ewma_moved(uint32_t old, uint32_t new)
{
	uint32_t d = new > old ? new - old : old - new;

	return new != old && (uint64_t)d * 8 >= old;
}

void health_init(struct health *h)
{
	memset(h, 0, sizeof(*h));
}

void health_resume(struct health *h, bool up, uint32_t score,
		   uint32_t latency_us)
{
	health_init(h);
	h->known = true;
	h->up = up;
	h->raw = up;
	h->latency_us = latency_us;
	/* As many passes in the window as the score stood for. */
	h->n = HEALTH_WINDOW;
	if (score >= HEALTH_MAX)
		h->window = (1U << HEALTH_WINDOW) - 1;
	else
		h->window = (1U << (score * HEALTH_WINDOW / HEALTH_MAX)) - 1;
}

static void remember(struct health *h, bool pass)
{
	h->window = (h->window << 1 | pass) & ((1U << HEALTH_WINDOW) - 1);
	if (h->n < HEALTH_WINDOW)
		h->n++;
}

/* @cost after @us: halved for each half-life, straight in between. */
static uint32_t decayed(uint32_t cost, uint64_t us)
{
	uint64_t n = us / HEALTH_HALF_LIFE_US;

	if (n > 31)
		return 0;
	cost >>= n;
	return cost - (uint64_t)cost * (us % HEALTH_HALF_LIFE_US) /
		      (2 * HEALTH_HALF_LIFE_US);
}

static uint32_t cost_now(const struct health *h, uint64_t now_us)
{
	return now_us > h->cost_us ? decayed(h->cost, now_us - h->cost_us) :
				     h->cost;
}

uint32_t health_held_ms(const struct health *h, uint64_t now_us)
{
	uint32_t cost = cost_now(h, now_us);
	uint64_t us = 0;

	if (!h->held)
		return 0;
	for (; cost > 2 * HEALTH_REUSE; cost /= 2)
		us += HEALTH_HALF_LIFE_US;
	if (cost > HEALTH_REUSE)
		us += (cost - HEALTH_REUSE) * 2 * HEALTH_HALF_LIFE_US / cost;
	return us / 1000;
}

static void pay(struct health *h, uint64_t now_us)
{
	h->cost = cost_now(h, now_us) + HEALTH_FALL_COST;
	if (h->cost > HEALTH_COST_MAX)
		h->cost = HEALTH_COST_MAX;
	h->cost_us = now_us;
	if (h->cost >= HEALTH_HOLD)
		h->held = true;
}

static void turn(struct health *h, bool up)
{
	h->raw = up;
	h->streak = 0;
	/* The score of a member that came back is not that of its fall. */
	h->window = up;
	h->n = 1;
}

/* What others are told follows, unless it flaps. */
static bool settle(struct health *h, const struct health_conf *conf,
		   uint64_t now_us)
{
	bool was = h->up;

	if (conf->no_damping || cost_now(h, now_us) <= HEALTH_REUSE)
		h->held = false;
	h->up = h->raw && !h->held;
	return h->up != was;
}

bool health_feed(struct health *h, const struct health_conf *conf,
		 enum health_result result, uint32_t latency_us,
		 uint64_t now_us)
{
	bool pass = result == HEALTH_PASS || result == HEALTH_WARN;

	if (pass && latency_us)
		h->latency_us = ewma(h->latency_us, latency_us);
	remember(h, result == HEALTH_PASS);

	if (pass == h->raw) {
		h->known = true;
		h->streak = 0;
		return settle(h, conf, now_us);
	}
	h->streak++;
	/* The first result decides alone. */
	if (h->known && (pass ? h->streak < conf->rise :
			 result == HEALTH_FAIL && h->streak < conf->fall))
		return settle(h, conf, now_us);
	h->known = true;
	turn(h, pass);
	if (!pass)
		pay(h, now_us);
	return settle(h, conf, now_us);
}

bool health_lost(struct health *h)
{
	bool was = h->up;

	h->known = false;
	h->streak = 0;
	h->up = false;
	if (h->raw)
		turn(h, false);
	return was;
}

uint32_t health_score(const struct health *h)
{
	uint32_t score;

	if (!h->up)
		return 0;
	if (!h->n)
		return HEALTH_MAX;
	score = __builtin_popcount(h->window) * HEALTH_MAX / h->n;
	return score < HEALTH_UP_MIN ? HEALTH_UP_MIN : score;
}

bool health_news(const struct health *h)
{
	uint32_t score = health_score(h);
	uint32_t d;

	if (!h->told || h->told_up != h->up)
		return true;
	if (!h->up)
		return false;
	/* One failure of the window is not worth a message, a recovered
	 * member is.
	 */
	d = score > h->told_score ? score - h->told_score :
				    h->told_score - score;
	if (d * 8 >= HEALTH_MAX || (d && score == HEALTH_MAX))
		return true;
	return ewma_moved(h->told_latency_us, h->latency_us);
}

void health_told(struct health *h)
{
	h->told = true;
	h->told_up = h->up;
	h->told_score = health_score(h);
	h->told_latency_us = h->latency_us;
}

uint32_t health_delay(const struct health *h, const struct health_conf *conf,
		      uint32_t rnd)
{
	uint32_t ms = conf->interval_ms;

	if (!h->n) {
		uint32_t max = ms < HEALTH_FIRST_MAX_MS ? ms :
							  HEALTH_FIRST_MAX_MS;

		return rnd % (max + 1);
	}
	if (h->streak || !h->known)
		ms /= 4;
	if (ms < HEALTH_INTERVAL_MIN_MS)
		ms = HEALTH_INTERVAL_MIN_MS;
	return ms - ms / 10 + rnd % (ms / 5 + 1);
}
