/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports to the coordinator: what changed of the own members, at once, and
 * heartbeats that keep the lease.
 */
#ifndef VNIMESHD_REPORT_H
#define VNIMESHD_REPORT_H

#include "mesh.h"

#define REPORT_TIMEOUT_MS	2000

struct report *report_new(struct mesh *m);
void report_free(struct report *r);

/* Joined: from now on, first a full one. */
void report_start(struct report *r);
/* ... and anew: all is told at once, whatever became of former reports. */
void report_joined(struct report *r);
/* An own member changed, came or went. */
void report_changed(struct report *r);
/* More went than a report can name: the next one is a full one. */
void report_full(struct report *r);

#endif
