/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows: one client flow bound to one member, on the client's host only. A
 * flow has two tuples, both unique in the mesh: forward (as the client sends)
 * and reverse (as the member replies). Direct TCP connections to a VNI are
 * flows without a member: they hold their reverse tuple, so that a service
 * flow never takes it.
 *
 * A flow whose SYN went to another member (state MOVED) is left in the reverse
 * chain only.
 *
 * Lookup is under RCU and takes no lock. Insert, replace and remove take the
 * two bucket locks in order. A flow is freed by RCU after it left both chains;
 * it holds references on member and VNIs until then. flow->lock does not
 * exist: scalars are READ_ONCE/WRITE_ONCE, the state moves by cmpxchg.
 *
 * Flows of a member are chained to it, so that a death walks only them: under
 * member->flows_lock, while the bucket locks are held.
 */
#ifndef _VNIMESH_FLOW_H
#define _VNIMESH_FLOW_H

#include "mesh.h"

/* Ports of TCP and UDP. Padding is zero; compared as memory by parts. */
struct vnimesh_tuple {
	union vnimesh_ip src;
	union vnimesh_ip dst;
	__be16 sport;
	__be16 dport;
	u8 family;
	u8 proto;
	u16 pad;
};

static inline void vnimesh_tuple_invert(struct vnimesh_tuple *to,
					const struct vnimesh_tuple *t)
{
	*to = *t;
	to->src = t->dst;
	to->dst = t->src;
	to->sport = t->dport;
	to->dport = t->sport;
}

enum vnimesh_dir {
	VNIMESH_FORWARD,
	VNIMESH_REVERSE,
};

struct vnimesh_flow_link {
	struct hlist_node node;		/* RCU */
	struct vnimesh_tuple tuple;
};

struct vnimesh_syn;

struct vnimesh_flow {
	struct vnimesh_flow_link link[2];	/* by enum vnimesh_dir */
	struct vnimesh_member *member;	/* referenced; NULL: direct */
	struct vnimesh_vni *client;	/* referenced */
	unsigned long last;		/* jiffies of the last packet */
	u64 packets;			/* forward; racy by design */
	u8 state;			/* enum vnimesh_flow_state */
	u8 fin;				/* bit per direction */
	u8 loads;			/* counted in member->inflight; xchg */
	bool dead;			/* unlinked; set under the locks */
	bool acked;			/* TCP: the client answered the SYN-ACK */
	__be32 isn;			/* of the client's SYN */
	u32 ack[2];			/* last ACK sent, by direction; READ_ONCE */
	u32 end[2];			/* ... and end of the highest segment */
	u32 sent;			/* us clock of the SYN, for Lk */
	u32 tried;			/* ... not yet held against the member */
	bool plain : 1;			/* its SYN may go elsewhere; ... */
	bool reused : 1;		/* may follow another of its ports; both set once */
	bool byte;			/* the member has sent data */
	bool heard;			/* ... something, if no answer; READ_ONCE */
	u8 moves;			/* members that it had before */
	struct vnimesh_syn *syn;	/* NEW: its copy; owned by who xchgs it */
	u32 asked;			/* ... of the first request; 0 none */
	bool measured;			/* its first response was seen */
	u32 born;			/* tick */
	struct list_head chain;		/* in member->flows */
	struct list_head queue;		/* in client->share.queue */
	struct rcu_head rcu;
};

int vnimesh_flow_module_init(void);
void vnimesh_flow_module_exit(void);

int vnimesh_flow_init(struct vnimesh_mesh *mesh);
/* Nobody can look up any more: removes and frees all. */
void vnimesh_flow_exit(struct vnimesh_mesh *mesh);

/* RCU. */
struct vnimesh_flow *vnimesh_flow_find(struct vnimesh_mesh *mesh,
				       enum vnimesh_dir dir,
				       const struct vnimesh_tuple *tuple);
/* BH, RCU. New unlinked flow of the local VNI @client; @member may be NULL.
 * ERR_PTR: -EDQUOT, -ENOBUFS as vnimesh_room_take(); -ENOMEM; -EHOSTUNREACH: the
 * member is gone.
 */
struct vnimesh_flow *vnimesh_flow_open(struct vnimesh_mesh *mesh,
				       struct vnimesh_vni *client,
				       struct vnimesh_member *member);
/* BH, RCU. 0; -EEXIST: the forward tuple is taken (lost a race: look up
 * again); -EADDRINUSE: the reverse tuple is taken.
 */
int vnimesh_flow_insert(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow);
/* A flow that was never inserted. */
void vnimesh_flow_abandon(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow);
/* BH or process. Idempotent: true for the one caller that unlinked it. */
bool vnimesh_flow_remove(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow);
/* ... as whose it is or where it went is no more so; counted. */
void vnimesh_flow_leave(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow);

/* Process context. @client is going: its flows have nobody left. */
void vnimesh_flow_flush(struct vnimesh_mesh *mesh, struct vnimesh_vni *client);

/* RCU. Is it from an address that its client has not any more, or to one that its
 * member has not? Who has it next must not meet the flow.
 */
bool vnimesh_flow_client_left(const struct vnimesh_flow *flow);
bool vnimesh_flow_member_left(const struct vnimesh_flow *flow);

/* Jiffies since its last packet, which may have come after the clock was read: but not
 * long after. On 32 bit half of what jiffies can say is less than flows may be idle.
 */
static inline unsigned long vnimesh_flow_idle(const struct vnimesh_flow *flow)
{
	unsigned long now = jiffies, last = READ_ONCE(flow->last);

	return last - now < 10 * HZ ? 0 : now - last;
}

/* BH, RCU. @new, complete and never inserted, takes the forward tuple of @old,
 * which must be its own, and its copy of the SYN; @old stays in the reverse
 * chain as MOVED. If it fails, @old has what it had. -ESTALE:
 * @old is not a NEW flow any more; -EADDRINUSE: the reverse tuple of @new is
 * taken.
 */
int vnimesh_flow_replace(struct vnimesh_mesh *mesh, struct vnimesh_flow *old,
			 struct vnimesh_flow *new);

/* Any context. The flow loads its member, or not any more; idempotent. */
void vnimesh_flow_load(struct vnimesh_flow *flow);
void vnimesh_flow_unload(struct vnimesh_flow *flow);

/* ms until the flow expires if nothing comes. */
u32 vnimesh_flow_expires(const struct vnimesh_mesh *mesh,
			 const struct vnimesh_flow *flow);
u32 vnimesh_flow_count(const struct vnimesh_mesh *mesh);

/* RCU. A flow at or soon behind a place in the table, or NULL. */
struct vnimesh_flow *vnimesh_flow_sample(struct vnimesh_mesh *mesh, u32 from);
struct vnimesh_room *vnimesh_flow_room(struct vnimesh_mesh *mesh);

/* Walk for dumps and deletion: RCU is held by the walk around each bucket.
 * Starts at *@bucket and skips *@skip flows of it; @fn returns nonzero to
 * stop (e.g. -EMSGSIZE), then the cursor stands at that flow. Returns fn's
 * value or 0 at the end.
 */
int vnimesh_flow_walk(struct vnimesh_mesh *mesh, u32 *bucket, u32 *skip,
		      int (*fn)(struct vnimesh_mesh *mesh,
				struct vnimesh_flow *flow, void *data),
		      void *data);

#endif /* _VNIMESH_FLOW_H */
