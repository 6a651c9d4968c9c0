// SPDX-License-Identifier: GPL-2.0-or-later
/* What is intended with this host's members: drain and maintenance. */

#include <stdio.h>
#include <string.h>

#include "local_priv.h"
#include "log.h"

static const char *const intent_words[] = {
	"serves again", "is drained", "is in maintenance"
};

uint8_t local_state(const struct local *l, const struct own *o)
{
	const struct intent *in;

	if (!o->health.told_up)
		return VNIMESH_STATE_DOWN;
	in = durable_intent(&l->durable, o->conf.tag, o->conf.vni);
	return in ? in->state : VNIMESH_STATE_UP;
}

struct intent local_intent_about(const struct local *l, const char *tag,
				 uint32_t vni, bool by_root)
{
	const struct intent *in = durable_said(&l->durable, tag, vni, by_root);
	struct intent none = {
		.vni = vni, .state = VNIMESH_STATE_UP, .uid = !by_root,
	};

	if (in)
		return *in;
	snprintf(none.tag, sizeof(none.tag), "%s", tag);
	return none;
}

void local_intent_born(const struct local *l, const struct own *o)
{
	const struct intent *in = durable_intent(&l->durable, o->conf.tag,
						 o->conf.vni);

	if (in)
		log_info("%s on VNI %u %s, as uid %u said before it came%s%s",
			 o->conf.tag, o->conf.vni,
			 intent_words[in->state - VNIMESH_STATE_UP],
			 (unsigned int)in->uid, in->reason[0] ? ": " : "",
			 in->reason);
}

void local_intent_gone(struct local *l, const struct intent *in)
{
	if (in->state == VNIMESH_STATE_UP)
		return;
	l->forgotten++;
	log_info("%s on VNI %u goes, and with it that it %s, by uid %u",
		 in->tag, in->vni, intent_words[in->state - VNIMESH_STATE_UP],
		 (unsigned int)in->uid);
}

static bool is_about_nobody(const struct local *l, const struct intent *in)
{
	size_t i;

	return in->vni ? !local_find(l, in->tag, in->vni) :
			 !local_of_tag(l, in->tag, &i);
}

/* What users said goes first. */
static bool goes_before(const struct intent *a, const struct intent *b)
{
	if (!a->uid != !b->uid)
		return a->uid;
	return a->since < b->since;
}

/* The oldest one of @uid about nobody, or for root of anybody. */
static const struct intent *dispensable(const struct local *l, uid_t uid)
{
	const struct intent *in, *oldest = NULL;
	size_t i;

	for (i = 0; i < l->durable.n_intents; i++) {
		in = &l->durable.intents[i];
		if ((!uid || in->uid == uid) && is_about_nobody(l, in) &&
		    (!oldest || goes_before(in, oldest)))
			oldest = in;
	}
	return oldest;
}

/* A change that is not on disk yet: what there was, and who made room for it. */
struct change {
	struct intent root, users;	/* about just that */
	struct intent gone;		/* state up: nobody */
};

/* What root said is for root to take back; users may say more than that. */
static const char *refusal(const struct local *l, const struct intent *in)
{
	const struct durable *d = &l->durable;
	bool users = durable_said(d, in->tag, in->vni, false);
	bool root = durable_said(d, in->tag, in->vni, true);

	if (is_about_nobody(l, in) && !users && (in->uid || !root))
		return "no such member on this host";
	if (in->uid && in->state == VNIMESH_STATE_UP && !users &&
	    durable_intent(d, in->tag, in->vni))
		return "root said so, and only root takes it back";
	return NULL;
}

static const char *make_room(struct local *l, const struct intent *in,
			     struct intent *gone)
{
	const struct intent *go = NULL;
	struct intent end;

	if (!share_has_intent(&l->durable, in))
		go = dispensable(l, in->uid);
	if (go) {
		*gone = *go;
		end = *go;
		end.state = VNIMESH_STATE_UP;
		durable_set_intent(&l->durable, &end);
	}
	return share_intent(&l->shares, &l->durable, in);
}

/* What root takes back is taken back, whoever said it. */
static const char *change(struct local *l, const struct intent *in,
			  struct change *c)
{
	const char *why = make_room(l, in, &c->gone);
	struct intent users = *in;

	if (why)
		return why;
	users.uid = 1;
	if (!in->uid && in->state == VNIMESH_STATE_UP)
		durable_set_intent(&l->durable, &users);
	return durable_set_intent(&l->durable, in) ? "no memory" : local_save(l);
}

/* There is room: it was there. */
static void go_back(struct local *l, const struct change *c)
{
	durable_set_intent(&l->durable, &c->root);
	durable_set_intent(&l->durable, &c->users);
	if (c->gone.state != VNIMESH_STATE_UP)
		durable_set_intent(&l->durable, &c->gone);
}

static void log_set(const struct local *l, const struct own *o,
		    const struct intent *in)
{
	const struct intent *left = durable_intent(&l->durable, o->conf.tag,
						   o->conf.vni);

	if (in->state == VNIMESH_STATE_UP && left)
		log_info("%s on VNI %u still %s, by uid %u, whatever uid %u takes back",
			 o->conf.tag, o->conf.vni,
			 intent_words[left->state - VNIMESH_STATE_UP],
			 (unsigned int)left->uid, (unsigned int)in->uid);
	else
		log_info("%s on VNI %u %s, by uid %u%s%s", o->conf.tag,
			 o->conf.vni, intent_words[in->state - VNIMESH_STATE_UP],
			 (unsigned int)in->uid, in->reason[0] ? ": " : "",
			 in->reason);
}

static void tell(struct local *l, const struct intent *in)
{
	size_t i, n = local_of_tag(l, in->tag, &i);
	bool any = false;
	struct own *o;

	for (; n; n--, i++) {
		o = l->own.v[i];
		if (in->vni && o->conf.vni != in->vni)
			continue;
		any = true;
		log_set(l, o, in);
		if (o->seq)
			local_tell(l, o);
	}
	if (!any)
		log_info("the intent about %s is forgotten", in->tag);
}

const char *local_intent(struct local *l, const struct intent *in)
{
	struct change c = {
		.root = local_intent_about(l, in->tag, in->vni, true),
		.users = local_intent_about(l, in->tag, in->vni, false),
		.gone = { .state = VNIMESH_STATE_UP },
	};
	const char *why = refusal(l, in);

	/* Who asks too often costs nobody a place. */
	if (!why)
		why = share_change(&l->shares, in->uid, loop_now());
	if (why)
		return why;
	why = change(l, in, &c);
	if (why) {
		go_back(l, &c);
		return why;
	}
	if (c.gone.state != VNIMESH_STATE_UP) {
		l->forgotten++;
		log_info("the intent of uid %u about %s on VNI %u, which is not here, made room",
			 (unsigned int)c.gone.uid, c.gone.tag, c.gone.vni);
	}
	tell(l, in);
	return NULL;
}
