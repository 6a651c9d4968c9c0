/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP echoes from this host's VNI to those of the other nodes, through the
 * mesh device: answered by the far kernel, with every daemon dead. What they
 * say (reach.h) is this host's own verdict and latency of a node.
 *
 * All nodes are asked once per interval, spread over it. Memory and packets
 * are bounded by REACH_RATE_MAX, however many nodes there are.
 */
#ifndef VNIMESHD_ECHO_H
#define VNIMESHD_ECHO_H

#include "mesh.h"

struct echo *echo_new(struct mesh *m);
void echo_free(struct echo *e);

/* The device is ready (again). 0 or a negative errno, which is logged once. */
int echo_start(struct echo *e);
void echo_stop(struct echo *e);

#endif
