/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This node's certificate, which `vnimesh join` put into state_dir: shown to
 * the coordinator, and renewed when a third of its life is left.
 */
#ifndef VNIMESHD_RENEW_H
#define VNIMESHD_RENEW_H

#include "mesh.h"

/* How often it is looked at; a failed renewal is tried again as often. */
#define RENEW_CHECK_S	3600

/* NULL: it said why. Without https there is nothing to do. */
struct renew *renew_new(struct mesh *m);
void renew_free(struct renew *r);

#endif
