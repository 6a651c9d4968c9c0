// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maglev tables of services: built by a worker, one at a time and outside
 * mesh->lock, published by RCU. A table in use names members, not places in the
 * set, so that it stays right while the set changes: who has left is dead and
 * passed over.
 *
 * A service whose table is due has the mark in mesh->services, under mesh->lock.
 */
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "maglev.h"
#include "mesh.h"

#define DUE	XA_MARK_1	/* the first one marks what is free */

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

static void free_unused(struct vnimesh_maglev *maglev)
{
	if (maglev)
		free_table(&maglev->rcu);
}

/* mesh->lock. The members as they are now, by reference; their weights in *@m,
 * for the build. NULL: no memory.
 */
static struct vnimesh_maglev *copy(const struct vnimesh_member_set *set,
				   struct vnimesh_maglev_member **m)
{
	u32 size = vnimesh_maglev_size(set->n), i;
	struct vnimesh_maglev *maglev;

	maglev = kvzalloc(struct_size(maglev, table.slot, size),
			  GFP_KERNEL_ACCOUNT);
	*m = kvcalloc(set->n, sizeof(**m), GFP_KERNEL_ACCOUNT);
	if (maglev)
		maglev->m = kmemdup(set->m, set->n * sizeof(set->m[0]),
				    GFP_KERNEL_ACCOUNT);
	if (!*m || !maglev || !maglev->m) {
		kvfree(*m);
		free_unused(maglev);
		return NULL;
	}
	maglev->n = set->n;
	maglev->table.size = size;
	sort(maglev->m, maglev->n, sizeof(maglev->m[0]), by_id, NULL);
	for (i = 0; i < maglev->n; i++) {
		(*m)[i].id = maglev->m[i]->vni->id;
		(*m)[i].weight = maglev->m[i]->weight;
		refcount_inc(&maglev->m[i]->refs);
	}
	return maglev;
}

/* mesh->lock. The next service whose table is due, at or behind *@index; by
 * reference.
 */
static struct vnimesh_service *next_due(struct vnimesh_mesh *mesh,
					unsigned long *index)
{
	struct vnimesh_service *service;

	service = xa_find(&mesh->services, index, ULONG_MAX, DUE);
	if (!service)
		return NULL;
	refcount_inc(&service->refs);
	xa_clear_mark(&mesh->services, *index, DUE);
	return service;
}

/* mesh->lock. What has changed during the build has set the mark again; until
 * then this table is better than the one before. Who is unlinked has none: its
 * members hold it.
 */
static void settle(struct vnimesh_mesh *mesh, struct vnimesh_service *service,
		   struct vnimesh_maglev *maglev)
{
	const struct vnimesh_member_set *set;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	if (!service->dead && set->n &&
	    service->policy == VNIMESH_POLICY_MAGLEV)
		publish(mesh, service, maglev);
	else
		free_unused(maglev);
}

/* One table. Without memory the old one stays, and it is tried again. */
static bool renew(struct vnimesh_mesh *mesh, struct vnimesh_service *service)
{
	struct vnimesh_maglev_member *m = NULL;
	const struct vnimesh_member_set *set;
	struct vnimesh_maglev *maglev = NULL;
	bool wanted;

	lockdep_assert_held(&mesh->lock);
	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	wanted = service->policy == VNIMESH_POLICY_MAGLEV && set->n;
	if (!wanted) {
		publish(mesh, service, NULL);
		return true;
	}
	maglev = copy(set, &m);
	if (!maglev)
		return false;
	mutex_unlock(&mesh->lock);
	vnimesh_maglev_build(&maglev->table, m, maglev->n);
	kvfree(m);
	cond_resched();
	mutex_lock(&mesh->lock);
	settle(mesh, service, maglev);
	return true;
}

static void run(struct vnimesh_mesh *mesh)
{
	struct vnimesh_service *service;
	unsigned long index = 0;
	bool done = true;

	mutex_lock(&mesh->lock);
	while ((service = next_due(mesh, &index))) {
		if (!renew(mesh, service)) {
			if (!service->dead)
				xa_set_mark(&mesh->services, index, DUE);
			done = false;
		}
		index++;
		/* Who waits for the lock has it before the next table. */
		mutex_unlock(&mesh->lock);
		vnimesh_service_put(service);
		cond_resched();
		mutex_lock(&mesh->lock);
	}
	mutex_unlock(&mesh->lock);
	if (!done)
		queue_delayed_work(system_dfl_wq, &mesh->maglev_work, HZ);
}

/* The worker's memory is the mesh's. */
static void work(struct work_struct *work)
{
	struct vnimesh_mesh *mesh = container_of(to_delayed_work(work),
						 struct vnimesh_mesh,
						 maglev_work);
	struct mem_cgroup *old = set_active_memcg(mesh->memcg);

	run(mesh);
	set_active_memcg(old);
}

void vnimesh_maglev_changed(struct vnimesh_mesh *mesh,
			    struct vnimesh_service *service)
{
	lockdep_assert_held(&mesh->lock);
	if (service->dead || (service->policy != VNIMESH_POLICY_MAGLEV &&
			      !rcu_access_pointer(service->maglev)))
		return;
	xa_set_mark(&mesh->services, service->index, DUE);
	queue_delayed_work(system_dfl_wq, &mesh->maglev_work, DELAY);
}

void vnimesh_maglev_drop(struct vnimesh_mesh *mesh,
			 struct vnimesh_service *service)
{
	lockdep_assert_held(&mesh->lock);
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
