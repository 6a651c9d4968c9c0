/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's table of this mesh, as far as it is the agent's: brought in
 * line with the facts and the own members. rows.h compares, this file knows
 * what a row consists of and in which order rows must be written.
 *
 * Rows of another origin are never touched.
 */
#ifndef VNIMESHD_TABLE_H
#define VNIMESHD_TABLE_H

#include "mesh.h"
#include "rows.h"

/* Rows go when no flow was bound for this long. */
#define TABLE_IDLE_MS	(15 * 60 * 1000)

struct table *table_new(struct mesh *m);
void table_free(struct table *t);

/* Read what an earlier run left: its services are in use, its verdicts about
 * nodes and our members hold. False, and all as before, if not all of it can
 * be read.
 */
bool table_load(struct table *t);
/* As table_load(), and write; tried again if it fails. Deletions by others
 * may have been missed.
 */
void table_reload(struct table *t);

/* These changed; written at the end of the turn. */
void table_dirty(struct table *t, const char *tag);
void table_dirty_nodes(struct table *t);
void table_dirty_vnis(struct table *t);
/* All of it, and what nobody confirms goes: a full answer came. */
void table_dirty_all(struct table *t);

/* A row was deleted; if not by us, it is written again. */
void table_lost(struct table *t, const struct row_key *key);

/* A row of somebody else was deleted: what it was in the way of may go on. */
void table_freed(struct table *t, const struct row_key *key);

/* Try again what the kernel refused for now. */
void table_retry(struct table *t);

/* Write what is dirty now. */
void table_sync(struct table *t);

/* Drop services that nobody used for TABLE_IDLE_MS. */
void table_expire(struct mesh *m);

#endif
