// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services: rows, their two address entries, and their place in the tables.
 */
#include "choose.h"
#include "eject.h"
#include "liveness.h"
#include "maglev.h"
#include "mesh.h"

/* The set of every service without members; never freed. */
static struct vnimesh_member_set nobody;

static u32 hash_tag(const void *data, u32 len, u32 seed)
{
	const char *tag = data;

	return jhash(tag, strlen(tag), seed);
}

static u32 hash_service(const void *data, u32 len, u32 seed)
{
	const struct vnimesh_service *service = data;

	return hash_tag(service->tag, len, seed);
}

static int cmp_tag(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct vnimesh_service *service = obj;

	return strcmp(service->tag, arg->key);
}

static const struct rhashtable_params tag_params = {
	.head_offset = offsetof(struct vnimesh_service, tag_node),
	.hashfn = hash_tag,
	.obj_hashfn = hash_service,
	.obj_cmpfn = cmp_tag,
	.automatic_shrinking = true,
};

bool vnimesh_tag_valid(const char *tag)
{
	size_t i, len = strnlen(tag, VNIMESH_TAG_MAX + 1);

	if (!len || len > VNIMESH_TAG_MAX)
		return false;
	for (i = 0; i < len; i++)
		if ((tag[i] < 'a' || tag[i] > 'z') &&
		    (tag[i] < '0' || tag[i] > '9') && tag[i] != '-')
			return false;
	return tag[0] != '-' && tag[len - 1] != '-';
}

struct vnimesh_service *vnimesh_service_by_ip(struct vnimesh_mesh *mesh,
					      u8 family,
					      const union vnimesh_ip *ip)
{
	return vnimesh_addr_find(&mesh->service_addrs, family, ip);
}

struct vnimesh_service *vnimesh_service_by_tag(struct vnimesh_mesh *mesh,
					       const char *tag)
{
	return rhashtable_lookup(&mesh->service_tags, tag, tag_params);
}

static const struct vnimesh_port *find_port(const struct vnimesh_ports *ports,
					    u8 proto, __be16 port)
{
	u32 i;

	for (i = 0; ports && i < ports->n; i++)
		if (ports->p[i].port == port && ports->p[i].proto == proto)
			return &ports->p[i];
	return NULL;
}

bool vnimesh_service_has_port(const struct vnimesh_service *service, u8 proto,
			      __be16 port)
{
	const struct vnimesh_ports *ports = rcu_dereference(service->ports);

	return !ports->n || find_port(ports, proto, port);
}

__be16 vnimesh_member_target(const struct vnimesh_member *member, u8 proto,
			     __be16 port)
{
	const struct vnimesh_ports *ports;
	const struct vnimesh_port *rule, *override;

	/* The service's list decides: an override of a port that it has no
	 * more is dead until the port comes back.
	 */
	ports = rcu_dereference(member->service->ports);
	rule = find_port(ports, proto, port);
	if (ports->n && !rule)
		return 0;
	override = find_port(rcu_dereference(member->ports), proto, port);
	if (override)
		return override->target;
	return rule ? rule->target : port;
}

struct vnimesh_service *vnimesh_service_alloc(const char *tag,
					      const union vnimesh_ip *ip4,
					      const union vnimesh_ip *ip6)
{
	struct vnimesh_service *service;
	struct vnimesh_ports *ports;

	service = kzalloc(sizeof(*service), GFP_KERNEL_ACCOUNT);
	ports = kzalloc(sizeof(*ports), GFP_KERNEL_ACCOUNT);
	if (!service || !ports) {
		kfree(service);
		kfree(ports);
		return NULL;
	}
	strscpy(service->tag, tag, sizeof(service->tag));
	if (ip4)
		vnimesh_addr_set(&service->e4, AF_INET, ip4, service);
	if (ip6)
		vnimesh_addr_set(&service->e6, AF_INET6, ip6, service);
	service->policy = VNIMESH_POLICY_OPTIMAL;
	service->load = VNIMESH_LOAD_CONNECTIONS;
	service->on_down = VNIMESH_ON_DOWN_ABORT;
	RCU_INIT_POINTER(service->set, &nobody);
	RCU_INIT_POINTER(service->ports, ports);
	refcount_set(&service->refs, 1);
	return service;
}

static void unlink_addr(struct vnimesh_mesh *mesh,
			struct vnimesh_addr_entry *entry)
{
	if (entry->key.family)
		vnimesh_addr_remove(&mesh->service_addrs, entry);
}

static int link_addr(struct vnimesh_mesh *mesh,
		     struct vnimesh_addr_entry *entry)
{
	if (!entry->key.family)
		return 0;
	return vnimesh_addr_insert(&mesh->service_addrs, entry);
}

int vnimesh_service_link(struct vnimesh_mesh *mesh,
			 struct vnimesh_service *service)
{
	int err;

	lockdep_assert_held(&mesh->lock);
	err = xa_alloc(&mesh->services, &service->index, service,
		       XA_LIMIT(1, INT_MAX), GFP_KERNEL);
	if (err)
		return err;
	/* Who looks up the tag first must find both addresses. */
	err = link_addr(mesh, &service->e4);
	if (err)
		goto erase;
	err = link_addr(mesh, &service->e6);
	if (err)
		goto unlink4;
	err = rhashtable_lookup_insert_key(&mesh->service_tags, service->tag,
					   &service->tag_node, tag_params);
	if (err)
		goto unlink6;
	mesh->n_services++;
	return 0;

unlink6:
	unlink_addr(mesh, &service->e6);
unlink4:
	unlink_addr(mesh, &service->e4);
erase:
	WRITE_ONCE(service->dead, true);
	xa_erase(&mesh->services, service->index);
	return err;
}

static bool none_stays(const struct vnimesh_member *member, void *data)
{
	return false;
}

void vnimesh_service_unlink(struct vnimesh_mesh *mesh,
			    struct vnimesh_service *service)
{
	lockdep_assert_held(&mesh->lock);
	WRITE_ONCE(service->dead, true);
	rhashtable_remove_fast(&mesh->service_tags, &service->tag_node,
			       tag_params);
	unlink_addr(mesh, &service->e4);
	unlink_addr(mesh, &service->e6);
	vnimesh_member_sift(mesh, service, none_stays, NULL);
	/* Its members hold the service: it goes while they are let go. */
	vnimesh_maglev_drop(mesh, service);
	xa_erase(&mesh->services, service->index);
	mesh->n_services--;
	vnimesh_service_put(service);
}

void vnimesh_service_set_ports(struct vnimesh_mesh *mesh,
			       struct vnimesh_service *service,
			       struct vnimesh_ports *ports)
{
	ports = rcu_replace_pointer(service->ports, ports,
				    lockdep_is_held(&mesh->lock));
	kfree_rcu(ports, rcu);
}

static void free_service(struct rcu_head *rcu)
{
	struct vnimesh_service *service = container_of(rcu,
						       struct vnimesh_service,
						       rcu);

	vnimesh_choose_forget(service);
	kfree(service);
}

void vnimesh_service_put(struct vnimesh_service *service)
{
	struct vnimesh_member_set *set;
	struct vnimesh_ports *ports;

	if (!refcount_dec_and_test(&service->refs))
		return;
	/* Members hold the service: the set is empty. */
	set = rcu_dereference_protected(service->set, 1);
	WARN_ON_ONCE(set != &nobody);
	ports = rcu_dereference_protected(service->ports, 1);
	kfree_rcu(ports, rcu);
	call_rcu(&service->rcu, free_service);
}

int vnimesh_member_spare(struct vnimesh_service *service, u32 n)
{
	struct vnimesh_member_set *set;

	if (!n)
		return 0;
	set = kmalloc(struct_size(set, m, n), GFP_KERNEL_ACCOUNT);
	if (!set)
		return -ENOMEM;
	set->n = n;
	service->spare = set;
	return 0;
}

void vnimesh_member_sift(struct vnimesh_mesh *mesh,
			 struct vnimesh_service *service,
			 bool (*stays)(const struct vnimesh_member *member,
				       void *data), void *data)
{
	struct vnimesh_member_set *old, *new = service->spare;
	u32 i, n = 0;

	lockdep_assert_held(&mesh->lock);
	if (!new)
		new = &nobody;
	service->spare = NULL;
	old = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	for (i = 0; i < old->n; i++) {
		if (stays(old->m[i], data)) {
			new->m[n++] = old->m[i];
			continue;
		}
		WRITE_ONCE(old->m[i]->dead, true);
	}
	WARN_ON_ONCE(n != new->n);
	rcu_assign_pointer(service->set, new);
	vnimesh_service_changed(service);
	vnimesh_maglev_changed(mesh, service);
	for (i = 0; i < old->n; i++) {
		if (!old->m[i]->dead)
			continue;
		old->m[i]->vni->n_members--;
		list_del(&old->m[i]->vni_link);
		mesh->n_members--;
		vnimesh_eject_gone(mesh, old->m[i]);
		vnimesh_liveness_member(mesh, old->m[i]);
		vnimesh_member_put(old->m[i]);
	}
	if (old != &nobody)
		kfree_rcu(old, rcu);
}

/* The first place that none of @set has: there is one, the set has at most as
 * many members as there are places.
 */
static u16 free_place(const struct vnimesh_member_set *set)
{
	DECLARE_BITMAP(taken, VNIMESH_MEMBERS_MAX);
	u32 i;

	bitmap_zero(taken, VNIMESH_MEMBERS_MAX);
	for (i = 0; i < set->n; i++)
		__set_bit(set->m[i]->place, taken);
	return find_first_zero_bit(taken, VNIMESH_MEMBERS_MAX);
}

/* @member joins the set. */
int vnimesh_member_link(struct vnimesh_mesh *mesh,
			struct vnimesh_member *member)
{
	struct vnimesh_service *service = member->service;
	struct vnimesh_member_set *old, *new;

	lockdep_assert_held(&mesh->lock);
	old = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	if (old->n >= VNIMESH_MEMBERS_MAX)
		return -ENOSPC;
	new = kmalloc(struct_size(new, m, old->n + 1), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	member->place = free_place(old);
	memcpy(new->m, old->m, old->n * sizeof(old->m[0]));
	new->m[old->n] = member;
	new->n = old->n + 1;
	rcu_assign_pointer(service->set, new);
	vnimesh_maglev_changed(mesh, service);
	if (old != &nobody)
		kfree_rcu(old, rcu);
	member->vni->n_members++;
	list_add_tail(&member->vni_link, &member->vni->members);
	mesh->n_members++;
	vnimesh_liveness_member(mesh, member);
	return 0;
}

int vnimesh_service_init(struct vnimesh_mesh *mesh)
{
	int err;

	xa_init_flags(&mesh->services, XA_FLAGS_ALLOC1 | XA_FLAGS_ACCOUNT);
	vnimesh_maglev_init(mesh);
	err = vnimesh_addr_init(&mesh->service_addrs);
	if (err)
		return err;
	err = rhashtable_init(&mesh->service_tags, &tag_params);
	if (err)
		rhashtable_destroy(&mesh->service_addrs);
	return err;
}

/* Before the VNIs. */
void vnimesh_service_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_service *service;
	unsigned long index;

	mutex_lock(&mesh->lock);
	xa_for_each(&mesh->services, index, service)
		vnimesh_service_unlink(mesh, service);
	mutex_unlock(&mesh->lock);
	vnimesh_maglev_exit(mesh);
	xa_destroy(&mesh->services);
	rhashtable_destroy(&mesh->service_tags);
	rhashtable_destroy(&mesh->service_addrs);
}
