// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "change.h"
#include "check.h"
#include "lease.h"
#include "log.h"
#include "mem.h"

struct leases {
	struct registry *reg;
	struct source *timer;
	uint64_t due_us;		/* when the tick should come */
	uint64_t step_us;
	bool failing;			/* the store, which was logged */
};

void lease_renew(struct registry *reg, struct node *node)
{
	node->heard_us = loop_now();
	node->lease_us = node->heard_us + reg->lease_us_len;
	node->held = true;
	if (!node->stale)
		return;
	node->stale = false;
	registry_touch_all_of(reg, node);
}

bool lease_live(const struct node *node)
{
	return node->held;
}

static void grant_all(struct registry *reg, uint64_t now_us)
{
	struct node *node;

	TAILQ_FOREACH(node, &reg->nodes_changed, changed)
		if (node->held)
			node->lease_us = now_us + reg->lease_us_len;
}

static void lapse(struct registry *reg, uint64_t now_us)
{
	struct node *node;
	uint32_t id;

	for (id = 0; id < reg->nodes_end; id++) {
		node = reg->nodes[id];
		if (!node || !node->held || node->lease_us > now_us)
			continue;
		node->held = false;
		/* After our start it was stale from the beginning. */
		if (node->stale)
			continue;
		node->stale = true;
		registry_touch_all_of(reg, node);
		log_warning("node %u \"%s\": lease lapsed, figures are stale",
			    id, node->def.name);
	}
}

/* Service addresses whose rest is over: one commit for all of a tick. What a
 * failed store did not take comes again with the next tick.
 */
static void wake_addresses(struct leases *leases, uint64_t now_us)
{
	struct registry *reg = leases->reg;
	struct resting *r = pool_rested(&reg->pool, NULL, now_us);
	unsigned int n = 0;

	if (!r)
		return;
	change_begin(reg);
	for (; r && n < WAKE_MAX; n++) {
		store_del_resting(reg->store, r->tag);
		r = pool_rested(&reg->pool, r, now_us);
	}
	if (change_commit(reg)) {
		if (!leases->failing)
			log_error("store: %s", reg->store->error);
		leases->failing = true;
		return;
	}
	leases->failing = false;
	while (n--)
		pool_wake(&reg->pool, pool_rested(&reg->pool, NULL, now_us));
}

/* Ids of nodes whose rest is over, one a tick: they are few. */
static void wake_id(struct leases *leases, uint64_t now_us)
{
	struct registry *reg = leases->reg;
	struct forgotten *f = TAILQ_FIRST(&reg->forgotten);

	if (!f || f->until_us > now_us)
		return;
	change_begin(reg);
	store_del_forgotten(reg->store, f->id);
	if (change_commit(reg))
		return;
	TAILQ_REMOVE(&reg->forgotten, f, list);
	free(f);
}

static void on_tick(void *data, uint64_t now_us)
{
	struct leases *leases = data;
	struct registry *reg = leases->reg;

	if (now_us > leases->due_us + leases->step_us) {
		log_warning("did not run for %llu ms: all leases start anew",
			    (unsigned long long)((now_us - leases->due_us) /
						 LOOP_USEC_PER_MSEC));
		grant_all(reg, now_us);
	} else {
		lapse(reg, now_us);
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
