// SPDX-License-Identifier: GPL-2.0-or-later
/* Members that are registered at run time, and who of them is the primary. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "local_priv.h"
#include "log.h"
#include "watch.h"

/* Aliases of aliases, as in files. */
#define ALIAS_DEPTH_MAX	4

int local_load(struct local *l)
{
	char error[1024];
	int err;

	err = durable_load(&l->durable, l->m->conf.state_dir, error,
			   sizeof(error));
	if (err == -ENOMEM)
		log_err("cannot start: %s", error);
	else if (err)
		log_err("%s; what was registered and drained is not known, and the file is kept as %s.bad once another is written",
			error, DURABLE_FILE);
	return err == -ENOMEM ? err : 0;
}

const char *local_save(struct local *l)
{
	int err = durable_save(&l->durable);

	if (!err)
		return NULL;
	log_err("cannot write %s/%s: %s", l->durable.dir, DURABLE_FILE,
		strerror(-err));
	return "cannot be written to state_dir, see the log of the agent";
}

/* Members of @tag are asked for, and the others learn of ours. */
static void served(struct local *l)
{
	local_serve(l);
	if (l->m->joined && l->m->running)
		watch_restart(l->m->watch, UINT64_MAX);
}

static bool alias_ends(const struct local *l, const struct check_conf *c,
		       const char *tag, uint32_t vni, unsigned int left)
{
	const struct own *o;
	unsigned int i;
	uint32_t to;

	for (i = 0; i < c->n_subs; i++)
		if (!alias_ends(l, &c->subs[i], tag, vni, left))
			return false;
	if (c->type != CHECK_ALIAS)
		return true;
	to = c->alias_vni ? c->alias_vni : vni;
	if (!left || (to == vni && !strcmp(c->alias_tag, tag)))
		return false;
	o = local_find(l, c->alias_tag, to);
	return !o || alias_ends(l, &o->conf.check, tag, to, left - 1);
}

static const char *room(const struct local *l, const struct service_conf *conf)
{
	size_t i, bytes = service_bytes(conf);
	const struct own *o;

	for (i = 0; i < l->own.n; i++) {
		o = l->own.v[i];
		bytes += service_bytes(&o->conf);
	}
	if (l->own.n >= SERVICES_MAX)
		return "this host has as many services as it may";
	return bytes > SERVICES_BYTES - 256 ?
	       "more services and ports than fit in a report" : NULL;
}

/* The registration of a member as it is, to go back to; for put_back(). */
static struct registered keep(struct local *l, const char *tag, uint32_t vni)
{
	struct registered *r = durable_find(&l->durable, tag, vni);
	struct registered was = { .vni = vni };

	if (r)
		was = *r;
	else
		snprintf(was.tag, sizeof(was.tag), "%s", tag);
	json_incref(was.def);
	return was;
}

/* There is room: it was there. */
static void put_back(struct local *l, const struct registered *was)
{
	if (was->def)
		durable_add(&l->durable, was->tag, was->vni, was->dev,
			    was->uid, was->def);
	else
		durable_del(&l->durable, was->tag, was->vni);
}

/* What there is to be said against it, before anything is done. */
static const char *unfit(struct local *l, const struct service_conf *conf,
			 const struct own *old, uid_t uid, const json_t *def,
			 const char **field)
{
	const struct local_vni *v = local_vni(l, conf->vni);
	const char *why;

	if (!v || !v->dev.ifindex)
		return "there is no device with this VNI on this host";
	if (old && !old->runtime)
		return "a file of services_dir declares this member";
	*field = "check";
	if (!alias_ends(l, &conf->check, conf->tag, conf->vni,
			ALIAS_DEPTH_MAX))
		return "the alias leads back to itself, or over more than 4 others";
	why = share_check(&l->shares, &l->durable, uid, conf->tag, conf->vni,
			  def);
	if (why)
		return why;
	*field = NULL;
	why = old ? NULL : room(l, conf);
	if (!why)
		why = share_register(&l->shares, &l->durable, uid, conf->tag,
				     conf->vni);
	return why ? why : share_change(&l->shares, uid, loop_now());
}

const char *local_register(struct local *l, struct service_conf *conf,
			   uid_t uid, json_t *def, const char **field)
{
	const struct local_vni *v = local_vni(l, conf->vni);
	const struct own *old = local_find(l, conf->tag, conf->vni);
	struct registered was;
	char tag[TAG_MAX + 1];
	const char *why;
	struct own *o;

	*field = NULL;
	why = unfit(l, conf, old, uid, def, field);
	if (why)
		return why;
	strcpy(tag, conf->tag);
	was = keep(l, tag, v->vni);
	if (durable_add(&l->durable, tag, v->vni, v->dev, uid, def))
		why = "no memory";
	else
		why = local_save(l);
	o = why ? NULL : local_add(l, conf);
	if (!o)
		put_back(l, &was);
	json_decref(was.def);
	if (!o)
		return why ? why : "no memory";
	o->runtime = true;
	log_info("%s on VNI %u is registered by uid %u", tag, v->vni,
		 (unsigned int)uid);
	if (!old)
		local_intent_born(l, o);
	served(l);
	local_apply(l, o);
	return NULL;
}

/* With a registration goes what users said about just that member: the next one
 * on this VNI is another. What root said is of whoever runs this host. The former
 * is returned, to go back to.
 */
static struct intent forget(struct local *l, const char *tag, uint32_t vni)
{
	struct intent in = local_intent_about(l, tag, vni, false);
	struct intent end = in;

	end.state = VNIMESH_STATE_UP;
	durable_set_intent(&l->durable, &end);
	durable_del(&l->durable, tag, vni);
	return in;
}

const char *local_deregister(struct local *l, const char *tag, uint32_t vni,
			     uid_t uid)
{
	struct own *o = (struct own *)local_find(l, tag, vni);
	struct registered was;
	struct intent in;
	const char *why;

	if (!o)
		return "no such member on this host";
	if (!o->runtime)
		return "a file of services_dir declares this member";
	why = share_change(&l->shares, uid, loop_now());
	if (why)
		return why;
	was = keep(l, tag, vni);
	in = forget(l, tag, vni);
	why = local_save(l);
	if (why) {
		put_back(l, &was);
		durable_set_intent(&l->durable, &in);
	}
	json_decref(was.def);
	if (why)
		return why;
	local_intent_gone(l, &in);
	local_leave(l, o);
	sorted_take(&l->own, o);
	local_own_free(o);
	served(l);
	return NULL;
}

/* Moved to another namespace it is still the same, with another index or not. */
static bool same_device(const struct vni_device *a, const struct vni_device *b)
{
	if (a->made_us && b->made_us)
		return a->ifindex && a->made_us == b->made_us;
	return a->ifindex == b->ifindex;
}

static bool lives(void *elem, void *data)
{
	struct own *o = elem;
	struct local *l = data;
	const struct local_vni *v = local_vni(l, o->conf.vni);
	const struct registered *r;
	struct intent in;

	if (!o->runtime)
		return true;
	r = durable_find(&l->durable, o->conf.tag, o->conf.vni);
	if (r && v && same_device(&v->dev, &r->dev))
		return true;
	in = forget(l, o->conf.tag, o->conf.vni);
	local_intent_gone(l, &in);
	local_leave(l, o);
	return false;
}

void local_sweep(struct local *l)
{
	size_t n = l->own.n;

	sorted_filter(&l->own, lives, local_own_free, l);
	if (l->own.n == n)
		return;
	served(l);
	local_save(l);
}

static bool parse(const json_t *def, const struct check_allow *allow,
		  struct service_conf *ret)
{
	char *text = json_dumps(def, JSON_COMPACT);
	struct jread rd;
	struct jobj o;
	bool ok;

	if (!text)
		return false;
	memset(ret, 0, sizeof(*ret));
	jread_buf(&rd, text, strlen(text), JREAD_STRICT);
	ok = jread_root(&rd, &o) && service_read(&o, allow, ret);
	jread_free(&rd);
	free(text);
	return ok;
}

void local_restore(struct local *l, bool changed)
{
	struct service_conf conf;
	struct registered *r;
	struct intent in;
	struct own *o;
	size_t i = 0;

	while (i < l->durable.n_regs) {
		r = &l->durable.regs[i];
		if (local_find(l, r->tag, r->vni)) {
			i++;
			continue;
		}
		if (!parse(r->def, &l->m->conf.allow, &conf)) {
			log_warn("%s on VNI %u is registered no more: this configuration does not allow it",
				 r->tag, r->vni);
			in = local_intent_about(l, r->tag, r->vni, false);
			/* *r goes with it. */
			forget(l, in.tag, in.vni);
			local_intent_gone(l, &in);
			changed = true;
			continue;
		}
		o = local_add(l, &conf);
		service_free(&conf);
		if (o)
			o->runtime = true;
		i++;
	}
	/* Or the next run has it again, when the file that took it is gone. */
	if (changed)
		local_save(l);
}

/* ---- who is the primary ---- */

/* Another VNI that is said to serve @tag, 0: none. Whoever is on a host that
 * cannot be reached, or is of long ago, serves nobody.
 */
static uint32_t other_primary(const struct local *l, const char *tag,
			      uint32_t vni)
{
	const struct service *s = facts_service(&l->m->facts, tag);
	size_t i, n = local_of_tag(l, tag, &i);
	const struct member *mb;
	const struct node *node;
	const struct own *o;

	for (; n; n--, i++) {
		o = l->own.v[i];
		if (o->conf.vni != vni && o->health.up)
			return o->conf.vni;
	}
	for (i = 0; s && i < s->members.n; i++) {
		mb = s->members.v[i];
		node = facts_node(&l->m->facts, mb->node);
		if (mb->node == l->m->facts.self || mb->stale || !node ||
		    mb->state == VNIMESH_STATE_DOWN ||
		    node->reach.state == REACH_DOWN)
			continue;
		return mb->vni;
	}
	return 0;
}

const char *local_rival(void *data, const char *tag, uint32_t vni, bool claims,
			char *buf, size_t len)
{
	struct local *l = data;
	struct own *o = (struct own *)local_find(l, tag, vni);
	uint32_t rival = claims ? other_primary(l, tag, vni) : 0;

	if (!o)
		return NULL;
	if (rival && rival != o->rival)
		log_warn("%s: VNI %u and VNI %u both say they are the primary",
			 tag, vni, rival);
	o->rival = rival;
	/* The one that was stays. Two that came at once: the lower one. */
	if (!rival || (o->health.up && vni < rival))
		return NULL;
	snprintf(buf, len, "two primaries: VNI %u is it already", rival);
	return buf;
}
