// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <string.h>

#include "limits.h"
#include "mem.h"
#include "pool.h"

static bool test(const struct pool *pool, uint32_t n)
{
	return pool->used[n / 64] >> (n % 64) & 1;
}

static void set(struct pool *pool, uint32_t n, bool on)
{
	uint64_t bit = 1ULL << (n % 64);

	if (on)
		pool->used[n / 64] |= bit;
	else
		pool->used[n / 64] &= ~bit;
}

static struct ip_addr address(const struct pool *pool, uint32_t n)
{
	struct ip_addr addr = pool->prefix.addr;

	ip_add(&addr, n, 0);
	return addr;
}

static uint32_t number(const struct pool *pool, const struct ip_addr *addr)
{
	uint32_t first;
	uint32_t value;

	memcpy(&first, pool->prefix.addr.b, sizeof(first));
	memcpy(&value, addr->b, sizeof(value));
	return ntohl(value) - ntohl(first);
}

void pool_init(struct pool *pool, const struct ip_prefix *prefix)
{
	pool->prefix = *prefix;
	pool->size = 1U << (32 - prefix->len);
	pool->next = 1;
	pool->used = mem_zero(pool->size / 64 + 1, sizeof(*pool->used));
	TAILQ_INIT(&pool->resting);
	/* No host likes the prefix' own address, nor its broadcast one. */
	set(pool, 0, true);
	set(pool, pool->size - 1, true);
}

void pool_free(struct pool *pool)
{
	struct resting *r;

	while ((r = TAILQ_FIRST(&pool->resting))) {
		TAILQ_REMOVE(&pool->resting, r, list);
		free(r);
	}
	free(pool->used);
}

static struct resting *find_resting(struct pool *pool, const char *tag)
{
	struct resting *r;

	TAILQ_FOREACH(r, &pool->resting, list)
		if (!strcmp(r->tag, tag))
			return r;
	return NULL;
}

bool pool_take(struct pool *pool, const char *tag, const struct ip_addr *wish,
	       struct ip_addr *addr, bool *was_resting)
{
	struct resting *r = find_resting(pool, tag);
	uint32_t i;
	uint32_t n;

	*was_resting = r;
	if (r) {
		*addr = address(pool, r->n);
		TAILQ_REMOVE(&pool->resting, r, list);
		free(r);
		return true;
	}
	if (wish->family && pool_claim(pool, wish)) {
		*addr = *wish;
		return true;
	}

	/* Round and round: an address comes back as late as possible. */
	for (i = 0; i < pool->size; i++) {
		n = (pool->next + i) % pool->size;
		if (test(pool, n))
			continue;
		set(pool, n, true);
		pool->next = n + 1;
		*addr = address(pool, n);
		return true;
	}
	return false;
}

void pool_untake(struct pool *pool, const char *tag, const struct ip_addr *addr,
		 bool was_resting, uint64_t now_us)
{
	if (was_resting)
		pool_rest(pool, tag, addr, now_us);
	else
		set(pool, number(pool, addr), false);
}

bool pool_claim(struct pool *pool, const struct ip_addr *addr)
{
	uint32_t n;

	if (!ip_within(addr, &pool->prefix))
		return false;
	n = number(pool, addr);
	if (test(pool, n))
		return false;
	set(pool, n, true);
	if (n >= pool->next)
		pool->next = n + 1;
	return true;
}

void pool_rest(struct pool *pool, const char *tag, const struct ip_addr *addr,
	       uint64_t now_us)
{
	struct resting *r = mem_zero(1, sizeof(*r));

	strcpy(r->tag, tag);
	r->n = number(pool, addr);
	r->until_us = now_us + REST_MS * 1000ULL;
	TAILQ_INSERT_TAIL(&pool->resting, r, list);
}

struct resting *pool_rested(struct pool *pool, struct resting *prev,
			    uint64_t now_us)
{
	struct resting *r = prev ? TAILQ_NEXT(prev, list) :
				   TAILQ_FIRST(&pool->resting);

	return r && r->until_us <= now_us ? r : NULL;
}

void pool_wake(struct pool *pool, struct resting *r)
{
	set(pool, r->n, false);
	TAILQ_REMOVE(&pool->resting, r, list);
	free(r);
}
