/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 service addresses: who has which, and which rest. A released address
 * is given to nobody else for REST_MS, but back to its own tag at any time.
 * Times are passed in. After a restart all resting addresses rest their full
 * time again, since no clock reaches across it.
 */
#ifndef COORDINATOR_POOL_H
#define COORDINATOR_POOL_H

#include <sys/queue.h>

#include "ip.h"
#include "tag.h"

struct resting {
	char tag[TAG_MAX + 1];
	uint32_t n;			/* number within the prefix */
	uint64_t until_us;
	TAILQ_ENTRY(resting) list;	/* by until_us */
};
TAILQ_HEAD(resting_list, resting);

struct pool {
	struct ip_prefix prefix;
	uint32_t size;			/* addresses, both ends included */
	uint32_t next;			/* where the search goes on */
	uint64_t *used;			/* bitmap: taken or resting */
	struct resting_list resting;
};

void pool_init(struct pool *pool, const struct ip_prefix *prefix);
void pool_free(struct pool *pool);

/* Takes an address for @tag, @wish (if any) unless somebody has it or it rests;
 * false when none is left. *was_resting: the tag had rested (the store's record
 * of that is to be deleted).
 */
bool pool_take(struct pool *pool, const char *tag, const struct ip_addr *wish,
	       struct ip_addr *addr, bool *was_resting);

/* Undoes pool_take() when the store refused. */
void pool_untake(struct pool *pool, const char *tag, const struct ip_addr *addr,
		 bool was_resting, uint64_t now_us);

/* Marks one as taken, at start; false when it is outside or taken. */
bool pool_claim(struct pool *pool, const struct ip_addr *addr);

void pool_rest(struct pool *pool, const char *tag, const struct ip_addr *addr,
	       uint64_t now_us);

/* The first whose rest is over, or the one after @prev, or NULL. pool_wake()
 * gives the address back and frees it.
 */
struct resting *pool_rested(struct pool *pool, struct resting *prev,
			    uint64_t now_us);
void pool_wake(struct pool *pool, struct resting *r);

#endif
