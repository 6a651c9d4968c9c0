// SPDX-License-Identifier: GPL-2.0-only
#include <linux/rbtree.h>
#include <linux/string.h>

#include "holder.h"
#include "mesh.h"

/* Who came and went with one address, and keeps flows: of more than so many, those of
 * the last end at once, as each change looks at all.
 */
#define KEPT_MAX	64

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

/* ->holders_lock, as all below. Before others with the same address. */
static void add(struct rb_root *root, struct vnimesh_addr_entry *new)
{
	struct rb_node **at = &root->rb_node, *parent = NULL;

	if (!new->key.family)
		return;
	while (*at) {
		parent = *at;
		at = compare(&new->key, &entry_of(parent)->key) <= 0 ?
		     &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&new->holder, parent, at);
	rb_insert_color(&new->holder, root);
}

static void del(struct rb_root *root, struct vnimesh_addr_entry *old)
{
	if (!old->key.family || RB_EMPTY_NODE(&old->holder))
		return;
	rb_erase(&old->holder, root);
	RB_CLEAR_NODE(&old->holder);
}

static struct vnimesh_addr_entry *first(struct rb_root *root,
					const struct vnimesh_addr_key *key)
{
	struct rb_node *at = root->rb_node, *found = NULL;
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

static void mark(struct vnimesh_vni *vni, u32 family)
{
	u8 bit = family == AF_INET ? VNIMESH_TAKEN_IP4 : VNIMESH_TAKEN_IP6;

	WRITE_ONCE(vni->taken, vni->taken | bit);
}

/* Who is gone and had the address of @entry, and has, or has not, the id of @vni: it is
 * none of theirs any more.
 */
static bool take(struct vnimesh_vni *vni, struct vnimesh_addr_entry *entry,
		 bool same)
{
	struct rb_root *gone = &vni->node->gone_holders;
	struct vnimesh_addr_entry *old, *after;
	struct vnimesh_vni *owner;
	bool is_same, found = false;

	if (!entry->key.family)
		return false;
	for (old = first(gone, &entry->key); old; old = after) {
		after = next(old);
		owner = old->owner;
		is_same = owner->id == vni->id;
		if (is_same != same)
			continue;
		mark(owner, old->key.family);
		del(gone, old);
		found = true;
	}
	return found;
}

static bool moves(const struct vnimesh_addr_entry *old,
		  const struct vnimesh_addr_entry *new)
{
	return !new->key.family ||
	       !vnimesh_ip_equal(&old->key.ip, &new->key.ip);
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
		/* It may have come back to it. */
		if (moves(&old->e4, &new->e4))
			found |= take(vni, &old->e4, true);
		if (moves(&old->e6, &new->e6))
			found |= take(vni, &old->e6, true);
		del(&node->holders, &old->e4);
		del(&node->holders, &old->e6);
	}
	found |= take(vni, &new->e4, false);
	found |= take(vni, &new->e6, false);
	add(&node->holders, &new->e4);
	add(&node->holders, &new->e6);
	spin_unlock_bh(&node->holders_lock);
	return found;
}

static bool crowded(struct rb_root *gone, const struct vnimesh_addr_key *key)
{
	struct vnimesh_addr_entry *entry;
	u32 n = 0;

	for (entry = first(gone, key); entry && n < KEPT_MAX; entry = next(entry))
		n++;
	return n >= KEPT_MAX;
}

/* It keeps its flows to @entry, unless somebody has that already. */
static bool leave(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
		  struct vnimesh_addr_entry *entry)
{
	struct vnimesh_node *node = vni->node;
	bool taken;

	if (!entry->key.family)
		return false;
	taken = first(&node->holders, &entry->key);
	if (!taken && crowded(&node->gone_holders, &entry->key)) {
		vnimesh_count(mesh, VNIMESH_A_STATS_KEPT_LIMIT);
		taken = true;
	}
	if (taken)
		mark(vni, entry->key.family);
	else
		add(&node->gone_holders, entry);
	return taken;
}

bool vnimesh_holder_leave(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			  struct vnimesh_vni_addrs *addrs)
{
	struct vnimesh_node *node = vni->node;
	/* Else neither flows nor members that may get some. */
	bool kept = refcount_read(&vni->refs) > 1;
	bool found = false;

	spin_lock_bh(&node->holders_lock);
	if (!node->self) {
		del(&node->holders, &addrs->e4);
		del(&node->holders, &addrs->e6);
		if (kept)
			found = leave(mesh, vni, &addrs->e4) |
				leave(mesh, vni, &addrs->e6);
	} else if (kept) {
		mark(vni, AF_INET);
		mark(vni, AF_INET6);
		found = true;
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
	del(&node->gone_holders, &addrs->e4);
	del(&node->gone_holders, &addrs->e6);
	spin_unlock_bh(&node->holders_lock);
}
