/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shared verdicts of this agent: suspicions of its echoes, looks by its
 * echoes, and words to and from other agents. What is decided is verdict.h.
 *
 * A verdict changes no row: this host goes by what it reaches itself.
 */
#ifndef VNIMESHD_VANTAGE_H
#define VNIMESHD_VANTAGE_H

#include <jansson.h>

#include "mesh.h"
#include "peer_wire.h"

struct vantage *vantage_new(struct mesh *m);
void vantage_free(struct vantage *v);

/* It does not answer echoes any more. */
void vantage_suspect(struct vantage *v, const struct node *n);

/* It does again: if it is said to be down, it is not. */
void vantage_reached(struct vantage *v, const struct node *n);
/* Each second: the same of all, whatever became of what was said before. */
void vantage_again(struct vantage *v);

/* The coordinator's verdict, which it told all, or as an answer. */
void vantage_told(struct vantage *v, uint32_t node, enum peer_sight sight);
/* The coordinator asks whether we reach it. */
void vantage_asked(struct vantage *v, uint32_t node, uint64_t id);

/* From another agent. */
void vantage_rx(struct vantage *v, uint32_t from, uint8_t type,
		const struct peer_case *kase);

/* Adds counters to @o. */
void vantage_status(const struct vantage *v, json_t *o);

#endif
