/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a member's checks say about it: rise and fall, damping of one that
 * flaps, the moving average of the latency, the score, and when a change is
 * worth telling.
 *
 * Pure: no input or output, no clock. Time and randomness are arguments, so
 * that tests and simulations run this very file.
 */
#ifndef VNIMESHD_HEALTH_H
#define VNIMESHD_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_MAX		100
/* Results remembered for the score. */
#define HEALTH_WINDOW		16
/* An up member is never scored lower: 0 would exclude it. */
#define HEALTH_UP_MIN		10
/* A member without any result is checked within this time. */
#define HEALTH_FIRST_MAX_MS	200
#define HEALTH_INTERVAL_MIN_MS	20
/* Damping as of routes (RFC 2439): each fall costs, the sum halves in time;
 * from the upper mark on the member is held down until the lower one. Three
 * falls within seconds are too many, and what they cost is forgotten in a
 * minute.
 */
#define HEALTH_FALL_COST	1000
#define HEALTH_HOLD		2500
#define HEALTH_REUSE		1500
#define HEALTH_COST_MAX		6000
#define HEALTH_HALF_LIFE_US	30000000ULL

struct health_conf {
	uint32_t interval_ms;
	uint32_t timeout_ms;
	uint32_t rise;		/* 1.. successes in a row make it up */
	uint32_t fall;		/* 1.. failures in a row make it down */
	bool no_damping;
};

enum health_result {
	HEALTH_PASS,
	HEALTH_WARN,		/* a success that costs score */
	HEALTH_FAIL,
	HEALTH_DEFINITE,	/* refused: nothing to wait for, fall is 1 */
	HEALTH_NOTHING,		/* says nothing: never fed */
};

struct health {
	bool known;		/* a result, or a state from an earlier run */
	bool up;		/* for the others: @raw and not @held */
	bool raw;		/* by rise and fall alone */
	bool held;		/* it flapped, and is down until it is calm */
	uint32_t cost;		/* of its falls, as of @cost_us */
	uint64_t cost_us;
	uint32_t streak;	/* results in a row that contradict @raw */
	uint32_t window;	/* last results, newest in bit 0, 1: pass */
	uint32_t n;		/* bits of @window that count */
	uint32_t latency_us;	/* 0: never measured */
	/* as told last */
	bool told;
	bool told_up;
	uint32_t told_score;
	uint32_t told_latency_us;
};

/* Moving average with 0.5 upwards and 0.3 downwards: bad news counts more.
 * @old 0 means none yet. The result is at least 1.
 */
uint32_t ewma(uint32_t old, uint32_t sample);

/* Whether @new differs from @old by 12.5 % of @old or more. */
bool ewma_moved(uint32_t old, uint32_t new);

/* Start without knowledge: down until the first result, which decides alone. */
void health_init(struct health *h);

/* Start from what was told in an earlier run: that holds until contradicted
 * as usual, so that a restart of the agent moves nothing.
 */
void health_resume(struct health *h, bool up, uint32_t score,
		   uint32_t latency_us);

/* Feed one result; @latency_us 0: not measured. True when up/down changed. */
bool health_feed(struct health *h, const struct health_conf *conf,
		 enum health_result result, uint32_t latency_us,
		 uint64_t now_us);

/* Milliseconds until a member that is held down and calm comes back. */
uint32_t health_held_ms(const struct health *h, uint64_t now_us);

/* Down by other means (no device to check through); the next result decides
 * alone. True when up/down changed.
 */
bool health_lost(struct health *h);

/* 0 when down, else HEALTH_UP_MIN to HEALTH_MAX by the recent successes. */
uint32_t health_score(const struct health *h);

/* Whether the state or figures moved enough since health_told(). */
bool health_news(const struct health *h);
void health_told(struct health *h);

/* Milliseconds until the next check, @rnd uniform: the interval +-10 %, a
 * quarter of it while the state is being contradicted, soon at first.
 */
uint32_t health_delay(const struct health *h, const struct health_conf *conf,
		      uint32_t rnd);

#endif
