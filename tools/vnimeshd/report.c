// SPDX-License-Identifier: GPL-2.0-or-later
/* Reports to the coordinator. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "join.h"
#include "local.h"
#include "log.h"
#include "next.h"
#include "problem.h"
#include "report.h"
#include "sequence.h"
#include "watch.h"
#include "wire.h"

struct report {
	struct mesh *m;
	struct sequence seq;
	struct source *timer;
	struct http_req *req;
	bool started;
	bool told;		/* the failure is in the log */
};

static void arm(struct report *r)
{
	uint64_t due = sequence_due(&r->seq);

	if (r->started && due != UINT64_MAX)
		source_timer_set(r->timer, due);
	else
		source_timer_stop(r->timer);
}

static json_t *pack_definition(const struct facts *f,
			       const struct service_conf *c)
{
	const struct service *s = facts_service(f, c->tag);
	struct definition def = {
		.policy = c->policy,
		.on_down = c->on_down,
		.load = c->load,
		.drain_time_ms = c->drain_time_ms,
		.ports = c->ports,
	};

	/* A coordinator that does not know the tag (any more) is to give it the
	 * address that all others have.
	 */
	if (s && s->defined)
		def.address4 = s->def.address4;
	return wire_pack_service(c->tag, &def);
}

/* The members that the report is about, and the definitions of their tags. */
static void pack_members(struct local *l, bool full, json_t *members,
			 json_t *services)
{
	const struct own *first = NULL;
	uint64_t now_us = loop_now();
	const char *last = "";
	struct member fact;
	int n = 0, svc = -1;
	struct own *o;
	json_t *item;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		o->place = -1;
		/* The tag's definition is the first one's, whatever the report
		 * is about.
		 */
		if (!first || strcmp(first->conf.tag, o->conf.tag))
			first = o;
		if (!local_fact(l, o, &fact) || now_us < o->again_us ||
		    (!full && o->reported == o->seq))
			continue;
		o->place = n++;
		o->sent = o->seq;
		item = wire_pack_member(o->conf.tag, &fact);
		next_json(item);
		json_array_append_new(members, item);
		if (strcmp(last, o->conf.tag)) {
			json_array_append_new(services,
					      pack_definition(&l->m->facts,
							      &first->conf));
			svc++;
		}
		o->svc_place = svc;
		last = o->conf.tag;
	}
}

/* A full report replaces all there is: what it leaves out is gone. */
static void pack_gone(struct local *l, bool full, json_t *removed)
{
	struct gone *g;
	size_t i;

	for (i = 0; i < l->n_gone; i++) {
		g = &l->gone[i];
		g->sent = true;
		if (full)
			continue;
		json_array_append_new(removed,
				      json_pack("{s:s, s:I}", "tag", g->tag,
						"vni", (json_int_t)g->vni));
	}
}

/* What can be left out where all of it is too much. */
static void drop_outputs(json_t *members)
{
	json_t *item;
	size_t i;

	json_array_foreach(members, i, item)
		json_object_del(item, "output");
}

static char *body(struct report *r, uint64_t seq, bool full)
{
	json_t *members = json_array();
	json_t *services = json_array();
	json_t *removed = json_array();
	char *text;
	json_t *o;

	pack_members(r->m->local, full, members, services);
	pack_gone(r->m->local, full, removed);
	o = json_pack("{s:I, s:I, s:b, s:o, s:o, s:o}",
		      "epoch", (json_int_t)r->m->epoch, "seq", (json_int_t)seq,
		      "full", full, "members", members, "removed", removed,
		      "services", services);
	next_json(o);
	text = json_dumps(o, JSON_COMPACT);
	if (text && strlen(text) > SERVICES_BYTES) {
		drop_outputs(members);
		free(text);
		text = json_dumps(o, JSON_COMPACT);
	}
	json_decref(o);
	return text;
}

/* False: no coordinator answers so. */
static bool accepted(struct report *r, json_t *json)
{
	struct mesh *m = r->m;
	const char *incarnation = wire_str(json, "incarnation", "");

	/* Whatever it is that answers there. */
	if (!*incarnation)
		return false;
	m->lease_ms = wire_u64(json, "lease_ms", m->lease_ms);
	local_reported(m->local);
	if (r->told)
		log_info("the coordinator takes reports again");
	r->told = false;
	/* Another coordinator than the watch talks to: it will not learn that
	 * by waiting.
	 */
	if (m->synced && strcmp(incarnation, m->facts.incarnation))
		watch_restart(m->watch, UINT64_MAX);
	return true;
}

/* Those of the report for which @field stands: one, or all of a tag. */
static unsigned int refuse_field(struct local *l, const char *field,
				 const char *why)
{
	int place = -1, svc_place = -1;
	unsigned int n = 0;
	struct own *o;
	size_t i;

	if (sscanf(field, "services[%d]", &svc_place) != 1 &&
	    sscanf(field, "members[%d]", &place) != 1)
		return 0;
	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		/* That as well goes while the report is under way. */
		if (o->place < 0 ||
		    (o->place != place && o->svc_place != svc_place))
			continue;
		local_refused(l, o, why);
		n++;
	}
	return n;
}

/* What is refused must not keep the rest back: it is left out for a while. */
static enum sequence_result refuse_named(struct report *r, json_t *json)
{
	const char *field = wire_str(json, "field", "");
	const char *why = wire_str(json, "detail", "");
	struct local *l = r->m->local;
	unsigned int n = 0;
	json_t *item;
	size_t i;

	/* A full report, which comes next, names none that went. */
	if (!strncmp(field, "removed[", 8))
		return SEQUENCE_RESYNC;
	json_array_foreach(json_object_get(json, "fields"), i, item)
		if (json_is_string(item))
			n += refuse_field(l, json_string_value(item), why);
	if (!n)
		n = refuse_field(l, field, why);
	return n ? SEQUENCE_REFUSED : SEQUENCE_FAILED;
}

static enum sequence_result refused(struct report *r, json_t *json,
				    const struct http_reply *reply)
{
	enum sequence_result result = SEQUENCE_FAILED;
	char text[512];

	if (reply->status == 409 &&
	    json_is_true(json_object_get(json, "resync"))) {
		/* Another coordinator, or what it grants has changed. */
		local_ask_again(r->m->local);
		return SEQUENCE_RESYNC;
	}
	if ((reply->status >= 400 && reply->status < 500) ||
	    reply->status == 507)
		result = refuse_named(r, json);
	if (result != SEQUENCE_FAILED)
		return result;
	if (!r->told)
		log_warn("the coordinator takes no report: %s",
			 problem_text(reply, text, sizeof(text)));
	r->told = true;
	/* It does not know us (any more), or knows another of our name. */
	if (reply->status == 404 || reply->status == 409)
		join_start(r->m->join);
	return SEQUENCE_FAILED;
}

static void on_answer(void *data, const struct http_reply *reply)
{
	struct report *r = data;
	enum sequence_result result = SEQUENCE_OK;
	bool reached = reply->status;
	json_t *json = NULL;

	r->req = NULL;
	if (reply->status)
		json = json_loadb(reply->body, reply->len, 0, NULL);
	if (reply->status != 200) {
		result = refused(r, json, reply);
	} else if (!accepted(r, json)) {
		result = SEQUENCE_FAILED;
		reached = false;
	}
	json_decref(json);
	sequence_answer(&r->seq, result, loop_now(), mesh_random());
	arm(r);
	mesh_reached(r->m, reached);
}

static void on_timer(void *data, uint64_t now_us)
{
	struct report *r = data;
	char url[CONFIG_TEXT_MAX + 64];
	struct http_want want = {
		.method = "POST",
		.url = url,
		.timeout_ms = REPORT_TIMEOUT_MS,
	};
	uint64_t seq;
	char *text;
	bool full;

	/* There our id is somebody else's. */
	if (r->m->foreign) {
		source_timer_set(r->timer, now_us + LOOP_USEC_PER_SEC);
		return;
	}
	seq = sequence_send(&r->seq, &full);
	text = body(r, seq, full);
	snprintf(url, sizeof(url), "%s/v1/nodes/%u/report",
		 r->m->conf.coordinator, r->m->facts.self);
	want.body = text;
	if (!text || http_start(r->m->http, &r->req, &want, on_answer, r)) {
		sequence_answer(&r->seq, SEQUENCE_FAILED, loop_now(),
				mesh_random());
		arm(r);
	}
	free(text);
}

void report_start(struct report *r)
{
	uint64_t seq = r->seq.seq;

	if (r->started)
		return;
	r->started = true;
	sequence_init(&r->seq, r->m->conf.report_ms, loop_now());
	r->seq.seq = seq;
	arm(r);
}

void report_joined(struct report *r)
{
	sequence_joined(&r->seq, loop_now());
	arm(r);
}

void report_changed(struct report *r)
{
	sequence_changed(&r->seq, loop_now());
	arm(r);
}

void report_full(struct report *r)
{
	sequence_full(&r->seq, loop_now());
	arm(r);
}

struct report *report_new(struct mesh *m)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->m = m;
	sequence_init(&r->seq, m->conf.report_ms, loop_now());
	if (loop_timer(m->loop, &r->timer, on_timer, r)) {
		free(r);
		return NULL;
	}
	return r;
}

void report_free(struct report *r)
{
	if (!r)
		return;
	http_cancel(&r->req);
	source_free(&r->timer);
	free(r);
}
