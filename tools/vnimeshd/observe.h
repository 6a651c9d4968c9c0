/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host sees of others, told to the coordinator: nodes that it
 * reaches or not, and members that its kernel saw fail, which are to be
 * checked at once. Evidence is gathered and told once a second of a member at
 * most; without a coordinator its owner's agent is asked itself.
 */
#ifndef VNIMESHD_OBSERVE_H
#define VNIMESHD_OBSERVE_H

#include <jansson.h>

#include "mesh.h"
#include "peer_case.h"

/* As many as the coordinator takes in one request. */
#define OBSERVATIONS_MAX	64
/* A member is told of so often. */
#define EVIDENCE_GAP_MS		1000

struct observe *observe_new(struct mesh *m);
void observe_free(struct observe *o);

/* Whether there is a coordinator to tell. */
bool observe_can(const struct observe *o);

/* @probe: the question that it answers, 0: none. */
void observe_sight(struct observe *o, uint32_t node, enum peer_sight sight,
		   uint64_t probe);

/* Of the kernel, enum vnimesh_evidence_kind. */
void observe_evidence(struct observe *o, const char *tag, uint32_t vni,
		      uint8_t kind);

/* Another agent's kernel saw VNI @vni of ours fail. */
void observe_asked(struct observe *o, uint32_t vni);

/* Adds counters to @json. */
void observe_status(const struct observe *o, json_t *json);

#endif
