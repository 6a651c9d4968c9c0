// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address tables: a hash from an inner address to its owner. rhashtable seeds
 * each table at random, so that nobody can aim at one bucket.
 */
#include "addr.h"

/* All of it is inlined: generic hashing and memcmp() cost more than the rest of a
 * lookup, and each packet makes several.
 */
static u32 hash_key(const void *data, u32 len, u32 seed)
{
	const struct vnimesh_addr_key *key = data;

	if (key->family == AF_INET)
		return jhash_1word((__force u32)key->ip.v4, seed);
	return jhash2((const u32 *)&key->ip, sizeof(key->ip) / sizeof(u32),
		      seed);
}

static int cmp_entry(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct vnimesh_addr_entry *entry = obj;
	const struct vnimesh_addr_key *key = arg->key;

	return entry->key.family != key->family ||
	       !vnimesh_ip_equal(&entry->key.ip, &key->ip);
}

static const struct rhashtable_params params = {
	.head_offset = offsetof(struct vnimesh_addr_entry, head),
	.key_offset = offsetof(struct vnimesh_addr_entry, key),
	.key_len = sizeof(struct vnimesh_addr_key),
	.hashfn = hash_key,
	.obj_cmpfn = cmp_entry,
	.automatic_shrinking = true,
};

int vnimesh_addr_init(struct rhashtable *table)
{
	return rhashtable_init(table, &params);
}

static void make_key(struct vnimesh_addr_key *key, u8 family,
		     const union vnimesh_ip *ip)
{
	key->ip = *ip;
	key->family = family;
}

void *vnimesh_addr_find(struct rhashtable *table, u8 family,
			const union vnimesh_ip *ip)
{
	struct vnimesh_addr_entry *entry;
	struct vnimesh_addr_key key;

	make_key(&key, family, ip);
	entry = rhashtable_lookup(table, &key, params);
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
					     params);
}

void vnimesh_addr_remove(struct rhashtable *table,
			 struct vnimesh_addr_entry *entry)
{
	rhashtable_remove_fast(table, &entry->head, params);
}

void vnimesh_addr_replace(struct rhashtable *table,
			  struct vnimesh_addr_entry *old,
			  struct vnimesh_addr_entry *new)
{
	rhashtable_replace_fast(table, &old->head, &new->head,
				params);
}
