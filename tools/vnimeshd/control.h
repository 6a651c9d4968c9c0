/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a unix stream on which people and applications of this
 * host say what they want of the agent. One JSON object a line each way; the
 * kernel says who asks. root may do all; others act on the VNIs that the
 * configuration grants them, and learn of no others.
 */
#ifndef VNIMESHD_CONTROL_H
#define VNIMESHD_CONTROL_H

#include "limits.h"
#include "mesh.h"

struct control_stats {
	unsigned int connections;	/* now */
	uint64_t answered;
	uint64_t refused_uid;	/* one user's connections were all in use */
	uint64_t refused_full;	/* all of a kind were */
	uint64_t crowded_out;	/* of who had most, for one who had less */
	uint64_t idle;		/* cut for their silence */
	uint64_t pauses;	/* for want of descriptors for a connection */
	uint64_t put_off;	/* turns that left questions to the next */
};

struct control *control_new(struct mesh *m);
void control_free(struct control *c);

/* Listen at m->conf.control. What is wrong is logged, and the agent goes on:
 * nothing that runs needs the socket.
 */
void control_start(struct control *c);

const struct control_stats *control_stats(const struct control *c);

#endif
