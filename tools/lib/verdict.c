// SPDX-License-Identifier: GPL-2.0-or-later
/* Suspicions, trials and verdicts. */

#include <stddef.h>
#include <string.h>

#include "verdict.h"

void verdict_init(struct verdicts *v, const struct verdict_ops *ops,
		  void *data, uint32_t self)
{
	memset(v, 0, sizeof(*v));
	v->ops = ops;
	v->data = data;
	v->self = self;
}

uint64_t verdict_place(uint32_t node, uint32_t vni, uint32_t candidate)
{
	uint64_t x = ((uint64_t)node << 32 | vni) * 0x9e3779b97f4a7c15ULL;

	/* The finalizer of splitmix64. */
	x += candidate * 0xd1342543de82ef95ULL;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

/* What the three tables have in common. */
struct key {
	uint32_t node, vni;
};

_Static_assert(!offsetof(struct suspect, node) && !offsetof(struct trial, node) &&
	       !offsetof(struct look, node), "the key is first");

/* The entry of a key, else a free one with @make, else NULL. */
static void *find(void *array, size_t n, size_t size, uint32_t node,
		  uint32_t vni, bool make)
{
	struct key *k, *room = NULL;
	char *p = array;

	for (; n; n--, p += size) {
		k = (struct key *)p;
		if (k->node == node && k->vni == vni)
			return k;
		if (!k->node && !room)
			room = k;
	}
	if (!make || !room)
		return NULL;
	memset(room, 0, size);
	room->node = node;
	room->vni = vni;
	return room;
}

static struct suspect *find_suspect(struct verdicts *v, uint32_t node,
				    uint32_t vni, bool make)
{
	return find(v->suspects, VERDICT_SUSPECTS_MAX, sizeof(*v->suspects),
		    node, vni, make);
}

static struct trial *find_trial(struct verdicts *v, uint32_t node,
				uint32_t vni, bool make)
{
	return find(v->trials, VERDICT_TRIALS_MAX, sizeof(*v->trials), node,
		    vni, make);
}

static struct look *find_look(struct verdicts *v, uint32_t node, uint32_t vni,
			      bool make)
{
	return find(v->looks, VERDICT_LOOKS_MAX, sizeof(*v->looks), node, vni,
		    make);
}

static void post(struct verdicts *v, uint32_t to, uint8_t type, uint32_t node,
		 uint32_t vni, uint64_t id, uint8_t sight, uint64_t now_us)
{
	struct peer_case kase = {
		.node = node, .vni = vni, .id = id, .sight = sight,
	};

	if (to == v->self)
		verdict_rx(v, to, type, &kase, now_us);
	else
		v->ops->send(v->data, to, type, &kase);
}

/* ---- who suspects ---- */

static void ask(struct verdicts *v, struct suspect *s, uint64_t now_us)
{
	s->judge = v->ops->judge(v->data, s->node, s->vni, s->rank);
	if (!s->judge || s->rank >= VERDICT_JUDGES) {
		v->stats.unjudged++;
		s->judged = true;
		s->due_us = now_us + VERDICT_STANDS_US;
		return;
	}
	s->due_us = now_us + VERDICT_ASK_US;
	post(v, s->judge, PEER_SUSPECT, s->node, s->vni, s->id,
	     PEER_SIGHT_DOWN, now_us);
}

void verdict_suspect(struct verdicts *v, uint32_t node, uint32_t vni,
		     uint64_t now_us)
{
	struct suspect *s = find_suspect(v, node, vni, true);

	v->stats.suspected++;
	if (!s) {
		v->stats.overflow++;
		return;
	}
	if (s->due_us) {
		v->stats.coalesced++;
		return;
	}
	s->id = v->ops->random(v->data);
	ask(v, s, now_us);
}

static void on_verdict(struct verdicts *v, uint32_t from,
		       const struct peer_case *kase, uint64_t now_us)
{
	struct suspect *s = find_suspect(v, kase->node, kase->vni, false);

	if (!s || s->judged || s->judge != from || s->id != kase->id) {
		v->stats.stray++;
		return;
	}
	s->judged = true;
	s->due_us = now_us + VERDICT_STANDS_US;
	v->ops->verdict(v->data, kase);
}

bool verdict_told(struct verdicts *v, uint32_t node, uint32_t vni,
		  enum peer_sight sight, uint64_t now_us)
{
	struct suspect *s = find_suspect(v, node, vni, false);
	struct peer_case kase = { .node = node, .vni = vni, .sight = sight };

	if (!s || s->judged || s->judge != VERDICT_COORDINATOR)
		return false;
	kase.id = s->id;
	on_verdict(v, VERDICT_COORDINATOR, &kase, now_us);
	return true;
}

void verdict_lift(struct verdicts *v, uint32_t node, uint32_t vni)
{
	struct trial *t = find_trial(v, node, vni, false);

	if (t && t->phase == TRIAL_STANDS)
		t->node = 0;
}

static void suspect_tick(struct verdicts *v, struct suspect *s,
			 uint64_t now_us)
{
	if (s->judged) {
		s->node = 0;
		return;
	}
	if (++s->tries >= VERDICT_ASK_TRIES) {
		s->tries = 0;
		s->rank++;
	}
	ask(v, s, now_us);
}

/* ---- who judges ---- */

static void pronounce(struct verdicts *v, struct trial *t, uint64_t now_us)
{
	unsigned int up = 0, down = 0, i;

	for (i = 0; i < t->n_vantage; i++) {
		up += t->vantage[i].sight == PEER_SIGHT_UP;
		down += t->vantage[i].sight == PEER_SIGHT_DOWN;
	}
	/* Whom one reaches is not down. One alone counts where nobody else
	 * could look.
	 */
	t->sight = PEER_SIGHT_NONE;
	if (up)
		t->sight = PEER_SIGHT_UP;
	else if (down >= 2 || (down == 1 && t->n_vantage == 1))
		t->sight = PEER_SIGHT_DOWN;
	t->phase = TRIAL_STANDS;
	t->due_us = now_us + VERDICT_STANDS_US;
	v->stats.verdicts++;
	for (i = 0; i < t->n_tell; i++)
		post(v, t->tell[i].node, PEER_VERDICT, t->node, t->vni,
		     t->tell[i].id, t->sight, now_us);
	if (v->ops->judged)
		v->ops->judged(v->data, t);
}

static bool add_vantage(struct trial *t, uint32_t node, unsigned int max)
{
	unsigned int i;

	if (t->n_vantage >= max)
		return false;
	for (i = 0; i < t->n_vantage; i++)
		if (t->vantage[i].node == node)
			return true;
	t->vantage[t->n_vantage++].node = node;
	return true;
}

/* The judge keeps a place for itself, or for one who did not suspect. */
static void add_reporter(struct verdicts *v, struct trial *t, uint32_t node)
{
	if (node != v->self)
		add_vantage(t, node, VERDICT_VANTAGE - 1);
}

static void add_others(struct verdicts *v, struct trial *t)
{
	unsigned int rank;
	uint32_t node;

	for (rank = 0; ; rank++) {
		node = v->ops->vantage(v->data, t->node, t->vni, rank);
		if (!node || !add_vantage(t, node, VERDICT_VANTAGE))
			break;
	}
}

static void have_looked(struct verdicts *v, struct trial *t, uint64_t now_us)
{
	unsigned int i;

	t->phase = TRIAL_LOOKS;
	t->due_us = now_us + VERDICT_LOOK_US;
	if (v->self)
		add_vantage(t, v->self, VERDICT_VANTAGE);
	else
		add_others(v, t);
	/* Our own look may end the trial before the last one is asked. */
	for (i = 0; i < t->n_vantage && t->phase == TRIAL_LOOKS; i++)
		post(v, t->vantage[i].node, PEER_PROBE, t->node, t->vni, t->id,
		     PEER_SIGHT_NONE, now_us);
}

static void on_suspect(struct verdicts *v, uint32_t from,
		       const struct peer_case *kase, uint64_t now_us)
{
	struct trial *t = find_trial(v, kase->node, kase->vni, true);
	unsigned int i;

	if (!t) {
		v->stats.overflow++;
		return;
	}
	if (!t->due_us) {
		v->stats.trials++;
		t->id = v->ops->random(v->data);
		t->due_us = now_us + VERDICT_GATHER_US;
	}
	if (t->phase == TRIAL_STANDS) {
		post(v, from, PEER_VERDICT, t->node, t->vni, kase->id,
		     t->sight, now_us);
		return;
	}
	for (i = 0; i < t->n_tell; i++)
		if (t->tell[i].node == from)
			break;
	if (i < VERDICT_TELL_MAX) {
		t->tell[i].node = from;
		t->tell[i].id = kase->id;
		t->n_tell += i == t->n_tell;
	}
	if (t->phase == TRIAL_GATHERS)
		add_reporter(v, t, from);
}

static void on_sight(struct verdicts *v, uint32_t from,
		     const struct peer_case *kase, uint64_t now_us)
{
	struct trial *t = find_trial(v, kase->node, kase->vni, false);
	unsigned int i, left = 0;
	bool asked = false;

	if (!t || t->phase != TRIAL_LOOKS || t->id != kase->id) {
		v->stats.stray++;
		return;
	}
	for (i = 0; i < t->n_vantage; i++) {
		if (t->vantage[i].node == from && !t->vantage[i].told) {
			t->vantage[i].sight = kase->sight;
			t->vantage[i].told = true;
			asked = true;
		}
		left += !t->vantage[i].told;
	}
	v->stats.stray += !asked;
	if (asked && (!left || kase->sight == PEER_SIGHT_UP))
		pronounce(v, t, now_us);
}

static void trial_tick(struct verdicts *v, struct trial *t, uint64_t now_us)
{
	switch (t->phase) {
	case TRIAL_GATHERS:
		have_looked(v, t, now_us);
		break;
	case TRIAL_LOOKS:
		pronounce(v, t, now_us);
		break;
	case TRIAL_STANDS:
		t->node = 0;
		break;
	}
}

/* ---- who looks ---- */

static void on_probe(struct verdicts *v, uint32_t from,
		     const struct peer_case *kase, uint64_t now_us)
{
	struct look *l = find_look(v, kase->node, kase->vni, true);

	if (!l || l->n_by == VERDICT_JUDGES) {
		v->stats.overflow++;
		return;
	}
	l->by[l->n_by].node = from;
	l->by[l->n_by++].id = kase->id;
	if (l->due_us)
		return;
	l->due_us = now_us + VERDICT_LOOK_US;
	v->stats.looks++;
	v->ops->look(v->data, l->node, l->vni);
}

void verdict_seen(struct verdicts *v, uint32_t node, uint32_t vni,
		  enum peer_sight sight, uint64_t now_us)
{
	struct look *l = find_look(v, node, vni, false);
	struct look done;
	unsigned int i;

	if (!l)
		return;
	done = *l;
	l->node = 0;
	for (i = 0; i < done.n_by; i++)
		post(v, done.by[i].node, PEER_SIGHT, node, vni, done.by[i].id,
		     sight, now_us);
}

void verdict_rx(struct verdicts *v, uint32_t from, uint8_t type,
		const struct peer_case *kase, uint64_t now_us)
{
	/* Nobody has a say about himself. */
	if (!kase->node || kase->node == from) {
		v->stats.stray++;
		return;
	}
	switch (type) {
	case PEER_SUSPECT:
		on_suspect(v, from, kase, now_us);
		break;
	case PEER_PROBE:
		on_probe(v, from, kase, now_us);
		break;
	case PEER_SIGHT:
		on_sight(v, from, kase, now_us);
		break;
	case PEER_VERDICT:
		on_verdict(v, from, kase, now_us);
		break;
	}
}

uint64_t verdict_tick(struct verdicts *v, uint64_t now_us)
{
	uint64_t next = UINT64_MAX;
	struct suspect *s;
	struct trial *t;
	struct look *l;

	for (s = v->suspects; s < v->suspects + VERDICT_SUSPECTS_MAX; s++) {
		if (s->node && s->due_us <= now_us)
			suspect_tick(v, s, now_us);
		if (s->node && s->due_us < next)
			next = s->due_us;
	}
	for (l = v->looks; l < v->looks + VERDICT_LOOKS_MAX; l++) {
		if (l->node && l->due_us <= now_us)
			verdict_seen(v, l->node, l->vni, PEER_SIGHT_NONE,
				     now_us);
		if (l->node && l->due_us < next)
			next = l->due_us;
	}
	for (t = v->trials; t < v->trials + VERDICT_TRIALS_MAX; t++) {
		if (t->node && t->due_us <= now_us)
			trial_tick(v, t, now_us);
		if (t->node && t->due_us < next)
			next = t->due_us;
	}
	return next;
}
