/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache in state_dir: identity, mesh, nodes, services and the members
 * last seen, so that the agent starts and answers with the coordinator away.
 * Written as a whole beside the old one, synced, and renamed over it.
 */
#ifndef VNIMESHD_STATE_H
#define VNIMESHD_STATE_H

#include "mesh.h"

#define STATE_FILE	"state.json"
/* Changes wait this long, so that a busy mesh costs little; figures alone are
 * worth a write once in a while only.
 */
#define STATE_DELAY_MS	1000
#define STATE_IDLE_MS	60000

struct state *state_new(struct mesh *m);
void state_free(struct state *s);

/* Keep other agents off this state_dir. An error, which is logged, if there
 * is one.
 */
int state_lock(struct state *s);

/* Into m->facts and m->local. False: there is no usable cache. */
bool state_load(struct state *s);

/* @soon: more than figures. */
void state_changed(struct state *s, bool soon);
/* Write now; 0 or a negative errno, which is logged. */
int state_save(struct state *s);

#endif
