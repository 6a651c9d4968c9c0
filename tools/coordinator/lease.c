// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "change.h"
#include "check.h"
#include "lease.h"
#include "log.h"
#include "mem.h"
#include "note.h"
#include "preserve.h"

struct leases {
	struct registry *reg;
	struct source *timer;
	uint64_t due_us;		/* when the tick should come */
	uint64_t step_us;
	bool failing;			/* the store, which was logged */
	/* of what is under way to it */
	unsigned int waking;
	uint64_t waking_us;
	uint32_t waking_id;
	struct preserve preserve;
};

static void log_it(struct registry *reg, const struct node *node,
		   const char *what, const char *why, uint64_t us)
{
	char object[32];

	snprintf(object, sizeof(object), "node %u", node->def.id);
	note(reg, NULL, object, what, "%s %llu ms", why,
	     (unsigned long long)(us / LOOP_USEC_PER_MSEC));
}

void lease_renew(struct registry *reg, struct node *node)
{
	if (node->lapsed)
		log_it(reg, node, "fresh", "reports again after",
		       loop_now() - node->heard_us);
	node->lapsed = false;
	node->heard_us = loop_now();
	node->lease_us = node->heard_us + reg->lease_us_len;
	node->held = true;
	if (!node->here || node->elsewhere) {
		node->here = true;
		node->elsewhere = false;
		store_presence(reg->store, node->def.id, true);
	}
	if (!node->stale)
		return;
	node->stale = false;
	registry_touch_all_of(reg, node);
}

bool lease_live(const struct node *node)
{
	return node->held;
}

/* Who was overdue already when we ran last, and was spared, still is. */
static void grant_all(struct leases *leases, uint64_t now_us)
{
	struct registry *reg = leases->reg;
	uint64_t ran_us = leases->due_us - leases->step_us;
	struct node *node;

	TAILQ_FOREACH(node, &reg->nodes_changed, changed)
		if (node->held && node->lease_us > ran_us)
			node->lease_us = now_us + reg->lease_us_len;
}

/* After our start a node was stale from the beginning: that is no news. */
static bool overdue(const struct node *node, uint64_t now_us)
{
	return node && node->held && !node->stale && !node->elsewhere &&
	       node->lease_us <= now_us;
}

static void lapse(struct registry *reg, uint64_t now_us, uint64_t lapsed_us)
{
	struct node *node;
	bool news;
	uint32_t id;

	for (id = 0; id < reg->nodes_end; id++) {
		node = reg->nodes[id];
		if (!node || !node->held || node->lease_us > now_us)
			continue;
		news = overdue(node, now_us);
		if (node->here)
			store_presence(reg->store, id, false);
		node->here = false;
		/* As long as another coordinator hears it. */
		if (node->elsewhere)
			continue;
		node->held = false;
		if (!news)
			continue;
		node->stale = true;
		node->lapsed = true;
		node->lapsed_us = lapsed_us;
		log_it(reg, node, "stale", "no report for",
		       now_us - node->heard_us);
		registry_touch_all_of(reg, node);
		log_warning("node %u \"%s\": lease lapsed, figures are stale",
			    id, node->def.name);
	}
}

/* Those that a moment ago were there, and of them the silent ones. */
static enum preserve_turn look(struct leases *leases, uint64_t now_us)
{
	unsigned int all = 0, late = 0, lapsed = 0;
	struct registry *reg = leases->reg;
	const struct node *node;
	uint32_t id;

	for (id = 0; id < reg->nodes_end; id++) {
		node = reg->nodes[id];
		if (!node)
			continue;
		if (!node->stale)
			all++;
		else if (node->lapsed_us &&
			 node->lapsed_us + reg->lease_us_len > now_us)
			lapsed++;
		late += overdue(node, now_us);
	}
	return preserve_tick(&leases->preserve, all + lapsed, late, lapsed,
			     now_us);
}

static void lapse_unless_many(struct leases *leases, uint64_t now_us)
{
	const struct preserve *p = &leases->preserve;
	struct registry *reg = leases->reg;
	enum preserve_turn turn = look(leases, now_us);
	uint64_t ms = reg->lease_us_len / LOOP_USEC_PER_MSEC;

	switch (turn) {
	case PRESERVE_BEGINS:
		log_warning("%u of %u agents fell silent within a lease: no lease lapses",
			    p->silent, p->all);
		note(reg, NULL, "mesh", "preserving",
		     "%u of %u leases ran out within %llu ms", p->silent,
		     p->all, (unsigned long long)ms);
		break;
	case PRESERVE_ENDS:
	case PRESERVE_GIVES_UP:
		log_warning("leases lapse again: %u of %u agents are silent",
			    p->silent, p->all);
		note(reg, NULL, "mesh", "expiring", "%s: %u of %u are silent",
		     turn == PRESERVE_ENDS ? "few enough" :
					     "they do not come back",
		     p->silent, p->all);
		break;
	case PRESERVE_AS_BEFORE:
		break;
	}
	if (!p->on)
		/* Who was waited for in vain does not begin it again. */
		lapse(reg, now_us, turn == PRESERVE_GIVES_UP ? 0 : now_us);
}

void leases_counters(const struct leases *leases, json_t *obj)
{
	const struct preserve *p = &leases->preserve;

	record_set(obj, "preserving", json_boolean(p->on));
	record_set(obj, "preservations", json_integer(p->times));
	record_set(obj, "silent", json_integer(p->silent));
}

static int awake(struct request *rq, void *data, bool stored)
{
	struct leases *leases = data;
	struct registry *reg = leases->reg;
	unsigned int n = leases->waking;
	struct resting *r;

	(void)rq;
	if (!stored && !leases->failing)
		log_error("store: %s", reg->store->error);
	leases->failing = !stored;
	/* They are the first ones still: nobody took one meanwhile. */
	while (stored && n-- &&
	       (r = pool_rested(&reg->pool, NULL, leases->waking_us)))
		pool_wake(&reg->pool, r);
	return 0;
}

/* Service addresses whose rest is over: one commit for all of a tick. What a
 * failed store did not take comes again with the next tick.
 */
static void wake_addresses(struct leases *leases, uint64_t now_us)
{
	struct registry *reg = leases->reg;
	struct resting *r = pool_rested(&reg->pool, NULL, now_us);
	unsigned int n = 0;

	if (!r || change_busy(reg))
		return;
	change_begin(reg);
	for (; r && n < WAKE_MAX; n++) {
		store_del_resting(reg->store, r->tag);
		r = pool_rested(&reg->pool, r, now_us);
	}
	leases->waking = n;
	leases->waking_us = now_us;
	change_commit(reg, NULL, awake, leases);
}

static int id_awake(struct request *rq, void *data, bool stored)
{
	struct leases *leases = data;
	struct registry *reg = leases->reg;
	struct forgotten *f = registry_forgotten(reg, leases->waking_id);

	(void)rq;
	if (!stored || !f)
		return 0;
	TAILQ_REMOVE(&reg->forgotten, f, list);
	free(f);
	return 0;
}

/* Ids of nodes whose rest is over, one a tick: they are few. */
static void wake_id(struct leases *leases, uint64_t now_us)
{
	struct registry *reg = leases->reg;
	struct forgotten *f = TAILQ_FIRST(&reg->forgotten);

	if (!f || f->until_us > now_us || change_busy(reg))
		return;
	leases->waking_id = f->id;
	change_begin(reg);
	store_del_forgotten(reg->store, f->id);
	change_commit(reg, NULL, id_awake, leases);
}

static void on_tick(void *data, uint64_t now_us)
{
	struct leases *leases = data;
	struct registry *reg = leases->reg;

	if (now_us > leases->due_us + leases->step_us) {
		log_warning("did not run for %llu ms: all leases start anew",
			    (unsigned long long)((now_us - leases->due_us) /
						 LOOP_USEC_PER_MSEC));
		grant_all(leases, now_us);
	} else {
		lapse_unless_many(leases, now_us);
	}
	checks_expire(reg, now_us);
	wake_addresses(leases, now_us);
	wake_id(leases, now_us);
	leases->due_us = now_us + leases->step_us;
	source_timer_set(leases->timer, leases->due_us);
}

int leases_new(struct leases **ret, struct loop *loop, struct registry *reg)
{
	struct leases *leases = mem_zero(1, sizeof(*leases));
	int err;

	leases->reg = reg;
	leases->step_us = reg->lease_us_len / LEASE_TICKS;
	leases->due_us = loop_now() + leases->step_us;
	err = loop_timer(loop, &leases->timer, on_tick, leases);
	if (!err)
		err = source_timer_set(leases->timer, leases->due_us);
	if (err) {
		leases_free(leases);
		return err;
	}
	*ret = leases;
	return 0;
}

void leases_free(struct leases *leases)
{
	if (!leases)
		return;
	source_free(&leases->timer);
	free(leases);
}
