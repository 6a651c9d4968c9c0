/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The coordinator as the judge of nodes that some host does not reach: see
 * verdict.h, which decides. It asks vantage points through their watch, and
 * tells its verdict with the node, to all.
 *
 * A verdict "down" ends with the first host that reaches the node. It takes
 * no member from a host that does; discovery goes by it.
 */
#ifndef COORDINATOR_JUDGE_H
#define COORDINATOR_JUDGE_H

#include "peer_case.h"
#include "registry.h"

struct judge;

int judge_new(struct judge **ret, struct loop *loop, struct registry *reg);
void judge_free(struct judge *j);

/* What @from sees of @node; @probe: of which question, 0: by itself. Returns
 * the verdict that stands (enum peer_sight), -1: none does.
 */
int judge_observed(struct judge *j, const struct node *from,
		   struct node *node, enum peer_sight sight, uint64_t probe);
extern const char *const judge_sights[];

/* An observation that means nothing here. */
void judge_stray(struct judge *j);

/* Adds its counters to @obj. */
void judge_counters(const struct judge *j, json_t *obj);

#endif
