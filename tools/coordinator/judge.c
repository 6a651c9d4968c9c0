// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "check.h"
#include "judge.h"
#include "lease.h"
#include "log.h"
#include "loop.h"
#include "mem.h"
#include "note.h"
#include "verdict.h"

struct judge {
	struct registry *reg;
	struct source *timer;
	struct verdicts verdicts;
	uint64_t observations;
	uint64_t lifted;
	int standing;			/* told to who asks now, or -1 */
};

const char *const judge_sights[] = { "none", "up", "down", NULL };

static bool on_send(void *data, uint32_t to, uint8_t type,
		    const struct peer_case *kase)
{
	struct judge *j = data;
	struct node *node = registry_node(j->reg, to);

	/* A new verdict goes to all with the node; who asks after it was told
	 * gets it at once.
	 */
	if (type == PEER_VERDICT)
		j->standing = kase->sight;
	else if (type == PEER_PROBE && node)
		checks_probe(j->reg, node, kase);
	return node;
}

/* Whose agent is there to be asked, by us. */
static bool can_look(const struct node *node, uint32_t suspect)
{
	return node && node->def.id != suspect && !node->stale && node->here &&
	       lease_live(node);
}

static uint32_t on_vantage(void *data, uint32_t suspect, uint32_t vni,
			   unsigned int rank)
{
	const struct judge *j = data;
	uint64_t last = 0, best = 0, place;
	unsigned int r;
	uint32_t ret = 0;
	uint32_t id;

	for (r = 0; r <= rank; r++) {
		ret = 0;
		for (id = 0; id < j->reg->nodes_end; id++) {
			if (!can_look(j->reg->nodes[id], suspect))
				continue;
			place = verdict_place(suspect, vni, id);
			if ((r && place <= last) || (ret && place >= best))
				continue;
			ret = id;
			best = place;
		}
		if (!ret)
			break;
		last = best;
	}
	return ret;
}

/* Below 2^53, as it goes through JSON. */
static uint64_t on_random(void *data)
{
	uint64_t ret;

	(void)data;
	if (getrandom(&ret, sizeof(ret), 0) != sizeof(ret)) {
		log_error("no random bytes: %m");
		abort();
	}
	return ret >> 11 | 1;
}

static void set_verdict(struct judge *j, struct node *node,
			enum peer_sight sight)
{
	node->verdict.id = ++j->reg->verdict_id;
	node->verdict.sight = sight;
	node->verdict.at_us = loop_now();
	registry_touch_node(j->reg, node, true);
}

/* "host1, host2 do not reach it" */
static void name_them(const struct judge *j, const struct trial *t,
		      uint8_t sight, char *buf, size_t len)
{
	const struct node *node;
	size_t used = 0;
	unsigned int i;

	buf[0] = '\0';
	for (i = 0; i < t->n_vantage; i++) {
		node = registry_node(j->reg, t->vantage[i].node);
		if (t->vantage[i].sight == sight && node && used < len)
			used += snprintf(buf + used, len - used, "%s%s",
					 used ? ", " : "", node->def.name);
	}
}

static void on_judged(void *data, const struct trial *t)
{
	struct judge *j = data;
	struct node *node = registry_node(j->reg, t->node);
	unsigned int i;
	char object[32];
	char names[3 * (JNAME_MAX + 3)];
	uint8_t sight = t->sight;
	bool was, is;

	if (!node)
		return;
	was = node->verdict.sight == PEER_SIGHT_DOWN;
	node->verdict.asked = t->n_vantage;
	node->verdict.down = 0;
	for (i = 0; i < t->n_vantage; i++)
		node->verdict.down += t->vantage[i].sight == PEER_SIGHT_DOWN;
	/* That nobody can tell is no news of who is down. */
	if (was && sight == PEER_SIGHT_NONE)
		sight = PEER_SIGHT_DOWN;
	is = sight == PEER_SIGHT_DOWN;
	set_verdict(j, node, sight);
	name_them(j, t, sight, names, sizeof(names));
	log_info("node %u \"%s\": %s, as %u hosts see it (%s)", node->def.id,
		 node->def.name, judge_sights[sight], t->n_vantage, names);
	if (was == is)
		return;
	snprintf(object, sizeof(object), "node %u", node->def.id);
	if (was)
		note(j->reg, NULL, object, "reached", "%s", names);
	else
		note(j->reg, NULL, object, "down", "%u of %u do not reach it: %s",
		     node->verdict.down, t->n_vantage, names);
}

static const struct verdict_ops ops = {
	.send = on_send,
	.random = on_random,
	.vantage = on_vantage,
	.judged = on_judged,
};

static void tick(struct judge *j, uint64_t now_us)
{
	uint64_t next = verdict_tick(&j->verdicts, now_us);

	if (next != UINT64_MAX)
		source_timer_set(j->timer, next);
	else
		source_timer_stop(j->timer);
}

static void on_timer(void *data, uint64_t now_us)
{
	tick(data, now_us);
}

static void lift(struct judge *j, const struct node *from, struct node *node)
{
	char object[32];

	if (node->verdict.sight != PEER_SIGHT_DOWN)
		return;
	j->lifted++;
	verdict_lift(&j->verdicts, node->def.id, node->def.vni);
	set_verdict(j, node, PEER_SIGHT_UP);
	snprintf(object, sizeof(object), "node %u", node->def.id);
	log_info("node %u \"%s\": reached by \"%s\"", node->def.id,
		 node->def.name, from->def.name);
	note(j->reg, NULL, object, "reached", "%s reaches it",
	     from->def.name);
}

int judge_observed(struct judge *j, const struct node *from,
		   struct node *node, enum peer_sight sight, uint64_t probe)
{
	struct peer_case kase = {
		.node = node->def.id, .vni = node->def.vni, .id = probe,
		.sight = sight,
	};

	j->observations++;
	j->standing = -1;
	/* Nobody has a say about himself. */
	if (from == node) {
		judge_stray(j);
		return -1;
	}
	if (probe)
		verdict_rx(&j->verdicts, from->def.id, PEER_SIGHT, &kase,
			   loop_now());
	else if (sight == PEER_SIGHT_DOWN)
		verdict_rx(&j->verdicts, from->def.id, PEER_SUSPECT, &kase,
			   loop_now());
	if (sight == PEER_SIGHT_UP)
		lift(j, from, node);
	tick(j, loop_now());
	return probe ? -1 : j->standing;
}

void judge_stray(struct judge *j)
{
	j->verdicts.stats.stray++;
}

void judge_counters(const struct judge *j, json_t *obj)
{
	const struct verdict_stats *s = &j->verdicts.stats;
	json_t *list = mem_checked(json_object());

	record_set(list, "observations", json_integer(j->observations));
	record_set(list, "trials", json_integer(s->trials));
	record_set(list, "probes", json_integer(j->reg->probes));
	record_set(list, "verdicts", json_integer(s->verdicts));
	record_set(list, "lifted", json_integer(j->lifted));
	record_set(list, "overflow", json_integer(s->overflow));
	record_set(list, "stray", json_integer(s->stray));
	record_set(obj, "verdict", list);
}

int judge_new(struct judge **ret, struct loop *loop, struct registry *reg)
{
	struct judge *j = mem_zero(1, sizeof(*j));
	int err;

	j->reg = reg;
	verdict_init(&j->verdicts, &ops, j, 0);
	err = loop_timer(loop, &j->timer, on_timer, j);
	if (err) {
		free(j);
		return err;
	}
	*ret = j;
	return 0;
}

void judge_free(struct judge *j)
{
	if (!j)
		return;
	source_free(&j->timer);
	free(j);
}
