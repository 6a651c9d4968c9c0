/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address plan: what a node is given follows from its id alone. Node N
 * (from 1) has the N-th block of each prefix, counted from 0, and the VNIs
 * from N * vni_block on. Block 0 and VNIs below vni_block belong to nobody,
 * so that neither id 0 nor the prefixes' own addresses are ever in use. An id
 * whose block overlaps a service prefix is skipped.
 */
#ifndef COORDINATOR_PLAN_H
#define COORDINATOR_PLAN_H

#include "config.h"
#include "record.h"

/* The largest id that the prefixes and the VNI space have room for. */
uint32_t plan_last(const struct mesh *mesh);

/* False when this id is to be skipped. */
bool plan_usable(const struct mesh *mesh, uint32_t id);

/* Fills in @node->id, prefixes, VNI range, own VNI and addresses. */
void plan_node(const struct mesh *mesh, uint32_t id, struct node_def *node);

#endif
