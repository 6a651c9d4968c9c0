/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Latencies that this kernel sees: of handshakes, and of the first response to
 * a request. Two per flow, then nothing: an established flow costs a compare.
 *
 * A handshake is answered by the server's kernel and says little of a server
 * that is busy; the simulation of Documentation/selection.md shows what choice is worth
 * without responses.
 */
#ifndef _VNIMESH_MEASURE_H
#define _VNIMESH_MEASURE_H

#include "packet.h"

/* BH, RCU. The member took the connection. */
void vnimesh_measure_handshake(struct vnimesh_flow *flow);
void vnimesh_measure_request(struct vnimesh_flow *flow,
			     const struct vnimesh_packet *pkt);
void vnimesh_measure_response(struct vnimesh_flow *flow);

/* BH, RCU. A segment of an established connection, before flow->end knows of
 * it; or any datagram.
 */
static inline void vnimesh_measure(struct vnimesh_flow *flow,
				   enum vnimesh_dir dir,
				   const struct vnimesh_packet *pkt)
{
	if (likely(READ_ONCE(flow->measured)) || !flow->member)
		return;
	if (pkt->tuple.proto == IPPROTO_TCP && !pkt->payload)
		return;
	if (dir == VNIMESH_FORWARD)
		vnimesh_measure_request(flow, pkt);
	else
		vnimesh_measure_response(flow);
}

#endif /* _VNIMESH_MEASURE_H */
