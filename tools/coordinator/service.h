/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating and changing services as a plan: addresses are set aside first,
 * the store is told within the caller's transaction, and only then is the
 * memory changed. Until service_plan_apply() everything can be undone.
 */
#ifndef COORDINATOR_SERVICE_H
#define COORDINATOR_SERVICE_H

#include "http.h"
#include "registry.h"

struct service_step {
	struct service_def def;
	bool create;
	bool was_resting;
};

struct service_plan {
	struct registry *reg;
	struct service_step *steps;
	unsigned int nr;
};

void service_plan_init(struct service_plan *plan, struct registry *reg);

/* Adds a new tag with addresses of its own, once however often it is named; it
 * had @def's address4 before, if there is one, and gets that if it is free.
 * 0, or the status of a problem in @rq about the "tag" of @item, the path of
 * the object that asks for it ("": the request itself).
 */
int service_plan_create(struct service_plan *plan, struct request *rq,
			const struct service_def *def, const char *item);

/* Whether the plan creates @tag. */
bool service_planned(const struct service_plan *plan, const char *tag);

/* Adds new ports, policy and creator for @svc, if they are new. */
void service_plan_change(struct service_plan *plan, struct service *svc,
			 const struct service_def *def);

/* @rq: whose plan it is. */
void service_plan_store(struct service_plan *plan, const struct request *rq);

/* One of the two ends the plan. */
void service_plan_apply(struct service_plan *plan);
void service_plan_undo(struct service_plan *plan);

#endif
