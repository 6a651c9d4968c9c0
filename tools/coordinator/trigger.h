/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Health_Check_Trigger: who asks for a check now. A person or program with the
 * right to, the coordinator itself for services that are checked periodically,
 * and the kernels of clients that saw a member fail.
 *
 * A check changes nothing by itself: what its agent finds is reported as ever.
 */
#ifndef COORDINATOR_TRIGGER_H
#define COORDINATOR_TRIGGER_H

#include "http.h"

struct triggers;

int triggers_new(struct triggers **ret, struct loop *loop,
		 struct registry *reg);
void triggers_free(struct triggers *t);

/* Asked for by a request; returns the last id, and of how many members. */
int64_t trigger_service(struct triggers *t, const struct request *rq,
			struct service *svc, unsigned int *asked);

/* @rq's node saw it fail @count times. */
void trigger_evidence(struct triggers *t, const struct request *rq,
		      struct member *m, const char *kind, uint32_t count);

/* Adds its counters to @obj. */
void triggers_counters(const struct triggers *t, json_t *obj);

#endif
