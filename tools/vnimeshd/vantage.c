// SPDX-License-Identifier: GPL-2.0-or-later
/* Shared verdicts of this agent. */

#include <stdlib.h>

#include <sodium.h>

#include "log.h"
#include "observe.h"
#include "peer.h"
#include "vantage.h"
#include "verdict.h"

/* How often a look sees whether an echo was answered. */
#define LOOK_US		50000
/* Whoever reaches a node that is said to be down objects; the first of them
 * ends it, so that few have to.
 */
#define OBJECT_MAX_US	500000
/* What was lost on the way, or not taken, is said again, from half of this on. */
#define OBJECT_AGAIN_US	5000000
#define OBJECTIONS_MAX	16

struct vantage {
	struct mesh *m;
	struct verdicts verdicts;
	struct source *timer;
	struct {
		uint32_t node;	/* 0: free */
		uint32_t vni;
		uint64_t since_us;
	} looks[VERDICT_LOOKS_MAX];
	unsigned int n_looks;
	struct {
		uint32_t node;	/* 0: free */
		uint64_t due_us;
	} objections[OBJECTIONS_MAX];
};

static bool on_send(void *data, uint32_t to, uint8_t type,
		    const struct peer_case *kase)
{
	struct vantage *v = data;

	if (to != VERDICT_COORDINATOR)
		return peer_case(v->m->peer, to, type, kase);
	observe_sight(v->m->observe, kase->node, kase->sight,
		      type == PEER_SIGHT ? kase->id : 0);
	return true;
}

static void on_look(void *data, uint32_t node, uint32_t vni)
{
	struct vantage *v = data;
	size_t i;

	for (i = 0; i < VERDICT_LOOKS_MAX; i++) {
		if (v->looks[i].node)
			continue;
		v->looks[i].node = node;
		v->looks[i].vni = vni;
		v->looks[i].since_us = loop_now();
		v->n_looks++;
		return;
	}
}

static void on_verdict(void *data, const struct peer_case *kase)
{
	static const char *const words[] = {
		"nobody can tell", "reached from elsewhere: the way from here is cut",
		"down",
	};
	struct vantage *v = data;
	const struct node *n = facts_node(&v->m->facts, kase->node);

	if (n && kase->sight <= PEER_SIGHT_DOWN)
		log_info("node %s, as several hosts see it: %s", n->name,
			 words[kase->sight]);
}

static bool may_judge(const struct facts *f, const struct node *n)
{
	return n->id == f->self || (n->key[0] && n->peer_port);
}

static uint32_t on_judge(void *data, uint32_t node, uint32_t vni,
			 unsigned int rank)
{
	const struct vantage *v = data;
	const struct facts *f = &v->m->facts;
	uint64_t last = 0, best = 0, place;
	const struct node *n;
	unsigned int r;
	uint32_t ret = 0;
	size_t i;

	/* All ask the same one, and it tells all. */
	if (observe_can(v->m->observe)) {
		if (!rank)
			return VERDICT_COORDINATOR;
		rank--;
	}
	for (r = 0; r <= rank; r++) {
		ret = 0;
		for (i = 0; i < f->nodes.n; i++) {
			n = f->nodes.v[i];
			place = verdict_place(node, vni, n->id);
			if (n->id == node || !may_judge(f, n) ||
			    (r && place <= last) || (ret && place >= best))
				continue;
			ret = n->id;
			best = place;
		}
		last = best;
	}
	return ret;
}

static uint64_t on_random(void *data)
{
	uint64_t ret;

	(void)data;
	randombytes_buf(&ret, sizeof(ret));
	return ret;
}

static const struct verdict_ops ops = {
	.send = on_send,
	.look = on_look,
	.verdict = on_verdict,
	.judge = on_judge,
	.random = on_random,
};

static void tick(struct vantage *v, uint64_t now_us)
{
	uint64_t next = verdict_tick(&v->verdicts, now_us);
	size_t i;

	if (v->n_looks && now_us + LOOK_US < next)
		next = now_us + LOOK_US;
	for (i = 0; i < OBJECTIONS_MAX; i++)
		if (v->objections[i].node && v->objections[i].due_us < next)
			next = v->objections[i].due_us;
	if (next != UINT64_MAX)
		source_timer_set(v->timer, next);
	else
		source_timer_stop(v->timer);
}

/* What the echoes say since the look began; they go on by themselves. */
static bool look_done(struct vantage *v, size_t i, enum peer_sight *sight,
		      uint64_t now_us)
{
	const struct node *n = facts_node(&v->m->facts, v->looks[i].node);

	*sight = PEER_SIGHT_NONE;
	if (!n || n->id == v->m->facts.self)
		return true;
	if (n->reach.state == REACH_DOWN)
		*sight = PEER_SIGHT_DOWN;
	else if (n->reach.answered_us >= v->looks[i].since_us)
		*sight = PEER_SIGHT_UP;
	return *sight != PEER_SIGHT_NONE ||
	       now_us >= v->looks[i].since_us + VERDICT_LOOK_US;
}

/* This host reaches a node that is said to be down. */
static bool contradicts(const struct vantage *v, const struct node *n)
{
	return n->id != v->m->facts.self && n->verdict == PEER_SIGHT_DOWN &&
	       n->reach.state == REACH_UP;
}

/* @news: a verdict that was not there before, or the node answers since. */
static void object(struct vantage *v, uint32_t node, bool news)
{
	size_t i, room = OBJECTIONS_MAX;

	for (i = 0; i < OBJECTIONS_MAX; i++) {
		if (v->objections[i].node == node)
			break;
		if (!v->objections[i].node)
			room = i;
	}
	if (i < OBJECTIONS_MAX) {
		if (!news)
			return;
		room = i;
	}
	/* Others reach it, too, or there is room the next second. */
	if (room == OBJECTIONS_MAX)
		return;
	v->objections[room].node = node;
	v->objections[room].due_us = loop_now() + mesh_random() % OBJECT_MAX_US;
}

static void objections(struct vantage *v, uint64_t now_us)
{
	const struct node *n;
	size_t i;

	for (i = 0; i < OBJECTIONS_MAX; i++) {
		if (!v->objections[i].node || v->objections[i].due_us > now_us)
			continue;
		n = facts_node(&v->m->facts, v->objections[i].node);
		if (!n || !contradicts(v, n)) {
			v->objections[i].node = 0;
			continue;
		}
		/* Until the verdict ends: nobody says that it was heard. */
		v->objections[i].due_us = now_us + OBJECT_AGAIN_US / 2 +
					  mesh_random() % OBJECT_AGAIN_US;
		if (observe_can(v->m->observe))
			observe_sight(v->m->observe, n->id, PEER_SIGHT_UP, 0);
	}
}

static void on_timer(void *data, uint64_t now_us)
{
	struct vantage *v = data;
	enum peer_sight sight;
	uint32_t node;
	size_t i;

	for (i = 0; i < VERDICT_LOOKS_MAX && v->n_looks; i++) {
		node = v->looks[i].node;
		if (!node || !look_done(v, i, &sight, now_us))
			continue;
		v->looks[i].node = 0;
		v->n_looks--;
		verdict_seen(&v->verdicts, node, v->looks[i].vni, sight,
			     now_us);
	}
	objections(v, now_us);
	tick(v, now_us);
}

void vantage_reached(struct vantage *v, const struct node *n)
{
	if (!contradicts(v, n))
		return;
	object(v, n->id, true);
	tick(v, loop_now());
}

void vantage_again(struct vantage *v)
{
	const struct facts *f = &v->m->facts;
	size_t i;

	for (i = 0; i < f->nodes.n; i++)
		if (contradicts(v, f->nodes.v[i]))
			object(v, ((struct node *)f->nodes.v[i])->id, false);
	tick(v, loop_now());
}

void vantage_told(struct vantage *v, uint32_t node, enum peer_sight sight)
{
	const struct node *n = facts_node(&v->m->facts, node);

	if (!n)
		return;
	if (verdict_told(&v->verdicts, n->id, n->vni, sight, loop_now()))
		log_debug("node %s: judged by the coordinator", n->name);
	else if (n->id == v->m->facts.self && sight == PEER_SIGHT_DOWN)
		log_warn("other hosts do not reach this one through the mesh");
	vantage_reached(v, n);
	tick(v, loop_now());
}

void vantage_asked(struct vantage *v, uint32_t node, uint64_t id)
{
	const struct node *n = facts_node(&v->m->facts, node);
	struct peer_case kase = { .node = node, .id = id };

	if (!n || node == v->m->facts.self)
		return;
	kase.vni = n->vni;
	v->verdicts.self = v->m->facts.self;
	verdict_rx(&v->verdicts, VERDICT_COORDINATOR, PEER_PROBE, &kase,
		   loop_now());
	tick(v, loop_now());
}

void vantage_suspect(struct vantage *v, const struct node *n)
{
	v->verdicts.self = v->m->facts.self;
	verdict_suspect(&v->verdicts, n->id, n->vni, loop_now());
	tick(v, loop_now());
}

void vantage_rx(struct vantage *v, uint32_t from, uint8_t type,
		const struct peer_case *kase)
{
	const struct node *n = facts_node(&v->m->facts, kase->node);

	/* Only about nodes and VNIs that there can be. */
	if (!n || kase->vni < n->vni_first ||
	    kase->vni - n->vni_first >= n->vni_count)
		return;
	v->verdicts.self = v->m->facts.self;
	verdict_rx(&v->verdicts, from, type, kase, loop_now());
	tick(v, loop_now());
}

void vantage_status(const struct vantage *v, json_t *o)
{
	const struct verdict_stats *s = &v->verdicts.stats;
	json_t *list = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				 "suspected", (json_int_t)s->suspected,
				 "coalesced", (json_int_t)s->coalesced,
				 "trials", (json_int_t)s->trials,
				 "looks", (json_int_t)s->looks,
				 "verdicts", (json_int_t)s->verdicts,
				 "unjudged", (json_int_t)s->unjudged,
				 "overflow", (json_int_t)s->overflow,
				 "stray", (json_int_t)s->stray);

	json_object_set_new(o, "verdict", list);
}

struct vantage *vantage_new(struct mesh *m)
{
	struct vantage *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->m = m;
	verdict_init(&v->verdicts, &ops, v, 0);
	if (loop_timer(m->loop, &v->timer, on_timer, v)) {
		free(v);
		return NULL;
	}
	return v;
}

void vantage_free(struct vantage *v)
{
	if (!v)
		return;
	source_free(&v->timer);
	free(v);
}
