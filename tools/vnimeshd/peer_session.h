/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes a datagram of one other agent count: that it is of the run of
 * the agent that lives now, and that it was not seen before.
 *
 * A run is a random epoch. A new one is accepted only with an echo of a nonce
 * that we made a moment ago, so that what was recorded of an earlier run, or
 * before we started, is worth nothing; no clock but the loop's enters. A run
 * that was followed by another never comes back.
 *
 * Pure: time and randomness are arguments.
 */
#ifndef VNIMESHD_PEER_SESSION_H
#define VNIMESHD_PEER_SESSION_H

#include "peer_wire.h"

/* Datagrams that may overtake each other. */
#define PEER_WINDOW		1024
/* Runs remembered as over. */
#define PEER_PAST		8
/* A nonce is good for so long. An attacker may take less time with what he
 * holds back, but what he holds is then as fresh.
 */
#define PEER_NONCE_US		5000000ULL
/* After half of that there is a new one, and both are good. */
#define PEER_NONCES		2

/* So many at once, and so many a second after. */
struct peer_bucket {
	uint32_t rate, burst;
	uint64_t left;		/* millionths */
	uint64_t at_us;
};

void peer_bucket_init(struct peer_bucket *b, uint32_t rate, uint32_t burst,
		      uint64_t now_us);
bool peer_bucket_take(struct peer_bucket *b, uint64_t now_us);

struct peer_nonce {
	uint8_t v[PEER_NONCE];
	uint64_t at_us;		/* 0: none */
};

struct peer_session {
	uint64_t epoch;		/* of the run that is accepted, 0: none */
	uint64_t top;		/* highest sequence that was seen in it */
	uint64_t seen[PEER_WINDOW / 64];
	uint64_t past[PEER_PAST];
	unsigned int n_past;
	struct peer_nonce nonces[PEER_NONCES]; /* ours, newest first */
};

enum peer_judgement {
	PEER_FRESH,		/* accepted run, new sequence */
	PEER_REPLAYED,
	PEER_UNPROVEN,		/* another run, nothing says that it lives */
	PEER_OVER,		/* a run that another one followed */
};

/* For a datagram whose seal is right. */
enum peer_judgement peer_session_judge(const struct peer_session *s,
				       uint64_t epoch, uint64_t seq);
/* It was taken: never again. */
void peer_session_seen(struct peer_session *s, uint64_t seq);

/* Whether @echo is one of our nonces, and fresh. */
bool peer_session_echoed(const struct peer_session *s,
			 const uint8_t echo[PEER_NONCE], uint64_t now_us);

/* Accept @epoch, which came with such an echo in the datagram @seq; what was
 * sent before that one does not count any more.
 */
void peer_session_accept(struct peer_session *s, uint64_t epoch, uint64_t seq);

/* The nonce to send now; made of @rnd when the last one is too old. */
const uint8_t *peer_session_nonce(struct peer_session *s,
				  const uint8_t rnd[PEER_NONCE],
				  uint64_t now_us);

#endif
