/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether one other node answers echoes: the accounting of what was sent and
 * what came back.
 *
 * Pure: time is an argument. A verdict is this host's own; a node that never
 * answered is unknown, not down.
 */
#ifndef VNIMESHD_REACH_H
#define VNIMESHD_REACH_H

#include <stdbool.h>
#include <stdint.h>

/* Echoes whose answer is still recognised; a power of two. */
#define REACH_RING	8
/* One echo of so many is as large as the device takes, see reach_full(). */
#define REACH_FULL_EVERY	4
/* The last of those that may be lost is waited for by so much of an interval,
 * or REACH_RTTS round trips, whichever is longer.
 */
#define REACH_GRACE	12
#define REACH_RTTS	4
/* Most echoes a second, all nodes together: above, each node's interval grows. */
#define REACH_RATE_MAX	1000

enum reach_state {
	REACH_UNKNOWN,
	REACH_UP,
	REACH_DOWN,
};

struct reach {
	enum reach_state state;
	uint16_t seq;		/* of the newest echo */
	uint32_t unanswered;	/* sent since the last answer */
	uint32_t valid;		/* of the ring, newest first, not answered */
	uint64_t sent_us[REACH_RING];
	uint32_t rtt_us;	/* moving average, 0: never measured */
	uint32_t told_us;
	uint64_t answered_us;	/* when the last answer came, 0: never */
	/* of echoes of full size */
	bool full_out;		/* one was sent and not answered */
	bool full_ok;		/* one was answered, ever */
	bool narrow;		/* down for the loss of them */
	uint16_t full_seq;
	uint32_t full_lost;
};

void reach_init(struct reach *r);

/* What an earlier run of this agent found holds until an answer comes or
 * echoes are lost, so that a restart brings no dead node back.
 */
void reach_resume(struct reach *r, bool down, uint32_t rtt_us);

/* The slot of this node has come: judge what is unanswered, then take the
 * number of the next echo. True when the node went down by it.
 */
bool reach_send(struct reach *r, uint32_t lost_max, uint64_t now_us,
		uint16_t *seq);

/* When reach_overdue() is to be asked, if nothing is answered until then;
 * UINT64_MAX: the slot of the next echo is soon enough.
 */
uint64_t reach_verdict_us(const struct reach *r, uint32_t lost_max,
			  uint32_t interval_ms);

/* That time is over. True when the node went down by it: as much was lost as
 * may be, and the last of it has no answer that could still come.
 */
bool reach_overdue(struct reach *r, uint32_t lost_max, uint32_t interval_ms,
		   uint64_t now_us);

/* Whether the echo that reach_send() just numbered is to have full size.
 * *narrowed: the node went down because, while small ones are answered, those
 * are lost, which were answered before: connections to it would hang. It
 * comes up again by the answer to one.
 */
bool reach_full(struct reach *r, uint32_t lost_max, bool *narrowed);
/* It could not be sent at full size. */
void reach_not_full(struct reach *r);

/* An answer to echo @seq arrived. True when the node came up by it (also
 * from unknown).
 */
bool reach_answer(struct reach *r, uint16_t seq, uint64_t now_us);

/* This process was stopped, or could not send: what is unanswered says
 * nothing. Answers that lie in the socket still count.
 */
void reach_forgive(struct reach *r);

/* Whether the round trip moved enough since it was last told; marks it told. */
bool reach_latency_news(struct reach *r);

/* Whether a timer due at @due_us that runs at @now_us is so late, by a whole
 * interval, that the round must be discarded. Less does no harm: nothing was
 * sent meanwhile, and what was answered lies in the socket.
 */
bool reach_late(uint64_t due_us, uint64_t now_us, uint32_t echo_ms);

/* The interval of one node's echoes with @nodes of them. */
uint32_t reach_interval_ms(uint32_t echo_ms, uint32_t nodes);

#endif
