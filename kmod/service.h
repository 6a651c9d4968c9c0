/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A service and its members: the Mesh_Table. Services are found by tag and by
 * service address. The set of members is an array of pointers that is copied,
 * rebuilt and published (RCU); the members are objects of their own, so that
 * their scalars (health, latency, state) change in place and what the kernel
 * measured survives a republish.
 *
 * Writers hold mesh->lock. Readers are under RCU. A flow holds a reference on
 * its member, a member on its service and its VNI.
 */
#ifndef _VNIMESH_SERVICE_H
#define _VNIMESH_SERVICE_H

#include <linux/rbtree.h>
#include <linux/refcount.h>

#include "addr.h"
#include "figure.h"
#include "row.h"

struct vnimesh_count;
struct vnimesh_maglev;
struct vnimesh_mesh;
struct vnimesh_vni;

struct vnimesh_port {
	__be16 port;
	__be16 target;
	u8 proto;
	char name[VNIMESH_NAME_MAX + 1];
};

/* n == 0: no list, every port passes unchanged. */
struct vnimesh_ports {
	struct rcu_head rcu;
	u32 n;
	struct vnimesh_port p[];
};

struct vnimesh_member {
	/* What the choice reads and flows write, two cache lines. */
	struct vnimesh_figure handshake;
	struct vnimesh_figure response;	/* the first */
	u32 weight;		/* 0: no new flows; READ_ONCE */
	u32 latency;		/* us, of the service; READ_ONCE */
	u32 risen;		/* see vnimesh_rise(); READ_ONCE */
	atomic_t inflight;	/* flows from this host that load it */
	atomic_t bound;		/* flows ever bound, wraps */
	struct vnimesh_vni *vni;	/* referenced */
	u8 health;		/* READ_ONCE */
	u8 state;		/* enum vnimesh_state; READ_ONCE */
	u8 latency_kind;	/* enum vnimesh_latency; READ_ONCE */
	u8 priority;		/* READ_ONCE */
	bool stale;		/* READ_ONCE */
	bool dead;		/* not in the set any more; READ_ONCE */
	u32 n_shared;		/* ports with something against it, for all,
				 * eject.c; READ_ONCE
				 */
	u32 n_private;		/* ... for one client; READ_ONCE */

	struct vnimesh_service *service ____cacheline_aligned;	/* referenced */
	struct vnimesh_ports __rcu *ports;	/* overrides, may be NULL */
	refcount_t refs;
	u16 place;		/* among those of the service, while linked */
	struct hlist_head held;	/* ... against it, under the lock of eject.c */
	u64 out_until;		/* ms, out for all; eject.c; READ_ONCE */
	u32 ejections;		/* ... so often; READ_ONCE */
	spinlock_t flows_lock;	/* BH; within bucket locks */
	struct list_head flows;	/* bound to it, by flow->chain */
	struct list_head review;	/* ... which may have to end; likewise */
	struct list_head untold;	/* ended, which it is to hear; likewise */
	struct list_head telling;	/* liveness.c: it has some */
	struct list_head vni_link;	/* in vni->members, under mesh->lock */
	struct list_head transit;	/* liveness.c, as all below */
	unsigned long since;	/* jiffies when it was not UP any more */
	unsigned long deadline;	/* jiffies when its flows end */
	struct rb_node wait;	/* by it, among those who wait */
	bool waits;		/* ... and it is there; READ_ONCE */
	bool moved;		/* its VNI has another address; READ_ONCE */
	u32 aborted;		/* flows, not yet told */
	u8 live;		/* enum vnimesh_live, as known to the worker */
	struct vnimesh_row row;
	struct rcu_head rcu;
};

struct vnimesh_member_set {
	struct rcu_head rcu;
	u32 n;
	struct vnimesh_member *m[];
};

struct vnimesh_service {
	struct rhash_head tag_node;
	struct vnimesh_addr_entry e4;	/* key.family 0: none; fixed for life */
	struct vnimesh_addr_entry e6;
	struct vnimesh_member_set __rcu *set;	/* never NULL */
	struct vnimesh_ports __rcu *ports;	/* never NULL */
	struct vnimesh_member_set *spare;	/* of a sweep, under mesh->lock */
	u32 index;		/* in mesh->services: dump cursor */
	struct vnimesh_count __rcu *counts[2];	/* v4, v6; may be NULL */
	struct vnimesh_maglev __rcu *maglev;	/* may be NULL */
	unsigned long counting;	/* bit per family: one counts, others do not */
	atomic_t changed;	/* what was counted is out of date */
	u8 policy;		/* enum vnimesh_policy; READ_ONCE */
	u8 load;		/* enum vnimesh_load; READ_ONCE */
	u8 on_down;		/* enum vnimesh_on_down; READ_ONCE */
	u32 drain_time;		/* ms; READ_ONCE */
	bool loading;		/* members follow, packets wait; READ_ONCE */
	bool dead;		/* unlinked; READ_ONCE */
	unsigned long used;	/* jiffies of the last new flow, 0 never */
	unsigned long told;	/* jiffies of the last event NO_MEMBER */
	refcount_t refs;
	struct vnimesh_row row;
	struct rcu_head rcu;
	char tag[VNIMESH_TAG_MAX + 1];
};

/* Any context. Weights, policy or ejections changed: count the tiers anew. */
static inline void vnimesh_service_changed(struct vnimesh_service *service)
{
	/* What was written before is seen by who sees the number. */
	smp_mb__before_atomic();
	atomic_inc(&service->changed);
}

/* RCU. The services that own an address or tag, or NULL. */
struct vnimesh_service *vnimesh_service_by_ip(struct vnimesh_mesh *mesh,
					      u8 family,
					      const union vnimesh_ip *ip);
struct vnimesh_service *vnimesh_service_by_tag(struct vnimesh_mesh *mesh,
					       const char *tag);
/* RCU. Port of @member for flows to (@proto, @port) of its service, or 0: the
 * service has no such port.
 */
__be16 vnimesh_member_target(const struct vnimesh_member *member, u8 proto,
			     __be16 port);
/* RCU. Does the service have (@proto, @port)? */
bool vnimesh_service_has_port(const struct vnimesh_service *service, u8 proto,
			      __be16 port);

int vnimesh_service_init(struct vnimesh_mesh *mesh);
void vnimesh_service_exit(struct vnimesh_mesh *mesh);
void vnimesh_service_put(struct vnimesh_service *service);
void vnimesh_member_put(struct vnimesh_member *member);

/* [a-z0-9]([a-z0-9-]*[a-z0-9])?, up to VNIMESH_TAG_MAX bytes. */
bool vnimesh_tag_valid(const char *tag);

/* All below: mesh->lock. */

/* New, not linked, complete but for its row; free it by put. @ip4 and @ip6 may
 * be NULL. NULL: no memory.
 */
struct vnimesh_service *vnimesh_service_alloc(const char *tag,
					      const union vnimesh_ip *ip4,
					      const union vnimesh_ip *ip6);
/* -EEXIST: an address or the tag is taken. */
int vnimesh_service_link(struct vnimesh_mesh *mesh,
			 struct vnimesh_service *service);
/* Its members go first: each is dead, and let go by the set. Drops the
 * reference of the table.
 */
void vnimesh_service_unlink(struct vnimesh_mesh *mesh,
			    struct vnimesh_service *service);
/* Publishes @ports, which must not be NULL; the old ones go by RCU. */
void vnimesh_service_set_ports(struct vnimesh_mesh *mesh,
			       struct vnimesh_service *service,
			       struct vnimesh_ports *ports);

/* New, not in the set, with the defaults; holds @service and @vni. */
struct vnimesh_member *vnimesh_member_alloc(struct vnimesh_service *service,
					    struct vnimesh_vni *vni);
struct vnimesh_member *vnimesh_member_find(struct vnimesh_mesh *mesh,
					   const struct vnimesh_service *service,
					   u32 vni_id);
/* Into the set of its service, which takes over the reference. -ENOMEM. */
int vnimesh_member_link(struct vnimesh_mesh *mesh,
			struct vnimesh_member *member);
/* Out of the set. -ENOMEM, then it is still there. */
int vnimesh_member_unlink(struct vnimesh_mesh *mesh,
			  struct vnimesh_member *member);
/* Publishes @ports or, if NULL, none. */
void vnimesh_member_set_ports(struct vnimesh_mesh *mesh,
			      struct vnimesh_member *member,
			      struct vnimesh_ports *ports);
/* Several leave at once: a set for @n of them that stay, and its publication.
 * @stays tells which; the others are dead and let go.
 */
int vnimesh_member_spare(struct vnimesh_service *service, u32 n);
void vnimesh_member_sift(struct vnimesh_mesh *mesh,
			 struct vnimesh_service *service,
			 bool (*stays)(const struct vnimesh_member *member,
				       void *data), void *data);

#endif /* _VNIMESH_SERVICE_H */
