/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests of Documentation/api.md, one handler each. */
#ifndef COORDINATOR_API_H
#define COORDINATOR_API_H

#include <stdio.h>

#include "http.h"
#include "judge.h"
#include "lease.h"
#include "trigger.h"
#include "watch.h"

/* The handlers' surroundings; set once, before the server starts. */
void api_init(struct watches *watches, const struct leases *leases,
	      struct judge *judge, struct triggers *triggers,
	      uint32_t lease_ms);

extern const struct route api_routes[];

/* "METHOD PATH ROLE BODY-MAX" each, for what is checked against them. */
void api_print_routes(FILE *to);

struct watches *api_watches(void);
uint32_t api_lease_ms(void);
struct judge *api_judge(void);
struct triggers *api_triggers(void);

int api_post_node(struct request *rq);
int api_get_nodes(struct request *rq);
int api_post_report(struct request *rq);
int api_post_observations(struct request *rq);
int api_get_watch(struct request *rq);
int api_get_events(struct request *rq);
/* Adds the counters of the event streams to @obj. */
void api_events_counters(json_t *obj);
int api_get_services(struct request *rq);
int api_get_service(struct request *rq);
int api_put_service(struct request *rq);
int api_delete_service(struct request *rq);
int api_post_check(struct request *rq);
int api_get_ca(struct request *rq);
int api_post_join(struct request *rq);
int api_post_certificate(struct request *rq);
int api_delete_node(struct request *rq);
int api_get_audit(struct request *rq);
int api_get_tokens(struct request *rq);
int api_post_token(struct request *rq);
int api_delete_token(struct request *rq);
int api_get_grant(struct request *rq);
int api_put_grant(struct request *rq);
int api_get_mesh(struct request *rq);
int api_get_status(struct request *rq);

/* Shared pieces of answers, new JSON values. The lists hold what changed after
 * @after, or with 0 everything, in order of id or tag.
 */
json_t *api_node(const struct node *node);
json_t *api_nodes(struct registry *reg, uint64_t after);
json_t *api_services(struct registry *reg, uint64_t after);
json_t *api_members(const struct service *svc);

/* The first id from 1 that is free and usable; 0: none is left. */
uint32_t api_free_id(struct registry *reg);

/* The node that path or argument text names, by digits its id: NULL with a problem. */
struct node *api_find_node(struct request *rq, const char *text,
			   const char *field);

#endif
