// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "check.h"
#include "lease.h"
#include "log.h"
#include "mem.h"

struct leases {
	struct registry *reg;
	struct source *timer;
	uint64_t due_us;		/* when the tick should come */
	uint64_t step_us;
};

void lease_renew(struct registry *reg, struct node *node)
{
	node->heard_us = loop_now();
	node->lease_us = node->heard_us + reg->lease_us_len;
	if (!node->stale)
		return;
	node->stale = false;
	registry_touch_all_of(reg, node);
}

bool lease_live(const struct node *node)
{
	return node->lease_us > loop_now();
}

static void grant_all(struct registry *reg, uint64_t now_us)
{
	struct node *node;

	TAILQ_FOREACH(node, &reg->nodes_changed, changed)
		if (!node->stale)
			node->lease_us = now_us + reg->lease_us_len;
}

static void lapse(struct registry *reg, uint64_t now_us)
{
	struct node *node;
	uint32_t id;

	for (id = 0; id < reg->nodes_end; id++) {
		node = reg->nodes[id];
		if (!node || node->stale || node->lease_us > now_us)
			continue;
		node->stale = true;
		registry_touch_all_of(reg, node);
		log_warning("node %u \"%s\": lease lapsed, figures are stale",
			    id, node->def.name);
	}
}

/* Service addresses whose rest is over; a failed store tries again. */
static void wake_addresses(struct registry *reg, uint64_t now_us)
{
	struct resting *r;

	while ((r = pool_rested(&reg->pool, now_us))) {
		store_begin(reg->store);
		store_del_resting(reg->store, r->tag);
		if (store_commit(reg->store)) {
			log_error("store: %s", reg->store->error);
			return;
		}
		pool_wake(&reg->pool, r);
	}
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
	wake_addresses(reg, now_us);
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
