// SPDX-License-Identifier: GPL-2.0-or-later
/* Which members the coordinator takes, and what it still has to hear of. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local_priv.h"
#include "log.h"
#include "report.h"
#include "state.h"
#include "table.h"
#include "watch.h"

/* Whoever is left serves the tag on. */
void local_mark_served(struct local *l)
{
	const struct own *o;
	struct service *svc;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		svc = facts_service_make(&l->m->facts, o->conf.tag);
		if (!svc)
			continue;
		svc->used = true;
		svc->served |= o->granted;
	}
}

void local_serve(struct local *l)
{
	local_mark_served(l);
	report_changed(l->m->report);
}

void local_stays(struct local *l, const struct service_conf *conf)
{
	size_t i;

	for (i = 0; i < l->n_gone; i++) {
		if (l->gone[i].vni != conf->vni ||
		    strcmp(l->gone[i].tag, conf->tag))
			continue;
		l->gone[i] = l->gone[--l->n_gone];
		return;
	}
}

/* The coordinator is to hear that it went. */
static void add_gone(struct local *l, const struct service_conf *conf)
{
	struct gone *g = NULL;

	if (l->n_gone < SERVICES_MAX)
		g = realloc(l->gone, (l->n_gone + 1) * sizeof(*g));
	if (!g) {
		/* By a full report, which names none of them. */
		l->n_gone = 0;
		report_full(l->m->report);
		return;
	}
	l->gone = g;
	g += l->n_gone++;
	g->vni = conf->vni;
	g->sent = false;
	strcpy(g->tag, conf->tag);
}

void local_leave(struct local *l, struct own *o)
{
	struct service *svc = facts_service(&l->m->facts, o->conf.tag);

	if (svc) {
		svc->served = false;
		svc->used_us = loop_now();
	}
	/* Of what it never took, nor may be taking now, it need not hear. */
	if (o->granted || o->place >= 0)
		add_gone(l, &o->conf);
	log_info("%s on VNI %u is no more", o->conf.tag, o->conf.vni);
	table_dirty(l->m->table, o->conf.tag);
}

static void grant(struct local *l, struct own *o)
{
	const struct service *svc = facts_service(&l->m->facts, o->conf.tag);
	bool used = svc && svc->used;

	o->decided = true;
	o->refusal[0] = '\0';
	o->again_us = 0;
	if (o->granted)
		return;
	o->granted = true;
	log_info("%s on VNI %u is taken by the coordinator", o->conf.tag,
		 o->conf.vni);
	local_mark_served(l);
	table_dirty(l->m->table, o->conf.tag);
	state_changed(l->m->state, true);
	if (!used && l->m->running)
		watch_restart(l->m->watch, UINT64_MAX);
}

void local_refused(struct local *l, struct own *o, const char *why)
{
	struct service *svc;

	if (strcmp(o->refusal, why))
		log_err("the coordinator refuses %s on VNI %u: %s",
			o->conf.tag, o->conf.vni, why);
	snprintf(o->refusal, sizeof(o->refusal), "%s", why);
	o->again_us = loop_now() + REFUSED_MS * LOOP_USEC_PER_MSEC;
	o->decided = true;
	if (!o->granted)
		return;
	o->granted = false;
	svc = facts_service(&l->m->facts, o->conf.tag);
	if (svc) {
		svc->served = false;
		svc->used_us = loop_now();
	}
	local_mark_served(l);
	table_dirty(l->m->table, o->conf.tag);
	/* No run that follows takes it for granted. */
	state_save(l->m->state);
}

void local_ask_again(struct local *l)
{
	struct own *o;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		o->again_us = 0;
	}
}

void local_reported(struct local *l)
{
	struct own *o;
	size_t i, n = 0;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		if (o->place < 0)
			continue;
		o->reported = o->sent;
		grant(l, o);
	}
	for (i = 0; i < l->n_gone; i++)
		if (!l->gone[i].sent)
			l->gone[n++] = l->gone[i];
	/* There may be room where there was none. */
	if (n < l->n_gone)
		local_ask_again(l);
	l->n_gone = n;
}
