/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joining: POST /v1/nodes until the coordinator answers, for ever, with
 * pauses that grow and are random. The answer becomes m->facts.mesh, self and
 * the own node, and mesh_joined() is told.
 *
 * Runs again when the coordinator does not know the node any more.
 */
#ifndef VNIMESHD_JOIN_H
#define VNIMESHD_JOIN_H

#include "mesh.h"

#define JOIN_TIMEOUT_MS		3000
#define JOIN_BACKOFF_MS		250
#define JOIN_BACKOFF_MAX_MS	10000

struct join *join_new(struct mesh *m);
void join_free(struct join *j);
void join_start(struct join *j);

#endif
