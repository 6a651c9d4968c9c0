// SPDX-License-Identifier: GPL-2.0-or-later
/* What this host sees of others. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local.h"
#include "log.h"
#include "observe.h"
#include "peer.h"
#include "problem.h"
#include "vantage.h"
#include "wire.h"

/* What comes with one burst of packets goes into one request. */
#define GATHER_US	20000
#define TIMEOUT_MS	2000

struct evidence {
	uint32_t vni;		/* 0: free */
	char tag[TAG_MAX + 1];	/* "": all that is ours on that VNI */
	uint8_t kind;
	uint32_t count;		/* since it was told */
	bool told;
	uint64_t due_us;	/* tell it then, or forget */
};

struct sight {
	uint32_t node;
	uint8_t sight;
	uint64_t probe;
};

struct observe {
	struct mesh *m;
	struct source *timer;
	struct http_req *req;
	struct sight sights[OBSERVATIONS_MAX];
	unsigned int n_sights;
	struct evidence evidence[OBSERVATIONS_MAX];
	struct {
		uint64_t events, coalesced, overflow;
		uint64_t requests, failed;
		uint64_t checked, asked_peers, unasked;
	} stats;
};

bool observe_can(const struct observe *o)
{
	const struct mesh *m = o->m;

	return m->joined && m->synced && !m->away && !m->foreign;
}

static void arm(struct observe *o, uint64_t now_us)
{
	uint64_t due = UINT64_MAX;
	const struct evidence *e;

	/* Its answer comes first. */
	if (!o->req && o->n_sights)
		due = now_us;
	for (e = o->evidence; e < o->evidence + OBSERVATIONS_MAX; e++)
		if (e->vni && e->due_us < due &&
		    !(o->req && e->due_us <= now_us))
			due = e->due_us;
	if (due != UINT64_MAX)
		source_timer_set(o->timer, due);
	else
		source_timer_stop(o->timer);
}

void observe_sight(struct observe *o, uint32_t node, enum peer_sight sight,
		   uint64_t probe)
{
	if (o->n_sights == OBSERVATIONS_MAX) {
		o->stats.overflow++;
		return;
	}
	o->sights[o->n_sights].node = node;
	o->sights[o->n_sights].sight = sight;
	o->sights[o->n_sights++].probe = probe;
	arm(o, loop_now());
}

static struct evidence *find(struct observe *o, const char *tag, uint32_t vni)
{
	struct evidence *e, *room = NULL;

	for (e = o->evidence; e < o->evidence + OBSERVATIONS_MAX; e++) {
		if (e->vni == vni && !strcmp(e->tag, tag))
			return e;
		if (!e->vni && !room)
			room = e;
	}
	if (!room)
		return NULL;
	memset(room, 0, sizeof(*room));
	room->vni = vni;
	room->due_us = loop_now() + GATHER_US;
	snprintf(room->tag, sizeof(room->tag), "%s", tag);
	return room;
}

void observe_evidence(struct observe *o, const char *tag, uint32_t vni,
		      uint8_t kind)
{
	struct evidence *e;

	o->stats.events++;
	e = vni ? find(o, tag, vni) : NULL;
	if (!e) {
		o->stats.overflow++;
		return;
	}
	o->stats.coalesced += e->count || e->told;
	e->kind = kind;
	if (!e->count++)
		arm(o, loop_now());
}

void observe_asked(struct observe *o, uint32_t vni)
{
	observe_evidence(o, "", vni, VNIMESH_EVIDENCE_KIND_REFUSED);
}

/* Of ours: true. */
static bool check_own(struct observe *o, const struct evidence *e)
{
	struct local *l = o->m->local;

	if (*e->tag && !local_find(l, e->tag, e->vni))
		return false;
	if (*e->tag)
		local_check_now(l, e->tag, e->vni);
	else
		local_check_vni(l, e->vni);
	o->stats.checked++;
	return true;
}

static void ask_owner(struct observe *o, const struct evidence *e)
{
	const struct facts *f = &o->m->facts;
	const struct service *s = facts_service(f, e->tag);
	const struct member *m = s ? sorted_find(&s->members, &e->vni) : NULL;
	struct peer_case kase = { .vni = e->vni };

	if (m)
		kase.node = m->node;
	if (m && peer_case(o->m->peer, m->node, PEER_CHECK, &kase))
		o->stats.asked_peers++;
	else
		o->stats.unasked++;
}

static json_t *pack_one(const struct evidence *e)
{
	static const char *const kinds[] = {
		"refused", "icmp", "silence", "reset",
	};

	return json_pack("{s:s, s:I, s:s, s:I}", "tag", e->tag,
			 "vni", (json_int_t)e->vni,
			 "kind", kinds[(e->kind - 1) & 3],
			 "count", (json_int_t)e->count);
}

static json_t *pack_evidence(struct observe *o, uint64_t now_us)
{
	json_t *list = json_array();
	struct evidence *e;

	for (e = o->evidence; e < o->evidence + OBSERVATIONS_MAX; e++) {
		if (!e->vni || e->due_us > now_us)
			continue;
		if (!e->count) {
			e->vni = 0;
			continue;
		}
		if (!check_own(o, e)) {
			if (!observe_can(o))
				ask_owner(o, e);
			else
				json_array_append_new(list, pack_one(e));
		}
		e->count = 0;
		e->told = true;
		e->due_us = now_us + EVIDENCE_GAP_MS * LOOP_USEC_PER_MSEC;
	}
	return list;
}

static json_t *pack_sights(struct observe *o)
{
	static const char *const words[] = { "none", "up", "down" };
	json_t *list = json_array();
	const struct sight *s;
	json_t *item;

	for (s = o->sights; s < o->sights + o->n_sights; s++) {
		item = json_pack("{s:I, s:s}", "node", (json_int_t)s->node,
				 "sight", words[s->sight]);
		if (s->probe)
			json_object_set_new(item, "probe",
					    json_integer(s->probe));
		json_array_append_new(list, item);
	}
	o->n_sights = 0;
	return list;
}

static void take(struct observe *o, const struct http_reply *reply)
{
	json_t *json = json_loadb(reply->body, reply->len, 0, NULL);
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(json, "verdicts"), i, item)
		vantage_told(o->m->vantage, wire_u64(item, "node", 0),
			     wire_sight(item));
	json_decref(json);
}

static void on_answer(void *data, const struct http_reply *reply)
{
	struct observe *o = data;
	char text[512];

	o->req = NULL;
	if (reply->status == 200) {
		take(o, reply);
	} else {
		/* Who waits for an answer asks again, or somebody else. */
		o->stats.failed++;
		log_debug("observations: %s",
			  problem_text(reply, text, sizeof(text)));
	}
	arm(o, loop_now());
}

static void tell(struct observe *o, json_t *sights, json_t *evidence)
{
	char url[CONFIG_TEXT_MAX + 64];
	struct http_want want = {
		.method = "POST",
		.url = url,
		.timeout_ms = TIMEOUT_MS,
	};
	json_t *json = json_pack("{s:O, s:O}", "observations", sights,
				 "evidence", evidence);
	char *text = json_dumps(json, JSON_COMPACT);

	snprintf(url, sizeof(url), "%s/v1/nodes/%u/observations",
		 o->m->conf.coordinator, o->m->facts.self);
	want.body = text;
	o->stats.requests++;
	if (!text || http_start(o->m->http, &o->req, &want, on_answer, o))
		o->stats.failed++;
	json_decref(json);
	free(text);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct observe *o = data;
	json_t *evidence, *sights;

	if (!o->req) {
		evidence = pack_evidence(o, now_us);
		sights = pack_sights(o);
		if (json_array_size(evidence) || json_array_size(sights))
			tell(o, sights, evidence);
		json_decref(evidence);
		json_decref(sights);
	}
	arm(o, now_us);
}

void observe_status(const struct observe *o, json_t *json)
{
	json_t *counts;

	counts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			   "events", (json_int_t)o->stats.events,
			   "coalesced", (json_int_t)o->stats.coalesced,
			   "overflow", (json_int_t)o->stats.overflow,
			   "requests", (json_int_t)o->stats.requests,
			   "failed", (json_int_t)o->stats.failed,
			   "checked", (json_int_t)o->stats.checked,
			   "asked_peers", (json_int_t)o->stats.asked_peers,
			   "unasked", (json_int_t)o->stats.unasked);
	json_object_set_new(json, "evidence", counts);
}

struct observe *observe_new(struct mesh *m)
{
	struct observe *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->m = m;
	if (loop_timer(m->loop, &o->timer, on_timer, o)) {
		free(o);
		return NULL;
	}
	return o;
}

void observe_free(struct observe *o)
{
	if (!o)
		return;
	http_cancel(&o->req);
	source_free(&o->timer);
	free(o);
}
