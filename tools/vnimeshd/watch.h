/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watch: one long poll at the coordinator for nodes, definitions of all
 * services, members of the services in use, and checks that others ask for.
 */
#ifndef VNIMESHD_WATCH_H
#define VNIMESHD_WATCH_H

#include "mesh.h"

/* How long the coordinator may keep the question. A dead one without RST is
 * noticed after this and the grace.
 */
#define WATCH_WAIT_MS		10000
#define WATCH_GRACE_MS		3000
#define WATCH_BACKOFF_MS	200
#define WATCH_BACKOFF_MAX_MS	5000
/* What the coordinator takes in one question. */
#define WATCH_TAGS_MAX		4096
#define WATCH_TAGS_BYTES	(32 << 10)

struct watch *watch_new(struct mesh *m);
void watch_free(struct watch *w);

/* Joined: ask, or ask again from index @from at the latest (UINT64_MAX: from
 * where we are), because the tags in use changed or the coordinator came
 * back.
 */
void watch_restart(struct watch *w, uint64_t from);

#endif
