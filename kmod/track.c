// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>
#include <net/tcp.h>

#include "eject.h"
#include "measure.h"
#include "syn.h"
#include "tick.h"
#include "track.h"

#define EARLY_MS	60000	/* until then a RST throws away, later it ends */

/* flow->fin when both ends are done. */
#define BOTH		(BIT(VNIMESH_FORWARD) | BIT(VNIMESH_REVERSE))

static void close_flow(struct vnimesh_flow *flow, u8 from)
{
	if (cmpxchg(&flow->state, from, VNIMESH_FLOW_CLOSING) == from)
		vnimesh_flow_unload(flow);
}

/* Does @ack cover the client's SYN, and nothing that the client did not send? */
static bool acks_syn(const struct vnimesh_flow *flow, u32 ack)
{
	return between(ack, ntohl(flow->isn) + 1,
		       READ_ONCE(flow->end[VNIMESH_FORWARD]));
}

/* Reply of a member that did not reply yet. Only what the client's stack
 * would take for an answer to its SYN is one (RFC 9293, 3.10.7.3).
 */
static enum vnimesh_track half_open(struct vnimesh_mesh *mesh,
				    struct vnimesh_flow *flow,
				    const struct vnimesh_packet *pkt)
{
	u8 flags = pkt->tcp_flags;

	if (!(flags & VNIMESH_TCP_ACK) || !acks_syn(flow, ntohl(pkt->ack))) {
		/* A refusal of something else is none of this SYN, as if it had
		 * not come. Else the member is there, if busy with an older
		 * connection: RFC 5961's challenge, which the client answers by
		 * a RST to it.
		 */
		if (flags & VNIMESH_TCP_RST)
			vnimesh_count(mesh, VNIMESH_A_STATS_RST_IGNORED);
		else if (!READ_ONCE(flow->heard))
			WRITE_ONCE(flow->heard, true);
		return VNIMESH_TRACK_PASS;
	}
	if (flags & VNIMESH_TCP_RST) {
		if (flow->member)
			return VNIMESH_TRACK_REFUSED;
		vnimesh_track_refused(mesh, flow);
		return VNIMESH_TRACK_PASS;
	}
	if (!(flags & VNIMESH_TCP_SYN))
		return VNIMESH_TRACK_PASS;
	WRITE_ONCE(flow->end[VNIMESH_REVERSE], ntohl(pkt->seq) + 1);
	WRITE_ONCE(flow->ack[VNIMESH_FORWARD], ntohl(pkt->seq) + 1);
	switch (cmpxchg(&flow->state, VNIMESH_FLOW_NEW,
			VNIMESH_FLOW_ESTABLISHED)) {
	case VNIMESH_FLOW_NEW:
		break;
	case VNIMESH_FLOW_MOVED:	/* just now, by another CPU */
		return VNIMESH_TRACK_LATE;
	default:
		return VNIMESH_TRACK_PASS;
	}
	vnimesh_flow_load(flow);	/* a slow handshake had lost it */
	if (flow->member) {
		vnimesh_measure_handshake(flow);
		vnimesh_syn_drop(mesh, flow);
		vnimesh_eject_good(mesh, flow, false);
	}
	return VNIMESH_TRACK_PASS;
}

/* A receiver believes a RST only at the place it expects next (RFC 5961), which
 * lies between what it has acknowledged and what was sent to it.
 */
static bool resets(const struct vnimesh_flow *flow, enum vnimesh_dir dir,
		   u32 seq)
{
	return between(seq, READ_ONCE(flow->ack[!dir]),
		       READ_ONCE(flow->end[dir]));
}

static void reset(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		  enum vnimesh_dir dir, const struct vnimesh_packet *pkt)
{
	if (!resets(flow, dir, ntohl(pkt->seq))) {
		vnimesh_count(mesh, VNIMESH_A_STATS_RST_IGNORED);
		return;
	}
	/* The member took the connection and threw it away, unasked. What comes
	 * late, it had other reasons for; and the clock of ->tried wraps.
	 */
	if (dir == VNIMESH_REVERSE && flow->member && !flow->byte &&
	    !READ_ONCE(flow->fin) &&
	    vnimesh_tick_age(vnimesh_tick(), flow->born) < EARLY_MS)
		vnimesh_eject_bad(mesh, flow, VNIMESH_EVIDENCE_KIND_RESET,
				  READ_ONCE(flow->tried));
	close_flow(flow, VNIMESH_FLOW_ESTABLISHED);
}

static void established(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
			enum vnimesh_dir dir, const struct vnimesh_packet *pkt)
{
	u8 fin;

	if (pkt->tcp_flags & VNIMESH_TCP_RST) {
		reset(mesh, flow, dir, pkt);
		return;
	}
	if (dir == VNIMESH_REVERSE && unlikely(!flow->byte) && pkt->payload &&
	    flow->member) {
		flow->byte = true;
		vnimesh_eject_good(mesh, flow, true);
	}
	if (dir == VNIMESH_FORWARD && !READ_ONCE(flow->acked) &&
	    pkt->tcp_flags & VNIMESH_TCP_ACK)
		WRITE_ONCE(flow->acked, true);
	if (!(pkt->tcp_flags & VNIMESH_TCP_FIN))
		return;
	/* Two directions may race; the loser's bit comes again with the
	 * retransmission, at worst the idle time applies.
	 */
	fin = READ_ONCE(flow->fin) | BIT(dir);
	WRITE_ONCE(flow->fin, fin);
	if (fin == BOTH)
		close_flow(flow, VNIMESH_FLOW_ESTABLISHED);
}

static void closing(struct vnimesh_flow *flow, enum vnimesh_dir dir,
		    const struct vnimesh_packet *pkt)
{
	if (dir == VNIMESH_REVERSE || !(pkt->tcp_flags & VNIMESH_TCP_ACK) ||
	    pkt->tcp_flags & VNIMESH_TCP_RST || READ_ONCE(flow->fin) == BOTH)
		return;
	/* The client goes on: that RST was not for it, or none that its peer
	 * believed.
	 */
	if (cmpxchg(&flow->state, VNIMESH_FLOW_CLOSING,
		    VNIMESH_FLOW_ESTABLISHED) == VNIMESH_FLOW_CLOSING)
		vnimesh_flow_load(flow);
}

/* Written only when they change. Segments of one direction may be seen on two
 * CPUs; the loser's figures are those of a reordered network.
 */
static void sequence(struct vnimesh_flow *flow, enum vnimesh_dir dir,
		     const struct vnimesh_packet *pkt)
{
	u32 end = ntohl(pkt->seq) + pkt->payload, ack = ntohl(pkt->ack);
	u8 flags = pkt->tcp_flags;

	if (flags & VNIMESH_TCP_RST)
		return;
	end += !!(flags & VNIMESH_TCP_SYN) + !!(flags & VNIMESH_TCP_FIN);
	if (after(end, READ_ONCE(flow->end[dir])))
		WRITE_ONCE(flow->end[dir], end);
	if (flags & VNIMESH_TCP_ACK && after(ack, READ_ONCE(flow->ack[dir])))
		WRITE_ONCE(flow->ack[dir], ack);
}

static enum vnimesh_track track_tcp(struct vnimesh_mesh *mesh,
				    struct vnimesh_flow *flow,
				    enum vnimesh_dir dir,
				    const struct vnimesh_packet *pkt)
{
	switch (READ_ONCE(flow->state)) {
	case VNIMESH_FLOW_NEW:
		/* What comes back before the handshake has no place yet. */
		if (dir == VNIMESH_REVERSE)
			return half_open(mesh, flow, pkt);
		break;
	case VNIMESH_FLOW_ESTABLISHED:
		vnimesh_measure(flow, dir, pkt);
		established(mesh, flow, dir, pkt);
		break;
	case VNIMESH_FLOW_CLOSING:
		closing(flow, dir, pkt);
		break;
	case VNIMESH_FLOW_MOVED:
		if (dir == VNIMESH_REVERSE)
			return VNIMESH_TRACK_LATE;
		break;
	}
	sequence(flow, dir, pkt);
	return VNIMESH_TRACK_PASS;
}

void vnimesh_track_refused(struct vnimesh_mesh *mesh,
			   struct vnimesh_flow *flow)
{
	vnimesh_syn_drop(mesh, flow);
	close_flow(flow, VNIMESH_FLOW_NEW);
}

enum vnimesh_track vnimesh_track(struct vnimesh_mesh *mesh,
				 struct vnimesh_flow *flow,
				 enum vnimesh_dir dir,
				 const struct vnimesh_packet *pkt)
{
	unsigned long now = jiffies;

	/* Written only when it changes: packets of one flow on several CPUs do
	 * not fight for the line.
	 */
	if (READ_ONCE(flow->last) != now)
		WRITE_ONCE(flow->last, now);
	if (dir == VNIMESH_FORWARD)
		WRITE_ONCE(flow->packets, READ_ONCE(flow->packets) + 1);
	if (flow->link[0].tuple.proto == IPPROTO_TCP)
		return track_tcp(mesh, flow, dir, pkt);
	vnimesh_measure(flow, dir, pkt);
	if (dir == VNIMESH_REVERSE &&
	    READ_ONCE(flow->state) == VNIMESH_FLOW_NEW)
		WRITE_ONCE(flow->state, VNIMESH_FLOW_ESTABLISHED);
	return VNIMESH_TRACK_PASS;
}
