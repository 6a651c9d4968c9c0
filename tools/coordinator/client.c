// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "client.h"
#include "limits.h"
#include "mem.h"

#define SETS	512
#define WAYS	8

struct bucket {
	struct origin who;		/* its name only */
	uint64_t seen_us;
	uint64_t level;			/* requests, in microseconds each */
};

struct rates {
	uint64_t cost_us;		/* of one request */
	uint64_t seed;
	struct bucket set[SETS][WAYS];
};

/* The library finds it closed, and frees all there is. */
static void cut_off(struct client *c)
{
	shutdown(c->fd, SHUT_RDWR);
	c->until_us = 0;
}

unsigned int clients_expire(struct client_list *list, uint64_t now_us)
{
	struct client *c;
	unsigned int n = 0;

	TAILQ_FOREACH(c, list, list) {
		if (!c->until_us || c->until_us > now_us)
			continue;
		cut_off(c);
		n++;
	}
	return n;
}

void clients_heard(struct client_list *list, struct client *c)
{
	TAILQ_REMOVE(list, c, list);
	TAILQ_INSERT_TAIL(list, c, list);
}

unsigned int clients_evict(struct client_list *list)
{
	struct client *c;

	TAILQ_FOREACH(c, list, list) {
		if (!c->until_us)
			continue;
		cut_off(c);
		return 1;
	}
	return 0;
}

unsigned int clients_evict_of(struct client_list *list,
			      const struct origin *origin)
{
	struct client *last = NULL;
	struct client *c;

	TAILQ_FOREACH(c, list, list) {
		if (c->origin != origin || !c->until_us)
			continue;
		if (!last || c->known)
			last = c;
		if (c->known)
			break;
	}
	if (last)
		cut_off(last);
	return !!last;
}

struct rates *rates_new(uint32_t per_second)
{
	struct rates *rates = mem_zero(1, sizeof(*rates));

	rates->cost_us = 1000000 / per_second;
	if (getrandom(&rates->seed, sizeof(rates->seed), 0) < 0)
		rates->seed = (uintptr_t)rates;
	return rates;
}

void rates_free(struct rates *rates)
{
	free(rates);
}

static unsigned int set_of(const struct rates *rates,
			   const struct origin *who)
{
	uint64_t h = (rates->seed ^ who->node) * 0x9e3779b97f4a7c15ULL;
	unsigned int i;

	for (i = 0; i < 16; i++)
		h = (h ^ who->addr.b[i]) * 0x9e3779b97f4a7c15ULL;
	return (h >> 40) % SETS;
}

static struct bucket *find(struct rates *rates, const struct origin *who)
{
	struct bucket *set = rates->set[set_of(rates, who)];
	struct bucket *oldest = set;
	unsigned int i;

	for (i = 0; i < WAYS; i++) {
		if (set[i].seen_us && origin_equal(&set[i].who, who))
			return &set[i];
		if (set[i].seen_us < oldest->seen_us)
			oldest = &set[i];
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->who = *who;
	return oldest;
}

bool rates_take(struct rates *rates, const struct origin *who, uint64_t now_us)
{
	uint64_t burst = rates->cost_us * RATE_BURST_S * (1000000 /
			 rates->cost_us);
	struct bucket *b = find(rates, who);
	uint64_t gone = b->seen_us ? now_us - b->seen_us : 0;

	b->level = b->level > gone ? b->level - gone : 0;
	b->seen_us = now_us;
	if (b->level + rates->cost_us > burst)
		return false;
	b->level += rates->cost_us;
	return true;
}
