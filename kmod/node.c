// SPDX-License-Identifier: GPL-2.0-only
/*
 * Node rows and the longest-prefix table of the mesh.
 *
 * A prefix entry names its node without a reference: entries leave the table
 * before the node does, and both wait for RCU.
 */
#include "aggregate.h"
#include "liveness.h"
#include "mesh.h"

struct prefix_key {
	union vnimesh_ip ip;
	u32 family;
	u32 len;
};

struct prefix_entry {
	struct rhash_head head;
	struct prefix_key key;
	struct vnimesh_node *node;
	struct rcu_head rcu;
};

/* Several nodes may sit behind one address, so it is counted. */
struct underlay_entry {
	struct rhash_head head;
	union vnimesh_ip addr;
	u32 count;		/* under mesh->lock */
	struct rcu_head rcu;
};

/* As in addr.c: inlined, no memcmp(). */
static u32 hash_prefix(const void *data, u32 len, u32 seed)
{
	const struct prefix_key *key = data;

	if (key->family == AF_INET)
		return jhash_2words((__force u32)key->ip.v4, key->len, seed);
	return jhash2((const u32 *)&key->ip, sizeof(key->ip) / sizeof(u32),
		      seed + key->len);
}

static int cmp_entry(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct prefix_entry *entry = obj;
	const struct prefix_key *key = arg->key;

	return entry->key.len != key->len || entry->key.family != key->family ||
	       !vnimesh_ip_equal(&entry->key.ip, &key->ip);
}

static const struct rhashtable_params prefix_params = {
	.head_offset = offsetof(struct prefix_entry, head),
	.key_offset = offsetof(struct prefix_entry, key),
	.key_len = sizeof(struct prefix_key),
	.hashfn = hash_prefix,
	.obj_cmpfn = cmp_entry,
	.automatic_shrinking = true,
};

static const struct rhashtable_params underlay_params = {
	.head_offset = offsetof(struct underlay_entry, head),
	.key_offset = offsetof(struct underlay_entry, addr),
	.key_len = sizeof(union vnimesh_ip),
	.automatic_shrinking = true,
};

static void make_key(struct prefix_key *key, u8 family,
		     const union vnimesh_ip *ip, u32 len)
{
	key->family = family;
	key->len = len;
	if (family == AF_INET)
		vnimesh_ip_set4(&key->ip, ip->v4 & inet_make_mask(len));
	else
		ipv6_addr_prefix(&key->ip.v6, &ip->v6, len);
}

static struct prefix_entry *find_prefix(struct vnimesh_mesh *mesh,
					const struct vnimesh_prefix *prefix)
{
	struct prefix_key key;

	make_key(&key, prefix->family, &prefix->ip, prefix->len);
	return rhashtable_lookup_fast(&mesh->lpm.table, &key, prefix_params);
}

struct vnimesh_node *vnimesh_node_route(struct vnimesh_mesh *mesh, u8 family,
					const union vnimesh_ip *ip)
{
	unsigned long size = family == AF_INET ? 33 : 129;
	struct vnimesh_lpm *lpm = &mesh->lpm;
	struct prefix_entry *entry;
	struct prefix_key key;
	unsigned long *lens;
	unsigned long len;

	lens = family == AF_INET ? lpm->lens4 : lpm->lens6;
	for (; (len = find_last_bit(lens, size)) < size; size = len) {
		make_key(&key, family, ip, len);
		entry = rhashtable_lookup(&lpm->table, &key, prefix_params);
		if (entry)
			return entry->node;
	}
	return NULL;
}

bool vnimesh_node_known(struct vnimesh_mesh *mesh,
			const union vnimesh_ip *addr)
{
	return rhashtable_lookup(&mesh->lpm.underlays, addr, underlay_params);
}

struct vnimesh_node *vnimesh_node_find(struct vnimesh_mesh *mesh, u32 id)
{
	return xa_load(&mesh->nodes, id);
}

static void count_len(struct vnimesh_lpm *lpm, const struct prefix_key *key,
		      bool add)
{
	unsigned long *lens;
	u32 *count;

	lens = key->family == AF_INET ? lpm->lens4 : lpm->lens6;
	count = key->family == AF_INET ? lpm->count4 : lpm->count6;
	if (add) {
		if (!count[key->len]++)
			set_bit(key->len, lens);
	} else if (!--count[key->len]) {
		clear_bit(key->len, lens);
	}
}

static int add_prefix(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
		      const struct vnimesh_prefix *prefix)
{
	struct prefix_entry *entry;
	int err;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	make_key(&entry->key, prefix->family, &prefix->ip, prefix->len);
	entry->node = node;
	err = rhashtable_lookup_insert_fast(&mesh->lpm.table, &entry->head,
					    prefix_params);
	if (err) {
		kfree(entry);
		return err;
	}
	count_len(&mesh->lpm, &entry->key, true);
	return 0;
}

static void remove_prefix(struct vnimesh_mesh *mesh,
			  const struct vnimesh_prefix *prefix)
{
	struct prefix_entry *entry = find_prefix(mesh, prefix);

	if (WARN_ON_ONCE(!entry))
		return;
	rhashtable_remove_fast(&mesh->lpm.table, &entry->head, prefix_params);
	count_len(&mesh->lpm, &entry->key, false);
	kfree_rcu(entry, rcu);
}

static bool has_prefix(const struct vnimesh_node_prefixes *prefixes,
		       const struct vnimesh_prefix *prefix)
{
	u32 i;

	for (i = 0; prefixes && i < prefixes->n; i++)
		if (prefixes->p[i].family == prefix->family &&
		    prefixes->p[i].len == prefix->len &&
		    vnimesh_ip_equal(&prefixes->p[i].ip, &prefix->ip))
			return true;
	return false;
}

/* Prefixes of @from that @but lacks, up to @n of them. */
static void remove_prefixes(struct vnimesh_mesh *mesh,
			    const struct vnimesh_node_prefixes *from, u32 n,
			    const struct vnimesh_node_prefixes *but)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (!has_prefix(but, &from->p[i]))
			remove_prefix(mesh, &from->p[i]);
}

static int add_prefixes(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
			const struct vnimesh_node_prefixes *new,
			const struct vnimesh_node_prefixes *old)
{
	int err = 0;
	u32 i;

	for (i = 0; new && i < new->n && !err; i++)
		if (!has_prefix(old, &new->p[i]))
			err = add_prefix(mesh, node, &new->p[i]);
	if (err)
		remove_prefixes(mesh, new, i - 1, old);
	return err;
}

static int hold_underlay(struct vnimesh_mesh *mesh,
			 const union vnimesh_ip *addr)
{
	struct rhashtable *table = &mesh->lpm.underlays;
	struct underlay_entry *entry;
	int err;

	entry = rhashtable_lookup_fast(table, addr, underlay_params);
	if (entry) {
		entry->count++;
		return 0;
	}
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->addr = *addr;
	entry->count = 1;
	err = rhashtable_lookup_insert_fast(table, &entry->head,
					    underlay_params);
	if (err)
		kfree(entry);
	return err;
}

static void drop_underlay(struct vnimesh_mesh *mesh,
			  const union vnimesh_ip *addr)
{
	struct rhashtable *table = &mesh->lpm.underlays;
	struct underlay_entry *entry;

	entry = rhashtable_lookup_fast(table, addr, underlay_params);
	if (WARN_ON_ONCE(!entry) || --entry->count)
		return;
	rhashtable_remove_fast(table, &entry->head, underlay_params);
	kfree_rcu(entry, rcu);
}

struct vnimesh_node *vnimesh_node_alloc(u32 id)
{
	struct vnimesh_node *node = kzalloc(sizeof(*node), GFP_KERNEL_ACCOUNT);

	if (!node)
		return NULL;
	node->id = id;
	node->state = VNIMESH_STATE_UP;
	INIT_LIST_HEAD(&node->vnis);
	spin_lock_init(&node->holders_lock);
	node->holders = RB_ROOT;
	node->gone_holders = RB_ROOT;
	INIT_LIST_HEAD(&node->transit);
	refcount_set(&node->refs, 1);
	return node;
}

void vnimesh_node_put(struct vnimesh_node *node)
{
	struct vnimesh_node_prefixes *prefixes;
	struct vnimesh_endpoint *endpoint;

	if (!refcount_dec_and_test(&node->refs))
		return;
	/* The last one: nobody replaces these any more. Readers that found the
	 * node before it was unlinked may still look at all three.
	 */
	endpoint = rcu_dereference_protected(node->endpoint, 1);
	prefixes = rcu_dereference_protected(node->prefixes, 1);
	if (endpoint)
		vnimesh_endpoint_free_rcu(endpoint);
	if (prefixes)
		kfree_rcu(prefixes, rcu);
	kfree_rcu(node, rcu);
}

struct vnimesh_node *vnimesh_node_conflict(struct vnimesh_mesh *mesh,
					   const struct vnimesh_node *node,
					   const struct vnimesh_prefix *prefix)
{
	struct prefix_entry *entry = find_prefix(mesh, prefix);

	return entry && entry->node != node ? entry->node : NULL;
}

bool vnimesh_node_within(const struct vnimesh_node_prefixes *prefixes,
			 u8 family, const union vnimesh_ip *ip)
{
	bool any = false;
	u32 i;

	for (i = 0; prefixes && i < prefixes->n; i++) {
		if (vnimesh_prefix_match(&prefixes->p[i], family, ip))
			return true;
		any |= prefixes->p[i].family == family;
	}
	return !any;
}

bool vnimesh_node_allows(struct vnimesh_mesh *mesh,
			 const struct vnimesh_node *node, u8 family,
			 const union vnimesh_ip *ip)
{
	const struct vnimesh_node_prefixes *prefixes;

	prefixes = rcu_dereference_protected(node->prefixes,
					     lockdep_is_held(&mesh->lock));
	return vnimesh_node_within(prefixes, family, ip);
}

static void publish_endpoint(struct vnimesh_mesh *mesh,
			     struct vnimesh_node *node,
			     struct vnimesh_endpoint *new)
{
	struct vnimesh_endpoint *old;

	old = rcu_replace_pointer(node->endpoint, new,
				  lockdep_is_held(&mesh->lock));
	if (!old)
		return;
	drop_underlay(mesh, &old->addr);
	vnimesh_endpoint_free_rcu(old);
}

int vnimesh_node_apply(struct vnimesh_mesh *mesh, struct vnimesh_node *node,
		       struct vnimesh_node_change *change)
{
	struct vnimesh_node_prefixes *old;
	bool linked;
	int err;

	lockdep_assert_held(&mesh->lock);
	old = rcu_dereference_protected(node->prefixes,
					lockdep_is_held(&mesh->lock));
	linked = xa_load(&mesh->nodes, node->id) == node;

	/* First what can fail and nobody sees. */
	if (change->endpoint) {
		err = hold_underlay(mesh, &change->endpoint->addr);
		if (err)
			return err;
	}
	if (!linked) {
		err = xa_reserve(&mesh->nodes, node->id, GFP_KERNEL);
		if (err)
			goto drop_underlay;
		/* Prefixes lead here at once. */
		rcu_assign_pointer(node->endpoint, change->endpoint);
	}
	if (change->set_prefixes) {
		err = add_prefixes(mesh, node, change->prefixes, old);
		if (err)
			goto release;
		if (old)
			remove_prefixes(mesh, old, old->n, change->prefixes);
		rcu_assign_pointer(node->prefixes, change->prefixes);
		if (old)
			kfree_rcu(old, rcu);
	}
	if (!linked) {
		xa_store(&mesh->nodes, node->id, node, GFP_KERNEL);
		mesh->n_nodes++;
	} else if (change->endpoint) {
		publish_endpoint(mesh, node, change->endpoint);
	}
	return 0;

release:
	if (!linked) {
		/* Readers may have met it through a prefix. */
		synchronize_rcu();
		RCU_INIT_POINTER(node->endpoint, NULL);
		xa_release(&mesh->nodes, node->id);
	}
drop_underlay:
	if (change->endpoint)
		drop_underlay(mesh, &change->endpoint->addr);
	return err;
}

void vnimesh_node_unlink(struct vnimesh_mesh *mesh, struct vnimesh_node *node)
{
	struct vnimesh_node_prefixes *prefixes;
	struct vnimesh_endpoint *endpoint;

	lockdep_assert_held(&mesh->lock);
	WARN_ON_ONCE(node->n_vnis);
	WRITE_ONCE(node->dead, true);
	prefixes = rcu_dereference_protected(node->prefixes,
					     lockdep_is_held(&mesh->lock));
	endpoint = rcu_dereference_protected(node->endpoint,
					     lockdep_is_held(&mesh->lock));
	if (prefixes)
		remove_prefixes(mesh, prefixes, prefixes->n, NULL);
	if (endpoint)
		drop_underlay(mesh, &endpoint->addr);
	xa_erase(&mesh->nodes, node->id);
	mesh->n_nodes--;
	/* Flows that are kept to VNIs that it had can be sent no more. */
	if (refcount_read(&node->refs) > 1)
		vnimesh_liveness_moved(mesh);
	vnimesh_node_put(node);
}

int vnimesh_node_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_node *self;
	int err;

	INIT_LIST_HEAD(&mesh->endpoints);
	xa_init_flags(&mesh->nodes, XA_FLAGS_ACCOUNT);
	err = rhashtable_init(&mesh->lpm.table, &prefix_params);
	if (err)
		return err;
	err = rhashtable_init(&mesh->lpm.underlays, &underlay_params);
	if (err)
		goto table;

	err = -ENOMEM;
	self = vnimesh_node_alloc(mesh->node_id);
	if (!self)
		goto underlays;
	self->self = true;
	self->row.origin = VNIMESH_ORIGIN_LEARNED;
	self->row.stamp = jiffies;
	err = xa_insert(&mesh->nodes, self->id, self, GFP_KERNEL);
	if (err)
		goto put;
	mesh->n_nodes = 1;
	mesh->self = self;
	return 0;

put:
	vnimesh_node_put(self);
underlays:
	rhashtable_destroy(&mesh->lpm.underlays);
table:
	rhashtable_destroy(&mesh->lpm.table);
	return err;
}

static void locate(struct vnimesh_mesh *mesh, struct vnimesh_node *node)
{
	u8 locality = vnimesh_locality(mesh->self->zone, node->zone);

	if (locality == node->locality)
		return;
	WRITE_ONCE(node->locality, locality);
	vnimesh_liveness_changed(mesh);
}

void vnimesh_node_locate(struct vnimesh_mesh *mesh, struct vnimesh_node *node)
{
	unsigned long index;

	lockdep_assert_held(&mesh->lock);
	if (!node->self) {
		locate(mesh, node);
		return;
	}
	xa_for_each(&mesh->nodes, index, node)
		locate(mesh, node);
}

void vnimesh_node_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_node *node;
	unsigned long id;

	mutex_lock(&mesh->lock);
	xa_for_each(&mesh->nodes, id, node)
		vnimesh_node_unlink(mesh, node);
	mesh->self = NULL;
	mutex_unlock(&mesh->lock);
	vnimesh_endpoint_exit(mesh);
	xa_destroy(&mesh->nodes);
	rhashtable_destroy(&mesh->lpm.underlays);
	rhashtable_destroy(&mesh->lpm.table);
}
