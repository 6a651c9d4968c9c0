// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parked resolves. An entry is on the list of its mesh, oldest first, and in a
 * hash by port id, so that a socket that goes takes its entries along without
 * a look at every mesh: it may be in another netns than the mesh.
 *
 * Whoever takes an entry off both, under the lock, owns it and answers it after
 * the lock. The lock is global: what it guards is short and rare.
 */
#include <linux/hash.h>

#include "miss.h"
#include "nl.h"
#include "parked.h"

struct entry {
	struct hlist_node hash_node;
	struct list_head node;
	struct vnimesh_parked *parked;
	struct vnimesh_nl_asker asker;	/* ->net is referenced */
	unsigned long deadline;
	u32 vni_id;		/* of the asker, 0: none */
	char tag[VNIMESH_TAG_MAX + 1];
};

struct vnimesh_parked {
	struct list_head entries;
	struct delayed_work expire;
	u32 n;
	bool stopped;
};

#define PORT_HASH_BITS	6

static DEFINE_SPINLOCK(lock);
static struct hlist_head by_port[1 << PORT_HASH_BITS];
static atomic_t total;		/* entries of all meshes */

static struct hlist_head *bucket(u32 portid)
{
	return &by_port[hash_32(portid, PORT_HASH_BITS)];
}

/* Under the lock. */
static void take(struct entry *entry, struct list_head *taken)
{
	hlist_del(&entry->hash_node);
	list_move_tail(&entry->node, taken);
	entry->parked->n--;
	atomic_dec(&total);
}

static void release(struct entry *entry)
{
	put_net(entry->asker.net);
	kfree(entry);
}

static void refuse(struct list_head *taken, int err)
{
	struct entry *entry, *next;

	list_for_each_entry_safe(entry, next, taken, node) {
		vnimesh_nl_unresolved(&entry->asker, err);
		release(entry);
	}
}

/* Under the lock. All that wait for @tag, or for anything. */
static void take_tag(struct vnimesh_parked *parked, const char *tag,
		     struct list_head *taken)
{
	struct entry *entry, *next;

	list_for_each_entry_safe(entry, next, &parked->entries, node)
		if (!tag || !strcmp(entry->tag, tag))
			take(entry, taken);
}

static void expire(struct work_struct *work)
{
	struct vnimesh_parked *parked;
	struct entry *entry, *next;
	unsigned long now = jiffies;
	unsigned long soonest = 0;
	LIST_HEAD(taken);

	parked = container_of(to_delayed_work(work), struct vnimesh_parked,
			      expire);
	spin_lock(&lock);
	/* The time limit may have changed in between: no order. */
	list_for_each_entry_safe(entry, next, &parked->entries, node) {
		if (time_after_eq(now, entry->deadline))
			take(entry, &taken);
		else if (!soonest || time_before(entry->deadline, soonest))
			soonest = entry->deadline;
	}
	if (soonest && !parked->stopped)
		mod_delayed_work(system_power_efficient_wq, &parked->expire,
				 soonest - now);
	spin_unlock(&lock);
	refuse(&taken, -ETIMEDOUT);
}

/* Under the lock. 1: somebody waits for @tag already. */
static int check(struct vnimesh_parked *parked,
		 const struct vnimesh_nl_asker *asker, const char *tag,
		 u32 vni_id)
{
	struct entry *entry;
	bool waits = false;
	u32 n = 0;

	if (parked->stopped)
		return -ENODEV;
	if (parked->n >= VNIMESH_PARKED_MAX)
		return -EBUSY;
	hlist_for_each_entry(entry, bucket(asker->portid), hash_node)
		if (entry->asker.portid == asker->portid &&
		    net_eq(entry->asker.net, asker->net))
			n++;
	if (n >= VNIMESH_PARKED_SOCK_MAX)
		return -EMFILE;
	n = 0;
	list_for_each_entry(entry, &parked->entries, node) {
		/* Who takes a device to another netns takes along what waits. */
		n += net_eq(entry->asker.net, asker->net) ||
		     (vni_id && entry->vni_id == vni_id);
		waits |= !strcmp(entry->tag, tag);
	}
	return n >= VNIMESH_PARKED_NET_MAX ? -EUSERS : waits;
}

static bool may_ask(struct vnimesh_mesh *mesh, u32 vni_id)
{
	struct vnimesh_vni *vni = vnimesh_vni_find(mesh, vni_id);

	return !vni || vnimesh_miss_may_ask(mesh, vni);
}

int vnimesh_parked_add(struct vnimesh_mesh *mesh,
		       const struct vnimesh_nl_asker *asker, const char *tag,
		       u32 vni_id)
{
	struct vnimesh_parked *parked = mesh->parked;
	unsigned long delay;
	struct entry *entry;
	int err;

	lockdep_assert_held(&mesh->lock);
	if (!READ_ONCE(mesh->agent))
		return -ENOTCONN;
	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->parked = parked;
	entry->asker = *asker;
	entry->vni_id = vni_id;
	strscpy(entry->tag, tag, sizeof(entry->tag));

	/* Answers and the loss of the agent need mesh->lock, and so do other
	 * requests: between the check and the list only entries that leave.
	 */
	spin_lock(&lock);
	err = check(parked, asker, tag, vni_id);
	spin_unlock(&lock);
	if (!err && !may_ask(mesh, vni_id))
		err = -EDQUOT;
	if (!err)
		err = vnimesh_netlink_miss(mesh, 0, NULL, tag, vni_id);
	if (err < 0) {
		kfree(entry);
		return err;
	}

	get_net(asker->net);
	delay = msecs_to_jiffies(READ_ONCE(mesh->set.miss_timeout));
	entry->deadline = jiffies + delay;
	spin_lock(&lock);
	if (parked->stopped) {
		spin_unlock(&lock);
		release(entry);
		return -ENODEV;
	}
	hlist_add_head(&entry->hash_node, bucket(asker->portid));
	list_add_tail(&entry->node, &parked->entries);
	parked->n++;
	atomic_inc(&total);
	/* If it runs for an earlier one, it starts itself again. */
	queue_delayed_work(system_power_efficient_wq, &parked->expire, delay);
	spin_unlock(&lock);
	return 0;
}

void vnimesh_parked_released(struct net *net, u32 portid)
{
	struct entry *entry, *n;
	struct hlist_node *next;
	LIST_HEAD(taken);

	/* Each socket of generic netlink comes by here. Nobody parks for one
	 * that is being closed.
	 */
	if (!atomic_read(&total))
		return;
	spin_lock(&lock);
	hlist_for_each_entry_safe(entry, next, bucket(portid), hash_node)
		if (entry->asker.portid == portid &&
		    net_eq(entry->asker.net, net))
			take(entry, &taken);
	spin_unlock(&lock);
	list_for_each_entry_safe(entry, n, &taken, node)
		release(entry);
}

void vnimesh_parked_complete(struct vnimesh_mesh *mesh,
			     struct vnimesh_service *service)
{
	struct entry *entry, *next;
	LIST_HEAD(taken);

	spin_lock(&lock);
	take_tag(mesh->parked, service->tag, &taken);
	spin_unlock(&lock);
	list_for_each_entry_safe(entry, next, &taken, node) {
		vnimesh_nl_resolved(&entry->asker, service, true);
		release(entry);
	}
}

void vnimesh_parked_negative(struct vnimesh_mesh *mesh, const char *tag,
			     u8 verdict)
{
	LIST_HEAD(taken);

	spin_lock(&lock);
	take_tag(mesh->parked, tag, &taken);
	spin_unlock(&lock);
	refuse(&taken, verdict == VNIMESH_VERDICT_COORDINATOR_AWAY ?
	       -EHOSTDOWN : -ENOENT);
}

void vnimesh_parked_agent_lost(struct vnimesh_mesh *mesh)
{
	LIST_HEAD(taken);

	spin_lock(&lock);
	take_tag(mesh->parked, NULL, &taken);
	spin_unlock(&lock);
	refuse(&taken, -ENOTCONN);
}

int vnimesh_parked_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_parked *parked = kzalloc(sizeof(*parked), GFP_KERNEL_ACCOUNT);

	if (!parked)
		return -ENOMEM;
	INIT_LIST_HEAD(&parked->entries);
	INIT_DELAYED_WORK(&parked->expire, expire);
	mesh->parked = parked;
	return 0;
}

void vnimesh_parked_stop(struct vnimesh_mesh *mesh)
{
	struct vnimesh_parked *parked = mesh->parked;
	LIST_HEAD(taken);

	spin_lock(&lock);
	parked->stopped = true;
	take_tag(parked, NULL, &taken);
	spin_unlock(&lock);
	cancel_delayed_work_sync(&parked->expire);
	refuse(&taken, -ENODEV);
}

void vnimesh_parked_exit(struct vnimesh_mesh *mesh)
{
	if (!mesh->parked)
		return;
	vnimesh_parked_stop(mesh);
	kfree(mesh->parked);
	mesh->parked = NULL;
}
