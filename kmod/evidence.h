/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Evidence against a member and the penalty that it leads to: pure arithmetic,
 * with time and randomness as arguments.
 *
 * What fails a connection adds its weight to a sum, what goes well clears it.
 * At VNIMESH_EVIDENCE_LIMIT the member is out for a penalty that doubles each
 * time and is spread by half to either side, so that hosts do not come back as
 * one. Then one trial flow may go to it: an answer ends the matter, another
 * failure begins the next penalty at once.
 *
 * A client can make its own connections fail. So one client's word is a vote,
 * and it takes a second client's to hold something against the member for all.
 */
#ifndef _VNIMESH_EVIDENCE_H
#define _VNIMESH_EVIDENCE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stdint.h>
typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;
#endif

#define VNIMESH_EVIDENCE_LIMIT	3

/* Weights. One refusal is enough, and two SYNs without an answer; a reset
 * before the first byte may be the application's own opinion of one client.
 */
#define VNIMESH_EVIDENCE_REFUSED	3	/* RST, or ICMP, to a SYN */
#define VNIMESH_EVIDENCE_SILENT		2	/* SYN unanswered in time */
#define VNIMESH_EVIDENCE_RESET		1	/* RST before the first byte */

#define VNIMESH_EVIDENCE_KEEP	30000	/* ms that evidence counts */
#define VNIMESH_EVIDENCE_DECAY	30000	/* ms clean for one doubling less */
#define VNIMESH_PENALTY_BASE	1000	/* ms */
#define VNIMESH_TRIAL_PATIENCE	3000	/* ms: above SYN timeouts of 1 s */

enum vnimesh_standing {
	VNIMESH_STANDING_IN,
	VNIMESH_STANDING_OUT,
	VNIMESH_STANDING_TRIAL,		/* one flow is to show it */
};

struct vnimesh_evidence {
	u64 until;	/* ms: OUT: of the penalty; TRIAL: of patience */
	u64 out;	/* ms: when that penalty began */
	u64 last;	/* ms of the last evidence, or end of penalty */
	u8 connect;	/* sum: of SYNs */
	u8 early;	/* sum: of resets before the first byte */
	u8 n;		/* doublings */
	u8 standing;	/* enum vnimesh_standing */
};

/* May a flow go there? IN, OUT, or TRIAL: one may, by claim. */
enum vnimesh_standing vnimesh_evidence_ask(const struct vnimesh_evidence *e,
					   u64 now);
/* After TRIAL was the answer. */
void vnimesh_evidence_claim(struct vnimesh_evidence *e, u64 now);

/* Adds @weight. @sent: when the flow went there. True: it is due to be put out,
 * by vnimesh_evidence_eject() or, if that must not be, later.
 */
bool vnimesh_evidence_bad(struct vnimesh_evidence *e, u8 weight, u64 sent,
			  u64 now);
/* A penalty of at most @max ms. Returns its length, in ms. */
u32 vnimesh_evidence_eject(struct vnimesh_evidence *e, u64 now, u32 max,
			   u32 random);

/* It answered a SYN or, if @byte, sent the first byte. True: it is in again. */
bool vnimesh_evidence_good(struct vnimesh_evidence *e, bool byte, u64 now);
/* Nothing is left in it that matters. */
bool vnimesh_evidence_clean(const struct vnimesh_evidence *e, u64 now);

#define VNIMESH_VOTE_KEEP	30000	/* ms that a first vote counts */
#define VNIMESH_VOTE_SETTLE	1000	/* ms in which others may contradict */

struct vnimesh_vote {
	u64 at;		/* ms */
	u32 client;	/* whose it is; 0: none */
};

/* @client has put the member out for itself. @first: it is in for the others;
 * then they have some time to show that it answers them. True: another client
 * had done so before.
 */
bool vnimesh_vote_cast(struct vnimesh_vote *v, u32 client, bool first, u64 now);
/* Somebody was answered. */
void vnimesh_vote_withdraw(struct vnimesh_vote *v);
bool vnimesh_vote_pending(const struct vnimesh_vote *v, u64 now);

#endif /* _VNIMESH_EVIDENCE_H */
