// SPDX-License-Identifier: GPL-2.0-only
/*
 * VNI records: addresses, the tie to a device, and their place in the tables.
 */
#include "flow.h"
#include "holder.h"
#include "liveness.h"
#include "nl.h"

#define SAY_ADDR(extack, family, text) do {			\
	if ((family) == AF_INET)				\
		NL_SET_ERR_MSG(extack, "addr4: " text);		\
	else							\
		NL_SET_ERR_MSG(extack, "addr6: " text);		\
} while (0)

struct vnimesh_vni *vnimesh_vni_local(struct vnimesh_mesh *mesh, u8 family,
				      const union vnimesh_ip *ip)
{
	return vnimesh_addr_find(&mesh->local_addrs, family, ip);
}

struct vnimesh_vni *vnimesh_vni_find(struct vnimesh_mesh *mesh, u32 id)
{
	return xa_load(&mesh->vnis, id);
}

static struct vnimesh_vni_addrs *addrs_of(struct vnimesh_mesh *mesh,
					  const struct vnimesh_vni *vni)
{
	return rcu_dereference_protected(vni->addrs,
					 lockdep_is_held(&mesh->lock));
}

static bool owned(struct vnimesh_mesh *mesh, const struct vnimesh_vni *vni,
		  u8 family, const union vnimesh_ip *ip)
{
	const struct vnimesh_vni *owner;

	rcu_read_lock();
	owner = vnimesh_vni_local(mesh, family, ip);
	rcu_read_unlock();
	return owner && owner != vni;
}

static int check_addr(struct vnimesh_mesh *mesh, const struct vnimesh_vni *vni,
		      const struct vnimesh_node *node, u8 family,
		      const union vnimesh_ip *ip,
		      struct netlink_ext_ack *extack)
{
	struct vnimesh_service_prefixes *prefixes;

	prefixes = rcu_dereference_protected(mesh->service_prefixes,
					     lockdep_is_held(&mesh->lock));
	if (!vnimesh_ip_unicast(family, ip)) {
		SAY_ADDR(extack, family, "not an address for a VNI");
		return -EINVAL;
	}
	if (prefixes &&
	    vnimesh_prefix_match(family == AF_INET ? &prefixes->p4 :
				 &prefixes->p6, family, ip)) {
		SAY_ADDR(extack, family, "lies in the service prefix");
		return -EINVAL;
	}
	if (!vnimesh_node_allows(mesh, node, family, ip)) {
		SAY_ADDR(extack, family, "outside the prefixes of the node");
		return -EINVAL;
	}
	if (owned(mesh, vni, family, ip)) {
		SAY_ADDR(extack, family, "taken by another VNI");
		return -EEXIST;
	}
	return 0;
}

int vnimesh_vni_check_addrs(struct vnimesh_mesh *mesh,
			    const struct vnimesh_vni *vni,
			    const struct vnimesh_node *node,
			    const union vnimesh_ip *ip4,
			    const union vnimesh_ip *ip6,
			    struct netlink_ext_ack *extack, u8 *bad)
{
	int err = 0;

	*bad = AF_INET;
	if (ip4)
		err = check_addr(mesh, vni, node, AF_INET, ip4, extack);
	if (err || !ip6)
		return err;
	*bad = AF_INET6;
	return check_addr(mesh, vni, node, AF_INET6, ip6, extack);
}

/* An entry of the new set that the table lacks goes in now; one that takes the
 * place of an old one with the same address waits, as that cannot fail.
 */
static int link_new(struct vnimesh_mesh *mesh,
		    const struct vnimesh_addr_entry *old,
		    struct vnimesh_addr_entry *new, bool *added)
{
	int err;

	*added = false;
	if (!new->key.family ||
	    (old && old->key.family &&
	     vnimesh_ip_equal(&old->key.ip, &new->key.ip)))
		return 0;
	err = vnimesh_addr_insert(&mesh->local_addrs, new);
	*added = !err;
	return err;
}

static void unlink_old(struct vnimesh_mesh *mesh,
		       struct vnimesh_addr_entry *old,
		       struct vnimesh_addr_entry *new, bool added)
{
	if (!old || !old->key.family)
		return;
	if (added || !new->key.family)
		vnimesh_addr_remove(&mesh->local_addrs, old);
	else
		vnimesh_addr_replace(&mesh->local_addrs, old, new);
}

static int publish(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
		   struct vnimesh_vni_addrs *new)
{
	struct vnimesh_vni_addrs *old = addrs_of(mesh, vni);
	bool added4 = false, added6 = false;
	int err;

	if (vni->node->self) {
		err = link_new(mesh, old ? &old->e4 : NULL, &new->e4, &added4);
		if (err)
			return err;
		err = link_new(mesh, old ? &old->e6 : NULL, &new->e6, &added6);
		if (err)
			goto undo;
		unlink_old(mesh, old ? &old->e4 : NULL, &new->e4, added4);
		unlink_old(mesh, old ? &old->e6 : NULL, &new->e6, added6);
	}
	rcu_assign_pointer(vni->addrs, new);
	if (vnimesh_holder_change(vni, old, new))
		vnimesh_liveness_moved(mesh);
	if (old)
		kfree_rcu(old, rcu);
	return 0;

undo:
	if (added4) {
		vnimesh_addr_remove(&mesh->local_addrs, &new->e4);
		/* The caller frees @new at once. */
		synchronize_rcu();
	}
	return err;
}

static bool other_ip(const struct vnimesh_addr_entry *old,
		     const struct vnimesh_addr_entry *new)
{
	return old->key.family &&
	       (!new->key.family ||
		!vnimesh_ip_equal(&old->key.ip, &new->key.ip));
}

/* These addresses and no others. */
static int replace_addrs(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			 const union vnimesh_ip *ip4,
			 const union vnimesh_ip *ip6)
{
	struct vnimesh_vni_addrs *old = addrs_of(mesh, vni), *new;
	bool moved;
	int err;

	new = kzalloc(sizeof(*new), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	if (ip4)
		vnimesh_addr_set(&new->e4, AF_INET, ip4, vni);
	if (ip6)
		vnimesh_addr_set(&new->e6, AF_INET6, ip6, vni);
	moved = old && (other_ip(&old->e4, &new->e4) ||
			other_ip(&old->e6, &new->e6));
	err = publish(mesh, vni, new);
	if (err) {
		kfree(new);
		return err;
	}
	if (moved)
		vnimesh_liveness_moved(mesh);
	return 0;
}

int vnimesh_vni_set_addrs(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			  const union vnimesh_ip *ip4,
			  const union vnimesh_ip *ip6)
{
	struct vnimesh_vni_addrs *old = addrs_of(mesh, vni);
	int err;

	if (!ip4 && old->e4.key.family)
		ip4 = &old->e4.key.ip;
	if (!ip6 && old->e6.key.family)
		ip6 = &old->e6.key.ip;
	err = replace_addrs(mesh, vni, ip4, ip6);
	/* A family that it had not. */
	if (!err && vni->n_members)
		vnimesh_liveness_changed(mesh);
	return err;
}

void vnimesh_vni_put(struct vnimesh_vni *vni)
{
	struct vnimesh_vni_addrs *addrs;

	if (!refcount_dec_and_test(&vni->refs))
		return;
	vnimesh_holder_forget(vni);
	addrs = rcu_dereference_protected(vni->addrs, 1);
	if (addrs)
		kfree_rcu(addrs, rcu);
	vnimesh_node_put(vni->node);
	kfree_rcu(vni, rcu);
}

struct vnimesh_vni *vnimesh_vni_add(struct vnimesh_mesh *mesh, u32 id,
				    struct vnimesh_node *node,
				    const union vnimesh_ip *ip4,
				    const union vnimesh_ip *ip6)
{
	struct vnimesh_vni *vni;
	int err;

	lockdep_assert_held(&mesh->lock);
	vni = kzalloc(sizeof(*vni), GFP_KERNEL_ACCOUNT);
	if (!vni)
		return ERR_PTR(-ENOMEM);
	vni->id = id;
	vni->state = VNIMESH_STATE_UP;
	vni->health = VNIMESH_HEALTH_MAX;
	vni->row.stamp = jiffies;
	vnimesh_share_init(&vni->share, vnimesh_flow_room(mesh));
	INIT_LIST_HEAD(&vni->members);
	INIT_LIST_HEAD(&vni->transit);
	INIT_LIST_HEAD(&vni->datagrams);
	refcount_set(&vni->refs, 1);
	refcount_inc(&node->refs);
	vni->node = node;

	err = xa_reserve(&mesh->vnis, id, GFP_KERNEL);
	if (err)
		goto put;
	err = replace_addrs(mesh, vni, ip4, ip6);
	if (err)
		goto release;
	xa_store(&mesh->vnis, id, vni, GFP_KERNEL);
	mesh->n_vnis++;
	node->n_vnis++;
	list_add_tail(&vni->node_link, &node->vnis);
	return vni;

release:
	xa_release(&mesh->vnis, id);
put:
	vnimesh_vni_put(vni);
	return ERR_PTR(err);
}

void vnimesh_vni_unlink(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni)
{
	struct vnimesh_vni_addrs *addrs = addrs_of(mesh, vni);

	lockdep_assert_held(&mesh->lock);
	WARN_ON_ONCE(vni->n_members);
	WRITE_ONCE(vni->dead, true);
	if (vni->node->self) {
		if (addrs->e4.key.family)
			vnimesh_addr_remove(&mesh->local_addrs, &addrs->e4);
		if (addrs->e6.key.family)
			vnimesh_addr_remove(&mesh->local_addrs, &addrs->e6);
	}
	xa_erase(&mesh->vnis, vni->id);
	mesh->n_vnis--;
	vni->node->n_vnis--;
	list_del(&vni->node_link);
	if (vnimesh_holder_leave(mesh, vni, addrs))
		vnimesh_liveness_moved(mesh);
	vnimesh_vni_put(vni);
}

/* The record of @id for a device with these addresses. What the kernel wrote
 * itself follows the device, but for one that names no address; what somebody
 * configured must agree with it.
 */
static struct vnimesh_vni *adopt(struct vnimesh_mesh *mesh,
				 struct vnimesh_vni *vni,
				 const union vnimesh_ip *ip4,
				 const union vnimesh_ip *ip6,
				 struct netlink_ext_ack *extack)
{
	struct vnimesh_vni_addrs *old = addrs_of(mesh, vni);
	bool same4, same6;
	int err;

	if (!vni->node->self) {
		NL_SET_ERR_MSG(extack, "vni-id: a VNI of another node");
		return ERR_PTR(-EEXIST);
	}
	if (rcu_access_pointer(vni->dev)) {
		NL_SET_ERR_MSG(extack, "vni-id: has a device");
		return ERR_PTR(-EEXIST);
	}
	if (!ip4 && !ip6)
		return vni;
	same4 = !ip4 || (old->e4.key.family &&
			 vnimesh_ip_equal(&old->e4.key.ip, ip4));
	same6 = !ip6 || (old->e6.key.family &&
			 vnimesh_ip_equal(&old->e6.key.ip, ip6));
	if (vni->row.origin != VNIMESH_ORIGIN_LEARNED) {
		if (same4 && same6)
			return vni;
		SAY_ADDR(extack, same4 ? AF_INET6 : AF_INET,
			 "the record of the VNI has another");
		return ERR_PTR(-EEXIST);
	}
	err = replace_addrs(mesh, vni, ip4, ip6);
	return err ? ERR_PTR(err) : vni;
}

struct vnimesh_vni *vnimesh_vni_attach(struct vnimesh_mesh *mesh, u32 id,
				       struct net_device *dev,
				       const union vnimesh_ip *ip4,
				       const union vnimesh_ip *ip6,
				       struct netlink_ext_ack *extack)
{
	struct vnimesh_vni *vni;
	int err;
	u8 bad;

	mutex_lock(&mesh->lock);
	vni = vnimesh_vni_find(mesh, id);
	err = mesh->dying ? -ENODEV :
	      vnimesh_vni_check_addrs(mesh, vni, mesh->self, ip4, ip6, extack,
				      &bad);
	if (err) {
		vni = ERR_PTR(err);
	} else if (vni) {
		vni = adopt(mesh, vni, ip4, ip6, extack);
	} else if (mesh->n_vnis >= VNIMESH_VNIS_MAX) {
		vnimesh_count(mesh, VNIMESH_A_STATS_NO_RESOURCE);
		NL_SET_ERR_MSG(extack, "too many VNIs");
		vni = ERR_PTR(-ENOSPC);
	} else {
		vni = vnimesh_vni_add(mesh, id, mesh->self, ip4, ip6);
		if (!IS_ERR(vni))
			vni->row.origin = VNIMESH_ORIGIN_LEARNED;
	}
	if (!IS_ERR(vni)) {
		refcount_inc(&vni->refs);
		vni->made = max_t(u64, vni->made + 1,
				  ktime_to_us(ktime_get_boottime()));
		rcu_assign_pointer(vni->dev, dev);
		mesh->generation++;
		vnimesh_nl_vni_notify(mesh, NULL, VNIMESH_CMD_VNI_NTF, vni);
	}
	mutex_unlock(&mesh->lock);
	return vni;
}

void vnimesh_vni_detach(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni)
{
	mutex_lock(&mesh->lock);
	WRITE_ONCE(vni->dev_up, false);
	RCU_INIT_POINTER(vni->dev, NULL);
	mesh->generation++;
	vnimesh_liveness_vni(mesh, vni);
	vnimesh_nl_vni_notify(mesh, NULL, VNIMESH_CMD_VNI_NTF, vni);
	mutex_unlock(&mesh->lock);
	vnimesh_netlink_event(mesh, VNIMESH_EVENT_VNI_DOWN, vni->id, NULL);
	vnimesh_vni_put(vni);
}

void vnimesh_vni_set_up(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni,
			bool up)
{
	mutex_lock(&mesh->lock);
	/* A new one serves nothing yet: no need to start slowly. */
	if (up && !vni->dev_up && vni->n_members)
		vnimesh_rise(&vni->risen);
	WRITE_ONCE(vni->dev_up, up);
	mesh->generation++;
	vnimesh_liveness_vni(mesh, vni);
	vnimesh_nl_vni_notify(mesh, NULL, VNIMESH_CMD_VNI_NTF, vni);
	mutex_unlock(&mesh->lock);
	vnimesh_netlink_event(mesh, up ? VNIMESH_EVENT_VNI_UP :
			      VNIMESH_EVENT_VNI_DOWN, vni->id, NULL);
}

int vnimesh_vni_init(struct vnimesh_mesh *mesh)
{
	xa_init_flags(&mesh->vnis, XA_FLAGS_ACCOUNT);
	return vnimesh_addr_init(&mesh->local_addrs);
}

/* Before the nodes, after the members. */
void vnimesh_vni_exit(struct vnimesh_mesh *mesh)
{
	struct vnimesh_vni *vni;
	unsigned long id;

	mutex_lock(&mesh->lock);
	xa_for_each(&mesh->vnis, id, vni)
		vnimesh_vni_unlink(mesh, vni);
	mutex_unlock(&mesh->lock);
	xa_destroy(&mesh->vnis);
	rhashtable_destroy(&mesh->local_addrs);
}
