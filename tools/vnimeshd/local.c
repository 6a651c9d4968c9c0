// SPDX-License-Identifier: GPL-2.0-or-later
/* This host's own members: what is declared, their checks, what is told. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local_priv.h"
#include "log.h"
#include "peer.h"
#include "report.h"
#include "state.h"
#include "table.h"

static int own_cmp(const void *a, const void *b)
{
	const struct service_conf *x = a, *y = b;
	int c = strcmp(x->tag, y->tag);

	if (c)
		return c;
	return (x->vni > y->vni) - (x->vni < y->vni);
}

void local_own_free(void *elem)
{
	struct own *o = elem;

	check_free(o->check);
	service_free(&o->conf);
	free(o);
}

/* The text goes into JSON, which knows no broken UTF-8. */
static void set_output(struct own *o, const char *text)
{
	char *p;

	snprintf(o->output, sizeof(o->output), "%s", text);
	for (p = o->output; *p; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
}

void local_tell(struct local *l, struct own *o)
{
	bool soft = o->health.told && o->health.told_up == o->health.up;

	if (!o->address4.family && !o->address6.family)
		return;
	health_told(&o->health);
	o->seq = ++l->m->fact_seq;
	table_dirty(l->m->table, o->conf.tag);
	mesh_report(l->m);
	report_changed(l->m->report);
	peer_changed(l->m->peer);
	state_changed(l->m->state, !soft);
}

/* It can be checked, and was not yet. */
static bool waits_result(const struct local *l, const struct own *o)
{
	const struct local_vni *v = local_vni(l, o->conf.vni);

	return v && v->up && !o->health.known && !o->health.told;
}

static void tell_news(struct local *l, struct own *o)
{
	bool was = o->health.told_up;
	bool told = o->health.told;

	if (!health_news(&o->health))
		return;
	/* The first result decides, not that it is still to come. */
	if (waits_result(l, o))
		return;
	if (!o->address4.family && !o->address6.family) {
		/* Nothing that others could use; they hear of it later. */
		if (!o->waits)
			log_info("%s waits: %s", o->conf.tag, o->output);
		o->waits = true;
		return;
	}
	if (!told || was != o->health.up)
		log_info("%s on VNI %u is %s: %s", o->conf.tag, o->conf.vni,
			 o->health.up ? "up" : "down", o->output);
	local_tell(l, o);
}

/* Whoever follows this one looks at it now. */
static void tell_followers(struct local *l, const struct own *o)
{
	struct own *other;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		other = l->own.v[i];
		if (other != o)
			check_follow(other->check, o->conf.tag, o->conf.vni);
	}
}

/* Down as before, but somebody has to look at it, or does not any more. */
static void tell_rival(struct local *l, struct own *o)
{
	if (o->told_rival != o->rival && o->health.told)
		local_tell(l, o);
	o->told_rival = o->rival;
}

static void on_check(void *data, const char *output)
{
	enum check_role role;
	struct own *o = data;
	bool up = o->up;

	o->checked_us = loop_now();
	set_output(o, output);
	tell_news(o->l, o);
	tell_rival(o->l, o);
	role = check_role(o->check);
	if (up == o->health.up && role == o->role)
		return;
	o->up = o->health.up;
	o->role = role;
	tell_followers(o->l, o);
}

/* For the checks: how another member of this host is. */
static bool on_other(void *data, const char *tag, uint32_t vni,
		     struct check_other *ret)
{
	const struct own *o = local_find(data, tag, vni);

	if (!o)
		return false;
	*ret = (struct check_other) {
		.known = o->checked_us || !o->device,
		.up = o->device && o->health.up,
		.role_told = check_role_told(o->check),
		.role = check_role(o->check),
		.latency_us = o->health.latency_us,
		.text = o->output,
	};
	return true;
}

static void lost(struct local *l, struct own *o, const char *why)
{
	o->device = false;
	check_stop(o->check);
	health_lost(&o->health);
	o->rival = 0;
	set_output(o, why);
	tell_news(l, o);
	tell_rival(l, o);
}

void local_apply(struct local *l, struct own *o)
{
	const struct local_vni *v = local_vni(l, o->conf.vni);
	const struct node *self = facts_node(&l->m->facts, l->m->facts.self);
	const struct ip_addr *addr;
	const char *device = l->m->conf.device;
	char text[128];
	bool moved;

	if (!v || !v->up) {
		if (v)
			snprintf(text, sizeof(text), "device %s is down",
				 v->name);
		else
			snprintf(text, sizeof(text),
				 "VNI %u does not exist on this host",
				 o->conf.vni);
		lost(l, o, text);
		return;
	}
	moved = !ip_equal(&o->address4, &v->address4) ||
		!ip_equal(&o->address6, &v->address6);
	o->address4 = v->address4;
	o->address6 = v->address6;
	o->device = true;
	/* The host's own address is behind lo, not behind the device. */
	if (self && self->vni == o->conf.vni)
		device = NULL;
	addr = v->address4.family ? &v->address4 : &v->address6;
	if (addr->family)
		check_start(o->check, addr, device);
	/* What was refused may have been that address. */
	if (moved)
		o->again_us = 0;
	if (moved && o->seq)
		local_tell(l, o);
	tell_news(l, o);
}

void local_apply_all(struct local *l)
{
	size_t i;

	for (i = 0; l->known && i < l->own.n; i++)
		local_apply(l, l->own.v[i]);
}

/* One whose application is yet to say something was never told: the first
 * report takes nothing away by leaving it out.
 */
bool local_settled(const struct local *l)
{
	const struct own *o;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		if (waits_result(l, o) && check_awaited(o->check))
			return false;
	}
	return true;
}

void local_lost(struct local *l)
{
	struct own *o;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		if (o->device)
			lost(l, o, "the mesh device is lost");
	}
}

const struct own *local_find(const struct local *l, const char *tag,
			     uint32_t vni)
{
	struct service_conf key = { .vni = vni };

	snprintf(key.tag, sizeof(key.tag), "%s", tag);
	return sorted_find(&l->own, &key);
}

void local_resume(struct local *l, const char *tag, uint32_t vni, bool up,
		  uint32_t health, uint32_t latency_us)
{
	struct own *o = (struct own *)local_find(l, tag, vni);

	/* An earlier run would not have written it. */
	if (o && !o->decided && !o->granted) {
		o->granted = true;
		local_mark_served(l);
	}
	if (!o || o->checked_us || o->health.told)
		return;
	health_resume(&o->health, up, health, latency_us);
	set_output(o, "not checked since the agent started");
}

/* Go on where an earlier run ended. */
static void resume(struct local *l, struct own *o)
{
	struct past *p;
	size_t i;

	for (i = 0; i < l->n_past; i++) {
		p = &l->past[i];
		if (p->vni != o->conf.vni || strcmp(p->tag, o->conf.tag))
			continue;
		health_resume(&o->health, p->up, p->health, p->latency_us);
		o->address4 = p->address4;
		o->address6 = p->address6;
		o->granted = p->granted;
		o->decided = true;
		set_output(o, "not checked since the agent started");
		return;
	}
}

static struct own *own_new(struct local *l, struct service_conf *conf)
{
	struct own *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->l = l;
	o->place = -1;
	o->conf = *conf;
	memset(&conf->ports, 0, sizeof(conf->ports));
	memset(&conf->check, 0, sizeof(conf->check));
	health_init(&o->health);
	set_output(o, "not checked yet");
	resume(l, o);
	o->check = check_new(&l->env, &o->conf.check, o->conf.tag, o->conf.vni,
			     &o->health, on_check, o);
	if (!o->check || !sorted_add(&l->own, o)) {
		local_own_free(o);
		return NULL;
	}
	return o;
}

static bool same_ports(const struct ports *a, const struct ports *b)
{
	unsigned int i;

	if (a->n != b->n)
		return false;
	for (i = 0; i < a->n; i++)
		if (a->v[i].proto != b->v[i].proto ||
		    a->v[i].port != b->v[i].port ||
		    a->v[i].target != b->v[i].target ||
		    strcmp(a->v[i].name, b->v[i].name))
			return false;
	return true;
}

static void own_change(struct local *l, struct own *o,
		       struct service_conf *conf)
{
	bool news = o->conf.weight != conf->weight ||
		    o->conf.policy != conf->policy ||
		    o->conf.on_down != conf->on_down ||
		    o->conf.load != conf->load ||
		    o->conf.drain_time_ms != conf->drain_time_ms ||
		    o->conf.priority != conf->priority ||
		    !same_ports(&o->conf.ports, &conf->ports);
	bool same = check_conf_same(&o->conf.check, &conf->check);
	struct check_conf old = o->conf.check;

	/* A changed check judges by itself from here, the state holds. The one
	 * that runs points into its definition.
	 */
	if (!same)
		check_stop(o->check);
	ports_free(&o->conf.ports);
	o->conf = *conf;
	memset(&conf->ports, 0, sizeof(conf->ports));
	/* What was refused may be granted by now. */
	o->again_us = 0;
	if (same) {
		o->conf.check = old;
	} else {
		check_conf_free(&old);
		memset(&conf->check, 0, sizeof(conf->check));
	}
	if (news && o->seq)
		local_tell(l, o);
}

struct own *local_add(struct local *l, struct service_conf *conf)
{
	struct own *o = sorted_find(&l->own, conf);

	local_stays(l, conf);
	if (o)
		own_change(l, o, conf);
	else
		o = own_new(l, conf);
	if (!o)
		log_err("no memory for %s", conf->tag);
	return o;
}

struct keep {
	struct local *l;
	const struct services_conf *s;
};

/* Whether the member is still configured; if not, what that takes. */
static bool own_keep(void *elem, void *data)
{
	struct keep *k = data;
	struct own *o = elem;
	size_t i;

	for (i = 0; i < k->s->n; i++)
		if (!own_cmp(&o->conf, &k->s->v[i]))
			return true;

	/* It has its own way to go. */
	if (o->runtime)
		return true;
	local_leave(k->l, o);
	return false;
}

void local_configure(struct local *l, struct services_conf *s)
{
	struct keep keep = { .l = l, .s = s };
	bool taken = false;
	struct own *o;
	size_t i;

	l->env.http = l->m->http;
	sorted_filter(&l->own, own_keep, local_own_free, &keep);
	for (i = 0; i < s->n; i++) {
		o = local_add(l, &s->v[i]);
		if (!o)
			continue;
		/* What a file says counts, also one that came while no agent
		 * ran: then nothing here is registered yet, but on disk.
		 */
		o->runtime = false;
		taken |= durable_del(&l->durable, o->conf.tag, o->conf.vni);
	}
	local_restore(l, taken);
	local_ask_again(l);
	local_mark_served(l);
	services_free(s);
	/* Once only: later members are new ones. */
	free(l->past);
	l->past = NULL;
	l->n_past = 0;
	report_changed(l->m->report);
	peer_changed(l->m->peer);
	local_refresh(l);
	/* Changed checks start again, whether that worked or not. */
	if (l->retry)
		local_apply_all(l);
}

void local_check_now(struct local *l, const char *tag, uint32_t vni)
{
	size_t i, n = local_of_tag(l, tag, &i);
	struct own *o;

	for (; n; n--, i++) {
		o = l->own.v[i];
		if (!vni || o->conf.vni == vni)
			check_now(o->check);
	}
}

void local_check_vni(struct local *l, uint32_t vni)
{
	struct own *o;
	size_t i;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		if (o->conf.vni == vni)
			check_now(o->check);
	}
}

bool local_fact(const struct local *l, const struct own *o, struct member *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (!o->seq)
		return false;
	ret->vni = o->conf.vni;
	ret->node = l->m->facts.self;
	ret->address4 = o->address4;
	ret->address6 = o->address6;
	ret->ports = o->conf.ports;
	ret->weight = o->conf.weight;
	ret->state = local_state(l, o);
	ret->health = o->health.told_score;
	ret->priority = o->conf.priority;
	ret->latency_kind = check_latency_kind(&o->conf.check);
	ret->latency_us = o->health.told_latency_us;
	if (ret->latency_us > VNIMESH_LATENCY_MAX)
		ret->latency_us = VNIMESH_LATENCY_MAX;
	ret->epoch = l->m->epoch;
	ret->seq = o->seq;
	ret->rival = o->rival;
	strcpy(ret->output, o->output);
	return true;
}

size_t local_of_tag(const struct local *l, const char *tag, size_t *first)
{
	size_t i, n = 0;
	const struct own *o;

	*first = 0;
	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		if (strcmp(o->conf.tag, tag))
			continue;
		if (!n++)
			*first = i;
	}
	return n;
}

struct local *local_new(struct mesh *m, int helper)
{
	struct local *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->m = m;
	l->own.cmp = own_cmp;
	if (check_env_init(&l->env, m->loop, mesh_random) ||
	    inside_new(&l->env.inside, m->loop, helper, local_find_device, l)) {
		check_env_free(&l->env);
		free(l);
		return NULL;
	}
	l->env.other = on_other;
	l->env.rival = local_rival;
	l->env.data = l;
	return l;
}

void local_free(struct local *l)
{
	if (!l)
		return;
	sorted_clear(&l->own, local_own_free);
	inside_free(l->env.inside);
	check_env_free(&l->env);
	durable_free(&l->durable);
	free(l->gone);
	free(l->past);
	free(l->vnis);
	free(l);
}
