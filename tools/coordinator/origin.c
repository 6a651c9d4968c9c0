// SPDX-License-Identifier: GPL-2.0-or-later
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "origin.h"

struct origins {
	void *tree;			/* tsearch()'s */
};

static int compare(const void *a, const void *b)
{
	const struct origin *x = a, *y = b;

	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->addr.family != y->addr.family)
		return x->addr.family < y->addr.family ? -1 : 1;
	return memcmp(x->addr.b, y->addr.b, ip_bytes(&x->addr));
}

struct origins *origins_new(void)
{
	return mem_zero(1, sizeof(struct origins));
}

void origins_free(struct origins *origins)
{
	free(origins);
}

struct origin origin_of(const struct ip_addr *addr, bool whole)
{
	static const struct ip_prefix mapped = {
		{ AF_INET6, { [10] = 0xff, [11] = 0xff } }, 96
	};
	struct origin who = { .addr.family = addr->family };

	if (ip_within(addr, &mapped)) {
		who.addr.family = AF_INET;
		memcpy(who.addr.b, addr->b + 12, 4);
	} else if (addr->family == AF_INET6 && !whole) {
		memcpy(who.addr.b, addr->b, ORIGIN_BITS / 8);
	} else {
		memcpy(who.addr.b, addr->b, ip_bytes(addr));
	}
	return who;
}

bool origin_equal(const struct origin *a, const struct origin *b)
{
	return !compare(a, b);
}

struct origin *origins_find(const struct origins *origins,
			    const struct origin *who)
{
	void *at = tfind(who, &origins->tree, compare);

	return at ? *(struct origin **)at : NULL;
}

struct origin *origins_enter(struct origins *origins, const struct origin *who)
{
	struct origin *origin = origins_find(origins, who);

	if (!origin) {
		origin = mem_zero(1, sizeof(*origin));
		origin->node = who->node;
		origin->addr = who->addr;
		mem_checked(tsearch(origin, &origins->tree, compare));
	}
	origin->connections++;
	return origin;
}

void origins_leave(struct origins *origins, struct origin *origin)
{
	if (--origin->connections)
		return;
	tdelete(origin, &origins->tree, compare);
	free(origin);
}
