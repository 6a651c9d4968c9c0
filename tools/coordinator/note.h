/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries of the audit log that no request waits for: what the coordinator
 * itself found or did. They are gathered, stored in one transaction soon
 * after, and kept while the store is away; bounded, what is lost is counted.
 */
#ifndef COORDINATOR_NOTE_H
#define COORDINATOR_NOTE_H

#include "http.h"

int notes_new(struct notes **ret, struct loop *loop, struct registry *reg);
/* Stores what it can. */
void notes_free(struct notes *notes);

/* @rq: who caused it, NULL: the coordinator itself. */
void note(struct registry *reg, const struct request *rq, const char *object,
	  const char *what, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

uint64_t notes_lost(const struct registry *reg);

#endif
