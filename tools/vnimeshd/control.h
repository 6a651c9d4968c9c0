/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a unix stream on which people and applications of this
 * host say what they want of the agent. One JSON object a line each way; the
 * kernel says who asks. root may do all; others act on the VNIs that the
 * configuration grants them, and learn of no others.
 */
#ifndef VNIMESHD_CONTROL_H
#define VNIMESHD_CONTROL_H

#include "mesh.h"

#define CONTROL_CONNECTIONS	64
#define CONTROL_LINE_MAX	65536
/* A connection that says nothing for so long makes room for others. */
#define CONTROL_IDLE_MS		10000

struct control *control_new(struct mesh *m);
void control_free(struct control *c);

/* Listen at m->conf.control. What is wrong is logged, and the agent goes on:
 * nothing that runs needs the socket.
 */
void control_start(struct control *c);

#endif
