/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whom connections come from: the node whose certificate was shown, else an
 * address, behind which there may be many. Before a connection's first request
 * nobody knows more than that. Of an IPv6 address only the first ORIGIN_BITS count:
 * who has one network has all of its addresses. But where there are no certificates
 * nothing else tells the nodes of one network apart, and it is the whole address.
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
	struct ip_addr addr;		/* of a node: none; or a network's first */
	unsigned int connections;
	unsigned int watchers;		/* among them; see watch.c */
	unsigned int streams;		/* likewise; see api_events.c */
};

#define ORIGIN_BITS	64

struct origins;

struct origins *origins_new(void);
/* All connections must have left. NULL is fine. */
void origins_free(struct origins *origins);

/* The origin of an address, @whole or by its network. What a socket of both families
 * shows of IPv4 is that.
 */
struct origin origin_of(const struct ip_addr *addr, bool whole);
bool origin_equal(const struct origin *a, const struct origin *b);

/* Of whom @who names, NULL: it has no connection. */
struct origin *origins_find(const struct origins *origins,
			    const struct origin *who);
/* One more of whom @who names. */
struct origin *origins_enter(struct origins *origins, const struct origin *who);
void origins_leave(struct origins *origins, struct origin *origin);

#endif
