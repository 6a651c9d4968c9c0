// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hashtable.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "absent.h"

#define BITS	8
/* How many of the oldest are looked at for one of the VNI that asks too much. */
#define SEARCH	64

struct entry {
	struct hlist_node node;
	struct list_head order;		/* oldest first */
	struct vnimesh_absent_key key;
	u64 expires;			/* jiffies; an entry stays for weeks */
	u32 vni_id;			/* who asked */
	u8 verdict;
};

struct vnimesh_absent {
	spinlock_t lock;		/* who changes the table and order */
	DECLARE_HASHTABLE(table, BITS);
	struct list_head order;
	u32 seed;
	u32 n;
};

void vnimesh_absent_ip(struct vnimesh_absent_key *key, u8 family,
		       const union vnimesh_ip *ip)
{
	memset(key, 0, sizeof(*key));
	key->family = family;
	key->ip = *ip;
}

void vnimesh_absent_tag(struct vnimesh_absent_key *key, const char *tag)
{
	memset(key, 0, sizeof(*key));
	strscpy(key->tag, tag, sizeof(key->tag));
}

static u32 hash(const struct vnimesh_absent *a,
		const struct vnimesh_absent_key *key)
{
	return jhash(key, sizeof(*key), a->seed);
}

static bool is_over(const struct entry *e)
{
	return time_after64(get_jiffies_64(), e->expires);
}

static struct entry *find(struct vnimesh_absent *a,
			  const struct vnimesh_absent_key *key)
{
	struct entry *e;

	hash_for_each_possible(a->table, e, node, hash(a, key))
		if (!memcmp(&e->key, key, sizeof(*key)))
			return e;
	return NULL;
}

static void forget(struct vnimesh_absent *a, struct entry *e)
{
	hash_del(&e->node);
	list_del(&e->order);
	a->n--;
	kfree(e);
}

u8 vnimesh_absent_find(struct vnimesh_mesh *mesh,
		       const struct vnimesh_absent_key *key)
{
	struct vnimesh_absent *a = mesh->absent;
	struct entry *e;
	u8 verdict = 0;

	if (!READ_ONCE(a->n))
		return 0;
	spin_lock_bh(&a->lock);
	e = find(a, key);
	if (e && is_over(e))
		forget(a, e);
	else if (e)
		verdict = e->verdict;
	spin_unlock_bh(&a->lock);
	return verdict;
}

/* One goes. An expired one, else (true) one of @vni_id if it is among the oldest,
 * else the oldest.
 */
static bool make_room(struct vnimesh_absent *a, u32 vni_id)
{
	struct entry *e, *own = NULL;
	u32 i = 0;

	list_for_each_entry(e, &a->order, order) {
		if (is_over(e)) {
			forget(a, e);
			return false;
		}
		if (!own && vni_id && e->vni_id == vni_id)
			own = e;
		if (++i == SEARCH)
			break;
	}
	forget(a, own ?: list_first_entry(&a->order, struct entry, order));
	return true;
}

int vnimesh_absent_add(struct vnimesh_mesh *mesh,
		       const struct vnimesh_absent_key *key, u8 verdict,
		       u32 ttl_ms, u32 vni_id)
{
	struct vnimesh_absent *a = mesh->absent;
	struct entry *e, *old;
	bool full = false;

	e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e)
		return -ENOMEM;
	e->key = *key;
	e->verdict = verdict;
	e->vni_id = vni_id;
	e->expires = get_jiffies_64() + msecs_to_jiffies(ttl_ms);
	spin_lock_bh(&a->lock);
	old = find(a, key);
	if (old)
		forget(a, old);
	else if (a->n >= VNIMESH_NEGATIVE_MAX)
		full = make_room(a, vni_id);
	hash_add(a->table, &e->node, hash(a, key));
	list_add_tail(&e->order, &a->order);
	WRITE_ONCE(a->n, a->n + 1);
	spin_unlock_bh(&a->lock);
	if (full)
		vnimesh_count(mesh, VNIMESH_A_STATS_NEGATIVE_FULL);
	return 0;
}

void vnimesh_absent_del(struct vnimesh_mesh *mesh,
			const struct vnimesh_absent_key *key)
{
	struct vnimesh_absent *a = mesh->absent;
	struct entry *e;

	spin_lock_bh(&a->lock);
	e = find(a, key);
	if (e)
		forget(a, e);
	spin_unlock_bh(&a->lock);
}

void vnimesh_absent_flush(struct vnimesh_mesh *mesh)
{
	struct vnimesh_absent *a = mesh->absent;
	struct entry *e, *tmp;

	spin_lock_bh(&a->lock);
	list_for_each_entry_safe(e, tmp, &a->order, order)
		forget(a, e);
	spin_unlock_bh(&a->lock);
}

int vnimesh_absent_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_absent *a = kzalloc(sizeof(*a), GFP_KERNEL_ACCOUNT);

	if (!a)
		return -ENOMEM;
	spin_lock_init(&a->lock);
	hash_init(a->table);
	INIT_LIST_HEAD(&a->order);
	a->seed = get_random_u32();
	mesh->absent = a;
	return 0;
}

void vnimesh_absent_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_absent *a = mesh->absent;

	if (!a)
		return;
	vnimesh_absent_flush(mesh);
	kfree(a);
	mesh->absent = NULL;
}
