// SPDX-License-Identifier: GPL-2.0-only
#include <linux/jiffies.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "abort.h"
#include "compat/compat.h"
#include "liveness.h"
#include "netlink.h"

/* Flows that one member's walk ends before the next member has its turn. */
#define BUDGET	4096

/* Members whose deadline has come, in one hold of the lock. */
#define DUE	256

/* Flows of one member whose ends it is told in one turn, and of all in a tick. */
#define TURN		32
#define TOLD_TICK	max(VNIMESH_TOLD_RATE / HZ, TURN)

/* An object in a list or in the tree holds a reference, one for both: it is in
 * one of them at most.
 */
struct vnimesh_transitions {
	/* BH; all of it, and arming the works; innermost, within member->flows_lock */
	spinlock_t lock;
	struct list_head nodes;	/* by their ->transit, to be looked at */
	struct list_head vnis;
	struct list_head members;
	struct rb_root_cached waiting;	/* members by ->deadline */
	struct list_head telling;	/* members by theirs, with ->untold flows;
					 * a reference of its own
					 */
	bool stopped;
	struct delayed_work work;
	struct delayed_work tell;
	struct work_struct leave;	/* a VNI has another address */
	struct vnimesh_mesh *mesh;
};

enum vnimesh_live vnimesh_liveness_of(const struct vnimesh_member *member)
{
	const struct vnimesh_vni *vni = member->vni;
	const struct vnimesh_node *node = vni->node;
	struct vnimesh_live_facts facts = {
		.member = READ_ONCE(member->state),
		.vni = READ_ONCE(vni->state),
		.node = READ_ONCE(node->state),
		.gone = READ_ONCE(member->dead) || READ_ONCE(vni->dead) ||
			READ_ONCE(node->dead) ||
			(node->self && !READ_ONCE(vni->dev_up)),
	};

	return vnimesh_live_of(&facts);
}

/* ->lock. */
static void arm(struct vnimesh_transitions *t, unsigned long delay)
{
	if (!t->stopped)
		mod_delayed_work(system_dfl_wq, &t->work, delay);
}

/* Of nodes and VNIs. */
static void enqueue(struct vnimesh_transitions *t, struct list_head *entry,
		    refcount_t *refs, struct list_head *to)
{
	spin_lock_bh(&t->lock);
	if (!t->stopped) {
		if (list_empty(entry))
			refcount_inc(refs);
		list_move_tail(entry, to);
		arm(t, 0);
	}
	spin_unlock_bh(&t->lock);
}

/* ->lock. It waits no more; its reference goes on. */
static void unwait(struct vnimesh_transitions *t,
		   struct vnimesh_member *member)
{
	rb_erase_cached(&member->wait, &t->waiting);
	RB_CLEAR_NODE(&member->wait);
	WRITE_ONCE(member->waits, false);
	list_add_tail(&member->transit, &t->members);
}

static void enqueue_member(struct vnimesh_mesh *mesh,
			   struct vnimesh_member *member)
{
	struct vnimesh_transitions *t = mesh->transitions;

	spin_lock_bh(&t->lock);
	if (!t->stopped) {
		if (member->waits) {
			unwait(t, member);
		} else if (list_empty(&member->transit)) {
			refcount_inc(&member->refs);
			list_add_tail(&member->transit, &t->members);
		}
		arm(t, 0);
	}
	spin_unlock_bh(&t->lock);
}

void vnimesh_liveness_member(struct vnimesh_mesh *mesh,
			     struct vnimesh_member *member)
{
	lockdep_assert_held(&mesh->lock);
	vnimesh_service_changed(member->service);
	enqueue_member(mesh, member);
}

void vnimesh_liveness_vni(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni)
{
	struct vnimesh_transitions *t = mesh->transitions;

	lockdep_assert_held(&mesh->lock);
	if (!vni->n_members)
		return;
	vnimesh_liveness_changed(mesh);
	enqueue(t, &vni->transit, &vni->refs, &t->vnis);
}

void vnimesh_liveness_moved(struct vnimesh_mesh *mesh)
{
	struct vnimesh_transitions *t = mesh->transitions;

	spin_lock_bh(&t->lock);
	if (!t->stopped)
		queue_work(system_dfl_wq, &t->leave);
	spin_unlock_bh(&t->lock);
}

void vnimesh_liveness_node(struct vnimesh_mesh *mesh,
			   struct vnimesh_node *node)
{
	struct vnimesh_transitions *t = mesh->transitions;

	lockdep_assert_held(&mesh->lock);
	if (!node->n_vnis)
		return;
	vnimesh_liveness_changed(mesh);
	enqueue(t, &node->transit, &node->refs, &t->nodes);
}

void vnimesh_liveness_service(struct vnimesh_mesh *mesh,
			      struct vnimesh_service *service)
{
	const struct vnimesh_member_set *set;
	u32 i;

	set = rcu_dereference_protected(service->set,
					lockdep_is_held(&mesh->lock));
	for (i = 0; i < set->n; i++)
		enqueue_member(mesh, set->m[i]);
}

void vnimesh_liveness_bound(struct vnimesh_mesh *mesh,
			    struct vnimesh_member *member)
{
	/* The chain's lock orders this after the worker's walk. */
	if (unlikely(vnimesh_liveness_of(member) != VNIMESH_LIVE_UP))
		enqueue_member(mesh, member);
}

void vnimesh_liveness_idle(struct vnimesh_mesh *mesh,
			   struct vnimesh_member *member)
{
	lockdep_assert_held(&member->flows_lock);
	enqueue_member(mesh, member);
}

void vnimesh_liveness_untold(struct vnimesh_mesh *mesh,
			     struct vnimesh_flow *flow)
{
	struct vnimesh_transitions *t = mesh->transitions;
	struct vnimesh_member *member = flow->member;

	spin_lock(&member->flows_lock);
	/* Who removes it takes it off whatever chain it is on, after this. */
	if (!READ_ONCE(flow->dead)) {
		list_add_tail(&flow->chain, &member->untold);
		spin_lock(&t->lock);
		if (!t->stopped && list_empty(&member->telling)) {
			refcount_inc(&member->refs);
			list_add_tail(&member->telling, &t->telling);
			queue_delayed_work(system_dfl_wq, &t->tell, 1);
		}
		spin_unlock(&t->lock);
	}
	spin_unlock(&member->flows_lock);
}

/* Only the worker takes members off, and who stops it. */
static struct vnimesh_member *next_untold(struct vnimesh_transitions *t)
{
	struct vnimesh_member *member;

	spin_lock_bh(&t->lock);
	member = list_first_entry_or_null(&t->telling, struct vnimesh_member,
					  telling);
	if (member)	/* the others have their turn before it has another */
		list_move_tail(&member->telling, &t->telling);
	spin_unlock_bh(&t->lock);
	return member;
}

/* BH. RCU keeps what is taken off. */
static u32 take_untold(struct vnimesh_transitions *t,
		       struct vnimesh_member *member,
		       struct vnimesh_flow **turn, bool *done)
{
	struct vnimesh_flow *flow;
	u32 n = 0;

	spin_lock(&member->flows_lock);
	while (n < TURN) {
		flow = list_first_entry_or_null(&member->untold,
						struct vnimesh_flow, chain);
		if (!flow)
			break;
		list_del_init(&flow->chain);
		turn[n++] = flow;
	}
	*done = list_empty(&member->untold);
	if (*done) {
		spin_lock(&t->lock);
		list_del_init(&member->telling);
		spin_unlock(&t->lock);
	}
	spin_unlock(&member->flows_lock);
	return n;
}

/* One turn of @member. Returns how many ends it was told. */
static u32 tell_member(struct vnimesh_transitions *t,
		       struct vnimesh_member *member)
{
	struct vnimesh_flow *turn[TURN];
	bool done;
	u32 n, i;

	local_bh_disable();
	rcu_read_lock();
	n = take_untold(t, member, turn, &done);
	for (i = 0; i < n; i++)
		vnimesh_abort_tell(t->mesh, turn[i]);
	rcu_read_unlock();
	local_bh_enable();
	if (done)
		vnimesh_member_put(member);
	return n;
}

static void tell_some(struct vnimesh_transitions *t)
{
	struct vnimesh_member *member;
	u32 n = 0;

	while (n < TOLD_TICK && !READ_ONCE(t->stopped)) {
		member = next_untold(t);
		if (!member)
			return;
		n += tell_member(t, member);
		cond_resched();
	}
}

static void tell_run(struct work_struct *work)
{
	struct vnimesh_transitions *t = container_of(to_delayed_work(work),
						     struct vnimesh_transitions,
						     tell);
	unsigned long started = jiffies;

	tell_some(t);
	/* On a slow or busy host, whoever takes the packets on needs time, too. */
	spin_lock_bh(&t->lock);
	if (!t->stopped && !list_empty(&t->telling))
		queue_delayed_work(system_dfl_wq, &t->tell,
				   1 + 3 * (jiffies - started));
	spin_unlock_bh(&t->lock);
}

static struct list_head *pop(struct vnimesh_transitions *t,
			     struct list_head *from)
{
	struct list_head *entry = NULL;

	spin_lock_bh(&t->lock);
	if (!list_empty(from)) {
		entry = from->next;
		list_del_init(entry);
	}
	spin_unlock_bh(&t->lock);
	return entry;
}

static struct vnimesh_node *pop_node(struct vnimesh_transitions *t)
{
	struct list_head *entry = pop(t, &t->nodes);

	return entry ? container_of(entry, struct vnimesh_node, transit) : NULL;
}

static struct vnimesh_vni *pop_vni(struct vnimesh_transitions *t)
{
	struct list_head *entry = pop(t, &t->vnis);

	return entry ? container_of(entry, struct vnimesh_vni, transit) : NULL;
}

static struct vnimesh_member *pop_member(struct vnimesh_transitions *t)
{
	struct list_head *entry = pop(t, &t->members);

	return entry ? container_of(entry, struct vnimesh_member, transit) :
		       NULL;
}

/* mesh->lock. */
static void spread_vni(struct vnimesh_mesh *mesh, struct vnimesh_vni *vni)
{
	struct vnimesh_member *member;

	/* ->live is the worker's own. */
	list_for_each_entry(member, &vni->members, vni_link)
		if (member->live != vnimesh_liveness_of(member))
			enqueue_member(mesh, member);
}

/* From nodes and VNIs to the members on them. */
static void spread(struct vnimesh_transitions *t)
{
	struct vnimesh_mesh *mesh = t->mesh;
	struct vnimesh_node *node;
	struct vnimesh_vni *vni;

	/* Who is missed here arms the work again. */
	if (list_empty(&t->nodes) && list_empty(&t->vnis))
		return;
	mutex_lock(&mesh->lock);
	while ((node = pop_node(t))) {
		list_for_each_entry(vni, &node->vnis, node_link)
			spread_vni(mesh, vni);
		vnimesh_node_put(node);
	}
	while ((vni = pop_vni(t))) {
		spread_vni(mesh, vni);
		vnimesh_vni_put(vni);
	}
	mutex_unlock(&mesh->lock);
}

/* RCU. The members of the flow table, not of the VNI: who was deleted may keep
 * flows.
 */
static int end_astray(struct vnimesh_mesh *mesh, struct vnimesh_flow *flow,
		      void *data)
{
	struct vnimesh_member *member = flow->member;

	if (READ_ONCE(mesh->transitions->stopped))
		return 1;
	if (vnimesh_flow_client_left(flow)) {
		vnimesh_flow_leave(mesh, flow);
	} else if (vnimesh_flow_member_left(flow) && !READ_ONCE(member->moved)) {
		WRITE_ONCE(member->moved, true);
		enqueue_member(mesh, member);
	}
	return 0;
}

/* However many moved, it is one grace period and one walk. Both take their time: a
 * work of its own, as who is down waits for no more than its members.
 */
static void leave_run(struct work_struct *work)
{
	struct vnimesh_transitions *t = container_of(work,
						     struct vnimesh_transitions,
						     leave);
	u32 bucket = 0, skip = 0;

	/* Who chose an old address has bound its flow by then. */
	synchronize_net();
	if (vnimesh_flow_count(t->mesh))
		vnimesh_flow_walk(t->mesh, &bucket, &skip, end_astray, NULL);
}

static void tell(struct vnimesh_mesh *mesh,
		 const struct vnimesh_member *member, u8 event, u32 count)
{
	/* Who fails with a node of thousands is told only of what is used. */
	if (READ_ONCE(member->service->used))
		vnimesh_netlink_event_count(mesh, event, member->vni->id,
					    member->service->tag, count);
}

static void transition(struct vnimesh_mesh *mesh,
		       struct vnimesh_member *member, enum vnimesh_live live)
{
	if (member->live == VNIMESH_LIVE_UP)
		member->since = jiffies;
	if (live == VNIMESH_LIVE_DOWN)
		tell(mesh, member, VNIMESH_EVENT_MEMBER_DOWN, 0);
	else if (live == VNIMESH_LIVE_UP)
		tell(mesh, member, VNIMESH_EVENT_MEMBER_UP, 0);
	member->live = live;
}

static bool earlier(struct rb_node *node, const struct rb_node *other)
{
	return time_before(rb_entry(node, struct vnimesh_member, wait)->deadline,
			   rb_entry(other, struct vnimesh_member, wait)->deadline);
}

/* Only with flows: who is deleted, and waits for nobody, is let go. The chain's
 * lock orders this with the end of the last flow, which says so.
 */
static void wait_for(struct vnimesh_transitions *t,
		     struct vnimesh_member *member, u32 ms)
{
	spin_lock_bh(&member->flows_lock);
	spin_lock(&t->lock);
	/* Somebody may have queued it meanwhile. */
	if (!t->stopped && !list_empty(&member->flows) &&
	    list_empty(&member->transit) && !member->waits) {
		refcount_inc(&member->refs);
		member->deadline = jiffies + msecs_to_jiffies(ms);
		WRITE_ONCE(member->waits, true);
		rb_add_cached(&member->wait, &t->waiting, earlier);
	}
	spin_unlock(&t->lock);
	spin_unlock_bh(&member->flows_lock);
}

static void tell_aborted(struct vnimesh_mesh *mesh,
			 struct vnimesh_member *member)
{
	if (member->aborted)
		tell(mesh, member, VNIMESH_EVENT_FLOWS_ABORTED,
		     member->aborted);
	member->aborted = 0;
}

static void look_at(struct vnimesh_transitions *t,
		    struct vnimesh_member *member)
{
	const struct vnimesh_service *service = member->service;
	enum vnimesh_live live = vnimesh_liveness_of(member);
	struct vnimesh_mesh *mesh = t->mesh;
	u32 wait = 0;
	u64 ms;

	if (live != member->live)
		transition(mesh, member, live);
	if (vnimesh_abort_astray(mesh, member, BUDGET, &member->aborted)) {
		enqueue_member(mesh, member);
		return;
	}
	ms = jiffies64_to_msecs(jiffies - member->since);
	switch (vnimesh_fate_of(live, READ_ONCE(service->on_down),
				READ_ONCE(service->drain_time), ms, &wait)) {
	case VNIMESH_FATE_LIVE:
		break;
	case VNIMESH_FATE_WAIT:
		/* Who binds a flow to it meanwhile says so. */
		wait_for(t, member, wait);
		break;
	case VNIMESH_FATE_END:
		if (vnimesh_abort_member(mesh, member, BUDGET,
					 &member->aborted)) {
			enqueue_member(mesh, member);
			return;
		}
	}
	tell_aborted(mesh, member);
}

static struct vnimesh_member *first_waiting(struct vnimesh_transitions *t)
{
	struct rb_node *node = rb_first_cached(&t->waiting);

	return node ? rb_entry(node, struct vnimesh_member, wait) : NULL;
}

/* Those whose deadline has come move on; the work is armed for the next. */
static void check_deadlines(struct vnimesh_transitions *t)
{
	struct vnimesh_member *member;
	unsigned long now = jiffies;
	u32 n = 0;

	spin_lock_bh(&t->lock);
	while ((member = first_waiting(t)) && n++ < DUE &&
	       time_after_eq(now, member->deadline))
		unwait(t, member);
	if (!list_empty(&t->nodes) || !list_empty(&t->vnis) ||
	    !list_empty(&t->members))
		arm(t, 0);
	else if (member)
		arm(t, member->deadline - now);
	spin_unlock_bh(&t->lock);
}

static void run(struct work_struct *work)
{
	struct vnimesh_transitions *t = container_of(to_delayed_work(work),
						     struct vnimesh_transitions,
						     work);
	struct vnimesh_member *member;

	spread(t);
	while (!READ_ONCE(t->stopped) && (member = pop_member(t))) {
		look_at(t, member);
		vnimesh_member_put(member);
		cond_resched();
		spread(t);
	}
	check_deadlines(t);
}

int vnimesh_liveness_init(struct vnimesh_mesh *mesh)
{
	struct vnimesh_transitions *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return -ENOMEM;
	spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->nodes);
	INIT_LIST_HEAD(&t->vnis);
	INIT_LIST_HEAD(&t->members);
	t->waiting = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&t->telling);
	INIT_DELAYED_WORK(&t->work, run);
	INIT_DELAYED_WORK(&t->tell, tell_run);
	INIT_WORK(&t->leave, leave_run);
	t->mesh = mesh;
	mesh->transitions = t;
	return 0;
}

void vnimesh_liveness_stop(struct vnimesh_mesh *mesh)
{
	struct vnimesh_transitions *t = mesh->transitions;
	struct vnimesh_member *member;
	struct vnimesh_node *node;
	struct vnimesh_vni *vni;

	spin_lock_bh(&t->lock);
	WRITE_ONCE(t->stopped, true);
	spin_unlock_bh(&t->lock);
	cancel_work_sync(&t->leave);
	cancel_delayed_work_sync(&t->work);
	cancel_delayed_work_sync(&t->tell);
	while ((node = pop_node(t)))
		vnimesh_node_put(node);
	while ((vni = pop_vni(t)))
		vnimesh_vni_put(vni);
	/* Stopped: nobody adds any. */
	spin_lock_bh(&t->lock);
	while ((member = first_waiting(t)))
		unwait(t, member);
	spin_unlock_bh(&t->lock);
	while ((member = pop_member(t)))
		vnimesh_member_put(member);
	while ((member = next_untold(t))) {
		spin_lock_bh(&t->lock);
		list_del_init(&member->telling);
		spin_unlock_bh(&t->lock);
		vnimesh_member_put(member);
	}
}
