/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom connections come from: the node whose certificate was shown, else an
 * address, behind which there may be many. Before a connection's first request
 * nobody knows more than that.
 *
 * Ownership: an origin is there for as long as it has connections, which hold
 * it. All of it belongs to the event loop.
 */
#ifndef COORDINATOR_ORIGIN_H
#define COORDINATOR_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ip.h"

struct origin {
	uint32_t node;			/* 0: it is an address */
	struct ip_addr addr;		/* of a node: none */
	unsigned int connections;
	unsigned int streams;		/* among them; see api_events.c */
};

struct origins;

struct origins *origins_new(void);
/* All connections must have left. NULL is fine. */
void origins_free(struct origins *origins);

bool origin_equal(const struct origin *a, const struct origin *b);

/* Of whom @who names, NULL: it has no connection. */
struct origin *origins_find(const struct origins *origins,
			    const struct origin *who);
/* One more of whom @who names. */
struct origin *origins_enter(struct origins *origins, const struct origin *who);
void origins_leave(struct origins *origins, struct origin *origin);

#endif
