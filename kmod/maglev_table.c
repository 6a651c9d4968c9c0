// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maglev tables of services: built under mesh->lock by a worker, published by
 * RCU. A table in use names members, not places in the set, so that it stays
 * right while the set changes: who has left is dead and passed over.
 */
#include <linux/slab.h>
#include <linux/sort.h>

#include "maglev.h"
#include "mesh.h"

/* Many members come at once: one table for all of them. */
#define DELAY	(HZ / 100 ?: 1)

static void free_table(struct rcu_head *rcu)
{
	struct vnimesh_maglev *maglev = container_of(rcu, struct vnimesh_maglev,
						     rcu);
	u32 i;

	for (i = 0; i < maglev->n; i++)
		vnimesh_member_put(maglev->m[i]);
	kfree(maglev->m);
	kvfree(maglev);
}

static void publish(struct vnimesh_mesh *mesh, struct vnimesh_service *service,
		    struct vnimesh_maglev *maglev)
{
	maglev = rcu_replace_pointer(service->maglev, maglev,
				     lockdep_is_held(&mesh->lock));
	if (maglev)
		call_rcu(&maglev->rcu, free_table);
}

static int by_id(const void *a, const void *b)
{
	const struct vnimesh_member *const *m = a, *const *o = b;

	return (*m)->vni->id < (*o)->vni->id ? -1 : 1;
}

/* References are taken at the end: until then nothing is to be undone. */
static struct vnimesh_maglev *build(const struct vnimesh_member_set *set)
{
	u32 size = vnimesh_maglev_size(set->n), i;
	struct vnimesh_maglev_member *m;
	struct vnimesh_maglev *maglev;

	m = kvcalloc(set->n, sizeof(*m), GFP_KERNEL_ACCOUNT);
	maglev = kvzalloc(struct_size(maglev, table.slot, size), GFP_KERNEL_ACCOUNT);
	if (maglev)
		maglev->m = kmemdup(set->m, set->n * sizeof(set->m[0]),
				    GFP_KERNEL_ACCOUNT);
	if (!m || !maglev || !maglev->m) {
		kvfree(m);
		if (maglev)
			kfree(maglev->m);
		kvfree(maglev);
		return NULL;
	}
	maglev->n = set->n;
	maglev->table.size = size;
	sort(maglev->m, maglev->n, sizeof(maglev->m[0]), by_id, NULL);
	for (i = 0; i < maglev->n; i++) {
		m[i].id = maglev->m[i]->vni->id;
		m[i].weight = maglev->m[i]->weight;
		refcount_inc(&maglev->m[i]->refs);
	}
	vnimesh_maglev_build(&maglev->table, m, maglev->n);
	kvfree(m);
	return maglev;
}

/* Without memory the old table stays, and it is tried again. */
static bool renew(struct vnimesh_mesh *mesh, struct vnimesh_service *service)
{
	const struct vnimesh_member_set *set;
	struct vnimesh_maglev *maglev = NULL;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	if (service->policy == VNIMESH_POLICY_MAGLEV && set->n) {
		maglev = build(set);
		if (!maglev)
			return false;
	}
	service->maglev_old = false;
	publish(mesh, service, maglev);
	return true;
}

static void work(struct work_struct *work)
{
	struct vnimesh_mesh *mesh = container_of(to_delayed_work(work),
						 struct vnimesh_mesh,
						 maglev_work);
	struct vnimesh_service *service;
	unsigned long index;
	bool done = true;

	mutex_lock(&mesh->lock);
	xa_for_each(&mesh->services, index, service)
		if (service->maglev_old)
			done &= renew(mesh, service);
	mutex_unlock(&mesh->lock);
	if (!done)
		queue_delayed_work(system_power_efficient_wq,
				   &mesh->maglev_work, HZ);
}

void vnimesh_maglev_changed(struct vnimesh_mesh *mesh,
			    struct vnimesh_service *service)
{
	lockdep_assert_held(&mesh->lock);
	if (service->dead || (service->policy != VNIMESH_POLICY_MAGLEV &&
			      !rcu_access_pointer(service->maglev)))
		return;
	service->maglev_old = true;
	queue_delayed_work(system_power_efficient_wq, &mesh->maglev_work,
			   DELAY);
}

void vnimesh_maglev_drop(struct vnimesh_mesh *mesh,
			 struct vnimesh_service *service)
{
	lockdep_assert_held(&mesh->lock);
	service->maglev_old = false;
	publish(mesh, service, NULL);
}

void vnimesh_maglev_init(struct vnimesh_mesh *mesh)
{
	INIT_DELAYED_WORK(&mesh->maglev_work, work);
}

/* All services are unlinked: nothing queues it any more. */
void vnimesh_maglev_exit(struct vnimesh_mesh *mesh)
{
	cancel_delayed_work_sync(&mesh->maglev_work);
}
