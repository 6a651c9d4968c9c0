// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs, nonces and sequences of one other agent. */

#include <string.h>

#include "peer_session.h"

#define MILLION	1000000ULL

void peer_bucket_init(struct peer_bucket *b, uint32_t rate, uint32_t burst,
		      uint64_t now_us)
{
	b->rate = rate;
	b->burst = burst;
	b->left = burst * MILLION;
	b->at_us = now_us;
}

bool peer_bucket_take(struct peer_bucket *b, uint64_t now_us)
{
	uint64_t past = now_us > b->at_us ? now_us - b->at_us : 0;

	/* Longer ones fill it anyway; the product must not wrap. */
	if (past > MILLION * (b->burst / b->rate + 1))
		past = MILLION * (b->burst / b->rate + 1);
	b->left += past * b->rate;
	if (b->left > b->burst * MILLION)
		b->left = b->burst * MILLION;
	b->at_us = now_us;
	if (b->left < MILLION)
		return false;
	b->left -= MILLION;
	return true;
}

static bool is_past(const struct peer_session *s, uint64_t epoch)
{
	unsigned int i;

	for (i = 0; i < PEER_PAST; i++)
		if (s->past[i] == epoch)
			return true;
	return false;
}

static bool was_seen(const struct peer_session *s, uint64_t seq)
{
	return s->seen[seq / 64 % (PEER_WINDOW / 64)] >> seq % 64 & 1;
}

enum peer_judgement peer_session_judge(const struct peer_session *s,
				       uint64_t epoch, uint64_t seq)
{
	/* 0 stands for none in our own fields. */
	if (!epoch || !seq || is_past(s, epoch))
		return PEER_OVER;
	if (epoch != s->epoch)
		return PEER_UNPROVEN;
	if (seq > s->top)
		return PEER_FRESH;
	if (s->top - seq >= PEER_WINDOW - 64 || was_seen(s, seq))
		return PEER_REPLAYED;
	return PEER_FRESH;
}

void peer_session_seen(struct peer_session *s, uint64_t seq)
{
	uint64_t word;

	if (seq > s->top) {
		/* Clear what the window moves over, whole words of it. */
		word = s->top / 64 + 1;
		if (seq / 64 - s->top / 64 >= PEER_WINDOW / 64)
			memset(s->seen, 0, sizeof(s->seen));
		else
			for (; word <= seq / 64; word++)
				s->seen[word % (PEER_WINDOW / 64)] = 0;
		s->top = seq;
	}
	s->seen[seq / 64 % (PEER_WINDOW / 64)] |= 1ULL << seq % 64;
}

bool peer_session_echoed(const struct peer_session *s,
			 const uint8_t echo[PEER_NONCE], uint64_t now_us)
{
	const struct peer_nonce *n;
	unsigned int i;

	for (i = 0; i < PEER_NONCES; i++) {
		n = &s->nonces[i];
		if (n->at_us && now_us < n->at_us + PEER_NONCE_US &&
		    !sodium_memcmp(n->v, echo, PEER_NONCE))
			return true;
	}
	return false;
}

void peer_session_accept(struct peer_session *s, uint64_t epoch, uint64_t seq)
{
	if (s->epoch)
		s->past[s->n_past++ % PEER_PAST] = s->epoch;
	s->epoch = epoch;
	s->top = seq ? seq - 1 : 0;
	memset(s->seen, 0xff, sizeof(s->seen));
	/* Of the word that @top is in, what comes after it. */
	s->seen[s->top / 64 % (PEER_WINDOW / 64)] = (2ULL << s->top % 64) - 1;
}

const uint8_t *peer_session_nonce(struct peer_session *s,
				  const uint8_t rnd[PEER_NONCE],
				  uint64_t now_us)
{
	struct peer_nonce *n = s->nonces;

	if (!n->at_us || now_us >= n->at_us + PEER_NONCE_US / 2) {
		n[1] = n[0];
		memcpy(n->v, rnd, PEER_NONCE);
		n->at_us = now_us ? now_us : 1;
	}
	return n->v;
}
