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

/* Its agent talks to us, or did last; returns the request's id. */
int64_t checks_ask_member(struct registry *reg, struct member *m);

/* Whoever its agent talks to asks it, too. False: nobody can ask it now. */
bool checks_pass_member(struct registry *reg, struct member *m);

/* What another coordinator passed on, for those who talk to us. */
void checks_passed(struct registry *reg, const char *list);

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
