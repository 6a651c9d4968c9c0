/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks of one member, one after the other: when, with what, and what
 * came of it. The state machine behind is health.h, the probes are
 * check_tcp.h and http.h.
 */
#ifndef VNIMESHD_CHECK_H
#define VNIMESHD_CHECK_H

#include "config.h"
#include "health.h"
#include "mesh.h"

/* A result was fed into the health: @output says it in words. */
typedef void (*check_fn)(void *data, const char *output);

/* @conf and @health stay the caller's and outlive the check; stopped until
 * check_start(). NULL without memory.
 */
struct check *check_new(struct mesh *m, const struct check_conf *conf,
			struct health *health, check_fn fn, void *data);
void check_free(struct check *c);

/* Check @addr from now on, through @device unless NULL; a probe to another
 * address that is under way is forgotten.
 */
void check_start(struct check *c, const struct ip_addr *addr,
		 const char *device);
void check_stop(struct check *c);

/* What its times are of, enum vnimesh_latency. */
uint8_t check_latency_kind(const struct check_conf *conf);

/* Run one now unless one is under way. */
void check_now(struct check *c);

#endif
