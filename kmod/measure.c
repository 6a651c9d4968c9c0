// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ktime.h>
#include <net/tcp.h>

#include "measure.h"
#include "tick.h"

/* us. Longer is no work of the server: it waits for something to tell. */
#define RESPONSE_MAX	10000000

/* Packets of a client without a response: it sends something, and does not ask.
 * No clock is read for each of them.
 */
#define REQUEST_MAX	16

/* Of the us clock; never 0, which means none. */
static u32 clock(void)
{
	return (u32)ktime_to_us(ktime_get()) ?: 1;
}

/* Karn's rule: a SYN that was sent twice (->sent is 0 then) gives no sample. */
void vnimesh_measure_handshake(struct vnimesh_flow *flow)
{
	struct vnimesh_member *m = flow->member;
	u32 sent = READ_ONCE(flow->sent), now = clock();

	if (!m)
		return;
	if (sent)
		vnimesh_figure_observe(&m->handshake, flow->client->id,
				       now - sent, vnimesh_tick());
	/* Where the server speaks first, this is what it answers. */
	WRITE_ONCE(flow->asked, now);
}

/* The clock runs from the last part of the request. What is sent again may have
 * been answered already.
 */
void vnimesh_measure_request(struct vnimesh_flow *flow,
			     const struct vnimesh_packet *pkt)
{
	u32 end = ntohl(pkt->seq) + pkt->payload;

	if (READ_ONCE(flow->packets) > REQUEST_MAX) {
		WRITE_ONCE(flow->measured, true);
		return;
	}
	if (pkt->tuple.proto != IPPROTO_TCP) {
		if (READ_ONCE(flow->asked))
			WRITE_ONCE(flow->measured, true);
		WRITE_ONCE(flow->asked, clock());
		return;
	}
	if (after(end, READ_ONCE(flow->end[VNIMESH_FORWARD])))
		WRITE_ONCE(flow->asked, clock());
	else
		WRITE_ONCE(flow->measured, true);
}

void vnimesh_measure_response(struct vnimesh_flow *flow)
{
	struct vnimesh_member *m = flow->member;
	u32 asked = READ_ONCE(flow->asked), took = clock() - asked;

	WRITE_ONCE(flow->measured, true);
	if (asked && took <= RESPONSE_MAX)
		vnimesh_figure_observe(&m->response, flow->client->id, took,
				       vnimesh_tick());
}
