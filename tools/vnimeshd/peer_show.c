// SPDX-License-Identifier: GPL-2.0-or-later
/* The other nodes and their agents, for a person. */

#include "facts.h"
#include "peer.h"
#include "peer_hub.h"
#include "wire.h"

static json_int_t age_ms(uint64_t since_us)
{
	return since_us ? (json_int_t)((loop_now() - since_us) / 1000) : -1;
}

/* Our echoes through the mesh. The newest may be on its way. */
static json_t *show_path(const struct reach *r)
{
	static const char *const states[] = { "unknown", "up", "down" };
	unsigned int of = r->seq < REACH_RING ? r->seq : REACH_RING;
	unsigned int older = of ? of - 1 : 0;
	unsigned int lost;

	lost = __builtin_popcount(r->valid >> 1 & ((1U << older) - 1));
	return json_pack("{s:s, s:b, s:I, s:I, s:I, s:I}",
			 "state", states[r->state], "narrow", r->narrow,
			 "rtt_us", (json_int_t)r->rtt_us,
			 "lost", (json_int_t)lost, "of", (json_int_t)older,
			 "age_ms", age_ms(r->answered_us));
}

static json_t *show_agent(const struct peer_hub *h, const struct node *n)
{
	const struct peer_node *p = peer_hub_node(h, n->id);
	const char *state = "silent";

	if (!p || p->bad_key || !n->key[0])
		return json_pack("{s:s}", "state", "without key");
	if (!p->wanted)
		state = "not asked";
	else if (p->live)
		state = "answers";
	return json_pack("{s:s, s:I, s:b, s:I}", "state", state,
			 "epoch", (json_int_t)p->session.epoch,
			 "asks_us", p->sub.on, "age_ms", age_ms(p->heard_us));
}

json_t *peer_show(const struct facts *f, const struct peer_hub *h)
{
	static const char *const sights[] = { "none", "up", "down" };
	json_t *list = json_array();
	const struct node *n;
	json_t *o;
	size_t i;

	for (i = 0; i < f->nodes.n; i++) {
		n = f->nodes.v[i];
		if (n->id == f->self)
			continue;
		o = json_pack("{s:I, s:s, s:s, s:b, s:b, s:o, s:o}",
			      "node", (json_int_t)n->id, "name", n->name,
			      "zone", n->zone, "stale", n->stale,
			      "routed", n->routed,
			      "path", show_path(&n->reach),
			      "agent", show_agent(h, n));
		if (n->verdict_id)
			json_object_set_new(o, "verdict",
					    json_string(sights[n->verdict]));
		json_array_append_new(list, o);
	}
	return list;
}
