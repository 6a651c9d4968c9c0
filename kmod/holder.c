// SPDX-License-Identifier: GPL-2.0-only
#include <linux/rbtree.h>
#include <linux/string.h>

#include "holder.h"
#include "mesh.h"

static int compare(const struct vnimesh_addr_key *a,
		   const struct vnimesh_addr_key *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(&a->ip, &b->ip, sizeof(a->ip));
}

static struct vnimesh_addr_entry *entry_of(struct rb_node *node)
{
	return rb_entry(node, struct vnimesh_addr_entry, holder);
}

/* ->holders_lock, as all below. Before others with the same address: who goes meets
 * one that stays first.
 */
static void add(struct vnimesh_node *node, struct vnimesh_addr_entry *new)
{
	struct rb_node **at = &node->holders.rb_node, *parent = NULL;

	if (!new->key.family)
		return;
	while (*at) {
		parent = *at;
		at = compare(&new->key, &entry_of(parent)->key) <= 0 ?
		     &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->holder, parent, at);
	rb_insert_color(&new->holder, &node->holders);
}

static void del(struct vnimesh_node *node, struct vnimesh_addr_entry *old)
{
	if (old->key.family)
		rb_erase(&old->holder, &node->holders);
}

static struct vnimesh_addr_entry *first(struct vnimesh_node *node,
					const struct vnimesh_addr_key *key)
{
	struct rb_node *at = node->holders.rb_node, *found = NULL;
	int order;

	while (at) {
		order = compare(key, &entry_of(at)->key);
		if (!order)
			found = at;
		at = order <= 0 ? at->rb_left : at->rb_right;
	}
	return found ? entry_of(found) : NULL;
}

static struct vnimesh_addr_entry *next(struct vnimesh_addr_entry *entry)
{
	struct rb_node *at = rb_next(&entry->holder);

	if (!at || compare(&entry_of(at)->key, &entry->key))
		return NULL;
	return entry_of(at);
}

static bool mark(struct vnimesh_vni *vni, u32 family)
{
	u8 bit = family == AF_INET ? VNIMESH_TAKEN_IP4 : VNIMESH_TAKEN_IP6;

	if (vni->taken & bit)
		return false;
	WRITE_ONCE(vni->taken, vni->taken | bit);
	return true;
}

/* Who is gone has lost it to @entry's owner, unless that is the same one again. */
static bool take(struct vnimesh_vni *vni, struct vnimesh_addr_entry *entry)
{
	struct vnimesh_addr_entry *other;
	struct vnimesh_vni *gone;
	bool found = false;

	if (!entry->key.family)
		return false;
	for (other = first(vni->node, &entry->key); other; other = next(other)) {
		gone = other->owner;
		if (gone->dead && gone->id != vni->id)
			found |= mark(gone, entry->key.family);
	}
	return found;
}

/* @vni had come back to @old, and moves on. */
static bool move(struct vnimesh_vni *vni, struct vnimesh_addr_entry *old,
		 struct vnimesh_addr_entry *new)
{
	struct vnimesh_addr_entry *other;
	struct vnimesh_vni *gone;
	bool found = false;

	if (!old->key.family || (new->key.family &&
				 vnimesh_ip_equal(&old->key.ip, &new->key.ip)))
		return false;
	for (other = first(vni->node, &old->key); other; other = next(other)) {
		gone = other->owner;
		if (gone->dead && gone->id == vni->id)
			found |= mark(gone, old->key.family);
	}
	return found;
}

bool vnimesh_holder_change(struct vnimesh_vni *vni,
			   struct vnimesh_vni_addrs *old,
			   struct vnimesh_vni_addrs *new)
{
	struct vnimesh_node *node = vni->node;
	bool found = false;

	if (node->self)
		return false;
	spin_lock_bh(&node->holders_lock);
	if (old) {
		found |= move(vni, &old->e4, &new->e4);
		found |= move(vni, &old->e6, &new->e6);
		del(node, &old->e4);
		del(node, &old->e6);
	}
	found |= take(vni, &new->e4);
	found |= take(vni, &new->e6);
	add(node, &new->e4);
	add(node, &new->e6);
	spin_unlock_bh(&node->holders_lock);
	return found;
}

/* Somebody has it already. */
static bool leave(struct vnimesh_vni *vni, struct vnimesh_addr_entry *entry)
{
	struct vnimesh_addr_entry *other;
	struct vnimesh_vni *heir;

	if (!entry->key.family)
		return false;
	for (other = first(vni->node, &entry->key); other; other = next(other)) {
		heir = other->owner;
		if (!heir->dead && heir->id != vni->id)
			return mark(vni, entry->key.family);
	}
	return false;
}

bool vnimesh_holder_leave(struct vnimesh_vni *vni,
			  struct vnimesh_vni_addrs *addrs)
{
	struct vnimesh_node *node = vni->node;
	bool found = false;

	/* Neither flows nor members that may get some. */
	if (refcount_read(&vni->refs) == 1)
		return false;
	spin_lock_bh(&node->holders_lock);
	if (node->self) {
		found |= mark(vni, AF_INET);
		found |= mark(vni, AF_INET6);
	} else {
		found |= leave(vni, &addrs->e4);
		found |= leave(vni, &addrs->e6);
	}
	spin_unlock_bh(&node->holders_lock);
	return found;
}

void vnimesh_holder_forget(struct vnimesh_vni *vni)
{
	struct vnimesh_vni_addrs *addrs = rcu_dereference_protected(vni->addrs, 1);
	struct vnimesh_node *node = vni->node;

	if (!addrs || node->self)
		return;
	spin_lock_bh(&node->holders_lock);
	del(node, &addrs->e4);
	del(node, &addrs->e6);
	spin_unlock_bh(&node->holders_lock);
}
