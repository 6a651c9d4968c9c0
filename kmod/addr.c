// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address tables: a hash from an inner address to its owner. rhashtable seeds
 * each table at random, so that nobody can aim at one bucket.
 */
#include "addr.h"

const struct rhashtable_params vnimesh_addr_params = {
	.head_offset = offsetof(struct vnimesh_addr_entry, head),
	.key_offset = offsetof(struct vnimesh_addr_entry, key),
	.key_len = sizeof(struct vnimesh_addr_key),
	.automatic_shrinking = true,
};

static void make_key(struct vnimesh_addr_key *key, u8 family,
		     const union vnimesh_ip *ip)
{
	/* Compared as memory: the padding counts. */
	memset(key, 0, sizeof(*key));
	key->ip = *ip;
	key->family = family;
}

void *vnimesh_addr_find(struct rhashtable *table, u8 family,
			const union vnimesh_ip *ip)
{
	struct vnimesh_addr_entry *entry;
	struct vnimesh_addr_key key;

	make_key(&key, family, ip);
	entry = rhashtable_lookup(table, &key, vnimesh_addr_params);
	return entry ? entry->owner : NULL;
}

void vnimesh_addr_set(struct vnimesh_addr_entry *entry, u8 family,
		      const union vnimesh_ip *ip, void *owner)
{
	make_key(&entry->key, family, ip);
	entry->owner = owner;
}

int vnimesh_addr_insert(struct rhashtable *table,
			struct vnimesh_addr_entry *entry)
{
	return rhashtable_lookup_insert_fast(table, &entry->head,
					     vnimesh_addr_params);
}

void vnimesh_addr_remove(struct rhashtable *table,
			 struct vnimesh_addr_entry *entry)
{
	rhashtable_remove_fast(table, &entry->head, vnimesh_addr_params);
}

void vnimesh_addr_replace(struct rhashtable *table,
			  struct vnimesh_addr_entry *old,
			  struct vnimesh_addr_entry *new)
{
	rhashtable_replace_fast(table, &old->head, &new->head,
				vnimesh_addr_params);
}
