// SPDX-License-Identifier: GPL-2.0-only
/*
 * Members of a service as objects: they outlive the set that names them for as
 * long as a flow holds them. The set itself is service.c's.
 */
#include "mesh.h"

struct vnimesh_member *vnimesh_member_alloc(struct vnimesh_service *service,
					    struct vnimesh_vni *vni)
{
	struct vnimesh_member *member = kzalloc(sizeof(*member), GFP_KERNEL_ACCOUNT);

	if (!member)
		return NULL;
	member->weight = VNIMESH_WEIGHT_DEFAULT;
	member->health = VNIMESH_HEALTH_MAX;
	member->state = VNIMESH_STATE_UP;
	spin_lock_init(&member->flows_lock);
	INIT_LIST_HEAD(&member->flows);
	INIT_LIST_HEAD(&member->review);
	INIT_LIST_HEAD(&member->untold);
	INIT_LIST_HEAD(&member->telling);
	member->latency_kind = VNIMESH_LATENCY_CONNECT;
	INIT_LIST_HEAD(&member->transit);
	RB_CLEAR_NODE(&member->wait);
	refcount_inc(&service->refs);
	member->service = service;
	refcount_inc(&vni->refs);
	member->vni = vni;
	refcount_set(&member->refs, 1);
	return member;
}

void vnimesh_member_put(struct vnimesh_member *member)
{
	struct vnimesh_ports *ports;

	if (!refcount_dec_and_test(&member->refs))
		return;
	ports = rcu_dereference_protected(member->ports, 1);
	if (ports)
		kfree_rcu(ports, rcu);
	vnimesh_service_put(member->service);
	vnimesh_vni_put(member->vni);
	kfree_rcu(member, rcu);
}

struct vnimesh_member *vnimesh_member_find(struct vnimesh_mesh *mesh,
					   const struct vnimesh_service *service,
					   u32 vni_id)
{
	const struct vnimesh_member_set *set;
	u32 i;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	for (i = 0; i < set->n; i++)
		if (set->m[i]->vni->id == vni_id)
			return set->m[i];
	return NULL;
}

void vnimesh_member_set_ports(struct vnimesh_mesh *mesh,
			      struct vnimesh_member *member,
			      struct vnimesh_ports *ports)
{
	ports = rcu_replace_pointer(member->ports, ports,
				    lockdep_is_held(&mesh->lock));
	if (ports)
		kfree_rcu(ports, rcu);
}

static bool is_another(const struct vnimesh_member *member, void *data)
{
	return member != data;
}

int vnimesh_member_unlink(struct vnimesh_mesh *mesh,
			  struct vnimesh_member *member)
{
	struct vnimesh_service *service = member->service;
	const struct vnimesh_member_set *set;
	int err;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	err = vnimesh_member_spare(service, set->n - 1);
	if (err)
		return err;
	vnimesh_member_sift(mesh, service, is_another, member);
	return 0;
}
