/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one client may cost: time for each part of a request, and requests in
 * a second. Slow clients are cut off, fast ones told to wait; both are
 * counted. Times are passed in.
 */
#ifndef COORDINATOR_CLIENT_H
#define COORDINATOR_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "origin.h"

/* A connection. */
struct client {
	int fd;
	struct origin *origin;		/* whom it counts for */
	bool known;			/* it asked, and showed a certificate or not */
	uint64_t until_us;		/* cut off then, 0: it waits for us */
	TAILQ_ENTRY(client) list;
};
TAILQ_HEAD(client_list, client);

/* Cuts off those whose time is over; returns how many. */
unsigned int clients_expire(struct client_list *list, uint64_t now_us);

/* The last of its requests was answered just now. */
void clients_heard(struct client_list *list, struct client *c);

/* Cuts off the first that does not wait for us; returns how many. */
unsigned int clients_evict(struct client_list *list);

/* Cuts off one of those that count for @origin and do not wait for us; returns how
 * many. Who has asked goes before who may show a certificate yet, and of each the
 * one that was not heard of for longest. So a newcomer has until as many others came
 * as its origin may have, however often those that were there first ask.
 */
unsigned int clients_evict_of(struct client_list *list,
			      const struct origin *origin);

/* Requests of each origin in the last time, as token buckets. The table is
 * small and fixed: a new origin takes the place of the one that was quiet
 * longest of a few.
 */
struct rates;

struct rates *rates_new(uint32_t per_second);
void rates_free(struct rates *rates);

/* One more request; false: too many. */
bool rates_take(struct rates *rates, const struct origin *who, uint64_t now_us);

#endif
