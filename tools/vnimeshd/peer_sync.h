/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host's facts in the order of their versions, and how far each agent
 * that subscribed to them is.
 *
 * A fact that changes gets a higher version and moves to the end, so "what
 * changed after V" is what stands behind V, in chunks that fit a datagram. A
 * chunk says which versions it covers; who misses one asks from where it is.
 *
 * Pure: time is an argument.
 */
#ifndef VNIMESHD_PEER_SYNC_H
#define VNIMESHD_PEER_SYNC_H

#include "peer_wire.h"
#include "sorted.h"

/* What was removed is told to those that come within this many removals. */
#define PEER_GONE_MAX		1024
/* Chunks on their way to one subscriber. */
#define PEER_CHUNKS		4
/* A chunk is repeated until it is acknowledged, so often: all within a
 * second, and with 30 % loss one of 4,500 is missed. The next ping mends it.
 */
#define PEER_TRIES		6

struct peer_log {
	struct sorted by_key;	/* tag and VNI; owns the facts */
	struct sorted by_seq;
	uint64_t last;		/* the highest version */
	unsigned int n_gone;
};

void peer_log_init(struct peer_log *log);
void peer_log_free(struct peer_log *log);

/* A fact of version @fact->seq, above all others. False without memory. */
bool peer_log_put(struct peer_log *log, const struct peer_fact *fact);
/* NULL: never told. */
const struct peer_fact *peer_log_find(const struct peer_log *log,
				      const char *tag, uint32_t vni);

/* Append the range above @above to @o, as many facts as fit: up to where. */
uint64_t peer_log_put_chunk(const struct peer_log *log, uint64_t above,
			    struct peer_out *o);

/* How far we are with another's facts: all up to @upto, and what came ahead
 * of its turn.
 */
struct peer_have {
	uint64_t upto;
	struct {
		uint64_t above, upto;
	} ahead[PEER_CHUNKS];	/* both 0: free */
};

/* The versions above @above up to @upto came. False: something before is
 * missing yet.
 */
bool peer_have_range(struct peer_have *have, uint64_t above, uint64_t upto);

struct peer_subscriber {
	bool on;
	uint64_t until_us;
	uint64_t acked, sent;	/* versions */
	unsigned int chunks;	/* on their way */
	unsigned int tries;
	uint64_t retry_us;	/* UINT64_MAX: nothing to repeat */
};

/* It pinged and has all up to @have. */
void peer_sub_begin(struct peer_subscriber *s, uint64_t have,
		    uint64_t until_us);
/* It has all up to @have; @last is our last version. */
void peer_sub_acked(struct peer_subscriber *s, uint64_t have, uint64_t last);
/* Whether a chunk is to be sent, above s->sent. */
bool peer_sub_wants(const struct peer_subscriber *s, uint64_t last);
/* One was, up to @upto. */
void peer_sub_sent(struct peer_subscriber *s, uint64_t upto, uint64_t now_us);

enum peer_sub_turn {
	PEER_SUB_WAIT,
	PEER_SUB_AGAIN,		/* not acknowledged: send from there again */
	PEER_SUB_GIVE_UP,	/* until it pings */
};

enum peer_sub_turn peer_sub_turn(struct peer_subscriber *s, uint64_t now_us);

#endif
