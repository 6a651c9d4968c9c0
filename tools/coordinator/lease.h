/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Leases: an agent that does not report within lease_ms makes its node stale.
 * Nothing else: no registration goes, nothing is down.
 *
 * The clock is the monotonic one, and only this file's tick lets leases
 * lapse. A tick that comes late means that the coordinator itself did not
 * run, stopped or starved, and that reports may be waiting unread: then
 * nobody is late, and every lease gets its full term from now. When many run
 * out together none lapses at first; see preserve.h.
 */
#ifndef COORDINATOR_LEASE_H
#define COORDINATOR_LEASE_H

#include "loop.h"
#include "registry.h"

struct leases;

int leases_new(struct leases **ret, struct loop *loop, struct registry *reg);
void leases_free(struct leases *leases);

/* Adds its counters to @obj. */
void leases_counters(const struct leases *leases, json_t *obj);

/* The agent of @node was heard from. */
void lease_renew(struct registry *reg, struct node *node);

/* Somebody may still hold it: no tick found the lease over. */
bool lease_live(const struct node *node);

#endif
