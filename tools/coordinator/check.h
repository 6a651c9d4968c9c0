/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Requests to check members now. Each waits in its node's queue until the
 * node's watcher comes back with an index that shows it got it, or until it is
 * too old. Ids rise as long as the coordinator runs.
 */
#ifndef COORDINATOR_CHECK_H
#define COORDINATOR_CHECK_H

#include "peer_case.h"
#include "registry.h"

/* One request for each member of @svc; returns the last id. */
int64_t checks_ask(struct registry *reg, struct service *svc);

int64_t checks_ask_member(struct registry *reg, struct member *m);

/* A question to @node: look at kase->node. */
void checks_probe(struct registry *reg, struct node *node,
		  const struct peer_case *kase);

/* The node's watcher has seen everything up to @index. */
void checks_taken(struct node *node, uint64_t index);

/* Those asked for after @after, or the questions to look at nodes, as a new
 * JSON array.
 */
json_t *checks_list(const struct node *node, uint64_t after, bool looks);

void checks_expire(struct registry *reg, uint64_t now_us);

#endif
