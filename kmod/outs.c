// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hash.h>
#include <linux/slab.h>

#include "outs.h"

static u32 bucket(const struct vnimesh_service *service,
		  const struct vnimesh_vni *client, __be16 port)
{
	return hash_ptr(service, 32) ^ hash_ptr(client, 32) ^
	       hash_32((__force u16)port, 32);
}

void vnimesh_outs_init(struct vnimesh_outs_table *table)
{
	hash_init(table->sets);
}

struct vnimesh_outs *vnimesh_outs_find(const struct vnimesh_outs_table *table,
				       const struct vnimesh_service *service,
				       const struct vnimesh_vni *client,
				       __be16 port)
{
	struct vnimesh_outs *outs;

	hash_for_each_possible(table->sets, outs, node,
			       bucket(service, client, port))
		if (outs->service == service && outs->client == client &&
		    outs->port == port)
			return outs;
	return NULL;
}

struct vnimesh_outs *vnimesh_outs_add(struct vnimesh_outs_table *table,
				      const struct vnimesh_service *service,
				      const struct vnimesh_vni *client,
				      __be16 port, u16 place)
{
	struct vnimesh_outs *outs;

	outs = vnimesh_outs_find(table, service, client, port);
	if (!outs) {
		outs = kzalloc(sizeof(*outs), GFP_ATOMIC | __GFP_NOWARN);
		if (!outs)
			return NULL;
		outs->service = service;
		outs->client = client;
		outs->port = port;
		hash_add(table->sets, &outs->node,
			 bucket(service, client, port));
	}
	outs->n += !__test_and_set_bit(place, outs->places);
	return outs;
}

void vnimesh_outs_del(struct vnimesh_outs *outs, u16 place)
{
	outs->n -= __test_and_clear_bit(place, outs->places);
	if (outs->n)
		return;
	hash_del(&outs->node);
	kfree(outs);
}

u32 vnimesh_outs_others(const struct vnimesh_outs *a,
			const struct vnimesh_outs *b, u16 place)
{
	u32 n = 0, i;

	for (i = 0; i < BITS_TO_LONGS(VNIMESH_MEMBERS_MAX); i++) {
		unsigned long word = (a ? a->places[i] : 0) |
				     (b ? b->places[i] : 0);

		if (i == BIT_WORD(place))
			word &= ~BIT_MASK(place);
		n += hweight_long(word);
	}
	return n;
}
