// SPDX-License-Identifier: GPL-2.0-only
#include "evidence.h"

#define SHIFT_MAX	16	/* more doublings than any cap needs */

static u32 clean_ms(const struct vnimesh_evidence *e, u64 now)
{
	u64 ms = now > e->last ? now - e->last : 0;

	return ms < ~0U ? (u32)ms : ~0U;
}

static u8 doublings(const struct vnimesh_evidence *e, u64 now)
{
	u32 less = clean_ms(e, now) / VNIMESH_EVIDENCE_DECAY;

	return e->n > less ? e->n - less : 0;
}

/* Its penalty still runs. */
static bool serves(const struct vnimesh_evidence *e, u64 now)
{
	return e->standing == VNIMESH_STANDING_OUT && now < e->until;
}

enum vnimesh_standing vnimesh_evidence_ask(const struct vnimesh_evidence *e,
					   u64 now)
{
	if (e->standing == VNIMESH_STANDING_IN)
		return VNIMESH_STANDING_IN;
	return now < e->until ? VNIMESH_STANDING_OUT : VNIMESH_STANDING_TRIAL;
}

void vnimesh_evidence_claim(struct vnimesh_evidence *e, u64 now)
{
	e->standing = VNIMESH_STANDING_TRIAL;
	e->until = now + VNIMESH_TRIAL_PATIENCE;
}

bool vnimesh_evidence_bad(struct vnimesh_evidence *e, u8 weight, u64 sent,
			  u64 now)
{
	/* Flows from before the penalty fail late, and those that went there
	 * because too many are out; they say nothing new.
	 */
	if (e->standing != VNIMESH_STANDING_IN &&
	    (sent <= e->out || serves(e, now)))
		return false;
	if (e->standing == VNIMESH_STANDING_IN &&
	    clean_ms(e, now) > VNIMESH_EVIDENCE_KEEP) {
		e->connect = 0;
		e->early = 0;
	}
	e->n = doublings(e, now);
	e->last = now;
	if (weight == VNIMESH_EVIDENCE_RESET)
		e->early += e->early < VNIMESH_EVIDENCE_LIMIT;
	else if (e->connect < VNIMESH_EVIDENCE_LIMIT)
		e->connect += weight;
	return e->standing != VNIMESH_STANDING_IN ||
	       e->connect + e->early >= VNIMESH_EVIDENCE_LIMIT;
}

u32 vnimesh_evidence_eject(struct vnimesh_evidence *e, u64 now, u32 max,
			   u32 random)
{
	u64 ms = (u64)VNIMESH_PENALTY_BASE << e->n;

	if (ms > max)
		ms = max;
	/* U(0.5, 1.5) */
	ms = ms / 2 + ((ms * random) >> 32);
	if (e->n < SHIFT_MAX)
		e->n++;
	e->standing = VNIMESH_STANDING_OUT;
	e->out = now;
	e->until = now + ms;
	/* From here on it is clean, unless something else comes. */
	e->last = e->until;
	return ms;
}

bool vnimesh_evidence_good(struct vnimesh_evidence *e, bool byte, u64 now)
{
	bool back = e->standing != VNIMESH_STANDING_IN;

	/* An answer to what was sent before the penalty. */
	if (serves(e, now))
		return false;
	e->connect = 0;
	if (byte)
		e->early = 0;
	if (back)
		e->standing = VNIMESH_STANDING_IN;
	return back;
}

bool vnimesh_evidence_clean(const struct vnimesh_evidence *e, u64 now)
{
	if (e->standing == VNIMESH_STANDING_TRIAL && now < e->until)
		return false;
	if (clean_ms(e, now) <= VNIMESH_EVIDENCE_KEEP)
		return e->standing == VNIMESH_STANDING_IN && !e->connect &&
		       !e->early && !e->n;
	/* Nobody tried it for long: that is forgotten, too. */
	return !doublings(e, now);
}

bool vnimesh_vote_cast(struct vnimesh_vote *v, u32 client, bool first, u64 now)
{
	if (!v->client || now > v->at + VNIMESH_VOTE_KEEP) {
		v->client = client;
		v->at = now;
		return false;
	}
	if (v->client == client ||
	    (first && now < v->at + VNIMESH_VOTE_SETTLE))
		return false;
	v->client = 0;
	return true;
}

void vnimesh_vote_withdraw(struct vnimesh_vote *v)
{
	v->client = 0;
}

bool vnimesh_vote_pending(const struct vnimesh_vote *v, u64 now)
{
	return v->client && now <= v->at + VNIMESH_VOTE_KEEP;
}
