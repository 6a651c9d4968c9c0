// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an agent makes of the results of checks, and of echoes: part of agent_unit.
 */

#include "agent_unit.h"
#include "health.h"
#include "reach.h"
#include "tap.h"

#define MS	1000ULL

/* ---- health ---- */

static const struct health_conf conf = {
	.interval_ms = 1000, .timeout_ms = 500, .rise = 3, .fall = 2,
	.no_damping = true,
};

static void test_health_states(void)
{
	struct health h;

	health_init(&h);
	ok(!h.up && health_news(&h), "a new member is down, and that is news");
	health_told(&h);
	ok(health_feed(&h, &conf, HEALTH_PASS, 100, 0) && h.up,
	   "the first result decides alone");
	ok(!health_feed(&h, &conf, HEALTH_FAIL, 0, 0) && h.up,
	   "one failure of two is not down");
	ok(!health_feed(&h, &conf, HEALTH_PASS, 100, 0) &&
	   !health_feed(&h, &conf, HEALTH_FAIL, 0, 0) && h.up,
	   "a success between failures starts the count anew");
	ok(health_feed(&h, &conf, HEALTH_FAIL, 0, 0) && !h.up,
	   "fall failures in a row are down");
	ok(health_score(&h) == 0, "down scores 0");
	ok(!health_feed(&h, &conf, HEALTH_PASS, 100, 0) &&
	   !health_feed(&h, &conf, HEALTH_PASS, 100, 0) && !h.up,
	   "fewer than rise successes are not up");
	ok(health_feed(&h, &conf, HEALTH_PASS, 100, 0) && h.up,
	   "rise successes in a row are up");
	ok(health_score(&h) == HEALTH_MAX, "back up scores in full");
	ok(health_feed(&h, &conf, HEALTH_DEFINITE, 0, 0) && !h.up,
	   "a refused connection is down at once");
	ok(!health_feed(&h, &conf, HEALTH_DEFINITE, 0, 0), "and stays so");
}

static void test_health_restart(void)
{
	struct health h;

	health_resume(&h, true, 100, 5000);
	ok(h.up && h.latency_us == 5000 && health_score(&h) == 100,
	   "a restart goes on with what was told");
	ok(!health_feed(&h, &conf, HEALTH_FAIL, 0, 0) && h.up,
	   "and needs fall failures to be contradicted");
	ok(health_lost(&h) && !h.up && !health_lost(&h),
	   "without a device it is down, once");
	ok(health_feed(&h, &conf, HEALTH_PASS, 1, 0) && h.up,
	   "the first result after that decides alone");
	health_resume(&h, true, 50, 0);
	ok(health_score(&h) == 50, "a partial score survives a restart");
	health_resume(&h, false, 0, 0);
	ok(!h.up && !health_feed(&h, &conf, HEALTH_PASS, 1, 0) && !h.up,
	   "down survives it too");
}

static void test_ewma(void)
{
	uint32_t v = ewma(0, 1000);

	ok(v == 1000, "the first sample is the average");
	ok(ewma(1000, 2000) == 1500, "upwards by half");
	ok(ewma(1000, 0) == 700, "downwards by 0.3");
	ok(ewma(1, 0) == 1 && ewma(0, 0) == 1, "never 0, which is unknown");
	ok(ewma(UINT32_MAX, UINT32_MAX) == UINT32_MAX &&
	   ewma(1, UINT32_MAX) > UINT32_MAX / 2 - 1, "no overflow");
	ok(!ewma_moved(800, 899) && ewma_moved(800, 900), "12.5 % up is news");
	ok(!ewma_moved(800, 701) && ewma_moved(800, 700),
	   "12.5 % down is news");
	ok(ewma_moved(0, 1) && !ewma_moved(0, 0), "the first figure is news");
}

static void test_health_news(void)
{
	struct health h;
	int i;

	health_init(&h);
	for (i = 0; i < 20; i++)
		health_feed(&h, &conf, HEALTH_PASS, 1000, 0);
	health_told(&h);
	ok(!health_news(&h), "nothing new right after telling");
	health_feed(&h, &conf, HEALTH_PASS, 1100, 0);
	ok(!health_news(&h), "5 % more latency is not news");
	health_feed(&h, &conf, HEALTH_PASS, 1600, 0);
	ok(health_news(&h), "a third more is");
	health_told(&h);
	health_feed(&h, &conf, HEALTH_FAIL, 0, 0);
	ok(!health_news(&h) && health_score(&h) == 93,
	   "one failure of 16 scores 93, and is not news");
	health_feed(&h, &conf, HEALTH_PASS, 0, 0);
	health_feed(&h, &conf, HEALTH_FAIL, 0, 0);
	ok(health_news(&h), "two are");
	health_told(&h);
	for (i = 0; i < 20; i++)
		health_feed(&h, &conf, HEALTH_PASS, 0, 0);
	ok(health_news(&h) && health_score(&h) == 100, "recovery is");
	health_told(&h);
	health_feed(&h, &conf, HEALTH_DEFINITE, 0, 0);
	ok(health_news(&h), "and so is the state");
}

static void test_health_times(void)
{
	struct health h;
	uint32_t rnd, d, min = UINT32_MAX, max = 0;

	health_init(&h);
	for (rnd = 0; rnd < 5000; rnd++) {
		d = health_delay(&h, &conf, rnd);
		max = d > max ? d : max;
	}
	ok(max <= HEALTH_FIRST_MAX_MS, "the first check comes soon");
	health_feed(&h, &conf, HEALTH_PASS, 1, 0);
	max = 0;
	for (rnd = 0; rnd < 5000; rnd++) {
		d = health_delay(&h, &conf, rnd);
		max = d > max ? d : max;
		min = d < min ? d : min;
	}
	ok(min == 900 && max == 1100, "the interval jitters by 10 %");
	health_feed(&h, &conf, HEALTH_FAIL, 0, 0);
	ok(health_delay(&h, &conf, 0) == 225, "undecided is four times faster");
}

/* ---- reach ---- */

static void test_reach_states(void)
{
	struct reach r;
	uint16_t seq[16];
	uint64_t t = 0;
	int i;

	reach_init(&r);
	for (i = 0; i < 10; i++, t += 300 * MS)
		ok(!reach_send(&r, 3, t, &seq[0]) && r.state == REACH_UNKNOWN,
		   "a node that never answered is unknown");
	ok(reach_answer(&r, seq[0], t) && r.state == REACH_UP,
	   "the first answer makes it known");
	ok(!reach_answer(&r, seq[0], t), "a duplicate says nothing");
	for (i = 0; i < 3; i++, t += 300 * MS)
		ok(!reach_send(&r, 3, t, &seq[i]), "three echoes out: wait");
	ok(reach_send(&r, 3, t, &seq[3]) && r.state == REACH_DOWN,
	   "three lost: down");
	ok(!reach_send(&r, 3, t, &seq[4]), "and told once");
	ok(reach_answer(&r, seq[4], t + 1) && r.state == REACH_UP,
	   "one answer: up");
}

static void test_reach_overdue(void)
{
	uint64_t t = 300 * MS;
	struct reach r;
	uint16_t seq;
	int i;

	reach_init(&r);
	reach_send(&r, 3, 0, &seq);
	reach_answer(&r, seq, MS);
	for (i = 0; i < 2; i++, t += 300 * MS) {
		reach_send(&r, 3, t, &seq);
		ok(reach_verdict_us(&r, 3, 300) == UINT64_MAX &&
		   !reach_overdue(&r, 3, 300, t + 299 * MS),
		   "fewer than three lost: never overdue");
	}
	reach_send(&r, 3, t, &seq);
	ok(reach_verdict_us(&r, 3, 300) == t + 25 * MS,
	   "the third is waited for by a twelfth of the interval");
	ok(!reach_overdue(&r, 3, 300, t + 25 * MS - 1) && r.state == REACH_UP,
	   "and no less");
	ok(reach_overdue(&r, 3, 300, t + 25 * MS) && r.state == REACH_DOWN,
	   "then it is down, below a second after the last answer");
	ok(!reach_overdue(&r, 3, 300, t + 60 * MS), "and told once");
	ok(!reach_send(&r, 3, t + 300 * MS, &seq), "also by the next echo");

	reach_init(&r);
	for (i = 0, t = 0; i < 4; i++, t += 300 * MS) {
		reach_send(&r, 3, t, &seq);
		if (!i)
			reach_answer(&r, seq, 20 * MS);
	}
	ok(reach_verdict_us(&r, 3, 300) == 900 * MS + 80 * MS,
	   "where answers take 20 ms, by four of those");
	r.rtt_us = 75 * MS;
	ok(reach_verdict_us(&r, 3, 300) == UINT64_MAX &&
	   reach_send(&r, 3, t, &seq),
	   "on a slow path until the next echo");
}

/* @n rounds in which echoes are answered at once, those of full size if @full.
 * True: it went down by that.
 */
static bool narrow_rounds(struct reach *r, int n, bool full, bool *up)
{
	static uint64_t t;
	bool down = false, narrowed, large;
	uint16_t seq;

	for (; n; n--, t += 300 * MS) {
		down |= reach_send(r, 3, t, &seq);
		large = reach_full(r, 3, &narrowed);
		down |= narrowed;
		if (!large || full)
			*up |= reach_answer(r, seq, t + MS);
	}
	return down;
}

static void test_reach_full(void)
{
	struct reach r;
	bool up = false;

	reach_init(&r);
	ok(!narrow_rounds(&r, 100, false, &up) && r.state == REACH_UP,
	   "a path on which full size never went is used as it is");
	reach_init(&r);
	up = false;
	narrow_rounds(&r, 10, true, &up);
	ok(up && r.full_ok, "echoes of full size are answered");
	ok(!narrow_rounds(&r, 2 * REACH_FULL_EVERY, false, &up),
	   "two of them lost are none too many");
	ok(!narrow_rounds(&r, REACH_FULL_EVERY, true, &up) && !r.full_lost,
	   "one answered starts the count anew");
	ok(narrow_rounds(&r, 4 * REACH_FULL_EVERY, false, &up) &&
	   r.state == REACH_DOWN && r.narrow,
	   "three lost, while small ones are answered: down");
	up = false;
	ok(!narrow_rounds(&r, 20, false, &up) && !up && r.state == REACH_DOWN,
	   "small ones do not bring it back");
	narrow_rounds(&r, 1, true, &up);
	ok(up && r.state == REACH_UP, "the first of full size does");
}

static void test_reach_slow(void)
{
	uint64_t sent[64];
	struct reach r;
	bool down = false;
	uint16_t seq;
	int i;

	/* A round trip longer than two intervals. */
	reach_init(&r);
	for (i = 0; i < 60; i++) {
		down |= reach_send(&r, 3, i * 300 * MS, &seq);
		sent[i] = seq;
		if (i >= 2)
			reach_answer(&r, sent[i - 2], i * 300 * MS + 50 * MS);
	}
	ok(!down && r.state == REACH_UP, "slow is not lost");
	ok(r.rtt_us == 650 * MS, "and its round trip is right");
	ok(!reach_answer(&r, seq - 20, 60 * 300 * MS),
	   "an answer older than the ring says nothing");
	ok(!reach_answer(&r, seq + 1, 60 * 300 * MS),
	   "nor one to an echo that was never sent");
}

static void test_reach_late(void)
{
	struct reach r;
	uint16_t seq;
	int i;

	reach_init(&r);
	reach_send(&r, 3, 0, &seq);
	reach_answer(&r, seq, 1000);
	for (i = 1; i < 4; i++)
		reach_send(&r, 3, i * 300 * MS, &seq);
	ok(!reach_late(1200 * MS, 1400 * MS, 300), "200 ms late is harmless");
	ok(reach_late(1200 * MS, 9000 * MS, 300), "8 s late is a stop");
	reach_forgive(&r);
	i = r.rtt_us;
	reach_send(&r, 3, 8000 * MS, &seq);
	reach_answer(&r, seq, 7000 * MS);
	ok(i && r.rtt_us == (uint32_t)i && !r.unanswered,
	   "an answer that came before its question has no round trip");
	ok(!reach_send(&r, 3, 9000 * MS, &seq) && r.state == REACH_UP,
	   "a stop of this process loses no node");
	ok(reach_answer(&r, seq - 1, 9000 * MS) == false &&
	   r.state == REACH_UP, "an answer from before the stop counts");
	for (i = 0; i < 2; i++)
		reach_send(&r, 3, (9300 + i * 300) * MS, &seq);
	ok(reach_send(&r, 3, 10000 * MS, &seq), "a real loss after it counts");

	reach_resume(&r, true, 500);
	ok(r.state == REACH_DOWN, "a dead node stays dead over a restart");
	reach_resume(&r, false, 500);
	for (i = 0; i < 3; i++)
		reach_send(&r, 3, i * 300 * MS, &seq);
	ok(reach_send(&r, 3, 900 * MS, &seq), "a known one can die after it");
}

static void test_reach_cost(void)
{
	struct reach r;

	ok(reach_interval_ms(300, 10) == 300, "few nodes: the interval");
	ok(reach_interval_ms(300, 3000) == 3000, "many: a bounded rate");
	reach_init(&r);
	r.rtt_us = 1000;
	ok(reach_latency_news(&r) && !reach_latency_news(&r),
	   "a latency is told once");
	r.rtt_us = 1100;
	ok(!reach_latency_news(&r), "not when it moved by 10 %");
	r.rtt_us = 1125;
	ok(reach_latency_news(&r), "but by 12.5 %");
}

void test_health(void)
{
	test_health_states();
	test_health_restart();
	test_ewma();
	test_health_news();
	test_health_times();
}

void test_reach(void)
{
	test_reach_states();
	test_reach_overdue();
	test_reach_full();
	test_reach_slow();
	test_reach_late();
	test_reach_cost();
}
